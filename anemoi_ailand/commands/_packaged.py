# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""List, print and copy the YAML files of the package: the commands ``recipes`` and ``configs``."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace
from itertools import takewhile
from pathlib import Path

from anemoi.utils.cli import Command

from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.support.packaged import find, listing

#: Purpose of a YAML file, the first lines of its header, and the fields that follow.
PURPOSE, HEADER_FIELDS = "Purpose", ("Needs", "Produces", "Checked by")

#: Separator between the purpose and a command on the same line: a wide gap.
_WIDE_GAP = re.compile(r"\s{3,}")


def header(text: str) -> dict[str, str]:
    """Parse the comment at the top of a YAML, e.g. ``{"Purpose": "Train the land emulator.", "Needs": "a dataset"}``.

    The purpose comes first, with the command to type after a wide gap, or on a line of its own. A field starts a line
    and may continue on the next ones.
    """
    found: dict[str, str] = {}
    current = PURPOSE
    for line in takewhile(lambda line: line.startswith("#"), text.splitlines()):
        words = line.removeprefix("#").strip()
        field, _, rest = words.partition(":")
        if field in HEADER_FIELDS:
            current, words = field, rest.strip()
        elif current == PURPOSE:
            if line.startswith("#   "):
                continue
            words = _WIDE_GAP.split(words)[0]
        found[current] = f"{found.get(current, '')} {words}".strip()
    return found


class PackagedCommand(Command):
    """List, print or copy the packaged files of one ``kind`` ('recipes' or 'configs')."""

    kind: str

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments to the parser."""
        command_parser.add_argument("name", nargs="?", metavar="NAME", help="file to print; without it, list all")
        command_parser.add_argument(
            "dest", nargs="?", metavar="DEST", help="with --copy: file or folder (default: here)"
        )
        what = command_parser.add_mutually_exclusive_group()
        what.add_argument("--path", action="store_true", help="print the path of the file instead of its text")
        what.add_argument("--copy", action="store_true", help="copy the file to DEST")
        command_parser.add_argument("--force", action="store_true", help="with --copy: replace an existing file")

    def run(self, args: Namespace) -> None:
        """List, print, locate or copy."""
        if (args.path or args.copy) and not args.name:
            raise ValueError(f"`--path` and `--copy` need a NAME. List the names: anemoi-ailand {self.kind}")
        if (args.dest or args.force) and not args.copy:
            raise ValueError("DEST and `--force` have a meaning only with `--copy`. Add it.")
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
    """Return one line for each packaged YAML: its name and the first sentence of its purpose."""
    purposes = {n: header(path.read_text(encoding="utf-8")).get(PURPOSE, "") for n, path in listing(kind).items()}
    rows = {name: purpose.partition(". ")[0].rstrip(".") for name, purpose in purposes.items()}
    width = max(map(len, rows), default=0)
    return "".join(f"{name:<{width}}  {purpose}".rstrip() + "\n" for name, purpose in rows.items())


def copy(source: Path, dest: Path, *, force: bool = False) -> Path:
    """Copy ``source`` to ``dest`` (a file, or an existing folder) and return the path of the copy."""
    target = dest / source.name if dest.is_dir() else dest
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder '{target.parent}' to copy into. Create it first.")
    if target.exists() and not force:
        raise FileExistsError(f"'{target}' exists and was not replaced. Give another DEST, or --force to replace it.")
    with complete_file(target) as partial:
        partial.write_bytes(source.read_bytes())
    return target
