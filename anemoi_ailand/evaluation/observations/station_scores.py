# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Three-way comparison at stations: observation, physical model (ecLand) and emulators.

All pairs of one station and variable are scored over the same stamps: those at which the observation, ecLand and every
emulator are valid. Soil moisture is not scored where the temperature of the same layer, modelled by ecLand or observed,
is below :data:`FROZEN_BELOW`, because probes read the lower dielectric constant of ice as a loss of water. Where the
reference has the weather, fluxes are compared with empirical benchmarks as well.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.data.stations.station import SUMS, Station
from anemoi_ailand.evaluation.display.text import records
from anemoi_ailand.evaluation.fields.fields import Fields, span
from anemoi_ailand.evaluation.fields.matching import common_times, common_variables, match_points
from anemoi_ailand.evaluation.fields.reference import REFERENCE
from anemoi_ailand.evaluation.observations.benchmarks import (
    BENCHMARKS,
    FLUXES,
    WEATHER,
    benchmark_series,
    predictors,
)
from anemoi_ailand.evaluation.observations.confidence import LEVEL, REPLICATES, median_interval
from anemoi_ailand.evaluation.observations.pair_scores import (
    ANOMALY_WINDOW_DAYS,
    METRICS,
    MINIMUM_VALUES,
    OK,
    pair_scores,
)
from anemoi_ailand.evaluation.observations.station_match import MAXIMUM_DISTANCE, Match, Skipped, match_stations

LOG = logging.getLogger(__name__)

#: Label of observations.
OBSERVATION = "observation"

#: Soil temperature below which soil moisture is not scored [K], half a degree above freezing.
FROZEN_BELOW = 273.65

#: Limit for the series of the models in memory at once [bytes].
BATCH_BYTES = 2**27

_KEYS = ["variable", "model", "against", "metric"]


