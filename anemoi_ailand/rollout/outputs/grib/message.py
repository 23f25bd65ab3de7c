# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""GRIB messages of one variable: parameter, level, statistical processing, member, units, packing.

Parameters are those that :mod:`anemoi_ailand.data.grib.parameters` reads, with inverse unit factors, so the package
reads what it writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from anemoi.inference.types import FloatArray

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS
from anemoi_ailand.data.grib.index import open_message
from anemoi_ailand.data.grib.parameters import PARAMETERS, Level, Parameter, factor
from anemoi_ailand.rollout.outputs.grib.grid import Grid, set_keys
from anemoi_ailand.rollout.outputs.output_columns import MEAN, SPREAD, Column
from anemoi_ailand.support.eccodes import eccodes
from anemoi_ailand.variables import Time, variable

#: Fluxes as mean over their interval, or as amount since the start of the forecast.
MEANS, ACCUMULATED = "mean", "accumulated"
#: Soil as levels of ``vsw`` and ``sot``, or as one parameter per layer.
LEVELS, LAYERS = "levels", "parameters"
CCSDS, SIMPLE = "ccsds", "simple"

#: Parameters that are written but not read: ``avg_ie`` and net exchange are positive downward (as in CAMS), opposite to
#: the table.
_MORE: dict[str, tuple[Parameter, ...]] = {
    "evap": (Parameter(235043, "avg_ie", sign=-1, mean=True),),
    "gpp": (Parameter(228084, "fco2gpp", mean=True), Parameter(228081, "aco2gpp", accumulated=True)),
    "nee": (
        Parameter(228083, "fco2nee", sign=-1, mean=True),
        Parameter(228080, "aco2nee", sign=-1, accumulated=True),
    ),
}
#: Carbon dioxide fluxes, atmospheric constituents in GRIB2.
_CONSTITUENTS = ("gpp", "nee")
#: Parameters that GRIB1 does not have.
_ONLY_GRIB2 = frozenset({228032, 228038, 229001, 231010, 231012, 260038, 260199, 260360})

#: Version of the WMO master tables with all parameters.
_TABLES = 33
#: Missing value while encoding, outside the range of every field.
_MISSING = 1.0e35
#: GRIB2 product templates of a member, a statistic over members and a quantile, by that of a single forecast.
_TEMPLATES: dict[int, dict[str, int]] = {
    0: {"member": 1, "derived": 2, "percentile": 6},
    8: {"member": 11, "derived": 12, "percentile": 10},
    40: {"member": 41},
    42: {"member": 43},
}
#: GRIB2 code table 4.7: unweighted mean of all members, spread of all members.
_DERIVED = {MEAN: 0, SPREAD: 4}
_TYPES = {MEAN: "em", SPREAD: "es"}
#: MARS keys, which need ECMWF's local section.
_LOCAL = ("class", "stream", "expver", "type", "marsClass", "marsStream", "experimentVersionNumber", "marsType")


@dataclass(frozen=True)
class Style:
    """Encoding options that all messages of a file share.

    They are those of :class:`~anemoi_ailand.rollout.outputs.grib.output.LandGribOutput`.
    """

    edition: int = 2
    fluxes: str = MEANS
    soil: str = LEVELS
    packing: str = SIMPLE
    keys: Mapping[str, Any] = field(default_factory=dict)


def is_flux(name: str) -> bool:
    """Return whether a variable is a mean over the step."""
    return variable(name).time in (Time.INTERVAL_MEAN, Time.LATE_MEAN)


def parameter(name: str, style: Style) -> Parameter | None:
    """Return the parameter of a variable; None if the edition has none.

    GRIB1 uses ECMWF's (``sd`` in m of water equivalent, ``swvl1``), GRIB2 WMO's where they exist (``sd`` in kg m-2,
    levels of ``vsw``).
    """
    ways = [*PARAMETERS.get(name, ()), *_MORE.get(name, ())]
    if is_flux(name):
        ways = [w for w in ways if (w.accumulated if style.fluxes == ACCUMULATED else w.mean)]
        return ways[0] if ways else None
    ways = [w for w in ways if not w.interval and not w.logarithm and Level.MODEL not in w.levels]
    if style.edition == 1:
        ways = [w for w in ways if w.param not in _ONLY_GRIB2]
    if not ways:
        return None
    old = style.edition == 1 or (Level.SOIL in ways[0].levels and style.soil == LAYERS)
    return ways[0] if old else ways[-1]


