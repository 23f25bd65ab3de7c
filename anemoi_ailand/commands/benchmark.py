# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand benchmark``."""

from __future__ import annotations

import logging
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from anemoi.utils.cli import Command


class Benchmark(Command):
    """Measure the speed of training: a plain PyTorch loop, anemoi-training with this package, anemoi-training alone."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add("what", choices=["training"], help="what is measured")
        add(
            "--override", nargs="+", default=[], metavar="key=value", help="changes of the configuration, as for anemoi"
        )
        add("--dataset", type=Path, required=True, help="dataset to train on")
        add("--config-name", default="ailand", help="training configuration (default: ailand)")
        add("--rollout", type=int, default=4, help="steps of a sample (default: 4)")
        add("--batches", type=int, default=20, help="batches that are timed in a round (default: 20)")
        add("--rounds", type=int, default=3, help="rounds, the three in turn (default: 3)")
        add("--stock-windows", type=int, help="windows of a batch for anemoi-training alone (default: same rows)")
        add("--points", type=int, help="repeat the points of the dataset to so many, in a temporary folder")
        add("--dates", type=int, default=120, help="with --points: dates of that dataset (default: 120)")

    def run(self, args: Namespace) -> None:
        """Measure and print a table."""
        from anemoi_ailand.data.repeated import repeat_points  # slow to import
        from anemoi_ailand.training.benchmark import Setting, benchmark, table

        logging.getLogger("anemoi.training").setLevel(logging.WARNING)
        with tempfile.TemporaryDirectory() as folder:
            dataset, options = args.dataset, list(args.override)
            if args.points:
                dataset = Path(folder) / "repeated.zarr"
                repeat_points(args.dataset, dataset, args.points, args.dates)
                # all of it is for training; validation is not run, but has to be a period of the dataset
                options += [f"dataloader.{use}.datasets.data.{end}=null" for use in ("validation", "test")
                            for end in ("start", "end")]  # fmt: skip
            setting = Setting(
                config=args.config_name,
                overrides=(f"system.input.dataset={dataset}", *options),
                n_steps=args.rollout,
                n_batches=args.batches,
                rounds=args.rounds,
                stock_windows=args.stock_windows,
            )
            sys.stdout.write(table(benchmark(setting)))


command = Benchmark
