# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Climatology of the reference at each point, by time of day and day of the year."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import xarray as xr

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.evaluation.fields.fields import Fields, span

LOG = logging.getLogger(__name__)

#: Half width of the window around a slot [days].
WINDOW_DAYS = 3

#: Days of the climatological year; 29 February falls on 28 February.
DAYS = 365

#: Slots in a day and in a year.
SLOTS_PER_DAY = 24 // STEP_HOURS
SLOTS = DAYS * SLOTS_PER_DAY

#: Shortest period of a climatology [days]; one step less than a year is common.
SHORTEST_PERIOD_DAYS = 364

_FEBRUARY_29 = 60  # day of the year, in leap years only
_HOUR = np.timedelta64(1, "h")
_DAY = np.timedelta64(1, "D")

Period = tuple[np.datetime64, np.datetime64]


def slot(times: np.ndarray) -> np.ndarray:
    """Return the 6-hourly slot of a 365-day year, ``0 .. SLOTS - 1``, of each time.

    29 February shares the slots of 28 February, so that every other date has the same slot in all years.
    """
    times = np.asarray(times, dtype="datetime64[ns]")
    dates = times.astype("datetime64[D]")
    years = times.astype("datetime64[Y]")
    day = (dates - years.astype("datetime64[D]")) // _DAY + 1
    length = ((years + 1).astype("datetime64[D]") - years.astype("datetime64[D]")) // _DAY
    day = np.where((length == DAYS + 1) & (day >= _FEBRUARY_29), day - 1, day)
    hour = (times - dates) // _HOUR
    return (day - 1) * SLOTS_PER_DAY + hour // STEP_HOURS


def climatology(totals: Mapping[str, np.ndarray], count: np.ndarray, window_days: int = WINDOW_DAYS) -> xr.Dataset:
    r"""Average the reference by point and slot of the year over a window of days.

    .. math:: c_{d,h,p} = \frac{\sum_{|d' - d| \le w} \sum_{t \in (d', h)} x_{t,p}}{\sum_{|d' - d| \le w} n_{d',h}}

    with day :math:`d` of a circular 365-day year, hour :math:`h`, point :math:`p`, half width :math:`w`
    (``window_days``), and the number :math:`n` of dates in a slot over the years.

    Shapes: sums by slot ``(slot, point)``, float64, and ``count`` ``(slot,)`` of the dates of a period -> ``(slot,
    point)``, float64, NaN in a slot without dates in its window.
    """
    n = _window_sum(count[:, None], window_days)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = {name: (("slot", "point"), _window_sum(total, window_days) / n) for name, total in totals.items()}
    return xr.Dataset(means, coords={"slot": np.arange(SLOTS)})


def _window_sum(values: np.ndarray, window_days: int) -> np.ndarray:
    by_day = values.reshape(DAYS, SLOTS_PER_DAY, -1)
    out = np.zeros_like(by_day)
    for shift in range(-window_days, window_days + 1):
        out += np.roll(by_day, shift, axis=0)
    return out.reshape(values.shape)


def climatology_at(mean: xr.DataArray, times: np.ndarray) -> xr.DataArray:
    """Evaluate a climatology ``(slot, point)`` at ``times``: ``(time, point)``."""
    return mean.isel(slot=xr.DataArray(slot(times), dims="time", coords={"time": times})).drop_vars("slot")


def climatology_period(
    reference: Fields,
    initial: np.datetime64,
    last: np.datetime64,
    period: tuple[object, object] | None,
    *,
    overlap: bool = False,
) -> Period:
    """Resolve the period of the climatology to the first and last date of the reference within it.

    Both ends of ``period`` are included; an end without an hour is the whole day, a year alone the whole year. The
    default is all dates of the reference before ``initial``, the first date of the forecast. With ``overlap`` the
    period may contain dates of the forecast: the climatology then includes the verifying values and is a stronger
    baseline than any real one.

    Raises
    ------
    ValueError
        The period is empty, shorter than a year, or contains dates of the forecast without ``overlap``.
    """
    if period is None:
        start, end = reference.times[0], initial - np.timedelta64(1, "ns")
    else:
        start, end = _bound(period[0], is_end=False), _bound(period[1], is_end=True)
    times = reference.times[(reference.times >= start) & (reference.times <= end)]
    given = "before the forecast" if period is None else f"{period[0]} to {period[1]}"
    if len(times) == 0 or times[-1] - times[0] < SHORTEST_PERIOD_DAYS * _DAY:
        raise ValueError(
            f"The climatology needs at least one year of the reference, and the training period ({given}) leaves "
            f"{span(times)} of '{reference.path}', which covers {span(reference.times)}. Give a longer "
            "training period, or extend the dataset to the years before the forecast."
        )
    if times[0] <= last and times[-1] > initial and not overlap:
        raise ValueError(
            f"The training period ({given}, {span(times)}) contains dates of the forecast "
            f"({span(np.array([initial, last]))}); a climatology that includes the verification period "
            "is not a valid baseline. Give a training period that ends before the forecast starts."
        )
    LOG.info("Climatology and training period: %s of %s", span(times), reference.path)
    return times[0], times[-1]


def _bound(value: object, is_end: bool) -> np.datetime64:
    """Resolve ``2020`` to 2020-01-01T00 as a start, and to 2020-12-31T23:59:59.999999999 as an end."""
    try:
        date = np.datetime64(str(value))
    except ValueError as error:
        raise ValueError(f"'{value}' is not a date. Write it as 2020, 2020-12-31 or 2020-12-31T18:00.") from error
    if not is_end:
        return date.astype("datetime64[ns]")
    if np.datetime_data(date)[0] not in ("Y", "M", "D"):
        return date.astype("datetime64[ns]")
    return (date + 1).astype("datetime64[ns]") - np.timedelta64(1, "ns")
