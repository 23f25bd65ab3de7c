# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Evaluate checkpoints and forecasts against ecLand: run the protocols, score them, write one report.

Roll-outs are kept beside the result, and one that is there already, from the same checkpoint with the same starts, lead
times and points, is not made again. The result itself appears when it is complete.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from anemoi_ailand import __version__
from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.evaluation.budgets import Budgets, budgets
from anemoi_ailand.evaluation.case import Case, prepare
from anemoi_ailand.evaluation.climatology import WINDOW_DAYS, climatology_period
from anemoi_ailand.evaluation.evaluation_figures import Evaluated, write_figures
from anemoi_ailand.evaluation.folder import complete_folder
from anemoi_ailand.evaluation.inputs import Fields, open_fields, span
from anemoi_ailand.evaluation.matching import HELD_OUT, TRAINED, held_out_points
from anemoi_ailand.evaluation.observations import read_stations
from anemoi_ailand.evaluation.observations.station_scores import score_stations
from anemoi_ailand.evaluation.pairs import difference_table
from anemoi_ailand.evaluation.products_file import write_products
from anemoi_ailand.evaluation.reforecasts import Reforecast, open_reforecast
from anemoi_ailand.evaluation.report import write_report
from anemoi_ailand.evaluation.run_table import run_table
from anemoi_ailand.evaluation.runs import run_of
from anemoi_ailand.evaluation.settings import Settings
from anemoi_ailand.evaluation.snow_season import compare_snow_seasons, date_errors, season_record, snow_variable
from anemoi_ailand.evaluation.sums import collect
from anemoi_ailand.evaluation.tidy import score_table
from anemoi_ailand.rollout.reforecast import lead_hours_of_days, protocol_a_starts, reforecast

LOG = logging.getLogger(__name__)

#: Version of the layout of ``metrics.json``; changes when a reader would have to.
SCHEMA = "anemoi-ailand/evaluation/1"

#: Protocol C within a dataset: every fourth point makes another density.
THINNING = 4

_DIGITS = 6


@dataclass(frozen=True)
class Job:
    """One set of roll-outs of every checkpoint: where, from when, how long."""

    name: str
    protocol: str
    dataset: Path
    starts: np.ndarray
    leads: np.ndarray
    points: tuple[int, ...] | None


@dataclass
class Scored:
    """What has been found so far."""

    tables: list[pd.DataFrame] = field(default_factory=list)
    differences: list[pd.DataFrame] = field(default_factory=list)
    protocols: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, Case] = field(default_factory=dict)


def evaluate(settings: Settings) -> Path:
    """Run the protocols of ``settings`` and write scores, figures and the report.

    Returns
    -------
    Path
        ``report/index.html``.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        Something is missing or does not fit, found before any roll-out where that is possible; nothing is left under
        the name of the output then.
    """
    reference = open_fields(settings.dataset)
    jobs = plan(settings, reference)
    stations = read_stations(list(settings.observations)) if settings.observations else []
    with complete_folder(settings.output, proof="metrics.json") as folder:
        period = _period(settings, reference, jobs)
        scored = Scored()
        for job in jobs:
            _score(job, _forecasts(settings, job), settings, period, scored)
        runs = {label: case.forecast for label, case in scored.runs.items()}
        further = _further(runs, reference, stations, settings.seed)
        if settings.products and runs:
            for label, run in runs.items():
                write_products(run, reference, folder / f"products-{label}.nc", period=period)
        _write(folder, settings, reference, period, scored, further)
    return settings.output / "report" / "index.html"


