# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forcing on its way into a run: read ahead in blocks; bad values stop it, are held, or are clipped."""

import logging
import threading
import time
import timeit
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.forcing_filter import ForcingFilter, suspicious
from anemoi_ailand.rollout.forcing.read_ahead import ReadAhead, one_by_one
from anemoi_ailand.variables import VARIABLES, Role

NAMES = ["t", "avg_tprate", "avg_sdswrf", "lai_lv"]
DATE, STEP = datetime(2020, 5, 2, 6), timedelta(hours=6)
N = 6
WHERE = (10.0 + np.arange(N), 20.0 + np.arange(N))


def good(offset: float = 0.0) -> np.ndarray:
    """Values within bounds that differ, shape (variable, point)."""
    base = np.array([280.0, 1e-4, 300.0, 2.0])[:, None]
    return (base * (1.0 + 0.01 * np.arange(N)) + offset * base * 0.02).astype("f4")


def spoilt(name: str, at: list[int], value: float) -> np.ndarray:
    """Good values with bad ones of a variable at some points."""
    values = good()
    values[NAMES.index(name), at] = value
    return values


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_missing_values_are_refused(value: float) -> None:
    """The error has variable, date, number and places."""
    message = (
        r"'lai_lv' at 2020-05-02 06:00 is missing or infinite at 2 of 6 points, the first at latitude 12.000, "
        r"longitude 22.000 \(.*\); latitude 15.000, longitude 25.000"
    )
    with pytest.raises(ValueError, match=message):
        ForcingFilter()(spoilt("lai_lv", [2, 5], value), NAMES, DATE, WHERE)


@pytest.mark.parametrize(("name", "value"), [("t", 27.0), ("t", 1000.0), ("avg_tprate", 86.0), ("lai_lv", -1.0)])
def test_values_beyond_bounds_are_refused(name: str, value: float) -> None:
    """A wrong unit is reported with bounds, place and value."""
    low, high = VARIABLES[name].bounds
    message = rf"'{name}' at .* outside its bounds \[{low}, {high}\] .* at 1 of 6 .*latitude 11.000.* \({value:.6g}\)"
    with pytest.raises(ValueError, match=message):
        ForcingFilter()(spoilt(name, [1], value), NAMES, DATE, WHERE)


def test_unit_that_would_fit_is_named() -> None:
    """Amounts over the step are named, also of rain, which is zero at most points; nothing explains a small excess."""
    for name, at, value, message in (
        ("avg_tprate", [1], 8.0, r"The unit mm h-1 or mm d-1 or kg m-2 over 6 h would fit\.$"),
        ("avg_sdswrf", list(range(N)), 6e6, r"The unit J m-2 over 6 h would fit\.$"),
        ("t", list(range(N)), 12.0, r"The unit degC or degF would fit\.$"),
        ("avg_sdswrf", [1], 2000.0, r"`bad_forcing`\.$"),
        ("avg_tprate", [1], -1e-3, r"`bad_forcing`\.$"),
    ):
        with pytest.raises(ValueError, match=message):
            ForcingFilter()(spoilt(name, at, value), NAMES, DATE, WHERE)


@pytest.mark.parametrize(("name", "value"), [("avg_tprate", -5e-8), ("avg_sdswrf", -1e-3), ("avg_sdswrf", 1800.001)])
def test_rounding_at_a_bound_is_not_an_error(name: str, value: float) -> None:
    """Rounding of packing or interpolation is accepted."""
    ForcingFilter()(spoilt(name, [0], value), NAMES, DATE, WHERE)


def test_good_values_pass_unchanged() -> None:
    """Every policy returns the same array; bounds themselves are accepted, for every forcing of the table."""
    for policy in ("error", "hold", "clip"):
        values = good()
        assert ForcingFilter(policy)(values, NAMES, DATE, WHERE) is values
    for row in VARIABLES.values():
        if row.role is Role.FORCING and not row.computed:
            ends = [-1e30 if row.bounds[0] is None else row.bounds[0], 1e30 if row.bounds[1] is None else row.bounds[1]]
            assert not len(suspicious(np.array([ends], dtype="f4"), [row.name])), row.name


def test_hold_takes_the_last_good_value_of_the_point() -> None:
    """Missing values and values out of bounds are replaced over several steps, point by point."""
    held = ForcingFilter("hold")
    held(good(), NAMES, DATE, WHERE)
    for k in (1, 2):
        values = good(offset=k)
        values[0, 3], values[1, 4] = np.nan, 7.0
        found = held(values, NAMES, DATE + k * STEP, WHERE)
        expected = good(offset=k)
        expected[0, 3], expected[1, 4] = good()[0, 3], good()[1, 4]
        np.testing.assert_array_equal(found, expected)
        assert np.isnan(values[0, 3])  # what was given is not changed
    recovered = held(good(offset=3), NAMES, DATE + 3 * STEP, WHERE)
    np.testing.assert_array_equal(recovered, good(offset=3))


