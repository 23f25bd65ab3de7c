# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Mid-processor `land-model`: single steps and refused options. Whole runs are in tests/integration."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from anemoi.inference.checkpoint import Checkpoint

from anemoi_ailand.coupling.land_model import LandModelProcessor, initial_state
from anemoi_ailand.rollout.stepper import LandStepper
from tests.support import atmosphere as toy
from tests.support import stepper as case

DATE = datetime(2020, 5, 1)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Make checkpoints of atmospheres with steps of 6 and 3 h, the stepper of the land and a saved state."""
    folder = tmp_path_factory.mktemp("toy")
    weather = toy.Sample(DATE, 5)
    stepper = LandStepper.open("ailand", threads=1)
    state, _ = case.sample_fields(stepper, 1)
    return SimpleNamespace(
        weather=weather, stepper=stepper, state=state, path=stepper.save(state, folder / "land.state"),
        metadata={h: Checkpoint(str(toy.write_checkpoint(folder / f"{h}.ckpt", weather, hours=h)))
                  .multi_dataset_metadata["data"] for h in (6, 3)},
        models={h: torch.load(folder / f"{h}.ckpt", weights_only=False) for h in (6, 3)},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _one_stepper(world, monkeypatch):
    """Load the packaged network once."""
    load = LandStepper.open
    monkeypatch.setattr(LandStepper, "open", lambda name, **k: world.stepper if name == "ailand" else load(name, **k))


def processor(world, hours=6, date=DATE, lead="12h", **options):
    context = SimpleNamespace(reference_date=date, lead_time=None, config=SimpleNamespace(lead_time=lead))
    given = {"initial": {"state": str(world.path)}, "forcing": toy.FORCING, "threads": 1, **options}
    return LandModelProcessor(context, world.metadata[hours], **given)


def atmosphere(world, hours, k, skt):
    """Return the state after step ``k`` of an atmosphere with skin temperature ``skt``, as the runner passes it."""
    n = len(world.state.latitudes)
    x = torch.zeros(1, 1, n, len(toy.PROGNOSTIC))
    x[..., list(toy.PROGNOSTIC).index("skt")] = skt
    date = DATE + (k + 1) * hours * HOUR
    with torch.inference_mode():
        out = world.models[hours].predict_step({"data": x}, date=date)["data"][0, 0, 0]
        fields = {name: out[:, i] for i, name in enumerate(toy.OUTPUT)}
    return {"date": date, "latitudes": world.state.latitudes, "longitudes": world.state.longitudes, "fields": fields}


def rates(fields, hours):
    """Return the forcing of the land from recorded fields of one step."""
    given = {k: v for k, v in fields.items() if k in ("t", "q") or k.startswith(("avg", "lai"))}
    given["avg_sdswrf"] = (fields["ssrd"].astype("f8") / (hours * 3600.0)).astype("f4")
    given["avg_tprate"] = (fields["tp"].astype("f8") * 1000.0 / (hours * 3600.0)).astype("f4")
    return given


def test_two_steps_by_hand(world):
    """Feedback fields are overwritten, others unchanged, and the next step continues from there."""
    made = processor(world, feedback={"skt": "skt", "snow": "sd"})
    land = world.state
    for k in range(2):
        state = atmosphere(world, 6, k, 280.0)
        before = {n: v.numpy().copy() for n, v in state["fields"].items()}
        with torch.inference_mode():
            after = made.process(state)["fields"]
        lai_hv = land["lai_hv"]
        land = world.stepper.step(land, {**rates(before, 6), "lai_hv": lai_hv})
        np.testing.assert_array_equal(after["skt"].numpy(), land["skt"].numpy())
        np.testing.assert_array_equal(after["snow"].numpy(), (land["sd"].double() * 1e-3).float().numpy())
        for name in set(toy.OUTPUT) - {"skt", "snow"}:
            np.testing.assert_array_equal(after[name].numpy(), before[name], err_msg=name)


def test_shorter_steps_of_the_atmosphere(world):
    """The land steps once in 6 h with means over both steps; before that nothing is overwritten."""
    made = processor(world, 3, feedback={"skt": "skt"})
    states = [atmosphere(world, 3, k, 280.0) for k in range(2)]
    fields = [{n: v.numpy().copy() for n, v in s["fields"].items()} for s in states]
    with torch.inference_mode():
        first, second = (made.process(s)["fields"]["skt"].numpy() for s in states)
    np.testing.assert_array_equal(first, fields[0]["skt"])
    assert not np.array_equal(fields[0]["ssrd"], fields[1]["ssrd"])
    means = {n: ((fields[0][n].astype("f8") + fields[1][n]) / 2).astype("f4") for n in fields[0]}
    given = rates(means, 3) | {n: fields[1][n] for n in ("t", "q", "lai_lv")}
    land = world.stepper.step(world.state, {**given, "lai_hv": world.state["lai_hv"]})
    np.testing.assert_allclose(second, land["skt"].numpy(), rtol=1e-6)


def test_state_and_file_at_the_end(world, tmp_path):
    """The state is saved at the end of the run, and another run starts from it."""
    made = processor(world, output=str(tmp_path / "land.nc"), save=str(tmp_path / "end.state"))
    for k in range(2):
        assert not (tmp_path / "end.state").exists()
        made.process(atmosphere(world, 6, k, 280.0))
    saved = world.stepper.load(tmp_path / "end.state")
    assert saved.date == DATE + 12 * HOUR
    assert (tmp_path / "land.nc").is_file()
    processor(world, date=saved.date, initial={"state": str(tmp_path / "end.state")})


def test_a_run_whose_date_is_not_known_before(world):
    """A start that is unknown in advance is checked at the first step."""
    processor(world, date=None).process(atmosphere(world, 6, 0, 280.0))
    with pytest.raises(ValueError, match="is of 2020-05-01 00:00:00, the run starts at 2020-05-01 06:00:00"):
        processor(world, date=None).process(atmosphere(world, 6, 1, 280.0))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"feedbak": {}}, TypeError, "`land-model` has no option 'feedbak'. Did you mean 'feedback'"),
        ({"initial": None}, ValueError, "has no `initial`"),
        ({"date": DATE + 6 * HOUR}, ValueError, "is of 2020-05-01 00:00:00, the run starts at 2020-05-01 06:00:00"),
        ({"forcing": {}}, ValueError, "`forcing.avg_sdswrf`: the atmosphere has no field 'avg_sdswrf'"),
        ({"feedback": {"skt": "swvl1"}}, ValueError, "no factor is known"),
        ({"checkpoint": "no-such.ckpt"}, FileNotFoundError, "There is no checkpoint"),
        ({"save": "x.state", "lead": "9h"}, ValueError, "`save` needs a `lead_time` of whole steps of 6 h"),
        ({"points": {"index": "no.npy"}}, FileNotFoundError, "There is no index"),
        ({"forcing": toy.FORCING | {"lai_hv": {"dataset": "no.zarr"}}}, FileNotFoundError, "There is no dataset"),
    ],
)
def test_refused_before_the_first_step(world, options, error, message):
    """Wrong options, units, dates and files are refused when the run is set up."""
    with pytest.raises(error, match=message):
        processor(world, **options)


def test_other_points_are_refused_before_the_first_step(world, tmp_path):
    """Other points than those of the checkpoint are refused when the run is set up."""
    few = world.state
    part = world.stepper.initial(
        {n: few[n][:7] for n in world.stepper.inputs}, DATE, few.latitudes[:7], few.longitudes[:7]
    )
    world.stepper.save(part, tmp_path / "few.state")
    with pytest.raises(ValueError, match="the land has 7 points and the atmosphere 44"):
        processor(world, initial={"state": str(tmp_path / "few.state")})
    processor(world, initial={"state": str(tmp_path / "few.state")}, points="nearest")


def test_a_gap_in_time_is_refused(world):
    """A missing step of the atmosphere is refused."""
    made = processor(world)
    made.process(atmosphere(world, 6, 0, 280.0))
    with pytest.raises(
        ValueError, match="went from 2020-05-01 06:00:00 to 2020-05-01 18:00:00, but its step is 6:00:00"
    ):
        made.process(atmosphere(world, 6, 2, 280.0))


def test_missing_field_of_the_atmosphere_stops_the_run(world):
    """A NaN in a field stops the run with variable, date and place."""
    state = atmosphere(world, 6, 0, 280.0)
    state["fields"]["tp"] = state["fields"]["tp"].clone()
    state["fields"]["tp"][3] = torch.nan
    with pytest.raises(ValueError, match="'avg_tprate' at 2020-05-01 06:00 is missing or infinite at 1 of 44 points"):
        processor(world).process(state)


@pytest.mark.parametrize("config", ["land.state", {}, {"dataset": "a", "state": "b"}, {"sate": "x"}])
def test_other_initial_states_are_refused(world, config):
    """Other forms of `initial` are refused with the known ones."""
    with pytest.raises(TypeError, match=r"Give {dataset: PATH} or {state: PATH}|Did you mean 'state'"):
        initial_state(config, world.stepper, DATE)