def plan(settings: Settings, reference: Fields) -> list[Job]:
    """What has to be rolled out, checked against the dates and points of the dataset.

    Raises
    ------
    ValueError
        A protocol does not fit into the dataset.
    """
    points = _points(settings, reference)
    jobs: list[Job] = []
    if (a := settings.protocol_a) is not None:
        leads = lead_hours_of_days(a.lead_days)
        starts = protocol_a_starts(reference.times, a.year, a.every_days, a.lead_days[-1])
        jobs.append(Job("A", "A", settings.dataset, starts, leads, points))
        jobs += _places(settings, reference, jobs[0])
    if (b := settings.protocol_b) is not None:
        first, last = _span(b.start, b.end, reference)
        hours = int((last - first) / np.timedelta64(1, "h"))
        leads = np.arange(STEP_HOURS, hours + 1, STEP_HOURS)
        jobs.append(Job("B", "B", settings.dataset, np.array([first]), leads, points))
    for job in jobs:
        LOG.info("Protocol %s: %d starts, lead times to %g days", job.name, len(job.starts), job.leads[-1] / 24)
    return jobs


def _points(settings: Settings, reference: Fields) -> tuple[int, ...] | None:
    n = len(reference.latitude)
    wrong = [p for p in settings.points or () if not 0 <= p < n]
    if wrong:
        raise ValueError(f"Points {wrong[:5]} are not in '{reference.path}', which has {n} (0 to {n - 1}).")
    return settings.points


def _span(
    start: datetime.date | None, end: datetime.date | None, reference: Fields
) -> tuple[np.datetime64, np.datetime64]:
    """First and last date of protocol B, both in the dataset."""
    times = reference.times
    after = times[times >= (np.datetime64(start) if start else times[0])]
    before = times[times < (np.datetime64(end) + np.timedelta64(1, "D") if end else times[-1] + np.timedelta64(1, "h"))]
    if len(after) == 0 or len(before) == 0 or before[-1] <= after[0]:
        raise ValueError(
            f"Protocol B is to run from {start} to {end}, but '{reference.path}' has {span(times)}. "
            "Change protocol_b, or give a longer dataset."
        )
    return after[0], before[-1]


def _places(settings: Settings, reference: Fields, a: Job) -> list[Job]:
    """Jobs of protocol C: a site and a thinner set of points, each rolled out on its own, and further datasets."""
    if settings.protocol_c is None:
        return []
    everywhere = np.arange(len(reference.latitude)) if a.points is None else np.array(a.points)
    jobs = []
    if settings.protocol_c.places:
        mask, _ = held_out_points(reference)
        unseen = everywhere if mask is None else everywhere[mask[everywhere]]
        places = {"a single site": unseen[:1], f"every {THINNING}th point": everywhere[::THINNING]}
        jobs += [Job(n, "C", a.dataset, a.starts, a.leads, tuple(p.tolist())) for n, p in places.items() if len(p)]
    for name, path in settings.protocol_c.datasets.items():
        starts = _starts_elsewhere(path, settings, a)
        jobs.append(Job(name, "C", path, starts, a.leads, None))
    return jobs


