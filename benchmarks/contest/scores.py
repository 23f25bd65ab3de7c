# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores of a contest from sums: every entrant against the reference, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.fields.matching import ALL
from anemoi_ailand.evaluation.scores.bootstrap import INTERVAL, Resamples, drawn_mean, resamples
from anemoi_ailand.evaluation.scores.difference_table import draw, members_of
from anemoi_ailand.evaluation.scores.metrics import METRICS
from anemoi_ailand.evaluation.scores.moments import Moments
from anemoi_ailand.evaluation.scores.sums import MAX_UNITS, Sums

#: Variables of the contest: those that aiLand v1 predicts.
CORE = ("stl1", "stl2", "stl3", "swvl1", "swvl2", "swvl3", "snowc", "2t", "2d", "skt", "sshf", "slhf")

#: Name of the row of all :data:`CORE` variables together.
TOGETHER = "core"

#: Columns of the table.
COLUMNS = (
    "protocol", "group", "period", "lead", "variable", "model", "metric", "value", "low", "high", "reference", "ratio",
    "ratio_low", "ratio_high", "better", "n",
)  # fmt: skip

#: Strata whose groups are all scored.
STRATA = ("points", "snow_regime")

#: Quantile over the points of the size of the bias that is given.
MOST = 0.9

_YEAR_DAYS = 365.25
_NAN = float("nan")


@dataclass(frozen=True)
class Period:
    """Bins of lead time scored together: a day of many runs, a year of one run, or a whole run."""

    name: str
    lead: float
    bins: np.ndarray


