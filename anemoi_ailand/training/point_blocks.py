# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Samples of a block of points instead of the whole grid."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback
from torch import Tensor

from anemoi_ailand.hosts.anemoi_training import sample_without_overlap, wrap_readers
from anemoi_ailand.support.configuration import checked
from anemoi_ailand.support.memory import GIB
from anemoi_ailand.training.callbacks import batches_of_epoch, n_batches
from anemoi_ailand.training.datasets import OpenDataset, open_others, shares
from anemoi_ailand.training.observations import Targets, open_observed, targets_of
from anemoi_ailand.training.stores import KeptStore, PooledStore, Store, resident_fields
from anemoi_ailand.training.throughput import COMPILED, expectation, planned_rollouts, step_rate
from anemoi_ailand.training.window_pool import (
    BUSY,
    LENGTH,
    MOST_READERS,
    PoolOptions,
    WindowPool,
    check_memory,
    default_memory,
    first_windows,
    plan_pool,
    read_dates,
    seconds_of_a_date,
)
from anemoi_ailand.variables import Role, variable

LOG = logging.getLogger(__name__)

#: Rows of a batch, windows times points, if the points of a sample of a dataset larger than memory are not given: those
#: with which the packaged networks were trained.
ROWS = 2592

#: Values of ``land.validation_points``.
VALIDATION_POINTS = ("trained", "held-out")

#: Size up to which validation samples of a dataset larger than memory are kept in any case [GiB].
KEPT_GB = 1.0


