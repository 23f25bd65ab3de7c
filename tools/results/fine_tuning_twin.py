# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Twin of fine-tuning: pseudo-towers of ecLand with a changed parameter tune a network, scored in the other year.

python -m tools.results.fine_tuning_twin --dataset reference.zarr --nature nature --folder twin
"""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from anemoi.datasets import open_dataset
from anemoi.training.train.train import AnemoiTrainer
from hydra import compose, initialize_config_dir

import anemoi_ailand as ail
from anemoi_ailand.evaluation.diagnosis.pseudo_towers import pseudo_towers
from anemoi_ailand.evaluation.diagnosis.site_means import local_phase
from anemoi_ailand.support.packaged import folder as packaged
from tools.results.pages import table

LOG = logging.getLogger(__name__)

BASE, NAMES = "ailand-small", ("slhf", "sshf")

#: Sites whose errors choose the epoch, the last ones that are not held out.
N_CHOOSING = 64

#: Mean energy-balance closure of the pseudo-towers, by which their fluxes are divided.
CLOSURE = 0.85

#: Kinds of observations, and presets tuned on each.
KINDS = {"towers": ("heads", "all"), "nature": ("all",)}

#: A short training: 90 batches of 864 rows and 4 steps.
SHORT = (
    "training.max_epochs=3", "dataloader.limit_batches.training=30", "land.points=54", "training.optimization.lr=5e-4",
    "training.optimization.lr_scheduler.warmup_t=5", "land.shared_dates=true", "land.plausibility=off",
    "dataloader.batch_size.training=16", "dataloader.batch_size.validation=73",
    "dataloader.training.datasets.data.start=2021", "dataloader.training.datasets.data.end=2021",
    "dataloader.validation.datasets.data.start=2021", "dataloader.validation.datasets.data.end=2021",
    "diagnostics.enable_progress_bar=false",
)  # fmt: skip


def of_nature(nature: Path, year: int, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Read the fluxes (time, point) of ``nature`` in a year at points by their number."""
    with xr.open_dataset(nature / f"ecland_{year}.nc") as file:
        position = {int(p): k for k, p in enumerate(file["point_id"].values)}
        here = [position[int(p)] for p in ids]
        return {n: file[n].transpose("time", "point").values[:, here] for n in NAMES}


def copy_year(
    source: Path, target: Path, year: int, n_points: int, fields: Mapping[str, np.ndarray], held: int
) -> None:
    """Copy a year of the first points of a dataset, with other ``fields``, the last ``held`` points marked."""
    data = open_dataset(str(source), start=year, end=year)
    index, dates = data.name_to_index, data.dates.astype("datetime64[s]")
    shutil.copytree(source, target, ignore=lambda place, names: ["data"] if Path(place) == source else [],
                    dirs_exist_ok=True)  # fmt: skip
    store = zarr.open(str(target), mode="a")
    shape = (len(dates), len(index), 1, n_points)
    store.create_dataset("data", shape=shape, chunks=(1, *shape[1:]), dtype="f4", fill_value=np.nan)
    for name, values in (("dates", dates), ("latitudes", data.latitudes[:n_points]),
                         ("longitudes", data.longitudes[:n_points])):  # fmt: skip
        store.create_dataset(name, data=values, overwrite=True)
    store.attrs.update(shape=shape, chunks=(1, *shape[1:]), field_shape=[n_points], start_date=str(dates[0]),
                       end_date=str(dates[-1]), allow_nans=bool(fields))  # fmt: skip
    for k in range(len(dates)):
        values = np.asarray(data[k])[..., :n_points].copy()
        values[index["held_out"]] = np.arange(n_points) >= n_points - held
        for name, field in fields.items():
            values[index[name], 0] = field[k]
        store["data"][k] = values


