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
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from anemoi.utils.cli import Command, Failed, register_commands

from anemoi_ailand.support.options import UnknownOption

#: Errors that a user can repair; all others are defects of the program and keep their traceback.
USER_ERRORS = (ValueError, OSError, UnknownOption)

#: Beginning of the errors of the NetCDF library.
_OF_LIBRARY = "NetCDF: "

#: Commands that load a checkpoint, which have the option ``--trust``.
LOADING = (
    "run", "reforecast", "assimilate", "evaluate", "stability", "export", "compile", "site", "tower", "calibrate",
    "check", "diagnose",
)  # fmt: skip

#: Exit code of a program that was interrupted from the keyboard, as shells have it.
INTERRUPTED = 130


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
        if self.command in LOADING:
            what = (
                "load checkpoints of unknown checksum, which can execute anything; give it only if you know the source"
            )
            command_parser.add_argument("--trust", action="store_true", help=what)

    def check(self, parser: ArgumentParser, args: Namespace) -> None:
        """Check the arguments as the wrapped command does."""
        self.inner.check(parser, args)

    def run(self, args: Namespace, *unknown: list[str]) -> None:
        """Run the wrapped command."""
        try:
            with self._trusting(args):
                self.inner.run(args, *unknown)
        except KeyboardInterrupt:
            if args.debug:
                raise
            sys.stderr.write(f"\nanemoi-ailand {self.command}: interrupted\n")
            sys.exit(INTERRUPTED)
        except (*USER_ERRORS, RuntimeError) as error:
            # the NetCDF library reports a damaged file, or one that cannot be written, without a class of its own
            library = str(error).startswith(_OF_LIBRARY)
            if args.debug or not (isinstance(error, USER_ERRORS) or library):
                raise
            sys.stderr.write(f"anemoi-ailand {self.command}: error: {error}\n")
            sys.exit(getattr(error, "exit_code", 1))

    @staticmethod
    def _trusting(args: Namespace) -> AbstractContextManager[None]:
        if not getattr(args, "trust", False):
            return nullcontext()
        from anemoi_ailand.rollout.step.trust import trusting  # slow to import

        return trusting(True)


COMMANDS: dict[str, Command] = {
    name.replace("_", "-"): command if isinstance(command, Failed) else Guarded(command, name.replace("_", "-"))
    for name, command in register_commands(
        str(Path(__file__).parent), __name__, lambda module: module.command(), Failed
    ).items()
}

#: Names of the commands by what a user wants, in the order of the help text.
GROUPS = {
    "See it work": ("quickstart", "pretrained"),
    "Run the land": ("tower", "site", "run", "reforecast", "assimilate"),
    "Judge data and a network": ("check", "evaluate", "stability", "calibrate"),
    "Judge the physical model": ("diagnose",),
    "Start your own: files for anemoi-datasets, anemoi-training and anemoi-inference": ("recipes", "configs"),
    "Take a network elsewhere, or make it fast": ("export", "compile"),
}
