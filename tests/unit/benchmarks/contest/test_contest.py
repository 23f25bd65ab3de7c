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
from anemoi_ailand.support.code_version import TRAINING, code_sha256
from benchmarks.contest import contest as module
from benchmarks.contest.contest import SCHEMA, contest
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


def test_result_is_one_folder(files, tmp_path, made):
    """Table, scores, costs, figure and settings; nothing half made beside it."""
    folder = contest(settings(files, tmp_path / "contest", budget={"point_steps": 400}))
    assert folder == tmp_path / "contest" / "result"
    assert sorted(p.name for p in folder.iterdir()) == [
        "contest.json", "entrants.csv", "evaluation.yaml", "pareto.png", "scores.csv", "settings.yaml", "table.md",
    ]  # fmt: skip
    assert sorted(p.name for p in folder.parent.iterdir()) == ["evaluation-reforecasts", "result", "training"]
    text = (folder / "table.md").read_text()
    assert "9 runs of 2 days" in text or "runs of 2 days from 2022-01-01" in text
    assert "Less than that: B 50%." in text
    document = json.loads((folder / "contest.json").read_text())
    assert (document["schema"], document["reference"]) == (SCHEMA, "B")
    assert {s["protocol"] for s in document["scores"]} == {"A", "B"}
    costs = pd.read_csv(folder / "entrants.csv").set_index("label")
    assert (costs.loc["B", "point_steps"], costs.loc["B", "wall_seconds"], costs.loc["B", "flop"]) == (200, 7200, 120)
    assert costs.loc["B", "origin"] == "one + two"


def test_settings_of_the_evaluation_can_be_used(files, tmp_path, made):
    """The settings of the evaluation can be read back for a report of all entrants."""
    folder = contest(settings(files, tmp_path / "contest"))
    found = read_settings(folder / "evaluation.yaml")
    assert list(found.checkpoints) == ["A", "B"]
    assert all(path.is_file() for path in found.checkpoints.values())


def test_without_training_only_who_is_trained_takes_part(files, tmp_path, made):
    """Without training, only trained entrants take part."""
    given = settings(files, tmp_path / "contest", reference="A", train=False)
    folder = contest(given)
    assert made == []
    assert list(pd.read_csv(folder / "entrants.csv")["label"]) == ["A"]


def test_without_training_the_reference_must_be_there(files, tmp_path, made):
    """The error names the trained entrants."""
    with pytest.raises(ValueError, match=r"'B' is not trained, and `train` is false; trained are \['A'\]"):
        contest(settings(files, tmp_path / "contest", train=False))
    assert not (tmp_path / "contest" / "result").exists()


def test_training_by_another_configuration_is_said(files, tmp_path, made, monkeypatch):
    """Without training, the table marks trainings of another configuration."""
    contest(settings(files, tmp_path / "contest"))
    monkeypatch.setattr(module, "fingerprints", lambda label, stages, seed: ["new"] * len(stages))
    folder = contest(settings(files, tmp_path / "contest", train=False))
    assert "trained with another configuration than today's" in (folder / "table.md").read_text()


@pytest.mark.parametrize("train", [True, False])
def test_training_by_other_code_is_said(files, tmp_path, made, monkeypatch, train):
    """Trainings with other code are kept and marked."""
    given = settings(files, tmp_path / "contest", train=train)
    module.train("B", given, ["h", "h"])
    for mark in (tmp_path / "contest").glob("training/*/*/finished.json"):
        mark.write_text(json.dumps({**json.loads(mark.read_text()), "code_sha256": "other"}))
    monkeypatch.setattr(module, "train", lambda label, s, h: [
        module.finished(module.folder_of(s, label, n)) for n in (1, 2)
    ])  # fmt: skip
    assert "trained with other code than today's" in (contest(given) / "table.md").read_text()


def test_a_failed_training_is_told_when_the_others_are_made(files, tmp_path, made, monkeypatch):
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
        ({"long_run": "2030-01-01"}, ValueError, "Protocol B is to run from 2030-01-01"),
        ({"points": [99]}, ValueError, "Points .99. are not in"),
    ],
)
def test_what_does_not_fit_is_found_before_any_training(files, tmp_path, made, changes, error, message):
    """The error says what is wrong; nothing is written."""
    with pytest.raises(error, match=message):
        contest(settings(files, tmp_path / "contest", **changes))
    assert made == []
    assert not (tmp_path / "contest").exists()


def test_another_folder_is_never_replaced(files, tmp_path, made):
    """A folder that is no earlier result is not replaced."""
    (tmp_path / "contest" / "result").mkdir(parents=True)
    (tmp_path / "contest" / "result" / "mine").touch()
    with pytest.raises(FileExistsError, match="is not an earlier result"):
        contest(settings(files, tmp_path / "contest"))
    assert made == []
