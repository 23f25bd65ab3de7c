# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Fields of a host program or of data, checked, as the columns of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.rollout.ensembles.ensemble import SINGLE, Ensemble
from anemoi_ailand.rollout.forcing.forcing_filter import check_finite, check_hourly_rain, check_units_fit, limits
from anemoi_ailand.rollout.forcing.records import in_table_units, is_dataset, key_of
from anemoi_ailand.rollout.step.advance import STEP, StepLayout
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.support.options import nearest
from anemoi_ailand.variables import VARIABLES, is_model_error, variable

#: Dates for which sun and calendar are computed ahead of steps one by one, and the largest number of points.
_DATES_AHEAD, _FEW = 16, 64

#: Coordinates that may be given with fields, and all names that may.
_PLACES = frozenset(("time", "date", "point", "latitude", "longitude", "lat", "lon"))
_NAMES = _PLACES | {name for row in VARIABLES.values() for name in (row.name, row.netcdf_name)}


class InputColumns:
    """Columns of a step from fields by name, with sun, calendar and drawn rain where they are not given.

    Parameters
    ----------
    step : LandStep
        Loaded checkpoint.
    layout : StepLayout
        Its columns.
    dtype : torch.dtype
        Precision of the columns.

    ``initial_names`` and ``forcing_names`` are the names that a start and a step look for.
    """

    def __init__(self, step: LandStep, layout: StepLayout, dtype: torch.dtype) -> None:
        self.initial_names = (*layout.prognostic, *layout.static, *layout.forcing_start)
        self.forcing_names = tuple(n for n in layout.forcing if n not in step.drawn)
        self._step, self._layout, self._dtype = step, layout, dtype
        self._numpy = np.dtype(str(dtype).removeprefix("torch."))
        bounds = {names: limits(names) for names in (self.initial_names, layout.forcing)}
        self._limits = {
            n: [torch.from_numpy(x[:, None]).to(step.device, dtype) for x in pair] for n, pair in bounds.items()
        }
        self._ahead: tuple[tuple[Any, ...], datetime, np.ndarray] = ((), datetime.min, np.empty((0, 0, 0)))
        self._single: tuple[Any, Ensemble | None] = (None, None)

    def read(
        self, record: Mapping[str, Any], wanted: tuple[str, ...], dates: Sequence[datetime],
        places: tuple[np.ndarray, np.ndarray], n_steps: int | None = None,
        check: Callable[[dict[str, np.ndarray]], None] | None = None,
    ) -> Tensor:  # fmt: skip
        """Return checked fields at dates, shape (date, point, name), of arrays (point,), or (step, point) of steps."""
        _check_names(record)
        found_here = self.forcing_names if is_dataset(record) and wanted == self._layout.forcing else wanted
        given = {n: record[k] for n in found_here if (k := key_of(record, n)) is not None}
        drawn = tuple(n for n in self._step.drawn if n not in given)
        missing = [n for n in wanted if n not in given and n not in (*COMPUTED, *drawn)]
        if missing:
            listed = ", ".join(f"{n}: {variable(n).long_name} [{variable(n).units}]" for n in missing)
            stateless = "" if set(self._layout.prognostic) - {*missing} else (
                " Data without any state, such as the weather of a tower, continue from one: give `initial=` to `run`, "
                "or let `anemoi_ailand.tower` spin it up."
            )  # fmt: skip
            raise ValueError(
                f"At {dates[0]:%Y-%m-%d %H:%M} the land also needs {missing} (given: {sorted(map(str, record))}). "
                f"Add them ({listed}).{stateless}"
            )
        shape = (places[0].size,) if n_steps is None else (n_steps, places[0].size)
        if absent := [n for n in wanted if n not in given and n not in drawn]:
            sun = self._sun(tuple(absent), dates, places).reshape(len(absent), *shape)
            given |= dict(zip(absent, sun, strict=True))
        read = [n for n in wanted if n not in drawn]
        columns = self._stacked([(n, given[n]) for n in read], shape)
        if len(read) < len(wanted):
            columns = torch.cat([columns, self._drawn_rain(columns, read, dates, places)])
        low, high = self._limits[wanted]
        flat = columns.detach().reshape(len(wanted), -1)
        if not ((flat >= low) & (flat <= high)).all():  # false of NaN too
            found = flat.numpy(force=True)
            for i, date in enumerate(dates):
                rows = found[:, i * places[0].size : (i + 1) * places[0].size]
                check_finite(rows, wanted, wanted, date, places)
                check_units_fit(rows, wanted, date, places)
        if check is not None or self._step.precipitation == "hourly":  # fields leave the device for this alone
            fields = flat.numpy(force=True).reshape(len(wanted), len(dates), -1)
            if self._step.precipitation == "hourly":
                check_hourly_rain(fields, wanted, dates, places)
            if check is not None:
                check(dict(zip(wanted, fields, strict=True)))
        return columns.reshape(len(wanted), len(dates), -1).movedim(0, -1)

    def _drawn_rain(
        self, columns: Tensor, names: Sequence[str], dates: Sequence[datetime], places: tuple[np.ndarray, np.ndarray]
    ) -> Tensor:
        """Return the rain of each hour (6, ...) for forcing (name, ...), that of member 0 of the default seed."""
        known, single = self._single
        if single is None or known is not places[0]:
            single = Ensemble(SINGLE, *places, self._step.precipitation)
            self._single = places[0], single
        values = columns.numpy(force=True).reshape(len(names), len(dates), -1)
        rain = single.forcings(values, names, dates)[len(names) :]
        return torch.from_numpy(rain).reshape(-1, *columns.shape[1:]).to(columns)

    def _sun(
        self, names: tuple[str, ...], dates: Sequence[datetime], places: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """Return sun and calendar, (name, date, point), computed ahead of steps one by one at a few places."""
        known, first, values = self._ahead
        same = len(dates) == 1 and known[:1] == (names,) and known[1] is places[0] and known[2] is places[1]
        if same and 0 <= (number := (dates[0] - first) // STEP) < values.shape[1] and dates[0] == first + number * STEP:
            return values[:, number : number + 1]
        if same and dates[0] == first + values.shape[1] * STEP and places[0].size <= _FEW:
            dates = [dates[0] + k * STEP for k in range(_DATES_AHEAD)]
        values = compute(names, dates, *places)
        self._ahead = (names, *places), dates[0], values
        return values[:, :1] if same else values

    def _stacked(self, fields: Sequence[tuple[str, Any]], shape: tuple[int, ...]) -> Tensor:
        """Return fields of a shape, or numbers, as one tensor (name, *shape); gradients of tensors pass."""
        values = [v for _, v in fields]
        if any(isinstance(v, Tensor) for v in values):
            tensors = [v if isinstance(v, Tensor) else torch.from_numpy(as_array(n, v)) for n, v in fields]
            checked = [_checked_shape(n, v, shape) for (n, _), v in zip(fields, tensors, strict=True)]
            return torch.stack([v.to(self._step.device, self._dtype).expand(shape) for v in checked])
        if any(type(v) is not np.ndarray or v.shape != shape for v in values):
            values = [np.broadcast_to(_checked_shape(n, as_array(n, v), shape), shape) for n, v in fields]
        if odd := [n for (n, _), v in zip(fields, values, strict=True) if v.dtype.kind not in "fiub"]:
            raise ValueError(f"The forcing or state {odd} has text or complex numbers. Give real numbers.")
        with np.errstate(over="ignore"):  # checked next
            return torch.from_numpy(np.array(values, dtype=self._numpy)).to(self._step.device)


def _check_names(record: Mapping[str, Any]) -> None:
    """Refuse fields by unknown names: sun, rain by the hour and what rules need are optional, and missed by no one."""
    if is_dataset(record):  # files hold what they like
        return
    if unknown := [n for n in record if n not in _NAMES and not is_model_error(str(n))]:
        near = nearest(str(unknown[0]), sorted(_NAMES))
        known = f"Nearest to '{unknown[0]}': {near}" if near else "The names are in `anemoi_ailand.VARIABLES`"
        raise ValueError(f"The fields have {unknown}, unknown to the land. {known}. Correct the names, or omit them.")


def as_array(name: str, values: Any) -> np.ndarray:
    """Return a field as an array, converted by the unit of a labelled one; masked values are missing."""
    if not isinstance(values, np.ndarray):
        import xarray as xr  # slow to import: a host program that passes arrays does without

        if isinstance(values, xr.DataArray):
            values = in_table_units(values.values, values.attrs.get("units"), name)
    return np.asarray(np.ma.filled(values, np.nan) if np.ma.isMaskedArray(values) else values)


def _checked_shape(name: str, values: Any, shape: tuple[int, ...]) -> Any:
    """Refuse a field that is neither a number nor of the shape (point,) or (step, point)."""
    if values.ndim and values.shape != shape:
        found = f"'{name}' has shape {tuple(values.shape)}, but there are"
        if len(shape) == 1:
            raise ValueError(f"{found} {shape[0]} points. Give one value per point.")
        raise ValueError(
            f"{found} {shape[0]} steps and {shape[1]} points. Give the forcing of these steps only, with shape "
            f"{shape}, or a number for all."
        )
    return values


def checked_places(latitudes: Any, longitudes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return latitudes and longitudes (point,) in degrees, refusing what is not a place or has no partner."""
    lat, lon = (np.array(v, dtype=np.float64).reshape(-1) for v in (latitudes, longitudes))
    if lat.size != lon.size or not lat.size or not (np.abs(lat) <= 90.0).all() or not (np.abs(lon) <= 360.0).all():
        exchanged = lat.size == lon.size > 0 and (np.abs(lat) > 90.0).any() and (np.abs(lon) <= 90.0).all()
        raise ValueError(
            f"There are {lat.size} latitudes and {lon.size} longitudes, or some are outside -90 to 90 and -360 to 360 "
            f"degrees. Give one of each for every point.{' They may be exchanged.' if exchanged else ''}"
        )
    return lat, lon
