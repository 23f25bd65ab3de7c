# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Runs from Python: bitwise the loop over steps and an operational run, in parts, in pieces, as an ensemble."""

from datetime import timedelta

import numpy as np
import pytest
import torch
import xarray as xr

from anemoi_ailand.data.land_data import LandData
from anemoi_ailand.data.reader import Coverage
from anemoi_ailand.rollout.ensembles.model_error import OutputErrors, write_calibration
from anemoi_ailand.rollout.forcing import records
from anemoi_ailand.rollout.outputs import output_frame
from anemoi_ailand.rollout.stepper import LandStepper
from anemoi_ailand.variables import variable
from tests.support import loop
from tests.support import stepper as case

STEPS, N = 9, loop.N
ENSEMBLE = {"members": 3, "initial": {}, "forcing": {}}


@pytest.fixture(scope="module")
def land():
    return LandStepper(loop.land_step(), threads=1, plausibility="off")


@pytest.fixture(scope="module")
def data(land):
    """All inputs but the sun, every 6 h, under the names of NetCDF."""
    values = np.stack([loop.inputs(loop.land_step(), k) for k in range(STEPS + 1)])  # (time, input, point)
    latitudes, longitudes = case.places(N)
    fields = {}
    for i, name in enumerate(land.inputs):
        row, constant = variable(name), name in land.static
        if not row.computed:
            content = (("point",), values[0, i]) if constant else (("time", "point"), values[:, i])
            fields[row.netcdf_name] = (*content, {"units": row.units})
    times = np.datetime64(loop.DATE, "ns") + np.arange(STEPS + 1) * np.timedelta64(6, "h")
    return xr.Dataset(fields, {"time": times, "latitude": ("point", latitudes), "longitude": ("point", longitudes)})


def opened(dataset) -> LandData:
    """The same as opened data."""

    class Reader:
        name = "a test"
        variables = tuple(dataset.data_vars)
        latitudes, longitudes = dataset["latitude"].values, dataset["longitude"].values
        point_id, climate_class = np.arange(N), None
        coverage = Coverage(loop.DATE, loop.DATE + STEPS * loop.STEP)

        def read(self, names, dates):
            found = dataset[list(names)].sel(time=np.array(dates, "datetime64[ns]"))
            return np.stack([found[n].broadcast_like(dataset["latitude"] * found["time"].astype("f4") if n else None)
                             .transpose("time", "point").values for n in names])  # fmt: skip

    return LandData(Reader())


def rows(series, name) -> np.ndarray:
    """Values of a variable by its name in the table, without the initial state."""
    return series[variable(name).netcdf_name].values[1:]


def equal(a, b) -> None:
    """Two series that are equal to the last bit, with labels."""
    xr.testing.assert_identical(a.drop_attrs(), b.drop_attrs())


def test_run_is_the_loop_over_steps(land, data):
    """Every value is bitwise that of a loop by hand and of the loop over ``step``; at the start there is only state."""
    series, last = land.run(data, return_state=True)
    by_hand = torch.stack(loop.by_hand(loop.land_step(), STEPS)).numpy()
    state = land.initial(data)
    for k in range(STEPS):
        state = land.step(state, data)
        for i, name in enumerate(land.outputs):
            np.testing.assert_array_equal(rows(series, name)[k], by_hand[k, :, i], name)
            np.testing.assert_array_equal(rows(series, name)[k], state[name].numpy(), name)
    assert torch.equal(last.columns, state.columns) and last.date == state.date
    first = series.isel(time=0)
    np.testing.assert_array_equal(first["swvl1"], data["swvl1"][0])
    assert all(first[variable(name).netcdf_name].isnull().all() for name in land.diagnostic)


