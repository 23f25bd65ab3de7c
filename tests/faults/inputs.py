# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Catalogue of inputs that are wrong, and of some that look wrong and are sound: a table of cases.

A case changes one thing in four days of the sample at a place with snow in winter, one in the tropics and one in a
steppe, or everywhere. Its class is ``error`` (the run stops before it writes), ``warning`` (it says so at the end) or
``fine``; the words stand in the message. Faults of configuration and files are in other modules of this folder.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from anemoi_ailand.constants import GRAVITY
from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.data.plausibility.rules import standard_pressure

ERROR, WARNING, FINE = "error", "warning", "fine"

Change = Callable[[xr.Dataset], xr.Dataset]


@dataclass(frozen=True)
class Case:
    """One row: its name, class, words of the message in any case of letters, and the change."""

    name: str
    outcome: str
    words: str
    change: Change
    period: str = "winter"


def put(value: float, *names: str, point: int | None = None) -> Change:
    """Replace variables by a number, at all points or at one."""

    def change(data: xr.Dataset) -> xr.Dataset:
        for name in names:
            values = data[name].values.copy()
            values[..., slice(None) if point is None else point] = value
            data[name] = data[name].copy(data=values)
        return data

    return change


def apply(function: Callable[[np.ndarray], np.ndarray], *names: str) -> Change:
    """Replace variables by a function of their values."""

    def change(data: xr.Dataset) -> xr.Dataset:
        return data.assign({name: data[name].copy(data=function(data[name].values)) for name in names})

    return change


def later(steps: int, *names: str) -> Change:
    """Shift variables in time by steps, the end coming first."""
    return apply(lambda x: np.roll(x, steps, axis=0), *names)


def exchange(a: str, b: str) -> Change:
    """Exchange the values of two variables or coordinates."""

    def change(data: xr.Dataset) -> xr.Dataset:
        values = data[a].values.copy(), data[b].values.copy()
        return data.assign_coords({a: data[a].copy(data=values[1]), b: data[b].copy(data=values[0])}) if (
            a in data.coords
        ) else data.assign({a: data[a].copy(data=values[1]), b: data[b].copy(data=values[0])})  # fmt: skip

    return change


def place(function: Callable[[np.ndarray], np.ndarray], name: str) -> Change:
    """Replace a coordinate."""
    return lambda data: data.assign_coords({name: data[name].copy(data=function(data[name].values))})


def both(*changes: Change) -> Change:
    """Make several changes in turn."""

    def change(data: xr.Dataset) -> xr.Dataset:
        for one in changes:
            data = one(data)
        return data

    return change


def at_night(data: xr.Dataset) -> xr.Dataset:
    """Add sunshine where there is none."""
    values = data["avg_sdswrf"].values
    return data.assign(avg_sdswrf=data["avg_sdswrf"].copy(data=np.where(values < 1.0, 300.0, values)))


def one_night(data: xr.Dataset) -> xr.Dataset:
    """Add sunshine to the first step."""
    values = data["avg_sdswrf"].values.copy()
    values[1] += 250.0
    return data.assign(avg_sdswrf=data["avg_sdswrf"].copy(data=values))


def of_date(name: str, date: int, function: Callable[[xr.DataArray], xr.DataArray]) -> Change:
    """Replace a variable at one date."""
    return lambda data: data.assign({name: data[name].where(data.time != data.time[date], function(data[name]))})


def daily(*names: str) -> Change:
    """Replace values by the mean of their day, of a whole number of days after the first date."""

    def held(x: np.ndarray) -> np.ndarray:
        days = (len(x) - 1) // 4
        means = x[1 : 1 + 4 * days].reshape(days, 4, -1).mean(axis=1)
        return np.concatenate([x[:1], np.repeat(means, 4, axis=0), x[1 + 4 * days :]]).astype("f4")

    return apply(held, *names)


def first(days: int, change: Change) -> Change:
    """Make a change in the first days, which are all that is run."""
    return lambda data: change(data).isel(time=slice(0, 4 * days + 1))


def at_places(chosen: slice, change: Change) -> Change:
    """Make a change at some of the points, which are all that is run."""
    return lambda data: change(data.isel(point=chosen))


def record_of(other: int, at: int) -> Change:
    """Replace all that changes in time at one date by that of another date, as a damaged chunk does."""

    def change(data: xr.Dataset) -> xr.Dataset:
        def replaced(x: xr.DataArray) -> xr.DataArray:
            values = x.values.copy()
            values[at] = values[other]
            return x.copy(data=values)

        return data.assign({n: replaced(x) for n, x in data.data_vars.items() if x.dims[0] == "time"})

    return change


def drawn(size: float, *names: str) -> Change:
    """Add noise."""
    return apply(lambda x: x + np.random.default_rng(1).normal(0.0, size, x.shape).astype("f4"), *names)


def at_elevations(lowest: float, highest: float) -> Change:
    """Move places to heights [m], and their pressure to that of the standard atmosphere there, as humid as before."""

    def change(data: xr.Dataset) -> xr.Dataset:
        z, pressure = data["z"], data["avg_sp"]
        heights = np.linspace(lowest, highest, data.sizes["point"], dtype="f4")
        there = np.array([standard_pressure(height) for height in heights.tolist()]) / pressure.values.mean(axis=0)
        data = apply(lambda x: (x / there).astype("f4"), "avg_q", "q")(data)
        low = z.copy(data=np.broadcast_to(GRAVITY * heights, z.shape))
        return data.assign(z=low, avg_sp=pressure.copy(data=(pressure.values * there).astype("f4")))

    return change


