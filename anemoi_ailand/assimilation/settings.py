# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Configuration of an assimilation, validated on load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from anemoi_ailand.constants import STEP_HOURS, Execution
from anemoi_ailand.data.observations.rows import observed_name
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions, ForcingSpread, StateSpread
from anemoi_ailand.support.configuration import HomePath, PlausibilityOption, Strict
from anemoi_ailand.support.dates import to_datetime
from anemoi_ailand.variables import Role, names, variable

#: Positive number.
Positive = Annotated[float, Field(gt=0.0)]

#: Date in the form that :func:`~anemoi_ailand.support.dates.to_datetime` reads.
DateText = Annotated[str, BeforeValidator(str), AfterValidator(lambda text: (to_datetime(text), text)[1])]

#: Methods of the soil analysis, and ways to the Jacobian.
Method = Literal["sekf", "4dvar", "etkf"]
Way = Literal["differences", "adjoint", "ensemble"]


class Background(Strict):
    """Error of the background, and the Jacobian of SEKF and 4D-Var.

    Attributes
    ----------
    error : mapping of str to float
        Standard deviation of each control, in its unit; the controls are ``swvl`` and ``stl`` of some layers.
    correlation : float
        Correlation r of neighbouring layers; those k layers apart correlate by r^k. Water and heat do not correlate.
    growth : mapping of str to float, optional
        Standard deviation of the error that weather and network add to each control in a day. The error of the
        background is then carried from window to window (the full extended Kalman filter), at most ``error``. Without
        it, every window has the same error: it forgets that earlier observations have made it smaller, and in a year
        trusts them too much.
    rain : float
        Standard deviation of a factor of rain and snow for each day of the window; 0 for none.
    jacobian : {'differences', 'adjoint', 'ensemble'}
        Way to the Jacobian; ``ensemble`` is a regression over 50 members drawn from this error.
    iterations : int
        Gauss-Newton iterations of 4D-Var.
    """

    error: dict[str, Positive] = {"swvl1": 0.03, "swvl2": 0.025, "swvl3": 0.02}
    correlation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.6
    growth: dict[str, Positive] | None = None
    rain: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    jacobian: Way = "differences"
    iterations: Annotated[int, Field(ge=1, le=20)] = 4

    @field_validator("error")
    @classmethod
    def _controls(cls, value: dict[str, float]) -> dict[str, float]:
        known = [n for n in names(Role.PROGNOSTIC) if n.startswith(("swvl", "stl"))]
        if not value or (unknown := [n for n in value if n not in known]):
            raise ValueError(f"controls are {known}; {unknown if value else 'none'} cannot be one")
        return {n: value[n] for n in known if n in value}

    @model_validator(mode="after")
    def _of_each(self) -> Background:
        if self.growth is not None and set(self.growth) != set(self.error):
            raise ValueError(f"`growth` has {sorted(self.growth)}; give it for {sorted(self.error)}, or null")
        return self


class Members(Strict):
    """Ensemble of the ETKF.

    Attributes
    ----------
    number : int
        Number of members.
    initial, forcing : StateSpread, ForcingSpread
        Perturbations of the start and of the weather.
    model_error : 'none', 'calibrated', float or str
        Perturbations of the outputs of the network, as in any ensemble.
    length_km : float
        Correlation length of the perturbations [km].
    to_spread, to_prior : float
        Relaxation of the analysis ensemble.
    """

    number: Annotated[int, Field(ge=2)] = 30
    initial: StateSpread = StateSpread(swvl=0.04)
    forcing: ForcingSpread = ForcingSpread()
    model_error: Annotated[float, Field(ge=0.0, le=10.0)] | str = "none"
    length_km: Positive = 500.0
    to_spread: Annotated[float, Field(ge=0.0, le=1.0)] = 0.3
    to_prior: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0

    @field_validator("model_error")
    @classmethod
    def _known_error(cls, value: float | str) -> float | str:
        EnsembleOptions(members=1, model_error=value)
        return value

    @property
    def differ(self) -> bool:
        """True if any of the perturbations has a spread."""
        sizes = (*self.initial.model_dump(exclude={"vertical_correlation"}).values(),
                 *self.forcing.model_dump(exclude={"hours"}).values())  # fmt: skip
        return any(sizes) or self.model_error not in ("none", 0.0)


class SnowDepth(Strict):
    """Background error of the snow depth in its analysis: the larger of an absolute [m] and a relative error."""

    absolute: Positive = 0.03
    relative: Positive = 0.3


class Settings(Strict):
    """Configuration of ``anemoi-ailand assimilate``; ``configs/assimilation/sekf.yaml`` documents each option."""

    output: HomePath = Path("assimilation")
    checkpoint: str = "ailand"
    data: list[str]
    background: HomePath | None = None
    start: DateText
    end: DateText
    window_hours: int = 24
    observations: tuple[str, ...] = ()
    within_km: Positive = 25.0
    errors: dict[str, Positive] = {}
    representativeness: dict[str, Positive] = {}
    passive: tuple[str, ...] = ()
    first_guess_limit: Positive = 3.0
    method: Method = "sekf"
    controls: Background = Background()
    members: Members = Members()
    snow_depth: SnowDepth = SnowDepth()
    variables: tuple[str, ...] = ()
    feedback: str = "feedback.nc"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    device: str = "cpu"
    execution: Execution = "auto"
    plausibility: PlausibilityOption = "error"
    trust: bool = False

    @field_validator("observations", "data", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        paths = value or () if isinstance(value, list | tuple | None) else [value]
        if wrong := [path for path in paths if not isinstance(path, str | Path)]:
            raise ValueError(f"give the path of files, not {wrong}")
        return [str(path) for path in paths]

    @field_validator("data")
    @classmethod
    def _given(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("give a dataset or files with forcing")
        return value

    @field_validator("window_hours")
    @classmethod
    def _whole_steps(cls, value: int) -> int:
        if value < STEP_HOURS or value % STEP_HOURS:
            raise ValueError(f"the window has {value} h; give a multiple of {STEP_HOURS}")
        return value

    @field_validator("errors", "representativeness")
    @classmethod
    def _observed(cls, value: dict[str, float]) -> dict[str, float]:
        return {observed_name(n): error for n, error in value.items()}

    @field_validator("passive")
    @classmethod
    def _observed_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(observed_name, value))

    @field_validator("variables")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(variable(n).name for n in value)

    @field_validator("start")
    @classmethod
    def _on_a_stamp(cls, value: str) -> str:
        date = to_datetime(value)
        if date.hour % STEP_HOURS or date.minute or date.second:
            raise ValueError(f"the first window cannot start at {date:%H:%M}; states exist at 00, 06, 12 and 18 UTC")
        return value

    @field_validator("feedback")
    @classmethod
    def _format(cls, value: str) -> str:
        if Path(value).name != value or Path(value).suffix not in (".nc", ".csv", ".parquet"):
            raise ValueError("give the name of a file in the output folder that ends in .nc, .csv or .parquet")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        if self.controls.rain and self.method == "etkf":
            raise ValueError("`controls.rain` belongs to sekf and 4dvar; in an ensemble, `members.forcing` has rain")
        if self.controls.growth and self.method == "etkf":
            raise ValueError("`controls.growth` belongs to sekf and 4dvar; an ensemble carries its error by itself")
        if self.controls.rain and self.window_hours % 24:
            raise ValueError("`controls.rain` has a factor a day, so that the window needs whole days")
        if self.method == "etkf" and not self.members.differ:
            raise ValueError("all members would be the same; give `members.initial` or `members.forcing` a spread")
        return self
