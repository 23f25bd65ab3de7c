# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Common form of the stations of all archives: sensors on soil layers, units of the table, one time axis."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS
from anemoi_ailand.data.observations.impossible import without_impossible
from anemoi_ailand.data.stations.sampling import STEP
from anemoi_ailand.support.sphere import check_coordinates
from anemoi_ailand.support.units import CO2_FLUX, conversion, same_units, table_units
from anemoi_ailand.variables import VARIABLES

LOG = logging.getLogger(__name__)

#: Quantities measured in the soil at a depth; the number of the layer is appended to the name.
SOIL = ("swvl", "stl")

#: Measured quantities without a row in the table, as a sum of rows: net radiation is net short-wave plus net long-wave.
SUMS: dict[str, tuple[str, ...]] = {"rnet": ("ssr", "str")}

#: Ground heat flux, positive downward, which only the closure of the energy balance needs.
GROUND = "ground"

#: Values of a half hour that a tower can measure, in unit and sign of the table: the physical ranges of AmeriFlux, and
#: for soil moisture the porosity of peat. Those beyond are faults of instruments.
LIMITS: dict[str, tuple[float, float]] = {
    "slhf": (-900.0, 450.0), "sshf": (-900.0, 450.0), "rnet": (-250.0, 1100.0), GROUND: (-250.0, 400.0),
    "swvl": (0.0, 0.8), "stl": (233.0, 338.0),
}  # fmt: skip

#: Use of several sensors in one layer: the one nearest to the middle of the layer, or their mean.
ONE, MEAN = "one", "mean"

#: Depth of the interfaces between the soil layers, surface first [m]: 0, 0.07, 0.28, 1.00, 2.89.
INTERFACES = tuple(round(sum(SOIL_LAYER_THICKNESS[:k]), 6) for k in range(len(SOIL_LAYER_THICKNESS) + 1))

#: Part of a sensor's length that must lie in a layer for the sensor to belong to it [1].
MINIMUM_OVERLAP = 0.5

#: Top and bottom of a sensor or layer [m].
Depth = tuple[float, float]


@dataclass(frozen=True)
class Sensor:
    """One measured series at 6-hourly stamps, in the unit and with the sign of the table; good values only."""

    name: str  #: row of the table, ``rnet``, or ``swvl`` or ``stl`` with a ``depth``
    times: np.ndarray  #: UTC, increasing, shape (time,)
    values: np.ndarray  #: shape (time,)
    depth: Depth | None = None  #: of a sensor in the soil
    label: str = ""  #: name in the archive


@dataclass(frozen=True)
class Station:
    """A place with observations, made by :func:`make_station`; names are those of the archive.

    ``series`` has variables (time,) under their names in the table (and ``rnet``) at 6-hourly UTC stamps, NaN without a
    good value.
    """

    name: str
    network: str
    latitude: float
    longitude: float
    elevation: float  #: m, NaN if unknown
    series: xr.Dataset
    depths: dict[str, tuple[Depth, ...]] = field(default_factory=dict)  #: of the sensors behind each soil variable
    notes: tuple[str, ...] = ()  #: omissions and assumptions, with the reason
    source: str = ""  #: file or folder

    def __post_init__(self) -> None:
        check_coordinates(np.array([self.latitude]), np.array([self.longitude]), self.source)

    @property
    def variables(self) -> list[str]:
        """Names of the series."""
        return [str(n) for n in self.series.data_vars]


def make_station(
    name: str,
    network: str,
    place: tuple[float, float, float],
    sensors: Sequence[Sensor],
    *,
    per_layer: str = ONE,
    notes: Sequence[str] = (),
    source: str = "",
) -> Station:
    """Assign sensors to soil layers and put them on one time axis; a sensor without values is left out, with a note.

    ``place`` is latitude, longitude [degrees] and elevation [m]. ``per_layer`` selects how several sensors in one layer
    are used: ``one`` takes the one whose middle is nearest to the middle of the layer (of equals, the one with the most
    values); ``mean`` averages all of them where all have a value, so that the failure of a sensor leaves a gap and not
    a jump.
    """
    if per_layer not in (ONE, MEAN):
        raise ValueError(f"`per_layer` is '{per_layer}'; use '{ONE}' or '{MEAN}'.")
    by_name, left_out = _by_variable(sensors)
    chosen = {n: (_nearest(n, group) if per_layer == ONE else group) for n, group in by_name.items()}
    series = _on_one_axis({n: _array(n, group) for n, group in chosen.items()})
    depths = {n: tuple(s.depth for s in g if s.depth is not None) for n, g in chosen.items() if n[:-1] in SOIL}
    for note in (*notes, *left_out):
        LOG.info("Station %s: %s", name, note)
    return Station(name, network, *place, series, depths, (*notes, *left_out), source)


