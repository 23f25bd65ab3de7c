# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Choose what the figures of an evaluation show, read it, and write them for the report."""

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
from anemoi_ailand.evaluation.display.variable_groups import ordered, variable_groups
from anemoi_ailand.evaluation.fields.case import Case
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.figures.budget import budget_figure
from anemoi_ailand.evaluation.figures.case_figures import choose_sites, map_time, site_title
from anemoi_ailand.evaluation.figures.density import density_figure
from anemoi_ailand.evaluation.figures.growth import growth_figure
from anemoi_ailand.evaluation.figures.maps import map_figure, score_map_figure
from anemoi_ailand.evaluation.figures.scorecard import scorecard_figure
from anemoi_ailand.evaluation.figures.snow_season import snow_season_figure
from anemoi_ailand.evaluation.figures.taylor import taylor_figure, taylor_statistics
from anemoi_ailand.evaluation.figures.time_series import sites_figure
from anemoi_ailand.evaluation.processes.budgets import Budgets
from anemoi_ailand.evaluation.report.page import ReportFigure
from anemoi_ailand.evaluation.settings import Maps
from anemoi_ailand.support.configuration import plain_name

LOG = logging.getLogger(__name__)

#: Variables of the figures of error growth and of density, as far as they are there.
CORE = ("swvl1", "swvl2", "swvl3", "stl1", "stl2", "stl3", "snowc", "sd", "skt")
SURFACE = ("2t", "2d", "sshf", "slhf", "evap", "sro", "ssro", "gpp", "nee")
MAPPED = ("swvl1", "stl1", "sd", "slhf")
SITE_VARIABLES = (("swvl1",), ("swvl3",), ("stl1",), ("sd", "snowc"))

#: Most values of a variable from which a diagram of a run is made; more are thinned in time.
MAX_VALUES = 200_000


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation has found, from which its figures are drawn."""

    labels: list[str]
    scores: pd.DataFrame
    differences: pd.DataFrame
    #: The long run of each forecast beside the reference.
    runs: dict[str, Case]
    budgets: Budgets | None
    snow_errors: pd.DataFrame
    #: Variables and dates of the maps.
    maps: Maps = field(default_factory=Maps)


def write_figures(found: Evaluated, folder: Path) -> list[ReportFigure]:
    """Draw all figures that the results allow, as PNG files in ``folder``.

    A figure that has nothing to show is left out, and the log says so.

    Parameters
    ----------
    found : Evaluated
        Results.
    folder : Path
        Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, draw, about in itertools.chain(_growth(found), _scorecards(found), _budgets(found), _runs(found)):
        path = folder / f"{name}.png"
        try:
            save(draw(), path)
        except ValueError as nothing:
            LOG.warning("No figure %s: %s", path.name, nothing)
            continue
        drawn.append(ReportFigure(path=path, **{"alt": f"{about['title']}. {about['caption']}", **about}))
    return drawn


#: Name, function that draws, and what the report says about it.
Drawn = Iterator[tuple[str, Callable[[], Figure], dict[str, Any]]]


def _growth(found: Evaluated) -> Drawn:
    for protocol, part in itertools.product(sorted(set(found.scores["protocol"]) & {"A", "B"}), ("core", "surface")):
        rows = found.scores.query("protocol == @protocol and metric == 'rmse' and lead == lead")
        names = [n for n in (CORE if part == "core" else SURFACE) if n in set(rows["variable"])]
        if not names:
            continue
        title = "Error growth: " + ("soil and snow" if part == "core" else "air and fluxes")
        caption = "RMSE against lead time over all points; the band holds the middle half of the points."
        draw = partial(growth_figure, found.scores, names, found.labels, protocol=protocol)
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
        draw = partial(scorecard_figure, found.differences, a, b, protocol=protocol)
        yield f"scorecard_{protocol.lower()}_{plain_name(a)}_{plain_name(b)}", draw, {
            "section": "against", "title": f"{a} against {b}, protocol {protocol}",
            "caption": "Filled where the 95 % interval of the difference leaves out zero.", "protocol": protocol,
        }  # fmt: skip


def _budgets(found: Evaluated) -> Drawn:
    table = found.budgets.table if found.budgets is not None else None
    for budget in ("water", "energy") if table is not None else ():
        yield f"budget_{budget}", partial(budget_figure, table, budget, found.labels, note="protocol B"), {
            "section": "budgets", "title": f"Budget of {budget}", "protocol": "B",
            "caption": "Terms of the budget of each model, and its residual on a scale of its own.",
        }  # fmt: skip
    if len(found.snow_errors):
        yield "snow_season", partial(snow_season_figure, found.snow_errors, found.labels), {
            "section": "snow", "title": "Onset and melt-out", "protocol": "B",
            "caption": "Errors of the dates of the seasons that both have; positive is later than the reference.",
        }  # fmt: skip


def _runs(found: Evaluated) -> Drawn:
    if not found.runs:
        return
    first = next(iter(found.runs.values()))
    names = [n for n in MAPPED if n in first.variables] or first.variables[:1]
    yield from _diagrams(found)
    yield from _maps(found)
    yield from _score_maps(found, names)
    yield "sites", partial(_sites, found), {
        "section": "maps", "title": "Two sites over the years", "protocol": "B",
        "caption": "Daily means; the years of the climatology are shaded.",
    }  # fmt: skip


