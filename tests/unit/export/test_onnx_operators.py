# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Functions that ONNX does not have keep their digits in onnxruntime, in both precisions."""

import io

import numpy as np
import onnxruntime
import pytest
import torch

from anemoi_ailand.export.onnx_operators import OPSET, softplus, translations

#: Units of the last place that the value may be away: logarithm and exponential of onnxruntime are not exact either.
ULPS = 6

FUNCTIONS = {
    "log1p": (torch.log1p, np.log1p, [-0.999, -0.3, -1e-3, -1e-8, -1e-30, 0.0, 1e-12, 1e-5, 0.1, 3.0, 1e6]),
    "expm1": (torch.expm1, np.expm1, [-200.0, -20.0, -1.0, -1e-4, -1e-9, -1e-30, 0.0, 1e-12, 1e-3, 0.7, 30.0]),
    "softplus": (
        torch.nn.functional.softplus,
        lambda x: np.where(x > 20.0, x, np.log1p(np.exp(x))),
        [-40.0, -20.0, -3.0, 0.0, 1.0, 19.9, 20.1, 80.0],
    ),
    "log10": (torch.log10, np.log10, [1e-12, 0.1, 0.5, 2.0, 10.0, 1e9]),
    "constant": (lambda x: x * 0.1 + 273.16, lambda x: x * 0.1 + 273.16, [-1.0, 0.0, 1e-3, 50.0]),
    "full_like": (lambda x: x + torch.full_like(x, 0.85), lambda x: x + 0.85, [-1.0, 0.0, 1e-3]),
}


class Functions(torch.nn.Module):
    def __init__(self, names):
        super().__init__()
        self.names = names

    def forward(self, *arguments):
        return tuple(FUNCTIONS[name][0](x) for name, x in zip(self.names, arguments, strict=True))


def errors(arguments, table):
    """Export a graph and return the largest distances of its values from the exact ones [units of the last place]."""
    tensors = tuple(torch.from_numpy(x) for x in arguments.values())
    program = torch.onnx.export(
        Functions(list(arguments)), tensors, dynamo=True, opset_version=OPSET, custom_translation_table=table,
        optimize=False, verbose=False, input_names=list(arguments),
    )  # fmt: skip
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    found = {}
    for (name, x), values in zip(arguments.items(), session.run(None, arguments), strict=True):
        expected = FUNCTIONS[name][1](x.astype(np.longdouble)).astype(x.dtype)
        found[name] = float(np.max(np.abs(values - expected) / np.spacing(np.abs(expected))))
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_digits_are_kept(dtype):
    """Values near zero, at zero and far away are right within a few units of the last place."""
    found = errors({name: np.array(row[2], dtype=dtype) for name, row in FUNCTIONS.items()}, translations())
    assert {name: ulps for name, ulps in found.items() if ulps > ULPS} == {}


def test_torchs_own_translation_loses_them():
    """Torch's own translation loses small arguments. If this fails, ours can go."""
    x = np.array([1e-9, 1e-5], dtype="float32")
    assert min(errors({"log1p": x, "expm1": x}, {}).values()) > 1000


def test_softplus_of_another_slope_is_refused():
    """Another slope is an error, as it would be written wrongly."""
    with pytest.raises(ValueError, match=r"beta = 2.0 has no translation"):
        softplus(None, 2.0)
