# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Persistence holds the initial state."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.fields.baselines import persistence
from anemoi_ailand.evaluation.scores import metrics as m


def test_persistence_holds_the_initial_state(make_dates):
    """The same values at all times, in the order (time, point)."""
    times = make_dates("2022-01-01T06", "2022-01-02T00")
    got = persistence(xr.DataArray([1.0, 2.0], dims="point"), times)
    assert got.dims == ("time", "point")
    np.testing.assert_array_equal(got, [[1.0, 2.0]] * 4)


def test_persistence_of_a_sine_has_the_known_error(make_dates):
    """Over whole periods, RMSE of holding A sin(phi) is A sqrt(1/2 + sin(phi)**2), its bias A sin(phi)."""
    times = make_dates("2022-01-01T06", "2022-01-11T00")
    angle = 2 * np.pi * np.arange(1, 41) / 40
    for amplitude, phase in [(1.0, 0.0), (3.0, 0.7)]:
        obs = xr.DataArray(amplitude * np.sin(phase + angle)[:, None], dims=("time", "point"), coords={"time": times})
        held = persistence(xr.DataArray([amplitude * np.sin(phase)], dims="point"), times)
        got = m.scores(held, obs, xr.zeros_like(obs))
        assert got["rmse"] == pytest.approx(amplitude * np.sqrt(0.5 + np.sin(phase) ** 2))
        assert got["bias"] == pytest.approx(amplitude * np.sin(phase), abs=1e-12)
