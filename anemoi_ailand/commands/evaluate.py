# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand evaluate``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from anemoi.utils.cli import Command


class Evaluate(Command):
    """Evaluate checkpoints and forecasts against ecLand: scores, figures, and one report to read."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add(
            "config",
            nargs="?",
            help="configuration file (default: the packaged configs/evaluation/evaluate.yaml); "
            "take a copy: anemoi-ailand configs --copy evaluation/evaluate my-evaluation.yaml",
        )
        add("options", nargs="*", metavar="key=value", help="options that replace those of the file")
        add("--checkpoint", help="short for checkpoints.emulator=...")
        add("--dataset", help="short for dataset=...")
        add("--output", help="short for output=...")

    def run(self, args: Namespace) -> None:
        """Evaluate and say where the report is."""
        from anemoi_ailand.evaluate import evaluate  # slow to import
        from anemoi_ailand.evaluation.settings import read_settings
        from anemoi_ailand.resources import find

        options = list(args.options)
        config = args.config
        if config is not None and "=" in config:
            config, options = None, [config, *options]
        named = {"checkpoints.emulator": args.checkpoint, "dataset": args.dataset, "output": args.output}
        options += [f"{key}={value}" for key, value in named.items() if value is not None]
        path = Path(config) if config else find("configs", "evaluation/evaluate")
        page = evaluate(read_settings(path, options))
        sys.stdout.write(f"{(page.parent.parent / 'table.md').read_text()}\nReport: {page}\n")


command = Evaluate
