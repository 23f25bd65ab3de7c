# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations on points and stamps of the land, and those of a window as an array for a filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.assimilation.observations import LAPSE_RATE, observation_stamps
from anemoi_ailand.constants import EARTH_RADIUS, STEP_HOURS
from anemoi_ailand.data.observations.rows import RELATIVE_HUMIDITY, SNOW_DEPTH, ObservationRows, Rows
from anemoi_ailand.support.sphere import nearest_points

#: Variables whose values change with height, and the largest difference of height at which an observation is used [m].
#: Temperature and dewpoint are corrected by the same rate, which leaves the relative humidity as it is.
WITH_HEIGHT, MOST_METRES = ("2t", "2d"), 500.0

#: Vegetation below which the ground is a desert [1]: 33 of 37 points of that climate in the reference set, no others.
DESERT_COVER = 0.05


class Status(IntEnum):
    """Use of an observation, or the reason why it was not used.

    Examples
    --------
    >>> from anemoi_ailand.assimilation.placed_observations import Status
    >>> Status.FIRST_GUESS.words
    'first guess'
    """

    USED = 0
    PASSIVE = 1
    TIME = 2
    PERIOD = 3
    PLACE = 4
    HEIGHT = 5
    GROUND = 6
    FIRST_GUESS = 7
    WARM_SOIL = 8
    DESERT = 9

    @property
    def words(self) -> str:
        """Name in files and reports."""
        return self.name.lower().replace("_", " ")


#: Explanation of each status in reports.
EXPLAINED = {
    Status.USED: "used",
    Status.PASSIVE: "compared only, as its variable is named by `passive`",
    Status.TIME: "more than 30 minutes from a stamp",
    Status.PERIOD: "outside the windows",
    Status.PLACE: "farther from every point than `within_km`",
    Status.HEIGHT: f"height differs from that of the model by more than {MOST_METRES:g} m",
    Status.GROUND: "ground frozen or under snow in the background",
    Status.FIRST_GUESS: "departure beyond `first_guess_limit` expected standard deviations",
    Status.WARM_SOIL: "more snow over warm soil, or on a glacier",
    Status.DESERT: f"soil water of a desert, of which less than {DESERT_COVER:.0%} has vegetation",
}


@dataclass(frozen=True)
class PlacedObservations(Rows):
    """Observations with point, stamp and status; arrays have shape (row,).

    Attributes
    ----------
    rows : ObservationRows
        Observations as they were read.
    values, variances : numpy.ndarray
        Values at the height of the model, and error variances with those of the equivalents.
    stamps : numpy.ndarray
        Stamp, ``datetime64[s]``; not a time without one.
    points : numpy.ndarray
        Position of the point, -1 for none.
    status : numpy.ndarray
        :class:`Status`, so far as it is known before an analysis.
    """

    rows: ObservationRows
    values: np.ndarray
    variances: np.ndarray
    stamps: np.ndarray
    points: np.ndarray
    status: np.ndarray

    def between(self, start: datetime, end: datetime) -> PlacedObservations:
        """Return the rows that are on a point, with stamps after ``start`` until ``end``."""
        after, until = np.datetime64(start, "s"), np.datetime64(end, "s")
        return self.take((self.points >= 0) & (self.stamps > after) & (self.stamps <= until))

    @property
    def depths(self) -> np.ndarray:
        """Mask of the rows that are snow depths, which have an analysis of their own."""
        mask: np.ndarray = self.rows.names == SNOW_DEPTH
        return mask


