# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Task `land` and mid-processor `land-component`: order of the exchange, and what is refused before the first step."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
import torch
from anemoi.inference.checkpoint import Checkpoint
from anemoi.inference.task import Task
from anemoi.inference.transports.threads import ThreadsTransport

from anemoi_ailand.coupling.component import LandComponentProcessor, LandTask
from anemoi_ailand.coupling.transports import LandThreadsTransport
from anemoi_ailand.rollout.stepper import LandStepper
from tests.support import atmosphere as toy
from tests.support import stepper as case

DATE, HOUR = datetime(2020, 5, 1), timedelta(hours=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Make checkpoints of atmospheres with steps of 6 and 3 h, one of them without units, and saved states."""
    folder = tmp_path_factory.mktemp("toy")
    stepper = LandStepper.open("ailand", threads=1)
    state, _ = case.sample_fields(stepper, 1)
    places = SimpleNamespace(latitudes=state.latitudes, longitudes=state.longitudes)
    weather = toy.Sample(DATE, 4)
    metadata = {}
    for hours, units in ((6, True), (3, True), (6, False)):
        path = toy.write_checkpoint(folder / f"{hours}{units}.ckpt", weather, hours=hours, units=units)
        metadata[hours, units] = Checkpoint(str(path)).multi_dataset_metadata["data"]
    model = torch.load(folder / "3True.ckpt", weights_only=False)
    fields = {n: state[n] for n in stepper.inputs}
    for name, date, n in (("few", DATE, 7), ("late", DATE + 6 * HOUR, len(state.latitudes))):
        part = {key: values[:n] for key, values in fields.items()}
        stepper.save(stepper.initial(part, date, state.latitudes[:n], state.longitudes[:n]), folder / f"{name}.state")
    return SimpleNamespace(
        stepper=stepper, path=stepper.save(state, folder / "land.state"), places=places, metadata=metadata, model=model,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _one_stepper(world, monkeypatch):
    monkeypatch.setattr(LandStepper, "open", lambda name, **k: world.stepper)


def couple(world, play, *, couplings=(), tasks=None, transport=LandThreadsTransport, component=None, **land):
    """Run a played atmosphere and the land in threads."""
    component = component or "land-component"
    given = {"initial": {"state": str(world.path)}, "forcing": toy.FORCING, "feedback": {"skt": "skt"}, **land}
    tasks = {"sky": toy.PlayedTask("sky", play, component), "land": LandTask("land", **given)} | (tasks or {})
    made = transport(list(couplings), tasks)
    made.start()
    made.wait()


def steps(world, events, hours=3, units=True, n=4, **options):
    """Play n steps of an atmosphere; ``events`` get its predictions."""

    def play(run):
        made = LandComponentProcessor(toy.context(DATE, f"{n * hours}h", **vars(run)), world.metadata[hours, units],
                                      **options)  # fmt: skip
        x = torch.full((1, 1, len(world.places.latitudes), len(toy.PROGNOSTIC)), 280.0)
        for k in range(n):
            date = DATE + (k + 1) * hours * HOUR
            events.append(("predict", date))
            out = world.model.predict_step({"data": x}, date=date)["data"][0, 0, 0]
            fields = {name: out[:, i] for i, name in enumerate(toy.OUTPUT)}
            before = fields["skt"].clone()
            made.process({"date": date, **vars(world.places), "fields": fields})
            events.append(("changed" if (fields["skt"] != before).any() else "same", date))
            x = torch.stack([fields[name] for name in toy.PROGNOSTIC], dim=-1)[None, None]

    return play


def test_order_of_the_exchange(world, monkeypatch):
    """The land steps between two predictions and returns fields of the same valid time, once in 6 h."""
    events, step = [], world.stepper.step

    def recorded(land, forcing):
        events.append(("land", land.date + 6 * HOUR))
        return step(land, forcing)

    monkeypatch.setattr(world.stepper, "step", recorded)
    couple(world, steps(world, events))
    at = [DATE + k * 3 * HOUR for k in range(5)]
    assert events == [
        ("predict", at[1]), ("same", at[1]), ("predict", at[2]), ("land", at[2]), ("changed", at[2]),
        ("predict", at[3]), ("same", at[3]), ("predict", at[4]), ("land", at[4]), ("changed", at[4]),
    ]  # fmt: skip


def test_each_exchange_is_one_message_each_way(world, monkeypatch):
    """The transport carries a first exchange and one each step, with the fields that are needed and no others."""
    sent, send = [], LandThreadsTransport.send
    monkeypatch.setattr(LandThreadsTransport, "send", lambda self, a, b, state, tag: sent.append(
        (a.name, tag, sorted(state["fields"]))) or send(self, a, b, state, tag))  # fmt: skip
    couple(world, steps(world, [], hours=6, n=2))
    needs = sorted({*toy.OUTPUT} - {"seen_skt", "snow", "stl1", "swvl1", "sd"})
    assert sent == [
        ("sky", 0, []), ("land", 0, []), ("sky", 1, needs), ("land", 1, ["skt"]), ("sky", 2, needs),
        ("land", 2, ["skt"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("played", "land", "message"),
    [
        ({}, {"initial": {"state": "few.state"}}, "the land has 7 points and the atmosphere 44"),
        ({}, {"initial": {"state": "late.state"}}, "is of 2020-05-01 06:00:00, the run starts at 2020-05-01 00:00:00"),
        ({"units": False}, {}, "the atmosphere's checkpoint does not give the units of 't'"),
        ({}, {"forcing": {}}, "`forcing.avg_sdswrf`: the atmosphere has no field 'avg_sdswrf'"),
        ({}, {"feedback": {"skt": "temperature"}}, "is 'temperature', which is not an output of the land"),
        ({"hours": 3, "n": 3}, {"save": "x.state"}, "`save` needs a `lead_time` of whole steps of 6 h"),
        ({}, {"couplings": [{"sky -> land": ["t"]}]}, "`couplings` names the task 'land'"),
        ({}, {"component": "land-model"}, r"the tasks \[\] are a `stored-atmosphere`, or a `runner`"),
        ({}, {"atmosphere": "sea"}, "`atmosphere` of the task 'land' is 'sea', but"),
        ({"feedback": {}}, {}, "`land-component` has no option 'feedback'"),
    ],
)
def test_refused_before_the_first_step(world, monkeypatch, played, land, message):
    """Wrong grids, dates, units, fields, steps, couplings and tasks end both before the atmosphere steps."""
    monkeypatch.chdir(world.path.parent)
    events = []
    with pytest.raises(RuntimeError, match=message):
        couple(world, steps(world, events, **{"hours": 6, "n": 2, **played}), **land)
    assert events == []


def test_misspelt_option_of_the_task(world):
    """An unknown option of the task is refused when the configuration is read."""
    with pytest.raises(TypeError, match=r"The task 'land' \(`land`\) has no option 'feedbak'. Nearest: .*'feedback'"):
        LandTask("land", feedbak={})
    assert world.path.exists()


def test_transports_that_hang_are_refused(world):
    """Both sides refuse the stock transports, so that neither waits for the other."""
    with pytest.raises(ValueError, match="Give `transport: land-processes`, `land-threads` or `land-mpi`"):
        couple(world, steps(world, []), transport=ThreadsTransport)


def test_component_without_a_land(world):
    """Outside a coupling, and without a task `land`, the mid-processor says what to do."""
    with pytest.raises(ValueError, match="In `anemoi-inference run` use the mid-processor `land-model`"):
        LandComponentProcessor(toy.context(DATE, "6h"), world.metadata[6, True])
    with pytest.raises(RuntimeError, match=r"of the task 'sky' needs one task `land`; .* of .* belong to it"):
        couple(world, steps(world, []), tasks={"land": Task("land")})


def test_a_failing_atmosphere_ends_the_land(world, tmp_path):
    """The error of the atmosphere is the error of the run; the file of the land is not published."""

    def play(run):
        made = LandComponentProcessor(toy.context(DATE, "12h", **vars(run)), world.metadata[6, True])
        raise FloatingPointError(f"blown up with {made}")

    with pytest.raises(RuntimeError, match=r"'sky' failed: FloatingPointError: blown up .* \['land'\] ended with it"):
        couple(world, play, output=str(tmp_path / "land.nc"))
    assert not (tmp_path / "land.nc").exists()
