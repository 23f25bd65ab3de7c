# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""An evaluation is written as a whole and repeats no roll-out.

Plans are checked by headers alone, and inputs that do not fit are refused before any roll-out.
"""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.evaluation.scores import sums
from anemoi_ailand.evaluation.settings import read_settings
from anemoi_ailand.support.checksum import ROLL_OUT, loaded_sha256
from anemoi_ailand.workflows import evaluate as module
from anemoi_ailand.workflows import planned_runs
from anemoi_ailand.workflows.evaluate import SCHEMA, evaluate, plan
from anemoi_ailand.workflows.planned_runs import Job, check_jobs, check_stations, is_current, planned, protocol_of
from tests.support import worlds as world
from tests.support.files import LATITUDE, LONGITUDE, times_between, write_ismn


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Reference and checkpoints, which no test changes."""
    return world.write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture
def roll_out(monkeypatch):
    """A roll-out that takes no time, and no figures."""
    monkeypatch.setattr(module, "write_figures", lambda found, folder: [])
    return world.FakeRollOut(monkeypatch)


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    """Folder of an evaluation of two checkpoints by all protocols, without figures."""
    output = tmp_path_factory.mktemp("whole") / "evaluation"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "write_figures", lambda found, folder: [])
        world.FakeRollOut(patch)
        both = {label: files / f"{label}.ckpt" for label in "AB"}
        page = evaluate(world.settings(files, output, checkpoints=both, protocol_c={}))
    assert page == output / "report" / "index.html"
    return output


@pytest.fixture(scope="module")
def metrics(whole):
    return json.loads((whole / "metrics.json").read_text())


def left(folder):
    """Names in a folder, hidden ones too."""
    return sorted(p.name for p in folder.iterdir())


def test_metrics_json_has_the_layout_of_its_schema(metrics, files):
    """The header holds all that is needed to read the numbers."""
    assert metrics["schema"] == SCHEMA == "anemoi-ailand/evaluation/1"
    assert list(metrics)[-5:] == ["scores", "differences", "budgets", "snow_season", "observations"]
    assert metrics["climatology"] == {"first": "2020-01-01T00:00", "last": "2021-12-31T18:00", "window_days": 3}
    assert metrics["points"] == {"all": 10, "held_out": 2, "trained": 8}
    assert metrics["inputs"]["reference"]["path"] == str(files / "reference.nc")
    assert set(metrics["inputs"]["forecasts"]["A"]) == {"checkpoint", "checkpoint_sha256", "execution"}
    a = {"starts": 10, "first": "2022-01-01T00:00", "last": "2022-12-27T00:00", "longest_lead_days": 2}
    b = {"starts": 1, "first": "2022-01-02T00:00", "last": "2022-02-12T18:00"}
    assert a.items() <= metrics["protocols"]["A"].items()
    assert b.items() <= metrics["protocols"]["B"].items()
    assert metrics["budgets"]["terms"]
    assert metrics["observations"] is None


def test_scores_are_those_of_the_roll_outs(whole, metrics):
    """RMSE of day 2 over all points, computed from the kept file."""
    kept = xr.open_dataset(whole.parent / "evaluation-reforecasts" / "A-A.nc")
    run = kept["stl1"].sel(lead=slice(30, 48))
    at = np.searchsorted(world.times(), run.start.values[:, None] + run.lead.values * world.HOUR)
    error = run.values - world.values()["stl1"][at]
    where = {"protocol": "A", "model": "A", "variable": "stl1", "cut": "all", "metric": "rmse", "lead": 2.0}
    (row,) = [r for r in metrics["scores"] if where.items() <= r.items()]
    assert row["value"] == pytest.approx(np.sqrt((error.astype(float) ** 2).mean()), rel=1e-5)
    assert row["n"] == error.size


def test_protocol_c_has_a_group_for_each_place(metrics):
    """Held-out and trained points, one site on its own, and a thinner set of points."""
    rows = [r for r in metrics["scores"] if r["protocol"] == "C" and r["metric"] == "rmse" and r["model"] == "A"]
    assert {r["cut"] for r in rows} == {"all"}
    groups = {r["group"]: metrics["protocols"].get(r["group"], {}).get("points") for r in rows}
    assert groups == {"held-out points": None, "trained points": None, "a single site": 1, "every 4th point": 3}