def place_observations(
    rows: ObservationRows, places: tuple[np.ndarray, np.ndarray], heights: np.ndarray | None,
    period: tuple[datetime, datetime], within_km: float, passive: Sequence[str],
    representativeness: dict[str, float], vegetation: np.ndarray | None = None,
) -> PlacedObservations:  # fmt: skip
    """Find point and stamp of each observation.

    Parameters
    ----------
    rows : ObservationRows
        Observations, all with an error.
    places : tuple of numpy.ndarray, shape (point,)
        Latitudes and longitudes of the model [degrees].
    heights : numpy.ndarray, shape (point,), optional
        Heights of the model [m]; without them, or without that of the station, nothing is corrected.
    period : tuple of datetime
        Start of the first window and end of the last.
    within_km : float
        Largest distance of an observation from its point [km].
    passive : sequence of str
        Variables that are compared only.
    representativeness : dict of str to float
        Standard deviations that are added to the errors, by variable.
    vegetation : numpy.ndarray, shape (point,), optional
        Fraction covered by vegetation [1]. Soil water of deserts is refused: microwaves see it through metres of dry
        sand, not through the first layer.
    """
    n = len(rows)
    status = np.full(n, Status.USED, np.int8)
    status[np.isin(rows.names, list(passive))] = Status.PASSIVE
    points, degrees = nearest_points(places, (rows.latitudes, rows.longitudes)) if n else (np.zeros(0, np.int64),) * 2
    stamps = observation_stamps(rows.times).astype("datetime64[s]")
    values = rows.values.copy()
    if heights is not None and n:
        apart = np.where(
            np.isin(rows.names, (*WITH_HEIGHT, RELATIVE_HUMIDITY)), rows.elevations - heights[points], np.nan
        )
        corrected = np.isin(rows.names, WITH_HEIGHT) & ~np.isnan(apart)
        values += np.where(corrected, LAPSE_RATE * apart, 0.0)
        status[np.abs(apart) > MOST_METRES] = Status.HEIGHT
    if vegetation is not None and n:
        bare = vegetation[points] < DESERT_COVER
        status[np.char.startswith(rows.names.astype(str), "swvl") & bare] = Status.DESERT
    far = np.radians(degrees) * EARTH_RADIUS > within_km
    status[far] = Status.PLACE
    start, end = (np.datetime64(t, "s") for t in period)
    status[(stamps <= start) | (stamps > end)] = Status.PERIOD
    status[np.isnat(stamps)] = Status.TIME
    outside = np.isin(status, (Status.PLACE, Status.PERIOD, Status.TIME))
    extra = np.array([representativeness.get(str(name), 0.0) for name in rows.names])
    return PlacedObservations(
        rows, values, rows.errors**2 + extra**2, stamps, np.where(outside, -1, points), status
    )  # fmt: skip


class WindowObservations:
    """Observations of a window as arrays (point, observation): one column for a step, a variable and a number.

    Several observations of the same variable at a point and stamp are numbered, and all are used.

    Parameters
    ----------
    placed : PlacedObservations
        Observations of the window, without snow depths; at least one.
    start : datetime
        Start of the window.

    Attributes
    ----------
    points : numpy.ndarray, shape (observed point,)
        Points with observations.
    names : list of str
        Observed variables.
    steps : list of int
        Steps with observations, counted from 1.
    columns : Tensor, shape (observation,)
        Position of each observation among ``names`` after each of ``steps``, as in an assimilation window.
    observed, variances : Tensor, shape (observed point, observation)
        Observations, NaN where there is none, and their error variances.
    """

    def __init__(self, placed: PlacedObservations, start: datetime, dtype: torch.dtype = torch.float32) -> None:
        hours = (placed.stamps - np.datetime64(start, "s")) / np.timedelta64(STEP_HOURS, "h")
        step, names = hours.astype(int), placed.rows.names
        self.points, self._point = np.unique(placed.points, return_inverse=True)
        self.steps = sorted(set(step.tolist()))
        self.names = sorted(set(map(str, names)))
        at = np.array([self.steps.index(k) * len(self.names) for k in step])
        column = at + np.array([self.names.index(str(n)) for n in names])
        number = _numbered(self._point, column)
        slots, self._slot = np.unique(np.stack([column, number], -1), axis=0, return_inverse=True)
        self._slot = self._slot.ravel()
        self.columns = torch.from_numpy(slots[:, 0])
        self._dtype = dtype
        self.observed = self.dense(np.where(placed.status == Status.USED, placed.values, np.nan))
        self.variances = torch.where(self.observed.isnan(), 1.0, self.dense(placed.variances))

    def dense(self, values: np.ndarray) -> Tensor:
        """Return values of the rows as an array (observed point, observation), NaN elsewhere."""
        found = torch.full((len(self.points), len(self.columns)), torch.nan, dtype=self._dtype)
        found[self._point, self._slot] = torch.from_numpy(np.asarray(values, float)).to(self._dtype)
        return found

    def at_rows(self, values: Tensor) -> np.ndarray:
        """Return values (observed point, observation) at the rows."""
        found: np.ndarray = values.numpy(force=True)[self._point, self._slot]
        return found


def _numbered(point: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Number the rows with the same point and column: 0, 1, ..."""
    key = point * (column.max() + 1) + column
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    first = np.r_[0, np.flatnonzero(np.diff(ordered)) + 1]
    number = np.arange(len(key)) - np.repeat(first, np.diff(np.r_[first, len(key)]))
    found = np.empty_like(number)
    found[order] = number
    return found
