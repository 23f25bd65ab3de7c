# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Budgets of water and energy of the reference and of forecasts, by step, year and run.

The formulas are in :mod:`anemoi_ailand.physics.budgets`. Precipitation and snowfall come from the reference, state and
fluxes from the run. Values are read once in blocks of dates; sums by year and point are kept. A step belongs to the
year in which it begins.

Columns of :attr:`Budgets.table`: ``model``; ``budget`` ("water", "energy"); ``steps`` ("all", "snow_free": energy over
steps without snow, or :data:`GROUNDS`: residual of energy by the state of the ground); ``group`` (:data:`LAND` are
points without lake and urban cover, divided into ``held_out`` and ``trained``; :data:`WET_OR_URBAN` are the others,
whose budget does not close in ecLand's own output); ``year`` (NaN: whole run); ``term``; ``value`` (mean over the
points); ``units``; ``n`` (steps times points).

Terms of water are sums over the year [mm] or rates over the whole run [mm year-1]: ``precipitation``, ``evaporation``,
``surface_runoff``, ``subsurface_runoff``, ``soil_change``, ``storage_change``, ``residual`` or, without runoff,
``implied_runoff`` = P - E - change of storage and ``implied_runoff_negative`` (the sum of its negative steps);
``residual_relative`` is relative to precipitation [1]. Terms of energy are means [W m-2]. ``residual_step_mean``,
``residual_step_mean_abs``, ``residual_step_max_abs`` refer to single steps [mm, W m-2], and so do, by the state of the
ground over the whole run, ``residual_step_median_abs`` and ``residual_step_p99_abs``, within 2 %.

Long-wave radiation of a network that closes its budget leaves no residual but rounding, except under lake and town; its
own error is in the scores.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.constants import STEP_HOURS, STEP_SECONDS
from anemoi_ailand.evaluation.display.text import records
from anemoi_ailand.evaluation.fields.fields import Fields, check_finite
from anemoi_ailand.evaluation.fields.matching import HELD_OUT, TRAINED, common_times, held_out_points, match_points
from anemoi_ailand.evaluation.fields.reference import REFERENCE
from anemoi_ailand.evaluation.processes import budget_terms as bt

LOG = logging.getLogger(__name__)

#: Groups of points without and with lake or urban cover.
LAND, WET_OR_URBAN = "no_lake_or_urban", "lake_or_urban"

#: Columns of the table.
COLUMNS = ["model", "budget", "steps", "group", "year", "term", "value", "units", "n"]

WATER, ENERGY = "water", "energy"
ALL_STEPS, SNOW_FREE = "all", "snow_free"

#: Steps by the state of the ground, see :func:`~anemoi_ailand.evaluation.processes.budget_terms.grounds`.
GROUNDS = ("bare", "full_snow", "partial_snow", "freezing")

#: Bounds of the classes of the size of the residual [W m-2]: 2 % wide; smaller ones count as the lowest.
_SIZES = np.geomspace(1.0e-4, 1.0e4, 931)

_YEAR_SECONDS = 365.25 * 86400.0


@dataclass(frozen=True)
class Budgets:
    """Result of :func:`budgets`.

    The columns of ``table`` are in the module docstring. ``closure`` holds, by model and budget, the degree of closure
    with its meaning, and the missing and omitted terms.
    """

    table: pd.DataFrame
    closure: dict[str, dict[str, Any]]

    def record(self) -> dict[str, Any]:
        """Return the entry "budgets" of ``metrics.json``: ``closure``, and the rows as ``terms``."""
        return {"closure": self.closure, "terms": records(self.table)}


def budgets(reference: Fields, forecasts: Mapping[str, Fields] | None = None) -> Budgets:
    """Compute the budgets of each forecast, and of the reference over the dates and points of all of them.

    The first record of a forecast is the initial state. Without forecasts, the reference's own budget covers all its
    dates.

    Raises
    ------
    ValueError
        The reference has no precipitation, a step is not 6 h, dates or points do not match, a value is NaN.
    """
    cases = [_case(label, run, reference) for label, run in (forecasts or {}).items()]
    own = _reference_case(reference, cases)
    held_out = held_out_points(reference)
    rows, closure = [], {}
    for case in (own, *cases):
        groups = _groups(reference, case.index, held_out)
        rows += [row for total in _sum_up(case, groups) for row in total.rows(case.model, groups)]
        closure[case.model] = {budget: _describe(plan) for budget, plan in case.plans().items()}
        LOG.info("Budgets of %s: %s", case.model, {k: v.closure for k, v in case.plans().items()})
    return Budgets(pd.DataFrame(rows, columns=COLUMNS), closure)


def main_group(table: pd.DataFrame) -> str:
    """Return the group of points whose budget closes in the reference, else the first group."""
    groups = list(dict.fromkeys(table["group"]))
    return LAND if LAND in groups else groups[0]


