# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Renew the tables and figures of docs/results/ and the numbers in README.md from the packaged networks.

    make results [ONLY=real-weather]         python -m tools.results [PART ...] --reference reference.zarr

Data: the reference dataset, the folder of the towers (``long/``, ``ecland_2019.nc``), that of the hand-set sites, the
file of ecLand's finite differences, and the folder of ecLand with an altered parameter (nature).
A part whose data are absent is skipped. What has not changed since the last call (network, data, code) is taken from
the folder of results, in which an interrupted call resumes. Pages on speed, export and the contest are made by
``benchmarks`` and ``anemoi-ailand export``.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.results import (
    assimilation,
    assimilation_aims,
    assimilation_cycles,
    assimilation_windows,
    commands,
    coupling,
    derivatives,
    diagnosis,
    ensembles,
    fine_tuning,
    goals,
    long_runs,
    observed_towers,
    real_weather,
    reference_set,
    snow_aims,
    snow_and_runoff,
)
from tools.results.pages import Blocks, renew_pages
from tools.results.steps import ROOT, Inputs

LOG = logging.getLogger("results")


@dataclass(frozen=True)
class Part:
    """Part of the renewal: the data that it needs, by their names in ``Inputs``, and the function that makes it."""

    needs: tuple[str, ...]
    renew: Callable[[Inputs], dict[str, Blocks]]


#: Parts by name, the cheap ones first.
PARTS = {
    real_weather.PART: Part(("towers",), real_weather.renew),
    observed_towers.PART: Part(("towers",), observed_towers.renew),
    "site": Part(("reference",), commands.renew_site),
    reference_set.PART: Part(("reference",), reference_set.renew),
    snow_and_runoff.PART: Part(("reference", "towers", "real"), snow_and_runoff.renew),
    long_runs.PART: Part(("reference",), long_runs.renew),
    derivatives.PART: Part(("reference", "differences"), derivatives.renew),
    goals.PART: Part(("reference", "towers"), goals.renew),
    assimilation.PART: Part(("reference",), assimilation.renew),
    assimilation_windows.PART: Part(("reference",), assimilation_windows.renew),
    assimilation_cycles.PART: Part(("reference",), assimilation_cycles.renew),
    assimilation_aims.PART: Part(("reference", "differences"), assimilation_aims.renew),
    ensembles.PART: Part(("reference",), ensembles.renew),
    coupling.PART: Part(("reference",), coupling.renew),
    fine_tuning.PART: Part(("reference", "nature"), fine_tuning.renew),
    diagnosis.PART: Part(("reference", "nature"), diagnosis.renew),
    "stability": Part(("reference",), commands.renew_stability),
    snow_aims.PART: Part(("reference", "towers", "real"), snow_aims.renew),
    "quickstart": Part((), commands.renew_quickstart),
}

#: Environment variables of the data.
VARIABLES = {"reference": "AILAND_REFERENCE", "towers": "AILAND_TOWERS", "real": "AILAND_REAL",
             "differences": "AILAND_DIFFERENCES", "nature": "AILAND_NATURE"}  # fmt: skip


def renew(names: list[str], inputs: Inputs, root: Path = ROOT) -> list[str]:
    """Renew parts by name and return the pages that changed; parts without their data are skipped."""
    changed = []
    for name in names:
        part = PARTS[name]
        if missing := next((data for data in part.needs if getattr(inputs, data) is None), None):
            LOG.info("%s is skipped: give its data with --%s or $%s", name, missing, VARIABLES[missing])
            continue
        LOG.info("%s (%d of %d)", name, names.index(name) + 1, len(names))
        changed += renew_pages(root, part.renew(inputs))
    return changed


def main(arguments: list[str] | None = None) -> None:
    """Parse and renew."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = argparse.ArgumentParser(
        prog="python -m tools.results", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    for name, environment in VARIABLES.items():
        parser.add_argument(f"--{name}", default=os.environ.get(environment), help=f"default: ${environment}")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "results", help="of the kept results")
    args = parser.parse_args(arguments)
    if unknown := sorted(set(args.parts) - PARTS.keys()):
        parser.error(f"there is no part {unknown} (available: {', '.join(PARTS)})")
    data = {name: existing(parser, name, getattr(args, name)) for name in VARIABLES}
    args.folder.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(**data, folder=args.folder.resolve())
    changed = renew(args.parts or list(PARTS), inputs)
    sys.stdout.write("".join(f"renewed {page}\n" for page in dict.fromkeys(changed)) or "No page has changed.\n")


def existing(parser: argparse.ArgumentParser, name: str, given: str | None) -> Path | None:
    """Return a path that exists, None where none is given; end with a message if it does not exist."""
    if not given:
        return None
    path = Path(given).expanduser().resolve()
    if not path.exists():
        parser.error(f"--{name} '{path}' does not exist; correct it, or leave it out to skip its parts")
    return path


if __name__ == "__main__":
    main()
