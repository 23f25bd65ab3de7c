# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The reference at the scored dates and points, with its climatology, persistence and tails."""

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data.plausibility.checker import Implausible
from anemoi_ailand.evaluation.fields import reference as module
from anemoi_ailand.evaluation.fields.climatology import SLOTS, climatology, climatology_at, climatology_period, slot
from anemoi_ailand.evaluation.fields.reference import TAIL, ReferenceCopy
from tests.faults.faults import words
from tests.support import worlds as world
from tests.support.worlds import fields_of, six_hourly

PERIOD = (np.datetime64("2020-01-01", "ns"), np.datetime64("2021-12-31T18", "ns"))
POINTS = np.array([7, 2, 3])


@pytest.fixture
def valid():
    return world.starts()[:, None] + world.DAYS_1_2_7 * world.HOUR


@pytest.fixture
def loaded(valid):
    dates = np.append(world.starts(), valid.ravel())
    names = ["stl1", "snowc"]
    return ReferenceCopy(world.reference(), names, dates, PERIOD, POINTS, ["stl1"]).values(names, 0)


def test_values_are_those_of_the_valid_times(loaded, valid):
    """In float64; persistence is the reference at the initial dates."""
    got = loaded.at("stl1", valid)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, world.values()["stl1"][np.searchsorted(world.times(), valid)][..., POINTS])
    first = np.searchsorted(world.times(), world.starts())
    got = loaded.persistence("snowc", world.starts())
    np.testing.assert_array_equal(got[:, 0], world.values()["snowc"][first][:, POINTS])


def test_tails_leave_two_percent_at_each_end(loaded):
    """Thresholds leave 2 % of the climatology at each end, for the requested variables only."""
    inside = (world.times() >= PERIOD[0]) & (world.times() <= PERIOD[1])
    values = world.values()["stl1"][inside][:, POINTS]
    low, high = loaded.tails["stl1"]
    np.testing.assert_allclose((values < low).mean(axis=0), TAIL, atol=1e-3)
    np.testing.assert_allclose((values > high).mean(axis=0), TAIL, atol=1e-3)
    assert set(loaded.tails) == {"stl1"}


def test_each_date_is_read_once(valid, monkeypatch):
    """Also where the climatology contains scored dates, and for blocks of points that are kept on the disk."""
    monkeypatch.setattr("anemoi_ailand.evaluation.fields.fields.BLOCK_BYTES", 4 * 5 * 10 * 200)
    asked = []
    fields = world.values()

    def read(names, first, last):
        asked.extend(range(first, last))
        return np.stack([fields[name][first:last] for name in names], axis=1)

    reference = world.reference(fields)
    object.__setattr__(reference, "reader", read)
    whole = ReferenceCopy(reference, ["stl1"], valid.ravel(), PERIOD, POINTS, ["stl1"]).values(["stl1"], 0)
    assert len(asked) == len(set(asked)) > 2 * 1460
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    copy = ReferenceCopy(reference, ["stl1"], valid.ravel(), PERIOD, POINTS, ["stl1"], block=2)
    for points, first in ((slice(0, 2), 0), (slice(2, 3), 2)):
        part = copy.values(["stl1"], first)
        assert isinstance(part.values["stl1"], np.memmap)
        np.testing.assert_array_equal(part.values["stl1"], whole.values["stl1"][:, points])
        np.testing.assert_array_equal(part.means["stl1"], whole.means["stl1"][:, points])
        np.testing.assert_array_equal(part.tails["stl1"], whole.tails["stl1"][:, points])
        np.testing.assert_array_equal(part.latitude, whole.latitude[points])
    asked.clear()
    period = np.datetime64("2021-06-01", "ns"), np.datetime64("2022-06-30", "ns")
    both = ReferenceCopy(reference, ["stl1"], valid.ravel(), period, POINTS, ["stl1"]).values(["stl1"], 0)
    assert len(asked) == len(set(asked)) > 1460
    np.testing.assert_array_equal(both.values["stl1"], whole.values["stl1"])


def test_too_little_disk_is_an_error_before_reading(valid, monkeypatch):
    """It says what is needed and free."""
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    monkeypatch.setattr(module, "free_bytes", lambda _: 1000)
    reference = world.reference()
    object.__setattr__(reference, "reader", None)
    with pytest.raises(OSError, match=r"keeps 4.59e-05 GB of the reference on the disk, and 1e-06 GB are free"):
        ReferenceCopy(reference, ["stl1"], valid.ravel(), PERIOD, POINTS)


@pytest.mark.parametrize("date", ["2020-05-01", "2022-03-03"])
def test_nan_in_the_reference_is_an_error(valid, date):
    fields = world.values()
    fields["stl1"][world.times() == np.datetime64(date), 2] = np.nan
    with pytest.raises(ValueError, match=rf"'stl1' of 'reference' .*first at {date}T00.*latitude -16"):
        ReferenceCopy(world.reference(fields), ["stl1"], valid.ravel(), PERIOD, POINTS)


