# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Cost of a step: the networks, the measurement with compiling replaced, and its tables."""

import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import zarr
from anemoi.datasets import open_dataset
from anemoi.utils.checkpoints import load_metadata

from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.rollout import stepper
from anemoi_ailand.rollout.run import runner
from anemoi_ailand.rollout.run.launch import options_of_runner, read_run
from anemoi_ailand.rollout.step import row_blocks
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.fused_step import NetworkPart, unsupported
from anemoi_ailand.variables import match_name
from benchmarks.speed import rollout, step
from benchmarks.speed.__main__ import main
from benchmarks.speed.networks import CONFIGS, checkpoint_of
from benchmarks.speed.rollout import Size, Spent
from benchmarks.speed.step import Result, Setting, benchmark, one_core, table


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Three points of the packaged sample on twelve dates, as anemoi-datasets stores them."""
    land = load_step("ailand")
    metadata = load_metadata(str(land.path))
    names = tuple(dict.fromkeys((*land.inputs, *land.prognostic)))
    fields = open_data("$AILAND_SAMPLE").to_xarray(("2020-01-01", "2020-01-03"), points=[0, 1, 2])
    dates, places = fields.time.values.astype("datetime64[s]"), (fields.latitude.values, fields.longitude.values)
    sun = dict(zip(COMPUTED, compute(COMPUTED, [d.item() for d in dates], *places), strict=True))
    values = [sun[n] if n in sun else fields[match_name(n, list(fields), "the sample")] for n in names]
    data = np.stack([np.broadcast_to(v, (len(dates), 3)) for v in values], axis=1)[:, :, None].astype("f4")
    path = tmp_path_factory.mktemp("step") / "sample.zarr"
    root = zarr.open(str(path), mode="w")
    root.create_dataset("data", data=data, chunks=(1, *data.shape[1:]))
    for name, found in {"dates": dates, "latitudes": places[0], "longitudes": places[1]}.items():
        root[name] = found
    for name in ("mean", "stdev", "minimum", "maximum"):
        root[name] = np.ones(len(names))
    first, last = (str(d) for d in dates[[0, -1]])
    root.attrs.update(
        variables=list(names), start_date=first, end_date=last, frequency="6h", shape=list(data.shape), version="0.22",
        chunks=[1, *data.shape[1:]], field_shape=[3], missing_dates=[], resolution=None,
        statistics_start_date=first, statistics_end_date=last,
        variables_metadata={n: metadata["dataset"]["data"]["variables_metadata"][n] for n in names},
        dimensions=["dates", "variables", "ensembles", "values"],
    )  # fmt: skip
    return path


@pytest.fixture
def uncompiled(monkeypatch):
    """Replace the compiled step by the plain one and its parts by uncompiled ones; record what is opened compiled."""
    opened = []

    def opens(path, device="cpu", execution="auto", point_steps=0, precipitation="mean", trust=None, model_error=False):
        land = load_step(path)
        if execution != "compiled":
            return land
        opened.append(land.path)
        plain = SimpleNamespace(name="compiled", precision=torch.float32)
        call = lambda _, start, end: land.of_slots(start, end)  # noqa: E731
        return replace(land, compiled=type("Plain", (), {**vars(plain), "__call__": call, "of_units": call})())

    for module in (step, rollout, stepper, runner):
        monkeypatch.setattr(module, "open_step", opens)
    monkeypatch.setattr(row_blocks, "traced", lambda land: (land, None))  # recording takes seconds
    monkeypatch.setattr(step, "compiled_paths", lambda land: (land, land))
    monkeypatch.setattr(step, "Library", lambda land, threads: NetworkPart(land, torch.float32))
    return opened


def test_all_entrants_are_measured_in_every_round(dataset, uncompiled, monkeypatch):
    """Each has a time in each round; the command of a site has a valid configuration for one point."""
    commands = []
    monkeypatch.setattr(step, "subprocess", SimpleNamespace(run=lambda command, **_: commands.append(command)))

    def runs(name, dataset, points, *, steps, rounds, folder, execution, at_once):
        slow = {"plain": 2.0, "compiled": 1.0}[execution]
        blocks, run = (tuple(Spent(9.0, slow * cpu * steps) for _ in range(rounds)) for cpu in (1.0, 1.25))
        return [Size(points[0], steps, (), blocks, run, needed=1)]

    monkeypatch.setattr(rollout, "benchmark", runs)
    sizes = {"rows": 16, "points": 16, "steps": 2, "days": 1, "members": 2, "seconds": 0.0}
    setting = Setting(dataset, ("ailand",), rounds=2, **sizes)
    result = benchmark(setting)
    assert list(result.steps) == list(result.runs) == list(result.sites) == ["ailand"]
    for rounds in (*result.steps.values(), *result.runs.values(), *result.sites.values()):
        assert all(len(values) == 2 and min(values) > 0.0 for values in rounds.values())
    assert len(result.steps["ailand"]) == 15
    configs = [read_run(command[4], command[5:]) for command in commands]
    assert [options_of_runner(config) for config in configs] == [{"execution": e} for e in ("plain", "compiled")] * 2
    assert open_dataset(configs[0].input["dataset"]).shape[-1] == 1
    assert {label: values[0] for label, values in result.runs["ailand"].items()} == {
        "step, plain": 2000.0, "run, plain": 2500.0, "run / step, plain": 1.25,
        "step, compiled": 1000.0, "run, compiled": 1250.0, "run / step, compiled": 1.25,
    }  # fmt: skip
    assert {path.stem for path in uncompiled} == {"ailand"}
    assert len([line for line in table(result, setting).splitlines() if line.startswith("|")]) == 17 + 3 + 8 + 10


def test_whole_runs_can_be_compiled(dataset, uncompiled):
    """Blocks and runs take the compiled step, and there is no call on all rows at once, which is never compiled."""
    output = {"land-netcdf": {"compression": 1}}
    (size,) = rollout.benchmark("ailand", dataset, [16], steps=2, rounds=1, execution="compiled", output=output)
    assert len(uncompiled) == 2 and not size.plain
    assert size.blocks[0].cpu > 0.0 and size.run[0].cpu > 0.0


def test_networks_have_the_sizes_of_their_configurations(tmp_path):
    """The network of v1 predicts increments, the large one has the closed step; a file is made once."""
    v1, large = (load_step(checkpoint_of(name, tmp_path)) for name in ("ailand-v1", "ailand-large"))
    layers = [[m.out_features for m in land.model.model.network.trunk.modules() if hasattr(m, "out_features")]
              for land in (v1, large)]  # fmt: skip
    assert layers == [[512] * 6, [384] * 5]
    assert (v1.model.model.closed is None, large.model.model.closed is None) == (True, False)
    assert not v1.model.model.network.skip and unsupported(v1) is unsupported(large) is None
    before = large.path.stat().st_mtime_ns
    assert checkpoint_of("ailand-large", tmp_path) == str(large.path) and large.path.stat().st_mtime_ns == before
    assert checkpoint_of("ailand", tmp_path) == "ailand"


def test_table_has_ratios_of_the_same_round(tmp_path):
    """Rounds of 4, 5 and 10 microseconds are 200,000 point-steps a second, and 42, 34 and 17 times ecLand's 5,950."""
    rounds = {step.BFLOAT16: [2.0, 3.0, 8.0], step.COMPILED: [4.0, 4.0, 8.0], step.GRID: [4.0, 5.0, 10.0],
              step.ALONE: [900.0, 1000.0, 1200.0], step.SERIES: [300.0, 400.0, 500.0]}  # fmt: skip
    result = Result({"ailand": rounds, "plain": {step.BFLOAT16: [1.0] * 3}}, {}, {})
    text = table(result, Setting(tmp_path, rounds=3))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert ["ailand", "200,000", "33.6 (25.2 - 37.8)", "0.75 (0.625 - 0.875)", "1.8 - 3.1", "4.5 - 7.8"] in rows
    assert ["plain", "-", "-", "-", "-", "-"] in rows
    assert [step.GRID, "5 (4.5 - 7.5)", "-"] in rows
    assert "not the core of this table" in " ".join(text.split()) and "14,964" in text
    assert "measured on this machine" in " ".join(table(result, Setting(tmp_path, ecland=6000.0)).split())


