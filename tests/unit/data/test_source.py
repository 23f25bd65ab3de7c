# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Dataset source ``ecland``: options and errors; its fields, sun and calendar."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from earthkit.data import from_source
from earthkit.data.core.fieldlist import FieldList

from anemoi_ailand.data.fields import LandCube, LandFields
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import MARKS
from anemoi_ailand.data.source import EcLandSource
from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.variables import HOURLY_RAIN, VARIABLES
from tests.support.files import FIRST, STEP, ramp, spoil, stamps, write_land

SAMPLE = "$AILAND_SAMPLE"


def source(context: Any = None, **options: Any) -> EcLandSource:
    return EcLandSource(context, **{"path": SAMPLE, **options})


def fields(dates=None, **options: Any) -> LandFields:
    return source(**options).execute(dates or stamps(2))


def block(found: LandFields, name: str) -> np.ndarray:
    return found.block[:, found.names.index(name)]


def test_default_is_all_variables(tmp_path):
    """Those of the files, sun and calendar, and labels of points."""
    names = set(fields().names)
    assert names == set(VARIABLES) - {"sp", "u", "v", *HOURLY_RAIN}
    assert set(fields(hourly_rain=True).names) == names | set(HOURLY_RAIN)
    path = write_land(tmp_path / "a.nc", {"swvl1": ramp(4, 3)}, stamps(4))
    with pytest.raises(ValueError, match=r"'tprate_h1'.* are not in"):
        source(path=str(path), hourly_rain=True)
    assert {"insolation", *MARKS} <= names


def test_variables_and_drop():
    """Names are given as a list or a single name, in any order."""
    assert fields(variables=["swvl1", "stl1", "sd"], drop=["sd"]).names == ("stl1", "swvl1")
    assert fields(variables="swvl1").names == ("swvl1",)


def test_values_are_those_of_the_reader_in_the_order_of_the_points():
    """Values and `point_id` are in the same order."""
    found = fields(variables=["swvl1", "cvl", "point_id"], order={"seed": 1})
    reader = open_reader(SAMPLE)
    where = [reader.point_id.tolist().index(p) for p in block(found, "point_id")[0]]
    assert where != sorted(where)
    expected = reader.read(["swvl1", "cvl"], stamps(2))[..., where]
    np.testing.assert_array_equal(block(found, "swvl1"), expected[0])
    np.testing.assert_array_equal(block(found, "cvl"), expected[1])


def test_held_out_points_are_last_and_labelled():
    """They are eleven of the 44 points, one of each class."""
    found = fields(variables=[*MARKS], held_out={"every": 5}, order={"seed": 1})
    mark, ids, classes = (block(found, n)[0] for n in ("held_out", "point_id", "climate_class"))
    assert mark.tolist() == [0] * 33 + [1] * 11
    assert (ids % 5 == 0).tolist() == (mark == 1).tolist()
    assert sorted(classes[33:]) == list(range(11))
    for start in range(0, 33, 11):  # every block of eleven has one point of each class
        assert sorted(classes[start : start + 11]) == list(range(11))


def test_sun_is_at_the_points():
    """Computed variables follow the order of the points."""
    found = fields([FIRST + 2 * STEP], variables=["insolation"], order={"seed": 1})
    from anemoi_ailand.data.sun import compute

    lat, lon = found[0].grid_points()
    np.testing.assert_array_equal(found.block[:, 0], compute(["insolation"], [FIRST + 2 * STEP], lat, lon)[0])


