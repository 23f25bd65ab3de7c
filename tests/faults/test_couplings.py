# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A land coupled to the weather of the sample, with one wrong option or field each: its class and words."""

import logging
import re
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import anemoi_ailand as ail
from anemoi_ailand.constants import STEP, STEP_SECONDS
from anemoi_ailand.coupling.coupled_land import Atmosphere, CoupledLand
from anemoi_ailand.coupling.grids import GridOptions
from anemoi_ailand.coupling.height import saturation_humidity
from anemoi_ailand.rollout.stepper import LandStepper
from tests.faults.faults import COUPLINGS

DATE, N_STEPS = datetime(2021, 6, 1), 36

#: Fields of IFS, and variables that they are made of with a factor.
MADE = {"2t": ("t", 1.0), "sp": ("avg_sp", 1.0), "10u": ("avg_u", 1.0), "10v": ("avg_v", 1.0),
        "ssrd": ("avg_sdswrf", STEP_SECONDS), "strd": ("avg_sdlwrf", STEP_SECONDS), "str": ("str", STEP_SECONDS),
        "ssr": ("ssr", STEP_SECONDS), "tp": ("avg_tprate", STEP_SECONDS / 1000.0),
        "sf": ("avg_tsrwe", STEP_SECONDS / 1000.0), "lai_lv": ("lai_lv", 1.0), "lai_hv": ("lai_hv", 1.0),
        "skt": ("skt", 1.0)}  # fmt: skip
UNITS = {"2t": "K", "2d": "K", "sp": "Pa", "10u": "m s-1", "10v": "m s-1", "ssrd": "J m-2", "strd": "J m-2",
         "str": "J m-2", "ssr": "J m-2", "tp": "m", "sf": "m", "lai_lv": "m2 m-2", "lai_hv": "m2 m-2",
         "skt": "K"}  # fmt: skip


