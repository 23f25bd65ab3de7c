# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The table of all variables of the land emulator.

Recipes, configurations, bounds, outputs and plots take names, units, roles, bounds and time semantics from here,
and tests hold them to it. No arrays, no files.

How to read a row
-----------------
``time``
    ``instant``: holds at the stamp. ``interval_mean``: mean over the 6 h **ending** at the stamp.
    ``late_mean``: mean over the last 3 of those 6 hours. ``hour_mean``: mean over one of them. ``constant``: does not
    change.
``taken``
    For the step from t to t + 6 h, at which end of it the model takes the value: ``start`` (stamp t), ``end``
    (stamp t + 6 h), or both. An interval mean over the step carries the stamp of its end.
``bounds``
    Physical limits in ``units``; ``None`` is open. Applied to predictions in physical units.
``possible`` and ``plausible``
    Ranges in ``units`` of values that are given to the model: outside the first a value is an error (by default outside
    ``bounds``), outside the second a warning. Outputs of a run are held to them, too. Relations between variables are
    in ``data/plausibility/rules.py``.
``whole``
    Whether values are whole numbers: types and labels.
``increment_scale``
    Standard deviation of the change in 6 h over the points of the reference set in 2019, in ``units``
    (training years only); the model predicts increments of prognostic variables in this unit. Leaf area index has one,
    too: it is forcing, and may be made a part of the state, see docs/guide/model.md.
``reference`` and ``native``
    Name in the project's reference layout; file and name in what ecLand offline reads and writes.
``grib``
    ECMWF parameter short name in an archive, if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """Role of a variable in the emulator.

    Forcing
        Input at every step: meteorology, leaf area, sun and calendar.
    Static, category
        Constant input: a number, or a whole number such as the soil type or a label of the point.
    Prognostic
        State: input and output of a step.
    Diagnostic
        Output only.

    Examples
    --------
    >>> from anemoi_ailand.variables import Role, variable
    >>> variable("swvl1").role is Role.PROGNOSTIC, Role("static").value
    (True, 'static')
    """

    FORCING = "forcing"
    STATIC = "static"
    CATEGORY = "category"
    PROGNOSTIC = "prognostic"
    DIAGNOSTIC = "diagnostic"


class Time(StrEnum):
    """Time semantics of a value.

    Instant
        At the time stamp.
    Interval mean
        Mean over the 6 h that end at the stamp.
    Late mean
        Mean over the last 3 h of that interval.
    Hour mean
        Mean over one hour of that interval, whose number is in the name.
    Constant
        Independent of time.

    Examples
    --------
    >>> from anemoi_ailand.variables import Time, variable
    >>> variable("avg_tprate").time is Time.INTERVAL_MEAN
    True
    """

    INSTANT = "instant"
    INTERVAL_MEAN = "interval_mean"
    LATE_MEAN = "late_mean"
    HOUR_MEAN = "hour_mean"
    CONSTANT = "constant"


START, END = "start", "end"

#: Lowest and highest value; None is open.
Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class Variable:
    """One row of the table; see the module's docstring for the columns."""

    name: str
    long_name: str
    units: str
    role: Role
    time: Time
    taken: tuple[str, ...] = ()
    bounds: Range = (None, None)
    possible: Range = (None, None)
    plausible: Range = (None, None)
    whole: bool = False
    normalisation: str = "mean-std"
    increment_scale: float | None = None
    standard_name: str | None = None
    reference: str | None = None
    native: str | None = None
    grib: str | None = None
    computed: bool = False

    @property
    def netcdf_name(self) -> str:
        """Name in CF NetCDF, which must begin with a letter: ``t2m`` for ``2t``."""
        return self.reference if self.name[0].isdigit() and self.reference else self.name

    @property
    def cell_methods(self) -> str | None:
        """CF ``cell_methods`` of the variable."""
        return {
            Time.INSTANT: "time: point",
            Time.INTERVAL_MEAN: "time: mean (interval: 6 hours ending at the time stamp)",
            Time.LATE_MEAN: "time: mean (last 3 hours of the interval, ending at the time stamp)",
            Time.HOUR_MEAN: "time: mean (one hour of the interval of 6 hours ending at the time stamp)",
            Time.CONSTANT: None,
        }[self.time]


