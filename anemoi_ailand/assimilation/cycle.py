# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A cycle of an assimilation: the analysis of a window and the run through it, from one state to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.assimilation.ensemble_filter import ensemble_analysis
from anemoi_ailand.assimilation.equivalents import Equivalents
from anemoi_ailand.assimilation.observations import first_guess_check, on_open_ground
from anemoi_ailand.assimilation.placed_observations import PlacedObservations, Status, WindowObservations
from anemoi_ailand.assimilation.regression import regression_jacobian, unexplained
from anemoi_ailand.assimilation.settings import Settings
from anemoi_ailand.assimilation.snow_depth import snow_depth, snow_depth_analysis
from anemoi_ailand.assimilation.soil_limits import limited_analysis
from anemoi_ailand.assimilation.variational import variational_analysis
from anemoi_ailand.assimilation.window import PRECIPITATION, AssimilationWindow, ForcingFactor
from anemoi_ailand.constants import STEP, STEP_HOURS
from anemoi_ailand.data.observations.rows import RELATIVE_HUMIDITY

if TYPE_CHECKING:
    from anemoi_ailand.rollout.ensembles.ensemble import Ensemble
    from anemoi_ailand.rollout.step.land_state import LandState
    from anemoi_ailand.rollout.stepper import LandStepper

#: Half of the finite difference of water [m3 m-3], temperature [K] and a factor [1].
CHANGES = {"swvl": 0.01, "stl": 0.5, "rain": 0.1}

#: Members of the regression that estimates a Jacobian.
DRAWN = 50

#: Points whose window is analysed at once, so that memory is bounded.
POINTS_AT_ONCE = 8192

#: Weather that temperature and humidity at 2 m follow, and the variables from which its part is removed.
_AIR, _ABOVE = ("t", "avg_t", "avg_sdswrf", "avg_sdlwrf"), ("2t", "2d", RELATIVE_HUMIDITY)

#: Variables of snow.
_SNOW = ("sd", "rsn", "stl1", "snowc", "tsn", "asn", "slw")

_STEPS_A_DAY = 24 // STEP_HOURS


@dataclass
class Cycle:
    """Result of a window.

    Attributes
    ----------
    state : LandState
        State at the end, of all members.
    outputs : dict of str to numpy.ndarray, shape (step, point)
        Outputs after each step, the mean of members.
    increments : dict of datetime to dict of str to numpy.ndarray, shape (point,)
        Changes of the state by the time at which they were made, the mean of members.
    rain : numpy.ndarray, shape (point,)
        Precipitation that factors of the forcing have added [kg m-2].
    precipitation : numpy.ndarray, shape (point,)
        Precipitation of the window without such factors [kg m-2].
    signal : numpy.ndarray, shape (point,)
        Degrees of freedom for signal.
    covariance : Tensor, shape (point, control, control), optional
        Error of the background of the next window, if it is carried.
    feedback : dict of str to numpy.ndarray, shape (row,)
        ``background`` and ``analysis``, the equivalents; ``expected``, the variance of the background there;
        ``wetness`` of the first layer (0 at the wilting point, 1 at field capacity), and ``status``.
    """

    state: LandState
    outputs: dict[str, np.ndarray]
    increments: dict[datetime, dict[str, np.ndarray]]
    rain: np.ndarray
    precipitation: np.ndarray
    signal: np.ndarray
    covariance: Tensor | None = None
    feedback: dict[str, np.ndarray] = field(default_factory=dict)


