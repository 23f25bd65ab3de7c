# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Bins of lead time: days for many runs, windows for one long run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anemoi_ailand.evaluation.scores.metrics import lead_centres, lead_windows

#: Length of a window of one long run [d].
WINDOW_DAYS = 30.0


@dataclass(frozen=True)
class LeadBins:
    """Bin ``0, 1, ...`` of each lead, and the lead time that names each bin [d]."""

    labels: np.ndarray
    days: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Number of leads in each bin."""
        return np.bincount(self.labels)

    def sum(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Sum over the leads of each bin along an axis."""
        return np.add.reduceat(values, np.flatnonzero(np.diff(self.labels, prepend=-1)), axis=axis)


def day_bins(leads: np.ndarray) -> LeadBins:
    """Day d holds the leads ``(24 (d - 1), 24 d]`` h, and is named d; leads ``(lead,)`` [h], increasing."""
    days, labels = np.unique(-(-leads // 24), return_inverse=True)
    return LeadBins(labels, days.astype(np.float64))


def window_bins(leads: np.ndarray, days: float = WINDOW_DAYS) -> LeadBins:
    """Windows of 30 days, named by the mean lead time in each; a short rest joins the last one."""
    start = np.datetime64(0, "h")
    times = start + leads * np.timedelta64(1, "h")
    labels = lead_windows(times, start, days)
    return LeadBins(labels, lead_centres(times, start, labels))