def _soil(layer: int, moisture_scale: float, temperature_scale: float) -> list[Variable]:
    return [
        Variable(
            f"swvl{layer}", f"volumetric soil water, layer {layer}", "m3 m-3", Role.PROGNOSTIC, Time.INSTANT, (START,),
            (0.0, 0.8), increment_scale=moisture_scale, standard_name="volume_fraction_of_condensed_water_in_soil",
            reference=f"swvl{layer}", native=f"o_gg:SoilMoist[{layer}]", grib=f"swvl{layer}",
        ),
        Variable(
            f"stl{layer}", f"soil temperature, layer {layer}", "K", Role.PROGNOSTIC, Time.INSTANT, (START,),
            (180.0, 360.0), increment_scale=temperature_scale, standard_name="soil_temperature",
            reference=f"stl{layer}", native=f"o_gg:SoilTemp[{layer}]", grib=f"stl{layer}",
        ),
    ]  # fmt: skip


def _prognostic(name: str, long_name: str, units: str, bounds: tuple, scale: float, **kwargs: Any) -> Variable:
    return Variable(
        name, long_name, units, Role.PROGNOSTIC, Time.INSTANT, (START,), bounds, increment_scale=scale,
        reference=name, **kwargs,
    )  # fmt: skip


def _diagnostic(name: str, long_name: str, units: str, time: Time, **kwargs: Any) -> Variable:
    return Variable(name, long_name, units, Role.DIAGNOSTIC, time, **kwargs)


def _forcing(name: str, long_name: str, units: str, time: Time, **kwargs: Any) -> Variable:
    taken = {Time.INSTANT: (START, END)}.get(time, (END,))
    return Variable(name, long_name, units, Role.FORCING, time, **{"taken": taken, **kwargs})


def _static(
    name: str, long_name: str, units: str, reference: str | None, native: str | None, **kwargs: Any
) -> Variable:
    return Variable(
        name, long_name, units, Role.STATIC, Time.CONSTANT, (START,), reference=reference, native=native, **kwargs
    )


def _category(name: str, long_name: str, reference: str | None, native: str | None, **kwargs: Any) -> Variable:
    return Variable(
        name, long_name, "1", Role.CATEGORY, Time.CONSTANT, normalisation="none", whole=True, reference=reference,
        native=native, **kwargs,
    )  # fmt: skip


def _computed(name: str, long_name: str, units: str, taken: tuple[str, ...], **kwargs: Any) -> Variable:
    return Variable(
        name, long_name, units, Role.FORCING, Time.INSTANT, taken, computed=True,
        **{"normalisation": "none", **kwargs},
    )  # fmt: skip


_POSITIVE = (0.0, None)
_FRACTION = (0.0, 1.0)
_MEAN, _INSTANT, _LATE = Time.INTERVAL_MEAN, Time.INSTANT, Time.LATE_MEAN

