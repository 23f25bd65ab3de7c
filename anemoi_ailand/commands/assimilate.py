# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand assimilate``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from anemoi.utils.cli import Command

from anemoi_ailand.commands._options import add_options, given_options
from anemoi_ailand.commands.run import CODES

#: Short forms of options, and the keys that they set.
NAMED = {name: name for name in ("checkpoint", "data", "start", "end", "output")}


class Assimilate(Command):
    """Correct the land by observations over days to months: analysis, increments, feedback, final state, one report.

    Exit codes are those of `anemoi-ailand run`: 0 complete; 1 a defect of the program (with traceback); 2 invalid
    configuration; 3 an input is missing or does not fit, found before the first step; 4 failed during the run; 5
    stopped by SIGTERM; 130 stopped by Ctrl-C. After 4, 5 and 130 it resumes when it is started again.
    """

    accept_unknown_args = True

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        what = (
            "configuration file, or name of a packaged one, e.g. assimilation/sekf; "
            "take a copy: anemoi-ailand configs --copy assimilation/sekf my-assimilation.yaml"
        )
        add_options(command_parser, what, NAMED)
        command_parser.add_argument(
            "--dry-run", action="store_true", help="check everything, print what would be done, and run no step"
        )

    def run(self, args: Namespace, unknown: Sequence[str] = ()) -> None:
        """Assimilate, print the budget and the path of the result, and exit with the code of the outcome."""
        from anemoi_ailand.assimilation.settings import Settings
        from anemoi_ailand.rollout.run.restart import Stopped
        from anemoi_ailand.support.configuration import read_configuration
        from anemoi_ailand.workflows.assimilate import Assimilation  # slow to import

        phase = "configuration"
        try:
            config, options = given_options(args, NAMED, unknown)
            if config is None:
                raise ValueError("Give a configuration: a file, or the name of a packaged one (assimilation/sekf).")
            settings = read_configuration(config, options, Settings)
            phase = "input"
            prepared = Assimilation(settings)
            sys.stdout.write(f"{prepared.describe()}\n")
            if args.dry_run:
                return
            phase = "failed"
            folder = prepared.run()
        except Stopped as stopped:
            _leave(args, "interrupted" if stopped.by_keyboard else "stopped", stopped)
        except (ValueError, OSError) as error:
            _leave(args, phase, error)
        else:
            sys.stdout.write(f"Report: {folder / 'report' / 'index.html'}\nResult: {folder}\n")


def _leave(args: Namespace, phase: str, error: Exception) -> None:
    """Exit with the code of a phase and one line."""
    if args.debug:
        raise error
    sys.stderr.write(f"anemoi-ailand assimilate: {phase}: {error}\n")
    sys.exit(CODES[phase])


command = Assimilate
