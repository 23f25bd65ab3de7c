# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stability of a run over a century of repeated forcing: finite values, variables stuck at bounds, drift.

Fields are annual statistics ``(year, point)`` of a cyclic run, and of ecLand for one cycle of the forcing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.evaluation.scores.strata import BIOMES
from anemoi_ailand.physics.budgets import water_storage

#: Fewest cycles of a run: drift is judged over the last half, and a slope needs two cycles.
LEAST_CYCLES = 4

#: Drift that fails where ecLand's spread is small: of storage [kg m-2 per decade], soil temperature [K per decade].
STORAGE_DRIFT, TEMPERATURE_DRIFT = 1.0, 0.02

#: Drift in a decade, as a share of ecLand's spread from year to year, that fails where the spread is large [1].
SPREAD_SHARE = 0.1

#: Share of a year that ecLand must be away from a bound for a model to be stuck there [1]; four days.
AWAY = 0.01

#: Variables at a bound by definition: ``tsn`` without snow is the melting point, apart from rounding.
AT_BOUND_BY_DEFINITION = ("tsn",)

#: Findings of variables at a bound: throughout the last cycle, and throughout some of its years.
FOR_EVER, A_YEAR = "stuck for ever", "stuck for a year"

#: Finding that is listed, but not held against the run: ecLand's own years lead there.
WITH_ECLAND = "at a bound to which ecLand's own years lead"

#: Fewest years of ecLand that show where it goes.
LEAST_TREND = 3

#: Annual minimum of snow mass above which snow stays all year [kg m-2].
SNOW_LEFT = 1.0


@dataclass(frozen=True)
class Criterion:
    """Question, limit, and answer: the largest value (NaN without any) and the number of points that fail."""

    name: str
    question: str
    limit: str
    worst: float
    units: str
    points: int

    @property
    def passed(self) -> bool:
        """True if no point fails."""
        return self.points == 0


@dataclass(frozen=True)
class Verdict:
    """Criteria, a table of points, and a table of findings (``finding, point, value, units, note``)."""

    criteria: list[Criterion]
    points: pd.DataFrame
    findings: pd.DataFrame

    @property
    def passed(self) -> bool:
        """True if the run passes all criteria."""
        return all(c.passed for c in self.criteria)


def storage(years: xr.Dataset, snow: bool = True) -> np.ndarray:
    """Return the water storage at the start of the run and the end of each year, ``(year + 1, point)`` [kg m-2].

    Sums the available layers and stores; without ``snow``, soil and interception only.
    """
    layers = np.stack([_ends(years, f"swvl{k}") for k in layers_of(years, "swvl")])
    sd, src = (_ends(years, n) if n in state_names(years) else np.zeros(layers.shape[1:]) for n in ("sd", "src"))
    return water_storage(layers, sd if snow else np.zeros_like(sd), src)


def state_names(years: xr.Dataset) -> list[str]:
    """Return the state variables of annual statistics."""
    return [str(n).removesuffix("_end") for n in years.data_vars if str(n).endswith("_end")]


def layers_of(years: xr.Dataset, kind: str) -> list[int]:
    """Return the soil layers of ``swvl`` or ``stl`` in the state, from the top without a gap; none is an error."""
    names = state_names(years)
    found = list(itertools.takewhile(lambda k: f"{kind}{k}" in names, itertools.count(1)))
    if not found:
        raise ValueError(
            f"The state of the run is {names}, without {kind}1, so that its drift cannot be judged. Give a checkpoint "
            "that carries soil water and soil temperature."
        )
    return found


def trend(values: np.ndarray, cycle: int) -> np.ndarray:
    """Fit the slope of ``values`` ``(year, point)`` over the last half of a run, per decade.

    Least squares fit to means over whole cycles of ``cycle`` years from the end, so that the repeated forcing causes no
    slope.
    """
    n = len(values) // cycle // 2
    means = values[len(values) - n * cycle :].reshape(n, cycle, -1).mean(axis=1)
    number = np.arange(n) - (n - 1) / 2
    return (number @ means) / (number @ number) * 10 / cycle