_ROWS: list[Variable] = [
    # -- prognostic: the state --------------------------------------------------------------------------------
    *_soil(1, 1.60e-2, 5.85),
    *_soil(2, 5.56e-3, 0.780),
    *_soil(3, 1.03e-3, 4.37e-2),
    *_soil(4, 1.52e-4, 1.37e-2),
    _prognostic("snowc", "snow cover fraction", "1", _FRACTION, 2.92e-2, native="o_gg:SWE,snowdens",
                standard_name="surface_snow_area_fraction", grib="snowc"),
    _prognostic("sd", "snow water equivalent", "kg m-2", _POSITIVE, 0.930, native="o_gg:SWE",
                standard_name="surface_snow_amount", grib="sd"),
    _prognostic("rsn", "snow density", "kg m-3", (10.0, 920.0), 7.05, native="o_gg:snowdens",
                standard_name="snow_density", grib="rsn"),
    _prognostic("tsn", "snow temperature", "K", (180.0, 273.16), 0.818, native="o_gg:SnowT",
                standard_name="temperature_in_surface_snow", grib="tsn"),
    _prognostic("asn", "snow albedo", "1", _FRACTION, 1.09e-2, native="o_gg:SAlbedo", grib="asn"),
    _prognostic("slw", "liquid water in snow", "kg m-2", _POSITIVE, 0.207, native="o_gg:slw"),
    _prognostic("src", "skin (interception) reservoir content", "kg m-2", _POSITIVE, 0.119, native="o_gg:CanopInt",
                standard_name="canopy_water_amount", grib="src"),
    # -- diagnostic -------------------------------------------------------------------------------------------
    _diagnostic("2t", "2 metre temperature", "K", _INSTANT, bounds=(180.0, 350.0), standard_name="air_temperature",
                reference="t2m", native="o_d2m:T2m", grib="2t"),
    _diagnostic("2d", "2 metre dewpoint temperature", "K", _INSTANT, bounds=(150.0, 320.0),
                standard_name="dew_point_temperature", reference="d2m", native="o_d2m:D2m", grib="2d"),
    _diagnostic("skt", "skin temperature", "K", _INSTANT, bounds=(170.0, 380.0), standard_name="surface_temperature",
                reference="skt", native="o_gg:AvgSurfT", grib="skt"),
    _diagnostic("slhf", "surface latent heat flux, positive downward", "W m-2", _MEAN, reference="slhf",
                native="o_efl:Qle", standard_name="surface_downward_latent_heat_flux", grib="slhf"),
    _diagnostic("sshf", "surface sensible heat flux, positive downward", "W m-2", _MEAN, reference="sshf",
                native="o_efl:Qh", standard_name="surface_downward_sensible_heat_flux", grib="sshf"),
    _diagnostic("ssr", "net surface short-wave radiation, positive downward", "W m-2", _MEAN, bounds=_POSITIVE,
                reference="ssr", native="o_efl:SWnet", standard_name="surface_net_downward_shortwave_flux", grib="ssr"),
    _diagnostic("str", "net surface long-wave radiation, positive downward", "W m-2", _MEAN, reference="str",
                native="o_efl:LWnet", standard_name="surface_net_downward_longwave_flux", grib="str"),
    _diagnostic("evap", "evaporation, positive upward", "kg m-2 s-1", _MEAN, reference="evap", native="o_wat:Evap",
                standard_name="water_evapotranspiration_flux"),
    _diagnostic("sro", "surface runoff", "kg m-2 s-1", _MEAN, bounds=_POSITIVE, reference="sro", native="o_wat:Qs",
                standard_name="surface_runoff_flux", grib="sro"),
    _diagnostic("ssro", "sub-surface runoff", "kg m-2 s-1", _MEAN, bounds=_POSITIVE, reference="ssro",
                native="o_wat:Qsb,Qs", standard_name="subsurface_runoff_flux", grib="ssro"),
    _diagnostic("smlt", "snow melt", "kg m-2 s-1", _MEAN, bounds=_POSITIVE, reference="smlt", native="o_wat:Qsm",
                standard_name="surface_snow_melt_flux", grib="smlt"),
    _diagnostic("gpp", "gross primary production (mass of CO2)", "kg m-2 s-1", _MEAN, bounds=_POSITIVE,
                reference="gpp", native="o_co2:Ag"),
    _diagnostic("nee", "net ecosystem exchange (mass of CO2), positive to the atmosphere", "kg m-2 s-1", _MEAN,
                reference="nee", native="o_co2:CO2flux"),
    # -- forcing: instants, at the forcing level, as ERA5, IFS and AIFS deliver them ---------------------------
    _forcing("t", "air temperature", "K", _INSTANT, bounds=(150.0, 350.0), standard_name="air_temperature",
             reference="Tair_inst", native="forcing:Tair", grib="t"),
    _forcing("q", "specific humidity", "kg kg-1", _INSTANT, bounds=(0.0, 0.1), standard_name="specific_humidity",
             reference="Qair_inst", native="forcing:Qair", grib="q"),
    _forcing("sp", "surface pressure", "Pa", _INSTANT, bounds=(3.0e4, 1.2e5), standard_name="surface_air_pressure",
             native="forcing:PSurf", grib="sp"),
    _forcing("u", "eastward wind", "m s-1", _INSTANT, bounds=(-150.0, 150.0), standard_name="eastward_wind",
             native="forcing:Wind_E", grib="u"),
    _forcing("v", "northward wind", "m s-1", _INSTANT, bounds=(-150.0, 150.0), standard_name="northward_wind",
             native="forcing:Wind_N", grib="v"),
    # -- forcing: means over the step --------------------------------------------------------------------------
    _forcing("avg_t", "air temperature", "K", _MEAN, bounds=(150.0, 350.0), standard_name="air_temperature",
             reference="Tair", native="forcing:Tair"),
    _forcing("avg_q", "specific humidity", "kg kg-1", _MEAN, bounds=(0.0, 0.1), standard_name="specific_humidity",
             reference="Qair", native="forcing:Qair"),
    _forcing("avg_sp", "surface pressure", "Pa", _MEAN, bounds=(3.0e4, 1.2e5), standard_name="surface_air_pressure",
             reference="PSurf", native="forcing:PSurf"),
    _forcing("avg_u", "eastward wind", "m s-1", _MEAN, bounds=(-150.0, 150.0), standard_name="eastward_wind",
             reference="Wind_E", native="forcing:Wind_E"),
    _forcing("avg_v", "northward wind", "m s-1", _MEAN, bounds=(-150.0, 150.0), standard_name="northward_wind",
             reference="Wind_N", native="forcing:Wind_N"),
    _forcing("avg_sdswrf", "downward short-wave radiation", "W m-2", _MEAN, bounds=(0.0, 1800.0),
             standard_name="surface_downwelling_shortwave_flux_in_air", reference="SWdown",
             native="forcing:SWdown", grib="ssrd"),
    _forcing("avg_sdlwrf", "downward long-wave radiation", "W m-2", _MEAN, bounds=(0.0, 1000.0),
             standard_name="surface_downwelling_longwave_flux_in_air", reference="LWdown",
             native="forcing:LWdown", grib="strd"),
    _forcing("avg_tprate", "total precipitation rate (rain and snow)", "kg m-2 s-1", _MEAN, bounds=(0.0, 0.1),
             standard_name="precipitation_flux", reference="Rainf+Snowf", native="forcing:Rainf,Snowf", grib="tp"),
    _forcing("avg_tsrwe", "snowfall rate, water equivalent", "kg m-2 s-1", _MEAN, bounds=(0.0, 0.1),
             standard_name="snowfall_flux", reference="Snowf", native="forcing:Snowf", grib="sf"),
    _forcing("avg_cpfr", "convective fraction of precipitation, weighted by precipitation", "1", _MEAN,
             bounds=_FRACTION, reference="Ctpf", native="forcing:Ctpf"),
    # -- forcing: means over the last three hours of the step, what 3-hourly forcing adds -----------------------
    _forcing("late_sdswrf", "downward short-wave radiation", "W m-2", _LATE, bounds=(0.0, 1800.0),
             standard_name="surface_downwelling_shortwave_flux_in_air", reference="SWdown_late",
             native="forcing:SWdown"),
    _forcing("late_tprate", "total precipitation rate (rain and snow)", "kg m-2 s-1", _LATE, bounds=(0.0, 0.1),
             standard_name="precipitation_flux", reference="Rainf_late+Snowf_late", native="forcing:Rainf,Snowf"),
    _forcing("late_tsrwe", "snowfall rate, water equivalent", "kg m-2 s-1", _LATE, bounds=(0.0, 0.1),
             standard_name="snowfall_flux", reference="Snowf_late", native="forcing:Snowf"),
    # -- forcing: rain of each hour of the step, which no network reads; instead of the spread over half hours --
    *(_forcing(f"tprate_h{hour}", f"total precipitation rate (rain and snow), hour {hour} of the step", "kg m-2 s-1",
               Time.HOUR_MEAN, bounds=(0.0, 0.1), standard_name="precipitation_flux", native="forcing:Rainf,Snowf")
      for hour in range(1, 7)),
    # -- forcing: vegetation, constant over a UTC day, so the value at the start holds for the step -------------
    _forcing("lai_lv", "leaf area index, low vegetation", "m2 m-2", _INSTANT, taken=(START,), bounds=(0.0, 12.0),
             increment_scale=4.78e-3, standard_name="leaf_area_index", reference="lai_lv", native="surfclim:Mlail",
             grib="lai_lv"),
    _forcing("lai_hv", "leaf area index, high vegetation", "m2 m-2", _INSTANT, taken=(START,), bounds=(0.0, 12.0),
             increment_scale=5.30e-3, standard_name="leaf_area_index", reference="lai_hv", native="surfclim:Mlaih",
             grib="lai_hv"),
    # -- forcing: albedo of the ground and its vegetation without snow, constant over a UTC day ------------------
    _forcing("al", "background albedo: without snow, by month", "1", _INSTANT, taken=(START,), bounds=_FRACTION,
             standard_name="surface_albedo_assuming_no_snow", reference="Malbedo", native="surfclim:Malbedo",
             grib="al"),
    # -- forcing: sun and calendar, computed by Anemoi from date and place --------------------------------------
    _computed("insolation", "cosine of the solar zenith angle, not below zero", "1", (START, END)),
    _computed("cos_julian_day", "cosine of the day of the year", "1", (END,)),
    _computed("sin_julian_day", "sine of the day of the year", "1", (END,)),
    _computed("cos_local_time", "cosine of the local solar time", "1", (END,)),
    _computed("sin_local_time", "sine of the local solar time", "1", (END,)),
    # -- static -------------------------------------------------------------------------------------------------
    _static("lsm", "land-sea mask", "1", "clim_landsea", "surfclim:landsea", grib="lsm",
            standard_name="land_area_fraction"),
    _static("z", "surface geopotential", "m2 s-2", "clim_geopot", "surfclim:geopot", grib="z",
            standard_name="surface_geopotential"),
    _static("sdor", "standard deviation of sub-grid orography", "m", "clim_sdor", "surfclim:sdor", grib="sdor"),
    _static("cl", "lake cover", "1", "clim_clake", "surfclim:CLAKE", grib="cl", bounds=_FRACTION),
    _static("dl", "lake depth", "m", "clim_ldepth", "surfclim:LDEPTH", grib="dl", bounds=_POSITIVE),
    _static("cur", "urban cover", "1", "clim_cu", "surfclim:cu", grib="cur", bounds=_FRACTION),
    _static("cvl", "low vegetation cover", "1", "clim_cvl", "surfclim:cvl", grib="cvl", bounds=_FRACTION),
    _static("cvh", "high vegetation cover", "1", "clim_cvh", "surfclim:cvh", grib="cvh", bounds=_FRACTION),
    _static("c4", "photosynthesis by the C4 pathway (1) or C3 (0)", "1", "clim_ctype", "surfclim:Ctype",
            bounds=_FRACTION),
    _static("veg_cov_lv", "vegetation density within the low vegetation tile", "1", "clim_veg_covl", "surfclim:tvl"),
    _static("veg_cov_hv", "vegetation density within the high vegetation tile", "1", "clim_veg_covh", "surfclim:tvh"),
    _static("veg_z0m_lv", "roughness length of low vegetation", "m", "clim_veg_z0ml", "surfclim:tvl"),
    _static("veg_z0m_hv", "roughness length of high vegetation", "m", "clim_veg_z0mh", "surfclim:tvh"),
    _static("veg_rsmin_lv", "minimum stomatal resistance of low vegetation", "s m-1", "clim_veg_rsminl",
            "surfclim:tvl"),
    _static("veg_rsmin_hv", "minimum stomatal resistance of high vegetation", "s m-1", "clim_veg_rsminh",
            "surfclim:tvh"),
    _static("veg_lz0h_hv", "natural logarithm of the roughness length for heat (in m) of high vegetation", "1", None,
            "surfclim:tvh"),
    _static("veg_vcmax_lv", "maximum rate of carboxylation at 25 degC of low vegetation", "umol m-2 s-1", None,
            "surfclim:tvl,Ctype"),
    _static("veg_vcmax_hv", "maximum rate of carboxylation at 25 degC of high vegetation", "umol m-2 s-1", None,
            "surfclim:tvh,Ctype"),
    _static("veg_resp_lv", "reference respiration of low vegetation and its soil (mass of CO2)", "kg m-2 s-1", None,
            "surfclim:tvl,Ctype"),
    _static("veg_resp_hv", "reference respiration of high vegetation and its soil (mass of CO2)", "kg m-2 s-1", None,
            "surfclim:tvh,Ctype"),
    _static("theta_cap", "soil water at field capacity", "m3 m-3", "clim_theta_cap", "o_fix:SoilFC|surfclim:sotype"),
    _static("theta_pwp", "soil water at permanent wilting point", "m3 m-3", "clim_theta_pwp",
            "o_fix:SoilWilt|surfclim:sotype"),
    _static("theta_sat", "soil porosity", "m3 m-3", "theta_sat", "o_fix:SoilSat|surfclim:sotype",
            standard_name="soil_porosity"),
    # -- categories: types, numbers that must never be interpolated or fed to a network --------------------------
    _category("tvl", "low vegetation type (ECMWF index)", "clim_tvl", "surfclim:tvl", grib="tvl", taken=(START,)),
    _category("tvh", "high vegetation type (ECMWF index)", "clim_tvh", "surfclim:tvh", grib="tvh", taken=(START,)),
    # read by the closed step, which looks its properties up; no network reads it
    _category("slt", "soil type (1-7)", "clim_sotype", "surfclim:sotype", grib="slt", taken=(START,)),
    # -- marks of points, stored with the data to identify points; never fed to a network --------------------------
    _category("climate_class", "climate class of the point, the stratum of a fair order", "climate_class", None),
    _category("point_id", "identity of the point, whatever the order", "point_id", None),
    _category("held_out", "whether the point is never trained on (1) or is (0)", None, None),
]  # fmt: skip


