# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Coupled land between grids and with all steps of the atmosphere: forced is coupled, component, restarts, order."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from anemoi.inference.checkpoint import Checkpoint

from anemoi_ailand.coupling.component import LandComponentProcessor, LandTask
from anemoi_ailand.coupling.exchange import Exchange
from anemoi_ailand.coupling.grids import GridOptions, Side, load, make, save
from anemoi_ailand.coupling.height import at_height
from anemoi_ailand.coupling.land_model import LandModelProcessor
from anemoi_ailand.coupling.land_points import land_points
from anemoi_ailand.coupling.step_forcing import StepForcing
from anemoi_ailand.coupling.transports import LandThreadsTransport
from anemoi_ailand.rollout.outputs.grib.grid import rows_of
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.stepper import LandStepper
from tests.support import atmosphere as toy
from tests.support import stepper as case

DATE, HOUR = datetime(2020, 5, 1), timedelta(hours=1)
GRID, LAND = "O4", [10.0, 10.0]
#: Means of instants for wind and temperature, which must survive a restart.
INSTANTS = {"avg_u": {"instants": True}, "avg_t": {"field": "t", "instants": True}}
FORCING = toy.FORCING | INSTANTS
FEEDBACK = {"skt": "skt", "snow": {"variable": "sd", "between": "held"}}


