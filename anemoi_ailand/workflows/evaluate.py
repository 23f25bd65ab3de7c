# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Evaluate checkpoints and forecasts against ecLand: run the protocols, score them, write one report.

Roll-outs are kept in ``<output>-reforecasts`` and reused as long as checkpoint, dataset, code, starts, lead times and
points are the same. The result appears under its name when it is complete.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.mapping.mapped_path import of_checkpoint
from anemoi_ailand.data.stations.station_reader import read_stations
from anemoi_ailand.evaluation.display.text import DIGITS, json_text, records, stamp
from anemoi_ailand.evaluation.fields.climatology import WINDOW_DAYS, Period, climatology_period
from anemoi_ailand.evaluation.fields.fields import Fields, open_fields, span
from anemoi_ailand.evaluation.fields.matching import HELD_OUT, TRAINED, held_out_points
from anemoi_ailand.evaluation.fields.point_weights import left_out, point_weights
from anemoi_ailand.evaluation.fields.reforecast import Reforecast, open_reforecast
from anemoi_ailand.evaluation.fields.single_run import ComparedRun, compared_run, run_of
from anemoi_ailand.evaluation.observations.station_scores import score_stations
from anemoi_ailand.evaluation.processes.budgets import Budgets, budgets
from anemoi_ailand.evaluation.processes.snow_season import compare_snow_seasons, date_errors, snow_variable
from anemoi_ailand.evaluation.products.products_file import write_products
from anemoi_ailand.evaluation.report.chosen_figures import Evaluated, map_time, write_figures
from anemoi_ailand.evaluation.report.page import write_report
from anemoi_ailand.evaluation.report.rmse_table import rmse_table
from anemoi_ailand.evaluation.report.v1_tables import v1_tables
from anemoi_ailand.evaluation.scores.available_strata import available
from anemoi_ailand.evaluation.scores.difference_table import difference_table
from anemoi_ailand.evaluation.scores.score_table import score_table
from anemoi_ailand.evaluation.scores.sums import Sums, collect
from anemoi_ailand.evaluation.settings import Settings, settings_of
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.reforecast.reforecast import (
    checked_points,
    lead_hours_of_days,
    protocol_a_starts,
    reforecast,
)
from anemoi_ailand.rollout.step.checkpoint import LandStep, load_step
from anemoi_ailand.rollout.step.compiled_step import choose_execution
from anemoi_ailand.rollout.step.trust import trusting
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.checksum import file_sha256
from anemoi_ailand.support.configuration import plain_name
from anemoi_ailand.support.disk_errors import full_disk
from anemoi_ailand.support.subprocesses import remove
from anemoi_ailand.support.workers import open_executor
from anemoi_ailand.workflows import record_header
from anemoi_ailand.workflows.planned_runs import (
    Job,
    check_jobs,
    check_products,
    check_stations,
    is_current,
    protocol_of,
)

LOG = logging.getLogger(__name__)

#: Version of the layout of ``metrics.json``; changes when readers have to change.
SCHEMA = "anemoi-ailand/evaluation/1"

#: Protocol C within a dataset: every fourth point, as a grid of another density.
THINNING = 4

#: Forcing that the budgets need.
PRECIPITATION = "avg_tprate"


@dataclass
class Scored:
    """Scores, differences and long runs collected over the jobs of an evaluation."""

    tables: list[pd.DataFrame] = field(default_factory=list)
    differences: list[pd.DataFrame] = field(default_factory=list)
    protocols: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, ComparedRun] = field(default_factory=dict)
    executions: dict[str, set[str]] = field(default_factory=dict)


