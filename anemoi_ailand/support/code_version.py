# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""By which code a result was made: a checkpoint holds weights, but its physics is the code that is installed.

Without that, a roll-out that is kept would stand in a table beside one of the same checkpoint by other equations.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]

#: What a step of the land follows from.
_STEP = ("constants.py", "variables.py", "physics", "model")

#: What a roll-out follows from, beside checkpoint and dataset.
ROLL_OUT = (
    *_STEP, "data/sun.py", "rollout/reforecast/reforecast.py", "rollout/step/advance.py",
    "rollout/forcing/dataset_fields.py",    "rollout/reforecast/sweep.py",
)  # fmt: skip

#: What a training follows from, beside configuration and dataset.
TRAINING = (*_STEP, "training")

#: The step, ``model.model.step``, of which all of that is part.
CLOSED = "closed"

#: What only a model with the closed step computes with; land_model.py is the one other module that imports from these.
CLOSED_STEP = (
    "model/closed_land.py", "model/contrasts.py", "physics/canopy.py", "physics/closed_step.py", "physics/layers.py",
    "physics/roots.py", "physics/runoff.py", "physics/snow_pack.py", "physics/soil.py", "physics/soil_heat.py",
    "physics/soil_water.py", "physics/tridiagonal.py",
)  # fmt: skip


def training_sha256(step: str) -> str:
    """Code that a training follows from.

    Parameters
    ----------
    step : {'increments', 'closed'}
        ``model.model.step`` of its configuration: the physics of the closed step has no part in increments.
    """
    return code_sha256(TRAINING, () if step == CLOSED else CLOSED_STEP)


def code_sha256(places: Sequence[str], without: Sequence[str] = ()) -> str:
    """SHA-256 of modules and folders of the package as they are now, without docstrings, comments and layout.

    Parameters
    ----------
    places : tuple of str
        :data:`ROLL_OUT` or :data:`TRAINING`.
    without : tuple of str
        Modules in them that do not count.
    """
    found = hashlib.sha256()
    for place in places:
        path = _PACKAGE / place
        for module in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if module.relative_to(_PACKAGE).as_posix() in without:
                continue
            text = meaning(module.read_text(encoding="utf-8"))
            found.update(f"{module.relative_to(_PACKAGE)}\n{text}\n".encode())
    return found.hexdigest()


@cache
def loaded_sha256(places: Sequence[str]) -> str:
    """As :func:`code_sha256` when first asked: what this process has loaded does not change with its files."""
    return code_sha256(places)


def meaning(text: str) -> str:
    """Code without what has no effect on numbers: docstrings, comments, layout."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                node.body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return ast.dump(tree)
