# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Declaration of a mapping: which variable of a store is which of the table, in which unit and over which time.

``configs/mapping/ailand-v1.yaml`` is an example with all options.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from zipfile import BadZipFile

import numpy as np
import yaml
from anemoi.utils.checkpoints import load_metadata
from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from anemoi_ailand.constants import STEP_HOURS, STEP_SECONDS
from anemoi_ailand.data.derived import ABSENT
from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.support.configuration import Strict, checked
from anemoi_ailand.support.options import nearest
from anemoi_ailand.support.packaged import file_or_named, listing
from anemoi_ailand.support.units import AMOUNTS, Conversion, factor, find_conversion, known_units, table_units
from anemoi_ailand.variables import VARIABLES, Role, Time, variable

#: Folder of the packaged mappings among the configurations.
_FOLDER = "mapping/"

#: Key of the mapping among the attributes of a mapped dataset, which a checkpoint keeps in its metadata.
RECORD = "ailand_mapping"

#: Suffix of a checkpoint, which holds the mapping of its training.
CHECKPOINT = ".ckpt"

#: Height of the forcing that ecLand and its networks are given unless declared: about that of the lowest model level,
#: and ecLand's default for forcing on a grid [m] (ZPHISTA, ZUV).
FORCING_HEIGHT = 10.0

#: Lowest and highest height between which the profile of temperature is known [m].
_PROFILE = (2.0, FORCING_HEIGHT)

#: Height above the ground [m], or pressure level.
Height = Annotated[float, Field(gt=0.0)] | Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]* ?hPa$")]

#: Value of ``missing`` that fills gaps with the parameter of the vegetation or soil type of the point.
TYPE = "type"


class Gaps(Strict):
    """Values for few missing ones of a field that changes in time: ``value`` in the unit of the table.

    More than the ``share`` of the points at one date is an error.
    """

    value: float
    share: float = Field(gt=0.0, le=0.01)


