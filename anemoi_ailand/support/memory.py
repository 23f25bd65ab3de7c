# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Memory of this machine, or of the job that this process is part of."""

from __future__ import annotations

from pathlib import Path

GIB = 2**30

#: Mount point of control groups, version 2, by which batch systems and containers limit the memory of a job.
_GROUPS = Path("/sys/fs/cgroup")


def total_memory() -> int:
    """Return the bytes of memory of the machine, or those that its job may use, if fewer."""
    limits = [limit for limit, _ in _limits()]
    return min([_of_machine("MemTotal"), *limits])


def available_memory() -> int:
    """Return the bytes that a process can still allocate without swapping, within the limit of its job."""
    left = [max(0, limit - used) for limit, used in _limits()]
    return min([_of_machine("MemAvailable"), *left])


def _of_machine(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return 1024 * int(value.split()[0])
    raise OSError(f"/proc/meminfo has no {name}.")


def _limits(groups: Path = _GROUPS, own: Path = Path("/proc/self/cgroup")) -> list[tuple[int, int]]:
    """Return limit and use of the control groups above this process, without files that the kernel can drop."""
    if not own.exists():
        return []
    paths = [line[3:] for line in own.read_text().splitlines() if line.startswith("0::")]
    found = []
    for path in paths:
        folder = groups / path.strip("/")
        while folder != groups.parent:
            if (limit := _number(folder / "memory.max")) is not None:
                used = (_number(folder / "memory.current") or 0) - _cached(folder / "memory.stat")
                found.append((limit, max(0, used)))
            folder = folder.parent
    return found


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such control group, or "max"
        return None


def _cached(file: Path) -> int:
    try:
        rows = dict(line.split() for line in file.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(rows.get("inactive_file", 0))
