# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Pool of random windows of a dataset that is larger than memory.

A store with a whole date in a chunk reads a whole date for any number of points. So dates are read whole, each for
thousands of points and many steps: other processes read random windows of consecutive dates (of all hours and years)
into shared memory, of each a random subset of points, and samples are drawn from these. Every part of a window is used
about once before the window is replaced.
"""

from __future__ import annotations

import logging
import mmap
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from anemoi_ailand.support.configuration import Strict
from anemoi_ailand.support.memory import GIB, available_memory, total_memory

LOG = logging.getLogger(__name__)

#: Dates of a window: sixteen steps, the longest roll-out of the packaged curricula.
LENGTH = 17

#: Windows that a pool has room for by default, those that a training begins with if there is room (fewer than a hundred
#: are too few for snow: docs/results/scale.md), and the fewest, those of a batch.
WINDOWS, FIRST, FEWEST = 240, 100, 24

#: Windows that are read while others are in use.
IN_FLIGHT = 4

#: How many times faster windows are added to a pool that has room than they are replaced in a full one, at most.
GROWTH = 4

#: Point-steps a second of a training process without and with an accelerator, and values a second of a reading
#: process (measured: 171,039 points x 80 variables, compressed by lz4, in 27 to 45 ms), by which a pool grows no faster
#: than it can be read. Measured times would make the order of the samples differ between two runs.
NOMINAL_RATE, ACCELERATOR_RATE, VALUES_READ = 3.0e4, 1.0e6, 4.0e8

#: Memory of the pool of one process by default [GiB], without (a training is then within 8 GB) and with an
#: accelerator, and the largest part of the memory of a machine.
DEFAULT_GB, ACCELERATOR_GB, PART = 5.5, 32.0, 0.5

#: Part of the time that a reading process may be busy: more is given to another process.
BUSY = 0.8

#: Reading processes at most.
MOST_READERS = 8

_POLL = 0.005  # s between two looks at the shared table
_MESSAGE = 4000  # bytes of the message of a reading process that failed


class PoolOptions(Strict):
    """Options under ``land.pool``: memory of a machine [GiB], and points of a window."""

    memory_gb: float | None = Field(default=None, gt=0.0)
    points: int | None = Field(default=None, gt=0)


@dataclass(frozen=True)
class PoolPlan:
    """Size of the pool of one training process.

    Attributes
    ----------
    windows : int
        Windows of each loader process.
    loaders : int
        Loader processes; each has windows of its own.
    length, members, points, variables : int
        Shape of a window.
    growth : int
        How many times faster windows are added to a pool that has room than they are replaced in a full one.
    """

    windows: int
    loaders: int
    length: int
    members: int
    points: int
    variables: int
    growth: int = GROWTH

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the pool (window, date, ensemble, point, variable)."""
        return (self.windows * self.loaders, self.length, self.members, self.points, self.variables)

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return 4 * int(np.prod(self.shape, dtype=np.int64))

    @property
    def point_steps(self) -> int:
        """Point-steps of a window."""
        return (self.length - 1) * self.points

    def readers_load(self, rate: float, date_seconds: float) -> float:
        """Return the processors that reading keeps busy at ``rate`` [point-steps/s] and ``date_seconds`` for a date."""
        return rate * self.length * date_seconds / self.point_steps


def default_memory(ranks: int, accelerator: bool) -> float:
    """Return the memory of the pools of a machine with ``ranks`` training processes [GiB]."""
    return min(ranks * (ACCELERATOR_GB if accelerator else DEFAULT_GB), PART * total_memory() / GIB)


