# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Table of scores: one row for each model, variable, strata (column ``cut``), group, lead and metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import ALL
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY
from anemoi_ailand.evaluation.fields.reforecast import Reforecast
from anemoi_ailand.evaluation.scores.available_strata import STRATA_NAMES
from anemoi_ailand.evaluation.scores.metrics import METRICS, rmse
from anemoi_ailand.evaluation.scores.moments import Moments, memberships
from anemoi_ailand.evaluation.scores.skill import HORIZON, drift_per_year, skill_horizon
from anemoi_ailand.evaluation.scores.sums import Sums, collect

#: Columns of the table.
COLUMNS = ("protocol", "model", "variable", "cut", "group", "lead", "metric", "value", "n")

#: Strata with all leads and all metrics; the others have :data:`MAIN_DAYS` and :data:`MAIN_METRICS`.
MAIN_STRATA = (ALL, "points")

#: Lead times at which all strata are scored [d].
MAIN_DAYS = (1.0, 7.0, 30.0, 60.0, 90.0)

#: Metrics of all strata.
MAIN_METRICS = ("rmse", "bias", "ubrmse", "correlation", "acc")

#: Metrics of extremes, where the selected values of the reference hardly vary; the hit rate is added.
EXTREME_METRICS = ("rmse", "bias")

#: Quantiles over points of the RMSE of each point.
QUARTILES = {"q25": 0.25, "q50": 0.5, "q75": 0.75}

#: Share of the points whose mean error is at most as large as ``bias_most``.
MOST = 0.9

#: Prefix of the metrics of the mean errors in the last year of a run of :data:`LONG_RUN_DAYS` or more.
LAST_YEAR = "last_year_"

#: Metrics of the mean error of each point: mean, standard deviation and 90 % quantile of its size over the points.
BIASES = ("bias", "bias_spread", "bias_most")

#: Length of a run whose last year is scored on its own; a few days less than two years [d].
LONG_RUN_DAYS = 720.0

_YEAR_DAYS = 365.25

#: Part of the table by column.
Columns = dict[str, np.ndarray]


def score(forecasts: Mapping[str, Reforecast], reference: Fields, **options: Any) -> pd.DataFrame:
    """Score forecasts by label, persistence and climatology against a reference.

    Parameters
    ----------
    forecasts : mapping of str to Reforecast
        Forecasts by label, compared at their common starts, leads and points.
    reference : Fields
        ecLand, including the years of the climatology.
    **options
        ``protocol`` (required), ``period``, ``strata``, ``variables``, ``overlap``, see
        :func:`~anemoi_ailand.evaluation.scores.sums.collect`.

    Returns
    -------
    pandas.DataFrame
        One score a row, in the unit of the variable where it has one; columns as in :func:`score_table`.

    Raises
    ------
    ValueError
        Forecasts and reference do not match, a name is unknown or reserved, or the climatology has less than a year.

    Examples
    --------
    The reference scored against itself, with a climatology of the same year:

    >>> from anemoi_ailand import folder, open_fields, open_reforecast, score
    >>> path = folder("sample") / "ecland_2022.nc"
    >>> options = {"variables": ["swvl1"], "strata": ["all"], "period": ("2022", "2022"), "overlap": True}
    >>> table = score({"mine": open_reforecast(path)}, open_fields(path), protocol="B", **options)
    >>> table.query("metric == 'rmse' and lead.isna()").set_index("model")["value"].round(3).to_dict()  # m3 m-3
    {'mine': 0.0, 'persistence': 0.102, 'climatology': 0.024}
    """
    return score_table(collect(forecasts, reference, **options))


