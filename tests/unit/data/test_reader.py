# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Readers of all layouts follow one protocol; selection of their points; wrapper of an Anemoi dataset."""

from datetime import datetime, timedelta

import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import STEP, Coverage, Reader
from anemoi_ailand.data.selection import check_finite, fair_order, held_out, select
from anemoi_ailand.variables import VARIABLES
from tests.support import dataset as case
from tests.support.files import ramp, stamps, write_land

PLACES = ["$AILAND_SAMPLE", "$AILAND_SAMPLE/native/points", "$AILAND_SAMPLE/native/grid"]


@pytest.mark.parametrize("place", PLACES)
def test_reader_follows_the_protocol(place):
    """Shapes are consistent, values finite at both ends of the coverage; other dates and names are refused."""
    reader = open_reader(place)
    assert isinstance(reader, Reader)
    n = len(reader.point_id)
    assert reader.latitudes.shape == reader.longitudes.shape == (n,)
    assert list(reader.variables) == [v for v in VARIABLES if v in reader.variables]
    values = reader.read(reader.variables, [reader.coverage.first, reader.coverage.last])
    assert values.shape == (len(reader.variables), 2, n) and values.dtype == np.float32
    assert np.isfinite(values).all()
    for date in (reader.coverage.last + STEP, reader.coverage.first + timedelta(hours=1)):
        with pytest.raises(ValueError, match=r"1 of 1 dates are not in .*; it covers"):
            reader.read(["swvl1"], [date])
    with pytest.raises(ValueError, match=r"\['swlv1'\] are not in .*Nearest: .*'swvl1'"):
        reader.read(["swlv1"], [])


def test_constants_have_no_date():
    """They can be read at any date."""
    assert np.isfinite(open_reader("$AILAND_SAMPLE").read(["cvl"], [datetime(1900, 1, 1)])).all()


def test_coverage_contains_its_steps():
    """Both ends belong to it, hours between steps do not."""
    coverage = Coverage(datetime(2020, 1, 1, 6), datetime(2020, 1, 2))
    assert datetime(2020, 1, 1, 12) in coverage and datetime(2020, 1, 2) in coverage
    assert datetime(2020, 1, 1) not in coverage and datetime(2020, 1, 1, 9) not in coverage
    assert "2020-01-01 06:00 to 2020-01-02 00:00" in str(coverage)


@pytest.fixture
def reader(tmp_path) -> Reader:
    """Return a reader of ten points, 100 to 109; the last three are sea."""
    lsm = np.array([1.0] * 6 + [0.5, 0.49, 0.0, 0.0])
    return open_reader(str(write_land(tmp_path / "a.nc", {"swvl1": ramp(4, 10), "lsm": lsm}, stamps(4))))


NONE = np.zeros(10, bool)


def test_held_out_by_rule_and_by_list():
    """The identity is divisible by 5, or listed; all or none held out is an error."""
    ids = np.arange(100, 110)
    assert ids[held_out(ids, {"every": 5})].tolist() == [100, 105]
    assert ids[held_out(ids, {"ids": [103, 101]})].tolist() == [101, 103]
    assert not held_out(ids, None).any()
    for every in (1, 1000):
        with pytest.raises(ValueError, match=r"holds out (10|0) of 10 points"):
            held_out(np.arange(1, 11), {"every": every})


@pytest.fixture
def labelled(tmp_path) -> Reader:
    """Return a reader of six points with labels in the file."""
    path = write_land(tmp_path / "sites.nc", {"swvl1": ramp(4, 6), "kept": np.array([0.0, 1, 0, 0, 0, 0])}, stamps(4))
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("site", str, ("point",))[:] = np.array(["Aa", "Aa", "Bb", "Bb", "Cc", "Dd"], object)
        file.createVariable("year", "i4", ("point",))[:] = [1998, 1999, 1998, 1999, 2003, 2003]
    return open_reader(str(path))


def test_held_out_by_labels_of_the_files(labelled):
    """A variable is 1 there, or a label has one of the values; rules add up, and wrong ones name the choice."""
    ids, label = labelled.point_id, labelled.label
    for rule, expected in (
        ({"where": "kept"}, [1]), ({"site": ["Aa", "Cc"]}, [0, 1, 4]), ({"site": "Bb"}, [2, 3]),
        ({"year": 2003}, [4, 5]), ({"where": "kept", "site": ["Dd"], "ids": [102]}, [1, 2, 5]),
    ):  # fmt: skip
        assert np.flatnonzero(held_out(ids, rule, label)).tolist() == expected, rule
    for rule, message in (
        ({"site": ["Aa", "Zz"]}, r"`held_out.site` has \['Zz'\].*\['Aa', 'Bb', 'Cc', 'Dd'\]"),
        ({"place": ["Aa"]}, r"no label 'place'.*\['kept', 'point_id', 'site', 'year'\]"),
        ({"where": "year"}, r"zeros and ones; 'year' is \[1998.0"),
    ):
        with pytest.raises(ValueError, match=message):
            held_out(ids, rule, label)


