# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Snow seasons: onset, melt-out, duration and peak at each point, and their errors.

A snow year runs from 1 August to 31 July in the north and from 1 February to 31 January in the south, and is named by
the year in which it begins. A day has snow if its mean ``sd`` exceeds 1 kg m-2, or without ``sd`` its mean ``snowc``
0.1. A season is at least five consecutive days with snow. Dates are days after the first day of the snow year.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.evaluation.fields.daily_means import daily_means
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import common_times, held_out_points, match_points, point_groups

LOG = logging.getLogger(__name__)

#: Daily means above which a day has snow: mass [kg m-2], cover [1].
SNOW_LIMITS = {"sd": 1.0, "snowc": 0.1}

#: Fewest consecutive days with snow of a season.
SEASON_DAYS = 5

#: First month of the snow year by hemisphere.
FIRST_MONTH = {"north": 8, "south": 2}

#: Columns of the table of errors.
COLUMNS = ["model", "group", "snow_year", "metric", "value", "units", "n"]

_UNITS = {
    "onset": "day", "melt_out": "day", "duration": "day", "snow_days": "day", "peak": "kg m-2", "peak_day": "day",
}  # fmt: skip
_DAY = np.timedelta64(1, "D")


def snow_variable(*held: Collection[str]) -> str:
    """Return the snow variable common to all runs with the variables ``held``."""
    for name in SNOW_LIMITS:
        if all(name in each for each in held):
            return name
    raise ValueError(
        f"The snow season needs one of {list(SNOW_LIMITS)} in all runs, which have "
        f"{[sorted(each) for each in held]}. Write one of them, or leave the snow season out."
    )


def season(snow: np.ndarray) -> dict[str, np.ndarray]:
    """Find onset, melt-out and length of the season at each point from days with snow ``(day, point)``.

    Returns arrays ``(point,)``, NaN where unknown: ``onset``, the first day of the first spell of at least
    :data:`SEASON_DAYS` (NaN if snow lies on the first day); ``melt_out``, the first day without snow after the longest
    spell (NaN if that lasts to the last day); ``duration`` of the longest spell (NaN if it touches either end);
    ``snow_days``, all days with snow; ``has_season``, bool.
    """
    n_days, n_points = snow.shape
    run, longest, end = (np.zeros(n_points, int) for _ in range(3))
    onset = np.full(n_points, np.nan)
    for day in range(n_days):
        run = np.where(snow[day], run + 1, 0)
        longer = run > longest
        longest, end = np.where(longer, run, longest), np.where(longer, day + 1, end)
        onset = np.where((run == SEASON_DAYS) & np.isnan(onset), day + 1 - SEASON_DAYS, onset)
    has = longest >= SEASON_DAYS
    ended = has & (end < n_days)
    return {
        "onset": np.where(onset > 0, onset, np.nan),
        "melt_out": np.where(ended, end, np.nan),
        "duration": np.where(ended & (end > longest), longest, np.nan),
        "snow_days": snow.sum(0).astype(np.float64),
        "has_season": has,
    }


def peak(sd: np.ndarray) -> dict[str, np.ndarray]:
    """Find the largest daily mean of snow mass ``(day, point)`` [kg m-2] and its day; NaN without snow."""
    most = sd.max(0).astype(np.float64)
    snowy = most > SNOW_LIMITS["sd"]
    return {"peak": np.where(snowy, most, np.nan), "peak_day": np.where(snowy, sd.argmax(0), np.nan)}


def snow_seasons(
    fields: Fields,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    points: np.ndarray | None = None,
    variable: str | None = None,
) -> xr.Dataset:
    """Find the snow seasons by snow year and point; one snow year of one hemisphere is in memory at a time.

    ``start`` and ``end`` are included, ``points`` are indices, and ``variable`` is ``sd`` or ``snowc``. The result has
    variables ``(snow_year, point)`` of :func:`season` and, with ``sd``, of :func:`peak`; days count from the first of
    the snow year. ``days`` is the number of available days. NaN without a season or if the dates do not show it.
    """
    variable = variable or snow_variable(fields.variables)
    points = np.arange(len(fields.latitude)) if points is None else points
    times = fields.times
    start, end = times[0] if start is None else start, times[-1] if end is None else end
    latitude = fields.latitude[points]
    sides = {"north": np.flatnonzero(latitude >= 0), "south": np.flatnonzero(latitude < 0)}
    years = np.arange(min(_snow_year(start, m) for m in FIRST_MONTH.values()),
                      max(_snow_year(end, m) for m in FIRST_MONTH.values()) + 1)  # fmt: skip
    names = [n for n in _UNITS if variable == "sd" or not n.startswith("peak")]
    out = {name: np.full((len(years), len(points)), np.nan) for name in (*names, "has_season", "days")}
    for side, part in sides.items():
        for i, year in enumerate(years.tolist()):
            first = _first_day(year, FIRST_MONTH[side])
            last = _first_day(year + 1, FIRST_MONTH[side]) - np.timedelta64(1, "ns")
            if len(part) and first <= end and last >= start:
                found = _one_year(fields, variable, max(first, start), min(last, end), points[part], first)
                for name, values in found.items():
                    out[name][i, part] = values
    place = {"latitude": ("point", latitude), "longitude": ("point", fields.longitude[points])}
    data = {name: (("snow_year", "point"), v, {"units": _UNITS.get(name, "1")}) for name, v in out.items()}
    return xr.Dataset(data, coords={"snow_year": years, **place}, attrs={"snow_from": variable})


