# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Compare repetitions of a contest that differ in the seed of the training, each in its own folder.

python -m benchmarks.contest.seeds inputs-1 inputs-2 inputs-3
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from anemoi_ailand.evaluation.fields.matching import HELD_OUT, TRAINED
from benchmarks.contest.scores import TOGETHER
from benchmarks.contest.table import markdown

#: Variables whose spread of mean errors over the points is compared, in the long run.
SPREAD = ("stl1", "sshf")


def seeds_table(folders: Sequence[Path]) -> str:
    """Tabulate ratios to the reference of the contest: geometric mean over the seeds and, in brackets, each of them.

    Ratios are those of the RMSE, in the mean of the core variables on each day, and of the spread of the mean errors
    over the points in the long run.

    Raises
    ------
    ValueError
        The contests have other entrants, or another reference.
    """
    results = [json.loads((folder / "result" / "contest.json").read_text(encoding="utf-8")) for folder in folders]
    entrants = [[entry["label"] for entry in result["entrants"]] for result in results]
    references = {result["reference"] for result in results}
    if len(references) > 1 or any(labels != entrants[0] for labels in entrants):
        raise ValueError(
            f"The contests in {[str(folder) for folder in folders]} have the entrants {entrants} and the references "
            f"{sorted(references)}; give folders of one contest with several seeds."
        )
    (reference,) = references
    scores = [pd.DataFrame(result["scores"]) for result in results]
    columns = list(_columns(scores[0]))
    rows = [["without", *(title for title, _ in columns)]]
    for label in (label for label in entrants[0] if label != reference):
        rows.append([label, *(_cell([_ratio(s, where, label, reference) for s in scores]) for _, where in columns)])
    return markdown(rows)


def _columns(scores: pd.DataFrame) -> Iterator[tuple[str, dict[str, str]]]:
    groups = [group for group in (TRAINED, HELD_OUT) if group in set(scores["group"])]
    for period in (p for p in dict.fromkeys(scores["period"]) if p.startswith("day")):
        for group in groups:
            where = {"protocol": "A", "period": period, "variable": TOGETHER, "metric": "rmse"}
            yield f"{group.replace('_', ' ')}, {period}", {**where, "group": group}
    if "bias_spread" not in set(scores[scores["protocol"] == "B"]["metric"]):
        return
    for name in SPREAD:
        for group in groups:
            where = {"protocol": "B", "period": "whole run", "variable": name, "metric": "bias_spread"}
            yield f"spread of `{name}`, {group.replace('_', ' ')}", {**where, "group": group}


def _ratio(scores: pd.DataFrame, where: dict[str, str], label: str, reference: str) -> float:
    chosen = scores[np.all([scores[key] == value for key, value in where.items()], axis=0)].set_index("model")
    if where["variable"] == TOGETHER:
        return float(chosen.loc[label, "ratio"])
    return float(chosen.loc[label, "value"] / chosen.loc[reference, "value"])


def _cell(ratios: list[float]) -> str:
    mean = float(np.exp(np.mean(np.log(ratios))))
    return f"{mean:.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})"


def create_parser() -> ArgumentParser:
    """Return the parser of the command."""
    parser = ArgumentParser("python -m benchmarks.contest.seeds", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="output of a contest")
    return parser


if __name__ == "__main__":
    try:
        sys.stdout.write(seeds_table(create_parser().parse_args().folders) + "\n")
    except (OSError, ValueError) as error:
        sys.exit(f"seeds: error: {error}")
