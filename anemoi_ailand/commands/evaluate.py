# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand evaluate``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from anemoi.utils.cli import Command

from anemoi_ailand.commands._options import add_options, given_options

#: Short forms of options, and the keys that they set.
NAMED = {"checkpoint": "checkpoints.emulator", "dataset": "dataset", "output": "output"}


class Evaluate(Command):
    """Evaluate checkpoints and forecasts against ecLand: scores, figures, and one report to read."""

    accept_unknown_args = True

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        what = (
            "configuration file, or name of a packaged one (default: evaluation/evaluate); "
            "take a copy: anemoi-ailand configs --copy evaluation/evaluate my-evaluation.yaml"
        )
        add_options(command_parser, what, NAMED)

    def run(self, args: Namespace, unknown: Sequence[str] = ()) -> None:
        """Evaluate, print the table and the path of the report."""
        from anemoi_ailand.evaluation.settings import read_settings
        from anemoi_ailand.workflows.evaluate import evaluate  # slow to import

        config, options = given_options(args, NAMED, unknown)
        given = [option.partition("=")[0] for option in options]
        if not config and any(k.startswith("checkpoints.") for k in given) and NAMED["checkpoint"] not in given:
            options = [f"{NAMED['checkpoint']}=null", *options]  # a network of the user replaces the default one
        page = evaluate(read_settings(config or "evaluation/evaluate", options))
        sys.stdout.write(f"{(page.parent.parent / 'table.md').read_text()}\nReport: {page}\n")


command = Evaluate
