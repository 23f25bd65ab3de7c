# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on fine-tuning: what presets recover of a known change from pseudo-towers, and what they forget."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from anemoi_ailand.evaluation.diagnosis import pseudo_towers
from anemoi_ailand.evaluation.diagnosis.site_means import local_phase
from anemoi_ailand.evaluation.diagnosis.surface_classes import FAMILIES, surface_classes
from anemoi_ailand.support.checksum import file_sha256
from tools.results.pages import Blocks, made_by, table
from tools.results.steps import EVERYTHING, TRAINED, Inputs, checksum_of, key_of, once, once_json
from tools.results.tuning_twin import (
    BASE,
    BOWEN,
    BUDGET,
    CLOSURE,
    FLUXES,
    NATURE,
    PRESETS,
    RAW,
    SCORED,
    SOIL,
    TUNED,
    Member,
    Runs,
    TowerData,
    base_checkpoint,
    of_nature,
    run,
    tune,
)
from tools.results.tuning_twin_parameters import calibrations

LOG = logging.getLogger("results")

PART = "fine-tuning"

#: Draws of the errors of the towers, each with its own seed of the training.
SEEDS = (1, 2, 3, 4, 5)

#: Trainings on every draw: preset and kind of observations.
ON_TOWERS = (*((preset, BOWEN) for preset in PRESETS), ("S5", RAW))

#: Preset whose training on nature is the floor: of fluxes, and of soil water and the evaporative fraction.
FLOOR = {"S1": "S5", "S4": "S5", "S5": "S5", "S6": "S7", "S7": "S7", "parameters": "parameters"}

#: Names of the base, of the correction of its bias, and of static parameters in place of weights.
NONE, CORRECTED, PARAMETERS = "base", "base, bias corrected", "parameters"

#: Class of surface that the diagnosis found, blind, and score of the daily evaporative fraction.
FOUND, FRACTION = "grass", "fraction"

#: Years of the long run, whose last one is compared with ecLand, and its variables.
LONG, STATES = (2018, 2021), ("swvl1", "swvl2", "swvl3", "stl1", "stl3", "sd")

#: Smallest sum of turbulent fluxes of a day with an evaporative fraction [W m-2], and steps of a day.
_LEAST, _PER_DAY = 50.0, 4

_DRAWS = 2000

