# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields of a store in the terms of the table of variables, date by date, by a declared mapping."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping as Named
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from anemoi.datasets import open_dataset

from anemoi_ailand.constants import STEP
from anemoi_ailand.data import selection, sun
from anemoi_ailand.data.derived import ABSENT, HELD
from anemoi_ailand.data.grib.parameters import archive_param
from anemoi_ailand.data.mapping.contradictions import Extremes, check_related, check_values, sample_dates
from anemoi_ailand.data.mapping.declaration import TYPE, Column, Gaps, Mapping, linear_conversion
from anemoi_ailand.physics.air import moved_temperature, saturation_pressure, specific_humidity
from anemoi_ailand.physics.soil_types import SOIL_TYPES, soil_parameters
from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.support.options import nearest
from anemoi_ailand.support.units import AMOUNTS, factor, same_units, table_units
from anemoi_ailand.variables import VARIABLES, Role, Time, variable

LOG = logging.getLogger(__name__)

#: Dates whose land is kept in memory: a mean needs the date before, a change the one before that.
_KEPT = 4

#: Dates checked when a store is opened, at different hours of the day.
_CHECKED = 4

#: Variables at the height of the forcing that the mapping can move to another one.
_MOVED = ("t", "avg_t")

#: Units of the sources of humidity from dew point and pressure.
_DEWPOINT_UNITS = ("K", "Pa")

#: Largest distance of field capacity and wilting point from those of a soil type [m3 m-3]; types are .02 apart.
SOIL_TOLERANCE = 5e-3