def test_one_core_is_used_and_given_back(monkeypatch):
    """Inside, one processor and one thread, also for children; afterwards what there was."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    before = os.sched_getaffinity(0)
    with one_core():
        assert os.sched_getaffinity(0) == {max(before)} and torch.get_num_threads() == 1
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.sched_getaffinity(0) == before and os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"networks": ("huge",)}, r"^The networks \['huge'\] are unknown\. Give some of .*'ailand-v1'"),
        ({"rounds": 0}, "^There are 0 rounds"),
        ({"points": 1000}, "^The grid has 1000 points. Give at least 2048"),
        ({"ecland": 0.0}, "^The rate of ecLand is 0"),
        ({"ecland": -5.0}, "^The rate of ecLand is -5"),
        ({"ecland": float("nan")}, "^The rate of ecLand is nan"),
        ({"networks": ("ailand",)}, "to 2020-01-03.*, but a site is run over 365 days"),
    ],
)
def test_settings_are_checked_before_compiling(wrong, message, dataset, monkeypatch):
    """Each mistake has a message of its own."""
    monkeypatch.setattr(step, "open_step", lambda *_, **__: pytest.fail("compiled"))
    with pytest.raises(ValueError, match=message):
        benchmark(Setting(dataset, **wrong))


def test_a_missing_dataset_is_refused_before_compiling(tmp_path, monkeypatch):
    """The error names it."""
    monkeypatch.setattr(step, "open_step", lambda *_, **__: pytest.fail("compiled"))
    with pytest.raises((ValueError, OSError), match=r"missing\.zarr"):
        benchmark(Setting(tmp_path / "missing.zarr", ("ailand",)))


def test_options_reach_the_measurement(monkeypatch, capsys):
    """Without names, all networks take part."""
    settings = []
    monkeypatch.setattr(step, "benchmark", settings.append)
    monkeypatch.setattr(step, "table", lambda result, setting: "| table |\n")
    main(["step", "--dataset", "d.zarr", "--rounds", "7", "--networks", "ailand", "--ecland", "6000"])
    main(["step", "--dataset", "d.zarr"])
    assert (settings[0].rounds, settings[0].networks, settings[0].ecland) == (7, ("ailand",), 6000.0)
    assert settings[1].networks == tuple(CONFIGS)
    assert capsys.readouterr().out == "| table |\n" * 2
