# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training speed side by side."""

import pytest
from hydra.utils import get_class

from benchmarks.speed import training as module
from benchmarks.speed.stopwatch import Timing
from benchmarks.speed.training import AILAND, PLAIN, STOCK, Result, Setting, benchmark, compose_config, table


def timing(rate, cpu):
    return Timing(point_steps=1000, seconds=1000 / rate, cpu_seconds=1000 / cpu)


def test_entrants_run_in_turn(monkeypatch):
    """The entrants take turns in each round."""
    order = []
    for name in ("_plain", "_ailand", "_stock"):
        monkeypatch.setattr(module, name, lambda setting, name=name: order.append(name) or (timing(1, 1), 8))
    results = benchmark(Setting(rounds=2))
    assert order == ["_plain", "_ailand", "_stock"] * 2
    assert {label: len(r.timings) for label, r in results.items()} == {PLAIN: 2, AILAND: 2, STOCK: 2}


def test_table_has_medians_spread_and_ratios_of_the_same_round():
    """Rounds at 100, 10 and 1000 to 90, 8 and 500 of the plain loop: 0.9, 0.8, 0.5."""
    plain = Result(8, [timing(r, 2 * r) for r in (100, 10, 1000)])
    ours = Result(8, [timing(r, r) for r in (90, 8, 500)])
    lines = table({PLAIN: plain, AILAND: ours}).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[-2:]]
    assert cells[0] == [PLAIN, "8", "100 (10 - 1000)", "1.00", "200 (20 - 2000)", "1.00"]
    assert cells[1] == [AILAND, "8", "90 (8 - 500)", "0.80", "90 (8 - 500)", "0.40"]


def test_stock_has_nothing_of_this_package_but_the_network(tmp_path):
    """Task, method, loss, scalers, metrics, strategy and callbacks are those of anemoi-training."""
    setting = Setting(overrides=("system.input.dataset=unused",))
    config = compose_config(setting, [*module.STOCK_OVERRIDES, "task.rollout.start=2"], tmp_path)
    loss = config.training.training_loss.datasets.data
    used = [config.task, config.training.method, config.training.strategy, loss]
    used += [config.training.scalers.datasets.data[name] for name in loss.scalers]
    used += [*config.training.validation_metrics.datasets.data.values(), *config.diagnostics.callbacks]
    for node in used:
        assert get_class(node._target_).__module__.startswith("anemoi.training")
    assert config.model.model._target_.startswith("anemoi_ailand.model")
    assert config.training.max_steps == setting.n_batches + setting.warm_up


def test_nothing_to_measure_is_refused():
    """The error names the option."""
    for option, value in (("rounds", 0), ("n_steps", 0), ("n_batches", 1)):
        with pytest.raises(ValueError, match=option):
            Setting(**{option: value})