def test_hold_without_an_earlier_value_stops() -> None:
    """The first date has no earlier value."""
    with pytest.raises(ValueError, match=r"'t' at .* missing or infinite at 1 of 6.* No earlier value"):
        ForcingFilter("hold")(spoilt("t", [1], np.nan), NAMES, DATE, WHERE)


def test_clip_takes_the_bound_and_makes_up_nothing() -> None:
    """Values beyond a bound become the bound; NaN stops the run also among them, and only NaN is counted."""
    found = ForcingFilter("clip")(spoilt("avg_tprate", [1, 2], -1.0), NAMES, DATE, WHERE)
    expected = good()
    expected[1, [1, 2]] = 0.0
    np.testing.assert_array_equal(found, expected)
    values = spoilt("t", [1], np.nan)
    values[0, 2] = 1000.0
    with pytest.raises(ValueError, match=r"missing or infinite at 1 of 6 points.*latitude 11.000"):
        ForcingFilter("clip")(values, NAMES, DATE, WHERE)


def test_replaced_values_are_logged_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    """Replacements are logged by variable at the end of a day and of the run, and summed."""
    clipped, bad = ForcingFilter("clip"), spoilt("avg_tprate", [0, 1, 2], 9.0)
    with caplog.at_level(logging.WARNING):
        for k in range(4):  # 06, 12, 18 UTC and 00 UTC of the next day
            clipped(bad if k != 1 else good(), NAMES, DATE + k * STEP, WHERE)
        assert [r.getMessage() for r in caplog.records] == [
            "Forcing of 2020-05-02, values replaced (clip): {'avg_tprate': 6}"
        ]
        clipped.report()
    assert len(caplog.records) == 2
    assert clipped.totals == {"avg_tprate": 9}


def test_checking_is_cheap() -> None:
    """Ten variables at 100,000 points take less than 2 ms."""
    names = ["t", "q", "avg_t", "avg_q", "avg_sp", "avg_sdswrf", "avg_sdlwrf", "avg_tprate", "avg_tsrwe", "lai_lv"]
    middle = [np.mean(VARIABLES[n].bounds) for n in names]
    values = np.repeat(np.array(middle, "f4")[:, None], 100_000, axis=1)
    where = (np.zeros(100_000), np.zeros(100_000))
    check = ForcingFilter()
    assert min(timeit.repeat(lambda: check(values, names, DATE, where), number=1, repeat=20)) < 2e-3


DATES = [datetime(2020, 1, 1) + i * timedelta(hours=6) for i in range(12)]
N_VARIABLES, N_POINTS = 3, 5
PER_DATE = 8 * N_VARIABLES * N_POINTS


def value(date: datetime) -> np.ndarray:
    """Values that say their date, shape (variable, point)."""
    return DATES.index(date) + np.arange(N_VARIABLES * N_POINTS, dtype="f8").reshape(N_VARIABLES, N_POINTS) / 100.0


class Loader:
    """Reads blocks, and remembers which, in which thread, and how much of it is alive."""

    def __init__(self, bad: Sequence[datetime] = (), kind: type[Exception] = ValueError, seconds: float = 0.0) -> None:
        self.bad, self.kind, self.seconds = bad, kind, seconds
        self.blocks: list[list[int]] = []
        self.threads: set[int] = set()

    def __call__(self, dates: Sequence[datetime]) -> np.ndarray:
        time.sleep(self.seconds * len(dates))
        self.blocks.append([DATES.index(d) for d in dates])
        self.threads.add(threading.get_ident())
        if any(d in self.bad for d in dates):
            raise self.kind("broken field")
        return np.stack([value(d) for d in dates], axis=1)


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("block", [1, 5, 100])
def test_values_are_those_of_each_date(block: int, background: bool) -> None:
    """Values come in order across blocks, each date read once; dates may be skipped and repeated."""
    load = Loader()
    with ReadAhead(load, DATES, block=block, background=background) as source:
        for date in DATES:
            np.testing.assert_array_equal(source.get(date), value(date))
    assert [i for b in load.blocks for i in b] == list(range(len(DATES)))
    assert max(map(len, load.blocks)) == min(block, len(DATES) - 1)  # the first date alone tells the size
    with ReadAhead(one_by_one(value), DATES, block=block, background=background) as source:
        for i in (0, 7, 2, 2, 3, 11, 0):
            np.testing.assert_array_equal(source.get(DATES[i]), value(DATES[i]))
            several = source.several(DATES[i], 3)  # as many as are in memory
            assert 1 <= several.shape[1] <= min(3, block)
            for k in range(several.shape[1]):
                np.testing.assert_array_equal(several[:, k], value(DATES[i + k]))


