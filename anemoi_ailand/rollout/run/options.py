# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Options of the runner ``land-forecaster``, checked as a whole before anything is opened."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from anemoi.utils.dates import as_timedelta
from pydantic import BeforeValidator, Field, model_validator

from anemoi_ailand.support.configuration import HomePath, Strict, checked
from anemoi_ailand.constants import STEP_HOURS

STEP = datetime.timedelta(hours=STEP_HOURS)


def whole_steps(value: Any) -> datetime.timedelta:
    """A length of time, as ``30d``, that is a positive multiple of the step.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        length = as_timedelta(value)
    except Exception as error:
        raise ValueError(f"it is no length of time ({error}); write for example 30d or 6h") from error
    if length <= datetime.timedelta(0) or length % STEP:
        raise ValueError(f"it is no positive multiple of {STEP_HOURS} h")
    return length


#: A length of time in whole steps of the model.
WholeSteps = Annotated[datetime.timedelta, BeforeValidator(whole_steps)]


class RestartOptions(Strict):
    """From where a run goes on that was stopped.

    Attributes
    ----------
    folder : path
        Where restart files are; it belongs to one run.
    every : length of time
        From one restart file to the next.
    keep : int
        Files that are kept, at most three, as outputs keep: if the last one is damaged, the one before it is taken.
    """

    folder: HomePath
    every: WholeSteps = datetime.timedelta(days=30)
    keep: Annotated[int, Field(ge=1, le=3)] = 2


class ForcingSpread(Strict):
    """Perturbations of the forcing, Gaussian, correlated in space and, AR(1), in time.

    Attributes
    ----------
    precipitation : float
        Relative standard deviation of the factor of rain and snow, which is log-normal with mean one.
    shortwave, longwave : float
        Standard deviation [W m-2], added; less where there is less sun, nothing by night.
    temperature : float
        Standard deviation [K], added; relative humidity is kept.
    hours : float
        Time over which the correlation falls to 1/e [h].
    """

    precipitation: Annotated[float, Field(ge=0.0, le=2.0)] = 0.5
    shortwave: Annotated[float, Field(ge=0.0, le=300.0)] = 50.0
    longwave: Annotated[float, Field(ge=0.0, le=150.0)] = 20.0
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    hours: Annotated[float, Field(gt=0.0)] = 24.0


class StateSpread(Strict):
    """Perturbations of the state at the start.

    Attributes
    ----------
    swvl, stl, sd, src : float
        Standard deviations: m3 m-3; K; relative; relative.
    vertical_correlation : float
        Between neighbouring layers of soil; its square between the next ones.
    """

    swvl: Annotated[float, Field(ge=0.0, le=0.2)] = 0.02
    stl: Annotated[float, Field(ge=0.0, le=10.0)] = 0.5
    sd: Annotated[float, Field(ge=0.0, le=2.0)] = 0.1
    src: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    vertical_correlation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.7


class EnsembleOptions(Strict):
    """Several members in one run, folded into points.

    Attributes
    ----------
    members : int
        How many.
    first : int
        Number of the first: a large ensemble may be divided into runs, each member being the same.
    seed : int
        With number of the member and place it decides about every perturbation.
    control : bool
        Whether number 0 is without perturbations.
    length_km : float
        Distance over which perturbations are alike [km].
    initial : StateSpread, optional
        Perturbations of the state.
    initial_files : str, optional
        Instead: files of the states, with ``{member}``, ``{member:03d}``, in any layout that the package reads.
    forcing : ForcingSpread, optional
        Perturbations of the forcing.
    checkpoints : tuple of str
        Further networks beside ``checkpoint``: member n has the one of number n modulo their number.
    """

    members: Annotated[int, Field(ge=1)]
    first: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 1
    control: bool = True
    length_km: Annotated[float, Field(gt=0.0)] = 500.0
    initial: StateSpread | None = None
    initial_files: str | None = None
    forcing: ForcingSpread | None = None
    checkpoints: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> EnsembleOptions:
        if self.initial is not None and self.initial_files is not None:
            raise ValueError("there are both `initial` and `initial_files`; choose one")
        if self.initial_files is not None and not _names_members(self.initial_files):
            raise ValueError("`initial_files` has no {member}, so that all members would be the same; add it")
        if self.members > 1 and not (self.initial or self.initial_files or self.forcing or self.checkpoints):
            raise ValueError(
                "all members would be the same; give `initial`, `initial_files`, `forcing` or `checkpoints` "
                "(`initial: {}` for the defaults)"
            )
        return self


class RunOptions(Strict):
    """What stands under ``runner: {land-forecaster: ...}``.

    Attributes
    ----------
    restart : RestartOptions, optional
        None: a run that is stopped starts again.
    ensemble : EnsembleOptions, optional
        None: one run.
    bad_forcing : {'error', 'hold', 'clip'}
        What is done with forcing that is missing or out of bounds, see
        :class:`~anemoi_ailand.rollout.forcing.forcing_filter.ForcingFilter`.
    final_state : path, optional
        Where the last state is written, for the input ``land-state`` of a later run; with ``{member}`` if there are
        several.
    threads, block_rows : int, optional
        See :class:`~anemoi_ailand.rollout.step.row_blocks.BlockStep`.
    dry_run : bool
        Check everything and say what the run would take, but make no step.
    """

    restart: RestartOptions | None = None
    ensemble: EnsembleOptions | None = None
    bad_forcing: Literal["error", "hold", "clip"] = "error"
    final_state: HomePath | None = None
    threads: Annotated[int, Field(ge=1)] | None = None
    block_rows: Annotated[int, Field(ge=1)] | None = None
    dry_run: bool = False

    @model_validator(mode="after")
    def _states_differ(self) -> RunOptions:
        members = self.ensemble.members if self.ensemble else 1
        if self.final_state is not None and not _names_members(str(self.final_state)) and members > 1:
            raise ValueError("`final_state` is one file for several members; put {member} into its name")
        return self


def _names_members(path: str) -> bool:
    """Whether a path is another one for each member."""
    try:
        return path.format(member=1) != path.format(member=2)
    except (LookupError, ValueError) as error:
        raise ValueError(f"'{path}' has something else in braces than a {{member}} ({error!r}); remove it") from error


def run_options(given: dict[str, Any]) -> RunOptions:
    """Check the options.

    Raises
    ------
    ValueError
        An option is not known (the nearest known one is named), or a value makes no sense.
    """
    return checked(given, RunOptions, "`runner: land-forecaster`")
