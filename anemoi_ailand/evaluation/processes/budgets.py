# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Budgets of water and energy of the reference and of forecasts: what a step loses, what a year adds up to.

The formulas are in :mod:`anemoi_ailand.physics.budgets`. Precipitation and snowfall come from the reference, which
holds the forcing; state and fluxes from the run itself. Values are read once, in blocks of dates; what is kept are sums
by year and point. A step belongs to the year in which it begins.

The table (:attr:`Budgets.table`) has one row for each number:

``model``, ``budget`` ("water", "energy"), ``steps`` ("all", or "snow_free": energy over steps without snow),
``group`` (:data:`LAND` are the points without lake and urban cover, of which ``held_out`` and ``trained`` are parts;
:data:`WET_OR_URBAN` the others, whose budget does not close in ecLand's own output),
``year`` (NaN: the whole run), ``term``, ``value`` (mean over the points; NaN if there is none), ``units``, ``n`` (steps
times points).

Terms of water are sums over the steps of the year [mm], and rates [mm year-1] over the whole run: ``precipitation``,
``evaporation``, ``surface_runoff``, ``subsurface_runoff``, ``soil_change``, ``storage_change``, ``residual`` or, where
a run has no runoff, ``implied_runoff`` = P - E - change of storage and ``implied_runoff_negative`` (the sum of its
negative steps: water out of nothing); ``residual_relative`` is against precipitation [1]. Terms of energy are means
[W m-2]. ``residual_step_mean``, ``residual_step_mean_abs``, ``residual_step_max_abs`` are of single steps [mm, W m-2].
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
from anemoi_ailand.evaluation.fields.baselines import REFERENCE
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import HELD_OUT, TRAINED, common_times, held_out_points, match_points
from anemoi_ailand.evaluation.processes import budget_terms as bt

LOG = logging.getLogger(__name__)

#: Groups of points: without and with lake or urban cover.
LAND, WET_OR_URBAN = "no_lake_or_urban", "lake_or_urban"

#: Columns of the table.
COLUMNS = ["model", "budget", "steps", "group", "year", "term", "value", "units", "n"]

WATER, ENERGY = "water", "energy"
ALL_STEPS, SNOW_FREE = "all", "snow_free"

_YEAR_SECONDS = 365.25 * 86400.0
_DIGITS = 6


@dataclass(frozen=True)
class Budgets:
    """Result of :func:`budgets`.

    Parameters
    ----------
    table : pandas.DataFrame
        One number a row; columns are described in the module's docstring.
    points : dict
        By model, fields ``(point,)`` over the whole run for maps: ``water_residual_mean_abs`` and ``.._max_abs`` [mm],
        ``water_<term>`` [mm year-1], ``energy_<term>`` [W m-2].
    closure : dict
        By model and budget: ``closure`` with its ``meaning``, what is ``missing`` and what is ``omitted``.
    """

    table: pd.DataFrame
    points: dict[str, xr.Dataset]
    closure: dict[str, dict[str, Any]]

    def record(self) -> dict[str, Any]:
        """The entry "budgets" of ``metrics.json``: ``closure`` and ``terms``, a list of the rows, NaN as ``None``."""
        rows = [{str(k): _plain(v) for k, v in row.items()} for row in self.table.to_dict("records")]
        return {"closure": self.closure, "terms": rows}


def budgets(
    reference: Fields,
    forecasts: Mapping[str, Fields] | None = None,
    *,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    held_out: np.ndarray | None = None,
) -> Budgets:
    """Budgets of each forecast over all its dates, and of the reference over the dates and points of all of them.

    Parameters
    ----------
    reference : Fields
        Dataset with forcing, state and fluxes of ecLand.
    forecasts : mapping, optional
        Runs ``(time, point)`` by label; the first record is the initial state.
    start, end : numpy.datetime64, optional
        First and last date of the reference's own budget; the span of the forecasts, or all, if not given.
    held_out : numpy.ndarray, optional
        Mask over the points of the reference; :func:`held_out_points` if not given.

    Raises
    ------
    ValueError
        The reference has no precipitation, a step is not 6 h, dates or points do not match, a value is NaN.
    """
    forecasts = dict(forecasts or {})
    cases = [_case(label, run, reference) for label, run in forecasts.items()]
    own = _reference_case(reference, cases, start, end)
    mask = held_out_points(reference)[0] if held_out is None else held_out
    groups = {case.model: _groups(reference, case.index, mask) for case in (own, *cases)}
    tables, points, closure = [], {}, {}
    for case in (own, *cases):
        totals = _sum_up(case)
        LOG.info("Budgets of %s: %s", case.model, {k: v.closure for k, v in case.plans().items()})
        tables += [total.rows(case.model, groups[case.model]) for total in totals]
        fields = {name: values for total in totals for name, values in total.fields().items()}
        points[case.model] = xr.Dataset(fields, coords=case.place())
        closure[case.model] = {budget: _describe(plan) for budget, plan in case.plans().items()}
    table = pd.DataFrame([row for rows in tables for row in rows], columns=COLUMNS)
    return Budgets(table, points, closure)


@dataclass(frozen=True)
class _Case:
    """One run, its points (index into the run, and into the reference) and its dates."""

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

    def place(self) -> dict[str, Any]:
        return {name: ("point", getattr(self.reference, name)[self.index]) for name in ("latitude", "longitude")}

    def soil(self) -> dict[str, np.ndarray]:
        fields = {name: self.reference.constant(name) for name in bt.SOIL_FIELDS}
        return {name: np.asarray(v, np.float64)[self.index] for name, v in fields.items() if v is not None}

    def steps(self) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]]:
        """Times ``(n,)``, values of the run and of the forcing ``(n, point)``; each begins where the last one ended."""
        plans = self.plans().values()
        names = list(dict.fromkeys(name for plan in plans for name in plan.variables))
        forcing = list(dict.fromkeys(name for plan in plans for name in plan.forcing))
        fluxes = {name for plan in plans for name in plan.flux}
        carried: xr.Dataset | None = None
        same = self.run is self.reference
        for block in self.run.blocks(names + forcing if same else names, self.first, self.last, self.own):
            _check_finite(self.run, block, fluxes if carried is None else set())
            joined = block if carried is None else xr.concat([carried, block], "time")
            carried = block.isel(time=slice(-1, None))
            times = joined["time"].values
            if len(times) < 2:
                continue
            supply = joined if same else self.reference.load(forcing, times[0], times[-1], self.index)
            _check_finite(self.reference, supply[forcing], set(forcing))  # of the step before the first date: unused
            yield times, _arrays(joined, names), _arrays(supply, forcing)


