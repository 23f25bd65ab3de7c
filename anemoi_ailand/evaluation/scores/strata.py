# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Strata: groups of points, or of points at times, that are scored on their own.

Labels ``(point,)`` or ``(time, point)`` (``(time, 1)`` where points do not differ) hold the number of the group, or -1
for no group. Empty groups are kept and reported as such. In tables the column ``cut`` names the strata.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from anemoi_ailand.constants import TRIPLE_POINT
from anemoi_ailand.evaluation.fields.matching import ALL, HELD_OUT, TRAINED
from anemoi_ailand.physics.soil_types import SOIL_TYPES
from anemoi_ailand.physics.vegetation import VEGETATION_TYPES

#: Classes of the variable ``climate_class``, by number.
BIOMES = (
    "rainforest", "savanna", "desert", "steppe", "mediterranean", "maritime", "subtropical", "continental", "boreal",
    "tundra", "alpine",
)  # fmt: skip

#: Seasons of three months, from December, in both hemispheres.
SEASONS = ("DJF", "MAM", "JJA", "SON")

#: Bounds of the latitude bands in both hemispheres [degrees].
LATITUDE_BOUNDS = (23.5, 60.0)

#: Annual mean snow cover of the climatology above which a point is in the snow zone [1]; equals 18 days a year.
SNOW_ZONE = 0.05

#: Names of the low and high tail of each variable with extremes.
EXTREMES = {
    **dict.fromkeys(("swvl1", "swvl2", "swvl3"), ("driest", "wettest")),
    **dict.fromkeys(("stl1", "2t", "skt"), ("coldest", "hottest")),
}


@dataclass(frozen=True)
class Strata:
    """Names of the groups, and the label of each point ``(point,)``, or time and point ``(time, point or 1)``."""

    name: str
    groups: tuple[str, ...]
    labels: np.ndarray

    @property
    def varies(self) -> bool:
        """True if the labels depend on time."""
        return self.labels.ndim == 2

    def cells(self, bins: np.ndarray, index: np.ndarray, n_points: int) -> np.ndarray:
        """Return the flat cell (bin, group) of each value ``(start, lead, point)``, -1 for none.

        ``bins`` is the bin of each lead ``(lead,)``, ``index`` the index of the valid times ``(start, lead)`` among the
        times of the labels.
        """
        labels = self.labels[index] if self.varies else self.labels
        labels = np.broadcast_to(labels, (*index.shape, n_points))
        return np.where(labels < 0, -1, bins[:, None] * len(self.groups) + labels)


def everything(n_points: int) -> Strata:
    """Put all points into one group."""
    return Strata(ALL, (ALL,), np.zeros(n_points, int))


def points(held_out: np.ndarray) -> Strata:
    """Separate points held out of training from the others, given a mask ``(point,)``."""
    return Strata("points", (HELD_OUT, TRAINED), np.where(held_out, 0, 1))


def biome(climate_class: np.ndarray) -> Strata:
    """Group points by climate class; unknown numbers are in no group."""
    return Strata("biome", BIOMES, _numbered(climate_class, len(BIOMES)))


def snow_regime(snow_cover: np.ndarray) -> Strata:
    """Group points by snow zone from the annual mean snow cover of the climatology ``(point,)`` [1].

    aiLand v1 (doi:10.5194/egusphere-2026-3620) has a third of the land in its snow regime; with :data:`SNOW_ZONE` a
    point counts if snow covers it for 18 days of a year.
    """
    return Strata("snow_regime", ("snow", "snow-free"), np.where(snow_cover > SNOW_ZONE, 0, 1))


def soil_type(slt: np.ndarray) -> Strata:
    """Group points by soil type 1 to 7; others, such as 0 for water, are in no group."""
    return Strata("soil_type", SOIL_TYPES, _numbered(slt - 1, len(SOIL_TYPES)))


def vegetation_type(tvl: np.ndarray, tvh: np.ndarray, cvl: np.ndarray, cvh: np.ndarray) -> Strata:
    """Group points by the vegetation type, low or high, with the larger cover; 'none' where both covers are 0.

    The groups are the types that occur, so pass all points of the reference.
    """
    kind = np.where(np.maximum(cvl, cvh) <= 0, 0, np.where(cvh > cvl, tvh, tvl))
    labels = _numbered(kind, len(VEGETATION_TYPES))
    found = np.unique(labels[labels >= 0])
    groups = tuple(VEGETATION_TYPES[i] for i in found)
    return Strata("vegetation_type", groups, np.where(labels < 0, -1, np.searchsorted(found, labels)))


def latitude_band(latitude: np.ndarray) -> Strata:
    """Group points into tropics, mid-latitudes (from 23.5 degrees) and high latitudes (from 60 degrees)."""
    return Strata(
        "latitude", ("tropics", "mid-latitudes", "high latitudes"), np.digitize(np.abs(latitude), LATITUDE_BOUNDS)
    )


def season(times: np.ndarray) -> Strata:
    """Group times by season of the valid time; DJF is summer in the south."""
    month = pd.DatetimeIndex(times).month.to_numpy()
    return Strata("season", SEASONS, (month % 12 // 3)[:, None])


def daytime(insolation: np.ndarray) -> Strata:
    """Separate day from night by the cosine of the solar zenith angle ``(time, point)``, clipped at 0."""
    return Strata("daytime", ("day", "night"), np.where(insolation > 0, 0, 1))


def frozen(stl1: np.ndarray) -> Strata:
    """Separate frozen ground, with a top soil layer of the reference ``(time, point)`` below 273.16 K."""
    return Strata("frozen", ("frozen", "unfrozen"), np.where(stl1 < np.float32(TRIPLE_POINT), 0, 1))


def extreme(name: str, values: np.ndarray, tails: np.ndarray) -> Strata:
    """Group the lowest and highest 2 % of the reference ``(time, point)``, given thresholds ``(2, point)``.

    Values must lie beyond the threshold: a point at its bound for more than 2 % of the time (desert soil at 0) has no
    extreme at that end.
    """
    low, high = tails
    return Strata("extreme", EXTREMES[name], np.select([values < low, values > high], [0, 1], -1))


def run_year(times: np.ndarray, start: np.datetime64) -> Strata:
    """Group times by year of the run from ``start``: 'year 1' holds the dates up to the first anniversary."""
    n_years = 1 + int((times.max() - start) / np.timedelta64(365, "D"))
    turns = pd.DatetimeIndex([pd.Timestamp(start) + pd.DateOffset(years=k) for k in range(n_years + 1)]).to_numpy()
    labels = np.searchsorted(turns, times, "left") - 1
    return Strata("year", tuple(f"year {k + 1}" for k in range(labels.max() + 1)), labels[:, None])


def _numbered(kind: np.ndarray, n: int) -> np.ndarray:
    number = np.rint(np.asarray(kind, np.float64)).astype(int)
    return np.where((number >= 0) & (number < n), number, -1)
