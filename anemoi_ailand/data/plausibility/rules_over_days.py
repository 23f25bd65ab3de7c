# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Rules of forcing over days, months and a year, as those of single dates in ``rules.py``.

Results have shape (point,). Arguments are values (date, point), and from months on (period, point) of periods of eight
days, see :class:`~anemoi_ailand.data.plausibility.days.Days`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anemoi_ailand.constants import TRIPLE_POINT
from anemoi_ailand.data.plausibility.rules import (
    ANY,
    AT_START,
    BOTH,
    MANY_POINTS,
    WET,
    Rule,
    apart_from_ends,
    emissivity,
    ratio_to_ends,
    relative_humidity,
    wind_speed,
)

#: Steps of a day, and steps with rain in eight days that tell how humid the air is then.
DAY, _WET_TIMES = 4, 4

#: Spread of the changes from day to day, as a share of the mean value, up to which they are rounding, not weather.
_ALIKE = 1.0e-4

# -- days, of values (date, point) ---------------------------------------------------------------------------------


def _mean(x: np.ndarray) -> np.ndarray:
    return x.mean(axis=0)


def _spread(x: np.ndarray) -> np.ndarray:
    return x.std(axis=0)


def _mean_difference(mean: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return apart_from_ends(mean, start, end).mean(axis=0)


def _typical_difference(mean: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(apart_from_ends(mean, start, end)).mean(axis=0))


def _mean_ratio(mean: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return np.exp(ratio_to_ends(mean, start, end).mean(axis=0))


def _mean_emissivity(lw: np.ndarray, t: np.ndarray) -> np.ndarray:
    return emissivity(lw, t).mean(axis=0)


def _typical_emissivity(lw: np.ndarray, t: np.ndarray) -> np.ndarray:
    found = _mean_emissivity(lw, t)
    return np.full_like(found, np.median(found) if found.size >= MANY_POINTS else 0.0)


def _mean_relative_humidity(q: np.ndarray, t: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    return relative_humidity(q, t, pressure).mean(axis=0)


def _over_clear_sky(lw: np.ndarray, t: np.ndarray, q: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Return long-wave radiation over that of a clear sky (Brutsaert, 1975, doi:10.1029/WR011i005p00742), mean."""
    vapour = q * pressure / (100.0 * (0.622 + 0.378 * q))  # hPa
    return (emissivity(lw, t) / (1.24 * (np.maximum(vapour, 1.0e-6) / t) ** (1.0 / 7.0))).mean(axis=0)


def _typical_clear_sky(lw: np.ndarray, t: np.ndarray, q: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    found = _over_clear_sky(lw, t, q, pressure)
    return np.full_like(found, np.median(found))


def _most_humid_in_rain(q: np.ndarray, t: np.ndarray, pressure: np.ndarray, rain: np.ndarray) -> np.ndarray:
    """Return the highest relative humidity, 1 where it rains at less than four steps."""
    return np.where((rain > WET).sum(axis=0) >= _WET_TIMES, relative_humidity(q, t, pressure).max(axis=0), 1.0)


def _typically_humid_in_rain(q: np.ndarray, t: np.ndarray, pressure: np.ndarray, rain: np.ndarray) -> np.ndarray:
    found, wet = _most_humid_in_rain(q, t, pressure, rain), (rain > WET).sum(axis=0) >= _WET_TIMES
    return np.full_like(found, np.median(found[wet]) if wet.sum() >= MANY_POINTS else 1.0)


def _over_air(soil: np.ndarray, t: np.ndarray) -> np.ndarray:
    return soil - t.mean(axis=0)


def _beyond_usual(limits: tuple[float, float, float], at: tuple[float, float]) -> Callable[..., np.ndarray]:
    """Return a function of the difference of soil and air, beyond the largest below, between and above temperatures."""

    def beyond(soil: np.ndarray, t: np.ndarray) -> np.ndarray:
        usual = np.array(limits)[np.digitize(t.mean(axis=0), at)]
        return np.sign(limits[0]) * (_over_air(soil, t) - usual)

    return beyond


def _typical_over_air(soil: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return the median difference at twenty points and more without snow."""
    found = _over_air(soil, t)
    enough = np.isfinite(found).sum() >= 2 * MANY_POINTS
    return np.full_like(found, np.nanmedian(found) if enough else 0.0)


def _strongest_wind(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return wind_speed(u, v).max(axis=0)


def _follows(mean: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the correlation of changes from day to day of a mean with those of both ends, 1 where they are alike."""
    a, b = (x[DAY:] - x[:-DAY] for x in (mean, 0.5 * (start + end)))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    least = _ALIKE * np.abs(mean).mean(axis=0)
    vary = (a.std(axis=0) > least) & (b.std(axis=0) > least)
    size = np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))
    return np.where(vary, (a * b).sum(axis=0) / np.where(vary, size, 1.0), 1.0)


def _typically_follows(mean: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    found = _follows(mean, start, end)
    return np.full_like(found, np.median(found) if found.size >= MANY_POINTS else 1.0)


def _held(x: np.ndarray) -> np.ndarray:
    """Return the share of steps with the value of the step before."""
    return (np.diff(x, axis=0) == 0.0).mean(axis=0)


def _wind_held(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return that share of the component that is held most; one that is always zero holds no direction, not a value."""
    return np.maximum(*(np.where((x == 0.0).all(axis=0), 0.0, _held(x)) for x in (u, v)))


def _spread_of_wind(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return wind_speed(u, v).std(axis=0)


_STAMPS = "Means are over the 6 h that end at the stamp, instants hold at it: check stamps and time zones."
_STUCK = "A number may stand for the weather by mistake, or a sensor be stuck."

#: Rules of two days and more of forcing.
DAYS = (
    Rule("days_of_temperature", "Mean air temperature less that at the stamps, over days,", "K",
         ("avg_t", f"t{AT_START}", "t"), _mean_difference, (-30.0, 30.0), (-6.0, 6.0), _STAMPS),  # -5 to 2.8
    Rule("days_of_hours", "Typical difference of mean air temperature from that at the stamps, over days,",
         "K", ("avg_t", f"t{AT_START}", "t"), _typical_difference, ANY, (None, 10.5), _STAMPS),  # at most 9.5
    Rule("days_of_humidity", "Mean humidity over that at the stamps, over days,", "1",
         ("avg_q", f"q{AT_START}", "q"), _mean_ratio, (0.05, 20.0), (0.55, 1.7), _STAMPS),  # 0.65 to 1.16
    Rule("days_of_dryness", "Relative humidity, mean over days,", "1", ("avg_q", "avg_t", "avg_sp"),
         _mean_relative_humidity, (0.005, 3.0), (0.04, 1.35),  # 0.09 to 1.29
         "Specific humidity is in kg kg-1; check the units of humidity, temperature and pressure."),
    Rule("days_of_long_wave", "Long-wave radiation as a share of a black body's, mean over days,", "1",
         ("avg_sdlwrf", "avg_t"), _mean_emissivity, (0.2, 1.6), (0.5, 1.12), BOTH),  # 0.61 to 1.02
    Rule("days_of_black_body",
         "Long-wave radiation as a share of a black body's, the median of ten points and more,", "1",
         ("avg_sdlwrf", "avg_t"), _typical_emissivity, ANY, (None, 0.99),  # at most 0.963
         "This may be the upward flux of the surface: give the downward one."),
    Rule("days_of_rain", "Precipitation (avg_tprate), mean over days,", "kg m-2 s-1", ("avg_tprate",), _mean,
         (None, 2.0e-2), (None, 2.0e-3),  # at most 9.3e-4
         "Precipitation is a mean rate in kg m-2 s-1: divide millimetres an hour by 3600."),
    Rule("stuck_temperature", "Standard deviation in time of air temperature (avg_t) over days", "K",
         ("avg_t",), _spread, ANY, (0.01, None), _STUCK),  # at least 0.16
    Rule("stuck_humidity", "Standard deviation in time of humidity (avg_q) over days", "kg kg-1",
         ("avg_q",), _spread, ANY, (1.0e-7, None), _STUCK),  # at least 4.7e-6 of q
    Rule("stuck_long_wave", "Standard deviation in time of long-wave radiation (avg_sdlwrf) over days",
         "W m-2", ("avg_sdlwrf",), _spread, ANY, (0.01, None), _STUCK),  # at least 1.05
    Rule("calm", "The strongest wind (avg_u, avg_v) over days", "m s-1", ("avg_u", "avg_v"), _strongest_wind,
         ANY, (0.01, None), _STUCK),  # at least 0.1
)  # fmt: skip

#: Names of the coldest and the warmest layer of soil at the start, NaN under snow.
COLDEST, WARMEST = f"coldest{AT_START}", f"warmest{AT_START}"

_ALL_LAYERS = "The state may be of another season, place or unit: take it from the date of the forcing."

#: Rules of the state at the start against the first two days of forcing.
FIRST_DAYS = (
    Rule("warm_soil", "Temperature of the coldest layer of soil over that of air in the first two days, beyond the "
         "most that is usual without snow,", "K", (COLDEST, "avg_t"),
         _beyond_usual((18.0, 13.0, 10.0), (280.0, 290.0)), ANY, (None, 0.0),  # 16.4, 11.8, 8.9 beyond
         _ALL_LAYERS),
    Rule("cold_soil", "Temperature of air in the first two days over that of the warmest layer of soil, beyond the "
         "most that is usual without snow,", "K", (WARMEST, "avg_t"),
         _beyond_usual((-22.0, -14.0, -10.0), (290.0, 300.0)), ANY, (None, 0.0),  # 19.4, 12.1, 8.3
         _ALL_LAYERS),
)  # fmt: skip

#: The same at twenty distant places and more.
FIRST_DAYS_OF_PLACES = (
    Rule("warm_soil_of_places", "Temperature of the coldest layer of soil over that of air in the first two days, the "
         "median of places without snow,", "K", (COLDEST, "avg_t"), _typical_over_air, ANY, (None, 6.0),  # 1.9
         _ALL_LAYERS),
    Rule("cold_soil_of_places", "Temperature of the warmest layer of soil over that of air in the first two days, the "
         "median of places without snow,", "K", (WARMEST, "avg_t"), _typical_over_air, ANY, (-6.0, None),  # -0.8
         _ALL_LAYERS),
)  # fmt: skip

_CLEAR = ("avg_sdlwrf", "avg_t", "avg_q", "avg_sp")
_DIMMED = "Clouds only add to it: check unit, and that it is the downward flux of the whole sky."

#: Rules of two days and more at twenty distant places and more, which do not share their weather.
PERIODS = (
    Rule("long_wave_of_places", "Long-wave radiation over that of a clear sky, the median of places,", "1", _CLEAR,
         _typical_clear_sky, ANY, (0.95, None), _DIMMED),  # at least 1.01
)  # fmt: skip

_OTHER_DAY = "One of both may be of the day before or after."

#: Rules of eight days.
PERIOD = (
    Rule("long_wave_of_days", "Long-wave radiation over that of a clear sky, mean over eight days,", "1", _CLEAR,
         _over_clear_sky, ANY, (0.82, None), _DIMMED),  # at least 0.90
    Rule("days_follow", "The correlation of changes from day to day of mean air temperature (avg_t) with those at the "
         "stamps (t), in eight days,", "1", ("avg_t", f"t{AT_START}", "t"), _follows, ANY, (0.25, None),  # 0.36
         _OTHER_DAY),
    Rule("days_of_humidity_follow", "The correlation of changes from day to day of mean humidity (avg_q) with those at "
         "the stamps (q), in eight days, the median of ten points and more,", "1", ("avg_q", f"q{AT_START}", "q"),
         _typically_follows, ANY, (0.4, None),  # 0.9
         _OTHER_DAY),
    Rule("dry_air_in_rain", "The highest relative humidity of eight days with rain", "1",
         ("avg_q", "avg_t", "avg_sp", "avg_tprate"), _most_humid_in_rain, ANY, (0.15, None),  # 0.56; East River 0.19
         "Specific humidity is in kg kg-1; check its units and those of precipitation."),
    Rule("dry_air_of_places", "The highest relative humidity of eight days with rain, the median of ten points and "
         "more,", "1", ("avg_q", "avg_t", "avg_sp", "avg_tprate"), _typically_humid_in_rain, ANY, (0.7, None),  # 0.90
         "Specific humidity is in kg kg-1; check its units and those of precipitation."),
    Rule("rain_of_days", "Precipitation (avg_tprate), mean over eight days,", "kg m-2 s-1", ("avg_tprate",), _mean,
         ANY, (None, 1.0e-3),  # at most 5.5e-4
         "Precipitation is a mean rate in kg m-2 s-1: metres over 6 h are 22 times that."),
    Rule("stuck_wind", "Standard deviation in time of wind speed (avg_u, avg_v) over eight days", "m s-1",
         ("avg_u", "avg_v"), _spread_of_wind, ANY, (0.02, None), _STUCK),  # at least 0.1
    *(Rule(f"held_{name}", f"The share of steps at which '{name}' is that of the step before, in eight days,", "1",
           (name,), _held, ANY, (None, 0.5),  # at most 0.28
           "A value of a day may have been repeated: the land needs the daily cycle.")
      for name in ("avg_t", "avg_q", "avg_sdlwrf")),
    Rule("held_wind", "The share of steps at which 'avg_u' or 'avg_v' is that of the step before, in eight days,", "1",
         ("avg_u", "avg_v"), _wind_held, ANY, (None, 0.5),  # at most 0.28
         "A value of a day may have been repeated: the land needs the daily cycle."),
)  # fmt: skip

#: Relative humidity, the median of twenty distant places and more without any rain at all for sixteen days.
DRY = Rule(
    "no_rain", "Relative humidity, the median of distant places without any precipitation in sixteen days,", "1",
    ("avg_q", "avg_t", "avg_sp"), _mean_relative_humidity, ANY, (None, 0.5),  # no such days; at ten places 0.45
    "Somewhere it should rain: precipitation may have been lost or filled with zeros.",
)  # fmt: skip


# -- months and a year, of values (period, point) -------------------------------------------------------------------

#: Relative humidity of air [1], the mean of months above freezing, in which it rains in the end.
_HUMID, _RATHER_HUMID = 0.78, 0.6

#: Precipitation that is enough for any rule [kg m-2].
_ENOUGH = 1.0e4

#: Steps with precipitation in 64 days that tell the size of the largest.
_WET_STEPS = 20

#: Changes of precipitation in 64 days that tell their hours.
_CHANGES = 8

#: Share of increases at other hours than that of most of them, as sums over the day have.
_THROUGH_THE_DAY = 0.2

#: Mean temperature of the coldest period [K] below which leaves fall, and the range of leaf area that counts [1].
_WINTER, _LEAFY = 268.0, 0.5


def _rain_in_humid_air(rain: np.ndarray, humidity: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    humid = (humidity.mean(axis=0) > _HUMID) & (temperature.mean(axis=0) > TRIPLE_POINT)
    return np.where(humid, rain.sum(axis=0), _ENOUGH)


def _largest_rain(largest: np.ndarray, wet: np.ndarray, humidity: np.ndarray) -> np.ndarray:
    tells = (wet.sum(axis=0) >= _WET_STEPS) & (humidity.mean(axis=0) > _RATHER_HUMID)
    return np.where(tells, largest.max(axis=0), _ENOUGH)


def _rain_a_day(rain: np.ndarray) -> np.ndarray:
    return rain.mean(axis=0) / 8.0


def _at_other_hours(changes: np.ndarray, least: int = _CHANGES) -> np.ndarray:
    """Return the share of changes (period, hour, point) that are not at the hour of most of them, 1 of too few."""
    total = changes.sum(axis=(0, 1))
    enough = total >= least
    return np.where(enough, 1.0 - changes.sum(axis=0).max(axis=0) / np.where(enough, total, 1), 1.0)


def _decreases_at_other_hours(downs: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Return that share of decreases, 1 where increases are at one hour as well: storms of every afternoon."""
    return np.where(_at_other_hours(changes - downs, least=1) > _THROUGH_THE_DAY, _at_other_hours(downs), 1.0)


def _leaves_with_warmth(leaves: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """Return the correlation of leaf area with temperature, 1 where there is no winter or no change of leaves."""
    seasonal = (temperature.min(axis=0) < _WINTER) & (np.ptp(leaves, axis=0) > _LEAFY)
    a, b = leaves - leaves.mean(axis=0), temperature - temperature.mean(axis=0)
    size = np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))
    return np.where(seasonal, (a * b).sum(axis=0) / np.where(size > 0.0, size, 1.0), 1.0)


_UNIT = "Precipitation is a rate in kg m-2 s-1: metres instead of mm are a thousandth of it. "
_FOG = "Only deserts of fog have such air without rain."

#: Rules of 64 days.
MONTHS = (
    Rule("rain_in_humid_air", "Precipitation of 64 days above freezing in air of more than 78 % relative humidity",
         "kg m-2", ("rain", "humidity", "temperature"), _rain_in_humid_air,
         ANY, (0.1, None),  # at least 19; El Saler 0.23
         f"{_UNIT}It may be lost at this place, or filled with zeros. {_FOG}"),
    Rule("largest_rain", "The largest precipitation in 6 h of 64 days in humid air", "kg m-2",
         ("largest_rain", "wet_steps", "humidity"), _largest_rain, ANY, (0.3, None),  # at least 0.9
         f"{_UNIT}{_FOG}"),
    Rule("accumulated_rain", "The share of decreases of precipitation that are not at one hour of the day, in 64 days,",
         "1", ("rain_downs", "rain_changes"), _decreases_at_other_hours, ANY, (0.05, None),  # at least 0.18
         "Precipitation may be accumulated over the day: give the mean of each step."),
    Rule("daily_rain", "The share of changes of precipitation that are not at one hour of the day, in 64 days,", "1",
         ("rain_changes",), _at_other_hours, ANY, (0.05, None),  # at least 0.5
         "A value of a day may have been repeated: give the mean of each step."),
    Rule("rain_of_months", "Precipitation a day, the mean of 64 days,", "kg m-2", ("rain",), _rain_a_day,
         ANY, (None, 30.0),  # at most 20
         "Precipitation is a rate in kg m-2 s-1: metres over 6 h are 22 times that."),
)  # fmt: skip

#: Rules of a year.
YEAR = (
    Rule("rain_of_year", "Precipitation of a year above freezing in air of more than 78 % relative humidity", "kg m-2",
         ("rain", "humidity", "temperature"), _rain_in_humid_air, ANY, (100.0, None),  # at least 228
         f"Check the unit, which may be cm, and the gauge. {_FOG}"),
    *(Rule(f"leaves_in_winter_{kind}", f"The correlation of leaf area ({kind}) with air temperature over a year with a "
           "cold winter", "1", (kind, "temperature"), _leaves_with_warmth, ANY, (-0.3, None),  # 0.21 to 0.97
           "Leaves are most in winter: months may be shifted by half a year, or those of the other hemisphere.")
      for kind in ("lai_lv", "lai_hv")),
)  # fmt: skip
