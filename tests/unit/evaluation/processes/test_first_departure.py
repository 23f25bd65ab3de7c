# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""First departures of runs with made-up errors: point, variable, day and process."""

import numpy as np

from anemoi_ailand.constants import TRIPLE_POINT
from anemoi_ailand.evaluation.processes.first_departure import LASTING, NEEDED, first_departures

DAYS, POINTS = 200, 30
VALUES = {"sd": 0.0, "rsn": 100.0, "asn": 0.85, "tsn": TRIPLE_POINT, "evap": 0.0, "sro": 0.0, "ssro": 0.0}


def both():
    """Two runs that differ by small noise everywhere."""
    rng = np.random.default_rng(0)
    truth = {n: np.full((DAYS, POINTS), VALUES.get(n, 0.3 if n.startswith("swvl") else 290.0)) for n in NEEDED}
    states = [n for n in NEEDED if n not in VALUES]
    mine = {n: v + (rng.normal(0.0, 1e-3, v.shape) if n in states else 0.0) for n, v in truth.items()}
    mine["sd"] = mine["sd"] + 1e-3
    return mine, truth


def test_worst_points_and_their_processes():
    """Drainage, melting snow, frozen ground and bare ground are told apart; short departures do not count."""
    mine, truth = both()
    mine["swvl3"][50:, 4] += 0.05
    mine["ssro"][40:51, 4] -= 36.0 / 11.0 / 86400.0  # the water that layer 3 has more
    truth["sd"][:, 7], mine["sd"][:, 7] = 200.0, 200.0
    mine["sd"][120:, 7] += 90.0
    truth["stl2"][:, 9] = TRIPLE_POINT - 0.3
    mine["stl2"][:, 9] = truth["stl2"][:, 9]
    mine["stl2"][150:, 9] += 0.8
    mine["stl1"][20 : 20 + LASTING - 1, 11] += 9.0
    found = {each.point: each for each in first_departures(mine, truth, 4)}
    assert set(found) == {4, 7, 9, 11}
    told = {k: (each.worst, each.variable, each.day, each.process) for k, each in found.items()}
    assert told[4] == ("swvl3", "swvl3", 50, "drainage (-36 mm)")
    assert told[7] == ("sd", "sd", 120, "melting snow")
    assert told[9] == ("stl2", "stl2", 150, "heat, freezing or thawing")
    assert told[11] == ("stl1", None, None, "-")


def test_water_without_a_flux_has_moved_between_layers():
    """An error of a layer that no flux explains is one of exchange; frozen ground is named."""
    mine, truth = both()
    mine["swvl3"][50:, 4] += 0.05
    mine["swvl4"][50:, 4] -= 0.05 * 0.72 / 1.89
    truth["stl1"][:, 4] = mine["stl1"][:, 4] = 270.0
    (worst,) = first_departures(mine, truth, 1)
    assert (worst.point, worst.day, worst.process) == (4, 50, "exchange between layers, frozen ground")
