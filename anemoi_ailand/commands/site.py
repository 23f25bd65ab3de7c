# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand site``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from contextlib import nullcontext
from typing import Any

from anemoi.utils.cli import Command

from anemoi_ailand.commands._options import add_execution, add_plausibility, add_precipitation


class Site(Command):
    """Run a network at one or more places: series, figure and scores against ecLand at the nearest points."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add("--lat", type=float, action="append", help="latitude of a place [degrees]; may be repeated")
        add("--lon", type=float, action="append", help="longitude, from -180 to 360, one for each --lat")
        add("--name", action="append", help="name of the place, one for each --lat (default: its coordinates)")
        add("--sites", help="CSV file of places with columns name,lat,lon, instead of --lat and --lon")
        data = command_parser.add_mutually_exclusive_group(required=True)
        data.add_argument("--dataset", help="Anemoi dataset with state and forcing")
        data.add_argument("--sample", action="store_true", help="build a dataset from the packaged sample first (10 s)")
        add("--checkpoint", help="inference checkpoint, or name of a pretrained network (default: ailand)")
        add("--start", help="initial date, UTC (default: the first midnight of the dataset)")
        length = command_parser.add_mutually_exclusive_group()
        length.add_argument("--lead", help="length of the run, e.g. 364d or 8754h (default: to the end of the dataset)")
        length.add_argument("--end", help="last date, included; a day means its last date")
        add("--within", type=float, help="largest distance of a point from its place [km] (default: 100)")
        add(
            "--extract-only",
            action="store_true",
            help="write the variables of the dataset at the places to a file, without a run",
        )
        add("--output", help="folder of the result (default: site); with --extract-only, the file (default: site.nc)")
        add("--device", help="device of torch: cpu, cuda (default: cpu)")
        add_execution(command_parser, default=None)
        add_precipitation(command_parser)
        add_plausibility(command_parser)

    def run(self, args: Namespace) -> None:
        """Run or extract, and print the path of the result."""
        from anemoi_ailand.evaluation.sites.places import places_given, places_of_file
        from anemoi_ailand.rollout.reforecast.period import check_options
        from anemoi_ailand.workflows.site import SAMPLE, extract, sample_dataset, site  # slow to import

        if args.sites and (args.lat or args.lon or args.name):
            raise ValueError("Both `--sites` and `--lat`, `--lon` or `--name` are given. Give one of them.")
        of_run = ("checkpoint", "device", "execution", "precipitation", "plausibility")
        if args.extract_only and any(getattr(args, n) for n in of_run):
            listed = ", ".join(f"`--{n}`" for n in of_run)
            raise ValueError(f"`--extract-only` runs nothing. Omit {listed}.")
        places = places_of_file(args.sites) if args.sites else places_given(args.lat or [], args.lon or [], args.name)
        check_options(args.start, args.lead, args.end)
        names = ("start", "lead", "end", "within", "checkpoint", "device", "execution", "precipitation", "plausibility")
        options: dict[str, Any] = {n: v for n in names if (v := getattr(args, n)) is not None}
        with sample_dataset() if args.sample else nullcontext(args.dataset) as dataset:
            if args.sample:
                options["dataset_name"] = SAMPLE
            if args.extract_only:
                sys.stdout.write(f"Result: {extract(places, dataset, args.output or 'site.nc', **options)}\n")
                return
            folder = site(places, dataset, args.output or "site", **options)
        sys.stdout.write(f"{(folder / 'table.md').read_text()}\nResult: {folder}\n")


command = Site
