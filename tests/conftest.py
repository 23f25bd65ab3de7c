# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Shared by all tests: one thread, a fixed seed, fast tests first, commands run as a user runs them."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

# Before any import of numpy or torch. One thread gives the same numbers everywhere, and two tests share two cores.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[name] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")
# no test takes a compiled step that a user has made; those of compiled steps make their own
os.environ["AILAND_CACHE"] = str(Path(tempfile.gettempdir(), "no-compiled-steps"))

import numpy as np  # noqa: E402
import pyproj  # noqa: E402, F401  before eccodes: loaded after it, their two PROJ libraries abort the process
import pytest  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]

#: Files of slow tests that take longest, below this folder and without ``test_``, in the order in which they begin: no
#: process is left alone with one of them. The first makes what others wait for, which come later.
LONGEST = (
    "integration/compiled", "unit/training/compiled_step", "integration/operations", "integration/wheel",
    "integration/contest", "integration/evaluate", "integration/chain", "unit/data/plausibility",
    "integration/example_chain", "integration/datasets", "integration/export", "unit/assimilation/window",
    "integration/notebooks", "integration/coupled_run", "faults/processes", "unit/training/processes",
    "integration/forecast_dataset", "integration/baselines", "integration/pretrained", "integration/diagnose",
    "integration/variants", "integration/netcdf_in_threads",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests marked ``slow`` last, those of :data:`LONGEST` first among them."""

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("slow") is None:
            return -1
        name = item.nodeid.partition(".py")[0].removeprefix("tests/").replace("test_", "")
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    """Start each test from the same random state, torch only where the test has imported it, and level of the log."""
    logging.getLogger("anemoi_ailand").setLevel(logging.NOTSET)  # the main functions of some commands change it
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture
def ailand(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Run ``anemoi-ailand ARGUMENTS`` in a new empty folder and return code, stdout and stderr."""

    def run(*arguments: str | Path, timeout: float = 120.0) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "anemoi_ailand", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=timeout, check=False)

    return run