class CycleRunner:
    """Analyses and runs of windows with the settings of an assimilation.

    Parameters
    ----------
    land : LandStepper
        Network; with an ensemble whose outputs are perturbed, that of :meth:`LandStepper.perturbed`.
    settings : Settings
        Configuration.
    kept : sequence of str
        Outputs that are kept.
    ensemble : Ensemble, optional
        Members of the ETKF.
    """

    def __init__(
        self, land: LandStepper, settings: Settings, kept: Sequence[str], ensemble: Ensemble | None = None
    ) -> None:
        self.land, self.settings, self.kept, self.ensemble = land, settings, tuple(kept), ensemble
        self.controls = tuple(settings.controls.error)
        self._checker = land.new_checker()
        own = np.array([settings.controls.error[n] for n in self.controls])
        self._covariance = torch.from_numpy(correlated(self.controls, own, settings.controls.correlation)).to(
            land.dtype
        )

    def run(
        self, state: LandState, forcing: Mapping[str, np.ndarray], placed: PlacedObservations, number: int,
        covariance: Tensor | None = None,
    ) -> Cycle:  # fmt: skip
        """Analyse and run one window, number ``number``, from its start state; forcing has shape (step, point).

        ``covariance`` is that of the window before, if there is one and it is carried.
        """
        n_points = next(iter(forcing.values())).shape[1]
        rain = forcing["avg_tprate"].sum(0, dtype=np.float64) * STEP.total_seconds()
        if covariance is None and self.settings.controls.growth:
            covariance = self._covariance.repeat(n_points, 1, 1)
        cycle = Cycle(state, {}, {}, np.zeros(n_points), rain, np.zeros(n_points), covariance)
        nothing = np.full(len(placed), np.nan)
        cycle.feedback = {n: nothing.copy() for n in ("background", "analysis", "expected")}
        cycle.feedback |= {"status": placed.status.copy(), "wetness": self._wetness(state, placed.points)}
        if self.ensemble is None:
            self._single(cycle, dict(forcing), placed, number)
        else:
            self._members(cycle, dict(forcing), placed)
        return cycle

    def report(self) -> None:
        """Log what was implausible in all windows."""
        self._checker.report()

    # one run, with an analysis of the window

    def _single(self, cycle: Cycle, forcing: dict[str, np.ndarray], placed: PlacedObservations, number: int) -> None:
        state, steps = cycle.state, len(next(iter(forcing.values())))
        soil = np.flatnonzero(~placed.depths)
        blocks = placed.points[soil] // POINTS_AT_ONCE  # points do not interact
        for block in np.unique(blocks):
            rows = soil[blocks == block]
            seed = (self.settings.seed * 1_000_003 + number) * 1_000_003 + int(block)
            state, forcing = self._analysed(cycle, state, forcing, placed.take(rows), rows, seed)
        if cycle.covariance is not None:
            cycle.covariance = self._carried(cycle.covariance, state, forcing)
        stops = set(self._step(state.date, placed.stamps[placed.depths]).tolist())
        outputs, first, start = [], 0, state.date
        for stop in sorted({*stops, steps}):
            piece = {n: v[first:stop] for n, v in forcing.items()}
            made, state = self.land.steps(state, piece, stop - first, checker=self._checker)
            outputs.append(made.numpy(force=True))
            first = stop
            if stop in stops:
                state = self._snow(cycle, state, placed)
        cycle.state = state
        self._keep(cycle, np.concatenate(outputs), placed, start)

    def _analysed(
        self, cycle: Cycle, state: LandState, forcing: dict[str, np.ndarray], placed: PlacedObservations,
        rows: np.ndarray, seed: int,
    ) -> tuple[LandState, dict[str, np.ndarray]]:  # fmt: skip
        """Return the analysis of the soil at the start of a window, and the forcing with factors of rain."""
        s, land = self.settings, self.land
        w = WindowObservations(placed, state.date, land.dtype)
        here = state_at(state, w.points)
        n_steps = len(next(iter(forcing.values())))
        slots = self._slots(here, forcing, w.points, n_steps)
        fast = AssimilationWindow(land.fast, land.layout, *slots, self._factors(n_steps), w.names, w.steps)
        background = fast.background
        covariance = self._background_error(cycle, w.points, background.shape[1])
        observe = lambda x: fast(x)[:, w.columns.to(x.device)]  # noqa: E731
        jacobian = self._jacobian(fast, slots, w, covariance, n_steps, seed)
        predicted = observe(background)
        stl1, sd = here["stl1"][:, None], here["sd"][:, None]
        observed = on_open_ground(w.observed, stl1, sd)
        h = jacobian(background)
        expected = torch.diagonal(h @ covariance @ h.mT, dim1=-2, dim2=-1)
        good = first_guess_check(observed - predicted, expected + w.variances, s.first_guess_limit)
        made = variational_analysis(
            observe, lambda x: h if x is background else jacobian(x), background,
            torch.where(good.isnan(), torch.nan, observed), covariance, w.variances,
            iterations=1 if s.method == "sekf" else s.controls.iterations,
        )  # fmt: skip
        cycle.signal[w.points] = made.signal.numpy(force=True)
        self._judge(cycle, w, rows, predicted, expected, (observed, good))
        x = background + made.increments
        n = len(self.controls)
        if cycle.covariance is not None:
            cycle.covariance[torch.from_numpy(w.points)] = made.covariance[:, :n, :n]
        x[:, :n] = self._limited(here, background[:, :n], x[:, :n])
        self._add(cycle, state.date, self.controls, w.points, (x - background)[:, :n])
        if s.controls.rain:
            forcing = self._rained(cycle, forcing, w.points, x[:, n:].clamp_min(0.0))
        if not (x[:, :n] != background[:, :n]).any():
            return state, forcing
        full = {}
        for k, name in enumerate(self.controls):
            values = state[name].clone()
            values[torch.from_numpy(w.points)] = x[:, k]
            full[name] = values
        return state.changed(full), forcing

    def _slots(
        self, here: LandState, forcing: Mapping[str, np.ndarray], points: np.ndarray, n_steps: int
    ) -> tuple[Tensor, Tensor]:
        """Return the slots of a window; the run through it checks the same forcing, so that it is not checked here."""
        land, before = self.land, self.land.plausibility
        land.plausibility = "off"
        try:
            return land.slots(here, [{n: v[k, points] for n, v in forcing.items()} for k in range(n_steps)])
        finally:
            land.plausibility = before

    def _factors(self, n_steps: int) -> list[str | ForcingFactor]:
        """Return the controls of a window of so many steps."""
        days = range(-(-n_steps // _STEPS_A_DAY)) if self.settings.controls.rain else ()
        n = _STEPS_A_DAY
        rain = [ForcingFactor(f"rain day {d + 1}", PRECIPITATION, d * n + 1, (d + 1) * n) for d in days]
        return [*self.controls, *rain]

    def _background_error(self, cycle: Cycle, points: np.ndarray, n_controls: int) -> Tensor:
        """Return the error (point, control, control) of soil and factors of rain, which do not correlate."""
        n, carried = len(self.controls), cycle.covariance
        found = torch.diag(self._covariance.new_full((n_controls,), self.settings.controls.rain**2))
        found = found.repeat(len(points), 1, 1)
        found[:, :n, :n] = self._covariance if carried is None else carried[torch.from_numpy(points)]
        return found

    def _carried(self, covariance: Tensor, state: LandState, forcing: Mapping[str, np.ndarray]) -> Tensor:
        r"""Return the error at the end of a window, :math:`M P M^T + Q`, from that of its analysis.

        M is the Jacobian of the controls over the window, and Q grows by the day. No standard deviation exceeds that of
        the first background.
        """
        n_steps, land, parts = len(next(iter(forcing.values()))), self.land, []
        growth = [self.settings.controls.growth[n] for n in self.controls]  # type: ignore[index]
        days = n_steps / _STEPS_A_DAY
        added = days * torch.diag(covariance.new_tensor(growth)) ** 2
        for points in torch.arange(len(covariance)).split(POINTS_AT_ONCE):
            slots = self._slots(state_at(state, points.numpy()), forcing, points.numpy(), n_steps)
            window = AssimilationWindow(land.fast, land.layout, *slots, self.controls, self.controls)
            m = window.jacobian(window.background, torch.tensor([_change(n) for n in self.controls]))
            parts.append(m @ covariance[points] @ m.mT + added)
        found = torch.cat(parts)
        first = torch.diagonal(self._covariance)
        limit = (first / torch.diagonal(found, dim1=-2, dim2=-1)).clamp_max(1.0).sqrt()
        return limit[:, :, None] * found * limit[:, None]

    def _jacobian(
        self, fast: AssimilationWindow, slots: tuple[Tensor, Tensor], w: WindowObservations, covariance: Tensor,
        n_steps: int, seed: int,
    ) -> Any:  # fmt: skip
        """Return the function that makes the Jacobian of the observations."""
        way = self.settings.controls.jacobian
        if way == "adjoint":
            land = self.land
            exact = AssimilationWindow(
                land.differentiable,
                land.layout,
                *slots,
                self._factors(n_steps),
                w.names,
                w.steps,
                recompute=n_steps > 4,
            )
            return lambda x: exact.jacobian(x)[:, w.columns].detach()
        if way == "differences":
            sizes = torch.tensor([_change(n) for n in fast.controls])
            return lambda x: fast.jacobian(x, sizes)[:, w.columns]
        root = torch.linalg.cholesky(covariance)

        def regression(x: Tensor) -> Tensor:
            rng = torch.Generator().manual_seed(seed % 2**63)
            members = x[..., None] + root @ torch.randn((*x.shape, DRAWN), generator=rng, dtype=x.dtype)
            members = members.clamp_min(0.0)
            predicted = fast(members.movedim(-1, 0).flatten(0, 1)).unflatten(0, (DRAWN, len(x))).movedim(0, -1)
            return regression_jacobian(members, predicted)[:, w.columns]

        return regression

    def _rained(
        self, cycle: Cycle, forcing: dict[str, np.ndarray], points: np.ndarray, factors: Tensor
    ) -> dict[str, np.ndarray]:
        """Return the forcing with precipitation multiplied by factors (observed point, day)."""
        n_steps = len(next(iter(forcing.values())))
        by_step = factors.numpy(force=True).repeat(_STEPS_A_DAY, axis=1)[:, :n_steps].T
        found = dict(forcing)
        for name in PRECIPITATION:
            if name in forcing:
                found[name] = forcing[name].copy()
                found[name][:, points] *= by_step
        added = (found["avg_tprate"] - forcing["avg_tprate"]).sum(0, dtype=np.float64)
        cycle.rain += added * STEP.total_seconds()
        return found

    # an ensemble, with an analysis at each stamp

    def _members(self, cycle: Cycle, forcing: dict[str, np.ndarray], placed: PlacedObservations) -> None:
        assert self.ensemble is not None
        state, start, made = cycle.state, cycle.state.date, []
        names, analysed = list(forcing), {}
        for k in range(len(forcing[names[0]])):
            values = np.stack([forcing[n][k : k + 1] for n in names])
            drawn = self.ensemble.forcings(values, names, [state.date + STEP])
            weather = dict(zip([*names, *self.ensemble.drawn], drawn, strict=True))
            outputs, state = self.land.steps(state, weather, 1, checker=self._checker)
            rows = np.flatnonzero((placed.stamps == np.datetime64(state.date, "s")) & ~placed.depths)
            if len(rows):
                state = self._updated(cycle, state, outputs[0], weather, placed.take(rows), rows)
                analysed[k + 1] = rows
            if (placed.depths & (placed.stamps == np.datetime64(state.date, "s"))).any():
                state = self._snow(cycle, state, placed)
            made.append(self._mean(outputs[0].numpy(force=True).T).T)
        cycle.state = state
        self._keep(cycle, np.stack(made), placed, start, done=np.concatenate([*analysed.values(), np.zeros(0, int)]))

    def _updated(
        self, cycle: Cycle, state: LandState, outputs: Tensor, weather: Mapping[str, np.ndarray],
        placed: PlacedObservations, rows: np.ndarray,
    ) -> LandState:  # fmt: skip
        """Return the members after the analysis of a stamp."""
        assert self.ensemble is not None
        m, land = len(self.ensemble), self.land
        w = WindowObservations(placed, state.date - STEP, land.dtype)
        at = torch.from_numpy(w.points)
        of_points = lambda v: v.unflatten(0, (m, -1))[:, at].movedim(0, -1)  # noqa: E731
        observe = Equivalents([w.names[c] for c in w.columns], land.outputs, outputs.device)
        plain = of_points(observe(outputs)).contiguous()
        above = [k for k, name in enumerate(observe.names) if name in _ABOVE]
        predicted = plain
        if above:
            air = torch.stack([of_points(torch.from_numpy(weather[n][0])) for n in _AIR if n in weather], 1)
            part = unexplained(plain[:, above], air.to(plain))
            predicted = plain.index_copy(1, torch.tensor(above), part)
        layers = ("stl1", "stl2", "stl3", "stl4")
        temperature = torch.stack([of_points(state[n]) for n in layers], -1).movedim(1, 0)  # (member, point, layer)
        snow = of_points(state["sd"])
        observed = on_open_ground(w.observed, temperature[..., 0].mean(0)[:, None], snow.mean(-1)[:, None])
        mean, spread = predicted.mean(-1), predicted.var(-1)
        good = first_guess_check(observed - mean, spread + w.variances, self.settings.first_guess_limit)
        before = torch.stack([of_points(state[n]) for n in self.controls], 1)
        o = self.settings.members
        both, signal = ensemble_analysis(
            torch.cat([before, predicted], 1), predicted, torch.where(good.isnan(), torch.nan, observed), w.variances,
            to_spread=o.to_spread, to_prior=o.to_prior,
        )  # fmt: skip
        n = len(self.controls)
        cycle.signal[w.points] += signal.numpy(force=True)
        self._judge(cycle, w, rows, mean, spread, (observed, good))
        cycle.feedback["analysis"][rows] = w.at_rows(both[:, n:].mean(-1))
        soil = torch.stack([state[v][: len(cycle.signal)][at] for v in ("theta_pwp", "theta_sat")], -1)
        old, new = (v.permute(2, 0, 1).contiguous() for v in (before, both[:, :n]))
        new = limited_analysis(self.controls, old, new, temperature, snow.movedim(-1, 0), soil)
        self._add(cycle, state.date, self.controls, w.points, (new - old).mean(0))
        full = {}
        for k, name in enumerate(self.controls):
            values = state[name].clone().unflatten(0, (m, -1))
            values[:, at] = new[..., k]
            full[name] = values.flatten()
        return state.changed(full)

    # parts of both

    def _snow(self, cycle: Cycle, state: LandState, placed: PlacedObservations) -> LandState:
        """Return the state after the analysis of the snow depths of its stamp."""
        rows = np.flatnonzero(placed.depths & (placed.stamps == np.datetime64(state.date, "s")))
        n_points, o = len(cycle.signal), self.settings.snow_depth
        members, feedback = len(state.latitudes) // n_points, cycle.feedback
        fields = {n: state[n] for n in _SNOW if n in state.prognostic}
        before = self._mean(snow_depth(fields).numpy(force=True))
        active = placed.status[rows] == Status.USED
        weight = np.where(active, 1.0 / placed.variances[rows], 0.0)
        total = np.bincount(placed.points[rows], weight, n_points)
        with np.errstate(invalid="ignore", divide="ignore"):  # no observation at most points
            mean = np.bincount(placed.points[rows], weight * placed.values[rows], n_points) / total
            variance = 1.0 / total
        tiled = [torch.from_numpy(np.tile(v, members)).to(state.columns) for v in (mean, variance)]
        made, used = snow_depth_analysis(fields, *tiled, absolute=o.absolute, relative=o.relative)
        after = {**fields, **made}
        feedback["background"][rows] = before[placed.points[rows]]
        feedback["analysis"][rows] = self._mean(snow_depth(after).numpy(force=True))[placed.points[rows]]
        error = np.maximum(o.absolute, o.relative * np.maximum(before, np.nan_to_num(mean)))
        feedback["expected"][rows] = error[placed.points[rows]] ** 2
        refused = ~self._mean(used.double().numpy(force=True)).astype(bool)[placed.points[rows]]
        feedback["status"][rows[active & refused]] = Status.WARM_SOIL
        change = torch.from_numpy(self._mean((after["sd"] - fields["sd"]).numpy(force=True)))
        self._add(cycle, state.date, ("sd",), np.arange(n_points), change[:, None])
        changed = any(not torch.equal(v, fields[n]) for n, v in made.items())
        return state.changed(made) if changed else state

    def _judge(
        self, cycle: Cycle, w: WindowObservations, rows: np.ndarray, predicted: Tensor, expected: Tensor,
        checked: tuple[Tensor, Tensor],
    ) -> None:  # fmt: skip
        """Record equivalents of the background and the status of the observations of an analysis."""
        cycle.feedback["background"][rows] = w.at_rows(predicted)
        cycle.feedback["expected"][rows] = w.at_rows(expected)
        status = cycle.feedback["status"]
        ground, guess = (w.at_rows(v.isnan()) for v in checked)
        used = status[rows] == Status.USED
        status[rows[used & guess]] = Status.FIRST_GUESS
        status[rows[used & ground]] = Status.GROUND

    def _limited(self, here: LandState, before: Tensor, after: Tensor) -> Tensor:
        temperature = torch.stack([here[f"stl{k}"] for k in range(1, 5)], -1)
        soil = torch.stack([here[n] for n in ("theta_pwp", "theta_sat")], -1)
        return limited_analysis(self.controls, before, after, temperature, here["sd"], soil)

    def _add(self, cycle: Cycle, date: datetime, names: Sequence[str], points: np.ndarray, increments: Tensor) -> None:
        """Record increments (observed point, name)."""
        found = cycle.increments.setdefault(date, {})
        for name, values in zip(names, increments.numpy(force=True).T, strict=True):
            found.setdefault(name, np.zeros(len(cycle.signal), np.float32))[points] = values

    def _keep(
        self, cycle: Cycle, outputs: np.ndarray, placed: PlacedObservations, start: datetime,
        done: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Record outputs (step, point, output), and the equivalents of the analysis that are not known yet."""
        cycle.outputs = {n: outputs[..., self.land.outputs.index(n)] for n in self.kept}
        rows = np.flatnonzero(~placed.depths)
        rows = rows if done is None else np.setdiff1d(rows, done)
        for name in np.unique(placed.rows.names[rows]):
            own = rows[placed.rows.names[rows] == name]
            made = Equivalents([str(name)], self.land.outputs)(torch.from_numpy(outputs)).numpy()
            step = self._step(start, placed.stamps[own])
            cycle.feedback["analysis"][own] = made[step - 1, placed.points[own], 0]

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean over members of values (..., row); those of a single run as they are."""
        if self.ensemble is None:
            return values
        found: np.ndarray = values.reshape(*values.shape[:-1], len(self.ensemble), -1).mean(-2)
        return found

    def _wetness(self, state: LandState, points: np.ndarray) -> np.ndarray:
        names = ("swvl1", "theta_pwp", "theta_cap")
        water, dry, wet = (self._mean(state[n].numpy(force=True))[points] for n in names)
        found: np.ndarray = (water - dry) / np.maximum(wet - dry, 1e-6)
        return found

    @staticmethod
    def _step(start: datetime, stamps: np.ndarray) -> np.ndarray:
        """Return the step of each stamp, counted from 1."""
        hours: np.ndarray = (stamps - np.datetime64(start, "s")) / np.timedelta64(STEP_HOURS, "h")
        return hours.astype(int)


def _change(control: str) -> float:
    return next(size for kind, size in CHANGES.items() if control.startswith(kind))


def correlated(names: Sequence[str], errors: np.ndarray, correlation: float) -> np.ndarray:
    """Return the error covariance of soil layers: those k layers apart correlate by r^k, water and heat do not.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand.assimilation.cycle import correlated
    >>> correlated(["swvl1", "swvl2", "stl1"], np.array([2.0, 1.0, 1.0]), 0.5).tolist()
    [[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    layer, kind = np.array([int(n[-1]) for n in names]), np.array([n[:-1] for n in names])
    shared = np.where(kind[:, None] == kind, correlation ** np.abs(np.subtract.outer(layer, layer)), 0.0)
    found: np.ndarray = shared * np.outer(errors, errors)
    return found


def state_at(state: LandState, points: np.ndarray) -> LandState:
    """Return the state of some points."""
    return replace(
        state, latitudes=state.latitudes[points], longitudes=state.longitudes[points],
        columns=state.columns[torch.from_numpy(points)], diagnostics=None,
    )  # fmt: skip


def member_states(land: LandStepper, ensemble: Ensemble, state: LandState, computed: Sequence[str]) -> LandState:
    """Return the start of all members from one state, perturbed as in a run of this ensemble.

    ``computed`` are the names of sun and calendar, which are not perturbed.
    """
    fields = {n: state[n].numpy(force=True) for n in land.initial_names if n not in computed}
    rows = dict(zip(land.prognostic, ensemble.states(fields, land.prognostic, state.date), strict=True))
    rows |= {n: ensemble.static(fields[n]) for n in land.static if n in fields}
    if names := [n for n in fields if n not in rows]:
        rows |= dict(zip(names, ensemble.at_start(np.stack([fields[n] for n in names]), names), strict=True))
    return land.initial(rows, state.date, *ensemble.places(), checker=None)
