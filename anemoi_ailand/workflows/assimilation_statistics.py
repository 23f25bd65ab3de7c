# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Statistics of an assimilation: departures and their consistency by regime, and water and energy that it added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import torch

from anemoi_ailand.assimilation.consistency import chi_square, desroziers
from anemoi_ailand.assimilation.placed_observations import Status
from anemoi_ailand.constants import (
    MATTER_HEAT_CAPACITY,
    SOIL_LAYER_THICKNESS,
    WATER_DENSITY,
    WATER_HEAT_CAPACITY,
)
from anemoi_ailand.evaluation.display.text import records
from anemoi_ailand.evaluation.scores.strata import SEASONS, latitude_band, season

#: Limits of dry and wet soil, as shares of the range from wilting point to field capacity [1].
_DRY, _WET = 1 / 3, 2 / 3

_MEGA = 1e6


@dataclass
class Windows:
    """Sums over windows, by point: degrees of freedom for signal, precipitation and what factors of it add [kg m-2].

    ``informed`` counts windows with observations, ``rain_of_season`` has net and absolute additions by season.
    """

    number: int
    signal: np.ndarray
    precipitation: np.ndarray
    rain: np.ndarray
    informed: np.ndarray
    rain_of_season: dict[str, np.ndarray]

    @classmethod
    def empty(cls, n_points: int) -> Windows:
        """Return the sums before the first window."""
        signal, precipitation, rain, informed = np.zeros((4, n_points))
        return cls(0, signal, precipitation, rain, informed, {})

    def add(self, start: datetime, signal: np.ndarray, precipitation: np.ndarray, rain: np.ndarray) -> None:
        """Add a window."""
        self.number += 1
        self.signal += signal
        self.precipitation += precipitation
        self.rain += rain
        self.informed += signal > 0
        if rain.any():
            before = self.rain_of_season.get(_season(start), np.zeros(2))
            self.rain_of_season[_season(start)] = before + np.array([rain.mean(), np.abs(rain).mean()])


@dataclass(frozen=True)
class Statistics:
    """Tables by name, and fields (point,) for maps."""

    tables: dict[str, pd.DataFrame]
    maps: pd.DataFrame

    def record(self) -> dict[str, Any]:
        """Return the tables as records of JSON."""
        return {name: records(table) for name, table in self.tables.items()}


def statistics(
    feedback: pd.DataFrame, increments: Sequence[tuple[datetime, Mapping[str, np.ndarray]]], windows: Windows,
    places: tuple[np.ndarray, ...], soil: Mapping[str, np.ndarray],
) -> Statistics:  # fmt: skip
    """Compute all statistics of an assimilation.

    Parameters
    ----------
    feedback : pandas.DataFrame
        One row an observation.
    increments : sequence of datetime and mapping of str to numpy.ndarray, shape (point,)
        Changes that the analyses have made.
    windows : Windows
        Sums over the windows.
    places : tuple of numpy.ndarray, shape (point,)
        Latitudes and longitudes.
    soil : mapping of str to numpy.ndarray, shape (point,)
        ``theta_cap`` and ``theta_sat``.
    """
    added = [(date, *_amounts(fields, soil)) for date, fields in increments]
    tables = {
        "use": feedback.groupby(["variable", "reason"]).size().rename("number").reset_index(),
        "departures": departures(feedback),
        "series": _series(feedback),
        "added": _added(added, windows),
        "budget": _budget(added, windows),
    }
    water = sum((v for _, w, _ in added for v in w.values()), np.zeros(len(places[0])))
    maps = pd.DataFrame(
        {
            "latitude": places[0], "longitude": places[1], "water": np.asarray(water, float) + windows.rain,
            "signal": windows.signal / windows.number,
        }
    )  # fmt: skip
    return Statistics(tables, maps)


def departures(feedback: pd.DataFrame) -> pd.DataFrame:
    """Return means, deviations, chi-square and the diagnostics of Desroziers by variable and group.

    ``chi_square``, ``background_ratio`` and ``observation_ratio`` are 1 where the error statistics are right; the
    ratios are those of variances, estimated over assumed, of observations that were used. What the first-guess check
    refused is left out, so that chi-square is a little below 1 even with the right statistics.
    """
    rows = []
    known = feedback[feedback["status"].isin([Status.USED, Status.PASSIVE]) & feedback["departure"].notna()]
    for variable, of_variable in known.groupby("variable"):
        for cut, labels in _groups(of_variable).items():
            for group, part in of_variable.groupby(labels, sort=False):
                rows.append({"variable": variable, "cut": cut, "group": group, **_of_group(part)})
    columns = ["variable", "cut", "group", *_of_group(feedback.iloc[:0])]
    return pd.DataFrame(rows, columns=columns)


