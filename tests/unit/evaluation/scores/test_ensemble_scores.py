# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Scores of an ensemble: reliable ensembles have a ratio of one and flat ranks, others do not; groups by ground."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.scores.ensemble_scores import ALL, ensemble_scores, ground
from anemoi_ailand.physics.ground import GROUND

MEMBERS, CASES = 9, 6000


def draws(scale=1.0):
    """Truth and members from one distribution about a known mean, the members with another spread."""
    rng = np.random.default_rng(3)
    centre = rng.normal(5.0, 4.0, (2, CASES))
    truth = centre + rng.standard_normal(centre.shape)
    return centre[..., None] + scale * rng.standard_normal((*centre.shape, MEMBERS)), truth, centre


def scored(scale):
    table = ensemble_scores(*draws(scale), {})
    return table[table["lead"] == 1].set_index("metric")["value"]


@pytest.mark.parametrize(("scale", "ratio", "outside"), [(1.0, 1.0, 1.0), (0.3, 0.31, 3.5), (3.0, 2.2, 0.1)])
def test_ratio_and_ranks(scale, ratio, outside):
    """One for members that are drawn like the truth, less for too small a spread; so for the share outside."""
    found = scored(scale)
    assert found["spread_error"] == pytest.approx(ratio, rel=0.05)
    assert found["outside"] == pytest.approx(outside, rel=0.2)
    assert sum(found[f"rank_{k}"] for k in range(1, MEMBERS + 2)) == pytest.approx(1.0)
    assert found["cases"] == CASES


def test_crps_is_that_of_the_definition():
    """E|x - y| - E|x - x'| / 2 over different members, and against the error of the single run."""
    forecast, truth, single = draws()
    found = scored(1.0)
    members, reference = forecast[1], truth[1]
    first = np.abs(members - reference[:, None]).mean()
    pairs = np.abs(members[:, :, None] - members[:, None]).sum() / (CASES * MEMBERS * (MEMBERS - 1))
    assert found["crps"] == pytest.approx(first - pairs / 2, rel=1e-9)
    assert found["mae_single"] == pytest.approx(np.abs(single[1] - reference).mean())
    assert found["crps_skill"] == pytest.approx(1.0 - 1.0 / np.sqrt(2.0), abs=0.02)  # of a Gaussian


def test_groups_divide_the_cases_by_ground():
    """Every case is in one group, the snow before the frost, and a group without cases has no scores."""
    sd, stl1 = np.array([0.0, 5.0, 0.0, 0.0, 0.0]), np.array([265.0, 265.0, 290.0, 290.0, 290.0])
    swvl1 = np.array([0.3, 0.3, 0.12, 0.2, 0.29])
    masks = ground(sd, stl1, swvl1, np.full(5, 0.1), np.full(5, 0.3))
    assert {name: np.flatnonzero(mask).tolist() for name, mask in masks.items()} == dict(
        zip(GROUND, ([1], [0], [2], [3], [4]), strict=True)
    )
    forecast, truth, single = (v[:1, :5] for v in draws())
    none = np.zeros((1, 5), bool)
    table = ensemble_scores(forecast, truth, single, {"snow": masks["snow"][None], "none": none})
    assert set(table["group"]) == {ALL, "snow"}
    cases = table[table["metric"] == "cases"].set_index("group")["value"]
    assert cases.to_dict() == {ALL: 5, "snow": 1}
