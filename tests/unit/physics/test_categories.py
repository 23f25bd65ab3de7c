# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Categories are whole numbers."""

import numpy as np
import pytest

from anemoi_ailand.physics.categories import whole_types
from anemoi_ailand.physics.soil_types import soil_parameters
from anemoi_ailand.physics.vegetation import vegetation_parameters


def test_types_become_integers():
    """Numbers of a file become indices of a table."""
    index = whole_types(np.array([0.0, 3.0, 7.0], np.float32), 7, "soil")
    assert index.tolist() == [0, 3, 7]
    assert index.dtype.kind == "i"


@pytest.mark.parametrize("function", [vegetation_parameters, soil_parameters])
@pytest.mark.parametrize("kind", [2.5, -1, 21, np.nan])
def test_types_are_whole_numbers(function, kind):
    """An interpolated type is an error, never rounded."""
    with pytest.raises(ValueError, match="types are not whole numbers"):
        function(np.array([1.0, kind]))
