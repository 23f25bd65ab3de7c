# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Options of the runner ``land-forecaster``, checked as a whole before anything is opened."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from anemoi.utils.dates import as_timedelta
from pydantic import BeforeValidator, Field, model_validator

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions, names_members
from anemoi_ailand.support.configuration import HomePath, Strict, checked

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
        if self.final_state is not None and not names_members(str(self.final_state)) and members > 1:
            raise ValueError("`final_state` is one file for several members; put {member} into its name")
        return self


def run_options(given: dict[str, Any]) -> RunOptions:
    """Check the options.

    Raises
    ------
    ValueError
        An option is not known (the nearest known one is named), or a value makes no sense.
    """
    return checked(given, RunOptions, "`runner: land-forecaster`")
