# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Mid-processor `land-model`: single steps and refused options, its points and its file."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from anemoi.inference.checkpoint import Checkpoint

import anemoi_ailand as ail
from anemoi_ailand.coupling import coupled_land
from anemoi_ailand.coupling.coupled_land import initial_state
from anemoi_ailand.coupling.exchange import Exchange
from anemoi_ailand.coupling.land_file import LandFile
from anemoi_ailand.coupling.land_model import LandModelProcessor
from anemoi_ailand.coupling.land_points import land_points
from anemoi_ailand.rollout.forcing.records import places_of
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
    context = toy.context(date, lead)
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


#: Forcing that the toy atmosphere does not give: held as configured, or because one value suffices.
HELD = ("lai_hv", "al")


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
        held = {name: land[name] for name in HELD}
        land = world.stepper.step(land, {**rates(before, 6), **held})
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
    land = world.stepper.step(world.state, {**given, **{name: world.state[name] for name in HELD}})
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


@pytest.mark.parametrize(("lead", "point_steps"), [("12h", 2 * 44), ("30d", 120 * 44)])
def test_execution_is_chosen_as_in_a_run(world, monkeypatch, lead, point_steps):
    """By name and by the points of the land times its steps."""
    asked = []
    monkeypatch.setattr(LandStepper, "open", lambda name, **how: asked.append(how) or world.stepper)
    processor(world, lead=lead)
    processor(world, lead=lead, execution="compiled")
    work = {"device": "cpu", "threads": 1, "point_steps": point_steps, "plausibility": "error", "trust": None}
    assert asked == [{**work, "execution": "auto"}, {**work, "execution": "compiled"}]


def test_a_run_whose_date_is_not_known_before(world):
    """A start that is unknown in advance is checked at the first step."""
    processor(world, date=None).process(atmosphere(world, 6, 0, 280.0))
    with pytest.raises(ValueError, match="is of 2020-05-01 00:00:00, the run starts at 2020-05-01 06:00:00"):
        processor(world, date=None).process(atmosphere(world, 6, 1, 280.0))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"feedbak": {}}, TypeError, "`land-model` has no option 'feedbak'. Nearest: .*'feedback'"),
        ({"initial": None}, ValueError, "has no `initial`"),
        ({"date": DATE + 6 * HOUR}, ValueError, "is of 2020-05-01 00:00:00, the run starts at 2020-05-01 06:00:00"),
        ({"forcing": {}}, ValueError, "`forcing.avg_sdswrf`: the atmosphere has no field 'avg_sdswrf'"),
        ({"checkpoint": "no-such.ckpt"}, FileNotFoundError, "There is no checkpoint"),
        ({"save": "x.state", "lead": "9h"}, ValueError, "`save` needs a `lead_time` of whole steps of 6 h"),
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


def test_land_that_is_sea_is_warned_of(world, monkeypatch, caplog):
    """The land mask of a dataset is checked at the start, although no network reads it."""
    data = ail.open_data("$AILAND_SAMPLE").to_xarray(("2020-05-01", "2020-05-01")).load()
    sea = data["lsm"] * 0.0 if "lsm" in data else data["z"] * 0.0
    data["lsm"] = sea.assign_attrs(units="1")

    class Stored:
        def __init__(self, path, names):
            self.path, self.names, self.latitudes, self.longitudes = path, names, *places_of(data)

        def index_of(self, date):
            return 0

        def read(self, first, last, points):
            return np.stack([np.broadcast_to(data[n].values, data["t"].shape)[0] for n in self.names], -1)[None]

    monkeypatch.setattr(coupled_land, "AnemoiDataset", lambda path: SimpleNamespace(variables=list(data.data_vars)))
    monkeypatch.setattr(coupled_land, "StoredFields", Stored)
    initial_state({"dataset": "sea.zarr"}, world.stepper, DATE)
    assert "'lsm' (land-sea mask) is 0 at 44 of 44 points" in caplog.text


@pytest.mark.parametrize("config", ["land.state", {}, {"dataset": "a", "state": "b"}, {"sate": "x"}])
def test_other_initial_states_are_refused(world, config):
    """Other forms of `initial` are refused with the known ones."""
    with pytest.raises(TypeError, match=r"Give {dataset: PATH} or {state: PATH}|Nearest: .*'state'"):
        initial_state(config, world.stepper, DATE)


LAND = (np.array([50.0, -10.0, 70.0]), np.array([7.0, 179.9, -30.0]))
GRID = (np.array([0.0, 70.2, 50.1, -10.1, 89.0]), np.array([0.0, 330.0, 7.1, -180.0, 0.0]))


def test_same_points_in_any_convention_of_longitude():
    """With `same` points, fields are read and written as a whole."""
    points = land_points("same", LAND, (LAND[0], LAND[1] % 360.0))
    field = torch.rand(3)
    assert torch.equal(points.read(field).float(), field)
    assert torch.equal(points.write(field, torch.arange(3.0)), torch.arange(3.0))


def test_nearest_crosses_the_date_line():
    """The nearest point is that on the sphere, not in degrees."""
    assert land_points("nearest", LAND, GRID).read(torch.arange(5.0)).tolist() == [2.0, 3.0, 1.0]