def one_component(daily_means: bool) -> Change:
    """Give the speed of wind as its northward component, as stations do, at each step or of whole days."""

    def change(data: xr.Dataset) -> xr.Dataset:
        speed = data["avg_v"].copy(data=np.hypot(data["avg_u"].values, data["avg_v"].values))
        data = data.assign(avg_u=data["avg_u"] * 0.0, avg_v=speed)
        return daily("avg_v")(data) if daily_means else data

    return change


def one_day_with_trend(data: xr.Dataset) -> xr.Dataset:
    """Repeat the first day with a trend of 0.05 K a day."""
    warmer = 0.0125 * np.arange(data.sizes["time"])[:, None]
    data = apply(lambda x: np.resize(x[:4], x.shape), "avg_q", "q", "avg_sdlwrf")(data)
    return apply(lambda x: (np.resize(x[:4], x.shape) + warmer).astype("f4"), "avg_t", "t")(data)


def repeated(steps: int) -> Change:
    """Repeat the first steps of all forcing."""
    return apply(lambda x: np.concatenate([x[:1], np.resize(x[1 : 1 + steps], x[1:].shape)]), *_WEATHER)


def upward(data: xr.Dataset) -> xr.Dataset:
    """Give the upward long-wave radiation for the downward one."""
    return data.assign(avg_sdlwrf=data["avg_sdlwrf"].copy(data=data["avg_sdlwrf"].values - data["str"].values))


def copied(source: str, *names: str) -> Change:
    """Copy one variable to others."""
    return lambda data: data.assign({name: data[name].copy(data=data[source].values) for name in names})


def from_below(name: str) -> Change:
    """Give four layers of soil in reversed order."""
    return lambda data: data.assign({f"{name}{k}": data[f"{name}{k}"].copy(data=data[f"{name}{5 - k}"].values)
                                     for k in (1, 2, 3, 4)})  # fmt: skip


def half_a_step_later(*names: str) -> Change:
    """Give means of two neighbouring values, as are those of three hours before."""
    return apply(lambda x: np.concatenate([x[:1], 0.5 * (x[1:] + x[:-1])]), *names)