def test_selections_combine(reader):
    """Land (mask of at least 0.5), held-out points excluded or alone, and listed points combine; default is all."""
    held = held_out(reader.point_id, {"every": 5})
    assert select(reader, None, NONE, None).tolist() == list(range(10))
    assert select(reader, {"land": True}, NONE, None).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert select(reader, {"land": True, "held_out": "exclude"}, held, None).tolist() == [1, 2, 3, 4, 6]
    assert select(reader, {"held_out": "only"}, held, None).tolist() == [0, 5]
    assert select(reader, {"ids": [109, 102]}, NONE, None).tolist() == [2, 9]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"land": True, "ids": [108]}, "leaves none of 10 points"),
        ({"ids": [7]}, r"Points \[7\] do not exist"),
        ({"held_out": "yes"}, "can be 'exclude' or 'only'"),
        ({"lands": True}, r"has no option \['lands'\]; it takes"),
        ({"held_out": "only"}, "leaves none of 10 points"),
    ],
)
def test_empty_or_misspelt_selection(reader, points, message):
    """The result is an error, never an empty dataset; so is an unknown option of the order and of held-out points."""
    with pytest.raises(ValueError, match=message):
        select(reader, points, NONE, None)
    with pytest.raises(ValueError, match="`order` has no option"):
        select(reader, None, NONE, {"sed": 1})
    with pytest.raises(ValueError, match="`held_out` has no option"):
        held_out(reader.point_id, {"each": 5})


def test_land_needs_a_mask(tmp_path):
    """The error names the mask."""
    reader = open_reader(str(write_land(tmp_path / "a.nc", {"swvl1": ramp(4, 2)}, stamps(4))))
    with pytest.raises(ValueError, match="needs the land-sea mask 'lsm'"):
        select(reader, {"land": True}, np.zeros(2, bool), None)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_value_is_located(reader, bad):
    """The error gives variable, point, coordinates, date and number of values."""
    values = np.zeros((1, 4, 2))
    values[0, 2, 1] = bad
    message = r"'swvl1' is missing \(NaN\) at point_id 107 \(latitude 17.000.* on 2020-01-01 12:00:00, and at 1 of 8"
    with pytest.raises(ValueError, match=message):
        check_finite(values, ["swvl1"], stamps(4), reader, np.array([3, 7]))
    check_finite(np.zeros((1, 4, 2)), ["swvl1"], [datetime(2020, 1, 1)] * 4, reader, np.array([3, 7]))


@given(n=st.integers(1, 200), seed=st.integers(0, 100))
def test_fair_order_is_a_permutation(n, seed):
    """Each point occurs once, with and without strata."""
    strata = np.arange(n) % 3
    assert sorted(fair_order(n, seed)) == list(range(n))
    assert sorted(fair_order(n, seed, strata, strata == 0)) == list(range(n))


def test_every_block_holds_each_stratum_in_proportion():
    """The count deviates by at most two members, for strata of unequal size stored one after the other."""
    strata, block = np.repeat(np.arange(4), [110, 55, 44, 11]), 22
    ordered = strata[fair_order(len(strata), 1, strata)]
    share = np.bincount(strata) / len(strata) * block
    for start in range(len(strata) - block + 1):
        count = np.bincount(ordered[start : start + block], minlength=4)
        assert (np.abs(count - share) <= 2.0).all()


def test_last_points_are_last():
    """Held-out points come after all others."""
    last = np.arange(60) % 5 == 0
    order = fair_order(60, 3, np.arange(60) % 4, last)
    assert last[order].tolist() == [False] * 48 + [True] * 12


def test_order_depends_on_the_seed():
    """The same seed gives the same order, another seed another order."""
    assert (fair_order(100, 1) == fair_order(100, 1)).all()
    assert (fair_order(100, 1) != fair_order(100, 2)).any()


@pytest.fixture
def data(monkeypatch):
    """Replace every dataset by one in memory."""
    made = case.FakeDataset()
    monkeypatch.setattr("anemoi.datasets.open_dataset", lambda _path: made)
    return made


def test_values_are_read_by_name_and_date(data, tmp_path):
    """Values have the shape (date, variable, point), in the order of the names."""
    names = ["z", "stl1"]
    found = AnemoiDataset(tmp_path).values(names, 3, 5)
    np.testing.assert_array_equal(found, data.values[3:5, [data.name_to_index[n] for n in names], 0])


def test_dates_are_found(data, tmp_path):
    """A date gives its position; one outside the dataset is refused with the period."""
    dataset = AnemoiDataset(tmp_path)
    assert dataset.index_of(dataset.dates[7].item()) == 7
    with pytest.raises(ValueError, match=r"covers 2022-01-01T00:00:00 to .*; 1999-01-01.* is not in it"):
        dataset.index_of(datetime(1999, 1, 1))


def test_constant_is_complete_or_none(data, tmp_path):
    """A constant field is None if it is absent or has a gap."""
    assert AnemoiDataset(tmp_path).constant("no such") is None
    np.testing.assert_array_equal(AnemoiDataset(tmp_path).constant("point_id"), [10, 11, 12, 13, 14])
    data.set("point_id", 0, 2, np.nan)
    assert AnemoiDataset(tmp_path).constant("point_id") is None


def test_what_cannot_be_opened_is_refused(tmp_path):
    """Only an incomplete zarr folder is advised to be finished."""
    with pytest.raises(ValueError, match="is not an Anemoi dataset"):
        AnemoiDataset(tmp_path)
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(ValueError, match=r"cannot be opened as an Anemoi dataset .*anemoi-datasets finalise"):
        AnemoiDataset(tmp_path)