class PointBlocks(Callback):
    """Make every training and validation sample a random block of consecutive points, the first after the last.

    Points do not interact, so a block is as good as the grid, and the cost of a sample does not depend on the
    resolution: roll-outs can be long. The recipes order points so that any contiguous block is a fair sample, and a
    chunked store reads contiguous blocks fast.

    Validation windows do not overlap, so that a validation covers its whole period in one pass; stock windows start at
    every date, and a limited number of them covers the first weeks only.

    With ``land.others``, a share of the training samples is a window and a block of another dataset, which has its own
    dates and points.

    Of a main dataset larger than ``resident_gb``, samples of the training come from a pool of random windows in memory
    (:mod:`~anemoi_ailand.training.window_pool`), and those of the validation are read once and kept.

    The block of a training sample, and the other dataset and its window, follow from seed, epoch and date, for any
    number of workers; the block of a validation sample follows from its date. The windows of a pool follow from the
    seed and from the epoch at which the training begins or resumes. anemoi-training 0.17 has no option for
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
        Size of the selected variables up to which datasets are kept in memory [GiB], the training datasets together.
        Blocks of further datasets beyond it are read from disk.
    pool : dict, optional
        Pool of windows, as :class:`~anemoi_ailand.training.window_pool.PoolOptions`.
    validation_points : {'trained', 'held-out'}
        Points of the validation: those of the training, or those that are marked as held out.

    Observations (``land.observed``) replace the targets of the main dataset: the first date of a sample, the initial
    state, and all forcing are those of the dataset, predicted variables of later dates are observations or missing.

    Raises
    ------
    ValueError
        More points than the dataset has; the model is split over several GPUs, which a point-wise network never needs;
        the loader's processes would use one seed in all epochs; or the pool has too little memory.
    """

    def __init__(
        self,
        points: int | None = None,
        held_out: str = "exclude",
        static_noise: float = 0.0,
        state_noise: float = 0.0,
        resident_gb: float = 4.0,
        pool: Mapping[str, Any] | None = None,
        validation_points: str = "trained",
    ) -> None:
        if validation_points not in VALIDATION_POINTS:
            raise ValueError(
                f"`land.validation_points` is '{validation_points}'. Give one of {', '.join(VALIDATION_POINTS)}."
            )
        self.validation_points = validation_points
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
        self.pool = checked(dict(pool or {}), PoolOptions, "`land.pool`")
        self._pooled: PooledStore | None = None
        self._told = (0, 0.0, 0.0)

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
        others, observed = open_others(pl_module.config), open_observed(pl_module.config)
        for label, dataset in (("training", trainer.datamodule.ds_train), ("validation", trainer.datamodule.ds_valid)):
            configs = {name: loader[label].datasets[name].dataset_config for name in dataset.data_readers}
            if label == "training":
                wrap = partial(self._for_training, others, observed, trainer, pl_module)
            else:
                wrap = partial(self._for_validation, observed, pl_module)
            wrap_readers(dataset, partial(_once, wrap, configs))
        trainer.datamodule.sync_dataset_state()  # windows by the new sampling
        self._limit_batches(trainer, loader.batch_size.training)

    def _limit_batches(self, trainer: Any, batch: int) -> None:
        """Lift a limit of the batches of an epoch that exceeds them: Lightning would wait for it to validate."""
        limit, dataset = trainer.limit_train_batches, trainer.datamodule.ds_train
        if self._pooled is not None or not isinstance(limit, int):
            return
        rollout = trainer.datamodule.task.rollout
        fewest = len(dataset.valid_date_indices) - (rollout.maximum - rollout.step)
        if limit > (whole := n_batches(fewest, batch, trainer.world_size, None)):
            LOG.warning(
                "`dataloader.limit_batches.training` is %d, but an epoch of one process has only %d batches. It ends "
                "after these, and the learning rate should: set `training.max_steps` accordingly.", limit, whole,
            )  # fmt: skip
            trainer.limit_train_batches = 1.0

    def _for_training(
        self, others: list[OpenDataset], observed: Any, trainer: Any, pl_module: Any, name: str, main: OpenDataset
    ) -> BlockReader:
        """Wrap the reader of the main dataset, with the stores of all."""
        stores, memory = [], self.resident_gb
        for dataset in (main, *others):
            store = self._store(dataset, memory)
            memory -= 0.0 if store.fields is None else store.fields.nbytes / GIB
            stores.append(store)
        check_points(self.points, stores[0].total, main.name)
        first: Store | PooledStore
        first, targets = self._observed(observed, stores[0], 0, pl_module, name)
        points = self.points
        if stores[0].fields is None:
            points = self._points_of_sample(first.total, pl_module)
            first = self._pooled = self._open_pool(stores[0], points, trainer, pl_module)
        if (largest := points or first.total) > (fewest := min(store.total for store in stores)):
            LOG.info("A dataset has %d trained points: in its blocks of %d, points repeat", fewest, largest)
        noise = noise_scale(
            main.reader.variables, pl_module.model.statistics[name]["stdev"], self.static_noise, self.state_noise
        )
        part = shares([s.total * len(s.reader.dates) for s in stores], [None, *(o.share for o in others)])
        return BlockReader(first, points, True, noise, stores[1:], part[1:], targets)

    def _for_validation(self, observed: Any, pl_module: Any, name: str, main: OpenDataset) -> BlockReader:
        """Wrap the reader of the validation."""
        sample_without_overlap(main.reader)
        first = main.points if self.validation_points == "held-out" else 0
        if first == int(main.reader.grid_size):
            raise ValueError(
                f"`land.validation_points` is 'held-out', but no point of the dataset '{main.name}' is marked as held "
                "out. Mark some in its recipe (`held_out`), or set `land.validation_points=trained`."
            )
        store = self._store(main, self.resident_gb, first)
        store, targets = self._observed(observed, store, first, pl_module, name)
        if store.fields is not None:
            return BlockReader(store, self.points, False, targets=targets)
        task = pl_module.task
        points = self._points_of_sample(store.total, pl_module)
        kept = KeptStore(
            main.reader, store.total, length=(task.validation_rollout or task.rollout.step) + 1, points=points,
            limit_gb=max(self.resident_gb, KEPT_GB),
        )  # fmt: skip
        return BlockReader(kept, points, False)

    def _store(self, dataset: OpenDataset, memory: float, first: int = 0) -> Store:
        end = dataset.points if self.held_out == "exclude" and not first else int(dataset.reader.grid_size)
        total = end - first
        store = Store(dataset.reader, resident_fields(dataset.reader.data, total, memory, first), total)
        if first and store.fields is None:
            raise ValueError(
                f"Validation at held-out points needs the dataset '{dataset.name}' in memory. Raise "
                "`land.resident_gb`, or set `land.validation_points=trained`."
            )
        return store

    def _observed(
        self, observed: Any, store: Store, first: int, pl_module: Any, name: str
    ) -> tuple[Store, Targets | None]:
        """Return a store with the observations behind its fields, and the targets; both as they are without any."""
        if observed is None:
            return store, None
        if store.fields is None:
            raise ValueError(
                "Observations (`land.observed`) need the main dataset in memory, but it is larger than "
                f"`land.resident_gb`, {self.resident_gb}. Raise it, or choose the points with observations."
            )
        outputs = pl_module.data_indices[name].model.output.name_to_index
        targets = targets_of(
            observed, store.reader.data, slice(first, first + store.total), outputs, store.reader.name_to_index,
            store.fields,
        )  # fmt: skip
        return Store(store.reader, targets.behind(store.fields), store.total), targets

    def _points_of_sample(self, total: int, pl_module: Any) -> int:
        """Return the points of a sample of a dataset larger than memory, whose dates are too large for a sample."""
        batch = pl_module.config.dataloader.batch_size.training
        return min(total, self.points or max(1, ROWS // batch))

    def _open_pool(self, store: Store, points: int, trainer: Any, pl_module: Any) -> PooledStore:
        """Choose the size of the pool of windows from the memory of the machine, and make it."""
        loader, data = pl_module.config.dataloader, store.reader.data
        if (start := loader.get("multiprocessing_context")) not in (None, "fork"):
            raise ValueError(
                f"`dataloader.multiprocessing_context` is '{start}', but the dataset is larger than "
                f"`land.resident_gb`, and its pool of windows is shared with forked processes. Set it to null."
            )
        ranks = max(1, trainer.world_size // max(1, trainer.num_nodes))
        accelerator = trainer.strategy.root_device.type != "cpu"
        memory = self.pool.memory_gb or default_memory(ranks, accelerator)
        length = min(len(data.dates), max(LENGTH, pl_module.task.rollout.maximum + 1))
        plan = plan_pool(
            (data.shape[1], data.shape[2], store.total), points, length=length, memory=memory * GIB / ranks,
            loaders=loader.num_workers.training, points=self.pool.points, accelerator=accelerator,
        )  # fmt: skip
        check_memory(ranks * plan.nbytes, self.pool.memory_gb)
        starts = store.reader.compute_anchors(range(length))[:, 1]
        if not len(starts):
            raise ValueError(f"The training period has no {length} dates without a gap. Choose another period.")
        LOG.info(
            "Pool of %d windows of %d dates x %d points in memory: %.1f GiB; samples of %d points", plan.shape[0],
            length, plan.points, plan.nbytes / GIB, points,
        )  # fmt: skip
        batch, loaders = loader.batch_size.training, plan.loaders

        def samples(windows: int) -> int:
            limit = trainer.limit_train_batches  # a whole number of batches is reached by any number of windows
            whole = limit if isinstance(limit, int) else n_batches(windows, batch, trainer.world_size, limit)
            return math.ceil(whole / loaders) * loaders * batch * trainer.world_size  # whole batches of every loader

        pool = WindowPool(plan, data, starts, store.total, trainer.global_rank)
        return PooledStore(store.reader, store.total, pool, samples)

    @property
    def pooled_windows(self) -> WindowPool | None:
        """The pool of windows, if the main dataset has one."""
        return None if self._pooled is None else self._pooled.pool

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Start reading into the pool, and log the expected speed and duration of the training."""
        if self._pooled is None:
            return
        pool, windows = self._pooled.pool, pl_module.config.dataloader.batch_size.training
        data, (_, _, members, _, variables) = self._pooled.reader.data, pool.plan.shape
        points = self._points_of_sample(self._pooled.total, pl_module)
        fields = np.empty((2, members, points, variables), dtype=np.float32)
        read_dates(data, 0, np.arange(points), fields)
        rate = step_rate(pl_module, torch.from_numpy(fields).expand(windows, -1, -1, -1, -1))
        date = seconds_of_a_date(data)
        on_cpu = trainer.strategy.root_device.type == "cpu"
        faster = COMPILED if on_cpu and getattr(pl_module, "execution", "plain") != "plain" else (1.0,)
        load = pool.plan.readers_load(rate * faster[-1], date)
        readers = min(MOST_READERS, max(1, math.ceil(load / BUSY)))
        first = first_windows(pool.plan.windows)
        LOG.info(
            "A date is read in %.0f ms: training begins after about %.0f s; then reading keeps up to %.2f processors "
            "busy, %d process%s", 1000.0 * date, first * pool.plan.loaders * pool.plan.length * date / readers, load,
            readers, "es" if readers > 1 else "",
        )  # fmt: skip
        if readers < load:
            LOG.warning(
                "Reading cannot keep up with the training: give the pool more memory (`land.pool.memory_gb`), so that "
                "more points of a date are used."
            )
        rows = windows * points * trainer.world_size
        batches = batches_of_epoch(trainer)
        rollouts = planned_rollouts(trainer, pl_module.task.rollout, batches)
        LOG.info(
            "Expected: %s (plain step%s)", expectation(rate * trainer.world_size, rows, batches, rollouts,
            (1.0, *faster) if faster[-1] > 1.0 else faster), " to compiled one" if faster[-1] > 1.0 else "",
        )  # fmt: skip
        pool.start(readers)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log how far the pool has grown, and whether the training waited for it."""
        del trainer, pl_module
        if self._pooled is None:
            return
        pool = self._pooled.pool
        read, busy, waited = now = (pool.windows_read, pool.reading_seconds, pool.waited)
        before, self._told = self._told, now
        LOG.info(
            "Pool: samples from %d of %d windows; %d read in this epoch with %.1f s of processor time; waited %.1f s",
            pool.serving, pool.plan.shape[0], read - before[0], busy - before[1], waited - before[2],
        )  # fmt: skip

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """End the reading processes."""
        del trainer, pl_module, stage
        if self._pooled is not None:
            self._pooled.pool.close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End the reading processes."""
        del exception
        self.teardown(trainer, pl_module, "fit")


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


class BlockReader:
    """Wrapper of an anemoi-training data reader that returns samples of ``points`` of its store.

    A block of fields in memory that reaches the last point continues at the first one, so that all points are drawn
    equally often.

    ``shuffled`` chooses another block in every epoch. ``noise`` is that of :func:`noise_scale`. A sample is drawn from
    one of the ``others`` with the probability of its share, and then the requested dates only have their length.
    ``targets`` are observations, behind the fields of the store.
    """

    def __init__(
        self,
        store: Store | PooledStore | KeptStore,
        points: int | None,
        shuffled: bool,
        noise: NDArray[np.float32] | None = None,
        others: Sequence[Store] = (),
        shares: Sequence[float] | NDArray[np.float64] = (),
        targets: Targets | None = None,
    ) -> None:
        self._targets = targets
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

    def compute_anchors(self, relative_indices: Any, sampling: Any = None) -> NDArray[np.int64]:
        """Return sequence and date of every sample of an epoch, shape (sample, 2)."""
        return self._store.anchors(self._reader.compute_anchors(relative_indices, sampling))

    def get_sample(self, sequence: int, positions: Any, grid_shard_indices: Any = None) -> Tensor:
        """Return the fields (date, ensemble, point of the block, variable) of one window over one block of points."""
        del sequence, grid_shard_indices
        rng = self._generator(positions)
        if self._others and (k := int(np.searchsorted(self._limits, rng.random(), side="right"))) < len(self._others):
            other = self._others[k]
            window = other.sample(other.window(positions, rng), self._points, rng)
        else:
            window = self._store.sample(positions, self._points, rng)
            if self._targets is not None:
                window = self._targets.set_in(window)
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
