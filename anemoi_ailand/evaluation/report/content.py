# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Content of metrics.json for the report, with scores by protocol, metric, strata, variable, model, group and lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.display.style import forecast_labels
from anemoi_ailand.evaluation.display.variables import ordered, shown_scores
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE
from anemoi_ailand.evaluation.processes.budgets import GROUNDS
from anemoi_ailand.evaluation.scores.score_table import BIASES, LAST_YEAR
from anemoi_ailand.evaluation.scores.skill import HORIZON

#: Lead of scores over a whole run.
WHOLE = float("inf")

#: Leads in tables of protocol A [d]; metrics.csv and figures have the others.
LEADS = (1.0, 7.0, 30.0, 60.0, 90.0)

#: Lead at which one number represents protocol A [d].
MIDDLE_LEAD = 30.0

#: Metrics in the report; metrics.csv has all.
SHOWN = (
    "rmse", "acc", "correlation", "drift_per_year", "hit_rate", *HORIZON, *BIASES, *(LAST_YEAR + m for m in BIASES)
)  # fmt: skip

#: Tables in metrics.json; the other entries describe the evaluation.
PARTS = ("scores", "differences", "budgets", "observations", "snow_season")


@dataclass(frozen=True)
class Score:
    """Score and number of its values; NaN with ``n = 0`` is an empty group."""

    value: float
    n: int

    @property
    def known(self) -> bool:
        """True if the value is finite."""
        return bool(np.isfinite(self.value))


#: Score that was not computed.
NOT_MEASURED = Score(np.nan, -1)


class Content:
    """Content of ``metrics.json`` with quick access to its scores and tables."""

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self.metrics = metrics
        scores = pd.DataFrame(metrics["scores"])
        self.forecasts = self._labels(scores)
        self.models = [*self.forecasts, *(m for m in (PERSISTENCE, CLIMATOLOGY) if m in set(scores["model"]))]
        self.variables = ordered(scores["variable"])
        self.protocols = sorted(scores["protocol"].unique())
        self.strata = list(dict.fromkeys(scores["cut"]))
        shown = scores[scores["metric"].isin(SHOWN)].astype({"value": float, "lead": float, "n": int})
        self._scores = shown_scores(shown).fillna({"lead": WHOLE})

    def _labels(self, scores: pd.DataFrame) -> list[str]:
        """Labels of the forecasts in the order of the header, else of the table."""
        scored = set(scores["model"])
        named = [label for label in (self.metrics.get("inputs") or {}).get("forecasts", ()) if label in scored]
        return forecast_labels([*named, *scores["model"].unique()])

    @cached_property
    def _by_key(self) -> dict[tuple[Any, ...], Score]:
        keys = ["protocol", "metric", "cut", "variable", "model", "group", "lead"]
        columns = [self._scores[k] for k in keys]
        values = map(Score, self._scores["value"], self._scores["n"])
        return dict(zip(zip(*columns, strict=True), values, strict=True))

    def score(
        self,
        metric: str,
        variable: str,
        model: str,
        lead: float = WHOLE,
        *,
        protocol: str = "A",
        strata: str = "all",
        group: str = "all",
    ) -> Score:
        """Return one score, or :data:`NOT_MEASURED`."""
        return self._by_key.get((protocol, metric, strata, variable, model, group, lead), NOT_MEASURED)

    def leads(self, protocol: str) -> list[float]:
        """Return the leads of tables [d]: all if they are few, else those of :data:`LEADS`, else five others."""
        available = self._leads.get(protocol, [])
        if len(available) <= len(LEADS):
            return available
        wanted = [lead for lead in LEADS if lead in available]
        return wanted or [available[i] for i in np.linspace(0, len(available) - 1, len(LEADS)).astype(int)]

    def middle_lead(self, protocol: str) -> float:
        """Return the lead that represents a protocol: the one nearest to a month; the whole run for B."""
        leads = self.leads(protocol)
        if protocol == "B" or not leads:
            return WHOLE
        return min(leads, key=lambda lead: abs(lead - MIDDLE_LEAD))

    def last_lead(self, protocol: str) -> float:
        """Return the longest lead of a protocol; the whole run without leads."""
        return max(self.leads(protocol), default=WHOLE)

    def groups(self, protocol: str, strata: str) -> list[str]:
        """Return the groups of a strata in the order of the table."""
        return self._groups.get((protocol, strata), [])

    @cached_property
    def _leads(self) -> dict[str, list[float]]:
        """Increasing leads of each protocol, without the whole run."""
        by_protocol = self._scores[self._scores["lead"] != WHOLE].groupby("protocol")["lead"]
        return {str(protocol): sorted(leads.unique()) for protocol, leads in by_protocol}

    @cached_property
    def _groups(self) -> dict[tuple[str, str], list[str]]:
        """Groups of each protocol and strata, in the order of the table."""
        found: dict[tuple[str, str], list[str]] = {}
        for protocol, strata, group in (
            self._scores[["protocol", "cut", "group"]].drop_duplicates().itertuples(index=False)
        ):
            found.setdefault((protocol, strata), []).append(group)
        return found

    @property
    def differences(self) -> pd.DataFrame:
        """Table of differences; may be empty."""
        table = pd.DataFrame(list(self.metrics.get("differences") or ()))
        return table.fillna({"lead": WHOLE}) if len(table) else table

    @property
    def budgets(self) -> pd.DataFrame:
        """Terms of the budgets over the whole run and all steps; may be empty."""
        rows = self._terms
        return rows[rows["steps"] == "all"] if len(rows) else rows

    @property
    def energy_residuals(self) -> pd.DataFrame:
        """Residual of the energy budget in single steps, by the state of the ground; may be empty."""
        rows = self._terms
        return rows[rows["steps"].isin(GROUNDS)] if len(rows) else rows

    @property
    def _terms(self) -> pd.DataFrame:
        rows = pd.DataFrame(list((self.metrics.get("budgets") or {}).get("terms", ())))
        return rows[rows["year"].isna()].astype({"value": float}) if len(rows) else rows

    @property
    def closure(self) -> dict[str, Any]:
        """Closure of the budgets by model and budget."""
        return dict((self.metrics.get("budgets") or {}).get("closure", {}))

    @property
    def snow_season(self) -> pd.DataFrame:
        """Errors of the snow season over all years; may be empty."""
        rows = pd.DataFrame(list(self.metrics.get("snow_season") or ()))
        return rows[rows["snow_year"].isna()].astype({"value": float}) if len(rows) else rows

    @property
    def observations(self) -> pd.DataFrame:
        """Medians over stations of the three-way comparison; may be empty."""
        return pd.DataFrame(list((self.metrics.get("observations") or {}).get("summary", ())))

    @property
    def header(self) -> dict[str, str]:
        """Description of the evaluation, one entry per line, with nested names joined by dots."""
        return dict(_flat({k: v for k, v in self.metrics.items() if k not in PARTS}))


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for key, each in value.items():
        name = f"{prefix}{key}"
        if isinstance(each, Mapping):
            lines += _flat(each, f"{name}.")
        elif isinstance(each, (list, tuple)):
            lines.append((name, ", ".join(map(str, each))))
        else:
            lines.append((name, "not given" if each is None else str(each)))
    return lines
