# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training speed side by side: a plain PyTorch loop, anemoi-training with this package and without."""

from __future__ import annotations

import logging
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from anemoi.training.train.train import AnemoiTrainer
from hydra import compose, initialize
from omegaconf import DictConfig

from anemoi_ailand.evaluation.display.text import aligned
from benchmarks.speed.plain_loop import PlainLoop
from benchmarks.speed.stopwatch import Stopwatch, Timing

LOG = logging.getLogger(__name__)

PLAIN, STOCK = "plain PyTorch loop", "anemoi-training alone"
AILAND, COMPILED = (f"anemoi-training with anemoi-ailand, {step} step" for step in ("plain", "compiled"))

#: Overrides of every Anemoi training here: short, and without validation.
COMMON = (
    "diagnostics.enable_progress_bar=false",
    "dataloader.limit_batches.validation=0",
    "training.max_epochs=1",
    "training.optimization.lr=1e-5",
)

#: What makes ``ailand`` a training of anemoi-training itself, with the same network and data: its task, method, loss,
#: metrics, strategy and optimiser, and its reader, which loads all points of every sample. Its task has the forcing at
#: other times, so the trained network is meaningless; its cost is not.
STOCK_OVERRIDES = (
    "task._target_=anemoi.training.tasks.Forecaster",
    "task.multistep_input=2",
    "task.multistep_output=1",
    "~task.rollout.steps",
    "~training.method",
    "+training.method={_target_: anemoi.training.train.methods.SingleTraining}",
    "~training.strategy",
    "+training.strategy={_target_: anemoi.training.distributed.strategy.DDPGroupStrategy, num_gpus_per_model: 1, "
    "read_group_size: 1}",
    "~training.optimization.optimizer",
    "+training.optimization.optimizer={_target_: torch.optim.AdamW, betas: [0.9, 0.95]}",
    "~training.training_loss",
    "+training.training_loss={datasets: {data: {_target_: anemoi.training.losses.MSELoss, ignore_nans: false, "
    "scalers: [stdev_tendency, general_variable, node_weights, time_steps]}}}",
    "+training.scalers.datasets.data.stdev_tendency={_target_: anemoi.training.losses.scalers.StdevTendencyScaler}",
    "+training.scalers.datasets.data.node_weights={_target_: "
    "anemoi.training.losses.scalers.GraphNodeAttributeScaler, nodes_attribute_name: area_weight, norm: unit-sum}",
    "+graph.nodes.data.attributes.area_weight={_target_: anemoi.graphs.nodes.attributes.UniformWeights, "
    "norm: unit-max}",
    "training.validation_metrics.datasets.data={mse: {_target_: anemoi.training.losses.MSELoss, ignore_nans: true, "
    "scalers: [node_weights, time_steps]}}",
    "diagnostics.callbacks=[]",
)


@dataclass(frozen=True)
class Setting:
    """Settings of the measurement: a configuration with overrides (the dataset is one), and sizes.

    A round times ``n_batches`` of every entrant in turn. ``stock_windows`` are those of a batch for anemoi-training
    alone, which reads all points; by default it has as many rows as the others.
    """

    config: str = "ailand"
    overrides: tuple[str, ...] = ()
    n_steps: int = 4
    n_batches: int = 20
    warm_up: int = 5
    rounds: int = 3
    stock_windows: int | None = None

    def __post_init__(self) -> None:
        for name in ("n_steps", "n_batches", "rounds", "warm_up"):
            if getattr(self, name) < (2 if name == "n_batches" else 1):
                raise ValueError(f"`{name}` is {getattr(self, name)}. Give at least 1, and 2 for the batches.")


@dataclass
class Result:
    """Timings of one entrant by round, and rows of its batches."""

    rows: int
    timings: list[Timing] = field(default_factory=list)


def benchmark(setting: Setting) -> dict[str, Result]:
    """Time the four entrants in turn, so that other load on the machine affects all of them."""
    results: dict[str, Result] = {}
    for number in range(setting.rounds):
        for label, run in ((PLAIN, _plain), (AILAND, _ailand), (COMPILED, _compiled), (STOCK, _stock)):
            timing, rows = run(setting)
            results.setdefault(label, Result(rows)).timings.append(timing)
            LOG.info("Round %d, %s: %.0f point-steps/s", number + 1, label, timing.rate)
    return results


