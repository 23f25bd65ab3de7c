# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Judge a century with repeated forcing: does it stay finite, does anything get stuck, does anything drift?

Fields are ``(year, point)`` as the roll-out writes them; ecLand's own years have the same form, for one cycle.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.evaluation.scores.strata import BIOMES
from anemoi_ailand.physics.budgets import water_storage

LOG = logging.getLogger(__name__)

#: Cycles that a run must have: drift is judged by the last half, and a slope needs two of them.
LEAST_CYCLES = 4

#: Drift that counts whatever the spread is: of storage [kg m-2 per decade] and of soil temperature [K per decade].
STORAGE_DRIFT, TEMPERATURE_DRIFT = 1.0, 0.02

#: Drift in a decade, as a part of ecLand's spread from year to year, that counts where the spread is large [1].
SPREAD_SHARE = 0.1

#: Part of a year that ecLand must be away from a bound for a model to be stuck there [1]: four days.
AWAY = 0.01

#: Variables that are at a bound by nature: without snow ``tsn`` is the melting point, from which the rounding of
#: ecLand's output moves it.
OF_NATURE = ("tsn",)

#: Findings of variables at a bound: through the last cycle, and through some of its years.
FOR_EVER, A_YEAR = "stuck for ever", "stuck for a year"

#: Snow that is left at its smallest if it stays all year [kg m-2].
SNOW_LEFT = 1.0


@dataclass(frozen=True)
class Criterion:
    """One question and its answer.

    Attributes
    ----------
    name, question : str
        Short name; what is asked.
    limit : str
        What is allowed.
    worst : float
        The largest value found; NaN if there is none.
    units : str
        Unit of ``worst``.
    points : int
        Points that fail; the criterion is passed if there is none.
    """

    name: str
    question: str
    limit: str
    worst: float
    units: str
    points: int

    @property
    def passed(self) -> bool:
        """Whether no point fails."""
        return self.points == 0


@dataclass(frozen=True)
class Verdict:
    """Answers, a row for each point, and a row for each finding at a point (``finding, point, value, units, note``)."""

    criteria: list[Criterion]
    points: pd.DataFrame
    findings: pd.DataFrame

    @property
    def passed(self) -> bool:
        """Whether all criteria are passed."""
        return all(c.passed for c in self.criteria)


def storage(years: xr.Dataset, snow: bool = True) -> np.ndarray:
    """Water on and in the land at the end of each year, the start before them: ``(year + 1, point)`` [kg m-2].

    Of the layers and stores that the state has; without ``snow``, soil and interception only.
    """
    layers = np.stack([_ends(years, f"swvl{k}") for k in layers_of(years, "swvl")])
    sd, src = (_ends(years, n) if n in state_names(years) else np.zeros(layers.shape[1:]) for n in ("sd", "src"))
    return water_storage(layers, sd if snow else np.zeros_like(sd), src)


def state_names(years: xr.Dataset) -> list[str]:
    """Variables whose years a file holds."""
    return [str(n).removesuffix("_end") for n in years.data_vars if str(n).endswith("_end")]


def layers_of(years: xr.Dataset, kind: str) -> list[int]:
    """Soil layers of ``swvl`` or ``stl`` that the state has, from the top without a gap.

    Raises
    ------
    ValueError
        There is none.
    """
    names = state_names(years)
    found = list(itertools.takewhile(lambda k: f"{kind}{k}" in names, itertools.count(1)))
    if not found:
        raise ValueError(
            f"The state of the run is {names}, without {kind}1, so that its drift cannot be judged. Give a checkpoint "
            "that carries soil water and soil temperature."
        )
    return found


def trend(values: np.ndarray, cycle: int) -> np.ndarray:
    r"""Slope over the last half of a run, per decade.

    Least squares of the means over cycles, in whole cycles from the end: what repeats with the forcing has no slope.

    Parameters
    ----------
    values : numpy.ndarray, shape (year, point)
    cycle : int
        Years of a cycle.

    Raises
    ------
    ValueError
        There are fewer than :data:`LEAST_CYCLES` cycles.
    """
    n = len(values) // cycle // 2
    check_length(len(values), cycle)
    means = values[len(values) - n * cycle :].reshape(n, cycle, -1).mean(axis=1)
    number = np.arange(n) - (n - 1) / 2
    return (number @ means) / (number @ number) * 10 / cycle