def higher_for_days(data: xr.Dataset) -> xr.Dataset:
    """Raise pressure by 5 % from the ninth to the thirteenth day, as that of a place 400 m lower."""
    factor = np.where((np.arange(data.sizes["time"]) // 4 >= 8) & (np.arange(data.sizes["time"]) // 4 < 13), 1.05, 1.0)
    return apply(lambda x: (x * factor[:, None]).astype("f4"), "avg_sp")(data)


def soil_of(date: str) -> Change:
    """Start from the soil of another date, without its snow."""

    def change(data: xr.Dataset) -> xr.Dataset:
        other = open_data("$AILAND_SAMPLE").to_xarray((date, date), [*_SOIL]).isel(time=0)
        at = np.flatnonzero(np.isin(other["point_id"].values, data["point_id"].values))
        return data.assign({n: data[n].copy(data=np.broadcast_to(other[n].values[at], data[n].shape)) for n in _SOIL})

    return change


_WEATHER = ("t", "q", "avg_t", "avg_q", "avg_sp", "avg_u", "avg_v", "avg_sdswrf", "avg_sdlwrf", "avg_tprate",
            "avg_tsrwe")  # fmt: skip
_SOIL = ("stl1", "stl2", "stl3", "stl4")

STATIC = [
    Case("soil type 9", ERROR, "'slt' (soil type", put(9, "slt")),
    Case("soil type 0", ERROR, "whole numbers 1 to 7", put(0, "slt")),
    Case("soil type -3", ERROR, "'slt'", put(-3, "slt")),
    Case("soil type 2.5", ERROR, "types are categories", put(2.5, "slt")),
    Case("soil type interpolated at one point", ERROR, "at 1 of 3 points", put(3.2, "slt", point=1)),
    Case("soil type of another soil", WARNING, "porosity (theta_sat) above that of the soil type",
         put(6, "slt", point=0)),
    Case("low vegetation type 99", ERROR, "'tvl'", put(99, "tvl")),
    Case("low vegetation type -1", ERROR, "'tvl'", put(-1, "tvl")),
    Case("low vegetation type 7.5", ERROR, "'tvl'", put(7.5, "tvl")),
    Case("high vegetation type 21", ERROR, "'tvh'", put(21, "tvh")),
    Case("low vegetation without a type", ERROR, "low vegetation cover", both(put(0.5, "cvl"), put(0, "tvl"))),
    Case("high vegetation without a type", ERROR, "high vegetation cover", both(put(0.3, "cvh"), put(0, "tvh"))),
    Case("vegetation types exchanged", WARNING, "may be exchanged",
         both(put(0.4, "cvl", "cvh"), put(5, "tvl"), put(1, "tvh"))),
    Case("glacier", WARNING, "ice caps", both(put(0.1, "cvl"), put(0.0, "cvh"), put(12, "tvl"))),
    Case("glacier without cover", WARNING, "ice caps", both(put(0.0, "cvl", "cvh"), put(12, "tvl"))),
    Case("low cover in percent", ERROR, "unit % would fit", apply(lambda x: 100.0 * x, "cvl")),
    Case("high cover of 95", ERROR, "'cvh'", put(95, "cvh")),
    Case("cover of -0.5", ERROR, "'cvl'", put(-0.5, "cvl")),
    Case("cover of 1.2", ERROR, "'cvl'", put(1.2, "cvl")),
    Case("covers of more than everything", ERROR, "cvl + cvh", put(0.8, "cvl", "cvh")),
    Case("lake cover of 30", ERROR, "'cl'", put(30, "cl")),
    Case("a lake", WARNING, "points of lakes", put(0.9, "cl")),
    Case("a lake without depth", WARNING, "depth of the lake", both(put(0.2, "cl"), put(0.0, "dl"))),
    Case("town cover of -0.1", ERROR, "'cur'", put(-0.1, "cur")),
    Case("a point in the sea", WARNING, "land only", put(0.0, "lsm", point=2)),
    Case("land mask in percent", ERROR, "'lsm'", put(100.0, "lsm")),
    Case("porosity 0", ERROR, "'theta_sat'", put(0.0, "theta_sat")),
    Case("porosity 43", ERROR, "'theta_sat'", put(43.0, "theta_sat")),
    Case("wilting point above field capacity", ERROR, "field capacity above the wilting point",
         exchange("theta_pwp", "theta_cap")),
    Case("field capacity above porosity", ERROR, "porosity above field capacity", exchange("theta_sat", "theta_cap")),
    Case("wilting point in percent", ERROR, "'theta_pwp'", apply(lambda x: 100.0 * x, "theta_pwp")),
    Case("geopotential of the moon", ERROR, "'z'", put(1.0e6, "z")),
    Case("elevation of 4 km under sea-level pressure", WARNING, "elevation and pressure",
         both(put(4.0e4, "z"), put(1.0e5, "avg_sp"))),
    Case("elevation of 3 km under 98.5 kPa", WARNING, "elevation and pressure",
         both(put(2.942e4, "z"), put(9.85e4, "avg_sp"))),
    Case("orography of 100 km", ERROR, "check values and unit (m)", put(1.0e5, "sdor")),
    Case("photosynthesis of -1", ERROR, "check values and unit (1)", put(-1.0, "c4")),
    Case("pressure of 10 km at the coast", ERROR, "'avg_sp'", put(2.0e4, "avg_sp")),
    Case("roughness of 50 m", ERROR, "'veg_z0m_hv'", put(50.0, "veg_z0m_hv")),
    Case("negative stomatal resistance", ERROR, "'veg_rsmin_lv'", put(-80.0, "veg_rsmin_lv")),
    Case("roughness of a forest for grass", WARNING, "are of different vegetation", put(2.0, "veg_z0m_lv")),
    Case("stomatal resistance of another type", WARNING, "are of different vegetation", put(395.0, "veg_rsmin_lv")),
    Case("vegetation density in percent", ERROR, "'veg_cov_lv'", put(90.0, "veg_cov_lv")),
]  # fmt: skip

STATE = [
    Case("negative soil water", ERROR, "'swvl1'", put(-0.05, "swvl1")),
    Case("soil water of 0.95", ERROR, "'swvl2'", put(0.95, "swvl2")),
    Case("soil water above porosity", ERROR, "above porosity", apply(lambda x: np.full_like(x, 0.78), "swvl3")),
    Case("soil water in percent", ERROR, "'swvl1'", apply(lambda x: 100.0 * x, "swvl1")),
    Case("soil water as mass of the layer", ERROR, "'swvl4'", apply(lambda x: 1890.0 * x, "swvl4")),
    Case("soil of 400 K", ERROR, "'stl1'", put(400.0, "stl1")),
    Case("soil of 100 K", ERROR, "'stl3'", put(100.0, "stl3")),
    Case("soil in degC", ERROR, "degC", apply(lambda x: x - 273.15, "stl1", "stl2", "stl3", "stl4")),
    Case("soil of 350 K", WARNING, "'stl2'", put(346.0, "stl2")),
    Case("soil 60 K warmer than the air", WARNING, "air and soil temperature", put(335.0, "stl1")),
    Case("layers of different soils", WARNING, "between layers", put(330.0, "stl4", point=0)),
    Case("one soil temperature for all points", WARNING, "same at all points",
         put(281.0, "stl1", "stl2", "stl3", "stl4")),
    Case("snow of 1e6 kg m-2", ERROR, "'sd'", put(1.0e6, "sd")),
    Case("negative snow", ERROR, "'sd'", put(-5.0, "sd")),
    Case("snow of a glacier", WARNING, "glaciers", both(put(1.0e4, "sd"), put(1.0, "snowc"), put(400.0, "rsn"))),
    Case("snow in metres", ERROR, "metres", apply(lambda x: x / 1000.0, "sd")),
    Case("snow in the tropics", WARNING, "snow does not lie on warm soil",
         both(put(100.0, "sd"), put(1.0, "snowc"), put(250.0, "rsn"))),
    Case("snow without density", ERROR, "snow needs a density", put(0.0, "rsn")),
    Case("snow denser than ice", ERROR, "'rsn'", put(2000.0, "rsn")),
    Case("snow density of 700", WARNING, "snow density", put(700.0, "rsn")),
    Case("snow cover in percent", ERROR, "'snowc'", apply(lambda x: 100.0 * x, "snowc")),
    Case("snow cover without snow", ERROR, "contradict", both(put(0.0, "sd"), put(1.0, "snowc"))),
    Case("snow without cover", WARNING, "snow cover", both(put(50.0, "sd"), put(0.0, "snowc"), put(200.0, "rsn"))),
    Case("warm snow", ERROR, "snow temperature", put(290.0, "tsn")),
    Case("snow in degC", ERROR, "'tsn'", apply(lambda x: x - 273.15, "tsn")),
    Case("snow albedo in percent", ERROR, "'asn'", apply(lambda x: 100.0 * x, "asn")),
    Case("black snow", WARNING, "snow albedo", put(0.1, "asn")),
    Case("more water than snow", ERROR, "liquid water in snow", both(put(0.0, "sd", "snowc"), put(20.0, "slw"))),
    Case("negative interception", ERROR, "'src'", put(-0.2, "src")),
    Case("interception of 500", ERROR, "'src'", put(500.0, "src")),
    Case("one soil water everywhere", WARNING, "in all layers at all points",
         put(0.25, "swvl1", "swvl2", "swvl3", "swvl4")),
    Case("one soil water at one place", WARNING, "in all layers at all points",
         at_places(slice(2, 3), put(0.25, "swvl1", "swvl2", "swvl3", "swvl4"))),
    Case("one layer of soil temperature for all", WARNING, "soil temperature is the same in all layers",
         copied("stl1", "stl2", "stl3", "stl4")),
    Case("one layer of soil water copied to the next", WARNING, "'swvl2' and 'swvl3' are exactly the same",
         copied("swvl2", "swvl3"), "everywhere"),
    Case("layers of soil from below", WARNING, "layers may be in reversed order", from_below("stl"), "everywhere"),
    Case("layers of soil water from below", WARNING, "layers of soil water may be in reversed order",
         from_below("swvl"), "everywhere"),
    Case("some snow in summer", WARNING, "below more than 10 kg m-2 of snow",
         both(put(30.0, "sd"), put(1.0, "snowc"), put(200.0, "rsn"), put(273.0, "tsn"), put(0.0, "slw")), "summer"),
    Case("leaf area index of 50", ERROR, "'lai_hv'", put(50.0, "lai_hv")),
    Case("negative leaf area index", ERROR, "'lai_lv'", put(-1.0, "lai_lv")),
]  # fmt: skip

FORCING = [
    Case("sunshine every night", ERROR, "short-wave", at_night),
    Case("sunshine in one night", WARNING, "the sun is not there", one_night),
    Case("radiation six hours late", ERROR, "peaks 6 h after the sun", later(1, "avg_sdswrf")),
    Case("radiation six hours early", ERROR, "peaks 6 h before the sun", later(-1, "avg_sdswrf")),
    Case("radiation six hours late in one day", WARNING, "peaks 6 h after the sun",
         at_places(slice(1), first(1, later(1, "avg_sdswrf"))), "winter"),
    Case("means six hours late", ERROR, "peaks 6 h after the sun",
         later(1, "avg_t", "avg_q", "avg_sp", "avg_u", "avg_v", "avg_sdswrf", "avg_sdlwrf", "avg_tprate", "avg_tsrwe")),
    Case("radiation twelve hours late", ERROR, "peaks 1", later(2, "avg_sdswrf")),
    Case("no radiation", WARNING, "share of that outside the atmosphere", put(0.0, "avg_sdswrf")),
    Case("negative radiation", ERROR, "'avg_sdswrf'", put(-50.0, "avg_sdswrf")),
    Case("radiation in J m-2", ERROR, "J m-2", apply(lambda x: 21600.0 * x, "avg_sdswrf")),
    Case("radiation in kW m-2", WARNING, "share of that outside", apply(lambda x: x / 1000.0, "avg_sdswrf")),
    Case("twice the radiation", ERROR, "short-wave", apply(lambda x: 2.5 * x, "avg_sdswrf"), "summer"),
    Case("latitude and longitude exchanged", ERROR, "exchanged", exchange("latitude", "longitude")),
    Case("longitude with the wrong sign", ERROR, "longitude of the other sign", place(np.negative, "longitude")),
    Case("longitude of the other side", ERROR, "peaks 1", place(lambda x: x + 180.0 - 360.0 * (x > 0), "longitude")),
    Case("long-wave radiation of zero", ERROR, "'avg_sdlwrf'", put(0.0, "avg_sdlwrf")),
    Case("net long-wave radiation", ERROR, "'avg_sdlwrf'", put(-60.0, "avg_sdlwrf")),
    Case("half the long-wave radiation", WARNING, "black body", apply(lambda x: 0.5 * x, "avg_sdlwrf")),
    Case("twice the long-wave radiation", WARNING, "black body", apply(lambda x: 1.7 * x, "avg_sdlwrf")),
    Case("long-wave radiation in J m-2", ERROR, "J m-2", apply(lambda x: 21600.0 * x, "avg_sdlwrf")),
    Case("humidity ten times saturation", ERROR, "humidity|avg_q", apply(lambda x: 12.0 * x, "avg_q")),
    Case("twice the humidity", WARNING, "relative humidity", apply(lambda x: 2.0 * x, "avg_q", "q")),
    Case("humidity of zero", ERROR, "humidity", put(0.0, "avg_q", "q")),
    Case("relative humidity as specific", ERROR, "'q'", put(0.7, "avg_q", "q")),
    Case("humidity in g kg-1", ERROR, "g kg-1", apply(lambda x: 1000.0 * x, "avg_q")),
    Case("instants and means of humidity that differ", WARNING, "humidity", apply(lambda x: 0.3 * x, "q")),
    Case("snowfall above precipitation", ERROR, "snowfall", apply(lambda x: x + 1.0e-4, "avg_tsrwe")),
    Case("snowfall in summer", WARNING, "during snowfall", both(put(1.0e-4, "avg_tprate", "avg_tsrwe")), "summer"),
    Case("rain at -40 degC", WARNING, "during rain",
         both(put(5.0e-5, "avg_tprate"), put(0.0, "avg_tsrwe"), put(235.0, "avg_t", "t"), put(2.0e-4, "avg_q", "q"),
              put(130.0, "avg_sdlwrf"))),
    Case("rain in mm an hour", ERROR, "'avg_tprate'", apply(lambda x: 3600.0 * (x + 1.0e-5), "avg_tprate")),
    Case("rain of 6 h as a rate", ERROR, "would fit", apply(lambda x: 21600.0 * (x + 1.0e-5), "avg_tprate")),
    Case("negative rain", ERROR, "'avg_tprate'", put(-1.0e-3, "avg_tprate")),
    Case("rain of 500 mm a day", WARNING, "precipitation", put(6.0e-3, "avg_tprate")),
    Case("air in degC", ERROR, "degC", apply(lambda x: x - 273.15, "t", "avg_t")),
    Case("mean air in degC", ERROR, "degC", apply(lambda x: x - 273.15, "avg_t")),
    Case("air in degF", ERROR, "deg", apply(lambda x: (x - 273.15) * 1.8 + 32.0, "avg_t")),
    Case("means of other hours", WARNING, "less that", apply(lambda x: x + 10.0, "avg_t")),
    Case("instants of another climate", ERROR, "less that", apply(lambda x: x - 70.0, "t")),
    Case("the same temperature always", WARNING, "does not change|stuck", put(285.0, "avg_t", "t")),
    Case("one temperature for all points", WARNING, "same at all points",
         apply(lambda x: np.broadcast_to(x[:, :1], x.shape).copy(), "avg_t")),
    Case("upward long-wave radiation", WARNING, "the median of ten points",
         lambda data: data.assign(avg_sdlwrf=data["avg_sdlwrf"].copy(data=5.8e-8 * data["avg_t"].values ** 4)),
         "everywhere"),
    Case("pressure in hPa", ERROR, "hPa", apply(lambda x: x / 100.0, "avg_sp")),
    Case("pressure in kPa", ERROR, "kPa", apply(lambda x: x / 1000.0, "avg_sp")),
    Case("wind of 300", ERROR, "'avg_u'", put(300.0, "avg_u")),
    Case("wind of 60", WARNING, "wind", put(60.0, "avg_v")),
    Case("places in radians", WARNING, "gulf of guinea",
         first(1, both(place(np.deg2rad, "latitude"), place(np.deg2rad, "longitude"), put(60.0, "avg_sdswrf")))),
    Case("no wind", WARNING, "the strongest wind", put(0.0, "avg_u", "avg_v")),
    Case("rain at -15 degC", WARNING, "during rain",
         both(put(5.0e-5, "avg_tprate"), put(0.0, "avg_tsrwe"), put(258.0, "avg_t", "t"), put(1.0e-3, "avg_q", "q"),
              put(200.0, "avg_sdlwrf"))),
    Case("a gap in temperature", ERROR, "missing", of_date("avg_t", 5, lambda x: x * np.nan)),
    Case("a fill value", ERROR, "-9999", put(-9999.0, "avg_t", point=1)),
    Case("a spike of 30 K", WARNING, "less that", of_date("avg_t", 6, lambda x: x + 30.0)),
]  # fmt: skip

#: What only shows over many days or at many places: twenty days of the whole sample.
MONTH = [
    Case("no wind for a month at one place", WARNING, "the strongest wind",
         at_places(slice(1), put(0.0, "avg_u", "avg_v")), "month"),
    Case("the same wind for a month", WARNING, "standard deviation in time of wind speed", put(3.0, "avg_u", "avg_v"),
         "month"),
    Case("no rain anywhere", WARNING, "without any precipitation", put(0.0, "avg_tprate", "avg_tsrwe"), "month"),
    Case("half the short-wave radiation", WARNING, "highest short-wave radiation of some days",
         apply(lambda x: 0.5 * x, "avg_sdswrf"), "month"),
    Case("long-wave radiation of 70 %", WARNING, "long-wave radiation over that of a clear sky, the median",
         apply(lambda x: 0.7 * x, "avg_sdlwrf"), "month"),
    Case("long-wave radiation of 70 % at one place", WARNING, "long-wave radiation over that of a clear sky, mean",
         at_places(slice(1), apply(lambda x: 0.7 * x, "avg_sdlwrf")), "month"),
    Case("wind in knots", WARNING, "unit knots would fit", apply(lambda x: 1.9438 * x, "avg_u", "avg_v"), "month"),
    Case("wind in km h-1", WARNING, "unit km h-1 would fit", apply(lambda x: 3.6 * x, "avg_u", "avg_v"), "month"),
    Case("temperature of whole days", WARNING, "'avg_t' is that of the step before", daily("avg_t"), "month"),
    Case("long-wave radiation of whole days", WARNING, "'avg_sdlwrf' is that of the step before", daily("avg_sdlwrf"),
         "month"),
    Case("elevation in metres at one high place", WARNING, "as metres, z would fit",
         at_places(slice(42, 43), apply(lambda x: x / 9.80665, "z")), "month"),
    Case("a record of another day", WARNING, "weather leaves that of the days around it", record_of(76, 16), "month"),
    Case("leaf area of another month at one date", WARNING, "'lai_hv' jumps by",
         of_date("lai_hv", 30, lambda x: 0.3 * x), "month"),
    Case("mean temperature a day late", WARNING, "air temperature (avg_t) with those at the stamps", later(4, "avg_t"),
         "month"),
    Case("mean humidity a day late", WARNING, "changes from day to day of mean humidity", later(4, "avg_q"), "month"),
    Case("half the humidity", WARNING, "with rain, the median of ten points", apply(lambda x: 0.5 * x, "avg_q", "q"),
         "month"),
    Case("a tenth of the humidity where it rains", WARNING, "highest relative humidity of eight days with rain",
         at_places(slice(3, 4), apply(lambda x: 0.1 * x, "avg_q", "q")), "month"),
    Case("wind of whole days", WARNING, "'avg_v' is that of the step before", daily("avg_u", "avg_v"), "month"),
    Case("long-wave radiation of 85 %", WARNING, "over that of a clear sky, the median",
         apply(lambda x: 0.85 * x, "avg_sdlwrf"), "month"),
    Case("rain in m over 6 h as a rate at one place", WARNING, "mean over eight days",
         at_places(slice(3, 4), apply(lambda x: np.minimum(21.6 * x, 0.01), "avg_tprate")), "month"),
    Case("elevation of one place of many", WARNING, "of few points among many", put(2.4e4, "z", point=3), "month"),
    Case("pressure of sea level on mountains", WARNING, "pressure of the sea level",
         at_places(slice(40, 44), put(1.0e5, "avg_sp")), "month"),
    Case("pressure 100 hPa too low everywhere", WARNING, "the median of ten points and more",
         apply(lambda x: x - 1.0e4, "avg_sp"), "month"),
    Case("soil 15 K too warm", WARNING, "the median of places without snow",
         apply(lambda x: x + 15.0, "stl1", "stl2", "stl3", "stl4"), "everywhere"),
    Case("soil 15 K too cold", WARNING, "the median of places without snow",
         apply(lambda x: x - 15.0, "stl1", "stl2", "stl3", "stl4"), "everywhere"),
    Case("one day of forcing repeated for weeks", WARNING, "exactly those of one to three days before",
         at_places(slice(20, 21), repeated(4)), "month"),
    Case("two days of forcing repeated for weeks", WARNING, "exactly those of one to three days before",
         at_places(slice(20, 21), repeated(8)), "month"),
    Case("upward long-wave radiation at one place", WARNING, "may be the upward flux",
         at_places(slice(20, 21), upward), "month"),
    Case("soil of winter in summer at one place", WARNING, "(stl2) at the start over that of air",
         at_places(slice(20, 21), apply(lambda x: x - 22.0, *_SOIL)), "month"),
    Case("elevation of one place of many 550 m too high", WARNING, "mean over eight days, of few points among many",
         apply(lambda x: np.where(np.arange(x.shape[-1]) == 43, x + 5400.0, x), "z"), "month"),
    Case("temperature and humidity six hours late at one place", WARNING, "warmest hour of the day of 't'",
         at_places(slice(42, 43), later(1, "t", "avg_t", "q", "avg_q")), "month"),
    Case("temperature three hours late", WARNING, "local solar time, the median of distant places",
         half_a_step_later("t", "avg_t", "q", "avg_q"), "month"),
    Case("a week of forcing repeated", WARNING, "are exactly those of 7 days before",
         at_places(slice(20, 21), repeated(28)), "month"),
    Case("ten days of forcing in the place of twenty", WARNING, "are exactly those of 10 days before", repeated(40),
         "month"),
    Case("whole kelvins", WARNING, "whole kelvins or degrees celsius", apply(np.rint, "t", "avg_t"), "month"),
    Case("whole degrees Celsius at one place", WARNING, "whole kelvins or degrees celsius",
         at_places(slice(20, 21), apply(lambda x: (np.rint(x - 273.15) + 273.15).astype("f4"), "t")), "month"),
    Case("pressure of a lower place for some days", WARNING, "largest relative change of pressure", higher_for_days,
         "month"),
    Case("tenths of a kelvin", FINE, "", apply(lambda x: np.round(x, 1), "t", "avg_t"), "month"),
    Case("soil of the other half of the year at one place", WARNING, "may be of the other half of the year",
         at_places(slice(28, 29), soil_of("2021-01-10")), "month"),
    Case("soil of the other half of the year", WARNING, "the median of ten points and more without snow",
         soil_of("2021-01-10"), "month"),
    Case("humidity in steps of 1e-4", FINE, "",
         at_places(slice(42, 43), apply(lambda x: np.round(x, 4).astype("f4"), "avg_q", "q")), "month"),
    Case("twelve windy places", FINE, "", at_places(slice(12, 24), apply(lambda x: 1.6 * x, "avg_u", "avg_v")),
         "month"),
    Case("the speed of wind as one component", FINE, "", at_places(slice(20, 21), one_component(daily_means=False)),
         "month"),
    Case("the speed of wind of whole days as one component", WARNING, "'avg_v' is that of the step before",
         at_places(slice(20, 21), one_component(daily_means=True)), "month"),
    Case("leaf area and albedo of another month from one date on", FINE, "",
         apply(lambda x: np.concatenate([x[:30], 0.8 * x[30:]]), "lai_lv", "lai_hv", "al"), "month"),
    Case("albedo of another month for a day", WARNING, "'al' jumps by",
         apply(lambda x: np.concatenate([x[:30], 0.8 * x[30:34], x[34:]]), "al"), "month"),
    Case("the same day with a trend", FINE, "", at_places(slice(20, 21), one_day_with_trend), "month"),
    Case("a month as it is", FINE, "", lambda data: data, "month"),
    Case("a month at one place as it is", FINE, "", at_places(slice(20, 21), lambda data: data), "month"),
]  # fmt: skip


def half_a_year(*names: str) -> Change:
    """Shift variables by half a year."""
    return later(730, *names)


def over_the_day(data: xr.Dataset) -> xr.Dataset:
    """Sum precipitation up over each day, as archives store it."""
    values = data["avg_tprate"].values.copy()
    days = (len(values) - 1) // 4
    values[1 : 1 + 4 * days] = np.cumsum(values[1 : 1 + 4 * days].reshape(days, 4, -1), axis=1).reshape(4 * days, -1)
    return data.assign(avg_tprate=data["avg_tprate"].copy(data=values))


def storms_at_one_hour(data: xr.Dataset) -> xr.Dataset:
    """Rain at one hour of every sixth day only."""
    rain = np.zeros_like(data["avg_tprate"].values)
    rain[np.flatnonzero(data["time"].dt.hour.values == 12)[2::6]] = 2.0e-4
    return data.assign(avg_tprate=data["avg_tprate"].copy(data=rain), avg_tsrwe=data["avg_tsrwe"] * 0.0)


#: A humid place of the sample in the tropics, and one with a cold winter.
_WET, _COLD = slice(3, 4), slice(28, 29)

#: Inputs that need months: the forcing of a year, with the state of each date, checked as training data are.
YEARS = [
    Case("leaf area of the other half of the year", WARNING, "leaves are most in winter",
         at_places(_COLD, half_a_year("lai_lv", "lai_hv")), "year"),
    Case("no rain at one humid place", WARNING, "precipitation of 64 days above freezing",
         at_places(_WET, put(0.0, "avg_tprate", "avg_tsrwe")), "year"),
    Case("rain in m s-1 at one place", WARNING, "the largest precipitation in 6 h of 64 days",
         at_places(_WET, apply(lambda x: x / 1000.0, "avg_tprate", "avg_tsrwe")), "year"),
    Case("rain in m over 6 h as a rate at one place for a year", WARNING, "precipitation a day, the mean of 64 days",
         at_places(_WET, apply(lambda x: np.minimum(21.6 * x, 0.02), "avg_tprate")), "year"),
    Case("a twenty-fifth of the rain", WARNING, "precipitation of a year above freezing",
         apply(lambda x: x / 25.4, "avg_tprate", "avg_tsrwe"), "year"),
    Case("rain added up over the day", WARNING, "accumulated over the day", at_places(_COLD, over_the_day), "year"),
    Case("rain of whole days", WARNING, "share of changes of precipitation",
         at_places(_WET, daily("avg_tprate", "avg_tsrwe")), "year"),
    Case("upward long-wave radiation for months at one place", WARNING, "mean over 64 days", at_places(_COLD, upward),
         "year"),
    Case("60 % of the short-wave radiation at one place", WARNING, "of 128 days as a share",
         at_places(_COLD, apply(lambda x: 0.6 * x, "avg_sdswrf")), "year"),
    Case("air 10 K too warm at one place", WARNING, "it may be too warm or too dry",
         at_places(_WET, apply(lambda x: x + 10.0, "avg_t", "t")), "year"),
    Case("air 10 K too warm where it snows", WARNING, "five steps and more with snowfall",
         at_places(_COLD, apply(lambda x: x + 10.0, "avg_t", "t")), "year"),
    Case("half the humidity at one place", WARNING, "it may be too warm or too dry",
         at_places(_WET, apply(lambda x: 0.5 * x, "avg_q", "q")), "year"),
    Case("a tenth of the rain", WARNING, "the median of humid places",
         apply(lambda x: 0.1 * x, "avg_tprate", "avg_tsrwe"), "year"),
    Case("ten times the rain", WARNING, "the median of humid places",
         apply(lambda x: np.minimum(10.0 * x, 5.0e-3), "avg_tprate", "avg_tsrwe"), "year"),
    Case("the same drizzle always", FINE, "",
         at_places(_WET, both(put(5.0e-6, "avg_tprate"), put(0.0, "avg_tsrwe"))), "year"),
    Case("storms at one hour of the day", FINE, "", at_places(_WET, storms_at_one_hour), "year"),
    Case("radiation of 130 %", WARNING, "highest short-wave radiation of 64 days",
         at_places(_WET, apply(lambda x: 1.3 * x, "avg_sdswrf")), "year"),
    Case("a record of half a year away", ERROR, "'stl4' jumps by", record_of(830, 101), "year"),
    Case("a day of half a year away", ERROR, "'stl4' jumps by",
         both(*(record_of(829 + k, 101 + k) for k in range(4))), "year"),
    Case("a record of a month away at one place", ERROR, "'stl4' jumps by", at_places(_COLD, record_of(221, 101)),
         "year"),
    Case("a year as it is", FINE, "", lambda data: data, "year"),
    Case("a year at one place as it is", FINE, "", at_places(_COLD, lambda data: data), "year"),
]  # fmt: skip

#: Values within all bounds, which the record of the training data of the network tells.
UNSEEN = [
    Case("rain in metres over 6 h", WARNING, "unit m over 6 h would fit",
         apply(lambda x: 21.6 * np.minimum(x, 1.0e-4), "avg_tprate", "avg_tsrwe"), "everywhere"),
    Case("rain in m s-1", WARNING, "m of water equivalent s-1 would fit",
         apply(lambda x: x / 1000.0, "avg_tprate", "avg_tsrwe"), "everywhere"),
    Case("radiation in MJ m-2 over 6 h", WARNING, "unit MJ m-2 over 6 h would fit",
         apply(lambda x: 0.0216 * x, "avg_sdswrf"), "everywhere"),
    Case("elevation in metres instead of geopotential", WARNING, "as metres, z would fit",
         apply(lambda x: x / 9.80665, "z"), "everywhere"),
    Case("orography in km", WARNING, "unit km would fit", apply(lambda x: x / 1000.0, "sdor"),
         "everywhere"),
    Case("vegetation that no training has", WARNING, "no point of the training has vegetation type 20",
         both(put(20, "tvl"), put(0.4, "cvl"), put(0.0, "cvh"))),
    Case("wind that no training has", WARNING, "which was -17", put(30.0, "avg_u")),
    Case("snow that no training has", WARNING, "which was 0 to",
         both(put(2500.0, "sd", point=0), put(1.0, "snowc", point=0), put(300.0, "rsn", point=0),
              put(0.0, "slw", point=0))),
    Case("no leaves under vegetation", WARNING, "leaf area index, low vegetation), which was",
         put(0.0, "lai_lv", "lai_hv")),
    Case("roughness that no training has", WARNING, "'veg_z0m_lv' (roughness", put(2.5, "veg_z0m_lv")),
]  # fmt: skip

SOUND = [
    Case("winter as it is", FINE, "", lambda data: data),
    Case("summer as it is", FINE, "", lambda data: data, "summer"),
    Case("spring as it is", FINE, "", lambda data: data, "spring"),
    Case("all places as they are", FINE, "", lambda data: data, "everywhere"),
    Case("land below the level of the sea", FINE, "", at_elevations(-400.0, 0.0)),
    Case("a coastal plain", FINE, "", at_elevations(10.0, 35.0), "everywhere"),
    Case("no snow, whatever its density", FINE, "",
         both(put(0.0, "sd", "snowc", "slw", "asn"), put(10.0, "rsn"), put(200.0, "tsn")), "summer"),
    Case("dry soil", FINE, "", put(0.0, "swvl1", "swvl2")),
    Case("full soil", FINE, "",
         lambda data: data.assign({f"swvl{k}": data[f"swvl{k}"] * 0.0 + data["theta_sat"] for k in (1, 2, 3)})),
    Case("no vegetation", FINE, "", put(0.0, "cvl", "cvh", "tvl", "tvh", "lai_lv", "lai_hv")),
    Case("longitudes from 0 to 360", FINE, "", place(lambda x: x % 360.0, "longitude")),
    Case("noise of sensors", FINE, "", drawn(0.2, "avg_t", "t")),
    Case("clouds for days", FINE, "", apply(lambda x: 0.2 * x, "avg_sdswrf")),
    Case("saturated air", FINE, "", apply(lambda x: 1.02 * x, "avg_sp")),
    Case("radiation of one hour at dusk", FINE, "", apply(lambda x: x + 15.0, "avg_sdswrf")),
]  # fmt: skip

CASES = [*STATIC, *STATE, *FORCING, *MONTH, *UNSEEN, *SOUND]