def _groups(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the label of each row by kind of regime."""
    wet, band, months = rows["wetness"].to_numpy(), latitude_band(rows["latitude"].to_numpy()), rows["time"]
    of_year = season(months.to_numpy())
    return {
        "all": np.full(len(rows), "all"),
        "soil": np.select([wet < _DRY, wet < _WET], ["dry", "moist"], "wet"),
        "season": np.array(of_year.groups)[of_year.labels[:, 0]],
        "latitude": np.array(band.groups)[band.labels],
    }


def _of_group(rows: pd.DataFrame) -> dict[str, float]:
    d, rest = (torch.from_numpy(rows[n].to_numpy(float)) for n in ("departure", "residual"))
    b, r = (torch.from_numpy(rows[n].to_numpy(float) ** 2) for n in ("background_error", "error"))
    found = {"number": float(len(rows))}
    if not len(rows):
        nothing = dict.fromkeys(("mean_departure", "std_departure", "mean_residual", "std_residual", "chi_square",
                                 "background_ratio", "observation_ratio"), np.nan)  # fmt: skip
        return found | nothing
    for name, values in (("departure", d), ("residual", rest)):
        found |= {f"mean_{name}": float(values.nanmean()), f"std_{name}": float(np.nanstd(values.numpy()))}
    active = (rows["status"] == Status.USED).to_numpy()
    ratios = desroziers(d[active], rest[active], b[active], r[active]) if active.any() else (np.nan, np.nan)
    return found | {
        "chi_square": chi_square(d, b + r), "background_ratio": ratios[0], "observation_ratio": ratios[1]
    }  # fmt: skip


def _series(feedback: pd.DataFrame) -> pd.DataFrame:
    """Return number, mean and deviation of the departures of each day by variable."""
    known = feedback[feedback["status"].isin([Status.USED, Status.PASSIVE])]
    by_day = known.groupby(["variable", known["stamp"].dt.floor("D").rename("day")])
    table = by_day.agg(
        number=("departure", "size"), mean_departure=("departure", "mean"), std_departure=("departure", "std"),
        mean_residual=("residual", "mean"), std_residual=("residual", "std"),
    )  # fmt: skip
    table = table.reset_index()
    return table.assign(day=table["day"].dt.strftime("%Y-%m-%d") if len(table) else [])


def _season(date: datetime) -> str:
    return SEASONS[date.month % 12 // 3]


def _amounts(
    fields: Mapping[str, np.ndarray], soil: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return water [kg m-2] and heat [J m-2] that increments add, by variable; heat is that of soil at capacity."""
    heat = MATTER_HEAT_CAPACITY * (1.0 - soil["theta_sat"]) + WATER_HEAT_CAPACITY * soil["theta_cap"]
    water: dict[str, np.ndarray] = {}
    energy: dict[str, np.ndarray] = {}
    for name, change in fields.items():
        if name == "sd":
            water[name] = change.astype(float)
        else:
            depth = SOIL_LAYER_THICKNESS[int(name[-1]) - 1]
            kind, factor = (water, WATER_DENSITY) if name.startswith("swvl") else (energy, heat)
            kind[name] = factor * depth * change.astype(float)
    return water, energy


def _added(added: Sequence[tuple[datetime, Mapping, Mapping]], windows: Windows) -> pd.DataFrame:
    """Return what was added by layer and season, the mean of all points: net, and of absolute increments."""
    rows = [
        {"season": _season(date), "variable": name, "unit": unit, "net": float(values.mean()),
         "absolute": float(np.abs(values).mean())}
        for date, *kinds in added
        for unit, scale, fields in (("kg m-2", 1.0, kinds[0]), ("MJ m-2", _MEGA, kinds[1]))
        for name, values in ((n, v / scale) for n, v in fields.items())
    ]  # fmt: skip
    rows += [
        {"season": name, "variable": "precipitation", "unit": "kg m-2", "net": net, "absolute": absolute}
        for name, (net, absolute) in windows.rain_of_season.items()
    ]
    table = pd.DataFrame(rows, columns=["season", "variable", "unit", "net", "absolute"])
    return table.groupby(["variable", "season", "unit"], as_index=False).sum()


def _budget(added: Sequence[tuple[datetime, Mapping, Mapping]], windows: Windows) -> pd.DataFrame:
    """Return the water added in all, its share of the precipitation, and the degrees of freedom for signal."""
    water = sum(float(v.mean()) for _, w, _ in added for v in w.values())
    total, rain, informed = float(windows.precipitation.mean()), float(windows.rain.mean()), windows.informed.sum()
    entries = [
        ("water added to soil and snow [kg m-2]", water),
        ("precipitation added by factors [kg m-2]", rain),
        ("precipitation [kg m-2]", total),
        ("net water added over precipitation [1]", (water + rain) / total if total else np.nan),
        (
            "degrees of freedom for signal of a window with observations [1]",
            float(windows.signal.sum() / informed) if informed else np.nan,
        ),
        ("share of windows and points with observations [1]", float(windows.informed.mean() / windows.number)),
    ]
    return pd.DataFrame(entries, columns=["quantity", "value"])
