# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Products in closed form, against naive loops and scipy, and their file."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from anemoi_ailand.evaluation.fields.daily_means import daily_means
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.products import indices as pr
from anemoi_ailand.evaluation.products import products_file
from anemoi_ailand.evaluation.products.products_file import write_products
from tests.support.worlds import fields_of, six_hourly

CENTRES = [0.035, 0.175, 0.64, 1.945]
DAYS_2022 = np.arange("2022-01-01", "2023-01-01", dtype="datetime64[D]")


def test_root_zone_water_is_of_the_top_metre():
    """0.1, 0.2, 0.3 m3 m-3 in 0.07, 0.21, 0.72 m hold 265 kg m-2; the fourth layer does not count."""
    assert pr.root_zone_water(np.array([[0.1], [0.2], [0.3], [0.9]]))[0] == pytest.approx(265.0)


def test_wetness_index_at_known_points():
    """0 at the wilting point, 1 at field capacity, beyond these outside; NaN where there is no range."""
    theta = np.array([[0.1, 0.3, 0.2, 0.4, 0.2]])
    index = pr.wetness_index(theta, np.array([0.1, 0.1, 0.1, 0.1, 0.2]), np.array([0.3, 0.3, 0.3, 0.3, 0.2]))
    np.testing.assert_allclose(index, [[0.0, 1.0, 0.5, 1.5, np.nan]])


@given(st.floats(0.04, 1.9), st.floats(1.0, 20.0))
def test_frost_depth_finds_the_isotherm_of_a_linear_profile(depth, gradient):
    """A temperature that rises with depth and is 273.15 K at 0.04 to 1.9 m is frozen down to there."""
    stl = 273.15 + gradient * (np.array(CENTRES) - depth)
    assert pr.frost_depth(stl[:, None])[0] == pytest.approx(depth)


def test_frost_depth_in_special_cases():
    """Frost counts from the surface to the first isotherm; a column all frozen gives its lowest middle."""
    cases = {(1, -1, -1, 1): 0.0, (-1, -2, -1, -3): 1.945, (-1, 1, -5, 2): 0.105, (0, 1, 2, 3): 0.0}
    for celsius, depth in cases.items():
        assert pr.frost_depth(np.array(celsius, float)[:, None] + 273.15)[0] == pytest.approx(depth), celsius


def test_percentile_of_constant_soil_and_without_a_sample():
    """A constant soil is at the 50th percentile and not in drought; a day without sample in its window is NaN."""
    days = np.arange("2020-01-01", "2022-01-01", dtype="datetime64[D]")
    found = pr.percentile(np.zeros((365, 1)), DAYS_2022, np.zeros((len(days), 1)), days)
    assert np.all(found == 50.0)
    assert np.all(pr.drought_class(found) == pr.NO_DROUGHT)
    july = days[182:213]
    found = pr.percentile(np.zeros((365, 1)), DAYS_2022, np.zeros((31, 1)), july)
    assert np.isnan(found[0, 0])
    assert found[195, 0] == 50.0


def test_percentile_agrees_with_scipy_in_its_window():
    """Each value against scipy's percentile in the days of the sample within 15 of the middle of its slot."""
    rng = np.random.default_rng(1)
    sample_days = np.arange("2019-01-01", "2022-01-01", dtype="datetime64[D]")
    sample = rng.integers(0, 30, (len(sample_days), 2)).astype(np.float32)  # whole numbers: many are equal
    values = rng.integers(0, 30, (len(DAYS_2022), 2)).astype(np.float32)
    found = pr.percentile(values, DAYS_2022, sample, sample_days)
    for day, middle in ((0, 4), (59, 54), (185, 184), (364, 362)):
        near = np.abs((pr.day_of_year(sample_days) - middle + 182) % 365 - 182) <= 15
        assert near.sum() in (31 * 3, 31 * 3 + 1)  # 29 February is with the 28th
        for point in range(2):
            expected = percentileofscore(sample[near, point], values[day, point], kind="mean")
            assert found[day, point] == pytest.approx(expected, rel=1e-6)


def test_drought_classes_have_the_limits_of_the_drought_monitor():
    """2, 5, 10, 20 and 30 % are the last of their classes."""
    found = pr.drought_class(np.array([0, 2, 2.1, 5, 5.1, 10, 10.1, 20, 20.1, 30, 30.1, 100]))
    assert found.tolist() == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0, -1, -1]


