# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The common form of a station, whatever archive it comes from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from anemoi_ailand.data.stations.sampling import STEP
from anemoi_ailand.data.stations.soil_layer import Depth, distance_to_centre, layer_bounds, soil_layer
from anemoi_ailand.data.stations.units import SUMS, target_units
from anemoi_ailand.variables import VARIABLES

LOG = logging.getLogger(__name__)

#: What is measured in the soil, at a depth; the layer is added to the name.
SOIL = ("swvl", "stl")

#: How sensors of the same layer become one series: the one nearest to the middle of the layer, or their mean.
ONE, MEAN = "one", "mean"


@dataclass(frozen=True)
class Sensor:
    """One measured series at 6-hourly stamps, in the unit and with the sign of the table.

    Parameters
    ----------
    name : str
        Row of the table, ``rnet``, or ``swvl`` or ``stl`` with a ``depth``.
    times, values : numpy.ndarray
        ``(n,)``, UTC, increasing; good values only.
    depth : (float, float), optional
        From and to [m], of a sensor in the soil.
    label : str
        What the archive calls it.
    """

    name: str
    times: np.ndarray
    values: np.ndarray
    depth: Depth | None = None
    label: str = ""


@dataclass(frozen=True)
class Station:
    """A place with observations. Made by :func:`make_station`.

    Parameters
    ----------
    name, network : str
        As in the archive.
    latitude, longitude, elevation : float
        Degrees north, degrees east, m; the elevation is NaN if it is not known.
    series : xarray.Dataset
        Variables ``(time,)`` under their names in the table (and ``rnet``), NaN where there is no good value; stamps in
        UTC, 6-hourly.
    depths : dict
        From and to [m] of the sensors behind each soil variable.
    notes : tuple of str
        What was left out or assumed, and why.
    source : str
        Where it was read.
    """

    name: str
    network: str
    latitude: float
    longitude: float
    elevation: float
    series: xr.Dataset
    depths: dict[str, tuple[Depth, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if not (-90.0 <= self.latitude <= 90.0 and -180.0 <= self.longitude <= 360.0):
            raise ValueError(
                f"Station '{self.name}' of {self.source} has latitude {self.latitude}, longitude {self.longitude}. "
                "Give degrees north from -90 to 90 and degrees east from -180 to 360."
            )
        unknown = [str(n) for n in self.series.data_vars if n not in VARIABLES and n not in SUMS]
        if unknown:
            raise ValueError(
                f"Station '{self.name}' has series {unknown}, neither in the table anemoi_ailand/variables.py "
                f"nor in {sorted(SUMS)}. Rename them."
            )

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
    """Put sensors on the soil layers and on one time axis.

    Parameters
    ----------
    place : (float, float, float)
        Latitude, longitude [degrees], elevation [m].
    sensors : sequence of Sensor
        A sensor without values is left out, with a note.
    per_layer : str
        Where a layer has several sensors: ``one`` takes that whose middle is nearest to the middle of the layer (of
        equals, the one with the most values); ``mean`` averages all of them, at stamps where all have a value, so that
        a sensor that fails makes a gap and not a jump.

    Raises
    ------
    ValueError
        ``per_layer`` is not known.
    """
    if per_layer not in (ONE, MEAN):
        raise ValueError(f"'{per_layer}' is no way to use several sensors in a layer. Give '{ONE}' or '{MEAN}'.")
    by_name, left_out = _by_variable(sensors)
    chosen = {n: (_nearest(n, group) if per_layer == ONE else group) for n, group in by_name.items()}
    arrays = {n: _array(n, group) for n, group in chosen.items()}
    series = xr.Dataset({n: a.reindex(time=_axis(arrays)) for n, a in arrays.items()}) if arrays else xr.Dataset()
    depths = {n: tuple(s.depth for s in g if s.depth is not None) for n, g in chosen.items() if n[:-1] in SOIL}
    for note in (*notes, *left_out):
        LOG.info("Station %s: %s", name, note)
    return Station(
        name, network, *place, series=series, depths=depths,
        notes=(*notes, *left_out), source=source,
    )  # fmt: skip


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
    def order(sensor: Sensor) -> tuple[float, int]:
        far = distance_to_centre(sensor.depth, int(name[-1])) if sensor.depth is not None else 0.0
        return round(far, 6), -len(sensor.times)

    return [min(group, key=order)]


def _array(name: str, group: list[Sensor]) -> xr.DataArray:
    arrays = [xr.DataArray(s.values, dims="time", coords={"time": s.times}) for s in group]
    joined = xr.concat(xr.align(*arrays, join="inner"), "sensor").mean("sensor")
    attributes = {"units": target_units(name), "sensors": "; ".join(s.label for s in group)}
    if name[:-1] in SOIL:
        attributes["layer"] = "{:g}-{:g} m".format(*layer_bounds(int(name[-1])))
    return joined.astype(np.float32).assign_attrs(attributes)


def _axis(arrays: dict[str, xr.DataArray]) -> np.ndarray:
    """All 6-hourly stamps from the first to the last with a value."""
    times = np.concatenate([a["time"].values for a in arrays.values()])
    if len(times) == 0:
        return times
    return np.arange(times.min(), times.max() + STEP, STEP)
