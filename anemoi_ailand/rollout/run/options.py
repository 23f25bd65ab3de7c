# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Options of the runner ``land-forecaster``, checked as a whole before anything is opened."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from anemoi.utils.dates import as_timedelta
from pydantic import BeforeValidator, Field, model_validator

from anemoi_ailand.constants import STEP, STEP_HOURS, Execution, Precipitation
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions, names_members
from anemoi_ailand.support.configuration import HomePath, PlausibilityOption, Strict, checked


def whole_steps(value: Any) -> datetime.timedelta:
    """Parse a duration such as ``30d``, which must be a positive multiple of the step."""
    try:
        length = as_timedelta(value)
    except Exception as error:
        raise ValueError(f"it is not a duration ({error}); write e.g. 30d or 6h") from error
    if length <= datetime.timedelta(0) or length % STEP:
        raise ValueError(f"it is not a positive multiple of {STEP_HOURS} h")
    return length


#: Length of time in whole steps of the model.
WholeSteps = Annotated[datetime.timedelta, BeforeValidator(whole_steps)]


class RestartOptions(Strict):
    """Restart files, from which a stopped run resumes.

    Attributes
    ----------
    folder : path
        Folder of the restart files of one run.
    every : length of time
        Interval between restart files.
    keep : int
        Number of files kept, at most three (outputs keep as many): if the newest is damaged, the previous one is used.
    """

    folder: HomePath
    every: WholeSteps = datetime.timedelta(days=30)
    keep: Annotated[int, Field(ge=1, le=3)] = 2


class RunOptions(Strict):
    """Options of ``runner: {land-forecaster: ...}``.

    Attributes
    ----------
    restart : RestartOptions, optional
        None: a stopped run starts again from the beginning.
    ensemble : EnsembleOptions, optional
        None: a single run.
    bad_forcing : {'error', 'hold', 'clip'}
        Treatment of forcing that is missing or out of bounds, see
        :class:`~anemoi_ailand.rollout.forcing.forcing_filter.ForcingFilter`.
    plausibility : {'error', 'warn', 'off'}
        Treatment of impossible values of state, static fields, forcing and outputs, and of implausible ones, see
        :class:`~anemoi_ailand.data.plausibility.checker.Checker`.
    strict : bool
        Implausible values are errors, too.
    novelty : path, optional
        NetCDF file of the distance of the inputs from the training data at each point, written at the end, see
        :class:`~anemoi_ailand.data.plausibility.novelty.Novelty`.
    final_state : path, optional
        File of the last state, for the input ``land-state`` of a later run; with ``{member}`` for an ensemble.
    execution : {'auto', 'plain', 'compiled'}
        See :func:`~anemoi_ailand.rollout.step.compiled_step.open_step`.
    precipitation : {'mean', 'hourly', 'random'}
        Rain within the step: spread by a formula, given by the forcing (``tprate_h1`` ... ``tprate_h6``), or drawn at
        random for each member, see :class:`~anemoi_ailand.rollout.ensembles.random_rain.RandomRain`.
    threads, block_rows : int, optional
        See :class:`~anemoi_ailand.rollout.step.row_blocks.BlockStep`.
    shards, shard : int or 'auto', int, optional
        Number of shards of the points, and the one of this process; see :func:`~anemoi_ailand.support.shards.shard_of`.
        The output ``land-zarr`` is one store of all shards; restart files of a shard are in a folder of its own.
    trust : bool or str
        Load checkpoints of unknown checksum, or one of this SHA-256; see
        :func:`~anemoi_ailand.rollout.step.trust.check_trusted`.
    dry_run : bool
        Check everything and report the cost of the run, without making a step.
    """

    restart: RestartOptions | None = None
    ensemble: EnsembleOptions | None = None
    bad_forcing: Literal["error", "hold", "clip"] = "error"
    plausibility: PlausibilityOption = "error"
    strict: bool = False
    novelty: HomePath | None = None
    final_state: HomePath | None = None
    execution: Execution = "auto"
    precipitation: Precipitation = "mean"
    threads: Annotated[int, Field(ge=1)] | None = None
    block_rows: Annotated[int, Field(ge=1)] | None = None
    shards: Literal["auto"] | Annotated[int, Field(ge=1)] | None = None
    shard: Annotated[int, Field(ge=0)] | None = None
    trust: bool | str = False
    dry_run: bool = False

    @model_validator(mode="after")
    def _states_differ(self) -> RunOptions:
        members = self.ensemble.members if self.ensemble else 1
        if self.ensemble is not None:
            self.ensemble.check_members_differ(self.precipitation)
        if self.final_state is not None and not names_members(str(self.final_state)) and members > 1:
            raise ValueError("`final_state` is one file for several members; put {member} into its name")
        if self.final_state is not None and self.shards is not None:
            raise ValueError("`final_state` is one file, and `shards` write at the same time; make one longer run")
        if self.strict and self.plausibility != "error":
            raise ValueError("`strict` makes warnings errors, which needs `plausibility: error`")
        if self.novelty is not None and self.plausibility == "off":
            raise ValueError("`novelty` compares inputs, which `plausibility: off` leaves out")
        if self.novelty is not None and self.novelty.suffix not in ("", ".nc"):
            raise ValueError(f"`novelty` is '{self.novelty}', but the map is NetCDF; give a name that ends with .nc")
        return self


def run_options(given: dict[str, Any]) -> RunOptions:
    """Check the options; an error names an unknown one with the nearest known one, or an invalid value."""
    return checked(given, RunOptions, "`runner: land-forecaster`")
