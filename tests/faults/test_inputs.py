# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every wrong input of the catalogue is refused or warned of, and nothing that is sound."""

import logging
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.data.plausibility.checker import Checker, Implausible, check_period
from anemoi_ailand.data.source import EcLandSource
from anemoi_ailand.rollout.outputs.output_progress import RUN, Progress, save_arrays
from anemoi_ailand.rollout.run.launch import Failure, launch
from anemoi_ailand.rollout.run.preflight import check_outputs
from anemoi_ailand.support.atomic import check_replaceable
from anemoi_ailand.variables import variable
from anemoi_ailand.workflows.check import check
from tests.faults.faults import words
from tests.faults.inputs import CASES, ERROR, FINE, WARNING, YEARS

#: Four days by season; with snow at the first point in winter.
PERIODS = {
    "winter": ("2021-02-01", "2021-02-05"),
    "summer": ("2021-07-10", "2021-07-14"),
    "spring": ("2021-04-12", "2021-04-16"),
}

#: Places with snow in winter, in the tropics, in a steppe [degrees].
PLACES = ([54.3, 3.06, 31.7], [10.1, 104.7, -110.4])


@pytest.fixture(scope="module")
def land():
    """The packaged network, which is loaded once."""
    return ail.load("ailand-small", threads=1)


@pytest.fixture(scope="module")
def seasons():
    """Four days of the sample in each season, in memory."""
    data = ail.open_data("$AILAND_SAMPLE")
    points = data.nearest(*PLACES, within=1000.0)
    found = {name: data.to_xarray(period, points=points).load() for name, period in PERIODS.items()}
    month = data.to_xarray(("2021-07-10", "2021-07-30")).load()
    return found | {"everywhere": data.to_xarray(PERIODS["winter"]).load(), "month": month}


