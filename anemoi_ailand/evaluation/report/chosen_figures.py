# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Selection of the figures of an evaluation: variables, dates and sites, read and drawn for the report."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display.style import save
from anemoi_ailand.evaluation.display.variables import ordered, variable_groups
from anemoi_ailand.evaluation.fields.fields import Fields, span
from anemoi_ailand.evaluation.fields.matching import ALL, HELD_OUT
from anemoi_ailand.evaluation.fields.single_run import ComparedRun
from anemoi_ailand.evaluation.figures.budget import budget_figure
from anemoi_ailand.evaluation.figures.density import density_figure
from anemoi_ailand.evaluation.figures.growth import growth_figure
from anemoi_ailand.evaluation.figures.maps import map_figure, rmse_map_figure
from anemoi_ailand.evaluation.figures.scorecard import scorecard_figure
from anemoi_ailand.evaluation.figures.snow_season import snow_season_figure
from anemoi_ailand.evaluation.figures.taylor import taylor_figure, taylor_statistics
from anemoi_ailand.evaluation.figures.time_series import sites_figure
from anemoi_ailand.evaluation.processes.budgets import Budgets
from anemoi_ailand.evaluation.report.page import ReportFigure
from anemoi_ailand.evaluation.settings import Maps
from anemoi_ailand.support.configuration import plain_name
from anemoi_ailand.support.sphere import wrap_longitude

LOG = logging.getLogger(__name__)

#: Variables of error growth and density, as far as available.
CORE = ("swvl1", "swvl2", "swvl3", "stl1", "stl2", "stl3", "snowc", "sd", "skt")
SURFACE = ("2t", "2d", "sshf", "slhf", "evap", "sro", "ssro", "gpp", "nee")
MAPPED = ("swvl1", "stl1", "sd", "slhf")
SITE_VARIABLES = (("swvl1",), ("swvl3",), ("stl1",), ("sd", "snowc"))

#: Most values of a variable in diagrams of a run; more are thinned in time.
MAX_VALUES = 200_000

#: Variables that identify snow on the ground, in order of preference, and their limits.
SNOW_ON_GROUND = {"snowc": 0.1, "sd": 1.0}

#: Share of the run with snow on the ground at a typical snowy site [1]: a season of four to five months.
SNOWY_SHARE = 0.4


@dataclass(frozen=True)
class Evaluated:
    """Results of an evaluation that its figures show."""

    labels: list[str]
    scores: pd.DataFrame
    differences: pd.DataFrame
    #: The long run of each forecast paired with the reference.
    runs: dict[str, ComparedRun]
    budgets: Budgets | None
    snow_errors: pd.DataFrame
    #: Variables and dates of the maps.
    maps: Maps = field(default_factory=Maps)