def places(cells):
    rows = rows_of(cells)
    return np.repeat(rows.latitudes, rows.counts), np.concatenate([np.arange(n) * 360.0 / n for n in rows.counts])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Make atmospheres on an octahedral grid, and a land on points of a regular one with weights between them."""
    folder = tmp_path_factory.mktemp("grids")
    weather = toy.Sample(DATE, 6)
    lat, lon = places(GRID)
    weather.values = weather.values[..., np.arange(lat.size) % weather.values.shape[-1]]
    weather.latitudes, weather.longitudes, weather.shape = lat, lon, weather.values.shape
    stepper = LandStepper.open("ailand", threads=1, execution="plain", plausibility="off")
    state, _ = case.sample_fields(stepper, 1)
    chosen = 200 + 5 * np.arange(len(state.latitudes))
    state = replace(state, latitudes=places(LAND)[0][chosen], longitudes=places(LAND)[1][chosen])
    rng = np.random.default_rng(0)
    config = {"weights": str(folder / "weights.npz"), "land": {"cells": LAND}, "atmosphere": {"cells": GRID}}
    here, there = (state.latitudes, state.longitudes), (lat, lon)
    grids = make(
        Side(here, LAND, rng.uniform(0.5, 1.0, len(here[0])), state["z"].double().numpy() / 9.80665),
        Side(there, GRID, rng.uniform(0.3, 1.0, lat.size), rng.uniform(0.0, 800.0, lat.size)), correct=True,
    )  # fmt: skip
    save(folder / "weights.npz", grids, here, there, GridOptions.read(config).text())
    hours = (6, 3, 2, 1)
    return SimpleNamespace(
        stepper=stepper, state=state, path=stepper.save(state, folder / "land.state"), places=there, points=config,
        metadata={h: Checkpoint(str(toy.write_checkpoint(folder / f"{h}.ckpt", weather, hours=h)))
                  .multi_dataset_metadata["data"] for h in hours},
        models={h: torch.load(folder / f"{h}.ckpt", weights_only=False) for h in hours},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _one_stepper(world, monkeypatch):
    monkeypatch.setattr(LandStepper, "open", lambda name, **k: world.stepper)


def land_options(world):
    return {"initial": {"state": str(world.path)}, "forcing": FORCING, "feedback": FEEDBACK, "points": world.points}


def processor(world, hours, date=DATE, lead="12h", **options):
    return LandModelProcessor(toy.context(date, lead), world.metadata[hours], **{**land_options(world), **options})


class Atmosphere:
    """Run of the toy: steps by turns with the land, and what it gave out before the land wrote into it."""

    def __init__(self, world, hours, skt=280.0):
        self.world, self.hours, self.recorded = world, hours, []
        self.x = torch.zeros(1, 1, world.places[0].size, len(toy.PROGNOSTIC))
        self.x[..., list(toy.PROGNOSTIC).index("skt")] = skt
        self.date = DATE

    def run(self, made, hours):
        for _ in range(hours // self.hours):
            self.date += self.hours * HOUR
            with torch.inference_mode():
                out = self.world.models[self.hours].predict_step({"data": self.x}, date=self.date)["data"][0, 0, 0]
                fields = {name: out[:, i] for i, name in enumerate(toy.OUTPUT)}
                self.recorded.append({n: v.numpy().copy() for n, v in fields.items()})
                latitudes, longitudes = self.world.places
                state = {"date": self.date, "latitudes": latitudes, "longitudes": longitudes, "fields": fields}
                made.process(state)
                self.x = torch.stack([fields[n] for n in toy.PROGNOSTIC], dim=-1)[None, None]
        return fields


def forced(world, recorded, hours, made, land):
    """Run the land alone with the fields that an atmosphere has given out, through the weights of the file."""
    where = (land.latitudes, land.longitudes), world.places
    forcing = StepForcing(made.land._source.taken, hours)
    if made.land._grids is None:
        exchange = land_points(made.land._points, *where)
    else:
        grids = load(made.land._grids.weights, *where, made.land._grids.text())
        exchange = grids.exchange()
        forcing.correct = lambda fields: at_height(fields, torch.from_numpy(grids.rise), 0.0065)
    amounts = {"ssrd", "tp", "avg_sdlwrf", "avg_tsrwe"}
    forcing.start({f"avg_{n}": land[n] for n in world.stepper.needs["forcing_at_start"]})
    for fields in recorded:
        read = {n: exchange.read(torch.from_numpy(fields[n]), amount=n in amounts) for n in forcing.fields}
        forcing.add(read)
        if forcing.complete:
            land = world.stepper.step(land, {**forcing.take(), "lai_hv": land["lai_hv"], "al": land["al"]})
    return land


@pytest.fixture(scope="module")
def grids(world, tmp_path_factory):
    """Make the options and the first state of a land for each kind of `points`."""
    folder, state = tmp_path_factory.mktemp("points"), world.state
    n_points, n_land = world.places[0].size, len(state.latitudes)
    everywhere = np.arange(n_points) % n_land
    fields = {name: state[name][everywhere] for name in world.stepper.inputs}
    all_points = world.stepper.initial(fields, DATE, *world.places)
    world.stepper.save(all_points, folder / "all.state")
    np.save(folder / "index.npy", np.random.default_rng(1).permutation(n_points)[:n_land])
    nearest = {**world.points, "weights": str(folder / "nearest.npz"), "states": {"nearest": 3}, "lapse_rate": None}
    return {
        "same": ({"points": "same", "initial": {"state": str(folder / "all.state")}}, all_points),
        "nearest": ({"points": {"nearest": 2000}}, state),
        "index": ({"points": {"index": str(folder / "index.npy")}}, state),
        "conservative, bilinear": ({}, state), "conservative, inverse distance": ({"points": nearest}, state),
    }  # fmt: skip


@pytest.mark.parametrize("hours", [6, 3, 2, 1])
def test_forced_is_coupled_between_grids(world, grids, hours):
    """For all kinds of points and steps, the coupled land is that forced by the recorded atmosphere, bitwise."""
    weather = []
    for kind, (options, first) in grids.items():
        made, atmosphere = processor(world, hours, **options), Atmosphere(world, hours)
        atmosphere.run(made, 12)
        coupled, land = made.land._run.land, forced(world, atmosphere.recorded, hours, made, first)
        assert coupled.date == land.date == DATE + 12 * HOUR
        assert coupled.columns.equal(land.columns), kind
        assert coupled.diagnostics.equal(land.diagnostics), kind
        weather.append(atmosphere.recorded[-1]["t"])
    free = Atmosphere(world, hours)
    free.run(processor(world, hours, feedback={}), 12)
    for answered in weather:
        assert not np.array_equal(free.recorded[-1]["t"], answered)  # the feedback arrived


@pytest.mark.parametrize("hours", [6, 1])
def test_a_restart_is_bitwise(world, tmp_path, hours):
    """Twice 6 h with a saved state in between are 12 h without, also where means are made of instants."""
    whole, once = processor(world, hours), Atmosphere(world, hours)
    once.run(whole, 12)
    first, parts = processor(world, hours, lead="6h", save=str(tmp_path / "half.state")), Atmosphere(world, hours)
    parts.run(first, 6)
    half = {"state": str(tmp_path / "half.state")}
    second = processor(world, hours, date=DATE + 6 * HOUR, lead="6h", initial=half)
    fields = parts.run(second, 6)
    assert second.land._run.land.columns.equal(whole.land._run.land.columns)
    for name, values in once.recorded[-1].items():
        np.testing.assert_array_equal(parts.recorded[-1][name], values, err_msg=name)
    assert fields["skt"].max() > 0.0


@pytest.mark.parametrize("hours", [6, 2])
def test_component_is_the_mid_processor_between_grids(world, tmp_path, hours):
    """With other grids and steps, the land of another task gives what that within the atmosphere gives, bitwise."""
    within = Atmosphere(world, hours)
    last = within.run(processor(world, hours, save=str(tmp_path / "within.state")), 12)
    beside = Atmosphere(world, hours)

    def play(run):
        made = LandComponentProcessor(toy.context(DATE, "12h", **vars(run)), world.metadata[hours])
        beside.last = beside.run(made, 12)

    land = LandTask("land", **land_options(world), save=str(tmp_path / "beside.state"))
    transport = LandThreadsTransport([], {"sky": toy.PlayedTask("sky", play), "land": land})
    transport.start()
    transport.wait()
    for name in toy.OUTPUT:
        np.testing.assert_array_equal(beside.last[name], last[name], err_msg=name)
        np.testing.assert_array_equal(beside.recorded[-1][name], within.recorded[-1][name], err_msg=name)
    states = [LandState.load(tmp_path / f"{n}.state", None) for n in ("within", "beside")]
    assert states[0].date == states[1].date == DATE + 12 * HOUR
    assert states[0].columns.equal(states[1].columns)


@pytest.mark.parametrize(("hours", "expected"), [(6, "rsww" * 2), (2, "rwrwrswwrwrwrsww")])
def test_order_of_the_exchange(world, monkeypatch, hours, expected):
    """Each step of the atmosphere is read before the land steps, which steps before it writes; held fields between."""
    events = []
    read, write, step = Exchange.read, Exchange.write, world.stepper.step
    monkeypatch.setattr(Exchange, "read", lambda *a, **k: events.append("r") or read(*a, **k))
    monkeypatch.setattr(Exchange, "write", lambda *a, **k: events.append("w") or write(*a, **k))
    monkeypatch.setattr(world.stepper, "step", lambda *a: events.append("s") or step(*a))
    made = processor(world, hours)
    Atmosphere(world, hours).run(made, 12)
    once = "r" * len(made.land._forcing.fields)
    assert "".join(events).replace(once, "r") == expected


def test_held_and_own_fields_between_steps_of_the_land(world):
    """Between its steps the land holds a field where that is asked for; others are the atmosphere's own."""
    made, atmosphere = processor(world, 3), Atmosphere(world, 3)
    atmosphere.run(made, 6)
    sd = made.land._run.land["sd"].double() * 1e-3
    fields = atmosphere.run(made, 3)
    assert fields["snow"].equal(made.land._run.points.write(torch.from_numpy(atmosphere.recorded[-1]["snow"]), sd))
    np.testing.assert_array_equal(fields["skt"].numpy(), atmosphere.recorded[-1]["skt"])


