# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What an output keeps beside itself so that a stopped run can go on: what the run was, and what waited in memory."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from anemoi.inference.types import FloatArray, IntArray

from anemoi_ailand.rollout.outputs.output_frame import Block, Frame, date_of, hours_since_epoch
from anemoi_ailand.rollout.outputs.period_means import PeriodMeans
from anemoi_ailand.support.atomic_file import write_whole
from anemoi_ailand.support.sphere import same_points

RUN = "run.npz"
#: Generations of what waited that are kept: a runner may find its newest restart file damaged.
KEPT = 3


@dataclass(frozen=True)
class Stored:
    """What is on disk about the run that stopped."""

    folder: Path
    date: int
    latitudes: FloatArray
    longitudes: FloatArray
    index: IntArray
    attributes: dict[str, str]
    identity: dict[str, Any]
    restart_every: int

    def checked(self, frame: Frame, identity: Mapping[str, Any]) -> Frame:
        """``frame`` with the coordinates on disk, if it is of the same run.

        Raises
        ------
        ValueError
            With what differs.
        """
        now = json.loads(json.dumps(identity))
        differ = {k: (self.identity.get(k), now.get(k)) for k in {**self.identity, **now}
                  if self.identity.get(k) != now.get(k)}  # fmt: skip
        if differ:
            raise ValueError(
                f"The output in '{self.folder}' is of a run with another {', '.join(sorted(differ))} (there, now): "
                f"{differ}. Resume with the same configuration and checkpoint, or start anew."
            )
        if not self._on_same_points(frame):
            raise ValueError(
                f"The output in '{self.folder}' has {self.index.size} points, and the run that shall go on has "
                f"{frame.n_points} or others. Resume with the same points, or start anew."
            )
        return replace(frame, latitudes=self.latitudes, longitudes=self.longitudes)

    def _on_same_points(self, frame: Frame) -> bool:
        """But for the digits and the branch of longitudes, which differ between files."""
        if not np.array_equal(self.index, frame.index):
            return False
        return same_points((self.latitudes, self.longitudes), (frame.latitudes, frame.longitudes))


class Progress:
    """Files of a restart in one folder, each written under a temporary name, then renamed.

    ``run.npz`` says what the run is; ``waits-000003.npz`` holds what waited in memory at the third
    :meth:`~anemoi_ailand.rollout.outputs.land_output.LandOutput.make_durable`: running sums of means, and times that
    do not fill a chunk.

    Parameters
    ----------
    folder : Path
        Made by :meth:`start`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, ""

    def start(
        self, frame: Frame, identity: Mapping[str, Any], restart_every: int, run: str | None = None
    ) -> None:  # fmt: skip
        """Write what the run is."""
        self.run = run or uuid.uuid4().hex
        self.folder.mkdir(parents=True, exist_ok=True)
        about = {
            "run": self.run, "date": hours_since_epoch(frame.date), "attributes": frame.attributes,
            "identity": dict(identity), "restart_every": restart_every,
        }  # fmt: skip
        arrays = {"latitudes": frame.latitudes, "longitudes": frame.longitudes, "index": frame.index}
        save_arrays(self.folder / RUN, {"about": np.array(json.dumps(about)), **arrays})

    def load(self, run: str) -> Stored:
        """Read what the run was.

        Raises
        ------
        FileNotFoundError
            There is nothing to go on with.
        ValueError
            It is another run than the one of the restart file.
        """
        path = self.folder / RUN
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no '{path}', which the stopped run had written. If that run has ended since, its output is "
                "complete; else start anew."
            )
        with np.load(path) as found:
            about = json.loads(str(found["about"]))
            arrays = {k: found[k] for k in ("latitudes", "longitudes", "index")}
        if about["run"] != run:
            raise ValueError(
                f"The output in '{self.folder}' is of a later run than the restart file. Give the restart file that "
                "belongs to it, or start anew."
            )
        told = {k: about[k] for k in ("date", "attributes", "identity", "restart_every")}
        return Stored(folder=self.folder, **told, **arrays)

    def save(self, number: int, block: Block | None, means: PeriodMeans | None) -> str | None:
        """Keep what waits in memory; returns the name of the file, None if nothing waits."""
        arrays: dict[str, np.ndarray] = {}
        if block is not None and block.filled:
            arrays["block/times"] = block.hours()
            arrays.update({f"block/{name}": block.of(name) for name in block.values})
        if means is not None:
            arrays.update({f"means/{k}": v for k, v in means.arrays().items()})
        name = f"waits-{number:06d}.npz"
        if arrays:
            save_arrays(self.folder / name, arrays)
        for old in self.folder.glob("waits-*.npz"):
            if not number - KEPT < _number(old) <= number:
                old.unlink()
        return name if arrays else None

    def restore(self, name: str | None, block: Block, means: PeriodMeans | None) -> Block:
        """Put back what waited into an empty block and empty means.

        Raises
        ------
        FileNotFoundError
            It is gone.
        """
        if name is None:
            return block
        path = self.folder / name
        if not path.is_file():
            raise FileNotFoundError(f"There is no '{path}', which the restart file names. Start anew.")
        with np.load(path) as found:
            arrays = {k: found[k] for k in found.files}
        for k, row in enumerate(arrays.get("block/times", ())):
            stamp, start, end = map(date_of, row)
            block.add((stamp, start, end), {n: arrays[f"block/{n}"][k] for n in block.values})
        if means is not None:
            means.restore({k.removeprefix("means/"): v for k, v in arrays.items() if k.startswith("means/")})
        return block

    def clear(self) -> None:
        """Remove the files of the restart, and their folder if nothing else is in it."""
        self._remove("waits-*.npz*", f"{RUN}*")

    def remove(self) -> None:
        """Remove all that an earlier run left here, parts of a file included."""
        self._remove("waits-*.npz*", f"{RUN}*", "[0-9]*.nc*")

    def _remove(self, *patterns: str) -> None:
        for path in [p for pattern in patterns for p in self.folder.glob(pattern)]:
            path.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to ``path`` so that it is there whole or not at all, whatever stops the machine."""
    partial = path.with_name(path.name + ".partial")
    write_whole(path, partial, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
