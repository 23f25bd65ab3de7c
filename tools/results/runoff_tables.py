# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Measures and tables of runoff over groups of held-out points, and of storage from year to year."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from anemoi_ailand.constants import STEP_SECONDS
from anemoi_ailand.evaluation.scores.strata import BIOMES
from anemoi_ailand.physics.budgets import water_storage
from tools.results.pages import table
from tools.results.snow_runs import Pair
from tools.results.snow_tables import rms, share_text, text_of

#: Fewest points of a basin.
FEWEST = 9


@dataclass(frozen=True)
class Basin:
    """Group of points whose mean runoff stands for that of a river: title, climate classes, northern points only."""

    title: str
    classes: tuple[str, ...]
    north: bool = False


BASINS = (
    Basin("snow-fed, northern (boreal, continental)", ("boreal", "continental"), north=True),
    Basin("rain-fed, temperate (maritime, subtropical)", ("maritime", "subtropical")),
    Basin("monsoon (savanna)", ("savanna",)),
)

#: Runoff by title: names of its terms.
RUNOFF = {"`sro` + `ssro`": ("sro", "ssro"), "`sro`": ("sro",), "`ssro`": ("ssro",)}

#: Variables whose errors are compared from year 2 to year 5.
GROWING = ("stl1", "stl2", "stl3", "swvl1", "swvl2", "swvl3")

#: Water of the soil layers.
LAYERS = ("swvl1", "swvl2", "swvl3", "swvl4")

#: Scores of the table of runoff.
SCORES = ("correlation_points", "correlation_area", "correlation_months", "efficiency_days", "efficiency_months",
          "efficiency_points")  # fmt: skip

_DAYS_OF_YEAR = 365.25


def members(ecland: xr.Dataset, basin: Basin) -> np.ndarray:
    """Return the indices of the points of a basin; fewer than :data:`FEWEST` are an error."""
    numbers = [BIOMES.index(name) for name in basin.classes]
    inside = np.isin(ecland["climate_class"].values, numbers)
    if basin.north:
        inside &= ecland["latitude"].values > 0
    if inside.sum() < FEWEST:
        raise ValueError(f"'{basin.title}' has {inside.sum()} held-out points, and needs {FEWEST}. Add a class to it.")
    return np.flatnonzero(inside)


def amounts(data: xr.Dataset, terms: tuple[str, ...], points: np.ndarray) -> xr.DataArray:
    """Return the runoff of each step ``(time, point)`` [mm], at the start of the step."""
    total = sum((data[name].isel(point=points) for name in terms[1:]), data[terms[0]].isel(point=points))
    begin = data["time"].values - np.timedelta64(int(STEP_SECONDS), "s")
    return (total * STEP_SECONDS).assign_coords(time=begin)


def correlation(mine: np.ndarray, truth: np.ndarray) -> float:
    """Return the correlation of two series, NaN if one is constant."""
    return float(np.corrcoef(mine, truth)[0, 1]) if mine.std() > 0 and truth.std() > 0 else np.nan


def efficiency(mine: np.ndarray, truth: np.ndarray) -> float:
    r"""Return the efficiency of Nash and Sutcliffe, :math:`1 - \sum (m - t)^2 / \sum (t - \bar t)^2`."""
    spread = ((truth - truth.mean()) ** 2).sum()
    return float(1 - ((mine - truth) ** 2).sum() / spread) if spread > 0 else np.nan


def _over_points(measure: Callable[[np.ndarray, np.ndarray], float], mine: xr.DataArray, truth: xr.DataArray) -> float:
    values = [measure(mine.values[:, k], truth.values[:, k]) for k in range(mine.shape[1])]
    return float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan


def runoff_measures(pair: Pair, points: np.ndarray, terms: tuple[str, ...]) -> dict[str, float]:
    """Measure the runoff of a basin: correlations and efficiencies of points (medians) and of the mean, annual sums."""
    mine, truth = (amounts(data, terms, points) for data in (pair.emulator, pair.ecland))
    days = [series.resample(time="1D").sum() for series in (mine, truth)]
    area = [series.mean("point") for series in (mine, truth)]
    daily, monthly = ([s.resample(time=step).sum().values for s in area] for step in ("1D", "1MS"))
    squares = ((mine - truth) ** 2).sum("time").values
    worst, total = int(np.argmax(squares)), float(squares.sum())
    annual = [float(s.sum()) / (len(s) * STEP_SECONDS / 86400) * _DAYS_OF_YEAR for s in area]
    return {
        "points": float(len(points)), "annual": annual[1], "bias": (annual[0] / annual[1] - 1) * 100,
        "correlation_points": _over_points(correlation, mine, truth),
        "correlation_area": correlation(area[0].values, area[1].values), "correlation_months": correlation(*monthly),
        "efficiency_days": efficiency(*daily), "efficiency_months": efficiency(*monthly),
        "efficiency_points": _over_points(efficiency, *days),
        "share": float(squares[worst] / total) if total > 0 else 0.0,
        "point_id": float(pair.ecland["point_id"].values[points[worst]]),
    }  # fmt: skip


