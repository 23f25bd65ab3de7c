# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand diagnose``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from anemoi.utils.cli import Command

from anemoi_ailand.commands._options import add_checkpoint, add_execution


class Diagnose(Command):
    """Find where a physical model departs from observations, and the parameter that carries it."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add(
            "observations",
            metavar="FILE",
            help="NetCDF or zarr (time, point) with slhf, sshf, t2m, d2m, swvl1 ...; or files of towers",
        )
        add("--dataset", required=True, help="forcing, static fields and output of the physical model at the points")
        add_checkpoint(command_parser)
        add("--start", metavar="DATE", help="first date of the observations that are used (default: all)")
        add(
            "--error-years",
            type=int,
            nargs="+",
            metavar="YEAR",
            help="years before the observations in which the emulator is compared with the model (default: all)",
        )
        add("--candidates", nargs="+", metavar="NAME", help="parameters to try (default: all)")
        add("--output", default="diagnosis", help="folder of the result (default: %(default)s)")
        add_execution(command_parser)

    def run(self, args: Namespace) -> None:
        """Diagnose, print the conclusion and the path of the report."""
        from anemoi_ailand.workflows.diagnose import diagnose  # slow to import

        folder = diagnose(
            args.observations, args.dataset, args.output, checkpoint=args.checkpoint, start=args.start,
            error_years=args.error_years, candidates=args.candidates, execution=args.execution,
        )  # fmt: skip
        lines = (folder / "diagnosis.md").read_text(encoding="utf-8").splitlines()
        sys.stdout.write(f"{lines[2]}\nReport: {folder / 'diagnosis.md'}\n")


command = Diagnose