@dataclass(frozen=True)
class StationScores:
    """Result of :func:`score_stations`.

    ``table`` has one row a score: station, network, variable, model, against ("observation" or "ecLand"), metric,
    value, low, high, n, n_effective, status. ``summary`` has the median over stations with its interval and quartiles.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    matches: list[Match]
    skipped: list[Skipped]
    settings: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """Return the entry "observations" of ``metrics.json``."""
        return {
            "settings": self.settings,
            "stations": [_described(match) for match in self.matches],
            "skipped": [asdict(skipped) for skipped in self.skipped],
            "summary": records(self.summary, digits=None),
            "scores": records(self.table, digits=None),
        }


def score_stations(
    stations: Sequence[Station],
    reference: Fields,
    forecasts: Mapping[str, Fields] | None = None,
    *,
    seed: int = 0,
) -> StationScores:
    """Compare stations with ecLand and emulators, and the emulators with ecLand at the same stamps.

    The first record of a forecast is the initial state and is not scored. ``seed`` is that of the bootstrap.

    Raises
    ------
    ValueError
        No point is near a station, models and stations share no variable or time, or forecast and reference do not
        match.
    """
    models = {REFERENCE: reference, **(forecasts or {})}
    points = _points(reference, forecasts or {})
    times = _times(reference, forecasts or {})
    index = points[REFERENCE]
    matches, skipped = match_stations(stations, reference.latitude[index], reference.longitude[index])
    matches, apart = _within(matches, times)
    names = _variables(matches, reference, forecasts or {})
    LOG.info("Stations: %d compared, %d skipped; %s; %s", len(matches), len(skipped + apart), names, span(times))
    rows: list[dict[str, Any]] = []
    used = np.unique([m.point for m in matches])
    indices = {label: index[used] for label, index in points.items()}
    benchmarks = _benchmarks(matches, names, reference, times, index)
    for batch in _batches(names, len(times) * len(used) * len(models)):
        data = {label: _load(fields, batch, times, indices[label]) for label, fields in models.items()}
        for k, match in enumerate(matches):
            at = {label: d.isel(point=int(np.searchsorted(used, match.point))) for label, d in data.items()}
            own = {name: benchmarks[name][k] for name in batch if name in benchmarks}
            rows += _station_rows(match.station, batch, at, seed, own)
    table = pd.DataFrame(rows).sort_values(["network", "station"], kind="stable", ignore_index=True)
    settings = {
        "maximum_distance_degrees": MAXIMUM_DISTANCE, "minimum_values": MINIMUM_VALUES, "frozen_below_K": FROZEN_BELOW,
        "anomaly_window_days": ANOMALY_WINDOW_DAYS, "confidence_level": LEVEL, "bootstrap_replicates": REPLICATES,
        "seed": seed, "models": list(models), "period": span(times),
        "benchmarks": list(BENCHMARKS) if benchmarks else [],
    }  # fmt: skip
    return StationScores(table, _summary(table, seed), matches, skipped + apart, settings)


def _points(reference: Fields, forecasts: Mapping[str, Fields]) -> dict[str, np.ndarray]:
    """Indices of the common points by model, in the same order."""
    into = {label: match_points(fields, reference) for label, fields in forecasts.items()}
    common = np.arange(len(reference.latitude))
    for index in into.values():
        common = np.intersect1d(common, index)
    if len(common) == 0:
        raise ValueError(f"The forecasts {list(forecasts)} have no point in common. Run them on the same points.")
    order = {label: np.argsort(index)[np.searchsorted(np.sort(index), common)] for label, index in into.items()}
    return {REFERENCE: common, **order}


def _times(reference: Fields, forecasts: Mapping[str, Fields]) -> np.ndarray:
    """Common times of all models after their initial dates."""
    times = reference.times
    for fields in forecasts.values():
        times = np.intersect1d(times, common_times(fields, reference))
    if len(times) == 0:
        spans = {label: span(fields.times) for label, fields in forecasts.items()}
        raise ValueError(f"The forecasts have no date in common: {spans}. Compare runs of the same period.")
    return times


def _within(matches: list[Match], times: np.ndarray) -> tuple[list[Match], list[Skipped]]:
    inside, apart = [], []
    for match in matches:
        at = match.station.series["time"].values
        if np.isin(at, times).any():
            inside.append(match)
            continue
        reason = f"its observations ({span(at)}) and the models ({span(times)}) have no stamp in common"
        LOG.warning("Station %s (%s) is skipped: %s", match.station.name, match.station.network, reason)
        apart.append(Skipped(match.station.name, match.station.network, reason))
    if not inside:
        raise ValueError(
            f"Models and stations share no time: {apart[0].name}: {apart[0].reason}. Give stations with data in the "
            "period of the run, or run the model over theirs."
        )
    return inside, apart


def _variables(matches: list[Match], reference: Fields, forecasts: Mapping[str, Fields]) -> list[str]:
    held = set(common_variables(reference, reference))
    for fields in forecasts.values():
        held &= set(common_variables(fields, reference))
    held |= {name for name, parts in SUMS.items() if held.issuperset(parts)}
    observed = sorted({name for m in matches for name in m.station.variables})
    names = [name for name in observed if name in held]
    if not names:
        raise ValueError(
            f"Stations and models share no variable: the stations have {observed}, all models {sorted(held)}. "
            "Give stations that measure what the models predict."
        )
    if gone := [name for name in observed if name not in held]:
        LOG.warning("Observed, but missing in some model: %s", gone)
    if cold := [n for n in names if n.startswith("swvl") and f"stl{n[-1]}" not in reference.units]:
        LOG.warning("Frozen ground follows from observations only: the reference has no temperature for %s", cold)
    return names


def _batches(names: list[str], values: int) -> Iterator[list[str]]:
    size = max(1, BATCH_BYTES // (8 * values))
    for first in range(0, len(names), size):
        yield names[first : first + size]


def _load(fields: Fields, names: list[str], times: np.ndarray, points: np.ndarray) -> xr.Dataset:
    """Variables (time, point), with the temperature of the layers of soil moisture."""
    parts = [part for name in names for part in SUMS.get(name, (name,))]
    parts += [f"stl{n[-1]}" for n in names if n.startswith("swvl") and f"stl{n[-1]}" in fields.units]
    data = fields.load(list(dict.fromkeys(parts)), times[0], times[-1], points).sel(time=times)
    return data.assign({n: sum(data[p] for p in SUMS[n]) for n in names if n in SUMS})


def _benchmarks(
    matches: list[Match], names: list[str], reference: Fields, times: np.ndarray, index: np.ndarray
) -> dict[str, list[dict[str, np.ndarray]]]:
    """Return the benchmarks of fluxes by variable and station, at regular times; none without the weather."""
    fluxes = [n for n in names if n in FLUXES]
    if missing := [n for n in WEATHER if n not in reference.units]:
        LOG.info("No benchmarks: '%s' has no %s", reference.path, missing)
        return {}
    if not fluxes:
        return {}
    used = np.unique([m.point for m in matches])
    data, regular = _load(reference, list(WEATHER), times, index[used]), _regular(times)
    weather = [predictors({n: _values(data[n].isel(point=k), regular) for n in WEATHER}) for k in range(len(used))]
    of_station = [weather[int(np.searchsorted(used, m.point))] for m in matches]
    places = np.array([m.station.latitude for m in matches]), np.array([m.station.longitude for m in matches])
    nothing = np.full(len(regular), np.nan)
    out = {}
    for name in fluxes:
        series = [m.station.series for m in matches]
        seen = [_values(s[name], regular) if name in s else nothing for s in series]
        out[name] = benchmark_series(of_station, seen, places)
    return out


def _station_rows(
    station: Station,
    names: list[str],
    models: dict[str, xr.Dataset],
    seed: int,
    benchmarks: Mapping[str, Mapping[str, np.ndarray]],
) -> Iterator[dict[str, Any]]:
    times = _regular(models[REFERENCE]["time"].values)
    for name in (n for n in names if n in station.series):
        series = {label: _values(data[name], times) for label, data in models.items()}
        series[OBSERVATION] = _values(station.series[name], times)
        sample = np.logical_and.reduce([np.isfinite(s) for s in series.values()])
        if name.startswith("swvl"):
            sample &= ~frozen(name, station.series, models[REFERENCE], times)
        empirical = benchmarks.get(name, {})
        series = {label: np.where(sample, s, np.nan) for label, s in {**series, **empirical}.items()}
        rng = np.random.default_rng([seed, zlib.crc32(f"{station.network}/{station.name}/{name}".encode())])
        pairs = [(m, OBSERVATION) for m in (*models, *empirical)] + [(m, REFERENCE) for m in models if m != REFERENCE]
        for model, against in pairs:
            for score in pair_scores(series[model], series[against], rng):
                keys = {"station": station.name, "network": station.network, "variable": name}
                yield {**keys, "model": model, "against": against, **asdict(score)}


def frozen(name: str, observed: xr.Dataset, modelled: xr.Dataset, times: np.ndarray) -> np.ndarray:
    """Return where the layer of ``name`` is colder than :data:`FROZEN_BELOW`, observed or modelled, ``(time,)``.

    Missing temperatures are ignored.
    """
    temperature = f"stl{name[-1]}"
    cold = np.zeros(len(times), dtype=bool)
    for source in (observed, modelled):
        if temperature in source:
            cold |= _values(source[temperature], times) < FROZEN_BELOW  # False for NaN
    return cold


def _regular(times: np.ndarray) -> np.ndarray:
    step = np.diff(times).min() if len(times) > 1 else np.timedelta64(1, "ns")
    return np.arange(times[0], times[-1] + step, step)


def _values(series: xr.DataArray, times: np.ndarray) -> np.ndarray:
    return series.reindex(time=times).values.astype(np.float64)


def _summary(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for keys, group in table.groupby(_KEYS, sort=False):
        values = group.loc[group["status"] == OK, "value"].dropna().to_numpy()
        low, high = median_interval(values, rng)
        median, q25, q75 = np.quantile(values, [0.5, 0.25, 0.75]) if len(values) else [np.nan] * 3
        row = {"median": median, "low": low, "high": high, "q25": q25, "q75": q75, "stations": len(values)}
        rows.append({**dict(zip(_KEYS, keys, strict=True)), **row})
    summary = pd.DataFrame(rows)
    order = {metric: i for i, metric in enumerate(METRICS)}
    return summary.sort_values(_KEYS, key=lambda c: c.map(order) if c.name == "metric" else c, ignore_index=True)


def _described(match: Match) -> dict[str, Any]:
    station = match.station
    return {
        "name": station.name, "network": station.network, "latitude": station.latitude,
        "longitude": station.longitude, "elevation": station.elevation if np.isfinite(station.elevation) else None,
        "distance_degrees": match.distance, "variables": station.variables,
        "depths": {n: [list(d) for d in depths] for n, depths in station.depths.items()},
        "notes": list(station.notes), "source": station.source,
    }  # fmt: skip
