# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Small files of land data and of stations: written from scratch, or copied from the sample and spoilt."""

import shutil
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest

from anemoi_ailand.support.packaged import folder
from anemoi_ailand.variables import VARIABLES

STEP = timedelta(hours=6)
FIRST = datetime(2020, 1, 1)


def stamps(n: int, first: datetime = FIRST, step: timedelta = STEP) -> list[datetime]:
    """Return n stamps from first on."""
    return [first + i * step for i in range(n)]


def write_land(
    path: Path, values: dict[str, np.ndarray], dates: Sequence[datetime], units: dict[str, str] | None = None
) -> Path:
    """Write variables of shape (time, point) or (point,) under the names given."""
    n_points = next(iter(values.values())).shape[-1]
    with netCDF4.Dataset(path, "w") as ds:
        ds.createDimension("time", len(dates))
        ds.createDimension("point", n_points)
        time = ds.createVariable("time", "i4", ("time",))
        time.units = "hours since 2000-01-01"
        time[:] = [int((d - datetime(2000, 1, 1)) / timedelta(hours=1)) for d in dates]
        for name, start in (("latitude", 10.0), ("longitude", 20.0)):
            ds.createVariable(name, "f8", ("point",))[:] = start + np.arange(n_points)
        ds.createVariable("point_id", "i4", ("point",))[:] = 100 + np.arange(n_points)
        for name, data in values.items():
            v = ds.createVariable(name, "f4", ("time", "point")[2 - data.ndim :])
            v.units = (units or {}).get(name) or (VARIABLES[name].units if name in VARIABLES else "1")
            v[:] = data
    return path


def ramp(n_dates: int, n_points: int, start: float = 0.0) -> np.ndarray:
    """Return values that differ at every date and point."""
    return start + np.arange(n_dates)[:, None] + 0.01 * np.arange(n_points)


def native_copy(target: Path, layout: str = "points") -> Path:
    """Copy the native files of the sample, which a test may spoil."""
    shutil.copytree(folder("sample") / "native" / layout, target)
    return target


def spoil(path: Path, name: str, value: object, index: object = slice(None)) -> None:
    """Overwrite values of a variable in a file."""
    with netCDF4.Dataset(path, "a") as ds:
        ds.variables[name][index] = value


def without_records(path: Path, records: Sequence[int]) -> None:
    """Rewrite a file without some records in time."""
    copy = path.with_name(f"{path.name}.copy")
    with netCDF4.Dataset(path) as a, netCDF4.Dataset(copy, "w", format=a.data_model) as b:
        a.set_auto_mask(False)
        keep = np.setdiff1d(np.arange(len(a.dimensions["time"])), records)
        for name, dim in a.dimensions.items():
            b.createDimension(name, len(keep) if name == "time" else len(dim))
        for name, v in a.variables.items():
            out = b.createVariable(name, v.dtype, v.dimensions)
            out.setncatts({k: v.getncattr(k) for k in v.ncattrs() if k != "_FillValue"})
            data = v[:]
            out[:] = data[keep] if "time" in v.dimensions else data
    copy.replace(path)


#: A station in Illinois, six hours behind UTC.
LATITUDE, LONGITUDE, ELEVATION, UTC_OFFSET = 40.01, -88.29, 219.0, -6.0

HEADER_VALUES, CEOP = "header_values", "ceop"


def times_between(start: str, n: int, minutes: int = 60) -> np.ndarray:
    """Return times with a constant step."""
    return np.datetime64(start, "ns") + np.arange(n) * np.timedelta64(minutes, "m")


def write_ismn(
    archive: Path,
    times: np.ndarray,
    values: np.ndarray,
    *,
    variable: str = "sm",
    depth: tuple[float, float] = (0.05, 0.05),
    layout: str = HEADER_VALUES,
    flags: Sequence[str] | None = None,
    network: str = "SCAN",
    station: str = "Bondville",
    sensor: str = "Probe-A",
    place: tuple[float, float, float] = (LATITUDE, LONGITUDE, ELEVATION),
) -> Path:
    """Write one sensor as ``archive/network/station/*.stm``; skip the test where the reader is not installed."""
    pytest.importorskip("ismn", reason='needs pip install "anemoi-ailand[observations]"')
    folder = archive / network / station
    folder.mkdir(parents=True, exist_ok=True)
    first, last = (pd.Timestamp(t).strftime("%Y%m%d") for t in (times[0], times[-1]))
    depths = "_".join(f"{d:.6f}" for d in depth)
    owner = network.replace("_", "-")
    path = folder / f"{owner}_{owner}_{station}_{variable}_{depths}_{sensor}_{first}_{last}.stm"
    where = f"{network:<10} {network:<15} {station:<15} {place[0]:10.5f} {place[1]:10.5f} {place[2]:7.2f}"
    where += "".join(f"{d:8.2f}" for d in depth)
    lines = [f"{where} {sensor}"] if layout == HEADER_VALUES else []
    for t, value, flag in zip(times, values, flags or ["G"] * len(times), strict=True):
        stamp = pd.Timestamp(t).strftime("%Y/%m/%d %H:%M")
        before = stamp if layout == HEADER_VALUES else f"{stamp} {stamp} {where}"
        lines.append(f"{before} {value:8.5f} {flag} M")
    path.write_text("\n".join(lines) + "\n")
    return path


