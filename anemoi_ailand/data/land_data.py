# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Land data from any files as a labelled dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anemoi_ailand.constants import EARTH_RADIUS
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import Coverage, Reader
from anemoi_ailand.support.dates import bounds_of
from anemoi_ailand.support.netcdf_writer import COORDINATES, time_coordinate, variable_attributes
from anemoi_ailand.support.object_display import as_html, as_text, display_name, places
from anemoi_ailand.support.sphere import nearest_points
from anemoi_ailand.variables import Role, Time, match_name, variable

if TYPE_CHECKING:
    import xarray as xr


class LandData:
    """Opened land data: prints period, points and variables, and reads them as an :class:`xarray.Dataset`.

    Nothing is read before :meth:`to_xarray`. :meth:`LandStepper.run <anemoi_ailand.rollout.stepper.LandStepper.run>`
    takes the object itself and reads it in pieces.

    Parameters
    ----------
    reader : Reader
        Reader of the files.

    Examples
    --------
    >>> from anemoi_ailand import open_data
    >>> data = open_data("$AILAND_SAMPLE")
    >>> print(data.coverage)
    2020-01-01 00:00 to 2022-12-31 18:00 every 6:00:00
    >>> day = data.to_xarray("2020-05-01", variables=["swvl1", "2t"], points=[0, 3])
    >>> dict(day.sizes), day["t2m"].units
    ({'time': 4, 'point': 2}, 'K')
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, in the order of the table."""
        return self.reader.variables

    @property
    def coverage(self) -> Coverage:
        """First and last date, and the step between."""
        return self.reader.coverage

    def nearest(self, latitude: Any, longitude: Any, within: float = 100.0) -> Any:
        """Find the position of the nearest point, for ``points`` of :meth:`to_xarray` and ``isel(point=...)``.

        Parameters
        ----------
        latitude, longitude : float or sequence of float
            Place or places [degrees]; longitudes from -180 or 0.
        within : float
            Largest distance that is accepted [km].

        Returns
        -------
        int or numpy.ndarray
            Position, one for each place.

        Raises
        ------
        ValueError
            The nearest point is farther away; the message gives place and distance.

        Examples
        --------
        >>> from anemoi_ailand import open_data
        >>> data = open_data("$AILAND_SAMPLE")
        >>> kiel = data.to_xarray("2022-07", points=data.nearest(54.3, 10.1))
        >>> kiel["latitude"].values.round(1).tolist()
        [54.2]
        """
        targets = np.atleast_1d(np.asarray(latitude, float)), np.atleast_1d(np.asarray(longitude, float))
        points, degrees = nearest_points((self.reader.latitudes, self.reader.longitudes), targets)
        apart = np.radians(degrees) * EARTH_RADIUS
        if (apart > within).any():
            i, k = int(np.argmax(apart)), int(points[np.argmax(apart)])
            raise ValueError(
                f"The point of {self.reader.name} nearest to {targets[0][i]:g}, {targets[1][i]:g} is number {k} at "
                f"{self.reader.latitudes[k]:.3f}, {self.reader.longitudes[k]:.3f}, {apart[i]:.0f} km away. Give "
                f"another place, or `within={np.ceil(apart[i]):.0f}`."
            )
        return int(points[0]) if np.ndim(latitude) == 0 else points

    def to_xarray(
        self, period: Any = None, variables: Sequence[str] | str | None = None, points: Any = None
    ) -> xr.Dataset:
        """Read into memory.

        Parameters
        ----------
        period : date, pair of dates, or None
            ``"2020-05"`` or ``"2020"`` for a month or a year, ``("2020-05-01", "2020-06-15")`` with the whole last day,
            or dates as ``datetime`` or ``numpy.datetime64``; None, also within a pair, is open.
        variables : list of str, optional
            Names of the table or of NetCDF (``2t`` or ``t2m``); by default all.
        points : optional
            Positions of points: a number, list or slice, see :meth:`nearest`; by default all.

        Returns
        -------
        xarray.Dataset
            Dimensions (time, point), constant fields (point), float32, under the NetCDF names (``t2m`` for ``2t``),
            with units and other CF attributes.

        Raises
        ------
        ValueError
            The period has no date in the data, or a variable is not in them; the message gives the nearest.
        """
        import xarray as xr  # slow to import

        reader, wanted = self.reader, self.variables
        if variables is not None:
            given = [variables] if isinstance(variables, str) else variables
            wanted = tuple(dict.fromkeys(match_name(n, self.variables, reader.name) for n in given))
        dates = self._dates(period)
        chosen = _chosen(points, reader.latitudes.size, reader.name)
        values = reader.read(wanted, dates)[..., chosen]
        fields = {}
        for name, field in zip(wanted, values, strict=True):
            row = variable(name)
            constant = row.time is Time.CONSTANT
            content = (("point",), field[0]) if constant else (("time", "point"), field)
            fields[row.netcdf_name] = (*content, variable_attributes(name))
        coordinates: dict[str, Any] = {
            "time": ("time", np.array(dates, "datetime64[ns]"), time_coordinate()),
            "latitude": ("point", reader.latitudes[chosen], COORDINATES["latitude"]),
            "longitude": ("point", reader.longitudes[chosen], COORDINATES["longitude"]),
            "point_id": ("point", reader.point_id[chosen], variable_attributes("point_id")),
        }
        return xr.Dataset(fields, coordinates, {"source": reader.name})

    def _dates(self, period: Any) -> list[Any]:
        first, last = bounds_of(period)
        dates = self.coverage.dates()
        stamps = np.array(dates, "datetime64[s]")
        inside = np.ones(len(dates), bool) if first is None else stamps >= first
        inside &= True if last is None else stamps <= last
        if not inside.any():
            raise ValueError(f"{self.reader.name} has no date in the period {period!r}; it covers {self.coverage}.")
        return [date for date, wanted in zip(dates, inside, strict=True) if wanted]

    def _rows(self) -> dict[str, str]:
        rows = {"period": str(self.coverage), "points": places(self.reader.latitudes, self.reader.longitudes)}
        for role in Role:
            if found := [display_name(n) for n in self.variables if variable(n).role is role]:
                rows[role.value] = ", ".join(found)
        return rows

    def __repr__(self) -> str:
        return as_text(f"LandData {self.reader.name}", self._rows())

    def _repr_html_(self) -> str:
        return as_html(f"LandData {self.reader.name}", self._rows())


