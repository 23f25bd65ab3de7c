# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A contest is complete or absent, finished trainings are kept, and mistakes are found before any training."""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from anemoi_ailand.commands import USER_ERRORS
from anemoi_ailand.evaluation.settings import PeriodSettings, read_settings
from anemoi_ailand.support.subprocesses import Spent
from benchmarks.contest import contest as module
from benchmarks.contest import training
from benchmarks.contest.__main__ import main
from benchmarks.contest.contest import contest
from benchmarks.contest.cost import Cost
from benchmarks.contest.settings import CONFIGS, ContestSettings, Stage, read_contest
from benchmarks.contest.training import fingerprints, finished, folder_of, spent_on, train
from tests.support import worlds as world

TWO = {"A": {"checkpoint": "a.ckpt"}, "B": {"stages": [{"config": "ailand"}]}}


def small(**changes):
    return ContestSettings.model_validate({"dataset": "d.zarr", "entrants": TWO, "reference": "A", **changes})


@pytest.mark.parametrize("name", ["reference", "sample"])
def test_packaged_configurations_are_valid(name):
    """The reference recipe takes part, in two stages."""
    found = read_contest(CONFIGS / f"{name}.yaml")
    assert found.reference == "ailand-v1"
    assert [stage.config for stage in found.stages("ailand-v1")] == ["ailand-v1", "ailand-v1-rollout8"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "C"}, r"'C' is not among the entrants, which are \['A', 'B'\]; add it"),
        ({"entrants": {"A": {}}}, "give either `stages` of training or an existing `checkpoint`"),
        ({"entrants": {"A": {"checkpoint": "a", "stages": [{"config": "b"}]}}}, "give either"),
        ({"entrants": {"A": {"checkpoint": "a"}, "persistence": {"checkpoint": "b"}}}, "always take part"),
        ({"entrants": {"A": {"checkpoint": "a"}, "b c": {"checkpoint": "b"}, "b-c": {"checkpoint": "b"}}}, "in signs"),
        ({"overrides": ["system.output.root=x"]}, "'system.output.root=x' is the contest's own, because trainings are"),
        ({"entrants": {"A": {"stages": [{"config": "b", "overrides": ["+system.input.dataset=x"]}]}}}, "is for all"),
        ({"budget": {"point_steps": 0}}, "greater than 0"),
        ({"lead_days": [90, 30]}, "increasing"),
        ({"every_days": 0}, "at least 1"),
        ({"budget": {"steps": 1}}, "Extra inputs"),
    ],
)
def test_a_mistake_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_long_run_may_be_a_switch_a_date_or_a_period():
    """It becomes protocol B of the evaluation."""
    day = datetime.date(2018, 1, 2)
    given = {True: PeriodSettings(), False: None, None: None, "2018-01-02": PeriodSettings(start=day)}
    for value, expected in [*given.items(), ({"end": "2018-01-02"}, PeriodSettings(end=day))]:
        assert small(long_run=value).evaluation({"A": Path("a")}).protocol_b == expected


def test_overrides_for_all_come_first():
    entrants = {"A": {"stages": [{"config": "a", "overrides": ["x=2"]}]}}
    assert small(overrides=["x=1"], entrants=entrants).stages("A")[0].overrides == ("x=1", "x=2")


@pytest.fixture
def two_stages(tmp_path):
    stages = [{"config": "one", "overrides": ["a=1"]}, {"config": "two"}]
    given = {"reference": "my run", "entrants": {"my run": {"stages": stages}}, "output": tmp_path / "contest"}
    return small(dataset=tmp_path / "d.zarr", **given)


@pytest.fixture
def trainings(monkeypatch):
    """Stand-in for the command; remembers what was run."""
    ran = []

    def run(log, command, cwd=None, environment=None):
        ran.append(command)
        root = next(c for c in command if c.startswith("system.output.root=")).partition("=")[2]
        best = training.Path(root) / "best"
        best.mkdir(parents=True)
        (best / "inference-best.ckpt").write_text(" ".join(command))
        (best.parent / "training_log.csv").write_text("epoch,point_steps\n0,100\n1,50\n")
        return Spent(10.0, 5.0)

    monkeypatch.setattr(training, "run_logged", run)
    return ran


