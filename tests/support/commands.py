# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Commands in processes of their own, forked from a server that has made the imports: they take most of the time."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

#: What the commands import before they do anything; pyproj first, as in ``tests/conftest.py``.
IMPORTS = (
    "pyproj", "anemoi_ailand.rollout.run.runner", "anemoi_ailand.rollout.run.launch", "anemoi.models.interface",
    "anemoi.datasets.create.creator", "anemoi_ailand.workflows.site", "anemoi_ailand.workflows.evaluate",
    "anemoi.training.train.train", "anemoi_ailand.training.method",
)  # fmt: skip

#: The server is one of a process, so other tests with processes take it as well.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(list(IMPORTS))


def run_command(
    module: str, *arguments: object, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 300.0
) -> subprocess.CompletedProcess:
    """Run ``python -m MODULE ARGUMENTS``, or a script ``*.py``, as :func:`subprocess.run` with text output does.

    The process has its own state, output and exit code, and starts from nothing but the imports. Tests of start-up,
    signals, limits and environments use real processes.
    """
    command = [module, *map(str, arguments)]
    with TemporaryDirectory() as folder:
        process = SERVER.Process(target=_run, args=(command, str(cwd), dict(env or os.environ), folder))
        process.start()
        process.join(timeout)
        late = process.exitcode is None
        if late:
            process.kill()
            process.join()
        out, err = (Path(folder, name).read_text() for name in ("stdout", "stderr"))
        if late:
            raise subprocess.TimeoutExpired(command, timeout, out, err)
        return subprocess.CompletedProcess(command, process.exitcode, out, err)


def _run(command: list[str], cwd: str, env: dict[str, str], folder: str) -> None:
    """Become the command; the process ends with its exit code."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        with Path(folder, name).open("wb") as file:
            os.dup2(file.fileno(), number)
    multiprocessing.set_start_method(None, force=True)  # for its own processes the default, as in any command
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = list(command)
    try:
        if command[0].endswith(".py"):
            runpy.run_path(command[0], run_name="__main__")
        else:
            runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    finally:  # as at the end of any program: pools of processes end before multiprocessing waits for their members
        threading._shutdown()
