# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Table of differences: RMSE of each pair of models with a bootstrap interval of the difference."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE
from anemoi_ailand.evaluation.scores.bootstrap import Resamples, drawn_rmse, interval, resamples
from anemoi_ailand.evaluation.scores.score_table import MAIN_STRATA, main_bins
from anemoi_ailand.evaluation.scores.sums import MAX_UNITS, Sums

#: Columns of the table.
COLUMNS = (
    "protocol", "a", "b", "variable", "cut", "group", "lead", "metric", "a_value", "b_value", "difference", "low",
    "high", "significant",
)  # fmt: skip

#: Runs that start within this time of each other are drawn together [d].
START_BLOCK_DAYS = 10.0

Squares = dict[str, np.ndarray]


def difference_table(sums: Sums, seed: int = 0) -> pd.DataFrame:
    """Compare each forecast with the others and with the baselines; the columns are :data:`COLUMNS`.

    ``difference`` is a - b, negative where a is better; ``low`` and ``high`` bound its 95 % interval, ``significant``
    is true if the interval excludes zero. Strata are those that do not depend on time; beyond
    :data:`~anemoi_ailand.evaluation.scores.sums.MAX_UNITS` points, only all, held-out and trained points.

    Points and start dates are resampled. For a single run, windows of 30 days take the place of starts, and there is
    one interval for the whole run (``lead`` NaN).
    """
    draws: dict[tuple[str, int], Resamples] = {}
    rows = [row for name in sums.alignment.variables for row in _variable(sums, name, draws, seed)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _variable(sums: Sums, name: str, draws: dict[tuple[str, int], Resamples], seed: int) -> Iterator[dict[str, Any]]:
    labels = sums.alignment.labels_with(name)
    pairs = [*combinations(labels, 2), *((label, b) for label in labels for b in (PERSISTENCE, CLIMATOLOGY))]
    for strata, bins in _compared_bins(sums).items():
        for group, groups_name in enumerate(sums.static[strata].groups):
            members = members_of(sums, strata, group)
            key = (strata, group)
            if len(members) and key not in draws:
                draws[key] = draw(sums, len(members), seed)
            for lead, squares, counts in _samples(sums, name, bins, members):
                where = {"protocol": sums.protocol, "variable": name, "cut": strata, "group": groups_name, "lead": lead}
                yield from _compared(where, pairs, squares, counts, draws.get(key))


def _compared_bins(sums: Sums) -> dict[str, np.ndarray]:
    """Compared bins by strata."""
    every, main = np.arange(len(sums.bins.days)), main_bins(sums)
    few = len(sums.alignment.points) <= MAX_UNITS
    return {strata: every if strata in MAIN_STRATA else main for strata in sums.static if few or strata in MAIN_STRATA}


def members_of(sums: Sums, strata: str, group: int) -> np.ndarray:
    """Return the bootstrap units in a group."""
    return np.unique(sums.units[sums.static[strata].labels == group])


def draw(sums: Sums, n_units: int, seed: int) -> Resamples:
    """Draw start dates (windows for a single run) and units of points."""
    if sums.single_run:
        return resamples(len(sums.bins.days), n_units, seed=seed)
    starts = sums.alignment.starts
    spacing = np.median(np.diff(starts)) / np.timedelta64(1, "D") if len(starts) > 1 else np.inf
    return resamples(len(starts), n_units, seed=seed, start_block=max(1, int(START_BLOCK_DAYS / spacing)))


def _samples(
    sums: Sums, name: str, bins: np.ndarray, members: np.ndarray
) -> Iterator[tuple[float, Squares, tuple[np.ndarray, np.ndarray]]]:
    """Lead, sums of squares ``(start, unit)`` by model, and factors of their counts ``(start,)``, ``(unit,)``."""
    models = sums.models(name)
    of_unit = np.bincount(sums.units, sums.weights)[members].astype(np.float64)
    if sums.single_run:
        squares = {model: sums.start_squares[name, model][:, 0, members] for model in models}
        yield np.nan, squares, (sums.bins.sizes.astype(np.float64), of_unit)
        return
    for b in bins:
        squares = {model: sums.start_squares[name, model][b][:, members] for model in models}
        of_start = np.full(len(sums.alignment.starts), float(sums.bins.sizes[b]))
        yield float(sums.bins.days[b]), squares, (of_start, of_unit)


def _compared(
    where: dict[str, Any],
    pairs: list[tuple[str, str]],
    squares: Squares,
    counts: tuple[np.ndarray, np.ndarray],
    draws: Resamples | None,
) -> Iterator[dict[str, Any]]:
    n = counts[0].sum() * counts[1].sum()
    value = {model: float(np.sqrt(s.sum() / n)) if n else np.nan for model, s in squares.items()}
    unsure = draws is None or max(draws.starts.shape[1], draws.points.shape[1]) < 2
    drawn = {} if draws is None or unsure else {m: drawn_rmse(s, counts, draws) for m, s in squares.items()}
    for a, b in pairs:
        low, high, significant = interval(drawn[a], drawn[b]) if drawn else (np.nan, np.nan, False)
        scores = {"metric": "rmse", "a_value": value[a], "b_value": value[b], "difference": value[a] - value[b]}
        yield {**where, "a": a, "b": b, **scores, "low": low, "high": high, "significant": significant}