def contest_scores(sums: Sums, reference: str, seed: int = 0) -> pd.DataFrame:
    """Return a tidy table of the scores of all models with the columns :data:`COLUMNS`.

    ``value`` has the 95 % interval ``low`` to ``high``; ``ratio`` is the RMSE over that of the reference for the same
    draws of starts and points; ``better`` if its whole interval is below one. Rows of the variable :data:`TOGETHER`
    hold the geometric mean of the ratios of the ``n`` :data:`CORE` variables that both models have. ``bias_most`` is
    the 90 % quantile of the absolute bias over points, ``bias_spread`` the standard deviation of the bias; they and
    ``acc`` have no interval.

    ``sums`` come from :func:`~anemoi_ailand.evaluation.scores.sums.collect` with ``biases``. The ratio of the reference
    is one.
    """
    rows: list[dict[str, Any]] = []
    for strata, group, members in _groups(sums):
        for period in periods(sums):
            part = _Part(sums, strata, group, members, period, _draws(sums, period, len(members), seed))
            rows += part.rows(reference)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def periods(sums: Sums) -> list[Period]:
    """Return each day of many runs, or a whole single run and its years, by the centres of windows of 30 days."""
    days = sums.bins.days
    if not sums.single_run:
        return [Period(f"day {d:g}", float(d), np.array([i])) for i, d in enumerate(days)]
    years = (days // _YEAR_DAYS).astype(int)
    each = [Period(f"year {y + 1}", _NAN, np.flatnonzero(years == y)) for y in np.unique(years)]
    return [Period("whole run", _NAN, np.arange(len(days))), *each]


def _groups(sums: Sums) -> Iterator[tuple[str, int, np.ndarray]]:
    """Yield stratum, group and bootstrap units of all groups with points."""
    few = len(sums.alignment.points) <= MAX_UNITS  # beyond, a unit holds points of several snow regimes
    wanted = [strata for strata in STRATA if strata in sums.static and (few or strata == "points")]
    if "points" not in wanted:
        wanted = [ALL, *wanted]
    for strata in wanted:
        for group in range(len(sums.static[strata].groups)):
            members = members_of(sums, strata, group)
            if len(members):
                yield strata, group, members


def _draws(sums: Sums, period: Period, n_units: int, seed: int) -> Resamples:
    return resamples(len(period.bins), n_units, seed=seed) if sums.single_run else draw(sums, n_units, seed)


@dataclass(frozen=True)
class _Part:
    """All models in one group and period."""

    sums: Sums
    strata: str
    group: int
    members: np.ndarray
    period: Period
    draws: Resamples

    def rows(self, reference: str) -> Iterator[dict[str, Any]]:
        logs: dict[str, list[tuple[float, np.ndarray]]] = {}
        for name in self.sums.alignment.variables:
            found = {model: self._rmse((name, model)) for model in self.sums.models(name)}
            for model, (value, drawn) in found.items():
                row = self._row(name, model, "rmse", value, drawn)
                if reference in found:
                    base, base_drawn = found[reference]
                    with np.errstate(divide="ignore", invalid="ignore"):
                        log, log_drawn = float(np.log(np.divide(value, base))), np.log(drawn / base_drawn)
                    row |= {"reference": base, **_ratio(log, log_drawn, model == reference)}
                    if name in CORE:
                        logs.setdefault(model, []).append((log, log_drawn))
                yield row
                yield self._row(name, model, "bias", *self._bias((name, model)))
                biases = self._biases((name, model))
                yield self._row(name, model, "bias_most", float(np.quantile(np.abs(biases), MOST)))
                yield self._row(name, model, "bias_spread", float(biases.std()))
                yield self._row(name, model, "acc", self._acc((name, model)))
        for model, values in logs.items():
            log = float(np.mean([value for value, _ in values]))
            log_drawn = np.mean([drawn for _, drawn in values], axis=0)
            ratios = _ratio(log, log_drawn, model == reference)
            yield {**self._row(TOGETHER, model, "rmse", _NAN), "reference": 1.0, **ratios, "n": len(values)}

    def _row(self, name: str, model: str, metric: str, value: float, drawn: np.ndarray | None = None) -> dict[str, Any]:
        low, high = _interval(drawn)
        return {
            "protocol": self.sums.protocol, "group": self.sums.static[self.strata].groups[self.group],
            "period": self.period.name, "lead": self.period.lead, "variable": name, "model": model, "metric": metric,
            "value": value, "low": low, "high": high, "reference": _NAN, "ratio": _NAN, "ratio_low": _NAN,
            "ratio_high": _NAN, "better": False, "n": int(np.outer(*self._counts()).sum()),
        }  # fmt: skip

    def _counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the factors of the number of values, ``(start or window,)`` and ``(unit,)``."""
        sizes = self.sums.bins.sizes[self.period.bins].astype(np.float64)
        starts = sizes if self.sums.single_run else np.full(len(self.sums.alignment.starts), sizes[0])
        return starts, np.bincount(self.sums.units)[self.members].astype(np.float64)

    def _values(self, kept: np.ndarray) -> np.ndarray:
        """Select the sums ``(start or window, unit)`` of the group and period, of sums ``(bin, start, unit)``."""
        of_period = kept[self.period.bins, 0] if self.sums.single_run else kept[self.period.bins[0]]
        return of_period[:, self.members]

    def _mean(self, kept: np.ndarray) -> tuple[float, np.ndarray]:
        values, counts = self._values(kept), self._counts()
        mean = float(values.sum() / (counts[0].sum() * counts[1].sum()))
        alone = max(self.draws.starts.shape[1], self.draws.points.shape[1]) < 2
        return mean, np.full(1, np.nan) if alone else drawn_mean(values, counts, self.draws)

    def _rmse(self, key: tuple[str, str]) -> tuple[float, np.ndarray]:
        mean, drawn = self._mean(self.sums.start_squares[key])
        return float(np.sqrt(mean)), np.sqrt(drawn)

    def _bias(self, key: tuple[str, str]) -> tuple[float, np.ndarray]:
        return self._mean(self.sums.start_errors[key])

    def _biases(self, key: tuple[str, str]) -> np.ndarray:
        """Return the mean error of each point."""
        starts, units = self._counts()
        return np.asarray(self._values(self.sums.start_errors[key]).sum(axis=0) / (starts.sum() * units))

    def _acc(self, key: tuple[str, str]) -> float:
        m = self.sums.moments[(*key, self.strata)]
        pooled = Moments(m.sums[:, self.period.bins, self.group].sum(axis=1, keepdims=True), m.shift)
        return float(METRICS["acc"](pooled)[0])


def _interval(drawn: np.ndarray | None) -> tuple[float, float]:
    if drawn is None or np.isnan(drawn).all():
        return _NAN, _NAN
    with np.errstate(invalid="ignore"):  # a reference without any error in a draw makes an infinite ratio
        low, high = np.nanquantile(drawn, INTERVAL)
    return float(low), float(high)


def _ratio(log: float, drawn: np.ndarray, itself: bool) -> dict[str, Any]:
    """Return a ratio from its logarithm, its interval, and whether the whole interval is below one."""
    if itself:
        return {"ratio": 1.0, "ratio_low": 1.0, "ratio_high": 1.0, "better": False}
    low, high = _interval(np.exp(drawn))
    return {"ratio": float(np.exp(log)), "ratio_low": low, "ratio_high": high, "better": bool(high < 1.0)}
