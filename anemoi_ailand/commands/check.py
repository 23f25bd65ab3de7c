# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand check``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from anemoi.utils.cli import Command

#: Exit code where something impossible was found, that of `run` for an input that does not fit.
FOUND = 3


class Check(Command):
    """Report on data before anything is run: period, ranges, impossible and implausible values, clock, water budget.

    Exit codes: 0 nothing impossible; 1 the data cannot be read; 3 something impossible, or with --strict implausible.
    """

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add("path", nargs="+", help="files, folder or pattern in any layout, or an Anemoi dataset *.zarr")
        add("--static", help="file of the constant fields, unless it accompanies the others")
        add("--layout", default="auto", help="layout that is not recognised (default: %(default)s)")
        add("--output", default="check", help="folder of the report (default: %(default)s)")
        add("--strict", action="store_true", help="exit with 3 for implausible values as well")

    def run(self, args: Namespace) -> None:
        """Check, print the findings and the path of the report, and exit with the code of the outcome."""
        from anemoi_ailand.workflows.check import check  # slow to import

        path = args.path[0] if len(args.path) == 1 else args.path
        folder, found = check(path, args.output, static=args.static, layout=args.layout)
        for finding in found:
            sys.stdout.write(f"{'impossible' if finding.error else 'implausible'}: {finding}\n")
        sys.stdout.write(f"Findings: {len(found)}. Report: {folder / 'report.md'}\n")
        if any(finding.error or args.strict for finding in found):
            sys.exit(FOUND)  # what a run would do


command = Check
