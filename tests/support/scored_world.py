# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small world to score in: a reference of three years that can be cut by everything, and runs with known errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.reforecast import Reforecast, reforecast_of
from anemoi_ailand.variables import VARIABLES

N_POINTS = 10
HOUR = np.timedelta64(1, "h")

#: Lead times of days 1, 2 and 7 [h].
DAYS_1_2_7 = np.concatenate([24 * (day - 1) + np.array([6, 12, 18, 24]) for day in (1, 2, 7)])

CONSTANTS = {
    "point_id": np.arange(N_POINTS),
    "climate_class": np.array([0, 0, 2, 2, 8, 8, 8, 10, 10, 3]),
    "slt": np.array([1, 2, 2, 3, 3, 3, 4, 6, 6, 0]),
    "tvl": np.full(N_POINTS, 2),
    "tvh": np.full(N_POINTS, 5),
    "cvl": np.array([0.2, 0.8] * 5),
    "cvh": np.array([0.7, 0.1] * 4 + [0.0, 0.1]),
}


def times() -> np.ndarray:
    """6-hourly dates of 2020 to 2022."""
    return np.arange("2020-01-01T00", "2023-01-01T00", 6, dtype="datetime64[h]").astype("datetime64[ns]")


def values(names: tuple[str, ...] = ("swvl1", "stl1", "snowc", "2t", "slhf")) -> dict[str, np.ndarray]:
    """Values ``(time, point)`` by variable: a yearly wave and weather."""
    rng = np.random.default_rng(0)
    date = times()
    day = ((date - date[0]) / np.timedelta64(1, "D"))[:, None]
    wave = -np.cos(2 * np.pi * day / 365.25) * np.linspace(0.2, 1.0, N_POINTS)
    noise = rng.standard_normal((len(date), N_POINTS))
    weather = {
        name: np.tanh(np.roll(noise, k, axis=1)) for k, name in enumerate(("swvl1", "stl1", "snowc", "2t", "slhf"))
    }
    fields = {
        "swvl1": 0.3 - 0.05 * wave + 0.02 * weather["swvl1"],
        "stl1": 280.0 + 15.0 * wave + 2.0 * weather["stl1"],
        "snowc": np.clip(-wave - 0.4 + 0.1 * weather["snowc"], 0, 1) * (np.arange(N_POINTS) % 2),
        "2t": 281.0 + 18.0 * wave + 3.0 * weather["2t"],
        "slhf": -40.0 - 30.0 * wave + 10.0 * weather["slhf"],
    }
    return {name: fields[name].astype(np.float32) for name in names}


def reference(fields: dict[str, np.ndarray] | None = None, constants: dict[str, np.ndarray] | None = None) -> Fields:
    """The reference, in memory."""
    fields = values() if fields is None else fields

    def read(names: list[str], first: int, last: int) -> np.ndarray:
        return np.stack([fields[name][first:last] for name in names], axis=1)

    return Fields(
        path=Path("reference"),
        times=times(),
        latitude=np.linspace(-40.0, 68.0, N_POINTS),
        longitude=np.linspace(-100.0, 140.0, N_POINTS),
        units={name: VARIABLES[name].units for name in fields},
        reader=read,
        constants=CONSTANTS if constants is None else constants,
    )


def starts(n: int = 12, every_days: int = 20) -> np.ndarray:
    """Initial dates in 2022."""
    return np.datetime64("2022-01-02", "ns") + np.arange(n) * np.timedelta64(every_days, "D")


def run(
    seed: int | None = 1,
    size: float = 0.1,
    first: np.ndarray | None = None,
    leads: np.ndarray = DAYS_1_2_7,
    names: tuple[str, ...] = ("swvl1", "stl1", "2t", "slhf"),
) -> xr.Dataset:
    """Re-forecast in the layout of the file: the truth and noise of ``size`` times its standard deviation."""
    first = starts() if first is None else first
    index = np.searchsorted(times(), first[:, None] + leads * HOUR)
    truth, rng = values(names), np.random.default_rng(seed)
    error = {
        name: 0 if seed is None else size * v.std() * rng.standard_normal((*index.shape, N_POINTS))
        for name, v in truth.items()
    }
    where = reference()
    fields = {
        VARIABLES[name].netcdf_name: (
            ("start", "lead", "point"),
            (truth[name][index] + error[name]).astype(np.float32),
            {"short_name": name, "units": VARIABLES[name].units},
        )
        for name in names
    }
    coords = {
        "start": first,
        "lead": ("lead", leads.astype(np.int32), {"units": "h"}),
        "latitude": ("point", where.latitude),
        "longitude": ("point", where.longitude),
    }
    return xr.Dataset(fields, coords=coords, attrs={"label": "emulator", "checkpoint": "a.ckpt"})


def reforecast(**kwargs: object) -> Reforecast:
    """The same, opened."""
    return reforecast_of(run(**kwargs))  # type: ignore[arg-type]