def test_two_checkpoints_are_compared_with_each_other(metrics):
    rows = [r for r in metrics["differences"] if (r["a"], r["b"], r["cut"], r["protocol"]) == ("A", "B", "all", "A")]
    assert len(rows) == 2 * 4
    assert all(r["difference"] < 0 and r["significant"] for r in rows)


def test_stored_settings_reproduce_the_result(whole):
    again = read_settings(whole / "settings.yaml")
    assert (again.output, list(again.checkpoints)) == (whole, ["A", "B"])


def test_roll_outs_are_kept_and_replaced(files, tmp_path, roll_out):
    """A second evaluation reuses the roll-outs and gives the same numbers; roll-outs of other points are replaced."""
    settings = world.settings(files, tmp_path / "e", protocol_b=None, points=[1, 2])
    evaluate(settings)
    first = (tmp_path / "e" / "metrics.csv").read_text()
    (kept,) = roll_out.made
    evaluate(settings)
    assert roll_out.made == [kept]
    assert (tmp_path / "e" / "metrics.csv").read_text() == first
    assert roll_out.chosen == [("A", "auto", 160)]  # 10 starts x 8 steps x 2 points, which decide what auto means
    evaluate(world.settings(files, tmp_path / "e", protocol_b=None, points=[3, 4]))
    assert roll_out.made == [kept, kept]
    evaluate(world.settings(files, tmp_path / "both", points=[1, 2], execution="plain"))
    assert roll_out.chosen[2:] == [("A", "plain", 160 + 2 * 167)]  # of all protocols


def test_an_error_in_between_leaves_nothing_under_the_name(files, tmp_path, roll_out, monkeypatch):
    """The output does not exist; the roll-outs stay and are reused."""

    def fails(*_):
        raise RuntimeError("disk full")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="disk full"):
        patch.setattr(module, "write_report", fails)
        evaluate(world.settings(files, tmp_path / "evaluation"))
    assert left(tmp_path) == ["evaluation-reforecasts"]
    evaluate(world.settings(files, tmp_path / "evaluation"))
    assert len(roll_out.made) == 2


def test_unrelated_folder_is_not_replaced(files, tmp_path, roll_out):
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="is not an earlier result"):
        evaluate(world.settings(files, tmp_path / "e"))
    assert roll_out.made == []


def results(files, output, **changes):
    """Evaluate with changed settings; return the content of metrics.json."""
    evaluate(world.settings(files, output, **changes))
    return json.loads((output / "metrics.json").read_text())


def test_one_long_forecast_alone_is_protocol_b(files, tmp_path, roll_out):
    """A NetCDF file with one start is scored without a checkpoint or a protocol of the configuration."""
    first = np.array(["2022-03-01"], "datetime64[ns]")
    path = world.write_run(tmp_path / "run.nc", first=first, leads=world.long_leads(40))
    metrics = results(files, tmp_path / "e", checkpoints=None, forecasts={"mine": path})
    assert roll_out.made == []
    assert list(metrics["protocols"]) == ["B"]
    assert metrics["protocols"]["B"]["first"] == "2022-03-01T00:00"
    assert metrics["inputs"]["forecasts"] == {"mine": {"path": str(path)}}
    assert {r["model"] for r in metrics["budgets"]["terms"]} == {"ecLand", "mine"}


def test_many_starts_alone_are_protocol_a(files, tmp_path, roll_out):
    """Leads and starts are those of the file; without a long run there are no budgets."""
    run = world.write_run(tmp_path / "run.nc")
    metrics = results(files, tmp_path / "e", checkpoints=None, forecasts={"mine": run})
    assert {r["lead"] for r in metrics["scores"]} == {1.0, 2.0, 7.0, None}
    assert (metrics["protocols"]["A"]["starts"], metrics["budgets"]) == (12, None)
    assert "day 7 of 12 runs" in (tmp_path / "e" / "table.md").read_text()


def test_forecast_and_checkpoint_are_scored_at_common_starts_and_leads(files, tmp_path, roll_out):
    """The header describes the common starts and leads; a forecast without roll-outs of its form is scored too."""
    first = world.starts(3, 40) - np.timedelta64(1, "D")
    many = world.write_run(tmp_path / "many.nc", first=first, leads=np.arange(6, 25, 6))
    long = world.write_run(tmp_path / "long.nc", first=first[:1], leads=world.long_leads(10))
    metrics = results(files, tmp_path / "e", protocol_b=None, forecasts={"many": many, "long": long})
    found = {name: (p["starts"], p["longest_lead_days"]) for name, p in metrics["protocols"].items()}
    assert found == {"A": (3, 1.0), "B": (1, 10.0)}
    models = {(r["protocol"], r["model"]) for r in metrics["scores"]} - {("A", "persistence"), ("A", "climatology")}
    assert models == {("A", "A"), ("A", "many"), ("B", "long"), ("B", "persistence"), ("B", "climatology")}


