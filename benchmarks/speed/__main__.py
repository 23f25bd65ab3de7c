# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Measure the speed of training, of roll-outs, or of a step, side by side with yardsticks in the same run.

``training``: a plain PyTorch loop, anemoi-training with this package (plain and compiled step), and without.
``rollout``: the network called on all rows at once, in blocks, and whole runs that read forcing and write output.
``step``: matrix products, network, step, grid, single site and whole runs on one core, plain and compiled, for several
networks. ``gpu``: roll-outs on a CUDA device, see also ``benchmarks/gpu.sh``. ``scale``: training on a made store of
the size of N320, and the same training on the given one, which is kept in memory. ``shards``: roll-outs by shards and
an evaluation of all points on such a store.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

import yaml


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    args = create_parser().parse_args(arguments)
    measure = {
        "training": _training,
        "rollout": _rollout,
        "step": _step,
        "gpu": _gpu,
        "scale": _scale,
        "shards": _shards,
    }[args.what]
    sys.stdout.write(measure(args))


def create_parser() -> ArgumentParser:
    """Make the parser of the command line."""
    parser = ArgumentParser("python -m benchmarks.speed", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    names = ("training", "rollout", "step", "gpu", "scale", "shards")
    training, rollout, step, gpu, scale, shards = (what.add_parser(name) for name in names)
    for each in (training, rollout, step, gpu, scale, shards):
        each.add_argument("--dataset", type=Path, required=True, help="dataset to train on or to run with")
    for each in (training, rollout, step, scale):
        each.add_argument("--rounds", type=int, default=3, help="rounds, all entrants in turn (default: 3)")
    add = training.add_argument
    add("--points", type=int, help="repeat the points of the dataset up to this number, in a temporary folder")
    add("--dates", type=int, default=120, help="with --points: dates of that dataset (default: 120)")
    for each, batches in ((training, 20), (scale, 2000)):
        add = each.add_argument
        add("--override", nargs="+", default=[], metavar="key=value", help="changes to the configuration")
        add("--config-name", default="ailand", help="training configuration (default: ailand)")
        add("--rollout", type=int, default=4, help="steps of a sample (default: 4)")
        add("--batches", type=int, default=batches, help=f"timed batches of a round (default: {batches})")
    add = training.add_argument
    add("--stock-windows", type=int, help="windows of a batch for anemoi-training alone (default: same rows)")
    add = rollout.add_argument
    add("--points", type=int, nargs="+", default=[1000, 40000], help="sizes (default: 1000 40000)")
    add("--checkpoint", default="ailand", help="name or path (default: ailand)")
    add("--steps", type=int, default=24, help="steps of a run (default: 24)")
    add("--threads", type=int, default=1, help="threads of the network (default: 1)")
    add("--format", default="land-netcdf", help="output of the runs, also with options as YAML (default: land-netcdf)")
    add("--folder", type=Path, help="folder for temporary datasets and output")
    add("--execution", choices=("plain", "compiled"), default="plain", help="of the step (default: plain)")
    add = step.add_argument
    add("--networks", nargs="+", help="ailand-small, ailand, ailand-large, ailand-v1 (default: all)")
    add("--points", type=int, default=40000, help="points of the grid (default: 40000)")
    add("--ecland", type=float, help="point-steps a second of ecLand measured on a core of this machine")
    add = gpu.add_argument
    add("--networks", nargs="+", default=["ailand", "ailand-small"], help="names or paths (default: both packaged)")
    add("--points", type=int, nargs="+", default=[1, 1000, 40000, 171039, 1000000], help="sizes (default: 1 to 10^6)")
    add("--inductor", action="store_true", help="have torch generate kernels, which takes minutes")
    for each in (scale, shards):
        add = each.add_argument
        add("--store", type=Path, required=True, help="store with the points of --dataset repeated, made if missing")
        add("--points", type=int, default=171039, help="points of that store (default: 171039, N320)")
    add = shards.add_argument
    add("--checkpoint", default="ailand", help="name or path (default: ailand)")
    add("--dates", type=int, default=60, help="dates of that store that are scored, 0 for none (default: 60)")
    add("--steps", type=int, default=8, help="steps of the roll-outs (default: 8)")
    add("--shards", type=int, nargs="+", default=[1, 2, 3], help="numbers of shards (default: 1 2 3)")
    add("--variables", nargs="+", default=["swvl1", "stl1", "slhf"], help="that are scored (default: swvl1 stl1 slhf)")
    add = scale.add_argument
    add("--dates", type=int, default=300, help="dates of that store (default: 300)")
    add("--memory-gb", type=float, help="memory of the pool (default: as a training chooses it)")
    return parser


def _scale(args: Namespace) -> str:
    from benchmarks.speed.scale import Size, benchmark, table  # slow to import
    from benchmarks.speed.training import Setting

    logging.basicConfig()  # decisions of the trainings, and the rate of each
    for name in ("anemoi_ailand.training", "benchmarks"):
        logging.getLogger(name).setLevel(logging.INFO)
    setting = Setting(args.config_name, tuple(args.override), args.rollout, args.batches, rounds=args.rounds)
    size = Size(args.points, args.dates, args.memory_gb)
    return table(benchmark(args.dataset, args.store, setting, size))


def _shards(args: Namespace) -> str:
    from benchmarks.speed.shards import Size, benchmark  # slow to import

    size = Size(args.points, args.dates, args.steps, tuple(args.variables), tuple(args.shards))
    return benchmark(args.dataset, args.store, args.checkpoint, size)


def _gpu(args: Namespace) -> str:
    from benchmarks.speed.accelerator import benchmark, lines  # slow to import

    for line in lines(benchmark(args.dataset, args.networks, args.points, args.inductor), args.inductor):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()  # a script may stop the measurement, and keeps what there is
    return ""


def _step(args: Namespace) -> str:
    from benchmarks.speed.step import Setting, benchmark, table  # slow to import

    for name in ("anemoi.inference", "anemoi_ailand", "anemoi.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    networks = tuple(args.networks or Setting.networks)
    setting = Setting(args.dataset, networks, args.rounds, points=args.points, ecland=args.ecland)
    return table(benchmark(setting), setting)


def _rollout(args: Namespace) -> str:
    from benchmarks.speed.rollout import benchmark, table  # slow to import

    for name in ("anemoi.inference", "anemoi_ailand", "anemoi.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    sizes = benchmark(
        args.checkpoint, args.dataset, args.points, steps=args.steps, rounds=args.rounds, threads=args.threads,
        output=yaml.safe_load(args.format), folder=args.folder, execution=args.execution,
    )  # fmt: skip
    return table(sizes, args.threads)


def _training(args: Namespace) -> str:
    from benchmarks.speed.repeated import repeat_points  # slow to import
    from benchmarks.speed.training import Setting, benchmark, table

    logging.getLogger("anemoi.training").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        dataset, options = args.dataset, list(args.override)
        if args.points:
            dataset = Path(folder) / "repeated.zarr"
            repeat_points(args.dataset, dataset, args.points, args.dates)
            # train on all dates; validation is skipped, but needs a period within the dataset
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
        return table(benchmark(setting))


if __name__ == "__main__":
    main()
