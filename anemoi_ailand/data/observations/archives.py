# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations in the formats of weather services: IODA (JEDI), ODB-2 and BUFR.

Each holds far more than is read here: values and errors of the variables below, at their time and place. A further
variable is a line in a table of this module.
"""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np

from anemoi_ailand.data.observations.rows import RELATIVE_HUMIDITY, SNOW_DEPTH, ObservationRows, in_units, make_rows

#: Variables of IODA by their names in the group ``ObsValue``.
IODA = {
    "airTemperatureAt2M": "2t", "airTemperature": "2t", "dewpointTemperatureAt2M": "2d", "dewPointTemperature": "2d",
    "soilMoistureVolumetric": "swvl1", "volumetricSoilMoisture": "swvl1", "totalSnowDepth": SNOW_DEPTH,
    "snowCoverFraction": "snowc", "relativeHumidityAt2M": RELATIVE_HUMIDITY, "relativeHumidity": RELATIVE_HUMIDITY,
}  # fmt: skip

#: Variables of ODB-2 by ``varno``. ECMWF's table of variables.
ODB = {39: "2t", 40: "2d", 180: "swvl1", 92: SNOW_DEPTH}

#: Variables of BUFR by key of ecCodes.
BUFR = {"airTemperatureAt2M": "2t", "airTemperature": "2t", "dewpointTemperatureAt2M": "2d",
        "dewpointTemperature": "2d", "totalSnowDepth": SNOW_DEPTH}  # fmt: skip

_OF_BUFR = ("year", "month", "day", "hour", "minute", "latitude", "longitude")


def read_ioda(path: Path) -> ObservationRows:
    """Read IODA NetCDF: groups ``MetaData``, ``ObsValue`` and, if there, ``ObsError``.

    ``dateTime`` is in seconds since the time in its unit; ``stationElevation`` is read if there.
    """
    with netCDF4.Dataset(path) as file:
        if not {"MetaData", "ObsValue"} <= set(file.groups):
            raise ValueError(
                f"The file '{path}' has neither observations nor the groups 'MetaData' and 'ObsValue' of IODA; it has "
                f"{[*file.variables, *file.groups]}."
            )
        about, values = file["MetaData"], file["ObsValue"]
        stamp = about["dateTime"]
        dates = netCDF4.num2date(stamp[:], stamp.units, only_use_cftime_datetimes=False, only_use_python_datetimes=True)
        times = np.array([np.datetime64(d, "s") for d in np.ma.getdata(np.ma.asarray(dates))], "datetime64[s]")
        lat, lon = (np.asarray(about[n][:], float) for n in ("latitude", "longitude"))
        height = _filled(about["stationElevation"]) if "stationElevation" in about.variables else None
        errors = file.groups.get("ObsError")
        parts = []
        for label, name in IODA.items():
            if label not in values.variables:
                continue
            found, units = values[label], getattr(values[label], "units", None)
            error = _filled(errors[label]) if errors is not None and label in errors.variables else None
            error = None if error is None else in_units(error, units, name, str(path), error=True)
            observed = in_units(_filled(found), units, name, str(path))
            parts.append(make_rows(str(path), name, times, lat, lon, observed, error, height))
        if not parts:
            raise ValueError(f"'{path}' has {list(values.variables)} in 'ObsValue'. Known are {sorted(IODA)}.")
    return ObservationRows.joined(parts)


def _filled(variable: netCDF4.Variable) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(variable[:], dtype=float), np.nan)


def read_odb(path: Path) -> ObservationRows:
    """Read ODB-2 with ``pyodc``: ``varno``, ``obsvalue``, ``date``, ``time``, ``lat``, ``lon``, and ``obs_error``."""
    try:
        import pyodc
    except ImportError as absent:
        raise ValueError(f"ODB-2 ('{path}') needs the package pyodc: pip install pyodc.") from absent
    table = pyodc.read_odb(str(path), single=True)
    table = table.rename(columns=lambda c: c.partition("@")[0])
    if missing := [c for c in ("varno", "obsvalue", "date", "time", "lat", "lon") if c not in table]:
        raise ValueError(f"'{path}' has no column {missing}; it has {list(table)}.")
    table = table[table["varno"].isin(list(ODB))]
    date, time = table["date"].to_numpy(int), table["time"].to_numpy(int)
    text = [f"{d // 10000:04d}-{d // 100 % 100:02d}-{d % 100:02d}" for d in date]
    seconds = time // 10000 * 3600 + time // 100 % 100 * 60 + time % 100
    times = np.array(text, "datetime64[s]") + seconds.astype("timedelta64[s]")
    names = np.array([ODB[int(v)] for v in table["varno"]], "U16")
    error = table["obs_error"].to_numpy(float) if "obs_error" in table else None
    height = table["stalt"].to_numpy(float) if "stalt" in table else None
    lat, lon = (table[c].to_numpy(float) for c in ("lat", "lon"))
    return make_rows(str(path), names, times, lat, lon, table["obsvalue"].to_numpy(float), error, height)


def read_bufr(path: Path) -> ObservationRows:
    """Read SYNOP reports in BUFR with ``pdbufr``: temperature and dewpoint at 2 m, and snow depth."""
    try:
        import pdbufr
    except ImportError as error:
        raise ValueError(f"BUFR ('{path}') needs the package pdbufr: pip install pdbufr.") from error
    parts = []
    for key, name in BUFR.items():
        table = pdbufr.read_bufr(str(path), columns=(*_OF_BUFR, "heightOfStationGroundAboveMeanSeaLevel", key),
                                 required_columns=(*_OF_BUFR, key))  # fmt: skip
        if not len(table) or key not in table:
            continue
        table = table.dropna(subset=[*_OF_BUFR, key])
        parts_of_date = table[list(_OF_BUFR[:5])].astype(int).values
        when = [f"{y:04d}-{m:02d}-{d:02d}T{h:02d}:{n:02d}" for y, m, d, h, n in parts_of_date]
        height = table.get("heightOfStationGroundAboveMeanSeaLevel")
        parts.append(
            make_rows(
                str(path),
                name,
                np.array(when, "datetime64[s]"),
                table["latitude"].to_numpy(float),
                table["longitude"].to_numpy(float),
                table[key].to_numpy(float),
                elevations=None if height is None else height.to_numpy(float),
            )
        )
    if not parts:
        raise ValueError(f"'{path}' has none of {sorted(BUFR)}. Give SYNOP reports.")
    return ObservationRows.joined(parts)
