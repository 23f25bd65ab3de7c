# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A contest is complete or absent, and mistakes are found before any training."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from anemoi_ailand.evaluation.settings import read_settings
from anemoi_ailand.support.checksum import TRAINING, code_sha256
from benchmarks.contest import contest as module
from benchmarks.contest.contest import contest
from benchmarks.contest.cost import Cost
from benchmarks.contest.settings import ContestSettings
from tests.support import worlds as world


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Reference and checkpoints, which no test changes."""
    return world.write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture
def made(monkeypatch):
    """Roll-outs, trainings and costs that take no time; remembers who was trained."""
    world.FakeRollOut(monkeypatch)
    trained = []

    def train(label, settings, hashes):
        trained.append(label)
        marks = []
        for number, mark in enumerate(hashes, start=1):
            folder = module.folder_of(settings, label, number)
            (folder / "best").mkdir(parents=True, exist_ok=True)
            (folder / "best" / "inference-best.ckpt").write_text(label)
            spent = {"wall_seconds": 3600.0, "cpu_seconds": 1800.0, "device": "CPU"}
            about = {"hash": mark, "code_sha256": code_sha256(TRAINING), **spent}
            (folder / "finished.json").write_text(json.dumps(about))
            (folder / "training_log.csv").write_text("point_steps\n100\n")
            marks.append(about)
        return marks

    step = SimpleNamespace(inputs=("swvl1",), model=SimpleNamespace(model=None))
    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "fingerprints", lambda label, stages, seed: ["h"] * len(stages))
    monkeypatch.setattr(module, "load_step", lambda path: step)
    monkeypatch.setattr(module, "cost_of", lambda model, n: Cost(10, 100.0, 20.0))
    return trained


def settings(files, output, **changes):
    entrants = {"A": {"checkpoint": files / "A.ckpt"}, "B": {"stages": [{"config": "one"}, {"config": "two"}]}}
    return ContestSettings.model_validate(
        {
            "dataset": files / "reference.nc", "output": output, "reference": "B", "entrants": entrants,
            "every_days": 40, "lead_days": [1, 2], "long_run": {"start": "2022-01-02", "end": "2022-02-12"}, **changes,
        }
    )  # fmt: skip


def test_without_training_only_who_is_trained_takes_part(files, tmp_path, made):
    """The reference must be among them; the error names the trained entrants. Nothing half made is left."""
    folder = contest(settings(files, tmp_path / "contest", reference="A", train=False))
    assert made == []
    assert list(pd.read_csv(folder / "entrants.csv")["label"]) == ["A"]
    assert sorted(p.name for p in folder.parent.iterdir()) == ["evaluation-reforecasts", "result"]
    assert list(read_settings(folder / "evaluation.yaml").checkpoints) == ["A"]
    with pytest.raises(ValueError, match=r"'B' is not trained, and `train` is false; trained are \['A'\]"):
        contest(settings(files, tmp_path / "other", train=False))
    assert not (tmp_path / "other" / "result").exists()


def test_trainings_by_another_configuration_or_code_are_marked(files, tmp_path, made, monkeypatch):
    """They are kept, and the table marks them."""
    given = settings(files, tmp_path / "contest", train=False)
    module.train("B", given, ["h", "h"])
    for mark in (tmp_path / "contest").glob("training/*/*/finished.json"):
        mark.write_text(json.dumps({**json.loads(mark.read_text()), "code_sha256": "other"}))
    monkeypatch.setattr(module, "fingerprints", lambda label, stages, seed: ["new"] * len(stages))
    table = (contest(given) / "table.md").read_text()
    assert "trained with another configuration than today's" in table
    assert "trained with other code than today's" in table


def test_failed_training_is_reported_after_the_others(files, tmp_path, made, monkeypatch):
    """The other entrants are trained before the error is raised; there is no table."""
    works = module.train

    def train(label, settings, hashes):
        if label == "B":
            raise ChildProcessError("no such option")
        return works(label, settings, hashes)

    monkeypatch.setattr(module, "train", train)
    entrants = {label: {"stages": [{"config": "one"}]} for label in ("B", "C")}
    told = r"B:\nno such option(.|\n)*of \['B'\] failed; those of \['C'\] are complete"
    with pytest.raises(ChildProcessError, match=told):
        contest(settings(files, tmp_path / "contest", entrants=entrants))
    assert made == ["C"]
    assert not (tmp_path / "contest" / "result").exists()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"dataset": "no.nc"}, FileNotFoundError, "There is no 'no.nc'"),
        ({"year": 2025}, ValueError, "No integration of 2 days fits into 2025"),
        ({"long_run": "2030-01-01"}, ValueError, "Protocol B should run from 2030-01-01"),
        ({"points": [99]}, ValueError, "Points .99. are not in"),
    ],
)
def test_invalid_settings_are_found_before_any_training(files, tmp_path, made, changes, error, message):
    """The error says what is wrong; nothing is written."""
    with pytest.raises(error, match=message):
        contest(settings(files, tmp_path / "contest", **changes))
    assert made == []
    assert not (tmp_path / "contest").exists()