def _one_year(
    fields: Fields, variable: str, start: np.datetime64, end: np.datetime64, points: np.ndarray, first: np.datetime64
) -> dict[str, np.ndarray]:
    inside = fields.times[(fields.times >= start) & (fields.times <= end)]
    if len(inside) < 2 or inside[-1] - inside[0] < SEASON_DAYS * _DAY:
        return {"days": np.full(len(points), 0.0)}  # too short to show a season
    days, means = daily_means(fields, [variable], start, end, points)
    found = season(means[variable] > SNOW_LIMITS[variable])
    if variable == "sd":
        found |= peak(means["sd"])
    offset = (days[0] - first.astype("datetime64[D]")) / _DAY
    for name in {"onset", "melt_out", "peak_day"} & found.keys():
        found[name] = found[name] + offset
    return {**found, "days": np.full(len(points), float(len(days)))}


def _snow_year(time: np.datetime64, first_month: int) -> int:
    months = int(np.asarray(time).astype("datetime64[M]").astype(int))
    return 1970 + (months - (first_month - 1)) // 12


def _first_day(year: int, month: int) -> np.datetime64:
    return np.datetime64(f"{year:04d}-{month:02d}-01", "ns")


def season_errors(
    forecast: xr.Dataset, reference: xr.Dataset, groups: Mapping[str, np.ndarray], model: str = "emulator"
) -> list[dict[str, Any]]:
    """Compute the errors of the season, for the same points and dates, as rows with :data:`COLUMNS`.

    ``snow_year`` is NaN over all years. ``<quantity>_bias`` (forecast - reference) and ``<quantity>_mae`` are over
    points and years in which both have a season and a known quantity; ``hits``, ``misses``, ``false_alarms``,
    ``correct_negatives`` count points and years. Empty groups have NaN and n = 0.
    """
    rows = []
    shown = reference["days"].values > 0
    for group, index in groups.items():
        years: list[tuple[float, Any]] = [
            *((float(y), [i]) for i, y in enumerate(reference["snow_year"].values)),
            (np.nan, slice(None)),
        ]
        for year, part in years:
            head = {"model": model, "group": group, "snow_year": year}
            seen = shown[part][:, index]
            a, b = (d["has_season"].values[part][:, index] == 1 for d in (forecast, reference))
            for name, where in (("hits", a & b), ("misses", ~a & b), ("false_alarms", a & ~b),
                                ("correct_negatives", ~a & ~b)):  # fmt: skip
                count, n = int((where & seen).sum()), int(seen.sum())
                rows.append({**head, "metric": name, "value": count if n else np.nan, "units": "1", "n": n})
            for name in (n for n in _UNITS if n in reference and n in forecast):
                error = (forecast[name].values - reference[name].values)[part][:, index]
                error = error[a & b & np.isfinite(error)]
                for metric, values in (("bias", error), ("mae", np.abs(error))):
                    value = float(values.mean()) if len(values) else np.nan
                    rows.append({**head, "metric": f"{name}_{metric}", "value": value, "units": _UNITS[name],
                                 "n": len(values)})  # fmt: skip
    return rows


def compare_snow_seasons(
    forecasts: Mapping[str, Fields], reference: Fields
) -> tuple[pd.DataFrame, dict[str, tuple[xr.Dataset, xr.Dataset]]]:
    """Compute the errors of the snow season of each forecast over its own dates.

    Returns the table of :func:`season_errors`, and the seasons of forecast and reference by label.

    Raises
    ------
    ValueError
        A snow variable is missing, dates or points do not match, a value is NaN.
    """
    mask = held_out_points(reference)
    rows, seasons = [], {}
    for label, run in forecasts.items():
        index, times = match_points(run, reference), common_times(run, reference)
        variable = snow_variable(run.variables, reference.variables)
        LOG.info("Snow season of %s from %s, above %g", label, variable, SNOW_LIMITS[variable])
        period = (run.times[0], times[-1])
        pair = (
            snow_seasons(run, *period, variable=variable),
            snow_seasons(reference, *period, index, variable),
        )
        seasons[label] = pair
        rows += season_errors(*pair, point_groups(len(index), None if mask is None else mask[index]), label)
    return pd.DataFrame(rows, columns=COLUMNS), seasons


def date_errors(seasons: Mapping[str, tuple[xr.Dataset, xr.Dataset]]) -> pd.DataFrame:
    """List the error of each onset and melt-out known in both, for a figure of their distribution.

    ``error_days`` is forecast - reference; ``seasons`` is from :func:`compare_snow_seasons`.
    """
    parts = []
    for label, (forecast, reference) in seasons.items():
        for event in ("onset", "melt_out"):
            error = (
                (forecast[event] - reference[event])
                .drop_vars(["latitude", "longitude"])
                .assign_coords(point=np.arange(forecast.sizes["point"]))
            )
            rows = error.rename("error_days").to_dataframe().dropna().reset_index()
            parts.append(rows.assign(model=label, event=event))
    columns = ["model", "event", "snow_year", "point", "error_days"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
