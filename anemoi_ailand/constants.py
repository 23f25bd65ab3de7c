# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Constants with their unit and source. No functions."""

from datetime import timedelta
from typing import Literal

#: Name of the training task and of the runner that goes with it.
TASK_NAME = "land-forecaster"

#: Length of one emulator step [h].
STEP_HOURS = 6

#: The same [timedelta].
STEP = timedelta(hours=STEP_HOURS)

#: The same [s].
STEP_SECONDS = 3600.0 * STEP_HOURS

#: Thickness of the four soil layers, top first [m]. IFS Documentation CY49R1, Part IV, section 8.5.
SOIL_LAYER_THICKNESS = (0.07, 0.21, 0.72, 1.89)

#: Density of liquid water [kg m-3]. IFS Documentation CY49R1, Part IV.
WATER_DENSITY = 1000.0

#: Triple point of water, upper bound of the snow temperature and its value without snow [K]. ecLand, RTT.
TRIPLE_POINT = 273.16

#: Tetens' saturation vapour pressure e = e0 exp(a (T - 273.16 K) / (T - b)): e0 [Pa].
#: IFS Documentation CY49R1, Part IV.
TETENS_PRESSURE = 611.21

#: The same over water: a [1], b [K]. R3LES, R4LES.
TETENS_WATER = (17.502, 32.19)

#: The same over ice: a [1], b [K]. R3IES, R4IES.
TETENS_ICE = (22.587, -0.7)

#: Gas constant of dry air [J kg-1 K-1].
DRY_AIR_GAS_CONSTANT = 287.05

#: Specific heat of dry air at constant pressure, 3.5 times the gas constant [J kg-1 K-1]. ecLand, RCPD.
AIR_SPECIFIC_HEAT = 1004.7

#: Molar mass of water vapour over that of dry air [1].
VAPOUR_MASS_RATIO = 0.622

#: Snow density where there is no snow, and lower bound in the snow cover formula [kg m-3]. ecLand, RHOMINSN.
SNOW_DENSITY_MIN = 100.0

#: Upper bound of the snow density in the snow cover formula [kg m-3]. ecLand snow scheme, 50R1.
SNOW_COVER_DENSITY_MAX = 400.0

#: Factor of snow depth in the snow cover formula [m-1 per kg m-3, i.e. tanh(4000 d / rho)]. ecLand, 50R1.
SNOW_COVER_SLOPE = 4000.0

#: Snow cover is set to one from here on [-]. ecLand, 50R1.
SNOW_COVER_FULL = 0.99

#: Longest gap between two stamps that is still the same instant [s].
TIME_TOLERANCE = 1.0

#: Two coordinates closer than this are the same point [degrees]. GRIB1 rounds to 0.001.
SAME_PLACE = 2.0e-3

#: Radius of the Earth [km]. IFS Documentation CY49R1, Part III: RA.
EARTH_RADIUS = 6371.229

#: Soil water begins to freeze below this [K]. ecLand, sussoil_mod.F90: RTF1.
FREEZING_START = 274.16

#: Soil water is all frozen below this [K]. ecLand, sussoil_mod.F90: RTF2.
FREEZING_END = 272.16

#: Latent heat of fusion of water [J kg-1]. ecLand, RLMLT = RLSTT - RLVTT.
LATENT_HEAT_FUSION = 3.337e5

#: Heat capacity of water [J m-3 K-1]. ecLand, sussoil_mod.F90: RGH2O.
WATER_HEAT_CAPACITY = 4.18e6

#: Heat capacity of the dry soil matter [J m-3 K-1]. ecLand, sussoil_mod.F90: ZRCGDRY.
MATTER_HEAT_CAPACITY = 1.6e6

#: Density of the soil matter [kg m-3]. ecLand, sussoil_mod.F90: ZRHOSM.
MATTER_DENSITY = 2700.0

#: Heat conductivity of soil matter with 40 % quartz [W m-1 K-1]. Peters-Lidard et al. 1998; ecLand, ZLAMBDASM.
MATTER_CONDUCTIVITY = 3.428

#: Heat conductivity of ice [W m-1 K-1]. ecLand, RLAMBDAICE.
ICE_CONDUCTIVITY = 2.2

#: Heat conductivity of water [W m-1 K-1]. ecLand, RLAMBDAWAT.
WATER_CONDUCTIVITY = 0.57

#: Lowest density of fresh snow [kg m-3]. ecLand, sussoil_mod.F90: RHOMINSND.
SNOW_DENSITY_LOWEST = 50.0

#: Highest density of snow [kg m-3]. ecLand, sussoil_mod.F90: RHOMAXSN_NEW.
SNOW_DENSITY_HIGHEST = 500.0

#: Albedo of old snow [1]. ecLand, sussoil_mod.F90: RALFMINSN.
SNOW_ALBEDO_MIN = 0.50

#: Albedo of fresh snow, and the value where there is none [1]. ecLand, sussoil_mod.F90: RALFMAXSN.
SNOW_ALBEDO_MAX = 0.85

#: Latent heat of vaporisation of water [J kg-1]. ecLand, RLVTT.
LATENT_HEAT_VAPORISATION = 2.5008e6

#: Specific heat of ice, half that of water as ecLand has it [J kg-1 K-1]. ecLand, srfrcg_mod.F90: ZGICE.
ICE_SPECIFIC_HEAT = 2.09e3

#: Code of the C4 pathway of photosynthesis in ``Ctype`` [1]. ecLand, surfclim.
C4_CODE = 4

#: Zero degrees Celsius [K].
ZERO_CELSIUS = 273.15

#: Acceleration of gravity [m s-2]. IFS Documentation CY49R1, Part III: RG.
GRAVITY = 9.80665

#: Stefan-Boltzmann constant [W m-2 K-4]. CODATA 2018.
STEFAN_BOLTZMANN = 5.670374e-8

#: Ways to execute a step: ``auto`` takes the compiled step if it has been made, or if it pays in the run.
Execution = Literal["auto", "plain", "compiled"]

#: Rain within a step: spread by a formula from its mean, as the forcing gives it by the hour, or drawn at random.
Precipitation = Literal["mean", "hourly", "random"]

#: Treatment of impossible values in data: an error, a warning as of implausible ones, or none of both.
Plausibility = Literal["error", "warn", "off"]
