# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Restart files of a run: the last few are kept, and a run goes on from the newest one that is whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.rollout.step.state_file import read_restart, write_restart

LOG = logging.getLogger(__name__)

KIND = "land-run"


@dataclass(frozen=True)
class Restart:
    """Where a run was: date and number of the last step, arrays, and how far the outputs are."""

    date: datetime
    number: int
    arrays: dict[str, np.ndarray]
    outputs: list[dict[str, Any]]


class Restarts:
    """The folder of a run's restart files.

    Parameters
    ----------
    folder : Path
        It is made when the first file is written.
    identity : mapping
        What the run is, as JSON has it; a run with another one does not go on from these files.
    checkpoint_sha256 : str
        Of the checkpoint.
    keep : int
        Files that are kept.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], checkpoint_sha256: str, keep: int = 2) -> None:
        self.folder, self.identity, self.keep = folder, dict(identity), keep
        self._checkpoint = checkpoint_sha256

    def files(self) -> list[Path]:
        """Restart files, the newest first."""
        return sorted(self.folder.glob("step-*.restart"), reverse=True)

    def write(self, restart: Restart) -> Path:
        """Write a file, then remove those that are too many."""
        header = {
            "kind": KIND, "checkpoint_sha256": self._checkpoint, "identity": self.identity,
            "date": restart.date.isoformat(), "number": restart.number, "outputs": restart.outputs,
        }  # fmt: skip
        path = write_restart(self.folder / f"step-{restart.number:010d}.restart", header, restart.arrays)
        for old in self.files()[self.keep :]:
            old.unlink()
        LOG.info("Restart file %s written: %s", path, restart.date)
        return path

    def newest(self) -> Restart | None:
        """From where the run goes on; none if there is no file.

        A file that is damaged is passed over with a warning: outputs are cut back to the one before it.

        Raises
        ------
        ValueError
            The files are of another checkpoint or another run, or all of them are damaged.
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
            return Restart(datetime.fromisoformat(header["date"]), header["number"], arrays, header["outputs"])
        if errors:
            raise errors[0]
        return None

    def remove(self) -> None:
        """Remove all files: the run is complete; also what was left of one when the run was killed."""
        for path in (*self.files(), *self.folder.glob(".step-*.restart.*.partial")):
            path.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _check(self, path: Path, header: Mapping[str, Any]) -> None:
        if header["checkpoint_sha256"] != self._checkpoint:
            raise ValueError(
                f"The restart file '{path}' is of the checkpoint with SHA-256 {header['checkpoint_sha256']}, the run "
                f"is of {self._checkpoint}. Go on with the same checkpoint, or remove the files in its folder to start "
                "again."
            )
        there = header["identity"]
        differ = sorted(k for k in {*there, *self.identity} if there.get(k) != self.identity.get(k))
        if differ:
            was = "; ".join(f"{k}: {there.get(k)} (there), {self.identity.get(k)} (wanted)" for k in differ)
            raise ValueError(
                f"The restart file '{path}' is of another run, which differs in {was}. Give another folder, or remove "
                "the files in it to start again."
            )
