# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Put layers together so that one layer lies in memory as a whole: what is done layer by layer is then fast."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def stack_layers(layers: Sequence[Tensor]) -> Tensor:
    """Single layers, each (...), as (..., layer)."""
    return torch.stack(list(layers)).movedim(0, -1)


def join_layers(parts: Sequence[Tensor]) -> Tensor:
    """Groups of layers, each (..., layers), one after the other as (..., layer)."""
    return torch.cat([part.movedim(-1, 0) for part in parts]).movedim(0, -1)
