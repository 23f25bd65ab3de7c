# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Pseudo-observations with the noise, biases and gaps of flux towers, made from a known truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from anemoi_ailand.constants import TRIPLE_POINT

#: Energy-balance closure of towers, mean and spread between sites, and spread of each flux beyond it [1]: about those
#: of FLUXNET sites, Wilson et al. (2002), doi:10.1016/S0168-1923(02)00109-0.
_CLOSURE, _CLOSURE_SPREAD, _FLUX_SPREAD = 0.85, 0.08, 0.06

#: Random error of a half-hourly flux: constant part [W m-2] and share of the flux [1], double exponential; about those
#: of Richardson et al. (2006), doi:10.1016/j.agrformet.2006.01.007. A mean over 6 h holds twelve.
_FLUX_NOISE, _FLUX_SHARE, _HALF_HOURS = 10.0, 0.2, 12

#: Spread of the offset between sites and random error: 2 m temperature and dewpoint [K].
_AIR = {"2t": (0.15, 0.2), "2d": (0.3, 0.3)}

#: Soil water: spread of the offset between probes [m3 m-3], of their slope about the mean [1], random error [m3 m-3].
_PROBE = (0.03, 0.1, 0.005)

#: Probability of a gap: flux by day, by night (weak turbulence) and in rain, air, soil probe; soil probes say nothing
#: below the freezing point of the air.
_GAP_DAY, _GAP_NIGHT, _GAP_RAIN, _GAP_AIR, _GAP_SOIL = 0.2, 0.45, 0.6, 0.03, 0.1

#: Outages a year, and their mean length in steps of 6 h: of the fluxes, and of the whole site.
_FLUX_OUTAGES, _SITE_OUTAGES = (2.0, 80), (1.0, 160)

#: Share of sites that measure in only one half of a period of two years or more, and steps of a year.
_HALF_PERIOD, _YEAR = 0.3, 1460

#: Rain from which fluxes are often missing [kg m-2 s-1].
_RAINY = 1.0 / 21600.0


def pseudo_towers(
    truth: Mapping[str, np.ndarray], daytime: np.ndarray, rain: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Return observations as flux towers would make them of a truth; NaN in gaps.

    Parameters
    ----------
    truth : mapping of array, shape (time, point)
        ``slhf``, ``sshf`` [W m-2], ``2t``, ``2d`` [K], ``swvl1`` ... [m3 m-3]: any of them, every 6 h; ``2t`` is needed
        with soil water.
    daytime : array of bool, shape (time, point)
        Whether the mean over the step is mostly by day.
    rain : array, shape (time, point)
        Precipitation over the step [kg m-2 s-1].
    seed : int
        Seed of all that is random.

    Examples
    --------
    >>> import numpy as np
    >>> day = np.tile([[False], [True], [True], [False]], (25, 3))
    >>> seen = pseudo_towers({"slhf": np.full((100, 3), -50.0)}, day, np.zeros((100, 3)), seed=1)
    >>> bool(np.nanmean(seen["slhf"]) > -50.0), bool(np.isnan(seen["slhf"]).any())
    (True, True)
    """
    random = np.random.default_rng(seed)
    shape = n_times, n_points = daytime.shape
    closure = random.normal(_CLOSURE, _CLOSURE_SPREAD, n_points)
    seen = {}
    for name, field in truth.items():
        if name in ("slhf", "sshf"):
            scale = (_FLUX_NOISE + _FLUX_SHARE * np.abs(field)) / np.sqrt(2.0 * _HALF_HOURS)
            slope = closure * random.normal(1.0, _FLUX_SPREAD, n_points)
            seen[name] = field * slope + scale * random.laplace(0.0, 1.0, shape)
            gap = np.where(daytime, _GAP_DAY, _GAP_NIGHT)
            gap = np.where(rain > _RAINY, np.maximum(gap, _GAP_RAIN), gap)
        elif name in _AIR:
            offset, noise = _AIR[name]
            seen[name] = field + random.normal(0.0, offset, n_points) + random.normal(0.0, noise, shape)
            gap = np.full(shape, _GAP_AIR)
        else:
            offset, slope, noise = _PROBE
            mean = field.mean(0)
            seen[name] = mean + (field - mean) * random.normal(1.0, slope, n_points)
            seen[name] = seen[name] + random.normal(0.0, offset, n_points) + random.normal(0.0, noise, shape)
            gap = np.where(truth["2t"] < TRIPLE_POINT, 1.0, _GAP_SOIL)
        seen[name] = np.where(random.random(shape) < gap, np.nan, seen[name])
    fluxes = [n for n in seen if n in ("slhf", "sshf")]
    for point in range(n_points):
        for names, (number, length) in ((fluxes, _FLUX_OUTAGES), (list(seen), _SITE_OUTAGES)):
            for _ in range(random.poisson(number * n_times / _YEAR)):
                first, steps = random.integers(n_times), random.geometric(1.0 / length)
                for name in names:
                    seen[name][first : first + steps, point] = np.nan
        if n_times >= 2 * _YEAR and random.random() < _HALF_PERIOD:
            first = random.integers(2) * (n_times // 2)
            for name in seen:
                seen[name][first : first + n_times // 2 + 1, point] = np.nan
    return seen