class MappedFields:
    """Store opened in the terms of the table: its land points, in their order, at the dates that all variables have.

    Everything that contradicts the mapping is refused on opening: names, units, land-sea mask, gaps, and values of a
    few dates.

    Attributes
    ----------
    names : tuple of str
        Variables, in alphabetical order.
    dates : numpy.ndarray, shape (date,)
        Stamps, ``datetime64[s]``; the first of the store is left out if a mean needs the date before.
    latitudes, longitudes : numpy.ndarray, shape (point,)
        Coordinates [degrees].
    points : numpy.ndarray, shape (point,)
        Positions of the points in the store.
    missing : list of int
        Positions of dates that are missing in the store, or whose means need a missing one.

    Raises
    ------
    ValueError
        The store has another schema, step or number of members; no land; units or values that contradict the mapping;
        undeclared missing values.
    """

    def __init__(self, store: str | Path, mapping: Mapping) -> None:
        self.store, self.mapping = str(store), mapping
        if "://" not in self.store and not Path(self.store).exists():
            raise not_found(Path(self.store), "store", "*.zarr")
        self._data = open_dataset({"dataset": self.store, **mapping.open})
        self._check_layout()
        self._sources = {name: self._found(name, column) for name, column in mapping.variables.items()}
        self._check_units()
        self._rows = {
            source: i for i, source in enumerate(sorted({s for found in self._sources.values() for s in found}))
        }
        self._fields: OrderedDict[int, np.ndarray] = OrderedDict()
        columns = mapping.variables
        self._first = int(any(column.both_ends for column in columns.values()))
        self.dates = np.asarray(self._data.dates).astype("datetime64[s]")[self._first :]
        self.points, self._held = self._choose()
        self.latitudes = np.asarray(self._data.latitudes, dtype=np.float64)[self.points]
        self.longitudes = np.asarray(self._data.longitudes, dtype=np.float64)[self.points]
        self.names = tuple(sorted(mapping.made))
        self._computed = [n for n in self.names if n in sun.COMPUTED and n not in columns]
        self._varying = [n for n in columns if variable(n).time is not Time.CONSTANT]
        gone = {int(i) - self._first for i in self._data.missing}
        behind = {i + 1 for i in gone} if self._first else set()
        self.missing = sorted(i for i in gone | behind if 0 <= i < len(self.dates))
        self._check()
        LOG.info("'%s': %d land points of %d, %d variables by the mapping", self.store, len(self.points),
                 self._data.shape[3], len(self.names))  # fmt: skip

    def _check_layout(self) -> None:
        shape, step = self._data.shape, self._data.frequency
        if len(shape) != 4 or shape[2] != 1:
            raise ValueError(f"'{self.store}' has the shape {shape}; (date, variable, 1, point) is needed.")
        if step != STEP:
            raise ValueError(
                f"'{self.store}' has a step of {step}, but the land makes steps of {STEP}. Add "
                "`open: {frequency: 6h}` to the mapping if its accumulations are over 6 h."
            )

    def _found(self, name: str, column: Column) -> tuple[str, ...]:
        """Return the names in the store that a variable is made of."""
        if column.both is not None:
            for source in column.both:
                self._known((source,), name)
            return column.both
        return (self._known(column.sources, name),) if column.sources else ()

    def _known(self, names: Sequence[str], what: str) -> str:
        held = self._data.name_to_index
        for name in names:
            if name in held:
                return name
        near = nearest(names[0], held)
        raise ValueError(
            f"'{self.store}' has no {' or '.join(map(repr, names))}, from which the mapping makes '{what}'; "
            + (f"nearest: {near}. " if near else f"it has {list(held)}. ")
            + "Give the mapping of this store, or correct the one given."
        )

    def _check_units(self) -> None:
        """Refuse units that the store states and that are not those of the mapping."""
        stated = getattr(self._data, "variables_metadata", None) or {}
        for name, sources in self._sources.items():
            column, expected = self.mapping.variables[name], table_units(name)
            if column.soil_type is not None or column.values is not None or variable(name).role is Role.CATEGORY:
                continue
            unit = column.units or (AMOUNTS[variable(name).units] if column.over else expected)
            units = _DEWPOINT_UNITS if column.dewpoint else (unit,) * len(sources)
            for source, declared in zip(sources, units, strict=True):
                found = (stated.get(source) or {}).get("units")
                if found is None or same_units(found, declared) or _equal(found, declared, name, column):
                    continue
                raise ValueError(
                    f"'{source}' in '{self.store}' is in '{found}', but the mapping declares '{declared}' for '{name}'"
                    ". Correct the mapping, or the metadata of the store if only those are wrong."
                )

    def _choose(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the points in the store, in the order of the dataset, and which are held out."""
        rule = self.mapping.points
        chosen = np.arange(self._data.shape[3])
        if rule.land is not None:
            chosen = np.flatnonzero(self._land(rule.land.names, rule.land.above))
        held = selection.held_out(chosen, rule.held_out)
        if rule.order is not None:
            order = selection.fair_order(len(chosen), rule.order.seed, last=held)
        else:
            order = np.argsort(held, kind="stable")
        return chosen[order], held[order]

    def _land(self, names: Sequence[str], above: float) -> np.ndarray:
        name = self._known(names, "the selection of land")
        mask = np.asarray(self._data[self._whole(0)])[self._data.name_to_index[name], 0]
        if not ((mask >= 0.0) & (mask <= 1.0)).all():
            raise ValueError(
                f"The land-sea mask '{name}' of '{self.store}' has missing values or some outside 0 to 1. Name the "
                "land fraction under `points.land` of the mapping."
            )
        if not (mask > above).any():
            raise ValueError(f"No point of '{self.store}' has '{name}' above {above}. Correct `points.land`.")
        return mask > above

    def _whole(self, index: int) -> int:
        """Return the first date from ``index`` on that is not missing."""
        return next(i for i in range(index, len(self._data.dates)) if i not in self._data.missing)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape (date, variable, 1, point) of the dataset."""
        return len(self.dates), len(self.names), 1, len(self.points)

    @property
    def resolution(self) -> str | None:
        """Resolution that the store states."""
        try:
            found: str | None = self._data.resolution
        except KeyError:
            return None
        return found

    @property
    def origin(self) -> dict[str, Any]:
        """Statements of the store about itself, for the record in a checkpoint."""
        stated = getattr(getattr(self._data, "store", None), "attrs", {})
        return {key: stated[key] for key in ("description", "uuid", "licence", "attribution") if key in stated}

    def at(self, index: int) -> np.ndarray:
        """Return all variables at the date of an index, float32 of shape (variable, point).

        Raises
        ------
        ValueError
            The date is missing, or a value is missing that the mapping does not fill.
        """
        place = index + self._first
        now = self._store(place)
        before = self._store(place - 1) if self._first else now
        out = self._fixed.copy()
        rows = {name: i for i, name in enumerate(self.names)}
        for name in self._varying:
            out[rows[name]] = self._made(name, now, before, index)
        for name, (needed, make) in HELD.items():  # absent snow
            if {name, *needed} <= set(self._varying):
                out[rows[name]] = make(*(out[rows[n]] for n in needed))
        if self._computed:
            date = self.dates[index].astype(datetime)
            places = [rows[n] for n in self._computed]
            out[places] = sun.compute(self._computed, [date], self.latitudes, self.longitudes)[:, 0]
        return out

    def _made(self, name: str, now: np.ndarray, before: np.ndarray, index: int) -> np.ndarray:
        """Return a variable that changes in time, shape (point,), in the unit of the table."""
        column = self.mapping.variables[name]
        if column.value is not None:
            return np.full(len(self.points), column.value, np.float32)
        values = self._at_end(name, now)
        if column.both_ends:
            values = 0.5 * (self._at_end(name, before) + values)
        if (bad := ~np.isfinite(values)).any():
            values = self._filled(name, values, bad, column.missing, index)
        return values

    def _at_end(self, name: str, fields: np.ndarray) -> np.ndarray:
        """Return a variable from the fields (source, point) of one date, in the unit of the table."""
        column, heights = self.mapping.variables[name], self.mapping.heights
        found = [fields[self._rows[source]] for source in self._sources[name]]
        if column.dewpoint is not None:
            return specific_humidity(saturation_pressure(found[0]), found[1])
        scale, offset = linear_conversion(name, column)
        values = found[0] * np.float32(scale) + np.float32(offset)
        if heights.to is None or name not in _MOVED:
            return values
        return moved_temperature(values, self._at_end("skt", fields), float(heights.air), heights.to)

    def _filled(self, name: str, values: np.ndarray, bad: np.ndarray, missing: Any, index: int) -> np.ndarray:
        share, n = (missing.share if isinstance(missing, Gaps) else 0.0), int(bad.sum())
        if n > max(share * len(bad), 1.0 if share else 0.0):
            k = int(np.flatnonzero(bad)[0])
            raise ValueError(
                f"'{name}' is missing (NaN) at {n} of {len(bad)} land points of '{self.store}' on {self.dates[index]}, "
                f"the first at latitude {self.latitudes[k]:.3f}, longitude {self.longitudes[k]:.3f}"
                + (f"; the mapping allows {share:g} of the points. " if share else ". ")
                + "Repair the store, leave the date out by `open: {set_missing_dates: [...]}`, or declare `missing`."
            )
        return np.where(bad, np.float32(missing.value), values)

    def _store(self, place: int) -> np.ndarray:
        """Return the land of the store at one of its dates, shape (source, point)."""
        if place in self._fields:
            self._fields.move_to_end(place)
            return self._fields[place]
        held = np.array([self._data.name_to_index[source] for source in self._rows])
        found = np.asarray(self._data[place])[:, 0][np.ix_(held, self.points)].astype(np.float32, copy=False)
        self._fields[place] = found
        while len(self._fields) > _KEPT:
            self._fields.popitem(last=False)
        return found

    @cached_property
    def _fixed(self) -> np.ndarray:
        """Variables that are constant in time, shape (variable, point); zero elsewhere."""
        known = self._constants(self._store(self._whole(0)))
        known["point_id"], known["held_out"] = self.points.astype(np.float32), self._held.astype(np.float32)
        out = np.zeros((len(self.names), len(self.points)), np.float32)
        for i, name in enumerate(self.names):
            if name in known:
                out[i] = known[name]
        return out

    def _constants(self, first: np.ndarray) -> dict[str, np.ndarray]:
        """Return the variables that are constant in time: types first, then the parameters that follow from them."""
        columns = {n: c for n, c in self.mapping.variables.items() if variable(n).time is Time.CONSTANT}
        known: dict[str, np.ndarray] = {}
        for name, column in columns.items():
            if column.value is not None:
                known[name] = np.full(len(self.points), column.value)
            elif column.soil_type is not None:
                rows = [self._rows[n] for n in column.soil_type]
                known[name] = self._soil_type(first[rows[0]], first[rows[1]], column.missing)
            elif column.sources:
                known[name] = self._constant(name, column, first[self._rows[self._sources[name][0]]])
        for name, column in columns.items():
            if column.missing == TYPE:
                bad = ~np.isfinite(known[name])
                known[name] = np.where(bad, self._by_type(name, known), known[name])
                LOG.info("'%s': %d of %d points have none and get that of their type", name, bad.sum(), len(bad))
        for name, column in columns.items():
            if column.derived:
                known[name] = self._by_type(name, known)
        return known

    def _constant(self, name: str, column: Column, values: np.ndarray) -> np.ndarray:
        bad = ~np.isfinite(values)
        if column.values is not None:
            known = np.full(len(values), np.nan)
            for found, ours in column.values.items():
                known[values == np.float32(found)] = ours
            if strange := sorted(set(values[np.isnan(known) & ~bad].tolist())):
                raise ValueError(
                    f"'{self._sources[name][0]}' of '{self.store}' has the values {strange[:8]}, which the mapping of "
                    f"'{name}' does not list. Add them to `values`."
                )
        else:
            scale, offset = linear_conversion(name, column)
            known = values.astype(np.float64) * scale + offset
        if not bad.any() or column.missing == TYPE:
            return known
        if column.missing is None:
            raise ValueError(
                f"'{self._sources[name][0]}' is missing (NaN) at {bad.sum()} of {len(bad)} land points of "
                f"'{self.store}'. Declare `missing` for '{name}' in the mapping: a number, or '{TYPE}'."
            )
        assert isinstance(column.missing, float), "gaps of a constant have a number"
        LOG.info("'%s': %d of %d points have none and get %g", name, bad.sum(), len(bad), column.missing)
        return np.where(bad, column.missing, known)

    def _by_type(self, name: str, known: Named[str, np.ndarray]) -> np.ndarray:
        needed, make = ABSENT[name]
        if lacking := [n for n in needed if n not in known]:
            raise ValueError(f"'{name}' follows from {lacking}, which the mapping does not have. Add them.")
        return make(*(known[n] for n in needed))

    def _soil_type(self, capacity: np.ndarray, wilting: np.ndarray, missing: Any) -> np.ndarray:
        found, distance = soil_type_of(capacity, wilting)
        bad, far = ~np.isfinite(distance), distance > SOIL_TOLERANCE
        if far.any():
            raise ValueError(
                f"Field capacity and wilting point are those of no soil type of ecLand at {far.sum()} of {len(far)} "
                f"land points of '{self.store}', e.g. {capacity[far][0]:.4f} and {wilting[far][0]:.4f} m3 m-3. Take "
                "`slt` from another variable, or leave it out and train with increments."
            )
        if bad.any() and not isinstance(missing, float):
            raise ValueError(
                f"Field capacity or wilting point are missing (NaN) at {bad.sum()} of {len(bad)} land points of "
                f"'{self.store}'. Give the soil type of such points: `missing: 2` for 'slt' in the mapping."
            )
        counts = {
            SOIL_TYPES[int(k) - 1]: int(n) for k, n in zip(*np.unique(found[~bad], return_counts=True), strict=True)
        }
        LOG.info("Soil types from their constants: %s; %d points have none", counts, bad.sum())
        return np.where(bad, missing if bad.any() else 0.0, found)

    def _check(self) -> None:
        """Refuse values of a few dates that contradict the mapping."""
        extremes = Extremes(self.names)
        for index in sample_dates(len(self.dates), _CHECKED, self.missing):
            values = self.at(index)
            extremes.add(values)
            place = index + self._first
            if (moved := self._moved(self._store(place))) is not None:
                raise ValueError(
                    f"'{moved}' of '{self.store}' changes in time, but the table has it constant. Correct the mapping."
                )
            check_related(dict(zip(self.names, values, strict=True)), self.store)
        check_values(extremes, self._ranges, self.store, few=True)

    def _moved(self, values: np.ndarray) -> str | None:
        """Return a source of a constant variable that differs from that at the first date."""
        first = self._store(self._whole(0))
        for name, sources in self._sources.items():
            for source in sources if variable(name).time is Time.CONSTANT else ():
                row = self._rows[source]
                if not np.array_equal(values[row], first[row], equal_nan=True):
                    return source
        return None

    @property
    def _ranges(self) -> dict[str, tuple[float, float]]:
        return {n: c.largest for n, c in self.mapping.variables.items() if c.largest is not None}

    @cached_property
    def statistics(self) -> dict[str, dict[str, np.ndarray]]:
        """Statistics of the land points by name, of ``values`` and of ``changes`` in 6 h, each of shape (variable,).

        Those of the store would contain the sea, and know nothing of derived variables; these are computed from the
        dates that the mapping declares.
        """
        period = self.mapping.statistics
        first, last = _moment(period.start, last=False), _moment(period.end, last=True)
        inside = np.ones(len(self.dates), bool) if first is None else self.dates >= first
        inside &= True if last is None else self.dates <= last
        within = np.flatnonzero(inside)
        if len(within) < 3:
            raise ValueError(
                f"'{self.store}' has {self.dates[0]} to {self.dates[-1]}, and the period of the statistics in the "
                f"mapping is {period.start} to {period.end}. Change `statistics`."
            )
        begin, end = int(within[0]), int(within[-1]) + 1
        chosen = [
            begin + 1 + i for i in sample_dates(end - begin - 1, period.dates, [m - begin - 1 for m in self.missing])
        ]
        LOG.info("Statistics of '%s' from %d dates, %s to %s", self.store, len(chosen), self.dates[begin],
                 self.dates[end - 1])  # fmt: skip
        values, changes = Extremes(self.names), Extremes(self.names)
        for index in chosen:
            now = self.at(index)
            values.add(now)
            if index - 1 not in self.missing:
                changes.add(now.astype(np.float64) - self.at(index - 1))
        check_values(values, self._ranges, self.store)
        return {"values": values.statistics(), "changes": changes.statistics()}


def soil_type_of(capacity: np.ndarray, wilting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the soil type from the water at field capacity and at wilting point.

    Returns the nearest type and the larger difference of the two [m3 m-3], each of shape (point,); NaN where one is
    missing. Types 2 (medium) and 7 (tropical organic) have the same parameters in ecLand, and count as 2.
    """
    of_capacity, of_wilting, _ = soil_parameters(np.arange(1, len(SOIL_TYPES) + 1))
    away = np.maximum(np.abs(capacity[:, None] - of_capacity), np.abs(wilting[:, None] - of_wilting))
    bad = ~np.isfinite(away).all(axis=1)
    nearest_type = np.argmin(np.where(bad[:, None], 0.0, away), axis=1)
    distance = away[np.arange(len(away)), nearest_type]
    return np.where(bad, np.nan, nearest_type + 1.0), np.where(bad, np.nan, distance)


def _equal(found: str, declared: str, name: str, column: Column) -> bool:
    """Return whether two units of a variable mean the same; ``m`` of water in a store is that of water equivalent."""
    expected = AMOUNTS[variable(name).units] if column.over else table_units(name)
    one, two = factor(found, expected), factor(declared, expected)
    return one is not None and one == two


def _moment(date: str | None, *, last: bool) -> np.datetime64 | None:
    """Return the moment of a date; the ``last`` of a day, month or year that is given without a time of day."""
    if date is None:
        return None
    moment = np.datetime64(date)
    return (moment + 1).astype("datetime64[s]") - np.timedelta64(1, "s") if last else moment.astype("datetime64[s]")


def variable_metadata(name: str) -> dict[str, Any]:
    """Return the metadata of a variable of a dataset, as Anemoi writes them: unit, period of a mean, kind."""
    row = VARIABLES[name]
    out: dict[str, Any] = {"units": row.units}
    if archive_param(name):
        out["mars"] = {"param": name, "levtype": "sfc"}
    if row.time is Time.CONSTANT:
        out["constant_in_time"] = True
    if row.time is Time.INTERVAL_MEAN:
        out |= {"period": ["0h", "6h"], "process": "average"}
    if row.computed:
        out |= {"computed_forcing": True, "constant_in_time": False}
    return out
