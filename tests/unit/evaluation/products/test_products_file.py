# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The file of products: its numbers are those of the functions, its metadata are CF, a failure leaves nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.fields.daily_means import daily_means
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.products import indices as pr
from anemoi_ailand.evaluation.products import products_file
from anemoi_ailand.evaluation.products.products_file import write_products

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
def reference(make_fields: Callable, make_dates: Callable) -> Fields:
    """Two years of all that the products need."""
    times = make_dates("2019-01-01T00", "2020-12-31T18")
    return make_fields(times, waves(times), constants={"theta_pwp": PWP, "theta_cap": CAP}, path=Path("reference.nc"))


@pytest.fixture
def run(make_fields: Callable, make_dates: Callable) -> Callable[..., Fields]:
    """Function that makes the first 70 days of the third year, without the variables named."""
    times = make_dates("2021-01-01T00", "2021-03-11T18")

    def make(*without: str) -> Fields:
        values = {name: v for name, v in waves(times).items() if name not in without}
        return make_fields(times, values, path=Path("forecast.nc"))

    return make


def read(path: Path) -> xr.Dataset:
    """All of the file, closed again."""
    with xr.open_dataset(path, mask_and_scale=False, decode_times=False, decode_coords=False) as data:
        return data.load()


def test_numbers_are_those_of_the_functions(
    reference: Fields, run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_metadata_are_cf(reference: Fields, run: Callable, tmp_path: Path) -> None:
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


def test_point_order_of_the_run_is_kept(reference: Fields, run: Callable, tmp_path: Path) -> None:
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


def test_lacking_variables_leave_a_product_out_and_are_named(
    reference: Fields, run: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without stl4 and snow there is no frost depth and no snow day; file and log say why."""
    with caplog.at_level(logging.WARNING):
        data = read(write_products(run("stl4", "sd", "swvl4"), reference, tmp_path / "products.nc"))
    assert "frost_depth" not in data and "snow_days_month" not in data
    assert "frost_depth: lacks stl4; snow_days_month: lacks sd|snowc" in data.attrs["not_written"]
    assert data.sizes["depth"] == 3
    assert "left out" in caplog.text and "below 10 years" in caplog.text


@pytest.mark.parametrize(
    ("period", "message"),
    [((2020, 2020), "at least 2 years"), ((2030, 2040), "at least one year")],
)
def test_short_period_is_an_error_and_leaves_nothing(
    reference: Fields, run: Callable, tmp_path: Path, period: tuple[int, int], message: str
) -> None:
    """A period of less than two years is refused, and no file is left."""
    with pytest.raises(ValueError, match=message):
        write_products(run(), reference, tmp_path / "products.nc", period=period)
    assert list(tmp_path.iterdir()) == []


def test_failure_while_writing_keeps_the_old_file(reference: Fields, run: Callable, tmp_path: Path) -> None:
    """A NaN in the run is an error; the old file stays, and no temporary file is left."""
    output = tmp_path / "products.nc"
    output.write_text("old")
    forecast = run()

    def broken(names: list[str], first: int, last: int) -> np.ndarray:
        return np.full_like(forecast.reader(names, first, last), np.nan)

    with pytest.raises(ValueError, match="NaN"):
        write_products(replace(forecast, reader=broken), reference, output)
    assert [p.name for p in tmp_path.iterdir()] == ["products.nc"]
    assert output.read_text() == "old"


def test_nothing_to_make_is_an_error(reference: Fields, run: Callable, tmp_path: Path) -> None:
    """A run without soil and snow has no product."""
    forecast = run("swvl1", "stl1", "sd")
    with pytest.raises(ValueError, match="No product of"):
        write_products(forecast, reference, tmp_path / "products.nc")