#: Ranges that are possible and plausible, by name without the number of a layer or hour; None stands for the bounds.
#: Plausible ranges hold the extremes of the sample, the reference set, the tower sets and observed years, given at the
#: end of the row, with room for climates that these lack.
_RANGES: dict[str, tuple[Range | None, Range | None]] = {
    # state
    "swvl": (None, None),  # 0 to 0.766
    "stl": (None, (205.0, 345.0)),  # 240 to 334
    "sd": ((0.0, 5.0e4), (0.0, 5.0e3)),  # 0 to 1574; archives mark glaciers by 10,000
    "slw": ((0.0, 5.0e3), (0.0, 300.0)),  # 0 to 43
    "src": ((0.0, 20.0), (0.0, 3.0)),  # 0 to 1.1
    # density, temperature and albedo have any value in files where there is no snow: see the rules
    "rsn": ((None, None), (None, None)),
    "tsn": ((None, None), (None, None)),
    "asn": ((0.0, 1.0), None),  # 0.5 to 0.85
    # diagnostics, as predicted
    "2t": ((182.0, 348.0), (190.0, 332.0)),  # 219 to 322; a value at a bound of the prediction is not possible
    "2d": ((152.0, 318.0), (175.0, 312.0)),  # 215 to 305
    "skt": ((172.0, 378.0), (190.0, 362.0)),  # 217 to 349
    "slhf": ((-5.0e3, 5.0e3), (-950.0, 650.0)),  # -687 to 463
    "sshf": ((-5.0e3, 5.0e3), (-950.0, 750.0)),  # -706 to 517
    "ssr": ((0.0, 1800.0), (0.0, 1200.0)),  # 0 to 913
    "str": ((-1.0e3, 1.0e3), (-450.0, 200.0)),  # -301 to 47; closes the budget
    "evap": ((-2.0e-3, 2.0e-3), (-3.8e-4, 4.0e-4)),  # -1.9e-4 to 2.7e-4
    "sro": ((0.0, 0.1), (0.0, 0.02)),  # 0 to 0.0057
    "ssro": ((0.0, 0.1), (0.0, 0.02)),  # 0 to 0.0025
    "smlt": ((0.0, 0.1), (0.0, 0.01)),  # 0 to 0.0037
    "gpp": ((0.0, 1.0e-4), (0.0, 6.0e-6)),  # 0 to 1.3e-6
    "nee": ((-1.0e-4, 1.0e-4), (-6.0e-6, 6.0e-6)),  # -1.0e-6 to 0.6e-6
    # forcing
    "t": (None, (190.0, 330.0)),  # 220 to 318
    "q": ((0.0, 0.06), (1.0e-7, 0.035)),  # 1.5e-5 to 0.028
    "sp": (None, (4.5e4, 1.1e5)),  # 59,500 to 104,800
    "u": (None, (-45.0, 45.0)),  # -19 to 19
    "v": (None, (-45.0, 45.0)),  # -17 to 20
    "sdswrf": (None, (0.0, 1300.0)),  # 0 to 1064, late half of the step 1249
    "sdlwrf": ((1.0, 1000.0), (50.0, 620.0)),  # 93 to 520
    "tprate": (None, (0.0, 0.012)),  # 0 to 0.0061
    "late_tprate": (None, (0.0, 0.02)),  # 0 to 0.0121
    "tprate_h": (None, (0.0, 0.05)),  # 0 to 0.0153
    "tsrwe": (None, (0.0, 0.008)),  # 0 to 0.0039
    "late_tsrwe": (None, (0.0, 0.014)),  # 0 to 0.0066
    "lai_lv": (None, (0.0, 8.0)),  # 0.1 to 3.8
    "lai_hv": (None, (0.0, 9.0)),  # 0 to 6.0
    "al": (None, (0.04, 0.6)),  # 0.09 to 0.38
    # static
    "lsm": ((0.0, 1.0), (0.5, 1.0)),  # 1
    "z": ((-5.0e3, 9.0e4), None),  # -27 to 40,500
    "sdor": ((0.0, 3.0e3), (0.0, 1.5e3)),  # 2 to 418
    "cl": (None, (0.0, 0.5)),  # 0 to 0.31
    "dl": ((0.0, 2.0e3), None),  # 0.7 to 50
    "veg_cov": ((0.0, 1.0), None),  # 0 to 0.99
    "veg_z0m": ((0.0, 10.0), (0.0, 4.0)),  # 0.013 to 2
    "veg_rsmin": ((0.0, 5.0e3), (10.0, 1.0e3)),  # 45 to 395
    "veg_lz0h_hv": ((-20.0, 3.0), None),  # -8.9 to 0.7
    "veg_vcmax": ((0.0, 500.0), None),  # 34 to 71
    "veg_resp": ((0.0, 1.0e-4), None),  # 1e-9 to 5e-7
    "theta_cap": ((0.01, 1.0), (0.1, 0.8)),  # 0.24 to 0.66
    "theta_pwp": ((0.001, 1.0), (0.02, 0.5)),  # 0.06 to 0.33
    "theta_sat": ((0.1, 1.0), (0.25, 0.9)),  # 0.40 to 0.77
    # categories
    "slt": ((1.0, 7.0), None),
    "tvl": ((0.0, 20.0), None),
    "tvh": ((0.0, 20.0), None),
}


