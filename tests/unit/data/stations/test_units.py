# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Units of observations."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.data.stations.units import SUMS, converted, target_units
from anemoi_ailand.variables import VARIABLES


@pytest.mark.parametrize(
    ("value", "units", "name", "expected"),
    [
        (25.0, "%", "swvl", 0.25), (0.25, "m3 m-3", "swvl", 0.25), (1.5, "degC", "stl", 274.65),
        (90.0, "W/m2", "slhf", 90.0),
        (90.0, "W m**-2", "rnet", 90.0), (10.0, "umol/m2/s", "gpp", 4.4009e-7),
        (10.0, "µmol m-2 s-1", "nee", 4.4009e-7),
        (35.0, "mm", "sd", 35.0),
    ],
)  # fmt: skip
def test_units_become_those_of_the_table(value: float, units: str, name: str, expected: float) -> None:
    """Each known unit, with its factor and offset; 10 umol of CO2 are 440.09 ug."""
    np.testing.assert_allclose(converted(np.array([value]), units, name, "here"), [expected], rtol=1e-12)


@pytest.mark.parametrize("units", [None, "", "kg C m-2 s-1", "furlong"])
def test_unknown_unit_is_an_error_that_lists_the_known(units: str | None) -> None:
    """Mass of carbon is not taken for mass of CO2."""
    with pytest.raises(ValueError, match=r"unit of 'nee' in site\.nc.*known are.*umol/m2/s.*Convert"):
        converted(np.zeros(1), units, "nee", "site.nc")


def test_sums_are_of_rows_with_one_unit() -> None:
    """What is summed has the same unit and direction."""
    for name, parts in SUMS.items():
        assert {VARIABLES[p].units for p in parts} == {target_units(name)}