def observations(dataset: Path, nature: Path, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return nature and pseudo-towers (time, point) of 2021 at all points that are not held out."""
    data = open_dataset(str(dataset), start=2021, end=2021)
    index, first = data.name_to_index, np.asarray(data[0])[:, 0]
    n_points = int((first[index["held_out"]] < 0.5).sum())
    truth = of_nature(nature, 2021, first[index["point_id"], :n_points])
    rain = np.stack([np.asarray(data[k])[index["avg_tprate"], 0, :n_points] for k in range(len(data.dates))])
    quarter = quarters(data, slice(n_points))
    towers = pseudo_towers(truth, (quarter == 1) | (quarter == 2), rain, seed)
    return truth, {n: v / CLOSURE for n, v in towers.items()}


def quarters(data: Any, points: Any) -> np.ndarray:
    """Return the quarter of the local day (time, point)."""
    return local_phase(data.dates.astype("datetime64[s]"), data.latitudes[points], data.longitudes[points])[1]


def make_data(dataset: Path, nature: Path, folder: Path, seed: int) -> None:
    """Write the main dataset, and the observations of each kind, of 2021 at all points that are not held out."""
    truth, towers = observations(dataset, nature, seed)
    n_points = truth[NAMES[0]].shape[1]
    for kind, fields in {"main": {}, "towers": towers, "nature": truth}.items():
        copy_year(dataset, folder / f"{kind}.zarr", 2021, n_points, fields, N_CHOOSING)


def tune(folder: Path, kind: str, preset: str) -> Path:
    """Tune the network on observations of a kind; return the best checkpoint."""
    name = f"{kind}-{preset}"
    with initialize_config_dir(str((packaged("configs") / "training").resolve()), version_base=None):
        config = compose("ailand-finetune", [
            f"land.base={BASE}", f"land.tune={preset}", f"system.input.dataset={folder / 'main.zarr'}",
            f"land.observed.dataset={folder / f'{kind}.zarr'}", f"land.observed.variables=[{','.join(NAMES)}]",
            f"system.output.root={folder / name}", *SHORT,
        ])  # fmt: skip
    AnemoiTrainer(config).train()
    return folder / name / "best" / "inference-best.ckpt"


def run_of(dataset: Path, checkpoint: str | Path, year: int, held: bool) -> tuple[dict[str, np.ndarray], Any, Any]:
    """Run over a year at the points that are held out, or at the others; return fluxes (time, point), data, points."""
    data = open_dataset(str(dataset), start=f"{year - 1}-12-31T18:00:00", end=f"{year}-12-31T18:00:00")
    index = data.name_to_index
    points = np.flatnonzero((np.asarray(data[0])[index["held_out"], 0] > 0.5) == held)
    fields = np.stack([np.asarray(data[k])[:, 0, points] for k in range(len(data.dates))])
    land = ail.load(checkpoint, plausibility="off", execution="plain")
    needs = land.needs
    first = dict.fromkeys((*needs["prognostic"], *needs["static"], *needs["forcing_at_start"]))
    start, places = {n: fields[0, index[n]] for n in first}, (data.latitudes[points], data.longitudes[points])
    state = land.initial(start, data.dates[0].astype("datetime64[s]"), *places)
    outputs, _ = land.steps(state, {n: fields[1:, index[n]] for n in needs["forcing"]}, len(fields) - 1)
    return {n: outputs[..., land.outputs.index(n)].numpy(force=True) for n in NAMES}, data, points


def errors(
    dataset: Path, nature: Path, checkpoint: str | Path, bias: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:  # fmt: skip
    """Return the root mean square error (variable, site) in 2022 at held-out points, of a run over that year.

    ``bias`` (quarter of the local day,) by variable is taken off the run.
    """
    run, data, points = run_of(dataset, checkpoint, 2022, held=True)
    truth = of_nature(nature, 2022, np.asarray(data[0])[data.name_to_index["point_id"], 0, points])
    if bias is not None:
        quarter = quarters(data, points)[1:]
        run = {n: v - bias[n][quarter] for n, v in run.items()}
    return np.stack([np.sqrt(np.square(run[n] - truth[n]).mean(0)) for n in NAMES])


def bias_of(dataset: Path, nature: Path, seed: int) -> dict[str, np.ndarray]:
    """Return the mean difference of the base from the pseudo-towers of 2021 by quarter of the local day."""
    run, data, points = run_of(dataset, BASE, 2021, held=False)
    towers, quarter = observations(dataset, nature, seed)[1], quarters(data, points)[1:]
    return {
        n: np.array([np.nanmean((run[n] - towers[n][-len(run[n]) :])[quarter == q]) for q in range(4)]) for n in NAMES
    }


def recovery(base: np.ndarray, tuned: np.ndarray, floor: np.ndarray) -> tuple[float, float, float]:
    """Return (E_base - E_tuned) / (E_base - E_floor) of mean errors, with its 95 % interval over sites."""
    rng = np.random.default_rng(0)
    draws = [np.arange(base.size), *rng.integers(base.size, size=(1000, base.size))]
    shares = [(base[i].mean() - tuned[i].mean()) / (base[i].mean() - floor[i].mean()) for i in draws]
    return float(shares[0]), *(float(q) for q in np.quantile(shares[1:], (0.025, 0.975)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the data, tune, score, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--dataset", "--nature", "--folder"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    if not (given.folder / "nature.zarr").exists():
        make_data(given.dataset, given.nature, given.folder, given.seed)
    found = {"base": errors(given.dataset, given.nature, BASE)}
    bias = bias_of(given.dataset, given.nature, given.seed)
    found["base, bias corrected by the towers"] = errors(given.dataset, given.nature, BASE, bias)
    for kind, presets in KINDS.items():
        for preset in presets:
            found[f"{kind}, {preset}"] = errors(given.dataset, given.nature, tune(given.folder, kind, preset))
    rows = [["observations, preset", *(f"{n} [W m-2]" for n in NAMES), *(f"recovered, {n}" for n in NAMES)]]
    for name, scores in found.items():
        shares = [recovery(found["base"][i], scores[i], found["nature, all"][i]) for i in range(len(NAMES))]
        words = [f"{x:.2f} ({low:.2f} to {high:.2f})" for x, low, high in shares]
        rows.append([name, *(f"{e:.2f}" for e in scores.mean(1)), *words])
    (given.folder / "table.md").write_text(table(rows) + "\n", encoding="utf-8")
    LOG.info("Table in %s", given.folder / "table.md")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main()