def test_days_are_counted_by_month_and_season():
    """Every other day from 15 November 2021 to 10 March 2022: months and seasons begin where the calendar says."""
    days = np.arange("2021-11-15", "2022-03-11", dtype="datetime64[D]")
    flags = (np.arange(len(days)) % 2 == 0)[:, None]
    starts, counts, given = pr.count_days(flags, days, 1)
    assert [str(s) for s in starts] == ["2021-11-01", "2021-12-01", "2022-01-01", "2022-02-01", "2022-03-01"]
    assert given.tolist() == [16, 31, 31, 28, 10]
    assert counts[:, 0].tolist() == [8, 16, 15, 14, 5]
    starts, counts, given = pr.count_days(flags, days, 3)
    assert [str(s) for s in starts] == ["2021-09-01", "2021-12-01", "2022-03-01"]
    assert (given.tolist(), counts[:, 0].tolist()) == ([16, 90, 10], [8, 45, 5])


N_POINTS = 4
PWP, CAP = np.array([0.05, 0.1, 0.1, 0.12]), np.array([0.3, 0.35, 0.4, 0.42])


def waves(times: np.ndarray) -> dict[str, np.ndarray]:
    """Soil and snow with seasons, weather and places of their own."""
    rng = np.random.default_rng(5)
    day = ((times - np.datetime64("2019-01-01", "ns")) / np.timedelta64(1, "D"))[:, None]
    season = np.cos(2 * np.pi * (day - 15) / 365.25)
    weather = np.repeat(rng.standard_normal((len(times) // 40 + 1, N_POINTS)), 40, axis=0)[: len(times)]
    points = np.arange(N_POINTS)
    soil = {f"swvl{k}": 0.25 + 0.05 * season + 0.02 * weather / k + 0.01 * points for k in (1, 2, 3, 4)}
    heat = {f"stl{k}": 276.0 - (15.0 / k) * season + points for k in (1, 2, 3, 4)}
    return {**soil, **heat, "sd": np.clip(40.0 * season, 0, None) * (points > 0)}


@pytest.fixture
def reference():
    """Two years of all that the products need."""
    times = six_hourly("2019-01-01T00", "2020-12-31T18")
    return fields_of(times, waves(times), constants={"theta_pwp": PWP, "theta_cap": CAP}, path=Path("reference.nc"))


@pytest.fixture
def run():
    """Function that makes the first 70 days of the third year, without the variables named."""
    times = six_hourly("2021-01-01T00", "2021-03-11T18")

    def make(*without: str) -> Fields:
        values = {name: v for name, v in waves(times).items() if name not in without}
        return fields_of(times, values, path=Path("forecast.nc"))

    return make


def read(path: Path) -> xr.Dataset:
    """All of the file, closed again."""
    with xr.open_dataset(path, mask_and_scale=False, decode_times=False, decode_coords=False) as data:
        return data.load()


def test_numbers_are_those_of_the_functions(reference, run, tmp_path, monkeypatch):
    """Every product equals its function of the daily means, written in blocks of three points."""
    monkeypatch.setattr(products_file, "CHUNK_POINTS", 3)
    monkeypatch.setattr(products_file, "MEMORY_BYTES", 1)
    forecast = run()
    data = read(write_products(forecast, reference, tmp_path / "products.nc"))
    soil = ["swvl1", "swvl2", "swvl3", "swvl4"]
    days, means = daily_means(forecast, [*soil, "stl1", "stl2", "stl3", "stl4", "sd"])
    known, sample = daily_means(reference, soil[:3])
    layers = np.stack([means[name] for name in soil])
    root = pr.root_zone_water(layers)
    np.testing.assert_allclose(data["soil_water_root_zone"], root, rtol=1e-6)
    np.testing.assert_allclose(
        data["soil_wetness_index"], np.moveaxis(pr.wetness_index(layers, PWP, CAP), 0, 1), rtol=1e-5
    )
    index = pr.wetness_index(root / 1000.0, PWP, CAP)
    np.testing.assert_allclose(data["soil_wetness_index_root_zone"], index, rtol=1e-5)
    known_root = pr.root_zone_water(np.stack([sample[name] for name in soil[:3]]))
    expected = pr.percentile(root, days, known_root, known)
    np.testing.assert_allclose(data["soil_moisture_percentile_root_zone"], expected, atol=1.7)  # one rank of 62
    surface = pr.percentile(means["swvl1"], days, sample["swvl1"], known)
    np.testing.assert_array_equal(data["soil_moisture_percentile_layer1"], surface)
    classes = pr.drought_class(data["soil_moisture_percentile_root_zone"].values)
    np.testing.assert_array_equal(data["drought_class"], classes)
    assert len(np.unique(classes)) > 3
    frost = pr.frost_depth(np.stack([means[f"stl{k}"] for k in (1, 2, 3, 4)]))
    np.testing.assert_allclose(data["frost_depth"], frost, rtol=1e-6)
    assert data["snow_days_month"].values.tolist() == [[0, 31, 31, 31], [0, 28, 28, 28], [0, 11, 11, 11]]
    assert data["snow_days_season"].values.tolist() == [[0, 59, 59, 59], [0, 11, 11, 11]]
    assert data["days_in_season"].values.tolist() == [59, 11]


def test_metadata_are_cf(reference, run, tmp_path):
    """Every variable has the conventions, units, bounds, flags and coordinates that it needs."""
    data = read(write_products(run(), reference, tmp_path / "products.nc"))
    assert data.attrs["Conventions"] == "CF-1.11"
    assert "2019-01-01T00:00 to 2020-12-31T18:00" in data.attrs["climatology"]
    for product in products_file.PRODUCTS:
        attributes = data[product.name].attrs
        assert attributes["units"] and attributes["long_name"]
        assert attributes["coordinates"].startswith("latitude longitude")
    flags = data["drought_class"].attrs
    assert flags["flag_values"].dtype == data["drought_class"].dtype == np.int8
    assert len(flags["flag_values"]) == len(flags["flag_meanings"].split()) == 6
    assert data["soil_water_root_zone"].attrs["standard_name"] == "mass_content_of_water_in_soil_layer"
    assert data["root_zone_depth_bnds"].values == pytest.approx([0.0, 1.0])
    for axis in ("time", "month", "season", "depth"):
        assert data[data[axis].attrs["bounds"]].dims == (axis, "bnds")
    december = np.datetime64("2020-12-01").astype(int)
    assert data["season_bnds"].values[0].tolist() == [december, december + 90]


def test_point_order_of_the_run_is_kept(reference, run, tmp_path):
    """A run whose points are reversed has the reversed products: statics and climatology follow the coordinates."""
    forecast, back = run(), slice(None, None, -1)
    turned = replace(
        forecast,
        latitude=forecast.latitude[back],
        longitude=forecast.longitude[back],
        reader=lambda *args: forecast.reader(*args)[..., back],
    )
    a = read(write_products(forecast, reference, tmp_path / "a.nc"))
    b = read(write_products(turned, reference, tmp_path / "b.nc"))
    for name in ("soil_wetness_index", "soil_moisture_percentile_root_zone", "drought_class"):
        np.testing.assert_array_equal(a[name].values[..., back], b[name].values)


def test_lacking_variables_leave_a_product_out_and_are_named(reference, run, tmp_path, caplog):
    """Without stl4 and snow there is no frost depth and no snow day; file and log say why."""
    with caplog.at_level(logging.WARNING):
        data = read(write_products(run("stl4", "sd", "swvl4"), reference, tmp_path / "products.nc"))
    assert "frost_depth" not in data and "snow_days_month" not in data
    assert "frost_depth: lacks stl4; snow_days_month: lacks sd|snowc" in data.attrs["not_written"]
    assert data.sizes["depth"] == 3
    assert "omitted" in caplog.text and "below 10 years" in caplog.text


def test_failure_keeps_the_old_file(reference, run, tmp_path):
    """A NaN in the run and a period of less than two years are errors; no temporary file is left."""
    output = tmp_path / "products.nc"
    output.write_text("old")
    forecast = run()

    def broken(names, first, last):
        return np.full_like(forecast.reader(names, first, last), np.nan)

    with pytest.raises(ValueError, match="NaN"):
        write_products(replace(forecast, reader=broken), reference, output)
    with pytest.raises(ValueError, match="at least 2 years"):
        write_products(forecast, reference, output, period=(2020, 2020))
    assert [p.name for p in tmp_path.iterdir()] == ["products.nc"]
    assert output.read_text() == "old"
