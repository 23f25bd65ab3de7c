# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Empirical benchmarks of fluxes against known relations to the weather."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.observations.benchmarks import (
    BENCHMARKS,
    OWN_SITE,
    WEATHER,
    benchmark_series,
    fit,
    predictors,
)

RNG = np.random.default_rng(3)
N = 2000


def weather(n: int = N) -> np.ndarray:
    """Return predictors of independent weather (time, 6)."""
    low, high = np.array([[0.0, 270.0, 0.2, 0.5, 0.0, 250.0], [600.0, 305.0, 1.0, 8.0, 1e-4, 400.0]])
    return RNG.uniform(low, high, (n, 6))


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the root mean square error."""
    return float(np.sqrt(np.nanmean((found - truth) ** 2)))


def test_a_line_is_found_and_clusters_follow_a_curve() -> None:
    """1lin is least squares; clusters follow what is not linear, and predictions stay within what was seen."""
    x = weather()
    line = 0.3 * x[:, 0] - 20.0
    np.testing.assert_allclose(fit(x[:, :1], line)(x[:, :1]), line, atol=1e-6)
    curve = 1e-3 * x[:, 0] ** 2 * (x[:, 2] > 0.6)
    one, many = (error(fit(x[:, :3], curve, k)(x[:, :3]), curve) for k in (1, 27))
    assert many < 0.7 * one
    assert fit(x[:, :1], line)(np.array([[1e4]])) == pytest.approx(line.max())


def test_fewer_clusters_where_there_are_few_values() -> None:
    """A short series is not reproduced: 60 values have one cluster of seven coefficients, not 729."""
    x, noise = weather(60), RNG.standard_normal(60)
    assert len(fit(x, noise, 729).centres) == 1
    assert error(fit(x, noise, 729)(x), noise) > 0.6 * noise.std()
    constant = np.ones((60, 1))
    assert fit(constant, noise)(constant) == pytest.approx(np.full(60, noise.mean()))


def test_benchmarks_of_a_site_know_other_places_only() -> None:
    """Out of sample, neither the site nor one near it is used; in sample, only the site itself."""
    x = [weather() for _ in range(3)]
    y = [0.3 * x[0][:, 0], 0.3 * x[1][:, 0], 0.1 * x[2][:, 0]]
    y[0][:500] = np.nan
    places = np.array([50.0, 50.1, 10.0]), np.array([8.0, 8.0, 8.0])
    found = benchmark_series(x, y, places)
    assert list(found[0]) == [*BENCHMARKS, *(n + OWN_SITE for n in BENCHMARKS)]
    np.testing.assert_allclose(found[0]["1lin"], 0.1 * x[0][:, 0], atol=0.2)  # clipped to the fluxes of the third
    np.testing.assert_allclose(found[0]["1lin" + OWN_SITE], 0.3 * x[0][:, 0], atol=0.2)
    np.testing.assert_allclose(found[2]["1lin"], 0.3 * x[2][:, 0], atol=0.2)
    alone = benchmark_series(x[:2], y[:2], (places[0][:2], places[1][:2]))
    assert list(alone[0]) == [n + OWN_SITE for n in BENCHMARKS]


def test_relative_humidity_and_wind() -> None:
    """Saturated air has a relative humidity of 1; the speed is that of both components."""
    values = dict.fromkeys(WEATHER, np.array([1.0])) | {"avg_t": np.array([283.15]), "avg_sp": np.array([1e5])}
    values |= {"avg_q": np.array([0.00767]), "avg_u": np.array([3.0]), "avg_v": np.array([4.0])}
    found = predictors(values)[0]
    assert found[2] == pytest.approx(1.0, abs=0.01)
    assert found[3] == 5.0
