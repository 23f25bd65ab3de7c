# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Places with their nearest points; series, scores, properties and figure of a site."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex

from anemoi_ailand.evaluation.display.style import FORECAST_COLOURS
from anemoi_ailand.evaluation.sites.places import Found, Place, find_points, places_given, places_of_file, where
from anemoi_ailand.evaluation.sites.site_figure import site_figure
from anemoi_ailand.evaluation.sites.site_series import (
    names_of,
    of_ecland,
    site_properties,
    site_scores,
    site_sentence,
    site_series,
    site_table,
)

LATITUDES, LONGITUDES = np.array([50.0, -33.9, 0.0, 10.0]), np.array([7.1, 151.2, 359.5, -179.5])


@pytest.mark.parametrize(
    ("latitude", "longitude", "point"),
    [(50.7, 7.1, 0), (-33.5, 151.0, 1), (0.1, -0.4, 2), (0.1, 359.6, 2), (0.1, 0.2, 2), (10, 179.9, 3), (10, 180.5, 3)],
)
def test_nearest_point_in_any_convention(latitude, longitude, point):
    [found] = find_points([Place("here", latitude, longitude)], LATITUDES, LONGITUDES)
    assert found.point == point
    assert found.distance < 101.0
    [found] = find_points([Place("here", 50.9, 7.1)], LATITUDES, LONGITUDES, 101.0)
    assert found.distance == pytest.approx(0.9 * 2 * np.pi * 6371.229 / 360, rel=1e-12)  # of a meridian


def test_distant_point_is_reported_with_distance_and_remedy():
    """The message gives a distance that suffices; only positive distances are accepted."""
    places = [Place("near", 50.1, 7.1), Place("far", 55.0, 7.1)]
    with pytest.raises(
        ValueError, match=r"1 of 2 places: far \(55 N, 7.1 E\): point 0 at 50 N, 7.1 E, 556 km"
    ) as found:
        find_points(places, LATITUDES, LONGITUDES)
    enough = float(str(found.value).rpartition("--within ")[2].rstrip("`."))
    assert [f.point for f in find_points(places, LATITUDES, LONGITUDES, enough)] == [0, 0]
    for within in (0.0, float("nan")):
        with pytest.raises(ValueError, match="Give a positive distance"):
            find_points(places, LATITUDES, LONGITUDES, within)


def test_impossible_places_are_refused():
    for given, message in (
        (("x", 90.1, 0.0), "Latitude 90.1 of 'x'"),
        (("x", float("nan"), 0.0), "Latitude nan"),
        (("x", 0.0, 360.5), "Longitude 360.5"),
        (("x", 0.0, -181.0), "Longitude -181"),
        *((name, "cannot be the name of a folder") for name in (("../x", 0, 0), ("", 0, 0), ("x ", 0, 0))),
    ):
        with pytest.raises(ValueError, match=message):
            Place(*given)


def test_places_without_names_are_called_by_where_they_are():
    """In any convention."""
    assert [p.name for p in places_given([50.7, -33.9], [7.1, 289.5])] == ["50.7N_7.1E", "33.9S_70.5W"]
    assert where(-0.5, 180.0) == "0.5 S, 180 W"


def test_pairs_are_checked():
    """Numbers of coordinates and names must agree, and names differ in any case."""
    for given, message in (
        (([], []), "No place is given"),
        (([1.0, 2.0], [1.0]), "`--lat` and `--lon` differ in number"),
        (([1.0], [1.0], ["a", "b"]), "`--name` and `--lat` differ in number"),
        (([1.0, 2.0], [1.0, 2.0], ["Bonn", "bonn"]), "Several places"),
    ):
        with pytest.raises(ValueError, match=message):
            places_given(*given)


