# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The commands of ``anemoi-ailand``: parse, call, print.

One module per command; it holds ``command``, a subclass of :class:`anemoi.utils.cli.Command` whose docstring is the
help text. All modules are imported at every start, so that slow imports (torch, xarray) belong into ``run``.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from anemoi.utils.cli import Command, Failed, register_commands

#: Errors that a user can repair; all others are defects of the program and keep their traceback.
USER_ERRORS = (ValueError, OSError)


class Guarded(Command):
    """Command that turns an error of the user into one line and exit code 1, or that which the error names.

    With ``--debug`` the error passes, and its traceback is shown.
    """

    def __init__(self, inner: Any, name: str) -> None:
        self.inner = inner
        self.command = name
        self.aliases = inner.aliases
        self.accept_unknown_args = inner.accept_unknown_args
        self.__doc__ = inner.__doc__

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the wrapped command."""
        command_parser.prog = f"anemoi-ailand {self.command}"  # also with `python -m`
        self.inner.add_arguments(command_parser)

    def check(self, parser: ArgumentParser, args: Namespace) -> None:
        """Check the arguments as the wrapped command does."""
        self.inner.check(parser, args)

    def run(self, args: Namespace, *unknown: list[str]) -> None:
        """Run the wrapped command."""
        try:
            self.inner.run(args, *unknown)
        except USER_ERRORS as error:
            if args.debug:
                raise
            sys.stderr.write(f"anemoi-ailand {self.command}: error: {error}\n")
            sys.exit(getattr(error, "exit_code", 1))


COMMANDS: dict[str, Command] = {
    name.replace("_", "-"): command if isinstance(command, Failed) else Guarded(command, name.replace("_", "-"))
    for name, command in register_commands(
        str(Path(__file__).parent), __name__, lambda module: module.command(), Failed
    ).items()
}

#: Names of the commands by what a user wants, in the order of the help text.
GROUPS = {
    "See it work": ("quickstart", "pretrained"),
    "Run the land": ("tower", "site", "run", "reforecast"),
    "Judge data and a network": ("check", "evaluate", "stability"),
    "Start your own: files for anemoi-datasets, anemoi-training and anemoi-inference": ("recipes", "configs"),
    "Take a network elsewhere, or make it fast": ("export", "compile"),
}
