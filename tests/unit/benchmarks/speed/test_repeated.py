# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A dataset with its points repeated."""

import numpy as np
import pytest
import zarr
from anemoi.datasets import open_dataset

from benchmarks.speed.repeated import repeat_points


@pytest.fixture
def source(tmp_path):
    """Three variables at four points on six dates, as anemoi-datasets stores them."""
    dates = np.arange("2020-01-01", "2020-01-02T12", np.timedelta64(6, "h"), dtype="datetime64[s]")
    root = zarr.open(str(tmp_path / "source.zarr"), mode="w")
    names = ["held_out", "swvl1", "t"]
    data = np.arange(len(dates) * 3 * 4, dtype=np.float32).reshape(len(dates), 3, 1, 4)
    root.create_dataset("data", data=data, chunks=(1, 3, 1, 4))
    for name, values in {"dates": dates, "latitudes": np.arange(4.0), "longitudes": np.arange(4.0)}.items():
        root[name] = values
    for name in ("mean", "stdev", "minimum", "maximum"):
        root[name] = np.ones(3)
    root.attrs.update(
        variables=names, start_date="2020-01-01T00:00:00", end_date="2020-01-02T06:00:00", frequency="6h",
        shape=list(data.shape), chunks=[1, 3, 1, 4], field_shape=[4], missing_dates=[], resolution=None,
        statistics_start_date="2020-01-01T00:00:00", statistics_end_date="2020-01-02T06:00:00", version="0.22",
        variables_metadata={n: {} for n in names}, dimensions=["dates", "variables", "ensembles", "values"],
    )  # fmt: skip
    return tmp_path / "source.zarr"


def test_points_come_again_and_again(source, tmp_path):
    """Fields of point i are those of point i modulo 4, at places that differ; nothing is held out."""
    repeat_points(source, tmp_path / "large.zarr", n_points=11, n_dates=5)
    large, small = open_dataset(str(tmp_path / "large.zarr")), open_dataset(str(source))
    assert large.shape == (5, 3, 1, 11)
    index = large.name_to_index["swvl1"]
    np.testing.assert_array_equal(large[4][index, 0], small[4][index, 0, np.arange(11) % 4])
    assert not large[0][large.name_to_index["held_out"]].any()
    assert len(np.unique(large.latitudes)) == 11
    assert str(large.dates[-1]) == str(small.dates[4])
    assert large.chunks == (1, 3, 1, 11)


def test_more_dates_than_there_are_is_refused(source, tmp_path):
    """The error has both numbers."""
    with pytest.raises(ValueError, match="6 dates, fewer than 7"):
        repeat_points(source, tmp_path / "large.zarr", n_points=11, n_dates=7)
