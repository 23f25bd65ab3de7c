# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The roll-out benchmark in its smallest form."""

import pytest

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
