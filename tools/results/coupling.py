# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on the coupling: feedback of the packaged network with a stand-in atmosphere, and its response to the air."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import anemoi_ailand as ail
from anemoi_ailand.evaluation.display import style
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.support.checksum import file_sha256
from tools.results.coupling_runs import CAUSES, CHANGES, LENGTH, SNOW_FREE, STARTS, TERMS, responses, season, years
from tools.results.pages import Blocks, made_by, paragraph, table
from tools.results.steps import ROOT, Inputs, checksum_of, copy_figure, key_of, once

PART = "coupling"
PAGE = "docs/results/coupling.md"
FIGURE = "coupling_feedback.png"

#: Change of the fluxes of the forced run, mean of the first month, from which a point responds [W m-2].
RESPONDING = 5.0

#: Fewest responding points of a line in the figure.
ENOUGH = 5

#: Days of the first month.
MONTH = 30

#: Modules on which the runs depend, in addition to the package.
_SOURCES = ("air_departures.py", "coupling_runs.py")


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Make the runs and return the blocks of the page."""
    assert inputs.reference is not None
    reference = inputs.reference
    stepper = ail.load(DEFAULT, execution="plain", plausibility="off")
    code = {name: file_sha256(ROOT / "tools" / "results" / name) for name in _SOURCES}
    key = key_of(DEFAULT, reference, **code)
    made = {}
    for start in STARTS:
        path = inputs.folder / f"coupling-{start}.nc"
        once(path, key, lambda path=path, start=start: season(stepper, reference, start, path))
        made[start] = xr.load_dataset(path)
    long, response = inputs.folder / "coupling-years.nc", inputs.folder / "coupling-responses.nc"
    once(long, key, lambda: years(stepper, reference, long))
    once(response, key, lambda: responses(stepper, reference, response))
    drawn = inputs.folder / FIGURE
    style.save(figure(made), drawn)
    copy_figure(drawn, FIGURE)
    return {PAGE: blocks(made, xr.load_dataset(long), xr.load_dataset(response))}


def blocks(made: dict[str, xr.Dataset], long: xr.Dataset, response: xr.Dataset) -> Blocks:
    """Return the blocks of the page."""
    return {
        "coupling-origin": origin(made, long),
        "coupling-response": response_table(response),
        "coupling-seasons": seasons_table(made),
        "coupling-climates": climates_table(made["summer"]),
        "coupling-strength": strength_table(made),
        "coupling-tau": tau_table(made["summer"]),
        "coupling-budget": budget_table(made["summer"]),
        "coupling-years": years_text(long),
    }


def origin(made: dict[str, xr.Dataset], long: xr.Dataset) -> str:
    """Return the paragraphs on network and points."""
    sizes = " and ".join(str(n) for n in sorted({found.sizes["point"] for found in made.values()}))
    text = f"Runs of {LENGTH} days at {sizes} points of the reference set in 2022, of five years at "
    return (
        made_by(PART, {DEFAULT: (checksum_of(DEFAULT), "plain")})
        + "\n\n"
        + paragraph(f"{text}{long.sizes['point']} points, trained and held-out ones; nothing is compared with ecLand.")
    )


def response_table(found: xr.Dataset) -> str:
    """Tabulate the median responses of network and energy balance, and the share of points with the same sign."""
    rows = [["cause", "effect", "network: median (10 to 90 %)", "energy balance: median", "same sign"]]
    units = {"H": "W m-2", "LE": "W m-2", "skt": "K"}
    for cause in CAUSES:
        for effect, unit in units.items():
            mine, theirs = found["response"].sel(cause=cause, effect=effect).values
            low, middle, high = np.percentile(mine, (10, 50, 90))
            same = np.mean(np.sign(mine) == np.sign(theirs))
            rows.append([cause, f"{effect} [{unit}]", f"{middle:.2f} ({low:.2f} to {high:.2f})",
                         f"{np.median(theirs):.2f}", f"{100 * same:.0f} %"])  # fmt: skip
    return table(rows)


def departures(found: xr.Dataset, experiment: str) -> dict[str, np.ndarray]:
    """Return means of the first month at responding points: departures, changes of evaporation, and climate."""
    change = experiment.partition(",")[0]
    first = found.isel(day=slice(0, MONTH)).mean("day")
    forced, coupled, none = (first.sel(experiment=e) for e in (f"{change}, forced", experiment, "none"))
    size = np.hypot(*((forced[n] - none[n]).values for n in ("slhf", "sshf")))
    at = size > RESPONDING
    return {
        "warmer": coupled["warmer"].values[at], "moister": 1.0e3 * coupled["moister"].values[at],
        "forced": -(forced["slhf"] - none["slhf"]).values[at], "coupled": -(coupled["slhf"] - none["slhf"]).values[at],
        "forced_heat": -(forced["sshf"] - none["sshf"]).values[at],
        "coupled_heat": -(coupled["sshf"] - none["sshf"]).values[at], "climate": found["climate"].values[at],
    }  # fmt: skip


def _row(of: dict[str, np.ndarray]) -> list[str]:
    """Return the cells of departures and fluxes of some points."""
    if not of["warmer"].size:
        return ["0", *["-"] * 5]
    warm = np.mean(of["warmer"] > 0.0)
    means = {name: float(np.mean(values)) for name, values in of.items() if name != "climate"}
    return [f"{of['warmer'].size}", f"{means['warmer']:+.2f}", f"{100 * warm:.0f} %", f"{means['moister']:+.2f}",
            f"{means['forced']:+.1f} / {means['coupled']:+.1f}",
            f"{means['forced_heat']:+.1f} / {means['coupled_heat']:+.1f}"]  # fmt: skip


_COLUMNS = ["points", "T' [K]", "warmer", "q' [g kg-1]", "LE forced / coupled [W m-2]", "H forced / coupled [W m-2]"]


def seasons_table(made: dict[str, xr.Dataset]) -> str:
    """Tabulate the feedback of each change by the season of its start."""
    rows = [["change", "start", *_COLUMNS]]
    for change in CHANGES:
        for start, found in made.items():
            rows.append([change, STARTS[start], *_row(departures(found, f"{change}, 1 d"))])
    return table(rows)


def climates_table(found: xr.Dataset) -> str:
    """Tabulate the feedback of dried soil in July by climate."""
    of = departures(found, "dry, 1 d")
    rows = [["climate", *_COLUMNS]]
    for climate in dict.fromkeys(sorted(of["climate"])):
        at = of["climate"] == climate
        rows.append([str(climate), *_row({name: values[at] for name, values in of.items()})])
    return table(rows)


def strength(found: xr.Dataset) -> np.ndarray:
    r"""Return the terrestrial coupling index of each point [W m-2]; NaN with snow or constant soil moisture.

    .. math:: I = \sigma(w)\, \frac{\mathrm{cov}(w, LE)}{\mathrm{var}(w)}

    over the daily means of one season of the run without changes, w of the first soil layer. Dirmeyer (2011),
    doi:10.1029/2011GL048268.
    """
    none = found.sel(experiment="none")
    soil, flux = (values - values.mean("day") for values in (none["swvl1"], -none["slhf"]))
    spread = np.sqrt((soil**2).mean("day"))
    use = (none["sd"].max("day") < SNOW_FREE) & (spread > 0.0)
    return ((soil * flux).mean("day") / spread.where(use)).values


def strength_table(made: dict[str, xr.Dataset]) -> str:
    """Tabulate the median terrestrial coupling index of points without snow by climate and season, and their number."""
    found = {start: strength(each) for start, each in made.items()}
    climate = next(iter(made.values()))["climate"].values

    def cell(values: np.ndarray) -> str:
        values = values[np.isfinite(values)]
        return f"{np.median(values):+.1f} ({values.size})" if values.size else "-"

    rows = [["climate", *(STARTS[start] for start in found)]]
    rows += [[str(c), *(cell(v[climate == c]) for v in found.values())] for c in dict.fromkeys(sorted(climate))]
    return table([*rows, ["all", *(cell(values) for values in found.values())]])


def tau_table(found: xr.Dataset) -> str:
    """Tabulate the feedback of dried soil in July by the time in which the weather takes departures back."""
    names = [f"dry, {tau} d" for tau in ("0.25", "1", "3")]
    return table([["tau", *_COLUMNS], *([name.partition(", ")[2], *_row(departures(found, name))] for name in names)])


def budget_table(found: xr.Dataset) -> str:
    """Tabulate the mean size of the terms of the air's budget in a step."""
    rows = [["experiment", *(f"{term}: T' [K], q' [g kg-1]" for term in TERMS)]]
    for name in found["coupled"].values:
        cells = [found[term].sel(coupled=name).values for term in TERMS]
        rows.append([str(name), *(f"{t:.3g}, {1.0e3 * q:.2g}" for t, q in cells)])
    return table(rows)


