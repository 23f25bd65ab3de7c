# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand calibrate``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from anemoi.utils.cli import Command

from anemoi_ailand.commands._options import add_checkpoint, add_execution


class Calibrate(Command):
    """Calibrate the model error of a checkpoint, which ensembles take with ``model_error: calibrated``."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add_checkpoint(command_parser)
        add("--dataset", required=True, help="Anemoi dataset with state and forcing")
        add("--output", help="file to write (default: next to the checkpoint, where ensembles look for it)")
        add("--year", type=int, default=2021, help="year, neither of the training nor of a test (default: %(default)s)")
        add("--points", type=int, default=80, help="most points, none of those held out (default: %(default)s)")
        add("--members", type=int, default=10, help="members of the ensembles (default: %(default)s)")
        add("--starts", type=int, default=6, help="start dates of the ensembles (default: %(default)s)")
        add("--iterations", type=int, default=4, help="ensembles made one after the other (default: %(default)s)")
        add_execution(command_parser)

    def run(self, args: Namespace) -> None:
        """Calibrate and print the path of the file."""
        from anemoi_ailand.workflows.calibrate import calibrate  # slow to import

        path = calibrate(
            args.checkpoint, args.dataset, args.output, year=args.year, points=args.points, members=args.members,
            starts=args.starts, iterations=args.iterations, execution=args.execution,
        )  # fmt: skip
        sys.stdout.write(f"Model error: {path}\n")


command = Calibrate
