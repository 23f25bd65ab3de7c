# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Relations between variables that data must obey, as a table of rules.

A rule computes a number from variables and says in which range it is possible (else an error) and in which plausible
(else a warning). The comment at the end of a row gives the extremes in the embedded sample, the reference set, the
tower sets and observed years, which none of the ranges excludes. Ranges of single variables are in
``anemoi_ailand/variables.py``; the sun's clock is in ``sunshine.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.constants import GRAVITY, STEFAN_BOLTZMANN, TRIPLE_POINT
from anemoi_ailand.physics.air import saturation_pressure, specific_humidity, standard_pressure
from anemoi_ailand.physics.snow import snow_cover
from anemoi_ailand.physics.soil_types import SATURATED
from anemoi_ailand.physics.vegetation import ROUGHNESS_LENGTH, STOMATAL_RESISTANCE
from anemoi_ailand.variables import Range, variable

#: Marks the value of an instant at the start of the step, as ``t@start``.
AT_START = "@start"

#: Vegetation types that are high, and those of ice caps, inland water and ocean.
#: IFS Documentation CY49R1, Part IV, table 8.1.
_HIGH, _ICE, _WATER = (3, 4, 5, 6, 18, 19), 12, (14, 15)

#: Cover below which a type need not be given [1].
_SOME = 1.0e-3

#: Snow mass above which density, temperature and albedo of the snow matter [kg m-2].
_SNOW = 1.0e-3

#: Precipitation below which its phase does not matter [kg m-2 s-1]: 2 mm a day.
WET = 2.0 / 86400.0

ANY: Range = (None, None)


@dataclass(frozen=True)
class Rule:
    """One row: a number made of variables, and its ranges.

    Attributes
    ----------
    name : str
        Key of the rule.
    words : str
        Subject of the message, such as "Relative humidity".
    units : str
        Unit of the number.
    needs : tuple of str
        Variables, arguments of ``value`` in turn; the rule applies where all are given.
    value : callable
        Arrays to an array of the same shape.
    possible, plausible : Range
        Outside the first is an error, outside the second a warning.
    advice : str
        One sentence: the likely cause, and what to do.
    whole : bool
        Whether the number must be whole.
    """

    name: str
    words: str
    units: str
    needs: tuple[str, ...]
    value: Callable[..., np.ndarray]
    possible: Range = ANY
    plausible: Range = ANY
    advice: str = ""
    whole: bool = False


def text_of(limits: Range, units: str, whole: bool = False) -> str:
    """Return a range as text, such as ``0 to 1``."""
    low, high = limits
    unit = "" if units == "1" else f" {units}"
    if low is not None and high is not None:
        return f"{'whole numbers ' if whole else ''}{low:g} to {high:g}{unit}"
    return f"at least {low:g}{unit}" if low is not None else f"at most {high:g}{unit}"


def _same(x: np.ndarray) -> np.ndarray:
    return x


#: Likely causes of a value outside the range of its variable.
_CAUSES = {
    ("slt",): "Types are categories, 1 coarse to 7 tropical organic: take them from the original file.",
    ("tvl", "tvh"): "Types are ECMWF's indices, whole numbers from 0 (none) to 20: take them from the original file.",
    ("cvl", "cvh", "cur"): "Covers are fractions from 0 to 1: divide percent by 100.",
    ("cl",): "Covers are fractions from 0 to 1: divide percent by 100, and leave out points of lakes.",
    ("lsm",): "The emulator is of land only: leave out points of the sea.",
    ("theta_cap", "theta_pwp", "theta_sat"): "Soil properties are volume fractions (m3 m-3): divide percent by 100.",
    ("swvl1", "swvl2", "swvl3", "swvl4"):
        "Soil water is a volume fraction (m3 m-3), not mass, percent or an index of wetness.",
    ("stl1", "stl2", "stl3", "stl4"): "Soil temperature is in kelvin, and what is more belongs to no soil.",
    ("sd",): "Snow is mass in kg m-2. ECMWF archives mark glaciers by 10,000, which the network has not seen.",
    ("avg_sdlwrf",): "Long-wave radiation is the downward flux at the surface, a mean over 6 h in W m-2.",
    ("avg_sdswrf",): "Short-wave radiation is the downward flux at the surface, a mean over 6 h in W m-2.",
    ("avg_tprate",): "Precipitation is a mean rate in kg m-2 s-1: divide millimetres over 6 h by 21,600.",
    ("q", "avg_q"): "Specific humidity is in kg kg-1, not relative humidity, nor g kg-1.",
}  # fmt: skip