def outcome(land, data, caplog):
    """Class of a run, and all it says."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, "anemoi_ailand"):
        try:
            land.run(data, ["skt"], progress=False)
        except ValueError as error:
            return ERROR, str(error)
    said = " ".join(record.getMessage() for record in caplog.records)
    return (WARNING if said else FINE), said


def test_wrong_inputs_are_found(land, seasons, caplog):
    """Each case of the table has its class, and its words stand in the message."""
    wrong = []
    for case in CASES:
        found, said = outcome(land, case.change(seasons[case.period].copy()), caplog)
        if found != case.outcome or not any(words in said.lower() for words in case.words.lower().split("|")):
            wrong.append(f"{case.name}: {found} instead of {case.outcome} with '{case.words}': {said[:300]}")
    assert wrong == []


#: Variables without those that few networks read, which rules find by their means.
_FURTHER = ("late_", "tprate_h")


def test_what_months_and_years_show():
    """Each case of the table has its class, and its words stand in the message, over a year of the sample."""
    year = ail.open_data("$AILAND_SAMPLE").to_xarray(("2021-01-01", "2022-01-02")).load()
    wrong = []
    for case in YEARS:
        data = case.change(year.copy())
        values = {n: np.broadcast_to(v, (data.sizes["time"], data.sizes["point"])) for n, v in data.data_vars.items()}
        fields = {variable(n).name: v for n, v in values.items() if not n.startswith(_FURTHER)}
        checker, dates = Checker("warn"), data["time"].values.astype("datetime64[s]").tolist()
        check_period(checker, fields, dates, (data["latitude"].values, data["longitude"].values))
        found, said = checker.findings, " ".join(map(str, checker.findings)).lower()
        outcome = ERROR if any(f.error for f in found) else WARNING if found else FINE
        if outcome != case.outcome or case.words.lower() not in said:
            wrong.append(f"{case.name}: {outcome} instead of {case.outcome} with '{case.words}': {said[:300]}")
    assert wrong == []


def written(data, path):
    """Write a case as a file that every reader takes."""
    data.to_netcdf(path)
    return path


def options(path, folder, **more):
    """Options of a run of three days from a file."""
    given = {"input.ecland.path": path, "date": "2021-02-01", "lead_time": "3d", "checkpoint": "ailand-small"}
    given |= {"output.land-netcdf.path": folder / "forecast.nc", **more}
    return [f"{key}={value}" for key, value in given.items()]


def test_a_run_from_files_says_the_same(seasons, tmp_path, caplog):
    """Errors come before the output is opened, as a failure of the input; warnings once, at the end of the run."""
    cases = {case.name: case for case in CASES}
    for name, said in (("soil type 9", "'slt'"), ("radiation six hours late", "peaks 6 h after the sun")):
        path = written(cases[name].change(seasons["winter"].copy()), tmp_path / "wrong.nc")
        with pytest.raises(Failure, match=said) as failure:
            launch("inference/rollout-files", options(path, tmp_path))
        assert failure.value.what == "input"
        assert not (tmp_path / "forecast.nc").exists()
    path = written(cases["a lake"].change(seasons["winter"].copy()), tmp_path / "odd.nc")
    with caplog.at_level(logging.WARNING, "anemoi_ailand"):
        launch("inference/rollout-files", options(path, tmp_path))
    assert next(r.getMessage() for r in caplog.records if "implausible" in r.getMessage()).count("'cl'") == 1
    assert (tmp_path / "forecast.nc").exists()
    with pytest.raises(Failure, match="'cl'"):
        launch("inference/rollout-files", options(path, tmp_path), strict=True)
    off = "runner.land-forecaster.plausibility=off"
    launch("inference/rollout-files", [*options(path, tmp_path), off], dry_run=True)


def test_a_run_tells_how_new_its_inputs_are(seasons, tmp_path, caplog):
    """Once in the log, and as a map, also of a dry run; an unchecked run has none."""
    novelty = f"runner.land-forecaster.novelty={tmp_path / 'novelty.nc'}"
    path = written(seasons["winter"], tmp_path / "sound.nc")
    with caplog.at_level(logging.INFO, "anemoi_ailand"):
        launch("inference/rollout-files", [*options(path, tmp_path), novelty], dry_run=True)
    assert caplog.text.count("Training data: reference.zarr, 2018-01-01 to 2020-12-31, 324 points; towers.zarr, ") == 1
    with xr.open_dataset(tmp_path / "novelty.nc") as found:
        assert found["beyond"].sizes == {"point": 3} and float(found["beyond"].max()) < 0.15
        assert (found["training_points"] > 0).all() and 0.0 < float(found["rare"].mean()) < 0.1
    with pytest.raises(Failure, match=words("a map of novelty of an unchecked run")):
        launch(
            "inference/rollout-files",
            [*options(path, tmp_path), novelty, "runner.land-forecaster.plausibility=off"],
            dry_run=True,
        )


def test_a_dry_run_reads_all_forcing(seasons, tmp_path):
    """A fault on the last day is found without a step; a run finds it, too."""
    data = seasons["winter"].copy()
    late = data["avg_tsrwe"].values.copy()
    late[12] = 1.0e-3
    path = written(data.assign(avg_tsrwe=data["avg_tsrwe"].copy(data=late)), tmp_path / "late.nc")
    with pytest.raises(Failure, match="Snowfall beyond"):
        launch("inference/rollout-files", options(path, tmp_path), dry_run=True)


def test_states_are_checked_before_their_step(land, seasons, tmp_path):
    """Changed and loaded states are checked as initial ones, but finite differences at a bound pass."""
    data = seasons["winter"]
    state = land.initial(data)
    land.step(state.changed({"swvl1": np.full(3, -1.0e-6)}), data)
    impossible = state.changed({"swvl1": np.full(3, -1.0e-3)})
    for step in (land.step, land.propagate):
        with pytest.raises(Implausible, match=words("a state that was changed to what is impossible")):
            step(impossible, data)
    path = land.save(state.changed({"swvl1": np.full(3, 2.0)}), tmp_path / "land.state")
    with pytest.raises(Implausible, match=words("a state in a file that is impossible")):
        land.step(land.load(path), data)
    with pytest.raises(ValueError, match=words("a state of fewer rows than places")):
        land.step(replace(state, columns=state.columns[:2]), data)
    forcing = {name: data[name].values[1] for name in land.needs["forcing"]}
    for kind in (str, complex):
        with pytest.raises(ValueError, match=words("text or complex numbers as forcing")):
            land.step(state, {**forcing, "avg_t": forcing["avg_t"].astype(kind)})
    assert land.step(state, data).checked


def test_data_that_lack_something_at_once(land, seasons, tmp_path, caplog):
    """A start that is not complete is left out, which is said; data without points are refused everywhere."""
    data = seasons["winter"].copy(deep=True)
    data["swvl1"].values[0, 1] = np.nan
    with caplog.at_level(logging.WARNING, "anemoi_ailand"):
        assert land.run(data, ["skt"], progress=False).sizes["time"] == data.sizes["time"] - 1
    assert re.search(words("missing values in the first states"), caplog.text)
    nowhere = data.isel(point=[])
    path = written(nowhere, tmp_path / "nowhere.nc")
    for attempt in (lambda: land.run(nowhere, progress=False), lambda: check(path, tmp_path / "report")):
        with pytest.raises(ValueError, match=words("data without points")):
            attempt()


def test_what_a_failed_run_leaves(seasons, tmp_path):
    """Nothing before its first step; afterwards its times, which can be read."""
    cases = {case.name: case for case in CASES}
    path = written(cases["soil type 9"].change(seasons["month"].copy()), tmp_path / "wrong.nc")
    given = {"date": "2021-07-10", "lead_time": "15d"}
    with pytest.raises(Failure, match="'slt'"):
        launch("inference/rollout-files", options(path, tmp_path, **given))
    assert not [*tmp_path.glob("forecast*")]
    late = seasons["month"]["avg_t"].values.copy()
    late[58] = 400.0
    path = written(seasons["month"].assign(avg_t=seasons["month"]["avg_t"].copy(data=late)), tmp_path / "late.nc")
    with pytest.raises(Failure, match=words("an output that is an input of the run")):
        launch("inference/rollout-files", options(path, tmp_path, **given, **{"output.land-netcdf.path": path}))
    with pytest.raises(ValueError, match=words("two outputs of one name")):
        check_outputs(2 * [SimpleNamespace(path="f.nc")], restart=False)
    for part in ("data", "latitudes"):
        (tmp_path / "d.zarr" / part).mkdir(parents=True)
    with pytest.raises(FileExistsError, match=words("an output that is a dataset")):
        check_replaceable(tmp_path / "d.zarr")
    (tmp_path / "f.zarr").mkdir()
    (tmp_path / "f.zarr" / ".zattrs").write_text('{"source": "ERA5"}')
    (tmp_path / "thesis.nc").write_text("mine")
    for name in ("thesis.nc", path.name):
        with pytest.raises(FileExistsError, match=words("an output that another program wrote")):
            check_replaceable(tmp_path / name)
    with pytest.raises(FileExistsError, match=words("an output zarr that another program wrote")):
        check_replaceable(tmp_path / "f.zarr")
    (tmp_path / "empty.nc").touch()
    check_replaceable(tmp_path / "empty.nc")
    save_arrays(tmp_path / RUN, {"about": np.zeros(3)})
    (tmp_path / RUN).write_bytes((tmp_path / RUN).read_bytes()[:100])
    with pytest.raises(ValueError, match=words("a damaged file of what waits of an output")):
        Progress(tmp_path).load("")
    with pytest.raises(Failure, match=words("a run that fails after its first step")):
        launch("inference/rollout-files", options(path, tmp_path, **given))
    with xr.open_dataset(tmp_path / "forecast.nc.partial") as kept:
        assert kept.sizes["time"] == 33


def test_data_sets_and_reports_say_the_same(seasons, tmp_path):
    """The source of `anemoi-datasets create` and `anemoi-ailand check` find what a run finds."""
    cases = {case.name: case for case in CASES}
    path = written(cases["soil type 9"].change(seasons["winter"].copy()), tmp_path / "wrong.nc")
    dates = seasons["winter"]["time"].values[1:5].astype("datetime64[s]")
    with pytest.raises(Implausible, match="'slt'"):
        len(EcLandSource(None, str(path)).execute_valid_dates(dates).block)
    folder, found = check(path, tmp_path / "report")
    assert [finding.rule.name for finding in found if finding.error] == ["slt"]
    report = (folder / "report.md").read_text()
    assert "## Impossible" in report and "'slt' (soil type (1-7)) is 9" in report
    assert (folder / "figure.png").stat().st_size > 1000


def test_the_catalogue_is_whole():
    """There are at least a hundred cases with different names, and some of each class."""
    assert len({case.name for case in (*CASES, *YEARS)}) == len(CASES) + len(YEARS) >= 150
    assert {case.outcome for case in CASES} == {ERROR, WARNING, FINE}