def test_points_datasets_and_climatology_of_the_settings(files, tmp_path, roll_out):
    """Chosen points are scored alone, a thinner grid under its name, and a climatology ends before the first run."""
    chosen = {"points": [5, 1, 2], "climatology": {"start": "2020-06-01"}}
    metrics = results(files, tmp_path / "points", protocol_b=None, **chosen)
    assert metrics["points"] == {"all": 3, "held_out": 1, "trained": 2}
    assert metrics["climatology"] == {"first": "2020-06-01T00:00", "last": "2021-12-31T18:00", "window_days": 3}
    world.write_reference(tmp_path / "thin.nc", lambda r: r.isel(point=[0, 3, 7]))
    places = {"places": False, "datasets": {"thin": tmp_path / "thin.nc"}}
    metrics = results(files, tmp_path / "thin", protocol_b=None, protocol_c=places)
    assert metrics["protocols"]["thin"]["points"] == 3
    assert {r["group"] for r in metrics["scores"] if r["protocol"] == "C"} == {"thin"}


def test_products_and_stations_come_from_the_long_run(files, tmp_path, roll_out):
    """A probe in Illinois compared with ecLand and the emulator; a NetCDF file of products."""

    def moved(reference):
        latitude, longitude = reference["latitude"].values.copy(), reference["longitude"].values.copy()
        latitude[4], longitude[4] = LATITUDE, LONGITUDE
        return reference.assign_coords(latitude=("point", latitude), longitude=("point", longitude))

    world.write_reference(tmp_path / "reference.nc", moved)
    times = times_between("2022-01-03", 24 * 30)
    write_ismn(tmp_path / "ismn", times, 0.3 + 0.02 * np.sin(np.arange(len(times)) / 40))
    first = np.array(["2022-01-02"], "datetime64[ns]")
    run = world.write_run(tmp_path / "run.nc", moved, first=first, leads=world.long_leads(40))
    given = {"observations": [tmp_path / "ismn"], "products": True, "checkpoints": None, "forecasts": {"a b": run}}
    with pytest.raises(ValueError, match="No product of"):
        evaluate(world.settings(tmp_path, tmp_path / "e", **given))
    evaluate(world.settings(tmp_path, tmp_path / "e", **{**given, "products": False}))
    observed = json.loads((tmp_path / "e" / "metrics.json").read_text())["observations"]
    assert [s["name"] for s in observed["stations"]] == ["Bondville"]
    assert {(r["model"], r["against"]) for r in observed["summary"]} == {
        ("ecLand", "observation"), ("a b", "observation"), ("a b", "ecLand"),
    }  # fmt: skip


def test_plan_has_all_start_dates_and_leads(files, tmp_path):
    """Protocol A as aiLand v1, 138 starts of 90 days; protocol B from the first to the last stamp of its days."""
    days = {"protocol_a": {"year": 2022}, "protocol_b": {"start": "2022-01-01"}}
    a, b = plan(world.settings(files, tmp_path, **days), open_fields(files / "reference.nc"))
    assert (len(a.starts), len(a.leads), a.leads[-1]) == (138, 13 * 4, 90 * 24)
    assert (b.starts.tolist(), len(b.leads)) == ([np.datetime64("2022-01-01", "ns").astype(int)], 365 * 4 - 1)
    assert b.starts[0] + b.leads[-1] * world.HOUR == np.datetime64("2022-12-31T18")


