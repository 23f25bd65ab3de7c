# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The configuration of a run and the options of its runner: mistakes are named with what is known."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch
from anemoi.inference.config.run import RunConfiguration

from anemoi_ailand.rollout.run.launch import read_run
from anemoi_ailand.rollout.run.options import run_options, whole_steps
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
        (BASE, ["--lead_time=3d"], "'--lead_time=3d' is not of the form key=value"),
        (BASE, ["output.land-netcdf.path=f: x.nc"], "holds a colon and a space"),
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
        ("inference/rolout", r"no configuration 'inference/rolout', neither .*Nearest: .*inference/rollout"),
        ("my.yaml", "no configuration 'my.yaml', neither a file nor a packaged one"),
        ("{folder}/yours.yaml", r"no configuration '.*yours.yaml'. Its folder holds \['my.yaml'\]"),
    ],
)
def test_no_such_file(tmp_path, path, message):
    """The error lists the available files."""
    (tmp_path / "my.yaml").write_text(BASE)
    with pytest.raises(FileNotFoundError, match=message):
        read_run(path.format(folder=tmp_path))


ENSEMBLE = {"members": 2, "initial": {}}


def test_all_options_are_read():
    """Nested options, lengths of time and ``~`` are parsed."""
    found = run_options({
        "restart": {"folder": "~/restarts", "every": "5d", "keep": 3},
        "ensemble": {
            "members": 25, "first": 25, "seed": 7, "control": False, "length_km": 300, "initial": {"swvl": 0.03},
            "forcing": {"hours": 12}, "checkpoints": ["b.ckpt"], "model_error": 0.5,
        },
        "bad_forcing": "hold", "final_state": "~/end-{member:03d}.state", "threads": 4, "block_rows": 512,
        "dry_run": True,
    })  # fmt: skip
    assert found.restart.folder == Path.home() / "restarts"
    assert (found.restart.every, found.restart.keep) == (timedelta(days=5), 3)
    assert found.final_state == Path.home() / "end-{member:03d}.state"
    ensemble = found.ensemble
    assert (ensemble.members, ensemble.first, ensemble.seed, ensemble.control) == (25, 25, 7, False)
    assert (ensemble.initial.swvl, ensemble.initial.stl) == (0.03, 0.5)
    assert (ensemble.forcing.hours, ensemble.forcing.precipitation) == (12.0, 0.5)
    assert (ensemble.checkpoints, ensemble.model_error) == (("b.ckpt",), 0.5)
    assert (found.bad_forcing, found.threads, found.block_rows, found.dry_run) == ("hold", 4, 512, True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"restart": {}}, "'restart.folder': Field required"),
        ({"restart": {"folder": "r", "every": "7h"}}, "'restart.every': it is not a positive multiple of 6 h"),
        ({"restart": {"folder": "r", "every": "soon"}}, "it is not a duration"),
        ({"restart": {"folder": "r", "keep": 0}}, "'restart.keep': .* greater than or equal to 1"),
        ({"ensemble": {"members": 0}}, "'ensemble.members'"),
        ({"ensemble": {**ENSEMBLE, "seed": 2**64}}, "'ensemble.seed'"),
        ({"ensemble": {**ENSEMBLE, "length_km": 0}}, "'ensemble.length_km'"),
        ({"ensemble": {"members": 2, "initial": {"swvl": -0.1}}}, "'ensemble.initial.swvl'"),
        ({"ensemble": {"members": 2, "initial": {"vertical_correlation": 1.0}}}, "vertical_correlation"),
        ({"ensemble": {"members": 2, "forcing": {"hours": 0}}}, "'ensemble.forcing.hours'"),
        ({"ensemble": {"members": 2, "model_error": "calibrate"}}, "give none, calibrated, a factor, or a file"),
        ({"bad_forcing": "ignore"}, "'bad_forcing': .*'error', 'hold' or 'clip'"),
        ({"threads": 0}, "'threads'"),
    ],
)
def test_values_without_sense_are_refused(given, message):
    """The error names the option and its accepted values."""
    with pytest.raises(ValueError, match=f"(?s)has 1 mistake.*{message}.*given: "):
        run_options(given)


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        ({}, r"all members would be the same; give `initial`"),
        ({"initial_files": "a.state"}, r"has no \{member\}"),
        ({"initial_files": "{n}.state"}, r"braces other than \{member\} \(KeyError"),
        ({"initial_files": "{}.state"}, r"braces other than \{member\}"),
        ({"initial_files": "{member"}, r"braces other than \{member\}"),
        ({"initial_files": "{member}", "initial": {}}, "both `initial` and `initial_files`"),
        ({"initial": {}}, r"one file for several members; put \{member\} into its name"),  # the last state
    ],
)
def test_members_that_would_be_the_same_are_refused(ensemble, message):
    """Something makes several members differ; the names of their files vary with the member only."""
    with pytest.raises(ValueError, match=message):
        run_options({"ensemble": {"members": 2, **ensemble}, "final_state": "end.state"})


def test_members_that_differ_are_accepted():
    """One member needs nothing."""
    for options in (
        {"initial": {}}, {"forcing": {}}, {"checkpoints": ["b"]}, {"initial_files": "{member}.state"},
        {"model_error": "calibrated"},
    ):  # fmt: skip
        found = run_options({"ensemble": {"members": 2, **options}, "final_state": "{member}.state"})
        assert found.ensemble.members == 2
    assert run_options({"ensemble": {"members": 1}, "final_state": "end.state"}).final_state == Path("end.state")


@pytest.mark.parametrize(("given", "days"), [("30d", 30), ("P1Y", 365), (6, 0.25), ("18h", 0.75)])
def test_lengths_of_time(given, days):
    """Lengths are written as in anemoi-inference; a number is in hours."""
    assert whole_steps(given) == timedelta(days=days)
