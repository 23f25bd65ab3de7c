# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Twin experiments of data assimilation: ecLand is the truth, the emulator has wrong soil and weather, and observes it.

Rows are start dates times points; members are further rows. The initial soil is that of another year; the weather of
the analysis is the true one times and plus errors, and members perturb it once more; observations have errors and gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.assimilation import observations
from anemoi_ailand.assimilation.ensemble_filter import ensemble_analysis
from anemoi_ailand.assimilation.extended_kalman_filter import extended_kalman_analysis
from anemoi_ailand.assimilation.regression import regression_jacobian, unexplained
from anemoi_ailand.assimilation.window import AssimilationWindow
from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, WATER_DENSITY
from anemoi_ailand.rollout.ensembles.forcing_spread import PerturbedForcing
from anemoi_ailand.rollout.ensembles.options import ForcingSpread
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.step.advance import Model, StepLayout
from anemoi_ailand.rollout.step.compiled_step import open_step
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.rollout.step.row_blocks import BlockStep

#: Days of an experiment, steps a day, and month and day of its starts.
DAYS, STEPS_A_DAY, STARTS = 30, 4, ("01-22", "04-15", "07-15", "10-15")

#: Soil layers: those of the root zone are controls of the extended filter, all are those of the ensemble filter.
SOIL = ("swvl1", "swvl2", "swvl3", "swvl4")
ROOTS = SOIL[:3]

#: Share of each layer in the root zone, the first metre.
SHARES = torch.tensor(SOIL_LAYER_THICKNESS[:3]) / sum(SOIL_LAYER_THICKNESS[:3])

#: Forcing that is perturbed.
WEATHER = ("t", "q", "avg_t", "avg_q", "avg_sdswrf", "avg_sdlwrf", "avg_tprate", "avg_tsrwe")

#: That of it which the temperature and dewpoint at 2 m follow.
AIR = ("t", "avg_t", "avg_sdswrf", "avg_sdlwrf")

#: Correlation length of errors of weather [km].
LENGTH_KM = 500.0

#: Days around a date, in other years, whose states make the climatological spread.
NEIGHBOURS = 20

#: Error of each observed variable [m3 m-3, K], share of observations that exist, and steps of a day that have them.
ERRORS = {"swvl1": 0.04, "2t": 1.0, "2d": 1.5}
EXISTING = {"swvl1": 0.8, "2t": 0.9, "2d": 0.9}
STEPS = {"swvl1": (1,), "2t": (1, 2, 3, 4), "2d": (1, 2, 3, 4)}

#: Half of the finite difference of soil water [m3 m-3].
CHANGE = 0.01


@dataclass(frozen=True)
class Settings:
    """Numbers that are tuned at points of the training in 2021.

    Attributes
    ----------
    members : int
        Members of an ensemble.
    inflation : float
        Factor of the climatological deviations from which the members start; the background of another year has the
        errors of two years.
    to_spread : float
        Relaxation of the ensemble filter.
    background : float
        Factor of the climatological standard deviations in the simplified filter, which does not know that earlier
        observations have made the error smaller.
    first : float
        The same on the first day of the full filter.
    growth : float
        Factor of the natural changes of a day, for the error that weather adds in the full filter.
    equivalent : mapping of str to float
        Error of the equivalents of observations, of the emulator and of the air above, added to that of the
        observations.
    """

    members: int = 50
    inflation: float = 2.0
    to_spread: float = 0.3
    background: float = 0.7
    first: float = 1.6
    growth: float = 0.6
    equivalent: Mapping[str, float] = field(default_factory=lambda: {"swvl1": 0.01, "2t": 1.5, "2d": 2.0})


#: Error of the emulator over a day by layer [m3 m-3]. Runs of a day from ecLand's state, at 81 points of the training
#: and 20 dates of 2021, have 0.0035, 0.0016, 0.00027 and 0.00001.
MODEL_ERROR = (0.004, 0.001, 0.0003, 0.0001)


@dataclass(frozen=True)
class Run:
    """Result of an experiment at the last stamp of each day.

    Attributes
    ----------
    soil : Tensor, shape (day, row, layer)
        Soil water, of an ensemble the mean of its members.
    spread : Tensor, shape (day, row, layer)
        Standard deviation of the members, with the root zone as the last layer; zero of a single run.
    signal : Tensor, shape (row,)
        Degrees of freedom for signal, all analyses together.
    used : Tensor, shape (row,)
        Number of observations that were used.
    added : Tensor, shape (row,), optional
        Water that all analyses of the extended filter added, less what they took away [kg m-2].
    """

    soil: Tensor
    spread: Tensor
    signal: Tensor
    used: Tensor
    added: Tensor | None = None


