# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Train several recipes on the same data, evaluate them alike, and write one table and one figure."""

from __future__ import annotations

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from anemoi_ailand.commands import USER_ERRORS
from anemoi_ailand.commands._options import add_options, given_options
from benchmarks.contest.settings import CONFIGS, read_contest

#: Short forms of options.
NAMED = {"dataset": "dataset", "output": "output"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Hold the contest, print its table and the paths of the results."""
    parser = ArgumentParser("python -m benchmarks.contest", description=__doc__)
    add_options(parser, f"configuration file, or a name in {CONFIGS} (default: reference)", NAMED)
    args, unknown = parser.parse_known_args(arguments)
    config, options = given_options(args, NAMED, unknown)
    settings = read_contest(config or "reference", options)  # report mistakes before the slow import
    from benchmarks.contest.contest import contest

    folder = contest(settings)
    sys.stdout.write(f"{(folder / 'table.md').read_text()}\nResults: {folder}\n")
    for result in sorted(folder.iterdir()):
        sys.stdout.write(f"  {result}\n")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        main()
    except USER_ERRORS as error:
        sys.stderr.write(f"contest: error: {error}\n")
        sys.exit(1)
