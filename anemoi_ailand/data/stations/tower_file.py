# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Meteorology of a tower's own file: FLUXNET CSV, ALMA or PLUMBER2 NetCDF, or any CSV with a mapping of columns.

A file has one record for each half hour or hour, in local standard time. Records are put on a regular UTC axis and
converted to SI units; missing records and missing values are NaN. No value is filled or corrected here.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.data.files.netcdf import is_netcdf
from anemoi_ailand.data.stations.plumber2 import END, START, meaning_of_stamps, zone_offset
from anemoi_ailand.data.stations.sampling import offset_of_longitude, to_utc
from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.support.options import nearest, suggestion
from anemoi_ailand.support.units import Conversion, convert, find_conversion, known_units, same_units

LOG = logging.getLogger(__name__)

#: Column of a mapping that holds the stamps.
TIME = "time"

#: Columns of the stamps in FLUXNET files, and their form.
_FLUXNET_TIMES = {END: "TIMESTAMP_END", START: "TIMESTAMP_START"}
_FLUXNET_FORM = "%Y%m%d%H%M"

#: Advice for a tower that does not measure long-wave radiation.
_NO_LONG_WAVE = (
    " If the tower does not measure it, add a column from another source, such as a reanalysis at this place, or from "
    "a formula of air temperature and humidity that you state."
)

#: Marks of missing values in FLUXNET, AmeriFlux and PALS files.
MISSING = (-9999.0, -6999.0)

#: Unit of an amount of water per record.
_AMOUNT, _RATE = "kg m-2", "kg m-2 s-1"
_SAME: Conversion = (1.0, 0.0)
_HOUR = np.timedelta64(3600, "s")

#: Rain alone in ALMA, where the file has snowfall too.
_RAINFALL = "Rainf"

#: ``name [unit]`` in a mapping of columns.
_COLUMN = re.compile(r"\s*(?P<name>.+?)\s*(?:\[(?P<units>[^\]]*)\])?\s*", re.DOTALL)

#: Separators of a CSV file; with all but the first, numbers may have a decimal comma.
_SEPARATORS = ",;\t"

#: A date with the year last; its first two numbers are day and month, or month and day.
_YEAR_LAST = re.compile(r"\s*(\d{1,2})[/.-](\d{1,2})[/.-]\d{4}")


@dataclass(frozen=True)
class Quantity:
    """Measured quantity: unit here, names and units in files, and plausible values.

    ``fluxnet`` lists columns in the order of preference. ``limits`` bound a single value and ``mean`` the mean of a
    file, both in ``units``.
    """

    meaning: str
    units: str
    fluxnet: tuple[str, ...]
    fluxnet_units: str
    alma: tuple[str, ...]
    limits: tuple[float, float]
    mean: tuple[float, float]


#: Quantities by the name that a mapping of columns uses.
QUANTITIES: dict[str, Quantity] = {
    "temperature": Quantity(
        "air temperature", "K", ("TA_F", "TA_F_MDS", "TA"), "degC", ("Tair",), (190.0, 335.0), (220.0, 315.0)
    ),
    "specific_humidity": Quantity(
        "specific humidity", "kg kg-1", (), "kg kg-1", ("Qair",), (0.0, 0.06), (1e-4, 0.03)
    ),
    "relative_humidity": Quantity(
        "relative humidity", "1", ("RH_F", "RH"), "%", ("RH", "RelHum"), (0.0, 1.1), (0.05, 1.05)
    ),
    "vapour_pressure_deficit": Quantity(
        "vapour pressure deficit", "Pa", ("VPD_F", "VPD_F_MDS", "VPD"), "hPa", ("VPD",), (-100.0, 1.2e4), (5.0, 5e3)
    ),
    "pressure": Quantity(
        "air pressure", "Pa", ("PA_F", "PA"), "kPa", ("Psurf", "PSurf"), (4e4, 1.1e5), (4.5e4, 1.08e5)
    ),
    "wind": Quantity("wind speed", "m s-1", ("WS_F", "WS"), "m s-1", ("Wind",), (0.0, 60.0), (0.05, 20.0)),
    "short_wave": Quantity(
        "downward short-wave radiation", "W m-2", ("SW_IN_F", "SW_IN_F_MDS", "SW_IN"), "W m-2", ("SWdown",),
        (-20.0, 1500.0), (10.0, 500.0),
    ),
    "long_wave": Quantity(
        "downward long-wave radiation", "W m-2", ("LW_IN_F", "LW_IN_F_MDS", "LW_IN"), "W m-2", ("LWdown",),
        (0.0, 700.0), (80.0, 500.0),
    ),
    "precipitation": Quantity(
        "precipitation", _RATE, ("P_F", "P"), "mm", ("Precip", "Rainf"), (0.0, 0.1), (0.0, 5e-4)
    ),
    "snowfall": Quantity("snowfall", _RATE, (), "mm", ("Snowf",), (0.0, 0.1), (0.0, 5e-4)),
}  # fmt: skip

