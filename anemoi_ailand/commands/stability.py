# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand stability``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from anemoi.utils.cli import Command

from anemoi_ailand.commands._options import add_checkpoint, add_execution


class Stability(Command):
    """Roll out a checkpoint over a century of repeated forcing, and judge whether it drifts."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add_checkpoint(command_parser)
        add("--dataset", required=True, help="Anemoi dataset whose years are repeated as forcing")
        add("--output", default="stability", help="folder of the result (default: %(default)s)")
        add("--years", type=int, default=100, help="length of the run (default: %(default)s)")
        add("--start", help="first date of the forcing (default: the first midnight of the dataset)")
        add("--end", help="latest end of the forcing; only whole years are used (default: the last date)")
        add("--device", default="cpu", help="device of torch: cpu, cuda (default: %(default)s)")
        add_execution(command_parser)

    def run(self, args: Namespace) -> None:
        """Run, print the table and the path of the result."""
        from anemoi_ailand.workflows.stability import stability  # slow to import

        folder = stability(
            args.checkpoint, args.dataset, args.output, years=args.years, start=args.start, end=args.end,
            device=args.device, execution=args.execution,
        )  # fmt: skip
        sys.stdout.write(f"{(folder / 'table.md').read_text()}\nResult: {folder}\n")


command = Stability