def why_not(column: Column, style: Style) -> str | None:
    """Return the reason why a column cannot be written; None if it can."""
    if parameter(column.name, style) is None:
        return f"GRIB{style.edition} has no parameter for it"
    if column.statistic is not None and column.name in _CONSTITUENTS and style.edition == 2:
        return "GRIB2 has no statistics of constituents"
    if column.percentile is not None and style.edition == 1:
        return "GRIB1 has no quantiles"
    if column.percentile is not None and not column.percentile.is_integer():
        return "percentiles of GRIB are whole numbers"
    return None


class Encoder:
    """Encoder of a column for which :func:`why_not` returns None.

    ``data_type`` is ``fc``, ``an`` or, for members, ``pf``; statistics have their own. :attr:`way` is the parameter,
    :attr:`scale` the signed factor from the units of the table (times s for an accumulation) to those of GRIB,
    :attr:`short_name` the name in ecCodes.

    Raises
    ------
    ValueError
        ecCodes does not know a key, or a key changes the parameter.
    """

    def __init__(
        self, grid: Grid, column: Column, style: Style, bits: int, data_type: str, n_members: int | None = None
    ) -> None:
        way = parameter(column.name, style)
        assert way is not None
        self.way, self._grid, self._column, self._style = way, grid, column, style
        with open_message(_bare(grid.message, style.edition)) as handle:
            try:
                self._prepare(handle, data_type, n_members)
                self._pack(handle, bits)
            except eccodes.CodesInternalError as error:
                raise ValueError(
                    f"ecCodes cannot make a GRIB{style.edition} message of '{column.netcdf_name}' on the grid "
                    f"{grid.name} with `keys: {dict(style.keys)}`: {error}. Correct `keys` or `grid`."
                ) from error
            self.short_name = eccodes.codes_get_string(handle, "shortName")
            scale = 1.0 / factor(column.name, way, eccodes.codes_get_string(handle, "units"))
            self._message = bytes(eccodes.codes_get_message(handle))
        self.scale = abs(scale) if column.statistic == SPREAD else scale

    @property
    def interval(self) -> bool:
        """True if a message covers an interval."""
        return self.way.interval or self._column.means is not None

    def __call__(
        self, values: FloatArray, base: datetime, start: timedelta, end: timedelta, number: int | None = None
    ) -> bytes:
        """Encode one message.

        ``values`` (point,) are in the units of the table (times s for an accumulation), NaN is missing. ``start`` and
        ``end`` bound the interval relative to the date ``base`` of the message, in whole hours; of an instant only
        ``end`` counts. ``number`` is that of the member.
        """
        values = self._grid.field(values * self.scale, _MISSING)
        with open_message(self._message) as handle:
            if number is not None:
                eccodes.codes_set(handle, "number", number)
            set_keys(handle, _date_keys(base))
            self._set_step(handle, start, end)
            if (values == _MISSING).any():
                set_keys(handle, {"bitmapPresent": 1, "missingValue": _MISSING})
            eccodes.codes_set_values(handle, values)
            return bytes(eccodes.codes_get_message(handle))

    def _set_step(self, handle: int, start: timedelta, end: timedelta) -> None:
        hour = timedelta(hours=1)
        try:
            if self.interval:
                eccodes.codes_set(handle, "stepRange", f"{start // hour}-{end // hour}")
            else:
                eccodes.codes_set(handle, "step", end // hour)
        except eccodes.CodesInternalError as error:
            raise ValueError(
                f"GRIB{self._style.edition} cannot encode the interval of '{self._column.netcdf_name}', steps "
                f"{start // hour} to {end // hour} h ({error}). Set `dates: valid` or `edition: 2`."
            ) from error

    def _prepare(self, handle: int, data_type: str, n_members: int | None) -> None:
        """Set the part of the header that does not change in time."""
        style, column = self._style, self._column
        set_keys(handle, {"paramId": self.way.param, **_level(self.way, column.name, style)})
        if self.interval:
            kind = "accum" if self.way.accumulated and not column.means else "avg"
            eccodes.codes_set(handle, "stepType", kind)
        kind = "" if n_members is None else "member" if column.statistic is None else "derived"
        kind = "percentile" if column.percentile is not None else kind
        if kind and style.edition == 2:
            now = eccodes.codes_get_long(handle, "productDefinitionTemplateNumber")
            eccodes.codes_set(handle, "productDefinitionTemplateNumber", _TEMPLATES[now][kind])
        data_type = "pb" if kind == "percentile" else _TYPES.get(column.statistic or "", data_type)
        if style.edition == 2 and (kind in ("derived", "percentile") or any(k in _LOCAL for k in style.keys)):
            # not an operational file of ECMWF unless `keys` make it one
            set_keys(handle, {"setLocalDefinition": 1, "class": "rd"})
        set_keys(handle, {"dataType": data_type, **self._ensemble(kind, n_members)})
        set_keys(handle, style.keys)
        self._check_parameter(handle)

    def _ensemble(self, kind: str, n_members: int | None) -> dict[str, int]:
        if not kind:
            return {}
        if kind == "percentile":
            # with the opposite sign, a low quantile is a high one
            percentile = round(self._column.percentile or 0.0)
            return {"percentileValue": percentile if self.way.sign > 0 else 100 - percentile}
        size = {"numberOfForecastsInEnsemble": n_members or 0}
        if kind == "derived" and self._style.edition == 2:
            return {**size, "derivedForecast": _DERIVED[self._column.statistic or ""]}
        return size

    def _check_parameter(self, handle: int) -> None:
        """Refuse keys that change the parameter; a mean of instants may have another one."""
        found = eccodes.codes_get_long(handle, "paramId")
        if found != self.way.param and (self._column.means is None or found == 0):
            name = eccodes.codes_get_string(handle, "shortName")
            raise ValueError(
                f"The message of '{self._column.netcdf_name}' is not {self.way.short_name} (paramId {self.way.param}) "
                f"for ecCodes {eccodes.codes_get_api_version()}, but {name} ({found}). Remove what changes the "
                "parameter from `keys`, or leave the variable out."
            )

    def _pack(self, handle: int, bits: int) -> None:
        # a change of packing makes ecCodes pack the present values again: they must fit the grid and have no bitmap
        eccodes.codes_set(handle, "bitmapPresent", 0)
        eccodes.codes_set(handle, "packingType", "grid_simple")
        eccodes.codes_set_values(handle, np.zeros(self._grid.size))
        if self._style.packing == CCSDS:
            eccodes.codes_set(handle, "packingType", "grid_ccsds")
        eccodes.codes_set(handle, "bitsPerValue", bits)


def _bare(message: bytes, edition: int) -> bytes:
    """Return a message on the same grid without the product of a template."""
    with open_message(message) as handle:
        if eccodes.codes_get_long(handle, "edition") != edition:
            eccodes.codes_set(handle, "edition", edition)
        keys: dict[str, Any] = {"tablesVersion": _TABLES, "productDefinitionTemplateNumber": 0}
        if edition == 1:
            # GRIB1 has type and member in ECMWF's local section; not an operational file unless `keys` make it one
            keys = {"setLocalDefinition": 1, "localDefinitionNumber": 1, "class": "rd", "stepType": "instant"}
        elif eccodes.codes_get_long(handle, "localUsePresent"):
            keys["deleteLocalDefinition"] = 1
        set_keys(handle, {**keys, "typeOfLevel": "surface"})
        if edition == 1:
            eccodes.codes_set(handle, "level", 0)
        return bytes(eccodes.codes_get_message(handle))


def coordinates(grid: Grid, latitudes: FloatArray, longitudes: FloatArray, date: datetime) -> bytes:
    """Encode ``lat`` and ``lon`` (paramId 250001, 250002; 24 bits) of an unstructured grid, edition 2 [degrees]."""
    out = b""
    for param, values in ((250001, latitudes), (250002, longitudes)):
        with open_message(grid.message) as handle:
            first = {"tablesVersion": _TABLES, "paramId": param, "dataType": "fc", "bitsPerValue": 24}
            set_keys(handle, {**first, **_date_keys(date)})
            eccodes.codes_set_values(handle, values.astype("f8"))
            out += bytes(eccodes.codes_get_message(handle))
    return out


def _date_keys(date: datetime) -> dict[str, int]:
    return {"dataDate": int(f"{date:%Y%m%d}"), "dataTime": int(f"{date:%H%M}")}


def _level(way: Parameter, name: str, style: Style) -> dict[str, Any]:
    """Return the keys of the level: the soil layer by number if the parameter has one, else by depth."""
    if Level.SOIL not in way.levels:
        return {}
    if way.layer is not None:
        return {"typeOfLevel": "soilLayer", "topLevel": way.layer - 1, "bottomLevel": way.layer}
    layer = int(name[-1])
    top, bottom = (round(100.0 * sum(SOIL_LAYER_THICKNESS[:k])) for k in (layer - 1, layer))
    if style.edition == 1:  # one octet is too small for 289 cm: 255, as ECMWF does
        return {"typeOfLevel": "depthBelowLandLayer", "topLevel": top, "bottomLevel": min(bottom, 255)}
    depths = {"First": top, "Second": bottom}
    keys: dict[str, Any] = {"typeOfLevel": "depthBelowLandLayer"}
    for surface, depth in depths.items():
        keys |= {f"scaleFactorOf{surface}FixedSurface": 2, f"scaledValueOf{surface}FixedSurface": depth}
    return keys
