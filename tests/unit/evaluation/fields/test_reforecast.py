# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Re-forecast files, and a long run as fields (time, point)."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields import fields as inputs
from anemoi_ailand.evaluation.fields.reforecast import open_reforecast
from anemoi_ailand.evaluation.fields.single_run import run_of
from tests.support import worlds as world


@pytest.fixture
def file(tmp_path):
    """Function that writes a re-forecast, after a change."""
    return lambda change=None, name="reforecast.nc": world.write_run(tmp_path / name, change)


def test_file_round_trip(file):
    """In any order of the dimensions."""
    got = open_reforecast(file())
    np.testing.assert_array_equal(got.starts, world.starts())
    np.testing.assert_array_equal(got.leads, world.DAYS_1_2_7)
    assert got.units == {"swvl1": "m3 m-3", "stl1": "K", "2t": "K", "slhf": "W m-2"}
    assert got.attributes["checkpoint"] == "a.ckpt"
    np.testing.assert_array_equal(got.read("2t"), world.run()["t2m"].values)
    turned = open_reforecast(file(lambda d: d.transpose("lead", "point", "start"), "turned.nc"))
    np.testing.assert_array_equal(turned.read("swvl1"), world.run()["swvl1"].values)


def test_view_is_read_in_the_order_asked_for(file):
    view = (
        open_reforecast(file()).select(slice(2, 9), np.array([0, 5, 11]), np.array([7, 1, 4])).select(np.array([3, 0]))
    )
    want = world.run()["stl1"].values[np.ix_([5, 2], [0, 5, 11], [7, 1, 4])]
    np.testing.assert_array_equal(view.read("stl1"), want)
    np.testing.assert_array_equal(view.starts, world.starts()[[5, 2]])
    assert view.latitude.shape == (3,)


def test_forecast_in_time_is_a_reforecast_with_one_start(tmp_path):
    """The first record (time, point) is the initial state and no lead."""
    got = open_reforecast(world.write_forecast(tmp_path / "run.nc", 0.5))
    assert got.starts.tolist() == [np.datetime64("2022-01-01", "ns").astype(int)]
    np.testing.assert_array_equal(got.leads, 6 * np.arange(1, 240))
    want = world.values()["2t"][np.searchsorted(world.times(), got.valid_times[0])] + np.float32(0.5)
    np.testing.assert_array_equal(got.read("2t")[0], want)
    part = got.select(leads=np.array([3, 1]), points=np.array([4, 2]))
    np.testing.assert_array_equal(part.read("2t")[0], want[[3, 1]][:, [4, 2]])


def test_nan_is_an_error_with_its_place(file):
    def spoil(dataset):
        dataset["stl1"][3, 2, 4] = np.nan
        return dataset

    got = open_reforecast(file(spoil))
    with pytest.raises(ValueError, match=r"'stl1' of .* has 1 values.*from 2022-03-03T00 at lead 18 h, latitude 8.0"):
        got.read("stl1")
    assert np.isfinite(got.read("swvl1")).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign_coords(lead=("lead", d.lead.values - 6, {"units": "h"})), "must be above zero"),
        (lambda d: d.isel(lead=slice(None, None, -1)), "must be above zero and increase"),
        (lambda d: d.isel(start=[0, 1, 1]), r"starts of .* must increase"),
        (lambda d: d.assign_coords(lead=("lead", d.lead.values, {"units": "s"})), "are in 's', not in hours"),
        (lambda d: d.drop_vars("latitude"), r"has no \['latitude'\]"),
        (lambda d: d.isel(lead=0), "has no dimensions"),
        (lambda d: d[["latitude", "longitude"]].assign_coords(start=d.start, lead=d.lead), "holds no values"),
    ],
)
def test_other_layout_is_an_error(file, change, message):
    """Leads, starts, units, coordinates, dimensions and variables are checked on opening."""
    with pytest.raises(ValueError, match=message):
        open_reforecast(file(change))


def test_initial_state_alone_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="initial state only"):
        open_reforecast(world.write_forecast(tmp_path / "run.nc", change=lambda d: d.isel(time=[0])))


FIRST = np.array(["2022-01-02"], "datetime64[ns]")
LEADS = np.arange(6, 241, 6)


def forecast(**changes):
    return world.reforecast(**{"first": FIRST, "leads": LEADS, **changes})


def test_first_record_is_the_initial_state_of_the_reference():
    """The first record is the reference at the start; the others are the run."""
    run = run_of(forecast(), world.reference())
    assert (run.times[0], len(run.times)) == (FIRST[0], 41)
    np.testing.assert_array_equal(np.diff(run.times), np.timedelta64(6, "h"))
    values = run.load(["stl1", "swvl1"])
    at = int(np.searchsorted(world.times(), FIRST[0]))
    for name in ("stl1", "swvl1"):
        np.testing.assert_array_equal(values[name][0], world.values()[name][at])
        np.testing.assert_array_equal(values[name][1:], forecast().read(name)[0])


def test_points_keep_their_places_in_any_order():
    part = forecast().select(points=np.array([7, 2]))
    run, whole = run_of(part, world.reference()), run_of(forecast(), world.reference())
    np.testing.assert_array_equal(run.latitude, whole.latitude[[7, 2]])
    np.testing.assert_array_equal(run.load(["stl1"])["stl1"], whole.load(["stl1"])["stl1"][:, [7, 2]])


def test_blocks_do_not_change_a_value(monkeypatch):
    """Blocks with and without the initial state join to the whole."""
    run = run_of(forecast(), world.reference())
    whole = run.load(["2t"])["2t"]
    monkeypatch.setattr(inputs, "BLOCK_BYTES", 1)
    np.testing.assert_array_equal(np.concatenate([b["2t"] for b in run.blocks(["2t"])]), whole)
    np.testing.assert_array_equal(run.load(["2t"], run.times[3], run.times[5])["2t"], whole[3:6])


@pytest.mark.parametrize(
    ("leads", "before"), [(world.DAYS_1_2_7, 150), (np.arange(12, 49, 6), 12), (np.arange(24, 97, 24), 24)]
)
def test_lead_times_with_a_gap_are_refused(leads, before):
    """Days of protocol A, a missing first step and daily values are refused."""
    with pytest.raises(ValueError, match=f"have a gap before {before} h. A run over years needs all of them"):
        run_of(forecast(leads=leads), world.reference())
