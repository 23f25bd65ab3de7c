# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The example chain of docs/guide/operations.md, end to end on the packaged sample, stopped in the middle."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from anemoi_ailand.support.packaged import find

pytestmark = pytest.mark.slow

CHAIN = Path(__file__).resolve().parents[2] / "docs" / "examples" / "chain"


def start(folder, length):
    """The chain as its own group of processes."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {"PATH": path, "DATE": "2022-01-01", "LENGTH": length, "WORK": str(folder / "work"),
             "ARCHIVE": str(folder / "archive"), "RECIPE": str(recipe(folder))}  # fmt: skip
    with (folder / "log").open("w") as log:  # a pipe that nobody reads would stop it
        return subprocess.Popen(
            ["bash", str(CHAIN / "chain.sh")], cwd=folder, env={**os.environ, **given}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def recipe(folder):
    """The recipe that ``prepare.sh`` takes by default, for the months of the run only."""
    name = re.search(r"anemoi-ailand recipes --path ([a-z-]+)\)", (CHAIN / "prepare.sh").read_text())[1]
    content = yaml.safe_load(find("recipes", name).read_text())
    content["dates"].update(start="2022-01-01T00:00:00", end="2022-03-05T18:00:00")
    content["statistics"]["end"] = "2022-03-05T18:00:00"
    (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
    return folder / "recipe.yaml"


def processes(group):
    """Processes of the group that are runs."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command, of = (entry / "cmdline").read_bytes().split(b"\0"), os.getpgid(int(entry.name))
        except (OSError, ProcessLookupError):  # gone meanwhile
            continue
        if of == group and any(c.endswith(b"anemoi-ailand") for c in command) and b"run" in command:
            yield int(entry.name)


def kill_the_run(folder, chain):
    """SIGKILL to the run itself, once it has written a restart file."""
    end = time.monotonic() + 400
    while not list((folder / "work" / "restart").glob("*.restart")):
        assert chain.poll() is None, (folder / "log").read_text()[-3000:]
        assert time.monotonic() < end, "no restart file"
        time.sleep(0.05)
    found = list(processes(chain.pid))
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return len(found)


def test_chain_resumes_a_killed_run_and_archives_the_result(tmp_path):
    """Five tasks in order; the archive has what an uninterrupted run gives, with checksums."""
    chain = start(tmp_path, "60d")
    assert kill_the_run(tmp_path, chain)
    code, said = chain.wait(timeout=600), (tmp_path / "log").read_text()
    assert code == 0, said[-3000:]
    assert "resuming from the last restart file" in said
    archive = tmp_path / "archive" / "2022-01-01"
    assert {p.name for p in archive.iterdir()} == {"forecast.nc", "days.nc", "water.csv", "end.state", "SHA256SUMS"}
    with xr.open_dataset(archive / "forecast.nc") as run, xr.open_dataset(archive / "days.nc") as days:
        assert (run.sizes["time"], days.sizes["time"]) == (241, 60)
        np.testing.assert_allclose(days.swvl1[0], run.swvl1[1:5].mean("time"), rtol=1e-5)
        table = pd.read_csv(archive / "water.csv")
        assert len(table) == 60 * run.sizes["point"]
        assert table.water_to_1m_kg_m2.between(0.0, 800.0).all()
    assert not list((tmp_path / "work").glob("restart/*"))
    again = start(tmp_path, "60d")
    assert again.wait(timeout=300) == 0  # all is done: nothing is made again
