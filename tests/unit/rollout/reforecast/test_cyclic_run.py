# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Years with repeated forcing are the steps that a loop would make; a run that was stopped resumes."""

import itertools
import logging
import re

import numpy as np
import pytest
import torch
import xarray as xr

from anemoi_ailand.rollout.forcing.cyclic_years import Cycle
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.reforecast import cyclic_run as century
from anemoi_ailand.rollout.reforecast.annual_statistics import YearsFile, YearStatistics
from anemoi_ailand.rollout.reforecast.cyclic_run import Setting, ecland_years, run_years, setting
from anemoi_ailand.variables import variable
from tests.support import dataset as case
from tests.support.land import OPEN

#: "Years" of 4 and 6 steps.
CYCLE = Cycle((3, 7, 13), case.DATES[[3, 7, 13]])


@pytest.fixture
def data(monkeypatch):
    """A dataset in memory, opened in place of any."""
    made = case.FakeDataset()
    monkeypatch.setattr("anemoi.datasets.open_dataset", lambda _path: made)
    return made


@pytest.fixture
def run(data, tmp_path):
    step = OPEN.land_step()
    stored = StoredFields(tmp_path, step.inputs)
    return Setting(step, stored, CYCLE, {"latitude": stored.latitudes, "longitude": stored.longitudes})


def by_hand(run, data, years):
    """State of every step, shape (step, point, prognostic), with the forcing of the cycle again and again."""
    dates = [date for k in range(years) for date in CYCLE.year(k)]
    return case.by_hand(run.step, data, dates)[..., [run.step.outputs.index(n) for n in run.step.prognostic]]


def test_years_are_those_of_a_loop(run, data, tmp_path, caplog):
    """Statistics of each year are those of a loop with repeated forcing, bitwise where nothing is summed."""
    with caplog.at_level(logging.INFO):
        run_years(run, tmp_path / "years.nc", 5, plausibility="off")
    assert re.search("Year 5 of 5, .*years/h, ends", caplog.text)
    states = by_hand(run, data, 5)
    edges = np.cumsum([0, 4, 6, 4, 6, 4])
    with xr.open_dataset(tmp_path / "years.nc") as years:
        assert years["steps"].values.tolist() == [4, 6, 4, 6, 4]
        for i, name in enumerate(run.step.prognostic):
            parts = [states[a:b, :, i] for a, b in itertools.pairwise(edges)]
            np.testing.assert_array_equal(years[f"{name}_end"], [p[-1] for p in parts])
            np.testing.assert_array_equal(years[f"{name}_min"], [p.min(axis=0) for p in parts])
            np.testing.assert_allclose(years[f"{name}_mean"], [p.mean(axis=0) for p in parts], rtol=1e-6, atol=1e-7)
        assert years["not_finite"].sum() == 0


def test_a_run_that_was_stopped_resumes(run, tmp_path):
    """A run resumes bitwise after its last year; a run that is long enough is left unchanged."""
    run_years(run, tmp_path / "whole.nc", 5, plausibility="off")
    for years in (2, 5, 3):
        run_years(run, tmp_path / "parts.nc", years, progress=False, plausibility="off")
    with xr.open_dataset(tmp_path / "whole.nc") as whole, xr.open_dataset(tmp_path / "parts.nc") as parts:
        assert parts.sizes["year"] == 5
        del whole.attrs["history"], parts.attrs["history"]  # holds the time of writing
        xr.testing.assert_identical(whole, parts)


def test_years_begun_plain_stay_plain_by_default(run, tmp_path, monkeypatch):
    """The execution of other years is chosen by points times steps, as in a run."""
    asked = []
    monkeypatch.setattr(century, "choose_execution", lambda step, *how: asked.append(how) or step)
    run.executed("auto", 3, tmp_path / "years.nc")
    run_years(run, tmp_path / "years.nc", 1, progress=False, plausibility="off")
    for execution in ("auto", "compiled"):
        run.executed(execution, 3, tmp_path / "years.nc")
    assert asked == [(how, (4 + 6 + 4) * case.N_POINTS) for how in ("auto", "plain", "compiled")]


