# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The house rules that a program can check: header, sizes, one test file for each module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "anemoi_ailand"
FILES = sorted(
    p for folder in ("anemoi_ailand", "hydra_plugins", "tests", "tools") for p in (ROOT / folder).rglob("*.py")
)
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 40
HEADER = """# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""

#: Modules without a test file of their own, and why.
WITHOUT_TEST: dict[str, str] = {}


def named(path: Path) -> str:
    """Path below the root, as the name of a case."""
    return str(path.relative_to(ROOT))


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef, text: list[str]) -> int:
    """Lines of a function without its docstring, comments and empty lines."""
    docstring: set[int] = set()
    if ast.get_docstring(function) is not None:
        docstring = set(range(function.body[0].lineno, (function.body[0].end_lineno or 0) + 1))
    lines = range(function.lineno, (function.end_lineno or 0) + 1)
    return sum(n not in docstring and text[n - 1].strip()[:1] not in ("", "#") for n in lines)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_licence_header(path: Path) -> None:
    """Every Python file begins with the same three lines."""
    assert path.read_text(encoding="utf-8").startswith(HEADER)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_sizes(path: Path) -> None:
    """A file has at most 400 lines, a function 40."""
    text = path.read_text(encoding="utf-8").splitlines()
    functions = [n for n in ast.walk(ast.parse("\n".join(text))) if isinstance(n, ast.FunctionDef)]
    long = {f.name: n for f in functions if (n := code_lines(f, text)) > LINES_PER_FUNCTION}
    assert len(text) <= LINES_PER_FILE
    assert not long


@pytest.mark.parametrize("path", [p for p in FILES if p.is_relative_to(PACKAGE)], ids=named)
def test_every_module_has_a_test_file(path: Path) -> None:
    """``data/source.py`` is tested by ``tests/unit/data/test_source.py``, or by that name in tests/integration."""
    module = path.relative_to(PACKAGE)
    name = f"test_{path.stem.strip('_')}.py"
    beside = ROOT / "tests" / "unit" / module.parent / name
    has_test = beside.is_file() or any((ROOT / "tests" / "integration").rglob(name))
    if path.name == "__init__.py":
        return
    assert has_test != (str(module) in WITHOUT_TEST), f"{module}: expected {named(beside)}, or a reason in WITHOUT_TEST"


def test_exceptions_exist() -> None:
    """A module that is gone leaves the list of exceptions."""
    assert [m for m in WITHOUT_TEST if not (PACKAGE / m).is_file()] == []


def test_sizes_are_counted_without_docstring_and_comments() -> None:
    """The rule counts code."""
    text = ["def f():", '    """Doc.', "", '    doc."""', "    # why", "", "    return 1"]
    function = ast.parse("\n".join(text)).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert code_lines(function, text) == 2
