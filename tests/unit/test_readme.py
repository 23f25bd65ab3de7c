# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Code blocks of README.md and docs/ work. Conventions:

- every fenced block has a language: ``bash``, ``python``, ``yaml``, or ``text`` for text to read;
- ``python`` is run in an empty folder; under ``<!-- compile -->`` (it needs a long run before it) it is compiled and
  its imports are made;
- ``yaml`` parses, and names only variables of the table where it lists variables;
- Python, in pages and in ``docs/examples``, imports public names of ``anemoi_ailand`` and nothing below it;
- each command of a ``bash`` block is checked to exist and to take its arguments; a block under ``<!-- run -->`` is run
  in an empty folder.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from markdown_snippets import ROOT, Snippet, check_command, commands, snippets
from yaml_names import lists_of_variables

import anemoi_ailand
from anemoi_ailand import VARIABLES

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SNIPPETS = [s for page in PAGES for s in snippets(page)]
_DEEP_IMPORT = re.compile(r"(from|import)\s+anemoi_ailand\.\S+")
#: Paths that other machines do not have, and package registries that a machine behind a mirror cannot reach.
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|home|tmp|scratch|perm|ec)(/|\b)")
REGISTRY = re.compile(
    r"pypi\.|pythonhosted|anaconda\.|conda-forge|download\.pytorch|--(extra-)?index-url", re.IGNORECASE
)


def of(language: str) -> pytest.MarkDecorator:
    """One case for each block of a language."""
    return pytest.mark.parametrize("snippet", [s for s in SNIPPETS if s.language == language], ids=str)


def in_empty_folder(command: list[str], folder: Path) -> None:
    """Run with the programs of this environment first."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-1000:] + result.stderr[-2000:]


def test_every_block_has_a_known_language() -> None:
    """No block escapes the checks; text to read is marked ``text``."""
    assert [str(s) for s in SNIPPETS if s.language not in ("bash", "python", "yaml", "text", "markdown")] == []


@of("python")
def test_python(snippet: Snippet, tmp_path: Path) -> None:
    """Python runs, or at least compiles and imports."""
    text = snippet.text
    if "compile" in snippet.marks:
        imports = [n for n in ast.parse(text).body if isinstance(n, ast.Import | ast.ImportFrom)]
        text = "\n".join(map(ast.unparse, imports))
    in_empty_folder([sys.executable, "-c", text], tmp_path)


def test_only_public_names_are_imported() -> None:
    """Pages and examples import from ``anemoi_ailand`` itself; the page of a command that goes is left out."""
    texts = {str(s): s.text for s in SNIPPETS if s.language == "python" and s.file != "docs/comparison.md"}
    examples = [p for p in (ROOT / "docs" / "examples").rglob("*") if p.is_file()]
    texts |= {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in examples}
    deep = [(place, m[0]) for place, text in texts.items() for m in _DEEP_IMPORT.finditer(text)]
    unknown = [
        (place, name.strip())
        for place, text in texts.items()
        for found in re.findall(r"from anemoi_ailand import ([\w, ]+)", text)
        for name in found.split(",")
        if name.strip() not in anemoi_ailand.__all__
    ]
    assert not deep + unknown


@of("yaml")
def test_yaml(snippet: Snippet) -> None:
    """YAML parses and lists known variables only."""
    unknown = [n for _, found in lists_of_variables(yaml.safe_load(snippet.text)) for n in found if n not in VARIABLES]
    assert not unknown


@of("bash")
def test_bash_exists(snippet: Snippet) -> None:
    """Every command exists and takes its arguments."""
    for command in commands(snippet.text):
        check_command(command)


@pytest.mark.parametrize("snippet", [s for s in SNIPPETS if "run" in s.marks], ids=str)
def test_bash_runs(snippet: Snippet, tmp_path: Path) -> None:
    """A marked block runs to its end."""
    assert snippet.language == "bash"
    in_empty_folder(["bash", "-euo", "pipefail", "-c", snippet.text], tmp_path)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "Makefile", ROOT / ".ci" / "run"], ids=lambda p: p.name)
def test_no_machine_and_no_registry_is_named(page: Path) -> None:
    """No page names a path of a machine or a registry."""
    text = page.read_text(encoding="utf-8")
    assert [m[0] for m in MACHINE_PATH.finditer(text)] == []
    assert [m[0] for m in REGISTRY.finditer(text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    """A relative link names a file or folder of the repository."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", prose)]
    local = [t for t in targets if t and "://" not in t and not t.startswith("mailto:")]
    assert [t for t in local if not (page.parent / t).exists()] == []


@pytest.mark.parametrize(
    "command", ["make no-such-target", "anemoi-ailand recipes --no-such-option", "no-such-program"]
)
def test_the_check_finds_what_is_wrong(command: str, capsys: pytest.CaptureFixture) -> None:
    """An unknown target, option or program is found."""
    with pytest.raises((AssertionError, SystemExit)):
        check_command(command)