def check_length(years: int, cycle: int) -> None:
    """Refuse a run that is too short to judge drift."""
    if years < LEAST_CYCLES * cycle:
        raise ValueError(
            f"{years} years are {years / cycle:g} cycles of {cycle} years of forcing, and drift is judged by the last "
            f"half of at least {LEAST_CYCLES}. Give {LEAST_CYCLES * cycle} years or more, or repeat fewer years."
        )


def judge(run: xr.Dataset, ecland: xr.Dataset) -> Verdict:
    """Answer all questions about a run.

    Where ecLand keeps snow all year, that snow grows or shrinks for ever with repeated forcing in ecLand, too, and the
    ground below it with it. Such points are named with the growth in both; storage is judged without snow there, and
    the temperature not at all.

    Parameters
    ----------
    run, ecland : xarray.Dataset
        Years of the run, and of ecLand for the years that are repeated.

    Raises
    ------
    ValueError
        The run is too short, or a variable of the water storage is missing.
    """
    cycle = ecland.sizes["year"]
    points = _points(run, ecland, cycle)
    kept = points["ecland_keeps_snow"].to_numpy()
    findings = [
        _rows("not finite", points["years_not_finite"].to_numpy(), "years", points["years_not_finite"] > 0),
        stuck(run, ecland),
        _drift_rows("storage drift", points["storage_trend"], points["storage_limit"], "kg m-2 per decade"),
        *(_drift_rows(f"stl{k} drift", points[f"stl{k}_trend"][~kept], points[f"stl{k}_limit"][~kept], "K per decade")
          for k in layers_of(run, "stl")),
        _rows("snow kept all year", points["snow_trend"], "kg m-2 per decade", points["keeps_snow"] & ~kept),
    ]  # fmt: skip
    table = pd.concat(findings, ignore_index=True)
    return Verdict(_criteria(points, points[~kept], table), points, table)


def stuck(run: xr.Dataset, ecland: xr.Dataset) -> pd.DataFrame:
    """Variables at a bound all through the last cycle, or through a year of it, where ecLand is away from it then.

    Returns
    -------
    pandas.DataFrame
        As findings; ``value`` is the share of that time that ecLand is away from the bound.
    """
    cycle, total = ecland.sizes["year"], run.sizes["year"]
    last = np.arange(total - cycle, total)
    phase = last % cycle
    steps, of_ecland = run["steps"].values[last][:, None], ecland["steps"].values[phase][:, None]
    found = []
    for name in (n for n in state_names(run) if n not in OF_NATURE):
        for side in ("lower", "upper"):
            away = 1 - ecland[f"{name}_at_{side}"].values[phase] / of_ecland
            here = run[f"{name}_at_{side}"].values[last] == steps
            whole = here.all(axis=0) & (away.mean(axis=0) > AWAY)
            years = here & (away > AWAY) & ~whole
            note = f"{name} at its {side} bound"
            for kind, where, share in ((FOR_EVER, whole, away.mean(axis=0)), (A_YEAR, years.any(axis=0), away)):
                rows = _rows(kind, np.where(years, share, 0.0).max(axis=0) if kind == A_YEAR else share, "1", where)
                counts = whole * cycle if kind == FOR_EVER else years.sum(axis=0)
                text = "{} in {} of {} years; part of that time that ecLand is away from it"
                rows["note"] = [text.format(note, n, cycle) for n in counts[where]]
                found.append(rows)
    return pd.concat(found, ignore_index=True)


def by_class(points: pd.DataFrame) -> pd.DataFrame:
    """Points by climate class: how many, how storage and temperature changed, the largest drifts."""
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
    """Value that is farthest from zero, with its sign; NaN where one is not finite."""
    array = values.to_numpy(dtype=float)
    return float(array[np.argmax(np.abs(array))]) if np.isfinite(array).all() else np.nan


def _ends(years: xr.Dataset, name: str) -> np.ndarray:
    """Values at the start and at the end of each year, ``(year + 1, point)``, float64."""
    return np.concatenate([years[f"{name}_start"].values[None], years[f"{name}_end"].values]).astype(np.float64)


