# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Twin of fine-tuning: pseudo-towers of ecLand with a changed parameter, the presets tuned on them, and their runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr
from anemoi.datasets import open_dataset
from torch import Tensor, nn

from anemoi_ailand.evaluation.diagnosis.pseudo_towers import pseudo_towers
from anemoi_ailand.evaluation.diagnosis.site_means import local_phase
from anemoi_ailand.rollout.step.advance import StepLayout, advance_steps
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint
from anemoi_ailand.support.atomic import publish_folder
from anemoi_ailand.support.packaged import folder as packaged
from anemoi_ailand.variables import variable

BASE = "ailand-small"

#: Variables of the towers, and 2 m temperature, which says when probes are frozen.
FLUXES, SOIL, AIR = ("slhf", "sshf"), ("swvl1", "swvl2"), "2t"

#: Year of the observations, and year that is scored.
TUNED, SCORED = 2021, 2022

#: Sites whose errors choose the epoch, the last ones that are not held out.
N_CHOOSING = 64

#: Mean energy-balance closure of the pseudo-towers, by which raw fluxes are divided for the correction of the bias.
CLOSURE = 0.85

#: Errors of the available energy, net radiation less ground heat, that a tower closes its budget with: gain of a site
#: [1] and noise of a mean over 6 h [W m-2].
_ENERGY_GAIN, _ENERGY_NOISE = 0.03, 10.0

#: Smallest sum of the fluxes, upward, that tells of the closure of a month [W m-2].
_LEAST = 50.0

#: Kinds of observations: raw fluxes, those closed with the Bowen ratio, and nature without noise or gaps (the floor).
RAW, BOWEN, NATURE = "raw", "bowen", "nature"

#: Budget of every training: 60 batches of 432 rows and 4 steps in 4 epochs.
BUDGET = (
    "training.max_epochs=4", "dataloader.limit_batches.training=15", "land.points=54",
    "training.optimization.lr_scheduler.warmup_t=5", "land.shared_dates=true", "land.plausibility=off",
    "dataloader.batch_size.training=8", "dataloader.batch_size.validation=73",
    f"dataloader.training.datasets.data.start={TUNED}", f"dataloader.training.datasets.data.end={TUNED}",
    f"dataloader.validation.datasets.data.start={TUNED}", f"dataloader.validation.datasets.data.end={TUNED}",
    "diagnostics.enable_progress_bar=false", "land.execution=plain",
)  # fmt: skip

#: Forcing steps read at once.
_AT_ONCE = 64


@dataclass(frozen=True)
class Preset:
    """Variables that are learned from, and options of ``ailand-finetune``; anchored ones have samples of ecLand."""

    observed: tuple[str, ...]
    options: tuple[str, ...]
    anchored: bool = False


#: Weights of the fluxes where the evaporative fraction takes their place.
_NO_FLUX = tuple(f"+training.scalers.datasets.data.general_variable.weights.{n}=0" for n in FLUXES)

#: Presets, numbered as in the aiLand v1 preprint.
PRESETS = {
    "S1": Preset(FLUXES, ("land.tune=heads",)),
    "S4": Preset(FLUXES, ("land.tune=heads-then-all",)),
    "S5": Preset(FLUXES, ("land.tune=all",)),
    "S6": Preset(SOIL, ("land.tune=all", "land.anchor=1"), anchored=True),
    "S7": Preset((*SOIL, *FLUXES), ("land.tune=all", "land.anchor=1", "land.fraction=1", *_NO_FLUX), anchored=True),
}