def _case(label: str, run: Fields, reference: Fields) -> _Case:
    index, times = match_points(run, reference), common_times(run, reference)
    for fields in (run, reference):
        if len(fields.times) > 1 and fields.times[1] - fields.times[0] != np.timedelta64(STEP_HOURS, "h"):
            raise ValueError(
                f"'{fields.path}' has a step of {(fields.times[1] - fields.times[0]) / np.timedelta64(1, 'h'):g} h; "
                f"fluxes are means over {STEP_HOURS} h, so that no budget can be made. Write every {STEP_HOURS} h."
            )
    return _Case(label, run, reference, np.arange(len(index)), index, run.times[0], times[-1])


def _reference_case(
    reference: Fields, cases: list[_Case], start: np.datetime64 | None, end: np.datetime64 | None
) -> _Case:
    index = np.unique(np.concatenate([case.index for case in cases])) if cases else np.arange(len(reference.latitude))
    if start is None:
        start = min((case.first for case in cases), default=reference.times[0])
    if end is None:
        end = max((case.last for case in cases), default=reference.times[-1])
    return _Case(REFERENCE, reference, reference, index, index, start, end)


def _arrays(block: xr.Dataset, names: list[str]) -> dict[str, np.ndarray]:
    return {name: block[name].values for name in names}


