# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Humidity, phase of precipitation, pressure and long-wave radiation of moist air."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.physics.air import (
    effective_emissivity,
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
