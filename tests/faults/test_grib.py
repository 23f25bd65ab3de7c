# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""GRIB with one thing wrong each, as the source of a dataset: found with the words of its row."""

import logging
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import eccodes
import netCDF4
import numpy as np
import pytest

from anemoi_ailand.data import source
from anemoi_ailand.data.source import EcLandSource
from tests.faults.data_faults import GRIB
from tests.support.grib import AMOUNTS, CONSTANTS, MODEL_LEVEL, STATE, Archive, Grid, sample, stamps

DATES = stamps(datetime(2021, 7, 10), 9)

#: Instants of the surface and the lowest level, and the mean of the sample they are made from.
FURTHER = {"u": (131, "avg_u"), "v": (132, "avg_v"), "sp": (134, "avg_sp")}

NAMES = {param: name for name, (param, *_) in (STATE | MODEL_LEVEL | AMOUNTS | CONSTANTS | FURTHER).items()}


@dataclass
class Files(Archive):
    """Archive with a file for each variable, of those in ``only`` or all, each field changed before it is written."""

    change: object = None
    only: tuple = ()
    before: dict = field(default_factory=dict)

    def field(self, name, values, param, date, **keys):
        variable = NAMES.get(param)
        if self.only and variable not in self.only:
            return
        if self.change is not None:
            values, param, date, keys = self.change(self, variable, (values, param, date, keys))
        super().field(f"{variable}.grib", values, param, date, **keys)


class Held:
    """Sample, each request read once."""

    def __init__(self):
        self._reader, self._held = sample(), {}
        self.coverage, self.point_id = self._reader.coverage, self._reader.point_id
        self.places = self._reader.latitudes, self._reader.longitudes

    def read(self, names, dates):
        key = tuple(names), tuple(dates)
        if key not in self._held:
            self._held[key] = self._reader.read(names, dates)
        return self._held[key]


def written(folder, reader, change=None, only=()):
    """Write the archive, or the ``changed`` variables ``only``."""
    folder.mkdir()
    archive = Files(folder, Grid("unstructured", len(reader.point_id)), change=change, only=only)
    archive.write(reader, DATES)
    for name, (param, mean) in FURTHER.items():
        for date, values in zip(DATES, reader.read([mean], DATES)[0], strict=True):
            keys = {} if name == "sp" else {"typeOfLevel": "hybrid", "level": 137}
            archive.field("", values, param, date, dataType="an", **keys)
    return {path.stem: path for path in folder.iterdir()}


def places(path, latitudes, longitudes):
    """Write the coordinates of the points."""
    with netCDF4.Dataset(path, "w") as out:
        out.createDimension("point", len(latitudes))
        for name, values in (("latitude", latitudes), ("longitude", longitudes), ("c4", 0.0 * latitudes)):
            out.createVariable(name, "f8", ("point",))[:] = values
    return path


def values(function):
    return lambda archive, variable, message: (function(message[0]), *message[1:])


def parameters(**other):
    return lambda archive, variable, message: (message[0], other[variable], *message[2:])


def later(**time):
    return lambda archive, variable, message: (*message[:2], message[2] + timedelta(**time), message[3])


def by_step(archive, variable, message):
    """Give the amount of a step as that since the start of the forecast."""
    values, param, date, keys = message
    before = archive.before.get((variable, date), 0.0)
    archive.before[variable, date] = values
    return values - before, param, date, keys


def filled(archive, variable, message):
    """Put a number in the place of a missing value."""
    values, *rest = message
    return np.where((np.arange(values.size) == 3) & (rest[1] == DATES[6]), 9999.0, values), *rest


