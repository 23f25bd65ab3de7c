# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Settings of a contest: entrants and protocol, validated as a whole before anything starts."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from anemoi_ailand.constants import Execution
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE, REFERENCE
from anemoi_ailand.evaluation.settings import Climatology, PeriodSettings, ProtocolA, Settings
from anemoi_ailand.support.configuration import HomePath, Strict, plain_name, read_configuration
from anemoi_ailand.support.packaged import file_or_named

#: Folder of the configurations ``reference`` and ``sample``.
CONFIGS = Path(__file__).parent / "configs"

#: Options of a training that the contest itself sets, and why.
TAKEN = {
    "system.input.dataset": "`dataset` of the contest is for all",
    "system.output.root": "trainings are kept below `output`",
    "system.input.warm_start": "a stage begins with the weights of the stage before it",
    "training.load_weights_only": "a stage begins with the weights of the stage before it",
    "training.run_id": "a training that was not finished starts again",
}


def _leave_ours(value: tuple[str, ...]) -> tuple[str, ...]:
    for override in value:
        if reason := TAKEN.get(override.partition("=")[0].lstrip("+~")):
            raise ValueError(f"'{override}' is the contest's own, because {reason}; take it out")
    return value


#: Overrides of a training, as ``anemoi-training train`` takes them.
Overrides = Annotated[tuple[str, ...], AfterValidator(_leave_ours)]


class Stage(Strict):
    """One training: ``anemoi-training train --config-name CONFIG OVERRIDES``."""

    config: str
    overrides: Overrides = ()


class Entrant(Strict):
    """Consecutive stages of training, or an existing checkpoint; ``note`` is shown in the table."""

    stages: tuple[Stage, ...] = ()
    checkpoint: HomePath | None = None
    note: str = ""

    @model_validator(mode="after")
    def _one_origin(self) -> Entrant:
        if bool(self.stages) == (self.checkpoint is not None):
            raise ValueError("give either `stages` of training or an existing `checkpoint`")
        return self


class Budget(Strict):
    """Samples that every entrant should have seen: windows x points x roll-out steps, summed over all batches."""

    point_steps: float = Field(gt=0)


class ContestSettings(Strict):
    """Configuration of a contest; ``benchmarks/contest/configs/reference.yaml`` explains each option."""

    output: HomePath = Path("contest")
    dataset: HomePath
    entrants: dict[str, Entrant]
    reference: str
    budget: Budget | None = None
    overrides: Overrides = ()
    train: bool = True
    training_seed: int = 42
    year: int = 2022
    every_days: int = 2
    lead_days: tuple[int, ...] = (30, 90)
    long_run: PeriodSettings | None = None
    climatology: Climatology = Climatology()
    points: tuple[int, ...] | None = None
    seed: int = 1
    device: str = "cpu"
    execution: Execution = "auto"

    @field_validator("entrants", mode="before")
    @classmethod
    def _without_null(cls, value: Any) -> Any:
        """Drop entrants that ``entrants.LABEL=null`` takes out of a file."""
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value

    @field_validator("long_run", mode="before")
    @classmethod
    def _period(cls, value: Any) -> Any:
        """Accept ``true`` for the whole dataset, and a date for the time from there on."""
        if isinstance(value, bool):
            return {} if value else None
        return {"start": value} if isinstance(value, str | datetime.date) else value

    @model_validator(mode="after")
    def _reference_takes_part(self) -> ContestSettings:
        if self.reference not in self.entrants:
            raise ValueError(
                f"the reference '{self.reference}' is not among the entrants, which are {sorted(self.entrants)}; "
                "add it, or set `reference` to one of them"
            )
        return self

    @model_validator(mode="after")
    def _labels(self) -> ContestSettings:
        if taken := sorted(set(self.entrants) & {PERSISTENCE, CLIMATOLOGY, REFERENCE}):
            raise ValueError(f"{taken} always take part and cannot be labels of entrants; choose other labels")
        if len({plain_name(label) for label in self.entrants}) < len(self.entrants):
            raise ValueError(f"some of the labels {list(self.entrants)} differ in signs only; choose other labels")
        return self

    @model_validator(mode="after")
    def _protocol(self) -> ContestSettings:
        ProtocolA(year=self.year, every_days=self.every_days, lead_days=self.lead_days)  # has its own checks
        return self

    def stages(self, label: str) -> tuple[Stage, ...]:
        """Return the stages of an entrant, each with the common overrides before its own."""
        stages = self.entrants[label].stages
        return tuple(Stage(config=s.config, overrides=(*self.overrides, *s.overrides)) for s in stages)

    def evaluation(self, checkpoints: dict[str, Path]) -> Settings:
        """Return the settings to roll out the entrants, and to show all of them with ``anemoi-ailand evaluate``."""
        return Settings(
            output=self.output / "evaluation",
            dataset=self.dataset,
            checkpoints=checkpoints,
            climatology=self.climatology,
            protocol_a=ProtocolA(year=self.year, every_days=self.every_days, lead_days=self.lead_days),
            protocol_b=self.long_run,
            points=self.points,
            seed=self.seed,
            device=self.device,
            execution=self.execution,
        )


def read_contest(path: str | Path | None, overrides: Sequence[str] = ()) -> ContestSettings:
    """Read the configuration of a contest, a file or a name in :data:`CONFIGS`, and apply options ``key=value``.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`~anemoi_ailand.support.configuration.read_configuration`.
    """
    if path is not None:
        named = {each.stem: each for each in sorted(CONFIGS.glob("*.yaml"))}
        path = file_or_named(path, named, f"Named ones are in {CONFIGS}.")
    return read_configuration(path, overrides, ContestSettings)
