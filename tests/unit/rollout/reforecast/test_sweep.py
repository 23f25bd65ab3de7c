# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Many roll-outs in one pass through time, from a dataset that is read block by block."""

import numpy as np
import pytest

from anemoi_ailand.data import anemoi_dataset
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.reforecast.sweep import sweep
from anemoi_ailand.rollout.step import row_blocks
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from tests.support import dataset as case
from tests.support.land import OPEN

ALL = np.arange(case.N_POINTS)


@pytest.fixture
def data(monkeypatch, tmp_path):
    """A dataset in memory, opened in place of any."""
    made = case.FakeDataset()
    monkeypatch.setattr("anemoi.datasets.open_dataset", lambda _path: made)
    return made


def fields(step, tmp_path, points=ALL):
    return StoredFields(tmp_path, step.inputs).at_points(points)


def collect(step, source, starts, n_steps, block_rows=1000):
    """Forecasts of each start, shape (start, step, point, output)."""
    found = [[] for _ in starts]
    for date, under_way, forecast in sweep(BlockStep(step, 1, block_rows), source, starts, n_steps):
        for s, values in zip(under_way, forecast, strict=True):
            assert date - starts[s] == len(found[s]) + 1
            found[s].append(values.numpy().copy())  # which fails for a tensor with gradients
    return np.array(found)


@pytest.mark.parametrize("starts", [[0], [0, 1, 2], [0, 3, 20], [2, 9, 16], [30, 31]])
@pytest.mark.parametrize("block_rows", [4, 1000])
def test_each_start_is_as_if_alone(data, tmp_path, starts, block_rows):
    """Roll-outs that overlap, touch or lie apart are bitwise those of a single loop; each date is read once."""
    step = OPEN.land_step()
    found = collect(step, fields(step, tmp_path), starts, 7, block_rows)
    expected = np.array([case.by_hand(step, data, range(s, s + 7)) for s in starts])
    assert np.ptp(expected[..., step.outputs.index("stl1")], axis=1).min() > 0.1
    np.testing.assert_array_equal(found, expected)
    assert data.reads == sorted(set(data.reads))
    some = collect(step, fields(step, tmp_path, np.array([3, 0])), starts, 7, block_rows)
    np.testing.assert_array_equal(some, expected[:, :, [3, 0]])


@pytest.mark.parametrize(
    ("starts", "expected"),
    [([0, 20], [(7, 5), (7, 5)]), ([0, 3], [(3, 5), (4, 10), (3, 5)]), ([0, 1], [(1, 5), (6, 10), (1, 5)])],
)
def test_steps_are_made_at_once_until_a_start_or_an_end(data, tmp_path, monkeypatch, starts, expected):
    """Calls have as many steps, and the rows of all active roll-outs; fewer steps where memory is limited."""
    step, sizes, steps = OPEN.land_step(), [], BlockStep.steps
    monkeypatch.setattr(BlockStep, "steps", lambda self, *x: sizes.append(x[2].shape[:2]) or steps(self, *x))
    collect(step, fields(step, tmp_path), starts, 7)
    assert sizes == expected
    monkeypatch.setattr(row_blocks, "ROW_STEPS", 10)
    sizes.clear()
    collect(step, fields(step, tmp_path), starts[:1], 7)
    assert sizes == [(2, 5), (2, 5), (2, 5), (1, 5)]


@pytest.mark.parametrize(
    ("name", "date", "stamp"), [("avg_tprate", 5, "2022-01-02 06:00"), ("stl1", 2, "2022-01-01 12:00"),
                                ("lai_lv", 3, "2022-01-01 18:00"), ("z", 2, "2022-01-01 12:00")],
)  # fmt: skip
def test_missing_value_that_is_read_stops(data, tmp_path, name, date, stamp):
    """The error has variable, date and place, for state, forcing of either end, and static fields."""
    step = OPEN.land_step()
    data.set(name, date, 3, np.nan)
    with pytest.raises(ValueError, match=rf"'{name}' at {stamp} is missing .* latitude 40\.000, longitude 225\.000"):
        collect(step, fields(step, tmp_path), [2], 6)


@pytest.mark.parametrize(("name", "date"), [("avg_tprate", 2), ("stl1", 3), ("lai_lv", 8), ("t", 9)])
def test_missing_value_that_is_not_read_does_not_matter(data, tmp_path, name, date):
    """Means before the start, the state of the dataset after it, and forcing after the run may be missing."""
    step = OPEN.land_step()
    data.set(name, date, 3, np.nan)
    assert np.isfinite(collect(step, fields(step, tmp_path), [2], 6)).all()


def test_prediction_that_is_not_finite_stops(data, tmp_path):
    """The error has model, variable, valid time, start and place."""
    step = OPEN.land_step()
    predict, calls = step.model.predict_step, []

    def fails_later(batch):
        calls.append(0)
        out = predict(batch)
        if len(calls) == 3:
            out["data"][0, 0, 0, 4, step.outputs.index("stl1")] = np.nan
        return out

    step.model.predict_step = fails_later
    message = r"best.ckpt predicts 'stl1' = nan for 2022-01-02 00:00 from the start 2022-01-01 06:00 at latitude 70.000"
    with pytest.raises(ValueError, match=message):
        collect(step, fields(step, tmp_path), [1], 6)


NAMES = ("stl1", "avg_tprate", "z")


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
