# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Dataset source ``ecland``: its options, and clear errors for wrong ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from anemoi_ailand.data.fields import LandFields
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import MARKS
from anemoi_ailand.data.source import EcLandSource
from anemoi_ailand.variables import VARIABLES
from tests.support.files import FIRST, STEP, ramp, spoil, stamps, write_land

SAMPLE = "$AILAND_SAMPLE"


def source(context: Any = None, **options: Any) -> EcLandSource:
    return EcLandSource(context, **{"path": SAMPLE, **options})


def fields(dates=None, **options: Any) -> LandFields:
    return source(**options).execute(dates or stamps(2))


def block(found: LandFields, name: str) -> np.ndarray:
    return found.block[:, found.names.index(name)]


def test_default_is_all_variables():
    """Those of the files, sun and calendar, and labels of points."""
    names = set(fields().names)
    assert names == set(VARIABLES) - {"sp", "u", "v"}
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
        ({"variables": ["u"]}, r"\['u'\] are not in .*Nearest"),
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
    found = fields(stamps(4), path=str(path), variables=["swvl1"], points={"land": True})
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
