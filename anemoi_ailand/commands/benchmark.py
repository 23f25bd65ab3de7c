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
    """Measure the speed of training, or of roll-outs, side by side with a plain loop over the network.

    `training`: a plain PyTorch loop, anemoi-training with this package, anemoi-training alone. `rollout`: the network
    called on all rows at once, in blocks, and whole runs that read forcing and write output.
    """

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add("what", choices=["training", "rollout"], help="what is measured")
        add("--dataset", type=Path, required=True, help="dataset to train on or to run with")
        add("--points", type=int, nargs="+", help="repeat the points of the dataset to so many, in a temporary folder")
        add("--rounds", type=int, default=3, help="rounds, all in turn (default: 3)")
        of_training = command_parser.add_argument_group("training").add_argument
        of_training("--override", nargs="+", default=[], metavar="key=value", help="changes of the configuration")
        of_training("--config-name", default="ailand", help="training configuration (default: ailand)")
        of_training("--rollout", type=int, default=4, help="steps of a sample (default: 4)")
        of_training("--batches", type=int, default=20, help="batches that are timed in a round (default: 20)")
        of_training(
            "--stock-windows", type=int, help="windows of a batch for anemoi-training alone (default: same rows)"
        )
        of_training("--dates", type=int, default=120, help="with --points: dates of that dataset (default: 120)")
        of_rollout = command_parser.add_argument_group("rollout").add_argument
        of_rollout("--checkpoint", default="ailand", help="name or path (default: ailand)")
        of_rollout("--steps", type=int, default=24, help="steps of a run (default: 24)")
        of_rollout("--threads", type=int, default=1, help="threads of the network (default: 1)")
        of_rollout("--format", default="land-netcdf", help="output of the runs (default: land-netcdf)")
        of_rollout(
            "--folder", type=Path, help="where datasets and output are for the while (default: a temporary folder)"
        )

    def run(self, args: Namespace) -> None:
        """Measure and print a table."""
        if args.what == "training":
            _training(args)
        else:
            _rollout(args)


def _rollout(args: Namespace) -> None:
    from benchmarks.speed.rollout import benchmark, table  # slow to import

    for name in ("anemoi.inference", "anemoi_ailand", "anemoi.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    sizes = benchmark(
        args.checkpoint, args.dataset, args.points or [1000, 40000], steps=args.steps, rounds=args.rounds,
        threads=args.threads, output=args.format, folder=args.folder,
    )  # fmt: skip
    sys.stdout.write(table(sizes, args.threads))


def _training(args: Namespace) -> None:
    from benchmarks.speed.repeated import repeat_points  # slow to import
    from benchmarks.speed.training import Setting, benchmark, table

    logging.getLogger("anemoi.training").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        dataset, options = args.dataset, list(args.override)
        if args.points:
            dataset = Path(folder) / "repeated.zarr"
            repeat_points(args.dataset, dataset, args.points[0], args.dates)
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
