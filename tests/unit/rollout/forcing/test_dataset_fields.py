# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""State and forcing from a dataset, block by block."""

import numpy as np
import pytest

from anemoi_ailand.data import anemoi_dataset
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from tests.support import dataset as case

NAMES = ("stl1", "avg_tprate", "z")


@pytest.fixture
def data(monkeypatch):
    """A dataset in memory, opened in place of any."""
    made = case.FakeDataset()
    monkeypatch.setattr("anemoi.datasets.open_dataset", lambda _path: made)
    return made


@pytest.mark.parametrize(("room", "blocks"), [(1, 10), (3, 4), (100, 1)])
def test_blocks_are_whole_chunks_and_read_once(data, tmp_path, monkeypatch, room, blocks):
    """Memory for some chunks of 4 dates determines the number of reads, each date once."""
    n_variables, n_points = data.shape[1], data.shape[3]
    monkeypatch.setattr(anemoi_dataset, "BLOCK_BYTES", room * 4 * 4 * n_variables * n_points)
    stored, points = StoredFields(tmp_path, NAMES), np.array([4, 1])
    reader, reads = stored.at_points(points), []
    monkeypatch.setattr(StoredFields, "read", counted(StoredFields.read, reads))
    found = np.stack([reader.at(i) for i in range(case.N_DATES)])
    columns = [data.name_to_index[n] for n in NAMES]
    np.testing.assert_array_equal(found, data.values[:, columns, 0].swapaxes(1, 2)[:, points])
    assert data.reads == list(range(case.N_DATES))
    assert len(reads) == blocks
    assert all(first % 4 == 0 for first, _ in reads)


def counted(read, reads):
    def wrapped(self, first, last, points):
        reads.append((first, last))
        return read(self, first, last, points)

    return wrapped


def test_points_have_coordinates_and_identity(data, tmp_path):
    """Coordinates and identities are those of the dataset."""
    stored = StoredFields(tmp_path, NAMES)
    np.testing.assert_array_equal(stored.latitudes, data.latitudes)
    np.testing.assert_array_equal(stored.point_id, [10, 11, 12, 13, 14])
    assert stored.point_id.dtype == np.int64
    del data.name_to_index["point_id"]
    assert stored.point_id is None


def test_missing_value_is_refused_with_date_and_place(data, tmp_path):
    """The place is that of the point in the dataset, not in the selection."""
    data.set("stl1", 7, 2, np.nan)
    reader = StoredFields(tmp_path, NAMES).at_points(np.array([4, 2]))
    with pytest.raises(ValueError, match=r"'stl1' at 2022-01-02 18:00 .* 1 of 2 points, .* latitude 10\.000"):
        reader.check(reader.at(7), 7, ["stl1"])
    reader.check(reader.at(7), 7, ["z"])
    assert reader.place(1) == "latitude 10.000, longitude 150.000"


def test_dataset_that_does_not_serve_is_refused(data, tmp_path):
    """Another step, other units and a missing variable are errors; computed forcing belongs to the recipe."""
    with pytest.raises(ValueError, match=r"\['insolation'\] are computed .* add the source `forcings` to the recipe"):
        StoredFields(tmp_path, [*NAMES, "insolation", "swvl4"])
    (tmp_path / "other.zarr").mkdir()
    with pytest.raises(FileNotFoundError, match=r"There is no dataset .*this.zarr.*\['other.zarr'\]"):
        StoredFields(tmp_path / "this.zarr", NAMES)
    data.variables_metadata["stl1"]["units"] = "degC"
    with pytest.raises(ValueError, match=r"'stl1' in .* has units 'degC'; 'K' is expected"):
        StoredFields(tmp_path, NAMES)
    for dates, message in (
        (data.dates[::2], "steps of 43200 seconds, but the land model"),
        (data.dates[:1], "one date"),
    ):
        data.dates = dates
        with pytest.raises(ValueError, match=message):
            StoredFields(tmp_path, NAMES)