#: Preset (or one of the names above), kind of observations, seed.
Name = tuple[str, str, int]


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Tune, run, score, and return the blocks of the page."""
    assert inputs.reference is not None and inputs.nature is not None
    key = key_of(BASE, inputs.reference, inputs.nature, places=EVERYTHING)
    found = checkpoints(inputs)
    parameters = calibrations(inputs, SEEDS, key)
    scores = once_json(inputs.folder / f"{PART}-scores.json", key, lambda: scored(inputs, found, parameters))
    lasting = once_json(inputs.folder / f"{PART}-long.json", key, lambda: remembered(inputs, found, parameters))
    blocks = {
        "fine-tuning-origin": made_by(PART, {BASE: (checksum_of(BASE), "plain")}),
        "fine-tuning-scores": scores_table(scores),
        "fine-tuning-choice": choice_table(found),
        "fine-tuning-drift": ratio_table(lasting["states"]),
        "fine-tuning-classes": ratio_table(lasting["classes"]),
    }
    return {"docs/results/fine-tuning.md": blocks}


def trainings() -> list[Name]:
    """Return preset, kind of observations and seed of all trainings."""
    floors = [(preset, NATURE, 0) for preset in dict.fromkeys(FLOOR.values()) if preset in PRESETS]
    return [*floors, *((*training, seed) for seed in SEEDS for training in ON_TOWERS)]


def checkpoints(inputs: Inputs) -> dict[Name, Path]:
    """Return the best checkpoint of every training, made unless it is there."""
    assert inputs.reference is not None and inputs.nature is not None
    drawn = file_sha256(Path(pseudo_towers.__file__))
    key = key_of(BASE, inputs.reference, inputs.nature, places=TRAINED, towers=drawn, budget=BUDGET)
    folder = inputs.folder / PART
    folder.mkdir(exist_ok=True)
    towers, found = TowerData(inputs.reference, inputs.nature), {}
    for name in trainings():
        path = folder / "-".join(map(str, name)) / "best" / "inference-best.ckpt"
        found[name] = once(path, key, partial(tune, towers, folder, *name))
    return found


def scored(inputs: Inputs, found: Mapping[Name, Path], parameters: Mapping[Name, Any]) -> list[dict[str, Any]]:
    """Return the errors at held-out sites in the year after that of the observations, one record a network."""
    assert inputs.reference is not None and inputs.nature is not None
    members = {(NONE, "", 0): Member(base_checkpoint())} | {n: Member(p) for n, p in found.items()}
    made = run(inputs.reference, list(members.values()), (TUNED, SCORED), (*FLUXES, *SOIL))
    own = {n: Member(base_checkpoint(), changes(made.classes)) for n, changes in parameters.items()}
    others = run(inputs.reference, list(own.values()), (TUNED, SCORED), (*FLUXES, *SOIL))
    truth = of_nature(inputs.nature, SCORED, made.ids)
    last = made.dates >= np.datetime64(f"{SCORED}-01-01")
    truth = {n: v[-last.sum() :] for n, v in truth.items()}
    runs = {
        name: {n: v[k][last] for n, v in source.values.items()}
        for source, names in ((made, members), (others, own))
        for k, name in enumerate(names)
    }
    bias = bias_of(inputs)
    quarter = local_phase(made.dates[last], *made.places)[1]
    runs[CORRECTED, "", 0] = {n: v - bias[n][quarter] if n in bias else v for n, v in runs[NONE, "", 0].items()}
    grass = next(c.members for c in surface_classes(made.classes) if c.name == FOUND)
    return [
        {"preset": name[0], "kind": name[1], "seed": name[2], "found": grass.tolist(), **errors(values, truth)}
        for name, values in runs.items()
    ]


def errors(values: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Return root mean square errors by site of each variable, and of the evaporative fraction of days."""
    out = {n: np.sqrt(np.square(values[n] - truth[n]).mean(0)) for n in values}
    fractions = []
    for fields in (values, truth):
        n_days = len(fields["slhf"]) // _PER_DAY
        latent, sensible = (
            -fields[n][: n_days * _PER_DAY].reshape(n_days, _PER_DAY, -1).mean(1, dtype=float) for n in FLUXES
        )
        total = latent + sensible
        fractions.append(np.where(total > _LEAST, latent / np.maximum(total, _LEAST), np.nan))
    out[FRACTION] = np.sqrt(np.nanmean(np.square(fractions[0] - fractions[1]), axis=0))
    return {n: [round(float(e), 6) for e in v] for n, v in out.items()}


def bias_of(inputs: Inputs) -> dict[str, np.ndarray]:
    """Return the mean difference of the base from the towers by quarter of the local day, their fluxes closed."""
    assert inputs.reference is not None and inputs.nature is not None
    towers = TowerData(inputs.reference, inputs.nature).towers(RAW, SEEDS[0])
    made = run(inputs.reference, [Member(base_checkpoint())], (TUNED, TUNED), FLUXES, held=False)
    quarter = local_phase(made.dates, *made.places)[1]
    differences = {n: made.values[n][0] - towers[n][-len(quarter) :] / CLOSURE for n in FLUXES}
    return {n: np.array([np.nanmean(v[quarter == q]) for q in range(4)]) for n, v in differences.items()}


def remembered(inputs: Inputs, found: Mapping[Name, Path], parameters: Mapping[Name, Any]) -> dict[str, Any]:
    """Return errors against ecLand without the change in the fourth year of a run: of states, and by class."""
    assert inputs.reference is not None
    first = [n for n in found if n[2] == SEEDS[0]]
    members = [Member(base_checkpoint()), *(Member(found[n]) for n in first)]
    made = run(inputs.reference, members, LONG, (*STATES, "slhf"))
    own = run(inputs.reference, [Member(base_checkpoint(), parameters[PARAMETERS, RAW, SEEDS[0]](made.classes))], LONG,
              (*STATES, "slhf"))  # fmt: skip
    names = [NONE, *(label(*n[:2]) for n in first), label(PARAMETERS, RAW)]
    last = made.dates >= np.datetime64(f"{LONG[1]}-01-01")

    def of(runs: Runs, name: str) -> np.ndarray:
        return np.sqrt(np.square(runs.values[name][:, last] - runs.reference[name][last]).mean(1))

    by_site = {n: np.concatenate([of(made, n), of(own, n)]) for n in (*STATES, "slhf")}
    families = {name for of_tile in FAMILIES.values() for name in of_tile}
    classes = [c for c in surface_classes(made.classes) if c.name in families]
    return {
        "states": {names[k]: {n: float(by_site[n][k].mean()) for n in STATES} for k in range(len(names))},
        "classes": {
            names[k]: {f"{c.name} ({c.members.sum()})": float(by_site["slhf"][k][c.members].mean()) for c in classes}
            for k in range(len(names))
        },
    }