def _with_ranges(row: Variable) -> Variable:
    short = row.name.rstrip("0123456789").removeprefix("avg_").removesuffix("_lv").removesuffix("_hv")
    known = [
        n for n in (row.name, row.name.removeprefix("avg_"), row.name.removeprefix("late_"), short) if n in _RANGES
    ]
    possible, plausible = _RANGES[known[0]] if known else (None, None)
    return replace(row, possible=possible or row.bounds, plausible=plausible or possible or row.bounds)


_ROWS = [_with_ranges(row) for row in _ROWS]

#: Precipitation of each hour of a step, in turn.
HOURLY_RAIN = tuple(row.name for row in _ROWS if row.time is Time.HOUR_MEAN)

#: Beginning of the names of inputs that perturb the outputs of a network, which only ensembles have.
_MODEL_ERROR = "model_error_"


class Table(dict[str, Variable]):
    """Rows by name. A row is found by its name in NetCDF too (``t2m`` for ``2t``), which is not listed as a name."""

    def __missing__(self, name: str) -> Variable:
        """Return the row of a NetCDF name; a KeyError gives the nearest names."""
        try:
            return self[match_name(name, self, "the table of variables")]
        except ValueError as error:
            raise KeyError(str(error)) from None

    def __repr__(self) -> str:
        """Return one line for each variable."""
        return "\n".join(
            f"{row.name:15}{row.role.value:11}{row.time.value:14}{row.units:11}{row.long_name}" for row in self.values()
        )

    def _repr_html_(self) -> str:
        """Return a table for a notebook."""
        cells = ("name", "netcdf_name", "long_name", "units", "role", "time")
        head = "".join(f"<th>{name}</th>" for name in cells)
        rows = "".join(f"<tr>{''.join(f'<td>{getattr(r, c)}</td>' for c in cells)}</tr>" for r in self.values())
        return f"<table><tr>{head}</tr>{rows}</table>"


