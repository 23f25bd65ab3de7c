# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Check of the outputs of steps against what is physically possible and plausible."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.data.plausibility.checker import Checker


def check_outputs(
    checker: Checker, out: Tensor, names: Sequence[str], dates: Sequence[datetime], where: tuple[np.ndarray, np.ndarray]
) -> None:
    """Compare outputs (date, row, output) with the ranges of the table; one pass if all are plausible.

    ``where`` are the places of the points, which repeat in the rows of members and of several starts.

    Raises
    ------
    Implausible
        Values that are not possible, with variable, date and place.
    """
    if not checker.on:
        return
    lowest, highest = torch.aminmax(out.reshape(-1, out.shape[-1]), dim=0)
    beyond = checker.beyond(names, lowest.tolist(), highest.tolist())
    if beyond:
        checker.outputs({n: out[..., list(names).index(n)].numpy(force=True) for n in beyond}, dates, where)
