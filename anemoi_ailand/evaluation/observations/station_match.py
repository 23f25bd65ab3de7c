# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Matching of stations with points of the model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.data.stations.station import Station
from anemoi_ailand.support.sphere import nearest_points

LOG = logging.getLogger(__name__)

#: Largest great-circle distance of a matching point from a station [degrees].
MAXIMUM_DISTANCE = 0.5


@dataclass(frozen=True)
class Match:
    """Station, index of the model's point, and the distance between them [degrees]."""

    station: Station
    point: int
    distance: float


@dataclass(frozen=True)
class Skipped:
    """Station without a comparison, and the reason."""

    name: str
    network: str
    reason: str


def match_stations(
    stations: Sequence[Station],
    latitude: np.ndarray,
    longitude: np.ndarray,
    maximum_distance: float = MAXIMUM_DISTANCE,
) -> tuple[list[Match], list[Skipped]]:
    """Find the nearest point of each station; several stations may share a point.

    Stations farther from all points ``(point,)`` than ``maximum_distance`` [degrees] are skipped.

    Raises
    ------
    ValueError
        No station is given, or none has a point nearby.
    """
    if not stations:
        raise ValueError("No station is given. Set `observations` in the configuration.")
    matches, skipped = [], []
    places = np.array([s.latitude for s in stations]), np.array([s.longitude for s in stations])
    for station, point, distance in zip(stations, *nearest_points((latitude, longitude), places), strict=True):
        if distance <= maximum_distance:
            matches.append(Match(station, int(point), float(distance)))
            continue
        reason = (
            f"its nearest point (latitude {latitude[point]:.3f}, longitude {longitude[point]:.3f}) is "
            f"{distance:.3g} degrees away, more than {maximum_distance:g}"
        )
        LOG.warning("Station %s (%s) is skipped: %s", station.name, station.network, reason)
        skipped.append(Skipped(station.name, station.network, reason))
    if not matches:
        raise ValueError(
            f"No point of the model is near any of the {len(stations)} stations. For example {skipped[0].name} at "
            f"latitude {stations[0].latitude:.3f}, longitude {stations[0].longitude:.3f}: {skipped[0].reason}. Compare "
            "with a dataset that has points at the stations, or give a larger distance."
        )
    return matches, skipped
