# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations of the land before an analysis: time, ground, height, bias and gross errors; NaN is a refused one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS, TRIPLE_POINT

#: Largest distance of an observation from a stamp [minutes]: states exist every 6 h, and within them the diurnal cycle
#: is large, so that nothing is interpolated.
MOST_MINUTES = 30

#: Ground on which observations of air and soil water say nothing of the water in the soil: the upper end of the range
#: in which ecLand freezes soil water [K], and snow [kg m-2].
FROZEN, SNOW = TRIPLE_POINT + 1.0, 0.1

#: Fall of temperature with height in the standard atmosphere [K m-1]; ISO 2533:1975.
LAPSE_RATE = 0.0065


def observation_stamps(times: np.ndarray) -> np.ndarray:
    """Return the stamp of each observation, ``datetime64``; not a time where none is within :data:`MOST_MINUTES`.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand import observation_stamps
    >>> observation_stamps(np.array(["2022-07-01T05:40", "2022-07-01T09:00"], "M8[s]")).astype(str).tolist()
    ['2022-07-01T06:00', 'NaT']
    """
    minutes = times.astype("datetime64[m]").astype(np.int64)
    step = 60 * STEP_HOURS
    nearest = (minutes + step // 2) // step * step
    found = nearest.astype("datetime64[m]")
    found[np.abs(nearest - minutes) > MOST_MINUTES] = np.datetime64("NaT")
    return found


def on_open_ground(observed: Tensor, stl1: Tensor, sd: Tensor) -> Tensor:
    """Refuse observations over frozen or snow-covered ground of the background; all shapes (point, ...).

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import on_open_ground
    >>> on_open_ground(torch.tensor([0.2, 0.2]), stl1=torch.tensor([290.0, 270.0]), sd=torch.zeros(2))
    tensor([0.2000,    nan])
    """
    return torch.where((stl1 < FROZEN) | (sd > SNOW), torch.nan, observed)


def at_model_height(temperature: Tensor, station: Tensor, model: Tensor) -> Tensor:
    """Correct 2 m temperature or dewpoint [K] from the height of the station to that of the model [m].

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import at_model_height
    >>> at_model_height(torch.tensor([280.0]), torch.tensor([1200.0]), torch.tensor([1000.0]))
    tensor([281.3000])
    """
    return temperature + LAPSE_RATE * (station - model)


def first_guess_check(departures: Tensor, expected: Tensor, limit: float = 3.0) -> Tensor:
    """Refuse departures beyond ``limit`` times their expected standard deviation.

    ``expected`` is the variance of the departures, background and observation together, of the same shape.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import first_guess_check
    >>> first_guess_check(torch.tensor([2.9, 3.1]), torch.tensor([1.0, 1.0]))
    tensor([2.9000,    nan])
    """
    return torch.where(departures.abs() > limit * expected.sqrt(), torch.nan, departures)


def matched_mean(observed: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Remove the bias of observations (time, point) at each point over all times; NaN is left out of the means.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand import matched_mean
    >>> matched_mean(np.array([[0.1], [0.3]]), np.array([[0.3], [0.3]])).round(3).tolist()
    [[0.2], [0.4]]
    """
    known = np.isfinite(observed)
    shift = np.where(known, model - observed, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    matched: np.ndarray = observed + shift
    return matched


def matched_distribution(observed: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Give observations (time, point) the distribution of the model at each point: of equal ranks.

    Source: matching of cumulative distributions, Reichle and Koster (2004), doi:10.1029/2004GL020938. What is observed
    at a point over the whole series then has no bias and the variance of the model; trends are lost as well. NaN is
    left out of both series, which may have different times and lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand import matched_distribution
    >>> observed, model = np.array([[10.0], [30.0], [20.0]]), np.array([[0.1], [0.3], [0.2]])
    >>> matched_distribution(observed, model).round(2).tolist()
    [[0.13], [0.27], [0.2]]
    """
    out = np.full(observed.shape, np.nan)
    for p in range(observed.shape[1]):
        known, modelled = np.isfinite(observed[:, p]), np.isfinite(model[:, p])
        if known.any() and modelled.any():
            ranks = observed[known, p].argsort().argsort()
            out[known, p] = np.quantile(model[modelled, p], (ranks + 0.5) / known.sum())
    return out
