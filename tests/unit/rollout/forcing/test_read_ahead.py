# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Blocks of dates read in the background: order, errors, memory, time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest

from anemoi_ailand.rollout.forcing.read_ahead import ReadAhead, one_by_one

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


def test_reading_is_hidden_behind_computing() -> None:
    """The total takes about the longer of the two, not their sum."""
    one = 0.02
    start = time.perf_counter()
    with ReadAhead(Loader(seconds=one), DATES, block=1) as source:
        for date in DATES:
            source.get(date)
            time.sleep(one)
    assert time.perf_counter() - start < 0.8 * 2 * one * len(DATES)


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