@dataclass(frozen=True)
class _Case:
    """Run, its points (indices into the run and into the reference) and dates."""

    model: str
    run: Fields
    reference: Fields
    own: np.ndarray
    index: np.ndarray
    first: np.datetime64
    last: np.datetime64

    def plans(self) -> dict[str, bt.Plan]:
        held, known = self.run.variables, {*self.reference.variables, *self.reference.constants}
        return {WATER: bt.water_plan(held), ENERGY: bt.energy_plan(held, known)}

    def soil(self) -> dict[str, np.ndarray]:
        fields = {name: self.reference.constant(name) for name in bt.SOIL_FIELDS}
        return {name: np.asarray(v, np.float64)[self.index] for name, v in fields.items() if v is not None}

    def steps(self) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]]:
        """Times ``(n,)``, values of the run and of the forcing ``(n, point)``; blocks overlap by one time."""
        plans = self.plans().values()
        names = list(dict.fromkeys(name for plan in plans for name in plan.variables))
        forcing = list(dict.fromkeys(name for plan in plans for name in plan.forcing))
        fluxes = {name for plan in plans for name in plan.flux}
        carried: xr.Dataset | None = None
        same = self.run is self.reference
        for block in self.run.blocks(names + forcing if same else names, self.first, self.last, self.own):
            check_finite(self.run, block, fluxes if carried is None else ())  # the first are of the step before
            joined = block if carried is None else xr.concat([carried, block], "time")
            carried = block.isel(time=slice(-1, None))
            times = joined["time"].values
            if len(times) < 2:
                continue
            supply = joined if same else self.reference.load(forcing, times[0], times[-1], self.index)
            check_finite(self.reference, supply[forcing], forcing)  # forcing of the step before is not used
            yield times, _arrays(joined, names), _arrays(supply, forcing)


def _case(label: str, run: Fields, reference: Fields) -> _Case:
    index, times = match_points(run, reference), common_times(run, reference)
    for fields in (run, reference):
        if len(fields.times) > 1 and fields.times[1] - fields.times[0] != np.timedelta64(STEP_HOURS, "h"):
            raise ValueError(
                f"'{fields.path}' has a step of {(fields.times[1] - fields.times[0]) / np.timedelta64(1, 'h'):g} h; "
                f"budgets need fluxes that are means over {STEP_HOURS} h. Write every {STEP_HOURS} h."
            )
    return _Case(label, run, reference, np.arange(len(index)), index, run.times[0], times[-1])


def _reference_case(reference: Fields, cases: list[_Case]) -> _Case:
    index = np.unique(np.concatenate([case.index for case in cases])) if cases else np.arange(len(reference.latitude))
    start = min((case.first for case in cases), default=reference.times[0])
    end = max((case.last for case in cases), default=reference.times[-1])
    return _Case(REFERENCE, reference, reference, index, index, start, end)


def _arrays(block: xr.Dataset, names: list[str]) -> dict[str, np.ndarray]:
    return {name: block[name].values for name in names}


def _sum_up(case: _Case, groups: Mapping[str, np.ndarray]) -> list[_Totals | _Sizes]:
    years = np.arange(_year(case.first), _year(case.last) + 1)
    shape = (len(years), len(case.index))
    plans, soil = case.plans(), case.soil()
    water, energy = _Totals(WATER, ALL_STEPS, years, shape), _Totals(ENERGY, ALL_STEPS, years, shape)
    bare = _Totals(ENERGY, SNOW_FREE, years, shape)
    sizes = {name: _Sizes(name, groups) for name in GROUNDS}
    for times, run, forcing in case.steps():
        year = _year(times[:-1]) - years[0]
        water.add(year, bt.water_terms(plans[WATER], run, forcing))
        terms, free = bt.energy_terms(plans[ENERGY], run, forcing, soil), bt.snow_free(run)
        if free is not None:
            bare.add(year, terms, free)
        if "residual" in terms:
            for name, mask in bt.grounds(run).items():
                closed = mask if free is None or plans[ENERGY].closure != "snow_free" else mask & free
                sizes[name].add(terms["residual"], closed)
        if plans[ENERGY].closure == "snow_free":
            terms = {name: v for name, v in terms.items() if name != "residual"}
        energy.add(year, terms)
    return [water, energy, bare, *sizes.values()]


def _year(times: np.ndarray | np.datetime64) -> Any:
    return np.asarray(times).astype("datetime64[Y]").astype(int) + 1970


