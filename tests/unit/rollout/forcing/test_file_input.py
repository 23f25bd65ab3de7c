# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""State, static fields and forcing of a roll-out from files, defaults and saved states."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from anemoi_ailand.physics.snow import snow_cover
from anemoi_ailand.rollout.forcing import file_input as under_test
from anemoi_ailand.rollout.forcing.file_input import EcLandInput
from anemoi_ailand.rollout.forcing.initial_defaults import DERIVED, SNOW_FREE, check_defaults, cold_start, plan
from anemoi_ailand.rollout.forcing.state_input import LandStateInput
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.variables import VARIABLES, Role
from tests.support import stepper as case
from tests.support.files import FIRST, STEP, ramp, stamps, write_land
from tests.support.grib import Archive, Grid, files, points
from tests.support.land import CLOSED

N_DATES, N_POINTS = 9, 3
DATES = stamps(N_DATES)
STATE, STATIC, FORCING = ["stl1", "swvl1"], ["z"], ["avg_tprate", "lai_lv", "t"]
OFFSET = {"stl1": 280.0, "swvl1": 0.1, "avg_tprate": 0.0, "lai_lv": 2.0, "t": 270.0}


class Context:
    """Attributes of a runner that an input reads."""

    def __init__(self, start=DATES[0], lead=None, pre_processors=()):
        self.reference_date = start
        self.pre_processors = {"data": list(pre_processors)}
        if lead is not None:
            self.lead_time = lead


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Nine dates at three points; every value says its variable, date and point."""
    values = {n: ramp(N_DATES, N_POINTS, start) for n, start in OFFSET.items()}
    return write_land(tmp_path_factory.mktemp("input") / "land.nc", {**values, "z": np.arange(3.0)}, DATES)


def opened(path, variables, purpose="dynamic_forcings", context=None, **options):
    names = dict.fromkeys([*STATE, *STATIC, *FORCING, *variables], "typed")
    metadata = SimpleNamespace(dataset_name="data", typed_variables=names)
    context = context or Context()
    return EcLandInput(context, metadata, path=str(path), variables=list(variables), purpose=purpose, **options)


def forcing(source, *dates):
    return source.load_forcings_state(dates=list(dates), current_state={})["fields"]


def test_state_at_the_start(path):
    """Fields have shape (date, point), with place, date, origin and types; static fields need no date."""
    source = opened(path, STATE, "prognostics")
    state = source.create_input_state(dates=[DATES[2]])
    np.testing.assert_allclose(state["fields"]["stl1"], [[282.0, 282.01, 282.02]], rtol=1e-6)
    np.testing.assert_array_equal(state["latitudes"], [10.0, 11.0, 12.0])
    np.testing.assert_array_equal(state["longitudes"], [20.0, 21.0, 22.0])
    assert (state["date"], state["_input"], set(state["_variables"])) == (DATES[2], source, set(STATE))
    np.testing.assert_array_equal(source.available_dates, np.array(DATES, dtype="datetime64[s]"))
    assert source.default_initial_date() == DATES[0]
    static = opened(path, STATIC, "constant_forcings").create_input_state(dates=[DATES[0] - 99 * STEP])
    np.testing.assert_array_equal(static["fields"]["z"], [[0.0, 1.0, 2.0]])


def test_means_before_the_start_are_not_read(path):
    """Only these means are NaN."""
    fields = opened(path, FORCING).create_input_state(dates=[DATES[1]])["fields"]
    assert np.isnan(fields["avg_tprate"]).all()
    np.testing.assert_allclose(fields["t"], ramp(N_DATES, N_POINTS, 270.0)[1:2], rtol=1e-6)
    assert np.isfinite(fields["lai_lv"]).all()


@pytest.mark.parametrize("ahead", [2, 120])
def test_reading_ahead_equals_reading_each_date(path, monkeypatch, ahead):
    """Values are those of single reads across blocks, to the last date, and back; so are several dates at once."""
    monkeypatch.setattr(under_test, "READ_AHEAD", ahead)
    source = opened(path, FORCING)
    np.testing.assert_allclose(forcing(source, DATES[6], DATES[2])["t"][:, 0], [276.0, 272.0])
    for date in [*DATES, DATES[0], DATES[5]]:
        for name, values in forcing(source, date).items():
            expected = ramp(N_DATES, N_POINTS, OFFSET[name])[DATES.index(date)]
            np.testing.assert_allclose(values, expected[None], rtol=1e-6, err_msg=f"{name} {date}")


def reads_of(source, monkeypatch):
    """Numbers of dates that the reader is asked for, in a list that grows."""
    reads, read = [], source.reader.read
    monkeypatch.setattr(source.reader, "read", lambda n, d: (reads.append(len(d)), read(n, d))[1])
    return reads


@pytest.mark.parametrize("read_ahead", [True, False])
def test_nothing_is_read_beyond_the_end_of_the_run(path, monkeypatch, read_ahead):
    """Later dates, which may be bad, are not read."""
    source = opened(path, FORCING, context=Context(start=DATES[1], lead=3 * STEP), read_ahead=read_ahead)
    reads = reads_of(source, monkeypatch)
    for date in DATES[2:5]:
        forcing(source, date)
    source.close()
    assert sum(reads) == 3


def test_netcdf_is_read_under_the_lock_of_the_library(path):
    """Reading waits for a writer that holds the lock."""
    source = opened(path, FORCING)
    forcing(source, DATES[0])
    source.close()
    with NETCDF_LOCK, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(source._read, ["t"], [DATES[0]])
        time.sleep(0.1)
        assert not waiting.done()
        NETCDF_LOCK.release()
        assert waiting.result(timeout=5).shape == (1, 1, N_POINTS)
        NETCDF_LOCK.acquire()


def test_defaults_fill_missing_variables(path, caplog):
    """State, static fields and forcing are filled and logged; values in the files take precedence."""
    numbers = {"src": 0.2, "cl": 0.5, "avg_cpfr": 0.25, "stl1": 200.0}
    state = opened(path, ["stl1", "src"], "prognostics", defaults=numbers).create_input_state(dates=DATES[:1])
    np.testing.assert_array_equal(state["fields"]["src"], np.full((1, N_POINTS), 0.2, "f4"))
    np.testing.assert_allclose(state["fields"]["stl1"], [[280.0, 280.01, 280.02]], rtol=1e-6)
    static = opened(path, ["z", "cl"], "constant_forcings", defaults=numbers).create_input_state(dates=DATES[:1])
    np.testing.assert_array_equal(static["fields"]["cl"], np.full((1, N_POINTS), 0.5))
    moving = forcing(opened(path, ["avg_cpfr", "t"], defaults=numbers), DATES[3])
    np.testing.assert_array_equal(moving["avg_cpfr"], np.full((1, N_POINTS), 0.25))
    np.testing.assert_allclose(moving["t"], ramp(N_DATES, N_POINTS, 270.0)[3:4], rtol=1e-6)
    said = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert said == [
        f"Not in 'land.nc', filled for {purpose}: {name} = {value:g}, from `defaults`"
        for purpose, name, value in (
            ("prognostics", "src", 0.2), ("constant_forcings", "cl", 0.5), ("dynamic_forcings", "avg_cpfr", 0.25)
        )
    ]  # fmt: skip


def test_physics_fills_the_state_and_nothing_else(tmp_path):
    """Liquid water in snow is derived for the state and missing for other purposes."""
    snow = np.array([[0.0, 5.0]])
    path = write_land(tmp_path / "a.nc", {"sd": snow, "rsn": 200.0 + snow, "stl1": 270.0 + snow}, DATES[:1])
    fields = opened(path, ["sd", "slw", "snowc"], "prognostics").create_input_state(dates=DATES[:1])["fields"]
    np.testing.assert_array_equal(fields["slw"], [[0.0, 0.0]])
    assert fields["snowc"][0, 0] == 0.0 < fields["snowc"][0, 1] < 1.0
    with pytest.raises(ValueError, match=r"has no \['slw'\] for dynamic_forcings.* give a number in `defaults`"):
        _ = opened(path, ["sd", "slw"]).filled


def test_missing_variables_are_named(path):
    """The error names purpose, file or date, and what is available."""
    beyond, before = DATES[-1] + STEP, DATES[0] - STEP
    with pytest.raises(ValueError, match="it covers 2020-01-01 00:00 to 2020-01-03 00:00"):
        forcing(opened(path, FORCING), beyond)
    with pytest.raises(ValueError, match=r"'land.nc' has no \['swvl4'\] for prognostics; it has \['swvl1', 'stl1'"):
        opened(path, ["stl1", "swvl4"], "prognostics").create_input_state(dates=DATES[:1])
    with pytest.raises(
        ValueError, match=r"2019-12-31 18:00:00 has no prognostics at its start: .*it covers 2020-01-01"
    ):
        opened(path, STATE, "prognostics").create_input_state(dates=[before])


@pytest.mark.parametrize("where", ["input", "runner"])
def test_pre_processors_are_refused(path, where):
    """Pre-processors are an error rather than silently ignored."""
    context = Context(pre_processors=["forward_transform_filter"] if where == "runner" else [])
    inner = ["forward_transform_filter"] if where == "input" else None
    with pytest.raises(ValueError, match=r"no pre-processors; given are .*forward_transform_filter"):
        opened(path, STATE, context=context, pre_processors=inner)


def test_purposes_of_a_run_share_a_reader(path):
    """Other files, options or runs have their own reader."""
    run = Context()
    first = opened(path, STATE, context=run).reader
    assert opened(path, FORCING, context=run).reader is first
    assert opened(path, FORCING, context=run, layout="land").reader is not first
    assert opened(path, FORCING).reader is not first


@pytest.fixture
def forecast(tmp_path):
    """GRIB of one forecast: state and temperature from step 0 on, rain since its start."""
    archive = Archive(tmp_path, Grid("regular", 5))
    for k, date in enumerate(DATES[:4]):
        archive.field("state.grib", points(archive, 0.3 + 0.01 * k), 39, date, dataType="an")
        level = {"typeOfLevel": "hybrid", "level": 137}
        archive.field("t.grib", points(archive, 280.0 + k), 130, date, dataType="an", **level)
        if k:
            archive.amount("rain.grib", points(archive, 0.0216 * k), 228, FIRST, 0, 6 * k)
    return [str(f) for f in files(tmp_path)]


def test_run_starts_where_the_forecast_does(forecast):
    """A run starts at step 0, which has state and instants but no means; rain is that of the first six hours."""

    def of(variables, purpose):
        metadata = SimpleNamespace(dataset_name="data", typed_variables=dict.fromkeys([*FORCING, "swvl1"]))
        return EcLandInput(Context(), metadata, path=forecast, variables=variables, purpose=purpose)

    source = of(["swvl1"], "prognostics")
    assert source.reader.coverage.first == DATES[1]
    assert source.default_initial_date() == DATES[0]
    np.testing.assert_allclose(source.create_input_state(dates=DATES[:1])["fields"]["swvl1"], 0.3, atol=1e-6)
    source = of(["avg_tprate", "t"], "dynamic_forcings")
    start = source.create_input_state(dates=DATES[:1])["fields"]
    assert np.isnan(start["avg_tprate"]).all()
    np.testing.assert_allclose(start["t"], 280.0, atol=1e-4)
    np.testing.assert_allclose(forcing(source, DATES[1])["avg_tprate"], 0.0216e3 / 21600.0, rtol=1e-5)
    np.testing.assert_allclose(forcing(source, DATES[1])["t"], 281.0, atol=1e-4)


def test_fills_are_planned_once(path, monkeypatch):
    """Two threads that ask at the same time share one plan, so that its warning is logged once."""
    calls, plan = [], under_test.plan

    def slow(*arguments):
        calls.append(arguments)
        time.sleep(0.1)
        return plan(*arguments)

    monkeypatch.setattr(under_test, "plan", slow)
    source = opened(path, STATE, "prognostics")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: source.filled, range(2)))
    assert len(calls) == 1


SD = np.array([0.0, 0.5, 50.0], "f4")
HELD = {"sd": SD, "rsn": np.array([100.0, 150.0, 300.0], "f4"), "stl1": np.array([290.0, 274.0, 260.0], "f4")}


def made(name: str, defaults: dict[str, float] | None = None, without: tuple[str, ...] = ()) -> np.ndarray:
    """Values of a variable from those that are held."""
    held = {n: v for n, v in HELD.items() if n not in without}
    filled, missing = plan([name], held, defaults or {}, made=True)
    assert missing == []
    return np.broadcast_to(filled[name].make(*(held[n] for n in filled[name].inputs)), SD.shape)


def test_physics_fills_missing_variables() -> None:
    """Snow is dry, covers by ecLand's formula, and has the temperature of the soil without melting."""
    np.testing.assert_array_equal(made("slw"), [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(made("snowc"), snow_cover(SD, HELD["rsn"]).astype("f4"))
    np.testing.assert_allclose(made("tsn"), [273.16, 273.16, 260.0], rtol=1e-6)


def test_numbers_of_the_user_go_before_physics() -> None:
    """Derivations use them, too; without snow the value is ecLand's."""
    np.testing.assert_allclose(made("asn", {"asn": 0.7}), [0.85, 0.7, 0.7], rtol=1e-6)
    np.testing.assert_allclose(made("tsn", {"tsn": 270.0}), [273.16, 270.0, 270.0], rtol=1e-6)
    expected = snow_cover(SD, np.full(3, 200.0, "f4"))
    np.testing.assert_allclose(made("snowc", {"rsn": 200.0}, without=("rsn",)), expected, rtol=1e-6)


@pytest.mark.parametrize(("name", "without"), [("snowc", "rsn"), ("tsn", "stl1"), ("slw", "sd")])
def test_physics_needs_its_inputs(name: str, without: str) -> None:
    """Without its inputs a variable is missing."""
    filled, missing = plan([name], set(HELD) - {without}, {}, made=True)
    assert (filled, missing) == ({}, [name])


def test_variables_without_a_default_are_missing() -> None:
    """Density and albedo of snow, soil, and everything but the initial state are not derived."""
    wanted = ["rsn", "asn", "swvl1", "stl1", "sd", "src"]
    assert plan(wanted, {"sd"}, {}, made=True) == ({}, ["rsn", "asn", "swvl1", "stl1", "src"])
    assert plan(["slw"], {"sd"}, {}, made=False) == ({}, ["slw"])


def test_made_variables_are_state_and_within_bounds() -> None:
    """Derived variables are state in the table, and their values within bounds."""
    for name in {*DERIVED, *SNOW_FREE}:
        assert VARIABLES[name].role is Role.PROGNOSTIC
    for name, value in SNOW_FREE.items():
        check_defaults({name: value})


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        ({"slww": 0.0}, r"'slww' is not in the table .*'slw'"),
        ({"slw": -1.0}, r"'slw' is -1, outside \[0.0, .* Correct it"),
        ({"stl1": 15.0}, r"'stl1' is 15, outside \[180.0, 360.0\] K"),
        ({"asn": "fresh"}, r"'asn' is 'fresh'. Give a number in 1"),
        ({"asn": float("nan")}, r"'asn' is nan. Give a number"),
        ({"slw": True}, r"'slw' is True. Give a number in kg m-2"),
        ({"tvl": 1}, r"'tvl', low vegetation type .*, which has no default"),
        ({"insolation": 0.0}, "'insolation', .*, which has no default"),
    ],
)
def test_bad_defaults_are_refused(defaults: dict, message: str) -> None:
    """Unknown names, invalid numbers and variables without a default are errors."""
    with pytest.raises(ValueError, match=message):
        check_defaults(defaults)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A state of random fields, and the file in which it is."""
    stepper = case.stepper()
    state = case.start(stepper, 7)
    return state, state.save(tmp_path_factory.mktemp("state") / "land.state", "any")


def state_input(path, variables, purpose="prognostics", **options):
    metadata = SimpleNamespace(dataset_name="data", typed_variables=dict.fromkeys(CLOSED.forcing + list(variables)))
    context = SimpleNamespace(reference_date=None)
    return LandStateInput(context, metadata, path=str(path), variables=variables, purpose=purpose, **options)


def test_state_is_given_to_the_last_bit(saved):
    """State and static fields are bitwise equal, in the order requested."""
    state, path = saved
    assert state_input(path, ["stl1"]).default_initial_date() == case.DATE
    for names, purpose in ((["stl1", "sd", "swvl3"], "prognostics"), (["cvl", "slt"], "constant_forcings")):
        found = state_input(path, names, purpose).create_input_state(dates=[case.DATE])
        assert list(found["fields"]) == names
        assert (found["date"], set(found["_variables"])) == (case.DATE, set(names))
        for name in names:
            assert found["fields"][name].shape == (1, 7)
            assert found["fields"][name][0].tobytes() == state[name].numpy().tobytes()
        np.testing.assert_array_equal(found["latitudes"], state.latitudes)
        np.testing.assert_array_equal(found["longitudes"], state.longitudes)


def test_unsuitable_state_is_refused(saved, tmp_path):
    """Another date, another variable, forcing and a missing file are errors."""
    path = saved[1]
    for dates in ([case.DATE + STEP], [case.DATE - STEP, case.DATE]):
        with pytest.raises(ValueError, match=r"land.state' is of 2022-01-01 00:00:00, the run starts at .*Set `date`"):
            state_input(path, ["stl1"]).create_input_state(dates=dates)
    with pytest.raises(ValueError, match=r"has no \['lsm'\] for constant_forcings; it has \[.*'cvl'"):
        state_input(path, ["cvl", "lsm"], "constant_forcings").create_input_state(dates=[case.DATE])
    with pytest.raises(ValueError, match=r"has no forcing. Give `dynamic_forcings`, for example"):
        state_input(path, ["t"], "dynamic_forcings").load_forcings_state(dates=[case.DATE + STEP], current_state={})
    with pytest.raises(FileNotFoundError, match=r"no\.state"):
        state_input(tmp_path / "no.state", ["stl1"]).create_input_state(dates=[case.DATE])


def test_cold_start():
    """No snow, soil halfway between wilting point and field capacity; a variable without a rule is an error."""
    names = ["swvl1", "swvl4", "stl1", "sd", "asn", "tsn", "src"]
    found = cold_start(names, {"theta_pwp": 0.1, "theta_cap": 0.3}, 280.0)
    expected = {"swvl1": 0.2, "swvl4": 0.2, "stl1": 280.0, "sd": 0.0, "asn": 0.85, "tsn": 273.16, "src": 0.0}
    assert {n: v[0] for n, v in found.items()} == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"no rule for \['lai_lv'\]"):
        cold_start(["sd", "lai_lv"], {"theta_pwp": 0.1, "theta_cap": 0.3}, 280.0)
