# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields that atmosphere and land exchange, with units and kind of time stated by configuration or checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.derived import ONE_SUFFICES
from anemoi_ailand.support.options import one_mapping
from anemoi_ailand.support.units import AMOUNTS, HOUR, factor, known_units, same_units
from anemoi_ailand.variables import VARIABLES, Role, Time, variable

LOG = logging.getLogger(__name__)

#: Hours before the stamp that a mean covers.
WINDOWS = {Time.INTERVAL_MEAN: STEP_HOURS, Time.LATE_MEAN: STEP_HOURS // 2}

_OPTIONS = ("field", "units", "accumulated", "hours", "instants", "held", "dataset", "pressure")
_FEEDBACK = ("variable", "units", "between", "land_only")

#: Feedback field in steps of the atmosphere between those of the land: its own value, or the last one of the land.
_OWN, _HELD = "own", "held"


@dataclass(frozen=True)
class ForcingField:
    r"""One forcing of the land, derived from a field of the atmosphere.

    .. math:: u = a\,x / s

    with ``factor`` :math:`a` from the units of the field to those of the variable (or of its amount), and
    ``seconds`` :math:`s` over which an amount :math:`x` accumulated, 1 otherwise. A value covers the ``hours`` before
    the stamp, 0 for an instant; with ``instants``, it is the mean of both ends of each step of the atmosphere. With
    ``pressure``, a field of the atmosphere [Pa], the field is a dew point [K] and the forcing its specific humidity.
    """

    name: str
    field: str
    factor: float
    seconds: float
    hours: float
    instants: bool = False
    pressure: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the atmosphere that it is made of."""
        return (self.field,) if self.pressure is None else (self.field, self.pressure)

    @property
    def amount(self) -> bool:
        """True for a flux or an amount, which the exchange conserves."""
        return variable(self.name).units in AMOUNTS

    @property
    def window(self) -> int:
        """Hours before the stamp over which the forcing is a mean; 0 for an instant."""
        return WINDOWS.get(variable(self.name).time, 0)


@dataclass(frozen=True)
class Feedback:
    """One field of the atmosphere that the land overwrites by ``factor`` times its variable.

    ``held``: also in the steps of the atmosphere between those of the land, by its last value. ``land_only``: the field
    describes the land alone, and is replaced as a whole in points that the land shares with the sea.
    """

    field: str
    name: str
    factor: float
    held: bool = False
    land_only: bool = False


@dataclass(frozen=True)
class Forcing:
    """Sources of all forcing: fields of the atmosphere, values held from the start, datasets by variable."""

    taken: tuple[ForcingField, ...]
    held: tuple[str, ...]
    datasets: Mapping[str, str]


def factor_between(given: str, wanted: str, what: str) -> float:
    """Return the factor that converts ``given`` to ``wanted`` units."""
    for a, b, power in ((given, wanted, 1), (wanted, given, -1)):
        if (found := factor(a, b)) is not None:
            return found**power
    raise ValueError(
        f"{what} is in '{given}', but '{wanted}' is needed, and no factor is known between them; to '{wanted}' lead "
        f"{known_units(wanted, offsets=False)}. State the true `units`, or convert the field before."
    )


def read_forcing(
    config: Mapping[str, Any],
    needed: Sequence[str],
    units: Mapping[str, str | None],
    step: float,
    can_hold: Sequence[str],
) -> Forcing:
    """Read the sources of the forcing; a forcing that is not configured is taken from the field of the same name.

    One value of the background albedo suffices, so it is held from the start if the atmosphere has no such field.

    ``config`` gives, by forcing, a field or a mapping with some of ``field, units, accumulated, hours, instants, held,
    dataset, pressure``. ``needed`` is the forcing of every step without sun and calendar; ``can_hold`` that which the
    state of the land contains at the start of a step. ``units`` are those of the fields of the atmosphere (None where
    its checkpoint does not state them), ``step`` is its step [h].
    """
    check_mapping(config, "`forcing`", "field")
    unknown = [n for n in config if n not in needed]
    if unknown:
        raise ValueError(f"`forcing` names {unknown}, not among the inputs of the land model; it needs {list(needed)}.")
    missing = {*ONE_SUFFICES} & {*can_hold} - {*units}
    taken, held, datasets = [], [], {}
    for name in needed:
        given = config.get(name, {"held": True} if name in missing else name)
        options = {"field": given} if isinstance(given, str) else one_mapping(given, _OPTIONS, f"`forcing.{name}`")
        if _true(options, "held", f"`forcing.{name}`"):
            _check_held(name, options, can_hold)
            held.append(name)
        elif "dataset" in options:
            datasets[name] = str(options["dataset"])
        else:
            taken.append(_taken(name, {"field": name, **options}, units, step))
    _warn_of_other_quantities(taken)
    return Forcing(tuple(taken), tuple(held), datasets)


def read_feedback(
    config: Mapping[str, Any], made: Sequence[str], units: Mapping[str, str | None]
) -> tuple[Feedback, ...]:
    """Read the fields that the land overwrites: variable by field, or a mapping.

    Its keys are ``variable``, ``units``, ``between`` (``own`` or ``held``) and ``land_only``.
    """
    check_mapping(config, "`feedback`", "variable")
    fed = []
    for field, given in config.items():
        options = (
            {"variable": given} if isinstance(given, str) else one_mapping(given, _FEEDBACK, f"`feedback.{field}`")
        )
        name = options.get("variable", field)
        if name not in made:
            raise ValueError(
                f"`feedback.{field}` is '{name}', which is not an output of the land model; it predicts {list(made)}."
            )
        stated = _units_of(field, options.get("units"), units, f"`feedback.{field}`")
        if (between := options.get("between", _OWN)) not in (_OWN, _HELD):
            raise ValueError(f"`feedback.{field}.between` is {between!r}. Give {_OWN} or {_HELD}.")
        alone = _true(options, "land_only", f"`feedback.{field}`")
        if field in VARIABLES and variable(field).name != variable(name).name:
            LOG.warning(
                "`feedback.%s` is '%s' (%s), while '%s' is the name of another variable (%s): the field gets what its "
                "name does not say. Give '%s', or leave it out", field, name, variable(name).long_name, field,
                variable(field).long_name, field,
            )  # fmt: skip
        by = factor_between(variable(name).units, stated, f"'{name}' of the land")
        fed.append(Feedback(field, name, by, between == _HELD, alone))
    return tuple(fed)


def _taken(name: str, options: Mapping[str, Any], units: Mapping[str, str | None], step: float) -> ForcingField:
    what, row, field = f"`forcing.{name}`", variable(name), str(options["field"])
    stated = _units_of(field, options.get("units"), units, what)
    if pressure := options.get("pressure"):
        _check_dew_point(name, stated, str(pressure), units, what)
    wanted = "K" if pressure else row.units
    window = WINDOWS.get(row.time, 0)
    accumulated, instants = (_true(options, option, what) for option in ("accumulated", "instants"))
    if instants:
        if not window or accumulated or "hours" in options:
            raise ValueError(
                f"{what} has `instants`, which is for means, without `accumulated` and `hours`. Remove one."
            )
        _check_divides(step, window, what)
        by = factor_between(stated, wanted, f"'{field}'")
        return ForcingField(name, field, by, 1.0, step, instants=True, pressure=pressure)
    if window and field != name and not {"accumulated", "hours"} & options.keys():
        raise ValueError(
            f"{what} is a mean over {window} h: specify how '{field}' relates to time: "
            f"`hours: {min(step, window):g}` for a mean over so many hours, `instants: true` "
            "for instants, `accumulated: true` for an amount."
        )
    hours = options.get("hours", min(step, window))
    if isinstance(hours, bool) or not isinstance(hours, int | float):
        raise ValueError(f"{what} has `hours: {hours!r}`. Give a number of hours.")
    hours = float(hours)
    if window and hours != window:
        _check_divides(hours, window, what)
        if hours != step:
            raise ValueError(
                f"{what} covers {hours:g} h, the atmosphere's step is {step:g} h. Give `hours` of one step."
            )
    if not accumulated:
        by = factor_between(stated, wanted, f"'{field}'")
        return ForcingField(name, field, by, 1.0, hours if window else 0.0, pressure=pressure)
    if row.units not in AMOUNTS or not window:
        raise ValueError(f"{what} is `accumulated`, but '{name}' [{row.units}] is not a rate. Remove `accumulated`.")
    return ForcingField(name, field, factor_between(stated, AMOUNTS[row.units], f"'{field}'"), hours * HOUR, hours)


def check_mapping(config: Any, what: str, of: str) -> None:
    """Refuse anything but a mapping from names."""
    if not isinstance(config, Mapping):
        raise TypeError(f"{what} is {config!r}. Give a mapping from names to a {of} or to its options.")


def _true(options: Mapping[str, Any], name: str, what: str) -> bool:
    """Return an option that is true or false, and false by default."""
    if not isinstance(given := options.get(name, False), bool):
        raise ValueError(f"{what} has `{name}: {given!r}`. Give true or false.")
    return given


def _quantity(name: str) -> str:
    """Return the name of a forcing without that of its interval."""
    return name.removeprefix("avg_").removeprefix("late_")


def _warn_of_other_quantities(taken: Sequence[ForcingField]) -> None:
    """Warn of fields that are a result of a land by their name, and of one field for two quantities."""
    for t in taken:
        known = variable(t.field) if t.field in VARIABLES else None
        if known is not None and known.role in (Role.PROGNOSTIC, Role.DIAGNOSTIC) and t.field not in _OF_AIR:
            LOG.warning(
                "`forcing.%s` is taken from '%s', which is %s by its name, not %s. Name the field that holds it",
                t.name, t.field, known.long_name, variable(t.name).long_name,
            )  # fmt: skip
    for field in dict.fromkeys(t.fields for t in taken):
        names = [t.name for t in taken if t.fields == field]
        if len({_quantity(n) for n in names}) > 1:
            LOG.warning(
                "`forcing` takes %s from one field, %s, though they are different quantities. Correct one of them",
                names, list(field),
            )  # fmt: skip


#: Diagnostics of the land that an atmosphere has as well.
_OF_AIR = ("2t", "2d")


def _units_of(field: str, stated: str | None, units: Mapping[str, str | None], what: str) -> str:
    if field not in units:
        raise ValueError(
            f"{what}: the atmosphere has no field '{field}' in its output; it has {sorted(units)}. Name the field that "
            "holds it, or, for forcing, give `{held: true}` (constant from the start) or `{dataset: PATH}`."
        )
    known = units[field]
    if stated and known and not same_units(stated, known):
        raise ValueError(
            f"{what}: '{field}' is in '{known}' according to the atmosphere's checkpoint, in '{stated}' "
            "according to the configuration. Correct the wrong one (the checkpoint's by `patch_metadata`)."
        )
    if not (stated or known):
        raise ValueError(f"{what}: the atmosphere's checkpoint does not give the units of '{field}'. Set `units`.")
    return str(stated or known)


def _check_dew_point(name: str, stated: str, pressure: str, units: Mapping[str, str | None], what: str) -> None:
    """Check the field of pressure with which a dew point becomes a specific humidity."""
    if variable(name).units != "kg kg-1" or not same_units(stated, "K"):
        raise ValueError(
            f"{what} has `pressure`, which converts a dew point [K] to specific humidity [kg kg-1]; '{name}' is in "
            f"{variable(name).units}, its field in '{stated}'. Remove `pressure`, or name a dew point."
        )
    _units_of(pressure, "Pa", units, f"`forcing.{name}.pressure`")


def _check_divides(hours: float, window: float, what: str) -> None:
    if hours <= 0 or window % hours:
        raise ValueError(
            f"{what} is a mean over {window} h, which {hours:g} h do not divide. Take a field that covers {window} h "
            "and set `hours`, or an atmosphere with shorter steps."
        )


def _check_held(name: str, options: Mapping[str, Any], can_hold: Sequence[str]) -> None:
    if len(options) > 1 or name not in can_hold:
        raise ValueError(
            f"`forcing.{name}`: `held` cannot be combined with other options and applies only to {list(can_hold)}. "
            "Name a field instead."
        )