def plan_pool(
    shape: tuple[int, int, int],
    block: int,
    *,
    length: int,
    memory: float,
    loaders: int,
    points: int | None = None,
    accelerator: bool = False,
) -> PoolPlan:
    """Choose windows and points of a pool.

    The choice follows from sizes alone, never from measured times, so that a training can be repeated.

    Parameters
    ----------
    shape : tuple of int
        Variables, members and trained points of the dataset.
    block : int
        Points of a sample; the points of a window are a multiple of it.
    length : int
        Dates of a window.
    memory : float
        Bytes for the pool.
    loaders : int
        Loader processes that draw from the pool.
    points : int, optional
        Points of a window; by default so many that the pool has :data:`WINDOWS` of them.
    accelerator : bool
        Whether an accelerator trains, which needs more windows a second.

    Raises
    ------
    ValueError
        Too little memory for the windows of a batch, or fewer points than a sample has.

    Examples
    --------
    >>> from anemoi_ailand.training.window_pool import plan_pool
    >>> plan = plan_pool((65, 1, 171_039), 108, length=17, memory=6 * 2**30, loaders=1)
    >>> plan.windows, plan.points
    (240, 6048)
    """
    variables, members, total = shape
    each = 4 * length * members * variables  # bytes of a point of a window
    if points is not None and not block <= points <= total:
        raise ValueError(
            f"`land.pool.points` is {points}, the points of a window. Give at least the {block} of a sample, and at "
            f"most the {total} of the dataset."
        )
    wanted = points or min(total, int(memory / loaders / (WINDOWS * each)))
    chosen = max(1, wanted // block) * block
    windows = int(memory / loaders / (each * chosen))
    windows = windows if points is not None else min(windows, WINDOWS)  # all points of a small dataset
    if windows < (fewest := FEWEST + IN_FLIGHT):
        needed = fewest * loaders * each * chosen / GIB
        raise ValueError(
            f"{memory / GIB:.2f} GiB for the pool of windows of this process are too few: {fewest * loaders} windows "
            f"of {length} dates x {chosen} points need {needed:.2f} GiB. Give more in `land.pool.memory_gb` (of a "
            "machine), or lower `land.points`, `land.pool.points` or `dataloader.num_workers.training`."
        )
    plan = PoolPlan(windows, loaders, length, members, chosen, variables)
    rate, date = ACCELERATOR_RATE if accelerator else NOMINAL_RATE, variables * members * total / VALUES_READ
    return replace(plan, growth=max(1, min(GROWTH, int(BUSY / plan.readers_load(rate, date)))))


def check_memory(needed: float, option: float | None) -> None:
    """Refuse a pool that does not fit into the available memory; ``needed`` [bytes] is that of the machine."""
    if needed > (left := available_memory()):
        given = "chosen by default" if option is None else f"`land.pool.memory_gb` is {option}"
        raise ValueError(
            f"The pool of windows needs {needed / GIB:.1f} GiB ({given}), but {left / GIB:.1f} GiB are available on "
            "this machine. Set `land.pool.memory_gb` to less, or end other programs."
        )


def first_windows(slots: int) -> int:
    """Return the windows that a training begins with, in a pool with room for ``slots``."""
    return min(FIRST, slots - IN_FLIGHT)


class Rotation:
    """Order in which windows enter the pool of one loader process, are drawn from, and leave.

    Windows have consecutive numbers, their tickets; ticket t is kept in slot ``t % slots``. The tickets from ``low`` to
    ``high - 1`` are drawn from in turn, so that consecutive draws are from different windows; those from ``high`` to
    ``next - 1`` are being read. When samples with the point-steps of a window have been drawn, the oldest window
    leaves, another one begins to serve, and a further one is read. A pool that has room grows ``growth`` times as fast,
    without a window that leaves.

    The order follows from the draws alone, not from the time that reading takes.

    Parameters
    ----------
    state : array of int64, shape (5,)
        Low, high, next, last ticket drawn, and point-steps drawn since the last change; all zero before the first draw.
    slots : int
        Windows in memory.
    capacity : int
        Point-steps of a window.
    growth : int
        Windows added for the point-steps of one, while there is room.
    """

    SIZE = 5

    def __init__(self, state: NDArray[np.int64], slots: int, capacity: int, growth: int = GROWTH) -> None:
        self._state, self._slots, self._capacity, self._growth = state, slots, capacity, growth

    def begin(self) -> range:
        """Start with the first windows; return the tickets to read, none if it has begun before."""
        if self._state[2]:
            return range(0)
        first = first_windows(self._slots)
        self._state[:] = 0, first, first + IN_FLIGHT, -1, 0
        return range(first + IN_FLIGHT)

    def draw(self, point_steps: int) -> tuple[int, range]:
        """Return the ticket of the next sample, and the tickets to read from now on."""
        low, high, following, last, drawn = (int(v) for v in self._state)
        before, drawn = following, drawn + point_steps
        while drawn >= (
            each := self._capacity if high - low == self._slots - IN_FLIGHT else self._capacity // self._growth
        ):
            drawn -= each
            low, high, following = max(low, following + 1 - self._slots), high + 1, following + 1
        last = last + 1 if low <= last + 1 < high else low
        self._state[:] = low, high, following, last, drawn
        return last, range(before, following)

    @property
    def serving(self) -> int:
        """Windows that samples are drawn from."""
        return int(self._state[1] - self._state[0])


class WindowPool:
    """Windows in memory that the training process, its loader processes and the reading processes share.

    The loader processes are forked from the training process in every epoch; the reading processes are started once.

    Parameters
    ----------
    plan : PoolPlan
        Size.
    data : Any
        Opened Anemoi dataset (date, variable, ensemble, point), or anything else with its ``data[date]``.
    starts : array of int, shape (window,)
        Dates at which a window of ``plan.length`` dates can begin.
    total : int
        Points that are drawn from, the first ones of the dataset.
    rank : int
        Number of the training process among all; each has other windows.
    """

    def __init__(self, plan: PoolPlan, data: Any, starts: NDArray[np.int64], total: int, rank: int = 0) -> None:
        self.plan, self._data, self._starts, self._total, self._rank = plan, data, starts, total, rank
        slots = plan.shape[0]
        self._memory = mmap.mmap(-1, plan.nbytes)  # committed page by page when written; shared by forked processes
        self._fields = np.frombuffer(self._memory, dtype=np.float32).reshape(plan.shape)
        self._table = _shared(3, slots)  # ticket wanted, ticket read (both + 1), samples drawn from it
        self._states = _shared(plan.loaders, Rotation.SIZE + 1)  # rotation, and its seed
        self._message = mmap.mmap(-1, _MESSAGE)
        self._waited = _shared(plan.loaders)  # ms
        self._read = _shared(MOST_READERS, 2)  # windows, ms of processor time
        self._context = multiprocessing.get_context("fork")
        self._lock = self._context.Lock()
        self._readers: list[Any] = []

    def start(self, readers: int = 1) -> None:
        """Start the reading processes."""
        for number in range(readers):
            process: Any = self._context.Process(
                target=self._serve, args=(number, readers, os.getpid()), name=f"window reader {number}", daemon=True
            )
            process.start()
            self._readers.append(process)

    def close(self) -> None:
        """End the reading processes and release the memory."""
        for process in self._readers:
            process.terminate()
            process.join(timeout=5.0)
            process.kill()
        self._readers = []
        if len(self._memory) and hasattr(mmap, "MADV_REMOVE"):
            self._memory.madvise(mmap.MADV_REMOVE)

    def sample(self, n_steps: int, block: int, loader: int, seed: int) -> NDArray[np.float32]:
        """Copy the next sample of ``n_steps`` steps and ``block`` points, shape (date, ensemble, point, variable).

        The first call of a loader process fixes the ``seed`` of its windows for the whole training.

        Raises
        ------
        RuntimeError
            A reading process has ended.
        """
        state, rotation = self._states[loader], self._rotation(loader)
        if wanted := rotation.begin():
            state[-1] = seed
            self._want(loader, wanted)
        ticket, wanted = rotation.draw(n_steps * block)
        self._want(loader, wanted)
        slot = self._slot(loader, ticket)
        self._wait(loader, slot, ticket)
        start, first = self._place(ticket, loader, int(self._table[2, slot]), n_steps, block)
        self._table[2, slot] += 1
        return self._fields[slot, start : start + n_steps + 1, :, first : first + block].copy()

    def _place(self, ticket: int, loader: int, used: int, n_steps: int, block: int) -> tuple[int, int]:
        """Choose first date and first point of a sample of a window: each part once before any is repeated."""
        pieces, blocks = (self.plan.length - 1) // n_steps, self.plan.points // block
        rng = np.random.default_rng([int(self._states[loader, -1]), self._rank, loader, ticket, n_steps])
        later = int(rng.integers((self.plan.length - 1) % n_steps + 1))
        part = int(rng.permutation(pieces * blocks)[used % (pieces * blocks)])
        return later + part // blocks * n_steps, part % blocks * block

    def _rotation(self, loader: int) -> Rotation:
        state = self._states[loader, : Rotation.SIZE]
        return Rotation(state, self.plan.windows, self.plan.point_steps, self.plan.growth)

    def _slot(self, loader: int, ticket: int) -> int:
        return loader * self.plan.windows + ticket % self.plan.windows

    def _want(self, loader: int, tickets: range) -> None:
        if tickets:
            with self._lock:
                for ticket in tickets:
                    slot = self._slot(loader, ticket)
                    self._table[0, slot], self._table[2, slot] = ticket + 1, 0

    def _wait(self, loader: int, slot: int, ticket: int) -> None:
        began = time.monotonic()
        while not self._is_read(slot, ticket):
            if self._readers and wait([r.sentinel for r in self._readers], timeout=_POLL):
                raise RuntimeError(self.failure())
            time.sleep(_POLL)
        self._waited[loader] += round(1000.0 * (time.monotonic() - began))

    def _is_read(self, slot: int, ticket: int) -> bool:
        if self._table[1, slot] != ticket + 1:
            return False
        with self._lock:  # what the reading process wrote before it released the lock is visible from here on
            return True

    def failure(self) -> str:
        """Return why a reading process ended."""
        text = self._message[:].rstrip(b"\0").decode(errors="replace")
        reason = text or "it was killed from outside, often for lack of memory"
        return (
            f"A process that reads the dataset into the pool of windows ended: {reason}. Correct this, or lower "
            "`land.pool.memory_gb` if memory was short, and resume the training."
        )

    # ---- reading processes

    def _serve(self, number: int, readers: int, parent: int) -> None:
        """Read wanted windows, the oldest first, until the training process ends."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Lightning's handlers, inherited, would keep the process alive
        for ignored in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):  # the training process decides
            signal.signal(ignored, signal.SIG_IGN)
        own = slice(number, None, readers)
        began = time.process_time()
        try:
            while os.getppid() == parent:
                wanted, done = self._table[0, own].copy(), self._table[1, own]
                open_ = np.flatnonzero(wanted != done)
                if not len(open_):
                    time.sleep(_POLL)
                    continue
                k = int(open_[np.argmin(wanted[open_])])
                with self._lock:
                    ticket = int(self._table[0, own][k]) - 1
                self._fill(number + k * readers, ticket)
                with self._lock:
                    self._table[1, own][k] = ticket + 1
                self._read[number] = self._read[number, 0] + 1, round(1000.0 * (time.process_time() - began))
        except Exception as error:  # whatever the dataset raises; the loader processes pass the message on
            self._message[:] = f"{type(error).__name__}: {error}".encode()[:_MESSAGE].ljust(_MESSAGE, b"\0")
            LOG.exception("A process that reads the dataset ended")
            raise SystemExit(1) from error

    def _fill(self, slot: int, ticket: int) -> None:
        """Read a random window: its dates whole, of each one point from every group of neighbours, in random order."""
        loader = slot // self.plan.windows
        rng = np.random.default_rng([int(self._states[loader, -1]), self._rank, loader, ticket])
        start = int(self._starts[rng.integers(len(self._starts))])
        points = spread_points(self._total, self.plan.points, rng)
        read_dates(self._data, start, points, self._fields[slot])

    # ---- what happened

    @property
    def waited(self) -> float:
        """Seconds for which loader processes waited for windows, all together."""
        return float(self._waited.sum()) / 1000.0

    @property
    def windows_read(self) -> int:
        """Windows read so far."""
        return int(self._read[:, 0].sum())

    @property
    def reading_seconds(self) -> float:
        """Processor time of the reading processes so far."""
        return float(self._read[:, 1].sum()) / 1000.0

    @property
    def serving(self) -> int:
        """Windows that samples are drawn from at present."""
        return sum(self._rotation(loader).serving for loader in range(self.plan.loaders))


def spread_points(total: int, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose ``n`` of ``total`` points, one from each of ``n`` groups of neighbours in the store, in random order.

    Neighbours in a store are neighbours on the ground, unless it was shuffled. In random order, any block of the
    points is spread over the grid. The groups begin at a random point, so that every point is drawn equally often.
    """
    edges = np.arange(n + 1) * total // n
    points = edges[:-1] + rng.integers(np.diff(edges))
    return rng.permutation((points + rng.integers(total)) % total)


def read_dates(data: Any, start: int, points: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """Read consecutive dates of a dataset whole, and keep ``points``; ``out`` is (date, ensemble, point, variable)."""
    for k in range(len(out)):
        out[k] = np.asarray(data[start + k])[..., points].transpose(1, 2, 0)


def seconds_of_a_date(data: Any, n: int = 4) -> float:
    """Measure the time that reading a whole date takes [s], from ``n`` dates spread over the dataset."""
    times = []
    for date in np.linspace(0, len(data.dates) - 1, n).astype(int):
        began = time.perf_counter()
        np.asarray(data[int(date)])
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def _shared(*shape: int) -> NDArray[np.int64]:
    """Make an array of zeros that forked processes share."""
    memory = mmap.mmap(-1, 8 * int(np.prod(shape)))
    return np.frombuffer(memory, dtype=np.int64).reshape(shape)
