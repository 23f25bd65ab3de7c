# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on observed weather: tables and figures of free runs at flux towers and snow sites."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display.style import save
from anemoi_ailand.rollout.step.pretrained import DEFAULT, pretrained_record
from anemoi_ailand.support.atomic import complete_file
from tools.results.pages import Blocks, made_by, paragraph, table
from tools.results.steps import ROOT, Inputs, checksum_of
from tools.results.weather_figures import error_figure, series_figure
from tools.results.weather_runs import class_errors, errors, run_of, series_files, site_errors

LOG = logging.getLogger("results")

PART = "real-weather"
PAGE = "docs/results/real-weather.md"

#: Sites by their names in the files.
SITES = {
    "Amplero": "Amplero, Italy: mountain grass",
    "Blodgett": "Blodgett, California: pine, snow",
    "Bondville": "Bondville, Illinois: crops",
    "CdP": "Col de Porte, France: alpine grass, snow",
    "EastRiver": "East River, Colorado: snow",
    "ElSaler": "El Saler, Spain: pine",
    "ElSaler2": "El Saler 2, Spain: irrigated crops",
    "FortPeck": "Fort Peck, Montana: steppe",
    "Loobos": "Loobos, Netherlands: pine on sand",
    "Palangkaraya": "Palangkaraya, Borneo: peat forest",
}

#: Sites whose weather no network is trained on, and those of them that the median of unseen weather is made of.
HELD_OUT_SITES = ("Amplero", "Bondville", "CdP", "FortPeck")
NEVER_TRAINED = ("Amplero", "FortPeck")

#: Name of the dataset of towers in the record of a network that was trained on it.
TOWER_SET = "towers"

#: Columns of the table of runs; a bias follows its RMSE.
COLUMNS = ("swvl1", "swvl2", "swvl3", "stl1", "stl2", "stl3", "snowc", "2t", "2d", "skt", "sshf", "slhf")
BIASED = ("stl1",)

#: Variables of the table of medians, of years, and of physiographies.
MEDIANS = ("swvl1", "swvl3", "stl1", "stl3", "2t", "2d", "skt", "sshf", "slhf")
YEARLY = ("swvl1", "swvl3", "stl1", "stl3", "sd", "skt", "sshf", "slhf")
BY_PLACE = ("stl1", "stl3", "swvl1", "swvl3", "skt", "sshf", "slhf")

#: Mean snow mass of ecLand from which the correlation of snow counts [kg m-2].
SNOW = 1.0

#: Runs of the figures: soil and fluxes at a site whose weather no network knows, and snow; run of the table of years.
SOIL_RUN, SNOW_RUN, LONGEST = "FortPeck_2003-2005", "EastRiver_2017-2019", "Blodgett_2000-2005"


def site_of(run: str) -> str:
    """Return the site of a run, the first part of its name."""
    return run.partition("_")[0]


def trained_on_towers(network: str) -> bool:
    """Return whether the record of a network names the tower set among its data."""
    record = pretrained_record(network)
    return TOWER_SET in json.dumps([record["data"], record["training"]["commands"]])