def evaluate(settings: Settings | str | Path | Mapping[str, Any] | None = None, **options: Any) -> Path:
    """Run the protocols of an evaluation and write scores, figures and the report.

    Parameters
    ----------
    settings : str, Path or mapping, optional
        YAML file such as the packaged ``evaluation/evaluate``, or its content; without it, the options are the whole
        configuration.
    **options
        Options of the configuration, which replace those of the file: ``dataset``, ``checkpoints`` by name,
        ``protocol_a``, ``output`` (the folder of the result), ... See docs/guide/evaluation.md.

    Returns
    -------
    Path
        The page of the report, ``report/index.html``.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        An input is missing or does not fit, or the output exists and is not an earlier result. Checked before the first
        roll-out where possible; the output is left as it was.

    Examples
    --------
    >>> from anemoi_ailand import evaluate
    >>> page = evaluate(
    ...     dataset="ecland.zarr", checkpoints={"mine": "ailand"}, protocol_a={"year": 2022}
    ... )  # doctest: +SKIP
    """
    settings = through_mapping(settings_of(settings, options))
    reference = open_fields(settings.dataset)
    given = {label: open_reforecast(path) for label, path in settings.forecasts.items()}
    jobs = plan(settings, reference, given)
    stations = read_stations(list(settings.observations)) if settings.observations else []
    with (
        trusting(settings.trust),
        full_disk(settings.output),
        complete_folder(settings.output, proof="metrics.json") as folder,
    ):
        period = check(settings, reference, given, jobs, stations)
        scored = Scored()
        for job in jobs:
            _score(job, {**rolled_out(settings, job), **job.of(given)}, settings, period, scored)
        runs = {label: case.forecast for label, case in scored.runs.items()}
        processes = _processes(runs, reference, stations, settings.seed)
        for label, run in runs.items() if settings.products else ():
            write_products(run, reference, folder / f"products-{plain_name(label)}.nc", period=period)
        _write(folder, settings, reference, period, scored, processes)
    return settings.output / "report" / "index.html"


def through_mapping(settings: Settings) -> Settings:
    """Return settings whose datasets of another schema are read through the mapping of the first checkpoint with one.

    A checkpoint trained through a mapping reads such a store as its own; all checkpoints are scored on the same fields.
    """

    def found(path: Path) -> Path:
        mapped = (of_checkpoint(path, checkpoint) for checkpoint in settings.checkpoints.values())
        return next((one for one in mapped if one != path), path)

    places = settings.protocol_c
    if places is not None:
        places = places.model_copy(update={"datasets": {name: found(path) for name, path in places.datasets.items()}})
    return settings.model_copy(update={"dataset": found(settings.dataset), "protocol_c": places})


def plan(settings: Settings, reference: Fields, given: Mapping[str, Reforecast] | None = None) -> list[Job]:
    """Plan roll-outs and scores by the dates and points of the dataset; refuse protocols that do not fit into it.

    Protocols apply to checkpoints. A given forecast that fits none of them is scored by its own starts and leads.
    """
    points = _points(settings, reference)
    jobs: list[Job] = []
    if settings.checkpoints and (a := settings.protocol_a) is not None:
        leads = lead_hours_of_days(a.lead_days)
        starts = protocol_a_starts(reference.times, a.year, a.every_days, a.lead_days[-1])
        jobs.append(Job("A", "A", settings.dataset, starts, leads, points))
        jobs += _places(settings, reference, jobs[0])
    if settings.checkpoints and (b := settings.protocol_b) is not None:
        first, last = _span(b.start, b.end, reference)
        leads = np.arange(STEP_HOURS, int((last - first) / np.timedelta64(1, "h")) + 1, STEP_HOURS)
        jobs.append(Job("B", "B", settings.dataset, np.array([first]), leads, points))
    for forecast in (given or {}).values():
        if (form := protocol_of(forecast)) not in {job.protocol for job in jobs}:
            jobs.append(Job(form, form, settings.dataset, forecast.starts, forecast.leads, None, rolled_out=False))
    for job in jobs:
        LOG.info("Protocol %s: %d starts, lead times up to %g days", job.name, len(job.starts), job.leads[-1] / 24)
    return jobs


def _points(settings: Settings, reference: Fields) -> tuple[int, ...] | None:
    if settings.points is None:
        return None
    return tuple(checked_points(settings.points, len(reference.latitude), reference.path).tolist())