def zip_ismn(archive: Path) -> Path:
    """Pack a folder as it would be downloaded."""
    target = archive.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as packed:
        for file in sorted(archive.rglob("*.stm")):
            packed.write(file, file.relative_to(archive).as_posix())
    return target


def write_fluxnet(
    path: Path, starts: np.ndarray, columns: dict[str, np.ndarray], minutes: int = 30, form: str = "%Y%m%d%H%M"
) -> Path:
    """Write FLUXNET CSV; ``starts`` are in local standard time, NaN becomes -9999."""
    ends = starts + np.timedelta64(minutes, "m")
    table = {
        "TIMESTAMP_START": pd.to_datetime(starts).strftime(form),
        "TIMESTAMP_END": pd.to_datetime(ends).strftime(form),
    }
    filled = {name: np.where(np.isnan(v), -9999, v) for name, v in columns.items()}
    pd.DataFrame({**table, **filled}).to_csv(path, index=False)
    return path


def write_sites(path: Path, site: str = "US-Bo1", extra: str = "") -> Path:
    """Write a plain table with one site; ``extra`` are values of utc_offset and soil_depths."""
    header = "site,latitude,longitude,elevation,utc_offset,soil_depths"
    path.write_text(f"{header}\n{site},{LATITUDE},{LONGITUDE},{ELEVATION},{extra or ','}\n")
    return path


def write_plumber2(
    path: Path,
    starts: np.ndarray,
    variables: dict[str, tuple[np.ndarray, str]],
    *,
    zone: str = "America/Chicago",
    place: tuple[float, float] = (LATITUDE, LONGITUDE),
    n_x: int = 1,
    attributes: dict[str, str] | None = None,
) -> Path:
    """Write ALMA NetCDF with dimensions (time, y, x); ``starts`` are in local standard time."""
    with netCDF4.Dataset(path, "w") as ds:
        for name, size in (("time", None), ("y", 1), ("x", n_x)):
            ds.createDimension(name, size)
        time = ds.createVariable("time", "f8", ("time",))
        time.units = f"seconds since {pd.Timestamp(starts[0]).strftime('%Y-%m-%d %H:%M:%S')}"
        time.info = "Time stamp indicates start time"
        if zone:
            time.time_zone = zone
        time[:] = (starts - starts[0]) / np.timedelta64(1, "s")
        for name, value in (("latitude", place[0]), ("longitude", place[1]), ("elevation", ELEVATION)):
            ds.createVariable(name, "f4", ("y", "x"))[:] = value
        for name, (values, units) in variables.items():
            v = ds.createVariable(name, "f4", ("time", "y", "x"), fill_value=-9999.0)
            v.units = units
            v.setncatts((attributes or {}) if not name.endswith("_qc") else {})
            v[:] = np.broadcast_to(np.where(np.isnan(values), -9999.0, values)[:, None, None], (len(starts), 1, n_x))
        ds.site_code = "US-Bo1"
    return path


def tower_columns(starts: np.ndarray, longitude: float, utc_offset: float) -> dict[str, np.ndarray]:
    """Columns of FLUXNET at local times: sun at its place, a daily cycle of temperature, rain every tenth record."""
    hours = (starts - starts.astype("datetime64[D]")) / np.timedelta64(1, "h") + 0.25
    angle = 2.0 * np.pi * (hours - utc_offset + longitude / 15.0 - 12.0) / 24.0
    n = np.arange(len(starts))
    return {
        "TA_F": 1.0 + 5.0 * np.cos(angle - 0.5),
        "RH": np.full(len(n), 80.0),
        "PA_F": 97.0 + 0.1 * np.sin(n / 50.0),
        "WS_F": 3.0 + np.sin(n / 7.0),
        "SW_IN_F": 500.0 * np.maximum(np.cos(angle), 0.0),
        "LW_IN_F": 280.0 + 10.0 * np.sin(n / 20.0),
        "P_F": np.where(n % 10 == 0, 0.2, 0.0),
    }


def write_tower(
    path: Path, days: float = 4.0, *, change: Callable[[dict[str, np.ndarray]], object] | None = None
) -> Path:
    """Write half-hourly FLUXNET CSV at :data:`LONGITUDE`; ``change`` alters the columns in place."""
    starts = times_between("2020-01-01", round(48 * days), minutes=30)
    columns = tower_columns(starts, LONGITUDE, UTC_OFFSET)
    if change is not None:
        change(columns)
    return write_fluxnet(path, starts, columns)


#: Properties of the site of :func:`write_tower`.
TOWER_SITE = f"""name: Bondville
latitude: {LATITUDE}
longitude: {LONGITUDE}
utc_offset: {UTC_OFFSET}
elevation: {ELEVATION}
slt: medium
tvl: crops
cvl: 0.9
tvh: 0
cvh: 0
"""