def range_rule(name: str) -> Rule | None:
    """Return the rule of the range of one variable; None if it has no range."""
    row = variable(name)
    if row.possible == ANY and row.plausible == ANY:
        return None
    causes = [text for names, text in _CAUSES.items() if name in names]
    advice = causes[0] if causes else f"Check values and unit ({row.units})."
    return Rule(
        name, f"'{name}' ({row.long_name})", row.units, (name,), _same, row.possible, row.plausible, advice, row.whole
    )


# -- static ---------------------------------------------------------------------------------------------------------


def _total_cover(cvl: np.ndarray, cvh: np.ndarray) -> np.ndarray:
    return cvl + cvh


def _cover_without_type(cover: np.ndarray, kind: np.ndarray) -> np.ndarray:
    return np.where(kind == 0, cover, 0.0)


def _low_is_high(kind: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return np.where((cover > _SOME) & np.isin(kind, _HIGH), kind, 0.0)


def _high_is_low(kind: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return np.where((cover > _SOME) & (kind > 0) & ~np.isin(kind, _HIGH), kind, 0.0)


def _no_vegetation(kind: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Return the type of ice, whatever its cover, and of water that covers some of the point, else 0."""
    return np.where((kind == _ICE) | ((cover > _SOME) & np.isin(kind, _WATER)), kind, 0.0)


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a - b


def _apart_from_type(porosity: np.ndarray, kind: np.ndarray) -> np.ndarray:
    index = np.clip(np.nan_to_num(kind), 0, len(SATURATED) - 1).astype(int)
    return np.where(index > 0, porosity - np.array(SATURATED)[index], 0.0)


def _of_other_type(roughness: np.ndarray, resistance: np.ndarray, kind: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Return the larger logarithm of both parameters over those of the type, 0 without vegetation."""
    index = np.clip(np.nan_to_num(kind), 0, len(ROUGHNESS_LENGTH) - 1).astype(int)
    given = (cover > _SOME) & (index > 0) & (roughness > 0.0) & (resistance > 0.0)
    ratios = [
        np.log(np.where(given, values, 1.0) / np.where(given, np.maximum(np.array(table)[index], 1.0e-4), 1.0))
        for values, table in ((roughness, ROUGHNESS_LENGTH), (resistance, STOMATAL_RESISTANCE))
    ]
    return np.where(np.abs(ratios[0]) > np.abs(ratios[1]), *ratios)


def _depth_of_lake(cover: np.ndarray, depth: np.ndarray) -> np.ndarray:
    return np.where(cover > _SOME, depth, 1.0)


STATIC = (
    Rule("vegetation_cover", "Low and high vegetation cover together (cvl + cvh)", "1", ("cvl", "cvh"), _total_cover,
         (0.0, 1.001), (0.0, 1.001),  # 0 to 1.000
         "Covers are fractions of the point: correct one of them."),
    Rule("low_type", "Low vegetation cover (cvl) of type 0, none,", "1", ("cvl", "tvl"), _cover_without_type,
         (None, 0.01), (None, 0.01),  # 0
         "Give the type tvl, or set the cover to 0."),
    Rule("high_type", "High vegetation cover (cvh) of type 0, none,", "1", ("cvh", "tvh"), _cover_without_type,
         (None, 0.01), (None, 0.01),  # 0
         "Give the type tvh, or set the cover to 0."),
    Rule("low_kind", "Low vegetation type (tvl) of high vegetation", "1", ("tvl", "cvl"), _low_is_high,
         ANY, (None, 0.0),  # 0
         "Types 3 to 6, 18 and 19 are high vegetation: tvl and tvh may be exchanged."),
    Rule("high_kind", "High vegetation type (tvh) of low vegetation", "1", ("tvh", "cvh"), _high_is_low,
         ANY, (None, 0.0),  # 0
         "High vegetation is types 3 to 6, 18 and 19: tvl and tvh may be exchanged."),
    Rule("ice_or_water", "Vegetation type (tvl) of ice caps or water", "1", ("tvl", "cvl"), _no_vegetation,
         ANY, (None, 0.0),  # 0
         "The emulator has not been trained for glaciers and water: leave these points out."),
    Rule("capacity_over_wilting", "Field capacity above the wilting point (theta_cap - theta_pwp)", "m3 m-3",
         ("theta_cap", "theta_pwp"), _difference, (0.001, None), (0.03, None),  # 0.17 to 0.33
         "Wilting point, field capacity and porosity must grow in this order: they may be exchanged."),
    Rule("porosity_over_capacity", "Porosity above field capacity (theta_sat - theta_cap)", "m3 m-3",
         ("theta_sat", "theta_cap"), _difference, (0.001, None), (0.01, None),  # 0.07 to 0.16
         "Wilting point, field capacity and porosity must grow in this order: they may be exchanged."),
    Rule("porosity_of_type", "Porosity (theta_sat) above that of the soil type (slt) in ecLand", "m3 m-3",
         ("theta_sat", "slt"), _apart_from_type, ANY, (-0.02, 0.02),  # 0
         "The soil type decides the other soil properties: one of both is of another soil."),
    *(Rule(f"parameters_of_{kind}", f"Logarithm of roughness or stomatal resistance (veg_z0m_{kind}, veg_rsmin_{kind}) "
           f"over that of the vegetation type (tv{kind[0]}) in ecLand", "1",
           (f"veg_z0m_{kind}", f"veg_rsmin_{kind}", f"tv{kind[0]}", f"cv{kind[0]}"), _of_other_type,
           ANY, (-0.3, 0.3),  # 0
           "Parameters and type are of different vegetation, or of tables that the network has not seen.")
      for kind in ("lv", "hv")),
    Rule("lake_depth", "Depth of the lake (dl) where there is one", "m", ("cl", "dl"), _depth_of_lake,
         ANY, (0.05, 1.0e3),  # 0.7 to 50
         "Give the depth of the lake, or set its cover to 0."),
)  # fmt: skip


# -- the state, with static fields -----------------------------------------------------------------------------------


def _of_snow(x: np.ndarray, sd: np.ndarray, otherwise: float) -> np.ndarray:
    return np.where(sd > _SNOW, x, otherwise)


def _snow_density(rsn: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return _of_snow(rsn, sd, 100.0)


def _snow_temperature(tsn: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return _of_snow(tsn, sd, TRIPLE_POINT)


def _snow_albedo(asn: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return _of_snow(asn, sd, 0.7)


def _cover_without_snow(snowc: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return np.where(sd <= 0.0, snowc, 0.0)


def _cover_apart(snowc: np.ndarray, sd: np.ndarray, rsn: np.ndarray) -> np.ndarray:
    return np.where(rsn > 1.0, snowc - snow_cover(sd, np.maximum(rsn, 1.0)), 0.0)


def _warm_snow(stl1: np.ndarray, sd: np.ndarray) -> np.ndarray:
    return np.where(sd > 10.0, stl1, TRIPLE_POINT)


def _largest_reservoir(src: np.ndarray) -> np.ndarray:
    """Return the largest content everywhere, and 1 where too few points are wet to tell its unit."""
    few = np.count_nonzero(src > _MOIST) < _WET_POINTS
    return np.full_like(src, 1.0 if few else float(np.nanmax(src)))


#: Content of a reservoir that is not dry [kg m-2], and the number of points that are, which tell the unit.
_MOIST, _WET_POINTS = 1.0e-6, 5

_SOIL_LAYERS = (1, 2, 3, 4)

STATE = (
    *(Rule(f"porosity_{k}", f"Soil water above porosity (swvl{k} - theta_sat)", "m3 m-3", (f"swvl{k}", "theta_sat"),
           _difference, (None, 0.03), (None, 0.005),  # -0.77 to 0.0000
           "Soil holds no more water than its pores: check unit and soil type.") for k in _SOIL_LAYERS),
    *(Rule(f"soil_gradient_{k}", f"Difference of soil temperature between layers (stl{k} - stl{k + 1})", "K",
           (f"stl{k}", f"stl{k + 1}"), _difference, (-100.0, 100.0), (-most, most),
           "Neighbouring layers belong to one soil: check units, dates and order of the layers.")
      for k, most in ((1, 40.0), (2, 30.0), (3, 25.0))),  # 26, 21, 17
    Rule("air_over_soil", "Difference of air and soil temperature (t - stl1)", "K", ("t", "stl1"), _difference,
         (-100.0, 100.0), (-55.0, 35.0),  # -50 to 26; 56 in a false record of Fort Peck (2 January 2005)
         "State and forcing may be of different dates or places."),
    Rule("snow_density", "Snow density (rsn) where there is snow", "kg m-3", ("rsn", "sd"), _snow_density,
         (10.0, 920.0), (45.0, 600.0),  # 50.6 to 500
         "Snow needs a density: fill it, or set sd to 0."),
    Rule("snow_temperature", "Snow temperature (tsn) where there is snow", "K", ("tsn", "sd"), _snow_temperature,
         (180.0, 274.0), (205.0, 273.2),  # 235 to 273.16
         "Snow is between 180 and 273.16 K: check the unit."),
    Rule("snow_albedo", "Snow albedo (asn) where there is snow", "1", ("asn", "sd"), _snow_albedo,
         (0.0, 1.0), (0.4, 0.95),  # 0.5 to 0.85
         "Fresh snow has 0.85, old snow 0.5: check the unit."),
    Rule("snow_water", "Liquid water in snow beyond its mass (slw - sd)", "kg m-2", ("slw", "sd"), _difference,
         (None, 1.0), (None, 0.01),  # at most 0
         "Liquid water is a part of the snow's mass: sd may be in metres instead of kg m-2."),
    Rule("cover_without_snow", "Snow cover (snowc) where there is no snow (sd = 0)", "1", ("snowc", "sd"),
         _cover_without_snow, (None, 0.5), (None, 0.02),  # 0
         "Mass and cover of snow contradict each other: take both from one source."),
    Rule("snow_cover", "Snow cover (snowc) above that of mass and density (sd, rsn)", "1", ("snowc", "sd", "rsn"),
         _cover_apart, ANY, (-0.25, 0.25),
         "Mass, density and cover of snow contradict each other: sd may be in metres instead of kg m-2."),  # 0.01
    Rule("reservoir", "The largest skin reservoir content (src) of five wet points and more", "kg m-2", ("src",),
         _largest_reservoir, ANY, (0.0025, None),  # at least 0.0068
         "The reservoir holds up to a millimetre: src may be in metres instead of kg m-2."),
    Rule("warm_snow", "Soil temperature (stl1) below more than 10 kg m-2 of snow", "K", ("stl1", "sd"), _warm_snow,
         ANY, (None, 290.0),  # at most 284
         "Snow does not lie on warm soil: check dates, places and the unit of sd."),
)  # fmt: skip


# -- forcing ---------------------------------------------------------------------------------------------------------


def relative_humidity(q: np.ndarray, t: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Return the relative humidity [1] of specific humidity, temperature and pressure."""
    return q / specific_humidity(saturation_pressure(t), pressure)


def emissivity(lw: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return long-wave radiation over that of a black body [1]."""
    square = t * t  # a power takes ten times as long
    return lw / (STEFAN_BOLTZMANN * square * square)


def _warm_snowfall(snow: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.where(snow > WET, t, TRIPLE_POINT)


def _cold_rain(rain: np.ndarray, snow: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.where(rain - snow > WET, t, TRIPLE_POINT)


def apart_from_ends(mean: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return a mean less that of both ends."""
    return mean - 0.5 * (start + end)


def ratio_to_ends(mean: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the logarithm of a mean over that of both ends."""
    ends = 0.5 * (start + end)
    return np.log(np.maximum(mean, 1.0e-6) / np.maximum(ends, 1.0e-6))


def _beyond_twice(late: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return late - 2.0 * mean


def wind_speed(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the speed of a wind [m s-1]."""
    return np.sqrt(u * u + v * v)


def _of_standard(pressure: np.ndarray, geopotential: np.ndarray) -> np.ndarray:
    elevations = np.clip(geopotential / GRAVITY, -1.0e3, 1.0e4)
    return pressure / standard_pressure(np.asarray(elevations, dtype=np.float64))


BOTH = "Check the unit of both, and that they are of the same place and hours."

FORCING = (
    Rule("humidity", "Relative humidity of the means (avg_q, avg_t, avg_sp)", "1", ("avg_q", "avg_t", "avg_sp"),
         relative_humidity, (None, 5.0), (0.003, 1.15),  # 0.02 to 1.12; 4.4 in a false record of Fort Peck
         "Specific humidity is in kg kg-1; check the units of humidity, temperature and pressure."),
    Rule("humidity_at_stamp", "Relative humidity at the stamp (q, t, avg_sp)", "1", ("q", "t", "avg_sp"),
         relative_humidity, (None, 5.0), (0.003, 1.15),  # 0.006 to 1.09
         "Specific humidity is in kg kg-1; check the units of humidity, temperature and pressure."),
    # 0.47 to 1.16
    Rule("long_wave", "Long-wave radiation as a share of a black body's at air temperature", "1",
         ("avg_sdlwrf", "avg_t"), emissivity, (0.1, 2.0), (0.4, 1.25), BOTH),
    Rule("snowfall", "Snowfall beyond total precipitation (avg_tsrwe - avg_tprate)", "kg m-2 s-1",
         ("avg_tsrwe", "avg_tprate"), _difference, (None, 1.0e-6), (None, 1.0e-6),  # at most 0
         "Snowfall is a part of precipitation: give the total (rain and snow) as avg_tprate, both in the same unit."),
    Rule("late_snowfall", "Snowfall beyond total precipitation (late_tsrwe - late_tprate)", "kg m-2 s-1",
         ("late_tsrwe", "late_tprate"), _difference, (None, 1.0e-6), (None, 1.0e-6),  # at most 0
         "Snowfall is a part of precipitation: give the total (rain and snow) as late_tprate, both in the same unit."),
    Rule("warm_snowfall", "Air temperature (avg_t) during snowfall", "K", ("avg_tsrwe", "avg_t"), _warm_snowfall,
         ANY, (None, 286.0),  # at most 283.6
         "Rain may have been given as snowfall, or temperature may be of other hours."),
    Rule("cold_rain", "Air temperature (avg_t) during rain", "K", ("avg_tprate", "avg_tsrwe", "avg_t"), _cold_rain,
         ANY, (262.0, None),  # at least 267
         "Snowfall may be missing: at such temperatures all precipitation is snow."),
    Rule("mean_temperature", "Mean air temperature less that of both ends of the step", "K",
         ("avg_t", f"t{AT_START}", "t"), apart_from_ends, (-60.0, 60.0), (-14.0, 14.0),  # -8 to 11; Fort Peck -23
         "Means are over the 6 h that end at the stamp, instants hold at it: check stamps and time zones."),
    Rule("mean_humidity", "Logarithm of mean humidity over that of both ends of the step", "1",
         ("avg_q", f"q{AT_START}", "q"), ratio_to_ends, ANY, (-2.2, 2.2),  # -1.7 to 1.0
         "Means are over the 6 h that end at the stamp, instants hold at it: check stamps, units and time zones."),
    Rule("late_sun", "Short-wave radiation of the last 3 h beyond twice that of 6 h", "W m-2",
         ("late_sdswrf", "avg_sdswrf"), _beyond_twice, (None, 50.0), (None, 5.0),  # at most 0.5
         "The mean over the last half of a step is at most twice that of the step."),
    Rule("late_rain", "Precipitation of the last 3 h beyond twice that of 6 h", "kg m-2 s-1",
         ("late_tprate", "avg_tprate"), _beyond_twice, (None, 1.0e-4), (None, 1.0e-5),  # at most 1.5e-8
         "The mean over the last half of a step is at most twice that of the step."),
    Rule("wind", "Wind speed of avg_u and avg_v", "m s-1", ("avg_u", "avg_v"), wind_speed,
         (None, 150.0), (None, 45.0),  # at most 25
         "Wind is in m s-1."),
)  # fmt: skip


def _typical_of_standard(pressure: np.ndarray, geopotential: np.ndarray) -> np.ndarray:
    found = _of_standard(pressure, geopotential)
    return np.full_like(found, np.nanmedian(found))


def _typical_of_many(pressure: np.ndarray, geopotential: np.ndarray) -> np.ndarray:
    found = _typical_of_standard(pressure, geopotential)
    return found if found.size >= MANY_POINTS else np.ones_like(found)


def _metres_above(pressure: np.ndarray, geopotential: np.ndarray) -> np.ndarray:
    """Return the height of z in metres above z as a geopotential, where all points that contradict it are in metres."""
    as_geopotential, as_metres = (np.log(_of_standard(pressure, z)) for z in (geopotential, GRAVITY * geopotential))
    apart, fits = np.abs(as_geopotential) > _CONTRADICTS, np.abs(as_metres) < _FITS
    metres = apart.any() and fits[apart].all()
    return np.where(apart & metres, geopotential * (1.0 - 1.0 / GRAVITY), 0.0)


def of_few(pressure: np.ndarray, geopotential: np.ndarray, far: float | None = None) -> np.ndarray:
    """Return the ratio at points that contradict their elevation while nearly all others do not, else 1."""
    found = _of_standard(pressure, geopotential)
    apart = np.abs(np.log(found)) > (_FAR if far is None else far)
    few = found.shape[-1] >= MANY_POINTS and apart.sum() <= _FEW * apart.size
    return np.where(apart & few, found, 1.0)


def _under_sea_level_pressure(pressure: np.ndarray, geopotential: np.ndarray) -> np.ndarray:
    """Return the elevation of points, where all that contradict it have the pressure of the sea level."""
    apart = np.log(_of_standard(pressure, geopotential)) > _CONTRADICTS
    sea = np.abs(np.log(pressure / STANDARD_PRESSURE)) < _CONTRADICTS
    return np.where(apart & sea[apart].all(), geopotential / GRAVITY, 0.0)


#: Logarithms of pressure over that of the standard atmosphere: weather changes it by 0.03 to 0.05, and another
#: elevation by 0.06 from 500 m on.
_CONTRADICTS, _FITS, _FAR = 0.06, 0.02, 0.08

#: Points whose median tells what single ones do not, and share of them that are few.
MANY_POINTS, _FEW = 10, 0.05

#: Pressure at the sea level of the standard atmosphere [Pa].
STANDARD_PRESSURE = standard_pressure(0.0)

ELEVATION = "Elevation and pressure contradict each other: z is a geopotential (m2 s-2, metres times 9.80665)."

#: Rules of the first days only.
FIRST = (
    # 0.67 to 1.43: points of the tower set have the z of another place, which may be 2,950 m at the coast
    Rule("elevation", "Pressure (avg_sp) over that of the standard atmosphere at the elevation (z)", "1",
         ("avg_sp", "z"), _of_standard, (0.5, 2.0), (0.64, 1.45), ELEVATION),
    # 0.99 to 1.02 in the sample and the reference set, 0.99 to 1.01 in the tower set, 0.67 to 1.04 at single towers
    Rule("elevation_of_points", "Pressure (avg_sp) over that of the standard atmosphere at the elevation (z), the "
         "median of points,", "1", ("avg_sp", "z"), _typical_of_standard, ANY, (0.64, 1.15), ELEVATION),
    # 0.99 to 1.02
    Rule("elevation_of_many", "Pressure (avg_sp) over that of the standard atmosphere at the elevation (z), the median "
         "of ten points and more,", "1", ("avg_sp", "z"), _typical_of_many, ANY, (0.95, 1.05), ELEVATION),
    # 0.95 to 1.05 in the reference set; in the tower set a fifth of the points contradict, too many for the rule
    Rule("elevation_of_few", "Pressure (avg_sp) over that of the standard atmosphere at the elevation (z), of few "
         "points among many that fit,", "1", ("avg_sp", "z"), of_few, ANY, (0.93, 1.07), ELEVATION),
    Rule("sea_level", "Elevation (z / 9.80665) under the pressure of the sea level (avg_sp)", "m", ("avg_sp", "z"),
         _under_sea_level_pressure, ANY, (None, 400.0),  # 0
         "Pressure is that at the surface, not reduced to sea level; or the elevation is of another place."),
    Rule("elevation_in_metres", "Height at which pressure (avg_sp) puts the point above its elevation (z / 9.80665)",
         "m", ("avg_sp", "z"), _metres_above, ANY, (None, 300.0),  # 0
         "As metres, z would fit: it is a geopotential (m2 s-2), so multiply metres by 9.80665."),
)  # fmt: skip


# -- results in files, which are targets of a training or the reference of an evaluation -----------------------------

#: Latent heat of vaporisation [J kg-1]; that of sublimation is 13 % more, which the range leaves room for.
_VAPORISATION = 2.5e6


def _apart_from_evaporation(slhf: np.ndarray, evap: np.ndarray) -> np.ndarray:
    return slhf + _VAPORISATION * evap


def _emitted(downward: np.ndarray, net: np.ndarray, skt: np.ndarray) -> np.ndarray:
    return emissivity(downward - net, skt)


def net_energy(ssr: np.ndarray, net: np.ndarray, sshf: np.ndarray, slhf: np.ndarray) -> np.ndarray:
    """Return what soil and snow keep of net radiation and turbulent fluxes, all positive downward [W m-2]."""
    return ssr + net + sshf + slhf


def _typically_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the median distance of ten points and more at each date, 0 at fewer."""
    apart = np.abs(a - b)
    if apart.shape[-1] < MANY_POINTS or np.isnan(apart).any():
        return np.zeros_like(apart)
    return np.broadcast_to(np.median(apart, axis=-1, keepdims=True), apart.shape)


_SIGN = "Fluxes are positive downward (evap: upward): check their signs, units and names."

#: In comments: the extremes of the reference set, 2018 to 2020, and of the towers.
RESULTS = (
    Rule("dewpoint", "Dewpoint above air temperature at 2 m (2d - 2t)", "K", ("2d", "2t"), _difference,
         ANY, (None, 0.5),  # at most 0
         "Air holds no more water: 2t and 2d may be exchanged, or of different hours."),
    Rule("air_at_2m", "Distance of temperature at 2 m (2t) and air (t) at a stamp, the median of ten points,", "K",
         ("2t", "t"), _typically_apart, ANY, (None, 3.0),  # at most 1.1
         "Results may be of other hours or places than the forcing."),
    Rule("evaporation", "Latent heat flux and that of evaporation (slhf + 2.5e6 J kg-1 evap)", "W m-2",
         ("slhf", "evap"), _apart_from_evaporation, ANY, (-60.0, 60.0), _SIGN),  # -36 to 22
    Rule("absorbed", "Net short-wave radiation above the downward one (ssr - avg_sdswrf)", "W m-2",
         ("ssr", "avg_sdswrf"), _difference, ANY, (None, 20.0),  # at most 0
         "Net radiation is a part of the downward one: check units, hours and names."),
    Rule("emission", "Upward long-wave radiation (avg_sdlwrf - str) as a share of a black body's at skin temperature",
         "1", ("avg_sdlwrf", "str", "skt"), _emitted, ANY, (0.4, 1.6),  # 0.54 to 1.32
         "str is the net flux, positive downward: check its sign, units and names."),
)  # fmt: skip

#: Mean over eight steps at all places of the reference set, 2018 to 2020: -7 to 11, 34 and more with `sshf` of the
#: other sign. Mean over 32 steps at one: -146 to 210, where snow melts.
_ENERGY = "Net radiation with sensible and latent heat (ssr + str + sshf + slhf), the mean over time"
ENERGY_OF_PLACES = Rule("energy_of_places", f"{_ENERGY} and distant places,", "W m-2",
                        ("ssr", "str", "sshf", "slhf"), net_energy, ANY, (-25.0, 25.0), _SIGN)  # fmt: skip
ENERGY = Rule("energy", f"{_ENERGY},", "W m-2", ("ssr", "str", "sshf", "slhf"), net_energy, ANY, (-300.0, 300.0), _SIGN)

#: Variables that rules of the start use although a network may not read them.
CHECKED_AT_START = tuple(dict.fromkeys([*(n for rule in (*STATIC, *STATE) for n in rule.needs), "lsm", "z", "cur"]))