def write_figures(found: Evaluated, folder: Path) -> list[ReportFigure]:
    """Draw the figures as PNG files in ``folder``; figures without data are left out with a warning."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, draw, about in itertools.chain(_growth(found), _scorecards(found), _budgets(found), _runs(found)):
        path = folder / f"{name}.png"
        try:
            save(draw(), path)
        except ValueError as nothing:
            LOG.warning("No figure %s: %s", path.name, nothing)
            continue
        drawn.append(ReportFigure(path=path, **about))
    return drawn


#: File name, drawing function, and section, title and caption in the report.
Drawn = Iterator[tuple[str, Callable[[], Figure], dict[str, Any]]]


def _growth(found: Evaluated) -> Drawn:
    for protocol, part in itertools.product(sorted(set(found.scores["protocol"]) & {"A", "B"}), ("core", "surface")):
        rows = found.scores.query("protocol == @protocol and metric == 'rmse' and lead == lead")
        names = [n for n in (CORE if part == "core" else SURFACE) if n in set(rows["variable"])]
        if not names:
            continue
        title = "Error growth: " + ("soil and snow" if part == "core" else "air and fluxes")
        caption = "RMSE against lead time over all points; the band holds the middle half of the points."
        draw = partial(growth_figure, found.scores, names, found.labels, protocol)
        yield f"error_growth_{protocol.lower()}_{part}", draw, {
            "section": f"protocol-{protocol.lower()}", "title": title, "caption": caption, "protocol": protocol,
        }  # fmt: skip


def _scorecards(found: Evaluated) -> Drawn:
    if found.differences.empty:
        return
    pairs = found.differences[["protocol", "a", "b"]].drop_duplicates().itertuples(index=False)
    for protocol, a, b in (tuple(pair) for pair in pairs):
        if protocol == "C":
            continue
        draw = partial(scorecard_figure, found.differences, a, b, protocol)
        yield f"scorecard_{protocol.lower()}_{plain_name(a)}_{plain_name(b)}", draw, {
            "section": "against", "title": f"{a} against {b}, protocol {protocol}",
            "caption": "Filled where the 95 % interval of the difference excludes zero.", "protocol": protocol,
        }  # fmt: skip


def _budgets(found: Evaluated) -> Drawn:
    table = found.budgets.table if found.budgets is not None else None
    for budget in ("water", "energy") if table is not None else ():
        yield f"budget_{budget}", partial(budget_figure, table, budget, found.labels), {
            "section": "budgets", "title": f"Budget of {budget}", "protocol": "B",
            "caption": "Terms of the budget of each model, and the residual on its own scale.",
        }  # fmt: skip
    if len(found.snow_errors):
        yield "snow_season", partial(snow_season_figure, found.snow_errors, found.labels), {
            "section": "snow", "title": "Onset and melt-out", "protocol": "B",
            "caption": "Errors of dates of seasons in both; positive is later than the reference.",
        }  # fmt: skip


def _runs(found: Evaluated) -> Drawn:
    if not found.runs:
        return
    first = next(iter(found.runs.values()))
    names = [n for n in MAPPED if n in first.variables] or first.variables[:1]
    yield "sites", partial(_sites, found), {
        "section": "skill", "title": "Two sites over the years", "protocol": "B",
        "caption": "Daily means; the years of the climatology are shaded.",
    }  # fmt: skip
    yield from _diagrams(found)
    yield from _maps(found)
    yield from _score_maps(found, names)


def _diagrams(found: Evaluated) -> Drawn:
    rows, pairs = [], {}
    for label, run in found.runs.items():
        for name, (reference, forecast) in thinned(run, run.variables).items():
            rows.append({"model": label, "variable": name, **taylor_statistics(forecast, reference)})
            pairs[label, name] = (reference, forecast)
    groups = variable_groups(str(r["variable"]) for r in rows)
    yield "taylor", partial(taylor_figure, pd.DataFrame(rows), groups, found.labels), {
        "section": "protocol-b", "title": "Taylor diagram", "protocol": "B",
        "caption": "Correlation and ratio of standard deviations of the whole run, all points pooled.",
    }  # fmt: skip
    for label in found.runs:
        shown = {n: pairs[label, n] for n in (*CORE, *SURFACE)[:12] if (label, n) in pairs}
        shown = shown or {n: pair for (model, n), pair in pairs.items() if model == label}
        yield f"density_{plain_name(label)}", partial(density_figure, shown, label), {
            "section": "protocol-b", "title": f"Forecast against reference: {label}", "protocol": "B",
            "caption": "Number of values; the line marks equality.",
        }  # fmt: skip


def _maps(found: Evaluated) -> Drawn:
    """Maps of the configured variables and dates, by default of the middle of the run."""
    wanted = [(label, run, name) for label, run in found.runs.items() for name in found.maps.variables]
    for label, run, name in wanted:
        dates = [map_time(run.times, date) for date in found.maps.dates] or [run.times[len(run.times) // 2]]
        for date in dates if name in run.variables else ():
            reference = run.reference.load([name], date, date, run.points)[name].isel(time=0)
            forecast = run.forecast.load([name], date, date)[name].isel(time=0)
            stem = f"map_{name}" + (f"_{plain_name(label)}" if len(found.runs) > 1 else "")
            stem += f"_{np.datetime_as_string(date, 'h')}" if found.maps.dates else ""
            yield stem, partial(map_figure, reference, forecast, label), {
                "section": "maps", "title": f"{name}: reference, {label}, difference", "variable": name,
                "caption": f"{np.datetime_as_string(date, 'h')} UTC.", "protocol": "B",
            }  # fmt: skip


def _score_maps(found: Evaluated, names: list[str]) -> Drawn:
    """Maps of the RMSE; the first is shown with the scorecard."""
    for name in names:
        errors = {label: _rmse(run, name) for label, run in found.runs.items() if name in run.variables}
        yield f"map_rmse_{name}", partial(rmse_map_figure, errors, name), {
            "section": "skill" if name == names[0] else "maps", "title": f"RMSE of {name} at each point",
            "variable": name, "protocol": "B", "caption": "Over the whole run.",
        }  # fmt: skip


def _rmse(run: ComparedRun, name: str) -> xr.DataArray:
    """RMSE ``(point,)`` over the whole run."""
    total, n = np.zeros(len(run.points)), 0
    for block in run.forecast.blocks([name], run.times[0], run.times[-1]):
        times = block["time"].values
        reference = run.reference.load([name], times[0], times[-1], run.points)[name].values
        total += ((block[name].values.astype(np.float64) - reference) ** 2).sum(0)
        n += len(times)
    place = {"latitude": ("point", run.forecast.latitude), "longitude": ("point", run.forecast.longitude)}
    return xr.DataArray(np.sqrt(total / n), dims="point", coords=place, name=name)


def map_time(times: np.ndarray, wanted: object) -> np.datetime64:
    """Return the date of a map, which must be one of ``times``."""
    date = np.datetime64(wanted, "ns")  # type: ignore[call-overload]
    if date not in times:
        raise ValueError(f"The map date '{wanted}' is not among the dates of the run, {span(times)}. Give one of them.")
    return date


def thinned(run: ComparedRun, names: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read reference and forecast of a run by variable, thinned in time to about :data:`MAX_VALUES` values each."""
    step = max(1, len(run.times) * len(run.points) // MAX_VALUES)
    step += step % 2 == 0 and step > 1  # an odd step samples every hour of the day
    times = run.times[::step]

    def read(fields: Fields, points: np.ndarray | None) -> xr.Dataset:
        blocks = fields.blocks(names, times[0], times[-1], points)
        return xr.concat([block.sel(time=np.isin(block["time"], times)) for block in blocks], "time")

    reference, forecast = read(run.reference, run.points), read(run.forecast, None)
    return {name: (reference[name].values, forecast[name].values) for name in names}


def _sites(found: Evaluated) -> Figure:
    first = next(iter(found.runs.values()))
    common = [n for n in ordered(first.variables) if all(n in run.variables for run in found.runs.values())]
    names = [next(n for n in options if n in common) for options in SITE_VARIABLES if set(options) & set(common)]
    names = names or common[:3]
    if not names:
        raise ValueError(f"The forecasts {list(found.runs)} have no variable in common. Leave the sites out.")
    sites = _choose_sites(first)
    reference = first.reference.load(names, points=first.points[sites])
    forecasts = {label: run.forecast.load(names, None, run.times[-1], sites) for label, run in found.runs.items()}
    return sites_figure(reference, forecasts, [_site_title(first, s) for s in sites], first.period)


def _choose_sites(run: ComparedRun) -> np.ndarray:
    """Indices of two sites among the held-out points (all points without these), a snowy and a snow-free one."""
    candidates = run.groups.get(HELD_OUT, run.groups[ALL])
    candidates = candidates if len(candidates) > 1 else run.groups[ALL]
    snow = next((v for v in SNOW_ON_GROUND if v in run.variables), None)
    names = list({run.variables[0], snow or run.variables[0]})
    times = np.append(run.forecast.times[:1], run.times)
    reference = run.reference.load(names, times[0], times[-1], run.points[candidates]).sel(time=times)
    spread = reference[run.variables[0]].std("time").values
    share = np.zeros(len(candidates)) if snow is None else (reference[snow] > SNOW_ON_GROUND[snow]).mean("time").values
    return candidates[_snowy_and_free(spread, share)]


def _snowy_and_free(spread: np.ndarray, share: np.ndarray) -> list[int]:
    """Indices of the two sites from variability and share of time with snow ``(point,)``."""
    off_season = np.where(share > 0, np.abs(share - SNOWY_SHARE), np.inf)
    snowy = int(np.argmin(off_season)) if np.any(share > 0) else int(np.argmax(spread))
    others = np.setdiff1d(np.arange(len(share)), [snowy])
    if len(others) == 0:
        return [snowy]
    free = others[share[others] == share[others].min()]
    return [snowy, int(free[np.argsort(spread[free], kind="stable")[len(free) // 2]])]


def _site_title(run: ComparedRun, site: int) -> str:
    """Coordinates of a point of the forecast, with a mark if it is held out."""
    lat, lon = run.forecast.latitude[site], wrap_longitude(run.forecast.longitude[site])
    place = f"{abs(lat):.1f}°{'N' if lat >= 0 else 'S'}, {abs(lon):.1f}°{'E' if lon >= 0 else 'W'}"
    held_out = site in run.groups.get(HELD_OUT, ())
    return f"{place}, {'held-out' if held_out else 'trained' if HELD_OUT in run.groups else 'a'} point"
