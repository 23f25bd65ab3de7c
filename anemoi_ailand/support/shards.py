# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Division of the points of a run among processes: shards of whole chunks, numbered by what starts the processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

#: Number of the process and number of processes, as torchrun and srun set them; the first pair that is set counts.
LAUNCHERS = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"))

AUTO = "auto"


@dataclass(frozen=True)
class Shard:
    """One of ``count`` shards of the points of a run, ``number`` from 0 on.

    Shards are consecutive points in whole chunks of an output, so that no two processes write the same chunk.
    """

    number: int = 0
    count: int = 1

    def __str__(self) -> str:
        return f"shard {self.number} of {self.count}"

    def share(self, n_points: int) -> int:
        """Return the number of points of a shard, before it is rounded up to whole chunks."""
        return -(-n_points // self.count)

    def chunk(self, n_points: int, most: int) -> int:
        """Return the points of a chunk, at most ``most``, such that a shard has whole chunks and little more."""
        share = self.share(n_points)
        return -(-share // -(-share // most))

    def points(self, n_points: int, chunk: int) -> slice:
        """Return the points of this shard among all, in whole chunks but for the last.

        Raises
        ------
        ValueError
            There are fewer points than the shards need.
        """
        size = chunk * -(-self.share(n_points) // chunk)
        if size * (self.count - 1) >= n_points:
            raise ValueError(
                f"{n_points} points in chunks of {chunk} fill {-(-n_points // size)} shards, and there are "
                f"{self.count}. Start fewer."
            )
        return slice(self.number * size, min(n_points, (self.number + 1) * size))


#: A run that is not divided.
WHOLE = Shard()


def shard_of(shards: int | str | None, shard: int | None, environment: Mapping[str, str] = os.environ) -> Shard:
    """Resolve the options of a run: ``shards`` is their number, or ``auto``, and ``shard`` the number of this one.

    Raises
    ------
    ValueError
        One option without the other, a number out of range, or ``auto`` where nothing states the numbers.

    Examples
    --------
    >>> from anemoi_ailand.support.shards import shard_of
    >>> shard_of("auto", None, {"SLURM_PROCID": "3", "SLURM_NTASKS": "16"})
    Shard(number=3, count=16)
    """
    if shards is None:
        if shard is not None:
            raise ValueError(f"`shard` is {shard}, and `shards` is not given. Give the number of shards, too.")
        return WHOLE
    if shards == AUTO:
        return _of_launcher(shard, environment)
    count = int(shards) if str(shards).isdigit() else 0
    if shard is None or not 0 <= shard < count:
        raise ValueError(
            f"`shards` is {shards} and `shard` {shard}. Give the number of shards and that of this one, counted from "
            "0, or `shards` as auto where srun or torchrun starts the processes."
        )
    return Shard(shard, count)


def _of_launcher(shard: int | None, environment: Mapping[str, str]) -> Shard:
    if shard is not None:
        raise ValueError(f"`shards` is {AUTO}, so `shard` {shard} has no use. Leave it out, or give both numbers.")
    for names in LAUNCHERS:
        number, count = (environment.get(name, "") for name in names)
        if number.isdigit() and count.isdigit() and int(number) < int(count):
            return Shard(int(number), int(count))
    raise ValueError(
        f"`shards` is {AUTO}, but neither srun nor torchrun started this process: none of {LAUNCHERS} is set. Give "
        "both `shards` and `shard`."
    )
