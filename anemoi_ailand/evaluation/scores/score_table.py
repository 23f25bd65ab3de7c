# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""From sums to the tidy table of scores: one row for each model, variable, cut, group, lead and metric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.fields.baselines import CLIMATOLOGY
from anemoi_ailand.evaluation.fields.matching import ALL
from anemoi_ailand.evaluation.scores.available_strata import CUTS
from anemoi_ailand.evaluation.scores.metrics import QUARTILES
from anemoi_ailand.evaluation.scores.moments import SCORES, Moments, rmse
from anemoi_ailand.evaluation.scores.skill import drift_per_year, skill_horizon
from anemoi_ailand.evaluation.scores.sums import Sums

#: Columns of the table.
COLUMNS = ("protocol", "model", "variable", "cut", "group", "lead", "metric", "value", "n")

#: Cuts that get all leads and all scores; the others get :data:`MAIN_DAYS` and :data:`MAIN_SCORES`.
MAIN_CUTS = (ALL, "points")

#: Lead times at which all cuts are scored [d].
MAIN_DAYS = (1.0, 7.0, 30.0, 60.0, 90.0)

#: Scores of all cuts.
MAIN_SCORES = ("rmse", "bias", "ubrmse", "correlation", "acc")

#: Scores of extremes, where the reference hardly varies by choice; beside the hit rate.
EXTREME_SCORES = ("rmse", "bias")

#: Part of the table, by column.
Columns = dict[str, np.ndarray]


def score_table(sums: Sums) -> pd.DataFrame:
    """Tidy table of all scores; the columns are :data:`COLUMNS`.

    ``lead`` is the day, or for a single run the middle of a window of 30 days; NaN over the whole run (and for skill
    horizon and drift, which belong to no lead). ``value`` is NaN where the group is empty or the score not defined,
    ``n`` the number of values, 0 for an empty group. Quartiles are over the points of a group, of the RMSE of each.

    ``skill_horizon`` [d] is the last lead where the model is still better than climatology there; then
    ``skill_horizon_reached`` is 0, else 1.
    """
    parts = [part for name in sums.alignment.variables for part in _variable(sums, name)]
    table = pd.DataFrame({column: np.concatenate([part[column] for part in parts]) for column in parts[0]})
    table.insert(0, "protocol", sums.protocol)
    return table[list(COLUMNS)]


def main_bins(sums: Sums) -> np.ndarray:
    """Bins at :data:`MAIN_DAYS`; all if there is none of them."""
    chosen = np.flatnonzero(np.isin(sums.bins.days, MAIN_DAYS))
    return chosen if len(chosen) else np.arange(len(sums.bins.days))


def _variable(sums: Sums, name: str) -> Iterator[Columns]:
    for model in sums.models(name):
        for cut in (cut for cut in CUTS if (name, model, cut) in sums.moments):
            groups = _groups(sums, name, cut)
            for metric, leads, values, n in _metrics(sums, name, model, cut):
                where = {"model": model, "variable": name, "cut": cut, "metric": metric}
                yield _columns(where, groups, leads, values, n)


def _groups(sums: Sums, name: str, cut: str) -> tuple[str, ...]:
    return sums.static[cut].groups if cut in sums.static else sums.groups[name, cut]


#: Metric, leads (lead,), values and counts (lead, group).
Metric = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def _metrics(sums: Sums, name: str, model: str, cut: str) -> Iterator[Metric]:
    """All metrics of one variable, model and cut."""
    m = sums.moments[name, model, cut]
    whole = np.array([np.nan])
    if sums.single_run:
        total = m.total(0)
        total = Moments(total.sums[:, None], total.shift)
        yield from _scores(sums, total, whole, _score_names(cut, whole_run=True))
        if cut in sums.static:
            yield from _quartiles(sums, name, model, cut, whole)
            yield from _drift(sums, name, model, cut, total.n)
        if cut in MAIN_CUTS:
            yield from _scores(sums, m, sums.bins.days, MAIN_SCORES)
            yield from _quartiles(sums, name, model, cut, sums.bins.days)
    else:
        chosen = np.arange(len(sums.bins.days)) if cut in MAIN_CUTS else main_bins(sums)
        part = Moments(m.sums[:, chosen], m.shift)
        yield from _scores(sums, part, sums.bins.days[chosen], _score_names(cut))
        if cut in sums.static:
            yield from _horizon(sums, name, model, cut)
        if cut in MAIN_CUTS:
            yield from _quartiles(sums, name, model, cut, sums.bins.days)
    if cut == "extreme":
        yield from _hit_rate(sums, name, model)