class Twin:
    """Truth, wrong background, wrong weather and observations of one realisation.

    Parameters
    ----------
    dataset : Path
        Anemoi dataset of ecLand.
    checkpoint : str
        Network.
    year : int
        Year of the truth.
    points : numpy.ndarray
        Indices of points.
    realisation : int
        Number that chooses the year of the background, errors of weather and observations, and perturbations.
    first_year : int
        First year of the climatology, which has all years before ``year``.
    starts : sequence of str
        Month and day of the starts.
    days : int, optional
        Length of an experiment; :data:`DAYS` if not given.
    """

    def __init__(
        self, dataset: Path, checkpoint: str, year: int, points: np.ndarray, realisation: int,
        settings: Settings, first_year: int = 2018, starts: Sequence[str] = STARTS, days: int | None = None,
    ) -> None:  # fmt: skip
        self.days = days or DAYS
        self.settings, self.seed = settings, 1000 * year + realisation
        self.step = open_step(checkpoint)
        self.model: Model = BlockStep(self.step)
        self.layout = StepLayout(self.step.inputs, self.step.outputs)
        stored = StoredFields(dataset, (*self.step.inputs, *(n for n in ERRORS if n not in self.step.inputs)))
        self._names, self.points, self._stored = stored.names, points, stored
        self.places = np.tile(stored.latitudes[points], len(starts)), np.tile(stored.longitudes[points], len(starts))
        years = list(range(first_year, year))
        self.dates = [np.datetime64(f"{year}-{d}") for d in starts]
        truth = [self.read(d, self.days * STEPS_A_DAY + 1) for d in self.dates]
        self.truth = torch.from_numpy(np.concatenate(truth, axis=1))  # (time, row, name)
        before = years[realisation % len(years)]
        another = [self.read(np.datetime64(f"{before}-{d}"), 1)[0] for d in starts]
        columns = [self._names.index(n) for n in self.layout.prognostic]
        self.background = torch.from_numpy(np.concatenate(another))[:, columns]
        self.anomalies = torch.cat([self._anomalies(d, years) for d in starts])
        self._rng = torch.Generator().manual_seed(self.seed)
        self.weather = self._weather()
        self.observed = self._observed()

    def read(self, date: np.datetime64, n: int) -> np.ndarray:
        """Return n times from a date, (time, point, name)."""
        first = int(np.searchsorted(self._stored.dates, date))
        return self._stored.read(first, first + n, self.points)

    def columns(self, names: Sequence[str]) -> list[int]:
        """Return the positions of variables in :attr:`truth`."""
        return [self._names.index(n) for n in names]

    def _anomalies(self, start: str, years: Sequence[int]) -> Tensor:
        """Return soil water of neighbouring days of other years minus their mean, (point, layer, sample)."""
        found = []
        for year in years:
            first = np.datetime64(f"{year}-{start}") - NEIGHBOURS
            found.append(self.read(first, 2 * NEIGHBOURS * STEPS_A_DAY)[::STEPS_A_DAY][..., self.columns(SOIL)])
        samples = torch.from_numpy(np.concatenate(found)).permute(1, 2, 0)
        return samples - samples.mean(-1, keepdim=True)

    def _weather(self) -> Tensor:
        """Return the weather that the analysis knows, (time, row, name of WEATHER): the true one with errors."""
        true = self.truth[..., self.columns(WEATHER)]
        return self._perturbed(true, range(1), self.seed)[:, 0]

    def _perturbed(self, weather: Tensor, members: range, seed: int) -> Tensor:
        """Return perturbed weather (time, row, name) as (time, member, row, name)."""
        parts = []
        for k, part in enumerate(weather.chunk(len(self.dates), dim=1)):
            n, this = part.shape[1], 10 * seed + k
            where = tuple(v[k * n : (k + 1) * n] for v in self.places)
            fields = SmoothFields(*where, LENGTH_KM, this)
            drawn = PerturbedForcing(ForcingSpread(), fields, members, this, control=False)
            values = part.permute(0, 2, 1).numpy()
            made = [drawn.at_start(values[0], WEATHER), *(drawn.step(v, WEATHER) for v in values[1:])]
            parts.append(torch.from_numpy(np.stack(made)).permute(0, 2, 3, 1))
        return torch.cat(parts, dim=2)

    @cached_property
    def members_weather(self) -> Tensor:
        """Weather of the members, (time, member, row, name of WEATHER)."""
        return self._perturbed(self.weather, range(self.settings.members), self.seed + 500)

    def _observed(self) -> dict[str, Tensor]:
        """Return observations (time, row) by name; NaN where there is none, as under snow or on frozen ground."""
        stl1, sd = (self.truth[..., i] for i in self.columns(("stl1", "sd")))
        found = {}
        for name, error in ERRORS.items():
            true = self.truth[..., self.columns((name,))[0]]
            noise, gaps = torch.randn(true.shape, generator=self._rng), torch.rand(true.shape, generator=self._rng)
            step = torch.arange(len(true))[:, None]
            due = (step > 0) & torch.isin((step - 1) % STEPS_A_DAY + 1, torch.tensor(STEPS[name]))
            exist = due & (gaps < EXISTING[name])
            observed = torch.where(exist, true + error * noise, torch.nan)
            found[name] = observations.on_open_ground(observed, stl1, sd)
        return found

    def slot(self, time: int, weather: Tensor) -> Tensor:
        """Return the slot of a time with other weather (..., row, name of WEATHER), as rows."""
        values = self.truth[time][..., : len(self.step.inputs)].expand(*weather.shape[:-1], -1)
        return values.index_copy(-1, self.layout.columns(WEATHER), weather).flatten(0, -2)

    def day(self, day: int) -> Tensor:
        """Return the end slots of a day in the weather that the analysis knows, (step, row, input)."""
        first = day * STEPS_A_DAY + 1
        return torch.stack([self.slot(k, self.weather[k]) for k in range(first, first + STEPS_A_DAY)])

    def start(self, weather: Tensor, soil: Tensor | None = None) -> Tensor:
        """Return the start slot with the background, or other soil water (..., row, layer)."""
        slot = self.layout.with_state(
            self.slot(0, weather), self.background.repeat(weather[..., 0].numel() // len(self.background), 1)
        )
        return slot if soil is None else slot.index_copy(-1, self.layout.columns(SOIL), soil.flatten(0, -2))

    @cached_property
    def porosity(self) -> Tensor:
        """Largest soil water, (row, 1)."""
        return self.truth[0][:, self.columns(("theta_sat",))]

    def limited(self, soil: Tensor) -> Tensor:
        """Limit soil water (..., row, layer) to what the soil holds."""
        return torch.minimum(soil.clamp_min(0.0), self.porosity)

    @cached_property
    def true_soil(self) -> Tensor:
        """Soil water of ecLand at the end of each day, (day, row, layer)."""
        return self.truth[STEPS_A_DAY::STEPS_A_DAY][..., self.columns(SOIL)]


def variances(names: Sequence[str], equivalent: Mapping[str, float]) -> Tensor:
    """Return the assumed error variances of observations and of their equivalents."""
    return torch.tensor([ERRORS[n] ** 2 + equivalent[n] ** 2 for n in names])


def ensemble_run(twin: Twin, names: Sequence[str]) -> Run:
    """Run the ensemble, with an analysis of the observed variables at each stamp; without any, the open loop."""
    s, rows, layout = twin.settings, len(twin.background), twin.layout
    rng = torch.Generator().manual_seed(twin.seed + 7)
    members, n = s.members, twin.anomalies.shape[-1]
    chosen = torch.rand((rows, n), generator=rng).argsort(-1)[:, : min(members, n)]
    draws = torch.gather(twin.anomalies, 2, chosen[:, None].expand(-1, len(SOIL), -1))
    draws = (draws - draws.mean(-1, keepdim=True)).permute(2, 0, 1)
    soil_columns, columns = layout.columns(SOIL), [layout.outputs.index(n) for n in names]
    first = twin.background[:, [layout.prognostic.index(n) for n in SOIL]]
    slot = twin.start(twin.members_weather[0], twin.limited(first + s.inflation * draws))
    drift = torch.tensor(MODEL_ERROR)
    signal, used, soil, spread = torch.zeros(rows), torch.zeros(rows), [], []
    for k in range(1, twin.days * STEPS_A_DAY + 1):
        end = twin.slot(k, twin.members_weather[k])
        out = twin.model(slot, end)
        slot = layout.next_start(slot, end, out)
        water = slot[:, soil_columns].unflatten(0, (members, rows))
        if names:
            predicted = _of_the_ground(twin, names, k, out[:, columns].unflatten(0, (members, rows)).permute(1, 2, 0))
            observed = _checked(twin, names, k, slot, predicted)
            error, background = variances(names, s.equivalent), water.permute(1, 2, 0).contiguous()
            made, information = ensemble_analysis(background, predicted, observed, error, to_spread=s.to_spread)
            water, signal = made.permute(2, 0, 1).contiguous(), signal + information
            used = used + observed.isfinite().sum(-1)
        if last := k % STEPS_A_DAY == 0:
            water = water + drift * torch.randn(water.shape, generator=rng) * (water > 0.0)
        water = twin.limited(water)
        slot = slot.index_copy(-1, soil_columns, water.flatten(0, 1))
        if last:
            soil.append(water.mean(0))
            spread.append(torch.cat([water.std(0), root_zone(water).std(0)[..., None]], -1))
    return Run(torch.stack(soil), torch.stack(spread), signal, used)


def _of_the_ground(twin: Twin, names: Sequence[str], k: int, predicted: Tensor) -> Tensor:
    """Return predicted observations (row, name, member) without what the members' weather explains of `2t`, `2d`."""
    above = [n for n in names if n not in SOIL]
    if not above:
        return predicted
    air = twin.members_weather[k][..., [WEATHER.index(n) for n in AIR]].permute(1, 2, 0)
    at = [names.index(n) for n in above]
    return predicted.index_copy(1, torch.tensor(at), unexplained(predicted[:, at], air))


def _checked(twin: Twin, names: Sequence[str], k: int, slot: Tensor, predicted: Tensor) -> Tensor:
    """Return the observations of a time (row, name) that pass the checks."""
    stl1, sd = (slot[:, twin.layout.columns((n,))].unflatten(0, (-1, len(predicted))).mean(0) for n in ("stl1", "sd"))
    observed = observations.on_open_ground(torch.stack([twin.observed[n][k] for n in names], -1), stl1, sd)
    mean, expected = predicted.mean(-1), predicted.var(-1) + variances(names, twin.settings.equivalent)
    return mean + observations.first_guess_check(observed - mean, expected)


def single_run(twin: Twin) -> Run:
    """Run without members and without observations: the open loop of the extended filter."""
    slot, soil = twin.start(twin.weather[0]), []
    for day in range(twin.days):
        window = AssimilationWindow(twin.model, twin.layout, slot, twin.day(day), ROOTS, ROOTS)
        slot = window.after(window.background)
        soil.append(slot[:, twin.layout.columns(SOIL)])
    return without_members(soil, *torch.zeros(3, len(slot)))


def extended_run(
    twin: Twin, names: Sequence[str], covariance: Tensor, growth: Tensor | None = None, way: str = "differences"
) -> Run:
    """Run without members, with an analysis of the extended filter each day.

    Parameters
    ----------
    names : sequence of str
        Observed variables.
    covariance : Tensor, shape (row, layer, layer)
        Background error of :data:`ROOTS`, the same each day, or with ``growth`` that of the first day.
    growth : Tensor, shape (row, layer, layer), optional
        Error that a day adds. The covariance of the analysis is then carried to the next day by the Jacobian of the
        layers.
    way : {'differences', 'adjoint', 'regression'}
        Way to the Jacobian; the regression is over members around the background with its covariance.
    """
    layout, exact = twin.layout, PhysicalStep(twin.step) if way == "adjoint" else twin.model
    slot, soil = twin.start(twin.weather[0]), []
    signal, used, added = torch.zeros(3, len(slot))
    rng = torch.Generator().manual_seed(twin.seed + 9)
    at = sorted({s for n in names for s in STEPS[n]})
    for day in range(twin.days):
        ends = twin.day(day)
        window, plain, whole = (
            AssimilationWindow(model, layout, slot, ends, ROOTS, to, steps)
            for model, to, steps in ((exact, names, at), (twin.model, names, at), (twin.model, ROOTS, None))
        )
        x = window.background
        h = _jacobian(window, x, covariance, way, rng).detach()
        observed = torch.stack([twin.observed[n][day * STEPS_A_DAY + s] for s in at for n in names], -1)
        stl1, sd = (slot[:, layout.columns((n,))] for n in ("stl1", "sd"))
        error = variances(names, twin.settings.equivalent).repeat(len(at))
        expected = torch.diagonal(h @ covariance @ h.mT, dim1=-2, dim2=-1) + error
        departures = observations.on_open_ground(observed, stl1, sd) - plain(x)
        departures = observations.first_guess_check(departures, expected)
        made = extended_kalman_analysis(departures, h, covariance, error)
        signal, used = signal + made.signal, used + departures.isfinite().sum(-1)
        analysis = twin.limited(x + made.increments)
        added, x = added + mass(analysis - x), analysis
        slot = whole.after(x)
        if growth is not None:
            m = _jacobian(whole, x, covariance, "differences", rng)
            covariance = m @ made.covariance @ m.mT + growth
        soil.append(slot[:, layout.columns(SOIL)])
    return without_members(soil, signal, used, added)


def without_members(soil: Sequence[Tensor], signal: Tensor, used: Tensor, added: Tensor | None = None) -> Run:
    """Return the result of a run without members, whose spread is zero, from the soil (row, layer) of each day."""
    found = torch.stack(list(soil))
    return Run(found, torch.zeros(*found.shape[:2], len(SOIL) + 1), signal, used, added)


def mass(change: Tensor) -> Tensor:
    """Return the mass [kg m-2] of a change of soil water (row, layer) in the first layers."""
    return WATER_DENSITY * change @ torch.tensor(SOIL_LAYER_THICKNESS[: change.shape[-1]])


def _jacobian(window: AssimilationWindow, x: Tensor, covariance: Tensor, way: str, rng: torch.Generator) -> Tensor:
    if way == "adjoint":
        return window.jacobian(x)
    if way == "differences":
        return window.jacobian(x, torch.full((x.shape[1],), CHANGE))
    n = 50
    root = torch.linalg.cholesky(covariance + 1e-10 * torch.eye(x.shape[1]))
    members = (x[..., None] + root @ torch.randn((*x.shape, n), generator=rng)).clamp_min(0.0)
    predicted = window(members.movedim(-1, 0).flatten(0, 1)).unflatten(0, (n, len(x))).movedim(0, -1)
    return regression_jacobian(members, predicted)


def climatological(twin: Twin, factor: float) -> Tensor:
    """Return the covariance of neighbouring days of other years, scaled, (row, layer, layer)."""
    return _covariance(factor * twin.anomalies)


def daily_growth(twin: Twin, factor: float) -> Tensor:
    """Return the covariance of natural changes in a day, scaled to the error that weather adds, (row, layer, layer)."""
    by_year = twin.anomalies.unflatten(-1, (-1, 2 * NEIGHBOURS))
    return _covariance(factor * by_year.diff(dim=-1).flatten(-2))


def _covariance(x: Tensor) -> Tensor:
    x = x[:, : len(ROOTS)]
    return x @ x.mT / (x.shape[-1] - 1) + 1e-10 * torch.eye(len(ROOTS))


def static(twin: Twin, deviation: float = 0.01) -> Tensor:
    """Return the covariance with the same standard deviation in all layers and no correlation, (row, layer, layer)."""
    return (deviation**2 * torch.eye(len(ROOTS))).expand(len(twin.background), -1, -1)


def forecast_errors(twin: Twin, soil: Tensor, first: int, days: int) -> Tensor:
    """Return the RMSE of `2t` and `2d` in a forecast from other soil water, (row, name).

    The forecast begins at the end of day ``first`` (from 0) with the state of ecLand but the soil water ``soil`` (row,
    layer), and has the true weather, so that nothing else is wrong.
    """
    names, layout = ("2t", "2d"), twin.layout
    columns, at = [layout.outputs.index(n) for n in names], twin.columns(names)
    time = (first + 1) * STEPS_A_DAY
    slot = twin.truth[time][:, : len(twin.step.inputs)].index_copy(-1, layout.columns(SOIL), soil)
    squares = torch.zeros(len(soil), len(names))
    for k in range(time + 1, time + days * STEPS_A_DAY + 1):
        end = twin.truth[k][:, : len(twin.step.inputs)]
        out = twin.model(slot, end)
        squares = squares + (out[:, columns] - twin.truth[k][:, at]).square()
        slot = layout.next_start(slot, end, out)
    return (squares / (days * STEPS_A_DAY)).sqrt()


def root_zone_error(twin: Twin, run: Run) -> Tensor:
    """Return the error of the root zone at the end of each day [m3 m-3], (day, row)."""
    return root_zone(run.soil - twin.true_soil)


def root_zone(soil: Tensor) -> Tensor:
    """Return the mean of the root zone (...) of soil water (..., layer)."""
    return soil[..., : len(ROOTS)] @ SHARES
