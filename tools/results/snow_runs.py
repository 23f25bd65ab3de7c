# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Runs of the page on snow and runoff: held-out points over one and five years, and series at snow sites."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import held_out_points
from anemoi_ailand.evaluation.fields.single_run import run_of as single_run
from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint, pretrained_record
from anemoi_ailand.support.checksum import ROLL_OUT
from anemoi_ailand.support.netcdf_writer import write_dataset
from anemoi_ailand.variables import variable
from tools.results.steps import Inputs, key_of, once
from tools.results.weather_runs import Run, static_of

#: Variables of the runs at held-out points.
HELD_OUT_RUN = (
    "swvl1", "swvl2", "swvl3", "swvl4", "stl1", "stl2", "stl3", "snowc", "sd", "src", "evap", "sro", "ssro",
)  # fmt: skip

#: Variables of the runs at snow sites; melt only of networks that have it.
SITE_RUN = ("sd", "rsn", "asn", "snowc", "evap", "sro", "ssro", "smlt")

#: First dates of the runs at held-out points, both to the last date of the dataset.
STARTS = {"2022": "2022-01-01", "2018-2022": "2018-01-02"}


@dataclass(frozen=True)
class Pair:
    """Emulator and ecLand at the same points and dates, ``(time, point)`` under the dataset names, in float64.

    ``point_id`` and ``climate_class`` are coordinates of the points of ``ecland``; the initial date is left out.
    """

    emulator: xr.Dataset
    ecland: xr.Dataset
    execution: str


def held_out_run(inputs: Inputs, network: str, period: str) -> tuple[Pair, Fields, Fields]:
    """Run a network at the held-out points, or take the run that is kept; return it, also as fields of both."""
    assert inputs.reference is not None
    reference = ail.open_fields(inputs.reference)
    held = held_out_points(reference)
    ids, classes = reference.constant("point_id"), reference.constant("climate_class")
    assert held is not None and ids is not None and classes is not None
    points = np.flatnonzero(held)
    path = inputs.folder / "snow-and-runoff" / network / f"{period}.nc"
    start = np.datetime64(STARTS[period], "ns")
    leads = np.arange(6, int((reference.times[-1] - start) / np.timedelta64(1, "h")) + 1, 6)
    key = key_of(network, inputs.reference, places=ROLL_OUT, start=STARTS[period], variables=HELD_OUT_RUN)

    def make() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        ail.reforecast(
            pretrained_checkpoint(network), Path(str(inputs.reference)), path, starts=[start], leads=leads,
            points=points, variables=HELD_OUT_RUN, label=network, overwrite=True,
        )  # fmt: skip

    once(path, key, make)
    made = ail.open_reforecast(path)
    run = single_run(made, reference)
    first = run.times[1]
    emulator = run.load(HELD_OUT_RUN, start=first).astype(np.float64)
    marks = {"point_id": ("point", ids[points].astype(int)), "climate_class": ("point", classes[points].astype(int))}
    ecland = reference.load(HELD_OUT_RUN, first, run.times[-1], points).astype(np.float64).assign_coords(marks)
    return Pair(emulator, ecland, str(made.attributes["execution"])), run, reference


def site_run(inputs: Inputs, network: str, path: Path) -> Run:
    """Run a network through the series of a snow site, or take the run that is kept, and return it with ecLand's.

    ``ecland`` has the forcing ``Snowf`` as well; the initial date is left out.
    """
    static = static_of(path)
    kept = inputs.folder / "snow-and-runoff" / network / path.name
    having = pretrained_record(network)["variables"]
    wanted = [name for name in SITE_RUN if name in (*having["state"], *having["diagnostic"])]

    def make() -> None:
        data = ail.open_data(path, static=static).to_xarray()
        names = [name for name in wanted if variable(name).netcdf_name in data]
        write_dataset(ail.load(network).run(data, names, progress=False), kept)

    once(kept, key_of(network, path, static, places=ROLL_OUT, variables=wanted), make)
    with xr.open_dataset(kept) as made:
        emulator = made.load().isel(time=slice(1, None))
    with xr.open_dataset(path) as series:
        names = [name for name in (*map(str, emulator), "Snowf") if name in series]
        ecland = series[names].sel(time=emulator["time"]).load()
    return Run(path.stem, emulator, ecland)
