# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Planned roll-outs of an evaluation, reuse of kept ones, and checks that they can be scored before any is made."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.mapping.mapped_path import local_store
from anemoi_ailand.data.stations.station import Station
from anemoi_ailand.evaluation.fields.alignment import align
from anemoi_ailand.evaluation.fields.climatology import Period, climatology_period
from anemoi_ailand.evaluation.fields.fields import Fields, open_fields, span
from anemoi_ailand.evaluation.fields.reforecast import Reforecast, open_reforecast
from anemoi_ailand.evaluation.observations.station_match import match_stations
from anemoi_ailand.evaluation.products.products_file import check_years
from anemoi_ailand.support.checksum import ROLL_OUT, file_sha256, loaded_sha256
from anemoi_ailand.support.configuration import plain_name
from anemoi_ailand.support.sphere import same_points

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Roll-outs of every checkpoint on one dataset: starts, lead times [h] and points (all if None)."""

    name: str
    protocol: str
    dataset: Path
    starts: np.ndarray
    leads: np.ndarray
    points: tuple[int, ...] | None
    #: False if only given forecasts are scored.
    rolled_out: bool = True

    def file(self, label: str, suffix: str = ".nc") -> str:
        """Return the file name of the roll-outs of a checkpoint."""
        name = self.name if self.name == self.protocol else f"{self.protocol}-{self.name}"
        return f"{plain_name(name)}-{plain_name(label)}{suffix}"

    def point_steps(self, n_points: int) -> int:
        """Return the steps of a checkpoint times points, for a dataset of ``n_points``."""
        used = n_points if self.points is None else len(self.points)
        return len(self.starts) * used * int(self.leads[-1]) // STEP_HOURS

    def of(self, given: Mapping[str, Reforecast]) -> dict[str, Reforecast]:
        """Select the given forecasts that belong to this protocol."""
        return {label: forecast for label, forecast in given.items() if protocol_of(forecast) == self.protocol}


def protocol_of(forecast: Reforecast) -> str:
    """Return ``B`` for one start with every lead time, ``A`` for many starts or selected lead times."""
    every = np.array_equal(forecast.leads, STEP_HOURS * np.arange(1, len(forecast.leads) + 1))
    return "B" if len(forecast.starts) == 1 and every else "A"


def is_current(path: Path, job: Job, checkpoint: Path, execution: str = "auto") -> bool:
    """Return whether ``path`` holds the roll-outs of ``job`` by the same checkpoint, dataset, code and execution."""
    if not path.exists():
        return False
    try:
        made = open_reforecast(path)
    except ValueError as error:
        LOG.info("Repeating the roll-outs of %s: %s", path.name, error)
        return False
    place = planned(job, open_fields(job.dataset))
    same = (
        made.attributes.get("checkpoint_sha256") == file_sha256(checkpoint)
        and made.attributes.get("code_sha256") == loaded_sha256(ROLL_OUT)
        and (execution == "auto" or str(made.attributes.get("execution")).startswith(execution))
        and Path(str(made.attributes.get("dataset"))).resolve() == job.dataset.resolve()
        and path.stat().st_mtime >= local_store(job.dataset).stat().st_mtime
        and np.array_equal(made.starts, place.starts)
        and np.array_equal(made.leads, place.leads)
        and same_points((made.latitude, made.longitude), (place.latitude, place.longitude))
    )
    LOG.info("%s %s", "Reusing" if same else "Repeating", path)
    return same


def planned(job: Job, reference: Fields) -> Reforecast:
    """Describe the roll-outs of a job before they are made: dates, points and variables, without values."""
    points = np.arange(len(reference.latitude)) if job.points is None else np.array(job.points)

    def nothing(*_: object) -> np.ndarray:
        raise NotImplementedError("The roll-outs have no values yet.")

    return Reforecast(
        path=Path(job.file("planned")),
        starts=job.starts.astype("datetime64[ns]"),
        leads=job.leads,
        latitude=reference.latitude[points],
        longitude=reference.longitude[points],
        units=reference.units,
        reader=nothing,
        at=(np.arange(len(job.starts)), np.arange(len(job.leads)), points),
    )


def check_jobs(
    jobs: Sequence[Job], labels: Collection[str], given: Mapping[str, Reforecast], reference: Fields
) -> None:
    """Refuse jobs that cannot be scored; reads headers only.

    A forecast must have times, points, variables and units in common with the reference and the other forecasts;
    another dataset must have a year before its first start. ``labels`` are those of the checkpoints.
    """
    for job in jobs:
        truth = reference if job.dataset == reference.path else open_fields(job.dataset)
        made = planned(job, truth)
        for label, forecast in job.of(given).items():  # each alone, so that the message names it
            align({label: forecast}, truth)
        align({**dict.fromkeys(labels if job.rolled_out else (), made), **job.of(given)}, truth)
        if job.dataset != reference.path:
            climatology_period(truth, made.starts[0], truth.times[-1], None)


def check_stations(stations: Sequence[Station], jobs: Sequence[Job], reference: Fields) -> None:
    """Refuse stations that are not near a point of the long run, or have no data in its period."""
    run = long_run(jobs, "Observations")
    place = planned(run, reference)
    match_stations(stations, place.latitude, place.longitude)
    first, last = place.starts[0], place.valid_times[0, -1]
    observed = [station.series["time"].values for station in stations]
    if not any(((times > first) & (times <= last)).any() for times in observed):
        raise ValueError(
            f"No station has data in the period of protocol B, {span(np.array([first, last]))}; for example "
            f"{stations[0].name} has {span(observed[0])}. Change protocol_b, or give other stations."
        )


def check_products(jobs: Sequence[Job], reference: Fields, period: Period) -> None:
    """Refuse products without a long run, or with a climatology too short or overlapping it."""
    start = long_run(jobs, "Products").starts[0]
    if period[1] > start:
        raise ValueError(
            f"Percentiles of soil moisture compare a run with years before it, and {span(np.array(period))} contains "
            f"dates of the run from {span(np.array([start]))}. Set products to false, or end `climatology` before it."
        )
    check_years(reference, period)


def long_run(jobs: Sequence[Job], what: str) -> Job:
    """Return the job of protocol B, from which ``what`` is made."""
    for job in jobs:
        if job.protocol == "B":
            return job
    raise ValueError(
        f"{what} need the long run, and there is none. Set protocol_b, or give a forecast with one start and "
        "every lead time."
    )
