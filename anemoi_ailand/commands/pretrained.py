# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand pretrained``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from anemoi.utils.cli import Command

#: Lead time of protocol A whose RMSE the table shows [d].
LEAD = 30


class Pretrained(Command):
    """Show the trained networks of the package; print the path of one, check it, or compare an evaluation with it."""

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        command_parser.add_argument("name", nargs="?", metavar="NAME", help="name of the network (default: ailand)")
        what = command_parser.add_mutually_exclusive_group()
        what.add_argument("--path", action="store_true", help="verify the checkpoint and print only its path")
        what.add_argument("--card", action="store_true", help="print the model card")
        what.add_argument("--check", action="store_true", help="verify and load the checkpoint")
        what.add_argument(
            "--compare", metavar="EVALUATION", help="compare the scores of an evaluation (folder) with those shipped"
        )

    def run(self, args: Namespace) -> None:
        """Print summary, path, card, check or comparison."""
        from anemoi_ailand.rollout.step import pretrained

        name = args.name or pretrained.DEFAULT
        if args.path:
            text = str(pretrained.pretrained_checkpoint(name))
        elif args.card:
            text = pretrained.model_card(name).rstrip()
        elif args.check:
            text = checked(name)
        elif args.compare:
            text = compared(pretrained.pretrained_record(name), Path(args.compare))
        else:
            names = [args.name] if args.name else pretrained.pretrained_names()
            text = "\n\n".join(summary(pretrained.pretrained_record(each)) for each in names)
        sys.stdout.write(f"{text}\n")


def checked(name: str) -> str:
    """Verify and load a network; return one line about it."""
    from anemoi_ailand.rollout.step.checkpoint import load_step  # slow to import
    from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint, pretrained_record

    path, record = pretrained_checkpoint(name), pretrained_record(name)
    step = load_step(path)
    return (
        f"{name}: SHA-256 {record['sha256']} verified, {record['size'] / 1e6:.2f} MB; loads: {len(step.inputs)} "
        f"inputs, state of {len(step.prognostic)}, {len(step.outputs)} outputs"
    )


def summary(record: dict[str, Any]) -> str:
    """Describe a network in a few lines: size, training, RMSE with interval."""
    training, data = record["training"], record["data"]
    lines = [
        f"{record['name']}: {record['parameters']} parameters, {record['size'] / 1e6:.2f} MB, "
        f"made {training['date'][:10]} with {training['config']}, trained {data['trained'][0][:4]} to "
        f"{data['trained'][1][:4]} at {data['points']['trained']} points",
        f"RMSE after {LEAD} d at points and in a year never seen, with 95 % interval; all scores: --card",
    ]
    rows = [r for r in record["scores"] if (r["group"], r["lead"]) == ("held_out", LEAD)]
    lines += [f"  {r['variable']:<6} {r['rmse']:<10.3g} {r['low']:.3g} to {r['high']:.3g}" for r in rows]
    return "\n".join(lines)


def compared(record: dict[str, Any], evaluation: Path) -> str:
    """Tabulate the released scores and those of an evaluation, and count those within the interval."""
    from anemoi_ailand.evaluation.scores.reproduction import KINDS, compare_scores, read_scores

    rows = compare_scores(record["scores"], read_scores(evaluation))
    found = rows["found"].value_counts()
    counts = ", ".join(f"{found.get(kind, 0)} {kind}" for kind in KINDS)
    text = rows.to_string(index=False, float_format=lambda value: f"{value:.4g}")
    return f"{text}\n{len(rows)} scores against the 95 % intervals of those shipped: {counts}"


command = Pretrained
