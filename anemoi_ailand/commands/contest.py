# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand contest``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from anemoi.utils.cli import Command

from anemoi_ailand.commands._options import add_options, given_options

#: Short forms of options.
NAMED = {"dataset": "dataset", "output": "output"}


class Contest(Command):
    """Train several recipes on the same data, evaluate them alike, and write one table and one figure."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        what = (
            "configuration file, or the name of a packaged one (default: reference); "
            "take a copy: anemoi-ailand configs --copy contest/reference my-contest.yaml"
        )
        add_options(command_parser, what, NAMED)

    def run(self, args: Namespace) -> None:
        """Hold the contest, show its table and say where the result is."""
        from benchmarks.contest.settings import read_contest

        config, options = given_options(args, NAMED)
        settings = read_contest(_path(config or "reference"), options)  # mistakes are told before the slow import
        from benchmarks.contest.contest import contest

        folder = contest(settings)
        sys.stdout.write(f"{(folder / 'table.md').read_text()}\nResults: {folder}\n")
        for result in sorted(folder.iterdir()):
            sys.stdout.write(f"  {result}\n")


def _path(config: str) -> Path:
    """The file, or else the packaged configuration of this name."""
    from anemoi_ailand.support.packaged import listing

    packaged = listing("configs").get(f"contest/{config}")
    return packaged if packaged is not None and not Path(config).exists() else Path(config)


command = Contest
