# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Compare the error of short trainings from a pool of windows with that of random sampling from memory.

``python -m benchmarks.pool_error --dataset reference.zarr --folder trainings`` trains ``ailand-small`` twice for each
seed, and prints the ratio of the validation errors, in a year that no training saw at the same points. A training that
is complete in the folder is not repeated: the same command continues a measurement that was interrupted.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from anemoi.training.train.train import AnemoiTrainer
from hydra import compose, initialize

from anemoi_ailand.evaluation.display.text import aligned

#: Steps of the roll-out in each epoch, batches of an epoch, and epochs between two validations.
ROLLOUT, BATCHES, EVERY = (1, 1, 1, 1, 2, 2, 4, 4), 8, 4

#: Changes to ``ailand-small``: 64 batches of 24 windows x 108 points, 0.33 million point-steps.
BUDGET = (
    f"task.rollout.steps={list(ROLLOUT)}", "task.validation_rollout=10", f"training.max_epochs={len(ROLLOUT)}",
    f"dataloader.limit_batches.training={BATCHES}", f"training.max_steps={len(ROLLOUT) * BATCHES}",
    "training.optimization.lr_scheduler.warmup_t=10", f"diagnostics.check_val_every_n_epoch={EVERY}",
    "diagnostics.enable_progress_bar=false", "land.execution=plain",
)  # fmt: skip

#: Where samples come from: memory, or a pool with room for 243 windows, as many as a pool has by default.
SOURCES: Mapping[str, tuple[str, ...]] = {
    "memory": ("land.resident_gb=4",),
    "pool": ("land.resident_gb=0", "land.pool.memory_gb=0.12", "land.pool.points=108"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, and print the table."""
    parser = ArgumentParser("python -m benchmarks.pool_error", description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="the reference set")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the trainings, kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1001, 1002, 1003], help="default: 1001 1002 1003")
    args = parser.parse_args(arguments)
    for seed in args.seeds:
        for source in SOURCES:
            log = log_of(args.folder, seed, source)
            if not (log.exists() and int(pd.read_csv(log)["epoch"].iloc[-1]) == len(ROLLOUT) - 1):
                log.unlink(missing_ok=True)  # of an interrupted training, which would be mixed with this one
                train(args.dataset, log.parent, seed, source)
    sys.stdout.write(table(args.folder, args.seeds))


def log_of(folder: Path, seed: int, source: str) -> Path:
    """Return the path of the log of a training."""
    return folder / f"{source}-{seed}" / "training_log.csv"


def train(dataset: Path, folder: Path, seed: int, source: str) -> None:
    """Make one training."""
    os.environ["ANEMOI_BASE_SEED"] = str(seed)  # the only way to give it to anemoi-training
    overrides = [f"system.input.dataset={dataset}", f"system.output.root={folder}", *BUDGET, *SOURCES[source]]
    with initialize(version_base=None, config_path=None):
        config = compose("ailand-small", overrides)
    trainer = AnemoiTrainer  # abstract for the type checker alone, in anemoi-training 0.17.1
    trainer(config).train()  # type: ignore[abstract]


def ratios(folder: Path, seed: int) -> pd.DataFrame:
    """Return the RMSE with the pool by that with random sampling: a row for each validation, a column a variable."""
    logs = (pd.read_csv(log_of(folder, seed, source)).set_index("epoch") for source in ("pool", "memory"))
    pool, memory = (log.filter(like="rmse_") for log in logs)
    return (pool / memory).rename(columns=lambda name: name.removeprefix("rmse_"))


def table(folder: Path, seeds: Sequence[int]) -> str:
    """Format a Markdown table: geometric means over variables for each seed, and the variable that differs most."""
    rows = [["seed", *(f"epoch {k}" for k in range(EVERY, len(ROLLOUT) + 1, EVERY)), "largest ratio at the end"]]
    means = []
    for seed in seeds:
        found = ratios(folder, seed)
        means.append(np.exp(np.log(found).mean(axis=1)).to_numpy())
        last = found.iloc[-1]
        rows.append([f"{seed}", *(f"{m:.3f}" for m in means[-1]), f"{last.max():.2f} (`{last.idxmax()}`)"])
    rows.append(["all", *(f"{m:.3f}" for m in np.exp(np.log(means).mean(axis=0))), ""])
    return "\n".join(aligned(rows, left=(0,))) + "\n"


if __name__ == "__main__":
    main()