def layer_bounds(layer: int) -> Depth:
    """Return top and bottom of soil layer 1, 2, ... [m]."""
    return INTERFACES[layer - 1], INTERFACES[layer]


def soil_layer(depth: Depth) -> int | None:
    r"""Return the layer with the largest part of a sensor; None if that part is below :data:`MINIMUM_OVERLAP`.

    .. math:: f_k = \frac{|[a, b] \cap [z_{k-1}, z_k]|}{b - a}

    with the sensor from :math:`a` to :math:`b` and layer :math:`k` from :math:`z_{k-1}` to :math:`z_k` [m]. A sensor at
    one depth (:math:`a = b`) belongs to the layer around it; on an interface, to the layer below.
    """
    top, bottom = depth
    layers = range(1, len(INTERFACES))
    if bottom <= top:
        return next((k for k in layers if INTERFACES[k - 1] <= top < INTERFACES[k]), None)
    parts = {k: max(0.0, min(bottom, INTERFACES[k]) - max(top, INTERFACES[k - 1])) / (bottom - top) for k in layers}
    best = max(parts, key=lambda k: parts[k])
    return best if parts[best] >= MINIMUM_OVERLAP else None


def target_units(name: str) -> str:
    """Return the unit of the table for a variable, for all layers of a soil variable (``swvl``, ``stl``), or a sum."""
    if name in SUMS or name == GROUND:
        return table_units("ssr")
    return table_units(name if name in VARIABLES else f"{name}1")


def converted(values: np.ndarray, units: str | None, name: str, where: str) -> np.ndarray:
    """Return measured values in the unit of the table for ``name``, float64, NaN for those beyond :data:`LIMITS`.

    A warning gives the number of the latter; more than a tenth of them, and a missing or ambiguous unit, are errors.
    """
    expected = target_units(name)
    if not units or (expected == CO2_FLUX and same_units(units, "kg m-2 s-1")):
        raise ValueError(
            f"'{name}' in '{where}' has units '{units or ''}', which do not determine '{expected}'. "
            "Correct the attribute 'units'; carbon fluxes in e.g. 'umol m-2 s-1' or 'kg CO2 m-2 s-1'."
        )
    factor, offset = conversion(units, expected, name, where)
    found = np.asarray(values, dtype=np.float64) * factor + offset
    if name not in LIMITS:
        return found
    row = name if name in VARIABLES else f"{name}1" if name in SOIL else "ssr"
    return without_impossible(found, row, f"'{where}'", LIMITS[name])


def _by_variable(sensors: Sequence[Sensor]) -> tuple[dict[str, list[Sensor]], list[str]]:
    groups: dict[str, list[Sensor]] = {}
    notes = []
    for sensor in sensors:
        layer = soil_layer(sensor.depth) if sensor.name in SOIL and sensor.depth is not None else None
        if len(sensor.times) == 0:
            notes.append(f"{sensor.label or sensor.name}: no good value at a 6-hourly stamp")
        elif sensor.name in SOIL and layer is None:
            notes.append(f"{sensor.label or sensor.name}: depth {sensor.depth} m belongs to no soil layer")
        else:
            groups.setdefault(f"{sensor.name}{layer}" if sensor.name in SOIL else sensor.name, []).append(sensor)
    return groups, notes


def _nearest(name: str, group: list[Sensor]) -> list[Sensor]:
    """Return the sensor nearest to the middle of its layer."""

    def order(sensor: Sensor) -> tuple[float, int]:
        middles = sum(sensor.depth or (0.0, 0.0)) / 2, sum(layer_bounds(int(name[-1]))) / 2 if sensor.depth else 0.0
        return round(abs(middles[0] - middles[1]), 6), -len(sensor.times)

    return [min(group, key=order)]


def _array(name: str, group: list[Sensor]) -> xr.DataArray:
    arrays = [xr.DataArray(s.values, dims="time", coords={"time": s.times}) for s in group]
    joined = xr.concat(xr.align(*arrays, join="inner"), "sensor").mean("sensor")
    row = SUMS[name][0] if name in SUMS else name
    attributes = {"units": VARIABLES[row].units, "sensors": "; ".join(s.label for s in group)}
    if name[:-1] in SOIL:
        attributes["layer"] = "{:g}-{:g} m".format(*layer_bounds(int(name[-1])))
    return joined.astype(np.float32).assign_attrs(attributes)


def _on_one_axis(arrays: dict[str, xr.DataArray]) -> xr.Dataset:
    """Return series at all 6-hourly stamps from the first to the last with a value."""
    joined = xr.Dataset(arrays)
    if not joined.sizes.get("time"):
        return joined
    times = joined["time"].values
    return joined.reindex(time=np.arange(times.min(), times.max() + STEP, STEP))