def weather_known(network: str, site: str) -> str:
    """Return whether a network was trained on the weather of a site, as text."""
    return "yes" if trained_on_towers(network) and site not in HELD_OUT_SITES else "no"


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Run the networks with observed weather and return the blocks of the pages; figures are written."""
    assert inputs.towers is not None
    blocks: dict[str, str] = {}
    executions, medians = {}, [_median_head()]
    for network in inputs.networks:
        runs = [run_of(inputs, network, path) for path in series_files(inputs.towers / "long")]
        found = pd.concat([errors(run, years=run.name == LONGEST) for run in runs], ignore_index=True)
        executions[network] = (checksum_of(network), runs[0].execution)
        medians += median_rows(network, found)
        if network != DEFAULT:
            continue
        blocks["weather-runs"] = runs_table(network, found)
        blocks["weather-years"] = years_table(found)
        readme = readme_sentence(found)
        towers = run_of(inputs, network, inputs.towers / "ecland_2019.nc")
        blocks["weather-physiography"] = places_table(network, site_errors(towers))
        blocks["weather-classes"] = classes_table(class_errors(towers, HELD_OUT_SITES))
        by_name = {run.name: run for run in runs}
        draw(series_figure(by_name[SOIL_RUN], by_name[SNOW_RUN]), "real_weather_series.png")
        titles = {run: f"{SITES[site_of(run)].partition(',')[0]} {run.partition('_')[2]}" for run in by_name}
        draw(error_figure(found[found["year"] == 0], titles, NEVER_TRAINED), "real_weather_sites.png")
    blocks["weather-medians"] = table(medians)
    blocks["weather-origin"] = made_by(PART, executions)
    if inputs.real is not None:
        blocks["weather-hand-set"] = hand_set_table(inputs)
    else:
        LOG.info("The hand-set sites are skipped: give their folder with --real or $AILAND_REAL")
    return {PAGE: blocks, "README.md": {"readme-weather": readme}}


def draw(figure: Figure, name: str) -> None:
    """Write a figure of the documentation."""
    with complete_file(ROOT / "docs" / "figures" / name) as partial:
        save(figure, partial)


def _numbers(values: Sequence[float], forms: Sequence[str]) -> list[str]:
    return [format(value, form) if np.isfinite(value) else "-" for value, form in zip(values, forms, strict=True)]


def _form(name: str) -> str:
    """Return the format of an error of a variable, with digits that fit its size."""
    if name.startswith("swvl"):
        return ".4f"
    return {"snowc": ".3f", "sshf": ".1f", "slhf": ".1f", "sd": ".1f"}.get(name, ".2f")


def _signed(name: str) -> str:
    return "+" + _form(name)


def runs_table(network: str, found: pd.DataFrame) -> str:
    """Tabulate the RMSE of each run, with the bias of some variables, and below it medians and means."""
    whole = found[found["year"] == 0]
    rmse, bias = (whole.pivot_table(metric, "run", "variable", dropna=False) for metric in ("rmse", "bias"))
    days = whole.groupby("run")["days"].max()
    names = [(name, what) for name in COLUMNS for what in ("rmse", "bias") if what == "rmse" or name in BIASED]
    head = [f"`{name}`" if what == "rmse" else f"bias of `{name}`" for name, what in names]
    forms = [_form(name) if what == "rmse" else _signed(name) for name, what in names]
    tables = {"rmse": rmse, "bias": bias}
    rows = [["site", "years", "trained on its weather", *head]]
    for run in rmse.index:
        values = [tables[what].loc[run, name] for name, what in names]
        known = weather_known(network, site_of(run))
        rows.append([SITES[site_of(run)], run.partition("_")[2], known, *_numbers(values, forms)])
    unseen = [run for run in rmse.index if site_of(run) in NEVER_TRAINED]
    for title, runs in ((f"median of {len(rmse)} runs", list(rmse.index)), ("median, Amplero and Fort Peck", unseen)):
        values = [tables[what].loc[runs, name].abs().median() for name, what in names]
        size = [form.lstrip("+") for form in forms]
        rows.append([f"**{title}**", "", "", *(f"**{text}**" for text in _numbers(values, size))])
    weights = days / days.sum()
    values = [
        np.sqrt((rmse[name] ** 2 * weights).sum()) if what == "rmse" else (bias[name] * weights).sum()
        for name, what in names
    ]
    rows.append(["all, weighted by length", f"{days.sum() / 365.25:.0f} years", "", *_numbers(values, forms)])
    means = [(bias[name] * weights).sum() if what == "rmse" else np.nan for name, what in names]
    rows.append(["mean error", "", "", *_numbers(means, [_signed(name) for name, _ in names])])
    return table(rows)


def _median_head() -> list[str]:
    names = [f"`{name}`" for name in MEDIANS]
    return ["network", "runs", *names, "size of bias of `stl1`", "correlation of `sd`"]


def median_rows(network: str, found: pd.DataFrame) -> list[list[str]]:
    """Return the medians over all runs, and over those at sites whose weather no network is trained on."""
    whole = found[found["year"] == 0]
    unseen = whole[whole["run"].map(site_of).isin(NEVER_TRAINED)]
    rows = []
    for part, title in ((whole, "all"), (unseen, "Amplero, Fort Peck")):
        values = [part.loc[part["variable"] == name, "rmse"].median() for name in MEDIANS]
        size = part.loc[part["variable"] == "stl1", "bias"].abs().median()
        snow = part[(part["variable"] == "sd") & (part["ecland"] > SNOW)]["correlation"].median()
        numbers = _numbers([*values, size, snow], [*map(_form, MEDIANS), ".2f", ".3f"])
        rows.append([f"`{network}`", f"{title} ({part['run'].nunique()})", *numbers])
    return rows


def years_table(found: pd.DataFrame) -> str:
    """Tabulate RMSE and bias by year of the longest run."""
    part = found[(found["run"] == LONGEST) & (found["year"] > 0)]
    rows = [["year of the run", *(f"`{name}`" for name in YEARLY)]]
    for year, each in part[part["days"] > 1].groupby("year"):
        of = each.set_index("variable")
        cells = [f"{of.loc[n, 'rmse']:{_form(n)}} ({of.loc[n, 'bias']:{_signed(n)}})" for n in YEARLY]
        rows.append([str(year), *cells])
    return table(rows)


def places_table(network: str, found: pd.DataFrame) -> str:
    """Tabulate the tower set by site: errors with a physiography near the site's own, and with drawn ones."""
    head = ["site", "trained on its weather", "site-years", *(f"`{name}`" for name in BY_PLACE),
            "bias of `stl1`", "its spread, drawn"]  # fmt: skip
    rows = [head]
    for site in found["site"].unique():
        own, drawn = (found[(found["site"] == site) & (found["own"] == k)].set_index("variable") for k in (True, False))
        cells = [f"{own.loc[n, 'rmse']:{_form(n)}} / {drawn.loc[n, 'rmse']:{_form(n)}}" for n in BY_PLACE]
        cells += [f"{own.loc['stl1', 'bias']:+.2f} / {drawn.loc['stl1', 'bias']:+.2f}"]
        rows.append([SITES[site].partition(":")[0], weather_known(network, site), f"{own['points'].iloc[0]}", *cells,
                     f"{drawn.loc['stl1', 'spread']:.2f}"])  # fmt: skip
    return table(rows)


