# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Re-forecasts: integrations from one or many initial dates, with dimensions (start, lead, point).

A file of the output ``land-netcdf`` (time, point) is the special case of one start, whose first record is the initial
state. Values are read in blocks of starts, and only the requested leads and points.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from anemoi_ailand.evaluation.fields.fields import Fields, Header, dataset_name, open_fields, stored
from anemoi_ailand.support.disk_errors import not_found

LOG = logging.getLogger(__name__)

_HOUR = np.timedelta64(1, "h")
_DIMENSIONS = ("start", "lead", "point")
_HOUR_NAMES = {"h", "hour", "hours"}

#: ``(name, starts, leads, points) -> (start, lead, point)``; the last three are indices into the file.
Reader = Callable[[str, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Reforecast(Header):
    """Re-forecast (start, lead, point): its header, and a reader of its values that :meth:`read` calls.

    Parameters
    ----------
    starts : numpy.ndarray
        Initial dates ``(start,)``, ``datetime64[ns]``, increasing.
    leads : numpy.ndarray
        Lead times ``(lead,)`` [h], increasing, above zero.
    reader : callable
        Reads values at indices into the file, see :data:`Reader`.
    at : tuple of numpy.ndarray
        Indices into the file of the starts, leads and points.

    The other parameters are those of :class:`~anemoi_ailand.evaluation.fields.fields.Header`.
    """

    starts: np.ndarray
    leads: np.ndarray
    reader: Reader
    at: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def valid_times(self) -> np.ndarray:
        """Valid times ``(start, lead)``."""
        return self.starts[:, None] + self.leads[None, :] * _HOUR

    def select(
        self,
        starts: np.ndarray | slice | None = None,
        leads: np.ndarray | slice | None = None,
        points: np.ndarray | slice | None = None,
    ) -> Reforecast:
        """Return a view of some starts, leads and points, given by indices or slices."""
        starts, leads, points = (slice(None) if i is None else i for i in (starts, leads, points))
        return replace(
            self,
            starts=self.starts[starts],
            leads=self.leads[leads],
            latitude=self.latitude[points],
            longitude=self.longitude[points],
            at=(self.at[0][starts], self.at[1][leads], self.at[2][points]),
        )

    def read(self, name: str) -> np.ndarray:
        """Return the values ``(start, lead, point)`` of a variable, float32; NaN and infinity are an error."""
        values = self.reader(name, *self.at).astype(np.float32, copy=False)
        bad = ~np.isfinite(values)
        if bad.any():
            start, lead, point = np.argwhere(bad)[0]
            raise ValueError(
                f"'{name}' of '{self.path}' has {int(bad.sum())} values of {bad.size} that are NaN or infinite, first "
                f"in the run from {np.datetime_as_string(self.starts[start], 'h')} at lead {self.leads[lead]} h, "
                f"latitude {self.latitude[point]:.4f}, longitude {self.longitude[point]:.4f}. The run diverged, its "
                "input has NaN, or the file was not finished: repair it and run again."
            )
        return values


def open_reforecast(path: str | Path) -> Reforecast:
    """Open a re-forecast (start, lead, point), or a forecast of the output ``land-netcdf`` (time, point).

    A forecast has one start, its first record. Only the header is read here; ``select`` and ``read`` of the result give
    values of shape (start, lead, point).

    Raises
    ------
    FileNotFoundError
        ``path`` does not exist.
    ValueError
        The file cannot be read, has another layout, or its starts or leads are not in order.

    Examples
    --------
    >>> from anemoi_ailand import folder, open_reforecast
    >>> run = open_reforecast(folder("sample") / "ecland_2022.nc")
    >>> run.select(leads=slice(4)).read("swvl1").shape
    (1, 4, 44)
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise not_found(path, "file")
    with stored(path) as dataset:
        if "start" in dataset.dims or path.is_dir():
            return _checked(_describe(path, dataset))
    return _of_one_start(open_fields(path))


def _describe(path: Path, dataset: xr.Dataset) -> Reforecast:
    needed = ("start", "lead", "latitude", "longitude")
    missing = [name for name in needed if name not in dataset.variables]
    if missing or any(name not in dataset.sizes for name in _DIMENSIONS):
        raise ValueError(
            f"'{path}' has no {missing or f'dimensions {_DIMENSIONS}'}; it has dimensions {dict(dataset.sizes)}. "
            "Give a re-forecast (start, lead, point), or a forecast written by the output 'land-netcdf'."
        )
    unit = dataset["lead"].attrs.get("units", "h")
    if unit not in _HOUR_NAMES:
        raise ValueError(f"The leads of '{path}' are in '{unit}', not in hours. Write them in 'h'.")
    raw = {dataset_name(str(n), v): str(n) for n, v in dataset.data_vars.items() if set(v.dims) == set(_DIMENSIONS)}
    return Reforecast(
        path=path,
        starts=dataset["start"].values.astype("datetime64[ns]"),
        leads=dataset["lead"].values.astype(np.int64),
        latitude=dataset["latitude"].values.astype(np.float64),
        longitude=dataset["longitude"].values.astype(np.float64),
        units={name: dataset[found].attrs.get("units") for name, found in raw.items()},
        reader=_reader(path, raw),
        at=(np.arange(dataset.sizes["start"]), np.arange(dataset.sizes["lead"]), np.arange(dataset.sizes["point"])),
        attributes=dict(dataset.attrs),
    )


def _reader(path: Path, raw: dict[str, str]) -> Reader:
    def read(name: str, *at: np.ndarray) -> np.ndarray:
        hulls = dict(zip(_DIMENSIONS, map(_hull, at), strict=True))
        with stored(path) as dataset:
            part = dataset[raw[name]].transpose(*_DIMENSIONS).isel(hulls)
            return part.values[np.ix_(*(index - index.min() for index in at))]

    return read


def _hull(index: np.ndarray) -> slice:
    """Smallest slice that covers ``index``; files are read faster in one piece than at scattered indices."""
    return slice(int(index.min()), int(index.max()) + 1)


def _of_one_start(fields: Fields) -> Reforecast:
    """Return the re-forecast of one start from a forecast (time, point) whose first record is the initial state."""
    if len(fields.times) < 2:
        raise ValueError(f"'{fields.path}' holds the initial state only. Run the forecast for at least one step.")

    def read(name: str, starts: np.ndarray, leads: np.ndarray, points: np.ndarray) -> np.ndarray:
        part = _hull(leads)
        values = fields.reader([name], part.start + 1, part.stop + 1)[:, 0]
        return values[np.ix_(leads - part.start, points)][None]

    leads = (fields.times[1:] - fields.times[0]) // _HOUR
    return Reforecast(
        path=fields.path,
        starts=fields.times[:1],
        leads=leads.astype(np.int64),
        latitude=fields.latitude,
        longitude=fields.longitude,
        units=fields.units,
        reader=read,
        at=(np.arange(1), np.arange(len(leads)), np.arange(len(fields.latitude))),
        attributes=fields.attributes,
    )


def _checked(found: Reforecast) -> Reforecast:
    sizes = {"start": len(found.starts), "lead": len(found.leads), "point": len(found.latitude)}
    if not all(sizes.values()) or not found.units:
        raise ValueError(
            f"'{found.path}' holds no values: its sizes are {sizes}, its variables {found.variables}. Write it again."
        )
    if found.leads[0] <= 0 or np.any(np.diff(found.leads) <= 0):
        raise ValueError(
            f"The leads of '{found.path}' are {found.leads[:8].tolist()} ... h; they must be above zero and increase. "
            "Write the file again."
        )
    if np.any(np.diff(found.starts) <= np.timedelta64(0)):
        at = int(np.argmax(np.diff(found.starts) <= np.timedelta64(0)))
        raise ValueError(
            f"The starts of '{found.path}' must increase, but {found.starts[at]} is followed by "
            f"{found.starts[at + 1]}. Write the file again with each start once, in order of time."
        )
    LOG.info(
        "Re-forecast %s: %s, leads %s to %s h, %s", found.path, sizes, found.leads[0], found.leads[-1], found.variables
    )
    return found
