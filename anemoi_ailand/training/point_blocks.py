# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Samples of a block of points instead of the whole grid."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import numpy as np
import torch
from anemoi.datasets import open_dataset
from numpy.typing import NDArray
from pytorch_lightning import Callback
from torch import Tensor

from anemoi_ailand.hosts.anemoi_training import sample_without_overlap, wrap_readers
from anemoi_ailand.variables import Role, variable

LOG = logging.getLogger(__name__)

GIB = 2**30

#: Constant variable of a dataset that marks points never trained on.
HELD_OUT = "held_out"


class PointBlocks(Callback):
    """Make every training and validation sample a random block of consecutive points, the first after the last.

    Points do not interact, so a block is as good as the grid, and the cost of a sample does not depend on the
    resolution: roll-outs can be long. The recipes order points so that any contiguous block is a fair sample, and a
    chunked store reads contiguous blocks fast.

    Validation windows do not overlap, so that a validation covers its whole period in one pass; stock windows start at
    every date, and a limited number of them covers the first weeks only.

    The block of a training sample follows from seed, epoch and date, for any number of workers; that of a validation
    sample from its date. anemoi-training 0.17 has no option for this and fixes its reader classes, so the readers of
    the datamodule are wrapped before the first sample is read (:mod:`~anemoi_ailand.hosts.anemoi_training`).

    Parameters
    ----------
    points : int, optional
        Points per sample; all if not given or if the dataset has fewer.
    held_out : {'exclude', 'include'}
        Whether to read the points that the variable ``held_out`` marks (stored last).
    static_noise : float
        Noise on the static fields of a training sample, in units of their standard deviation over the points; one draw
        per point and sample, 0 for none. With few points a network would otherwise identify each point by its static
        fields and fail elsewhere.
    state_noise : float
        Noise on the initial state of a training sample, in units of the change in 6 h, 0 for none; the targets stay
        clean. The network learns to recover from an error, which long roll-outs need.
    resident_gb : float
        Size of the selected variables up to which a dataset is kept in memory [GiB]; 0 always reads from disk.

    Raises
    ------
    ValueError
        The model is split over several GPUs, which a point-wise network never needs, or the loader's processes would
        use one seed in all epochs.
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
        for label, dataset in (("training", trainer.datamodule.ds_train), ("validation", trainer.datamodule.ds_valid)):
            configs = {name: loader[label].datasets[name].dataset_config for name in dataset.data_readers}
            wrap_readers(dataset, partial(self._in_blocks, configs, label == "training"))
        trainer.datamodule.sync_dataset_state()  # windows by the new sampling

    def _in_blocks(self, configs: dict[str, Any], shuffled: bool, name: str, reader: Any) -> BlockReader:
        """Wrap one reader; a wrapped one is returned unchanged."""
        if isinstance(reader, BlockReader):
            return reader
        total = int(reader.grid_size)
        if self.held_out == "exclude":
            total = n_trained(configs[name], total)
        fields = resident_fields(reader.data, total, self.resident_gb)
        noise = noise_scale(reader, self.static_noise, self.state_noise) if shuffled else None
        if not shuffled:
            sample_without_overlap(reader)
        return BlockReader(reader, fields, total, self.points, shuffled, noise)


class BlockReader:
    """Wrapper of an anemoi-training data reader that returns a block of ``points`` among the first ``total``.

    A block that reaches the last point continues at the first one, so that all points are drawn equally often.

    ``fields`` (date, ensemble, point, variable) are in memory in the order of a sample, so that a block is one copy;
    None reads from disk. ``shuffled`` chooses another block in every epoch. ``noise`` is that of :func:`noise_scale`.
    """

    def __init__(
        self,
        reader: Any,
        fields: NDArray | None,
        total: int,
        points: int | None,
        shuffled: bool,
        noise: NDArray[np.float32] | None = None,
    ) -> None:
        self._reader, self._fields = reader, fields
        self._noise = [] if noise is None else [(np.flatnonzero(n), n[n != 0.0]) for n in noise]
        self._total, self._points = total, min(points or total, total)
        self._shuffled = shuffled

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_reader"], name)

    @property
    def n_points(self) -> int:
        """Points that samples are drawn from, the first ones of the dataset."""
        return self._total

    def get_sample(self, sequence: int, positions: Any, grid_shard_indices: Any = None) -> Tensor:
        """Return the fields (date, ensemble, point of the block, variable) of one window over one block of points."""
        del sequence, grid_shard_indices
        rng = self._generator(positions)
        first = int(rng.integers(self._total)) if self._points < self._total else 0
        last = first + self._points
        blocks = [slice(first, min(last, self._total)), slice(0, max(last - self._total, 0))]
        parts = [self._read(positions, block) for block in blocks if block.stop > block.start]
        window = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        for dates, (columns, scale) in zip((window, window[:1]), self._noise, strict=False):
            dates[..., columns] += scale * rng.standard_normal((*window.shape[1:3], len(columns)), dtype=np.float32)
        return torch.from_numpy(window)

    def _read(self, positions: Any, block: slice) -> NDArray[np.float32]:
        """Copy contiguous points of a window, shape (date, ensemble, point, variable)."""
        if self._fields is None:
            return np.ascontiguousarray(np.asarray(self._reader.data[positions, :, :, block]).transpose(0, 2, 3, 1))
        return self._fields[positions, :, block].copy()

    def _generator(self, positions: Any) -> np.random.Generator:
        """Return a random generator that depends on the seed of the epoch and the date only."""
        date = positions.start if isinstance(positions, slice) else int(np.min(positions))
        epoch_seed = torch.initial_seed() if self._shuffled else 0
        return np.random.default_rng([epoch_seed % 2**63, int(date)])


def noise_scale(reader: Any, static: float, state: float) -> NDArray[np.float32] | None:
    """Return the standard deviation (2, variable) of the noise of a sample, in the units of the variables.

    The first row is common to all dates: ``static``, in units of the standard deviation of the static fields. The
    second is for the first date only: ``state``, in units of the table's ``increment_scale``. None without noise.
    """
    if static == 0.0 and state == 0.0:
        return None
    rows = [variable(n) for n in reader.variables]
    fixed = [
        static * s if v.role is Role.STATIC else 0.0 for v, s in zip(rows, reader.statistics["stdev"], strict=True)
    ]
    first = [state * (v.increment_scale or 0.0) if v.role is Role.PROGNOSTIC else 0.0 for v in rows]
    return np.array([fixed, first], dtype=np.float32)


def n_trained(dataset_config: Any, total: int) -> int:
    """Count the points of a dataset that are not held out, among ``total``.

    Raises
    ------
    ValueError
        Held-out points are not stored last, so that contiguous blocks cannot avoid them.
    """
    # a configuration of anemoi-datasets, with cut-outs and subsets, which `data.anemoi_dataset` does not take; without
    # the selection of variables, which leaves the mark out
    plain = {k: v for k, v in dict(dataset_config).items() if k not in ("select", "drop") and v is not None}
    data = open_dataset(plain)
    if HELD_OUT not in data.variables:
        return total
    mark = np.asarray(data[0][data.name_to_index[HELD_OUT]][0]) > 0.5
    n = int((~mark).sum())
    if mark[:n].any():
        raise ValueError(
            f"{int(mark.sum())} of {total} points are marked as held out, but not stored last. Build the dataset with "
            "`order: {seed: 1}` in the source `ecland`, or set `held_out: include` to train on them."
        )
    LOG.info("%d of %d points are held out: no sample reads them", total - n, total)
    return n


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
