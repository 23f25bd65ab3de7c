# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Units are converted by what a file says, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.support.units import CONVERSIONS, conversion
from anemoi_ailand.variables import VARIABLES
from tests.support.files import ramp, stamps, write_land


@pytest.mark.parametrize(
    ("name", "units", "value", "expected"),
    [
        ("t", "degC", 12.0, 285.15),
        ("t", "K", 285.0, 285.0),
        ("avg_sp", "hPa", 1013.0, 101300.0),
        ("q", "g/kg", 8.0, 0.008),
        ("snowc", "%", 40.0, 0.4),
        ("sd", "mm", 30.0, 30.0),
        ("avg_tprate", "mm/day", 86.4, 1.0e-3),
        ("avg_tsrwe", "mm h**-1", 3.6, 1.0e-3),
        ("avg_tprate", "kg m-2 s-1", 1e-4, 1e-4),
    ],
)
def test_values_arrive_in_the_units_of_the_table(
    tmp_path: Path, name: str, units: str, value: float, expected: float
) -> None:
    """Through the reader; a missing value stays missing."""
    values = np.full((3, 2), value)
    values[1, 1] = np.nan
    path = write_land(tmp_path / "a.nc", {name: values}, stamps(3), {name: units})
    found = open_reader(str(path)).read([name], stamps(3))[0]
    np.testing.assert_allclose(found, np.where(np.isnan(values), np.nan, expected), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "units"),
    [("sd", "m"), ("avg_sdswrf", "J m-2"), ("avg_tprate", "mm"), ("q", "%"), ("t", "F"), ("swvl1", "kg m-2")],
)
def test_what_can_mean_two_things_is_refused(tmp_path: Path, name: str, units: str) -> None:
    """Depth or water of snow, an amount over an unknown time, relative or specific humidity."""
    path = write_land(tmp_path / "a.nc", {name: ramp(3, 2, 1.0)}, stamps(3), {name: units})
    with pytest.raises(ValueError, match=rf"'{name}' in .* has units '{units}'; '.*' is expected"):
        open_reader(str(path))


def test_conversions_lead_to_units_of_the_table() -> None:
    """And the table's own unit is left as it is."""
    assert set(CONVERSIONS) <= {v.units for v in VARIABLES.values()}
    for units in CONVERSIONS:
        assert conversion(units, units, "x", Path("a.nc")) == (1.0, 0.0)
        assert conversion(None, units, "x", Path("a.nc")) == (1.0, 0.0)
