# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on observed fluxes: ecLand, the emulator and empirical benchmarks against towers in the towers' own weather."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.data.stations.sites import Site
from anemoi_ailand.data.stations.station import LIMITS, Station
from anemoi_ailand.data.stations.station_reader import read_stations
from anemoi_ailand.evaluation.fields.reference import REFERENCE
from anemoi_ailand.evaluation.observations.benchmarks import (
    BENCHMARKS,
    OWN_SITE,
    WEATHER,
    benchmark_series,
    predictors,
)
from anemoi_ailand.evaluation.observations.pair_scores import PER_DAY, moving_anomaly
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.variables import variable
from tools.results.pages import Blocks, made_by, table
from tools.results.real_weather import NEVER_TRAINED, SITES, site_of
from tools.results.steps import Inputs, checksum_of
from tools.results.weather_runs import run_of, series_files, static_of

LOG = logging.getLogger("results")

PART = "observed-towers"
PAGE = "docs/results/observed-towers.md"

#: Folder of the observations within that of the towers; it may be absent.
FOLDER = "observations"

#: Assumed depths of the two probes, which the source does not state [m].
DEPTHS = (0.05, 0.2)

#: Scored fluxes, and soil moisture of the layers of the probes.
FLUXES, SOIL = ("slhf", "sshf"), ("swvl1", "swvl2")

#: Joining of runs, whose places are the same.
_JOIN: dict[str, Any] = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "outer"}

#: Fewest days with values of all models.
FEWEST_DAYS = 60


@dataclass(frozen=True)
class Tower:
    """Series (time,) at the six-hourly stamps of a tower's runs: observations and models by variable, and weather."""

    name: str
    place: tuple[float, float]
    observed: dict[str, np.ndarray]
    models: dict[str, dict[str, np.ndarray]]
    weather: np.ndarray
    times: np.ndarray
    faults: int


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Compare and return the blocks of the page; without observations there is none."""
    assert inputs.towers is not None
    folder = inputs.towers / FOLDER
    if not folder.is_dir():
        LOG.info("%s is skipped: '%s' does not exist", PART, folder)
        return {}
    towers, execution = read_towers(inputs, folder)
    blocks = {f"observed-{name}": flux_table(towers, name) for name in FLUXES}
    blocks["observed-soil"] = soil_table(towers)
    blocks["observed-origin"] = made_by(PART, {DEFAULT: (checksum_of(DEFAULT), execution)})
    return {PAGE: blocks}


def stations_of(folder: Path) -> list[Station]:
    """Read the observations, whose stamps are the ends of records in UTC."""
    sites = {}
    for path in sorted(folder.glob("*.nc")):
        with xr.open_dataset(path) as file:
            place = float(file["latitude"]), float(file["longitude"])
        sites[path.stem.partition("_")[0]] = Site(*place, utc_offset=0.0, soil_depths=DEPTHS, stamp="end")
    return read_stations(folder, sites=sites)


def faults_of(path: Path) -> int:
    """Return the number of half hours with an impossible flux or soil moisture."""
    ranges = {"Qle": LIMITS["slhf"], "Qh": LIMITS["sshf"], "SWC1": LIMITS["swvl"], "SWC2": LIMITS["swvl"]}
    with xr.open_dataset(path) as file:
        signed = {n: -file[n].values if n.startswith("Q") else file[n].values for n in ranges}
    return sum(int(((v < ranges[n][0]) | (v > ranges[n][1])).sum()) for n, v in signed.items())


def read_towers(inputs: Inputs, folder: Path) -> tuple[list[Tower], str]:
    """Return the towers with observations and runs, and the execution of the emulator."""
    assert inputs.towers is not None
    runs = series_files(inputs.towers / "long")
    found, execution = [], ""
    for station in stations_of(folder):
        parts = []
        for path in (p for p in runs if site_of(p.stem) == station.name):
            run = run_of(inputs, DEFAULT, path)
            execution = run.execution
            names = [variable(n).netcdf_name for n in (*FLUXES, *SOIL)]
            data = ail.open_data(path, static=static_of(path))
            forcing = data.to_xarray(variables=list(WEATHER))
            both = {REFERENCE: run.ecland, DEFAULT: run.emulator}
            series = {label: data[names].isel(point=0, drop=True) for label, data in both.items()}
            parts.append((series, forcing.isel(point=0, drop=True).sel(time=run.emulator["time"])))
        if parts:
            found.append(joined(station, parts, faults_of(Path(station.source))))
    return found, execution


def joined(station: Station, parts: Sequence[tuple[dict[str, xr.Dataset], xr.Dataset]], faults: int) -> Tower:
    """Join the runs of a tower on one regular axis."""
    series = {label: xr.concat([s[label] for s, _ in parts], "time", **_JOIN) for label in (REFERENCE, DEFAULT)}
    forcing = xr.concat([f for _, f in parts], "time", **_JOIN)
    stamps = forcing["time"].values
    times = np.arange(stamps.min(), stamps.max() + 1, np.timedelta64(24 // PER_DAY, "h"))
    at = {"time": times}

    def values(data: xr.Dataset, name: str) -> np.ndarray:
        found = data[name].reindex(at).values.astype(np.float64) if name in data else np.full(len(times), np.nan)
        return -found if name in FLUXES else found  # upward positive, as the tables show them

    return Tower(
        station.name, (station.latitude, station.longitude),
        {n: values(station.series, n) for n in (*FLUXES, *SOIL)},
        {label: {n: values(data, n) for n in (*FLUXES, *SOIL)} for label, data in series.items()},
        predictors({n: forcing[n].reindex(at).values.astype(np.float64) for n in WEATHER}), times, faults,
    )  # fmt: skip


def daily(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the means of whole days (day,), NaN for a day with a missing value; a stamp ends its six hours."""
    series = pd.Series(values, index=times - np.timedelta64(1, "h"))
    groups = series.groupby(series.index.floor("D"))
    return groups.mean().where(groups.count() == PER_DAY).to_numpy()


