# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Elementary functions that keep their digits in compiled code as well."""

from __future__ import annotations

import torch
from torch import Tensor

#: Argument above which the series is used, and its coefficients; the next term is below rounding in single precision.
_SERIES_FROM, _COEFFICIENTS = -0.25, (1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0)


def expm1(x: Tensor) -> Tensor:
    r"""Return :math:`e^x - 1` for :math:`x \le 0`, to rounding also near zero.

    Compiled by torch 2.10, ``torch.expm1`` becomes the difference, which has no digits left in dry soil. There, in
    single precision, the series :math:`x + x^2/2 + \dots + x^7/5040` replaces it above -0.25.
    """
    if not torch.compiler.is_compiling() or x.dtype is torch.float64:
        return torch.expm1(x)
    series = torch.full_like(x, 1.0 / 5040.0)
    for coefficient in _COEFFICIENTS:
        series = series * x + coefficient
    return torch.where(x > _SERIES_FROM, x * series, torch.exp(x) - 1.0)
