# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sites: one roll-out for all places, results written as a whole, refusals before the roll-out."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from anemoi_ailand.data import anemoi_dataset
from anemoi_ailand.data.points.point_reader import PointReader
from anemoi_ailand.evaluation.sites.places import Place
from anemoi_ailand.workflows import site as module
from anemoi_ailand.workflows.site import extract, site
from tests.support import dataset as case
from tests.support.land import OPEN

FILES = ["series.csv", "series.png", "site.json", "site.nc", "table.md"]
#: Points 1 (20 S, 75 E) and 4 (70 N, 60 W) of the dataset, twice in other conventions, with an offset.
EAST, WEST = Place("east", -19.9, 75.0), Place("west", 70.0, -60.2)
AGAIN = Place("again", 70.1, 300.0)


@pytest.fixture
def data(monkeypatch):
    """Dataset and model in memory."""
    made, step = case.FakeDataset(), OPEN.land_step()
    monkeypatch.setattr("anemoi.datasets.open_dataset", lambda _path: made)
    made.asked = []
    monkeypatch.setattr(module, "open_step", lambda *asked: made.asked.append(asked) or step)
    made.step = step
    return made


def run(tmp_path, places=(EAST,), **options):
    return site(
        places,
        tmp_path,
        tmp_path / "out",
        **{"checkpoint": "best.ckpt", "progress": False, "plausibility": "off", **options},
    )


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_one_site_is_the_roll_out_by_hand(tmp_path, data):
    """The series are those of a roll-out by hand; ecLand and forcing are those of the dataset."""
    folder = run(tmp_path, start="2022-01-02", lead="3d")
    assert names(folder) == FILES
    expected = case.by_hand(data.step, data, range(4, 16))[:, 1]
    with xr.open_dataset(folder / "site.nc") as found:
        np.testing.assert_array_equal(found["time"].values, case.DATES[5:17].astype("datetime64[ns]"))
        for i, name in enumerate(data.step.outputs):
            called = "t2m" if name == "2t" else name
            np.testing.assert_allclose(found[called], expected[:, i], rtol=1e-5, atol=1e-4, err_msg=name)
        for called, name in (("stl1_ecland", "stl1"), ("t", "t"), ("avg_tprate", "avg_tprate")):
            np.testing.assert_array_equal(found[called], data.values[5:17, data.name_to_index[name], 0, 1])
        assert "slhf_ecland" not in found
        assert "cos_julian_day" not in found
        assert found.attrs["checkpoint_sha256"] == "unknown"
        assert float(found["latitude"]) == -20.0


def test_csv_table_and_summary_agree(tmp_path, data):
    """RMSE from the CSV equals table and summary; the summary names point and distance."""
    folder = run(tmp_path)
    series = pd.read_csv(folder / "series.csv", parse_dates=["time"])
    summary = json.loads((folder / "site.json").read_text())
    assert (len(series), summary["steps"], summary["end"]) == (39, 39, "2022-01-10T18:00")
    scores = {s["variable"]: s for s in summary["scores"]}
    assert list(scores) == ["swvl1", "stl1", "snowc"]
    error = float(np.sqrt(((series["stl1"] - series["stl1_ecland"]) ** 2).mean()))
    assert scores["stl1"]["rmse"] == pytest.approx(error, rel=1e-4)
    assert f"| {float(f'{error:.3g}'):.10g} |" in " ".join((folder / "table.md").read_text().split())
    assert summary["point"] == {"index": 1, "latitude": -20.0, "longitude": 75.0, "point_id": 11}
    assert summary["distance_km"] == pytest.approx(11.12, abs=0.01)


def test_several_sites_have_a_folder_each_from_one_roll_out(tmp_path, data, monkeypatch):
    """Two places share a point and its series; the roll-out has each point once."""
    calls = []
    whole = module.forecast
    monkeypatch.setattr(module, "forecast", lambda *a, **k: calls.append(a[2].tolist()) or whole(*a, **k))
    folder = run(tmp_path, (WEST, EAST, AGAIN), lead="2d")
    assert calls == [[1, 4]]
    assert data.asked == [
        ("best.ckpt", "cpu", "auto", 2 * 8, "mean", None)
    ]  # points times steps decide what auto means
    assert names(folder) == ["again", "east", "site.json", "table.md", "west"]
    assert all(names(folder / p.name) == FILES for p in (WEST, EAST, AGAIN))
    west, again, east = (pd.read_csv(folder / n / "series.csv", index_col="time") for n in ("west", "again", "east"))
    pd.testing.assert_frame_equal(west, again)
    expected = case.by_hand(data.step, data, range(8))[..., data.step.outputs.index("stl1")]
    for table, point in ((west, 4), (east, 1)):
        np.testing.assert_allclose(table["stl1"], expected[:, point], rtol=1e-5)
        stored = data.values[1:9, data.name_to_index["stl1"], 0, point]
        np.testing.assert_allclose(table["stl1_ecland"], stored, rtol=1e-6)
    listed = json.loads((folder / "site.json").read_text())["sites"]
    assert [(s["name"], s["point"]["index"]) for s in listed] == [("west", 4), ("east", 1), ("again", 4)]
    assert (folder / "table.md").read_text().count("(<east/table.md>)") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"places": (Place("sea", 0.0, 0.0),)}, r"sea \(0 N, 0 E\)"),
        ({"start": "2021-01-01"}, "which is not in the dataset"),
        ({"lead": "364d"}, "which is not in the dataset"),
        ({"within": -1.0}, "Give a positive distance"),
    ],
)
def test_errors_come_before_the_roll_out_and_leave_nothing(tmp_path, data, monkeypatch, options, message):
    monkeypatch.setattr(module, "forecast", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(ValueError, match=message):
        run(tmp_path, **options)
    assert names(tmp_path) == []


def test_extract_runs_nothing_and_is_read_again(tmp_path, data, monkeypatch):
    """The file holds all variables at each point once, in the reference layout; no network is loaded."""
    monkeypatch.setattr(module, "open_step", lambda *_: pytest.fail("a network was loaded"))
    path = extract(
        [WEST, EAST, AGAIN], tmp_path, tmp_path / "site.nc", start="2022-01-02", end="2022-01-03", progress=False
    )
    reader = PointReader([path])
    assert reader.point_id.tolist() == [11, 14]
    assert set(reader.variables) == {"t", "avg_tprate", "lai_lv", "z", "theta_sat", "swvl1", "stl1", "snowc"}
    read = reader.read(["stl1", "avg_tprate"], [d.item() for d in case.DATES[4:12]])
    for i, name in enumerate(("stl1", "avg_tprate")):
        np.testing.assert_array_equal(read[i], data.values[4:12, data.name_to_index[name], 0][:, [1, 4]])
    with pytest.raises(FileExistsError, match="Give another name"):
        extract([EAST], tmp_path, path)


def test_blocks_of_dates_are_read_once(tmp_path, data, monkeypatch):
    """Whole blocks are read up to the last date, none twice."""
    monkeypatch.setattr(anemoi_dataset, "BLOCK_BYTES", 1)
    extract([EAST], tmp_path, tmp_path / "site.nc", start="2022-01-02T06", lead="60h", progress=False)
    assert data.reads == list(range(5, 16))
