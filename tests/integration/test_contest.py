# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""``python -m benchmarks.contest`` with real trainings: from a dataset to the table, and again without them."""

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest

from anemoi_ailand.evaluation.settings import read_settings
from benchmarks.contest.__main__ import main
from benchmarks.contest.training import CHECKOUT

pytestmark = pytest.mark.slow

#: Climatology, training and validation in a year, and the next weeks to be judged.
OPTIONS = (
    "year=2021", "every_days=20", "lead_days=[1,3]", "long_run={start: 2021-01-01, end: 2021-02-10}",
    "climatology={start: 2020-01-01, end: 2020-12-31}", "budget={point_steps: 5000}",
)  # fmt: skip
OVERRIDES = (
    "dataloader.training.datasets.data={start: 2020-03-01, end: 2020-04-30}",
    "dataloader.validation.datasets.data={start: 2020-05-01, end: 2020-05-31}",
    "land.points=null", "dataloader.limit_batches={training: 5, validation: 1}",
    "dataloader.batch_size={training: 4, validation: 4}", "task.validation_rollout=4", "model.model.width=16",
    "model.model.depth=1", "training.max_steps=5",
)  # fmt: skip


def arguments(dataset, *options):
    """Arguments of the command."""
    text = "[" + ",".join(f'"{each}"' for each in OVERRIDES) + "]"
    return ["sample", f"overrides={text}", *OPTIONS, *options, "--dataset", str(dataset)]


@pytest.fixture(scope="module")
def held(long_dataset, tmp_path_factory):
    """Finished process and folder of the contest."""
    folder = tmp_path_factory.mktemp("contest")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.contest", *arguments(long_dataset)], cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout, folder / "contest-sample"


def trainings(folder):
    """Time at which each training ended."""
    return {path: path.stat().st_mtime_ns for path in sorted(folder.glob("training/*/stage-*/finished.json"))}


def test_table_has_all_entrants_and_their_cost(held):
    """Two entrants with other variables, in one and in two stages, with persistence and climatology."""
    shown, folder = held
    assert (folder / "result" / "table.md").read_text() in shown
    costs = pd.read_csv(folder / "result" / "entrants.csv").set_index("label")
    # 33 trained points, four windows, five batches: roll-out 1; roll-out 4 and then 8
    assert dict(costs["point_steps"]) == {"ailand": 660.0, "ailand-v1": 660.0 * 12}
    assert (costs[["parameters", "flop", "microseconds", "wall_seconds", "cpu_seconds"]] > 0).all(axis=None)
    scores = pd.read_csv(folder / "result" / "scores.csv")
    assert set(scores["model"]) == {"ailand", "ailand-v1", "persistence", "climatology"}
    assert set(scores["group"]) == {"held_out", "trained", "snow", "snow-free"}
    by_model = scores.groupby("model")["variable"].unique()
    assert {"swvl4", "sd", "sro"} <= set(by_model["ailand"]) - set(by_model["ailand-v1"])
    assert (folder / "result" / "pareto.png").stat().st_size > 10_000


def test_second_stage_starts_from_the_weights_of_the_first(held):
    """anemoi-training logs that it restores only the weights."""
    _, folder = held
    log = (folder / "log" / "ailand-v1-2.log").read_text()
    assert "Restoring only model weights" in log
    assert str(folder / "training" / "ailand-v1" / "stage-1" / "best" / "best.ckpt") in log


def test_second_call_repeats_nothing(long_dataset, held, monkeypatch):
    """Neither a training nor a roll-out; only measured times differ in the table, and its settings can be evaluated."""
    _, folder = held
    assert list(read_settings(folder / "result" / "evaluation.yaml").checkpoints) == ["ailand", "ailand-v1"]
    before, table = trainings(folder), (folder / "result" / "table.md").read_text()
    rolled = {path: path.stat().st_mtime_ns for path in folder.glob("evaluation-reforecasts/*")}
    monkeypatch.chdir(folder.parent)
    main(arguments(long_dataset, "train=false"))
    assert trainings(folder) == before
    assert {path: path.stat().st_mtime_ns for path in folder.glob("evaluation-reforecasts/*")} == rolled
    assert without_times((folder / "result" / "table.md").read_text()) == without_times(table)


def without_times(table):
    """Cells of a table without the microseconds, which are before the execution, and without alignment."""
    return re.sub(r"\| *[\d.]+ *(?=\| *plain *\|)", "", table).replace("-", "").split()


def test_marks_name_no_folder_so_that_trainings_can_be_moved(held):
    """A training from another machine is taken as it is."""
    _, folder = held
    for mark in trainings(folder):
        assert str(folder) not in mark.read_text()
        assert json.loads(mark.read_text())["seed"] == 42
