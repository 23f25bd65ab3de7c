# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Index of GRIB files: equal to ecCodes, which is called for new headers only."""

from __future__ import annotations

from calendar import timegm
from datetime import datetime, timedelta
from pathlib import Path

import eccodes
import numpy as np
import pytest

from anemoi_ailand.data.grib import index as grib_scan
from anemoi_ailand.data.grib.index import scan
from tests.support.grib import Archive, Grid, points, refuse

FIRST = datetime(1999, 12, 31, 12)


@pytest.mark.parametrize("edition", [1, 2])
def test_index_agrees_with_eccodes(tmp_path: Path, edition: int) -> None:
    """Position, date, step and parameter of every message are those of ecCodes, across the turn of a century."""
    archive = Archive(tmp_path, Grid("regular", 5), edition)
    values = archive.grid.spread(np.arange(5.0), 0.0)
    for i in range(4):
        base = FIRST + timedelta(hours=12 * i)
        archive.field("a.grib", values, 39, base)
        archive.amount("a.grib", values, 169, base, 0, 6)
        archive.amount("a.grib", values, 169, base, 6, 12)
    found = scan([tmp_path / "a.grib"])
    for row, expected in zip(found.rows, by_eccodes(tmp_path / "a.grib"), strict=True):
        header = found.headers[row["header"]]
        assert (row["offset"], row["length"], row["base"], header.param, header.start, header.end) == expected
    assert len(found.headers) == 3


def by_eccodes(path: Path) -> list[tuple[int, ...]]:
    """Return the index made by ecCodes from every message."""
    out = []
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            day, hour, *rest = (
                eccodes.codes_get_long(handle, k)
                for k in ("dataDate", "dataTime", "offset", "totalLength", "paramId", "startStep", "endStep")
            )
            base = timegm(datetime.strptime(f"{day}{hour:04d}", "%Y%m%d%H%M").timetuple())
            out.append((*rest[:2], base, rest[2], rest[3] * 3600, rest[4] * 3600))
            eccodes.codes_release(handle)
    return out


def test_eccodes_is_called_once_a_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred dates of one parameter take one call."""
    archive = Archive(tmp_path, Grid("regular", 5))
    for i in range(100):
        archive.amount("a.grib", np.zeros(archive.grid.size), 169, FIRST + timedelta(days=i), 0, 6)
    asked = []
    ask = grib_scan._read_header
    monkeypatch.setattr(grib_scan, "_read_header", lambda m: asked.append(1) or ask(m))
    assert len(scan([tmp_path / "a.grib"]).rows) == 100
    assert len(asked) == 1


@pytest.mark.parametrize("n_lat", [1500, 3000])
def test_large_grib1(tmp_path: Path, n_lat: int) -> None:
    """The length of a GRIB1 message is right up to and beyond 24 bits."""
    handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib1")
    for key, value in {"Ni": 3000, "Nj": n_lat, "paramId": 39, "bitsPerValue": 16}.items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, np.linspace(0.0, 1.0, 3000 * n_lat))
    with (tmp_path / "a.grib").open("wb") as file:
        for _ in range(2):
            eccodes.codes_write(handle, file)
    eccodes.codes_release(handle)
    rows = scan([tmp_path / "a.grib"]).rows
    assert rows["length"].tolist() == [(tmp_path / "a.grib").stat().st_size // 2] * 2
    assert rows["length"][0] > 6000 * n_lat


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>not found</html>", r"no GRIB message in .*x.grib, which begins with b'<html>no'"),
        (b"", r"x.grib is empty. Retrieve it again"),  # left by a failed retrieval
        (None, r"GRIB message at byte \d+ of .*x.grib is truncated"),
    ],
)
def test_broken_file(archive: Archive, content: bytes | None, message: str) -> None:
    """The error names the file, and the position or the first bytes."""
    whole = (archive.folder / "state.grib").read_bytes()
    (archive.folder / "x.grib").write_bytes(whole[:-20] if content is None else content)
    refuse(archive.folder, message)


def test_no_known_parameter(tmp_path: Path) -> None:
    """The error lists the parameters."""
    archive = Archive(tmp_path, Grid("regular", 12))
    archive.field("wave.grib", points(archive, 1.0), 151, FIRST)
    refuse(tmp_path, r"None of the fields .* has a known parameter; there are \['msl'\]")


def test_several_fields_in_a_message(archive: Archive) -> None:
    """They are refused, with the command that splits them."""
    eccodes.codes_grib_multi_support_on()
    multi = eccodes.codes_grib_multi_new()
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    for _ in range(2):
        eccodes.codes_grib_multi_append(handle, 4, multi)
    with (archive.folder / "multi.grib").open("wb") as file:
        eccodes.codes_grib_multi_write(multi, file)
    eccodes.codes_grib_multi_release(multi)
    eccodes.codes_grib_multi_support_off()
    refuse(archive.folder, r"multi.grib holds 2 fields, one is read.*grib_copy")