def dew_point(humidity, pressure):
    """Dew point by bisection, as the coupling converts it back."""
    low, high = torch.full_like(humidity, 180.0), torch.full_like(humidity, 330.0)
    for _ in range(40):
        middle = 0.5 * (low + high)
        moist = saturation_humidity(middle, pressure) > humidity
        low, high = torch.where(moist, low, middle), torch.where(moist, middle, high)
    return low


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Network, saved state, places, and the fields of each step."""
    folder = tmp_path_factory.mktemp("coupling")
    data = ail.open_data("$AILAND_SAMPLE").to_xarray(("2021-06-01", "2021-06-10")).load()
    stepper = LandStepper.open("ailand-small", threads=1)
    state = stepper.save(stepper.initial(data, DATE), folder / "start.state")
    fields = {field: data[n].values * np.float32(factor) for field, (n, factor) in MADE.items()}
    fields["2d"] = dew_point(*(torch.from_numpy(data[n].values).double() for n in ("q", "avg_sp"))).float().numpy()
    n = data.sizes["point"]
    for name, index in {"reversed": np.arange(n)[::-1], "one": np.r_[1, 1, 2:n]}.items():
        np.save(folder / f"{name}.npy", index)
    (folder / "text.npy").write_text("0 1 2")
    places = data["latitude"].values, data["longitude"].values
    with pytest.MonkeyPatch.context() as patch:  # opened once
        patch.setattr(LandStepper, "open", lambda *_, **__: stepper)
        yield SimpleNamespace(folder=folder, state=str(state), fields=fields, places=places, stepper=stepper)


def cases(world):
    """Options of the land, and a change of all fields (step, point), by the name of the case."""
    at = lambda name: str(world.folder / name)  # noqa: E731
    index = lambda name: {"points": {"index": at(f"{name}.npy")}}  # noqa: E731
    forcing = lambda **lines: {"forcing": lines}  # noqa: E731
    amount = {"units": "J m-2", "accumulated": True}

    def change(**functions):
        return lambda fields: fields | {n: function(fields[n]) for n, function in functions.items()}

    def whole(function):
        return lambda fields: {n: function(values) for n, values in fields.items()}

    def given(name, other):
        return lambda fields: fields | {name: fields[other]}

    def late(x):
        return np.concatenate([x[:1], x[:-1]])

    options = {
        "a coupling as it is": {},
        "a list as forcing of a coupling": {"forcing": ["t"]},
        "a number as the source of a forcing": forcing(t=5),
        "a forcing without a source": forcing(t=None),
        "a list as feedback": {"feedback": ["skt"]},
        "a number as the variable of a feedback": {"feedback": {"skt": 1}},
        "a word for true in what is held": forcing(lai_lv={"held": "no"}),
        "a word as the hours of a mean": forcing(avg_t={"field": "2t", "hours": "six"}),
        "a misspelt mapping of fields": {"mapping": "ifss"},
        "a field that the atmosphere lacks": forcing(q={"field": "2d", "pressure": "msl"}),
        "soil temperature as skin temperature": {"feedback": {"skt": "stl1"}},
        "skin temperature as air temperature": {"feedback": {"2t": "skt"}},
        "net radiation as downward radiation": forcing(avg_sdswrf={"field": "ssr", **amount}),
        "snowfall as precipitation": forcing(avg_tprate={"field": "sf", "units": "m", "accumulated": True}),
        "one component of wind twice": forcing(avg_u={"field": "10v", "units": "m s-1", "instants": True}),
        "a coupled land called text": {"output": at("land.txt")},
        "one file for two results of a coupling": {"output": at("a.nc"), "save": at("a.nc")},
        "the end of a coupling over its start": {"save": world.state},
        "a number as the output of a coupling": {"output": 5},
        "an index of points that is not one": index("text"),
        "an index of points in another order": index("reversed"),
        "an index with one wrong point": index("one"),
        "a lapse rate per kilometre": {"points": {"weights": at("w.npz"), "lapse_rate": 6.5}},
        "a word as a lapse rate": {"points": {"weights": at("w.npz"), "lapse_rate": "dry"}},
    }
    wrong = {
        "a step without a field": lambda fields: {n: v for n, v in fields.items() if n != "sp"},
        "the atmosphere of the step before": whole(late),
        "points of the atmosphere in another order": whole(lambda x: x[:, ::-1].copy()),
        "air of the step before": change(**{"2t": late, "2d": late}),
        "amounts since the start for those of a step": change(ssrd=lambda x: np.cumsum(x, axis=0)),
        "upward radiation in the sign of the downward one": change(strd=lambda x: -x),
        "radiation of the surface for that of the air": given("strd", "str"),
        "dew point in the place of temperature": given("2t", "2d"),
        "an atmosphere that repeats four days": whole(
            lambda x: np.concatenate([x[:1], np.resize(x[1:17], x[1:].shape)])
        ),
        "pressure of the sea level from an atmosphere": change(sp=lambda x: np.full_like(x, 101325.0)),
        "no wind from an atmosphere": change(**{"10u": np.zeros_like, "10v": np.zeros_like}),
    }
    same = lambda fields: fields  # noqa: E731
    return {n: (given, same) for n, given in options.items()} | {n: ({}, change) for n, change in wrong.items()}


def couple(world, options, change):
    """Run the land over nine days of the atmosphere."""
    about = Atmosphere(UNITS, STEP, DATE, N_STEPS * STEP, world.places)
    given = {"initial": {"state": world.state}, "mapping": "ifs", "feedback": {}, **options}
    world.stepper.plausibility = "error"
    world.stepper._warned.clear()
    world.stepper._own_checks.__dict__.clear()
    land, fields = CoupledLand(about, **given), change(world.fields)
    for k in range(1, N_STEPS + 1):
        land.step(DATE + k * timedelta(hours=6), world.places, {n: torch.from_numpy(v[k]) for n, v in fields.items()})


def test_catalogue(world, caplog):
    """Each case has the class of its row and its words."""
    made, wrong = cases(world), {}
    made["a lapse rate of the wrong sign"] = None
    assert made.keys() == {fault.name for fault in COUPLINGS}
    for fault in COUPLINGS:
        caplog.clear()
        found, said = "fine", ""
        with caplog.at_level(logging.WARNING, "anemoi_ailand"):
            try:
                if made[fault.name] is None:
                    GridOptions.read({"weights": "w.npz", "lapse_rate": -0.0065})
                else:
                    couple(world, *made[fault.name])
            except (ValueError, TypeError, FileNotFoundError) as error:
                found, said = "error", str(error)
        if found == "fine" and (said := " ".join(r.getMessage() for r in caplog.records)):
            found = "warning"
        if found != fault.expected or not re.search(fault.words, said):
            wrong[fault.name] = found, said[:300]
    assert not wrong
