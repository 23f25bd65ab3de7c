# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Code that gives other numbers is told from the same code in other words."""

from __future__ import annotations

import ast

import pytest

from anemoi_ailand.support import code_version as module
from anemoi_ailand.support.code_version import (
    CLOSED_STEP,
    ROLL_OUT,
    TRAINING,
    code_sha256,
    loaded_sha256,
    meaning,
    training_sha256,
)

CODE = 'def f(x):\n    """Doc."""\n    return x + 1  # why\n'


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of one module and one folder."""
    (tmp_path / "physics").mkdir()
    (tmp_path / "one.py").write_text(CODE)
    (tmp_path / "physics" / "two.py").write_text(CODE)
    monkeypatch.setattr(module, "_PACKAGE", tmp_path)
    loaded_sha256.cache_clear()
    yield tmp_path
    loaded_sha256.cache_clear()


def test_words_do_not_count_and_numbers_do():
    """Docstrings, comments and layout have no effect on a result."""
    assert meaning('def f(x):\n    """Other."""\n\n    return (x + 1)\n') == meaning(CODE)
    assert meaning(CODE.replace("1", "2")) != meaning(CODE)


@pytest.mark.parametrize("changed", ["one.py", "physics/two.py", "physics/three.py"])
def test_every_module_counts(package, changed):
    """One that is changed, and one that is new."""
    places = ("one.py", "physics")
    before = loaded_sha256(places)
    assert code_sha256(places) == before
    (package / changed).write_text(CODE.replace("1", "2"))
    assert code_sha256(places) != before
    assert loaded_sha256(places) == before, "a process goes on with what it has loaded"


def test_places_are_there():
    """A module that is moved must not leave the list in silence."""
    assert [p for p in {*ROLL_OUT, *TRAINING} if not (module._PACKAGE / p).exists()] == []
    assert code_sha256(ROLL_OUT) != code_sha256(TRAINING)


def test_increments_do_not_depend_on_the_closed_step(package):
    """A change of its physics leaves a training by increments what it was; any other change does not."""
    for name in ("constants.py", "variables.py", "physics/soil_water.py", "physics/bounds.py"):
        (package / name).write_text(CODE)
    (package / "model").mkdir()
    (package / "training").mkdir()
    before = {step: training_sha256(step) for step in ("closed", "increments")}
    (package / "physics" / "soil_water.py").write_text(CODE.replace("1", "2"))
    assert training_sha256("closed") != before["closed"]
    assert training_sha256("increments") == before["increments"]
    (package / "physics" / "bounds.py").write_text(CODE.replace("1", "2"))
    assert training_sha256("increments") != before["increments"]


def test_closed_step_is_told_apart_by_its_imports():
    """Of what increments are computed with, land_model.py alone imports from it, and only the step and its types."""
    names = {f"anemoi_ailand.{p.removesuffix('.py').replace('/', '.')}" for p in CLOSED_STEP}
    found = set()
    for place in TRAINING:
        path = module._PACKAGE / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            inside = file.relative_to(module._PACKAGE).as_posix()
            if inside in CLOSED_STEP or inside == "physics/budgets.py":  # budgets are of the evaluation
                continue
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module in names:
                    found |= {(inside, alias.name) for alias in node.names}
    assert found == {("model/land_model.py", "CATEGORIES"), ("model/land_model.py", "ClosedLand")}
    assert [p for p in CLOSED_STEP if not (module._PACKAGE / p).is_file()] == []