def match_name(name: str, known: Iterable[str], what: str) -> str:
    """Return the one of the ``known`` names that is given by its name in the table or in NetCDF (``t2m`` for ``2t``).

    Raises
    ------
    ValueError
        No known name fits; the message gives the nearest ones of ``what``.
    """
    known = list(known)
    if name in known:
        return name
    others = {VARIABLES[n].netcdf_name: n for n in known if n in VARIABLES}
    if name in others:
        return others[name]
    near = get_close_matches(str(name), dict.fromkeys([*known, *others]), n=3)
    hint = f"Nearest: {near}" if near else f"Available: {known}"
    raise ValueError(f"There is no variable '{name}' in {what}. {hint}.")


#: The table by dataset name.
VARIABLES: Table = Table({row.name: row for row in _ROWS})


def variable(name: str) -> Variable:
    """Return the row of a variable in the table: units, bounds, role, time semantics, names in files.

    Parameters
    ----------
    name : str
        Dataset name, such as ``swvl1`` or ``2t``, or its name in NetCDF (``t2m``).

    Raises
    ------
    ValueError
        The name is not in the table; the message gives the nearest known ones.

    Examples
    --------
    >>> from anemoi_ailand.variables import variable
    >>> row = variable("swvl1")
    >>> row.units, row.bounds
    ('m3 m-3', (0.0, 0.8))
    """
    if is_model_error(name):
        return _forcing(name, "perturbation of an output of the network", "1", _MEAN)
    try:
        return VARIABLES[name]
    except KeyError:
        # as `suggestion` in support/options.py, a room that this module must not import
        near = get_close_matches(name, VARIABLES, n=3)
        known = f"Nearest: {near}" if near else f"Available: {sorted(VARIABLES)}"
        raise ValueError(
            f"Variable '{name}' is not in the table anemoi_ailand/variables.py. {known}. "
            "Correct the name, or add a row to the table."
        ) from None