def test_kinds_of_data_and_pieces(land, data, monkeypatch):
    """Opened data, a dataset in another order of dimensions, and reading date by date give the same."""
    expected = land.run(data, ["swvl1", "stl1"])
    equal(land.run(opened(data), ["swvl1", "stl1"]), expected)
    equal(land.run(data.transpose("point", "time"), ["swvl1", "stl1"]), expected)
    monkeypatch.setattr(records, "BLOCK_BYTES", 1)
    equal(land.run(data, ["swvl1", "stl1"]), expected)
    equal(land.run(opened(data), ["swvl1", "stl1"]), expected)


def test_divided_run_is_the_whole_run(land, data, tmp_path):
    """Two parts with the state between, in memory or in a file, are bitwise the run in one piece."""
    whole = land.run(data)
    first, state = land.run(data, lead_time="24h", return_state=True)
    rest = data.isel(time=slice(5, None))  # the date of the state itself is not needed
    for initial in (state, land.save(state, tmp_path / "land.state")):
        joined = xr.concat([first, land.run(rest, initial=initial)], "time", data_vars="minimal", coords="minimal",
                           compat="override")  # fmt: skip
        equal(joined, whole)


@pytest.mark.parametrize("ensemble", [None, ENSEMBLE])
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_output_in_pieces(land, data, tmp_path, suffix, ensemble, monkeypatch):
    """A file written in pieces holds the series in memory, replaces an earlier one, and is opened as the result."""
    monkeypatch.setattr(output_frame, "CHUNK_TIMES", 4)
    monkeypatch.setattr(output_frame, "LEAST_BYTES", 0)
    path = tmp_path / "new" / f"run{suffix}"
    expected = land.run(data, ["swvl1", "2t"], ensemble=ensemble)
    for _ in range(2):
        with land.run(data, ["swvl1", "t2m"], ensemble=ensemble, output=path) as series:
            equal(series.load(), expected)
            assert series["t2m"].attrs == expected["t2m"].attrs and series.attrs["checkpoint_sha256"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_failed_run_leaves_an_earlier_output(land, data, tmp_path, suffix):
    """An error removes the partial output and keeps the one of an earlier run."""
    path = tmp_path / f"run{suffix}"
    land.run(data, ["swvl1"], output=path).close()
    bad = data.copy(deep=True)
    bad["t"][5, 3] = np.nan
    with pytest.raises(ValueError, match=r"'t' at 2022-01-02 06:00 is missing .* 1 of 20 points"):
        land.run(bad, ["swvl1"], output=path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert xr.open_dataset(path).sizes["time"] == STEPS + 1


def test_ensemble_is_that_of_an_operational_run(land, data):
    """Members are bitwise those of the runner's loop; member 0 is the single run."""
    names = ["stl1", "swvl1", "evap"]
    series = land.run(data, names, ensemble=ENSEMBLE)
    assert series["stl1"].dims == ("time", "member", "point")
    expected = torch.stack(loop.run(loop.roll_out(**ENSEMBLE), STEPS)).numpy().reshape(STEPS, 3, N, -1)
    single = land.run(data, names)
    for name in names:
        np.testing.assert_array_equal(rows(series, name), expected[..., land.outputs.index(name)])
        np.testing.assert_array_equal(rows(series, name)[:, 0], rows(single, name))
    assert series["stl1"].std("member")[-1].max() > 0.01


def test_ensemble_of_states_continues(land, data):
    """An ensemble with perturbed states only is divided like a single run."""
    options = {"members": 2, "initial": {}}
    whole = land.run(data, ["stl1"], ensemble=options)
    _, state = land.run(data, ["stl1"], ensemble=options, lead_time="1d", return_state=True)
    np.testing.assert_array_equal(land.run(data, ["stl1"], ensemble=options, initial=state)["stl1"], whole["stl1"][5:])


def test_units_of_the_data_are_converted(land, data):
    """Degrees Celsius and hPa are converted by their attribute; a unit that is not known is refused."""
    other = data.copy()
    other["t"] = (data["t"].astype("f8") - 273.15).assign_attrs(units="degC")
    for forcing in (other, other.isel(time=1)):
        warm = land.step(land.initial(data), forcing)["t"]
        np.testing.assert_allclose(warm, data["t"][1], rtol=1e-6)
    np.testing.assert_allclose(land.run(other, ["stl1"])["stl1"], land.run(data, ["stl1"])["stl1"], rtol=1e-5)
    other["t"].attrs["units"] = "furlong"
    with pytest.raises(ValueError, match="'t' in 'the dataset' has units 'furlong'; 'K' is expected"):
        land.step(land.initial(data), other.isel(time=1))


def test_period(land, data):
    """Start, end and lead time in any form; a whole day ends with its last record."""
    for options, first, last in (
        ({"start": "2022-01-02"}, "2022-01-02T00", "2022-01-03T06"),
        ({"end": "2022-01-01"}, "2022-01-01T00", "2022-01-01T18"),
        ({"end": "2022-01-02T00"}, "2022-01-01T00", "2022-01-02T00"),
        ({"start": np.datetime64("2022-01-01T06"), "lead_time": "12h"}, "2022-01-01T06", "2022-01-01T18"),
        ({"lead_time": timedelta(days=1)}, "2022-01-01T00", "2022-01-02T00"),
        ({"lead_time": np.timedelta64(1, "D")}, "2022-01-01T00", "2022-01-02T00"),
    ):
        times = land.run(data, ["swvl1"], **options)["time"].values
        assert (times[0], times[-1]) == (np.datetime64(first), np.datetime64(last))


def test_run_starts_where_there_is_a_state(land, data):
    """Without a start the run begins at the first date with a complete state; forcing may begin earlier."""
    late = data.copy(deep=True)
    late["stl2"][:2] = np.nan
    expected = land.run(data, ["stl1"], start="2022-01-01T12")
    equal(land.run(late, ["stl1"]), expected)
    equal(land.run(opened(late), ["stl1"]), expected)
    late["stl2"][:] = np.nan
    with pytest.raises(ValueError, match="'stl2' at 2022-01-01 00:00 is missing"):
        land.run(late, ["stl1"])


def test_a_single_site(land, data):
    """Data of one site without a dimension of points are a run at one point, with the bits it has among others."""
    site = land.run(data.isel(point=4), ["stl1"])
    np.testing.assert_array_equal(site["stl1"].values[:, 0], land.run(data, ["stl1"])["stl1"].values[:, 4])


def test_requests_without_sense_are_refused(land, data, tmp_path):
    """The error says what is wrong and what to do."""
    state = land.initial(data)
    grid = data.drop_vars(["latitude", "longitude"]).assign_coords(lat=("y", [1.0]), lon=("x", [1.0]))
    for options, message in (
        ({"variables": ["swlv1"]}, "no variable 'swlv1' in the outputs of the emulator. Nearest: .'swvl1'"),
        ({"end": "2022-02"}, "no record at 2022-02-28 23:59; they have 2022-01-01 00:00 to 2022-01-03 06:00"),
        ({"lead_time": "7h"}, "no record at 2022-01-01 07:00; .*Choose a date in it"),
        ({"lead_time": "three days"}, "`lead_time` is 'three days'. Give a text such as '30d'"),
        ({"lead_time": np.timedelta64("NaT")}, "`lead_time` is .*NaT.*Give a text such as '30d'"),
        ({"lead_time": [3]}, r"`lead_time` is \[3\]. Give a text such as '30d'"),
        ({"start": "2022-01-03T06"}, "no step from 2022-01-03T06:00:00"),
        ({"lead_time": "1d", "end": "2022-01-02"}, "Give one of them"),
        ({"initial": state, "start": "2022-01-02"}, "omit `start`"),
        ({"initial": land.run(data, return_state=True)[1]}, "no record at 2022-01-03 12:00"),
        ({"initial": land.initial(data.isel(point=[1, 2]))}, "The state has 2 points, the data 20 in 1 member"),
        ({"initial": state, "ensemble": ENSEMBLE}, "cannot continue"),
        ({"ensemble": {"members": 2, "forcng": {}}}, "'forcng' is not an option. Nearest: .'forcing'"),
        ({"ensemble": {"members": 2, "checkpoints": ["b"]}}, "a stepper has one network"),
        ({"output": tmp_path / "run.grib"}, "has another suffix than"),
        ({"data": data.isel(time=[0, 1, 3])}, "After 2022-01-01 06:00 comes 2022-01-01 18:00"),
        ({"data": data.drop_vars("time")}, "no coordinate 'time'"),
        ({"data": data.drop_vars("latitude")}, "no 'latitude' and 'longitude'"),
        ({"data": grid}, r"span a grid.*\.stack\(point="),
        ({"data": data.drop_vars("avg_tprate")}, r"also needs \['avg_tprate'\]"),
        ({"data": data.drop_vars(land.prognostic)}, "without any state.*give `initial=` to `run`.*tower` spin it up"),
        ({"data": data.assign(t=(data["t"] - 273.15).assign_attrs(units="K"))}, "'t' .*The unit degC.* would fit"),
    ):
        with pytest.raises(ValueError, match=message):
            land.run(**{"data": data, **options})
    with pytest.raises(TypeError, match=r"a dict\. Give what `open_data` returns"):
        land.run({"t": np.zeros(3)})


def test_start_one_step_before_the_means(land, data):
    """A run may start where instants and state begin, one step before the means; elsewhere the date is refused."""
    files = opened(data)
    files.reader.coverage = Coverage(loop.DATE + loop.STEP, loop.DATE + STEPS * loop.STEP)
    whole = land.run(data, ["swvl1", "2t"])
    for ensemble in (None, {"members": 1}):
        found = land.run(files, ["swvl1", "2t"], start=loop.DATE, ensemble=ensemble).squeeze(drop=True)
        xr.testing.assert_equal(found, whole.drop_vars(set(whole.coords) - set(found.coords)))
    for source, start in ((files, loop.DATE - loop.STEP), (data, loop.DATE - loop.STEP)):
        with pytest.raises(ValueError, match=r"have no record at 2021-12-31 18:00; they have 2022-01-01"):
            land.run(source, start=start)
    files.reader.read = lambda names, dates: (_ for _ in ()).throw(ValueError("not in the files"))
    with pytest.raises(ValueError, match=r"have no record at 2022-01-01 00:00; they have 2022-01-01 06:00"):
        land.run(files, start=loop.DATE)


def test_bar_of_progress(land, data, capsys):
    """A short run shows nothing unless asked."""
    land.run(data, ["swvl1"])
    assert capsys.readouterr().err == ""
    land.run(data, ["swvl1"], progress=True)
    assert f"{STEPS}/{STEPS}" in capsys.readouterr().err


def test_model_error_perturbs_members_but_the_control(land, data, tmp_path):
    """The control is the single run, members differ, and the state returned is one of the stepper."""
    outputs = land._loaded.model.model.network_outputs
    numbers = ((0.05,) * len(outputs), (0.2,) * len(outputs), (24.0,) * len(outputs))
    path = write_calibration(tmp_path / "errors.json", OutputErrors(outputs, *numbers), land._loaded)
    ensemble = {"members": 3, "model_error": str(path)}
    found, state = land.run(data, ["swvl1", "2t"], ensemble=ensemble, return_state=True)
    single = land.run(data, ["swvl1", "2t"])
    for name in ("swvl1", "t2m"):
        np.testing.assert_array_equal(found[name].sel(member=0), single[name])
        assert np.ptp(found[name].values[1:], axis=1).mean() > 0.0
    assert state.inputs == land.inputs
    last = single["swvl1"][-1]
    np.testing.assert_array_equal(state["swvl1"].numpy()[:N], last)
    with pytest.raises(ValueError, match="perturbations of forcing and model, so the ensemble cannot continue"):
        land.run(data, ensemble=ensemble, initial=land.initial(data.isel(time=0)))
