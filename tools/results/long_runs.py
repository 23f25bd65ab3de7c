# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on where long runs depart: the worst points of one run over five years, and what errs there first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

import anemoi_ailand as ail
from anemoi_ailand.evaluation.fields.daily_means import daily_means
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import held_out_points
from anemoi_ailand.evaluation.fields.single_run import run_of
from anemoi_ailand.evaluation.processes.first_departure import (
    HEAT,
    NEEDED,
    STATE,
    WATER,
    Departure,
    first_departures,
    point_errors,
    usual_error,
)
from anemoi_ailand.evaluation.scores.strata import BIOMES
from anemoi_ailand.rollout.step.pretrained import DEFAULT, pretrained_checkpoint
from anemoi_ailand.support.checksum import ROLL_OUT
from tools.results.pages import Blocks, made_by, table
from tools.results.snow_runs import STARTS
from tools.results.steps import Inputs, checksum_of, key_of, once

PART = "long-runs"
PAGE = "docs/results/long-runs.md"

#: Number of points that are described.
POINTS = 10

#: State at a departure: variables with digits, and the snow mass from which those of snow have a meaning [kg m-2].
SHOWN = {"sd": ".0f", "rsn": ".0f", "asn": ".2f", "stl1": ".1f", "swvl1": ".2f", "swvl3": ".3f"}
_SNOW = 1.0

#: Shown of the usual errors.
_FORMS = {"sd": ".2f", "rsn": ".1f", "asn": ".3f", **dict.fromkeys(WATER, ".4f"), **dict.fromkeys(HEAT, ".2f")}

Daily = Mapping[str, np.ndarray]


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Run the default network at all points over five years and return the blocks of the page."""
    assert inputs.reference is not None
    reference = ail.open_fields(inputs.reference)
    path, execution = five_years(inputs, DEFAULT, reference)
    run = run_of(ail.open_reforecast(path), reference)
    first = run.times[1]
    days, mine = daily_means(run, NEEDED, first)
    again, truth = daily_means(reference, NEEDED, first, run.times[-1])
    assert np.array_equal(days, again)
    ids, classes = reference.constant("point_id"), reference.constant("climate_class")
    held = held_out_points(reference)
    assert ids is not None and classes is not None and held is not None
    names = [f"{int(i)}, {BIOMES[int(c)]}" for i, c in zip(ids, classes, strict=True)]
    blocks = {"long-origin": made_by(PART, {DEFAULT: (checksum_of(DEFAULT), execution)})}
    blocks["long-usual"] = usual_table(mine, truth, held)
    for block, points in (("long-held-out", np.flatnonzero(held)), ("long-trained", np.flatnonzero(~held))):
        some = [{name: data[name][:, points] for name in NEEDED} for data in (mine, truth)]
        found = first_departures(*some, POINTS)
        blocks[block] = departures_table(found, days, *some, [names[k] for k in points.tolist()])
    return {PAGE: blocks}


def five_years(inputs: Inputs, network: str, reference: Fields) -> tuple[Path, str]:
    """Run a network at all points over five years, or take the run that is kept; return its file and execution."""
    assert inputs.reference is not None
    start = np.datetime64(STARTS["2018-2022"], "ns")
    path = inputs.folder / "long-runs" / f"{network}.nc"
    leads = np.arange(6, int((reference.times[-1] - start) / np.timedelta64(1, "h")) + 1, 6)
    key = key_of(network, inputs.reference, places=ROLL_OUT, start=str(start), variables=NEEDED)

    def make() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        ail.reforecast(
            pretrained_checkpoint(network), Path(str(inputs.reference)), path, starts=[start], leads=leads,
            variables=NEEDED, label=network, overwrite=True,
        )  # fmt: skip

    once(path, key, make)
    return path, str(ail.open_reforecast(path).attributes["execution"])


def usual_table(mine: Daily, truth: Daily, held: np.ndarray) -> str:
    """Tabulate the usual error of each variable at trained and held-out points, and the RMSE over all points."""
    errors = point_errors(mine, truth)
    rows = [["points", *(f"`{name}`" for name in STATE)]]
    for title, points in (("held-out", held), ("trained", ~held)):
        usual = [format(usual_error(errors[n][points]), _FORMS[n]) for n in STATE]
        every = [format(float(np.sqrt(np.mean(np.square(errors[n][points])))), _FORMS[n]) for n in STATE]
        rows.append([title, *(f"{u} / {e}" for u, e in zip(usual, every, strict=True))])
    return table(rows)


def departures_table(found: list[Departure], days: np.ndarray, mine: Daily, truth: Daily, names: list[str]) -> str:
    """Tabulate points with their first departure and the state then, emulator / ecLand."""
    rows = [
        ["point", "worst variable, usual errors", "departs first", "day", "process", "state then, emulator / ecLand"]
    ]
    for each in found:
        row = [names[each.point], f"`{each.worst}` {each.ratio:.0f}"]
        if each.variable is None or each.day is None:
            rows.append([*row, "-", "-", "-", "-"])
            continue
        rows.append([*row, f"`{each.variable}`", str(days[each.day]), each.process, state_text(each, mine, truth)])
    return table(rows)


def state_text(each: Departure, mine: Daily, truth: Daily) -> str:
    """Return the state of emulator and ecLand on the day of a departure; snow only where there is some."""
    where = each.day, each.point
    shown = dict.fromkeys([each.variable, *SHOWN])
    snow = max(mine["sd"][where], truth["sd"][where]) > _SNOW
    parts = []
    for name in shown:
        if name is None or (name in ("sd", "rsn", "asn") and not snow):
            continue
        form = SHOWN.get(name, _FORMS[name])
        parts.append(f"`{name}` {format(mine[name][where], form)} / {format(truth[name][where], form)}")
    return ", ".join(parts)
