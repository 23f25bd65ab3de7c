# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A run is started, and errors are classified: configuration, input, in the middle, asked to stop."""

import errno
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.rollout.run import launch as under_test
from anemoi_ailand.rollout.run import preflight
from anemoi_ailand.rollout.run.launch import Failure, launch
from anemoi_ailand.rollout.run.signals import Stopped

FILES = "inference/rollout-files"


@pytest.fixture
def calls(monkeypatch):
    """Configurations with which runners are made; ``make`` and ``execute`` are what may go wrong."""
    made = SimpleNamespace(configs=[], make=None, execute=None, under_way=False)

    def create(config):
        made.configs.append(config)
        if made.make:
            raise made.make
        return SimpleNamespace(execute=execute, under_way=made.under_way)

    def execute():
        if made.execute:
            raise made.execute

    monkeypatch.setattr(under_test, "create_runner", create)
    return made


def test_runner_of_the_configuration_is_executed(calls):
    """The runner gets its options; ``auto`` is the land runner."""
    launch(FILES, ["lead_time=1d", "runner.land-forecaster.threads=2"])
    launch(FILES, ["runner=auto"])
    launch(FILES, dry_run=True)
    assert [c.runner for c in calls.configs] == [
        {"land-forecaster": {"threads": 2}}, "land-forecaster", {"land-forecaster": {"dry_run": True}},
    ]  # fmt: skip
    assert calls.configs[0].lead_time == "1d"


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("inference/nowhere", [], "no configuration file"),
        (FILES, ["lead_tme=1d"], "Nearest: .'lead_time'."),
        (FILES, ["runner.land-forecaster.threds=1"], "(?s)`runner: land-forecaster` has 1 mistake.*'threads'"),
        (FILES, ["runner.land-forecaster.ensemble.members=2"], "all members would be the same"),
    ],
)
def test_a_wrong_configuration_makes_no_runner(calls, path, options, message):
    """Options of the runner are checked before it is created."""
    with pytest.raises(Failure, match=message) as caught:
        launch(path, options)
    assert caught.value.what == "configuration"
    assert calls.configs == []


@pytest.mark.parametrize(
    ("made", "executed", "under_way", "what"),
    [
        (TypeError("LandNetCDFOutput has no option 'pth'"), None, False, "configuration"),
        (FileNotFoundError("no dataset"), None, False, "input"),
        (None, ValueError("no forcing"), False, "input"),
        (None, OSError(errno.ENOSPC, "full"), True, "failed"),
        (None, Stopped("on request"), True, "stopped"),
    ],
)
def test_failures_are_classified(calls, made, executed, under_way, what):
    """An unknown option, a missing input, a failure before or after the first step, and a stop are distinguished."""
    calls.make, calls.execute, calls.under_way = made, executed, under_way
    with pytest.raises(Failure) as caught:
        launch(FILES)
    assert (caught.value.what, str(caught.value)) == (what, str(made or executed))
    assert caught.value.__cause__ is (made or executed)


def test_other_errors_keep_their_traceback(calls):
    """A defect of the program is not a failure of a run."""
    calls.execute = KeyError("no idea")
    with pytest.raises(KeyError, match="no idea"):
        launch(FILES)


def test_network_of_the_package_on_its_sample(tmp_path, caplog):
    """A real dry run leaves no files and reports the cost; a real day is then run."""
    options = ["lead_time=1d", f"output.land-netcdf.path={tmp_path / 'out' / 'f.nc'}"]
    caplog.set_level(logging.INFO, logger="anemoi_ailand")
    launch(FILES, options, dry_run=True)
    assert "2022-01-01 00:00 to 2022-01-02 00:00: 4 steps x 44 points, about 0:00:0" in caplog.text
    assert list(tmp_path.iterdir()) == []
    launch(FILES, options)
    with xr.open_dataset(tmp_path / "out" / "f.nc") as found:
        assert found.sizes == {"time": 5, "point": 44, "bnds": 2}
        assert np.isfinite(found.stl1).all()
        assert np.ptp(found.stl1.values, axis=0).min() > 0.0


@pytest.mark.parametrize(
    ("options", "what", "message"),
    [
        (["output.land-netcdf.pth=x"], "configuration", "LandNetCDFOutput has no option 'pth'. Did you mean 'path'"),
        (["checkpoint={sample}"], "input", "not an inference checkpoint .File is not a zip file"),
        (["lead_time=3650d"], "input", r"needs forcing at 2023-01-01T00:00:00 .* Shorten `lead_time`"),
        (["output.land-netcdf.path={sample}/f.nc"], "input", "cannot be written to the folder"),
    ],
)
def test_errors_before_the_first_step(tmp_path, options, what, message):
    """Real mistakes are classified, and nothing is written."""
    (tmp_path / "sample.nc").write_text("no checkpoint, and no folder")
    given = [f"output.land-netcdf.path={tmp_path / 'f.nc'}", *options]
    with pytest.raises(Failure, match=message) as caught:
        launch(FILES, [option.format(sample=tmp_path / "sample.nc") for option in given])
    assert caught.value.what == what
    assert [p.name for p in tmp_path.iterdir()] == ["sample.nc"]


def test_no_room_on_the_disk(tmp_path, monkeypatch):
    """A full disk is reported before an output is opened."""
    monkeypatch.setattr(preflight, "free_bytes", lambda _folder: 10_000)
    with pytest.raises(Failure, match=r"The outputs take up to .* GB are free. Write fewer variables") as caught:
        launch(FILES, [f"output.land-netcdf.path={tmp_path / 'f.nc'}"])
    assert caught.value.what == "input"
    assert list(tmp_path.iterdir()) == []
