# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations before an analysis."""

import numpy as np
import torch

from anemoi_ailand.assimilation import observations


def test_only_observations_near_a_stamp_have_one():
    """Within 30 minutes before or after; others are refused rather than interpolated."""
    times = np.array(
        ["2022-07-01T05:30", "2022-07-01T06:30", "2022-07-01T05:29", "2022-07-01T09:00", "2021-12-31T23:45"], "M8[s]"
    )
    found = observations.observation_stamps(times)
    assert [str(t) for t in found] == ["2022-07-01T06:00", "2022-07-01T06:00", "NaT", "NaT", "2022-01-01T00:00"]


def test_frozen_and_snowy_ground_is_refused():
    observed = torch.full((4,), 0.2)
    made = observations.on_open_ground(
        observed, torch.tensor([290.0, 273.0, 290.0, 274.2]), torch.tensor([0.0, 0.0, 5.0, 0.0])
    )
    assert torch.isfinite(made).tolist() == [True, False, False, True]


def test_station_above_the_model_is_warmed():
    made = observations.at_model_height(torch.tensor([280.0]), torch.tensor([1200.0]), torch.tensor([1000.0]))
    torch.testing.assert_close(made, torch.tensor([281.3]))


def test_gross_errors_are_refused():
    made = observations.first_guess_check(torch.tensor([2.9, -3.1, torch.nan]), torch.tensor([1.0, 1.0, 1.0]))
    assert torch.isfinite(made).tolist() == [True, False, False]


def series():
    """Model, and biased, rescaled observations of it with gaps, (time, point)."""
    model = np.random.default_rng(0).gamma(2.0, 0.05, (3000, 2))
    observed = 0.1 + 0.6 * model
    observed[::3] = np.nan
    return model, observed


def test_mean_matching_removes_the_bias_only():
    model, observed = series()
    made, known = observations.matched_mean(observed, model), np.isfinite(observed[:, 0])
    np.testing.assert_allclose(np.nanmean(made, 0), model[known].mean(0))
    np.testing.assert_allclose(np.nanstd(made, 0), np.nanstd(observed, 0))


def test_distribution_matching_gives_the_distribution_of_the_model():
    """Mean, spread and order; gaps of both are left out, and a point without observations has none."""
    model, observed = series()
    observed[:, 1] = np.nan
    gaps = np.where(np.arange(len(model))[:, None] % 7, model, np.nan)
    made = observations.matched_distribution(observed, gaps)
    known = np.isfinite(observed[:, 0])
    assert np.isnan(made[:, 1]).all() and (np.isfinite(made[:, 0]) == known).all()
    np.testing.assert_allclose(np.median(np.abs(made[known, 0] - model[known, 0])), 0.0, atol=0.002)
    np.testing.assert_allclose(
        [np.nanmean(made[:, 0]), np.nanstd(made[:, 0])], [model[:, 0].mean(), model[:, 0].std()], rtol=0.02
    )
