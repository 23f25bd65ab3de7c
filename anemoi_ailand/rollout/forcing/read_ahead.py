# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forcing that is read in the background while the model computes: one block of dates ahead, never more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import numpy as np

LOG = logging.getLogger(__name__)

#: Time that the caller has to get into its computation before a block is read ahead [s]: reading takes Python's lock
#: again and again, for which the caller would wait; while it computes outside Python, it does not.
HEAD_START = 1e-3

#: Reads a block: dates that follow each other in the list, to an array of shape (variable, date, point).
BlockLoader = Callable[[Sequence[datetime]], np.ndarray]


def one_by_one(load: Callable[[datetime], np.ndarray]) -> BlockLoader:
    """Block loader of a function that reads one date to an array of shape (variable, point)."""
    return lambda dates: np.stack([load(date) for date in dates], axis=1)


@dataclass
class _Block:
    """Numbers of dates, and their values or who is reading them."""

    numbers: range = field(default_factory=lambda: range(0))
    values: np.ndarray | None = None
    coming: Future | None = None


class ReadAhead:
    """Values at dates in their order, of which the next block is read while the present one is used.

    ::

        with ReadAhead(one_by_one(load), dates, block=8) as forcing:
            for date in dates:
                state = step(state, forcing.get(date))

    All reading is done by one thread, so a reader that is not safe for threads is safe here as long as nobody else
    uses it. Dates that are skipped, or asked for again, are read anew. A step then takes about
    max(reading, computing) instead of their sum, where reading lets go of Python's lock.

    Parameters
    ----------
    load : callable
        Reads a block of dates to an array of shape (variable, date, point); :func:`one_by_one` makes it of a function
        that reads one date.
    dates : sequence of datetime
        All dates, each once, in the order in which they will be asked for.
    block : int
        Most dates that are read at once.
    max_bytes : int
        Memory for the block in use and the one ahead, together [bytes]. A date is always read whole.
    bytes_per_date : int, optional
        Size of the values at one date; without it the first date is read alone to know it.
    background : bool
        Read ahead; if false, a block is read when its first date is asked for.

    Raises
    ------
    ValueError
        A date twice, or a block of no date.
    """

    def __init__(
        self,
        load: BlockLoader,
        dates: Sequence[datetime],
        *,
        block: int = 16,
        max_bytes: int = 2**28,
        bytes_per_date: int | None = None,
        background: bool = True,
    ) -> None:
        self._dates = list(dates)
        self._number = {date: i for i, date in enumerate(self._dates)}
        if len(self._number) < len(self._dates) or block < 1:
            raise ValueError(
                f"{len(self._dates)} dates are given, {len(self._number)} of them different, to be read by {block}. "
                "Give each date once, and read at least one at a time."
            )
        self._load, self._most, self._bytes = load, block, bytes_per_date
        self._max_bytes, self._background = max_bytes, background
        self._present, self._ahead = _Block(), _Block()
        self._careful = -1  # up to this date, one at a time: its block could not be read
        self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(1, "read-ahead")

    def get(self, date: datetime) -> np.ndarray:
        """Values at ``date``, shape (variable, point): a view, valid until the next call.

        Raises
        ------
        ValueError, OSError, RuntimeError
            The date is none of those given; or what the loader raised, as the first of these kinds that it is, with the
            date: when this date is asked for, not when it was read ahead in vain.
        """
        if date not in self._number:
            raise ValueError(f"{date} is not among the {len(self._dates)} dates to be read{self._span()}.")
        number = self._number[date]
        if number not in self._present.numbers:
            self._advance(number)
        assert self._present.values is not None
        return self._present.values[:, number - self._present.numbers.start]

    def __contains__(self, date: object) -> bool:
        return date in self._number

    def close(self) -> None:
        """Stop reading and wait for the thread to end; may be called twice."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool, self._present, self._ahead = None, _Block(), _Block()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _advance(self, number: int) -> None:
        """Take the block of a date into use, and have the next one read."""
        self._present = _Block()  # so that never more than two are in memory
        block = self._ahead if number in self._ahead.numbers else self._begin(number)
        self._ahead = _Block()
        try:
            values = self._values(block)
        except Exception as error:
            if len(block.numbers) == 1:
                raise self._at(self._dates[number], error) from error
            self._careful = block.numbers[-1]
            self._advance(number)
            return
        self._present = _Block(block.numbers, values)
        self._bytes = values.nbytes // len(block.numbers)
        if self._background and block.numbers.stop < len(self._dates):
            self._ahead = self._begin(block.numbers.stop)

    def _begin(self, number: int) -> _Block:
        """Have the block that begins with a date read."""
        if self._pool is None:
            raise RuntimeError("Reading was closed. Open it again to read more.")
        size = 1
        if self._bytes is not None and number > self._careful:
            size = min(self._most, self._max_bytes // (2 * max(1, self._bytes)))
        numbers = range(number, min(number + max(1, size), len(self._dates)))
        dates = self._dates[numbers.start : numbers.stop]
        return _Block(numbers, coming=self._pool.submit(self._read, dates, number > 0))

    def _read(self, dates: Sequence[datetime], wait: bool) -> np.ndarray:
        if wait and self._background:
            time.sleep(HEAD_START)
        return self._load(dates)

    def _values(self, block: _Block) -> np.ndarray:
        """Wait for a block."""
        assert block.coming is not None
        values = np.asarray(block.coming.result())
        if values.ndim < 2 or values.shape[1] != len(block.numbers):
            raise ValueError(
                f"{len(block.numbers)} date(s) were read to an array of shape {values.shape}, (variable, date, point) "
                "was expected. Correct the loader."
            )
        return values

    def _at(self, date: datetime, error: Exception) -> Exception:
        """An error of its kind that says at which date it came."""
        kind: Any = next((k for k in (ValueError, OSError) if isinstance(error, k)), RuntimeError)
        return kind(f"The values at {date:%Y-%m-%d %H:%M} could not be read: {error}")

    def _span(self) -> str:
        return f", {self._dates[0]} to {self._dates[-1]}" if self._dates else ""