def _starts_elsewhere(path: Path, settings: Settings, a: Job) -> np.ndarray:
    """Starts of protocol A in another dataset: those of the same year if it has them, else of its last year."""
    assert settings.protocol_a is not None
    times = open_fields(path).times
    years = np.unique(times.astype("datetime64[Y]")).astype(int) + 1970
    year = settings.protocol_a.year if settings.protocol_a.year in years else int(years[-1])
    return protocol_a_starts(times, year, settings.protocol_a.every_days, int(a.leads[-1]) // 24)


def _period(settings: Settings, reference: Fields, jobs: Sequence[Job]) -> tuple[np.datetime64, np.datetime64]:
    """Years of the climatology, by default all before the first start."""
    given = (settings.climatology.start, settings.climatology.end)
    first, last = _first(settings, jobs), reference.times[-1]
    if given == (None, None):
        return climatology_period(reference, first, last, None)
    start, end = given[0] or reference.times[0], given[1] or first
    return climatology_period(reference, first, last, (str(start)[:10], str(end)[:10]))


def _first(settings: Settings, jobs: Sequence[Job]) -> np.datetime64:
    starts = [job.starts[0] for job in jobs if job.protocol != "C"]
    starts += [open_reforecast(path).starts[0] for path in settings.forecasts.values()]
    return np.datetime64(min(starts), "ns")


def _forecasts(settings: Settings, job: Job) -> dict[str, Reforecast]:
    """Roll every checkpoint out for a job, or take what is there; and the given forecasts of that form."""
    folder = settings.output.parent / f"{settings.output.name}-reforecasts"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for label, checkpoint in settings.checkpoints.items():
        path = folder / f"{_plain(job.name)}-{_plain(label)}.nc"
        if not _is_made(path, job, checkpoint):
            reforecast(
                checkpoint, job.dataset, path, starts=job.starts, leads=job.leads, points=job.points, label=label,
                device=settings.device, overwrite=True,
            )  # fmt: skip
        found[label] = open_reforecast(path)
    for label, path in settings.forecasts.items():
        forecast = open_reforecast(path)
        if job.protocol == ("B" if len(forecast.starts) == 1 else "A"):
            found[label] = forecast
    return found


def _is_made(path: Path, job: Job, checkpoint: Path) -> bool:
    """Whether ``path`` holds the roll-outs of ``job`` with this very checkpoint."""
    if not path.is_file():
        return False
    try:
        made = open_reforecast(path)
    except ValueError as error:
        LOG.info("Making %s again: %s", path.name, error)
        return False
    n = len(open_fields(job.dataset).latitude) if job.points is None else len(job.points)
    same = (
        made.attributes.get("checkpoint_sha256") == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        and Path(str(made.attributes.get("dataset"))).resolve() == job.dataset.resolve()
        and np.array_equal(made.starts, job.starts.astype(made.starts.dtype))
        and np.array_equal(made.leads, job.leads)
        and len(made.latitude) == n
    )
    LOG.info("%s %s", "Taking" if same else "Making again", path)
    return same


def _score(
    job: Job, forecasts: Mapping[str, Reforecast], settings: Settings, period: tuple[Any, Any], scored: Scored
) -> None:
    """Score the forecasts of a job and add to what has been found."""
    reference = open_fields(job.dataset)
    other = job.dataset != settings.dataset
    years = climatology_period(reference, job.starts[0], reference.times[-1], None) if other else period
    sums = collect(forecasts, reference, protocol=job.protocol, period=years)
    table, differences = score_table(sums), difference_table(sums, settings.seed)
    parts = {"all": job.name} if job.protocol == "C" else {}
    if job.protocol == "A" and settings.protocol_c and settings.protocol_c.places:
        parts = {group: f"{group.replace('_', '-')} points" for group in (HELD_OUT, TRAINED)}
    for found, rows in ((scored.tables, table), (scored.differences, differences)):
        if job.protocol != "C":
            found.append(rows)
        elsewhere = rows[rows["cut"].isin(["all", "points"]) & rows["group"].isin(parts)]
        found.append(elsewhere.assign(protocol="C", cut="all", group=elsewhere["group"].map(parts)))
    described = {
        "starts": len(job.starts), "first": _text(job.starts[0]),
        "last": _text(job.starts[-1] + (job.leads[-1] * np.timedelta64(1, "h") if job.protocol == "B" else 0)),
        "longest_lead_days": float(job.leads[-1] / 24), "points": len(sums.alignment.points),
        "points_per_group": sums.points_per_group(), "dataset": str(job.dataset),
    }  # fmt: skip
    scored.protocols[job.name] = described
    if job.protocol == "B":
        scored.runs = {n: prepare(run_of(f, reference), reference, years) for n, f in forecasts.items()}


def _further(runs: dict[str, Fields], reference: Fields, stations: list[Any], seed: int) -> dict[str, Any]:
    """Budgets, snow seasons and observations, from the long runs."""
    out: dict[str, Any] = {"budgets": None, "snow_season": None, "snow_errors": pd.DataFrame(), "observations": None}
    if not runs:
        return out
    out["budgets"] = budgets(reference, runs)
    try:
        snow_variable(*(run.variables for run in runs.values()), reference.variables)
        table, seasons = compare_snow_seasons(runs, reference)
        out |= {"snow_season": season_record(table), "snow_errors": date_errors(seasons)}
    except ValueError as nothing:
        LOG.warning("No snow season: %s", nothing)
    if stations:
        out["observations"] = score_stations(stations, reference, runs, seed=seed).record()
    return out


def _write(
    folder: Path, settings: Settings, reference: Fields, period: Any, scored: Scored, further: dict[str, Any]
) -> None:
    """Write everything into the folder of the result."""
    scores = pd.concat(scored.tables, ignore_index=True)
    differences = pd.concat(scored.differences, ignore_index=True)
    labels = [*settings.checkpoints, *settings.forecasts]
    found: Budgets | None = further["budgets"]
    metrics = {
        **_header(settings, reference, period, scored),
        "scores": _records(scores),
        "differences": _records(differences),
        "budgets": found.record() if found is not None else None,
        "snow_season": further["snow_season"],
        "observations": further["observations"],
    }
    scores.to_csv(folder / "metrics.csv", index=False, float_format=f"%.{_DIGITS}g")
    differences.to_csv(folder / "differences.csv", index=False, float_format=f"%.{_DIGITS}g")
    (folder / "metrics.json").write_text(_json(metrics))
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False))
    protocol = "B" if "B" in set(scores["protocol"]) else "A"
    title = f"RMSE against ecLand, protocol {protocol}, from {scored.protocols[protocol]['first']}."
    (folder / "table.md").write_text(run_table(scores, protocol, title))
    figures = write_figures(
        Evaluated(labels, scores, differences, scored.runs, found, further["snow_errors"]), folder / "figures"
    )
    write_report(folder, metrics, figures)


