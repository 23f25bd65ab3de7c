# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Which dates a forecast of a dataset of forecasts has."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.trajectories import trajectory_dates
from anemoi_ailand.rollout.run.coverage import available_dates

BASES = np.array(["2020-05-01", "2020-05-02"], "datetime64[s]")
START = datetime(2020, 5, 2)


def forcing(steps, start=START):
    """An input of datasets with forecasts from two dates."""
    ds = SimpleNamespace(base_dates=BASES, steps=np.array(steps, "timedelta64[h]"))
    return SimpleNamespace(
        ds=ds, ds_dates=BASES, use_trajectories=True, open_dataset_args=(), reference_date=start,
    )  # fmt: skip


@pytest.mark.parametrize("of", [lambda f: trajectory_dates(f, START), available_dates])
def test_dates_are_those_of_the_forecast_of_the_run(of):
    """Dates are those of one forecast, not the starts of all."""
    expected = np.datetime64(START, "s") + np.array([0, 6, 12], "timedelta64[h]")
    np.testing.assert_array_equal(of(forcing([0, 6, 12])), expected)


def test_no_forecast_from_then():
    """The error names the available starts."""
    with pytest.raises(ValueError, match=r"starts at 2020-05-02 06:00; there are 2, from 2020-05-01T00:00:00 to 2020"):
        trajectory_dates(forcing([0, 6]), datetime(2020, 5, 2, 6))


@pytest.mark.parametrize("steps", [[6, 12, 18], [0, 3, 6], [0, 6, 18]])
def test_steps_that_anemoi_would_miscount(steps):
    """Steps that do not begin at 0, have another frequency or a gap are errors."""
    with pytest.raises(ValueError, match=r"steps from 0 on, every 6 h, are needed"):
        trajectory_dates(forcing(steps), START)
