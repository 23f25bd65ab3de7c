# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand quickstart``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from anemoi.utils.cli import Command


class Quickstart(Command):
    """Build a dataset from the packaged sample, train, run one year at held-out points, and compare with ecLand."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        command_parser.add_argument("--output", type=Path, help="folder of the results (default: build/quickstart)")
        command_parser.add_argument("--force", action="store_true", help="remove earlier results and start again")
        command_parser.add_argument(
            "--smallest", action="store_true", help="run every stage as short as possible, to see that it works"
        )

    def run(self, args: Namespace) -> None:
        """Run the chain and list its results."""
        from anemoi_ailand.workflows.quickstart import FULL, SMALLEST, quickstart

        output = args.output or Path("build") / ("quickstart-smallest" if args.smallest else "quickstart")
        comparison = quickstart(output, SMALLEST if args.smallest else FULL, force=args.force)
        sys.stdout.write((comparison / "table.md").read_text())
        sys.stdout.write(f"\nResults: {comparison.parent}\n")
        for result in sorted(comparison.iterdir()):
            sys.stdout.write(f"  {result}\n")


command = Quickstart
