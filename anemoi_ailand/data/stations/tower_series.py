# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Meteorology of a tower without faults and gaps: every rule is counted and stated.

A value is a fault if it is beyond the limits of its quantity, if the temperature departs by more than 25 K from the
median of the 24 h around it, or if long-wave radiation is below 0.5 or above 1.15 times that of a black body at air
temperature. Faults are treated like missing values. Gaps of up to 3 h (12 h for pressure and long-wave radiation, whose
daily cycles are weak) are filled by linear interpolation, longer ones by the mean of the same time of day over 7 days
before and after; missing precipitation counts as none. Wind is at least 0.1 m s-1. What cannot be filled is an error.

The mean of the same time of day follows Falge et al. (2001), doi:10.1016/S0168-1923(00)00225-2.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

import numpy as np
import pandas as pd
from earthkit.meteo.solar import solar_declination_angle

from anemoi_ailand.data.stations.tower_file import END, QUANTITIES, START, TowerRecords
from anemoi_ailand.physics.air import (
    effective_emissivity,
    saturation_pressure,
    snow_fraction,
    specific_humidity,
    standard_pressure,
)
from anemoi_ailand.support.sphere import wrap_longitude

LOG = logging.getLogger(__name__)

#: Largest departure of air temperature from the median of the day around it [K].
LARGEST_DEPARTURE = 25.0

#: Range of long-wave radiation over that of a black body at air temperature [1].
EMISSIVITY = (0.5, 1.15)

#: Least wind speed [m s-1]: without wind, bulk formulas have no exchange.
LEAST_WIND = 0.1

#: Longest gap filled by linear interpolation [h]: of most quantities, and of those with a weak daily cycle.
INTERPOLATED, INTERPOLATED_LONG = 3.0, 12.0

#: Rate of snowfall beyond which the records are doubtful, water equivalent [kg m-2 s-1]: 10 mm h-1.
DOUBTFUL_SNOWFALL = 10.0 / 3600.0

#: Days before and after a gap whose values at the same time of day fill it, and the fewest values for that.
DAYS_AROUND, FEWEST_VALUES = 7, 3

#: Largest part of a series that may be filled [1].
LARGEST_FILLED = 0.3

#: Plausible precipitation [mm a year], from deserts to the wettest places, and the days from which it is judged.
YEARLY_RAIN, JUDGED_DAYS = (5.0, 1.2e4), 60.0

#: Largest amount of a record [mm] below which rain is too weak, by the least days and the least number of wet records.
#: The largest hour of a year is at least 6 mm at the towers and in all climates of the reference set.
WEAK_RAIN = ((90.0, 20, 0.5), (300.0, 100, 2.0))

#: Units that precipitation may have by mistake [mm], and what fits then: mm a year, and the largest record [mm].
_UNITS_OF_RAIN = {"inch": 25.4, "cm": 10.0, "m": 1000.0}
_FITTING_YEAR, _FITTING_RECORD = (60.0, 4.0e3), (3.0, 100.0)

#: Largest difference of the clock of the sun from the clock of the file [h].
CLOCK_TOLERANCE = 0.75

#: Largest difference of solar noon between months [h], 0.44 at Fort Peck and 0.36 at Loobos, and days of a month that
#: tell it.
MOVED_CLOCK, _DAYS_OF_MONTH = 0.7, 20

_SECONDS = np.timedelta64(1, "s")


