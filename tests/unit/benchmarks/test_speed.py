# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Speed of training and rollout: the measurement, its yardsticks and its tables."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import zarr
from anemoi.datasets import open_dataset
from hydra.utils import get_class

from benchmarks.speed import accelerator, repeated, rollout, scale, stopwatch, training
from benchmarks.speed.__main__ import create_parser, main
from benchmarks.speed.plain_loop import PlainLoop
from benchmarks.speed.repeated import repeat_points
from benchmarks.speed.scale import PoolWatch, memory_of_processes
from benchmarks.speed.stopwatch import Stopwatch, Timing
from benchmarks.speed.training import AILAND, COMPILED, PLAIN, STOCK, Result, Setting, benchmark, compose_config, table
from tests.support.land import OPEN
from tests.support.training import training_config, training_module

ROOT = Path(__file__).parents[3]


def test_options_reach_the_measurement(monkeypatch, capsys):
    """Changes become overrides; training uses a temporary dataset with repeated points."""
    settings, made = [], []
    monkeypatch.setattr(training, "benchmark", lambda setting: settings.append(setting) or {})
    monkeypatch.setattr(training, "table", lambda results: "| table |\n")
    monkeypatch.setattr(repeated, "repeat_points", lambda *arguments: made.append(arguments))
    main(["training", "--dataset", "d.zarr", "--points", "2000", "--dates", "50", "--rounds", "5", "--override", "a=b"])
    source, target, n_points, n_dates = made[0]
    assert (str(source), n_points, n_dates) == ("d.zarr", 2000, 50)
    assert settings[0].overrides[:2] == (f"system.input.dataset={target}", "a=b") and settings[0].rounds == 5
    assert not target.parent.exists()
    assert capsys.readouterr().out == "| table |\n"


def test_table_of_a_device(monkeypatch):
    """Milliseconds by entrant, the rate of the whole, and the name of the device; a row comes when it is measured."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Device X")
    took = {accelerator.PLAIN: 40.0, accelerator.RECORDED: 9.0, accelerator.STREAMED: 10.0}
    measured = []

    def benchmark(*_):
        for points in (171_039, 1_000_000):
            measured.append(points)
            yield accelerator.Speed("ailand", points, took, 2**31, 0.004)

    lines = []
    for line in accelerator.lines(benchmark(), inductor=False):
        lines.append(line)
        if line.startswith("| ailand"):
            assert len(measured) == sum(line.startswith("| ailand") for line in lines)
    cells = [cell.strip() for cell in lines[-2].strip("|").split("|")]
    assert cells == ["ailand", "171,039", "40", "9", "10", "17,103,900", "14.6 s", "2 GiB", "0.004"]
    assert lines[0].startswith("Device X, torch") and lines[-4].startswith("| network")
    assert {line.count("|") for line in lines[-4:]} == {len(cells) + 1}


def test_script_measures_a_device_by_known_commands():
    """Recipe, module and options in ``benchmarks/gpu.sh`` exist."""
    script = (ROOT / "benchmarks/gpu.sh").read_text(encoding="utf-8")
    options = re.findall(r'"\$\{measure\[@\]\}" (--[^>]*) >', script)
    assert options and (ROOT / re.search(r"create (\S+)", script)[1]).is_file()
    for line in options:
        create_parser().parse_args(["gpu", "--dataset", "d.zarr", *line.split()])


def test_without_a_device_there_is_nothing_to_measure(monkeypatch):
    """The error names what measures processors."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device"):
        main(["gpu", "--dataset", "d.zarr"])


def train(watch, n_batches, monkeypatch):
    """Batches of 2 windows x 5 points x 3 steps that take 2 s of the clock and 1 s of the processor each."""
    now = {"wall": 100.0, "cpu": 50.0}
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(stopwatch.time, "process_time", lambda: now["cpu"])
    module = SimpleNamespace(task=SimpleNamespace(steps=lambda mode: ({},) * 3))
    for i in range(n_batches):
        now["wall"], now["cpu"] = now["wall"] + 2.0, now["cpu"] + 1.0
        batch = {"data": torch.zeros(2, 4, 1, 5, 7)}
        watch.on_train_batch_end(None, module, {"loss": torch.ones(1)}, batch, i)


def test_rate_is_over_the_batches_after_the_warm_up(monkeypatch):
    """Four batches of 30 point-steps in 8 s, with 4 s of work of the process; the warm-up alone gives no rate."""
    watch = Stopwatch(warm_up=3)
    train(watch, 4, monkeypatch)
    with pytest.raises(ValueError, match="4 batches were trained including 3 of warm-up"):
        watch.timing()
    watch = Stopwatch(warm_up=3)
    train(watch, 7, monkeypatch)
    timing = watch.timing()
    assert timing == Timing(point_steps=120, seconds=8.0, cpu_seconds=4.0)
    assert (timing.rate, timing.cpu_rate) == (15.0, 30.0)


