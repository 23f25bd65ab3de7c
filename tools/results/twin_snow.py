# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Snow in the twin experiment: a year with wrong weather and the snow of another year, with depths every tenth day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.assimilation.snow_depth import snow_depth, snow_depth_analysis
from anemoi_ailand.rollout.ensembles.forcing_spread import PerturbedForcing
from anemoi_ailand.rollout.ensembles.options import ForcingSpread
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.compiled_step import open_step
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from tools.results.twin import LENGTH_KM, STEPS_A_DAY, WEATHER

#: Days between depths, error of a depth [m], and share of them that exist.
EVERY, ERROR, EXISTING = 10, 0.03, 0.9

#: Snow that counts as cover, and largest snow of a year from which a point has a season [kg m-2].
COVER, SEASON = 1.0, 10.0

#: Error of the depth of the background: absolute [m] and relative [1]; chosen at points of the training in 2021 from
#: relative errors of 0.1, 0.3 and 0.6, between which it hardly matters.
BACKGROUND = {"absolute": 0.03, "relative": 0.3}

_SNOW = ("sd", "rsn", "stl1", "snowc", "tsn", "asn", "slw")


class SnowTwin:
    """Truth, weather and background of one realisation over a year.

    Parameters
    ----------
    dataset : Path
        Anemoi dataset of ecLand.
    checkpoint : str
        Network.
    year : int
        Year of the truth, which begins on 1 January with the snow of the year before it.
    points : numpy.ndarray
        Indices of points; those without a season of snow are left out.
    realisation : int
        Number that chooses errors of weather and depths.
    """

    def __init__(self, dataset: Path, checkpoint: str, year: int, points: np.ndarray, realisation: int) -> None:
        step = open_step(checkpoint)
        self.model, self.layout = BlockStep(step), StepLayout(step.inputs, step.outputs)
        stored, seed = StoredFields(dataset, step.inputs), 1000 * year + realisation
        first, last = (int(np.searchsorted(stored.dates, np.datetime64(f"{y}-01-01"))) for y in (year, year + 1))
        truth = stored.read(first, last, points)
        snow = truth[..., stored.names.index("sd")]
        kept = (snow.max(0) > SEASON) & (snow.min(0) < COVER)  # neither without snow nor under it all year
        points = points[kept]
        self.truth = torch.from_numpy(truth[:, kept])  # (time, point, name)
        self.names = stored.names
        before = int(np.searchsorted(stored.dates, np.datetime64(f"{year - 1}-01-01")))
        other = torch.from_numpy(stored.read(before, before + 1, points)[0])
        columns = [self.names.index(n) for n in self.layout.prognostic]
        self.background = other[:, columns]
        fields = SmoothFields(stored.latitudes[points], stored.longitudes[points], LENGTH_KM, seed)
        drawn = PerturbedForcing(ForcingSpread(), fields, range(1), seed, control=False)
        weather = self.truth[..., self._columns(WEATHER)].permute(0, 2, 1).numpy()
        made = [drawn.at_start(weather[0], WEATHER), *(drawn.step(v, WEATHER) for v in weather[1:])]
        self.weather = torch.from_numpy(np.stack(made)[:, :, 0]).permute(0, 2, 1)
        self._rng = np.random.default_rng(seed)

    def _columns(self, names: tuple[str, ...]) -> list[int]:
        return [self.names.index(n) for n in names]

    def slot(self, time: int) -> Tensor:
        """Return the slot of a time with the wrong weather."""
        values = self.truth[time][:, : len(self.layout.inputs)]
        return values.index_copy(-1, self.layout.columns(WEATHER), self.weather[time])

    def depths(self) -> dict[int, Tensor]:
        """Return observed depths [m] by time, NaN where there is none."""
        found = {}
        for time in range(EVERY * STEPS_A_DAY, len(self.truth), EVERY * STEPS_A_DAY):
            true = snow_depth({n: self.truth[time][:, self.names.index(n)] for n in ("sd", "rsn")}).numpy()
            noise, gaps = self._rng.standard_normal(true.shape), self._rng.random(true.shape)
            seen = np.where(true > 0.0, np.maximum(true + ERROR * noise, 0.0), 0.0)  # bare ground is seen as such
            found[time] = torch.from_numpy(np.where(gaps < EXISTING, seen, np.nan)).float()
        return found

    def run(self, *, observed: bool) -> np.ndarray:
        """Run through the year and return the mass of snow (time, point), with depths if ``observed``."""
        depths = self.depths() if observed else {}
        slot, found = self.layout.with_state(self.slot(0), self.background), []
        at = {n: int(self.layout.columns((n,))[0]) for n in _SNOW if n in self.layout.inputs}
        for time in range(len(self.truth)):
            if time:
                end = self.slot(time)
                slot = self.layout.next_start(slot, end, self.model(slot, end))
            if time in depths:
                state = {n: slot[:, k] for n, k in at.items()}
                variance = torch.full_like(depths[time], ERROR**2)
                made, _ = snow_depth_analysis(state, depths[time], variance, **BACKGROUND)
                for name, values in made.items():
                    slot = slot.index_copy(1, self.layout.columns((name,)), values[:, None])
            found.append(slot[:, at["sd"]].numpy())
        return np.stack(found)

    @property
    def true_snow(self) -> np.ndarray:
        """Mass of snow of ecLand, (time, point)."""
        return self.truth[..., self.names.index("sd")].numpy()


def snow_scores(true: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Score the mass of snow (time, point) of a year.

    RMSE in accumulation, from the first snow of a season to its largest mass, and in melt [kg m-2]; mean absolute error
    of the date of melt-out in the first half of the year [d]; days a year of false and of missing cover [d].
    """
    growing = _growing(true)
    error = (found - true) ** 2
    cover, own = true > COVER, found > COVER
    melting = cover & ~growing
    out_true, out = (_melt_out(v) for v in (true, found))
    days = np.abs(out - out_true)
    a_day = STEPS_A_DAY
    return {
        "accumulation": float(np.sqrt(error[growing].mean())), "melt": float(np.sqrt(error[melting].mean())),
        "melt-out": float(np.nanmean(days)), "false": float((own & ~cover).sum(0).mean() / a_day),
        "missing": float((cover & ~own).sum(0).mean() / a_day), "points": float(true.shape[1]),
    }  # fmt: skip


def _growing(true: np.ndarray) -> np.ndarray:
    """Return the mask of accumulation: snow that will be exceeded before it has melted."""
    ahead = np.zeros_like(true)
    top = np.zeros(true.shape[1])
    for time in range(len(true) - 1, -1, -1):
        top = np.where(true[time] > COVER, np.maximum(top, true[time]), 0.0)
        ahead[time] = top
    mask: np.ndarray = (true > COVER) & (true < 0.999 * ahead)
    return mask


def _melt_out(snow: np.ndarray) -> np.ndarray:
    """Return the day after the last cover in the first half of the year; NaN without, or where it lasts."""
    half = snow[: len(snow) // 2] > COVER
    last = len(half) - 1 - half[::-1].argmax(0)
    found: np.ndarray = np.where(half.any(0) & ~half[-1], (last + 1) / STEPS_A_DAY, np.nan)
    return found