def _diagrams(found: Evaluated) -> Drawn:
    rows, pairs = [], {}
    for label, case in found.runs.items():
        for name, (truth, emulated) in thinned(case, case.variables).items():
            rows.append({"model": label, "variable": name, **taylor_statistics(emulated, truth)})
            pairs[label, name] = (truth, emulated)
    groups = variable_groups(str(r["variable"]) for r in rows)
    yield "taylor", partial(taylor_figure, pd.DataFrame(rows), groups, found.labels, note="protocol B"), {
        "section": "protocol-b", "title": "Taylor diagram", "protocol": "B",
        "caption": "Correlation and ratio of standard deviations of the whole run, all points pooled.",
    }  # fmt: skip
    for label in found.runs:
        shown = {n: pairs[label, n] for n in (*CORE, *SURFACE)[:12] if (label, n) in pairs}
        shown = shown or {n: pair for (model, n), pair in pairs.items() if model == label}
        yield f"density_{plain_name(label)}", partial(density_figure, shown, label, note="protocol B"), {
            "section": "protocol-b", "title": f"Forecast against reference: {label}", "protocol": "B",
            "caption": "Number of values; on the line the two are equal.",
        }  # fmt: skip


def _maps(found: Evaluated) -> Drawn:
    """Maps of the variables and dates asked for; of the middle of the run if no date is."""
    wanted = [(label, case, name) for label, case in found.runs.items() for name in found.maps.variables]
    for label, case, name in wanted:
        dates = [map_time(case.times, np.datetime64(d)) for d in found.maps.dates or ()] or [map_time(case.times, None)]
        for date in dates if name in case.variables else ():
            reference = case.reference.load([name], date, date, case.points)[name].isel(time=0)
            emulated = case.forecast.load([name], date, date)[name].isel(time=0)
            stem = f"map_{name}" + (f"_{plain_name(label)}" if len(found.runs) > 1 else "")
            stem += f"_{np.datetime_as_string(date, 'h')}" if found.maps.dates else ""
            yield stem, partial(map_figure, reference, emulated, label), {
                "section": "maps", "title": f"{name}: reference, {label}, difference", "variable": name,
                "caption": f"{np.datetime_as_string(date, 'h')} UTC.", "protocol": "B",
            }  # fmt: skip


def _score_maps(found: Evaluated, names: list[str]) -> Drawn:
    for name in names:
        errors = {label: _rmse(case, name) for label, case in found.runs.items() if name in case.variables}
        yield f"map_rmse_{name}", partial(score_map_figure, errors, name, "rmse", note="protocol B"), {
            "section": "maps", "title": f"RMSE of {name} at each point", "variable": name, "protocol": "B",
            "caption": "Over the whole run.",
        }  # fmt: skip


def _rmse(case: Case, name: str) -> xr.DataArray:
    """RMSE ``(point,)`` over the whole run, block by block."""
    total, n = np.zeros(len(case.points)), 0
    pairs = zip(
        case.forecast.blocks([name], case.times[0], case.times[-1]),
        _same_blocks(case, name),
        strict=True,
    )
    for emulated, truth in pairs:
        total += ((emulated[name].values.astype(np.float64) - truth) ** 2).sum(0)
        n += emulated.sizes["time"]
    place = {"latitude": ("point", case.forecast.latitude), "longitude": ("point", case.forecast.longitude)}
    return xr.DataArray(np.sqrt(total / n), dims="point", coords=place, name=name)


def _same_blocks(case: Case, name: str) -> Iterator[np.ndarray]:
    """Reference at the blocks of the forecast."""
    for block in case.forecast.blocks([name], case.times[0], case.times[-1]):
        times = block["time"].values
        yield case.reference.load([name], times[0], times[-1], case.points)[name].values


def thinned(case: Case, names: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reference and forecast of a run by variable, at most about :data:`MAX_VALUES` values of each, thinned in time."""
    step = max(1, len(case.times) * len(case.points) // MAX_VALUES)
    step += step % 2 == 0 and step > 1  # an odd step meets every hour of the day
    times = case.times[::step]

    def read(fields: Fields, points: np.ndarray | None) -> xr.Dataset:
        blocks = fields.blocks(names, times[0], times[-1], points)
        return xr.concat([block.sel(time=np.isin(block["time"], times)) for block in blocks], "time")

    truth, emulated = read(case.reference, case.points), read(case.forecast, None)
    return {name: (truth[name].values, emulated[name].values) for name in names}


def _sites(found: Evaluated) -> Figure:
    first = next(iter(found.runs.values()))
    common = [n for n in ordered(first.variables) if all(n in c.variables for c in found.runs.values())]
    names = [next(n for n in options if n in common) for options in SITE_VARIABLES if set(options) & set(common)]
    names = names or common[:3]
    if not names:
        raise ValueError(f"The forecasts {list(found.runs)} have no variable in common. Leave the sites out.")
    sites = choose_sites(first)
    reference = first.reference.load(names, points=first.points[sites])
    emulated = {label: case.emulated(names, sites) for label, case in found.runs.items()}
    return sites_figure(reference, emulated, [site_title(first, s) for s in sites], first.period)
