# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command anemoi-ailand: the parts of the land emulator that the commands of Anemoi do not cover."""

from __future__ import annotations

from argparse import ArgumentParser

from anemoi.utils.cli import cli_main, make_parser

from anemoi_ailand import __version__
from anemoi_ailand.commands import COMMANDS


def create_parser() -> ArgumentParser:
    """Build the parser of the command line with all commands."""
    return make_parser(__doc__, COMMANDS)


def main() -> None:
    """Parse the command line and run the command."""
    cli_main(__version__, __doc__, COMMANDS)


if __name__ == "__main__":
    main()
