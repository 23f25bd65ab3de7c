# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand run``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from anemoi.utils.cli import Command

#: Exit codes of failures, by phase; 1 is a defect of the program, with a traceback.
CODES = {"configuration": 2, "input": 3, "failed": 4, "stopped": 5, "interrupted": 130}


class Run(Command):
    """Run the land as `anemoi-inference run` does, for operations: dry runs, short errors, exit codes.

    Exit codes: 0 complete; 1 a defect of the program (with traceback); 2 invalid configuration; 3 an input is missing
    or does not fit, found before the first step; 4 failed during the run (forcing, disk), the output so far is valid;
    5 stopped by SIGTERM; 130 stopped by Ctrl-C (a second one interrupts the step). After 4, 5 and 130 a run with
    `restart` resumes when it is started again.
    """

    accept_unknown_args = True

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        command_parser.add_argument(
            "config", help="configuration file, or name of a packaged one, e.g. inference/rollout"
        )
        command_parser.add_argument(
            "overrides", nargs="*", metavar="key=value", help="options that override those of the file"
        )
        command_parser.add_argument(
            "--dry-run", action="store_true", help="check everything, print the cost of the run, and run no step"
        )

        command_parser.add_argument("--strict", action="store_true", help="make warnings of implausible values errors")

    def run(self, args: Namespace, unknown: Sequence[str] = ()) -> None:
        """Run and exit with the code of the outcome."""
        from anemoi_ailand.rollout.run.launch import Failure, launch  # slow to import

        try:
            launch(args.config, [*args.overrides, *unknown], dry_run=args.dry_run, strict=args.strict)
        except Failure as failure:
            if args.debug:
                raise
            sys.stderr.write(f"anemoi-ailand run: {failure.what}: {failure}\n")
            sys.exit(CODES[failure.what])


command = Run
