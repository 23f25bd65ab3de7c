# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Contest of recipes: train every entrant, roll all out with the same protocol, write one table and one figure.

The folder of the contest keeps trainings and roll-outs, which are reused. The result, its folder ``result``, appears
when it is complete.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from anemoi_ailand import __version__
from anemoi_ailand.evaluation.display.style import save
from anemoi_ailand.evaluation.display.text import DIGITS, json_text, records, stamp
from anemoi_ailand.evaluation.fields.climatology import Period
from anemoi_ailand.evaluation.fields.fields import Fields, open_fields
from anemoi_ailand.evaluation.fields.matching import ALL, HELD_OUT
from anemoi_ailand.evaluation.scores.sums import collect
from anemoi_ailand.evaluation.settings import Settings
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.compiled_step import open_step
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.checksum import ROLL_OUT, file_sha256, loaded_sha256
from anemoi_ailand.workflows.evaluate import check, period_of, plan, rolled_out
from anemoi_ailand.workflows.planned_runs import Job
from benchmarks.contest.cost import cost_of, microseconds
from benchmarks.contest.entry import Entry
from benchmarks.contest.figure import pareto_figure
from benchmarks.contest.scores import contest_scores
from benchmarks.contest.settings import ContestSettings
from benchmarks.contest.table import contest_table
from benchmarks.contest.training import (
    INFERENCE,
    differences,
    fingerprints,
    finished,
    folder_of,
    point_steps,
    spent_on,
    train,
)

LOG = logging.getLogger(__name__)

#: Version of the layout of ``contest.json``; a change breaks readers.
SCHEMA = "anemoi-ailand/contest/1"

#: Strata in which the entrants are compared.
_STRATA = ("all", "points", "snow_regime")


def contest(settings: ContestSettings) -> Path:
    """Train the entrants, roll them out and compare them.

    Returns
    -------
    Path
        The folder of the result: ``table.md``, ``scores.csv``, ``entrants.csv``, ``contest.json``, ``pareto.png``,
        ``settings.yaml``, and ``evaluation.yaml``, with which ``anemoi-ailand evaluate`` writes a report of all.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        An input is missing or does not fit; raised before any training where possible.
    ChildProcessError
        Trainings failed; raised after all others are complete.
    """
    loaded_sha256(ROLL_OUT)  # the files may change during the hours of training
    reference = open_fields(settings.dataset)
    hashes = {k: fingerprints(k, settings.stages(k), settings.training_seed) for k in settings.entrants}
    expected = settings.evaluation({label: _checkpoint(settings, label) for label in settings.entrants})
    jobs = plan(expected, reference)
    period_of(expected, reference, jobs, {})
    for entrant in settings.entrants.values():
        if entrant.checkpoint is not None:
            load_step(entrant.checkpoint)  # fails early with a clear message
    with complete_folder(settings.output / "result", proof="contest.json") as folder:
        spent = _all_trained(settings, hashes)
        entries = [_entry(settings, label, cost) for label, cost in spent.items() if cost is not None]
        _check_reference(settings, entries)
        evaluation = settings.evaluation({e.label: Path(e.checkpoint) for e in entries})
        period = check(evaluation, reference, {}, jobs, [])
        scores = _scores(settings, evaluation, reference, jobs, period)
        entries = _timed(settings, entries)
        _write(folder, settings, evaluation, entries, scores, _about(jobs, reference, period))
    return settings.output / "result"


def _checkpoint(settings: ContestSettings, label: str) -> Path:
    """Return the path of an entrant's checkpoint, which may not exist yet."""
    entrant = settings.entrants[label]
    return entrant.checkpoint or folder_of(settings, label, len(entrant.stages)) / INFERENCE


def _all_trained(settings: ContestSettings, hashes: Mapping[str, list[str]]) -> dict[str, dict[str, Any] | None]:
    """Apply :func:`_trained` to each entrant; a failure is raised when all others are trained."""
    spent, failures = {}, {}
    for label, marks in hashes.items():
        try:
            spent[label] = _trained(settings, label, marks)
        except ChildProcessError as error:
            LOG.error("The training of %s failed; continuing with the others", label)
            failures[label] = str(error)
    if failures:
        messages = "\n\n".join(f"{label}:\n{text}" for label, text in failures.items())
        raise ChildProcessError(
            f"{messages}\n\nThe trainings of {list(failures)} failed; those of {list(spent)} are complete and "
            "will be reused. Correct the error and start again, or leave an entrant out: `entrants.LABEL=null`."
        )
    return spent


def _trained(settings: ContestSettings, label: str, hashes: list[str]) -> dict[str, Any] | None:
    """Train an entrant if needed; return samples, time and device, or ``None`` if missing and not to be trained."""
    entrant = settings.entrants[label]
    if entrant.checkpoint is not None:
        return {"point_steps": point_steps(entrant.checkpoint.parents[1])}
    folders = [folder_of(settings, label, n) for n in range(1, len(hashes) + 1)]
    if settings.train:
        marks = train(label, settings, hashes)
    else:
        marks = [mark for folder in folders if (mark := finished(folder)) is not None]
    if len(marks) < len(folders):
        LOG.warning("%s takes no part: %d of %d stages are trained", label, len(marks), len(folders))
        return None
    notes = differences(marks, hashes)
    for note in notes:
        LOG.warning("%s: %s", label, note)
    return {**spent_on(marks, folders), "note": "; ".join(notes)}