def years_text(found: xr.Dataset) -> str:
    """Return the paragraph on five years."""
    warmer = found["departure"].sel(air="warmer")
    by_year = np.sqrt((warmer**2).groupby("time.year").mean(("time", "point")))
    sizes = ", ".join(f"{int(y)}: {v:.2f} K" for y, v in zip(by_year["year"], by_year.values, strict=True))
    return paragraph(
        f"At {found.sizes['point']} points over five years from dried soil, the largest departure is "
        f"{float(np.abs(warmer).max()):.1f} K and the root mean square of all is {sizes}."
    )


def figure(made: dict[str, xr.Dataset]) -> Figure:
    """Draw the mean departures of temperature after each change, a panel for each start."""
    drawn, axes = style.panels(len(made), 2, 2.0, sharey=True)
    for ax, (start, found) in zip(axes, made.items(), strict=True):
        for k, change in enumerate(CHANGES):
            at = _responding(found, change)
            if at.size < ENOUGH:
                continue
            values = found["warmer"].sel(experiment=f"{change}, 1 d").values[:, at].mean(1)
            ax.plot(np.arange(len(values)) + 0.5, values, color=style.FORECAST_COLOURS[k], label=change)
        ax.axhline(0.0, color=style.GRID, linewidth=0.8)
        ax.set_title(f"from {STARTS[start]}", loc="left", fontsize=style.SMALL + 1)
        ax.set_xlim(0, LENGTH)
    for ax in axes[::2]:
        ax.set_ylabel("T' [K]", fontsize=style.SMALL)
    for ax in axes[-2:]:
        ax.set_xlabel("day", fontsize=style.SMALL)
    style.title(drawn, "Departure of air temperature, mean over responding points, tau 1 d")
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return drawn


def _responding(found: xr.Dataset, change: str) -> np.ndarray:
    """Return the positions of the points whose fluxes respond."""
    first = found.isel(day=slice(0, MONTH)).mean("day")
    forced, none = (first.sel(experiment=e) for e in (f"{change}, forced", "none"))
    return np.flatnonzero(np.hypot(*((forced[n] - none[n]).values for n in ("slhf", "sshf"))) > RESPONDING)