def _points(run: xr.Dataset, ecland: xr.Dataset, cycle: int) -> pd.DataFrame:
    """What is known of each point."""
    n = run.sizes["point"]
    marks = {k: run[k].values for k in ("point_id", "held_out") if k in run}
    columns = {"latitude": run["latitude"].values, "longitude": run["longitude"].values, **marks}
    columns["climate_class"] = _classes(run)
    columns["years_not_finite"] = (run["not_finite"].values > 0).sum(axis=0)
    keeps, ecland_keeps = _keeps_snow(run, cycle), _keeps_snow(ecland, cycle)
    for years in (run, ecland):  # snow that stays in ecLand is no part of a storage that could be in balance
        values = np.where(ecland_keeps, storage(years, snow=False), storage(years))
        if years is run:
            columns |= {"storage_start": values[0], "storage_last": values[-cycle:].mean(axis=0),
                        "storage_trend": trend(values[1:], cycle)}  # fmt: skip
        else:
            columns["storage_spread"] = _spread(values[1:])
    columns["storage_limit"] = np.maximum(STORAGE_DRIFT, SPREAD_SHARE * columns["storage_spread"])
    for k in layers_of(run, "stl"):
        mean, truth = (y[f"stl{k}_mean"].values.astype(np.float64) for y in (run, ecland))
        spread = _spread(truth)
        columns |= {f"stl{k}_shift": mean[-cycle:].mean(axis=0) - truth.mean(axis=0),
                    f"stl{k}_trend": trend(mean, cycle), f"stl{k}_spread": spread,
                    f"stl{k}_limit": np.maximum(TEMPERATURE_DRIFT, SPREAD_SHARE * spread)}  # fmt: skip
    columns |= {"keeps_snow": keeps, "ecland_keeps_snow": ecland_keeps}
    columns |= dict.fromkeys(("snow_trend", "ecland_snow_trend"), np.zeros(n))
    if "sd" in state_names(run):
        columns["snow_trend"] = trend(_ends(run, "sd")[1:], cycle)
        columns["ecland_snow_trend"] = np.diff(_ends(ecland, "sd")[[0, -1]], axis=0)[0] * 10 / cycle
    return pd.DataFrame(columns, index=pd.RangeIndex(n, name="point"))


def _keeps_snow(years: xr.Dataset, cycle: int) -> np.ndarray:
    """Points with snow all through the last cycle; none where the state has no snow mass."""
    if "sd" not in state_names(years):
        return np.zeros(years.sizes["point"], dtype=bool)
    return np.all(years["sd_min"].values[-cycle:] > SNOW_LEFT, axis=0)


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation from year to year; zero for a single year, which has none."""
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


def _drift_rows(finding: str, slope: pd.Series, limit: pd.Series, units: str) -> pd.DataFrame:
    """Points, by the index of ``slope``, whose slope is beyond its limit, or not known."""
    here = ~(slope.abs() <= limit)
    rows = _rows(finding, slope, units, here)
    rows["point"] = slope.index.to_numpy()[here.to_numpy()]
    rows["note"] = [f"limit {v:.3g}" for v in limit[here]]
    return rows


def _criteria(points: pd.DataFrame, without_ice: pd.DataFrame, findings: pd.DataFrame) -> list[Criterion]:
    def count(*names: str) -> int:
        return findings.loc[findings["finding"].isin(names), "point"].nunique()

    temperature = [str(n) for n in points if str(n).startswith("stl") and str(n).endswith("_trend")]
    warmest = max(
        (_largest(without_ice[name]) for name in temperature), key=lambda v: np.inf if np.isnan(v) else abs(v)
    )
    away = f"ecLand away from it for {AWAY:.0%} of that time"
    spread = f"{SPREAD_SHARE:g} of ecLand's spread from year to year"
    shares = findings.groupby("finding")["value"].max()
    return [
        Criterion("finite", "Is every value finite?", "no step", float(points["years_not_finite"].max()), "years",
                  count("not finite")),
        Criterion("bounds", "Is a variable at a bound all through the last cycle, where ecLand is not?", away,
                  shares.get(FOR_EVER, np.nan), "1", count(FOR_EVER)),
        Criterion("bounds, a year", "Is it there through a year of the last cycle, where ecLand is not?", away,
                  shares.get(A_YEAR, np.nan), "1", count(A_YEAR)),
        Criterion("storage", "Does the water storage drift in the last half of the run?",
                  f"{STORAGE_DRIFT:g}, or {spread}", _largest(points["storage_trend"]), "kg m-2 per decade",
                  count("storage drift")),
        Criterion("temperature", "Does the temperature of a soil layer drift in the last half of the run?",
                  f"{TEMPERATURE_DRIFT:g}, or {spread}", warmest, "K per decade",
                  count(*(name.replace("_trend", " drift") for name in temperature))),
        Criterion("snow", "Does snow stay all through the last cycle where ecLand's melts?", f"{SNOW_LEFT:g} kg m-2",
                  shares.get("snow kept all year", np.nan), "kg m-2 per decade", count("snow kept all year")),
    ]  # fmt: skip
