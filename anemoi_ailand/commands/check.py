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
    """Report on data or a checkpoint before anything is run.

    Of data: period, ranges, impossible and implausible values, clock, water budget, with --checkpoint their distance
    from its training data. Of a checkpoint: checksum, variables, options, training data, weights, a trial step.

    Exit codes: 0 nothing impossible; 1 nothing can be read; 3 something impossible, a checkpoint that a run refuses, or
    with --strict something implausible.
    """

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add("path", nargs="+", help="files, folder or pattern in any layout, an Anemoi dataset, or a checkpoint")
        add("--static", help="file of the constant fields, unless it accompanies the others")
        add("--layout", default="auto", help="layout that is not recognised (default: %(default)s)")
        add("--checkpoint", help="network, with whose training data the data are compared")
        add("--output", default="check", help="folder of the report (default: %(default)s)")
        add("--strict", action="store_true", help="exit with 3 for implausible values as well")

    def run(self, args: Namespace) -> None:
        """Check, print the findings and the path of the report, and exit with the code of the outcome."""
        from anemoi_ailand.workflows.check import check  # slow to import
        from anemoi_ailand.workflows.check_checkpoint import check_checkpoint, is_checkpoint

        if len(args.path) == 1 and is_checkpoint(args.path[0]):
            folder, wrong = check_checkpoint(args.path[0], args.output)
            sys.stdout.write("".join(f"wrong: {text}\n" for text in wrong))
            sys.stdout.write(f"Findings: {len(wrong)}. Report: {folder / 'report.md'}\n")
            sys.exit(FOUND if wrong else 0)
        path = args.path[0] if len(args.path) == 1 else args.path
        folder, found = check(path, args.output, static=args.static, layout=args.layout, checkpoint=args.checkpoint)
        for finding in found:
            sys.stdout.write(f"{'impossible' if finding.error else 'implausible'}: {finding}\n")
        sys.stdout.write(f"Findings: {len(found)}. Report: {folder / 'report.md'}\n")
        if any(finding.error or args.strict for finding in found):
            sys.exit(FOUND)  # what a run would do


command = Check
