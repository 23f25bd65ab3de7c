# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Write the packaged sample as GRIB, as in an archive: analyses, and forecasts that accumulate."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import eccodes
import numpy as np
import pytest

from anemoi_ailand.data.grib.grib_reader import GribReader
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import Reader

BITS = 24
HOUR = timedelta(hours=1)

#: paramId, factor from the table's unit to GRIB's, by variable; analyses at every stamp.
STATE = {
    "swvl1": (39, 1.0), "swvl2": (40, 1.0), "swvl3": (41, 1.0), "swvl4": (42, 1.0),
    "stl1": (139, 1.0), "stl2": (170, 1.0), "stl3": (183, 1.0), "stl4": (236, 1.0),
    "sd": (141, 1e-3), "rsn": (33, 1.0), "tsn": (238, 1.0), "asn": (32, 1.0), "src": (198, 1e-3),
    "2t": (167, 1.0), "2d": (168, 1.0), "skt": (235, 1.0), "lai_lv": (66, 1.0), "lai_hv": (67, 1.0),
    "al": (174, 1.0),
}  # fmt: skip
#: Instants at the lowest model level.
MODEL_LEVEL = {"t": (130, 1.0), "q": (133, 1.0)}
#: Amounts since the start of the forecast.
AMOUNTS = {
    "avg_sdswrf": (169, 1.0), "avg_sdlwrf": (175, 1.0), "avg_tprate": (228, 1e-3), "avg_tsrwe": (144, 1e-3),
    "slhf": (147, 1.0), "sshf": (146, 1.0), "ssr": (176, 1.0), "str": (177, 1.0), "evap": (182, -1e-3),
    "sro": (8, 1e-3), "ssro": (9, 1e-3), "smlt": (45, 1e-3),
}  # fmt: skip
#: Mean over the last three hours, by mean over the step.
LATE = {"avg_sdswrf": "late_sdswrf", "avg_tprate": "late_tprate", "avg_tsrwe": "late_tsrwe"}
CONSTANTS = {
    "lsm": (172, 1.0), "z": (129, 1.0), "sdor": (160, 1.0), "cl": (26, 1.0), "dl": (228007, 1.0),
    "cvl": (27, 1.0), "cvh": (28, 1.0), "tvl": (29, 1.0), "tvh": (30, 1.0), "slt": (43, 1.0),
}  # fmt: skip
GRIB2_ONLY = {"cur": (229001, 1.0)}


