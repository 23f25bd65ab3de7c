# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
r"""Translations of functions that ONNX lacks, or that torch's exporter writes with a loss of precision.

- ``log1p`` and ``expm1``: torch writes :math:`\log(1 + x)` and :math:`e^x - 1`, which lose all digits at small x,
  in dry soil and light rain. With :math:`u = 1 + x` or :math:`u = e^x` as rounded,

  .. math:: \log(1+x) = x\,\frac{\log u}{u - 1}, \qquad e^x - 1 = x\,\frac{u - 1}{\log u},

  and x itself where u is 1, since both fractions change slowly with u (W. Kahan; Higham 2002, Accuracy and Stability of
  Numerical Algorithms, section 1.14.1, doi:10.1137/1.9780898718027).
- ``softplus``: onnxruntime has none in double precision.
- ``scalar_tensor``, ``full_like``, ``log10``: torch (2.10) rounds constants of a graph in double precision to single.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

#: Version of the operator set; onnxruntime supports it from 1.17.
OPSET = 20


def translations() -> dict[Callable, Callable | Sequence[Callable]]:
    """Return the ``custom_translation_table`` of ``torch.onnx.export``; needs the package onnxscript."""
    aten = torch.ops.aten
    return {
        aten.log1p.default: log1p,
        aten.expm1.default: expm1,
        aten.softplus.default: softplus,
        aten.scalar_tensor.default: scalar_tensor,
        aten.full_like.default: full_like,
        aten.log10.default: log10,
    }


def log1p(self: Any) -> Any:
    """Translate ``log(1 + x)``."""
    op = _operators()
    one = _like(1.0, self)
    u = op.Add(self, one)
    return op.Where(op.Equal(u, one), self, op.Mul(op.Log(u), op.Div(self, op.Sub(u, one))))


def expm1(self: Any) -> Any:
    """Translate ``exp(x) - 1``."""
    op = _operators()
    one = _like(1.0, self)
    u = op.Exp(self)
    less = op.Sub(u, one)
    value = op.Mul(less, op.Div(self, op.Log(u)))
    vanished = op.Equal(less, op.Neg(one))  # exp(x) is negligible, and its logarithm may be infinite
    return op.Where(op.Equal(u, one), self, op.Where(vanished, less, value))


def softplus(self: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """Translate ``log(1 + exp(x))``, which is x above the threshold, as in torch."""
    if beta != 1.0:
        raise ValueError(f"softplus with beta = {beta} has no translation to ONNX here, only with 1. Write one.")
    op = _operators()
    return op.Where(op.Greater(self, _like(threshold, self)), self, log1p(op.Exp(self)))


def log10(self: Any) -> Any:
    """Translate the logarithm to base ten."""
    op = _operators()
    return op.Div(op.Log(self), op.Log(_like(10.0, self)))


def scalar_tensor(s: float, dtype: int = -1, layout: str = "", device: str = "", pin_memory: bool = False) -> Any:
    """Translate a constant in the requested precision."""
    del layout, device, pin_memory
    op = _operators()
    constant = _double(s)
    return op.Cast(constant, to=dtype if dtype != -1 else 1)  # 1 is single precision


def full_like(
    self: Any,
    fill_value: float,
    dtype: int = -1,
    layout: str = "",
    device: str = "",
    pin_memory: bool = False,
    memory_format: str = "",
) -> Any:
    """Translate a constant in the shape and precision of another tensor."""
    del layout, device, pin_memory, memory_format
    op = _operators()
    value = _like(fill_value, self) if dtype == -1 else op.Cast(_double(fill_value), to=dtype)
    return op.Expand(value, op.Shape(self))


def _like(value: float, other: Any) -> Any:
    return _operators().CastLike(_double(value), other)


def _double(value: float) -> Any:
    import numpy as np
    import onnx_ir

    return _operators().Constant(value=onnx_ir.tensor(np.array(value, dtype=np.float64)))


def _operators() -> Any:
    from onnxscript import opset20  # optional

    return opset20