class Column(Strict):
    """Source of one variable of the table.

    Attributes
    ----------
    source : str or list of str, ``from`` in YAML
        Name in the store; of several, the first that the store has.
    units : str
        Unit in the store; by default that of the table.
    over : str
        ``6h``: the store has the amount accumulated over the 6 h that end at the stamp.
    both_ends : bool
        The store has instants, and the mean over the step is that of its two ends.
    sign : int
        -1 where the store counts the other direction positive.
    values : dict
        Value of the table for each value of a category of the store.
    value : float
        Constant instead of a source, for a field that the store lacks.
    derived : bool
        From the types of vegetation and soil, by ecLand's tables.
    dewpoint : list of str
        Names of dew point [K] and surface pressure [Pa] in the store, from which the specific humidity follows.
    soil_type : list of str
        Names of field capacity and wilting point in the store, from which the soil type follows.
    missing : float, 'type' or Gaps
        Number for NaN of a field that is constant in time, or the parameter of the type of the point; for a field that
        changes in time, a number and the largest share of the points that may need it.
    largest : list of float
        Range of the largest value over land, in the unit of the table, instead of
        :data:`~anemoi_ailand.data.mapping.contradictions.LARGEST`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: str | tuple[str, ...] | None = Field(default=None, alias="from")
    units: str | None = None
    over: Literal["6h"] | None = None
    both_ends: bool = False
    sign: Literal[1, -1] = 1
    values: dict[float, float] | None = None
    value: float | None = None
    derived: bool = False
    dewpoint: tuple[str, str] | None = None
    soil_type: tuple[str, str] | None = None
    missing: float | Literal["type"] | Gaps | None = None
    largest: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Column:
        ways = {"from": self.source is not None, "value": self.value is not None, "derived": self.derived,
                "dewpoint": self.dewpoint is not None, "soil_type": self.soil_type is not None}  # fmt: skip
        given = [name for name, is_given in ways.items() if is_given]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(ways)} (given: {given or 'none'})")
        return self

    @property
    def both(self) -> tuple[str, str] | None:
        """Names of the two sources of ``soil_type`` or ``dewpoint``; None for other columns."""
        return self.soil_type or self.dewpoint

    @property
    def sources(self) -> tuple[str, ...]:
        """Alternative names in the store, in order of preference; of ``soil_type`` and ``dewpoint``, both names."""
        if self.both is not None:
            return self.both
        return () if self.source is None else (self.source,) if isinstance(self.source, str) else self.source


class Land(Strict):
    """Land-sea mask: its name or alternative names, and the value above which a point is land."""

    variable: str | tuple[str, ...]
    above: float = 0.5

    @property
    def names(self) -> tuple[str, ...]:
        """Alternative names in the store."""
        return (self.variable,) if isinstance(self.variable, str) else self.variable


class Order(Strict):
    """Fair order of the points, see :func:`~anemoi_ailand.data.selection.fair_order`."""

    seed: int = 1


class Points(Strict):
    """Points of the dataset: land, order (null: that of the store), and points never trained on, which come last."""

    land: Land | None = None
    order: Order | None = Order()
    held_out: dict[str, Any] | None = None


class Sampled(Strict):
    """Dates from which the statistics are computed: so many, spread over the period, at all hours of the day.

    The last date without a time of day is included as a whole.
    """

    start: str | None = None
    end: str | None = None
    dates: int = Field(default=64, ge=4)

    @field_validator("start", "end", mode="before")
    @classmethod
    def _text(cls, date: Any) -> Any:
        if isinstance(date, datetime.date):  # a datetime is one, too
            return date.isoformat()
        if isinstance(date, str):
            np.datetime64(date)  # raises a ValueError on anything but a date
        return date


class Heights(Strict):
    """Heights at which the forcing holds: a number in m above the ground, or a pressure level such as ``925hPa``.

    Attributes
    ----------
    air : float or str
        Of temperature and humidity.
    wind : float or str
        Of wind.
    to : float
        Height [m] to which the temperature is moved, between 2 and 10 m, see
        :func:`~anemoi_ailand.physics.air.moved_temperature`. Humidity and wind are not moved.
    """

    air: Height = FORCING_HEIGHT
    wind: Height = FORCING_HEIGHT
    to: float | None = None

    @model_validator(mode="after")
    def _within_the_profile(self) -> Heights:
        low, high = _PROFILE
        known = [isinstance(h, float) and low <= h <= high for h in (self.air, self.to) if h is not None]
        if self.to is not None and not all(known):
            raise ValueError(
                f"the profile of temperature is known from {low:g} to {high:g} m, not from {_text(self.air)} to "
                f"{_text(self.to)}; remove `to`, and train with this forcing"
            )
        if self.to is not None and self.wind != self.to:
            raise ValueError(f"`to` moves no wind, which is at {_text(self.wind)}; give wind at {_text(self.to)}")
        return self

    @property
    def read(self) -> tuple[float | str, float | str]:
        """Heights of air and wind as the network is given them."""
        return self.air if self.to is None else self.to, self.wind

    def __str__(self) -> str:
        air, wind = (_text(h) for h in self.read)
        moved = "" if self.to is None else f", moved from {_text(self.air)}"
        return f"temperature and humidity at {air}{moved}, wind at {wind}"


def _text(height: float | str | None) -> str:
    return f"{height:g} m" if isinstance(height, float) else str(height)


class Mapping(Strict):
    """Declaration of the variables of a store in the terms of the table of variables.

    Attributes
    ----------
    variables : dict of Column
        Variables of the table that the dataset has, besidess those computed from date and place, and labels of points.
    points : Points
        Selection and order of the points.
    open : dict
        Arguments of ``open_dataset`` for the store as it is: ``drop``, ``end``, ``set_missing_dates``, ...
    statistics : Sampled
        Dates of the statistics.
    heights : Heights
        Heights at which the forcing holds.
    """

    variables: dict[str, Column]
    points: Points = Points()
    open: dict[str, Any] = {}
    statistics: Sampled = Sampled()
    heights: Heights = Heights()

    @field_validator("variables")
    @classmethod
    def _in_the_table(cls, columns: dict[str, Column]) -> dict[str, Column]:
        for name, column in columns.items():
            if name not in VARIABLES:
                raise ValueError(f"'{name}' is not in the table of variables; nearest: {nearest(name, VARIABLES, n=3)}")
            _check_column(name, column)
        return columns

    @model_validator(mode="after")
    def _can_be_moved(self) -> Mapping:
        if self.heights.to is None:
            return self
        if "skt" not in self.variables:
            raise ValueError("`to` of `heights` moves the temperature by that of the skin; declare 'skt'")
        if (mean := self.variables.get("avg_t")) is not None and not mean.both_ends:
            raise ValueError("`to` of `heights` moves instants; declare `both_ends` for 'avg_t', or leave `to` out")
        return self

    @property
    def made(self) -> set[str]:
        """Variables of the dataset: those declared, and those computed from date and place, and labels of points."""
        return {*self.variables, *COMPUTED, "point_id", "held_out"}

    def record(self) -> dict[str, Any]:
        """Return the declaration as plain containers, from which :func:`mapping_of` makes it again."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _check_column(name: str, column: Column) -> None:
    """Refuse options of a variable that contradict each other or its row in the table."""
    row = variable(name)
    constant = row.time is Time.CONSTANT
    linear_conversion(name, column)
    if column.derived and name not in ABSENT:
        raise ValueError(f"'{name}' does not follow from types; `derived` can be {sorted(ABSENT)}")
    if column.dewpoint is not None and name not in ("q", "avg_q"):
        raise ValueError(f"`dewpoint` makes q and avg_q, not '{name}'")
    if column.soil_type is not None and name != "slt":
        raise ValueError(f"`soil_type` makes slt, not '{name}'")
    if (column.both_ends or column.over) and row.time is not Time.INTERVAL_MEAN:
        raise ValueError(f"'{name}' is not a mean over the step; remove `both_ends` and `over`")
    if column.values is not None and not constant:
        raise ValueError(f"'{name}' changes in time and has no categories; remove `values`")
    if isinstance(column.missing, Gaps) and constant:
        raise ValueError(f"'{name}' is constant in time: give a number for `missing`, or '{TYPE}'")
    if column.missing == TYPE and name not in ABSENT:
        raise ValueError(f"'{name}' does not follow from types: give a number for `missing`")
    if isinstance(column.missing, float) and not constant and row.role is not Role.CATEGORY:
        raise ValueError(
            f"'{name}' changes in time, where a number for all gaps would hide a fault; give "
            "`missing: {value: ..., share: ...}` with the largest share of the points that may lack it"
        )


