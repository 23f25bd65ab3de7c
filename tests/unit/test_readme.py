# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Code blocks of README.md and docs/ work. Conventions:

- every fenced block has a language: ``bash``, ``python``, ``yaml``, or ``text`` for text to read;
- ``python`` is run in an empty folder; under ``<!-- compile -->`` (it needs a long run before it) it is compiled and
  its imports are made;
- ``yaml`` parses, and names only variables of the table where it lists variables;
- Python, in pages, notebooks and ``docs/examples``, imports public names of ``anemoi_ailand`` and nothing below it;
- each command of a ``bash`` block is checked to exist and to take its arguments; a block under ``<!-- run -->`` is run
  in an empty folder.
"""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import anemoi_ailand
from anemoi_ailand import VARIABLES
from tests.support.commands import run_command
from tests.support.documents import ROOT, Snippet, check_command, commands, lists_of_variables, snippets

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SNIPPETS = [s for page in PAGES for s in snippets(page)]
_DEEP_IMPORT = re.compile(r"(from|import)\s+anemoi_ailand\.\S+")
#: Paths that other machines do not have, and package registries that a machine behind a mirror cannot reach.
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|home|tmp|scratch|perm|ec)(/|\b)")
REGISTRY = re.compile(
    r"pypi\.|pythonhosted|anaconda\.|conda-forge|download\.pytorch|--(extra-)?index-url", re.IGNORECASE
)
#: The one public index that may be named: PyTorch's own without CUDA.
PUBLIC_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu\n"


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
def test_python(snippet: Snippet, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Python runs, or at least compiles and imports."""
    text = snippet.text
    if "compile" in snippet.marks:
        imports = [n for n in ast.parse(text).body if isinstance(n, ast.Import | ast.ImportFrom)]
        text = "\n".join(map(ast.unparse, imports))
    script = tmp_path_factory.mktemp("script") / "snippet.py"
    script.write_text(text, encoding="utf-8")
    done = run_command(str(script), cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]


def test_only_public_names_are_imported() -> None:
    """Pages, notebooks and examples import from ``anemoi_ailand`` itself."""
    texts = {str(s): s.text for s in SNIPPETS if s.language == "python"}
    examples = [p for p in (ROOT / "docs" / "examples").rglob("*") if p.is_file()]
    texts |= {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in examples}
    for notebook in NOTEBOOKS:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        texts[notebook.name] = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    deep = [(place, m[0]) for place, text in texts.items() for m in _DEEP_IMPORT.finditer(text)]
    unknown = [
        (place, name)
        for place, text in texts.items()
        for found in re.findall(r"from anemoi_ailand import ([\w, ]+)|\bail\.(\w+)", text)
        for name in re.findall(r"\w+", " ".join(found))
        if name not in anemoi_ailand.__all__
    ]
    assert not deep + unknown


def test_yaml_names_known_variables() -> None:
    """YAML parses and lists known variables only."""
    documents = {str(s): yaml.safe_load(s.text) for s in SNIPPETS if s.language == "yaml"}
    listed = {(place, name) for place, d in documents.items() for _, names in lists_of_variables(d) for name in names}
    assert sorted((place, name) for place, name in listed if name not in VARIABLES) == []


def test_commands_exist() -> None:
    """Every command of a block of shell exists and takes its arguments."""
    written = [(str(s), command) for s in SNIPPETS if s.language == "bash" for command in commands(s.text)]
    assert [(place, command, fault) for place, command in written if (fault := fault_of(command))] == []


def fault_of(command: str) -> str:
    """Message of the check of a command; empty if nothing is wrong."""
    try:
        check_command(command)
    except (AssertionError, SystemExit, ValueError) as error:
        return f"{type(error).__name__} {error}"
    return ""


@pytest.mark.parametrize("snippet", [s for s in SNIPPETS if "run" in s.marks], ids=str)
def test_bash_runs(snippet: Snippet, tmp_path: Path) -> None:
    """A marked block runs to its end."""
    assert snippet.language == "bash"
    in_empty_folder(["bash", "-euo", "pipefail", "-c", snippet.text], tmp_path)


def test_no_machine_and_no_registry_is_named() -> None:
    """No page names a path of a machine or a registry."""
    others = [ROOT / "Makefile", ROOT / ".ci" / "run", *(ROOT / ".github").rglob("*.yml"), *NOTEBOOKS]
    texts = {page: page.read_text(encoding="utf-8").replace(PUBLIC_INDEX, "\n") for page in [*PAGES, *others]}
    rules = (MACHINE_PATH, REGISTRY)
    found = [(page, match) for page, text in texts.items() for rule in rules for match in rule.finditer(text)]
    assert [f"{page.relative_to(ROOT)}: {match[0]}" for page, match in found] == []


def test_links_to_files_lead_somewhere() -> None:
    """A relative link names a file or folder of the repository."""
    broken = []
    for page in PAGES:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", prose)]
        local = [t for t in targets if t and "://" not in t and not t.startswith("mailto:")]
        broken += [f"{page.relative_to(ROOT)}: {t}" for t in local if not (page.parent / t).exists()]
    assert broken == []


@pytest.mark.parametrize(
    "command", ["make no-such-target", "anemoi-ailand recipes --no-such-option", "no-such-program"]
)
def test_check_finds_errors(command: str, capsys: pytest.CaptureFixture) -> None:
    """An unknown target, option or program is found."""
    assert fault_of(command)
