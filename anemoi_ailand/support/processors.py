# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Number of processors that a run uses, on machines shared with others."""

from __future__ import annotations

import os
from pathlib import Path

#: Largest number of threads unless asked for: small operations do not gain from more.
MOST = 16

#: Share of the processors that Linux allows a container: microseconds of every period.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_processors() -> int:
    """Return the number of processors for this process: ``OMP_NUM_THREADS`` if set, else what the system allows.

    A container may be allowed less than the machine has. More threads than that wait for each other: two threads on one
    processor take longer than one.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, _quota(allowed), MOST))


def _quota(otherwise: int) -> int:
    try:
        quota, period = _QUOTA.read_text().split()
        return otherwise if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no container, or one without this file
        return otherwise