def test_file_of_places(tmp_path):
    """Columns are found in any order; a message names the line, the columns or the missing file."""
    path = tmp_path / "sites.csv"
    with pytest.raises(FileNotFoundError, match=r"file of places '.*sites.csv' does not exist"):
        places_of_file(path)
    path.write_text("lon, name, lat, height\n7.1, Bonn, 50.7, 60\n151.2, Sydney, -33.9, 3\n")
    assert places_of_file(path) == [Place("Bonn", 50.7, 7.1), Place("Sydney", -33.9, 151.2)]
    for text, message in (
        ("", "is not a CSV file"),
        ("name,lat,lon\n", "has 0 places"),
        ("name,latitude,lon\nBonn,50.7,7.1\n", r"\['lat'\] are missing"),
        ("name,lat,lon\nBonn,50.7,7.1\nCologne,fifty,7\n", "Line 3 of"),
        ("name,lat,lon\n,50.7,7.1\n", "Line 2 of"),
        ("name,lat,lon\nBonn,50.7,7.1\nBonn,50.8,7\n", "Several places are named"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            places_of_file(path)


TIMES = np.datetime64("2022-01-01T06", "s") + np.arange(40) * np.timedelta64(6, "h")
FOUND = Found(Place("Bonn", 50.7, 7.1), 3, 50.25, 7.5, 57.4)
WAVE = np.sin(np.arange(40.0))


def made(**changes):
    """The emulator is 1 K too warm, and a little noisy in evaporation."""
    given = {
        "emulator": {"evap": 2e-5 + 1e-5 * WAVE, "stl1": 281.0 + WAVE, "2t": 280.0 + WAVE},
        "ecland": {"evap": 3e-5 + 1e-5 * WAVE, "stl1": 280.0 + WAVE},
        "forcing": {"t": 279.0 + WAVE},
    }
    return site_series(TIMES, **{**given, **changes}, found=FOUND, attributes={"title": "x"})


def test_series_are_cf_and_know_whose_they_are(tmp_path):
    """Names, attributes and sources survive a file."""
    made().to_netcdf(tmp_path / "site.nc")
    with xr.open_dataset(tmp_path / "site.nc") as series:
        assert set(series.data_vars) == {"evap", "stl1", "t2m", "evap_ecland", "stl1_ecland", "t"}
        assert (series.attrs["featureType"], series["site"].attrs["cf_role"]) == ("timeSeries", "timeseries_id")
        assert series["stl1_ecland"].attrs["long_name"] == "soil temperature, layer 1, ecLand"
        assert series["t2m"].attrs["short_name"] == "2t"
        assert names_of(series, "emulator") == ["stl1", "2t", "evap"]
        assert names_of(series, "forcing") == ["t"]
        assert of_ecland(series, "2t") is None
        assert float(series["latitude"]) == 50.25


def test_scores_are_in_the_units_shown():
    """Scores are in display units; variables without ecLand have none."""
    scores = site_scores(made()).set_index("variable")
    assert list(scores.index) == ["stl1", "evap"]
    assert scores.loc["stl1", "bias"] == pytest.approx(1.0)
    assert scores.loc["stl1", "rmse"] == pytest.approx(1.0)
    assert scores.loc["stl1", "correlation"] == pytest.approx(1.0)
    assert scores.loc["stl1", "spread"] == pytest.approx(WAVE.std())
    assert scores.loc["evap", "bias"] == pytest.approx(-0.864)
    assert scores.loc["evap", "units"] == "mm d-1"


def test_gaps_and_constant_series():
    """Missing values of ecLand are skipped; an undefined correlation is a dash, a missing ecLand a sentence."""
    truth = np.where(np.arange(40) < 10, np.nan, 280.0)
    scores = site_scores(made(ecland={"stl1": truth}))
    assert scores["n"].tolist() == [30]
    assert scores["rmse"][0] == pytest.approx(float(np.sqrt(((1.0 + WAVE[10:]) ** 2).mean())))
    assert np.isnan(scores["correlation"][0])
    row = site_table("About.", scores).splitlines()[-1]
    assert [cell.strip() for cell in row.split("|")][6] == "-"
    assert "no series of ecLand" in site_table("About.", site_scores(made(ecland={})))


def test_properties_have_names():
    """Types have number, name and cover, and a sentence describes them; types outside the table are refused."""
    static = {"slt": 4.0, "tvl": 13.0, "cvl": 0.8934702, "tvh": 0.0, "cvh": 0.0, "z": 9.0}
    static |= {"climate_class": 5.0, "held_out": 1.0}
    found = site_properties(static)
    assert found["soil"] == {"type": 4, "name": "fine"}
    assert found["low_vegetation"] == {"type": 13, "name": "bogs and marshes", "cover": 0.89347}
    assert found["high_vegetation"]["name"] == "none"
    assert (found["climate_class"], found["held_out"]) == ("maritime", True)
    assert found["static"] == {"cvl": 0.89347, "cvh": 0.0, "z": 9.0}
    assert site_properties({"z": 9.0}) == {"static": {"z": 9.0}}
    assert site_sentence(FOUND, found) == (
        "Bonn (50.7 N, 7.1 E): the nearest point is 57 km away, at 50.25 N, 7.5 E. It has fine soil, bogs and marshes "
        "on 89 % and the climate class maritime. It is held out in the dataset."
    )
    for wrong in ({"slt": 2.5}, {"slt": 8.0}, {"tvl": 21.0}, {"tvh": -1.0}):
        with pytest.raises(ValueError, match="types are not whole numbers"):
            site_properties(wrong)


@pytest.fixture
def axes():
    """Visible panels of a site with ecLand's soil temperature, three variables of the emulator, and forcing."""
    fields = (dict.fromkeys(("stl1", "sd", "ssro"), WAVE + 1.5), {"stl1": WAVE + 1.0})
    series = site_series(TIMES, *fields, dict.fromkeys(("avg_tprate", "t"), (WAVE + 1.0) / 86400), FOUND)
    return [ax for ax in site_figure(series, "Bonn $").axes if ax.get_visible()]


def test_panels_show_available_variables(axes):
    """Available variables and forcing have panels with models and errors."""
    assert [ax.get_title(loc="left").rpartition(": ")[2] for ax in axes] == ["stl1", "sd", "ssro", "t", "avg_tprate"]
    assert [to_hex(line.get_color()).upper() for line in axes[0].lines] == ["#000000", FORECAST_COLOURS[0]]
    assert axes[0].texts[0].get_text() == "RMSE 0.5, bias +0.5 K"
    assert len(axes[1].lines) == 1
    assert not axes[1].texts


def test_sign_of_a_flux_is_beside_its_unit():
    """Positive downward, as in the long name; the title omits it."""
    series = site_series(TIMES, {"slhf": WAVE, "swvl1": WAVE}, {}, {}, FOUND)
    axes = {ax.get_title(loc="left").rpartition(": ")[2]: ax for ax in site_figure(series, "Bonn").axes}
    assert axes["slhf"].get_ylabel() == "[W m⁻²]\npositive downward"
    assert axes["slhf"].get_title(loc="left") == "surface latent heat flux: slhf"
    assert "positive" not in axes["swvl1"].get_ylabel()


def test_water_is_in_millimetres_a_day(axes):
    """Runoff and precipitation."""
    assert [axes[i].get_ylabel() for i in (2, 4)] == ["[mm d⁻¹]"] * 2
    assert axes[2].lines[0].get_ydata()[0] == pytest.approx(1.5 * 86400)
    drawn = axes[4].collections[0].get_paths()[0].vertices[:, 1]
    assert drawn.max() == pytest.approx(1.0 + WAVE.max())
