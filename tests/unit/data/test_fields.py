# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Land fields are earthkit fields, with the cube of earthkit."""

from __future__ import annotations

import numpy as np
import pytest
from earthkit.data.core.fieldlist import FieldList

from anemoi_ailand.data.fields import LandCube, LandFields
from tests.support.files import stamps

NAMES = ["swvl1", "2t", "late_sdswrf", "avg_t"]
LATITUDES, LONGITUDES = np.array([10.0, 20.0, 30.0]), np.array([-5.0, 0.0, 5.0])
ORDER = ["valid_datetime", "param_level", "number"]
ASKED = {"remapping": {"param_level": "{param}_{levelist}"}, "patches": {"number": {None: 0}}, "flatten_values": True}


def values(names, dates) -> np.ndarray:
    return np.random.default_rng(len(names)).normal(size=(len(names), len(dates), 3)).astype("f4")


@pytest.fixture
def fields() -> LandFields:
    return LandFields(NAMES, stamps(5), LATITUDES, LONGITUDES, values)


def test_cube_is_the_one_of_earthkit(fields):
    """Coordinates, shape and all values equal those of the cube made by earthkit."""
    ours, theirs = fields.cube(ORDER, **ASKED), FieldList.cube(fields, ORDER, **ASKED)
    assert isinstance(ours, LandCube) and not isinstance(theirs, LandCube)
    assert dict(ours.user_coords) == dict(theirs.user_coords)
    assert ours.extended_user_shape == theirs.extended_user_shape
    np.testing.assert_array_equal(ours.to_numpy(), theirs.to_numpy(flatten=True))


def test_cubelets_fill_the_cube_once(fields):
    """Each value is stored exactly once."""
    cube = fields.cube(ORDER, **ASKED)
    filled, count = np.full(cube.extended_user_shape, np.nan), np.zeros(cube.extended_user_shape, int)
    cubelets = list(cube.iterate_cubelets())
    for c in cubelets:
        filled[c.coords], count[c.coords] = c.to_numpy(), count[c.coords] + 1
    assert (count == 1).all() and len(cubelets) == cube.count()
    np.testing.assert_array_equal(filled, cube.to_numpy())


def test_other_requests_are_served_by_earthkit(fields):
    """Selection, another order and a join give the values of the name and date."""
    block = values(fields.names, fields.dates)
    (field,) = fields.sel(param="avg_t", valid_datetime=stamps(5)[3].isoformat())
    np.testing.assert_array_equal(field.to_numpy(), block[fields.names.index("avg_t"), 3])
    assert [f.metadata("param") for f in fields.order_by("param", "valid_datetime")][:5] == ["2t"] * 5
    other = LandFields(["stl1"], stamps(5), LATITUDES, LONGITUDES, values)
    cube = (fields + other).cube(ORDER, **ASKED)
    assert cube.user_coords["param_level"] == ("2t", "avg_t", "late_sdswrf", "stl1", "swvl1")


def test_dates_out_of_order_are_sorted_by_earthkit():
    """The fast cube is for sorted dates only."""
    back = LandFields(NAMES, stamps(5)[::-1], LATITUDES, LONGITUDES, values)
    cube = back.cube(ORDER, **ASKED)
    assert not isinstance(cube, LandCube)
    assert list(cube.user_coords["valid_datetime"]) == [d.isoformat() for d in stamps(5)]


def test_metadata_gives_units_and_period(fields):
    """A mean over 6 h, a mean over the last 3 h, and an instant are distinguished."""
    first = {f.metadata("param"): f for f in fields[:4]}
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

    fields = LandFields(NAMES, stamps(5), LATITUDES, LONGITUDES, load)
    assert len(fields) == 20 and fields.cube(ORDER, **ASKED).user_shape == (5, 4, 1) and calls == []
    _ = fields[3].to_numpy(), fields[19].to_numpy()
    assert calls == [tuple(sorted(NAMES))]
