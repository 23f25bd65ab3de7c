# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Markdown pages and YAML files of the repository: their blocks, commands and names of variables."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from anemoi_ailand.commands._packaged import HEADER_FIELDS, PURPOSE, header
from anemoi_ailand.model.closed_land import CATEGORIES
from anemoi_ailand.model.land_model import AUTO, CLOSED
from anemoi_ailand.variables import VARIABLES, Role

ROOT = Path(__file__).resolve().parents[2]

PYTHONS = {"python", "python3"}

#: Programs that start the command after them in many processes; none of their own options is used.
STARTERS = {"srun"}

#: Programs of every system, whose arguments are not checked.
PLAIN = {*PYTHONS, "seq", "cd", "ls", "cat", "git", "pip", "source", "export", "cp", "mkdir", "ncdump"}

_BLOCK = re.compile(
    r"(?P<comments>(?:^<!--[^\n]*-->\n)*)^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->")
SUBSTITUTED = "SUBSTITUTED"
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")


@dataclass(frozen=True)
class Snippet:
    """A fenced block: where it is, its language, its text, and the HTML comments right above it."""

    file: str
    line: int
    language: str
    text: str
    marks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def snippets(path: Path) -> list[Snippet]:
    """All fenced blocks of a Markdown file."""
    content = path.read_text(encoding="utf-8")
    return [
        Snippet(
            str(path.relative_to(ROOT)), content[: m.start("text")].count("\n"), m["language"].strip(), m["text"],
            tuple(_COMMENT.findall(m["comments"])),
        )
        for m in _BLOCK.finditer(content)
    ]  # fmt: skip


def commands(text: str) -> list[str]:
    """Commands of a block of shell: continued lines joined, comments and empty lines left out."""
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return [part.strip() for line in lines if line and line[0] != "#" for part in line.split(" && ")]


def check_command(command: str) -> None:
    """Fail if a command is not there or does not take its arguments; commands inside ``$(...)`` included."""
    for inner in _SUBSTITUTION.findall(command):
        check_command(inner)
    words = shlex.split(_SUBSTITUTION.sub(SUBSTITUTED, command), comments=True)
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words = words[1:]
    words = words[1:] if words[0] in STARTERS else words
    program, arguments = words[0], words[1:]
    if program in PYTHONS and arguments[:1] == ["-m"]:
        program, arguments = f"python -m {arguments[1]}", arguments[2:]
    if program not in PLAIN:
        assert program in CHECKS, f"No check is known for '{program}': add it to tests/support/documents.py"
        CHECKS[program](arguments)


def _check_make(arguments: list[str]) -> None:
    """``make -n`` knows the target."""
    result = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def _parses(module: str) -> Callable[[list[str]], None]:
    """Check that the parser of ``module`` takes the arguments."""

    def check(arguments: list[str]) -> None:
        args, unknown = import_module(module).create_parser().parse_known_args(arguments)
        assert args.command or args.version
        assert not unknown, f"{module} does not know {unknown}"

    return check


def _check_ailand(arguments: list[str]) -> None:
    """The parser takes the arguments, and a recipe or configuration that is named is there."""
    from anemoi_ailand.support.packaged import find

    _parses("anemoi_ailand.__main__")(arguments)
    words = [a for a in arguments if not a.startswith("-")]
    if words[0] in ("recipes", "configs") and len(words) > 1:
        find(words[0], words[1])


def _check_training(arguments: list[str]) -> None:
    """``anemoi-training train`` with packaged configuration and overrides composes; other commands parse."""
    if arguments[0] != "train":
        import_module("anemoi.training.__main__").create_parser().parse_known_args(arguments)
        return
    name = arguments[arguments.index("--config-name") + 1]
    name = "ailand" if name.startswith("my-") else name  # the reader has made a copy of it
    folder = arguments[arguments.index("--config-dir") + 1] if "--config-dir" in arguments else "."
    overrides = [a for a in arguments[1:] if "=" in a]
    script = (
        "import sys\nfrom pathlib import Path\nfrom hydra import compose, initialize_config_dir\n"
        f"with initialize_config_dir(str(Path({folder!r}).resolve()), version_base=None):\n"
        "    compose(sys.argv[1], sys.argv[2:])\n"
    )
    process = [sys.executable, "-c", script, name, *overrides]
    result = subprocess.run(
        process, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "HYDRA_FULL_ERROR": "1"}
    )
    assert result.returncode == 0, result.stderr[-2000:]