def check_length(years: int, cycle: int) -> None:
    """Refuse a run that is too short to judge drift."""
    if isinstance(years, bool) or not isinstance(years, int | np.integer):
        raise ValueError(f"`years` is {years!r}. Give a whole number of years.")
    if years < LEAST_CYCLES * cycle:
        raise ValueError(
            f"{years} years are {years / cycle:g} cycles of {cycle} years of forcing, but drift is judged over the "
            f"last half of at least {LEAST_CYCLES}. Give {LEAST_CYCLES * cycle} years or more, or repeat fewer years."
        )


def judge(run: xr.Dataset, ecland: xr.Dataset) -> Verdict:
    """Apply all criteria to the annual statistics of a run, and of ecLand for the repeated years.

    Where ecLand keeps snow all year, repeated forcing makes that snow drift indefinitely in ecLand as well,
    which also affects the ground below. There, storage is judged without snow and temperature is not judged.

    Raises
    ------
    ValueError
        The run is too short, or soil water or soil temperature is missing.
    """
    cycle = ecland.sizes["year"]
    check_length(run.sizes["year"], cycle)
    points = _points(run, ecland, cycle)
    kept = points["ecland_keeps_snow"].to_numpy()
    findings = [
        _rows("not finite", points["years_not_finite"].to_numpy(), "years", points["years_not_finite"] > 0),
        stuck(run, ecland),
        _drift_rows("storage drift", points["storage_trend"], points["storage_limit"], "kg m-2 per decade",
                    points["ecland_storage_trend"]),
        *(_drift_rows(f"stl{k} drift", points[f"stl{k}_trend"][~kept], points[f"stl{k}_limit"][~kept], "K per decade")
          for k in layers_of(run, "stl")),
        _rows("snow kept all year", points["snow_trend"], "kg m-2 per decade", points["keeps_snow"] & ~kept),
    ]  # fmt: skip
    table = pd.concat(findings, ignore_index=True)
    return Verdict(_criteria(points, points[~kept], table), points, table)


def stuck(run: xr.Dataset, ecland: xr.Dataset) -> pd.DataFrame:
    """Find variables at a bound throughout the last cycle, or a year of it, where ecLand is away from the bound.

    ``value`` of a finding is the share of that time that ecLand is away from the bound. Where :func:`leads_to` the
    bound holds for ecLand, the finding is :data:`WITH_ECLAND`.
    """
    cycle, total = ecland.sizes["year"], run.sizes["year"]
    last = np.arange(total - cycle, total)
    phase = last % cycle
    steps, of_ecland = run["steps"].values[last][:, None], ecland["steps"].values[phase][:, None]
    found = []
    for name in (n for n in state_names(run) if n not in AT_BOUND_BY_DEFINITION):
        for side in ("lower", "upper"):
            away = 1 - ecland[f"{name}_at_{side}"].values[phase] / of_ecland
            here = run[f"{name}_at_{side}"].values[last] == steps
            whole = here.all(axis=0) & (away.mean(axis=0) > AWAY)
            years = here & (away > AWAY) & ~whole
            leads = leads_to(ecland, name, side, run[f"{name}_end"].values[-1], total)
            note = f"{name} at its {side} bound"
            for kind, where, share in ((FOR_EVER, whole, away.mean(axis=0)), (A_YEAR, years.any(axis=0), away)):
                rows = _rows(kind, np.where(years, share, 0.0).max(axis=0) if kind == A_YEAR else share, "1", where)
                rows.loc[leads[where], "finding"] = WITH_ECLAND
                counts = whole * cycle if kind == FOR_EVER else years.sum(axis=0)
                text = "{} in {} of {} years; share of that time that ecLand is away from it"
                rows["note"] = [text.format(note, n, cycle) for n in counts[where]]
                found.append(rows)
    return pd.concat(found, ignore_index=True)


def leads_to(ecland: xr.Dataset, name: str, side: str, bound: np.ndarray, years: int) -> np.ndarray:
    """Return at which points ecLand's own years lead to a bound ``(point,)`` within the ``years`` of a run.

    Soil water that turns back in none of ecLand's years, three or more, and would be there at the end of the run if it
    went on as in their mean: repeated years only continue what dries out in ecLand.
    """
    number = ecland.sizes["year"]
    if not name.startswith("swvl") or number < LEAST_TREND:
        return np.zeros(bound.shape, dtype=bool)
    ends, sign = _ends(ecland, name), 1.0 if side == "upper" else -1.0
    steps = sign * np.diff(ends, axis=0)
    mean = steps.mean(axis=0)
    return (steps >= 0.0).all(axis=0) & (mean > 0.0) & (mean * (years - number) >= sign * (bound - ends[-1]))


