# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Finished stages are kept, unfinished ones restart, nothing is lost; real trainings are in tests/integration."""

from __future__ import annotations

import pytest

from anemoi_ailand.support.subprocesses import Spent
from benchmarks.contest import training as module
from benchmarks.contest.settings import ContestSettings, Stage
from benchmarks.contest.training import (
    fingerprints,
    finished,
    folder_of,
    point_steps,
    spent_on,
    train,
)


@pytest.fixture
def settings(tmp_path):
    """Two stages."""
    return ContestSettings(
        dataset=tmp_path / "d.zarr",
        output=tmp_path / "contest",
        reference="my run",
        entrants={"my run": {"stages": [{"config": "one", "overrides": ["a=1"]}, {"config": "two"}]}},
    )


@pytest.fixture
def trainings(monkeypatch):
    """Stand-in for the command; remembers what was run."""
    ran = []

    def run(log, command, cwd=None, environment=None):
        ran.append(command)
        root = next(c for c in command if c.startswith("system.output.root=")).partition("=")[2]
        best = module.Path(root) / "best"
        best.mkdir(parents=True)
        (best / "inference-best.ckpt").write_text(" ".join(command))
        (best.parent / "training_log.csv").write_text("epoch,point_steps\n0,100\n1,50\n")
        return Spent(10.0, 5.0)

    monkeypatch.setattr(module, "run_logged", run)
    return ran


def test_finished_stage_is_not_trained_again(settings, trainings):
    """A stage with the same hash is not trained again, and its cost is kept."""
    first = train("my run", settings, ["h1", "h2"])
    assert train("my run", settings, ["h1", "h2"]) == first
    assert trainings[0][4:7] == ["--config-name", "one", "a=1"]
    assert len(trainings) == 2
    folders = [folder_of(settings, "my run", n) for n in (1, 2)]
    spent = spent_on(first, folders)
    assert (spent["point_steps"], spent["wall_seconds"], spent["cpu_seconds"]) == (300.0, 20.0, 10.0)


def test_a_changed_configuration_is_trained_and_the_former_kept(settings, trainings):
    """Hours of training are never removed."""
    train("my run", settings, ["h1", "old-hash"])
    train("my run", settings, ["h1", "new-hash"])
    assert len(trainings) == 3
    folder = settings.output / "training" / "my-run"
    assert sorted(p.name for p in folder.iterdir()) == ["stage-1", "stage-2", "stage-2.old-hash"]
    assert finished(folder / "stage-2")["hash"] == "new-hash"


def test_a_training_that_was_stopped_starts_again(settings, trainings, monkeypatch):
    """The rest of an unfinished training is removed."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "run_logged", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        partial = settings.output / "training" / "my-run" / "stage-1.partial"
        partial.mkdir(parents=True)
        (partial / "rest").touch()
        with pytest.raises(KeyboardInterrupt):
            train("my run", settings, ["h1", "h2"])
    train("my run", settings, ["h1", "h2"])
    assert not (settings.output / "training" / "my-run" / "stage-1" / "rest").exists()
    assert len(trainings) == 2


def test_training_without_a_checkpoint_is_an_error(settings, trainings, monkeypatch):
    """A training without a checkpoint is an error that names the missing callback."""

    def run(log, command, cwd=None, environment=None):
        root = next(c for c in command if c.startswith("system.output.root=")).partition("=")[2]
        module.Path(root).mkdir(parents=True)
        return Spent(1.0, 1.0)

    monkeypatch.setattr(module, "run_logged", run)
    with pytest.raises(ChildProcessError, match=r"'my run' ended without a checkpoint .* needs the callback"):
        train("my run", settings, ["h1", "h2"])
    assert finished(folder_of(settings, "my run", 1)) is None


def test_samples_are_those_of_the_log(tmp_path):
    """Not known without a log, or with one of an earlier version."""
    assert point_steps(tmp_path) is None
    log = tmp_path / "training_log.csv"
    log.write_text("epoch,step\n0,10\n")
    assert point_steps(tmp_path) is None
    log.write_text("epoch,point_steps\n0,10\n1,20\n")
    assert point_steps(tmp_path) == 30.0


def test_hash_follows_what_is_trained_and_not_where():
    """Overrides, defaults, seed and earlier stages count; device and folders do not."""

    def of(*overrides, seed=1, before=()):
        stages = [*before, Stage(config="ailand-sample", overrides=overrides)]
        return fingerprints("x", stages, seed)[-1]

    plain = of()
    assert of() == plain
    assert of("system.hardware.accelerator=cpu") == plain
    assert of("model.model.width=7") != plain
    assert of(seed=2) != plain
    assert of(before=[Stage(config="ailand-sample")]) != plain


def test_configuration_that_cannot_be_composed_is_an_error():
    """The error comes before any training."""
    for stage, message in (
        (Stage(config="ailand-smal"), r"'ailand-smal' of entrant 'x' cannot be found .*Nearest: \['ailand-small'"),
        (Stage(config="ailand", overrides=["no.such=1"]), "'ailand' of entrant 'x' cannot be composed with .'no.such"),
    ):
        with pytest.raises(ValueError, match=message):
            fingerprints("x", [stage], 1)
