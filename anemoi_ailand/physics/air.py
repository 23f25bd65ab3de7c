# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Moist air near the surface: humidity, phase of precipitation, pressure, long-wave radiation. NumPy."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from anemoi_ailand.constants import (
    AIR_SPECIFIC_HEAT,
    DRY_AIR_GAS_CONSTANT,
    GRAVITY,
    STEFAN_BOLTZMANN,
    TETENS_PRESSURE,
    TETENS_WATER,
    TRIPLE_POINT,
    VAPOUR_MASS_RATIO,
    ZERO_CELSIUS,
)

#: A number, or an array of them.
Elevation = TypeVar("Elevation", float, np.ndarray)

#: Air temperature at and below which all precipitation is snow, and at and above which all is rain [K].
ALL_SNOW, ALL_RAIN = ZERO_CELSIUS, ZERO_CELSIUS + 2.0

#: International standard atmosphere (ISO 2533): pressure [Pa] and temperature [K] at sea level, lapse rate [K m-1].
_SEA_LEVEL_PRESSURE, _SEA_LEVEL_TEMPERATURE, _LAPSE_RATE = 101325.0, 288.15, 0.0065

#: Exponents of the profile of temperature above warmer and colder ground [1], see :func:`moved_temperature`.
_PROFILE_EXPONENTS = 0.07, 0.23


def saturation_pressure(temperature: np.ndarray) -> np.ndarray:
    r"""Return the saturation vapour pressure over water [Pa] at a temperature [K].

    .. math:: e_s = 611.21\,\exp\left(17.502\,\frac{T - 273.16}{T - 32.19}\right)

    Source: Tetens; IFS Documentation CY49R1, Part IV.
    """
    a, b = TETENS_WATER
    return TETENS_PRESSURE * np.exp(a * (temperature - TRIPLE_POINT) / (temperature - b))


def specific_humidity(vapour_pressure: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    r"""Return the specific humidity [kg kg-1], :math:`q = \epsilon e / (p - (1 - \epsilon) e)`, from pressures [Pa]."""
    return VAPOUR_MASS_RATIO * vapour_pressure / (pressure - (1.0 - VAPOUR_MASS_RATIO) * vapour_pressure)


def moved_temperature(temperature: np.ndarray, skin: np.ndarray, height: float, target: float) -> np.ndarray:
    r"""Return the air temperature [K] at the ``target`` height from that at another ``height`` [m].

    The excess of potential temperature over the skin grows as a power of height:

    .. math:: \theta(z) - T_s \propto z^p, \qquad \theta(z) = T(z) + g z / c_p

    with one exponent above warmer and one above colder ground: the medians over ecLand's own temperatures at 2 m and
    10 m (reference set, 2020, trained points without lake and town), so between these heights only.
    """
    lapse = GRAVITY / AIR_SPECIFIC_HEAT
    excess = temperature + lapse * height - skin
    growth = np.where(excess < 0.0, *((target / height) ** p for p in _PROFILE_EXPONENTS))
    return skin + excess * growth - lapse * target


def snow_fraction(temperature: np.ndarray) -> np.ndarray:
    """Return the share of snow in precipitation [1]: 1 up to 0 degC, 0 from 2 degC, linear in between."""
    return np.clip((ALL_RAIN - temperature) / (ALL_RAIN - ALL_SNOW), 0.0, 1.0)


def standard_pressure(elevation: Elevation) -> Elevation:
    r"""Return the pressure [Pa] of the standard atmosphere at an elevation [m], a number or an array.

    .. math:: p = 101325\,(1 - 0.0065\,z / 288.15)^{g / (0.0065\,R)}
    """
    exponent = GRAVITY / (_LAPSE_RATE * DRY_AIR_GAS_CONSTANT)
    return _SEA_LEVEL_PRESSURE * (1.0 - _LAPSE_RATE * elevation / _SEA_LEVEL_TEMPERATURE) ** exponent


def effective_emissivity(long_wave: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    r"""Return downward long-wave radiation over that of a black body, :math:`L / (\sigma T^4)` [1]."""
    return long_wave / (STEFAN_BOLTZMANN * temperature**4)