def score_table(sums: Sums) -> pd.DataFrame:
    """Compute all scores, one a row, with the columns :data:`COLUMNS`.

    ``lead`` is the day, or for a single run the middle of a window of 30 days; NaN for the whole run, skill horizon and
    drift. ``value`` is NaN where the group is empty or the metric undefined, ``n`` the number of values. Quartiles are
    over the points of a group, of the RMSE of each point. For a single run, ``bias_spread`` is the standard deviation
    over the points of the mean error of each, and ``bias_most`` the size that 90 % of these do not exceed; of a run of
    two years or more, ``last_year_bias`` and so on are those in its last year. ``skill_horizon_reached`` is 0 where the
    model is better than climatology at all leads; ``skill_horizon`` [d] is the last lead then.
    """
    parts = [part for name in sums.alignment.variables for part in _variable(sums, name)]
    table = pd.DataFrame({column: np.concatenate([part[column] for part in parts]) for column in parts[0]})
    table.insert(0, "protocol", sums.protocol)
    return table[list(COLUMNS)]


def main_bins(sums: Sums) -> np.ndarray:
    """Return the bins at :data:`MAIN_DAYS`; all bins without any of these."""
    chosen = np.flatnonzero(np.isin(sums.bins.days, MAIN_DAYS))
    return chosen if len(chosen) else np.arange(len(sums.bins.days))


def _variable(sums: Sums, name: str) -> Iterator[Columns]:
    for model in sums.models(name):
        for strata in (strata for strata in STRATA_NAMES if (name, model, strata) in sums.moments):
            groups = _groups(sums, name, strata)
            for metric, leads, values, n in _metrics(sums, name, model, strata):
                where = {"model": model, "variable": name, "cut": strata, "metric": metric}
                yield _columns(where, groups, leads, values, n)


def _groups(sums: Sums, name: str, strata: str) -> tuple[str, ...]:
    return sums.static[strata].groups if strata in sums.static else sums.groups[name, strata]


#: Metric, leads (lead,), values and counts (lead, group).
Metric = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def _metrics(sums: Sums, name: str, model: str, strata: str) -> Iterator[Metric]:
    """All metrics of one variable, model and strata."""
    m = sums.moments[name, model, strata]
    whole = np.array([np.nan])
    if sums.single_run:
        total = m.total(0)
        total = Moments(total.sums[:, None], total.shift)
        yield from _scores(sums, total, whole, _metric_names(strata, whole_run=True))
        if strata in sums.static:
            yield from _quartiles(sums, name, model, strata, whole)
            yield from _biases(sums, name, model, strata)
            yield from _drift(sums, name, model, strata, total.n)
        if strata in MAIN_STRATA:
            yield from _scores(sums, m, sums.bins.days, MAIN_METRICS)
            yield from _quartiles(sums, name, model, strata, sums.bins.days)
    else:
        chosen = np.arange(len(sums.bins.days)) if strata in MAIN_STRATA else main_bins(sums)
        part = Moments(m.sums[:, chosen], m.shift)
        yield from _scores(sums, part, sums.bins.days[chosen], _metric_names(strata))
        if strata in sums.static:
            yield from _horizon(sums, name, model, strata)
        if strata in MAIN_STRATA:
            yield from _quartiles(sums, name, model, strata, sums.bins.days)
    if strata == "extreme":
        yield from _hit_rate(sums, name, model)


def _metric_names(strata: str, whole_run: bool = False) -> tuple[str, ...]:
    if strata == "extreme":
        return EXTREME_METRICS
    return tuple(METRICS) if whole_run or strata in MAIN_STRATA else MAIN_METRICS


def _scores(sums: Sums, m: Moments, leads: np.ndarray, names: tuple[str, ...]) -> Iterator[Metric]:
    for metric in names:
        yield metric, leads, METRICS[metric](m), m.n


def _quartiles(sums: Sums, name: str, model: str, strata: str, leads: np.ndarray) -> Iterator[Metric]:
    """Quartiles over the points of a group, by bin, or of the whole run where ``leads`` is NaN."""
    squares, count = sums.squares[name, model], sums.values_per_point
    if np.isnan(leads).all():
        squares, count = squares.sum(axis=0, keepdims=True), count.sum(keepdims=True)
    each = np.sqrt(squares / count[:, None])
    members = _members(sums, strata)
    n = np.stack([count * len(points) for points in members], axis=1)
    for metric, q in QUARTILES.items():
        values = [np.quantile(each[:, p], q, axis=1) if len(p) else np.full(len(each), np.nan) for p in members]
        yield f"rmse_{metric}", leads, np.stack(values, axis=1), n