def test_blocks_grow_from_the_first_to_the_largest() -> None:
    """Each has twice as many dates as the one before, so that neither the first step waits nor files open often."""
    load = Loader()
    with ReadAhead(load, DATES, block=3, first=1, bytes_per_date=PER_DATE) as source:
        for date in DATES:
            np.testing.assert_array_equal(source.get(date), value(date))
    assert list(map(len, load.blocks)) == [1, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("kind", "raised"), [(ValueError, ValueError), (PermissionError, OSError), (KeyError, RuntimeError)]
)
def test_error_is_raised_at_its_date(kind: type[Exception], raised: type[Exception]) -> None:
    """Good dates of a failed block are returned; the error names the bad date, and later dates follow."""
    with ReadAhead(Loader(bad=[DATES[6]], kind=kind), DATES, block=5) as source:
        for date in DATES[:6]:
            np.testing.assert_array_equal(source.get(date), value(date))
        with pytest.raises(raised, match=r"values at 2020-01-02 12:00 could not be read: .*broken field"):
            source.get(DATES[6])
        np.testing.assert_array_equal(source.get(DATES[7]), value(DATES[7]))


@pytest.mark.parametrize("limit", [1, 4 * PER_DATE, 10**9])
@pytest.mark.parametrize("known", [PER_DATE, None])
def test_memory_is_bounded(limit: int, known: int | None) -> None:
    """Both blocks stay within the limit, or have one date each."""
    load = Loader()
    with ReadAhead(load, DATES, block=100, max_bytes=limit, bytes_per_date=known) as source:
        for date in DATES:
            source.get(date)
            time.sleep(0.005)
    pairs = [len(a) + len(b) for a, b in zip(load.blocks, load.blocks[1:], strict=False)]
    assert max(pairs, default=0) * PER_DATE <= max(limit, 2 * PER_DATE)


def test_one_block_ahead_and_no_more() -> None:
    """A slow model does not cause more reading; in the foreground a block is read when it is requested."""
    load = Loader()
    with ReadAhead(load, DATES, block=2, bytes_per_date=PER_DATE, background=False) as source:
        source.get(DATES[0])
        time.sleep(0.05)
        assert load.blocks == [[0, 1]]
    load = Loader()
    with ReadAhead(load, DATES, block=2, bytes_per_date=PER_DATE) as source:
        source.get(DATES[0])
        time.sleep(0.1)
        assert load.blocks == [[0, 1], [2, 3]]
        source.get(DATES[2])
        time.sleep(0.1)
        assert load.blocks == [[0, 1], [2, 3], [4, 5]]


def test_closing_ends_the_thread() -> None:
    """Closing twice is harmless; further reading is an error."""
    load = Loader(seconds=0.01)
    source = ReadAhead(load, DATES, block=1)
    source.get(DATES[0])
    source.close()
    source.close()
    assert len(load.threads) == 1
    assert not load.threads & {t.ident for t in threading.enumerate()}
    with pytest.raises(RuntimeError, match="closed"):
        source.get(DATES[1])


def test_reading_goes_on_while_the_reader_computes() -> None:
    """The next block is read before it is asked for."""
    begun = {date: threading.Event() for date in DATES}
    load = Loader()

    def loading(dates: Sequence[datetime]) -> np.ndarray:
        begun[dates[0]].set()
        return load(dates)

    with ReadAhead(loading, DATES, block=1) as source:
        for date, following in pairwise(DATES):
            source.get(date)
            assert begun[following].wait(timeout=60.0)


def test_unreadable_dates_are_refused() -> None:
    """An unknown date, repeated dates, empty blocks and (date, variable, point) from a loader are errors."""
    with (
        ReadAhead(Loader(), DATES) as source,
        pytest.raises(ValueError, match="not among the 12 dates to be read, 2020"),
    ):
        source.get(datetime(2021, 1, 1))
    for dates, block in (([*DATES, DATES[3]], 2), (DATES, 0)):
        with pytest.raises(ValueError, match="Give each date once"):
            ReadAhead(Loader(), dates, block=block)
    with (
        ReadAhead(lambda dates: np.zeros((len(dates), N_VARIABLES, N_POINTS)), DATES) as source,
        pytest.raises(ValueError, match=r"shape \(1, 3, 5\), \(variable, date, point\) was expected"),
    ):
        source.get(DATES[0])
