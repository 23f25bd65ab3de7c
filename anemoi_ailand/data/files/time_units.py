# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reference date and time zone of a time axis. The NetCDF library ignores most zones silently."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

_REFERENCE = re.compile(
    r"(?P<unit>[A-Za-z]+) since (?P<date>\d{1,4}-\d{1,2}-\d{1,2})"
    r"(?:[T ]+(?P<time>\d{1,2}(?::\d{1,2}(?::\d{1,2}(?:\.\d*)?)?)?))?\s*(?P<zone>.*)"
)
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?")
_UNITS = ("second", "minute", "hour", "day", "seconds", "minutes", "hours", "days", "s", "min", "h", "hr", "d", "sec")
_UTC = ("", "Z", "UTC", "GMT")
#: Attributes in which some programs store the zone.
_ATTRIBUTES = ("time_zone", "timezone", "tz")


def utc_reference(axis: Any, path: Any) -> tuple[str, timedelta]:
    """Return the units of a time axis without the zone, and the offset to subtract from its times to obtain UTC."""
    units = str(getattr(axis, "units", ""))
    found = _REFERENCE.fullmatch(units.strip())
    if found is None or found["unit"].lower() not in _UNITS:
        raise ValueError(
            f"The time axis of '{path}' has units '{units}', which are not seconds, minutes, hours or days since a "
            "date. Set them to e.g. 'seconds since 2018-01-01 00:00:00'."
        )
    offset = _offset(found["zone"], units, path)
    for name in _ATTRIBUTES:
        said = str(getattr(axis, name, "")).strip()
        if said and _offset(said, f"{name} = {said}", path) != offset:
            raise ValueError(
                f"The time axis of '{path}' has units '{units}' and {name} '{said}'. Give times in UTC, or say the "
                "zone in the units alone."
            )
    return f"{found['unit']} since {found['date']} {found['time'] or '00:00:00'}", offset


def _offset(zone: str, said: str, path: Any) -> timedelta:
    """Return the offset of a zone from UTC, positive to the east."""
    zone = zone.strip()
    if zone.upper() in _UTC:
        return timedelta(0)
    found = _OFFSET.fullmatch(zone)
    if found is None:
        raise ValueError(
            f"The time axis of '{path}' is in the zone '{zone}' ('{said}'). Only UTC and offsets such as '+02:00' are "
            "read: convert it to UTC."
        )
    size = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    return size if found["sign"] == "+" else -size
