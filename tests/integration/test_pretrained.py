# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The trained network of the package by the real command line, offline, and its scores on the packaged sample."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from sample_scores import sample_scores

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint, pretrained_names, pretrained_record
from anemoi_ailand.support.checksum import file_sha256
from anemoi_ailand.support.packaged import find, folder
from tests.support.commands import run_command
from tests.support.land import FORMER

pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).resolve().parents[1] / "reference" / "pretrained"

#: Change of a score that other processors and versions may make; their rounding is carried on for 30 days.
ROUNDING = 0.02

#: ``anemoi-inference`` on a machine whose network is unplugged.
OFFLINE = """
import socket, sys
def refuse(*arguments, **options):
    raise AssertionError(f"the network is used: {arguments}")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
from anemoi.inference.__main__ import main
main()
"""


CONFIG = find("configs", "inference/rollout-files")


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    """Output of the packaged configuration, with a length only."""
    cwd = tmp_path_factory.mktemp("pretrained")
    command = [sys.executable, "-c", OFFLINE, "run", str(CONFIG), "lead_time=2d"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return cwd / "forecast.nc"


def test_runs_at_once_and_offline(forecast):
    """The sample, all variables of the record, no NaN, the checksum in the file."""
    with netCDF4.Dataset(forecast) as ds:
        record = pretrained_record()
        assert ds.checkpoint_sha256 == record["sha256"]
        assert len(ds.dimensions["point"]) == len(open_reader(str(folder("sample"))).latitudes)
        names = {getattr(v, "short_name", None) for v in ds.variables.values()}
        assert {*record["variables"]["state"], *record["variables"]["diagnostic"]} <= names
        assert np.isfinite(np.ma.filled(ds["swvl1"][:], np.nan)).all()


def test_path_and_stock_choice_of_the_runner_give_the_same(forecast, tmp_path):
    """``checkpoint=$(anemoi-ailand pretrained --path) runner=auto``, as with any checkpoint."""
    options = [f"checkpoint={pretrained_checkpoint()}", "runner=auto", "lead_time=2d"]
    done = run_command("anemoi.inference", "run", CONFIG, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    with netCDF4.Dataset(forecast) as a, netCDF4.Dataset(tmp_path / "forecast.nc") as b:
        for name in ("swvl1", "stl1", "sd"):
            np.testing.assert_array_equal(a[name][:], b[name][:])


@pytest.fixture(scope="module", params=[*pretrained_names(), FORMER], ids=[*pretrained_names(), "former"])
def scores(request):
    """The numbers of the reference file of each network, a former one included, and those of today."""
    packaged = request.param != FORMER
    then = json.loads((REFERENCE / f"{request.param}.json" if packaged else FORMER.with_suffix(".json")).read_text())
    checkpoint = pretrained_checkpoint(request.param) if packaged else FORMER
    assert then["sha256"] == file_sha256(checkpoint), "made for another checkpoint: run tools/make_pretrained.py"
    return then, sample_scores(checkpoint)


def test_scores_on_the_sample_hold(scores):
    """Scores at trained and held-out points in 2022 are within the bootstrap intervals of the reference."""
    then, now = scores
    assert (then["starts"], then["lead_days"]) == (now["starts"], now["lead_days"])
    for group, rows in then["scores"].items():
        assert rows.keys() == now["scores"][group].keys()
        outside = {n: now["scores"][group][n]["rmse"] for n, r in rows.items()
                   if not r["low"] <= now["scores"][group][n]["rmse"] <= r["high"]}  # fmt: skip
        assert not outside, f"{group} points"


def test_network_is_reproduced(scores):
    """Scores equal the reference to rounding: no change of the code changes the predictions of the shipped network."""
    then, now = scores
    for group, rows in then["scores"].items():
        for name, row in rows.items():
            assert now["scores"][group][name]["rmse"] == pytest.approx(row["rmse"], rel=ROUNDING), (group, name)
