# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Samples of a block of points instead of the whole grid."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback
from torch import Tensor

from anemoi_ailand.hosts.anemoi_training import sample_without_overlap, wrap_readers
from anemoi_ailand.training.datasets import OpenDataset, open_others, shares
from anemoi_ailand.variables import Role, variable

LOG = logging.getLogger(__name__)

GIB = 2**30


class PointBlocks(Callback):
    """Make every training and validation sample a random block of consecutive points, the first after the last.

    Points do not interact, so a block is as good as the grid, and the cost of a sample does not depend on the
    resolution: roll-outs can be long. The recipes order points so that any contiguous block is a fair sample, and a
    chunked store reads contiguous blocks fast.

    Validation windows do not overlap, so that a validation covers its whole period in one pass; stock windows start at
    every date, and a limited number of them covers the first weeks only.

    With ``land.others``, a share of the training samples is a window and a block of another dataset, which has its own
    dates and points.

    The block of a training sample, and the other dataset and its window, follow from seed, epoch and date, for any
    number of workers; the block of a validation sample follows from its date. anemoi-training 0.17 has no option for
    this and fixes its reader classes, so the readers of the datamodule are wrapped before the first sample is read
    (:mod:`~anemoi_ailand.hosts.anemoi_training`).

    Parameters
    ----------
    points : int, optional
        Points per sample, at most those of the dataset; all if not given.
    held_out : {'exclude', 'include'}
        Whether to read the points that the variable ``held_out`` marks (stored last).
    static_noise : float
        Noise on the static fields of a training sample, in units of their standard deviation over the points; one draw
        per point and sample, 0 for none. With few points a network would otherwise identify each point by its static
        fields and fail elsewhere. What is exactly zero, no lake or no snow, stays zero.
    state_noise : float
        Noise on the initial state of a training sample, in units of the change in 6 h, 0 for none; the targets stay
        clean. The network learns to recover from an error, which long roll-outs need.
    resident_gb : float
        Size of the selected variables up to which datasets are kept in memory [GiB], the training datasets together;
        0 always reads from disk.

    Raises
    ------
    ValueError
        More points than the dataset has; the model is split over several GPUs, which a point-wise network never needs;
        or the loader's processes would use one seed in all epochs.
    """

    def __init__(
        self,
        points: int | None = None,
        held_out: str = "exclude",
        static_noise: float = 0.0,
        state_noise: float = 0.0,
        resident_gb: float = 4.0,
    ) -> None:
        if points is not None and points < 1:
            raise ValueError(f"`points` is {points}. Give at least 1, or null for all points.")
        if held_out not in ("exclude", "include"):
            raise ValueError(f"`held_out` is '{held_out}'. It can be 'exclude' or 'include'.")
        if min(static_noise, state_noise) < 0.0:
            raise ValueError(
                f"`static_noise` is {static_noise}, `state_noise` is {state_noise}. "
                "Give a standard deviation, or 0 for none."
            )
        self.points, self.held_out, self.resident_gb = points, held_out, resident_gb
        self.static_noise, self.state_noise = static_noise, state_noise

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Wrap the readers of training and validation."""
        del stage
        if pl_module.config.system.hardware.num_gpus_per_model != 1:
            raise ValueError(
                "`system.hardware.num_gpus_per_model` is not 1, but points are independent. Use more GPUs for "
                "data parallelism (`num_gpus_per_node`)."
            )
        loader = pl_module.config.dataloader
        if loader.get("persistent_workers", True) and pl_module.task.rollout.epoch_increment == 0:
            raise ValueError(
                "The roll-out is the same in every epoch and `dataloader.persistent_workers` is true: anemoi-training "
                "then keeps the processes of the loader with one seed, and every epoch would have the same blocks of "
                "points and the same noise. Set `dataloader.persistent_workers: false`."
            )
        others = open_others(pl_module.config)
        for label, dataset in (("training", trainer.datamodule.ds_train), ("validation", trainer.datamodule.ds_valid)):
            configs = {name: loader[label].datasets[name].dataset_config for name in dataset.data_readers}
            wrap = self._for_validation if label == "validation" else partial(self._for_training, others, pl_module)
            wrap_readers(dataset, partial(_once, wrap, configs))
        trainer.datamodule.sync_dataset_state()  # windows by the new sampling

    def _for_training(self, others: list[OpenDataset], pl_module: Any, name: str, main: OpenDataset) -> BlockReader:
        """Wrap the reader of the main dataset, with the stores of all."""
        stores, memory = [], self.resident_gb
        for dataset in (main, *others):
            store = self._store(dataset, memory)
            memory -= 0.0 if store.fields is None else store.fields.nbytes / GIB
            stores.append(store)
        check_points(self.points, stores[0].total, main.name)
        if (largest := self.points or stores[0].total) > (fewest := min(store.total for store in stores)):
            LOG.info("A dataset has %d trained points: in its blocks of %d, points repeat", fewest, largest)
        noise = noise_scale(
            main.reader.variables, pl_module.model.statistics[name]["stdev"], self.static_noise, self.state_noise
        )
        part = shares([s.total * len(s.reader.dates) for s in stores], [None, *(o.share for o in others)])
        return BlockReader(stores[0], self.points, True, noise, stores[1:], part[1:])

    def _for_validation(self, name: str, main: OpenDataset) -> BlockReader:
        """Wrap the reader of the validation."""
        del name
        sample_without_overlap(main.reader)
        return BlockReader(self._store(main, self.resident_gb), self.points, False)

    def _store(self, dataset: OpenDataset, memory: float) -> Store:
        total = dataset.points if self.held_out == "exclude" else int(dataset.reader.grid_size)
        return Store(dataset.reader, resident_fields(dataset.reader.data, total, memory), total)


def check_points(points: int | None, total: int, dataset: str) -> None:
    """Refuse samples of more ``points`` than the ``total`` of the main dataset, which would hold all, only fewer."""
    if points is not None and points > total:
        raise ValueError(
            f"`land.points` is {points}, but the dataset '{dataset}' has {total} points to train on. Set "
            f"`land.points=null` for all of them, or a number up to {total}."
        )


def _once(wrap: Any, configs: dict[str, Any], name: str, reader: Any) -> BlockReader:
    """Wrap one reader; a wrapped one is returned unchanged."""
    if isinstance(reader, BlockReader):
        return reader
    found: BlockReader = wrap(name, OpenDataset(reader, configs[name]))
    return found


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

    def window(self, positions: Any, rng: np.random.Generator) -> list[int] | slice:
        """Draw a window of this dataset with the distances of the dates at ``positions`` of another."""
        dates = range(positions.stop)[positions] if isinstance(positions, slice) else positions
        offsets = tuple(int(date) - int(dates[0]) for date in dates)
        if offsets not in self._starts:
            self._starts[offsets] = self.reader.compute_anchors(list(offsets))[:, 1]
        starts = self._starts[offsets]
        start = int(starts[rng.integers(len(starts))])
        if isinstance(positions, slice):
            return slice(start, start + offsets[-1] + 1, positions.step)
        return [start + offset for offset in offsets]


class BlockReader:
    """Wrapper of an anemoi-training data reader that returns a block of ``points`` of its store.

    A block that reaches the last point continues at the first one, so that all points are drawn equally often.

    ``shuffled`` chooses another block in every epoch. ``noise`` is that of :func:`noise_scale`. A sample is drawn from
    one of the ``others`` with the probability of its share, and then the requested dates only have their length.
    """

    def __init__(
        self,
        store: Store,
        points: int | None,
        shuffled: bool,
        noise: NDArray[np.float32] | None = None,
        others: Sequence[Store] = (),
        shares: Sequence[float] | NDArray[np.float64] = (),
    ) -> None:
        self._store, self._reader = store, store.reader
        self._noise = [] if noise is None else [(np.flatnonzero(n), n[n != 0.0]) for n in noise]
        self._points = min(points or store.total, store.total)
        self._shuffled = shuffled
        self._others, self._limits = tuple(others), np.cumsum(shares)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_reader"], name)

    @property
    def n_points(self) -> int:
        """Points that samples of the main dataset are drawn from, its first ones."""
        return self._store.total

    def get_sample(self, sequence: int, positions: Any, grid_shard_indices: Any = None) -> Tensor:
        """Return the fields (date, ensemble, point of the block, variable) of one window over one block of points."""
        del sequence, grid_shard_indices
        rng = self._generator(positions)
        store = self._store
        if self._others and (k := int(np.searchsorted(self._limits, rng.random(), side="right"))) < len(self._others):
            store = self._others[k]
            positions = store.window(positions, rng)
        first = int(rng.integers(store.total)) if self._points != store.total else 0
        window = store.read(positions, first, self._points)
        for dates, (columns, scale) in zip((window, window[:1]), self._noise, strict=False):
            noise = scale * rng.standard_normal((*window.shape[1:3], len(columns)), dtype=np.float32)
            dates[..., columns] += np.where(window[0][..., columns] == 0.0, np.float32(0.0), noise)
        return torch.from_numpy(window)

    def _generator(self, positions: Any) -> np.random.Generator:
        """Return a random generator that depends on the seed of the epoch and the date only."""
        date = positions.start if isinstance(positions, slice) else int(np.min(positions))
        epoch_seed = torch.initial_seed() if self._shuffled else 0
        return np.random.default_rng([epoch_seed % 2**63, int(date)])


def noise_scale(
    names: Sequence[str], stdev: Sequence[float], static: float, state: float
) -> NDArray[np.float32] | None:
    """Return the standard deviation (2, variable) of the noise of a sample, in the units of the variables.

    The first row is common to all dates: ``static``, in units of the standard deviations ``stdev`` (variable,). The
    second is for the first date only: ``state``, in units of the table's ``increment_scale``. None without noise.
    """
    if static == 0.0 and state == 0.0:
        return None
    rows = [variable(n) for n in names]
    fixed = [static * s if v.role is Role.STATIC else 0.0 for v, s in zip(rows, stdev, strict=True)]
    first = [state * (v.increment_scale or 0.0) if v.role is Role.PROGNOSTIC else 0.0 for v in rows]
    return np.array([fixed, first], dtype=np.float32)


def resident_fields(data: Any, total: int, limit_gb: float) -> NDArray[np.float32] | None:
    """Load the first ``total`` points, shape (date, ensemble, point, variable); None if larger than the limit."""
    n_dates, n_variables, n_members, _ = data.shape
    shape = (n_dates, n_members, total, n_variables)
    size = 4 * int(np.prod(shape))
    if size > limit_gb * GIB:
        LOG.info("Reading blocks from disk: %.1f GiB are more than resident_gb = %.1f", size / GIB, limit_gb)
        return None
    fields = np.empty(shape, dtype=np.float32)
    for first in range(0, shape[0], 256):
        fields[first : first + 256] = data[first : first + 256][..., :total].transpose(0, 2, 3, 1)
    LOG.info("Dataset kept in memory: %.2f GiB, %s", size / GIB, shape)
    return fields
