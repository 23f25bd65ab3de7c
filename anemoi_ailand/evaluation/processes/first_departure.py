# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""First departure of a long run from the reference at its worst points: variable, day, and the process that errs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS, TRIPLE_POINT, WATER_DENSITY

#: State variables that may depart.
WATER, HEAT, SNOW = ("swvl1", "swvl2", "swvl3", "swvl4"), ("stl1", "stl2", "stl3", "stl4"), ("sd", "rsn", "asn")
STATE = (*SNOW, *WATER, *HEAT)

#: Fluxes of water out of the land that tell which process errs, and its name.
FLUXES = {"evap": "evaporation", "sro": "surface runoff", "ssro": "drainage"}

#: Variables ``(day, point)`` that are needed, daily means.
NEEDED = (*STATE, "tsn", *FLUXES)

#: Share of the points with the largest errors that do not count in the usual error of a variable [1].
WORST_SHARE = 0.1

#: Daily error, in usual errors, from which a variable has departed, and number of days for which it must stay so.
FAR, LASTING = 5.0, 10

#: Days before a departure over which fluxes are compared.
BEFORE = 30

#: Snow mass from which there is snow [kg m-2], and distances from 273.16 K at which snow melts and soil freezes [K].
_SNOW, _MELTING, _FREEZING = 1.0, 0.5, 1.0

_DAY_SECONDS = 86400.0

Daily = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Departure:
    """First departure at a point.

    Attributes
    ----------
    point : int
        Index of the point.
    worst : str
        Variable with the largest RMSE of the whole run in usual errors, and ``ratio``, that RMSE [usual errors].
    variable, day : str, int
        Variable that departs first, and index of the first day of its departure; both None without any.
    process : str
        Process that errs then.
    """

    point: int
    worst: str
    ratio: float
    variable: str | None
    day: int | None
    process: str


def point_errors(emulator: Daily, reference: Daily) -> dict[str, np.ndarray]:
    """Return the RMSE of the state at each point by variable ``(point,)``, of daily means ``(day, point)``.

    Density and albedo count where both have snow: without it they have no meaning.
    """
    errors = {}
    for name in STATE:
        square, counts = np.square(emulator[name] - reference[name]), np.ones(emulator[name].shape, bool)
        if name in ("rsn", "asn"):
            counts = (emulator["sd"] > _SNOW) & (reference["sd"] > _SNOW)
        total = np.where(counts, square, 0.0).sum(0)
        errors[name] = np.sqrt(total / np.maximum(counts.sum(0), 1))
    return errors


def usual_error(errors: np.ndarray) -> float:
    """Return the root mean square of errors of points ``(point,)`` with one, less those of the worst.

    >>> usual_error(np.array([0.0] * 5 + [1.0] * 19 + [50.0]))
    1.0
    """
    some = np.sort(errors[errors > 0.0])
    kept = some[: some.size - int(np.ceil(WORST_SHARE * some.size))] if some.size > 1 else some
    return float(np.sqrt(np.mean(np.square(kept)))) if kept.size else np.inf


def first_departures(emulator: Daily, reference: Daily, number: int) -> list[Departure]:
    """Find the points with the largest errors of a run, the worst first, and when and in what each departs first.

    A variable departs on the first day from which its error exceeds :data:`FAR` usual errors for :data:`LASTING` days;
    the usual error is the RMSE over all points but the worst (:func:`usual_error`).

    Parameters
    ----------
    emulator, reference : mapping of name to array
        Daily means of :data:`NEEDED`, in the units of the table, from the same initial state, ``(day, point)``.
    number : int
        Number of points.
    """
    errors = point_errors(emulator, reference)
    usual = {name: usual_error(errors[name]) for name in STATE}
    # snow density and albedo have no part in the choice: they matter by what they do to mass and soil
    judged = [name for name in STATE if name not in ("rsn", "asn")]
    ratios = np.stack([errors[name] / usual[name] for name in judged])
    found = []
    for point in np.argsort(-ratios.max(0), kind="stable")[:number].tolist():
        worst = int(ratios[:, point].argmax())
        mine, truth = ({name: data[name][:, point] for name in NEEDED} for data in (emulator, reference))
        days = {name: day for name in STATE if (day := _departed(name, mine, truth, usual[name])) is not None}
        first = min(days, key=days.__getitem__) if days else None
        day = None if first is None else days[first]
        process = "-" if first is None or day is None else process_of(first, day, mine, truth)
        found.append(Departure(point, judged[worst], float(ratios[worst, point]), first, day, process))
    return found


def _departed(name: str, mine: Daily, truth: Daily, usual: float) -> int | None:
    """Return the first day of a lasting departure of a variable at a point, if there is one."""
    far = np.abs(mine[name] - truth[name]) > FAR * usual
    if name in ("rsn", "asn"):
        far &= (mine["sd"] > _SNOW) & (truth["sd"] > _SNOW)
    if far.size < LASTING:
        return None
    lasting = np.flatnonzero(np.lib.stride_tricks.sliding_window_view(far, LASTING).all(-1))
    return int(lasting[0]) if lasting.size else None


def process_of(name: str, day: int, mine: Daily, truth: Daily) -> str:
    """Name the process that errs at a departure, from the state and the fluxes of the days before, at one point.

    Soil water departs by the flux out of the land whose sum over :data:`BEFORE` days errs most, or by exchange between
    the layers where all of them err by less than half of the error of the layer; snow by what it does in the reference;
    soil temperature by what lies on it.
    """
    snow = truth["sd"][day] > _SNOW
    melts = snow and truth["tsn"][day] > TRIPLE_POINT - _MELTING
    if name in SNOW:
        return "melting snow" if melts else "cold snow"
    if name in HEAT:
        kind = "under snow" if snow else "freezing or thawing" if _freezes(name, day, mine, truth) else "bare ground"
        return f"heat, {kind}"
    error = mine[name][day] - truth[name][day]
    amount = abs(error) * WATER_DENSITY * SOIL_LAYER_THICKNESS[WATER.index(name)]
    days = slice(max(day - BEFORE, 0), day + LASTING)
    sums = {title: _DAY_SECONDS * float((mine[n] - truth[n])[days].sum()) for n, title in FLUXES.items()}
    title = max(sums, key=lambda key: -np.sign(error) * sums[key])
    told = -np.sign(error) * sums[title]
    ground = ", melting snow" if melts else ", frozen ground" if truth["stl1"][day] < TRIPLE_POINT else ""
    if told < 0.5 * amount:
        return f"exchange between layers{ground}"
    return f"{title} ({sums[title]:+.0f} mm){ground}"


def _freezes(name: str, day: int, mine: Daily, truth: Daily) -> bool:
    """Return whether a layer is near 273.16 K in one of both."""
    return any(abs(data[name][day] - TRIPLE_POINT) < _FREEZING for data in (mine, truth))