@dataclass
class Grid:
    """Places of the points of the sample in the fields: ``unstructured``, or ``regular`` with sea between them."""

    kind: str
    n_points: int
    shape: tuple[int, int] = field(init=False)
    place: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        n_lat = 7
        self.shape = (n_lat, -(-self.n_points // n_lat) + 1)
        size = self.n_points if self.kind == "unstructured" else self.shape[0] * self.shape[1]
        chosen = np.random.default_rng(3).permutation(size)[: self.n_points]
        self.place = np.arange(self.n_points) if self.kind == "unstructured" else np.sort(chosen)
        self.size = size

    def spread(self, values: np.ndarray, sea: float = np.nan) -> np.ndarray:
        """Return values of the points at their places on the grid."""
        out = np.full(self.size, sea)
        out[self.place] = values
        return out

    def keys(self, edition: int) -> dict[str, float]:
        """Return the keys of ecCodes that describe the grid."""
        if self.kind == "unstructured":
            return {"gridDefinitionTemplateNumber": 101, "numberOfDataPoints": self.size}
        n_lat, n_lon = self.shape
        return {
            "Ni": n_lon, "Nj": n_lat, "iDirectionIncrementInDegrees": 1.0, "jDirectionIncrementInDegrees": 1.0,
            "latitudeOfFirstGridPointInDegrees": 50.0, "latitudeOfLastGridPointInDegrees": 50.0 - (n_lat - 1),
            "longitudeOfFirstGridPointInDegrees": 5.0, "longitudeOfLastGridPointInDegrees": 5.0 + n_lon - 1,
        }  # fmt: skip


@dataclass
class Archive:
    """Writer of fields of one grid and edition; the methods append to files in ``folder``."""

    folder: Path
    grid: Grid
    edition: int = 2

    def field(self, name: str, values: np.ndarray, param: int, date: datetime, **keys: float | str) -> None:
        """Append one field to a file; ``keys`` are set after the parameter."""
        handle = eccodes.codes_grib_new_from_samples("GRIB2" if self.edition == 2 else "regular_ll_sfc_grib1")
        first = {"tablesVersion": 33} if self.edition == 2 else {}
        for key, value in {**first, **self.grid.keys(self.edition), "paramId": param, **keys}.items():
            eccodes.codes_set(handle, key, value)
        eccodes.codes_set(handle, "dataDate", int(f"{date:%Y%m%d}"))
        eccodes.codes_set(handle, "dataTime", int(f"{date:%H%M}"))
        eccodes.codes_set(handle, "bitsPerValue", BITS)
        missing = ~np.isfinite(values)
        if missing.any():
            eccodes.codes_set(handle, "bitmapPresent", 1)
            eccodes.codes_set(handle, "missingValue", 9999.0)
        eccodes.codes_set_values(handle, np.where(missing, 9999.0, values).astype("f8"))
        with (self.folder / name).open("ab") as file:
            eccodes.codes_write(handle, file)
        eccodes.codes_release(handle)

    def write(self, reader: Reader, dates: list[datetime], soil: str = "parameters") -> None:
        """Write constants, analyses, and forecasts from 00 and 12 UTC."""
        self.constants(reader, dates[0])
        self.analyses(reader, dates, soil)
        self.forecasts(reader, dates)

    def constants(self, reader: Reader, date: datetime) -> None:
        """Write fields that do not change."""
        table = CONSTANTS | (GRIB2_ONLY if self.edition == 2 else {})
        values = reader.read(list(table), [date])[:, 0]
        for value, (name, (param, factor)) in zip(values, table.items(), strict=True):
            self.field("static.grib", self.grid.spread(value * factor, 0.0 if name == "lsm" else np.nan), param, date)

    def analyses(self, reader: Reader, dates: list[datetime], soil: str = "parameters") -> None:
        """Write states and forcing instants; soil as a parameter per layer, or as levels of vsw and sot."""
        for names, level in ((STATE, None), (MODEL_LEVEL, 137)):
            values = reader.read(list(names), dates)
            for i, (name, (param, factor)) in enumerate(names.items()):
                keys: dict = {} if level is None else {"typeOfLevel": "hybrid", "level": level}
                if soil == "levels" and name[:-1] in ("swvl", "stl"):
                    param, layer = {"swvl": 260199, "stl": 260360}[name[:-1]], int(name[-1])
                    keys = {"typeOfLevel": "soilLayer", "topLevel": layer - 1, "bottomLevel": layer}
                for j, date in enumerate(dates):
                    value = self.grid.spread(values[i, j] * factor)
                    self.field(f"an_{date:%Y%m%d}.grib", value, param, date, dataType="an", **keys)

    def forecasts(self, reader: Reader, dates: list[datetime]) -> None:
        """Write amounts at steps 3, 6, 9, 12 h of forecasts from 00 and 12 UTC."""
        for name, (param, factor) in AMOUNTS.items():
            for base in [d for d in dates if d.hour in (0, 12)]:
                ends = [base + 6 * HOUR, base + 12 * HOUR]
                if not all(e in reader.coverage and e <= dates[-1] for e in ends):
                    continue
                mean = reader.read([name], ends)[0].astype("f8")
                late = reader.read([LATE.get(name, name)], ends)[0].astype("f8")
                parts = np.stack([mean[0] * 2 - late[0], late[0], mean[1] * 2 - late[1], late[1]]) * 3 * 3600.0 * factor
                for step, amount in zip((3, 6, 9, 12), np.cumsum(parts, axis=0), strict=True):
                    self.amount(f"fc_{base:%Y%m%d}.grib", self.grid.spread(amount), param, base, 0, step)

    def amount(self, name: str, values: np.ndarray, param: int, base: datetime, start: int, end: int) -> None:
        """Append an amount from one step to another [h]."""
        keys = {"stepType": "accum", "stepRange": f"{start}-{end}"}
        self.field(name, values, param, base, dataType="fc", **keys)


def sample() -> Reader:
    """Return a reader of the packaged sample."""
    return open_reader("$AILAND_SAMPLE")


def stamps(first: datetime, n: int) -> list[datetime]:
    """Return 6-hourly dates."""
    return [first + i * 6 * HOUR for i in range(n)]


def files(folder: Path) -> list[Path]:
    """Return all files in a folder."""
    return sorted(folder.iterdir())


def points(archive: Archive, value: float) -> np.ndarray:
    """Return a field with one value at every land point."""
    return archive.grid.spread(np.full(archive.grid.n_points, value))


def states(archive: Archive, n_dates: int = 5, first: datetime = datetime(2020, 4, 1)) -> Archive:
    """Write soil moisture of layer 1 at every date and return the archive."""
    for date in stamps(first, n_dates):
        archive.field("state.grib", points(archive, 0.3), 39, date, dataType="an")
    return archive


def refuse(folder: Path, match: str, **options: object) -> None:
    """Assert that the files in ``folder`` are refused with a message."""
    with pytest.raises(ValueError, match=match):
        GribReader(files(folder), **options)


def close(found: np.ndarray, expected: np.ndarray) -> None:
    """Assert equality to the precision of packing (24 bits, float32), relative to each variable's largest value."""
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0.0, atol=1.0e-6 * float(np.abs(b).max()))