def _check_contest(arguments: list[str]) -> None:
    """The configuration exists and takes the options; values from ``$(...)`` are unknown."""
    from benchmarks.contest.settings import CONFIGS, read_contest

    read_contest(CONFIGS / f"{arguments[0]}.yaml", [a for a in arguments[1:] if SUBSTITUTED not in a])


def _check_figure(arguments: list[str]) -> None:
    """The page has the table, and it can be drawn."""
    from benchmarks.contest.figure import figure_of_page

    page, target = arguments
    assert figure_of_page(ROOT / page).get_axes()
    assert (ROOT / target).is_file()


def _takes(module: str) -> Callable[[list[str]], None]:
    """Check that the parser of a benchmark takes the arguments."""
    return lambda arguments: importlib.import_module(module).create_parser().parse_args(arguments)


def _check_bash(arguments: list[str]) -> None:
    """The script exists, and bash can read it."""
    result = subprocess.run(["bash", "-n", arguments[0]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "make": _check_make,
    "bash": _check_bash,
    "python -m benchmarks.contest": _check_contest,
    "python -m benchmarks.contest.figure": _check_figure,
    "python -m benchmarks.contest.seeds": _takes("benchmarks.contest.seeds"),
    "python -m benchmarks.forcing": _takes("benchmarks.forcing"),
    "python -m benchmarks.speed": _takes("benchmarks.speed.__main__"),
    "anemoi-ailand": _check_ailand,
    "anemoi-training": _check_training,
    "anemoi-datasets": _parses("anemoi.datasets.__main__"),
    "anemoi-inference": _parses("anemoi.inference.__main__"),
}


#: Keys of a list of variables, and the roles that may stand there; Anemoi calls static fields forcing, too.
ROLES_OF_KEY = {
    "prognostic": {Role.PROGNOSTIC},
    "diagnostic": {Role.DIAGNOSTIC},
    "forcing": {Role.FORCING, Role.STATIC},
    "static": {Role.STATIC},
    "select": set(Role) - {Role.CATEGORY},
    "variables": set(Role),
    "drop": set(Role),
}

#: What Anemoi's normaliser can do with a variable.
METHODS = ("mean-std", "std", "min-max", "max", "none")


def walk(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All pairs of key and value of a document, outside in."""
    if key:
        yield key, node
    for name, child in node.items() if isinstance(node, dict) else ():
        yield from walk(child, str(name))
    for child in node if isinstance(node, list) else ():
        if isinstance(child, dict):
            yield from walk(child)


def lists_of_variables(document: Any) -> list[tuple[str, list[str]]]:
    """All lists of names under one of the keys of :data:`ROLES_OF_KEY`, or in named groups under it."""
    found = []
    for key, value in walk(document):
        if key in ROLES_OF_KEY:
            groups = list(value.values()) if isinstance(value, dict) else [value]
            if all(isinstance(group, list) and all(isinstance(name, str) for name in group) for group in groups):
                found.append((key, [name for group in groups for name in group]))
    return found


def header_faults(path: Path) -> list[str]:
    """Header fields that are missing, and files of the project that the header names and that do not exist."""
    fields = header(path.read_text(encoding="utf-8"))
    found = [
        f"{path.name}: the header does not say {field!r}"
        for field in (PURPOSE, *HEADER_FIELDS)
        if not fields.get(field)
    ]
    named = re.findall(r"\b(?:tests|recipes|configs|docs)/[\w/-]+\.\w+", " ".join(fields.values()))
    return found + [
        f"{path.name}: the header names '{n}', which does not exist" for n in named if not (ROOT / n).is_file()
    ]


def name_faults(path: Path, step: str | None = None) -> list[str]:
    """Names in lists of variables that are not in the table, stand twice, or have a role that does not fit the key.

    ``step`` is the ``model.model.step`` of a training configuration: a closed step reads categories, too.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    read_by_step = set(CATEGORIES) if step in (CLOSED, AUTO) else set()
    found = []
    for key, listed in lists_of_variables(document):
        for name in sorted(set(listed)):
            if name not in VARIABLES:
                found.append(f"{path.name}: '{key}' names '{name}', which is not in the table")
            elif VARIABLES[name].role not in ROLES_OF_KEY[key] and name not in read_by_step:
                found.append(f"{path.name}: '{key}' holds '{name}', which is {VARIABLES[name].role.value}")
            if listed.count(name) > 1:
                found.append(f"{path.name}: '{key}' names '{name}' twice")
    return found