def linear_conversion(name: str, column: Column) -> Conversion:
    """Return factor and offset from the values of a store to the unit of the table, sign and accumulation included.

    Raises
    ------
    ValueError
        The unit is unknown, or that of a rate where an amount is declared, or the reverse.
    """
    expected = table_units(name)
    if column.over is not None:
        amount = AMOUNTS.get(variable(name).units)
        if amount is None:
            raise ValueError(f"'{name}' is in {expected}, which is not a rate; remove `over`")
        found = amount if column.units is None else column.units
        by = factor(found, amount)
        if by is None:
            raise ValueError(
                f"'{name}' is accumulated over {STEP_HOURS} h, but '{found}' is not the unit of an amount; give one of "
                f"{known_units(amount, offsets=False)}, or 'm' of water"
            )
        return column.sign * by / STEP_SECONDS, 0.0
    pair = (1.0, 0.0) if column.units is None else find_conversion(column.units, expected)
    if pair is None:
        raise ValueError(f"'{name}' has the unknown unit '{column.units}'; give one of {known_units(expected)}")
    return column.sign * pair[0], column.sign * pair[1]


def load_mapping(given: str | Path) -> Mapping:
    """Load a mapping: a packaged one by name, a YAML file, or that of the training of a checkpoint.

    Raises
    ------
    FileNotFoundError
        Neither a file nor a packaged mapping; the message lists those.
    ValueError
        A mistake in the mapping, or a checkpoint without one; the message lists all mistakes.

    Examples
    --------
    >>> from anemoi_ailand.data.mapping.declaration import load_mapping
    >>> load_mapping("ailand-v1").variables["avg_sdswrf"].units
    'J m-2'
    """
    if str(given).endswith(CHECKPOINT):
        found = checkpoint_record(given)
        if found is None:
            raise ValueError(
                f"The checkpoint '{given}' was trained without a mapping. Name one: {packaged_mappings()}."
            )
        return mapping_of(found, f"The mapping of '{given}'")
    path = mapping_file(given)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"The mapping '{path}' cannot be read ({error}). Compare it with the packaged one.") from error
    return mapping_of(content, f"The mapping '{path}'")


def mapping_of(content: Any, what: str) -> Mapping:
    """Validate plain containers as a mapping; one error gives all mistakes."""
    return checked(content, Mapping, what)


def mapping_file(given: str | Path) -> Path:
    """Return the YAML file of a mapping, by its path or the name of a packaged one."""
    named = {name.removeprefix(_FOLDER): p for name, p in listing("configs").items() if name.startswith(_FOLDER)}
    return file_or_named(given, named, "Copy a packaged one: anemoi-ailand configs --copy mapping/ailand-v1")


def packaged_mappings() -> list[str]:
    """Return the names of the packaged mappings."""
    return [name.removeprefix(_FOLDER) for name in listing("configs") if name.startswith(_FOLDER)]


def hint(held: Collection[str]) -> str:
    """Return advice for a store with the variables ``held`` that a packaged mapping fits; nothing for another one."""
    for name in packaged_mappings():
        columns = load_mapping(name).variables.values()
        if all(not column.sources or not set(column.sources).isdisjoint(held) for column in columns):
            return (
                f" It has the variables of the mapping '{name}': set `land.mapping={name}`, or write "
                f"'ailand::STORE?{name}'."
            )
    return ""


def checkpoint_record(path: str | Path) -> dict[str, Any] | None:
    """Return the mapping that a checkpoint keeps among the attributes of its dataset, None if it has none."""
    try:
        found = _records(load_metadata(str(path)).get("dataset"))
    except (
        OSError,
        ValueError,
        KeyError,
        AttributeError,
        BadZipFile,
    ):  # another kind of file, which its reader refuses
        return None
    return found[0] if found else None


def _records(node: Any) -> list[dict[str, Any]]:
    """Return all mappings in the metadata of a dataset, however it is put together."""
    children: Sequence[Any] = ()
    if isinstance(node, dict):
        if isinstance(own := node.get(RECORD), dict):
            return [own]
        children = list(node.values())
    elif isinstance(node, list | tuple):
        children = node
    return [found for child in children for found in _records(child)]