def classes_table(found: pd.DataFrame) -> str:
    """Tabulate the drawn physiographies of the tower set by their climate class, at held-out and at other sites."""
    rows = [["class of the physiography", "site-years", *(f"`{name}`" for name in BY_PLACE), "bias of `stl1`"]]
    for group in found["group"].unique():
        both = [found[(found["group"] == group) & (found["unseen"] == k)].set_index("variable") for k in (True, False)]
        rmse = [_either(both, name, "rmse", _form(name)) for name in BY_PLACE]
        points = " / ".join(str(of["points"].iloc[0]) if len(of) else "-" for of in both)
        rows.append([group, points, *rmse, _either(both, "stl1", "bias", "+.2f")])
    return table(rows)


def _either(tables: Sequence[pd.DataFrame], name: str, metric: str, form: str) -> str:
    """Format a score of several tables, with a dash where one has no rows."""
    return " / ".join(f"{of.loc[name, metric]:{form}}" if len(of) else "-" for of in tables)


def hand_set_table(inputs: Inputs) -> str:
    """Tabulate bias and RMSE at the sites whose physiography was set by hand, for each network."""
    names = ("stl1", "stl2", "stl3", "skt", "sd", "swvl1", "sshf", "slhf")
    rows = [["site", "network", *(f"`{name}`" for name in names)]]
    assert inputs.real is not None
    for path in series_files(Path(inputs.real)):
        for network in inputs.networks:
            of = errors(run_of(inputs, network, path)).set_index("variable")
            cells = [f"{of.loc[n, 'bias']:{_signed(n)}} ({of.loc[n, 'rmse']:{_form(n)}})" for n in names]
            rows.append([SITES[site_of(path.stem)], f"`{network}`", *cells])
    return table(rows)


def readme_sentence(found: pd.DataFrame) -> str:
    """Return the paragraph of README.md on observed weather."""
    whole = found[found["year"] == 0]

    def median(name: str, runs: pd.DataFrame = whole) -> float:
        return float(runs.loc[runs["variable"] == name, "rmse"].median())

    known = trained_on_towers(DEFAULT)
    unseen = whole[whole["run"].map(site_of).isin(NEVER_TRAINED)]
    years = whole.groupby("run")["days"].max().sum() / 365.25
    text = (
        f"With **observed weather**, in {whole['run'].nunique()} free runs of one to six years ({years:.0f} "
        f"site-years) at nine flux towers and snow sites, "
        f"{'three of them not' if known else 'none of them'} used in training, the "
        f"median RMSE against ecLand is {median('swvl1'):.4f} for `swvl1`, "
        f"{median('swvl3'):.4f} for `swvl3`, {median('stl1'):.2f} K for `stl1`, {median('stl3'):.2f} K "
        f"for `stl3`, {median('2t'):.2f} K for `2t`, {median('sshf'):.1f} W m-2 for `sshf` and "
        f"{median('slhf'):.1f} W m-2 for `slhf`; at Amplero and Fort Peck, which no network is trained on, `stl1` "
        f"{median('stl1', unseen):.2f} K and `swvl1` {median('swvl1', unseen):.4f}: "
        "[sites, figures, sources](docs/results/real-weather.md)."
    )
    return paragraph(text)
