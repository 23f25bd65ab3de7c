# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Precision of products in hidden layers during training, and layers that stay in single precision.

Hardware multiplies bfloat16 about three times as fast. Its eight bits of precision suffice between hidden layers, but
not for input temperatures or output increments.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

LOG = logging.getLogger(__name__)

#: Precisions of products in hidden layers by name; weights and their updates are always in single precision.
PRECISIONS: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16}


def precision_of(name: str) -> torch.dtype | None:
    """Look up the type of products in hidden layers; ``None`` for single precision."""
    if name not in PRECISIONS:
        raise ValueError(f"`model.model.hidden_precision` is '{name}'. It can be one of {sorted(PRECISIONS)}.")
    return PRECISIONS[name]


def hidden_precision(dtype: torch.dtype | None, device: torch.device) -> AbstractContextManager:
    """Multiply in ``dtype`` inside ``with``, if the hardware of the device supports it."""
    if dtype is None or not in_hardware(device.type):
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


@cache
def in_hardware(kind: str) -> bool:
    """Return whether the hardware multiplies bfloat16; without it, bfloat16 is slower than single precision."""
    if kind == "cpu":
        # torch 2.10 has no public function for this
        probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        found = bool(probe()) if probe is not None else False
    else:
        found = kind != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    if not found:
        LOG.info("This %s has no bfloat16: hidden layers multiply in single precision", kind)
    return found


class Exact(nn.Linear):
    """Linear layer that always multiplies in single precision: the first one and the heads."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer as :class:`torch.nn.Linear`."""
        if not torch.is_autocast_enabled(x.device.type):
            return linear(x, self.weight, self.bias)
        with torch.autocast(x.device.type, enabled=False):
            return linear(x.float(), self.weight, self.bias)


class PartlyExact(nn.Linear):
    r"""Linear layer of hidden channels and inputs, :math:`W (h, z) + b`, with inputs in single precision."""

    def __init__(self, n_hidden: int, n_in: int, n_out: int) -> None:
        super().__init__(n_hidden + n_in, n_out)
        self.n_hidden = n_hidden

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer as :class:`torch.nn.Linear`."""
        if not torch.is_autocast_enabled(x.device.type):
            return linear(x, self.weight, self.bias)
        of_hidden = linear(x[..., : self.n_hidden], self.weight[:, : self.n_hidden])
        with torch.autocast(x.device.type, enabled=False):
            return linear(x[..., self.n_hidden :].float(), self.weight[:, self.n_hidden :], self.bias) + of_hidden
