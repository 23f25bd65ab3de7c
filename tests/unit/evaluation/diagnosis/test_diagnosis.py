# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Numerics of a diagnosis on synthetic sites: means, residuals, evidence, words."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.diagnosis.candidates import CANDIDATES, Change
from anemoi_ailand.evaluation.diagnosis.diagnosis_text import diagnosis_text, strata_table
from anemoi_ailand.evaluation.diagnosis.evidence import (
    NOTHING,
    OUTSIDE,
    Pattern,
    alike,
    change_evidence,
    differences,
    pattern_evidence,
    posterior,
    shapley_shares,
)
from anemoi_ailand.evaluation.diagnosis.residuals import Residuals
from anemoi_ailand.evaluation.diagnosis.site_means import cells_of, local_phase, site_means
from anemoi_ailand.evaluation.diagnosis.surface_classes import surface_classes

NAMES = ("slhf", "sshf", "2t", "swvl1")
SITES = 80


@pytest.fixture(scope="module")
def world():
    """Classes, responses to two parameters, and a function that makes residuals with a planted change (site, cell)."""
    random = np.random.default_rng(1)
    cells = cells_of(NAMES)
    fields = {"tvl": random.choice([1.0, 2.0, 7.0], SITES), "tvh": np.zeros(SITES), "cvl": np.full(SITES, 0.8),
              "cvh": np.zeros(SITES), "slt": random.choice([1.0, 2.0], SITES)}  # fmt: skip
    size = np.select([cells.of(n) for n in NAMES], [4.0, 4.0, 0.05, 0.005])
    names = ("rsmin_lv", "albedo", "lai_lv", "cov_lv", "z0m_lv", "vcmax_lv")
    responses = {n: random.uniform(0.1, 2.0, (SITES, 1)) * random.normal(size=len(cells)) * size for n in names}
    emulated = np.where(cells.of("slhf"), -60.0, np.where(cells.of("sshf"), -40.0, 0.0)) * np.ones((SITES, 1))

    def residuals(planted=0.0, seed=2):
        random = np.random.default_rng(seed)
        errors = [random.normal(size=(SITES, len(cells))) * 0.2 * size for _ in range(4)]
        gain = np.where(cells.of("slhf") | cells.of("sshf"), 0.85, 1.0) * random.normal(1.0, 0.05, (SITES, 1))
        observed = gain * (emulated + planted) + errors[3]
        anomalies = [errors[k] - 0.5 * (errors[k - 1] + errors[k - 2]) for k in range(3)]
        counts = np.full(observed.shape, 60.0)
        counts[::7, :5] = 0.0
        return Residuals(cells, observed, emulated, counts, np.zeros_like(observed), anomalies, 1)

    return surface_classes(fields), responses, residuals


def judged(world, residuals):
    """Return all hypotheses, the likeliest first."""
    classes, responses, _ = world
    changes = [
        change_evidence(residuals, c.members[:, None] * responses[n], c.name, n)
        for n in responses
        for c in classes
        if CANDIDATES[n].applies(c)
    ]
    pattern = Pattern(residuals, responses)
    return posterior(changes, [pattern_evidence(residuals, c, pattern) for c in classes])


def test_planted_change_is_found_with_its_size(world):
    """Parameter, class (the family of two types) and amplitude; the gain of the towers is estimated, not booked."""
    classes, responses, residuals = world
    grass = next(c for c in classes if c.name == "grass").members[:, None]
    found = residuals(-1.2 * grass * responses["rsmin_lv"])
    best = judged(world, found)[0]
    assert (best.parameter, best.surface, best.probability > 0.9) == ("rsmin_lv", "grass", True)
    assert best.amplitude == pytest.approx(-1.2, abs=0.1)
    response = grass * responses["rsmin_lv"]
    before, after = differences(found, response, best.amplitude)
    assert after < 0.6 * before and after < differences(found, response, 0.5 * best.amplitude)[1]
    assert differences(found, response, 0.0) == (before, before)


