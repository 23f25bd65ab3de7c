# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""List, print and copy the YAML files of the package: the commands ``recipes`` and ``configs``."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, Namespace
from itertools import takewhile
from pathlib import Path

from anemoi.utils.cli import Command

from anemoi_ailand.support.packaged import find, listing

#: Fields in the header of every packaged YAML.
HEADER_FIELDS = ("What", "Needs", "Gives", "Check")

_WIDE_GAP_OR_FIELD = re.compile(rf"\s{{3,}}|\s+(?=(?:{'|'.join(HEADER_FIELDS)}):)")


def header(text: str) -> dict[str, str]:
    """Read the fields of the comment at the top of a YAML, as ``{"What": "train the land emulator, 6 h step."}``.

    A line may hold several fields; a line without a field continues the previous one. Text after a gap of three spaces,
    or a line that begins with ``anemoi-``, is the command to type and is returned under ``Run``.
    """
    found: dict[str, str] = {}
    current = ""
    for line in takewhile(lambda line: line.startswith("#"), text.splitlines()):
        for column, part in enumerate(_WIDE_GAP_OR_FIELD.split(line.lstrip("# ").rstrip())):
            field, _, rest = part.partition(":")
            if field in HEADER_FIELDS:
                current = field
                found[current] = rest.strip()
            elif column or part.startswith("anemoi-"):
                found["Run"] = part
            elif current:
                found[current] = f"{found[current]} {part}".strip()
    return found


class PackagedCommand(Command):
    """List, print or copy the packaged files of one ``kind`` ('recipes' or 'configs')."""

    kind: str

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments to the parser."""
        command_parser.add_argument("name", nargs="?", metavar="NAME", help="print this one; without it, list them all")
        command_parser.add_argument(
            "dest", nargs="?", metavar="DEST", help="with --copy: file or folder (default: here)"
        )
        what = command_parser.add_mutually_exclusive_group()
        what.add_argument("--path", action="store_true", help="print the path of the file instead of its text")
        what.add_argument("--copy", action="store_true", help="copy the file to DEST")
        command_parser.add_argument("--force", action="store_true", help="with --copy: replace an existing file")

    def check(self, parser: ArgumentParser, args: Namespace) -> None:
        """Refuse combinations of options without a meaning."""
        if (args.path or args.copy) and not args.name:
            parser.error(f"--path and --copy need the NAME of one of the {self.kind}.")
        if (args.dest or args.force) and not args.copy:
            parser.error("DEST and --force have a meaning only with --copy.")

    def run(self, args: Namespace) -> None:
        """List, print, locate or copy."""
        if not args.name:
            sys.stdout.write(table(self.kind))
            return
        source = find(self.kind, args.name)
        if args.path:
            sys.stdout.write(f"{source}\n")
        elif args.copy:
            target = copy(source, Path(args.dest or "."), force=args.force)
            sys.stdout.write(f"{target}\n")
        else:
            sys.stdout.write(source.read_text(encoding="utf-8"))


def table(kind: str) -> str:
    """List the packaged YAML files: name and first sentence of the field ``What``, one line each."""
    whats = {name: header(path.read_text(encoding="utf-8")).get("What", "") for name, path in listing(kind).items()}
    rows = {name: what.partition(". ")[0].rstrip(".") for name, what in whats.items()}
    width = max(map(len, rows), default=0)
    return "".join(f"{name:<{width}}  {what}".rstrip() + "\n" for name, what in rows.items())


def copy(source: Path, dest: Path, *, force: bool = False) -> Path:
    """Copy ``source`` to ``dest`` (a file, or an existing folder) and return the path of the copy.

    Raises
    ------
    FileExistsError
        The target exists and ``force`` is not given.
    FileNotFoundError
        The folder to copy into does not exist.
    """
    target = dest / source.name if dest.is_dir() else dest
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder '{target.parent}' to copy into. Create it first.")
    if target.exists() and not force:
        raise FileExistsError(f"'{target}' exists and was not replaced. Give another DEST, or --force to replace it.")
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(source.read_bytes())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target