def by_class(points: pd.DataFrame) -> pd.DataFrame:
    """Summarise points by climate class: number, changes of storage and temperature, largest drifts."""
    rows = []
    deepest = max(k for k in range(1, 10) if f"stl{k}_trend" in points)
    for name, part in [("all", points), *points.groupby("climate_class", sort=False)]:
        size = {"class": name, "points": len(part)}
        change = part["storage_last"] - part["storage_start"]
        rows.append(
            size
            | {
                "storage_start": part["storage_start"].mean(),
                "storage_change": change.mean(),
                "storage_spread": part["storage_spread"].mean(),
                "storage_trend": _largest(part["storage_trend"]),
                **{f"stl{k}_shift": part[f"stl{k}_shift"].mean() for k in (1, deepest)},
                **{f"stl{k}_trend": _largest(part[f"stl{k}_trend"]) for k in (1, deepest)},
            }
        )
    order = {name: i for i, name in enumerate(("all", *BIOMES))}
    return pd.DataFrame(rows).sort_values("class", key=lambda c: c.map(order).fillna(len(order)), ignore_index=True)


def _largest(values: pd.Series) -> float:
    """Value farthest from zero, with its sign; NaN if any is not finite."""
    array = values.to_numpy(dtype=float)
    return float(array[np.argmax(np.abs(array))]) if np.isfinite(array).all() else np.nan


def _ends(years: xr.Dataset, name: str) -> np.ndarray:
    """Values at the start of the run and the end of each year, ``(year + 1, point)``, float64."""
    return np.concatenate([years[f"{name}_start"].values[None], years[f"{name}_end"].values]).astype(np.float64)


def _points(run: xr.Dataset, ecland: xr.Dataset, cycle: int) -> pd.DataFrame:
    """Table of points: place, class, storage, temperature, snow and their drifts."""
    n = run.sizes["point"]
    marks = {k: run[k].values for k in ("point_id", "held_out") if k in run}
    columns = {"latitude": run["latitude"].values, "longitude": run["longitude"].values, **marks}
    columns["climate_class"] = _classes(run)
    columns["years_not_finite"] = (run["not_finite"].values > 0).sum(axis=0)
    keeps, ecland_keeps = _keeps_snow(run, cycle), _keeps_snow(ecland, cycle)
    for years in (run, ecland):  # snow that ecLand keeps all year cannot be in balance
        values = np.where(ecland_keeps, storage(years, snow=False), storage(years))
        if years is run:
            columns |= {"storage_start": values[0], "storage_last": values[-cycle:].mean(axis=0),
                        "storage_trend": trend(values[1:], cycle)}  # fmt: skip
        else:
            columns |= {"storage_spread": _spread(values[1:]), "ecland_storage_trend": _own_trend(values)}
    columns["storage_limit"] = np.maximum(STORAGE_DRIFT, SPREAD_SHARE * columns["storage_spread"])
    for k in layers_of(run, "stl"):
        mean, reference = (y[f"stl{k}_mean"].values.astype(np.float64) for y in (run, ecland))
        spread = _spread(reference)
        columns |= {f"stl{k}_shift": mean[-cycle:].mean(axis=0) - reference.mean(axis=0),
                    f"stl{k}_trend": trend(mean, cycle), f"stl{k}_spread": spread,
                    f"stl{k}_limit": np.maximum(TEMPERATURE_DRIFT, SPREAD_SHARE * spread)}  # fmt: skip
    columns |= {"keeps_snow": keeps, "ecland_keeps_snow": ecland_keeps}
    columns |= dict.fromkeys(("snow_trend", "ecland_snow_trend"), np.zeros(n))
    if "sd" in state_names(run):
        columns["snow_trend"] = trend(_ends(run, "sd")[1:], cycle)
        columns["ecland_snow_trend"] = _own_trend(_ends(ecland, "sd"))
    return pd.DataFrame(columns, index=pd.RangeIndex(n, name="point"))


