# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checksums of files and of the code that results depend on.

A checkpoint holds weights, but its physics is the installed code: without a checksum of the code, a roll-out of an
earlier version would be mistaken for a roll-out with the installed equations.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]

#: Modules and rooms of the package that a step depends on.
_STEP = ("constants.py", "variables.py", "physics", "model")

#: The same for a roll-out (in addition to checkpoint and dataset) and for a training (to configuration and dataset).
ROLL_OUT, TRAINING = (*_STEP, "data", "rollout"), (*_STEP, "training")

#: The same for a compiled step.
COMPILED = (*_STEP, "rollout/step/fused_step.py", "hosts/torch_inductor.py")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_sha256(places: Sequence[str]) -> str:
    """Return the SHA-256 of the source files in ``places``, without docstrings, comments and layout.

    ``places`` is :data:`ROLL_OUT` or :data:`TRAINING`.
    """
    found = hashlib.sha256()
    for module in _modules(places):
        tree = _without_docstrings(ast.parse(module.read_text(encoding="utf-8")))
        found.update(f"{module.relative_to(_PACKAGE).as_posix()}\n{ast.dump(tree)}\n".encode())
    return found.hexdigest()


@cache
def loaded_sha256(places: Sequence[str]) -> str:
    """Return :func:`code_sha256` as of the first call: files may change later, the code of this process does not."""
    return code_sha256(places)


@cache
def source_sha256(places: Sequence[str]) -> str:
    """Return the SHA-256 of the source files in ``places`` as they are, docstrings included, as of the first call.

    For names in a cache: a fiftieth of the time of :func:`code_sha256`.
    """
    found = hashlib.sha256()
    for module in _modules(places):
        found.update(f"{module.relative_to(_PACKAGE).as_posix()}\n".encode() + module.read_bytes())
    return found.hexdigest()


def _modules(places: Sequence[str]) -> Iterator[Path]:
    for place in places:
        path = _PACKAGE / place
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                node.body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return tree
