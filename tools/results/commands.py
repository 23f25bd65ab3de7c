# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Pages that show the result of one command: a century, one site, the quickstart."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import anemoi_ailand as ail
from anemoi_ailand.evaluation.display.text import plain_number
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.workflows.quickstart import quickstart
from tools.results.pages import Blocks, made_by, paragraph, table
from tools.results.steps import EVERYTHING, Inputs, checksum_of, copy_figure, key_of, once

#: Length of the run of the page on stability [years].
YEARS = 100

#: Place of the page on one site, its period, and the largest distance of a point from it [km].
PLACE = ("Bonn", 50.7, 7.1)
PERIOD = {"start": "2022-01-01", "end": "2022"}
WITHIN = 130

#: Columns of the table of a site by their names in the scores.
_SITE = {"variable": "variable", "rmse": "RMSE", "bias": "bias", "correlation": "correlation",
         "spread": "spread of ecLand", "units": "unit"}  # fmt: skip


def century(inputs: Inputs) -> Path:
    """Run a century, or take the one that is kept, and return its folder."""
    assert inputs.reference is not None
    folder = inputs.folder / "stability"
    key = key_of(DEFAULT, inputs.reference, years=YEARS)
    return once(folder, key, lambda: ail.stability(DEFAULT, inputs.reference, folder, years=YEARS, progress=False))


def renew_stability(inputs: Inputs) -> dict[str, Blocks]:
    """Return the blocks of the page on a century."""
    folder = century(inputs)
    lines = (folder / "table.md").read_text(encoding="utf-8").splitlines()
    execution = json.loads((folder / "stability.json").read_text(encoding="utf-8"))["execution"]
    blocks = {
        "stability-origin": made_by("stability", {DEFAULT: (checksum_of(DEFAULT), execution)}),
        "stability-table": "\n".join(line if line.startswith("|") else wrapped(line) for line in lines),
    }
    return {"docs/results/stability.md": blocks}


def wrapped(line: str) -> str:
    """Wrap a line of prose or of a list."""
    text = paragraph(line)
    return text.replace("\n", "\n  ") if line.startswith("- ") else text


def renew_site(inputs: Inputs) -> dict[str, Blocks]:
    """Run one site and return the blocks of its page; its figure is written."""
    assert inputs.reference is not None
    folder = inputs.folder / "site"
    key = key_of(DEFAULT, inputs.reference, place=PLACE, within=WITHIN, **PERIOD)
    place = ail.Place(*PLACE)
    once(folder, key, lambda: ail.site([place], inputs.reference, folder, within=WITHIN, progress=False, **PERIOD))
    copy_figure(folder / "series.png", "site_bonn.png")
    summary = json.loads((folder / "site.json").read_text(encoding="utf-8"))
    rows = [list(_SITE.values())]
    for score in summary["scores"]:
        rows.append([v if isinstance(v := score[column], str) else plain_number(v) for column in _SITE])
    blocks = {
        "site-origin": made_by("site", {DEFAULT: (checksum_of(DEFAULT), summary["execution"])}),
        "site-table": table(rows),
    }
    return {"docs/results/site.md": blocks}


def renew_quickstart(inputs: Inputs) -> dict[str, Blocks]:
    """Run the quickstart and return the blocks of its page; its figure is written."""
    folder = inputs.folder / "quickstart"
    once(folder, key_of(None, places=EVERYTHING), lambda: quickstart(folder, force=True))
    comparison = folder / "comparison"
    copy_figure(comparison / "figures" / "sites.png", "quickstart_sites.png")
    lines = iter((comparison / "table.md").read_text(encoding="utf-8").splitlines())
    first = next(line for line in lines if line.startswith("|"))  # that of RMSE; one of correlations follows
    lines = itertools.chain([first], itertools.takewhile(lambda line: line.startswith("|"), lines))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, body = rows[0], [row for row in rows[2:] if len(row) == len(rows[0]) and row[2] == "held-out"]
    points = head.index("points")
    shown = [[f"`{row[0]}`", *row[1:points], *row[points + 1 :]] for row in body]
    return {"docs/results/quickstart.md": {"quickstart-table": table([[*head[:points], *head[points + 1 :]], *shown])}}
