# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A case is checked before anything long starts."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.fields.case import prepare
from anemoi_ailand.evaluation.fields.fields import open_fields


def test_case_of_a_subset_in_another_order(write_forecast, reference_file, truth):
    """Truth and forecast are at the same places, and groups count points of the forecast."""
    forecast = write_forecast(bias=0.0, change=lambda run: run.isel(point=[6, 5, 1]))
    case = prepare(open_fields(forecast), open_fields(reference_file), (2020, 2021))
    assert case.points.tolist() == [6, 5, 1]
    assert {name: index.tolist() for name, index in case.groups.items()} == {
        "all": [0, 1, 2], "held_out": [1], "trained": [0, 2],
    }  # fmt: skip
    assert case.held_out_by == "point_id % 5 == 0"
    assert case.times[0] - case.initial == np.timedelta64(6, "h")
    np.testing.assert_array_equal(case.truth(["stl1"])["stl1"], case.emulated(["stl1"])["stl1"])
    expected = truth["stl1"].sel(time="2022-01-01T00").isel(point=5)
    assert float(case.truth(["stl1"], np.array([1]))["stl1"][0, 0]) == float(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda r: r.assign_coords(time=r.time + np.timedelta64(800, "D")), "do not overlap", id="time"),
        pytest.param(lambda r: r.assign_coords(latitude=r.latitude + 1), "10 of the 10 points", id="points"),
        pytest.param(
            lambda r: xr.Dataset({"x": r["t2m"].assign_attrs(short_name="x")}), "No prognostic", id="variables"
        ),
    ],
)
def test_forecast_that_does_not_fit_is_an_error(write_forecast, reference_file, change, message):
    """Other time, other points, other variables."""
    with pytest.raises(ValueError, match=message):
        prepare(open_fields(write_forecast(change=change)), open_fields(reference_file))
