# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Made-up results: an evaluation in the form of metrics.json, and the years of a long run.

The evaluation has two forecasts, two baselines, six variables, five leads and strata. The first forecast drifts in the
deep soil and loses to climatology there; the second is a little worse near the surface. One group of points is empty.
"""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

#: Error after a day, growth exponent, error of climatology, of persistence after 90 days, bias.
VARIABLES = {
    "swvl1": (0.010, 0.15, 0.035, 0.050, 0.001),
    "swvl4": (0.0005, 0.95, 0.018, 0.020, 0.008),
    "stl1": (0.80, 0.12, 2.60, 14.0, 0.20),
    "snowc": (0.015, 0.30, 0.120, 0.300, -0.004),
    "2t": (0.40, 0.02, 2.90, 12.0, -0.05),
    "slhf": (6.0, 0.10, 28.0, 60.0, 0.60),
}
LEADS = (1.0, 7.0, 30.0, 60.0, 90.0)
#: How much larger the error is in each group of each strata than over all; None is an empty group.
STRATA: dict[str, dict[str, float | None]] = {
    "all": {"all": 1.0},
    "points": {"held_out": 1.15, "trained": 0.97},
    "season": {"DJF": 1.2, "MAM": 1.1, "JJA": 0.8, "SON": 0.9},
    "daytime": {"day": 1.1, "night": 0.9},
    "biome": {"boreal": 1.5, "desert": 0.6, "rainforest": 0.7, "glacier": None},
    "snow_regime": {"snow": 2.1, "snow-free": 0.6},
    "year": {"year 1": 0.9, "year 2": 1.1},
}
HORIZON = {"swvl4": 46.0}
NUMBERS = {"all": 408, "held_out": 84, "trained": 324}


def metrics(labels: tuple[str, ...] = ("emulator", "older")) -> dict[str, Any]:
    """The content of a made-up metrics.json."""
    return {
        "schema": "anemoi-ailand/evaluation/1",
        "version": "0.2.0",
        "created": "2026-01-31T12:00",
        "command": "anemoi-ailand evaluate configs/evaluation/reference.yaml",
        "inputs": {
            "reference": {"path": "reference.zarr", "first": "2018-01-01T06:00", "last": "2022-12-31T18:00"},
            "forecasts": {n: {"checkpoint": f"runs/{n}.ckpt", "checkpoint_sha256": "ab12" * 16} for n in labels},
        },
        "climatology": {"first": "2018-01-01T06:00", "last": "2020-12-31T18:00", "window_days": 3},
        "points": NUMBERS,
        "protocols": {
            "A": {"starts": 138, "first": "2022-01-01T06:00", "last": "2022-10-02T06:00"},
            "B": {"starts": 1, "first": "2021-01-01T06:00", "last": "2022-12-31T18:00"},
        },
        "scores": _scores(labels),
        "differences": _differences(labels),
        "budgets": _budgets(labels),
        "observations": _observations(labels),
        "snow_season": _snow(labels),
    }


def table(part: str, labels: tuple[str, ...] = ("emulator", "older")) -> pd.DataFrame:
    """One of the lists of records as a table."""
    return pd.DataFrame(metrics(labels)[part])


def _rmse(name: str, model: str, lead: float, labels: tuple[str, ...]) -> float:
    first, growth, climatology, persistence, _ = VARIABLES[name]
    if model == "climatology":
        return climatology
    if model == "persistence":
        return persistence * (lead / 90.0) ** 0.5
    return first * lead**growth * (1.0 + 0.08 * labels.index(model))


def _scores(labels: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = []
    models = (*labels, "persistence", "climatology")
    groups = [(cut, group, factor) for cut, members in STRATA.items() for group, factor in members.items()]
    for name, model, (cut, group, factor) in itertools.product(VARIABLES, models, groups):
        key = {"variable": name, "model": model, "cut": cut, "group": group}
        for protocol, leads in {"A": LEADS, "B": (15.0, 345.0, np.nan)}.items():
            for lead in leads:
                rows += [
                    {**key, "protocol": protocol, "lead": lead, **row}
                    for row in _of_one(name, model, lead, factor, labels)
                ]
        horizon = (HORIZON.get(name, LEADS[-1]), float(name in HORIZON)) if factor else (np.nan, np.nan)
        whole = {**key, "lead": np.nan, "n": 1000 if factor else 0}
        if model != "climatology":
            for metric, value in zip(("skill_horizon", "skill_horizon_reached"), horizon, strict=True):
                rows.append({**whole, "protocol": "A", "metric": metric, "value": value})
        if cut == "all" and model in labels:
            rows.append({**whole, "protocol": "B", "metric": "drift_per_year", "value": VARIABLES[name][4] / 3})
        if group == "held_out" and model in labels:
            biases = {"bias_spread": 2.0, "bias_most": 3.0, "last_year_bias": -1.5, "last_year_bias_most": 4.0}
            rows += [
                {**whole, "protocol": "B", "metric": m, "value": k * VARIABLES[name][4]} for m, k in biases.items()
            ]
    hits = {"swvl1": {"driest": 0.81, "wettest": 0.62}, "stl1": {"hottest": 0.7, "coldest": 0.9}}
    for model, (name, by_group) in itertools.product(models, hits.items()):
        for group, rate in by_group.items():
            key = {"protocol": "A", "model": model, "variable": name, "cut": "extreme", "group": group, "n": 5000}
            values = {"hit_rate": rate if model in labels else 0.2, "bias": VARIABLES[name][4] * 3}
            rows += [{**key, "lead": 30.0, "metric": metric, "value": value} for metric, value in values.items()]
    return rows


def _of_one(name: str, model: str, lead: float, factor: float | None, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    if factor is None:
        return [{"metric": m, "value": np.nan, "n": 0} for m in ("rmse", "bias", "acc")]
    rmse = _rmse(name, model, 400.0 if np.isnan(lead) else lead, labels) * factor
    ratio = rmse / VARIABLES[name][2]
    values = {
        "rmse": rmse, "rmse_q25": 0.6 * rmse, "rmse_q75": 1.2 * rmse, "bias": VARIABLES[name][4] * (model in labels),
        "correlation": 1.0 / (1.0 + 0.1 * ratio**2), "acc": 1.0 / (1.0 + ratio**2),
    }  # fmt: skip
    if model == "climatology":
        values["acc"] = np.nan
    return [{"metric": m, "value": v, "n": 10000} for m, v in values.items()]


def _differences(labels: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = []
    for k, (name, lead) in enumerate(itertools.product(VARIABLES, LEADS)):
        a, b = _rmse(name, labels[0], lead, labels), _rmse(name, labels[1], lead, labels)
        a *= 1.0 + 0.3 * np.sin(k)
        width = 0.12 * b
        rows.append(
            {"protocol": "A", "a": labels[0], "b": labels[1], "variable": name, "cut": "all", "group": "all",
             "lead": lead, "metric": "rmse", "a_value": a, "b_value": b, "difference": a - b, "low": a - b - width,
             "high": a - b + width, "significant": bool(abs(a - b) > width)}
        )  # fmt: skip
    return rows


def _budgets(labels: tuple[str, ...]) -> dict[str, Any]:
    terms = {"precipitation": 812.0, "evaporation": 468.0, "surface_runoff": 101.0, "subsurface_runoff": 250.0,
             "storage_change": -7.0, "residual": 0.02}  # fmt: skip
    changes = {"evaporation": 474.0, "surface_runoff": 80.0}
    rows = []
    for k, model in enumerate(("ecLand", *labels)):
        own = {**terms, **changes, "residual": 21.5 / k} if k else terms
        for (term, value), year in itertools.product(own.items(), (2022.0, np.nan)):
            rows.append(
                {"model": model, "budget": "water", "steps": "all", "group": "no_lake_or_urban", "year": year,
                 "term": term, "value": value, "units": "mm year-1" if np.isnan(year) else "mm", "n": 300}
            )  # fmt: skip
    energy = {"closure": "incomplete", "meaning": "no residual", "missing": ["ssr", "str"], "omitted": []}
    closed = {"closure": "closed", "meaning": "all terms are there", "missing": [], "omitted": []}
    return {"closure": {m: {"water": closed, "energy": energy} for m in ("ecLand", *labels)}, "terms": rows}


def _observations(labels: tuple[str, ...]) -> dict[str, Any]:
    pairs = [("ecLand", "observation"), *((m, "observation") for m in labels), *((m, "ecLand") for m in labels)]
    rows = []
    for k, (model, against) in enumerate(pairs):
        for metric, value in {"ubrmse": 0.052 + 0.004 * k, "anomaly_correlation": 0.61 - 0.03 * k}.items():
            rows.append(
                {"variable": "swvl1", "model": model, "against": against, "metric": metric, "median": value,
                 "low": value - 0.02, "high": value + 0.02, "q25": value - 0.05, "q75": value + 0.05, "stations": 3}
            )  # fmt: skip
    return {"settings": {}, "stations": [], "skipped": [], "summary": rows, "scores": []}


def _snow(labels: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = []
    for k, (model, group, year) in enumerate(itertools.product(labels, ("all", "held_out"), (2021.0, np.nan))):
        days = {"onset_bias": 0.6 + k / 9, "onset_mae": 3.1, "melt_out_bias": -6.3 + k / 9, "melt_out_mae": 8.2}
        for metric, value in {"hits": 230.0, "misses": 10.0, "false_alarms": 4.0, **days}.items():
            row = {"model": model, "group": group, "snow_year": year, "metric": metric, "value": value, "n": 240}
            rows.append({**row, "units": "day" if metric in days else "1"})
    return rows


def points(count: int = 120, name: str = "swvl1", seed: int = 0) -> xr.DataArray:
    """Values at made-up places of one date."""
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(-50, 75, count), rng.uniform(-180, 180, count)
    values = 0.25 + 0.1 * np.sin(np.radians(3 * lat)) + 0.02 * rng.standard_normal(count)
    coords = {"latitude": ("point", lat), "longitude": ("point", lon), "time": np.datetime64("2022-07-01", "ns")}
    return xr.DataArray(values, dims="point", name=name, coords=coords)


LEVEL = {"swvl1": 0.3, "swvl2": 0.25, "swvl3": 0.2, "swvl4": 0.15, "stl1": 285.0, "stl2": 284.0, "stl3": 283.0,
         "stl4": 282.0, "sd": 0.0, "src": 0.1}  # fmt: skip
N_POINTS, CYCLE, STEPS = 4, 2, 1460

#: Contribution of the years of the forcing, the same in every cycle.
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
