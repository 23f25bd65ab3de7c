# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The configuration of a run: read as anemoi-inference reads it, mistakes named."""

from datetime import datetime

import pytest
import torch
from anemoi.inference.config.run import RunConfiguration

from anemoi_ailand.rollout.run.configuration import read_run
from anemoi_ailand.support.packaged import find

BASE = "checkpoint: ailand\nrunner: land-forecaster\ninput: {dataset: a.zarr}\noutput: {land-netcdf: {path: f.nc}}\n"


@pytest.fixture
def read(tmp_path):
    """Read a file with this text."""

    def call(text, *options, **others):
        (tmp_path / "my.yaml").write_text(text)
        return read_run(str(tmp_path / "my.yaml"), options, **others)

    return call


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["date=2020-05-01T00:00:00", "lead_time=10d", "input.dataset=b.zarr"],
        ["env.A=1", "dynamic_forcings.dataset=c.zarr", "allow_nans=true"],
    ],
)
def test_configuration_equals_that_of_anemoi_inference(options):
    """A packaged configuration with plain options equals that of anemoi-inference."""
    expected = RunConfiguration.load(str(find("configs", "inference/rollout")), list(options))
    assert read_run("inference/rollout", options) == expected
    assert expected.date.month in (1, 5)


def test_options_are_merged_into_the_file(read):
    """Mappings key by key, where upstream keeps the first; lists by number; values are YAML; a word is replaced."""
    found = read(BASE, "output={land-netcdf: {means: day, points: {indices: [1, 2]}}}", "env={A: 1, B: 2}")
    assert found.output == {"land-netcdf": {"path": "f.nc", "means": "day", "points": {"indices": [1, 2]}}}
    assert found.env == {"A": 1, "B": 2}
    found = read(BASE, "runner.land-forecaster.restart.folder=r", "runner.land-forecaster.threads=2")
    assert found.runner == {"land-forecaster": {"restart": {"folder": "r"}, "threads": 2}}
    text = BASE + "post_processors: [{a: {x: 1}}, b]\n"
    assert read(text, "post_processors.0.a.x=3").post_processors == [{"a": {"x": 3}}, "b"]
    found = read(BASE, "date=2020-05-01", "initial_state_categories=[prognostics]", "name=${runner}")
    assert (found.date, found.initial_state_categories) == (datetime(2020, 5, 1), ["prognostics"])
    assert found.name == "land-forecaster"


def test_missing_runner_is_added(read):
    """A configuration without ``runner``, which anemoi-inference cannot run with the name of a network, has ours."""
    assert read("checkpoint: ailand\n").runner == "land-forecaster"


def test_dry_run_is_an_option_of_the_runner(read):
    """The option is set for every form of the runner; ``auto`` keeps its options."""
    text = "checkpoint: ailand\nrunner: {auto: {threads: 2}}\n"
    assert read(text).runner == {"land-forecaster": {"threads": 2}}
    assert read(text, dry_run=True).runner == {"land-forecaster": {"threads": 2, "dry_run": True}}
    assert read(BASE, dry_run=True).runner == {"land-forecaster": {"dry_run": True}}
    found = read(BASE, "runner.land-forecaster.threads=2", dry_run=True)
    assert found.runner == {"land-forecaster": {"threads": 2, "dry_run": True}}
    assert read(BASE, "runner=auto", dry_run=True).runner == {"land-forecaster": {"dry_run": True}}


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (BASE, ["lead_tme=3d"], "(?s)has 1 mistake.*'lead_tme' is not an option. Nearest: .'lead_time'."),
        (BASE + "verbosity: a\nallow_nan: 1", [], "(?s)has 2 mistakes:.*'verbosity'.*'allow_nan' .*'allow_nans'"),
        ("runner: land-forecaster", [], "'checkpoint': Field required"),
        (BASE, ["lead_time=7h"], "has the `lead_time` 7h: it is not a positive multiple of 6 h"),
        (BASE, ["lead_time=soon"], "has the `lead_time` soon: it is not a duration"),
        (BASE, ["device=gpu"], "has the `device` gpu: "),
        (BASE, ["runner=default"], "the runner 'default', but the land needs 'land-forecaster'"),
        (BASE, ["output.land-zarr.path=f.zarr"], r"has \['land-netcdf', 'land-zarr'\] as `output`, but a run has"),
        (BASE, ["input={}", "output={}", "dynamic_forcings={}"], "as `dynamic_forcings`, but a run has one"),
        (BASE, ["lead_time"], "'lead_time' is not of the form key=value"),
        (BASE, ["env=[1"], "The value of 'env=.1' is not YAML"),
        (BASE, ["name=${nothing}"], "cannot be read: .*nothing"),
        ("a: [", [], "cannot be read"),
    ],
)
def test_errors_are_named(read, text, options, message):
    """Every mistake is a single error that names it."""
    with pytest.raises(ValueError, match=message):
        read(text, *options)


def test_a_device_that_is_not_here(read, monkeypatch):
    """A missing GPU is reported before anything is loaded."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="has the `device` cuda:0, which this machine lacks"):
        read(BASE, "device=cuda:0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert read(BASE, "device=cuda:0").device == "cuda:0"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("inference/rolout", r"no configuration file 'inference/rolout' here. .*Nearest: .*inference/rollout"),
        ("my.yaml", "no configuration file 'my.yaml' here"),
        ("{folder}/yours.yaml", r"no configuration '.*yours.yaml'. Its folder holds \['my.yaml'\]"),
    ],
)
def test_no_such_file(tmp_path, path, message):
    """The error lists the available files."""
    (tmp_path / "my.yaml").write_text(BASE)
    with pytest.raises(FileNotFoundError, match=message):
        read_run(path.format(folder=tmp_path))