def test_values_that_are_not_finite_are_counted(run, tmp_path):
    """NaN at a point is counted from there on and leaves the other points unchanged."""
    step, calls = run.step, []
    predict = step.model.predict_step

    def fails_later(batch):
        calls.append(0)
        out = predict(batch)
        if len(calls) > 5:
            out["data"][0, 0, 0, 4, step.outputs.index("stl1")] = torch.nan
        return out

    run_years(run, tmp_path / "sound.nc", 2, plausibility="off")
    step.model.predict_step = fails_later
    run_years(run, tmp_path / "years.nc", 2, plausibility="off")
    with xr.open_dataset(tmp_path / "years.nc") as years, xr.open_dataset(tmp_path / "sound.nc") as sound:
        assert years["not_finite"].values.tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 0, 5]]
        np.testing.assert_array_equal(years["stl1_end"][:, :4], sound["stl1_end"][:, :4])


def test_years_of_ecland_are_those_of_the_dataset(run, data, tmp_path):
    """The file has the same dates and format, and is replaced each time."""
    for _ in range(2):
        ecland_years(run, tmp_path / "ecland.nc")
    values = data.values[:, data.name_to_index["stl1"], 0]
    with xr.open_dataset(tmp_path / "ecland.nc") as years:
        assert years.sizes["year"] == 2
        np.testing.assert_array_equal(years["stl1_start"], values[3])
        np.testing.assert_array_equal(years["stl1_end"], values[[7, 13]])
        np.testing.assert_array_equal(years["stl1_max"], [values[4:8].max(axis=0), values[8:14].max(axis=0)])


def test_errors_that_stop_a_run(run, data, tmp_path):
    """A length of nothing comes before anything is written; missing forcing has variable, date and place."""
    with pytest.raises(ValueError, match="years is 0"):
        run_years(run, tmp_path / "years.nc", 0, plausibility="off")
    assert not (tmp_path / "years.nc").exists()
    data.set("avg_tprate", 6, 2, np.nan)
    with pytest.raises(ValueError, match="'avg_tprate' at 2022-01-02 12:00 is missing"):
        run_years(run, tmp_path / "years.nc", 1, plausibility="off")


def test_soil_water_is_bounded_by_the_porosity(run):
    """Other variables are bounded by the table."""
    statistics = run.statistics()
    values = {"swvl1": 0.79, "stl1": 290.0, "snowc": 0.5}
    statistics.add(np.tile([values[n] for n in run.step.prognostic], (case.N_POINTS, 1)))
    at_upper = statistics.result()["at_upper"]
    assert at_upper[:, run.step.prognostic.index("swvl1")].tolist() == [1] * case.N_POINTS
    assert at_upper.sum() == case.N_POINTS


def test_setting_opens_model_and_dataset(data, tmp_path, monkeypatch):
    """Marks of points and years come from the dataset; too short a dataset is an error."""
    monkeypatch.setattr(century, "load_step", lambda *_: OPEN.land_step())
    with pytest.raises(ValueError, match="no whole year"):
        setting("best.ckpt", tmp_path)
    monkeypatch.setattr(century, "find_cycle", lambda *_: CYCLE)
    made = setting("best.ckpt", tmp_path)
    assert made.places["point_id"].tolist() == [10, 11, 12, 13, 14]
    assert set(made.places) == {"latitude", "longitude", "point_id"}
    assert made.identity["forcing_repeated"] == "2022-01-01T18:00:00 to 2022-01-04T06:00:00"
    assert len(made.identity["code_sha256"]) == 64


PLACES = {"latitude": np.array([10.0, 50.0]), "longitude": np.array([0.0, 9.0]), "point_id": np.array([3.0, 4.0])}
RUN = {"checkpoint_sha256": "abc", "forcing_repeated": "2018 to 2022"}