def test_scores_in_the_form_of_the_publication(files, tmp_path, roll_out):
    """Tables of aiLand v1, without processes; glaciers are left out, points weighted, and cuts chosen."""
    world.write_reference(tmp_path / "reference.nc", lambda r: r.assign(tvl=("point", [2, 12, *[2] * 8])))
    changes = {
        "dataset": tmp_path / "reference.nc", "leave_out": ["glacier"], "weights": "area_km2",
        "strata": ["all", "year"],
        "processes": False, "v1_tables": True, "protocol_a": {"year": 2022, "every_days": 40, "lead_days": [1, 7]},
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"`weights` is 'area_km2', and .* has no such field"):
        evaluate(world.settings(files, tmp_path / "e", **changes))
    assert roll_out.made == []
    metrics = results(files, tmp_path / "e", **{**changes, "weights": "cvl"})
    assert metrics["protocols"]["A"]["points"] == 9
    assert {r["cut"] for r in metrics["scores"]} == {"all", "year"}
    assert (metrics["budgets"], metrics["snow_season"]) == (None, None)
    growth, run = (tmp_path / "e" / "ailand-v1.md").read_text().split("One run")
    where = {"model": "A", "variable": "stl1", "metric": "rmse", "cut": "all"}
    scores = [r["value"] for r in metrics["scores"] if where.items() <= r.items()]
    day_1, day_7, whole = (f"{score:.4g}" for score in (scores[0], scores[1], scores[-1]))
    assert row(growth, "stl1", "A") == ["K", "A", day_1, day_7, "-", "-", "-", "-"]
    assert row(growth, "sshf", "aiLand v1") == [
        "W m-2",
        "aiLand v1",
        *["11.67", "11.9", "12.31", "12.45", "12.5", "1.071"],
    ]
    assert row(run, "stl1", "A")[2:4] == [whole, whole]  # six weeks are within the first year
    assert row(run, "slhf", "aiLand v1")[2:] == ["9.81", "10.42", "-0.65", "-0.65", "0.992", "0.991", "0.98", "0.977"]


