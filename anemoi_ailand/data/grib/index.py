# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Index of the fields in GRIB files: position and header, without decoding values.

Opening a message with ecCodes takes about 1 ms, and an archive of twenty years has millions. Most messages differ from
an earlier one by their date only, so the results of ecCodes are cached by the header without its date. The framing
(length, sections, date) follows WMO Manual on Codes I.2, FM 92 GRIB editions 1 and 2.
"""

from __future__ import annotations

import calendar
import logging
import mmap
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anemoi_ailand.data.grib.parameters import KNOWN_PARAMS, Level, level_kind
from anemoi_ailand.support.eccodes import eccodes

LOG = logging.getLogger(__name__)

#: One field: number of the file and of the header, position [octets], start of the forecast [s since 1970-01-01].
ROW = np.dtype([("file", "u4"), ("header", "u4"), ("offset", "u8"), ("length", "u8"), ("base", "i8")])

#: GRIB2 product templates over an interval: offset of the end of the interval (7 octets) in section 4.
_END_OF_INTERVAL = {8: 34, 11: 37}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "D": 86400, "": 3600}
_SPECTRAL = frozenset({"sh", "rotated_sh", "stretched_sh"})


@dataclass(frozen=True)
class Header:
    """Header of a field without its date, as ecCodes reads it."""

    param: int
    short_name: str
    units: str
    kind: Level
    level: float  #: number of the level or, ``by_depth``, the depth of the lower bound of a soil layer [m]
    by_depth: bool
    start: int  #: step range [s]
    end: int
    step_type: str  #: ``instant``, ``accum``, ``avg`` ...
    number: int  #: ensemble member, -1 if there is none
    analysis: bool
    grid: str  #: checksum of the grid description
    grid_type: str
    levels: int = 0  #: number of model levels, by the vertical coordinate in the message; 0 if it is not there

    @property
    def spectral(self) -> bool:
        """True if the field is spherical harmonics."""
        return self.grid_type in _SPECTRAL


@dataclass(frozen=True)
class Scan:
    """Index of all known fields: ``rows`` (of :data:`ROW`), distinct ``headers`` and ``files``."""

    files: tuple[Path, ...]
    headers: tuple[Header, ...]
    rows: np.ndarray

    def column(self, name: str) -> np.ndarray:
        """Return attribute ``name`` of the header of every row."""
        return np.array([getattr(h, name) for h in self.headers])[self.rows["header"]]


def scan(files: Sequence[Path]) -> Scan:
    """Index the fields in ``files`` that have a known parameter."""
    known: dict[bytes, int] = {}
    headers: list[Header] = []
    rows: list[tuple[int, int, int, int, int]] = []
    others: set[str] = set()
    for number, path in enumerate(files):
        for offset, length, key, base, message in _messages(path):
            if key not in known:
                header, short_name = _read_header(message())
                known[key] = -1 if header is None else len(headers)
                (others.add(short_name) if header is None else headers.append(header))
            if known[key] >= 0:
                rows.append((number, known[key], offset, length, base))
    if not rows:
        raise ValueError(
            f"None of the fields in {[str(f) for f in files[:4]]} has a known parameter; there are {sorted(others)}. "
            "Give the files that hold the land variables listed in docs/guide/grib.md."
        )
    LOG.info("%d GRIB fields in %d file(s), ignored %s", len(rows), len(files), sorted(others) or "nothing")
    return Scan(tuple(files), tuple(headers), np.array(rows, dtype=ROW))


def read_message(path: Path, offset: int, length: int) -> bytes:
    """Return one message; refuse a file that has changed since it was indexed."""
    with path.open("rb") as file:
        file.seek(offset)
        message = file.read(length)
    if message[:4] != b"GRIB" or message[-4:] != b"7777":
        raise ValueError(f"{path} has changed since it was opened: no field at byte {offset}. Open it again.")
    return message


def _messages(path: Path) -> Iterator[tuple]:
    """Yield (offset, length, key, base, function that returns the message) of every message in a file."""
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty. Retrieve it again, or take it out of `path`.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(b"GRIB")
        if at < 0:
            raise ValueError(
                f"There is no GRIB message in {path}, which begins with {data[:8]!r}. "
                "Give a GRIB file, or correct the option `layout`."
            )
        while at >= 0:
            length = _length(data, at)
            if data[at + length - 4 : at + length] != b"7777":
                raise ValueError(f"The GRIB message at byte {at} of {path} is truncated or damaged. Retrieve it again.")
            key, base = (_key1 if data[at + 7] == 1 else _key2)(data, at, length, path)
            yield at, length, key, base, lambda a=at, n=length: data[a : a + n]
            at = data.find(b"GRIB", at + length)


def _integer(data: mmap.mmap, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _length(data: mmap.mmap, at: int) -> int:
    """Return the length of the message at ``at`` [octets]; 0 if the edition is neither 1 nor 2."""
    if data[at + 7] == 2:
        return _integer(data, at + 8, 8)
    if data[at + 7] != 1:
        return 0
    length = _integer(data, at + 4, 3)
    if length & 0x800000:  # perhaps a length beyond 24 bits, which ECMWF writes in units of 120 octets
        section = at + 8
        flags = data[section + 7]
        section += _integer(data, section, 3)
        for flag in (0x80, 0x40):
            section += _integer(data, section, 3) if flags & flag else 0
        short_of = _integer(data, section, 3)  # section 4 then has the excess over the true length
        length = (length & 0x7FFFFF) * 120 - short_of + 4 if short_of < 120 else length
    return length


def _key1(data: mmap.mmap, at: int, length: int, path: Path) -> tuple[bytes, int]:
    """Return the header without date, and the date, of a GRIB1 message."""
    product = bytearray(data[at + 8 : at + 8 + _integer(data, at + 8, 3)])
    year = (product[24] - 1) * 100 + product[12]
    base = _seconds(path, at, year, *product[13:17], 0)
    grid = at + 8 + len(product)
    size = _integer(data, grid, 3) if product[7] & 0x80 else 0
    product[12:17] = bytes(5)
    product[24] = 0
    return b"1" + bytes(product) + data[grid : grid + size], base


def _key2(data: mmap.mmap, at: int, length: int, path: Path) -> tuple[bytes, int]:
    """Return the header without date, and the date, of a GRIB2 message."""
    key, base, section, fields = b"2" + data[at + 6 : at + 7], 0, at + 16, 0
    while section < at + length - 4:
        size, number = _integer(data, section, 4), data[section + 4]
        if size < 5:
            break
        if number <= 4:
            part = bytearray(data[section : section + size])
            if number == 1:
                base = _seconds(path, at, _integer(data, section + 12, 2), *part[14:19])
                part[12:19] = bytes(7)
            elif number == 4:
                fields += 1
                end = _END_OF_INTERVAL.get(_integer(data, section + 7, 2))
                if end is not None and part[end + 7] == 1:  # one time range: its length is sufficient
                    part[end : end + 7] = bytes(7)
            key += bytes(part)
        section += size
    if fields != 1:
        raise ValueError(
            f"The GRIB2 message at byte {at} of {path} holds {fields} fields, one is read. "
            "Split it, e.g. with `grib_copy FILE '[shortName].grib'`."
        )
    return key, base


def _seconds(path: Path, at: int, *date: int) -> int:
    """Return the seconds since 1970-01-01 of a date in a header."""
    _, month, day = date[:3]
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError(
            f"The GRIB message at byte {at} of {path} has the invalid date {date} (a climatology?). "
            "Set its date, or take the file out of `path`."
        )
    return calendar.timegm(date)


@contextmanager
def released(handle: int) -> Iterator[int]:
    """Release an ecCodes handle at the end of the block."""
    try:
        yield handle
    finally:
        eccodes.codes_release(handle)


def open_message(message: bytes) -> AbstractContextManager[int]:
    """Return a context with the ecCodes handle of a message."""
    return released(eccodes.codes_new_from_message(message))


def _read_header(message: bytes) -> tuple[Header | None, str]:
    """Read a header with ecCodes; None if the parameter is unknown."""
    with open_message(message) as handle:
        param, short_name = _long(handle, "paramId"), _string(handle, "shortName")
        if param not in KNOWN_PARAMS:
            return None, short_name
        type_of_level = _string(handle, "typeOfLevel")
        level, by_depth = _level(handle, type_of_level)
        header = Header(
            param, short_name, _string(handle, "units"), level_kind(type_of_level), level, by_depth,
            _step(handle, "startStep"), _step(handle, "endStep"), _string(handle, "stepType"),
            _long(handle, "number", -1), _string(handle, "dataType") == "an",
            _string(handle, "md5GridSection"), _string(handle, "gridType"),
            max(_long(handle, "NV") // 2 - 1, 0),
        )  # fmt: skip
        return header, short_name


def _level(handle: int, type_of_level: str) -> tuple[float, bool]:
    """Return the number of the level, or the depth of its lower bound [m], and whether it is a depth."""
    if type_of_level != "depthBelowLandLayer":
        return float(_long(handle, "bottomLevel" if type_of_level == "soilLayer" else "level")), False
    if _long(handle, "edition") == 1:  # in cm
        return _long(handle, "bottomLevel") / 100.0, True
    value, scale = (_long(handle, f"scale{k}OfSecondFixedSurface") for k in ("dValue", "Factor"))
    return value / 10.0**scale, True


def _long(handle: int, key: str, otherwise: int = 0) -> int:
    return int(eccodes.codes_get_long(handle, key)) if eccodes.codes_is_defined(handle, key) else otherwise


def _string(handle: int, key: str) -> str:
    return str(eccodes.codes_get_string(handle, key)) if eccodes.codes_is_defined(handle, key) else ""


def _step(handle: int, key: str) -> int:
    """Return a forecast step [s]."""
    match = re.fullmatch(r"(\d+)([smhD]?)", text := _string(handle, key))
    if match is None:
        raise ValueError(f"The forecast step '{text}' of a {_string(handle, 'shortName')} field is not understood.")
    return int(match[1]) * _SECONDS[match[2]]