def _check_finite(fields: Fields, block: xr.Dataset, but_first: set[str]) -> None:
    """No NaN, save in the first record of fluxes, which belongs to the step before the run."""
    for name, values in block.data_vars.items():
        bad = ~np.isfinite(values.values[1 if name in but_first else 0 :])
        if bad.any():
            raise ValueError(
                f"'{name}' of '{fields.path}' has {int(bad.sum())} values of {bad.size} that are NaN or infinite. "
                "If it is the forecast, the run diverged: repair and run it again. If it is the reference, create "
                "the dataset again."
            )


def _sum_up(case: _Case) -> list[_Totals]:
    years = np.arange(_year(case.first), _year(case.last) + 1)
    shape = (len(years), len(case.index))
    plans, soil = case.plans(), case.soil()
    water, energy = _Totals(WATER, ALL_STEPS, years, shape), _Totals(ENERGY, ALL_STEPS, years, shape)
    bare = _Totals(ENERGY, SNOW_FREE, years, shape)
    for times, run, forcing in case.steps():
        year = _year(times[:-1]) - years[0]
        water.add(year, bt.water_terms(plans[WATER], run, forcing))
        terms, free = bt.energy_terms(plans[ENERGY], run, forcing, soil), bt.snow_free(run)
        if free is not None:
            bare.add(year, terms, free)
        if plans[ENERGY].closure == "snow_free":
            terms = {name: v for name, v in terms.items() if name != "residual"}
        energy.add(year, terms)
    return [water, energy, bare]


def _year(times: np.ndarray | np.datetime64) -> Any:
    return np.asarray(times).astype("datetime64[Y]").astype(int) + 1970


@dataclass
class _Totals:
    """Sums ``(year, point)`` of each term, number of steps, and the residual's sum of absolute values and maximum."""

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
        """Add terms ``(step, point)`` whose step lies in ``year`` ``(step,)``, where ``mask`` holds."""
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
        """Rows of the table: each year, and the whole run."""
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

    def fields(self) -> dict[str, Any]:
        """Fields ``(point,)`` of the whole run as xarray takes them; the unit is in the attribute."""
        prefix = self.budget if self.steps == ALL_STEPS else f"{self.budget}_{self.steps}"
        count = self.count.sum(0)
        step_units = "mm" if self.budget == WATER else "W m-2"
        scale, units = (_YEAR_SECONDS / STEP_SECONDS, "mm year-1") if self.budget == WATER else (1.0, "W m-2")
        out: dict[str, Any] = {
            f"{prefix}_{name}": ("point", _ratio(values.sum(0) * scale, count), {"units": units})
            for name, values in self.sums.items()
        }
        if "residual" in self.sums:
            mean = _ratio(self.absolute.sum(0), count)
            out[f"{prefix}_residual_mean_abs"] = ("point", mean, {"units": step_units})
            largest = np.where(count > 0, self.maximum.max(0), np.nan)
            out[f"{prefix}_residual_max_abs"] = ("point", largest, {"units": step_units})
        return out


def _row(term: str, total: float, divisor: float, units: str) -> dict[str, Any]:
    return {"term": term, "value": float(total) / divisor if divisor else np.nan, "units": units}


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _groups(reference: Fields, index: np.ndarray, held_out: np.ndarray | None) -> dict[str, np.ndarray]:
    """Positions of the points by group."""
    covers = [cover for name in ("cl", "cur") if (cover := reference.constant(name)) is not None]
    if len(covers) < 2:
        LOG.warning("'%s' has no lake and urban cover; points that cannot close are not told apart", reference.path)
    other = np.zeros(len(index), bool)
    for cover in covers:
        other |= np.asarray(cover)[index] > 0
    groups = {LAND: np.flatnonzero(~other), WET_OR_URBAN: np.flatnonzero(other)}
    if held_out is None:
        return groups
    mask = np.asarray(held_out)[index]
    return {**groups, HELD_OUT: np.flatnonzero(~other & mask), TRAINED: np.flatnonzero(~other & ~mask)}


def _describe(plan: bt.Plan) -> dict[str, Any]:
    told = {key: list(value) for key, value in asdict(plan).items() if key in ("missing", "omitted")}
    return {"closure": plan.closure, "meaning": bt.CLOSURES[plan.closure], **told}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
