# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Novelty of inputs: their distance from the training data of a network, point by point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from anemoi_ailand.data.plausibility.rules import Rule
from anemoi_ailand.data.plausibility.training_data import (
    LEVELS,
    TrainingData,
    compared,
    types_of,
    where_it_matters,
)
from anemoi_ailand.variables import VARIABLES

Places = tuple[np.ndarray, np.ndarray]

#: Share of the range of the training beyond which a value is warned of. Points that no training reads exceed the ranges
#: of the others by up to 0.10 (rain 0.06), observed weather by less.
BEYOND = 0.15

#: Share of the lowest value of the training, of what cannot be negative, below which a value is warned of.
_SHARE_OF_LOWEST = 0.3

#: Share of a range that is not told.
_ROUNDING = 0.005

#: Quantiles that bound rare values, 2 % of the training data.
_RARE = LEVELS.index(0.01), LEVELS.index(0.99)

#: Combinations and variables that are listed.
_LISTED = 4

#: Fields of a map and their meaning.
FIELDS = {
    "beyond": "farthest distance of an input outside the range of the training data, as a share of that range",
    "rare": "share of the inputs outside the central 98 % of their variable in the training data",
    "training_points": "training points with the soil type and the vegetation type of the point",
}


def unseen_rule(name: str, known: TrainingData) -> Rule | None:
    """Return the rule of values beyond those of the training; None of a variable that the record does not have."""
    found = known.range_of(name)
    if found is None or not compared([name]):
        return None
    row, (low, high) = VARIABLES[name], found
    unit, room = "" if row.units == "1" else f" {row.units}", BEYOND * (high - low)
    words = f"'{name}' ({row.long_name}), which was {low:.4g} to {high:.4g}{unit} in the training,"
    positive = low > 0.0 and (row.possible[0] is None or row.possible[0] >= 0.0)  # geopotential is not: the Dead Sea
    lowest = max(low - room, _SHARE_OF_LOWEST * low) if positive else low - room
    limits = float(f"{lowest:.4g}"), float(f"{high + room:.4g}")
    if row.possible[0] is not None:
        limits = max(limits[0], row.possible[0]), limits[1]
    return Rule(
        f"unseen {name}", words, row.units, (name,), lambda x: x, plausible=limits,
        advice="The network has not seen such values: its results there are extrapolated.",
    )  # fmt: skip


def unseen_types(fields: Mapping[str, np.ndarray], known: TrainingData) -> Iterable[tuple[str, int, np.ndarray]]:
    """Yield soil and vegetation types that no training point has: 'soil' or 'vegetation', type, and mask (point,)."""
    pairs = [tuple(map(int, key.split("/"))) for key in known.surfaces]
    soils, kinds = {s for s, _ in pairs}, {k for _, k in pairs}
    of = types_of(fields)
    for what, types, seen in (
        ("soil", [soil for soil, _ in of[:1]], soils),
        ("vegetation", [kind for _, kind in of], kinds | {0}),
    ):
        for kind in sorted({int(k) for values in types for k in np.unique(values)} - seen):
            yield what, kind, np.any([values == kind for values in types], axis=0)


