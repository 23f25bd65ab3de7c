# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Years of a run and of ecLand, made up: level unless a test says otherwise."""

import numpy as np
import xarray as xr

LEVEL = {"swvl1": 0.3, "swvl2": 0.25, "swvl3": 0.2, "swvl4": 0.15, "stl1": 285.0, "stl2": 284.0, "stl3": 283.0,
         "stl4": 282.0, "sd": 0.0, "src": 0.1}  # fmt: skip
N_POINTS, CYCLE, STEPS = 4, 2, 1460

#: What the years of the forcing add to everything: the same in every cycle.
PATTERN = np.array([-0.01, 0.02])


def years(n_years, names=tuple(LEVEL), **changes):
    """Statistics of so many years; ``changes`` are arrays (year, point) by the name in the file, e.g. ``stl1_mean``."""
    pattern = PATTERN[np.arange(n_years) % CYCLE][:, None] * np.ones(N_POINTS)
    fields = {"not_finite": np.zeros((n_years, N_POINTS), int)}
    for name in names:
        level = LEVEL[name] + (pattern if name != "sd" else 0.0)
        fields |= {f"{name}_{kind}": np.array(level + 0 * pattern) for kind in ("mean", "min", "max", "end")}
        fields |= {f"{name}_at_{side}": np.zeros((n_years, N_POINTS), int) for side in ("lower", "upper")}
    place = {"latitude": [70.0, 50.0, 0.0, -30.0], "longitude": [10.0, 20.0, 30.0, 40.0], "point_id": [5, 6, 7, 8],
             "held_out": [1, 0, 0, 0], "climate_class": [9, 8, 0, 2]}  # fmt: skip
    start = {f"{name}_start": ("point", np.full(N_POINTS, LEVEL[name])) for name in names}
    return xr.Dataset(
        {k: (("year", "point"), np.asarray(v)) for k, v in {**fields, **changes}.items()}
        | {k: ("point", np.asarray(v, dtype=float)) for k, v in place.items()}
        | start
        | {"steps": ("year", np.full(n_years, STEPS))},
        coords={"year": np.arange(1, n_years + 1)},
    )


def changed(dataset, name, point, values):
    """Copy with other values of one point."""
    out = dataset.copy(deep=True)
    out[name].values[:, point] = values
    return out
