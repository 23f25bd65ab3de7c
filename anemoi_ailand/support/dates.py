# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Dates as users give them: text, numpy, datetime, a scalar of xarray; always UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np

#: A date of a user: text such as ``2020-05-01`` or ``2020-05-01T06``, ``numpy.datetime64``, ``datetime``.
Date: TypeAlias = str | date | np.datetime64 | Any

#: A length of time of a user: text such as ``30d`` or ``24h``, ``timedelta``, ``numpy.timedelta64``.
Duration: TypeAlias = str | timedelta | np.timedelta64

_TEXT = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d)?)?)?)?)?")
_WHOLE = ("Y", "M", "W", "D")


def first_and_after(given: Date) -> tuple[np.datetime64, np.datetime64 | None]:
    """Return the first instant of a date and, for a whole day, month or year, the first instant after it.

    Raises
    ------
    ValueError
        It is not a date.

    >>> first_and_after("2020-05")
    (np.datetime64('2020-05-01T00:00:00'), np.datetime64('2020-06-01T00:00:00'))
    >>> first_and_after("2020-05-01T06")[1] is None
    True
    """
    value = getattr(given, "values", given)  # a scalar of xarray
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, str):
        if not _TEXT.fullmatch(value):
            raise ValueError("it is not of the form 2022-01-31 or 2022-01-31T06")
        value = np.datetime64(value.replace(" ", "T"))
    elif isinstance(value, datetime):
        value = np.datetime64(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value, "us")
    elif isinstance(value, date):
        value = np.datetime64(value, "D")
    if not isinstance(value, np.datetime64) or np.isnat(value):
        raise ValueError(f"it is {given!r}, a {type(given).__name__}, and not a date")
    whole = np.datetime_data(value.dtype)[0] in _WHOLE
    return value.astype("datetime64[s]"), (value + 1).astype("datetime64[s]") if whole else None


def to_datetime(given: Date) -> datetime:
    """Return the first instant of a date as a naive datetime in UTC.

    Raises
    ------
    ValueError
        It is not a date; the message says how to write one.

    >>> to_datetime("2020-05-01T06")
    datetime.datetime(2020, 5, 1, 6, 0)
    """
    try:
        return first_and_after(given)[0].astype(datetime)
    except ValueError as error:
        raise ValueError(
            f"The date {given!r} is not understood: {error}. Give UTC as text ('2022-01-31T06'), datetime or "
            "numpy.datetime64."
        ) from error


def bounds_of(period: Any) -> tuple[np.datetime64 | None, np.datetime64 | None]:
    """Return the first and the last instant of a period, None where it is open.

    Parameters
    ----------
    period : date, pair of dates, or None
        A single date stands for all of its day, month or year (``"2020-05"``); of a pair, the second one is included,
        as a whole day, month or year too; None is open.
    """
    pair = tuple(period) if isinstance(period, tuple | list) else (period, period)
    if len(pair) != 2:
        raise ValueError(f"The period {period!r} is not understood. Give one date, or a pair of first and last date.")
    first, last = (None if given is None else _checked(given) for given in pair)
    if last is not None:
        end, after = last
        last_instant = end if after is None else after - np.timedelta64(1, "s")
    return (None if first is None else first[0]), (None if last is None else last_instant)


def _checked(given: Date) -> tuple[np.datetime64, np.datetime64 | None]:
    to_datetime(given)  # for its error
    return first_and_after(given)
