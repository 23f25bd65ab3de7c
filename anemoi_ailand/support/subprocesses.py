# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Run commands of Anemoi in a process of their own, with progress on the terminal and all output in a log."""

from __future__ import annotations

import logging
import math
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOG = logging.getLogger(__name__)

#: Output of a command that is shown while it runs: the last state of a progress bar, and these messages.
_BAR = re.compile(r"^(?!Validation).*\d+%\|.*\]")
_MESSAGE = re.compile(r"(Epoch \d+: validation loss .*|\bERROR\b.*|Re-forecasts written .*|Scoring \[.*|Report .*)")

#: Time between two states of a progress bar, on a terminal and in a file [s].
EVERY = (0.2, 15.0)

#: Lines of a failed command's log that are shown.
TAIL = 30


@dataclass(frozen=True)
class Spent:
    """Wall-clock time and processor time of a command [s]."""

    wall_seconds: float
    cpu_seconds: float


def run_logged(
    log: Path, command: Sequence[str], cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Spent:
    """Run a ``python -m`` command; show its progress and keep all of its output in ``log``.

    ``environment`` adds variables to those of this process. A ChildProcessError holds the end of the output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", *command]
    LOG.info("  %s %s", re.sub("[._]", "-", command[0]), shlex.join(command[1:]))
    # the arrays are small: more threads would wait for each other
    variables = {"OMP_NUM_THREADS": "1", **os.environ, **(environment or {})}
    began, before = time.monotonic(), _cpu_seconds()
    with (
        log.open("w") as file,
        subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env=variables, text=True, bufsize=1
        ) as job,
    ):
        assert job.stdout is not None
        shown = -math.inf
        for line in job.stdout:  # universal newlines: carriage returns of progress bars end lines as well
            file.write(line)
            shown = _show(line, shown)
    if job.returncode:
        tail = "\n".join(log.read_text().splitlines()[-TAIL:])
        raise ChildProcessError(
            f"{tail}\n`{shlex.join(argv)}` failed with exit code {job.returncode}. All output: {log}"
        )
    return Spent(time.monotonic() - began, _cpu_seconds() - before)


def _cpu_seconds() -> float:
    """Return the processor time of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _show(line: str, shown: float) -> float:
    """Show messages and progress bars; return the time at which a progress bar was last shown."""
    terminal, now = sys.stderr.isatty(), time.monotonic()
    if message := _MESSAGE.search(line):
        sys.stderr.write(("\r\033[K" if terminal else "") + f"  {message[1].strip()[:150]}\n")
    elif (bar := _BAR.search(line)) and now - shown > EVERY[not terminal]:
        shown = now
        sys.stderr.write(f"\r\033[K  {bar[0][:110]}" if terminal else f"  {bar[0][:110]}\n")
    sys.stderr.flush()
    return shown


def remove(path: Path) -> None:
    """Remove a file or folder if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
