# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The whole chain on the packaged sample, by the command lines that a user types.

Four stages: dataset, training, a roll-out of one year from one initial state, evaluation. Each stage has one result; a
stage whose result exists is skipped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from anemoi_ailand.support.atomic import partial_path, publish_folder
from anemoi_ailand.support.disk_errors import check_folder
from anemoi_ailand.support.packaged import find
from anemoi_ailand.support.subprocesses import remove, run_logged

LOG = logging.getLogger(__name__)

#: Start and end of the training period of configs/training/ailand-sample.yaml, the years of the climatology.
TRAINING_PERIOD = ("2020-01-01", "2021-06-30")


@dataclass(frozen=True)
class Size:
    """Length of training, roll-out and evaluation."""

    training: tuple[str, ...]
    lead_time: str
    evaluation: tuple[str, ...]


#: The full quickstart: from 2022-01-01 00 UTC to the last stamp of 2022.
FULL = Size(training=(), lead_time="8754h", evaluation=("protocol_a.every_days=6",))

#: The smallest size that still runs every stage, for tests; its network has no skill.
SMALLEST = Size(
    training=("training.max_epochs=1", "dataloader.limit_batches.training=20", "dataloader.limit_batches.validation=1"),
    lead_time="60d",
    evaluation=("protocol_a.every_days=120", "protocol_a.lead_days=[1,2]", "protocol_b.end=2022-02-28"),
)


def quickstart(output: Path, size: Size = FULL, *, force: bool = False) -> Path:
    """Run all stages that have no result yet, and return the folder of the comparison.

    ``output`` is the folder of ``dataset.zarr``, ``training/``, ``forecast.nc``, ``comparison/`` and ``log/``. With
    ``force``, earlier results are removed first.

    Raises
    ------
    ChildProcessError
        A stage failed; the message names its log.
    OSError
        ``output`` cannot be created or written.
    """
    output = output.resolve()
    check_folder(output)
    output.mkdir(parents=True, exist_ok=True)
    results = {name: output / name for name in ("dataset.zarr", "training", "forecast.nc", "comparison")}
    if force:
        for result in results.values():
            remove(result)
    checkpoint = results["training"] / "best" / "inference-best.ckpt"
    _stage("1/4 dataset", results["dataset.zarr"], lambda: _dataset(output, results["dataset.zarr"]))
    _stage("2/4 training", results["training"], lambda: _training(output, results, size))
    _stage("3/4 rollout", results["forecast.nc"], lambda: _rollout(output, results, checkpoint, size))
    _stage("4/4 evaluation", results["comparison"], lambda: _evaluation(output, results, checkpoint, size))
    return results["comparison"]


def _stage(title: str, result: Path, run: Callable[[], None]) -> None:
    if result.exists():
        LOG.info("%s: %s exists", title, result)
        return
    LOG.info("%s ...", title)
    began = time.monotonic()
    run()
    LOG.info("%s: %s, %.0f s", title, result, time.monotonic() - began)


def _dataset(output: Path, result: Path) -> None:
    partial = result.with_name("dataset.partial.zarr")  # anemoi-datasets takes the format from the ending
    remove(partial)
    _run(output, "dataset", ["anemoi.datasets", "create", str(find("recipes", "ecland-sample")), str(partial)])
    publish_folder(partial, result)


def _training(output: Path, results: dict[str, Path], size: Size) -> None:
    partial = partial_path(results["training"])
    remove(partial)
    options = [f"system.input.dataset={results['dataset.zarr']}", f"system.output.root={partial}", *size.training]
    _run(output, "training", ["anemoi.training", "train", "--config-name", "ailand-sample", *options])
    publish_folder(partial, results["training"])


def _rollout(output: Path, results: dict[str, Path], checkpoint: Path, size: Size) -> None:
    options = {
        "checkpoint": checkpoint,
        "input.dataset": results["dataset.zarr"],
        "lead_time": size.lead_time,
        "output.land-netcdf.path": results["forecast.nc"],
    }
    config = str(find("configs", "inference/rollout"))
    _run(output, "rollout", ["anemoi.inference", "run", config, *(f"{k}={v}" for k, v in options.items())])


def _evaluation(output: Path, results: dict[str, Path], checkpoint: Path, size: Size) -> None:
    options = {
        "dataset": results["dataset.zarr"],
        "output": results["comparison"],
        "checkpoints.emulator": checkpoint,
        "climatology.start": TRAINING_PERIOD[0],
        "climatology.end": TRAINING_PERIOD[1],
        "protocol_c": "null",
    }
    config = str(find("configs", "evaluation/evaluate"))
    named = (f"{k}={v}" for k, v in options.items())
    _run(output, "evaluation", ["anemoi_ailand", "evaluate", config, *named, *size.evaluation])


def _run(output: Path, name: str, command: Sequence[str]) -> None:
    """Run one ``python -m`` command in the folder of the results; its output goes to ``log/<name>.log``."""
    run_logged(output / "log" / f"{name}.log", command, cwd=output)
