# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The term of the loss on finite differences of the physical model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from anemoi_ailand.training.jacobian_term import JacobianTerm, options_of, read_differences, single_precision

NAMES = {"swvl1": 0, "stl1": 1, "t": 2}
OUTPUTS = {"stl1": 0, "2t": 1}
DATES = np.arange("2018-01-01T00", "2018-01-05T00", 6, dtype="datetime64[h]").astype("datetime64[ns]")
LATITUDES, LONGITUDES = np.array([10.0, 20.0, 30.0]), np.array([0.0, -90.0, 180.0])

#: Derivatives of a linear model (output, input): stl1, 2t with respect to swvl1, stl1.
SLOPES = torch.tensor([[-2.0, 0.5], [3.0, 0.25]])


class Data:
    """Stand-in for an opened Anemoi dataset of three points, the last one held out."""

    dates, latitudes, longitudes, name_to_index = DATES, LATITUDES, LONGITUDES, NAMES

    def __getitem__(self, dates):
        n = len(DATES[dates])
        return np.random.default_rng(0).normal(size=(n, len(NAMES), 1, 3)).astype("f4")


def write(path, n_points=3, **changes):
    """Write differences of the linear model at 6 and 12 h, the response to stl1 at the second point not linear."""
    shape = (2, 2, 2, 2, n_points)
    jac = np.broadcast_to(SLOPES.numpy().T[None, None, :, :, None], shape).astype("f4").copy()
    jac *= np.array([1.0, 2.0])[None, :, None, None, None]  # twice as large after two steps
    asym = np.zeros(shape, "f4")
    asym[:, :, 1, :, 1] = jac[:, :, 1, :, 1]
    dims = ("date", "lead", "in_var", "out_var", "point")
    fields = {
        "jac": (dims, jac), "asym": (dims, asym), "valid": (("date", "in_var", "point"), np.ones((2, 2, n_points))),
        "time": ("date", DATES[[0, 4]]), "in_name": ("in_var", ["swvl1", "stl1"]),
        "out_name": ("out_var", ["stl1", "t2m"]),
        "delta": ("in_var", np.array([0.01, 0.5], "f4")), "lead": ("lead", [6, 12]),
        "latitude": ("point", LATITUDES[:n_points]), "longitude": ("point", LONGITUDES[:n_points] % 360.0), **changes,
    }  # fmt: skip
    xr.Dataset(fields).to_netcdf(path)
    return path


def test_differences_of_held_out_points_and_non_linear_ones_are_left_out(tmp_path):
    """Two of three points are trained on; the response to stl1 at the second of them is not linear."""
    found = read_differences(write(tmp_path / "jac.nc"), Data(), 2, OUTPUTS)
    assert found.inputs == ("swvl1", "stl1")
    assert found.outputs == ("stl1", "2t")
    assert found.leads == (1, 2)
    assert found.fields.shape == (2, 3, 2, 3)
    known = found.values.isfinite()
    assert known[:, :, 0].all()
    assert known[:, :, 1, :, 0].all()
    assert not known[:, :, 1, :, 1].any()
    torch.testing.assert_close(found.values[1, 0, 0, :, 0], 2.0 * SLOPES[:, 0])


@pytest.mark.parametrize(
    ("changes", "n_points", "message"),
    [
        ({"time": ("date", DATES[[0, 4]] + np.timedelta64(9000, "D"))}, 2, "0 dates, 2 of 2 points"),
        ({"latitude": ("point", LATITUDES + 1.0)}, 2, "0 of 2 points"),
        ({"lead": ("lead", [1, 2])}, 2, r"leads \[\] h"),
    ],
    ids=["dates", "points", "leads"],
)
def test_a_file_without_anything_of_the_training_is_refused(tmp_path, changes, n_points, message):
    """The error counts what the two have in common."""
    with pytest.raises(ValueError, match=message):
        read_differences(write(tmp_path / "jac.nc", **changes), Data(), n_points, OUTPUTS)


def test_a_file_of_something_else_is_refused(tmp_path):
    """The error names the variables that are missing."""
    xr.Dataset({"jac": ("x", [1.0])}).to_netcdf(tmp_path / "jac.nc")
    with pytest.raises(ValueError, match=r"lacks \['asym', 'delta'"):
        read_differences(tmp_path / "jac.nc", Data(), 2, OUTPUTS)


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_loss_is_that_of_the_error_of_the_slope(tmp_path, scale):
    """The derivatives of the file have no loss; slopes off by half have that of Huber's function."""
    term = JacobianTerm(read_differences(write(tmp_path / "jac.nc"), Data(), 2, OUTPUTS), NAMES, OUTPUTS, 4.0, 16)
    factor = torch.tensor(scale, requires_grad=True)

    def unroll(fields, steps):
        return (steps * factor * fields[:, :1, ..., :2] @ SLOPES.T).contiguous()

    generator = torch.Generator().manual_seed(0)
    loss = term.loss(unroll, torch.clone, torch.clone, generator)
    error = scale - 1.0
    torch.testing.assert_close(loss.detach(), torch.tensor(4.0 * 0.5 * error**2), rtol=1e-2, atol=1e-6)
    loss.backward()
    assert bool(factor.grad > 0.5) == (scale > 1.0)


def test_draws_follow_from_the_generator(tmp_path):
    """The same seed gives the same pairs, another one others."""
    term = JacobianTerm(read_differences(write(tmp_path / "jac.nc"), Data(), 2, OUTPUTS), NAMES, OUTPUTS, 1.0, 16)
    a, b, c = (term.draw(torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(a[0], b[0])
    assert a[0].shape != c[0].shape or not torch.equal(a[0], c[0])


def test_single_precision_ends():
    """The precision of the model is as before."""
    land = SimpleNamespace(hidden_dtype=torch.bfloat16)
    with single_precision(land):
        assert land.hidden_dtype is None
    assert land.hidden_dtype is torch.bfloat16


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"every": 0}, ValueError, "every"),
        ({"weigth": 1.0}, ValueError, "weight"),
        ({"path": "nowhere.nc"}, FileNotFoundError, "nowhere.nc"),
    ],
)
def test_wrong_options_are_refused(options, error, message):
    """A number out of range, an unknown option, which gives the nearest, and a path without a file."""
    with pytest.raises(error, match=message):
        options_of(options)
    assert options_of(None).path is None