def clean(records: TowerRecords) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return complete series (record,) and the rules that made them, by name.

    Series are ``temperature`` [K], ``humidity`` [kg kg-1], ``pressure`` [Pa], ``wind`` [m s-1], ``short_wave`` and
    ``long_wave`` [W m-2], ``precipitation`` and ``snowfall`` [kg m-2 s-1]. Rules are short sentences with counts.

    Raises
    ------
    ValueError
        A gap is too long to be filled, or too much of a series is missing.
    """
    work = _Work(records)
    check_clock(records)
    check_precipitation(records)
    temperature = work.filled("temperature", work.spikes(work.plausible("temperature")))
    pressure = _pressure(work)
    humidity, source = _humidity(work, temperature, pressure)
    emissivity = effective_emissivity(long_wave := work.plausible("long_wave"), temperature)
    outside = (emissivity < EMISSIVITY[0]) | (emissivity > EMISSIVITY[1])
    long_wave = work.without("long_wave", long_wave, outside, "beyond {:g} to {:g} of a black body".format(*EMISSIVITY))
    short_wave = work.plausible("short_wave")
    work.count("short_wave", int((short_wave < 0.0).sum()), "below zero at night set to zero")
    short_wave = work.filled("short_wave", np.maximum(short_wave, 0.0))
    wind = work.filled("wind", work.plausible("wind"))
    work.count("wind", int((wind < LEAST_WIND).sum()), f"raised to {LEAST_WIND:g} m s-1")
    precipitation = work.dry("precipitation")
    if "snowfall" in records.values:
        snowfall = np.minimum(work.dry("snowfall"), precipitation)
        phase = "snowfall of the file"
    else:
        snowfall = precipitation * snow_fraction(temperature)
        phase = "all snow up to 0 degC, all rain from 2 degC air temperature, linear in between"
    work.doubt(snowfall)
    series = {
        "temperature": temperature,
        "humidity": humidity,
        "pressure": pressure,
        "wind": np.maximum(wind, LEAST_WIND),
        "short_wave": short_wave,
        "long_wave": work.filled("long_wave", long_wave, INTERPOLATED_LONG),
        "precipitation": precipitation,
        "snowfall": snowfall,
    }
    rules = {"humidity": source, "rain_and_snow": phase, "wind_direction": "unknown: all wind is eastward"}
    return series, records.rules | rules | work.rules(series)


def check_clock(records: TowerRecords) -> float:
    r"""Compare the clock with the sun, warn if they differ, and return the difference [h].

    Solar noon is the phase of the daily harmonic of short-wave radiation S,

    .. math:: t_0 = \frac{24}{2\pi} \arg \sum_k S_k \exp(2\pi i\, t_k / 24)

    with the hours UTC :math:`t_k` of the middle of the records; it should be at 12 h minus longitude / 15. The
    difference is the number of hours to be added to the UTC offset. Only whole days count; less is not judged. If the
    meaning of the stamps is assumed, the warning gives what would fit under both.
    """
    whole = slice(0, len(records.ends) - len(records.ends) % round(np.timedelta64(1, "D") / records.step))
    middle = records.ends[whole] - records.step // 2
    hours = (middle - middle.astype("datetime64[D]")) / _SECONDS / 3600.0
    sun = np.nan_to_num(np.maximum(records.values["short_wave"][whole], 0.0))
    if not sun.any():
        return 0.0
    late = _within_day(_noon(sun, hours) - 12.0 + wrap_longitude(records.longitude) / 15.0)
    _check_months(records, sun, hours, middle.astype("datetime64[M]"))
    if abs(late) > CLOCK_TOLERANCE:
        night = "at night" if abs(late) > 6.0 else f"{abs(late):.1f} h {'after' if late > 0 else 'before'} solar noon"
        LOG.warning(
            "Short-wave radiation of '%s' peaks %s at longitude %.1f with UTC%+g h. %s Check the UTC offset, the "
            "longitude, and whether stamps are the start or the end of the record.",
            records.path, night, records.longitude, records.utc_offset, _fitting(records, late),
        )  # fmt: skip
    return late


def _noon(sun: np.ndarray, hours: np.ndarray) -> float:
    """Return the hour UTC of solar noon, the phase of the daily harmonic of radiation."""
    return float(np.angle((sun * np.exp(2j * np.pi * hours / 24.0)).sum()) * 24.0 / (2.0 * np.pi))


def _check_months(records: TowerRecords, sun: np.ndarray, hours: np.ndarray, months: np.ndarray) -> None:
    """Warn of a clock that is moved within the file, as by summer time; the equation of time is taken off."""
    whole = round(np.timedelta64(_DAYS_OF_MONTH, "D") / records.step)
    noons = {}
    for month in np.unique(months):
        of_month = months == month
        if of_month.sum() >= whole and sun[of_month].any():
            correction = solar_declination_angle(month.astype("datetime64[s]").item() + timedelta(days=14))[1] / 15.0
            noons[month] = _noon(sun[of_month], hours[of_month]) + correction
    if not noons:
        return
    first = next(iter(noons.values()))
    apart = {month: _within_day(noon - first) for month, noon in noons.items()}
    early, late = min(apart, key=apart.__getitem__), max(apart, key=apart.__getitem__)
    if (moved := apart[late] - apart[early]) > MOVED_CLOCK:
        LOG.warning(
            "Short-wave radiation of '%s' peaks %.1f h later in %s than in %s: the clock was moved within the file, as "
            "by summer time. Give local standard time throughout.", records.path, moved, late, early,
        )  # fmt: skip


def check_precipitation(records: TowerRecords) -> None:
    """Warn of precipitation whose sum in a year, or largest record, points to another unit; short files pass."""
    amounts = records.values["precipitation"] * (records.step / _SECONDS)
    known = np.isfinite(amounts)
    days = float(known.sum() * (records.step / np.timedelta64(1, "D")))
    if days <= JUDGED_DAYS:
        return
    amounts = amounts[known]
    year, largest, wet = 365.25 * float(amounts.sum()) / days, float(amounts.max()), int((amounts > 0.0).sum())
    weak = any(days > least and wet > records_wet and largest < limit for least, records_wet, limit in WEAK_RAIN)
    if YEARLY_RAIN[0] <= year <= YEARLY_RAIN[1] and not weak:
        return
    (low, high), (least, most) = _FITTING_YEAR, _FITTING_RECORD
    fitting = [u for u, mm in _UNITS_OF_RAIN.items() if low <= mm * year <= high and least <= mm * largest <= most]
    LOG.warning(
        "Precipitation of '%s' is %s mm a year, and its largest record %s mm: hardly plausible. %sCheck the unit of "
        "its column, convert it to mm if it is another, and check the gauge.",
        records.path, *(f"{x:,.0f}" if x >= 10.0 else f"{x:.2g}" for x in (year, largest)),
        f"Its values would fit as {' or '.join(fitting)}. " if fitting else "",
    )  # fmt: skip


def _fitting(records: TowerRecords, late: float) -> str:
    """Return the UTC offset that would fit, and the meaning of the stamps if it is assumed and the other fits better.

    Stamps that are the start of the record, and not its end, make noon later by one record.
    """
    offset = _within_day(records.utc_offset + round(late))
    if records.assumed is None:
        return f"UTC{offset:+g} h would fit."
    hours = float(records.step / _SECONDS) / 3600.0
    other, shift = (START, hours) if records.assumed == END else (END, -hours)
    others_late = _within_day(late + shift)
    stamps = f"The stamps are assumed to be the {records.assumed} of the record."
    if abs(others_late) <= CLOCK_TOLERANCE:
        return f"{stamps} `--stamp {other}` would fit; if the assumption is right, UTC{offset:+g} h."
    others_offset = _within_day(records.utc_offset + round(others_late))
    return f"{stamps} UTC{offset:+g} h would fit, with `--stamp {other}` UTC{others_offset:+g} h."


def _within_day(hours: float) -> float:
    """Return hours of the clock from -12 to 12."""
    return (hours + 12.0) % 24.0 - 12.0


class _Work:
    """Series of a tower and the counts of what was done to them."""

    def __init__(self, records: TowerRecords) -> None:
        self.records = records
        self.hours = float(records.step / _SECONDS) / 3600.0
        self._done: dict[str, dict[str, int]] = {}

    def count(self, name: str, number: int, what: str) -> None:
        """Note what was done to ``number`` values."""
        if number:
            counts = self._done.setdefault(name, {})
            counts[what] = counts.get(what, 0) + number

    def without(self, name: str, values: np.ndarray, wrong: np.ndarray, why: str) -> np.ndarray:
        """Return values without those that are wrong."""
        self.count(name, int(wrong.sum()), f"faults {why}")
        return np.where(wrong, np.nan, values)

    def plausible(self, name: str) -> np.ndarray:
        """Return a quantity within its limits."""
        values, quantity = self.records.values[name], QUANTITIES[name]
        low, high = quantity.limits
        self.count(name, int(np.isnan(values).sum()), "missing")
        return self.without(
            name, values, (values < low) | (values > high), f"beyond {low:g} to {high:g} {quantity.units}"
        )

    def spikes(self, temperature: np.ndarray) -> np.ndarray:
        """Return temperature without values far from the median of the day around them."""
        day = pd.Series(temperature).rolling(round(24.0 / self.hours) + 1, center=True, min_periods=1).median()
        wrong = np.abs(temperature - day.to_numpy()) > LARGEST_DEPARTURE
        return self.without(
            "temperature", temperature, wrong, f"more than {LARGEST_DEPARTURE:g} K from the median of the 24 h around"
        )

    def doubt(self, snowfall: np.ndarray) -> None:
        """Count snowfall that is hardly possible, such as a shaken or thawing gauge, and warn; it is kept."""
        many = snowfall > DOUBTFUL_SNOWFALL
        self.count("snowfall", int(many.sum()), "doubtful, above 10 mm h-1 of water, kept")
        if many.any():
            amount = float(snowfall[many].sum() * (self.records.step / _SECONDS))
            LOG.warning(
                "%d records of '%s' have snow of more than 10 mm h-1, %.0f mm of water in all, first at %s UTC. They "
                "are kept. Check the gauge.", many.sum(), self.records.path, amount, self.records.ends[many.argmax()],
            )  # fmt: skip

    def dry(self, name: str) -> np.ndarray:
        """Return an amount of water with zero where it is missing."""
        values = self.plausible(name)
        absent = np.isnan(values)
        self._check(name, absent)
        self.count(name, int(absent.sum()), "taken as zero")
        return np.where(absent, 0.0, values)

    def filled(self, name: str, values: np.ndarray, hours: float = INTERPOLATED) -> np.ndarray:
        """Return a series with its gaps filled; refuse those that cannot be."""
        absent = np.isnan(values)
        if not absent.any():
            return values
        self._check(name, absent)
        index = np.arange(len(values))
        known = np.flatnonzero(~absent)
        after = np.searchsorted(known, index)
        inside = (after > 0) & (after < len(known))
        length = np.where(
            inside, known[np.minimum(after, len(known) - 1)] - known[np.maximum(after - 1, 0)] - 1, np.inf
        )
        short = absent & (length * self.hours <= hours)
        out = np.where(short, np.interp(index, known, values[known]), values)
        self.count(name, int(short.sum()), f"filled by interpolation over at most {hours:g} h")
        rest = np.flatnonzero(np.isnan(out))
        if len(rest):
            out[rest] = self._same_time_of_day(values, rest)
            self.count(name, len(rest), f"filled by the same time of day within {DAYS_AROUND} days")
        left = np.flatnonzero(np.isnan(out))
        if len(left):
            raise ValueError(
                f"A gap in {_meaning(name)} of '{self.records.path}' around {self.records.ends[left[0]]} UTC is too "
                f"long to be filled: fewer than {FEWEST_VALUES} values at that time of day within {DAYS_AROUND} days "
                f"({len(left)} records).{self._faults(name)} Fill it in the file, or cut the file to a period without "
                "it."
            )
        return out

    def rules(self, names: Iterable[str]) -> dict[str, str]:
        """Return what was done to each quantity in words, with counts."""
        total = len(self.records.ends)
        done = {**{n: {} for n in names}, **self._done}
        words = {n: "; ".join(f"{k} {what}" for what, k in counts.items()) for n, counts in done.items()}
        return {f"changes_of_{n}": f"{text} (of {total} values)" if text else "none" for n, text in words.items()}

    def _same_time_of_day(self, values: np.ndarray, rest: np.ndarray) -> np.ndarray:
        per_day = round(24.0 / self.hours)
        days = np.r_[-DAYS_AROUND:0, 1 : DAYS_AROUND + 1] * per_day
        others = rest[:, None] + days
        inside = (others >= 0) & (others < len(values))
        near = np.where(inside, values[np.clip(others, 0, len(values) - 1)], np.nan)
        n = np.isfinite(near).sum(axis=1)
        return np.where(n >= FEWEST_VALUES, np.nansum(near, axis=1) / np.maximum(n, 1), np.nan)

    def _check(self, name: str, absent: np.ndarray) -> None:
        if absent.mean() > LARGEST_FILLED:
            raise ValueError(
                f"{100 * absent.mean():.0f} % of {_meaning(name)} of '{self.records.path}' are missing or faulty, more "
                f"than {100 * LARGEST_FILLED:.0f} %.{self._faults(name)} Give a file with filled gaps, or another "
                "column in `columns`."
            )

    def _faults(self, name: str) -> str:
        """Return the sentence on values that were dropped as faults; empty without one."""
        dropped = {w: k for w, k in self._done.get(name, {}).items() if w.startswith("faults ")}
        words = " and ".join(f"{k} as {what.removeprefix('faults ')}" for what, k in dropped.items())
        return f" Of its {len(self.records.ends)} values were dropped {words}: check the unit." if words else ""


def _meaning(name: str) -> str:
    return QUANTITIES[name].meaning if name in QUANTITIES else name


def _pressure(work: _Work) -> np.ndarray:
    """Return pressure, that of the standard atmosphere if the file has none."""
    records = work.records
    if "pressure" in records.values:
        return work.filled("pressure", work.plausible("pressure"), INTERPOLATED_LONG)
    if records.elevation is None:
        raise ValueError(
            f"'{records.path}' has no air pressure. Name its column in `columns`, or give the elevation of the tower: "
            "the pressure of the standard atmosphere is taken then."
        )
    work.count("pressure", len(records.ends), f"of the standard atmosphere at {records.elevation:g} m")
    return np.full(len(records.ends), standard_pressure(records.elevation))


def _humidity(work: _Work, temperature: np.ndarray, pressure: np.ndarray) -> tuple[np.ndarray, str]:
    """Return specific humidity, at most that of saturation over water, and the rule that made it.

    It is measured, or from relative humidity, or from the vapour pressure deficit where relative humidity is missing.
    """
    given, saturated = work.records.values, saturation_pressure(temperature)
    humidity, sources = np.full(len(temperature), np.nan), []
    for name in ("specific_humidity", "relative_humidity", "vapour_pressure_deficit"):
        if name not in given or not np.isnan(humidity).any():
            continue
        values = work.plausible(name)
        if name == "relative_humidity":
            values = specific_humidity(values * saturated, pressure)
        elif name == "vapour_pressure_deficit":
            vapour = saturated - values
            values = specific_humidity(np.where(vapour >= 0.0, vapour, np.nan), pressure)
        sources.append(_meaning(name))
        humidity = np.where(np.isnan(humidity), values, humidity)
    humidity = work.filled("humidity", humidity)
    limit = specific_humidity(saturated, pressure)
    work.count("humidity", int((humidity > limit).sum()), "limited to saturation over water")
    rule = f"from {', where missing from '.join(sources)}; saturation over water (Tetens)"
    return np.minimum(humidity, limit), rule
