# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sources of the samples of a dataset: memory, disk, a pool of random windows, or earlier epochs."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anemoi_ailand.support.memory import GIB
from anemoi_ailand.training.window_pool import WindowPool, read_dates, spread_points

LOG = logging.getLogger(__name__)

#: Bytes of a dataset that are read at once into memory.
_AT_ONCE = 2**28


@dataclass(frozen=True)
class Store:
    """Data of one dataset; only its first ``total`` points are drawn.

    ``fields`` (date, ensemble, point, variable) are in memory in the order of a sample, so that a block is one copy;
    None reads from disk.
    """

    reader: Any
    fields: NDArray[np.float32] | None
    total: int
    _starts: dict[tuple[int, ...], NDArray[np.int64]] = field(default_factory=dict, init=False)

    def sample(self, positions: Any, points: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Copy a random block of points of a window, shape (date, ensemble, point, variable)."""
        first = int(rng.integers(self.total)) if points != self.total else 0
        return self.read(positions, first, points)

    def read(self, positions: Any, first: int, n: int) -> NDArray[np.float32]:
        """Copy ``n`` points of a window, the first after the last, shape (date, ensemble, point, variable)."""
        parts = []
        while n > 0:
            block = slice(first, min(first + n, self.total))
            parts.append(self._copy(positions, block))
            first, n = 0, n - (block.stop - block.start)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    def _copy(self, positions: Any, block: slice) -> NDArray[np.float32]:
        if self.fields is None:
            return np.ascontiguousarray(np.asarray(self.reader.data[positions, :, :, block]).transpose(0, 2, 3, 1))
        return self.fields[positions, :, block].copy()

    def anchors(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return sequence and date of every sample of an epoch: all ``windows`` of the dataset."""
        return windows

    def window(self, positions: Any, rng: np.random.Generator) -> list[int] | slice:
        """Draw a window of this dataset with the distances of the dates at ``positions`` of another."""
        dates = _dates(positions)
        offsets = tuple(int(date) - int(dates[0]) for date in dates)
        if offsets not in self._starts:
            self._starts[offsets] = self.reader.compute_anchors(list(offsets))[:, 1]
        starts = self._starts[offsets]
        start = int(starts[rng.integers(len(starts))])
        if isinstance(positions, slice):
            return slice(start, start + offsets[-1] + 1, positions.step)
        return [start + offset for offset in offsets]


@dataclass(frozen=True)
class PooledStore:
    """Training data of a dataset larger than memory: the pool chooses windows and points, not the requested date.

    Attributes
    ----------
    samples : callable
        Samples of an epoch, of all training processes together, by the number of windows of the dataset.
    """

    reader: Any
    total: int
    pool: WindowPool
    samples: Callable[[int], int]

    def sample(self, positions: Any, points: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Copy the next sample of the pool, of as many dates as requested."""
        del rng
        worker = torch.utils.data.get_worker_info()
        loader = 0 if worker is None else int(worker.id)
        return self.pool.sample(len(_dates(positions)) - 1, points, loader, torch.initial_seed() % 2**63)

    def anchors(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return serial numbers in place of dates, as many as an epoch has samples."""
        n = self.samples(len(windows))
        return np.stack([np.zeros(n, dtype=np.int64), np.arange(n)], axis=1)


class KeptStore:
    """Validation data of a dataset larger than memory: a sample is read once, and kept for the following epochs.

    The points of a sample are spread over the grid and follow from its first date. Loader processes end with their
    epoch, so samples are kept in memory that they share with the training process.

    Parameters
    ----------
    reader : Any
        Reader of the validation.
    total : int
        Points that are drawn from, the first ones of the dataset.
    length, points : int
        Dates and points of a sample.
    limit_gb : float
        Size up to which samples are kept [GiB]; otherwise they are read in every epoch.
    """

    def __init__(self, reader: Any, total: int, *, length: int, points: int, limit_gb: float) -> None:
        self.reader, self.total = reader, total
        self._first = reader.compute_anchors(range(length))[:, 1]
        shape = (len(self._first), length, reader.data.shape[2], points, reader.data.shape[1])
        size = 4 * int(np.prod(shape, dtype=np.int64))
        self._kept: NDArray[np.float32] | None = None
        if size <= limit_gb * GIB:
            self._kept = np.frombuffer(mmap.mmap(-1, size), dtype=np.float32).reshape(shape)
            LOG.info(
                "Validation: %d samples of %d points are read once and kept, %.2f GiB", shape[0], points, size / GIB
            )
        else:
            LOG.warning(
                "Validation: %d samples of %d points are read in every epoch, as their %.1f GiB are more than %.1f. "
                "Give more in `land.resident_gb`, use fewer points, or `dataloader.limit_batches.validation`.",
                shape[0], points, size / GIB, limit_gb,
            )  # fmt: skip
        self._done = np.frombuffer(mmap.mmap(-1, max(1, len(self._first))), dtype=np.uint8)

    def sample(self, positions: Any, points: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return the window at ``positions`` at points spread over the grid."""
        dates = _dates(positions)
        k = int(np.searchsorted(self._first, dates[0]))
        kept = self._kept
        if kept is None or len(dates) != kept.shape[1] or points != kept.shape[3]:
            return self._read(dates, points, rng)
        if not self._done[k]:
            kept[k] = self._read(dates, points, rng)
            self._done[k] = 1
        return kept[k].copy()

    def _read(self, dates: Any, points: int, rng: np.random.Generator) -> NDArray[np.float32]:
        n_variables, n_members = self.reader.data.shape[1:3]
        window = np.empty((len(dates), n_members, points, n_variables), dtype=np.float32)
        read_dates(self.reader.data, int(dates[0]), spread_points(self.total, points, rng), window)
        return window

    def anchors(self, windows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return sequence and date of every sample: all ``windows`` of the dataset."""
        return windows


def _dates(positions: Any) -> Any:
    """Return requested dates as a sequence; they are a slice or a sequence."""
    return range(positions.stop)[positions] if isinstance(positions, slice) else positions


def resident_fields(data: Any, total: int, limit_gb: float, first_point: int = 0) -> NDArray[np.float32] | None:
    """Load ``total`` points, shape (date, ensemble, point, variable); None if larger than the limit."""
    n_dates, n_variables, n_members, _ = data.shape
    shape = (n_dates, n_members, total, n_variables)
    size = 4 * int(np.prod(shape))
    if size > limit_gb * GIB:
        LOG.info("Dataset larger than memory for it: %.1f GiB, resident_gb = %.1f", size / GIB, limit_gb)
        return None
    fields, points = np.empty(shape, dtype=np.float32), slice(first_point, first_point + total)
    dates = max(1, _AT_ONCE // (4 * int(np.prod(data.shape[1:]))))
    for first in range(0, shape[0], dates):
        fields[first : first + dates] = data[first : first + dates][..., points].transpose(0, 2, 3, 1)
    LOG.info("Dataset kept in memory: %.2f GiB, %s", size / GIB, shape)
    return fields
