# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Recipes make datasets with the real command line."""

from __future__ import annotations

import os
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml
import zarr
from anemoi.datasets import open_dataset

from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.support.packaged import find, folder
from anemoi_ailand.variables import HOURLY_RAIN, VARIABLES
from tests.support.commands import run_command
from tests.support.files import times_between, write_plumber2

pytestmark = pytest.mark.slow

VARIABLES_OF_TEST = ["swvl1", "sd", "avg_t", "2t", "insolation", "cvl", "point_id", "held_out", "climate_class"]


def anemoi(*arguments: object, ok: bool = True) -> str:
    """Run ``anemoi-datasets ARGUMENTS`` and return what it says."""
    done = run_command("anemoi.datasets", *arguments, cwd=Path.cwd())
    assert (done.returncode == 0) == ok, done.stderr[-3000:]
    return done.stdout + done.stderr


def recipe(path: Path, name: str = "ecland-sample", **changes: object) -> Path:
    """Write a packaged recipe with changes in sections, e.g. ``dates={'end': ...}``."""
    content = yaml.safe_load(find("recipes", name).read_text(encoding="utf-8"))
    for section, change in changes.items():
        content.setdefault(section, {}).update(change)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def quarter(path: Path, **ecland: object) -> Path:
    """Write the sample recipe for four months, a few variables, groups of a month."""
    options = {**yaml.safe_load(find("recipes", "ecland-sample").read_text())["input"]["ecland"], **ecland}
    return recipe(
        path, dates={"end": "2020-04-30T18:00:00"}, statistics={"end": "2020-02-29T18:00:00"},
        build={"group_by": "monthly"}, input={"ecland": {"variables": VARIABLES_OF_TEST, **options}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def short(tmp_path_factory) -> Path:
    """Dataset of four months, made by ``create``."""
    folder = tmp_path_factory.mktemp("short")
    anemoi("create", quarter(folder / "short.yaml"), folder / "short.zarr")
    return folder / "short.zarr"


def test_values_units_and_order(short):
    """Every value is the reader's, at the point that point_id names; units are the table's."""
    ds, reader = open_dataset(str(short)), open_reader("$AILAND_SAMPLE")
    at = ds.name_to_index
    where = [reader.point_id.tolist().index(p) for p in ds[0][at["point_id"], 0]]
    np.testing.assert_array_equal(ds.latitudes, reader.latitudes[where])
    dates = [d.astype("datetime64[s]").item() for d in ds.dates[::37]]
    for name in ("swvl1", "sd", "avg_t", "2t", "cvl"):
        np.testing.assert_array_equal(ds[::37][:, at[name], 0], reader.read([name], dates)[0][:, where])
    units = {n: v["units"] for n, v in ds.metadata()["variables_metadata"].items()}
    assert units == {n: VARIABLES[n].units for n in VARIABLES_OF_TEST}
    keys = {n: v.get("mars") for n, v in ds.metadata()["variables_metadata"].items()}
    assert keys["swvl1"] == {"param": "swvl1", "levtype": "sfc"}
    assert [keys[n] for n in ("sd", "avg_t", "point_id")] == [None] * 3


def test_metadata_of_recipe_points_and_time(short):
    """The dataset keeps the recipe, marks of points as variables, and time semantics in Anemoi's terms."""
    ds = open_dataset(str(short))
    ecland = dict(zarr.open(str(short), "r").attrs)["recipe"]["input"]["ecland"]
    assert ecland["order"] == {"seed": 1} and ecland["held_out"] == {"every": 5}
    assert ds[0][ds.name_to_index["held_out"], 0].tolist() == [0] * 33 + [1] * 11
    typed = ds.typed_variables
    assert typed["avg_t"].time_processing == "average" and typed["avg_t"].is_valid_over_a_period
    assert typed["swvl1"].is_instantanous and typed["cvl"].is_constant_in_time
    assert typed["insolation"].is_computed_forcing


def test_statistics_are_of_the_training_period(short):
    """Mean, deviation and that of the increments over 6 h, from January and February only."""
    ds = open_dataset(str(short))
    january_february = ds[: 60 * 4][:, ds.name_to_index["swvl1"], 0].astype(float)
    i = ds.name_to_index["swvl1"]
    np.testing.assert_allclose(ds.statistics["mean"][i], january_february.mean(), rtol=1e-6)
    np.testing.assert_allclose(ds.statistics["stdev"][i], january_february.std(), rtol=1e-6)
    increments = np.diff(january_february, axis=0)
    np.testing.assert_allclose(ds.statistics_tendencies("6h")["stdev"][i], increments.std(), rtol=1e-6)


def test_parts_make_the_same_dataset(short, tmp_path):
    """init, load in three parts out of order and one of them twice, finalise: every array equals that of create."""
    path = tmp_path / "parts.zarr"
    anemoi("init", quarter(tmp_path / "parts.yaml"), path)
    for part in ("2/3", "1/3", "3/3"):
        anemoi("load", path, "--parts", part)
    assert "already done" in anemoi("load", path, "--parts", "2/3")
    anemoi("finalise", path)
    whole, parts = zarr.open(str(short), "r"), zarr.open(str(path), "r")
    arrays = list(whole.array_keys())
    assert {"data", "mean", "statistics_tendencies_6h_stdev"} <= set(arrays) <= set(parts.array_keys())
    for name in arrays:
        if whole[name].dtype.kind == "M" or name == "data":
            np.testing.assert_array_equal(whole[name][:], parts[name][:])
        else:
            np.testing.assert_allclose(whole[name][:], parts[name][:], rtol=1e-12, atol=1e-12)
    assert whole.attrs["variables_metadata"] == parts.attrs["variables_metadata"]


def test_native_recipe_without_change(tmp_path):
    """The packaged recipe gives 83 dates at four points, with all variables of the table that a native run has."""
    anemoi("create", find("recipes", "ecland-native"), tmp_path / "native.zarr")
    ds = open_dataset(str(tmp_path / "native.zarr"))
    assert ds.shape == (83, len(ds.variables), 1, 4)
    assert set(VARIABLES) - set(ds.variables) == {"climate_class", *HOURLY_RAIN}  # hourly rain on request


def test_reference_recipe(tmp_path, monkeypatch):
    """It reads the sample, which has its layout."""
    monkeypatch.setenv("AILAND_REFERENCE", str(folder("sample")))
    changed = recipe(
        tmp_path / "r.yaml", "ecland-reference",
        dates={"start": "2020-01-01T06:00:00", "end": "2020-01-05T18:00:00"}, statistics={"end": "2020-01-03"},
    )  # fmt: skip
    anemoi("create", changed, tmp_path / "reference.zarr")
    assert open_dataset(str(tmp_path / "reference.zarr")).shape[0] == 19


@pytest.mark.skipif("AILAND_SHARED_DATA" not in os.environ, reason="AILAND_SHARED_DATA is not set")
def test_tower_recipe_holds_out_whole_sites(tmp_path, monkeypatch):
    """Sites that the files mark and Bondville come last; variables are those of the reference set."""
    shared = Path(os.environ["AILAND_SHARED_DATA"])
    monkeypatch.setenv("AILAND_TOWERS", str(shared / "towers"))
    anemoi(
        "create",
        recipe(tmp_path / "t.yaml", "ecland-towers", dates={"end": "2019-01-04T18:00:00"}),
        tmp_path / "t.zarr",
    )
    ds = open_dataset(str(tmp_path / "t.zarr"))
    ids, held = (ds[0][ds.name_to_index[n], 0].astype(int) for n in ("point_id", "held_out"))
    with netCDF4.Dataset(shared / "towers" / "ecland_2019.nc") as file:
        site = dict(zip(file["point_id"][:].tolist(), file["site"][:].tolist(), strict=True))
    assert {site[i] for i in ids[held == 1]} == {"Amplero", "FortPeck", "Bondville"}
    assert not {site[i] for i in ids[held == 0]} & {"Amplero", "FortPeck", "Bondville"}
    assert held.tolist() == sorted(held) and set(ids) == set(site)
    offered = set(open_reader(str(shared / "reference" / "ecland_2018.nc")).variables)
    assert offered - set(HOURLY_RAIN) <= set(ds.variables)


def test_join_with_other_sources_and_filters(tmp_path):
    """A filter on our fields, joined with Anemoi's own source of forcings, gives equal values."""
    changed = recipe(
        tmp_path / "j.yaml", dates={"end": "2020-01-02T18:00:00"}, statistics={"end": "2020-01-02"},
        build={"group_by": "daily"},
    )  # fmt: skip
    content = yaml.safe_load(changed.read_text())
    ours = {"ecland": {"path": "$AILAND_SAMPLE", "variables": ["swvl1", "insolation"]}}
    theirs = {"forcings": {"template": "${input.join.0.pipe}", "param": ["cos_solar_zenith_angle"]}}
    content["input"] = {"join": [{"pipe": [ours, {"rename": {"param": {"swvl1": "wetness"}}}]}, theirs]}
    changed.write_text(yaml.safe_dump(content))
    anemoi("create", changed, tmp_path / "j.zarr")
    ds = open_dataset(str(tmp_path / "j.zarr"))
    assert ds.variables == ["cos_solar_zenith_angle", "insolation", "wetness"]
    np.testing.assert_array_equal(ds[:][:, 0], ds[:][:, 1])
    expected = open_reader("$AILAND_SAMPLE").read(["swvl1"], [d.astype("datetime64[s]").item() for d in ds.dates])
    np.testing.assert_array_equal(ds[:][:, 2, 0], expected[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dates": {"end": "2024-12-31"}}, "dates are not in"),
        ({"input": {"ecland": {"path": "$AILAND_SAMPLE", "variables": ["swlv1"]}}}, "Nearest: "),
    ],
)
def test_wrong_recipe_leaves_no_dataset(tmp_path, changes, message):
    """The error comes before anything is stored: Anemoi leaves an empty group that cannot be opened."""
    assert message in anemoi("create", recipe(tmp_path / "w.yaml", **changes), tmp_path / "w.zarr", ok=False)
    assert list(zarr.open(str(tmp_path / "w.zarr"), "r").array_keys()) == []
    with pytest.raises(Exception, match=r"w\.zarr|data"):
        open_dataset(str(tmp_path / "w.zarr"))


def test_dataset_is_opened_like_files(short):
    """A real dataset of Anemoi gives the values of the files that it was made from, point by point."""
    made, files = open_data(short).to_xarray("2020-03"), open_data("$AILAND_SAMPLE").to_xarray("2020-03")
    assert set(made) == {VARIABLES[n].netcdf_name for n in VARIABLES_OF_TEST[:4]} | {"cvl"}
    order = [files["point_id"].values.tolist().index(i) for i in made["point_id"].values]
    for name in made:
        np.testing.assert_array_equal(made[name], files[name].isel(point=order))
        assert made[name].attrs == files[name].attrs
    np.testing.assert_array_equal(made["latitude"].astype("f4"), files["latitude"].isel(point=order).astype("f4"))


def test_recipe_of_observations(tmp_path):
    """A tower's own file becomes a dataset with gaps, which has the observed variables only."""
    starts = times_between("2021-05-01", 240, 30)
    latent = np.where(np.arange(240) < 48, np.nan, 80.0)
    files = tmp_path / "towers"
    files.mkdir()
    write_plumber2(files / "tower.nc", starts, {"Qle": (latent, "W m-2"), "SWC1": (np.full(240, 0.3), "m3 m-3")},
                   zone="UTC+0")  # fmt: skip
    changed = recipe(
        tmp_path / "towers.yaml", "towers", dates={"start": "2021-05-01T06:00:00", "end": "2021-05-05T12:00:00"},
        input={"ecland": {"path": str(files), "layout": "stations"}},
    )  # fmt: skip
    anemoi("create", changed, tmp_path / "observations.zarr")
    data = open_dataset(str(tmp_path / "observations.zarr"))
    assert data.variables == ["slhf", "swvl1"]
    values = data[:, :, 0, 0]
    np.testing.assert_array_equal(np.isnan(values).sum(0), [4, 0])
    np.testing.assert_allclose(np.nanmean(values, 0), [-80.0, 0.3], rtol=1e-6)
    assert data.typed_variables["slhf"].units == VARIABLES["slhf"].units
