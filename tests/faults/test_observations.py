# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations of a diagnosis and of a fine-tuning with one thing wrong each, with the class and words of its row."""

import logging
import re
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.rollout.stepper import load
from anemoi_ailand.training.fine_tuning import FineTuning
from anemoi_ailand.training.observations import open_observed, targets_of
from anemoi_ailand.variables import variable
from anemoi_ailand.workflows.diagnose import Emulation, diagnose
from tests.faults.data_faults import OBSERVATIONS, TUNING

NAMES = ("slhf", "sshf", "2t", "2d", "swvl1")
NOISE = {"slhf": 8.0, "sshf": 8.0, "2t": 0.4, "2d": 0.5, "swvl1": 0.005}


@pytest.fixture(scope="module")
def world():
    """The sample from May to July 2022, and observations of it with noise, gaps and fluxes that are not closed."""
    data = open_data("$AILAND_SAMPLE")
    truth = data.to_xarray(("2022-05-01", "2022-07-31T18"), NAMES).load()
    random = np.random.default_rng(1)
    fields = {}
    for name in NAMES:
        values = truth[variable(name).netcdf_name].values.astype("f8")
        seen = (0.8 if name in ("slhf", "sshf") else 1.0) * values + random.normal(0.0, NOISE[name], values.shape)
        seen = np.maximum(seen, 0.0) if name == "swvl1" else seen
        fields[name] = ("time", "point"), np.where(random.random(values.shape) < 0.3, np.nan, seen)
    places = {"latitude": ("point", truth["latitude"].values), "longitude": ("point", truth["longitude"].values)}
    return data, truth, xr.Dataset(fields, {"time": truth["time"].values, **places}).isel(time=slice(1, None))


def put(function, name, site=slice(None)):
    """Change the values of a variable, at all sites or at one."""

    def change(seen):
        values = seen[name].values.copy()
        values[:, site] = function(values[:, site])
        return seen.assign({name: (seen[name].dims, values)})

    return change


def exchanged(a, b):
    return lambda seen: seen.rename({a: b, b: a})


def moved(steps):
    return lambda seen: seen.assign_coords(time=np.roll(seen["time"].values, steps)).isel(
        time=slice(max(steps, 0), seen.sizes["time"] + min(steps, 0))
    )


def places(latitude=None, longitude=None):
    def change(seen):
        lat, lon = (f(seen[n].values.copy()) if f else seen[n].values for n, f in
                    (("latitude", latitude), ("longitude", longitude)))  # fmt: skip
        return seen.assign_coords(latitude=("point", lat), longitude=("point", lon))

    return change


def without(part):
    """Give a share of the values as a number in place of the gaps."""
    return lambda x: np.where(np.random.default_rng(2).random(x.shape) < part, -9999.0, x)


#: Changes of sound observations, by the name of the row.
CASES = {
    "observations as they are": lambda seen: seen,
    "observations of one site": lambda seen: seen.isel(point=[5]),
    "latent heat positive upward": put(lambda x: -x, "slhf"),
    "sensible heat positive upward at one site": put(lambda x: -x, "sshf", 3),
    "latent and sensible heat exchanged": exchanged("slhf", "sshf"),
    "temperature and dewpoint exchanged": exchanged("2t", "2d"),
    "observations six hours late": moved(-1),
    "observations twelve hours early": moved(2),
    "latent heat in mm a day": put(lambda x: x / 28.4, "slhf"),
    "latent heat in MJ m-2 a day": put(lambda x: 0.0864 * x, "slhf"),
    "temperature 4 K too warm at one site": put(lambda x: x + 4.0, "2t", 7),
    "zeros in the place of gaps": put(np.nan_to_num, "slhf"),
    "a sensor that is stuck": put(lambda x: np.where(np.arange(x.size) > 200, -20.0, x), "sshf", 9),
    "a variable without values": put(lambda x: x * np.nan, "sshf"),
    "too few values": lambda seen: seen.where(seen["time"] < np.datetime64("2022-05-10")),
    "no values": lambda seen: seen * np.nan,
    "temperature in degC without a unit": put(lambda x: x - 273.15, "2t"),
    "soil water in percent without a unit": put(lambda x: 100.0 * x, "swvl1"),
    "fill values in half of the values": put(without(0.5), "slhf"),
    "fill values in some": put(without(0.02), "slhf"),
}


