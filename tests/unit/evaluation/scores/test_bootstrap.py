# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The bootstrap is paired and repeatable, and its intervals have the nominal coverage."""

import numpy as np
import pytest

from anemoi_ailand.evaluation.scores.bootstrap import (
    Resamples,
    drawn_mean,
    drawn_rmse,
    interval,
    resamples,
    rmse_interval,
)


def test_draws_have_as_many_starts_and_points_as_there_are():
    """With replacement; a block contains consecutive starts of the circular sequence."""
    got = resamples(13, 7, draws=200)
    assert got.starts.shape == (200, 13)
    assert got.points.shape == (200, 7)
    assert (got.starts.sum(axis=1) == 13).all()
    assert (got.points.sum(axis=1) == 7).all()
    assert got.starts.min() == 0
    assert got.starts.max() > 2
    np.testing.assert_allclose(got.starts.mean(axis=0), 1, atol=0.3)
    got = resamples(12, 1, draws=50, start_block=12).starts
    np.testing.assert_array_equal(got, 1)  # one block of all of them, wherever it begins
    got = resamples(12, 1, draws=500, start_block=4).starts
    lag = np.corrcoef(got[:, 3], got[:, 4])[0, 1]
    assert lag > 0.5 > abs(np.corrcoef(*resamples(12, 1, draws=500).starts[:, 3:5].T)[0, 1])


def test_drawn_rmse_equals_a_naive_loop():
    """Each start and point counts as often as it is drawn."""
    rng = np.random.default_rng(0)
    squares, counts = rng.random((4, 3)), (np.array([4.0, 4, 2, 4]), np.array([1.0, 1, 3]))
    draws = resamples(4, 3, draws=20)
    got = drawn_rmse(squares, counts, draws)
    for k in range(20):
        total = n = 0.0
        for s in range(4):
            for p in range(3):
                times = draws.starts[k, s] * draws.points[k, p]
                total += times * squares[s, p]
                n += times * counts[0][s] * counts[1][p]
        assert got[k] == pytest.approx(np.sqrt(total / n), rel=1e-12)


def test_drawn_mean_keeps_the_sign():
    """Its root is the drawn RMSE for squares; a draw without values is NaN."""
    draws, counts = resamples(5, 6), (np.full(5, 2.0), np.ones(6))
    np.testing.assert_allclose(drawn_mean(np.full((5, 6), -4.0), counts, draws), -2.0)
    squares = np.random.default_rng(0).random((5, 6))
    np.testing.assert_array_equal(np.sqrt(drawn_mean(squares, counts, draws)), drawn_rmse(squares, counts, draws))
    empty = Resamples(np.array([[1.0, 0.0]]), np.array([[1.0]]))
    assert np.isnan(drawn_rmse(np.ones((2, 1)), (np.array([0.0, 1.0]), np.ones(1)), empty)).all()


def test_interval_of_a_single_model():
    """The score is that of all values, and more points narrow the interval."""
    squares = np.random.default_rng(0).chisquare(3, (20, 200))
    widths = []
    for n in (20, 200):
        counts = np.full(20, 4.0), np.ones(n)
        value, low, high = rmse_interval(squares[:, :n], counts, resamples(20, n))
        assert value == pytest.approx(np.sqrt(squares[:, :n].mean() / 4))
        assert low < value < high
        widths.append(high - low)
    assert widths[1] < 0.7 * widths[0]
    assert rmse_interval(np.full((3, 4), 9.0), (np.ones(3), np.ones(4)), resamples(3, 4)) == (3.0, 3.0, 3.0)


def made_up(rng, n_starts=30, n_points=40, spread=1.0):
    """Squared errors of two models of equal skill, whose advantage differs by start and by point."""
    effect = 0.1 * spread * (rng.standard_normal((n_starts, 1)) + rng.standard_normal((1, n_points)))
    return [rng.chisquare(4, (n_starts, n_points)) * np.exp(sign * effect) for sign in (1, -1)]


@pytest.mark.parametrize(("spread", "fewest"), [(1.0, 0), (3.0, 0), (5.0, 2)])
def test_interval_has_nominal_coverage(spread, fewest):
    """Of 200 comparisons of equal models about 5 % are significant, fewer if noise dominates."""
    rng = np.random.default_rng(2)
    one, wrong = (np.ones(30), np.ones(40)), 0
    for seed in range(200):
        a, b = made_up(rng, spread=spread)
        draws = resamples(30, 40, seed=seed, draws=400)
        wrong += interval(drawn_rmse(a, one, draws), drawn_rmse(b, one, draws))[2]
    assert fewest <= wrong <= 20


def test_real_difference_is_found():
    a = made_up(np.random.default_rng(0))[0]
    draws, one = resamples(*a.shape), (np.ones(30), np.ones(40))
    first, second = drawn_rmse(a * 1.1**2, one, draws), drawn_rmse(a, one, draws)
    low, high, significant = interval(first, second)
    assert significant
    assert low <= np.sqrt((a * 1.1**2).mean()) - np.sqrt(a.mean()) <= high
    assert first.std() > (high - low) / 2
