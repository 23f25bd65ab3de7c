# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Places and their nearest points."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.sites.places import Place, find_points, places_given, places_of_file, where

LATITUDES, LONGITUDES = np.array([50.0, -33.9, 0.0, 10.0]), np.array([7.1, 151.2, 359.5, -179.5])


@pytest.mark.parametrize(
    ("latitude", "longitude", "point"),
    [(50.7, 7.1, 0), (-33.5, 151.0, 1), (0.1, -0.4, 2), (0.1, 359.6, 2), (0.1, 0.2, 2), (10, 179.9, 3), (10, 180.5, 3)],
)
def test_nearest_point_in_any_convention(latitude, longitude, point):
    """The nearest point is found across Greenwich and the date line."""
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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("x", 90.1, 0.0), "Latitude 90.1 of 'x'"),
        (("x", float("nan"), 0.0), "Latitude nan"),
        (("x", 0.0, 360.5), "Longitude 360.5"),
        (("x", 0.0, -181.0), "Longitude -181"),
        (("../x", 0.0, 0.0), "cannot be the name of a folder"),
        (("", 0.0, 0.0), "cannot be the name of a folder"),
        (("x ", 0.0, 0.0), "cannot be the name of a folder"),
    ],
)
def test_impossible_places_are_refused(given, message):
    """Coordinates out of range and names that cannot be folders are refused."""
    with pytest.raises(ValueError, match=message):
        Place(*given)


def test_places_without_names_are_called_by_where_they_are():
    """Coordinates are the default names, in any convention."""
    assert [p.name for p in places_given([50.7, -33.9], [7.1, 289.5])] == ["50.7N_7.1E", "33.9S_70.5W"]
    assert where(-0.5, 180.0) == "0.5 S, 180 W"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([], []), "0 latitudes and 0 longitudes"),
        (([1.0, 2.0], [1.0]), "2 latitudes and 1 longitudes"),
        (([1.0], [1.0], ["a", "b"]), "2 names for 1 places"),
        (([1.0, 2.0], [1.0, 2.0], ["Bonn", "bonn"]), "Several places"),
    ],
)
def test_pairs_are_checked(given, message):
    """Numbers of coordinates and names must agree, and names differ in any case."""
    with pytest.raises(ValueError, match=message):
        places_given(*given)


def test_file_of_places(tmp_path):
    """Columns are found in any order, with spaces and further columns."""
    path = tmp_path / "sites.csv"
    path.write_text("lon, name, lat, height\n7.1, Bonn, 50.7, 60\n151.2, Sydney, -33.9, 3\n")
    assert places_of_file(path) == [Place("Bonn", 50.7, 7.1), Place("Sydney", -33.9, 151.2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a CSV file"),
        ("name,lat,lon\n", "has 0 places"),
        ("name,latitude,lon\nBonn,50.7,7.1\n", r"\['lat'\] are missing"),
        ("name,lat,lon\nBonn,50.7,7.1\nCologne,fifty,7\n", "Line 3 of"),
        ("name,lat,lon\n,50.7,7.1\n", "Line 2 of"),
        ("name,lat,lon\nBonn,50.7,7.1\nBonn,50.8,7\n", "Several places are named"),
    ],
)
def test_wrong_file_of_places_is_refused(tmp_path, text, message):
    """The message names the line, the columns or the missing file."""
    with pytest.raises(FileNotFoundError, match=r"file of places '.*sites.csv' does not exist"):
        places_of_file(tmp_path / "sites.csv")
    (tmp_path / "sites.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        places_of_file(tmp_path / "sites.csv")