class Novelty:
    """Novelty of the inputs of a run at its points.

    Attributes
    ----------
    beyond : numpy.ndarray, shape (point,)
        Farthest distance of an input outside the range of the training, as a share of that range.
    training_points : numpy.ndarray, shape (point,)
        Number of training points with the soil type and vegetation type of the point, the smaller one of low and high
        vegetation; NaN where types are not known.
    """

    def __init__(self, known: TrainingData, where: Places) -> None:
        self.known, self.where = known, where
        n_points = where[0].size
        self.beyond, self.training_points = np.zeros(n_points), np.full(n_points, np.nan)
        self._rare, self._number = np.zeros(n_points), np.zeros(n_points)
        self._covers: dict[str, np.ndarray] = {}
        self._outside: dict[str, float] = {}
        self._surfaces: dict[str, int] = {}

    @property
    def rare(self) -> np.ndarray:
        """Share of the inputs outside the central 98 % of their variable in the training, shape (point,)."""
        return self._rare / np.maximum(self._number, 1)

    def start(self, fields: Mapping[str, np.ndarray]) -> None:
        """Compare static fields and state (point,)."""
        self._covers = {n: fields[n] for n in ("cvl", "cvh") if n in fields}
        for soil, kind in types_of(fields):
            with_kind = [self.known.points_with(int(s), int(k)) for s, k in zip(soil, kind, strict=True)]
            number = np.where(kind > 0, with_kind, np.nan)
            self.training_points = np.fmin(self.training_points, number)
            for s, k in set(zip(soil[number == 0], kind[number == 0], strict=True)):
                self._surfaces[f"soil type {s} with vegetation {k}"] = int(((soil == s) & (kind == k)).sum())
        self.add(fields)

    def meaningful(self, name: str, fields: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the values of a variable, NaN where they have no meaning at the points of the start."""
        return where_it_matters(name, {**self._covers, **fields})

    def is_at(self, where: Places) -> bool:
        """Return whether these are as many points: single steps may alternate between several sets."""
        return self.where[0].size == where[0].size

    def add(self, fields: Mapping[str, np.ndarray]) -> None:
        """Compare values (point,) or (date, point)."""
        for name in compared(fields):
            if (quantiles := self.known.quantiles.get(name)) is None:
                continue
            values = self.meaningful(name, fields).reshape(-1, self.where[0].size)
            low, high = quantiles[0], quantiles[-1]
            span = (high - low) or max(abs(high), 1.0)
            if np.nanmin(values, initial=low) < low or np.nanmax(values, initial=high) > high:
                outside = np.fmax(np.fmax(low - values, values - high), 0.0) / span
                self.beyond = np.fmax(self.beyond, outside.max(axis=0))
                if (most := float(np.nanmax(outside))) > _ROUNDING:
                    self._outside[name] = max(self._outside.get(name, 0.0), most)
            if len(quantiles) == len(LEVELS):
                rare = (values < quantiles[_RARE[0]]) | (values > quantiles[_RARE[1]])
                self._rare += rare.sum(axis=0)
                self._number += np.isfinite(values).sum(axis=0)

    def __str__(self) -> str:
        n_points, mean = self.beyond.size, self._rare.sum() / max(self._number.sum(), 1)
        text = f"Training data: {self.known.origin}. At {n_points} point{'s' if n_points > 1 else ''}"
        if self._number.any():
            text += f", {mean:.1%} of the inputs are outside their central 98 %"
        outside = sorted(self._outside, key=self._outside.__getitem__, reverse=True)
        if outside:
            listed = ", ".join(f"{n} by {self._outside[n]:.0%}" for n in outside[:_LISTED])
            text += f"; beyond all of them (share of the range): {listed}{_more(outside)}"
        else:
            text += "; none beyond all of them"
        if self._surfaces:
            pairs = sorted(self._surfaces, key=self._surfaces.__getitem__, reverse=True)
            listed = ", ".join(f"{p} ({self._surfaces[p]} points)" for p in pairs[:_LISTED])
            text += f". 0 training points have {listed}{_more(pairs)}"
        return f"{text}."

    def write(self, path: Path) -> Path:
        """Write a map of the novelty as NetCDF, with dimension point."""
        from anemoi_ailand.support.netcdf_writer import add_field, add_points, global_attributes, new_file  # slow

        with new_file(path) as file:
            file.setncatts(global_attributes("Novelty of the inputs of a run", training_data=self.known.origin))
            add_points(file, *self.where)
            for name, words in FIELDS.items():
                field = add_field(file, name, ("point",), {"long_name": words, "units": "1"})
                field[:] = getattr(self, name)
        return path


def _more(listed: list[str]) -> str:
    return f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