def row(table, name, model):
    """Cells of a row of a Markdown table after the first."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return next(found[1:] for found in cells if found[0] == name and found[2] == model)


def test_processes_share_the_work(files, tmp_path, roll_out, monkeypatch):
    """Roll-outs in shards and scores in shares of the points are those of one process; so with a Dask cluster."""

    @contextmanager
    def cluster(workers):
        assert workers == "tcp://node:8786"
        with ThreadPoolExecutor(1) as thread:  # several at once would crash in NetCDF
            yield thread, 3

    monkeypatch.setattr(module, "open_executor", cluster)
    monkeypatch.setattr(sums, "open_executor", cluster)
    alone = results(files, tmp_path / "alone")
    shared = results(files, tmp_path / "shared", workers="tcp://node:8786")
    assert [path.name for path in roll_out.made[2:]] == ["A-A.zarr"] * 3 + ["B-A.zarr"] * 3
    for one, other in zip(alone["scores"], shared["scores"], strict=True):
        assert other == {**one, "value": one["value"] and pytest.approx(one["value"], rel=1e-5, abs=1e-9)}
    results(files, tmp_path / "shared", workers="tcp://node:8786")
    assert len(roll_out.made) == 8


def shifted(**by):
    """Change of a coordinate of a run."""
    return lambda run: run.assign_coords({name: run[name] + step for name, step in by.items()})


def in_celsius(run):
    return run.assign(stl1=run["stl1"].assign_attrs(units="degC"))


BAD_FORECASTS = {
    "time": (shifted(start=np.timedelta64(900, "D")), "do not overlap in time: 12 of 12 runs of '.*run.nc'"),
    "starts": (shifted(start=np.timedelta64(6, "h")), "no initial date in common. Produce them with the same starts"),
    "points": (shifted(latitude=1.0), "10 of the 10 points of the forecast '.*run.nc' are not among the 10 points"),
    "units": (in_celsius, "'stl1' in '.*run.nc' has units 'degC'; 'K' is expected. Convert"),
    "variables": (lambda run: xr.Dataset({"x": run["stl1"].assign_attrs(short_name="x")}), "No prognostic or diag"),
    "truncated": (None, r"'.*run.nc' \(20000 bytes\) cannot be read as NetCDF"),
}


@pytest.mark.parametrize("what", BAD_FORECASTS)
def test_forecast_that_does_not_fit_is_an_error_before_any_roll_out(files, tmp_path, roll_out, what):
    change, message = BAD_FORECASTS[what]
    path = world.write_run(tmp_path / "run.nc", change)
    if what == "truncated":
        path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ValueError, match=message):
        evaluate(world.settings(files, tmp_path / "e", forecasts={"mine": path}))
    assert (roll_out.made, left(tmp_path)) == ([], ["run.nc"])


BAD_SETTINGS = {
    "missing dataset": ({"dataset": "no.zarr"}, "There is no file or dataset 'no.zarr'"),
    "missing forecast": ({"forecasts": {"mine": "no.nc"}}, "There is no file 'no.nc'"),
    "missing checkpoint": ({"checkpoints": {"A": "no.ckpt"}}, "There is no checkpoint 'no.ckpt'"),
    "missing stations": ({"observations": ["no_stations"]}, "no_stations"),
    "name of a baseline": ({"forecasts": {"persistence": "run.nc"}}, "cannot be labels of a forecast"),
    "points outside": ({"points": [3, 10]}, r"Points \[10\] are not in .*reference.nc', which has 10 \(0 to 9\)"),
    "points twice": ({"points": [3, 3]}, "Give each once"),
    "no points": ({"points": []}, "Give one or more indices"),
    "year of protocol A": ({"protocol_a": {"year": 2030}}, "No integration of 90 days fits into 2030"),
    "start of protocol B": ({"protocol_b": {"start": "2019-05-01"}}, "from 2019-05-01 to .* has 2020-01-01T00:00 to"),
    "end of protocol B": ({"protocol_b": {"start": "2022-05-01", "end": "2023-02-01"}}, "Change protocol_b, or give"),
    "short climatology": ({"climatology": {"start": "2021-06-01"}}, "climatology needs at least one year"),
    "climatology of the test": ({"climatology": {"end": "2022-06-01"}}, "contains dates of the forecast"),
    "no years before": ({"protocol_a": {"year": 2020}}, "climatology needs at least one year"),
    "short second dataset": ({"protocol_c": {"datasets": {"north": "short.nc"}}}, "needs at least one year"),
    "products of short years": (
        {"products": True, "climatology": {"start": "2020-12-31"}}, "at least 2 years of the reference"),
    "products of the test": (
        {"products": True, "climatology": {"end": "2022-06-01", "overlap": True}}, "contains dates of the run from"),
    "products without a run": ({"products": True, "protocol_b": None}, "Products need the long run"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_SETTINGS)
def test_settings_that_do_not_fit_are_an_error_before_any_roll_out(files, tmp_path, roll_out, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    world.write_run(tmp_path / "run.nc")
    world.write_reference(tmp_path / "short.nc", lambda r: r.sel(time=slice("2022-01-01", "2022-12-31")))
    if what == "missing checkpoint":
        monkeypatch.undo()  # the real check of a checkpoint
        monkeypatch.chdir(tmp_path)
    changes, message = BAD_SETTINGS[what]
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        evaluate(world.settings(files, tmp_path / "e", **changes))
    assert (roll_out.made, left(tmp_path)) == ([], ["run.nc", "short.nc"])


def test_checkpoint_that_cannot_run_on_the_dataset_is_found_before_any_roll_out(files, tmp_path, roll_out, monkeypatch):
    """The second of two checkpoints is checked before the first one runs."""

    def needs(path, names):
        if "swvl9" in names:
            raise ValueError(f"The model needs {list(names)}, which dataset '{path}' does not have")
        return roll_out.opened(path, names)

    inputs = {"A.ckpt": ("swvl1",), "B.ckpt": ("swvl9",)}
    monkeypatch.setattr(module, "load_step", lambda p, *_: type("Step", (), {"inputs": inputs[Path(p).name]}))
    monkeypatch.setattr(module, "StoredFields", needs)
    both = {label: files / f"{label}.ckpt" for label in "AB"}
    with pytest.raises(ValueError, match=r"The model needs .'swvl9'., which dataset '.*reference.nc'"):
        evaluate(world.settings(files, tmp_path / "e", checkpoints=both))
    assert (roll_out.chosen, roll_out.made, left(tmp_path)) == ([], [], [])


LONG = {"first": np.array(["2022-01-02"], "datetime64[ns]"), "leads": np.arange(6, 241, 6)}


def job(**changes):
    """Protocol A on the reference of the small world."""
    plain = Job("A", "A", Path("reference"), world.starts(), world.DAYS_1_2_7, None)
    return replace(plain, **changes)


def long_job(**changes):
    return job(name="B", protocol="B", starts=LONG["first"], leads=LONG["leads"], **changes)


def station(latitude=None, first="2022-01-05"):
    """Station at the third point, or at another latitude, with ten days of data."""
    reference = world.reference()
    times = np.datetime64(first, "ns") + np.arange(40) * np.timedelta64(6, "h")
    return SimpleNamespace(
        name="Bondville", network="SCAN", longitude=float(reference.longitude[2]),
        latitude=float(reference.latitude[2]) if latitude is None else latitude,
        series=xr.Dataset(coords={"time": times}),
    )  # fmt: skip


def test_protocol_of_a_forecast():
    """One start with every step is protocol B; many starts, some days or daily values are protocol A."""
    daily = {**LONG, "leads": np.arange(24, 241, 24)}
    runs = [{}, LONG, {"first": LONG["first"]}, daily]
    assert [protocol_of(world.reforecast(**run)) for run in runs] == ["A", "B", "A", "A"]


def test_files_of_jobs_differ():
    """A dataset of protocol C named B has another file than protocol B."""
    assert job().file("my model") == "A-my-model.nc"
    assert job(name="B", protocol="C").file("x") == "C-B-x.nc" != long_job().file("x")


def test_planned_has_dates_and_points_but_no_values():
    """Dates and points are in the order of the job."""
    plan = planned(job(points=(7, 2)), world.reference())
    np.testing.assert_array_equal(plan.latitude, world.reference().latitude[[7, 2]])
    np.testing.assert_array_equal(plan.valid_times, world.reforecast().valid_times)
    with pytest.raises(NotImplementedError):
        plan.read("swvl1")


@pytest.fixture
def kept(tmp_path):
    """A kept roll-out, its job and its checkpoint."""
    reference = world.write_reference(tmp_path / "reference.nc")
    checkpoint = world.checkpoint(tmp_path / "a.ckpt")
    sha = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    code = loaded_sha256(ROLL_OUT)
    attributes = {"checkpoint_sha256": sha, "code_sha256": code, "dataset": str(reference)}
    attributes["execution"] = "compiled, hidden layers in float32"
    path = world.write_run(tmp_path / "run.nc", lambda run: run.assign_attrs(attributes).isel(point=[7, 2]))
    return path, job(dataset=reference, points=(7, 2)), checkpoint


def test_roll_out_of_the_same_job_is_taken(kept, tmp_path, monkeypatch):
    """Not one of other points, order, starts, leads, checkpoint or code, and none that is broken or missing."""
    path, planned_job, checkpoint = kept
    assert is_current(path, planned_job, checkpoint)
    folder = planned_job.dataset.parent
    assert is_current(path, replace(planned_job, dataset=folder / ".." / folder.name / "reference.nc"), checkpoint)
    changes = [
        {"points": (2, 7)}, {"points": (7, 3)}, {"points": None}, {"starts": world.starts(11)},
        {"leads": world.DAYS_1_2_7[:-1]},
    ]  # fmt: skip
    assert [c for c in changes if is_current(path, replace(planned_job, **c), checkpoint)] == []
    assert not is_current(tmp_path / "none.nc", planned_job, checkpoint)
    current = [how for how in ("auto", "plain", "compiled") if is_current(path, planned_job, checkpoint, how)]
    assert current == ["auto", "compiled"]
    assert not is_current(path, planned_job, world.checkpoint(tmp_path / "b.ckpt", "other weights"))
    broken = tmp_path / "broken.nc"
    broken.write_bytes(path.read_bytes()[:9000])
    assert not is_current(broken, planned_job, checkpoint)
    monkeypatch.setattr(planned_runs, "loaded_sha256", lambda places: "other")
    assert not is_current(path, planned_job, checkpoint)


def test_roll_out_older_than_its_dataset_is_not_taken(kept):
    path, planned_job, checkpoint = kept
    later = path.stat().st_mtime + 1
    os.utime(planned_job.dataset, (later, later))
    assert not is_current(path, planned_job, checkpoint)


def test_jobs_are_checked_by_headers_alone():
    """Valid settings pass without reading a value; forecasts without a common lead time are refused."""
    silent = replace(world.reforecast(), reader=None)
    check_jobs([job(), long_job()], ["A", "B"], {"mine": silent}, world.reference())
    run = {"mine": world.reforecast(leads=np.arange(54, 73, 6))}
    with pytest.raises(ValueError, match="no lead time in common"):
        check_jobs([job()], ["A"], run, world.reference())


def test_stations_need_a_long_run_near_them_in_time_and_place():
    """A missing long run, a distant station, other points and another period are refused."""
    check_stations([station()], [job(), long_job()], world.reference())
    for place, run, message in (
        (station(), job(), "Observations need the long run, and there is none. Set protocol_b"),
        (station(latitude=-80.0), long_job(), "No point of the model is near"),
        (station(), long_job(points=(8, 9)), "No point of the model is near"),
        (station(first="2022-02-01"), long_job(), "protocol B, 2022-01-02T00:00 to 2022-01-12T00:00; .* 2022-02-01"),
    ):
        with pytest.raises(ValueError, match=message):
            check_stations([place], [run], world.reference())
