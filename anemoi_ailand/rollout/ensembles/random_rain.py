# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Precipitation of each hour of a step, drawn at random: ``precipitation: random``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import torch

from anemoi_ailand.constants import STEP, STEP_SECONDS
from anemoi_ailand.physics.rain import concentration_logit, drawn_shares
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields, innovations
from anemoi_ailand.variables import HOURLY_RAIN

#: What the shares of the hours depend on.
NEEDED = ("avg_tprate", "avg_tsrwe", "avg_t")

_PURPOSE = 3


class RandomRain:
    """Hourly precipitation of all members, including the control: a function of seed, member, date and place only.

    The shares of the hours are those of :func:`~anemoi_ailand.physics.rain.drawn_shares`, independent from step to
    step; the normal numbers are Gaussian fields, so that neighbouring points have their rain in the same hours.
    """

    def __init__(self, fields: SmoothFields, members: range, seed: int) -> None:
        self._fields, self._members, self._seed = fields, members, seed

    def __call__(self, values: np.ndarray, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """Return the rates of :data:`~anemoi_ailand.variables.HOURLY_RAIN`, shape (6, step, member x point).

        ``values`` (variable, step, member x point) hold :data:`NEEDED`, and ``dates`` are the ends of the steps.
        """
        total, snow, air = (values[list(names).index(n)].astype(np.float32) for n in NEEDED)
        rain = np.float32(STEP_SECONDS) * np.maximum(total - np.maximum(snow, 0.0), 0.0)
        n_hours = len(HOURLY_RAIN)
        out = np.zeros((n_hours, *total.shape), np.float32)
        wet = total > 0.0
        steps = np.flatnonzero(wet.any(axis=1))
        if not steps.size:
            return out
        numbers = [(dates[k] - datetime.min) // STEP for k in steps.tolist()]
        amplitudes = [
            innovations(self._seed, _PURPOSE, self._members, number, n_hours, control=False) for number in numbers
        ]
        drawn = self._fields(np.stack(amplitudes)).swapaxes(2, 3)  # (step, member, point, hour)
        normal = np.ascontiguousarray(drawn.reshape(len(steps), -1, n_hours)[wet[steps]])
        logit = concentration_logit(*(torch.from_numpy(x[wet]) for x in (rain, air)))
        shares = drawn_shares(logit, torch.from_numpy(normal)).numpy()
        out[:, wet] = n_hours * shares.T * total[wet]
        return out
