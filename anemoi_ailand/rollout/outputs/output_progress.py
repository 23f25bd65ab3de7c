# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Restart files of an output: the identity of the run, and the values that waited in memory."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from anemoi.inference.types import FloatArray, IntArray

from anemoi_ailand.rollout.outputs.buffer import Buffer
from anemoi_ailand.rollout.outputs.output_frame import Frame
from anemoi_ailand.support.atomic import child, partial_path, write_whole
from anemoi_ailand.support.netcdf_writer import date_of, hours_since_epoch
from anemoi_ailand.support.sphere import same_points

RUN = "run.npz"
#: Restarts that are kept, as the newest restart file of a run may be damaged.
KEPT = 3


@dataclass(frozen=True)
class Stored:
    """Identity of the stopped run, read from disk."""

    folder: Path
    date: int
    latitudes: FloatArray
    longitudes: FloatArray
    index: IntArray
    attributes: dict[str, str]
    identity: dict[str, Any]
    restart_every: int

    def checked(self, frame: Frame, identity: Mapping[str, Any]) -> Frame:
        """Return ``frame`` with the coordinates on disk, if it belongs to the same run."""
        now = json.loads(json.dumps(identity))
        both = {k: (self.identity.get(k), now.get(k)) for k in {**self.identity, **now}}
        differ = {k: (stored, given) for k, (stored, given) in both.items() if stored != given}
        if differ:
            raise ValueError(
                f"The output in '{self.folder}' belongs to a run with another {', '.join(sorted(differ))} (stored, "
                f"now): {differ}. Resume with the same configuration and checkpoint, or start a new run."
            )
        stored_points, run_points = (self.latitudes, self.longitudes), (frame.latitudes, frame.longitudes)
        # digits and branch of longitudes may differ between files
        if not np.array_equal(self.index, frame.index) or not same_points(stored_points, run_points):
            raise ValueError(
                f"The output in '{self.folder}' has {self.index.size} points, the run has {frame.n_points} or "
                "other ones. Resume with the same points, or start a new run."
            )
        return replace(frame, latitudes=self.latitudes, longitudes=self.longitudes)


class Progress:
    """Restart files in one folder, each written as a whole.

    ``run.npz`` identifies the run; ``waits-000003.npz`` holds the values that waited in memory at the third
    :meth:`~anemoi_ailand.rollout.outputs.land_output.LandOutput.make_durable`: sums of the current period, and times
    that do not fill a chunk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, ""

    def start(
        self, frame: Frame, identity: Mapping[str, Any], restart_every: int, run: str | None = None
    ) -> None:  # fmt: skip
        """Write the identity of the run; a resumed run keeps its ``run``."""
        self.run = run or uuid.uuid4().hex
        self.folder.mkdir(parents=True, exist_ok=True)
        about = {
            "run": self.run, "date": hours_since_epoch(frame.date), "attributes": frame.attributes,
            "identity": dict(identity), "restart_every": restart_every,
        }  # fmt: skip
        arrays = {"latitudes": frame.latitudes, "longitudes": frame.longitudes, "index": frame.index}
        save_arrays(self.folder / RUN, {"about": np.array(json.dumps(about)), **arrays})

    def load(self, run: str) -> Stored:
        """Read the identity of the stopped run, which must be that of the restart file."""
        path = self.folder / RUN
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no '{path}', which the stopped run wrote. If that run has ended since, its output is "
                "complete; else start a new run."
            )
        arrays = _arrays_of(path)
        about = json.loads(str(arrays.pop("about")))
        if about["run"] != run:
            raise ValueError(
                f"The output in '{self.folder}' belongs to a later run than the restart file. Give the restart file "
                "of that run, or start a new one."
            )
        return Stored(
            self.folder, about["date"], attributes=about["attributes"], identity=about["identity"],
            restart_every=about["restart_every"], **arrays,
        )  # fmt: skip

    def save(self, number: int, buffer: Buffer) -> str | None:
        """Save the values that wait in memory; return the name of the file, None if nothing waits."""
        arrays: dict[str, np.ndarray] = {}
        block, means = buffer.block, buffer.means
        if block is not None and block.filled:
            arrays["block/times"] = block.hours()
            arrays.update({f"block/{name}": block.rows(name) for name in block.values})
        if means is not None:
            arrays.update({f"means/{k}": v for k, v in means.arrays().items()})
        name = f"waits-{number:06d}.npz"
        if arrays:
            save_arrays(self.folder / name, arrays)
        for old in self.folder.glob("waits-*.npz"):
            if not number - KEPT < int(old.stem.rpartition("-")[2]) <= number:
                old.unlink()
        return name if arrays else None

    def restore(self, name: str | None, buffer: Buffer) -> None:
        """Restore the values that waited into an empty buffer."""
        if name is None:
            return
        path = child(self.folder, name)
        if not path.is_file():
            raise FileNotFoundError(f"There is no '{path}', which the restart file names. Start a new run.")
        arrays = _arrays_of(path)
        buffer.block = block = buffer.empty()
        for k, row in enumerate(arrays.get("block/times", ())):
            stamp, start, end = map(date_of, row)
            block.add((stamp, start, end), {n: arrays[f"block/{n}"][k] for n in block.values})
        if buffer.means is not None:
            buffer.means.restore({k.removeprefix("means/"): v for k, v in arrays.items() if k.startswith("means/")})

    def clear(self) -> None:
        """Remove the restart files, and then their folder if it is empty."""
        self._remove("waits-*.npz*", f"{RUN}*")

    def remove(self) -> None:
        """Remove everything that an earlier run left, parts of a file included."""
        self._remove("waits-*.npz*", f"{RUN}*", "[0-9]*.nc*")

    def _remove(self, *patterns: str) -> None:
        for path in [p for pattern in patterns for p in self.folder.glob(pattern)]:
            path.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def _arrays_of(path: Path) -> dict[str, np.ndarray]:
    """Read a file of :func:`save_arrays`; damage shows in the checksums of its parts."""
    try:
        with np.load(path, allow_pickle=False) as found:
            return {k: found[k] for k in found.files}
    except (OSError, EOFError, ValueError, AttributeError, BadZipFile) as error:
        raise ValueError(f"'{path}' is damaged ({error}). Start a new run.") from error


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to an ``npz`` file as a whole."""
    write_whole(path, partial_path(path), lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
