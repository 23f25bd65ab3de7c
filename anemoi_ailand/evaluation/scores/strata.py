# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Cuts: which group a point, or a point at a time, belongs to.

A cut has a label for each point ``(point,)``, or for each time and point ``(time, point)`` (``(time, 1)`` where points
do not differ): the number of the group, or -1 where it is in none. A group may be empty; it stays, and is reported so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from anemoi_ailand.constants import TRIPLE_POINT
from anemoi_ailand.evaluation.fields.matching import ALL, HELD_OUT, TRAINED

#: Classes of the variable ``climate_class``, by number.
BIOMES = (
    "rainforest", "savanna", "desert", "steppe", "mediterranean", "maritime", "subtropical", "continental", "boreal",
    "tundra", "alpine",
)  # fmt: skip

#: Seasons, three months each, from December on, whatever the hemisphere.
SEASONS = ("DJF", "MAM", "JJA", "SON")

#: Soil types 1 to 7. IFS Documentation CY49R1, Part IV, chapter 8.
SOIL_TYPES = ("coarse", "medium", "medium fine", "fine", "very fine", "organic", "tropical organic")

#: Vegetation types 1 to 20; 0 is none. IFS Documentation CY49R1, Part IV, chapter 8.
VEGETATION_TYPES = (
    "none", "crops", "short grass", "evergreen needleleaf", "deciduous needleleaf", "deciduous broadleaf",
    "evergreen broadleaf", "tall grass", "desert", "tundra", "irrigated crops", "semidesert", "ice caps",
    "bogs and marshes", "inland water", "ocean", "evergreen shrubs", "deciduous shrubs", "mixed forest",
    "interrupted forest", "water and land mixtures",
)  # fmt: skip

#: Bounds of the latitude bands, north and south alike [degrees].
LATITUDE_BOUNDS = (23.5, 60.0)

#: Snow cover of the climatology, mean over the year, above which a point is in the snow zone [-]. 18 days a year.
SNOW_ZONE = 0.05

#: What the low and the high tail of a variable are called; no other variable has extremes.
EXTREMES = {
    **dict.fromkeys(("swvl1", "swvl2", "swvl3"), ("driest", "wettest")),
    **dict.fromkeys(("stl1", "2t", "skt"), ("coldest", "hottest")),
}


@dataclass(frozen=True)
class Cut:
    """Groups of a cut, and the label of each point, ``(point,)``, or time and point, ``(time, point or 1)``."""

    name: str
    groups: tuple[str, ...]
    labels: np.ndarray

    @property
    def varies(self) -> bool:
        """Whether it depends on time."""
        return self.labels.ndim == 2

    def cells(self, bins: np.ndarray, index: np.ndarray, n_points: int) -> np.ndarray:
        """Flat cell ``(start, lead, point)`` of (bin, group), -1 for none.

        Parameters
        ----------
        bins : numpy.ndarray
            Bin of each lead, ``(lead,)``.
        index : numpy.ndarray
            Place of the valid times ``(start, lead)`` among the times of the labels.
        n_points : int
            Number of points.
        """
        labels = self.labels[index] if self.varies else self.labels
        labels = np.broadcast_to(labels, (*index.shape, n_points))
        return np.where(labels < 0, -1, bins[:, None] * len(self.groups) + labels)


def everything(n_points: int) -> Cut:
    """All points, one group."""
    return Cut(ALL, (ALL,), np.zeros(n_points, int))


def points(held_out: np.ndarray) -> Cut:
    """Points never trained on, and the others, from a mask ``(point,)``."""
    return Cut("points", (HELD_OUT, TRAINED), np.where(held_out, 0, 1))


def biome(climate_class: np.ndarray) -> Cut:
    """Climate class of the point; a number that is no class is in no group."""
    return Cut("biome", BIOMES, _numbered(climate_class, len(BIOMES)))


