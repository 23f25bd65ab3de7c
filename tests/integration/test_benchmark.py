# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The roll-out benchmark in its smallest form, and datasets with other forcing."""

import numpy as np
import pytest
import zarr
from anemoi.datasets import open_dataset

from benchmarks import forcing
from benchmarks.speed.__main__ import main

pytestmark = pytest.mark.slow


def test_network_and_whole_runs_are_timed(small_dataset, tmp_path, capsys):
    """A run takes about as long as its network, and reads and writes in less than ten times that."""
    main(["rollout", "--dataset", str(small_dataset), "--points", "64", "512", "--steps", "6", "--rounds", "1",
          "--folder", str(tmp_path)])  # fmt: skip
    lines = [line.strip("|").split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [cells[0].strip() for cells in lines[1:]] == ["64", "512"]
    for cells in lines[1:]:
        assert 0.3 < float(cells[4].split()[0]) < 10.0
        assert float(cells[5]) > 0.0
    assert not list(tmp_path.iterdir())


def test_a_dataset_with_other_forcing_is_written(small_dataset, tmp_path):
    """Means follow from the instants at both ends, statistics are those of the new values, and all else stays."""
    made = tmp_path / "instants.zarr"
    forcing.main(["--dataset", str(small_dataset), "--write", "instants", str(made)])
    old, new = open_dataset(str(small_dataset)), open_dataset(str(made))
    column, mean = (old.name_to_index[n] for n in ("t", "avg_t"))
    np.testing.assert_allclose(new[1:, mean], 0.5 * (old[1:, column] + old[:-1, column]), rtol=1e-6)
    others = [i for n, i in old.name_to_index.items() if n not in ("avg_t", "avg_q")]
    np.testing.assert_array_equal(new[:, others], old[:, others])
    seen = new.dates <= np.datetime64(zarr.open(str(made), mode="r").attrs["statistics_end_date"])
    assert abs(new.statistics["mean"][mean] - new[:, mean][seen].mean()) < 1e-3
    assert new.statistics["stdev"][mean] != old.statistics["stdev"][mean]
    assert [p.name for p in tmp_path.iterdir()] == ["instants.zarr"]
    with pytest.raises(FileExistsError, match="exists already"):
        forcing.main(["--dataset", str(small_dataset), "--write", "2 m", str(made)])
