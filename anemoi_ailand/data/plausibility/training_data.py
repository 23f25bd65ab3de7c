# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Record of the data that a network was trained on: ranges, density and scale of its inputs, soil with vegetation."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.variables import VARIABLES, Role

#: Version of the layout of a record, its key in the metadata of a checkpoint, and the end of its name next to one.
SCHEMA, KEY, SUFFIX = "anemoi-ailand/training-data/1", "training_data", ".training-data.json"

#: Probabilities of the quantiles that are kept of a variable; the first and last are its range.
LEVELS = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)

#: Probabilities of the quantiles of the mean magnitude at a point in a window of eight days.
SIZE_LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

#: Dates of such a window.
WINDOW = 32

#: Variable without which another one has any value, by the beginning or end of its name.
_ONLY_WITH = {"rsn": "sd", "tsn": "sd", "asn": "sd", "dl": "cl", "_lv": "cvl", "_hv": "cvh"}

#: Cover from which a vegetation type counts [1].
_COVERED = 0.05

_DIGITS = 5


@dataclass(frozen=True)
class TrainingData:
    """Inputs of a network in its training.

    Attributes
    ----------
    origin : str
        Datasets, periods and numbers of points.
    quantiles : mapping
        Values at :data:`LEVELS` by variable, in the units of the table; of the range alone, two.
    sizes : mapping
        Quantiles at :data:`SIZE_LEVELS` of the mean magnitude where it is not zero, at a point over eight days.
    surfaces : mapping
        Number of points with a soil type and a vegetation type (low or high) that covers some of them, as ``"5/7"``.
    """

    origin: str
    quantiles: Mapping[str, tuple[float, ...]]
    sizes: Mapping[str, tuple[float, ...]]
    surfaces: Mapping[str, int]

    def range_of(self, name: str) -> tuple[float, float] | None:
        """Return the lowest and highest value of a variable; None if it is not in the record."""
        found = self.quantiles.get(name)
        return None if found is None else (found[0], found[-1])

    def points_with(self, soil: int, vegetation: int) -> int:
        """Return the number of training points with a soil type and a vegetation type."""
        return self.surfaces.get(f"{soil}/{vegetation}", 0)

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON."""
        return {"schema": SCHEMA, **asdict(self)}


def from_json(content: Mapping[str, Any], where: str | Path) -> TrainingData:
    """Read a record.

    Raises
    ------
    ValueError
        Another layout.
    """
    try:
        if content["schema"] != SCHEMA:
            raise ValueError(f"its schema is {content['schema']!r}, expected {SCHEMA!r}")
        quantiles, sizes = (
            {n: tuple(map(float, v)) for n, v in content[key].items()} for key in ("quantiles", "sizes")
        )
        surfaces = {k: int(n) for k, n in content["surfaces"].items()}
        return TrainingData(str(content["origin"]), quantiles, sizes, surfaces)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"'{where}' has no record of training data ({error!r}). Remove it, or make it again with "
            "tools/record_training_data.py."
        ) from error


def record_path(checkpoint: Path) -> Path:
    """Return the file next to a checkpoint that holds the record, if its metadata do not."""
    return checkpoint.with_name(checkpoint.stem + SUFFIX)


def write_record(path: Path, known: TrainingData) -> Path:
    """Write a record as JSON, one variable on a line."""
    text = re.sub(r"\[[^]]*\]", lambda inner: re.sub(r"\s+", " ", inner[0]), json.dumps(known.as_json(), indent=1))
    with complete_file(path) as partial:
        partial.write_text(f"{text}\n", encoding="utf-8")
    return path


def compared(names: Iterable[str]) -> list[str]:
    """Return those variables whose values a record has: not types, marks, sun and calendar, nor diagnostics."""
    rows = (VARIABLES[n] for n in names if n in VARIABLES)
    return [r.name for r in rows if r.role in (Role.PROGNOSTIC, Role.FORCING, Role.STATIC) and not r.computed]


def where_it_matters(name: str, fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the values of a variable, NaN where they have no meaning, such as the density of no snow."""
    values = np.asarray(fields[name])
    known = [other for mark, other in _ONLY_WITH.items() if name == mark or (mark[0] == "_" and name.endswith(mark))]
    if not known or known[0] not in fields:
        return values
    return np.where(np.asarray(fields[known[0]]) > 1.0e-3, values, np.nan)


def sizes_at_points(values: np.ndarray) -> np.ndarray:
    """Return the mean magnitude of values that are not zero (date, point) -> (point,), NaN where there is none."""
    size = np.abs(values)
    wet = size > 0.0  # false of NaN
    number = wet.sum(axis=0)
    return np.where(number > 0, np.where(wet, size, 0.0).sum(axis=0) / np.maximum(number, 1), np.nan)


def types_of(fields: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return soil and vegetation type of each point (point,), of low and of high vegetation; type 0 is none."""
    if "slt" not in fields:
        return []
    found = []
    for kind, cover in (("tvl", "cvl"), ("tvh", "cvh")):
        if kind in fields and cover in fields:
            present = np.where(np.asarray(fields[cover]) > _COVERED, np.nan_to_num(fields[kind]), 0)
            found.append((np.nan_to_num(fields["slt"]).astype(int), present.astype(int)))
    return found


class Collection:
    """Collector of a :class:`TrainingData` from datasets, window by window."""

    def __init__(self) -> None:
        self._values: dict[str, list[np.ndarray]] = {}
        self._sizes: dict[str, list[np.ndarray]] = {}
        self._ranges: dict[str, tuple[float, float]] = {}
        self._surfaces: Counter[str] = Counter()
        self._origins: list[str] = []

    def begin(self, origin: str, fields: Mapping[str, np.ndarray]) -> None:
        """Begin a dataset, and count the soils and vegetation of its points (point,)."""
        self._origins.append(origin)
        for soil, kind in types_of(fields):
            self._surfaces.update(f"{s}/{k}" for s, k in zip(soil, kind, strict=True) if k > 0)

    def widen(self, name: str, low: float, high: float) -> None:
        """Include values in the range of a variable that are not added."""
        before = self._ranges.get(name, (np.inf, -np.inf))
        self._ranges[name] = min(before[0], low), max(before[1], high)

    def add(self, fields: Mapping[str, np.ndarray], every: int = 1) -> None:
        """Add the fields (date, point) of consecutive dates; of the values, one in ``every`` is kept."""
        for name in compared(fields):
            values = where_it_matters(name, fields)
            finite = values[np.isfinite(values)]
            if finite.size:
                self.widen(name, float(finite.min()), float(finite.max()))
                self._values.setdefault(name, []).append(finite[::every])
                sizes = sizes_at_points(values)
                self._sizes.setdefault(name, []).append(sizes[np.isfinite(sizes)])

    def result(self) -> TrainingData:
        """Return the record of everything added."""
        quantiles: dict[str, tuple[float, ...]] = {}
        sizes: dict[str, tuple[float, ...]] = {}
        for name, parts in self._values.items():
            low, high = self._ranges[name]
            quantiles[name] = _rounded([low, *np.quantile(np.concatenate(parts), LEVELS[1:-1]), high])
            if (some := np.concatenate(self._sizes[name])).size:
                sizes[name] = _rounded(np.quantile(some, SIZE_LEVELS))
        return TrainingData("; ".join(self._origins), quantiles, sizes, dict(sorted(self._surfaces.items())))


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(f"{x:.{_DIGITS}g}") for x in values)
