# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``run`` passes its arguments on and exits with the code of the outcome."""

import pytest

from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.commands import run as module
from anemoi_ailand.commands.run import Run
from anemoi_ailand.rollout.run import launch as launching
from anemoi_ailand.rollout.run.launch import Failure


def run(*line):
    Run().run(create_parser().parse_args(["run", *line]))


@pytest.fixture
def calls(monkeypatch):
    """Calls of ``launch``."""
    found = []
    monkeypatch.setattr(launching, "launch", lambda *a, **k: found.append((a, k)))
    return found


def test_arguments_are_passed_on(calls):
    """Configuration, overrides and dry run; a complete run does not exit."""
    run("inference/rollout")
    run("my.yaml", "lead_time=3d", "output={land-netcdf: {means: day}}", "--dry-run")
    assert calls == [
        (("inference/rollout", []), {"dry_run": False}),
        (("my.yaml", ["lead_time=3d", "output={land-netcdf: {means: day}}"]), {"dry_run": True}),
    ]


def failing(error):
    def launch(*args, **kwargs):
        raise error

    return launch


@pytest.mark.parametrize(
    ("what", "code"), [("configuration", 2), ("input", 3), ("failed", 4), ("stopped", 5)]
)  # fmt: skip
def test_exit_codes(monkeypatch, capsys, what, code):
    """One code a kind of failure, with one line that names kind and reason."""
    monkeypatch.setattr(launching, "launch", failing(Failure(what, ValueError("the reason"))))
    with pytest.raises(SystemExit) as caught:
        run("my.yaml")
    assert caught.value.code == code
    assert capsys.readouterr().err == f"anemoi-ailand run: {what}: the reason\n"


def test_codes_are_documented():
    """The help of the command lists all codes."""
    numbers = [module.DONE, module.CONFIGURATION, module.INPUT, module.FAILED, module.STOPPED]
    assert numbers == [0, 2, 3, 4, 5]
    for number in (*numbers, 1):
        assert f"{number} " in (Run.__doc__ or "")


def test_a_defect_keeps_its_traceback(monkeypatch):
    """A defect of the program is not a failure of the run."""
    monkeypatch.setattr(launching, "launch", failing(KeyError("a")))
    with pytest.raises(KeyError):
        run("my.yaml")


def test_debug_shows_the_traceback(monkeypatch):
    """``--debug`` raises the failure itself."""
    monkeypatch.setattr(launching, "launch", failing(Failure("input", ValueError("the reason"))))
    with pytest.raises(Failure, match="the reason"):
        Run().run(create_parser().parse_args(["--debug", "run", "my.yaml"]))
