# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command anemoi-ailand: the parts of the land emulator that the commands of Anemoi do not cover."""

from __future__ import annotations

import atexit
import gc
import re
import sys
import textwrap
from argparse import ArgumentParser
from collections.abc import Sequence

from anemoi.utils.cli import cli_main, make_parser

from anemoi_ailand import __version__
from anemoi_ailand.commands import COMMANDS, GROUPS, INTERRUPTED, Guarded
from anemoi_ailand.support.options import suggestion

#: Options of the program, which stand before a command.
_BEFORE = ("--version", "--debug", "--rich")
#: New objects between two searches for unreachable ones: imports make a million that stay, and Python's 700 would cost
#: a short command a tenth of its time.
NEW_OBJECTS = 50_000


def create_parser() -> ArgumentParser:
    """Build the parser of the command line with all commands."""
    return make_parser(__doc__, COMMANDS)


def overview() -> str:
    """Return the help of the program: its commands by purpose, each with its first sentence."""
    lines = ["usage: anemoi-ailand [--version] [--debug] [--rich] COMMAND ...", "", __doc__.strip()]
    width = max(map(len, COMMANDS)) + 4
    for purpose, names in GROUPS.items():
        lines += ["", f"{purpose}:"]
        for name in names:
            sentence = " ".join((COMMANDS[name].__doc__ or "").split()).partition(". ")[0].rstrip(".")
            lines += textwrap.wrap(
                sentence, 100, initial_indent=f"  {name:<{width - 2}}", subsequent_indent=" " * width
            )
    return "\n".join([*lines, "", "More about one: anemoi-ailand COMMAND --help", ""])


def unknown_command(arguments: Sequence[str]) -> str | None:
    """Return the message about a command that does not exist, with the nearest one; None if it exists or is missing."""
    name = next((word for word in arguments if not word.startswith("-")), None)
    if name is None or name in COMMANDS:
        return None
    return f"anemoi-ailand: error: There is no command '{name}'. {suggestion(name, COMMANDS)}."


def unknown_option(arguments: Sequence[str]) -> str | None:
    """Return the message about an option that its command does not have, with the nearest one; None without any."""
    at = next((i for i, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    command = COMMANDS.get(arguments[at]) if at < len(arguments) else None
    if not isinstance(command, Guarded):  # no command, or one that could not be imported
        return None
    parser = ArgumentParser()
    command.add_arguments(parser)
    known = [*re.findall(r"--[a-z][a-z-]*", parser.format_usage()), "--help"]
    for word in arguments[at + 1 :]:
        option = word.partition("=")[0]
        if word == "--":
            return None
        if option.startswith("--") and not any(name.startswith(option) for name in known):
            here = f"anemoi-ailand {command.command}: error: "
            if option in _BEFORE:
                return f"{here}Write '{option}' before the command: anemoi-ailand {option} {command.command} ..."
            settings = " Settings of the configuration are written key=value." if command.accept_unknown_args else ""
            return f"{here}There is no option '{option}'. {suggestion(option, known)}.{settings}"
    return None


def main() -> None:
    """Parse the command line and run the command."""
    if sys.argv[1:] in ([], ["-h"], ["--help"]):
        sys.stdout.write(overview())
        return
    if message := unknown_command(sys.argv[1:]) or unknown_option(sys.argv[1:]):
        sys.stderr.write(f"{message}\n")
        sys.exit(2)
    gc.set_threshold(NEW_OBJECTS)
    # else Python searches through all modules once more at its end, which takes half a second
    atexit.register(gc.freeze)
    try:
        cli_main(__version__, __doc__, COMMANDS)
    except KeyboardInterrupt:  # before or after the command itself
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