def _header(settings: Settings, reference: Fields, period: Any, scored: Scored) -> dict[str, Any]:
    """All of ``metrics.json`` but the numbers."""
    forecasts = {
        label: {"checkpoint": str(path), "checkpoint_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for label, path in settings.checkpoints.items()
    } | {label: {"path": str(path)} for label, path in settings.forecasts.items()}
    main = scored.protocols.get("A") or scored.protocols["B"]
    return {
        "schema": SCHEMA,
        "version": __version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": "anemoi-ailand evaluate settings.yaml  # settings.yaml is in the folder of the result",
        "settings": settings.model_dump(mode="json"),
        "inputs": {
            "reference": {"path": str(reference.path), "first": _text(reference.times[0]),
                          "last": _text(reference.times[-1])},
            "forecasts": forecasts,
        },
        "climatology": {"first": _text(period[0]), "last": _text(period[1]), "window_days": WINDOW_DAYS},
        "points": {"all": main["points"], **main["points_per_group"].get("points", {})},
        "protocols": scored.protocols,
    }  # fmt: skip


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table, floats with :data:`_DIGITS` digits, NaN and infinity as ``None``."""

    def plain(value: Any) -> Any:
        if isinstance(value, float | np.floating):
            return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
        return value.item() if isinstance(value, np.generic) else value

    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def _json(metrics: Mapping[str, Any]) -> str:
    """JSON with one record of a table on a line."""

    def text(value: Any) -> str:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n  " + ",\n  ".join(json.dumps(v, allow_nan=False, default=_plain_type) for v in value) + "\n ]"
        return json.dumps(value, allow_nan=False, default=_plain_type)

    return "{\n " + ",\n ".join(f"{json.dumps(key)}: {text(value)}" for key, value in metrics.items()) + "\n}\n"


def _plain_type(value: Any) -> Any:
    """What ``json`` does not know: numbers of numpy, paths and dates."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _plain(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text)


def _text(time: Any) -> str:
    return str(np.datetime_as_string(np.datetime64(time), "m"))
