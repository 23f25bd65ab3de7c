# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Ensemble of a run: states and forcing of all members, folded into points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from anemoi_ailand.model.perturbation import N_FACTORS
from anemoi_ailand.rollout.ensembles.forcing_spread import PerturbedForcing
from anemoi_ailand.rollout.ensembles.model_error import ModelError, OutputErrors
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions
from anemoi_ailand.rollout.ensembles.random_rain import RandomRain
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields
from anemoi_ailand.rollout.ensembles.state_spread import perturbed_states, states_of_files
from anemoi_ailand.variables import HOURLY_RAIN, model_errors

#: A run without an ensemble.
SINGLE = EnsembleOptions(members=1)


class Ensemble:
    """Members of a run; a single unperturbed member is the run itself.

    Points do not interact, so members are further points at the same places: rows are (member, point), one member after
    the other. Random numbers depend only on seed, member, step and place, so a member is bitwise the same in every run,
    also after a restart.
    """

    def __init__(
        self,
        options: EnsembleOptions,
        latitudes: np.ndarray,
        longitudes: np.ndarray,
        precipitation: str = "mean",
        errors: Sequence[OutputErrors] = (),
    ) -> None:
        self.options = options
        self.members = range(options.first, options.first + options.members)
        self._where = latitudes, longitudes
        self._places = np.tile(latitudes, options.members), np.tile(longitudes, options.members)
        self._smooth: SmoothFields | None = None
        self._forcing: PerturbedForcing | None = None
        self._rain: RandomRain | None = None
        self._error: ModelError | None = None
        if options.initial or options.forcing or errors or precipitation == "random":
            self._smooth = SmoothFields(latitudes, longitudes, options.length_km, options.seed)
        if options.forcing and self._smooth:
            self._forcing = PerturbedForcing(
                options.forcing, self._smooth, self.members, options.seed, control=options.control
            )

        if precipitation == "random" and self._smooth:
            self._rain = RandomRain(self._smooth, self.members, options.seed)
        if errors and self._smooth:
            self._error = ModelError(errors, self._smooth, self.members, options.seed, control=options.control)
            self._perturbed = model_errors(len(errors[0].outputs) + N_FACTORS)

    def __len__(self) -> int:
        return len(self.members)

    def states(self, fields: Mapping[str, np.ndarray], names: Sequence[str], date: datetime) -> np.ndarray:
        """Return the states at the start, (variable, member x point), from state and static fields of the input."""
        o = self.options
        if o.initial_files is not None:
            states = states_of_files(o.initial_files, names, date, self._where, self.members)
        elif o.initial is not None and self._smooth is not None:
            states = perturbed_states(fields, names, o.initial, self._smooth, self.members, o.seed, control=o.control)
        else:
            states = self.static(np.stack([fields[n] for n in names]))
        return states.reshape(len(names), -1)

    def at_start(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Return the forcing at the start of the run, (variable, point) to (variable, member x point)."""
        return self._forcing.at_start(values, names).reshape(len(names), -1) if self._forcing else self.static(values)

    def forcing(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Return the forcing of the next step, (variable, point) to (variable, member x point)."""
        return self._forcing.step(values, names).reshape(len(names), -1) if self._forcing else self.static(values)

    def forcings(self, values: np.ndarray, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """Return the forcing of the next steps, (variable, step, point) to (variable, step, member x point).

        The further variables :attr:`drawn` follow: random rain within the step, and perturbed outputs of the network.
        """
        if self._forcing is None:
            out = self.static(values)
        else:
            out = np.stack([self.forcing(one, names) for one in values.swapaxes(0, 1)], axis=1)
        further = [self._rain(out, names, dates)] if self._rain else []
        further += [self._error.steps(len(dates))] if self._error else []
        return np.concatenate([out, *further]) if further else out

    @property
    def drawn(self) -> tuple[str, ...]:
        """Forcing that is drawn here and not read."""
        return (*(HOURLY_RAIN if self._rain else ()), *(self._perturbed if self._error else ()))

    def static(self, values: np.ndarray) -> np.ndarray:
        """Repeat fields for every member, (..., point) to (..., member x point)."""
        return np.tile(values, len(self)) if len(self) > 1 else values

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Return latitudes and longitudes of the rows, each (member x point,); always the same arrays."""
        return self._places

    def network_of(self, n_networks: int) -> np.ndarray:
        """Return the number of the network of each member, shape (member,)."""
        return np.array([m % n_networks for m in self.members])

    def progress(self) -> dict[str, np.ndarray]:
        """Return the arrays that a restart needs."""
        made = {"amplitudes": self._forcing, "error_amplitudes": self._error}
        return {name: part.amplitudes for name, part in made.items() if part is not None}

    def restore(self, progress: Mapping[str, np.ndarray], number: int) -> None:
        """Continue after step ``number`` with the arrays of :meth:`progress`."""
        if self._forcing:
            self._forcing.restore(progress["amplitudes"], number)
        if self._error:
            self._error.restore(progress["error_amplitudes"], number)
