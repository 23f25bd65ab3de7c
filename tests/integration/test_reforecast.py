# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Re-forecasts from many starts, with a trained checkpoint, are the runs of anemoi-inference from each of them."""

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.rollout.reforecast.reforecast import reforecast
from anemoi_ailand.rollout.run.launch import launch

pytestmark = pytest.mark.slow

STARTS = ["2020-04-29T06", "2020-05-01T00", "2020-05-03T18", "2020-05-20T00"]
LEADS = range(6, 10 * 24 + 1, 6)


def same(found, run, start):
    """Compare every variable of one start with a run after its first record, bitwise."""
    names = set(found.data_vars)
    assert names == set(run.data_vars) - {"time_bnds", "forecast_reference_time"}
    one = found.sel(start=start)
    np.testing.assert_array_equal(one.start + one.lead * np.timedelta64(1, "h"), run.time[1:])
    np.testing.assert_array_equal(one.latitude, run.latitude)
    for name in names:
        np.testing.assert_array_equal(one[name].values, run[name].values[1:], err_msg=f"{name} from {start}")
        assert one[name].attrs["units"] == run[name].attrs["units"]


def test_reforecasts_are_the_runs_of_anemoi_inference(chain, forecast, tmp_path):
    """Values are bitwise those of single runs, though each step goes through all starts, whatever rows share a call."""
    many, third = tmp_path / "many.nc", tmp_path / "third.nc"
    options = {"starts": STARTS, "leads": LEADS, "batch_rows": 50, "progress": False}
    reforecast(chain.checkpoint, chain.dataset, many, **options)
    launch("inference/rollout", [
        f"checkpoint={chain.checkpoint}", f"input.dataset={chain.dataset}", f"output.land-netcdf.path={third}",
        "date=2020-05-03T18:00:00", "lead_time=10d",
    ])  # fmt: skip
    with xr.open_dataset(many) as found, xr.open_dataset(forecast) as first, xr.open_dataset(third) as other:
        assert found.attrs["checkpoint_sha256"] == first.attrs["checkpoint_sha256"]
        same(found, first, "2020-05-01T00")
        same(found, other, "2020-05-03T18")
