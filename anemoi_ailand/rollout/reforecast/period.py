# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Resolution of user-supplied start, end and lead time against the dates of a dataset."""

from __future__ import annotations

import numpy as np
from anemoi.utils.dates import as_timedelta

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.support.dates import first_and_after

#: Length of a step, as an interval of numpy.
STEP = np.timedelta64(STEP_HOURS, "h")


def period(dates: np.ndarray, start: str | None, lead: str | None, end: str | None) -> tuple[int, int]:
    """Find the indices of the first and the last date among the 6-hourly dates (date,) of a dataset.

    ``start`` (UTC) is by default the first midnight; ``2022`` and ``2022-01`` mean their first midnight. ``lead`` is a
    length such as ``364d`` or ``8754h``. ``end`` is included: a day, month or year means its last date. Without both,
    the period ends with the dataset.
    """
    check_options(start, lead, end)
    midnights = dates[dates == dates.astype("datetime64[D]")]
    begin = _date("start", start)[0] if start is not None else (midnights if midnights.size else dates)[0]
    until = dates[-1]
    if lead is not None:
        until = begin + _length(lead)
    if end is not None:
        date, after = _date("end", end)
        until = date if after is None else after - STEP
    available = f"The dataset has {_stamp(dates[0])} to {_stamp(dates[-1])} every {STEP_HOURS} h."
    for option, date in (("start", begin), ("lead" if lead else "end", until)):
        if not np.isin(date, dates):
            raise ValueError(
                f"`--{option}` leads to {_stamp(date)}, which is not in the dataset. {available} Correct it."
            )
    first, last = (int(np.searchsorted(dates, date)) for date in (begin, until))
    if last <= first:
        raise ValueError(f"There is no step from {_stamp(begin)} to {_stamp(until)}. {available} Give a longer period.")
    return first, last


def check_options(start: str | None, lead: str | None, end: str | None) -> None:
    """Check the form of the options of :func:`period`, which needs no dataset."""
    if lead is not None and end is not None:
        raise ValueError(f"Both `--lead {lead}` and `--end {end}` are given. Give one of them.")
    for option, text in (("start", start), ("end", end)):
        if text is not None:
            _date(option, text)
    if lead is not None:
        _length(lead)


def _date(option: str, text: str) -> tuple[np.datetime64, np.datetime64 | None]:
    """Return the first instant of a date and, for a day or longer, the first instant after it."""
    try:
        return first_and_after(text)
    except ValueError as error:
        raise ValueError(
            f"`--{option} {text}` is not a date ({error}). Give UTC, e.g. 2022-01-31 or 2022-01-31T06."
        ) from error


def _length(text: str) -> np.timedelta64:
    try:
        return np.timedelta64(int(as_timedelta(text).total_seconds()), "s")
    except (ValueError, TypeError) as error:
        raise ValueError(f"`--lead {text}` is not a duration ({error}). Give e.g. 364d or 8754h.") from error


def _stamp(date: np.datetime64) -> str:
    return str(np.datetime_as_string(date, "m"))
