# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Land data as earthkit fields: light views of one block of all variables and dates of a group.

Anemoi sorts fields by metadata, which takes about 4 ms a field. These fields are sorted from the start, so
:meth:`LandFields.cube` returns a cube without inspecting them; all other requests are served by earthkit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.grib.parameters import archive_param
from anemoi_ailand.hosts.anemoi_datasets import Cubelet
from anemoi_ailand.hosts.earthkit import PointField, PointFieldList, PointGeography, PointMetadata
from anemoi_ailand.variables import HOURLY_RAIN, Time, variable

#: Code of an average in GRIB table 4.10, which marks a value as a mean over a period for Anemoi.
_AVERAGE = 0

#: Start and end of the mean, in hours after the start of the step, by time semantics of the table.
_PERIOD = {Time.INTERVAL_MEAN: (0, STEP_HOURS), Time.LATE_MEAN: (STEP_HOURS // 2, STEP_HOURS)}

#: Coordinates of the cube that Anemoi requests of gridded data, in its order.
_CUBE = ["valid_datetime", "param_level", "number"]


class LandFields(PointFieldList):
    """All ``names`` at all ``dates``, dates slowest, names in alphabetical order, as Anemoi stores them.

    ``load(names, dates)`` returns float32 of shape (name, date, point); called once, when a value is first needed.
    """

    def __init__(
        self,
        names: Sequence[str],
        dates: Sequence[datetime],
        latitudes: np.ndarray,
        longitudes: np.ndarray,
        load: Callable[[Sequence[str], Sequence[datetime]], np.ndarray],
    ) -> None:
        super().__init__()
        self.names, self.dates = tuple(sorted(names)), tuple(dates)
        self.geography = PointGeography({"latitudes": latitudes, "longitudes": longitudes}, shape=latitudes.shape)
        self._load = load
        self._block: np.ndarray | None = None
        self._constant = {name: _constant_metadata(name) for name in self.names}

    @property
    def block(self) -> np.ndarray:
        """Values, float32 of shape (date, name, point)."""
        if self._block is None:
            self._block = np.ascontiguousarray(self._load(self.names, self.dates).swapaxes(0, 1))
        return self._block

    def __len__(self) -> int:
        return len(self.names) * len(self.dates)

    def at(self, n: int) -> PointField:
        """Field ``n`` of the list, dates slowest."""
        return self.field(*divmod(n, len(self.names)))

    def field(self, date: int, name: int) -> PointField:
        """Return the field at a position along dates and names."""
        metadata = {**self._constant[self.names[name]], "valid_datetime": self.dates[date].isoformat()}
        return PointField(self.block[date, name], PointMetadata(metadata, self.geography))

    def cube(self, *args: Any, remapping: Any = None, patches: Any = None, flatten_values: bool = False) -> Any:
        """Return a cube over ``args``, without sorting if it is the cube that Anemoi requests."""
        names = list(args[0]) if len(args) == 1 and isinstance(args[0], list | tuple) else list(args)
        plain = (remapping or {}).get("param_level", "{param}") in ("{param}", "{param}_{levelist}")
        if names == _CUBE and plain and list(self.dates) == sorted(set(self.dates)):
            return LandCube(self)
        return super().cube(*args, remapping=remapping, patches=patches, flatten_values=flatten_values)


class LandCube:
    """Cube (date, name, member) of :class:`LandFields`, with the interface of earthkit's ``FieldCube``."""

    def __init__(self, source: LandFields) -> None:
        self.source = source
        self.user_coords = {
            "valid_datetime": tuple(d.isoformat() for d in source.dates),
            "param_level": source.names,
            "number": (0,),
        }
        self.user_shape = tuple(len(c) for c in self.user_coords.values())
        self.field_shape = self.source.geography.shape()
        self.extended_user_shape = self.user_shape + self.field_shape

    def __str__(self) -> str:
        return f"LandCube({', '.join(f'{k}:{len(v)}' for k, v in self.user_coords.items())})"

    def squeeze(self) -> LandCube:
        """Return the cube itself, as earthkit does."""
        return self

    def count(self, reading_chunks: Any = None) -> int:
        """Return the number of cubelets."""
        return len(self.source.names) + len(self.source.dates) - 1

    def __getitem__(self, coords: tuple[int, ...]) -> PointField:
        return self.source.field(coords[0], coords[1])

    def to_numpy(self) -> np.ndarray:
        """Return all values, shape ``extended_user_shape``."""
        return self.source.block.reshape(self.extended_user_shape)

    def iterate_cubelets(self, reading_chunks: Any = None) -> Iterator[LandCubelet]:
        """Yield the first date field by field, from which Anemoi learns the variables, and later dates as one block.

        Anemoi takes more time to show its progress for a cubelet than to store it.
        """
        for name in range(len(self.source.names)):
            yield LandCubelet(self, (0, name, 0))
        for date in range(1, len(self.source.dates)):
            yield LandCubelet(self, (date,))


class LandCubelet(Cubelet):
    """Part of a :class:`LandCube` at leading coordinates: one field, or all fields of one date."""

    __slots__ = ("cube",)

    def __init__(self, cube: LandCube, coords: tuple[int, ...]) -> None:
        super().__init__(cube.user_coords, coords)
        self.cube = cube

    def to_numpy(self) -> np.ndarray:
        """Return the values, shape (point,) or (name, member, point)."""
        return self.cube.to_numpy()[self.coords]


def _constant_metadata(name: str) -> dict[str, Any]:
    row = variable(name)
    out: dict[str, Any] = {"param": name, "levtype": "sfc", "units": row.units, "in_archive": bool(archive_param(name))}
    out |= dict.fromkeys(("levelist", "level", "number"))
    period = _PERIOD.get(row.time)
    if name in HOURLY_RAIN:
        period = (hour := HOURLY_RAIN.index(name)), hour + 1
    if period is not None:
        out |= {"startStep": period[0], "endStep": period[1], "typeOfStatisticalProcessing": _AVERAGE}
    return out