def test_finished_stage_is_not_trained_again(two_stages, trainings):
    """A stage with the same hash is not trained again, and its cost is kept."""
    first = train("my run", two_stages, ["h1", "h2"])
    assert train("my run", two_stages, ["h1", "h2"]) == first
    assert trainings[0][4:7] == ["--config-name", "one", "a=1"]
    assert len(trainings) == 2
    folders = [folder_of(two_stages, "my run", n) for n in (1, 2)]
    spent = spent_on(first, folders)
    assert (spent["point_steps"], spent["wall_seconds"], spent["cpu_seconds"]) == (300.0, 20.0, 10.0)


def test_a_changed_configuration_is_trained_and_the_former_kept(two_stages, trainings):
    """Hours of training are never removed."""
    train("my run", two_stages, ["h1", "old-hash"])
    train("my run", two_stages, ["h1", "new-hash"])
    assert len(trainings) == 3
    folder = two_stages.output / "training" / "my-run"
    assert sorted(p.name for p in folder.iterdir()) == ["stage-1", "stage-2", "stage-2.old-hash"]
    assert finished(folder / "stage-2")["hash"] == "new-hash"


def test_a_training_that_was_stopped_starts_again(two_stages, trainings, monkeypatch):
    """The rest of an unfinished training is removed."""
    with monkeypatch.context() as patch:
        patch.setattr(training, "run_logged", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        partial = two_stages.output / "training" / "my-run" / "stage-1.partial"
        partial.mkdir(parents=True)
        (partial / "rest").touch()
        with pytest.raises(KeyboardInterrupt):
            train("my run", two_stages, ["h1", "h2"])
    train("my run", two_stages, ["h1", "h2"])
    assert not (two_stages.output / "training" / "my-run" / "stage-1" / "rest").exists()
    assert len(trainings) == 2


def test_training_without_a_checkpoint_is_an_error(two_stages, trainings, monkeypatch):
    def run(log, command, cwd=None, environment=None):
        root = next(c for c in command if c.startswith("system.output.root=")).partition("=")[2]
        training.Path(root).mkdir(parents=True)
        return Spent(1.0, 1.0)

    monkeypatch.setattr(training, "run_logged", run)
    with pytest.raises(ChildProcessError, match=r"'my run' ended without a checkpoint .* needs the callback"):
        train("my run", two_stages, ["h1", "h2"])
    assert finished(folder_of(two_stages, "my run", 1)) is None


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
    for stage, message in (
        (Stage(config="ailand-smal"), r"'ailand-smal' of entrant 'x' cannot be found .*Nearest: \['ailand-small'"),
        (Stage(config="ailand", overrides=["no.such=1"]), "'ailand' of entrant 'x' cannot be composed with .'no.such"),
    ):
        with pytest.raises(ValueError, match=message):
            fingerprints("x", [stage], 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Reference and checkpoints, which no test changes."""
    return world.write_files(tmp_path_factory.mktemp("files"))


@pytest.fixture
def made(monkeypatch, trainings):
    """Roll-outs, trainings and costs that take no time; returns the commands of the trainings."""
    world.FakeRollOut(monkeypatch)
    step = SimpleNamespace(inputs=("swvl1",), model=SimpleNamespace(model=None), execution="plain")
    monkeypatch.setattr(module, "fingerprints", lambda label, stages, seed: ["h"] * len(stages))
    monkeypatch.setattr(module, "load_step", lambda path: step)
    monkeypatch.setattr(module, "open_step", lambda path, device, execution: step)
    monkeypatch.setattr(module, "cost_of", lambda model, n: Cost(10, 100.0, 20.0))
    monkeypatch.setattr(module, "microseconds", lambda steps, dataset: [2.5] * len(steps))
    return trainings


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
    train("B", given, ["h", "h"])
    for mark in (tmp_path / "contest").glob("training/*/*/finished.json"):
        mark.write_text(json.dumps({**json.loads(mark.read_text()), "code_sha256": "other"}))
    monkeypatch.setattr(module, "fingerprints", lambda label, stages, seed: ["new"] * len(stages))
    table = (contest(given) / "table.md").read_text()
    assert "trained with another configuration than today's" in table
    assert "trained with other code than today's" in table


def test_failed_training_is_reported_after_the_others(files, tmp_path, made, monkeypatch):
    """The other entrants are trained before the error is raised; there is no table."""
    works = training.run_logged

    def run(log, command, **options):
        if "broken" in command:
            raise ChildProcessError("no such option")
        return works(log, command, **options)

    monkeypatch.setattr(training, "run_logged", run)
    entrants = {label: {"stages": [{"config": config}]} for label, config in (("B", "broken"), ("C", "one"))}
    told = r"B:\nno such option(.|\n)*of \['B'\] failed; those of \['C'\] are complete"
    with pytest.raises(ChildProcessError, match=told):
        contest(settings(files, tmp_path / "contest", entrants=entrants))
    assert len(made) == 1
    assert not (tmp_path / "contest" / "result").exists()


def test_invalid_settings_are_found_before_any_training(files, tmp_path, made):
    for changes, error, message in (
        ({"dataset": "no.nc"}, FileNotFoundError, "There is no file or dataset 'no.nc'"),
        ({"year": 2025}, ValueError, "No integration of 2 days fits into 2025"),
        ({"long_run": "2030-01-01"}, ValueError, "Protocol B should run from 2030-01-01"),
        ({"points": [99]}, ValueError, "Points .99. are not in"),
    ):
        with pytest.raises(error, match=message):
            contest(settings(files, tmp_path / "contest", **changes))
    assert made == []
    assert not (tmp_path / "contest").exists()


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Function that runs the command and returns its settings."""

    def command(*arguments):
        found = []
        monkeypatch.setattr(module, "contest", lambda settings: found.append(settings) or tmp_path / "result")
        main(arguments)
        return found[0]

    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "table.md").write_text("Contest.\n")
    monkeypatch.chdir(tmp_path)
    return command


def test_without_a_name_it_is_the_reference_contest(run, capsys):
    """Options reach the settings; table and files are shown."""
    settings = run("every_days=10", "entrants.xgboost=null", "--dataset", "d.zarr", "--output", "out")
    assert (settings.reference, settings.every_days, settings.dataset) == ("ailand-v1", 10, Path("d.zarr"))
    assert "xgboost" not in settings.entrants
    shown = capsys.readouterr().out
    assert shown.startswith("Contest.\n")
    assert shown.rstrip().endswith("result/table.md")


def test_file_comes_before_a_name(run, tmp_path):
    """A name stands for a packaged configuration, unless there is such a file in the working folder."""
    assert run("sample", "dataset=d.zarr").output == Path("contest-sample")
    (tmp_path / "sample").write_text("dataset: mine\nreference: A\nentrants: {A: {checkpoint: a.ckpt}}\n")
    assert run("sample").reference == "A"


def test_mistake_is_an_error_before_anything_is_written(tmp_path, monkeypatch):
    """The error says what is wrong and what is available; the folder stays empty."""
    monkeypatch.chdir(tmp_path)
    option = r"'entrants.ailand.stage' is not an option. Nearest: \['stages'\]"
    for arguments, message in (
        (["no.yaml"], r"There is no configuration 'no.yaml'.*\['inputs', 'reference', 'sample'\]"),
        (["sample", "entrants.ailand.stage=3"], option),
    ):
        with pytest.raises(USER_ERRORS, match=message):
            main(arguments)
    assert list(tmp_path.iterdir()) == []


def test_error_is_one_message_without_traceback(repository, tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.contest", "no.yaml"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("contest: error: There is no configuration 'no.yaml'")