def test_budget_of_what_crossed(world, caplog):
    """Rain and radiation given by the atmosphere over the land's share are what the land received, to rounding."""
    made = processor(world, 2)
    with caplog.at_level(logging.INFO):
        Atmosphere(world, 2).run(made, 12)
    budget = made.land._run.budget
    assert set(budget.given) == {"avg_sdswrf", "avg_sdlwrf", "avg_tprate", "avg_tsrwe"}
    for name, given in budget.given.items():
        assert budget.received[name] == pytest.approx(given, rel=1e-12)
    assert budget.given["avg_sdlwrf"] > 1e6
    assert "avg_sdlwrf" in caplog.text
    assert "J m-2 given" in caplog.text


def test_report_of_a_coupling(world, tmp_path):
    """The page has what crossed, the first increment, and that the atmosphere continues from the land's values."""
    page = tmp_path / "coupling.html"
    made, atmosphere = processor(world, 3, lead="18h", report=str(page)), Atmosphere(world, 3)
    fields = atmosphere.run(made, 6)
    run = made.land._run
    own = torch.from_numpy(atmosphere.recorded[1]["skt"]).double()
    shock = (fields["skt"].double() - own)[run.points.targets]
    areas = run.points.target_areas
    mean, size = run.report.increments["skt"][0]
    assert mean == pytest.approx(float((shock * areas).sum() / areas.sum()), rel=1e-6)
    assert size == pytest.approx(float(((shock**2 * areas).sum() / areas.sum()).sqrt()), rel=1e-6)
    assert not page.exists()
    atmosphere.run(made, 12)
    report = run.report
    assert report.dates == [DATE + k * 6 * HOUR for k in (1, 2, 3)]
    assert report.arrives("skt") == pytest.approx(1.0, abs=1e-4)  # it continues from it, and adds 0.5 K in a step
    assert report.arrives("snow") == pytest.approx(0.0, abs=1e-6)  # a field that it makes itself in each step
    assert set(report.fluxes) == {"evap", "sro", "ssro", "ssr", "str", "slhf", "sshf"}
    text = page.read_text()
    given, received = (budget["avg_sdlwrf"] / (18 * 3600.0) for budget in (run.budget.given, run.budget.received))
    assert f"<td>{given:.6g}</td><td>{received:.6g}</td><td>W m-2</td>" in text
    assert f"<td>skt</td><td>{mean:.6g}</td><td>{size:.6g}</td>" in text
    crossed = [sum(values) for values in zip(*report.crossed["avg_sdlwrf"], strict=True)]
    assert crossed == pytest.approx([run.budget.given["avg_sdlwrf"], run.budget.received["avg_sdlwrf"]])
    assert len(report.crossed["avg_sdlwrf"]) == 3
    assert text.count('<img src="data:image/png;base64,iVBOR') == 2
    with pytest.raises(ValueError, match=r"`report` is '.*coupling.txt'. Give a name that ends in .html"):
        processor(world, 3, report=str(tmp_path / "coupling.txt"))


def test_other_weights_are_refused_before_the_first_step(world, tmp_path):
    """Weights with other options, and humidity without its partners, are refused when the run is set up."""
    with pytest.raises(ValueError, match="were made with"):
        processor(world, 6, points={**world.points, "lapse_rate": 0.005})
    with pytest.raises(ValueError, match="The correction for height needs"):
        processor(world, 6, forcing={**FORCING, "avg_t": {"dataset": "x.zarr"}})
    with pytest.raises(TypeError, match=r"Nearest: \['weights'\]"):
        processor(world, 6, points={**world.points, "weight": 1})
