# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stations and points."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.data.stations.station import Station, make_station
from anemoi_ailand.evaluation.observations.station_match import match_stations

LATITUDE, LONGITUDE = np.array([0.0, 40.0, 60.0]), np.array([0.0, 271.7, 179.9])


def station(latitude: float, longitude: float) -> Station:
    """Return a station without data."""
    return make_station("s", "n", (latitude, longitude, 0.0), [])


def test_nearest_point_within_the_limit() -> None:
    """Points are found across the date line and in any convention; distant stations are skipped with the reason."""
    stations = [station(60.0, -179.9), station(40.1, -88.3), station(10.0, 10.0)]
    matches, skipped = match_stations(stations, LATITUDE, LONGITUDE)
    assert [m.point for m in matches] == [2, 1]
    assert [m.distance for m in matches] == pytest.approx([0.1, 0.1], rel=1e-3)
    assert len(skipped) == 1
    assert "14.1 degrees away, more than 0.5" in skipped[0].reason


def test_limit_is_the_callers() -> None:
    """0.1 degrees away is too far for a limit of 0.05; no station at all is an error."""
    with pytest.raises(
        ValueError, match=r"No point of the model is near any of the 1 stations.*give a larger distance"
    ):
        match_stations([station(40.1, -88.3)], LATITUDE, LONGITUDE, 0.05)
    with pytest.raises(ValueError, match="No station to compare"):
        match_stations([], LATITUDE, LONGITUDE)
