# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Humidity, phase of precipitation, pressure and long-wave radiation of moist air."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.physics.air import (
    effective_emissivity,
    moved_temperature,
    saturation_pressure,
    snow_fraction,
    specific_humidity,
    standard_pressure,
)


def test_saturation_pressure_at_known_temperatures():
    """Values of the WMO tables over water within 0.3 %: 0, 20 and 40 degC."""
    found = saturation_pressure(np.array([273.15, 293.15, 313.15]))
    np.testing.assert_allclose(found, [611.2, 2339.0, 7384.0], rtol=3e-3)


def test_specific_humidity_is_mass_of_vapour_over_mass_of_air():
    """By the gas law with both densities."""
    vapour, pressure, temperature = 1500.0, 9.5e4, 290.0
    dry, wet = (pressure - vapour) / (287.0 * temperature), vapour / (287.0 / 0.622 * temperature)
    assert specific_humidity(np.array(vapour), np.array(pressure)) == pytest.approx(wet / (wet + dry), rel=1e-12)


def test_snow_fraction_is_linear_between_0_and_2_degrees():
    """All snow at 0 degC, half at 1, none at 2."""
    np.testing.assert_allclose(
        snow_fraction(273.15 + np.array([-9.0, 0.0, 1.0, 2.0, 9.0])), [1, 1, 0.5, 0, 0], atol=1e-12
    )


def test_standard_pressure_at_known_elevations():
    """ISO 2533: 1013.25, 898.75 and 701.09 hPa."""
    assert [standard_pressure(z) for z in (0.0, 1000.0, 3000.0)] == pytest.approx([101325, 89875, 70109], rel=2e-4)


def test_black_body_has_emissivity_one():
    """At 300 K it radiates 459.3 W m-2."""
    assert effective_emissivity(np.array(459.3), np.array(300.0)) == pytest.approx(1.0, abs=1e-4)


def test_moved_temperature_returns_the_same_from_there():
    """From 2 m to 10 m and back; nothing changes over ground as warm as the air, but by the lapse rate."""
    low, skin = np.array([280.0, 290.0, 285.0]), np.array([275.0, 300.0, 285.0 + 2.0 * 9.80665 / 1004.7])
    high = moved_temperature(low, skin, 2.0, 10.0)
    np.testing.assert_allclose(moved_temperature(high, skin, 10.0, 2.0), low, rtol=1e-12)
    assert high[0] > low[0]
    assert high[1] < low[1]
    assert low[2] - high[2] == pytest.approx(8.0 * 9.80665 / 1004.7, abs=1e-9)


def test_moved_temperature_comes_near_the_forcing_of_ecland():
    """On the sample, ecLand's own 2 m temperature moved to 10 m is less than half as far from its forcing."""
    reader = open_reader("$AILAND_SAMPLE")
    dates = [reader.coverage.first + k * reader.coverage.step for k in range(100, 1000, 7)]
    low, skin, forcing = reader.read(["2t", "skt", "t"], dates).astype(float)
    away = np.sqrt(np.mean(np.square(low - forcing)))
    moved = np.sqrt(np.mean(np.square(moved_temperature(low, skin, 2.0, 10.0) - forcing)))
    assert away > 0.3
    assert moved < 0.5 * away