def table(results: dict[str, Result]) -> str:
    """Format a Markdown table: rates by wall clock and processor, medians, spread, ratio to the plain loop."""
    lines = [
        f"{torch.get_num_threads()} thread(s); point-steps per second, median of the rounds (lowest - highest)",
        "",
    ]
    rows = [["", "rows of a batch", "wall clock", "of plain", "processor time", "of plain"]]
    plain = next(iter(results.values())).timings
    for label, result in results.items():
        cells = [label, str(result.rows)]
        for of in (attrgetter("rate"), attrgetter("cpu_rate")):
            ratios = [of(a) / of(b) for a, b in zip(result.timings, plain, strict=True)]
            cells += [_spread([of(t) for t in result.timings]), f"{statistics.median(ratios):.2f}"]
        rows.append(cells)
    return "\n".join([*lines, *aligned(rows, left=(0,))]) + "\n"


def compose_config(setting: Setting, entrant: Sequence[str], root: Path) -> DictConfig:
    """Compose the configuration of a short training into ``root``."""
    fixed = (
        *COMMON,
        f"system.output.root={root}",
        f"dataloader.limit_batches.training={setting.n_batches + setting.warm_up}",
        f"training.max_steps={setting.n_batches + setting.warm_up}",
    )
    with initialize(version_base=None, config_path=None):
        return compose(setting.config, [*setting.overrides, *fixed, *entrant])


def _rollout(setting: Setting) -> list[str]:
    return ["task.rollout.start=null", "task.rollout.epoch_increment=null", "task.rollout.maximum=null",
            f"task.rollout.steps=[{setting.n_steps}]"]  # fmt: skip


def run_trainer(setting: Setting, entrant: Sequence[str], use: Callable[[Any], Any]) -> Any:
    """Return what ``use`` returns for the trainer of a short training."""
    with tempfile.TemporaryDirectory() as folder:
        trainer: Any = AnemoiTrainer  # abstract for the type checker alone, in anemoi-training 0.17.1
        return use(trainer(compose_config(setting, entrant, Path(folder))))


def _plain(setting: Setting) -> tuple[Timing, int]:
    def use(trainer: Any) -> tuple[Timing, int]:
        reader = trainer.datamodule.ds_train.data_readers["data"]
        points = _points(trainer.config, int(reader.grid_size))
        windows = trainer.config.dataloader.batch_size.training
        loop = PlainLoop(trainer.model, reader, windows=windows, points=points, n_steps=setting.n_steps)
        return loop.run(setting.n_batches, setting.warm_up), windows * loop.points

    return run_trainer(setting, _rollout(setting), use)


def _ailand(setting: Setting, execution: str = "plain") -> tuple[Timing, int]:
    options = [*_rollout(setting), f"land.execution={execution}"]
    return run_trainer(setting, options, lambda trainer: _timed(trainer, setting))


def _compiled(setting: Setting) -> tuple[Timing, int]:
    return _ailand(setting, "compiled")  # made before the first batch, in the warm-up


def _stock(setting: Setting) -> tuple[Timing, int]:
    rollout = [f"task.rollout.{k}={v}" for k, v in (("start", setting.n_steps), ("epoch_increment", 0),
                                                    ("maximum", setting.n_steps))]  # fmt: skip
    windows = setting.stock_windows or _stock_windows(setting)
    batch = f"dataloader.batch_size.training={windows}"
    return run_trainer(setting, [*STOCK_OVERRIDES, *rollout, batch], lambda trainer: _timed(trainer, setting))


def _stock_windows(setting: Setting) -> int:
    """Count the windows over all points that make as many rows as the blocks of ``ailand``, at least one."""

    def use(trainer: Any) -> Any:
        total = int(trainer.datamodule.ds_train.data_readers["data"].grid_size)
        rows = trainer.config.dataloader.batch_size.training * _points(trainer.config, total)
        return max(1, round(rows / total))

    return run_trainer(setting, _rollout(setting), use)


def _timed(trainer: Any, setting: Setting) -> tuple[Timing, int]:
    watch = Stopwatch(setting.warm_up)
    trainer.callbacks.append(watch)
    trainer.train()
    timing = watch.timing()
    return timing, timing.point_steps // setting.n_batches // setting.n_steps


def _points(config: Any, total: int) -> int:
    """Return the points of a block in the configuration, at most all."""
    given = [c.get("points") for c in config.diagnostics.callbacks if c["_target_"].endswith("PointBlocks")]
    return min(given[0] or total, total) if given else total


def _spread(rates: Sequence[float]) -> str:
    return f"{statistics.median(rates):.0f} ({min(rates):.0f} - {max(rates):.0f})"