def label(preset: str, kind: str) -> str:
    """Return the name of a row."""
    return f"{preset}, {kind}" if kind else preset


def recovery(base: np.ndarray, tuned: np.ndarray, floor: np.ndarray) -> str:
    """Return the share (base - tuned) / (base - floor) of mean errors at sites, with a paired 95 % interval.

    Where the floor is not better than the base beyond chance, there is nothing to recover.
    """
    rng = np.random.default_rng(0)
    draws = rng.integers(base.size, size=(_DRAWS, base.size))
    gains = [(base - e)[draws].mean(1) for e in (tuned, floor)]
    if np.quantile(gains[1], 0.025) <= 0.0:
        return "-"
    share = (base - tuned).mean() / (base - floor).mean()
    low, high = np.quantile(gains[0] / gains[1], (0.025, 0.975))
    return f"{share:.2f} ({low:.2f} to {high:.2f})"


def scores_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of errors and recovered shares; seeds are averaged by site, their range is given."""
    frame = pd.DataFrame(rows)
    grass = np.array(frame["found"].iloc[0])
    names = (*FLUXES, FRACTION, *SOIL)
    mean = {
        key: {n: np.array(own[n].tolist()) for n in names} for key, own in frame.groupby(["preset", "kind"], sort=False)
    }
    base = {n: v[0] for n, v in mean[NONE, ""].items()}
    head = ["preset, observations", "slhf", "sshf", "slhf, grass", "fraction", "swvl1", "recovered, slhf",
            "recovered, slhf, grass"]  # fmt: skip
    out = [head]
    for (preset, kind), values in mean.items():
        by_site = {n: v.mean(0) for n, v in values.items()}
        spread = values["slhf"].mean(1)
        seeds = f" ({spread.min():.2f}-{spread.max():.2f})" if len(spread) > 1 else ""
        shares = ["", ""]
        if kind not in ("", NATURE):
            floor = mean[FLOOR[preset], NATURE]["slhf"].mean(0)
            shares = [recovery(base["slhf"][m], by_site["slhf"][m], floor[m]) for m in (grass | True, grass)]
        out.append([
            label(preset, kind), f"{by_site['slhf'].mean():.2f}{seeds}", f"{by_site['sshf'].mean():.2f}",
            f"{by_site['slhf'][grass].mean():.2f}", f"{np.nanmean(by_site[FRACTION]):.3f}",
            f"{by_site['swvl1'].mean():.4f}", *shares,
        ])  # fmt: skip
    return table(out)


def choice_table(found: Mapping[Name, Path]) -> str:
    """Return the table of losses at the sites that choose the epoch, relative to that of the base."""
    rows = [["preset, observations", "lowest loss, by seed"]]
    for preset, kind in dict.fromkeys(n[:2] for n in found):
        ratios = [relative_loss(path) for name, path in found.items() if name[:2] == (preset, kind)]
        rows.append([label(preset, kind), ", ".join(f"{r:.3f}" for r in ratios)])
    return table(rows)


def relative_loss(path: Path) -> float:
    """Return the lowest validation loss of a training relative to that before its first step."""
    log = pd.read_csv(path.parents[1] / "training_log.csv")
    states = torch.load(path.with_name("best.ckpt"), weights_only=False, map_location="cpu")["callbacks"]
    return float(log["val_loss"].min() / states["FineTuning"]["base_loss"])


def ratio_table(by_name: Mapping[str, Mapping[str, float]]) -> str:
    """Return a table of errors of the base, and of others relative to it."""
    base = by_name[NONE]
    rows = [["", *base], [NONE, *(f"{v:.3g}" for v in base.values())]]
    rows += [[name, *(f"{v[n] / base[n]:.2f}" for n in base)] for name, v in by_name.items() if name != NONE]
    return table(rows)