def snow_regime(snow_cover: np.ndarray) -> Cut:
    """Snow zone or not, from the mean snow cover of the climatology ``(point,)`` [-].

    aiLand v1 (doi:10.5194/egusphere-2026-3620) finds a third of the land in its snow regime; with :data:`SNOW_ZONE` on
    the mean over the climatology's years, a point counts as soon as snow covers it for 18 days of a year.
    """
    return Cut("snow_regime", ("snow", "snow-free"), np.where(snow_cover > SNOW_ZONE, 0, 1))


def soil_type(slt: np.ndarray) -> Cut:
    """Soil type 1 to 7; others, such as 0 for water, are in no group."""
    return Cut("soil_type", SOIL_TYPES, _numbered(slt - 1, len(SOIL_TYPES)))


def vegetation_type(tvl: np.ndarray, tvh: np.ndarray, cvl: np.ndarray, cvh: np.ndarray) -> Cut:
    """Type of the vegetation, low or high, with the larger cover; 'none' where both covers are 0.

    Its groups are the types that occur, and these depend on the points: give those of the whole reference.
    """
    kind = np.where(np.maximum(cvl, cvh) <= 0, 0, np.where(cvh > cvl, tvh, tvl))
    labels = _numbered(kind, len(VEGETATION_TYPES))
    found = np.unique(labels[labels >= 0])
    groups = tuple(VEGETATION_TYPES[i] for i in found)
    return Cut("vegetation_type", groups, np.where(labels < 0, -1, np.searchsorted(found, labels)))


def latitude_band(latitude: np.ndarray) -> Cut:
    """Tropics, middle latitudes (from 23.5 degrees on) and high latitudes (from 60 degrees on), both hemispheres."""
    return Cut(
        "latitude", ("tropics", "mid-latitudes", "high latitudes"), np.digitize(np.abs(latitude), LATITUDE_BOUNDS)
    )


def season(times: np.ndarray) -> Cut:
    """Three months each by the month of the valid time, hemisphere-neutral: DJF is summer in the south."""
    month = pd.DatetimeIndex(times).month.to_numpy()
    return Cut("season", SEASONS, (month % 12 // 3)[:, None])


def daytime(insolation: np.ndarray) -> Cut:
    """Day where the cosine of the solar zenith angle ``(time, point)``, cut off at 0, is above zero, else night."""
    return Cut("daytime", ("day", "night"), np.where(insolation > 0, 0, 1))


def frozen(stl1: np.ndarray) -> Cut:
    """Frozen ground where the top soil layer of the reference ``(time, point)`` [K] is below 273.16 K, or not."""
    return Cut("frozen", ("frozen", "unfrozen"), np.where(stl1 < np.float32(TRIPLE_POINT), 0, 1))


def extreme(name: str, values: np.ndarray, tails: np.ndarray) -> Cut:
    """Lowest and highest 2 % of the reference ``(time, point)``, by the thresholds ``(2, point)`` of each point.

    Beyond the threshold, not at it: a point that is at its bound for more than 2 % of the time (a desert whose soil is
    at 0) has no extreme at that end.
    """
    low, high = tails
    return Cut("extreme", EXTREMES[name], np.select([values < low, values > high], [0, 1], -1))


def run_year(times: np.ndarray, start: np.datetime64) -> Cut:
    """Year of the run, counted from ``start``: 'year 1' holds the dates up to its first anniversary."""
    n_years = 1 + int((times.max() - start) / np.timedelta64(365, "D"))
    turns = pd.DatetimeIndex([pd.Timestamp(start) + pd.DateOffset(years=k) for k in range(n_years + 1)]).to_numpy()
    labels = np.searchsorted(turns, times, "left") - 1
    return Cut("year", tuple(f"year {k + 1}" for k in range(labels.max() + 1)), labels[:, None])


def _numbered(kind: np.ndarray, n: int) -> np.ndarray:
    number = np.rint(np.asarray(kind, np.float64)).astype(int)
    return np.where((number >= 0) & (number < n), number, -1)
