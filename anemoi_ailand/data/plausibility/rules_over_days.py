# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Rules of forcing over days, months and a year, as those of single dates in ``rules.py``.

Results have shape (point,). Arguments are values (date, point), and from months on (period, point) of periods of eight
days, see :class:`~anemoi_ailand.data.plausibility.days.Days`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from anemoi_ailand.constants import TRIPLE_POINT, ZERO_CELSIUS
from anemoi_ailand.data.plausibility.rules import (
    ANY,
    AT_START,
    BOTH,
    ELEVATION,
    MANY_POINTS,
    WET,
    Rule,
    apart_from_ends,
    emissivity,
    of_few,
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


def _nearer_below(top: np.ndarray, deep: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return how far deep soil is from the air at the start over that of the top, the median of twenty points."""
    known = np.isfinite(top)
    if known.sum() < 2 * MANY_POINTS:
        return np.ones_like(top)
    apart, above = (float(np.median(np.abs(x - t[0])[known])) for x in (deep, top))
    return np.full_like(top, apart / max(above, 0.1))


def _drier_on_top(top: np.ndarray, deep: np.ndarray, wilting: np.ndarray) -> np.ndarray:
    """Return the share of places with less than the wilting point in the top layer, less that in the deepest."""
    return np.full_like(top, (top < wilting).mean() - (deep < wilting).mean())


def _second_layer(limits: Mapping[float, tuple[float, float]]) -> Callable[..., np.ndarray]:
    """Return a function of the difference of soil and air as a share of the usual range, from -1 to 1, by the air."""
    colder, ranges = list(limits)[1:], np.array(list(limits.values()))

    def share(soil: np.ndarray, t: np.ndarray, short_wave: np.ndarray) -> np.ndarray:
        mean = t.mean(axis=0)
        low, high = ranges[np.digitize(mean, colder)].T
        apart = soil - mean - _SUNNY * short_wave.mean(axis=0)
        return (2.0 * apart - low - high) / (high - low)

    return share


#: Warmth of soil over air for the short-wave radiation of eight days [K m2 W-1], by least squares.
_SUNNY = 0.01


def _of_few_over_days(pressure: np.ndarray, geopotential: np.ndarray) -> np.ndarray:
    return of_few(pressure.mean(axis=0), geopotential, _FAR_FOR_DAYS)


#: Logarithm of mean pressure over that of the standard atmosphere; weather changes it by 0.036 in eight days.
_FAR_FOR_DAYS = 0.05


def _repeated(*fields: np.ndarray) -> np.ndarray:
    """Return the largest share of steps at which all fields are exactly those of one, two, or three days before."""
    shares = []
    for lag in (DAY, 2 * DAY, 3 * DAY):
        same = fields[0][lag:] == fields[0][:-lag]
        if same.any():
            for x in fields[1:]:
                same &= x[lag:] == x[:-lag]
        shares.append(same.mean(axis=0))
    return np.max(shares, axis=0)


def _strongest_wind(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return wind_speed(u, v).max(axis=0)


def _largest(x: np.ndarray) -> np.ndarray:
    return x.max(axis=0)


def follows(mean: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the correlation of changes from day to day of a mean with those of both ends, 1 where they are alike."""
    a, b = (x[DAY:] - x[:-DAY] for x in (mean, 0.5 * (start + end)))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    least = _ALIKE * np.abs(mean).mean(axis=0)
    vary = (a.std(axis=0) > least) & (b.std(axis=0) > least)
    size = np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))
    return np.where(vary, (a * b).sum(axis=0) / np.where(vary, size, 1.0), 1.0)


