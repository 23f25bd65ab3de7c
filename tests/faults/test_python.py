# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Calls from Python with one mistake each: an error or a warning with the words of its row, or nothing."""

import logging
import re
from collections.abc import Callable

import numpy as np
import pytest

import anemoi_ailand as ail
from anemoi_ailand.data.observations.read import read_observations
from anemoi_ailand.data.selection import select
from anemoi_ailand.evaluation.processes.stability import check_length
from anemoi_ailand.evaluation.sites.places import find_points
from anemoi_ailand.rollout.reforecast.reforecast import reforecast
from tests.faults.faults import PYTHON


def calls(folder) -> dict[str, Callable[[], object]]:
    """Return the calls by the name of their fault."""
    opened = ail.open_data("$AILAND_SAMPLE")
    data = opened.to_xarray("2021-07-10").load()
    land, other = (ail.load(name, threads=1) for name in ("ailand-small", "ailand"))
    when, places = data["time"].values[0], (data["latitude"].values, data["longitude"].values)
    start = {n: data[n].values for n in land.needs["static"]}
    start |= {n: data[n].values[0] for kind in ("prognostic", "forcing_at_start") for n in land.needs[kind]}
    forcing = {n: data[n].values[1] for n in land.needs["forcing"]}
    state = land.initial(data)
    saved = other.save(other.initial(data), folder / "other.state")
    (folder / "mine.txt").write_text("my notes")
    header = "time,latitude,longitude,variable,value\n"
    (folder / "empty.csv").write_text(header)
    (folder / "twice.csv").write_text(header + 2 * "2021-07-10T06:00,50,10,swvl1,0.2\n")

    def run(changed, *names: str, **options) -> object:
        return land.run(changed, [*names] or ["skt"], progress=False, **options)

    def begin(date, **fields) -> object:
        return land.initial({**start, **fields}, date, *places)

    def step(**fields) -> object:
        return land.step(state, {**forcing, **fields})

    def again(**options) -> object:
        return reforecast("ailand", "d.zarr", folder / "r.nc", leads=[6], **options)

    t = forcing["avg_t"]
    return {
        "a misspelt further field of a step": lambda: step(insolatoin=t),
        "a misspelt further field of a start": lambda: begin(when, lms=t),
        "a misspelt attribute of a stepper": lambda: setattr(land, "plausability", "off"),
        "a field by its name in NetCDF": lambda: step(t2m=t),
        "the forcing of the step before": lambda: land.step(step(), forcing),
        "points of the forcing in reversed order": lambda: step(**{n: v[::-1] for n, v in forcing.items()}),
        "a start in local time": lambda: begin("2021-07-10T07"),
        "a start with an offset from UTC": lambda: begin("2021-07-10T06:00+02:00"),
        "a number as a date": lambda: begin(20210710),
        "latitudes as longitudes": lambda: land.initial(start, when, *places[::-1]),
        "a field of text": lambda: begin(when, stl1=t.astype(str)),
        "no state": lambda: land.step(None, forcing),
        "a list as forcing": lambda: land.step(state, [*forcing.values()]),
        "half precision for pressure": lambda: step(avg_sp=np.full(44, np.float16(np.inf))),
        "a point that the data lack": lambda: opened.to_xarray("2021-07-10", points=[99]),
        "a number as data": lambda: ail.open_data(5),
        "text as a number of threads": lambda: ail.load("ailand-small", threads="2"),
        "a state over a file of another program": lambda: land.save(state, folder / "mine.txt"),
        "a state of another network": lambda: land.load(saved),
        "times in reversed order": lambda: run(data.isel(time=slice(None, None, -1))),
        "half of the times": lambda: run(data.isel(time=slice(None, None, 2))),
        "times six hours late": lambda: run(data.assign_coords(time=data["time"] + np.timedelta64(6, "h"))),
        "an unknown unit": lambda: run(data.assign(avg_t=data["avg_t"].assign_attrs(units="furlong"))),
        "an ensemble without spread": lambda: run(data, ensemble={"members": 3}),
        "skin temperature of another source in the data": lambda: run(data.assign(skt=data["skt"] + 9.0)),
        "a lead time between steps": lambda: run(data, lead_time="7h"),
        "lead times of text": lambda: reforecast("ailand", "d.zarr", folder / "r.nc", starts=[when], leads=["a"]),
        "a number as points of a dataset": lambda: select(opened.reader, 5, np.zeros(44, bool), None),
        "a site without a place": lambda: find_points([], *places),
        "observations without a value": lambda: read_observations([folder / "empty.csv"]),
        "observations twice": lambda: read_observations([folder / "twice.csv"]),
        "a start of re-forecasts given twice": lambda: again(starts=[when, when]),
        "a word as a start of re-forecasts": lambda: again(starts=["tomorrow"]),
        "years of stability as text": lambda: check_length("ten", 2),
        "a negative spin-up": lambda: ail.tower("t.csv", folder / "t", spin_up=-1),
        "text as a spin-up": lambda: ail.tower("t.csv", folder / "t", spin_up="ten"),
    }


def test_catalogue(tmp_path, caplog):
    """Each call has the class of its row and its words; an error is a ValueError, TypeError or one of files."""
    made, wrong = calls(tmp_path), {}
    assert made.keys() == {fault.name for fault in PYTHON}
    for fault in PYTHON:
        caplog.clear()
        found, said = "fine", ""
        with caplog.at_level(logging.WARNING, "anemoi_ailand"):
            try:
                made[fault.name]()
            except (ValueError, TypeError, AttributeError, FileExistsError) as error:
                found, said = "error", str(error)
        if found == "fine" and (said := " ".join(r.getMessage() for r in caplog.records)):
            found = "warning"
        if found != fault.expected or not re.search(fault.words, said):
            wrong[fault.name] = found, said[:300]
    assert not wrong


def test_what_another_source_says_is_named(caplog):
    """A variable of the data that the run predicts is neither read nor changed, which the log says."""
    data = ail.open_data("$AILAND_SAMPLE").to_xarray("2021-07-10").load()
    with caplog.at_level(logging.INFO, "anemoi_ailand"):
        result = ail.load("ailand-small", threads=1).run(data.assign(skt=data["skt"] + 9.0), ["skt"], progress=False)
    assert "The data have ['skt'], which the run neither reads nor changes" in caplog.text
    assert float(np.abs(result["skt"].values[1] - data["skt"].values[1]).mean()) == pytest.approx(0.0, abs=3.0)