def said(caplog, make):
    """Class and words of a call."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, "anemoi_ailand"):
        try:
            make()
        except (ValueError, TypeError, FileNotFoundError) as error:
            return "error", str(error)
    words = " ".join(r.getMessage() for r in caplog.records)
    return ("warning" if words else "fine"), words


def wrong(faults, found):
    """Return the faults whose class or words differ."""
    return {
        f.name: (found[f.name][0], found[f.name][1][:300])
        for f in faults
        if found[f.name][0] != f.expected or not re.search(f.words, found[f.name][1])
    }


class Perfect(Emulation):
    """Emulation whose network is the physical model itself, and whose parameters change nothing."""

    def run(self, weather, names, land=None):
        del land
        found = self._read(weather.times[0], weather.times[-1], names)
        return {n: found[n][1:] for n in names}

    def perturbed(self, name, amplitude=1.0, points=None):
        del name, amplitude, points
        return {n: np.zeros_like(v) for n, v in self.base[1].items()}

    def errors(self):
        shape = len(self.points), len(self.cells)
        return {(year, year): np.random.default_rng(year).normal(0.0, 0.1, shape) for year in (2020, 2021)}


def test_diagnoses(world, tmp_path, caplog, monkeypatch):
    """Each case of the table in a whole diagnosis, without its runs; places and options as well."""
    monkeypatch.setattr("anemoi_ailand.workflows.diagnose.Emulation", Perfect)
    monkeypatch.setattr("anemoi_ailand.workflows.diagnose.load", cache(load))
    _, _, sound = world
    given = {"checkpoint": "ailand-small", "candidates": ["rsmin_lv"], "error_years": [2020, 2021]}
    further = {
        "places of two sites exchanged": (places(lambda x: x[[1, 0, *range(2, x.size)]], lambda x: x[
            [1, 0, *range(2, x.size)]]), {}),
        "latitude and longitude of a site exchanged": (
            lambda seen: places(lambda x: np.r_[seen["longitude"].values[0], x[1:]],
                                lambda x: np.r_[seen["latitude"].values[0], x[1:]])(seen), {}),
        "a site without latitude": (places(lambda x: np.r_[np.nan, x[1:]]), {}),
        "a site given twice": (lambda seen: seen.isel(point=[0, 0, 1, 2]), {}),
        "observations without a site": (lambda seen: seen.isel(point=[]), {}),
        "stamps in another order": (lambda seen: seen.isel(time=np.r_[200:300, 0:100]), {}),
        "stamps given twice": (lambda seen: seen.isel(time=np.r_[0:200, 150:300]), {}),
        "stamps between the steps": (
            lambda seen: seen.assign_coords(time=seen["time"].values + np.timedelta64(30, "m")), {}),
        "numbers as stamps": (lambda seen: seen.assign_coords(time=np.arange(seen.sizes["time"])), {}),
        "text as observations": (lambda seen: seen.assign(slhf=seen["slhf"].astype(str)), {}),
        "years of the error that the dataset has not": (lambda seen: seen, {"error_years": [2010, 2011]}),
        "a year of the error given twice": (lambda seen: seen, {"error_years": [2021, 2021]}),
        "a year of the error that is observed": (lambda seen: seen, {"error_years": [2021, 2022]}),
        "a word as a year of the error": (lambda seen: seen, {"error_years": ["last"]}),
        "no candidate": (lambda seen: seen, {"candidates": []}),
        "a misspelt candidate": (lambda seen: seen, {"candidates": ["rsmn_lv"]}),
        "a word as the start of observations": (lambda seen: seen, {"start": "soon"}),
        "a start after the observations": (lambda seen: seen, {"start": "2023"}),
    }  # fmt: skip
    names = [fault.name for fault in OBSERVATIONS]
    cases = {name: (change, {}) for name, change in CASES.items() if name in names} | further
    assert sorted(cases) == sorted(names)
    found = {}
    for k, (name, (change, options)) in enumerate(cases.items()):
        change(sound.copy()).to_netcdf(path := tmp_path / f"{k}.nc")
        call = lambda: diagnose(path, "$AILAND_SAMPLE", tmp_path / f"out{k}", **given | options)  # noqa: B023, E731
        found[name] = said(caplog, call)
    assert wrong(OBSERVATIONS, found) == {}


class Stored:
    """Dataset (date, variable, 1, point) in memory, as anemoi-datasets opens it."""

    def __init__(self, seen):
        self.variables, self.missing = list(seen.data_vars), set()
        self.dates = seen["time"].values
        self.latitudes, self.longitudes = seen["latitude"].values, seen["longitude"].values
        self.values = np.stack([seen[n].values for n in self.variables], axis=1)[:, :, None].astype("f4")
        self.name_to_index = {n: i for i, n in enumerate(self.variables)}

    def __getitem__(self, k):
        return self.values[k]


def test_targets_of_a_fine_tuning(world, caplog):
    """The same mistakes are found before the first step, in comparison with the main dataset."""
    _, truth, sound = world
    renamed = {variable(n).netcdf_name: n for n in NAMES if variable(n).netcdf_name != n}
    main = Stored(truth.rename(renamed).isel(time=slice(1, None))[list(NAMES)])
    fields, points = main.values.transpose(0, 2, 3, 1), slice(0, len(main.latitudes))
    unused = ("observations of one site", "a variable without values")
    changes = {name: change for name, change in CASES.items() if name not in unused}
    changes["observations of other places"] = places(lambda x: x + 3.0)
    changes["observations of another year"] = lambda seen: seen.assign_coords(
        time=seen["time"].values - np.timedelta64(365, "D")
    )
    found = {}
    for name, change in changes.items():
        observed = Stored(change(sound.copy())[list(NAMES)])
        call = lambda: targets_of(observed, main, points, NAMES, main.name_to_index, fields)  # noqa: B023, E731
        found[name] = said(caplog, call)
    method = {"observed": {"dataset": "nowhere.zarr"}, "base": "ailand"}
    config = SimpleNamespace(training=SimpleNamespace(method=method))
    found["observations that are not there"] = said(caplog, lambda: open_observed(config))
    config.training.method = {"base": "ailand"}
    found["a network that is tuned without observations"] = said(caplog, lambda: open_observed(config))
    trainer = SimpleNamespace(is_global_zero=True)
    found["a base that is not validated"] = said(caplog, lambda: FineTuning("all").on_fit_end(trainer, None))
    assert found.keys() == {fault.name for fault in TUNING}
    assert wrong(TUNING, found) == {}