def of_nature(nature: Path, year: int, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Read ``nature`` (time, point) in a year at points by their number."""
    with xr.open_dataset(nature / f"ecland_{year}.nc") as file:
        position = {int(p): k for k, p in enumerate(file["point_id"].values)}
        here = [position[int(p)] for p in ids]
        names = {n: variable(n).netcdf_name for n in (*FLUXES, *SOIL, AIR)}
        return {n: file[stored].transpose("time", "point").values[:, here] for n, stored in names.items()}


def closed(seen: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], month: np.ndarray, seed: int) -> dict:
    """Return observations whose fluxes are scaled to the available energy, by site and month.

    The tower measures that energy with errors of its own; in ecLand it is the sum of the turbulent fluxes.
    """
    random = np.random.default_rng(seed + 1000)
    energy = -(truth["slhf"] + truth["sshf"])
    energy = energy * random.normal(1.0, _ENERGY_GAIN, energy.shape[1])
    energy = energy + random.normal(0.0, _ENERGY_NOISE, energy.shape)
    total = -(seen["slhf"] + seen["sshf"])
    tells = (total > _LEAST) & (energy > _LEAST)  # false of NaN
    out = {n: v.copy() for n, v in seen.items()}
    for k in np.unique(month):
        own = tells & (month == k)[:, None]
        sums = [np.where(own, v, 0.0).sum(0) for v in (energy, total)]
        factor = np.divide(*sums, out=np.full(sums[0].shape, np.nan), where=sums[1] > 0.0)
        for name in FLUXES:
            out[name][month == k] *= factor
    return out


@dataclass
class TowerData:
    """Reference set and nature in the year of the observations, at all points that are not held out."""

    dataset: Path
    nature: Path
    _data: Any = field(init=False)

    def __post_init__(self) -> None:
        self._data = open_dataset(str(self.dataset), start=TUNED, end=TUNED)
        self.index, first = self._data.name_to_index, np.asarray(self._data[0])[:, 0]
        self.n_points = int((first[self.index["held_out"]] < 0.5).sum())
        self.ids = first[self.index["point_id"], : self.n_points]

    @cached_property
    def fields(self) -> np.ndarray:
        """Fields (time, variable, 1, point) of the reference set."""
        return np.stack([np.asarray(self._data[k])[..., : self.n_points] for k in range(len(self._data.dates))])

    @cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """Nature (time, point)."""
        return of_nature(self.nature, TUNED, self.ids)

    @property
    def dates(self) -> np.ndarray:
        """Dates of the year."""
        dates: np.ndarray = self._data.dates.astype("datetime64[s]")
        return dates

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes and longitudes of the points."""
        return self._data.latitudes[: self.n_points], self._data.longitudes[: self.n_points]

    def column(self, name: str) -> np.ndarray:
        """Return a field (time, point) of the reference set."""
        return self.fields[:, self.index[name], 0]

    def towers(self, kind: str, seed: int) -> dict[str, np.ndarray]:
        """Return observations (time, point) of a kind; probes have the mean of the physical model."""
        if kind == NATURE:
            return {n: self.truth[n] for n in (*FLUXES, *SOIL)}
        dates, quarter = self.dates, local_phase(self.dates, *self.places)[1]
        seen = pseudo_towers(self.truth, (quarter == 1) | (quarter == 2), self.column("avg_tprate"), seed)
        for name in SOIL:
            offset = np.nanmean(np.where(np.isnan(seen[name]), np.nan, self.column(name)) - seen[name], axis=0)
            seen[name] = seen[name] + offset
        seen.pop(AIR)
        return seen if kind == RAW else closed(seen, self.truth, dates.astype("datetime64[M]").astype(int) % 12, seed)

    def write(self, target: Path, fields: Mapping[str, np.ndarray]) -> Path:
        """Write an Anemoi dataset with other ``fields``, the sites that choose the epoch marked as held out."""
        if target.exists():
            return target
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(self.dataset, partial,
                        ignore=lambda place, names: ["data"] if Path(place) == self.dataset else [])  # fmt: skip
        values, dates = self.fields.copy(), self.dates
        values[:, self.index["held_out"]] = np.arange(self.n_points) >= self.n_points - N_CHOOSING
        for name, own in fields.items():
            values[:, self.index[name], 0] = own
        store = zarr.open(str(partial), mode="a")
        chunks = (1, *values.shape[1:])
        store.create_dataset("data", shape=values.shape, chunks=chunks, dtype="f4", fill_value=np.nan)
        for name, axis in (("dates", dates), ("latitudes", self.places[0]), ("longitudes", self.places[1])):
            store.create_dataset(name, data=axis, overwrite=True)
        store.attrs.update(shape=values.shape, chunks=chunks, field_shape=[self.n_points], start_date=str(dates[0]),
                           end_date=str(dates[-1]), allow_nans=bool(fields))  # fmt: skip
        for k in range(len(dates)):
            store["data"][k] = values[k]
        publish_folder(partial, target)
        return target


def tune(towers: TowerData, folder: Path, preset: str, kind: str, seed: int) -> Path:
    """Tune the base with a preset on observations of a kind; return the best checkpoint."""
    from anemoi.training.train.train import AnemoiTrainer  # slow to import
    from hydra import compose, initialize_config_dir

    main = towers.write(folder / "main.zarr", {})
    seen = towers.write(folder / f"{kind}-{seed}.zarr", towers.towers(kind, seed))
    chosen, root = PRESETS[preset], folder / f"{preset}-{kind}-{seed}"
    shutil.rmtree(root, ignore_errors=True)
    others = [f"land.others=[{{dataset: {towers.dataset}, start: 2018, end: 2020, share: 0.5}}]"]
    os.environ["ANEMOI_BASE_SEED"] = str(1000 + seed)
    with initialize_config_dir(str((packaged("configs") / "training").resolve()), version_base=None):
        config = compose("ailand-finetune", [
            f"land.base={BASE}", f"system.input.dataset={main}", f"land.observed.dataset={seen}",
            f"land.observed.variables=[{','.join(chosen.observed)}]", f"system.output.root={root}", *chosen.options,
            *BUDGET, *(others if chosen.anchored else []),
        ])  # fmt: skip
    AnemoiTrainer(config).train()
    return root / "best" / "inference-best.ckpt"


class SideBySide(nn.Module):
    """Networks of one shape, each for its own part of the rows, which are divided alike."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return both outputs (row, output) of all networks."""
        parts = [network(x) for network, x in zip(self.networks, z.chunk(len(self.networks)), strict=True)]
        first, second = zip(*parts, strict=True)
        return torch.cat(first), torch.cat(second)


@dataclass(frozen=True)
class Member:
    """A network to be run: its checkpoint, and factors and offsets (point,) of inputs by name."""

    checkpoint: Path
    changes: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


@dataclass(frozen=True)
class Runs:
    """Runs (network, time, point) by name, and the reference set (time, point) at the same dates and points."""

    values: dict[str, np.ndarray]
    reference: dict[str, np.ndarray]
    dates: np.ndarray
    ids: np.ndarray
    places: tuple[np.ndarray, np.ndarray]
    classes: dict[str, np.ndarray]


def run(dataset: Path, members: Sequence[Member], years: tuple[int, int], names: Sequence[str], held: bool = True
        ) -> Runs:  # fmt: skip
    """Run networks together from the state at the beginning of the years, at held-out points or at the others."""
    data = open_dataset(str(dataset), start=years[0], end=years[1])
    index, first = data.name_to_index, np.asarray(data[0])[:, 0]
    points = np.flatnonzero((first[index["held_out"]] > 0.5) == held)
    steps = [load_step(m.checkpoint, trust=True) for m in members]
    model = PhysicalStep(steps[0])
    model.land.network = SideBySide([s.model.model.network for s in steps]).eval()
    layout = StepLayout(model.inputs, model.outputs)
    n, n_steps = len(points), len(data.dates) - 1
    factors, offsets = (np.full((len(members) * n, len(layout.inputs)), v, "f4") for v in (1.0, 0.0))
    for k, member in enumerate(members):
        for name, (factor, offset) in member.changes.items():
            own, column = slice(k * n, (k + 1) * n), layout.inputs.index(name)
            factors[own, column], offsets[own, column] = factor, offset

    def inputs(record: np.ndarray, wanted: Sequence[str]) -> Tensor:
        columns = [layout.inputs.index(name) for name in wanted]
        own = np.tile(record[[index[name] for name in wanted], 0][:, points].T, (len(members), 1))
        return torch.from_numpy(factors[:, columns] * own + offsets[:, columns])

    start = inputs(np.asarray(data[0]), layout.inputs)
    kept, reference, columns = [], [], [layout.outputs.index(name) for name in names]
    with torch.no_grad():
        for begin in range(0, n_steps, _AT_ONCE):
            records = [np.asarray(data[1 + k]) for k in range(begin, min(begin + _AT_ONCE, n_steps))]
            ends = torch.stack([inputs(r, layout.forcing) for r in records])
            out = ends.new_empty((len(records), len(start), len(layout.outputs)))
            advance_steps(model, layout, start, ends, out)
            kept.append(out[..., columns].numpy().reshape(len(records), len(members), n, len(names)))
            reference.append(np.stack([r[[index[name] for name in names], 0][:, points] for r in records]))
    values, stored = np.concatenate(kept), np.concatenate(reference)
    return Runs(
        {name: values[..., i].transpose(1, 0, 2) for i, name in enumerate(names)},
        {name: stored[:, i] for i, name in enumerate(names)},
        data.dates[1:].astype("datetime64[s]"),
        first[index["point_id"], points],
        (data.latitudes[points], data.longitudes[points]),
        {name: first[index[name], points] for name in ("tvl", "tvh", "cvl", "cvh", "slt", "cl", "cur")},
    )


def base_checkpoint() -> Path:
    """Return the checkpoint of the base."""
    return pretrained_checkpoint(BASE)
