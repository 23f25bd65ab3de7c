# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checks of the data against table and configuration before the first training step."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from pytorch_lightning import Callback

from anemoi_ailand.data.derived import ONE_SUFFICES
from anemoi_ailand.data.plausibility.training_data import KEY
from anemoi_ailand.training.data_record import Part, read_training_data
from anemoi_ailand.training.datasets import n_trained, open_others
from anemoi_ailand.variables import Time, variable

LOG = logging.getLogger(__name__)

#: Distributions whose versions decide what a process computes.
DECISIVE = ("anemoi-ailand", "anemoi-training", "anemoi-models", "anemoi-datasets", "torch")

#: Decimals of latitude and longitude to which places are the same [degree].
_SAME_PLACE = 3

#: Dates checked for missing values, spread over the training period.
N_DATES = 64


class DataChecks(Callback):
    """Refuse unsuitable data before the first training step.

    Checks names and units against the table of variables, missing values, gaps in time, length for the longest
    roll-out, and forcing that never changes (Anemoi marks it constant, and a roll-out would never update it), except
    an albedo that is the same all year. A further dataset may not have the validation's places at its dates. Processes
    of a data-parallel training need the same versions. The first one reads windows of the data, applies the rules of
    plausibility, and records for the checkpoints what was trained on.

    Parameters
    ----------
    plausibility : {'error', 'warn', 'off'}
        Treatment of impossible values of the training data, see
        :class:`~anemoi_ailand.data.plausibility.checker.Checker`.
    """

    def __init__(self, plausibility: str = "error") -> None:
        self.plausibility = plausibility

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Run all checks on the training and validation data."""
        del stage
        if trainer.world_size > 1:
            found: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(found, {name: version(name) for name in DECISIVE})
            check_versions(found)
        warn_of_warm_up(pl_module.config)
        steps = {"training": pl_module.task.rollout.maximum, "validation": pl_module.task.validation_rollout}
        for label, dataset in (("training", trainer.datamodule.ds_train), ("validation", trainer.datamodule.ds_valid)):
            for reader in dataset.data_readers.values():
                check_dataset(reader.data, label)
                check_length(len(reader.data.dates), steps[label] or steps["training"], label)
        others = open_others(pl_module.config)
        for other in others:
            label = f"training ('{other.name}' of `land.others`)"
            check_dataset(other.reader.data, label, main=False)
            check_length(len(other.reader.data.dates), steps["training"], label)
            if not OmegaConf.select(pl_module.config, "land.shared_dates"):
                for reader in trainer.datamodule.ds_valid.data_readers.values():
                    check_apart(other.name, other.reader.data, reader.data)
        if trainer.is_global_zero:
            parts = [*_parts(trainer, pl_module), *(Part(o.name, o.reader.data, o.points) for o in others)]
            known = read_training_data(parts, plausibility=self.plausibility)
            pl_module.model.metadata[KEY] = known.as_json()


def _parts(trainer: Any, pl_module: Any) -> Iterator[Part]:
    """Yield the training datasets of the dataloader."""
    for name, reader in trainer.datamodule.ds_train.data_readers.items():
        config = pl_module.config.dataloader.training.datasets[name].dataset_config
        yield Part(str(config["dataset"]), reader.data, n_trained(config, reader.data.shape[-1]))


def check_versions(found: Sequence[Mapping[str, str]]) -> None:
    """Refuse processes whose packages differ; ``found`` has the versions of each, in their order.

    Examples
    --------
    >>> from anemoi_ailand.training.checks import check_versions
    >>> check_versions([{"torch": "2.10.0"}, {"torch": "2.10.0"}])
    """
    for name in found[0]:
        if len({each[name] for each in found}) > 1:
            odd = next(rank for rank, each in enumerate(found) if each[name] != found[0][name])
            raise ValueError(
                f"The processes of the training have different versions of {name}: {found[0][name]} in process 0, "
                f"{found[odd][name]} in process {odd}. Use one environment on all nodes."
            )


def warn_of_warm_up(config: Any) -> None:
    """Warn of a training that ends before its learning rate has risen to what is asked for."""
    places = ("training.optimization.lr_scheduler.warmup_t", "training.max_steps")
    warm_up, batches = (OmegaConf.select(config, place) for place in places)
    if warm_up and batches and warm_up >= batches > 1:
        LOG.warning(
            "The learning rate rises over the first %d batches, but the training has %d: it reaches %.0f %% of "
            "`training.optimization.lr`. Set `%s` to a tenth of the batches.",
            warm_up, batches, 100.0 * batches / warm_up, places[0],
        )  # fmt: skip


def check_length(n_dates: int, n_steps: int, label: str) -> None:
    """Refuse a period shorter than the longest roll-out of the curriculum, which may be many epochs away."""
    if n_dates < n_steps + 1:
        raise ValueError(
            f"The {label} period has {n_dates} dates, too few for a roll-out of {n_steps} steps, which needs "
            f"{n_steps + 1}. Widen `dataloader.{label.split()[0]}.datasets.data` or `land.others`, or shorten "
            "`task.rollout` or `task.validation_rollout`."
        )


def check_apart(name: str, other: Any, validation: Any) -> None:
    """Refuse a further dataset that has the places of the validation at its dates, as a copy of a part of it does."""
    places = [
        np.round(np.stack([d.latitudes, np.mod(d.longitudes, 360.0)], -1), _SAME_PLACE) for d in (other, validation)
    ]
    common = {tuple(place) for place in places[0]} & {tuple(place) for place in places[1]}
    dates = np.intersect1d(other.dates, validation.dates)
    if common and len(dates):
        raise ValueError(
            f"'{name}' of `land.others` has {len(common)} places of the validation at {len(dates)} of its dates, "
            f"{dates[0]} to {dates[-1]}, so the best checkpoint would be one that remembers. Give `start` and `end` of "
            "the entry, which takes the whole dataset without them, or set `land.shared_dates=true`."
        )


def check_dataset(data: Any, label: str, *, main: bool = True) -> None:
    """Check units, constant variables, gaps in time and missing values of an opened Anemoi dataset.

    A variable may be constant in a dataset that is not the ``main`` one: Anemoi takes the kind of variables from that.
    """
    metadata = [(variable(n), data.typed_variables[n]) for n in data.variables]
    wrong = {
        row.name: f"{found.units} in the data, {row.units} in the table"
        for row, found in metadata
        if found.units not in (None, row.units) and not row.computed
    }
    if wrong:
        raise ValueError(f"Wrong units: {wrong}. Build the dataset with the packaged recipes, which convert them.")
    moving = [(row, found) for row, found in metadata if row.time != Time.CONSTANT and row.name not in ONE_SUFFICES]
    stuck = [row.name for row, found in moving if found.is_constant_in_time]
    if stuck and main:
        raise ValueError(
            f"{stuck} never change in the data, although they vary in time. Anemoi would treat them as constant and "
            "never update them in a roll-out. Use a longer or more varied period, or leave them out of `land`."
        )
    if data.missing:
        raise ValueError(
            f"The {label} data have {len(data.missing)} missing dates, the first {data.dates[min(data.missing)]}. "
            "Fill the gap in the source, or choose a period without one."
        )
    picks = np.unique(np.linspace(0, len(data.dates) - 1, N_DATES).astype(int))
    bad = sorted({data.variables[v] for i in picks for v in np.unique(np.where(np.isnan(data[int(i)]))[0])})
    if bad:
        raise ValueError(f"The {label} data have missing values (NaN) in {bad}. Leave these points out in the recipe.")