def _span(
    start: datetime.date | None, end: datetime.date | None, reference: Fields
) -> tuple[np.datetime64, np.datetime64]:
    """Return the first and last date of protocol B, both in the dataset."""
    times = reference.times
    days = times.astype("datetime64[D]")
    first, last = np.datetime64(start or days[0], "D"), np.datetime64(end or days[-1], "D")
    inside = times[(days >= first) & (days <= last)]
    if first < days[0] or last > days[-1] or len(inside) < 2:
        raise ValueError(
            f"Protocol B should run from {first} to {last}, but '{reference.path}' has {span(times)}. "
            "Change protocol_b, or give a longer dataset."
        )
    return inside[0], inside[-1]


def _places(settings: Settings, reference: Fields, a: Job) -> list[Job]:
    """Plan protocol C: a single site, a thinner set of points, and further datasets, each rolled out alone."""
    if settings.protocol_c is None:
        return []
    everywhere = np.arange(len(reference.latitude)) if a.points is None else np.array(a.points)
    jobs = []
    if settings.protocol_c.places:
        mask = held_out_points(reference)
        unseen = everywhere if mask is None else everywhere[mask[everywhere]]
        places = {"a single site": unseen[:1], f"every {THINNING}th point": everywhere[::THINNING]}
        jobs += [Job(n, "C", a.dataset, a.starts, a.leads, tuple(p.tolist())) for n, p in places.items() if len(p)]
    for name, path in settings.protocol_c.datasets.items():
        starts = _starts_elsewhere(path, settings, a)
        jobs.append(Job(name, "C", path, starts, a.leads, None))
    return jobs