#: Quantities that every file must hold; of the last, any one.
REQUIRED = ("temperature", "wind", "short_wave", "long_wave", "precipitation")
HUMIDITY = ("relative_humidity", "vapour_pressure_deficit", "specific_humidity")


@dataclass(frozen=True)
class TowerRecords:
    """Records of a tower on a regular axis.

    ``ends`` are the ends of the records, UTC, ``datetime64[s]``, every ``step``; ``values`` (record,) by names of
    :data:`QUANTITIES`, in their units, NaN where missing. ``rules`` state how the file was understood; ``assumed`` is
    the meaning of the stamps if neither the file nor the user states it.
    """

    path: Path
    ends: np.ndarray
    step: np.timedelta64
    values: dict[str, np.ndarray]
    latitude: float
    longitude: float
    elevation: float | None
    utc_offset: float
    rules: dict[str, str] = field(default_factory=dict)
    assumed: str | None = None


@dataclass(frozen=True)
class _Table:
    """A file as read: stamps, columns with their units, and what it says about place and clock."""

    stamps: np.ndarray
    stamp: str
    stamp_source: str
    columns: dict[str, np.ndarray]
    units: dict[str, str | None]
    place: dict[str, float]
    zone: str = ""
    assumed: bool = False
    text: dict[str, pd.Series] = field(default_factory=dict)