def _own_trend(ends: np.ndarray) -> np.ndarray:
    """Return the change over ecLand's years, from the ends of the years ``(year + 1, point)``, per decade."""
    return (ends[-1] - ends[0]) * 10 / (len(ends) - 1)


def _keeps_snow(years: xr.Dataset, cycle: int) -> np.ndarray:
    """Points with snow throughout the last cycle; none without snow mass in the state."""
    if "sd" not in state_names(years):
        return np.zeros(years.sizes["point"], dtype=bool)
    return np.all(years["sd_min"].values[-cycle:] > SNOW_LEFT, axis=0)


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation from year to year; zero for a single year."""
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])


def _classes(run: xr.Dataset) -> np.ndarray:
    if "climate_class" not in run:
        return np.full(run.sizes["point"], "unknown", dtype=object)
    numbers = np.rint(run["climate_class"].values).astype(int)
    return np.array([BIOMES[i] if 0 <= i < len(BIOMES) else "unknown" for i in numbers], dtype=object)


def _rows(finding: str, values: np.ndarray | pd.Series, units: str, here: np.ndarray | pd.Series) -> pd.DataFrame:
    """Findings at the points where ``here`` is true."""
    where = np.flatnonzero(here)
    columns = {"finding": finding, "point": where, "value": np.asarray(values, dtype=float)[where], "units": units}
    return pd.DataFrame({**columns, "note": ""}, columns=["finding", "point", "value", "units", "note"])


def _drift_rows(
    finding: str, slope: pd.Series, limit: pd.Series, units: str, ecland: pd.Series | None = None
) -> pd.DataFrame:
    """Findings at the points, by the index of ``slope``, whose slope exceeds its limit or is NaN."""
    here = ~(slope.abs() <= limit)
    rows = _rows(finding, slope, units, here)
    rows["point"] = slope.index.to_numpy()[here.to_numpy()]
    rows["note"] = [f"limit {v:.3g}" for v in limit[here]]
    if ecland is not None:
        rows["note"] += [f"; ecLand in its own years {v:+.3g}" for v in ecland[here]]
    return rows


def _criteria(points: pd.DataFrame, without_ice: pd.DataFrame, findings: pd.DataFrame) -> list[Criterion]:
    def count(*names: str) -> int:
        return findings.loc[findings["finding"].isin(names), "point"].nunique()

    temperature = [str(n) for n in points if str(n).startswith("stl") and str(n).endswith("_trend")]
    warmest = max(
        (_largest(without_ice[name]) for name in temperature), key=lambda v: np.inf if np.isnan(v) else abs(v)
    )
    away = f"ecLand away from it for {AWAY:.0%} of that time, and not on the way to it"
    spread = f"{SPREAD_SHARE:g} of ecLand's spread from year to year"
    shares = findings.groupby("finding")["value"].max()
    return [
        Criterion("finite", "Is every value finite?", "no step", float(points["years_not_finite"].max()), "years",
                  count("not finite")),
        Criterion("bounds", "Is a variable at a bound throughout the last cycle, where ecLand is not?", away,
                  shares.get(FOR_EVER, np.nan), "1", count(FOR_EVER)),
        Criterion("bounds, a year", "Is one at a bound throughout a year of it, where ecLand is not?", away,
                  shares.get(A_YEAR, np.nan), "1", count(A_YEAR)),
        Criterion("storage", "Does the water storage drift in the last half of the run?",
                  f"{STORAGE_DRIFT:g}, or {spread}", _largest(points["storage_trend"]), "kg m-2 per decade",
                  count("storage drift")),
        Criterion("temperature", "Does the temperature of a soil layer drift in the last half of the run?",
                  f"{TEMPERATURE_DRIFT:g}, or {spread}", warmest, "K per decade",
                  count(*(name.replace("_trend", " drift") for name in temperature))),
        Criterion("snow", "Does snow stay throughout the last cycle where ecLand's melts?", f"{SNOW_LEFT:g} kg m-2",
                  shares.get("snow kept all year", np.nan), "kg m-2 per decade", count("snow kept all year")),
    ]  # fmt: skip
