# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Constants with their unit and source. No functions."""

#: Name of the training task and of the runner that goes with it.
TASK_NAME = "land-forecaster"

#: Length of one emulator step [h].
STEP_HOURS = 6

#: Thickness of the four soil layers, top first [m]. IFS Documentation CY49R1, Part IV, section 8.5.
SOIL_LAYER_THICKNESS = (0.07, 0.21, 0.72, 1.89)

#: Density of liquid water [kg m-3]. IFS Documentation CY49R1, Part IV.
WATER_DENSITY = 1000.0

#: Triple point of water, upper bound of the snow temperature and its value without snow [K]. ecLand, RTT.
TRIPLE_POINT = 273.16

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