#: Change of some variables by the name of the row; further ones are below.
CASES = {
    "an archive as it is": (None, ()),
    "precipitation in mm under a parameter in m": (values(lambda x: 1000.0 * x), ("avg_tprate",)),
    "radiation in W m-2 under an amount": (values(lambda x: x / 21600.0), ("avg_sdswrf",)),
    "short-wave and long-wave radiation exchanged": (
        parameters(avg_sdswrf=175, avg_sdlwrf=169), ("avg_sdswrf", "avg_sdlwrf")),
    "net radiation exchanged": (parameters(ssr=177, str=176), ("ssr", "str")),
    "sensible heat of the other sign": (values(lambda x: -x), ("sshf",)),
    "evaporation of the other sign": (values(lambda x: -x), ("evap",)),
    "sensible and latent heat exchanged": (parameters(sshf=147, slhf=146), ("sshf", "slhf")),
    "humidity in g kg-1 in a message": (values(lambda x: 1000.0 * x), ("q",)),
    "the logarithm of pressure as pressure": (values(np.log), ("sp",)),
    "albedo in percent in a message": (values(lambda x: 100.0 * x), ("al",)),
    "forecasts six hours late": (later(hours=6), tuple(AMOUNTS)),
    "states of another year": (later(days=-365), ("swvl1", "stl1")),
    "states six hours late": (later(hours=6), tuple(STATE)),
    "amounts of steps as those since the start": (by_step, tuple(AMOUNTS)),
    "a number in the place of a missing value": (filled, ("stl1",)),
}  # fmt: skip


def on_level(paths, folder):
    """Put the air on level 100 of 137, which the vertical coordinate tells."""
    folder.mkdir()
    for name in ("t", "q", "u", "v"):
        with paths[name].open("rb") as file, (folder / f"{name}.grib").open("wb") as out:
            while (message := eccodes.codes_grib_new_from_file(file)) is not None:
                eccodes.codes_set(message, "PVPresent", 1)
                eccodes.codes_set_double_array(message, "pv", np.linspace(0.0, 1.0, 276))
                eccodes.codes_set(message, "level", 100)
                eccodes.codes_write(message, out)
                eccodes.codes_release(message)
    return paths | {path.stem: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    reader = Held()
    folder = tmp_path_factory.mktemp("archive")
    return reader, written(folder / "sound", reader), folder


def test_catalogue(archive, caplog):
    """Each case has the class of its row and its words."""
    reader, sound, folder = archive
    coordinates = places(folder / "places.nc", *reader.places)
    cases = {}
    for k, (name, (change, only)) in enumerate(CASES.items()):
        new = written(folder / str(k), reader, change, only) if only else {}
        cases[name] = sound | new, coordinates
    cases["air of a level far above the surface"] = on_level(sound, folder / "level"), coordinates
    others = {n: p for n, p in sound.items() if n != "avg_tprate"}
    cases["an archive without precipitation"] = others, coordinates
    reversed_places = places(folder / "reversed.nc", *(x[::-1] for x in reader.places))
    cases["coordinates in another order"] = sound, reversed_places
    fewer = places(folder / "fewer.nc", *(x[:-1] for x in reader.places))
    cases["coordinates of fewer points"] = sound, fewer
    assert cases.keys() == {fault.name for fault in GRIB}
    wrong = {}
    for fault in GRIB:
        paths, static = cases[fault.name]
        found, said = outcome([str(p) for p in paths.values()], static, caplog)
        if found != fault.expected or not re.search(fault.words, said):
            wrong[fault.name] = found, said[:300]
    assert wrong == {}


def outcome(paths, static, caplog):
    """Class of making a dataset, and all it says."""
    caplog.clear()
    source._WARNED.clear()
    needed = ["swvl1", "stl1", "sd", "2t", "skt", "avg_tprate", "avg_sdswrf", "slt"]
    with caplog.at_level(logging.WARNING, "anemoi_ailand"):
        try:
            made = EcLandSource(None, paths, static=str(static))
            if missing := [n for n in needed if n not in made.names]:
                EcLandSource(None, paths, static=str(static), variables=missing)
            dates = [np.datetime64(d) for d in DATES[1:] if d in made.reader.coverage]
            len(made.execute_valid_dates(dates).block)
        except ValueError as error:
            return "error", str(error)
    said = " ".join(record.getMessage() for record in caplog.records)
    return ("warning" if said else "fine"), said