def test_index_from_a_file(tmp_path):
    """An index file gives one position per point of the land."""
    np.save(tmp_path / "i.npy", np.array([4, 0, 2]))
    points = land_points({"index": str(tmp_path / "i.npy")}, LAND, GRID)
    field = torch.arange(5.0)
    assert points.read(field).tolist() == [4.0, 0.0, 2.0]
    assert points.write(field, torch.tensor([10.0, 20.0, 30.0])).tolist() == [20.0, 1.0, 30.0, 3.0, 10.0]
    assert field.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_several_points_of_the_land_at_one_of_the_atmosphere():
    """Points of the land that share a point of the atmosphere read it and write their mean."""
    points = Exchange.from_index(np.array([1, 1, 0]), 3)
    assert points.read(torch.tensor([5.0, 6.0, 7.0])).tolist() == [6.0, 6.0, 5.0]
    assert points.write(torch.zeros(3), torch.tensor([1.0, 2.0, 4.0])).tolist() == [4.0, 1.5, 0.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision_of_the_field_stays(dtype):
    """The precision of the atmosphere's fields is kept."""
    for index in ([0, 1], [0, 0]):
        assert Exchange.from_index(np.array(index), 2).write(torch.zeros(2, dtype=dtype), torch.ones(2)).dtype is dtype


@pytest.mark.parametrize(
    ("config", "grid", "error", "message"),
    [
        ("same", GRID, ValueError, "the land has 3 points and the atmosphere 5"),
        ("same", (LAND[0][::-1], LAND[1][::-1]), ValueError,
         r"2 of 3 points differ, the first: latitude 50\.000, longitude 7\.000 of the land"),
        ({"nearest": 20}, GRID, ValueError,
         r"1 of 3 points .* within 20 km; the farthest, latitude 70\.000.* is 22 km away"),
        ({"index": "no.npy"}, GRID, FileNotFoundError, "There is no index"),
        ({"index": "i.npy"}, GRID, ValueError, r"has shape \(2,\); the land has 3 points"),
        ({"nearst": 3}, GRID, TypeError, r"Nearest: \['nearest'\]"),
        ("closest", GRID, ValueError, "`points` is 'closest'. Give same"),
        ({"index": "a.npy", "nearest": 3}, GRID, ValueError, "`points` is"),
    ],
)  # fmt: skip
def test_points_that_do_not_fit_are_refused(tmp_path, monkeypatch, config, grid, error, message):
    """Other points, points too far away, an index that does not fit and unknown options are refused."""
    monkeypatch.chdir(tmp_path)
    np.save("i.npy", np.array([4, 0]))
    with pytest.raises(error, match=message):
        land_points(config, LAND, grid)


@pytest.mark.parametrize(
    ("index", "message"),
    [(np.array([0, 5]), "positions from 0 to 5; the atmosphere has points 0 to 4"), (np.array([-1]), "from -1"),
     (np.array([0.0]), "Give one integer per land point"), (np.zeros((2, 2), int), r"shape \(2, 2\)"),
     (np.array([], int), "0 positions")],
)  # fmt: skip
def test_a_bad_index_is_refused(index, message):
    """An index with other types, shapes or positions is refused."""
    with pytest.raises(ValueError, match=message):
        Exchange.from_index(index, 5)


N = 5


@pytest.fixture(scope="module")
def states():
    stepper = case.stepper()
    first = case.start(stepper, N)
    return stepper, [first, stepper.step(first, case.forcings(N)[0])]


def test_states_are_written_unchanged(states, tmp_path):
    """All times are written bitwise, under NetCDF names; diagnostics are missing at the start."""
    stepper, made = states
    file = LandFile(tmp_path / "new" / "land.nc", stepper.outputs, "abc", stepper.execution)
    for state in made:
        file.write(state)
    file.close()
    with xr.open_dataset(tmp_path / "new" / "land.nc") as ds:
        assert (ds.attrs["checkpoint_sha256"], ds.attrs["execution"]) == ("abc", "plain")
        np.testing.assert_array_equal(ds.time, np.array([s.date for s in made], dtype="datetime64[ns]"))
        np.testing.assert_array_equal(ds.latitude, made[0].latitudes)
        for k, state in enumerate(made):
            for name, values in state.numpy().items():
                found = ds["t2m" if name == "2t" else name]
                np.testing.assert_array_equal(found.values[k], values, err_msg=name)
        assert np.isnan(ds.t2m.values[0]).all()
        assert ds.sd.attrs["units"] == "kg m-2"


def test_the_name_is_given_when_the_file_is_complete(states, tmp_path):
    """Until the run is complete there is a partial file, and an earlier file stays."""
    (tmp_path / "land.nc").touch()
    file = LandFile(tmp_path / "land.nc", states[0].outputs, "abc", "plain")
    file.write(states[1][0])
    assert (tmp_path / "land.nc").read_text() == ""
    assert (tmp_path / "land.nc.partial").is_file()
    file.close()
    assert not (tmp_path / "land.nc.partial").exists()
