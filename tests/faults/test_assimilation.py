# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations and options of an assimilation with one fault each: found before the first step, with its words."""

import logging
import re
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.rollout.stepper import LandStepper
from anemoi_ailand.workflows import assimilate, assimilation_files
from anemoi_ailand.workflows.assimilate import Assimilation, settings_of
from tests.faults.faults import ASSIMILATION

DAY = "2022-06-01"
ERRORS = {"swvl1": 0.04, "2t": 1.0, "2d": 1.5, "2r": 0.1, "sde": 0.05, "smlt": 1e-5}
SNOW = {"2r": 0.5, "sde": 0.3, "smlt": 0.0}


@pytest.fixture(scope="module")
def world():
    """Sample and network, read once, with tables of observations at 06 UTC by variable."""
    data = ail.open_data("$AILAND_SAMPLE").to_xarray((DAY, DAY), ["swvl1", "2t", "2d"])
    land, reader = ail.load("ailand-small", execution="plain", threads=1), ail.open_data("$AILAND_SAMPLE")

    def table(name="2t", **columns):
        label = {"2t": "t2m", "2d": "d2m"}.get(name, name)
        values = data[label].values[1] if label in data else np.full(data.sizes["point"], SNOW[name])
        rows = {"time": f"{DAY}T06:00", "latitude": data.latitude.values, "longitude": data.longitude.values,
                "variable": name, "value": values}  # fmt: skip
        return pd.DataFrame({**rows, **columns})

    with pytest.MonkeyPatch.context() as patch:  # opened once
        patch.setattr(assimilate, "open_data", lambda _: reader)
        patch.setattr(LandStepper, "open", lambda *_, **__: land)
        patch.setattr(assimilation_files, "write_assimilation_report", lambda *_: None)
        yield land, table


def observed(world, folder):
    """Observations, as a table or a file, and options of each fault, by its name."""
    land, table = world
    t, n = table(), len(table())
    late = np.where(np.arange(n) < 30, "2022-07-01T06:00", f"{DAY}T06:00")
    warm, moist = t["value"], table("swvl1")["value"]
    spread = {"initial": {"swvl": 0, "stl": 0, "sd": 0},
              "forcing": {"precipitation": 0, "shortwave": 0, "longwave": 0, "temperature": 0}}  # fmt: skip
    members = lambda **given: {"method": "etkf", "members": given}  # noqa: E731
    controls = lambda **given: {"controls": given}  # noqa: E731
    return {
        "observed temperature in Celsius": (t.assign(value=warm - 273.15), {}),
        "observed soil water in percent": (table("swvl1", value=100.0 * moist + 5.0), {}),
        "observed humidity in percent": (table("2r", value=55.0), {}),
        "observed snow depth in cm": (table("sde", value=30.0), {}),
        "fill values as observations": (t.assign(value=-9999.0), {}),
        "one impossible observation of many": (pd.concat([t, t.iloc[:1].assign(value=-9999.0)]), {}),
        "an unknown unit of observations": (with_unit(folder, t, "furlong"), {}),
        "dates as whole numbers": (t.assign(time=20220601), {}),
        "dates with the day first": (t.assign(time="01/06/2022 06:00"), {}),
        "an observation without a time": (t.assign(time=[None, *t["time"][1:]]), {}),
        "observations of another year": (t.assign(time="2012-06-01T06:00"), {}),
        "most observations after the last window": (t.assign(time=late), {}),
        "observations between stamps": (t.assign(time=f"{DAY}T09:00"), {}),
        "latitude and longitude exchanged": (t.assign(latitude=t["longitude"], longitude=t["latitude"]), {}),
        "observations far from all points": (t.assign(latitude=-75.0), {}),
        "heights of stations in feet": (t.assign(elevation=9000.0), {}),
        "an observation error of zero": (t.assign(error=0.0), {}),
        "a negative observation error": (t.assign(error=-1.0), {}),
        "an infinite observation error": (t.assign(error=np.inf), {}),
        "an observation error in percent": (table("swvl1", error=4.0), {}),
        "an error of zero in the options": (t, {"errors": {"2t": 0}}),
        "observations without any error": (t, {"errors": {}}),
        "observations given twice": (pd.concat([t, t]), {}),
        "dewpoint and humidity at the same place": (pd.concat([table("2d"), table("2r")]), {}),
        "observations of an unknown variable": (t.assign(variable="swlv1"), {}),
        "observations of forcing": (t.assign(variable="avg_t"), {}),
        "observations that the network has not": (table("smlt"), {}),
        "a file of observations without a row": (t.iloc[:0], {}),
        "a file of observations with semicolons": (text(folder, t.to_csv(sep=";", index=False)), {}),
        "an ensemble of one member": (t, members(number=1)),
        "an ensemble without spread": (t, members(**spread)),
        "a deflating relaxation": (t, members(to_spread=-0.1)),
        "an unknown option of members": (t, members(inflation=0.9)),
        "a correlation of layers of one": (t, controls(correlation=1.0)),
        "a negative error of the background": (t, controls(error={"swvl1": -0.1})),
        "snow as a control": (t, controls(error={"sd": 1.0})),
        "a first window between stamps": (t, {"start": f"{DAY}T03:00"}),
        "an end between windows": (t, {"end": "2022-06-02T12:00"}),
        "a negative seed": (t, {"seed": -1}),
        "a background of another date": (t, {"background": state(folder, land, "2022-06-02", "later")}),
        "a background of fewer points": (t, {"background": state(folder, land, DAY, "fewer", slice(1, None))}),
    }


def text(folder, content):
    path = folder / "semicolons.csv"
    path.write_text(content)
    return path