def flux_table(towers: Sequence[Tower], name: str) -> str:
    """Tabulate RMSE and bias of daily means, all models on the same days."""
    empirical = benchmark_series(
        [t.weather for t in towers], [t.observed[name] for t in towers],
        (np.array([t.place[0] for t in towers]), np.array([t.place[1] for t in towers])),
    )  # fmt: skip
    labels = [REFERENCE, DEFAULT, *BENCHMARKS, *(n + OWN_SITE for n in BENCHMARKS)]
    rows = [["tower", "days", "mean", *(f"`{n}`" if n == DEFAULT else n for n in labels)]]
    for tower, fitted in zip(towers, empirical, strict=True):
        seen = daily(tower.observed[name], tower.times)
        series = {REFERENCE: tower.models[REFERENCE][name], DEFAULT: tower.models[DEFAULT][name], **fitted}
        means = {label: daily(values, tower.times) for label, values in series.items()}
        valid = np.logical_and.reduce([np.isfinite(seen), *(np.isfinite(m) for m in means.values())])
        cells = ["-"] * len(labels)
        if valid.sum() >= FEWEST_DAYS:
            errors = [means[label][valid] - seen[valid] if label in means else np.array([np.nan]) for label in labels]
            cells = [f"{np.sqrt((e**2).mean()):.1f} ({e.mean():+.1f})" if np.isfinite(e).all() else "-" for e in errors]
        rows.append([title(tower), str(int(valid.sum())), f"{seen[valid].mean():.1f}", *cells])
    return table(rows)


def soil_table(towers: Sequence[Tower]) -> str:
    """Tabulate the correlation of the anomalies of soil moisture, probes of unknown depth with two layers."""
    labels = (REFERENCE, DEFAULT)
    head = [f"{'`' + n + '`' if n == DEFAULT else n}, {probe} probe" for probe in ("upper", "lower") for n in labels]
    rows = [["tower", "days", *head, "impossible half hours left out"]]
    for tower in towers:
        cells, days = [], []
        for name in SOIL:
            series = [tower.observed[name], *(tower.models[label][name] for label in labels)]
            valid = np.logical_and.reduce([np.isfinite(s) for s in series])
            seen, *models = (moving_anomaly(np.where(valid, s, np.nan), PER_DAY) for s in series)
            days.append(int(np.isfinite(seen).sum()) // PER_DAY)
            cells += [correlation(seen, m) if days[-1] >= FEWEST_DAYS else "-" for m in models]
        rows.append([title(tower), str(max(days)), *cells, str(tower.faults)])
    return table(rows)


def correlation(x: np.ndarray, y: np.ndarray) -> str:
    """Return the correlation of two series, NaN where missing, as text."""
    both = np.isfinite(x) & np.isfinite(y)
    return f"{np.corrcoef(x[both], y[both])[0, 1]:.2f}" if x[both].std() > 0 and y[both].std() > 0 else "-"


def title(tower: Tower) -> str:
    """Return the name of a tower as a row has it; the networks know the weather of most."""
    return SITES[tower.name] + (" (weather not trained on)" if tower.name in NEVER_TRAINED else "")
