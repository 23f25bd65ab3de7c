# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Configuration of an evaluation, validated on load."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from anemoi_ailand.constants import Execution
from anemoi_ailand.rollout.step.pretrained import checkpoint_path
from anemoi_ailand.support.configuration import (
    HomePath,
    PlausibilityOption,
    Strict,
    checked,
    plain_name,
    read_configuration,
)
from anemoi_ailand.variables import variable

#: Lead times at which protocol A of aiLand v1 gives scores, and some in between for curves [d].
LEAD_DAYS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 75, 90)


class PeriodSettings(Strict):
    """Period, open where ``None``."""

    start: datetime.date | None = None
    end: datetime.date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> PeriodSettings:
        if self.start and self.end and self.end < self.start:
            raise ValueError(f"the period ends on {self.end}, before it starts on {self.start}; swap them")
        return self


class Climatology(PeriodSettings):
    """Years of the climatology, which may contain dates of the forecasts with ``overlap``."""

    overlap: bool = False


class ProtocolA(Strict):
    """Many integrations: starts every ``every_days`` days of ``year``, with all lead times within the year."""

    year: int
    every_days: int = 2
    lead_days: tuple[int, ...] = LEAD_DAYS

    @field_validator("every_days")
    @classmethod
    def _positive(cls, value: int) -> int:
        if value < 1:
            raise ValueError(f"every_days is {value}; give at least 1")
        return value

    @field_validator("lead_days")
    @classmethod
    def _increasing(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 1 or list(value) != sorted(set(value)):
            raise ValueError(f"lead_days are {list(value)}; give whole days from 1 on, increasing")
        return value


class ProtocolC(Strict):
    """Other places: within the dataset (held-out points, a single site, fewer points), and further datasets."""

    places: bool = True
    datasets: dict[str, HomePath] = {}


class Maps(Strict):
    """Variables and dates of the maps of the long run."""

    variables: tuple[str, ...] = ("swvl1", "stl1")
    dates: tuple[datetime.datetime, ...] = ()

    @field_validator("variables")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(variable(name).name for name in value)  # the error lists similar names


class Settings(Strict):
    """Configuration of ``anemoi-ailand evaluate``; ``configs/evaluation/evaluate.yaml`` documents each option."""

    output: HomePath = Path("evaluation")
    dataset: HomePath
    checkpoints: dict[str, Annotated[Path, AfterValidator(checkpoint_path)]] = {}
    forecasts: dict[str, HomePath] = {}
    climatology: Climatology = Climatology()
    protocol_a: ProtocolA | None = None
    protocol_b: PeriodSettings | None = None
    protocol_c: ProtocolC | None = None
    points: tuple[int, ...] | None = None
    leave_out: tuple[Literal["glacier", "coast"], ...] = ()
    weights: str | None = None
    strata: tuple[str, ...] | None = None
    processes: bool = True
    observations: tuple[HomePath, ...] = ()
    products: bool = False
    maps: Maps = Maps()
    v1_tables: bool = False
    workers: Annotated[int, Field(ge=1)] | str = 1
    seed: int = 1
    device: str = "cpu"
    execution: Execution = "auto"
    plausibility: PlausibilityOption = "error"
    trust: bool = False

    @field_validator("checkpoints", "forecasts", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        # `checkpoints=null` removes those of a file, `checkpoints.emulator=null` one of them
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value or {}

    @model_validator(mode="after")
    def _names_differ(self) -> Settings:
        labels = [*self.checkpoints, *self.forecasts]
        files = [plain_name(label) for label in dict.fromkeys(labels)]
        if len(set(files)) < len(files):
            raise ValueError(f"some of the names {labels} differ in punctuation only; give names with other letters")
        return self

    @model_validator(mode="after")
    def _checkpoints_differ(self) -> Settings:
        labels: dict[Path, list[str]] = {}
        for label, path in self.checkpoints.items():
            labels.setdefault(path.resolve(), []).append(label)
        if same := [names for names in labels.values() if len(names) > 1]:
            raise ValueError(
                f"the checkpoints {same[0]} are one file; give it once (`checkpoints.NAME=null` removes one)"
            )
        return self

    @model_validator(mode="after")
    def _processes_wanted(self) -> Settings:
        given = [name for name in ("observations", "products") if getattr(self, name)]
        if given and not self.processes:
            raise ValueError(f"{given[0]} are compared with the long run; set processes to true, or leave them out")
        return self

    @model_validator(mode="after")
    def _something_to_do(self) -> Settings:
        both = sorted(set(self.checkpoints) & set(self.forecasts))
        if both:
            raise ValueError(f"checkpoints and forecasts share the names {both}; give different names")
        if not self.checkpoints and not self.forecasts:
            raise ValueError("neither a checkpoint nor a forecast is given; name one under `checkpoints`")
        if self.checkpoints and self.protocol_a is None and self.protocol_b is None:
            raise ValueError("protocol_a and protocol_b are both null, so nothing would run; set one of them")
        if self.protocol_c and self.protocol_a is None:
            raise ValueError("protocol_c runs protocol_a at other places; set protocol_a, or remove protocol_c")
        return self


def read_settings(path: str | Path | None, overrides: Sequence[str] = ()) -> Settings:
    """Read the configuration of an evaluation and options ``key=value`` that override it.

    Parameters
    ----------
    path : str or Path or None
        YAML file, or name of a packaged one such as ``evaluation/evaluate``; None if the options are the whole
        configuration.
    overrides : sequence of str
        Options, such as ``protocol_b.start=2022-01-01``.

    Raises
    ------
    FileNotFoundError
        ``path`` does not exist.
    ValueError
        The file is not YAML, or an option is unknown or invalid; the message lists all mistakes.

    Examples
    --------
    >>> from anemoi_ailand.evaluation.settings import read_settings
    >>> options = ["dataset=ecland.zarr", "checkpoints.mine=ailand", "protocol_b.start=2022-01-01"]
    >>> read_settings(None, options).protocol_b.start
    datetime.date(2022, 1, 1)
    """
    return read_configuration(path, overrides, Settings)


def settings_of(given: Settings | str | Path | Mapping[str, Any] | None, options: Mapping[str, Any]) -> Settings:
    """Return settings, from a file or its content, with options replaced; errors as in :func:`read_settings`."""
    if isinstance(given, Mapping):
        return checked({**given, **options}, Settings, "The evaluation")
    base = read_settings(given) if isinstance(given, str | Path) else given
    if base is not None and not options:
        return base
    return checked({**(base.model_dump() if base else {}), **options}, Settings, "The evaluation")