def with_unit(folder, table, unit):
    """Observations by row in NetCDF that states a unit."""
    row = {"time": ("row", np.array(table["time"], "M8[ns]")), "t2m": ("row", table["value"], {"units": unit})}
    path = folder / "unit.nc"
    data = xr.Dataset({**row, **{n: ("row", table[n]) for n in ("latitude", "longitude")}})
    data.set_coords(["time", "latitude", "longitude"]).to_netcdf(path)
    return path


def state(folder, land, date, name, points=slice(None)):
    data = ail.open_data("$AILAND_SAMPLE").to_xarray((date, date)).isel(point=points)
    land.save(land.initial(data, date), folder / f"{name}.state")
    return folder / f"{name}.state"


@pytest.fixture
def prepared(world, tmp_path):
    """Function that prepares an assimilation of given observations and options."""

    def prepare(observations, **options):
        if isinstance(observations, pd.DataFrame):
            observations.to_csv(path := tmp_path / "observations.csv", index=False)
            observations = path
        usual = {"data": "$AILAND_SAMPLE", "start": DAY, "end": DAY, "output": tmp_path / "out", "errors": ERRORS,
                 "observations": observations}  # fmt: skip
        return Assimilation(settings_of(None, {**usual, **options}))

    return prepare


def said(caplog, make):
    """Class and words of the outcome of a call: its error, else its warnings."""
    caplog.clear()
    try:
        made = make()
        if hasattr(made, "describe"):
            made.describe()
    except (ValueError, OSError) as error:
        return "error", str(error)
    texts = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    return ("warning", " ".join(texts)) if texts else ("fine", "")


def wrong(found, faults):
    """Faults whose outcome or words are others."""
    assert set(found) <= {fault.name for fault in faults}
    return {
        fault.name: found[fault.name] for fault in faults if fault.name in found
        and (found[fault.name][0] != fault.expected or not re.search(fault.words, found[fault.name][1], re.DOTALL))
    }  # fmt: skip


#: Names of the faults that other tests than the first one make.
LATER = ("a restart with", "a restart after", "a covariance", "an error variance", "biased", "no observation within")


def test_observations_and_options(world, prepared, tmp_path, caplog):
    """Every fault has its outcome and words, and nothing is written."""
    cases = observed(world, tmp_path)
    expected = {fault.name for fault in ASSIMILATION if not fault.name.startswith(LATER)}
    assert set(cases) == expected
    before = set(tmp_path.iterdir()) | {tmp_path / "observations.csv"}
    found = {name: said(caplog, lambda c=case: prepared(c[0], **c[1])) for name, case in cases.items()}
    assert not wrong(found, ASSIMILATION)
    assert set(tmp_path.iterdir()) == before


def test_observations_far_from_the_background(world, prepared, caplog):
    """A run says at its end that a variable is biased, or that nothing was used."""
    _, table = world
    warm, near = table()["value"], np.arange(44) < 3
    cases = {"biased observations": np.where(near, warm, warm + 15.0),
             "no observation within reach of the background": warm + 20.0}  # fmt: skip
    found = {name: said(caplog, prepared(table(value=values)).run) for name, values in cases.items()}
    assert not wrong(found, ASSIMILATION)


@contextmanager
def failing_after(number):
    """Runs that fail when the window ``number`` is saved."""
    saved = Assimilation._save

    def save(self, n, cycle):
        if n == number:
            raise OSError("disk full")
        saved(self, n, cycle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Assimilation, "_save", save)
        yield


def test_restarts(world, prepared, tmp_path, caplog):
    """The error names the setting that differs; a damaged window is made again."""
    _, table = world
    six = {"window_hours": 6, "method": "etkf"}
    with failing_after(1), pytest.raises(OSError, match="disk full"):
        prepared(table(), **six, members={"number": 3}).run()
    moved = table(time=f"{DAY}T05:45")
    moved.loc[0, "time"] = f"{DAY}T12:00"
    found = {
        "a restart with other members": said(caplog, prepared(table(), **six, members={"number": 4}).run),
        "a restart with observations at other times": said(caplog, prepared(moved, **six, members={"number": 3}).run),
    }
    first = tmp_path / "out-cycles" / "000000.cycle"
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 255
    first.write_bytes(content)
    again = prepared(table(), **six, members={"number": 3}).run
    found["a restart after a damaged window"] = said(caplog, again)
    assert not wrong(found, ASSIMILATION)
    assert (tmp_path / "out" / "final.state").is_file()


def test_error_statistics(caplog):
    """Filters refuse what is not a covariance or a variance."""
    one, variance = torch.ones(1, 1), torch.ones(1)
    h = torch.eye(3)[None, :1]
    covariances = {
        "a covariance with a negative variance": torch.diag(torch.tensor([1.0, -1.0, 1.0])),
        "a covariance with a correlation above one": torch.tensor([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        "a covariance that is not positive definite": torch.tensor([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]),
        "a covariance that is not symmetric": torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    }
    found = {
        name: said(caplog, lambda b=b: ail.extended_kalman_analysis(one, h, b, variance))
        for name, b in covariances.items()
    }
    found["an error variance of zero"] = said(
        caplog, lambda: ail.extended_kalman_analysis(one, h, torch.eye(3), 0.0 * variance)
    )
    assert not wrong(found, ASSIMILATION)
    members = torch.randn(1, 3, 5)
    with pytest.raises(ValueError, match=re.escape(found["an error variance of zero"][1])):
        ail.ensemble_analysis(members, members[:, :1], one, 0.0 * variance)
    with pytest.raises(ValueError, match="The ensemble has 1 member"):
        ail.ensemble_analysis(members[..., :1], members[:, :1, :1], one, variance)
