# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Background reading of forcing while the model computes, at most one block of dates ahead."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import numpy as np

#: Delay before a block is read ahead [s]: reading takes the GIL repeatedly, so the caller is given time to enter its
#: computation, which runs without the GIL.
HEAD_START = 1e-3

#: Reader of a block of consecutive dates to an array of shape (variable, date, point).
BlockLoader = Callable[[Sequence[datetime]], np.ndarray]


def one_by_one(load: Callable[[datetime], np.ndarray]) -> BlockLoader:
    """Make a block loader, (variable, date, point), from a function that reads one date, (variable, point).

    Examples
    --------
    >>> from datetime import datetime
    >>> import numpy as np
    >>> from anemoi_ailand import one_by_one
    >>> load = one_by_one(lambda date: np.full((2, 44), date.hour))
    >>> load([datetime(2021, 1, 1, 0), datetime(2021, 1, 1, 6), datetime(2021, 1, 1, 12)]).shape
    (2, 3, 44)
    """
    return lambda dates: np.stack([load(date) for date in dates], axis=1)


@dataclass
class _Block:
    """Indices of dates, with their values or the task that reads them."""

    numbers: range = field(default_factory=lambda: range(0))
    values: np.ndarray | None = None
    coming: Future | None = None


class ReadAhead:
    """Reader of consecutive dates that reads the next block while the current one is in use.

    One thread does all the reading, so the reader need not be thread-safe as long as nothing else uses it. Dates that
    are skipped or requested again are read again. A step takes about max(reading, computing) instead of their sum,
    where reading releases the GIL.

    Parameters
    ----------
    load : callable
        Reads a block of dates to an array of shape (variable, date, point); see :func:`one_by_one`.
    dates : sequence of datetime
        All dates, each once, in the order of the requests.
    block : int
        Largest number of dates read at once.
    first : int, optional
        Number of dates read first, so that the first step need not wait for a large block; each block has twice as many
        as the one before, up to ``block``. By default ``block``.
    max_bytes : int
        Memory of the block in use and the one ahead together [bytes]. A date is always read whole.
    bytes_per_date : int, optional
        Size of the values at one date; if None, the first date is read alone to measure it.
    background : bool
        Read ahead; if False, a block is read when its first date is requested.

    Raises
    ------
    ValueError
        A date is given twice, or ``block`` is less than one.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> from anemoi_ailand import ReadAhead, open_data
    >>> sample = open_data("$AILAND_SAMPLE").reader
    >>> dates = [datetime(2021, 1, 1) + k * timedelta(hours=6) for k in range(8)]
    >>> with ReadAhead(lambda block: sample.read(["t", "q"], block), dates, block=4) as forcing:
    ...     shapes = {forcing.get(date).shape for date in dates}
    >>> shapes
    {(2, 44)}
    """

    def __init__(
        self,
        load: BlockLoader,
        dates: Sequence[datetime],
        *,
        block: int = 16,
        first: int | None = None,
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
        self._next = block if first is None else min(first, block)
        self._max_bytes, self._background = max_bytes, background
        self._present, self._ahead = _Block(), _Block()
        self._single_until = -1  # read dates up to this one singly, because their block failed
        self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(1, "read-ahead")

    def get(self, date: datetime) -> np.ndarray:
        """Return the values at ``date``, shape (variable, point): a view, valid until the next call.

        Raises
        ------
        ValueError, OSError, RuntimeError
            An unknown date, or an error of the loader, converted to the first of these kinds that fits, with the date.
            It is raised when the date is requested, not when it is read ahead.
        """
        return self.several(date, 1)[:, 0]

    def several(self, date: datetime, most: int) -> np.ndarray:
        """Return the values from ``date`` on, as many dates as are in memory up to ``most``, (variable, date, point).

        As :meth:`get`.
        """
        if date not in self._number:
            raise ValueError(f"{date} is not among the {len(self._dates)} dates to be read{self._span()}.")
        number = self._number[date]
        if number not in self._present.numbers:
            self._advance(number)
        assert self._present.values is not None
        first = number - self._present.numbers.start
        return self._present.values[:, first : first + most]

    def __contains__(self, date: object) -> bool:
        return date in self._number

    def close(self) -> None:
        """Stop reading and wait for the thread; may be called twice."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool, self._present, self._ahead = None, _Block(), _Block()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _advance(self, number: int) -> None:
        """Make the block of a date the current one, and start reading the next."""
        self._present = _Block()  # at most two blocks in memory
        block = self._ahead if number in self._ahead.numbers else self._begin(number)
        self._ahead = _Block()
        try:
            values = self._values(block)
        except Exception as error:
            if len(block.numbers) == 1:
                raise self._at(self._dates[number], error) from error
            self._single_until = block.numbers[-1]
            self._advance(number)
            return
        self._present = _Block(block.numbers, values)
        self._bytes = values.nbytes // len(block.numbers)
        if self._background and block.numbers.stop < len(self._dates):
            self._ahead = self._begin(block.numbers.stop)

    def _begin(self, number: int) -> _Block:
        """Start reading the block that begins with a date."""
        if self._pool is None:
            raise RuntimeError("Reading was closed. Open it again to read more.")
        size = 1
        if self._bytes is not None and number > self._single_until:
            size = min(self._next, self._max_bytes // (2 * max(1, self._bytes)))
            self._next = min(2 * self._next, self._most)
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
        """Return an error of the same kind that names the date."""
        kind: Any = next((k for k in (ValueError, OSError) if isinstance(error, k)), RuntimeError)
        return kind(f"The values at {date:%Y-%m-%d %H:%M} could not be read: {error}")

    def _span(self) -> str:
        return f", {self._dates[0]} to {self._dates[-1]}" if self._dates else ""