def test_options_reach_the_reader():
    """The identity of points in native files is an option of their reader."""
    native = f"{SAMPLE}/native/points"
    found = fields(
        [FIRST.replace(year=2018) + STEP], path=native, variables="point_id",
        point_id=f"{native}/point_index_in_main_run.txt",
    )  # fmt: skip
    assert found.block[0, 0].tolist() == [28, 35, 143, 505]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variables": ["swlv1"]}, r"not in the table.*swvl1"),
        ({"variables": ["u"]}, r"\['u'\] are not in .*which has"),
        ({"drop": ["swlv1"]}, "not in the table"),
        ({"variables": ["sd"], "drop": ["sd"]}, "No variable is left"),
        ({"points": {"held_out": "only"}}, "leaves none of 44 points"),
        ({"layout": "netcdf"}, "no layout 'netcdf'. Known: .*native"),
    ],
)
def test_wrong_option(options, message):
    """The error is raised on creation of the source."""
    with pytest.raises(ValueError, match=message):
        source(**options)


def recipe(first, last):
    return SimpleNamespace(recipe=SimpleNamespace(dates=[first, first + STEP, last]))


def test_dates_of_the_recipe_are_checked_at_once():
    """The last date of the recipe is checked with the first group."""
    source(recipe(FIRST, FIRST + 9 * STEP))
    with pytest.raises(ValueError, match=r"dates are not in .*it covers 2020-01-01 00:00 to 2022-12-31 18:00"):
        source(recipe(FIRST, FIRST.replace(year=2023)))


def test_nan_at_a_land_point_is_an_error(tmp_path):
    """It is never stored silently; at sea it is left out with `points: {land: true}`."""
    path = write_land(tmp_path / "a.nc", {"swvl1": ramp(4, 3), "lsm": np.array([1.0, 1.0, 0.0])}, stamps(4))
    spoil(path, "swvl1", np.nan, (slice(None), 2))
    found = fields(stamps(4), path=str(path), variables=["swvl1"], points={"land": True}, plausibility="off")
    np.testing.assert_allclose(found.block[:, 0], ramp(4, 2), rtol=1e-6)
    spoil(path, "swvl1", 0.1)
    spoil(path, "swvl1", np.nan, (2, 1))
    with pytest.raises(ValueError, match=r"'swvl1' is missing .* at point_id 101"):
        _ = fields(stamps(4), path=str(path), variables=["swvl1"]).block


def test_files_are_opened_once_for_all_groups(monkeypatch):
    """Anemoi creates a source for every group of dates; they share a reader."""
    from anemoi_ailand.data import source as module

    opened = []
    monkeypatch.setattr(module, "open_reader", lambda *a, **k: opened.append(a) or open_reader(*a, **k))
    module._open.cache_clear()
    for _ in range(3):
        source(path=[SAMPLE + "/ecland_2020.nc"])
    assert len(opened) == 1
    module._open.cache_clear()


NAMES = ["swvl1", "2t", "late_sdswrf", "avg_t"]
LATITUDES, LONGITUDES = np.array([10.0, 20.0, 30.0]), np.array([-5.0, 0.0, 5.0])
ORDER = ["valid_datetime", "param_level", "number"]
ASKED = {"remapping": {"param_level": "{param}_{levelist}"}, "patches": {"number": {None: 0}}, "flatten_values": True}


def values(names, dates) -> np.ndarray:
    return np.random.default_rng(len(names)).normal(size=(len(names), len(dates), 3)).astype("f4")


@pytest.fixture
def land_fields() -> LandFields:
    return LandFields(NAMES, stamps(5), LATITUDES, LONGITUDES, values)


def test_cube_is_the_one_of_earthkit(land_fields):
    """Coordinates, shape and all values equal those of the cube made by earthkit."""
    ours, theirs = land_fields.cube(ORDER, **ASKED), FieldList.cube(land_fields, ORDER, **ASKED)
    assert isinstance(ours, LandCube) and not isinstance(theirs, LandCube)
    assert dict(ours.user_coords) == dict(theirs.user_coords)
    assert ours.extended_user_shape == theirs.extended_user_shape
    np.testing.assert_array_equal(ours.to_numpy(), theirs.to_numpy(flatten=True))


