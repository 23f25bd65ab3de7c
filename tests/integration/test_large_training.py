# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training on a dataset larger than memory, and by several processes, by the real command line."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

#: No dataset fits into no memory; windows of sixteen of the points.
POOL = ("land.resident_gb=0", "land.points=8", "land.pool.memory_gb=0.05", "land.pool.points=16")


def log_of(training):
    return list(csv.DictReader((training / "training_log.csv").open()))


def test_a_training_from_a_pool_can_be_repeated(chain, tmp_path):
    """It trains, validates and writes its checkpoint; a second one has the same losses and errors."""
    done = chain.train(tmp_path / "first", *POOL)
    assert "Pool of" in done.stdout and "Expected: " in done.stdout
    first = log_of(tmp_path / "first")
    assert [row["point_steps"] for row in first] == [str(5 * 32 * 8), str(5 * 32 * 8 * 2)]
    assert (tmp_path / "first" / "best" / "inference-best.ckpt").exists()
    chain.train(tmp_path / "second", *POOL)
    measured = [name for name in first[0] if name.startswith("rmse") or name.endswith("loss")]
    assert len(measured) > 20
    for row, again in zip(first, log_of(tmp_path / "second"), strict=True):
        assert {name: row[name] for name in measured} == {name: again[name] for name in measured}


def test_two_processes_train_together(chain, tmp_path):
    """Twice the samples of an epoch with one log, each process with windows of its own."""
    two = "system.hardware.num_gpus_per_node=2", "system.hardware.accelerator=cpu"
    # the installed command: Lightning starts the second process by the command line of the first
    tool = Path(sys.executable).with_name("anemoi-training")
    command = [str(tool), *chain.training_arguments(tmp_path / "training", *POOL, *two)]
    done = subprocess.run(command, cwd=chain.root, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = log_of(tmp_path / "training")
    assert [row["point_steps"] for row in rows] == [str(2 * 5 * 32 * 8), str(2 * 5 * 32 * 8 * 2)]
    assert done.stdout.count("Pool of") == 2
    assert len(list((tmp_path / "training" / "best").glob("inference-best*.ckpt"))) == 1