def read_tower(
    path: str | Path,
    *,
    latitude: float | None = None,
    longitude: float | None = None,
    elevation: float | None = None,
    utc_offset: float | None = None,
    columns: Mapping[str, str] | None = None,
    stamp: str | None = None,
) -> TowerRecords:
    """Read the meteorology of a tower.

    Parameters
    ----------
    path : str or Path
        FLUXNET CSV (``TA_F``, ``VPD_F``, ...), NetCDF with ALMA names (``Tair``, ``SWdown``, ...), or another CSV.
    latitude, longitude, elevation : float, optional
        Place of the tower [degrees, m]; by default that of the file, which FLUXNET files lack.
    utc_offset : float, optional
        Local standard time minus UTC [h]; by default the time zone of the file, or else that of the longitude.
    columns : mapping of str to str, optional
        Columns by names of :data:`QUANTITIES`, ``{"temperature": "AirT [degC]", "time": "date"}``; without a unit, that
        of the file (also in the header, ``AirT [degC]``) or of FLUXNET holds. Stamps may have a form,
        ``"date [%d/%m/%Y %H:%M]"``. Other quantities keep the names of the archive.
    stamp : {'start', 'end'}, optional
        Whether a stamp is the start or the end of its record; by default as the file or its archive says.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        A column is missing, a unit unknown or implausible, or stamps are doubled or irregular.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise not_found(path, "tower file")
    if stamp not in (None, START, END):
        raise ValueError(f"`stamp` is '{stamp}'. Give '{START}' or '{END}'.")
    chosen = _checked(columns or {})
    table = _read_netcdf(path) if is_netcdf(path) else _read_csv(path, chosen.get(TIME))
    lat, lon = _place("latitude", latitude, table, path), _place("longitude", longitude, table, path)
    offset, zone = _offset(utc_offset, table.zone, lon, table.stamps[0])
    step = _step(table.stamps, path)
    meaning = stamp or table.stamp
    ends = to_utc(table.stamps, offset).astype("datetime64[s]") + (step if meaning == START else np.timedelta64(0, "s"))
    axis = np.arange(ends[0], ends[-1] + step, step)
    at = (ends - ends[0]) // step
    values = {}
    found = _find(chosen, table, path)
    for name, (column, units) in found.items():
        _warn_of_text(column, table, path)
        values[name] = np.full(len(axis), np.nan)
        values[name][at] = _converted(table.columns[column], units, name, column, step, path)
    if "snowfall" in values and found["precipitation"][0] == _RAINFALL:
        values["precipitation"] += values["snowfall"]
    source = "as given" if stamp else table.stamp_source
    rules = {
        "time_zone": f"local standard time is UTC{offset:+g} h, {zone}",
        "time_stamps": f"stamps are the {meaning} of the record, {source}; an instant is the record that ends at it",
        "missing_records": f"{len(axis) - len(ends)} of {len(axis)}",
    }
    LOG.info("%d records of '%s', %s", len(ends), path, rules["time_zone"])
    height = table.place.get("elevation") if elevation is None else elevation
    return TowerRecords(
        path, axis, step, values, lat, lon, height, offset, rules, meaning if table.assumed and not stamp else None
    )


def _checked(columns: Mapping[str, str]) -> dict[str, str]:
    """Return a mapping of columns; refuse an unknown quantity and an empty name."""
    for name, text in columns.items():
        if name not in (TIME, *QUANTITIES):
            raise ValueError(f"`columns` names '{name}'. {suggestion(name, [TIME, *QUANTITIES])}.")
        if _COLUMN.fullmatch(str(text)) is None:
            raise ValueError(f"The column '{text}' of '{name}' is not a name, or a name and a unit: 'AirT [degC]'.")
    return {name: str(text).strip() for name, text in columns.items()}


def _split(text: str) -> tuple[str, str | None]:
    """Return the name and the unit of ``name [unit]``."""
    match = _COLUMN.fullmatch(text)
    return (match["name"], match["units"] or None) if match else (text, None)


def _column(text: str, columns: Iterable[str]) -> tuple[str, str | None]:
    """Return the column that a mapping means, with its unit if the mapping gives one.

    It is the column of the whole text, else of its name, else the only one whose header is the name and a unit.
    """
    if text in columns:
        return text, None
    name, units = _split(text)
    with_units = [c for c in columns if _split(c)[0] == name]
    return with_units[0] if len(with_units) == 1 else name, units


def _near(name: str, columns: Iterable[str]) -> str:
    """Return the nearest columns of a file, or those that it has."""
    near = nearest(name, columns)
    return f"Nearest: {near}. It has {sorted(columns)[:40]}." if near else f"It has {sorted(columns)[:40]}."


def _separator(path: Path) -> str:
    """Return the most frequent separator of the header."""
    with path.open(encoding="utf-8", errors="replace") as file:
        header = next((line for line in file if line.strip() and not line.startswith("#")), "")
    return max(_SEPARATORS, key=header.count)


def _stamps(text: pd.Series, column: str, path: Path, form: str | None = None) -> np.ndarray:
    """Return the stamps of a column, in a form such as ``%d/%m/%Y %H:%M``.

    Without a form, a date with the year last begins with the day if any first number exceeds 12, and with the month if
    any second one does; if none does, it could be either, which is an error.
    """
    if form is None and text.str.fullmatch(r"\d{12}").all():
        form = _FLUXNET_FORM
    first, second = (pd.to_numeric(part) for _, part in text.str.extract(_YEAR_LAST).items())
    if form is None and first.notna().any() and not (first > 12).any() and not (second > 12).any():
        raise ValueError(
            f"'{text.iloc[0]}' in '{column}' of '{path}' may begin with the day or with the month: in no record does "
            f"one of these exceed 12. Give the form in `columns`: {TIME}: '{column} [%d/%m/%Y %H:%M]' "
            "(day first), or write 2004-02-01 00:30."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the form that pandas guesses
        stamps = pd.to_datetime(text, format=form, dayfirst=bool((first > 12).any()), errors="coerce")
    if stamps.isna().any():
        same = f"'{form}'" if form else f"of the first, '{text.iloc[0]}'"
        raise ValueError(
            f"'{column}' of '{path}' holds '{text[stamps.isna()].iloc[0]}', which cannot be read as a date, or not in "
            f"the form {same}. Write all stamps as 2004-01-13 00:30."
        )
    return stamps.to_numpy(dtype="datetime64[s]")


def _read_csv(path: Path, time: str | None) -> _Table:
    separator = _separator(path)
    try:
        table = pd.read_csv(
            path, sep=separator, decimal="." if separator == "," else ",", comment="#", skipinitialspace=True,
            dtype=dict.fromkeys(_FLUXNET_TIMES.values(), str),
        )  # fmt: skip
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}' is neither NetCDF nor CSV ({error}). Give the file of a tower.") from error
    fluxnet = next((m for m, column in _FLUXNET_TIMES.items() if column in table), None)
    if time is None and fluxnet is None:
        raise ValueError(
            f"'{path}' has none of {list(_FLUXNET_TIMES.values())}; it has {list(table)[:30]}. Name the column of the "
            f"stamps in `columns`: '{TIME}'."
        )
    column, form = _column(time, list(table)) if time is not None else (_FLUXNET_TIMES[str(fluxnet)], None)
    if column not in table:
        raise ValueError(f"'{path}' has no column '{column}' for the stamps. {_near(column, list(table))}")
    if table.empty:
        raise ValueError(f"'{path}' has a header and no records. Give the file of a tower.")
    text, form = table.pop(column).astype(str), form if form and "%" in form else None
    stamps = _stamps(text, column, path, form)
    if time is None and fluxnet == END and (start := _FLUXNET_TIMES[START]) in table:
        _check_length(_stamps(table[start].astype(str), start, path), stamps, path)
    source = f"as the column '{column}' says" if time is None else "assumed: give `stamp` if it is the start"
    table = table.drop(columns=[c for c in _FLUXNET_TIMES.values() if c in table])
    numbers = table.apply(pd.to_numeric, errors="coerce")
    text_in = {str(n): table.loc[bad, n] for n in table if (bad := numbers[n].isna() & table[n].notna()).any()}
    values = {str(n): _without_missing(v.to_numpy(dtype=np.float64)) for n, v in numbers.items()}
    units = {name: _split(name)[1] for name in values}
    meaning = fluxnet if time is None and fluxnet else END
    return _Table(stamps, meaning, source, values, units, {}, assumed=time is not None, text=text_in)


def _check_length(starts: np.ndarray, ends: np.ndarray, path: Path) -> None:
    """Refuse records whose end is not one record after their start."""
    lengths, counts = np.unique(ends - starts, return_counts=True)
    length, steps = lengths[counts.argmax()], np.diff(ends)
    if len(steps) and length != np.median(steps):
        minutes = [int(x / np.timedelta64(1, "m")) for x in (length, np.median(steps))]
        raise ValueError(
            f"'{path}' has records that end {minutes[0]} minutes after they start, and follow one another by "
            f"{minutes[1]}. Correct the stamps, or leave one of both columns out."
        )


def _warn_of_text(column: str, table: _Table, path: Path) -> None:
    """Warn of text in the place of numbers in a column that is read."""
    if column in table.text:
        text = table.text[column]
        LOG.warning(
            "'%s' of '%s' has text instead of a number in %d records, such as '%s'. They count as missing",
            column, path, len(text), text.iloc[0],
        )  # fmt: skip


def _read_netcdf(path: Path) -> _Table:
    with xr.open_dataset(path, engine="netcdf4") as dataset:
        several = {d: n for d, n in dataset.sizes.items() if d != TIME and n > 1}
        if TIME not in dataset or several:
            raise ValueError(
                f"'{path}' has dimensions {dict(dataset.sizes)}; (time, y, x) with one place are needed. Give the file "
                "of one tower."
            )
        time = dataset[TIME]
        said = meaning_of_stamps(time)
        source = "as the file says" if said else "as in PLUMBER2: the file does not say"
        values, units, place = {}, {}, {}
        for name, array in dataset.variables.items():
            if array.dims[:1] == (TIME,) and name != TIME and np.issubdtype(array.dtype, np.number):
                values[str(name)] = _without_missing(array.values.reshape(len(time)).astype(np.float64))
                units[str(name)] = array.attrs.get("units")
            elif name in ("latitude", "longitude", "elevation") and array.size == 1:
                place[str(name)] = float(array.values.squeeze())
        zone = str(time.attrs.get("time_zone", ""))
        stamps = time.values.astype("datetime64[s]")
        return _Table(stamps, said or START, source, values, units, place, zone, assumed=said is None)


def _without_missing(values: np.ndarray) -> np.ndarray:
    return np.where(np.isin(values, MISSING), np.nan, values)


def _place(name: str, given: float | None, table: _Table, path: Path) -> float:
    value = table.place.get(name) if given is None else given
    bound = {"latitude": 90.0, "longitude": 360.0}[name]
    if value is None:
        raise ValueError(
            f"'{path}' does not hold the {name} of the tower [degrees]. Give `{name}`, "
            f"here or in the properties of the site; for the command, `--{name[:3]}`."
        )
    if not -bound <= value <= bound:
        raise ValueError(f"The {name} of '{path}' is {value:g}, outside -{bound:g} to {bound:g} degrees. Correct it.")
    return float(value)


def _offset(given: float | None, zone: str, longitude: float, first: np.datetime64) -> tuple[float, str]:
    """Return local standard time minus UTC [h] and where it comes from."""
    if given is not None:
        if not -14.0 <= given <= 14.0:
            raise ValueError(f"The UTC offset is {given:g} h. Give local standard time minus UTC, from -14 to 14 h.")
        return float(given), "as given"
    if (hours := zone_offset(zone, int(str(first)[:4]))) is not None:
        return hours, f"as the file says ('{zone}')"
    LOG.warning("No UTC offset is given: it is taken from the longitude. Give it if local time is another.")
    return offset_of_longitude(longitude), "assumed from the longitude"


def _step(stamps: np.ndarray, path: Path) -> np.timedelta64:
    """Return the length of the records; refuse stamps that are doubled, not increasing or not on a regular axis."""
    if len(stamps) < 2:
        raise ValueError(f"'{path}' has {len(stamps)} record(s); two are needed to know their length.")
    steps = np.diff(stamps)
    lengths, counts = np.unique(steps, return_counts=True)
    step = lengths[counts.argmax()]
    summer = "Give local standard time: a clock with summer time repeats an hour in autumn and skips one in spring."
    wrong = np.flatnonzero(steps <= np.timedelta64(0, "s"))
    if len(wrong):
        i = wrong[0]
        raise ValueError(
            f"{len(wrong)} stamps of '{path}' are doubled or go back, first {stamps[i + 1]} after {stamps[i]}. Sort "
            f"the records and remove the doubled ones. {summer}"
        )
    uneven = np.flatnonzero(steps % step != np.timedelta64(0, "s"))
    if len(uneven):
        i = uneven[0]
        raise ValueError(
            f"{len(uneven)} stamps of '{path}' are not on an axis of {step.astype('timedelta64[m]')}, first "
            f"{stamps[i + 1]} after {stamps[i]}. Correct the stamps."
        )
    if _HOUR % step:
        raise ValueError(
            f"Records of '{path}' are {step.astype('timedelta64[m]')} long. Give half-hourly or hourly records."
        )
    return step


def _find(chosen: Mapping[str, str], table: _Table, path: Path) -> dict[str, tuple[str, str]]:
    """Return column and unit of each quantity in a file; refuse a file without one that is required."""
    found: dict[str, tuple[str, str]] = {}
    for name, quantity in QUANTITIES.items():
        if name in chosen:
            column, units = _column(chosen[name], table.columns)
            if column not in table.columns:
                raise ValueError(
                    f"'{path}' has no column '{column}' for {quantity.meaning}. {_near(column, table.columns)}"
                )
            found[name] = (column, units or table.units[column] or quantity.fluxnet_units)
            continue
        for column in (*quantity.fluxnet, *quantity.alma):
            if column in table.columns and np.isfinite(table.columns[column]).any():
                found[name] = (column, table.units[column] or quantity.fluxnet_units)
                break
    for name in (*REQUIRED, HUMIDITY[0]):
        if name not in found and not (name in HUMIDITY and set(HUMIDITY) & set(found)):
            group = HUMIDITY if name in HUMIDITY else (name,)
            names = [c for n in group for c in (*QUANTITIES[n].fluxnet, *QUANTITIES[n].alma)]
            near = sorted({c for n in names for c in nearest(n, table.columns, n=1)})
            raise ValueError(
                f"'{path}' has no {' or '.join(QUANTITIES[n].meaning for n in group)} (looked for {names}). Nearest: "
                f"{near or 'none'}. It has {sorted(table.columns)[:40]}. Name the column in `columns`: '{group[0]}'."
                + (_NO_LONG_WAVE if name == "long_wave" else "")
            )
    return found


def _converted(values: np.ndarray, units: str, name: str, column: str, step: np.timedelta64, path: Path) -> np.ndarray:
    """Return a column in the unit of its quantity; refuse an unknown unit, and one that cannot be true."""
    quantity = QUANTITIES[name]
    pairs = {u: find_conversion(u, quantity.units) or _SAME for u in known_units(quantity.units)}
    if quantity.units == _RATE:  # or an amount per record
        seconds = float(step / np.timedelta64(1, "s"))
        pairs |= {u: ((find_conversion(u, _AMOUNT) or _SAME)[0] / seconds, 0.0) for u in known_units(_AMOUNT)}
    pair = next((p for u, p in pairs.items() if same_units(units, u)), None)
    if pair is None:
        raise ValueError(
            f"'{column}' of '{path}' is in '{units}'; known units of {quantity.meaning} are {sorted(pairs)}. Give the "
            f"unit in `columns`: {name}: '{column} [unit]'."
        )
    converted = convert(values, pair)
    low, high = quantity.mean
    mean = float(np.nanmean(converted)) if np.isfinite(converted).any() else low
    if not low <= mean <= high:
        raw = float(np.nanmean(values))
        fitting = {p: u for u, p in reversed(pairs.items()) if low <= raw * p[0] + p[1] <= high}
        raise ValueError(
            f"The mean of '{column}' of '{path}' is {raw:.4g} {units}, which is {mean:.4g} {quantity.units}: not a "
            f"plausible {quantity.meaning} ({low:g} to {high:g} {quantity.units}). "
            + (f"It would be in {' or '.join(fitting.values())}. " if fitting else "")
            + f"Correct the file, or give the unit in `columns`: {name}: '{column} [unit]'."
        )
    return converted