def test_shapley_shares_sum_to_one_and_are_divided_by_those_alike(world):
    """The planted parameter has nearly all; of two equal responses each has half of it, whatever their order."""
    classes, responses, residuals = world
    grass = next(c for c in classes if c.name == "grass").members[:, None]
    of_class = {n: grass * r for n, r in responses.items()}
    found = residuals(-1.2 * of_class["rsmin_lv"])
    shares = shapley_shares(found, of_class)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["rsmin_lv"] > 0.9
    twice = shapley_shares(found, of_class | {"lai_lv": 2.0 * of_class["rsmin_lv"]})
    assert twice["lai_lv"] == pytest.approx(twice["rsmin_lv"]) == pytest.approx(0.5 * shares["rsmin_lv"], abs=0.05)
    assert shapley_shares(found, {"rsmin_lv": 0.0 * grass * responses["rsmin_lv"]}) == {"rsmin_lv": 0.0}
    assert found.gains == pytest.approx({"slhf": 0.85, "sshf": 0.85}, abs=0.05)


def test_nothing_is_found_in_noise(world):
    """For three draws; probabilities add up to one."""
    for seed in (2, 3, 4):
        every = judged(world, world[2](seed=seed))
        assert every[0].parameter == NOTHING
        assert sum(h.probability for h in every) == pytest.approx(1.0)


def test_pattern_of_no_candidate_is_outside(world):
    """A common change of dry-season heat flux that neither response contains."""
    classes, _, residuals = world
    crops = next(c for c in classes if c.name == "crops")
    pattern = np.where(np.arange(len(cells_of(NAMES))) % 3 == 0, 6.0, 0.0) * cells_of(NAMES).of("sshf")
    best = judged(world, residuals(crops.cover[:, None] * pattern))[0]
    assert (best.parameter, best.surface) == (OUTSIDE, "crops")


def test_alike(world):
    """A response is like itself and its multiple, and opposite to its negative."""
    _, responses, residuals = world
    a, found = responses["rsmin_lv"], residuals()
    assert [round(alike(found, a, x), 6) for x in (a, 3.0 * a, -a)] == [1.0, 1.0, -1.0]


def test_one_year_of_errors_is_refused(world):
    """Its spread between years is unknown."""
    found = world[2]()
    zero = np.zeros_like(found.values)
    with pytest.raises(ValueError, match="two or more"):
        Residuals(found.cells, zero, zero, zero, zero, [zero], 1)


def test_local_phase_and_means():
    """At noon UTC the six hours before are morning in Greenwich, night in America; January is summer in the south."""
    times = np.array(["2020-01-01T12", "2020-01-01T18"], "datetime64[s]")
    season, quarter = local_phase(times, np.array([50.0, -30.0]), np.array([0.0, -90.0]))
    assert season[0].tolist() == [0, 2]
    assert quarter.tolist() == [[1, 0], [2, 1]]
    cells = cells_of(["slhf", "swvl1"])
    values = {"slhf": np.array([[1.0, np.nan], [3.0, 5.0]]), "swvl1": np.array([[0.1, 0.2], [0.3, np.nan]])}
    means, counts = site_means(cells, values, (season, quarter))
    assert means[0, [1, 2, 16]].tolist() == [1.0, 3.0, pytest.approx(0.2)]
    assert (means[1, 9], counts[1].sum(), means[1, 18]) == (5.0, 2.0, pytest.approx(0.2))


def test_report_in_words(world):
    """Conclusion, change with its range, alike parameters, strata, effects and leaks of the physical model."""
    import pandas as pd

    classes, responses, residuals = world
    grass = next(c for c in classes if c.name == "grass").members[:, None]
    found = residuals(-1.2 * grass * responses["rsmin_lv"])
    leaks = pd.DataFrame({"class": ["lake", "grass"], "points": [5, 9], "residual": [-80.0, 0.1]})
    strata = strata_table(found, classes)
    assert (strata["q"] < 0.05).all() and strata.iloc[0]["class"] == "grass"
    text = diagnosis_text("Test", judged(world, found), {"lai_lv": 0.9}, strata, {"evap": 1e-6}, leaks, found.gains,
                          (2.04, 0.97))  # fmt: skip
    for words in ("stomatal resistance of 'grass'**, times 0.6", "falls from 2.04 to 0.97", "leaf area index (+0.90)",
                  "+32 mm a year", "| lake "):  # fmt: skip
        assert words in text


def test_change_stays_possible():
    """Vegetation density does not exceed one."""
    assert Change(2.0).of("veg_cov_lv", np.array([0.3, 0.9])).tolist() == pytest.approx([0.6, 1.0])