def _typically_follows(mean: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    found = follows(mean, start, end)
    return np.full_like(found, np.median(found) if found.size >= MANY_POINTS else 1.0)


def _held(x: np.ndarray) -> np.ndarray:
    """Return the share of steps with the value of the step before, 0 where values change at more than one hour.

    Values in coarse steps are often those of the step before, and change at any hour.
    """
    changes = np.diff(x, axis=0) != 0.0
    hours = np.arange(len(changes)) % DAY
    by_hour = np.stack([changes[hours == k].sum(axis=0) for k in range(DAY)])
    at_others = by_hour.sum(axis=0) - by_hour.max(axis=0)
    return np.where(at_others > _OTHER_HOURS, 0.0, 1.0 - changes.mean(axis=0))


#: Changes of a value in eight days at other hours than most of them, which values of whole days do not have.
_OTHER_HOURS = 1


def _whole_degrees(t: np.ndarray) -> np.ndarray:
    """Return the share of values that are whole kelvins or degrees Celsius."""
    apart = [np.abs(x - np.rint(x)) for x in (t, t - ZERO_CELSIUS)]
    return (np.minimum(*apart) < _ROUNDED).mean(axis=0)


#: Difference from a whole number that single precision leaves [K].
_ROUNDED = 1.0e-3


def _largest_step(pressure: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(np.log(pressure), axis=0)).max(axis=0)


def _wind_held(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return that share of the component that is held most; one that is always zero holds no direction, not a value."""
    return np.maximum(*(np.where((x == 0.0).all(axis=0), 0.0, _held(x)) for x in (u, v)))


def _spread_of_wind(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return wind_speed(u, v).std(axis=0)


_STAMPS = "Means are over the 6 h that end at the stamp, instants hold at it: check stamps and time zones."
_UPWARD = "This may be the upward flux of the surface: give the downward one."
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
         _UPWARD),
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

#: Difference of the second and the deepest layer at the start that the season explains, see :func:`soil_with_sun`.
WITH_SUN = f"with_sun{AT_START}"

#: Declination of the sun from which it tells the season [degrees], and latitudes that have one.
_SOLSTICE, _SEASONAL = 18.0, 20.0

_OF_SEASON = "The soil may be of the other half of the year, or of the other hemisphere: check dates and places."


def soil_with_sun(second: np.ndarray, deep: np.ndarray, declination: float, latitudes: np.ndarray) -> np.ndarray:
    r"""Return how far soil is warmer above than below in summer, and colder in winter [K], shape (point,).

    .. math:: (T_2 - T_4)\,\mathrm{sgn}(\delta\,\phi)

    for layers two and four, latitude and declination; NaN in the tropics and between the seasons.
    """
    told = (np.abs(latitudes) > _SEASONAL) & (abs(declination) > _SOLSTICE)
    return np.where(told, (second - deep) * np.sign(declination * latitudes), np.nan)


def _typical_of_season(apart: np.ndarray) -> np.ndarray:
    told = np.isfinite(apart)
    return np.full_like(apart, np.median(apart[told]) if told.sum() >= MANY_POINTS else 0.0)


#: Rules of the state at the start against the first two days of forcing.
FIRST_DAYS = (
    Rule("soil_with_sun", "How far the second layer of soil (stl2) is warmer than the deepest (stl4) in summer, or "
         "colder in winter, without snow,", "K", (WITH_SUN,), lambda x: x, ANY, (-7.5, None),  # at least -5.6
         _OF_SEASON),
    Rule("soil_with_sun_of_points", "How far the second layer of soil (stl2) is warmer than the deepest (stl4) in "
         "summer, or colder in winter, the median of ten points and more without snow,", "K", (WITH_SUN,),
         _typical_of_season, ANY, (-1.0, None),  # at least 2.4
         _OF_SEASON),
    Rule("warm_soil", "Temperature of the coldest layer of soil over that of air in the first two days, beyond the "
         "most that is usual without snow,", "K", (COLDEST, "avg_t"),
         _beyond_usual((19.0, 17.5, 15.5), (280.0, 290.0)), ANY, (None, 0.0),  # 17.0, 15.7, 13.9
         _ALL_LAYERS),
    Rule("cold_soil", "Temperature of air in the first two days over that of the warmest layer of soil, beyond the "
         "most that is usual without snow,", "K", (WARMEST, "avg_t"),
         _beyond_usual((-18.0, -16.5, -13.0), (290.0, 300.0)), ANY, (None, 0.0),  # 15.4, 14.7, 11.6
         _ALL_LAYERS),
)  # fmt: skip

#: Layers of soil at the start, NaN under snow.
TOP, SECOND, DEEP = (f"stl{k}{AT_START}" for k in (1, 2, 4))

#: Water of the top and the deepest layer, and the wilting point.
WATER_OF_TOP, WATER_BELOW, WILTING = (f"{n}{AT_START}" for n in ("swvl1", "swvl4", "theta_pwp"))

#: Differences of the second layer from air without its warmth by the sun [K], which are usual from a temperature on.
#: The extremes are -6.8 to 20.8, -15.1 to 15.0, -15.3 to 16.1, -16.0 to 13.0, and -18.4 to 13.8.
_USUAL = {0.0: (-9.0, 23.0), 265.0: (-17.0, 17.0), 273.0: (-17.0, 18.0), 278.0: (-17.5, 14.5), 285.0: (-20.0, 15.0)}

#: Rules of the start against the first eight days.
FIRST_PERIOD = (
    Rule("soil_of_season", "Temperature of the second layer of soil (stl2) at the start over that of air in eight "
         "days, as a share of the most that is usual without snow,", "1", (SECOND, "avg_t", "avg_sdswrf"),
         _second_layer(_USUAL), ANY, (-1.0, 1.0), _ALL_LAYERS),
    Rule("elevation_of_days", "Pressure (avg_sp) over that of the standard atmosphere at the elevation (z), mean over "
         "eight days, of few points among many that fit,", "1", ("avg_sp", "z"), _of_few_over_days, ANY,
         (0.955, 1.045), ELEVATION),  # 0.964 to 1.038
)  # fmt: skip

#: The same at twenty distant places and more.
FIRST_DAYS_OF_PLACES = (
    Rule("warm_soil_of_places", "Temperature of the coldest layer of soil over that of air in the first two days, the "
         "median of places without snow,", "K", (COLDEST, "avg_t"), _typical_over_air, ANY, (None, 6.0),  # 1.9
         _ALL_LAYERS),
    Rule("cold_soil_of_places", "Temperature of the warmest layer of soil over that of air in the first two days, the "
         "median of places without snow,", "K", (WARMEST, "avg_t"), _typical_over_air, ANY, (-6.0, None),  # -0.8
         _ALL_LAYERS),
    Rule("order_of_layers", "Difference of the deepest layer of soil (stl4) from air over that of the top (stl1) at "
         "the start, medians of places without snow,", "1", (TOP, DEEP, f"t{AT_START}"), _nearer_below,
         ANY, (0.65, None),  # 1.2; at nine towers 0.76
         "The top layer follows the air: layers may be in reversed order."),
    Rule("order_of_water", "Share of places whose top layer (swvl1) is below the wilting point, less that of the "
         "deepest (swvl4), at the start", "1", (WATER_OF_TOP, WATER_BELOW, WILTING), _drier_on_top,
         ANY, (-0.04, None),  # at least 0.02
         "Sun and wind dry the top layer only: layers of soil water may be in reversed order."),
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
    Rule("upward_long_wave", "Long-wave radiation as a share of a black body's, mean over eight days,", "1",
         ("avg_sdlwrf", "avg_t"), _mean_emissivity, ANY, (None, 1.0), _UPWARD),  # at most 0.994
    Rule("repeated_days", "The share of steps at which air temperature, humidity and long-wave radiation are exactly "
         "those of one to three days before, in eight days,", "1", ("avg_t", "avg_q", "avg_sdlwrf"), _repeated,
         ANY, (None, 0.5),  # at most 0.18
         "Days have been repeated, or a mean day stands for the weather: fluxes and soil water follow its storms."),
    Rule("stuck_wind", "Standard deviation in time of wind speed (avg_u, avg_v) over eight days", "m s-1",
         ("avg_u", "avg_v"), _spread_of_wind, ANY, (0.02, None), _STUCK),  # at least 0.1
    *(Rule(f"held_{name}", f"The share of steps at which '{name}' is that of the step before, in eight days,", "1",
           (name,), _held, ANY, (None, 0.5),  # at most 0.28
           "A value of a day may have been repeated: the land needs the daily cycle.")
      for name in ("avg_t", "avg_q", "avg_sdlwrf")),
    *(Rule(f"whole_{name}", f"Share of values of '{name}' that are whole kelvins or degrees Celsius, in eight days,",
           "1", (name,), _whole_degrees, ANY, (None, 0.9),  # at most 0.4
           "Values have been rounded, which moves the melting of snow: give a tenth of a kelvin or less.")
      for name in ("t", "avg_t")),
    Rule("jump_of_pressure", "The largest relative change of pressure (avg_sp) in a step, in eight days,", "1",
         ("avg_sp",), _largest_step, ANY, (None, 0.03),  # at most 0.013; East River 0.126
         "Pressure changes slowly: it may be of another place, height or unit from one date on."),
    Rule("held_wind", "The share of steps at which 'avg_u' or 'avg_v' is that of the step before, in eight days,", "1",
         ("avg_u", "avg_v"), _wind_held, ANY, (None, 0.5),  # at most 0.28
         "A value of a day may have been repeated: the land needs the daily cycle."),
)  # fmt: skip

#: Rules of sixteen days, of values (period, point).
FORTNIGHT = (
    Rule("days_follow", "The correlation of changes from day to day of mean air temperature (avg_t) with those at the "
         "stamps (t), the larger of twice eight days,", "1", ("follows",), _largest, ANY, (0.35, None),  # 0.41
         _OTHER_DAY),
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

#: Steps with snowfall in 64 days that tell its temperature.
_SNOWY_STEPS = 5

#: Changes of precipitation in 64 days that tell their hours.
_CHANGES = 8

#: Share of increases at other hours than that of most of them, as sums over the day have.
_THROUGH_THE_DAY = 0.2

#: Mean temperature of the coldest period [K] below which leaves fall, and the range of leaf area that counts [1].
_WINTER, _LEAFY = 268.0, 0.5


def _rain_in_humid_air(rain: np.ndarray, humidity: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    humid = (humidity.mean(axis=0) > _HUMID) & (temperature.mean(axis=0) > TRIPLE_POINT)
    return np.where(humid, rain.sum(axis=0), _ENOUGH)


def _largest_rain(largest: np.ndarray, wet: np.ndarray, changes: np.ndarray, humidity: np.ndarray) -> np.ndarray:
    """Return the largest precipitation, enough where it is rare, the same always, or the air dry."""
    varies = (wet.sum(axis=0) >= _WET_STEPS) & (changes.sum(axis=(0, 1)) >= _CHANGES)
    return np.where(varies & (humidity.mean(axis=0) > _RATHER_HUMID), largest.max(axis=0), _ENOUGH)


def _typical_largest_rain(largest: np.ndarray, humidity: np.ndarray) -> np.ndarray:
    """Return the median of the largest precipitation at humid places, 20 kg m-2 where there are few."""
    humid = humidity.mean(axis=0) > _RATHER_HUMID
    typical = float(np.median(largest.max(axis=0)[humid])) if humid.sum() >= MANY_POINTS else 20.0
    return np.full(humid.shape, typical)


def _most_humid(humidity: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.where(times.sum(axis=0) >= _WET_STEPS, humidity.max(axis=0), 1.0)


def _mean_in_snowfall(total: np.ndarray, times: np.ndarray) -> np.ndarray:
    number = times.sum(axis=0)
    return np.where(number >= _SNOWY_STEPS, total.sum(axis=0) / np.maximum(number, 1), TRIPLE_POINT)


def _mean_of_periods(x: np.ndarray) -> np.ndarray:
    return x.mean(axis=0)


def _brightest_day(share: np.ndarray) -> np.ndarray:
    """Return the highest daily share of the sun, that of a clear day where the sun is low for half of the time."""
    return np.where(np.isfinite(share).mean(axis=0) > 0.9, np.nan_to_num(share).max(axis=0), 0.75)


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
         ("largest_rain", "wet_steps", "rain_changes", "humidity"), _largest_rain, ANY, (0.3, None),  # at least 0.9
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
    Rule("upward_long_wave_of_months", "Long-wave radiation as a share of a black body's, mean over 64 days,", "1",
         ("emissivity",), _mean_of_periods, ANY, (None, 0.98), _UPWARD),  # at most 0.974
    Rule("dry_air_in_months_of_rain", "The highest relative humidity at twenty steps and more with rain, in 64 days,",
         "1", ("rain_humidity", "rain_steps"), _most_humid, ANY, (0.65, None),  # 0.81; East River 0.23
         "Air is nearly saturated when it rains: it may be too warm or too dry."),
    Rule("warm_snowfall_of_months", "Air temperature, the mean of five steps and more with snowfall in 64 days,", "K",
         ("snow_temperature", "snow_steps"), _mean_in_snowfall, ANY, (None, 278.5),  # at most 276.8
         "Air may be too warm, or rain have been given as snowfall."),
)  # fmt: skip

#: The same at twenty distant places and more.
MONTHS_OF_PLACES = (
    Rule("rain_of_places", "The largest precipitation in 6 h of 64 days, the median of humid places,", "kg m-2",
         ("largest_rain", "humidity"), _typical_largest_rain, ANY, (4.5, 70.0),  # 8.1 to 42
         "Precipitation is a rate in kg m-2 s-1: check its unit."),
)  # fmt: skip

#: Rules of 128 days.
SEASON = (
    Rule("dim_season", "Short-wave radiation of the brightest of 128 days as a share of that outside the atmosphere",
         "1", ("bright_day",), _brightest_day, ANY, (0.5, None),  # at least 0.529
         "Clear sky lets through three quarters: check the unit, and that it is the downward radiation, not the net."),
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
