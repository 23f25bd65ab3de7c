# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reading of training data before a training: their plausibility, and the record of them in its checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.data.plausibility.checker import Checker, check_period
from anemoi_ailand.data.plausibility.training_data import WINDOW, Collection, TrainingData
from anemoi_ailand.variables import VARIABLES

LOG = logging.getLogger(__name__)

#: Values read at most, unless everything is asked for; windows that are read at least, and dates of the shortest: two
#: days after the first.
_VALUES, _WINDOWS, _SHORTEST = 2**25, 8, 9

#: Values of a variable that quantiles are computed from, of one dataset.
_KEPT = 2**20

#: Points whose values are kept at most, spread over all.
_POINTS = 4096


@dataclass(frozen=True)
class Part:
    """Dataset of a training: an opened Anemoi dataset, its name, and its points that are not held out, the first ones.

    Attributes
    ----------
    name : str
        Path or name.
    data : Any
        Opened dataset of the training period.
    points : int
        Number of points trained on.
    """

    name: str
    data: Any
    points: int

    @property
    def origin(self) -> str:
        """Description for a record."""
        dates = self.data.dates
        return f"{Path(self.name).name}, {str(dates[0])[:10]} to {str(dates[-1])[:10]}, {self.points} points"


def read_training_data(
    parts: Sequence[Part], *, whole: bool = False, plausibility: str = "error"
) -> TrainingData:  # fmt: skip
    """Read windows of the training data, check their plausibility, and return the record of them.

    A bounded number of windows is spread over the period, unless it is read ``whole``. The ranges of a record are those
    of the stored statistics otherwise.

    Raises
    ------
    Implausible
        Impossible values, with variable, date and place.
    """
    kept = Collection()
    for part in parts:
        names = [n for n in part.data.variables if n in VARIABLES]
        columns = [part.data.name_to_index[n] for n in names]
        points = np.unique(np.linspace(0, part.points - 1, _POINTS).astype(int))
        where = part.data.latitudes[points], part.data.longitudes[points]
        windows, checker = list(_windows(part.data, whole)), Checker(plausibility)
        n_dates = sum(last - first for first, last in windows)
        LOG.info("Training data: %d of %d dates of %s are read", n_dates, len(part.data.dates), part.origin)
        for first, last in windows:
            values = np.asarray(part.data[first:last])[:, columns, 0][..., points]
            fields = dict(zip(names, values.swapaxes(0, 1), strict=True))
            if first == windows[0][0]:
                kept.begin(part.origin, {n: v[0] for n, v in fields.items()})
            checker.look_again()
            check_period(checker, fields, _dates(part.data.dates[first:last]), where)
            kept.add(fields, max(1, n_dates * points.size // _KEPT) | 1)
        if not whole:
            statistics = part.data.statistics
            for name, column in zip(names, columns, strict=True):
                kept.widen(name, float(statistics["minimum"][column]), float(statistics["maximum"][column]))
        checker.report(f"The training data, {n_dates} dates of {part.name},")
    return kept.result()


def _windows(data: Any, whole: bool) -> Iterator[tuple[int, int]]:
    """Return first and last date (exclusive) of the windows."""
    n_dates, size = len(data.dates), int(np.prod(data.shape[1:]))
    affordable = n_dates if whole else max(_VALUES // size, _WINDOWS * _SHORTEST)
    if affordable >= n_dates:
        yield from ((first, min(first + WINDOW, n_dates)) for first in range(0, n_dates, WINDOW))
        return
    length = WINDOW if affordable >= _WINDOWS * WINDOW else _SHORTEST
    for first in np.linspace(0, n_dates - length, affordable // length).astype(int):
        yield int(first), int(first) + length


def _dates(dates: np.ndarray) -> list[datetime]:
    return np.asarray(dates).astype("datetime64[s]").tolist()
