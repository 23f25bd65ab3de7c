# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Wrapper of an Anemoi dataset; its use by roll-outs and evaluation is in test_dataset_fields.py and test_fields.py."""

from datetime import datetime

import numpy as np
import pytest

from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from tests.support import dataset as case


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
