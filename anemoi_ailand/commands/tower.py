# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand tower``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from anemoi.utils.cli import Command

from anemoi_ailand.commands._options import add_execution, add_plausibility, add_precipitation


class Tower(Command):
    """Run a network with the weather of a tower's own file: FLUXNET CSV, ALMA NetCDF, or a CSV with named columns."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add("path", metavar="FILE", help="half-hourly or hourly file of the tower, in local standard time")
        add("--site", help="properties of the site: YAML file, or CSV table with a row for each site")
        add("--name", help="name in titles, and the row of a CSV table (default: that of the site or the file)")
        add("--lat", type=float, dest="latitude", help="latitude of the tower, unless file or site gives it [degrees]")
        add("--lon", type=float, dest="longitude", help="longitude, from -180 to 360")
        add(
            "--utc-offset",
            type=float,
            help="local standard time minus UTC [h], e.g. -7 (default: from the file or site)",
        )
        add(
            "--column",
            action="append",
            metavar="QUANTITY=NAME[UNIT]",
            help="column of a quantity, e.g. temperature='AirT [degC]'; may be repeated",
        )
        add("--stamp", choices=("start", "end"), help="meaning of the stamps (default: as the file or archive says)")
        add("--dataset", help="dataset or files whose nearest point gives missing properties and the initial state")
        add("--within", type=float, help="largest distance of that point [km] (default: 100)")
        add("--checkpoint", help="inference checkpoint, or name of a pretrained network (default: ailand)")
        add("--start", help="initial date, UTC (default: the first midnight of the file)")
        length = command_parser.add_mutually_exclusive_group()
        length.add_argument("--lead", help="length of the run, e.g. 364d (default: to the end of the file)")
        length.add_argument("--end", help="last date, included; a day means its last date")
        add("--spin-up", type=int, help="longest spin-up by repeating the file [years], 0 for none (default: 30)")
        add("--output", default="tower", help="folder of the result (default: %(default)s)")
        add("--device", help="device of torch: cpu, cuda (default: cpu)")
        add_execution(command_parser, default=None)
        add_precipitation(command_parser)
        add_plausibility(command_parser)

    def run(self, args: Namespace) -> None:
        """Run, print what was run and the path of the result; means and rules are in its table."""
        from anemoi_ailand.workflows.tower import tower  # slow to import

        unlike = [text for text in args.column or [] if "=" not in text]
        if unlike:
            raise ValueError(f"`--column` is {unlike}. Give QUANTITY=NAME or QUANTITY='NAME [UNIT]'.")
        names = (
            "site", "name", "latitude", "longitude", "utc_offset", "stamp", "dataset", "within", "checkpoint", "start",
            "lead", "end", "spin_up", "device", "execution", "precipitation",
            "plausibility",
        )  # fmt: skip
        options: dict[str, Any] = {n: v for n in names if (v := getattr(args, n)) is not None}
        if args.column:
            options["columns"] = dict(text.split("=", 1) for text in args.column)
        folder = tower(args.path, args.output, **options)
        sentence = (folder / "table.md").read_text(encoding="utf-8").partition("\n")[0]
        sys.stdout.write(f"{sentence}\nMean, range and all rules: {folder / 'table.md'}\nResult: {folder}\n")


command = Tower