def _starts_elsewhere(path: Path, settings: Settings, a: Job) -> np.ndarray:
    """Return the starts of protocol A in another dataset, in the same year if it has that, else in its last."""
    assert settings.protocol_a is not None
    times = open_fields(path).times
    years = np.unique(times.astype("datetime64[Y]")).astype(int) + 1970
    year = settings.protocol_a.year if settings.protocol_a.year in years else int(years[-1])
    return protocol_a_starts(times, year, settings.protocol_a.every_days, int(a.leads[-1]) // 24)


def check(
    settings: Settings, reference: Fields, given: Mapping[str, Reforecast], jobs: Sequence[Job], stations: list[Any]
) -> Period:
    """Check all inputs before the first roll-out, and return the years of the climatology."""
    check_jobs(jobs, settings.checkpoints, given, reference)
    period = period_of(settings, reference, jobs, given)
    for path in dict.fromkeys(job.dataset for job in jobs):
        check_points(settings, reference if path == reference.path else open_fields(path))
    if stations:
        check_stations(stations, jobs, reference)
    if settings.products:
        check_products(jobs, reference, period)
    for job in (job for job in jobs if job.protocol == "B"):
        for date in settings.maps.dates:
            map_time(job.starts[0] + job.leads * np.timedelta64(1, "h"), date)
    work: list[tuple[LandStep, int]] = []
    for label, checkpoint in settings.checkpoints.items():
        if not checkpoint.is_file():
            load_step(checkpoint)  # raises, and lists the checkpoints of the folder
        todo = [
            j
            for j in jobs
            if j.rolled_out and not is_current(kept_file(settings, j, label), j, checkpoint, settings.execution)
        ]
        if todo:
            step = load_step(checkpoint, settings.device)
            datasets = {job.dataset for job in todo}
            n_points = {dataset: len(StoredFields(dataset, step.inputs).latitudes) for dataset in datasets}
            work.append((step, sum(job.point_steps(n_points[job.dataset]) for job in todo)))
    for step, point_steps in work:  # compiled if all roll-outs together pay for it, so that all find the same step
        choose_execution(step, settings.execution, point_steps)
    return period


def check_points(settings: Settings, reference: Fields) -> None:
    """Refuse strata, weights and kinds of points that a dataset lacks the fields for."""
    if settings.strata is not None:
        available(reference, settings.strata, held_out_points(reference) is not None)
    if settings.weights is not None:
        point_weights(reference, settings.weights)
    left_out(reference, settings.leave_out)


def period_of(settings: Settings, reference: Fields, jobs: Sequence[Job], given: Mapping[str, Reforecast]) -> Period:
    """Return the period of the climatology, by default all before the first start."""
    starts = [job.starts[0] for job in jobs if job.protocol != "C"] + [f.starts[0] for f in given.values()]
    first, last = np.datetime64(min(starts), "ns"), reference.times[-1]
    start, end, overlap = settings.climatology.start, settings.climatology.end, settings.climatology.overlap
    period = (start or reference.times[0], end or first - np.timedelta64(1)) if start or end else None
    return climatology_period(reference, first, last, period, overlap=overlap)


def kept_file(settings: Settings, job: Job, label: str) -> Path:
    """Return the file in which the roll-outs of a checkpoint are kept, a zarr if several processes make them."""
    folder = settings.output.parent / f"{settings.output.name}-reforecasts"
    return folder / job.file(label, ".nc" if settings.workers == 1 else ".zarr")


def rolled_out(settings: Settings, job: Job) -> dict[str, Reforecast]:
    """Roll out every checkpoint for a job, or reuse its current roll-outs."""
    found = {}
    for label, checkpoint in settings.checkpoints.items() if job.rolled_out else ():
        path = kept_file(settings, job, label)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not is_current(path, job, checkpoint, settings.execution):
            make = partial(
                reforecast, checkpoint, job.dataset, path, starts=job.starts, leads=job.leads, points=job.points,
                label=label, device=settings.device, execution=settings.execution, plausibility=settings.plausibility,
            )  # fmt: skip
            if settings.workers == 1:
                make(overwrite=True)
            else:
                remove(path)  # of another checkpoint or dataset
                _make_in_shards(make, settings.workers, _n_points(job))
        found[label] = open_reforecast(path)
    return found


def _make_in_shards(make: Callable[..., Path], workers: int | str, n_points: int) -> None:
    """Roll out in several processes, each at its own points."""
    with open_executor(workers) as (executor, count):
        count = -(-n_points // -(-n_points // count))  # fewer, if points are few
        list(executor.map(partial(_make_shard, make, count), range(count)))


def _make_shard(make: Callable[..., Path], count: int, number: int) -> None:
    make(shards=count, shard=number, progress=False)


def _n_points(job: Job) -> int:
    return len(open_fields(job.dataset).latitude) if job.points is None else len(job.points)


def _score(
    job: Job, forecasts: Mapping[str, Reforecast], settings: Settings, period: tuple[Any, Any], scored: Scored
) -> None:
    """Score the forecasts of a job and add them to ``scored``."""
    reference = open_fields(job.dataset)
    for label, forecast in forecasts.items():
        scored.executions.setdefault(label, set()).add(str(forecast.attributes.get("execution", "unknown")))
    other = job.dataset != settings.dataset
    years = climatology_period(reference, job.starts[0], reference.times[-1], None) if other else period
    sums = collect(
        forecasts, reference, protocol=job.protocol, period=years, overlap=settings.climatology.overlap,
        strata=settings.strata, weights=settings.weights, leave_out=settings.leave_out,
        scratch=settings.output.parent, workers=settings.workers, plausibility=settings.plausibility,
    )  # fmt: skip
    table, differences = score_table(sums), difference_table(sums, settings.seed)
    parts = {"all": job.name} if job.protocol == "C" else {}  # groups that count as protocol C
    if job.protocol == "A" and settings.protocol_c and settings.protocol_c.places:
        parts = {group: f"{group.replace('_', '-')} points" for group in (HELD_OUT, TRAINED)}
    for found, rows in ((scored.tables, table), (scored.differences, differences)):
        if job.protocol != "C":
            found.append(rows)
        elsewhere = rows[rows["cut"].isin(["all", "points"]) & rows["group"].isin(parts)]
        found.append(elsewhere.assign(protocol="C", cut="all", group=elsewhere["group"].map(parts)))
    scored.protocols[job.name] = _described(sums, job)
    if job.protocol == "B" and settings.processes:
        aligned = sums.alignment.forecasts.items()  # the same dates and points for all
        scored.runs = {label: compared_run(run_of(f, reference), reference, sums.period) for label, f in aligned}


def _described(sums: Sums, job: Job) -> dict[str, Any]:
    """Describe a protocol by the starts, leads and points that all forecasts have in common."""
    scored = sums.alignment
    last = scored.valid_times[0, -1] if job.protocol == "B" else scored.starts[-1]
    return {
        "starts": len(scored.starts), "first": stamp(scored.starts[0]), "last": stamp(last),
        "longest_lead_days": float(scored.leads[-1] / 24), "points": len(scored.points),
        "points_per_group": sums.points_per_group(), "dataset": str(job.dataset),
    }  # fmt: skip


def _processes(runs: dict[str, Fields], reference: Fields, stations: list[Any], seed: int) -> dict[str, Any]:
    """Compute budgets, snow seasons and the comparison with stations from the long runs."""
    out: dict[str, Any] = {"budgets": None, "snow_season": None, "snow_errors": pd.DataFrame(), "observations": None}
    if not runs:
        return out
    if PRECIPITATION in reference.variables:
        out["budgets"] = budgets(reference, runs)
    else:
        LOG.warning("No budgets: '%s' has no '%s'", reference.path, PRECIPITATION)
    try:
        snow_variable(*(run.variables for run in runs.values()), reference.variables)
    except ValueError as nothing:
        LOG.warning("No snow season: %s", nothing)
    else:
        table, seasons = compare_snow_seasons(runs, reference)
        out |= {"snow_season": records(table, digits=None), "snow_errors": date_errors(seasons)}
    if stations:
        out["observations"] = score_stations(stations, reference, runs, seed=seed).record()
    return out


def _write(
    folder: Path, settings: Settings, reference: Fields, period: Any, scored: Scored, processes: dict[str, Any]
) -> None:
    """Write tables, records, figures and report into the folder of the result."""
    scores = pd.concat(scored.tables, ignore_index=True)
    differences = pd.concat(scored.differences, ignore_index=True)
    labels = [*settings.checkpoints, *settings.forecasts]
    closed: Budgets | None = processes["budgets"]
    metrics = {
        **_header(settings, reference, period, scored),
        "scores": records(scores),
        "differences": records(differences),
        "budgets": closed.record() if closed is not None else None,
        "snow_season": processes["snow_season"],
        "observations": processes["observations"],
    }
    scores.to_csv(folder / "metrics.csv", index=False, float_format=f"%.{DIGITS}g")
    differences.to_csv(folder / "differences.csv", index=False, float_format=f"%.{DIGITS}g")
    (folder / "metrics.json").write_text(json_text(metrics))
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False))
    protocol = "B" if "B" in set(scores["protocol"]) else "A"
    about = scored.protocols[protocol]
    what = "whole run" if protocol == "B" else f"day {about['longest_lead_days']:g} of {about['starts']} runs"
    title = f"RMSE against ecLand, protocol {protocol}, {what}, from {about['first']}."
    (folder / "table.md").write_text(rmse_table(scores, protocol, title))
    if settings.v1_tables:
        (folder / "ailand-v1.md").write_text(v1_tables(scores, labels))
    figures = write_figures(
        Evaluated(labels, scores, differences, scored.runs, closed, processes["snow_errors"], settings.maps),
        folder / "figures",
    )
    write_report(folder, metrics, figures)


def _header(settings: Settings, reference: Fields, period: Any, scored: Scored) -> dict[str, Any]:
    """Return the header of ``metrics.json``."""
    forecasts = {
        label: {
            "checkpoint": str(path),
            "checkpoint_sha256": file_sha256(path),
            "execution": sorted(scored.executions.get(label, ())),
        }
        for label, path in settings.checkpoints.items()
    } | {label: {"path": str(path)} for label, path in settings.forecasts.items()}
    main = scored.protocols.get("A") or scored.protocols["B"]
    return {
        **record_header(SCHEMA),
        "command": "anemoi-ailand evaluate settings.yaml  # settings.yaml is in the folder of the result",
        "settings": settings.model_dump(mode="json"),
        "inputs": {
            "reference": {"path": str(reference.path), "first": stamp(reference.times[0]),
                          "last": stamp(reference.times[-1])},
            "forecasts": forecasts,
        },
        "climatology": {"first": stamp(period[0]), "last": stamp(period[1]), "window_days": WINDOW_DAYS},
        "points": {"all": main["points"], **main["points_per_group"].get("points", {})},
        "protocols": scored.protocols,
    }  # fmt: skip
