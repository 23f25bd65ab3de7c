# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand compare``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from anemoi.utils.cli import Command


class Compare(Command):
    """Compare a forecast with the reference: metrics.json, one table, three figures."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add("--forecast", required=True, help="NetCDF file written by the output 'land-netcdf'.")
        add("--reference", required=True, help="Anemoi dataset with the truth and the years before it.")
        add("--output", required=True, help="Folder for the result; an earlier result there is replaced.")
        add(
            "--training-period",
            nargs=2,
            metavar=("START", "END"),
            help="Years for the climatology, shaded in the figures, e.g. 2018 2019; "
            "default: all of the reference before the forecast.",
        )
        add(
            "--held-out-every",
            type=int,
            metavar="N",
            help="Points whose point_id is divisible by N were never trained on; "
            "default: the variable held_out of the reference, or N = 5 without it.",
        )
        add("--map-date", metavar="DATE", help="Date of the map, e.g. 2020-07-01T12:00; default: middle of the run.")

    def run(self, args: Namespace) -> None:
        """Compare and write the result."""
        from anemoi_ailand.evaluation.comparison import compare  # slow to import

        compare(
            args.forecast,
            args.reference,
            args.output,
            training_period=tuple(args.training_period) if args.training_period else None,
            held_out_every=args.held_out_every,
            map_date=args.map_date,
        )


command = Compare