def test_cubelets_fill_the_cube_once(land_fields):
    """Each value is stored exactly once."""
    cube = land_fields.cube(ORDER, **ASKED)
    filled, count = np.full(cube.extended_user_shape, np.nan), np.zeros(cube.extended_user_shape, int)
    cubelets = list(cube.iterate_cubelets())
    for c in cubelets:
        filled[c.coords], count[c.coords] = c.to_numpy(), count[c.coords] + 1
    assert (count == 1).all() and len(cubelets) == cube.count()
    np.testing.assert_array_equal(filled, cube.to_numpy())


def test_other_requests_are_served_by_earthkit(land_fields):
    """Selection, another order and a join give the values of the name and date."""
    block = values(land_fields.names, land_fields.dates)
    (field,) = land_fields.sel(param="avg_t", valid_datetime=stamps(5)[3].isoformat())
    np.testing.assert_array_equal(field.to_numpy(), block[land_fields.names.index("avg_t"), 3])
    assert [f.metadata("param") for f in land_fields.order_by("param", "valid_datetime")][:5] == ["2t"] * 5
    other = LandFields(["stl1"], stamps(5), LATITUDES, LONGITUDES, values)
    cube = (land_fields + other).cube(ORDER, **ASKED)
    assert cube.user_coords["param_level"] == ("2t", "avg_t", "late_sdswrf", "stl1", "swvl1")


def test_dates_out_of_order_are_sorted_by_earthkit():
    """The fast cube is for sorted dates only."""
    back = LandFields(NAMES, stamps(5)[::-1], LATITUDES, LONGITUDES, values)
    cube = back.cube(ORDER, **ASKED)
    assert not isinstance(cube, LandCube)
    assert list(cube.user_coords["valid_datetime"]) == [d.isoformat() for d in stamps(5)]


def test_metadata_gives_units_and_period(land_fields):
    """A mean over 6 h, a mean over the last 3 h, and an instant are distinguished."""
    first = {f.metadata("param"): f for f in land_fields[:4]}
    assert first["swvl1"].metadata("units") == "m3 m-3"
    periods = {
        n: (f.metadata("startStep", default=None), f.metadata("endStep", default=None)) for n, f in first.items()
    }
    assert periods == {"2t": (None, None), "avg_t": (0, 6), "late_sdswrf": (3, 6), "swvl1": (None, None)}
    assert first["2t"].metadata(namespace="mars") == {"param": "2t", "levtype": "sfc"}
    assert first["late_sdswrf"].metadata(namespace="mars") == {}
    assert first["2t"].datetime()["valid_time"] == stamps(1)[0]


def test_values_are_loaded_once_and_late():
    """The values are loaded when the first one is needed."""
    calls = []

    def load(names, dates):
        calls.append(names)
        return values(names, dates)

    land_fields = LandFields(NAMES, stamps(5), LATITUDES, LONGITUDES, load)
    assert len(land_fields) == 20 and land_fields.cube(ORDER, **ASKED).user_shape == (5, 4, 1) and calls == []
    _ = land_fields[3].to_numpy(), land_fields[19].to_numpy()
    assert calls == [tuple(sorted(NAMES))]


PLACES = (np.array([72.9, 0.0, -54.6, 47.3]), np.array([-158.9, 0.0, 175.9, 359.5]))
DATES = [datetime(2020, 1, 1), datetime(2020, 2, 29, 6), datetime(2021, 6, 21, 12), datetime(2022, 12, 31, 18)]


def test_names_are_the_computed_ones_of_the_table():
    """The names are those of the table, no more and no less."""
    assert set(COMPUTED) == {n for n, v in VARIABLES.items() if v.computed}


@pytest.mark.parametrize("name", COMPUTED)
def test_equal_to_the_source_forcings(name):
    """The values are bitwise equal in float32, the dtype of a dataset."""
    fields = from_source("forcings", latitudes=PLACES[0], longitudes=PLACES[1], date=DATES, param=[name])
    theirs = np.array([f.to_numpy(flatten=True) for f in fields], "f4")
    ours = compute([name], DATES, *PLACES)[0]
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(ours, np.concatenate([compute([name], [date], *PLACES)[0] for date in DATES]))
    assert np.ptp(ours) > 0
