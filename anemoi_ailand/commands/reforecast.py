# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand reforecast``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from anemoi.utils.cli import Command

from anemoi_ailand.commands._options import (
    add_checkpoint,
    add_execution,
    add_plausibility,
    add_precipitation,
    add_shards,
)


class Reforecast(Command):
    """Roll out a checkpoint from many initial dates at once into one NetCDF file or zarr (start, lead, point)."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add_checkpoint(command_parser)
        add("--dataset", required=True, help="Anemoi dataset with state and forcing")
        add("--output", default="reforecast.nc", help="file to write, or NAME.zarr (default: %(default)s)")
        add("--starts", nargs="+", metavar="DATE", help="initial dates; or give --first, --last and --every")
        add("--first", metavar="DATE", help="first initial date")
        add("--last", metavar="DATE", help="last initial date")
        add(
            "--every", type=int, default=1, metavar="DAYS", help="interval between initial dates (default: %(default)s)"
        )
        add("--days", type=int, default=10, help="length of each run (default: %(default)s)")
        add("--hours", type=int, default=6, help="interval of the lead times kept (default: %(default)s)")
        add("--points", type=int, nargs="+", help="indices of points (default: all)")
        add("--variables", nargs="+", help="variables (default: all predicted)")
        add("--device", default="cpu", help="device of torch: cpu, cuda (default: %(default)s)")
        add_execution(command_parser)
        add_precipitation(command_parser)
        add_plausibility(command_parser)
        add_shards(command_parser)
        add("--overwrite", action="store_true", help="replace an existing file")

    def run(self, args: Namespace) -> None:
        """Run and print the path of the file."""
        starts = _starts(args)
        from anemoi_ailand.rollout.outputs.zarr_store import shards_report  # slow to import
        from anemoi_ailand.rollout.reforecast.reforecast import reforecast

        if args.hours < 1 or args.days < 1:
            raise ValueError(f"--hours is {args.hours} and --days {args.days}. Give 1 or more.")
        path = reforecast(
            args.checkpoint, args.dataset, args.output, starts=starts,
            leads=range(args.hours, 24 * args.days + 1, args.hours), points=args.points, variables=args.variables,
            device=args.device, execution=args.execution, overwrite=args.overwrite,
            precipitation=args.precipitation or "mean", plausibility=args.plausibility or "error",
            shards=args.shards, shard=args.shard,
        )  # fmt: skip
        sys.stdout.write(f"{path}: {len(starts)} starts\n" if path.exists() else f"{shards_report(path)}\n")


def _starts(args: Namespace) -> list[str]:
    """Return the initial dates, given one by one or by first, last and interval."""
    from datetime import datetime, timedelta

    if args.starts and not (args.first or args.last):
        return list(args.starts)
    if args.starts or not (args.first and args.last):
        raise ValueError("Give either --starts, or --first and --last.")
    try:
        first, last = (datetime.fromisoformat(d) for d in (args.first, args.last))
    except ValueError as error:
        raise ValueError(f"--first or --last is not a date ({error}). Give e.g. 2022-01-01.") from error
    if args.every < 1:
        raise ValueError(f"--every is {args.every}. Give the days between two starts, 1 or more.")
    if last < first:
        raise ValueError(f"No start date lies between {first} and {last}. Correct the dates.")
    return [(first + timedelta(days=k)).isoformat() for k in range(0, (last - first).days + 1, args.every)]


command = Reforecast
