# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Filters against the Kalman filter of linear problems, and diagnostics that fail with wrong error statistics."""

import numpy as np
import pytest
import torch

from anemoi_ailand.assimilation.consistency import chi_square, desroziers
from anemoi_ailand.assimilation.ensemble_filter import ensemble_analysis
from anemoi_ailand.assimilation.extended_kalman_filter import extended_kalman_analysis
from anemoi_ailand.assimilation.regression import unexplained

POINTS, CONTROLS, OBSERVATIONS, MEMBERS = 7, 3, 2, 20


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem():
    """Jacobian, covariance, error variances and departures of points that differ."""
    h, root = noise(POINTS, OBSERVATIONS, CONTROLS, seed=1), noise(POINTS, CONTROLS, CONTROLS, seed=2)
    r = torch.tensor([0.5, 2.0], dtype=torch.float64)
    return h, root @ root.mT + 0.1 * torch.eye(CONTROLS, dtype=torch.float64), r, noise(POINTS, OBSERVATIONS, seed=3)


def kalman(h, b, r, d):
    """Increment and covariance in the form of information, one point at a time: another formula, in numpy."""
    found = []
    for k in range(len(d)):
        known = np.isfinite(d[k].numpy())
        hk, dk, rk = h[k].numpy()[known], d[k].numpy()[known], r.numpy()[known]
        covariance = np.linalg.inv(np.linalg.inv(b[k].numpy()) + hk.T / rk @ hk)
        found.append((covariance @ (hk.T / rk) @ dk, covariance, np.trace(hk @ covariance @ (hk.T / rk))))
    return [torch.from_numpy(np.stack(v)) for v in zip(*found, strict=True)]


def test_extended_filter_is_the_kalman_filter():
    """Increments, covariance and degrees of freedom for signal, missing observations included."""
    h, b, r, d = problem()
    d[1, 0] = d[2] = torch.nan
    made = extended_kalman_analysis(d, h, b, r)
    for found, expected in zip((made.increments, made.covariance, made.signal), kalman(h, b, r, d), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert not made.increments[2].any() and made.signal[2] == 0
    assert ((made.signal >= 0) & (made.signal <= 2)).all()


def test_one_covariance_serves_all_points():
    h, b, r, d = problem()
    same = extended_kalman_analysis(d, h, b[0].expand(POINTS, -1, -1), r)
    torch.testing.assert_close(extended_kalman_analysis(d, h, b[0], r).increments, same.increments)


def ensemble(seed=5):
    """Members of a linear problem: controls, predicted and true observations, variances."""
    h, _, r, y = problem()
    members = noise(POINTS, CONTROLS, MEMBERS, seed=seed) + 4.0
    return h, members, h @ members, y, r


def test_ensemble_filter_is_the_kalman_filter_with_the_covariance_of_the_ensemble():
    """Mean and covariance of the analysis are exact for linear observations, missing ones included."""
    h, members, predicted, y, r = ensemble()
    y[1, 0] = y[2] = torch.nan
    made, signal = ensemble_analysis(members, predicted, y, r)
    b = torch.stack([torch.cov(x) for x in members])
    increments, covariance, expected = kalman(h, b, r, y - predicted.mean(-1))
    torch.testing.assert_close(made.mean(-1) - members.mean(-1), increments, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(torch.stack([torch.cov(x) for x in made]), covariance, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(signal, expected, rtol=1e-9, atol=1e-11)
    assert torch.equal(made[2], members[2])


def test_observations_one_after_the_other_are_as_all_at_once():
    """With independent errors the mean and covariance do not depend on the order; unobserved controls join in."""
    h, members, predicted, y, r = ensemble()
    both, _ = ensemble_analysis(members, predicted, y, r)
    first, _ = ensemble_analysis(members, predicted[:, :1], y[:, :1], r[:1])
    then, _ = ensemble_analysis(first, (h @ first)[:, 1:], y[:, 1:], r[1:])
    torch.testing.assert_close(then.mean(-1), both.mean(-1), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(torch.stack([*map(torch.cov, then)]), torch.stack([*map(torch.cov, both)]))


def test_relaxation_restores_spread():
    """Full relaxation to prior or spread keeps the spread of every control; half lies between; the mean is the same."""
    _, members, predicted, y, r = ensemble()
    plain, _ = ensemble_analysis(members, predicted, y, r)
    for option in ("to_spread", "to_prior"):
        whole, _ = ensemble_analysis(members, predicted, y, r, **{option: 1.0})
        half, _ = ensemble_analysis(members, predicted, y, r, **{option: 0.5})
        torch.testing.assert_close(whole.std(-1), members.std(-1))
        torch.testing.assert_close(half.mean(-1), plain.mean(-1))
        assert ((half.std(-1) > plain.std(-1)) & (half.std(-1) < members.std(-1))).all()
        with pytest.raises(ValueError, match=f"`{option}` is 1.5"):
            ensemble_analysis(members, predicted, y, r, **{option: 1.5})


def test_members_without_spread_stay():
    """A control that is the same in all members is not changed, and nothing is divided by zero."""
    _, members, predicted, y, r = ensemble()
    members[:, 0] = 0.3
    made, _ = ensemble_analysis(members, predicted, y, r, to_spread=0.7)
    torch.testing.assert_close(made[:, 0], members[:, 0])
    assert torch.isfinite(made).all()


def test_weather_is_removed_and_soil_stays():
    """The rest has no correlation with what was removed, and keeps that with an independent variable and the mean."""
    weather, soil = noise(POINTS, 2, 400, seed=1), noise(POINTS, 1, 400, seed=2)
    weather[0, 1] = weather[0, 0]  # one variable twice
    y = 5.0 + 2.0 * weather[:, :1] - weather[:, 1:] + 0.3 * soil
    rest = unexplained(y, weather)
    torch.testing.assert_close(rest.mean(-1), y.mean(-1))
    dw = weather - weather.mean(-1, keepdim=True)
    assert ((rest - 5.0) @ dw.mT).abs().max() < 1e-9
    assert (torch.stack([torch.corrcoef(torch.cat(v))[0, 1] for v in zip(rest, soil, strict=True)]) > 0.99).all()


def linear_twin(of_background=1.0, of_observations=1.0, n=20000):
    """Diagnostics of an analysis whose variances are assumed too large by these factors."""
    truth, b, r = noise(n, 1, seed=7), 0.7, 0.4
    background, observed = truth + b**0.5 * noise(n, 1, seed=8), truth + r**0.5 * noise(n, 1, seed=9)
    assumed_b, assumed_r = (
        torch.full((n, 1), v, dtype=torch.float64) for v in (b * of_background, r * of_observations)
    )
    d = observed - background
    made = extended_kalman_analysis(d, torch.ones(n, 1, 1, dtype=torch.float64), assumed_b[..., None], assumed_r)
    return chi_square(d, assumed_b + assumed_r), *desroziers(d, d - made.increments, assumed_b, assumed_r)


def test_diagnostics_fail_with_wrong_variances():
    """All are near 1 with the right variances, and not all are with B or R wrong by a factor of 2."""
    assert np.abs(np.array(linear_twin()) - 1.0).max() < 0.05
    for wrong in ({"of_background": 2.0}, {"of_background": 0.5}, {"of_observations": 2.0}, {"of_observations": 0.5}):
        found = np.array(linear_twin(**wrong))
        assert np.abs(found - 1.0).max() > 0.2, wrong
        assert (found[0] < 0.9) if 2.0 in wrong.values() else (found[0] > 1.1), wrong
