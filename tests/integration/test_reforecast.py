# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Re-forecasts from many starts, with a trained checkpoint, are the runs of anemoi-inference from each of them."""

import subprocess
import sys

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


@pytest.fixture(scope="module")
def many(chain):
    """All starts and leads, 50 rows a call."""
    options = {"starts": STARTS, "leads": LEADS, "batch_rows": 50, "progress": False}
    return reforecast(chain.checkpoint, chain.dataset, chain.root / "many.nc", **options)


def test_re_forecasts_are_the_runs_of_anemoi_inference(chain, many, forecast, tmp_path):
    """Values are bitwise those of single runs, though each step goes through all starts, whatever rows share a call."""
    third = tmp_path / "third.nc"
    launch("inference/rollout", [
        f"checkpoint={chain.checkpoint}", f"input.dataset={chain.dataset}", f"output.land-netcdf.path={third}",
        "date=2020-05-03T18:00:00", "lead_time=10d",
    ])  # fmt: skip
    with xr.open_dataset(many) as found, xr.open_dataset(forecast) as first, xr.open_dataset(third) as other:
        assert found.attrs["checkpoint_sha256"] == first.attrs["checkpoint_sha256"]
        same(found, first, "2020-05-01T00")
        same(found, other, "2020-05-03T18")


def test_points_leads_and_variables_do_not_change_a_value(chain, many, tmp_path):
    """A few of each have bitwise the values of the whole."""
    some = reforecast(
        chain.checkpoint, chain.dataset, tmp_path / "some.nc", starts=STARTS[1:3], leads=[24, 120], points=[5, 0, 2],
        variables=["swvl1", "2t"], batch_rows=4, progress=False,
    )  # fmt: skip
    with xr.open_dataset(some) as found, xr.open_dataset(many) as whole:
        part = whole[["swvl1", "t2m"]].isel(point=[5, 0, 2], start=[1, 2]).sel(lead=[24, 120])
        assert set(found.data_vars) == {"swvl1", "t2m"}
        for name in ("swvl1", "t2m"):
            np.testing.assert_array_equal(found[name], part[name])
        np.testing.assert_array_equal(found.point_id, part.point_id)


def test_the_command_writes_what_the_function_does(chain, many, tmp_path):
    """One call makes many initial dates, with the lead time as a dimension."""
    done = subprocess.run(
        [sys.executable, "-m", "anemoi_ailand", "reforecast", "--checkpoint", str(chain.checkpoint), "--dataset",
         str(chain.dataset), "--output", "some.nc", "--first", "2020-05-01", "--last", "2020-05-20", "--every", "19",
         "--days", "10", "--hours", "24", "--variables", "swvl1", "skt"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    with xr.open_dataset(tmp_path / "some.nc") as found, xr.open_dataset(many) as whole:
        assert dict(found.sizes) == {"start": 2, "lead": 10, "point": whole.sizes["point"]}
        starts = ["2020-05-01T00", "2020-05-20T00"]
        expected = whole[["swvl1", "skt"]].sel(start=starts, lead=found.lead)
        for name in ("swvl1", "skt"):
            np.testing.assert_array_equal(found[name], expected[name])