class Growing:
    """Blocks of points whose pool has one more window after each of the first batches."""

    def __init__(self):
        self.read = 27

    @property
    def pooled_windows(self):
        self.read += 1
        return SimpleNamespace(
            windows_read=self.read, reading_seconds=self.read / 2, waited=3.0, serving=min(self.read - 4, 26)
        )


def test_training_with_a_pool_is_timed_in_two_parts(monkeypatch):
    """While the pool grows, and when it is full: windows read, processor time of reading and waiting of each."""
    watch = PoolWatch(Growing(), warm_up=1)
    monkeypatch.setattr(scale, "memory_of_processes", lambda: 2**30)
    train(watch, 5, monkeypatch)
    parts = watch.parts()
    assert {name: (p.timing.point_steps, p.windows, p.reading_seconds, p.serving) for name, p in parts.items()} == {
        "growing": (30, 1, 0.5, 26), "full": (60, 2, 1.0, 26),
    }  # fmt: skip
    text = scale.table([scale.Round(Timing(100, 10.0, 5.0), parts, watch.memory)])
    assert "pool, growing" in text and "pool, full" in text and text.endswith("with the pool: 1.0 GiB\n")


def test_memory_of_all_processes_counts_this_one_and_its_children():
    """At least the pages that an array of this process occupies."""
    before = memory_of_processes()
    held = np.ones(2**25)
    assert memory_of_processes() > before + 0.9 * held.nbytes


def loop(n_steps=2, **options):
    full = training_config()
    full.training.scalers.datasets.data.general_variable.weights = {"default": 1.0}
    module = training_module(n_steps=n_steps, full=full)
    rng = np.random.default_rng(1)
    stats = OPEN.statistics()
    fields = rng.standard_normal((12, len(OPEN.variables), 1, 9)) * stats["stdev"][:, None, None]
    reader = SimpleNamespace(data=(fields + stats["mean"][:, None, None]).astype("f4"), grid_size=9)
    made = {"windows": 3, "points": 4, "n_steps": n_steps, **options}
    return PlainLoop(module, reader, **made), module


def test_gradient_is_that_of_the_training_module():
    """The same batch gives the same gradient, so the yardstick does the same work."""
    plain, module = loop(n_steps=3)
    batch = plain.batch()
    plain.batch = lambda: batch
    module._step({"data": batch.clone()}).loss.sum().backward()
    expected = torch.cat([p.grad.flatten().clone() for p in plain.parameters])
    found = []
    plain.optimizer.step = lambda: found.append(torch.cat([p.grad.flatten() for p in plain.parameters]))
    plain.update()
    expected = expected * min(1.0, 5.0 / float(expected.norm()))
    torch.testing.assert_close(found[0], expected, rtol=1e-3, atol=1e-5)


def test_timing_counts_the_batches_after_the_warm_up():
    """Windows x points x steps of every timed batch; the weights have moved."""
    plain, _ = loop(lr=1e-2)
    before = [p.detach().clone() for p in plain.parameters]
    timing = plain.run(n_batches=2, warm_up=1)
    assert timing.point_steps == 2 * 3 * 4 * 2
    assert timing.seconds > 0.0
    assert any(not torch.equal(a, b) for a, b in zip(before, plain.parameters, strict=True))


@pytest.fixture
def source(tmp_path):
    """Three variables at four points on six dates, as anemoi-datasets stores them."""
    dates = np.arange("2020-01-01", "2020-01-02T12", np.timedelta64(6, "h"), dtype="datetime64[s]")
    root = zarr.open(str(tmp_path / "source.zarr"), mode="w")
    names = ["held_out", "swvl1", "t"]
    data = np.arange(len(dates) * 3 * 4, dtype=np.float32).reshape(len(dates), 3, 1, 4)
    root.create_dataset("data", data=data, chunks=(1, 3, 1, 4))
    for name, values in {"dates": dates, "latitudes": np.arange(4.0), "longitudes": np.arange(4.0)}.items():
        root[name] = values
    for name in ("mean", "stdev", "minimum", "maximum"):
        root[name] = np.ones(3)
    root.attrs.update(
        variables=names, start_date="2020-01-01T00:00:00", end_date="2020-01-02T06:00:00", frequency="6h",
        shape=list(data.shape), chunks=[1, 3, 1, 4], field_shape=[4], missing_dates=[], resolution=None,
        statistics_start_date="2020-01-01T00:00:00", statistics_end_date="2020-01-02T06:00:00", version="0.22",
        variables_metadata={n: {} for n in names}, dimensions=["dates", "variables", "ensembles", "values"],
    )  # fmt: skip
    return tmp_path / "source.zarr"