def _check_reference(settings: ContestSettings, entries: list[Entry]) -> None:
    if settings.reference not in [e.label for e in entries]:
        raise ValueError(
            f"The reference '{settings.reference}' is not trained, and `train` is false; trained are "
            f"{[e.label for e in entries]}. Set `train` to true, or `reference` to one of these."
        )


def _entry(settings: ContestSettings, label: str, spent: Mapping[str, Any]) -> Entry:
    """Make the entry of an entrant in the table: identity and cost."""
    entrant, path = settings.entrants[label], _checkpoint(settings, label)
    step = load_step(path)
    cost = cost_of(step.model.model, len(step.inputs))
    known = {key: value for key, value in spent.items() if key != "note"}
    return Entry(
        label=label,
        origin=" + ".join(stage.config for stage in entrant.stages) or str(entrant.checkpoint),
        checkpoint=str(path),
        checkpoint_sha256=file_sha256(path),
        parameters=cost.parameters,
        flop_linear=cost.linear,
        flop=cost.flop,
        note="; ".join(text for text in (entrant.note, spent.get("note")) if text),
        **known,
    )


def _timed(settings: ContestSettings, entries: list[Entry]) -> list[Entry]:
    """Measure the entrants in turn, as they were rolled out; on an accelerator, cost remains operations."""
    if settings.device != "cpu":
        return entries
    steps = [open_step(e.checkpoint, settings.device, settings.execution) for e in entries]
    took = microseconds(steps, settings.dataset)
    return [replace(e, microseconds=t, execution=s.execution) for e, t, s in zip(entries, took, steps, strict=True)]


def _scores(
    settings: ContestSettings, evaluation: Settings, reference: Fields, jobs: list[Job], period: Period
) -> pd.DataFrame:
    """Score all protocols; existing roll-outs are reused."""
    tables = []
    for job in jobs:
        sums = collect(
            rolled_out(evaluation, job), reference, protocol=job.protocol, period=period, strata=_possible(reference),
            overlap=settings.climatology.overlap, biases=True,
        )  # fmt: skip
        tables.append(contest_scores(sums, settings.reference, settings.seed))
    return pd.concat(tables, ignore_index=True)


def _possible(reference: Fields) -> list[str]:
    """Return the strata that the dataset allows."""
    has = {
        "all": True,
        "points": reference.constant("held_out") is not None or reference.constant("point_id") is not None,
        "snow_regime": "snowc" in reference.units,
    }
    return [strata for strata in _STRATA if has[strata]]


def _about(jobs: list[Job], reference: Fields, period: Period) -> dict[str, Any]:
    """Describe dataset and protocols, for the first line of the table and the header of the JSON."""
    n_points = len(reference.latitude)
    return {
        "dataset": str(reference.path),
        "climatology": {"first": stamp(period[0]), "last": stamp(period[1])},
        "protocols": {
            job.name: {
                "starts": len(job.starts), "first": stamp(job.starts[0]), "last": stamp(job.starts[-1]),
                "longest_lead_days": float(job.leads[-1] / 24),
                "points": n_points if job.points is None else len(job.points),
            }
            for job in jobs
        },
    }  # fmt: skip


def _write(
    folder: Path,
    settings: ContestSettings,
    evaluation: Settings,
    entries: list[Entry],
    scores: pd.DataFrame,
    about: dict[str, Any],
) -> None:
    """Write everything into the folder of the result."""
    budget = settings.budget.point_steps if settings.budget else None
    many = about["protocols"]["A"]
    title = (
        f"Contest against ecLand: {many['starts']} runs of {many['longest_lead_days']:g} days from {many['first']} to "
        f"{many['last']}, {many['points']} points."
    )
    table = contest_table(scores, entries, settings.reference, title=title, budget=budget)
    (folder / "table.md").write_text(table)
    scores.to_csv(folder / "scores.csv", index=False, float_format=f"%.{DIGITS}g")
    costs = pd.DataFrame([asdict(entry) for entry in entries])
    costs.to_csv(folder / "entrants.csv", index=False, float_format=f"%.{DIGITS}g")
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": "python -m benchmarks.contest settings.yaml  # settings.yaml is in the same folder",
        "reference": settings.reference,
        **about,
        "settings": settings.model_dump(mode="json"),
        "entrants": records(costs),
        "scores": records(scores),
    }
    (folder / "contest.json").write_text(json_text(document))
    for name, options in (("settings", settings), ("evaluation", evaluation)):
        text = yaml.safe_dump(options.model_dump(mode="json"), sort_keys=False)
        (folder / f"{name}.yaml").write_text(text)
    group = HELD_OUT if HELD_OUT in set(scores["group"]) else ALL
    save(pareto_figure(scores, entries, settings.reference, group), folder / "pareto.png")
