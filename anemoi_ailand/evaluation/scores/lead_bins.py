# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Bins of lead time: days for many runs, windows for one long run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Length of a window of one long run [d].
WINDOW_DAYS = 30.0


@dataclass(frozen=True)
class LeadBins:
    """Bin ``0, 1, ...`` of each lead ``(lead,)``, and the lead time that names each bin ``(bin,)`` [d]."""

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
    """Bin leads ``(lead,)`` [h] by day: day d holds ``(24 (d - 1), 24 d]`` h and is named d."""
    days, labels = np.unique(-(-leads // 24), return_inverse=True)
    return LeadBins(labels, days.astype(np.float64))


def window_bins(leads: np.ndarray) -> LeadBins:
    """Bin leads ``(lead,)`` [h] by windows of :data:`WINDOW_DAYS`, named by their mean lead time.

    A last window of less than half that length is joined to the one before.
    """
    lead = leads / 24
    complete = int(lead[-1] / WINDOW_DAYS + 0.5)
    labels = np.minimum(np.ceil(lead / WINDOW_DAYS).astype(int) - 1, max(complete - 1, 0))
    return LeadBins(labels, np.bincount(labels, weights=lead) / np.bincount(labels))