def model_errors(number: int) -> tuple[str, ...]:
    """Return the names of the inputs that perturb the ``number`` outputs of a network; they have no row in the table.

    >>> model_errors(2)
    ('model_error_1', 'model_error_2')
    """
    return tuple(f"{_MODEL_ERROR}{k}" for k in range(1, number + 1))


def is_model_error(name: str) -> bool:
    """Return whether a name is one of :func:`model_errors`."""
    return name.startswith(_MODEL_ERROR)


def names(*roles: Role | str, computed: bool | None = None) -> list[str]:
    """Return the names of all variables with one of ``roles``, in the order of the table.

    Parameters
    ----------
    *roles : Role or str
        Roles to select.
    computed : bool, optional
        Select only variables that are computed from place and date (sun, calendar), or only others; by default both.

    Raises
    ------
    ValueError
        Unknown role.

    Examples
    --------
    >>> from anemoi_ailand import names
    >>> names("prognostic")[:4]
    ['swvl1', 'stl1', 'swvl2', 'stl2']
    >>> names("forcing", computed=True)[0]
    'insolation'
    """
    if unknown := [r for r in roles if r not in list(Role)]:
        raise ValueError(f"There is no role {unknown}. Available: {[*map(str, Role)]}.")
    wanted = {Role(r) for r in roles}
    return [v.name for v in VARIABLES.values() if v.role in wanted and computed in (None, v.computed)]


def taken_at(end: str, variables: Iterable[str]) -> list[str]:
    """Return those ``variables`` that the model takes at ``end`` ('start' or 'end') of the step, in the given order."""
    return [name for name in variables if end in variable(name).taken]
