# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Free runs with observed weather: one run from one state for each file, and its errors against ecLand."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.evaluation.scores.strata import BIOMES
from anemoi_ailand.support.checksum import ROLL_OUT
from anemoi_ailand.support.netcdf_writer import write_dataset
from anemoi_ailand.variables import variable
from tools.results.steps import Inputs, key_of, once

LOG = logging.getLogger("results")

#: Scored variables.
SCORED = (
    "swvl1", "swvl2", "swvl3", "swvl4", "stl1", "stl2", "stl3", "stl4", "snowc", "sd", "2t", "2d", "skt", "sshf",
    "slhf",
)  # fmt: skip

#: Scored variables by their names in files.
_NAMES = {variable(name).netcdf_name: name for name in SCORED}

#: Marks of the points of the tower set.
_MARKS = ("variant", "never_trained", "climate_class", "site", "real_year")


@dataclass(frozen=True)
class Run:
    """Run of a network and ecLand's series for the same forcing, both ``(time, point)`` under the NetCDF names."""

    name: str
    emulator: xr.Dataset
    ecland: xr.Dataset

    @property
    def execution(self) -> str:
        """Execution of the step, plain or compiled."""
        return str(self.emulator.attrs["execution"])


def static_of(path: Path) -> Path:
    """Return the file of static fields that accompanies a file of series."""
    beside = path.with_name(f"{path.stem}_static.nc")
    return beside if beside.is_file() else path.with_name("static.nc")


def series_files(folder: Path) -> list[Path]:
    """Return the files of series in a folder."""
    return sorted(path for path in folder.glob("*.nc") if not path.stem.endswith("static"))


def run_of(inputs: Inputs, network: str, path: Path) -> Run:
    """Run a network through a file, or take the run that is kept, and return it with ecLand's series.

    The initial values, which agree, are left out.
    """
    static = static_of(path)
    kept = inputs.folder / "real-weather" / network / path.name
    key = key_of(network, path, static, places=ROLL_OUT)
    once(kept, key, lambda: write_run(network, path, static, kept))
    with xr.open_dataset(kept) as made:
        emulator = made.load().isel(time=slice(1, None))
    with xr.open_dataset(path) as series:
        ecland = series[[str(name) for name in emulator if name in series]].sel(time=emulator["time"]).load()
    with xr.open_dataset(static) as fields:
        marks = fields[[name for name in _MARKS if name in fields]].load()
    return Run(path.stem, emulator, ecland.assign(marks.data_vars))


def write_run(network: str, path: Path, static: Path, output: Path) -> None:
    """Run a network from the first state of a file to its end, and write the scored series."""
    data = ail.open_data(path, static=static).to_xarray()
    wanted = [name for name in SCORED if variable(name).netcdf_name in data]
    write_dataset(ail.load(network).run(data, wanted, progress=False), output)


def errors(run: Run, points: np.ndarray | None = None, years: bool = False) -> pd.DataFrame:
    """Score a run over all its points and times, or over each year of the run.

    Columns: ``run``, ``variable``, ``year`` (0: all), ``rmse``, ``bias``, ``spread`` (standard deviation of the mean
    error over points), ``correlation``, ``ecland`` (mean of ecLand), ``days``.
    """
    rows = []
    time = run.emulator["time"].values
    of_year = ((time - time[0]) / np.timedelta64(1, "D") // 365.25).astype(int) + 1
    periods = {0: slice(None)} | ({int(y): of_year == y for y in np.unique(of_year)} if years else {})
    for name in run.emulator.data_vars:
        mine, truth = (data[name].values.astype(np.float64) for data in (run.emulator, run.ecland))
        if points is not None:
            mine, truth = mine[:, points], truth[:, points]
        last = -1 if str(name) in ("t2m", "d2m") else None  # ecLand's last value is computed with clamped forcing
        for year, part in periods.items():
            m, t = mine[:last][part if isinstance(part, slice) else part[:last]], truth[:last]
            t = t[part if isinstance(part, slice) else part[:last]]
            error = m - t
            with np.errstate(invalid="ignore", divide="ignore"):
                correlation = np.corrcoef(m.ravel(), t.ravel())[0, 1] if t.std() > 0 and m.std() > 0 else np.nan
            rows.append({
                "run": run.name, "variable": _NAMES[str(name)], "year": year,
                "rmse": float(np.sqrt((error**2).mean())), "bias": float(error.mean()),
                "spread": float(error.mean(axis=0).std()), "correlation": float(correlation),
                "ecland": float(t.mean()), "days": len(t) / 4,
            })  # fmt: skip
    return pd.DataFrame(rows)


def site_errors(run: Run) -> pd.DataFrame:
    """Score the tower set by site and physiography: ``site``, ``own`` (near the site's own, or drawn), ``points``."""
    site, variant = run.ecland["site"].values.astype(str), run.ecland["variant"].values
    parts = []
    for name in np.unique(site):
        for own in (True, False):
            members = np.flatnonzero((site == name) & ((variant == 0) == own))
            parts.append(errors(run, members).assign(site=name, own=own, points=len(members)))
    return pd.concat(parts, ignore_index=True)


def class_errors(run: Run, held_out: Collection[str]) -> pd.DataFrame:
    """Score the drawn physiographies of the tower set by their climate class, apart at sites that are held out.

    Columns beyond those of :func:`errors`: ``group``, ``unseen`` (at the sites ``held_out``, so that no network is
    trained on weather and surface together), ``points``.
    """
    classes = run.ecland["climate_class"].values.astype(int)
    drawn = run.ecland["variant"].values > 0
    away = np.isin(run.ecland["site"].values.astype(str), list(held_out))
    parts = []
    for number, name in enumerate(BIOMES):
        for unseen in (True, False):
            members = np.flatnonzero(drawn & (classes == number) & (away == unseen))
            if len(members):
                parts.append(errors(run, members).assign(group=name, unseen=unseen, points=len(members)))
    return pd.concat(parts, ignore_index=True)