def _score_names(cut: str, whole_run: bool = False) -> tuple[str, ...]:
    if cut == "extreme":
        return EXTREME_SCORES
    return tuple(SCORES) if whole_run or cut in MAIN_CUTS else MAIN_SCORES


def _scores(sums: Sums, m: Moments, leads: np.ndarray, names: tuple[str, ...]) -> Iterator[Metric]:
    for metric in names:
        yield metric, leads, SCORES[metric](m), m.n


def _quartiles(sums: Sums, name: str, model: str, cut: str, leads: np.ndarray) -> Iterator[Metric]:
    """Quartiles over the points of a group, by bin, or of the whole run where ``leads`` is NaN."""
    squares, count = sums.squares[name, model], sums.values_per_point
    if np.isnan(leads).all():
        squares, count = squares.sum(axis=0, keepdims=True), count.sum(keepdims=True)
    each = np.sqrt(squares / count[:, None])
    labels, n_groups = sums.static[cut].labels, len(sums.static[cut].groups)
    members = [np.flatnonzero(labels == group) for group in range(n_groups)]
    n = np.stack([count * len(points) for points in members], axis=1)
    for metric, q in QUARTILES.items():
        values = [np.quantile(each[:, p], q, axis=1) if len(p) else np.full(len(each), np.nan) for p in members]
        yield f"rmse_{metric}", leads, np.stack(values, axis=1), n


def _horizon(sums: Sums, name: str, model: str, cut: str) -> Iterator[Metric]:
    if model == CLIMATOLOGY:
        return
    m = sums.moments[name, model, cut]
    error, limit = rmse(m), rmse(sums.moments[name, CLIMATOLOGY, cut])
    found = [skill_horizon(sums.bins.days, error[:, g], limit[:, g]) for g in range(error.shape[1])]
    n = m.n.sum(axis=0, keepdims=True)
    days = np.array([[horizon for horizon, _ in found]])
    reached = np.array([[np.nan if np.isnan(horizon) else float(lost) for horizon, lost in found]])
    yield "skill_horizon", np.array([np.nan]), days, n
    yield "skill_horizon_reached", np.array([np.nan]), reached, n


def _drift(sums: Sums, name: str, model: str, cut: str, n: np.ndarray) -> Iterator[Metric]:
    static = sums.static[cut]
    members = np.bincount(static.labels[static.labels >= 0], minlength=len(static.groups))
    with np.errstate(invalid="ignore"):
        mean_error = sums.series[name, model, cut] / members
    drift = drift_per_year(sums.alignment.leads / 24, mean_error)
    yield "drift_per_year", np.array([np.nan]), drift[None], n


def _hit_rate(sums: Sums, name: str, model: str) -> Iterator[Metric]:
    """Part of the extremes of the reference at which the model is beyond the same threshold."""
    n, hits = sums.moments[name, model, "extreme"].n, sums.hits[name, model]
    rate = np.divide(hits, n, out=np.full(n.shape, np.nan), where=n > 0)
    chosen = np.array([0]) if sums.single_run else main_bins(sums)
    leads = np.array([np.nan]) if sums.single_run else sums.bins.days[chosen]
    yield "hit_rate", leads, rate[chosen], n[chosen]


def _columns(
    where: dict[str, str], groups: tuple[str, ...], leads: np.ndarray, values: np.ndarray, n: np.ndarray
) -> Columns:
    """Rows of one metric as columns; ``where`` holds what is the same in all of them."""
    return {
        **{column: np.full(values.size, value, dtype=object) for column, value in where.items()},
        "group": np.tile(np.array(groups, dtype=object), len(leads)),
        "lead": np.repeat(leads, len(groups)),
        "value": values.ravel(),
        "n": n.ravel(),
    }