def test_date_has_the_same_slot_in_all_years():
    """29 February shares 28 February; a climatology at times has the value of the slot of each."""
    same = [slot(np.array([f"{year}-12-31T18"], "datetime64[ns]"))[0] for year in (2019, 2020, 2100)]
    assert same == [SLOTS - 1] * 3
    days = slot(np.array(["2020-02-28T06", "2020-02-29T06", "2020-03-01T06", "2019-03-01T06"], "datetime64[ns]"))
    assert days.tolist() == [58 * 4 + 1, 58 * 4 + 1, 59 * 4 + 1, 59 * 4 + 1]
    mean = xr.DataArray(np.arange(SLOTS * 2.0).reshape(SLOTS, 2), dims=("slot", "point"), coords={"slot": range(SLOTS)})
    times = six_hourly("2020-02-28T00", "2020-03-01T18")
    got = climatology_at(mean, times)
    assert got.dims == ("time", "point")
    np.testing.assert_array_equal(got[:, 0], 2.0 * slot(times))


@pytest.mark.parametrize("window", [0, 3])
def test_climatology_equals_a_naive_loop(window):
    """The mean covers all dates of the same hour within the window of days."""
    times = six_hourly("2019-01-01T06", "2020-12-31T18")
    values = np.random.default_rng(0).standard_normal((len(times), 2))
    totals, count = np.zeros((SLOTS, 2)), np.bincount(slot(times), minlength=SLOTS)
    np.add.at(totals, slot(times), values)
    got = climatology({"swvl1": totals}, count, window)["swvl1"].values
    day, hour = np.divmod(slot(times), 4)
    for d, h in [(0, 0), (0, 1), (2, 3), (58, 2), (200, 0), (364, 3)]:
        distance = np.abs(day - d)
        near = (np.minimum(distance, 365 - distance) <= window) & (hour == h)
        if near.any():
            np.testing.assert_allclose(got[4 * d + h], values[near].mean(0), rtol=1e-12)
        else:
            assert np.isnan(got[4 * d + h]).all()


@pytest.fixture
def five_years():
    times = six_hourly("2018-01-01T06", "2022-12-31T18")
    return fields_of(times, {"swvl1": np.zeros((len(times), 2))})


INITIAL, LAST = np.datetime64("2022-01-01T00", "ns"), np.datetime64("2022-12-31T18", "ns")


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (None, ("2018-01-01T06", "2021-12-31T18")),
        ((2018, 2020), ("2018-01-01T06", "2020-12-31T18")),
        (("2018", "2018"), ("2018-01-01T06", "2018-12-31T18")),
        (("2019-03", "2020-06"), ("2019-03-01T00", "2020-06-30T18")),
        (("2019-03-01T06:00", "2020-06-30T12:00"), ("2019-03-01T06", "2020-06-30T12")),
    ],
)
def test_period_is_cut_to_the_reference_and_includes_both_ends(five_years, period, expected):
    """A year or month as an end is included as a whole; the default is all before the forecast."""
    got = climatology_period(five_years, INITIAL, LAST, period)
    assert got == tuple(np.datetime64(e, "ns") for e in expected)


SHORT, OVERLAP = "at least one year.*covers 2018-01-01T06:00 to 2022-12-31T18:00", "contains dates of the forecast"
BAD_PERIODS = [
    (("2018-01", "2018-06"), SHORT), ((2030, 2031), SHORT), ((2020, 2019), SHORT), (("2017", "2018-05"), SHORT),
    ((2019, 2022), OVERLAP), (("2021-01-01", "2022-01-02"), OVERLAP),
    (("last year", 2020), "'last year' is not a date.*2020-12-31"),
]  # fmt: skip


@pytest.mark.parametrize(("period", "message"), BAD_PERIODS)
def test_period_without_a_climatology_is_an_error(five_years, period, message):
    """Periods that are short, outside the reference, reversed, overlapping or no dates are refused."""
    with pytest.raises(ValueError, match=message):
        climatology_period(five_years, INITIAL, LAST, period)


def test_records_of_another_time_are_refused(valid):
    """One date at which deep soil is that of another season; without the check, and without the fault, all is read."""
    fields = {"stl4": np.full_like(world.values()["stl1"], 285.0)}
    sound = world.reference(fields)
    ReferenceCopy(sound, ["stl4"], valid.ravel(), PERIOD, POINTS, plausibility="error")
    fields["stl4"] = fields["stl4"].copy()
    fields["stl4"][100] += 5.0
    ReferenceCopy(world.reference(fields), ["stl4"], valid.ravel(), PERIOD, POINTS)
    with pytest.raises(Implausible, match=words("a record of another time in the reference of an evaluation")):
        ReferenceCopy(world.reference(fields), ["stl4"], valid.ravel(), PERIOD, POINTS, plausibility="error")