def runoff_table(pairs: dict[str, Pair]) -> str:
    """Tabulate the runoff of each basin, by run and term."""
    head = ["basin", "run", "runoff", "ecLand [mm a-1]", "bias of the annual sum"]
    head += ["correlation at 6 h, median of points", "of the sum at 6 h", "of monthly sums"]
    head += ["NSE, daily sum", "NSE, monthly sum", "NSE, daily, median of points"]
    rows = [[*head, "largest share of one point in the squared error (`point_id`)"]]
    for basin in BASINS:
        for period, pair in pairs.items():
            points = members(pair.ecland, basin)
            for title, terms in RUNOFF.items():
                of = runoff_measures(pair, points, terms)
                scores = [text_of(of[name], ".3f") for name in SCORES]
                rows.append([
                    f"{basin.title}, {len(points)} points", period, title, f"{of['annual']:.0f}",
                    f"{of['bias']:+.1f} %", *scores, f"{share_text(of['share'])} ({of['point_id']:.0f})",
                ])  # fmt: skip
    return table(rows)


def runoff_sentence(pair: Pair) -> str:
    """Return a sentence with the headline numbers of total runoff over the five years."""
    found = [runoff_measures(pair, members(pair.ecland, basin), RUNOFF["`sro` + `ssro`"]) for basin in BASINS]
    names = [basin.title.partition(" (")[0] for basin in BASINS]
    listed = "; ".join(
        f"{name}: NSE {text_of(of['efficiency_days'], '.3f')} by day and {text_of(of['efficiency_months'], '.3f')} by "
        f"month, annual sum {of['bias']:+.1f} %"
        for name, of in zip(names, found, strict=True)
    )
    return f"**Runoff**, means over the points of a basin in five years: {listed}."


def yearly_rmse(pair: Pair, name: str) -> dict[int, float]:
    """Return the RMSE over the points in each calendar year of a run, by number of the year from 1."""
    error = pair.emulator[name] - pair.ecland[name]
    years = error["time"].dt.year.values
    return {int(y - years[0] + 1): rms(error.values[years == y]) for y in np.unique(years)}


def growth_table(pair: Pair) -> str:
    """Tabulate the RMSE by year of the run, and the last relative to the second."""
    found = {name: yearly_rmse(pair, name) for name in GROWING}
    years = list(next(iter(found.values())))
    rows = [["held-out RMSE", *(f"year {y}" for y in years), f"year {years[-1]} / year 2"]]
    for name, of in found.items():
        form = ".4f" if name.startswith("swvl") else ".2f"
        rows.append([f"`{name}`", *(format(of[y], form) for y in years), f"{of[years[-1]] / of[2]:.2f}"])
    return table(rows)


def trends(storage: xr.DataArray) -> np.ndarray:
    """Return the linear trend of annual means of a storage ``(time, point)`` at each point, per year."""
    annual = storage.groupby("time.year").mean("time")
    return np.asarray(annual.polyfit("year", 1)["polyfit_coefficients"].sel(degree=1))


def storage_of(data: xr.Dataset, snow: bool) -> xr.DataArray:
    """Return the water of soil and interception, with snow on demand, ``(time, point)`` [kg m-2]."""
    layers = np.stack([data[name].values for name in LAYERS])
    sd = data["sd"].values if snow else np.zeros_like(data["sd"].values)
    return xr.DataArray(
        water_storage(layers, sd, data["src"].values), dims=("time", "point"), coords={"time": data["time"]}
    )


def storage_measures(pair: Pair, snow: bool) -> dict[str, float]:
    """Measure the drift of storage: trends of the error, and of ecLand's storage for comparison [mm a-1]."""
    mine, truth = (storage_of(data, snow) for data in (pair.emulator, pair.ecland))
    drift, natural = trends(mine - truth), trends(truth)
    last = (mine - truth).isel(time=-1).values
    return {
        "mean": float(drift.mean()), "median": float(np.median(np.abs(drift))),
        "most": float(np.quantile(np.abs(drift), 0.9)), "largest": float(np.abs(drift).max()),
        "ecland": float(np.median(np.abs(natural))), "last": float(np.median(np.abs(last))),
    }  # fmt: skip


def storage_table(pair: Pair) -> str:
    """Tabulate the drift of storage over the run, with and without snow."""
    rows = [["storage, mm", "mean drift per year", "median size", "90 % of points within", "largest",
             "median size of ecLand's own trend", "median size of the error on the last date"]]  # fmt: skip
    for title, snow in (("soil, interception and snow", True), ("without snow", False)):
        of = storage_measures(pair, snow)
        rows.append([title, f"{of['mean']:+.2f}", *(
            f"{of[name]:.2f}" for name in ("median", "most", "largest", "ecland", "last"))])  # fmt: skip
    return table(rows)


def storage_sentence(pair: Pair) -> str:
    """Return a sentence with the headline numbers of storage."""
    found = {name: yearly_rmse(pair, name) for name in GROWING}
    growth = {name: of[max(of)] / of[2] for name, of in found.items()}
    least, most = min(growth, key=growth.__getitem__), max(growth, key=growth.__getitem__)
    of = storage_measures(pair, snow=False)
    return (
        f"**Storage.** From year 2 to year {max(found[most])}, errors change by factors between {growth[least]:.2f} "
        f"(`{least}`) and {growth[most]:.2f} (`{most}`); storage without snow drifts by {of['median']:.1f} mm a year "
        f"in the median of the points, and by less than {of['most']:.1f} mm at 90 % of them."
    )
