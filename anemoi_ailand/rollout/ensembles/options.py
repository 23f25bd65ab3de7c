# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Options of an ensemble: members and perturbations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from anemoi_ailand.support.configuration import Strict


class ForcingSpread(Strict):
    """Perturbations of the forcing: Gaussian, correlated in space and, as AR(1), in time.

    Attributes
    ----------
    precipitation : float
        Relative standard deviation of the log-normal factor of rain and snow, with mean one.
    shortwave, longwave : float
        Standard deviation of an additive perturbation [W m-2]; short-wave less with less sun, none at night.
    temperature : float
        Standard deviation of an additive perturbation [K] at constant relative humidity.
    hours : float
        Correlation time (1/e) [h].
    """

    precipitation: Annotated[float, Field(ge=0.0, le=2.0)] = 0.5
    shortwave: Annotated[float, Field(ge=0.0, le=300.0)] = 50.0
    longwave: Annotated[float, Field(ge=0.0, le=150.0)] = 20.0
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    hours: Annotated[float, Field(gt=0.0)] = 24.0


class StateSpread(Strict):
    """Perturbations of the state at the start.

    Standard deviations of soil water ``swvl`` [m3 m-3], soil temperature ``stl`` [K], snow ``sd`` and interception
    ``src`` (relative); with ``vertical_correlation`` r of neighbouring soil layers, those k layers apart correlate by
    r^k.
    """

    swvl: Annotated[float, Field(ge=0.0, le=0.2)] = 0.02
    stl: Annotated[float, Field(ge=0.0, le=10.0)] = 0.5
    sd: Annotated[float, Field(ge=0.0, le=2.0)] = 0.1
    src: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    vertical_correlation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.7


class EnsembleOptions(Strict):
    """Members of one run, folded into points.

    Attributes
    ----------
    members : int
        Number of members.
    first : int
        Number of the first member, so that a large ensemble can be divided into runs.
    seed : int
        Seed; with member, step and place it determines every perturbation.
    control : bool
        Leave member 0 unperturbed.
    length_km : float
        Correlation length of the perturbations [km].
    initial : StateSpread, optional
        Perturbations of the initial state.
    initial_files : str, optional
        Files of initial states instead, with ``{member}`` or ``{member:03d}``, in any layout that the package reads.
    forcing : ForcingSpread, optional
        Perturbations of the forcing.
    model_error : 'none', 'calibrated', float or str
        Perturbations of the outputs of the network as calibrated for it, the same with standard deviations multiplied
        by a factor, or those of a file of ``anemoi-ailand calibrate``; see
        :class:`~anemoi_ailand.rollout.ensembles.model_error.ModelError`.
    checkpoints : tuple of str
        Networks in addition to ``checkpoint``: of N networks, member n uses number n modulo N.
    """

    members: Annotated[int, Field(ge=1)]
    first: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 1
    control: bool = True
    length_km: Annotated[float, Field(gt=0.0)] = 500.0
    initial: StateSpread | None = None
    initial_files: str | None = None
    forcing: ForcingSpread | None = None
    model_error: Annotated[float, Field(ge=0.0, le=10.0)] | str = "none"
    checkpoints: tuple[str, ...] = ()

    @property
    def has_model_error(self) -> bool:
        """True if the outputs of the network are perturbed."""
        return self.model_error != "none"

    @model_validator(mode="after")
    def _makes_sense(self) -> EnsembleOptions:
        if self.initial is not None and self.initial_files is not None:
            raise ValueError("there are both `initial` and `initial_files`; choose one")
        if self.initial_files is not None and not names_members(self.initial_files):
            raise ValueError("`initial_files` has no {member}, so that all members would be the same; add it")
        error = self.model_error
        if isinstance(error, str) and error not in ("none", "calibrated") and not error.endswith(".json"):
            raise ValueError(f"`model_error` is '{error}'; give none, calibrated, a factor, or a file (*.json)")
        return self

    def check_members_differ(self, precipitation: str) -> None:
        """Refuse several members without any difference; rain within the step is drawn for each if it is random."""
        others = self.initial or self.initial_files or self.forcing or self.has_model_error or self.checkpoints
        if self.members > 1 and not others and precipitation != "random":
            raise ValueError(
                "all members would be the same; give `initial`, `initial_files`, `forcing`, `model_error` or "
                "`checkpoints` (`initial: {}` for the defaults), or `precipitation: random`"
            )


def names_members(path: str) -> bool:
    """Return whether a path differs between members; refuse braces with another content than ``{member}``."""
    try:
        return path.format(member=1) != path.format(member=2)
    except (LookupError, ValueError) as error:
        raise ValueError(f"'{path}' has braces other than {{member}} ({error!r}); remove it") from error
