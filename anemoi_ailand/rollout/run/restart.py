# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stop and resume: an orderly stop on SIGTERM, and restart files; a run resumes from the newest valid one."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from anemoi_ailand.rollout.step.state_file import read_restart, write_restart

LOG = logging.getLogger(__name__)

KIND = "land-run"


@dataclass(frozen=True)
class Restart:
    """Progress of a run: date and number of the last step, arrays, and progress of the outputs."""

    date: datetime
    number: int
    arrays: dict[str, np.ndarray]
    outputs: list[dict[str, Any]]
    execution: str = "plain"


class Restarts:
    """Folder of the last ``keep`` restart files of a run, created with the first one.

    ``identity`` is JSON; only a run with the same identity and checkpoint resumes from these files.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], checkpoint_sha256: str, keep: int = 2) -> None:
        self.folder, self.identity, self.keep = folder, dict(identity), keep
        self._checkpoint = checkpoint_sha256

    def files(self) -> list[Path]:
        """List the restart files, newest first."""
        return sorted(self.folder.glob("step-*.restart"), reverse=True)

    def write(self, restart: Restart) -> Path:
        """Write a file, then remove the oldest beyond ``keep``."""
        header = {
            "kind": KIND, "checkpoint_sha256": self._checkpoint, "identity": self.identity,
            "date": restart.date.isoformat(), "number": restart.number, "outputs": restart.outputs,
            "execution": restart.execution,
        }  # fmt: skip
        path = write_restart(self.folder / f"step-{restart.number:010d}.restart", header, restart.arrays)
        for old in self.files()[self.keep :]:
            old.unlink()
        LOG.info("Restart file %s written: %s", path, restart.date)
        return path

    def newest(self) -> Restart | None:
        """Read the newest valid file; None if there is no file.

        Damaged files are skipped with a warning, and outputs are truncated to the previous restart file. It is an error
        if all files are damaged, or if the newest valid one is of another checkpoint or run.
        """
        files, errors = self.files(), []
        for path in files:
            try:
                header, arrays = read_restart(path, KIND, None)
            except ValueError as error:
                LOG.warning("%s", error)
                errors.append(error)
                continue
            self._check(path, header)
            date, execution = datetime.fromisoformat(header["date"]), header.get("execution", "plain")
            return Restart(date, header["number"], arrays, header["outputs"], execution)
        if errors:
            raise errors[0]
        return None

    def remove(self) -> None:
        """Remove all files once the run is complete, including unfinished ones of a killed run."""
        for path in (*self.files(), *self.folder.glob(".step-*.restart.*.partial")):
            path.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _check(self, path: Path, header: Mapping[str, Any]) -> None:
        if header["checkpoint_sha256"] != self._checkpoint:
            raise ValueError(
                f"The restart file '{path}' belongs to the checkpoint with SHA-256 "
                f"{header['checkpoint_sha256']}, the run to {self._checkpoint}. Resume with the same checkpoint, or "
                "remove the files in its folder to start again."
            )
        found = header["identity"]
        differ = sorted(k for k in {*found, *self.identity} if found.get(k) != self.identity.get(k))
        if differ:
            text = "; ".join(f"{k}: {found.get(k)} (file), {self.identity.get(k)} (run)" for k in differ)
            raise ValueError(
                f"The restart file '{path}' belongs to another run, which differs in {text}. Give another folder, or "
                "remove its files to start again."
            )


class Stopped(RuntimeError):
    """The run was stopped on request: ``by_keyboard`` (Ctrl-C), or by SIGTERM."""

    by_keyboard = False


class StopRequest:
    """Context that records SIGTERM and Ctrl-C; only in the main thread, where Python handles signals.

    A second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self.asked = self.by_keyboard = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def obey(self, date: datetime, *, restartable: bool) -> None:
        """Raise :class:`Stopped` if a stop was requested, with the date and whether the run can be resumed."""
        if self.asked:
            how = "Start it again to resume." if restartable else "It has no `restart` and must start again."
            stopped = Stopped(f"The run was stopped on request after {date:%Y-%m-%d %H:%M}. {how}")
            stopped.by_keyboard = self.by_keyboard
            raise stopped

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.by_keyboard:
            raise KeyboardInterrupt
        LOG.warning("Stop requested: the run ends after this step")
        self.asked, self.by_keyboard = True, number == signal.SIGINT
