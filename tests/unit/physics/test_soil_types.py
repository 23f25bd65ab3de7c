# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Properties that follow from a soil type."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from anemoi_ailand.physics import soil_types
from anemoi_ailand.physics.soil_types import soil_parameters, whole_types
from anemoi_ailand.physics.vegetation import vegetation_parameters
from anemoi_ailand.support.packaged import folder


@pytest.fixture
def static() -> dict[str, np.ndarray]:
    with netCDF4.Dataset(folder("sample") / "static.nc") as ds:
        return {n: np.asarray(v[:]) for n, v in ds.variables.items()}


def test_soil_is_that_of_ecland(static):
    """Van Genuchten's curve at 0.1 and 15 bar gives the values in ecLand's o_fix."""
    for values, name in zip(
        soil_parameters(static["clim_sotype"]), ("clim_theta_cap", "clim_theta_pwp", "theta_sat"), strict=True
    ):
        np.testing.assert_allclose(values, static[name], rtol=1e-6)


def test_soil_holds_less_the_drier():
    """Every soil has wilting point < field capacity < saturation."""
    cap, pwp, sat = soil_parameters(np.arange(1, 8))
    assert (pwp > 0).all() and (pwp < cap).all() and (cap < sat).all()


def test_every_type_has_every_parameter():
    """The tables have eight types, and no soil has the parameters of water."""
    for name in ("ALPHA", "EXPONENT", "SATURATED", "RESIDUAL", "CONDUCTIVITY", "MUALEM"):
        values = getattr(soil_types, name)
        assert len(values) == 8
        assert all(v not in (0.0, 1.0) for v in values[1:]), name


def test_types_are_whole_numbers():
    """Numbers of a file become indices of a table; an interpolated type is an error, never rounded."""
    index = whole_types(np.array([0.0, 3.0, 7.0], np.float32), 7, "soil")
    assert index.tolist() == [0, 3, 7] and index.dtype.kind == "i"
    for function in (vegetation_parameters, soil_parameters):
        for kind in (2.5, -1, 21, np.nan):
            with pytest.raises(ValueError, match="types are not whole numbers"):
                function(np.array([1.0, kind]))
