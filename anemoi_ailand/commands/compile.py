# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand compile``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from anemoi.utils.cli import Command


class Compile(Command):
    """Compile the step of a network to machine code once for this machine; later runs take it from the user's cache.

    It takes a few minutes, and less for a second network, as the physics is shared. It needs a C++ compiler: g++, or
    the one named by $CXX. The result is kept in ~/.cache/anemoi-ailand, or in the folder named by $AILAND_CACHE.
    Another version of torch or of this package, and another kind of processor, need their own.
    """

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        command_parser.add_argument(
            "checkpoint",
            nargs="*",
            default=["ailand"],
            help="inference checkpoints, or names of pretrained networks (default: ailand)",
        )

    def run(self, args: Namespace) -> None:
        """Compile, and print where the result is; an error if that is not possible."""
        from anemoi_ailand.rollout.step.compiled_step import cache_folder, open_step  # slow to import

        for checkpoint in args.checkpoint:
            step = open_step(checkpoint, execution="compiled")
            if step.compiled is None:
                raise ValueError(f"The step of {checkpoint} cannot be compiled here; the reason is above.")
            sys.stdout.write(f"{checkpoint}: {step.execution}, in {cache_folder()}\n")


command = Compile