def _members(sums: Sums, strata: str) -> list[np.ndarray]:
    """Points of each group."""
    labels = sums.static[strata].labels
    return [np.flatnonzero(labels == group) for group in range(len(sums.static[strata].groups))]


def _biases(sums: Sums, name: str, model: str, strata: str) -> Iterator[Metric]:
    """Distribution over points of the mean error of each point, in the whole run and in the last year of a long one."""
    members, days = _members(sums, strata), sums.bins.days
    periods = {"": slice(None)}
    if (length := sums.alignment.leads[-1] / 24) >= LONG_RUN_DAYS:
        periods[LAST_YEAR] = slice(int(np.searchsorted(days, length - _YEAR_DAYS)), None)
    for prefix, bins in periods.items():
        count = int(sums.values_per_point[bins].sum())
        each = sums.errors[name, model][bins].sum(axis=0) / count
        n = np.array([[count * len(points) for points in members]])
        for metric in BIASES if prefix else BIASES[1:]:
            values = [_bias(metric, each[p], sums.weights_at(p)) for p in members]
            yield f"{prefix}{metric}", np.array([np.nan]), np.array([values]), n


def _bias(metric: str, each: np.ndarray, weights: np.ndarray | None) -> float:
    """Summarise the mean errors of points, the mean by weight; NaN without any."""
    if not len(each):
        return np.nan
    if metric == "bias_most":
        return float(np.quantile(np.abs(each), MOST))
    return float(each.std() if metric == "bias_spread" else np.average(each, weights=weights))


def _horizon(sums: Sums, name: str, model: str, strata: str) -> Iterator[Metric]:
    if model == CLIMATOLOGY:
        return
    m = sums.moments[name, model, strata]
    error, limit = rmse(m), rmse(sums.moments[name, CLIMATOLOGY, strata])
    found = [skill_horizon(sums.bins.days, error[:, g], limit[:, g]) for g in range(error.shape[1])]
    n = m.n.sum(axis=0, keepdims=True)
    days = np.array([[horizon for horizon, _ in found]])
    reached = np.array([[np.nan if np.isnan(horizon) else float(lost) for horizon, lost in found]])
    for metric, values in zip(HORIZON, (days, reached), strict=True):
        yield metric, np.array([np.nan]), values, n


def _drift(sums: Sums, name: str, model: str, strata: str, n: np.ndarray) -> Iterator[Metric]:
    static = sums.static[strata]
    members = memberships(static.labels, len(static.groups), sums.weights).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean_error = sums.series[name, model, strata] / members
    drift = drift_per_year(sums.alignment.leads / 24, mean_error)
    yield "drift_per_year", np.array([np.nan]), drift[None], n


def _hit_rate(sums: Sums, name: str, model: str) -> Iterator[Metric]:
    """Share of the extremes of the reference at which the model is beyond the same threshold."""
    moments, hits = sums.moments[name, model, "extreme"], sums.hits[name, model]
    n, count = moments.n, moments.sums[0]
    rate = np.divide(hits, count, out=np.full(n.shape, np.nan), where=count > 0)
    chosen = np.array([0]) if sums.single_run else main_bins(sums)
    leads = np.array([np.nan]) if sums.single_run else sums.bins.days[chosen]
    yield "hit_rate", leads, rate[chosen], n[chosen]


def _columns(
    where: dict[str, str], groups: tuple[str, ...], leads: np.ndarray, values: np.ndarray, n: np.ndarray
) -> Columns:
    """Rows of one metric as columns; ``where`` holds the columns with one value."""
    return {
        **{column: np.full(values.size, value, dtype=object) for column, value in where.items()},
        "group": np.tile(np.array(groups, dtype=object), len(leads)),
        "lead": np.repeat(leads, len(groups)),
        "value": values.ravel(),
        "n": n.ravel(),
    }
