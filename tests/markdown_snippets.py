# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Find the fenced blocks of a Markdown file and check a line of shell without running it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PYTHONS = {"python", "python3"}

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
    program, arguments = words[0], words[1:]
    if program in PYTHONS and arguments[:1] == ["-m"]:
        program, arguments = f"python -m {arguments[1]}", arguments[2:]
    if program not in PLAIN:
        assert program in CHECKS, f"No check is known for '{program}': add it to tests/markdown_snippets.py"
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


def _check_speed(arguments: list[str]) -> None:
    """The parser takes the arguments."""
    from benchmarks.speed.__main__ import create_parser

    create_parser().parse_args(arguments)


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "make": _check_make,
    "python -m benchmarks.contest": _check_contest,
    "python -m benchmarks.speed": _check_speed,
    "anemoi-ailand": _check_ailand,
    "anemoi-training": _check_training,
    "anemoi-datasets": _parses("anemoi.datasets.__main__"),
    "anemoi-inference": _parses("anemoi.inference.__main__"),
}
