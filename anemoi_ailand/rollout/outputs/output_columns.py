# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Columns of an output: a variable of the table, its members, or a statistic over the members."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from anemoi.inference.types import FloatArray

from anemoi_ailand.support.netcdf_writer import variable_attributes
from anemoi_ailand.variables import Role, variable

MEAN, SPREAD = "mean", "spread"
_QUANTILE = re.compile(r"q(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True)
class Column:
    """Variable of an output by its short name (``2t``): its values, or a ``statistic`` over the members.

    With ``members`` it has the shape (time, member, point), else (time, point). ``means`` is the period of averaging,
    ``day`` or ``month``, if any.
    """

    name: str
    statistic: str | None = None
    members: bool = False
    means: str | None = None

    @cached_property
    def netcdf_name(self) -> str:
        """Name in a file: ``t2m``, ``t2m_mean``, ``t2m_q10``."""
        base = variable(self.name).netcdf_name
        return base if self.statistic is None else f"{base}_{self.statistic}"

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Dimensions in a file."""
        return ("time", "member", "point") if self.members else ("time", "point")

    @property
    def percentile(self) -> float | None:
        """Percentile of a quantile, 10.0 for ``q10``; else None."""
        return percentile(self.statistic) if self.statistic else None

    def attributes(self) -> dict[str, Any]:
        """Return the CF attributes; evaluation finds a variable, or its mean over members, by the short name."""
        row = variable(self.name)
        over_time = "time: mean" if self.means else row.cell_methods
        over_members = _METHODS.get(self.statistic or "")
        text = _TEXTS.get(self.statistic or "", "")
        if self.percentile is not None:
            text = f", {self.percentile:g} % quantile of the ensemble"
        return variable_attributes(
            self.name,
            long_name=row.long_name + text,
            cell_methods=" ".join(filter(None, (over_time, over_members))) or None,
            short_name=self.name if self.statistic in (None, MEAN) else None,
            role="prognostic" if row.role is Role.PROGNOSTIC else "diagnostic",
            percentile=self.percentile,
            coordinates="latitude longitude",
        )


_TEXTS = {MEAN: ", mean of the ensemble", SPREAD: ", standard deviation of the ensemble"}
#: CF has no cell method for a quantile: long name and ``percentile`` describe it.
_METHODS = {MEAN: "realization: mean", SPREAD: "realization: standard_deviation"}


def percentile(statistic: str) -> float | None:
    """Return the percentile of ``qNN`` (``q10``: 10.0, ``q2.5``: 2.5), None for another statistic."""
    match = _QUANTILE.fullmatch(statistic)
    return float(match[1]) if match else None


def check_statistics(statistics: Any) -> tuple[str, ...]:
    """Check a list of ``mean``, ``spread`` and ``qNN``, or one of them."""
    given = [statistics] if isinstance(statistics, str) else list(statistics or [])
    wrong = [s for s in given if not isinstance(s, str) or (s not in (MEAN, SPREAD) and percentile(s) is None)]
    if wrong or len(set(given)) != len(given):
        raise ValueError(
            f"`statistics` is {given}, {f'with unknown {wrong}' if wrong else 'with one twice'}. Give mean, spread "
            "(standard deviation) and percentiles q0 to q99.9, each once, such as [mean, spread, q10, q90]."
        )
    return tuple(given)


def selected(predicted: Sequence[str], variables: Any, skip: Callable[[str], bool], path: Path) -> list[str]:
    """Return the variables to write, in the order of the model; refuse names that it does not predict."""
    patterns = [p for p in variables.select or variables.drop or [] if isinstance(p, str)]
    unknown = [p for p in patterns if not fnmatch.filter(predicted, p)]
    names = [v for v in predicted if not skip(v)]
    if unknown or not names:
        raise ValueError(
            f"`variables` of {path} leaves {names or 'nothing'} and names {unknown}, but the model predicts "
            f"{list(predicted)}. Correct the names."
        )
    return names


def columns_of(
    names: Sequence[str], ensemble: bool, members: bool, statistics: Sequence[str], means: str | None
) -> tuple[Column, ...]:
    """Return the columns of an output: for each variable its values (of each member), then its statistics."""
    return tuple(
        Column(name, statistic, ensemble and statistic is None, means)
        for name in names
        for statistic in [*([None] if members else []), *statistics]
    )


def statistics_of(values: FloatArray, statistics: Sequence[str]) -> dict[str, FloatArray]:
    r"""Return statistics over the members, (member, point) to (point,), float32 computed in double precision.

    Mean :math:`\bar x = M^{-1} \sum_m x_m`; spread :math:`[(M-1)^{-1} \sum_m (x_m - \bar x)^2]^{1/2}`; quantiles
    interpolate linearly between the sorted members.
    """
    wide, found = np.asarray(values, dtype=np.float64), {}
    for statistic in statistics:
        if statistic == MEAN:
            result = wide.mean(axis=0)
        elif statistic == SPREAD:
            result = wide.std(axis=0, ddof=1)
        else:
            result = np.percentile(wide, percentile(statistic) or 0.0, axis=0)
        found[statistic] = result.astype(np.float32)
    return found
