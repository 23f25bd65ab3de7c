# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parts of ``tools/make_pretrained.py`` that need neither a checkpoint nor an evaluation."""

from __future__ import annotations

import json

import make_pretrained as tool
import pytest
from pretrained_card import card

from anemoi_ailand.rollout.step.pretrained import model_card, pretrained_record


def test_card_is_that_of_the_record():
    """The packaged card is written from the packaged record."""
    assert card(pretrained_record()) == model_card()


def test_evaluation_must_be_that_of_the_checkpoint():
    """The checkpoint is recognised by its checksum."""
    metrics = {"inputs": {"forecasts": {"a": {"path": "run.nc"}, "b": {"checkpoint_sha256": "1"}}}}
    assert tool.label_of(metrics, "1") == "b"
    with pytest.raises(ValueError, match="not of the checkpoint with SHA-256 2"):
        tool.label_of(metrics, "2")


@pytest.mark.parametrize(
    ("git", "expected"),
    [
        ({"sha1": "abc", "modified_files": 0}, "abc"),
        ({"sha1": "abc", "modified_files": 2}, "abc with 2 changed files"),
        ({}, None),
    ],
)
def test_commit_records_local_changes(git, expected):
    """The commit is marked if files were changed, as the training cannot be repeated from it alone."""
    assert tool.commit({"git_versions": {"anemoi_ailand": {"git": git}}}) == expected


def test_other_score_than_that_of_the_evaluation_is_refused():
    """The kept rollouts must give the scores of the evaluation."""
    row = {"variable": "stl1", "group": "held_out", "lead": 30, "rmse": 1.0, "low": 0.9, "high": 1.1}
    same = {"variable": "stl1", "cut": "points", "group": "held_out", "lead": 30.0, "protocol": "A"}
    values = {("mine", "rmse"): 1.00001, ("mine", "bias"): 0.1, ("mine", "acc"): 0.9, ("climatology", "rmse"): 3.0}
    scores = [{**same, "model": model, "metric": metric, "value": v} for (model, metric), v in values.items()]
    found = tool.with_other_metrics(row, {"scores": scores}, "mine")
    assert found == row | {"bias": 0.1, "acc": 0.9, "climatology": 3.0}
    scores[0]["value"] = 1.1
    with pytest.raises(ValueError, match=r"and 1\.1 in the evaluation"):
        tool.with_other_metrics(row, {"scores": scores}, "mine")


def test_record_is_written_whole(tmp_path):
    """The content is read back unchanged; NaN is refused and leaves the file as it was."""
    content = {"a": [{"b": 1, "c": [1, 2]}], "d": {}}
    tool.write_json(tmp_path / "r.json", content)
    assert json.loads((tmp_path / "r.json").read_text()) == content
    with pytest.raises(ValueError, match="not JSON compliant"):
        tool.write_json(tmp_path / "r.json", {"a": float("nan")})
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
    assert json.loads((tmp_path / "r.json").read_text()) == content


def test_name_of_this_machine_is_refused(tmp_path, monkeypatch):
    """The name of the machine is found as a word in any file."""
    monkeypatch.setattr(tool.socket, "gethostname", lambda: "node-1234")
    (tmp_path / "card.md").write_text("trained on node-1234.")
    with pytest.raises(ValueError, match=r"'card.md' holds \['node-1234'\]"):
        tool.check_no_names(tmp_path)
    monkeypatch.setattr(tool.socket, "gethostname", lambda: "node-12")
    tool.check_no_names(tmp_path)