def write(path, years, identity=RUN):
    """Write so many more years, the value of each step its number."""
    statistics = YearStatistics(("swvl1",), np.zeros(1), np.ones((2, 1)), 2)
    with YearsFile(path, ("swvl1",), PLACES, identity) as file:
        if file.years == 0:
            file.begin(np.full((2, 1), 0.5))
        for _ in range(years):
            k = file.years
            statistics.begin()
            for step in range(3):
                statistics.add(np.full((2, 1), k + 0.1 * step))
            file.write(statistics, np.datetime64(f"{2018 + k}-01-02T00", "s"))


def test_round_trip(tmp_path):
    """Statistics, places, steps and date of the forcing, with units."""
    write(tmp_path / "years.nc", 2)
    with xr.open_dataset(tmp_path / "years.nc") as years:
        np.testing.assert_allclose(years["swvl1_mean"][:, 0], [0.1, 1.1], rtol=1e-6)
        np.testing.assert_allclose(years["swvl1_end"][:, 0], [0.2, 1.2], rtol=1e-6)
        assert years["swvl1_start"].values.tolist() == [0.5, 0.5]
        assert years["swvl1_max"].attrs["units"] == "m3 m-3"
        assert years["steps"].values.tolist() == [3, 3]
        assert str(years["forcing"].values[1])[:13] == "2019-01-02T00"
        assert years["point_id"].values.tolist() == [3, 4]
        assert years.attrs["checkpoint_sha256"] == "abc"


def test_a_year_without_its_number_does_not_count(tmp_path):
    """The number is written last: what a stopped run left is written again."""
    path = tmp_path / "years.nc"
    write(path, 1)
    with YearsFile(path, ("swvl1",), PLACES, RUN) as file:
        file._file["swvl1_end"][1] = 9.0
    write(path, 1)
    with xr.open_dataset(path) as years:
        np.testing.assert_allclose(years["swvl1_end"][1], 1.2, rtol=1e-6)


def test_another_run_is_refused(tmp_path):
    """The error names the difference; the file stays, and so does another file."""
    write(tmp_path / "years.nc", 1)
    with pytest.raises(FileExistsError, match=r"another run.*'abc', 'other'"):
        write(tmp_path / "years.nc", 1, {**RUN, "checkpoint_sha256": "other"})
    write(tmp_path / "years.nc", 1)
    (tmp_path / "other.nc").write_text("mine")
    with pytest.raises(FileExistsError, match="cannot be continued"):
        write(tmp_path / "other.nc", 1)
    assert (tmp_path / "other.nc").read_text() == "mine"


NAMES = ("swvl1", "sd")
LOWER, UPPER = np.array([0.0, 0.0]), np.array([[0.4, np.inf], [0.5, np.inf], [0.6, np.inf]])


@pytest.fixture
def statistics():
    return YearStatistics(NAMES, LOWER, UPPER, 3)


def test_steps_at_a_bound_are_counted(statistics):
    """Values at, beyond and within a thousandth of a typical change of a bound count; bounds may vary by point."""
    near = 0.9e-3 * variable("swvl1").increment_scale
    for first in (0.0, near, 3 * near, 0.4 - near):
        statistics.add(np.array([[first, 0.0], [first, 1.0], [first, 2.0]]))
    found = statistics.result()
    assert found["at_lower"].tolist() == [[2, 4], [2, 0], [2, 0]]
    assert found["at_upper"].tolist() == [[1, 0], [0, 0], [0, 0]]


def test_steps_that_are_not_finite_are_counted(statistics):
    """NaN counts once per point and step, spoils the mean and is left out of the extremes."""
    statistics.add(np.ones((3, 2)))
    statistics.add(np.array([[np.nan, np.inf], [1.0, 1.0], [2.0, 2.0]]))
    statistics.add(np.ones((3, 2)), np.array([True, False, True]))
    found = statistics.result()
    assert statistics.not_finite.tolist() == [1, 1, 0]
    assert found["max"][0, 0] == 1
    assert np.isnan(found["mean"][0, 0])
    assert found["mean"][1, 0] == 1