def test_points_come_again_and_again(source, tmp_path):
    """Fields of point i are those of point i modulo 4, at places and on days that differ; nothing is held out."""
    repeat_points(source, tmp_path / "large.zarr", n_points=11, n_dates=5)
    large, small = open_dataset(str(tmp_path / "large.zarr")), open_dataset(str(source))
    assert large.shape == (5, 3, 1, 11)
    index = large.name_to_index["swvl1"]
    np.testing.assert_array_equal(large[4][index, 0], small[4][index, 0, np.arange(11) % 4])
    assert not large[0][large.name_to_index["held_out"]].any()
    assert len(np.unique(large.latitudes)) == 11
    assert str(large.dates[-1]) == str(small.dates[4])
    assert large.chunks == (1, 3, 1, 11)
    repeat_points(source, tmp_path / "later.zarr", n_points=11, n_dates=2)  # one more day is there
    later = open_dataset(str(tmp_path / "later.zarr"))[1][index, 0]
    same = [later == small[date][index, 0, np.arange(11) % 4] for date in (1, 5)]
    assert (same[0] ^ same[1]).all() and same[0].any() and same[1].any()
    with pytest.raises(ValueError, match="6 dates, fewer than 7"):
        repeat_points(source, tmp_path / "longer.zarr", n_points=11, n_dates=7)


def test_ratios_and_overhead_are_of_the_same_round():
    """Medians over rounds of ratios, not ratios of medians; overhead is what is not in the network."""
    blocks = (1.0, 1.1, 1.2)  # runs take a quarter longer; the network takes all but 0.1 s of a block
    plain = tuple(rollout.Spent(w, w / 2) for w in (2.0, 2.2, 2.4))
    run = tuple(rollout.Spent(1.25 * w, w, 3 * 10**6, 1.25 * w - 0.1) for w in blocks)
    size = rollout.Size(1000, 10, plain, tuple(rollout.Spent(w, w / 2) for w in blocks), run, needed=10**6)
    found = cells(rollout.table([size], 1))
    assert found == ["1,000", "220 (110)", "110 (55)", "138 (110)", "1.25 (2.00)", "10.00", "7,273", "3.0", "3.35"]


def cells(text, row=-1):
    return [c.strip() for c in text.strip().splitlines()[row].strip("|").split("|")]


def test_peak_of_memory_is_of_the_run_alone():
    """The peak can be set back, so that an earlier one does not count."""
    big = np.ones(2**25)
    del big
    rollout._CLEAR.write_text("5")
    before = rollout._memory("VmHWM")
    big = np.ones(2**24)  # 128 MiB
    assert rollout._memory("VmHWM") - before == pytest.approx(big.nbytes, rel=0.1)


def timing(rate, cpu):
    return Timing(point_steps=1000, seconds=1000 / rate, cpu_seconds=1000 / cpu)


def test_entrants_run_in_turn(monkeypatch):
    order = []
    for name in ("_plain", "_ailand", "_compiled", "_stock"):
        monkeypatch.setattr(training, name, lambda setting, name=name: order.append(name) or (timing(1, 1), 8))
    results = benchmark(Setting(rounds=2))
    assert order == ["_plain", "_ailand", "_compiled", "_stock"] * 2
    assert {label: len(r.timings) for label, r in results.items()} == {PLAIN: 2, AILAND: 2, COMPILED: 2, STOCK: 2}


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
    config = compose_config(setting, [*training.STOCK_OVERRIDES, "task.rollout.start=2"], tmp_path)
    loss = config.training.training_loss.datasets.data
    used = [config.task, config.training.method, config.training.strategy, loss]
    used += [config.training.scalers.datasets.data[name] for name in loss.scalers]
    used += [*config.training.validation_metrics.datasets.data.values(), *config.diagnostics.callbacks]
    for node in used:
        assert get_class(node._target_).__module__.startswith("anemoi.training")
    assert config.model.model._target_.startswith("anemoi_ailand.model")
    assert config.training.max_steps == setting.n_batches + setting.warm_up


def test_nothing_to_measure_is_refused():
    for option, value in (("rounds", 0), ("n_steps", 0), ("n_batches", 1)):
        with pytest.raises(ValueError, match=option):
            Setting(**{option: value})
