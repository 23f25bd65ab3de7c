# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on snow, runoff and storage: two snow sites with observed weather, and the held-out points of the reference."""

from __future__ import annotations

import pandas as pd

from anemoi_ailand.evaluation.processes.snow_season import compare_snow_seasons, date_errors
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from tools.results import runoff_tables, snow_tables
from tools.results.pages import Blocks, made_by, paragraph
from tools.results.real_weather import SITES, draw, site_of, weather_known
from tools.results.reference_set import YEAR
from tools.results.snow_figures import runoff_figure, sites_figure
from tools.results.snow_runs import STARTS, Pair, held_out_run, site_run
from tools.results.steps import Inputs, checksum_of

PART = "snow-and-runoff"
PAGE = "docs/results/snow-and-runoff.md"

#: File of each snow site, by the name of its data in ``Inputs``.
FILES = (("real", "CdP_0506.nc"), ("towers", "long/EastRiver_2017-2019.nc"))

#: Run over five years, named in ``STARTS``, from which headlines, faults, growth and drift are made.
LONG = "2018-2022"


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Run the default network and return the blocks of the page; figures are written."""
    sites = {}
    for data, name in FILES:
        run = site_run(inputs, DEFAULT, getattr(inputs, data) / name)
        sites[run.name] = run
    titles = {name: SITES[site_of(name)].partition(",")[0] for name in sites}
    known = {name: weather_known(DEFAULT, site_of(name)) for name in sites}
    seasons = pd.concat([snow_tables.site_seasons(run) for run in sites.values()], ignore_index=True)
    pairs: dict[str, Pair] = {}
    melts, counts = {}, []
    for period in STARTS:
        pair, mine, reference = held_out_run(inputs, DEFAULT, period)
        scores, found = compare_snow_seasons({period: mine}, reference)
        pairs[period] = pair
        melts[period] = snow_tables.whole_melt(date_errors(found), mine.times[-1])
        counts.append(snow_tables.detection(scores, period))
    longest = pairs[LONG]
    draw(sites_figure({titles[name]: run for name, run in sites.items()}), "snow_sites.png")
    draw(runoff_figure(longest, YEAR), "runoff_basins.png")
    sentences = (
        snow_tables.snow_sentence(longest, melts[LONG], seasons, list(titles.values())),
        runoff_tables.runoff_sentence(longest),
        runoff_tables.storage_sentence(longest),
    )
    how = {pair.execution for pair in pairs.values()} | {run.execution for run in sites.values()}
    blocks = {
        "snow-origin": made_by(PART, {DEFAULT: (checksum_of(DEFAULT), "; ".join(sorted(how)))}),
        "snow-summary": "\n\n".join(map(paragraph, sentences)),
        "snow-sites": snow_tables.sites_table(seasons, titles, known),
        "snow-held-out": snow_tables.summary_table(pairs, melts),
        "snow-seasons": paragraph(" ".join(counts)),
        "snow-classes": snow_tables.classes_table(pairs, melts),
        "snow-worst": snow_tables.worst_table(longest, melts[LONG]),
        "runoff-basins": runoff_tables.runoff_table(pairs),
        "storage-growth": runoff_tables.growth_table(longest),
        "storage-drift": runoff_tables.storage_table(longest),
    }
    return {PAGE: blocks}
