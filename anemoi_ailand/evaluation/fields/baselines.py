# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The models that are compared: the emulator, and two forecasts that cost nothing.

The other one, climatology, is in ``climatology.py``.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

#: Names of the models, in the order of tables and figures.
EMULATOR, PERSISTENCE, CLIMATOLOGY = "emulator", "persistence", "climatology"
MODELS = (EMULATOR, PERSISTENCE, CLIMATOLOGY)

#: Name of what they are compared with.
REFERENCE = "ecLand"


def persistence(initial: xr.DataArray, times: np.ndarray) -> xr.DataArray:
    """Hold the initial state ``(point,)`` at all ``times``: ``(time, point)``."""
    return initial.expand_dims(time=times).transpose("time", "point")
