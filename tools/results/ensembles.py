# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on ensembles: spread against error, CRPS and ranks of ensembles with model error at held-out points."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.display.text import plain_number
from anemoi_ailand.evaluation.scores.ensemble_scores import ALL
from anemoi_ailand.physics.ground import GROUND
from anemoi_ailand.rollout.ensembles.model_error import calibration_path
from anemoi_ailand.rollout.step.pretrained import DEFAULT, pretrained_checkpoint
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.variables import variable
from anemoi_ailand.workflows.calibrate import LEADS, VARIABLES, calibrate, skill
from tools.results.pages import Blocks, paragraph, table
from tools.results.real_weather import draw
from tools.results.steps import Inputs, key_of, once

PART = "ensembles"
PAGE = "docs/results/ensembles.md"

#: Year of the scores, and the lead of the tables by ground and of ranks [d].
YEAR, LEAD = 2022, 30

#: Variables of the tables by ground and of ranks.
CORE = ("swvl1", "stl1", "sd", "skt", "slhf")


#: Variables of the figure, and its file.
SHOWN, FIGURE = ("swvl1", "stl1", "sd"), "ensembles_leads.png"


@dataclass(frozen=True)
class Size:
    """Size of calibration and scores: points, members and start dates."""

    points: int = 80
    members: int = 10
    starts: int = 6

    def options(self) -> dict[str, int]:
        """Return the size as options of calibration and scores."""
        return {"points": self.points, "members": self.members, "starts": self.starts}


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Return the blocks of the page for the packaged network; its figure is written."""
    scores = scores_of(inputs)
    draw(leads_figure(scores), FIGURE)
    blocks = {
        "ensembles-origin": origin(DEFAULT, json.loads(model_error(inputs).read_text(encoding="utf-8")), Size()),
        "ensembles-leads": leads_table(scores),
        "ensembles-ground": ground_table(scores),
        "ensembles-ground-leads": ground_leads_table(scores),
        "ensembles-ranks": ranks_table(scores),
    }
    return {PAGE: blocks}


def model_error(inputs: Inputs) -> Path:
    """Return the file of the model error of the packaged network, calibrated here if none is packaged."""
    assert inputs.reference is not None
    checkpoint, reference, options = pretrained_checkpoint(DEFAULT), inputs.reference, Size().options()
    packaged = calibration_path(checkpoint)
    if packaged.is_file():
        return packaged
    errors = inputs.folder / f"{DEFAULT}.model-error.json"
    return once(
        errors, key_of(DEFAULT, reference, **options), lambda: calibrate(checkpoint, reference, errors, **options)
    )


def scores_of(inputs: Inputs) -> pd.DataFrame:
    """Return the scores of ensembles of the packaged network in the year of the test, or those that are kept."""
    assert inputs.reference is not None
    path, reference, size = inputs.folder / f"ensembles-{DEFAULT}.csv", inputs.reference, Size()
    errors = model_error(inputs)
    about = json.loads(errors.read_text(encoding="utf-8"))
    key = key_of(None, reference, sha256=about["checkpoint_sha256"], errors=about["deviation"], **size.options())
    once(path, key, lambda: write_skill(path, pretrained_checkpoint(DEFAULT), reference, errors, size))
    return pd.read_csv(path)


def write_skill(path: Path, checkpoint: Path, reference: Path, errors: Path, size: Size) -> None:
    """Score ensembles of the year of the test and write the table."""
    found = skill(checkpoint, reference, str(errors), year=YEAR, **size.options())
    with complete_file(path) as partial:
        found.to_csv(partial, index=False)


def origin(name: str, about: dict, size: Size) -> str:
    """Return the paragraph on network, calibration and cases."""
    return paragraph(
        f"The tables of this page are made by `make results ONLY={PART}`, here with `{name}` (SHA-256 "
        f"`{about['checkpoint_sha256'][:12]}`). Calibration: {about['points']} points of the training in "
        f"{about['year']}, {len(about['starts'])} starts, {about['members']} members. Scores: at most {size.points} "
        f"held-out points in {YEAR}, {size.starts} starts, {size.members} members, none of them the control."
    )


def leads_table(scores: pd.DataFrame) -> str:
    """Return ratio of spread to error and skill of the CRPS by lead, and CRPS and error of the single run."""
    found = scores[scores["group"] == ALL].set_index(["variable", "lead", "metric"])["value"]
    titles = [*(f"spread / error {lead} d" for lead in LEADS), *(f"skill {lead} d" for lead in LEADS)]
    rows = [["variable", *titles, f"CRPS {LEAD} d", f"MAE {LEAD} d"]]
    for name in VARIABLES:
        row = [f"{found[name, lead, 'spread_error']:.2f}" for lead in LEADS]
        row += [f"{found[name, lead, 'crps_skill']:+.2f}" for lead in LEADS]
        row += [plain_number(found[name, LEAD, metric]) for metric in ("crps", "mae_single")]
        rows.append([f"`{name}` [{variable(name).units}]", *row])
    return table(rows)


def leads_figure(scores: pd.DataFrame) -> Figure:
    """Draw by lead the spread and the error of the ensemble mean, and its CRPS and the error of the single run."""
    found = scores[scores["group"] == ALL].set_index(["metric", "variable", "lead"])["value"].sort_index()
    pairs = {("error", "spread"): ("error of the mean", "spread"), ("mae_single", "crps"): ("MAE, single run", "CRPS")}
    figure, axes = style.panels(len(pairs) * len(SHOWN), len(SHOWN), 1.8)
    for row, (metrics, labels) in enumerate(pairs.items()):
        for column, name in enumerate(SHOWN):
            ax = axes[row * len(SHOWN) + column]
            for metric, label, colour in zip(metrics, labels, style.FORECAST_COLOURS, strict=False):
                ax.plot(LEADS, found[metric, name][list(LEADS)], marker="o", ms=3, color=colour, label=label)
            ax.set_xscale("log")
            ax.set_xticks(LEADS, [str(lead) for lead in LEADS])
            ax.minorticks_off()
            ax.set_ylim(bottom=0.0)
            ax.set_title(f"{name} [{style.plain(variable(name).units)}]", loc="left", fontsize=style.SMALL + 1)
            ax.tick_params(labelsize=style.SMALL - 1)
            ax.grid(color=style.GRID, linewidth=0.5)
            if column == 0:
                ax.legend(frameon=False, fontsize=style.SMALL)
            if row == len(pairs) - 1:
                ax.set_xlabel("lead [days]", fontsize=style.SMALL)
    style.title(figure, f"Ensembles with model error at held-out points, {YEAR}")
    return figure


def ground_table(scores: pd.DataFrame) -> str:
    """Return ratio of spread to error and CRPS skill by the state of the ground."""
    some = scores[scores["lead"] == LEAD].set_index(["variable", "group", "metric"])["value"]
    rows = [["ground", "cases", *(f"`{name}`" for name in CORE)]]
    for group in (ALL, *GROUND):
        if (CORE[0], group, "cases") in some.index:
            pairs = [(some[n, group, "spread_error"], some[n, group, "crps_skill"]) for n in CORE]
            row = [f"{ratio:.2f} / {gain:+.2f}" if ratio == ratio and gain == gain else "-" for ratio, gain in pairs]
            rows.append([group, f"{some[CORE[0], group, 'cases']:.0f}", *row])
    return table(rows)


def ground_leads_table(scores: pd.DataFrame) -> str:
    """Return the ratio of spread to error by the state of the ground at all leads."""
    some = scores[scores["metric"] == "spread_error"].set_index(["variable", "group", "lead"])["value"]
    rows = [["spread / error", *(f"{group}, {' / '.join(map(str, LEADS))} d" for group in GROUND)]]
    for name in SHOWN:
        ratios = [[some.get((name, group, lead), float("nan")) for lead in LEADS] for group in GROUND]
        rows.append([f"`{name}`", *(" / ".join(f"{r:.2f}" if r == r else "-" for r in each) for each in ratios)])
    return table(rows)


def ranks_table(scores: pd.DataFrame) -> str:
    """Return the shares of the ranks of the reference among the members [%]."""
    some = scores[(scores["lead"] == LEAD) & (scores["group"] == ALL)].set_index(["variable", "metric"])["value"]
    ranks = sorted({m for _, m in some.index if m.startswith("rank_")}, key=lambda m: int(m.removeprefix("rank_")))
    rows = [["variable", *(m.removeprefix("rank_") for m in ranks), "outside, relative"]]
    for name in CORE:
        shares = [f"{100.0 * some[name, m]:.0f}" for m in ranks]
        rows.append([f"`{name}`", *shares, f"{some[name, 'outside']:.1f}"])
    return table(rows)
