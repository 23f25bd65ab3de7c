# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observing systems, filters and twins at held-out points, which the parts of the page on data assimilation share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.evaluation.fields.matching import held_out_points
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from tools.results.steps import SCORED, key_of, once_json
from tools.results.twin import STARTS, Settings, Twin

PAGE = "docs/results/assimilation.md"

#: Year of the truth.
YEAR = 2022

#: Observing systems by title, and the title of the last one.
SYSTEMS = {"`swvl1`": ("swvl1",), "`2t` and `2d`": ("2t", "2d"), "all three": ("swvl1", "2t", "2d")}
ALL = "all three"

#: Experiments without observations, and the first words of those with a filter.
OPEN, SINGLE = "ensemble", "single run"
TRANSFORM, EXTENDED, STATIC, CARRIED = "ETKF", "SEKF", "SEKF, B of 0.01", "EKF, carried B"
FILTERS = (TRANSFORM, EXTENDED, STATIC, CARRIED)

#: Observations of soil water in 30 days from which a column counts as seen.
OFTEN = 15


def held_out(dataset: Path) -> np.ndarray:
    """Return the indices of the held-out points."""
    marked = held_out_points(open_fields(dataset))
    if marked is None:
        raise ValueError(f"The dataset '{dataset}' does not mark held-out points. Give one with `point_id`.")
    return np.flatnonzero(marked)


def held_out_twin(
    dataset: Path, realisation: int = 0, every: int = 1, starts: Sequence[str] = STARTS, days: int | None = None
) -> Twin:
    """Return a twin of a realisation at every n-th held-out point."""
    return Twin(dataset, DEFAULT, YEAR, held_out(dataset)[::every], realisation, Settings(), starts=starts, days=days)


def twin_key(dataset: Path) -> dict[str, Any]:
    """Return what the experiments of a dataset depend on."""
    return key_of(DEFAULT, dataset, places=(*SCORED, "assimilation"), settings=str(Settings()), year=YEAR)


def twin_result(folder: Path, name: str, dataset: Path, make: Callable[[Path], Any]) -> Any:
    """Return the JSON content that ``make`` returns for a dataset; it is kept in ``folder``."""
    return once_json(folder / f"assimilation-{name}.json", twin_key(dataset), lambda: make(dataset))
