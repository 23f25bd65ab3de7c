# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Windows of a day and of ten days in the twin experiment: 4D-Var against the extended filter, with factors of rain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from anemoi_ailand.assimilation import observations
from anemoi_ailand.assimilation.variational import variational_analysis
from anemoi_ailand.assimilation.window import PRECIPITATION, AssimilationWindow, ForcingFactor
from tools.results.twin import (
    CHANGE,
    ROOTS,
    SOIL,
    STEPS_A_DAY,
    Run,
    Twin,
    climatological,
    root_zone_error,
    variances,
    without_members,
)

#: Half of the finite difference of a factor of rain, and its error in the background, that of the weather.
RAIN_CHANGE, RAIN_ERROR = 0.1, 0.5


@dataclass(frozen=True)
class WindowSettings:
    """Options of windows.

    Attributes
    ----------
    days : int
        Length of a window.
    rain : bool
        Whether the precipitation of each day has a factor.
    iterations : int
        Gauss-Newton iterations.
    first, later : float
        Factor of the climatological deviations in the first window and in later ones.
    """

    days: int
    rain: bool
    iterations: int
    first: float
    later: float


#: Experiments by title. The factors of windows of 10 days were chosen at points of the training in 2021, from 0.7, 1.0
#: and 1.6 in the first window and 0.3, 0.5 and 0.7 in later ones.
WINDOWS = {
    "SEKF, 24 h": WindowSettings(1, False, 1, 0.7, 0.7),
    "4D-Var, 24 h": WindowSettings(1, False, 4, 0.7, 0.7),
    "4D-Var, 10 days, rain": WindowSettings(10, True, 3, 1.0, 0.5),
    "4D-Var, 30 days": WindowSettings(30, False, 3, 1.0, 1.0),
    "4D-Var, 30 days, rain": WindowSettings(30, True, 3, 1.0, 1.0),
}


def window_run(twin: Twin, names: Sequence[str], s: WindowSettings) -> Run:
    """Run through windows, each with its analysis, and return the soil at the end of each day."""
    slot, soil, layout = twin.start(twin.weather[0]), [], twin.layout
    signal, used = torch.zeros(2, len(slot))
    for first in range(0, twin.days, s.days):
        ends = torch.cat([twin.day(d) for d in range(first, first + s.days)])
        rain = [_factor(d) for d in range(s.days)] if s.rain else []
        at = range(1, len(ends) + 1)
        window = AssimilationWindow(twin.model, layout, slot, ends, [*ROOTS, *rain], names, at)
        covariance = _covariance(twin, s.later if first else s.first, len(rain))
        sizes = torch.tensor([CHANGE] * len(ROOTS) + [RAIN_CHANGE] * len(rain))
        background = window.background
        jacobian = window.jacobian(background, sizes)
        predicted, error = window(background), variances(names, twin.settings.equivalent).repeat(len(at))
        start = first * STEPS_A_DAY
        observed = torch.stack([twin.observed[n][start + k] for k in at for n in names], -1)
        stl1, sd = (slot[:, layout.columns((n,))] for n in ("stl1", "sd"))
        observed = observations.on_open_ground(observed, stl1, sd)
        expected = torch.diagonal(jacobian @ covariance @ jacobian.mT, dim1=-2, dim2=-1) + error
        good = observations.first_guess_check(observed - predicted, expected)
        observed = torch.where(good.isnan(), torch.nan, observed)
        made = variational_analysis(
            window, lambda x, w=window, k=sizes: w.jacobian(x, k), background, observed, covariance, error,
            iterations=s.iterations,
        )  # fmt: skip
        x = background + made.increments
        x = torch.cat([twin.limited(x[:, : len(ROOTS)]), x[:, len(ROOTS) :].clamp_min(0.0)], -1)
        signal, used = signal + made.signal, used + observed.isfinite().sum(-1)
        every = AssimilationWindow(
            twin.model, layout, slot, ends, [*ROOTS, *rain], SOIL, range(STEPS_A_DAY, len(ends) + 1, STEPS_A_DAY)
        )
        soil += every(x).unflatten(-1, (s.days, len(SOIL))).unbind(1)
        slot = every.after(x)
    return without_members(soil, signal, used)


def _factor(day: int) -> ForcingFactor:
    return ForcingFactor(f"rain day {day + 1}", PRECIPITATION, day * STEPS_A_DAY + 1, (day + 1) * STEPS_A_DAY)


def _covariance(twin: Twin, factor: float, n_factors: int) -> Tensor:
    """Return the background error of soil and factors of rain, (row, control, control)."""
    soil = climatological(twin, factor)
    n = soil.shape[-1]
    found = soil.new_zeros((len(soil), n + n_factors, n + n_factors))
    found[:, :n, :n] = soil
    found[:, range(n, n + n_factors), range(n, n + n_factors)] = RAIN_ERROR**2
    return found


def compare_windows(twin: Twin, names: Sequence[str], seen_from: int) -> dict[str, dict[str, float]]:
    """Return RMSE of the root zone after 30 days, of all columns and of those that are seen, by experiment."""
    seen = twin.observed["swvl1"].isfinite().sum(0) >= seen_from
    found = {}
    for title, settings in WINDOWS.items():
        error = root_zone_error(twin, window_run(twin, names, settings))
        last, mean = error[-1], error.square().mean(0)
        found[title] = {
            "all": float(last.square().mean().sqrt()), "seen": float(last[seen].square().mean().sqrt()),
            "mean of the days": float(mean.mean().sqrt()),
        }  # fmt: skip
    return found
