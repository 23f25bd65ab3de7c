# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations of stations: soil moisture networks and flux towers, read as they come and compared with the models.

:func:`read_stations` finds out what a file is by its content. :mod:`ismn`, :mod:`fluxnet` and :mod:`plumber2` read the
archives into :class:`Station`; :mod:`station_match` finds the model's point; :mod:`station_scores` compares.
"""

from anemoi_ailand.evaluation.observations.reading import KINDS, read_stations
from anemoi_ailand.evaluation.observations.sites import Site, read_sites
from anemoi_ailand.evaluation.observations.station_match import Match, Skipped, match_stations
from anemoi_ailand.evaluation.observations.station_scores import StationScores, score_stations
from anemoi_ailand.evaluation.observations.stations import Sensor, Station, make_station

__all__ = [
    "KINDS",
    "Match",
    "Sensor",
    "Site",
    "Skipped",
    "Station",
    "StationScores",
    "make_station",
    "match_stations",
    "read_sites",
    "read_stations",
    "score_stations",
]