def _chosen(points: Any, number: int, name: str) -> np.ndarray:
    """Return the positions of chosen points: a number, list or slice, of a mask those that are true; None is all."""
    try:
        return np.atleast_1d(np.arange(number)[slice(None) if points is None else points])
    except IndexError as error:
        raise ValueError(
            f"The points {points!r} are not all in '{name}', which has {number}. Give numbers from 0 to {number - 1}."
        ) from error


def open_data(
    path: str | Path | Sequence[str | Path],
    static: str | Path | Sequence[str | Path] | None = None,
    layout: str = "auto",
    **options: Any,
) -> LandData:
    """Open land data in any layout: NetCDF, GRIB, ecLand's own files, or an Anemoi dataset.

    Parameters
    ----------
    path : str, Path or list
        Folders, files, globs or patterns ``{date:strftime(%Y)}``, or an Anemoi dataset ``*.zarr``; ``~`` and ``$VAR``
        are expanded, and ``$AILAND_SAMPLE`` is the packaged sample.
    static, layout, **options
        Rarely needed: file of the constant fields, layout that is not recognised, options of its reader; see
        :func:`~anemoi_ailand.data.open_reader.open_reader`.

    Returns
    -------
    LandData
        Prints its period, points and variables; ``to_xarray`` reads.

    Raises
    ------
    FileNotFoundError
        No file matches.
    ValueError
        Nothing is recognised in the files.

    Examples
    --------
    >>> from anemoi_ailand import open_data
    >>> open_data("$AILAND_SAMPLE").to_xarray("2020-05")["swvl1"].dims
    ('time', 'point')
    """
    return LandData(open_reader(path, static, layout, **options))
