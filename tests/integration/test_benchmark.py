# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The roll-out benchmark by its real command line, in its smallest form."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_whole_runs_are_measured_beside_the_network(small_dataset, repository, tmp_path):
    """Two sizes; a run takes at least as long as its network, and reads and writes in less than ten times that."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed", "rollout", "--dataset", str(small_dataset),
         "--points", "64", "512", "--steps", "6", "--rounds", "1", "--folder", str(tmp_path)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(repository)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [
        [c.strip() for c in line.strip("|").split("|")] for line in done.stdout.splitlines() if line.startswith("| ")
    ]
    assert [row[0] for row in rows[1:]] == ["64", "512"]
    for row in rows[1:]:
        assert 0.3 < float(row[4].split()[0]) < 10.0
        assert float(row[5]) > 0.0
    assert not list(tmp_path.iterdir())
