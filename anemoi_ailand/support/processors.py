# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""How many processors a run may take, on machines that others use too."""

from __future__ import annotations

import os
from pathlib import Path

#: Most threads that are taken unasked: small operations do not gain from more.
MOST = 16

#: Where Linux says how much of the processors a container may take: microseconds of every period.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_processors() -> int:
    """Processors that this process may take: ``OMP_NUM_THREADS`` if set, else what the system allows.

    A container may be allowed less than the machine has, and threads beyond that wait for each other: two threads on
    one processor take longer than one.
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
    except (OSError, ValueError):  # no container, or another kind of one
        return otherwise