@dataclass
class _Totals:
    """Sums ``(year, point)`` of each term, number of steps, absolute sum and maximum of the residual."""

    budget: str
    steps: str
    years: np.ndarray
    shape: tuple[int, int]
    sums: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.count = np.zeros(self.shape)
        self.absolute = np.zeros(self.shape)
        self.maximum = np.zeros(self.shape)

    def add(self, year: np.ndarray, terms: dict[str, np.ndarray], mask: np.ndarray | None = None) -> None:
        """Add terms ``(step, point)`` of steps in ``year`` ``(step,)`` where ``mask`` is true."""
        if not terms:
            return
        kept = np.ones(next(iter(terms.values())).shape, bool) if mask is None else mask
        for y in np.unique(year):
            part = year == y
            self.count[y] += kept[part].sum(0)
            for name, values in terms.items():
                total = self.sums.setdefault(name, np.zeros(self.shape))
                total[y] += np.where(kept[part], values[part], 0.0).sum(0)
            if "residual" in terms:
                size = np.where(kept[part], np.abs(terms["residual"][part]), 0.0)
                self.absolute[y] += size.sum(0)
                self.maximum[y] = np.maximum(self.maximum[y], size.max(0))

    def rows(self, model: str, groups: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        """Return the rows of the table for each year and the whole run."""
        out = []
        for group, index in groups.items():
            parts: list[tuple[float, Any]] = [(float(y), [i]) for i, y in enumerate(self.years)]
            for year, part in [*parts, (np.nan, slice(None))]:
                count = self.count[part].sum(0)[index]
                head = {"model": model, "budget": self.budget, "steps": self.steps, "group": group, "year": year}
                n = int(count.sum())
                out += [{**head, **term, "n": n} for term in self._terms(part, index, np.isnan(year), n)]
        return out

    def _terms(self, part: Any, index: np.ndarray, whole: bool, n: int) -> Iterator[dict[str, Any]]:
        step_units = "mm" if self.budget == WATER else "W m-2"
        sums = {name: values[part].sum(0)[index].sum() for name, values in self.sums.items()}
        for name, total in sums.items():
            if self.budget == ENERGY:
                yield _row(name, total, n, step_units)
            elif whole:
                yield _row(name, total * _YEAR_SECONDS / STEP_SECONDS, n, "mm year-1")
            else:
                yield _row(name, total, len(index) if n else 0, "mm")
        if "residual" not in sums:
            return
        if self.budget == WATER:
            yield _row("residual_relative", sums["residual"], sums["precipitation"], "1")
        yield _row("residual_step_mean", sums["residual"], n, step_units)
        yield _row("residual_step_mean_abs", self.absolute[part].sum(0)[index].sum(), n, step_units)
        largest = self.maximum[part].max(0)[index].max(initial=0.0)
        yield _row("residual_step_max_abs", largest, 1 if n else 0, step_units)


@dataclass
class _Sizes:
    """Number of steps by the size of the residual of energy for each group of points, over the whole run."""

    steps: str
    groups: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        self.counts = {name: np.zeros(len(_SIZES) - 1) for name in self.groups}

    def add(self, residual: np.ndarray, mask: np.ndarray) -> None:
        """Add residuals ``(step, point)`` where ``mask`` is true."""
        for name, index in self.groups.items():
            size = np.abs(residual[:, index][mask[:, index]]).clip(_SIZES[0], _SIZES[-1])
            self.counts[name] += np.histogram(size, _SIZES)[0]

    def rows(self, model: str, groups: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """Return the rows of the table; none for steps that do not occur at all."""
        if not any(self.counts[name].any() for name in groups):
            return []
        out = []
        for group in groups:
            n = int(self.counts[group].sum())
            head = {"model": model, "budget": ENERGY, "steps": self.steps, "group": group, "year": np.nan, "n": n}
            for term, share in (("residual_step_median_abs", 0.5), ("residual_step_p99_abs", 0.99)):
                out.append({**head, **_row(term, self._quantile(group, share), 1 if n else 0, "W m-2")})
        return out

    def _quantile(self, group: str, share: float) -> float:
        total = self.counts[group].cumsum()
        k = int(np.searchsorted(total, share * total[-1]))
        return float(np.sqrt(_SIZES[k] * _SIZES[k + 1]))


def _row(term: str, total: float, divisor: float, units: str) -> dict[str, Any]:
    return {"term": term, "value": float(total) / divisor if divisor else np.nan, "units": units}


def _groups(reference: Fields, index: np.ndarray, held_out: np.ndarray | None) -> dict[str, np.ndarray]:
    """Indices of the points by group."""
    covers = [cover for name in ("cl", "cur") if (cover := reference.constant(name)) is not None]
    if len(covers) < 2:
        LOG.warning("'%s' lacks lake or urban cover; points that cannot close are not separated", reference.path)
    other = np.zeros(len(index), bool)
    for cover in covers:
        other |= np.asarray(cover)[index] > 0
    groups = {LAND: np.flatnonzero(~other), WET_OR_URBAN: np.flatnonzero(other)}
    if held_out is None:
        return groups
    mask = np.asarray(held_out)[index]
    return {**groups, HELD_OUT: np.flatnonzero(~other & mask), TRAINED: np.flatnonzero(~other & ~mask)}


def _describe(plan: bt.Plan) -> dict[str, Any]:
    gaps = {key: list(value) for key, value in asdict(plan).items() if key in ("missing", "omitted")}
    return {"closure": plan.closure, "meaning": bt.CLOSURES[plan.closure], **gaps}
