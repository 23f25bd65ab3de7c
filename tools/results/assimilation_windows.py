# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parts of the page on data assimilation that take minutes: 4D-Var and long windows, and snow from its depth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.rollout.step.pretrained import DEFAULT
from tools.results.pages import Blocks, paragraph, table
from tools.results.steps import Inputs, checksum_of
from tools.results.twin import root_zone_error, single_run
from tools.results.twin_experiments import ALL, OFTEN, PAGE, SYSTEMS, YEAR, held_out, held_out_twin, twin_result
from tools.results.twin_snow import SnowTwin, snow_scores
from tools.results.twin_windows import compare_windows

PART = "assimilation-windows"

#: Realisations of the experiment with snow.
REALISATIONS = 3

#: Scores of snow by name, with their title.
SNOW = {
    "accumulation": "RMSE, accumulation [kg m-2]", "melt": "RMSE, melt [kg m-2]", "melt-out": "melt-out date [d]",
    "false": "false cover [d]", "missing": "missing cover [d]",
}  # fmt: skip


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Make the experiments and return their blocks of the page."""
    assert inputs.reference is not None
    made = (("windows", windows), ("snow", snow))
    found = {name: twin_result(inputs.folder, name, inputs.reference, make) for name, make in made}
    execution = found["windows"].pop("execution")
    origin = f"By `make results ONLY={PART}`, with `{DEFAULT}` (SHA-256 `{checksum_of(DEFAULT)[:12]}`, {execution})."
    return {
        PAGE: {
            "assimilation-windows": f"{windows_table(found['windows'])}\n\n{paragraph(origin)}",
            "assimilation-snow": snow_table(found["snow"]),
        }
    }


def windows(dataset: Path) -> dict[str, Any]:
    """Return RMSE of the root zone by experiment, and the execution."""
    twin = held_out_twin(dataset)
    error, seen = root_zone_error(twin, single_run(twin)), twin.observed["swvl1"].isfinite().sum(0) >= OFTEN
    free = {
        "all": float(error[-1].square().mean().sqrt()), "seen": float(error[-1][seen].square().mean().sqrt()),
        "mean of the days": float(error.square().mean().sqrt()),
    }  # fmt: skip
    return {"no observations": free, **compare_windows(twin, SYSTEMS[ALL], OFTEN), "execution": twin.step.execution}


def snow(dataset: Path) -> dict[str, dict[str, float]]:
    """Return the scores of snow without and with depths, the mean of the realisations."""
    found: dict[str, list[dict[str, float]]] = {"no observations": [], "depth every tenth day": []}
    for number in range(REALISATIONS):
        twin = SnowTwin(dataset, DEFAULT, YEAR, held_out(dataset), number)
        for title, observed in zip(found, (False, True), strict=True):
            found[title].append(snow_scores(twin.true_snow, twin.run(observed=observed)))
    return {title: {k: float(np.mean([s[k] for s in scores])) for k in scores[0]} for title, scores in found.items()}


def windows_table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Tabulate the RMSE of the root zone, and its ratio to that without observations."""
    free = next(iter(found.values()))
    heads = ["RMSE, all", "ratio", "RMSE, seen", "ratio", "RMSE, mean of the days", "ratio"]
    rows = [["window", *heads]]
    for title, scores in found.items():
        cells = [(scores[k], scores[k] / free[k]) for k in ("all", "seen", "mean of the days")]
        rows.append([title, *(text for value, ratio in cells for text in (f"{value:.4f}", f"{ratio:.3f}"))])
    return table(rows)


def snow_table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Tabulate the scores of snow, with the ratio to those without observations."""
    free = next(iter(found.values()))
    rows = [["observed", *SNOW.values(), "points"]]
    for title, scores in found.items():
        known = [k for k in SNOW if scores is not free and free[k]]
        cells = [f"{scores[k]:.2f}" + (f" ({scores[k] / free[k]:.2f})" if k in known else "") for k in SNOW]
        rows.append([title, *cells, f"{scores['points']:.0f}"])
    return table(rows)
