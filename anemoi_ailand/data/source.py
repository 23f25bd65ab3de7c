# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Dataset source ``ecland``: Anemoi fields from files of land data.

In a recipe::

    input:
      ecland:
        path: $AILAND_SAMPLE          # folder, file, list, glob, {date:strftime(%Y)}; $VAR, not ${VAR}
        static: null                  # file of the constant fields, unless it accompanies the others
        layout: auto                  # reference, native, land, grib; stations: observations, with gaps
        variables: all                # names of the table; all: those of the files, sun and calendar, labels of points
        drop: []                      # names to leave out
        hourly_rain: false            # whether `all` has the rain of each hour of the step, which no training needs
        held_out: {every: 5}          # points never trained on; see :func:`anemoi_ailand.data.selection.held_out`
        order: {seed: 1}              # fair order of points, held-out ones last; null keeps the order of the files
        points: {land: true}          # selection; see :func:`anemoi_ailand.data.selection.select`
        plausibility: error           # treatment of impossible values: error, warn, off
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from anemoi.datasets.create.source import Source

from anemoi_ailand.data import selection, sun
from anemoi_ailand.data.fields import LandFields
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.plausibility.checker import Checker, check_period
from anemoi_ailand.data.reader import MARKS, Reader, check_request
from anemoi_ailand.variables import HOURLY_RAIN, VARIABLES, variable

LOG = logging.getLogger(__name__)

#: Rules with a warning so far.
_WARNED: set[str] = set()


class EcLandSource(Source):
    """Anemoi source of land data. The docstring of the module lists the options, which are checked before reading."""

    emoji = "🌱"

    def __init__(
        self,
        context: Any,
        path: str | list[str],
        static: str | list[str] | None = None,
        layout: str = "auto",
        variables: str | list[str] = "all",
        drop: Sequence[str] = (),
        hourly_rain: bool = False,
        held_out: dict[str, Any] | None = None,
        order: dict[str, int] | None = None,
        points: dict[str, Any] | None = None,
        plausibility: str = "error",
        **options: Any,
    ) -> None:
        super().__init__(context)
        self._checker = Checker(plausibility)
        self.reader = _open(_key(path), _key(static), layout, _key(options))
        self.held_out = selection.held_out(self.reader.point_id, held_out, getattr(self.reader, "label", None))
        self.points = selection.select(self.reader, points, self.held_out, order)
        # a dataset can store labels of its points as variables only
        self.marks = {"point_id": self.reader.point_id, "held_out": self.held_out}
        if self.reader.climate_class is not None:
            self.marks["climate_class"] = self.reader.climate_class
        self._gaps = getattr(self.reader, "gaps", False)  # of observations, whose reader has checked them
        if self._gaps and variables == "all":
            variables = list(self.reader.variables)
        self.names = _names(self.reader, variables, drop, tuple(self.marks), hourly_rain)
        self._check_all_dates(getattr(getattr(context, "recipe", None), "dates", None))
        LOG.info("%d variables at %d points from %s", len(self.names), len(self.points), self.reader.name)

    def execute_valid_dates(self, argument: Any) -> LandFields:
        """Return the fields of all variables at the dates of a group."""
        dates = [np.datetime64(d, "s").astype(datetime) for d in argument]
        self._check(dates)
        lat, lon = self.reader.latitudes[self.points], self.reader.longitudes[self.points]
        return LandFields(self.names, dates, lat, lon, self._load)

    def _check_all_dates(self, dates: Any) -> None:
        """Refuse dates of the recipe outside the files at once, not in the last group after hours of loading."""
        if dates:
            self._check(sorted({dates[0], dates[min(1, len(dates) - 1)], dates[len(dates) - 1]}))

    def _check(self, dates: Sequence[datetime]) -> None:
        check_request(self.reader, [n for n in self.names if n in self.reader.variables], dates)

    def _load(self, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        out = np.empty((len(names), len(dates), len(self.points)), "f4")
        at = {name: i for i, name in enumerate(names)}
        for name in set(names) & set(MARKS):
            out[at[name]] = self.marks[name][self.points]
        computed = [n for n in names if n in sun.COMPUTED]
        lat, lon = self.reader.latitudes[self.points], self.reader.longitudes[self.points]
        out[[at[n] for n in computed]] = sun.compute(computed, dates, lat, lon)
        read = [n for n in names if n not in MARKS and n not in computed]
        if read:
            values = self.reader.read(read, dates)[..., self.points]
            out[[at[n] for n in read]] = values
            if not self._gaps:
                selection.check_finite(values, read, dates, self.reader, self.points)
                check_period(self._checker, dict(zip(read, values, strict=True)), dates, (lat, lon))
                _warn(self._checker)
        return out


def _warn(checker: Checker) -> None:
    """Log what is implausible, once for each rule, as Anemoi makes a source for each group of dates."""
    for finding in checker.take():
        if finding.rule.name not in _WARNED:
            _WARNED.add(finding.rule.name)
            LOG.warning("%s This warning is given once.", finding)


def _key(option: Any) -> Any:
    """Return an option in a hashable form, as a key of the cache of readers."""
    if isinstance(option, dict):
        return tuple(sorted((k, _key(v)) for k, v in option.items()))
    return tuple(option) if isinstance(option, list) else option


@lru_cache(maxsize=4)
def _open(path: Any, static: Any, layout: str, options: tuple) -> Reader:
    """Open a reader once for all groups of dates; Anemoi creates a source for each of them."""
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in options}
    return open_reader(list(path) if isinstance(path, tuple) else path, static, layout, **plain)


def _names(
    reader: Reader, variables: str | Sequence[str], drop: Sequence[str], marks: Sequence[str], hourly_rain: bool
) -> tuple[str, ...]:
    """Return the variables of the dataset; refuse names that table or files do not have, and an empty choice."""
    made = {*sun.COMPUTED, *marks}
    available = {*reader.variables, *made}
    if variables == "all":
        wanted = [n for n in VARIABLES if (hourly_rain if n in HOURLY_RAIN else n in available)]
    else:
        wanted = [variable(n).name for n in ([variables] if isinstance(variables, str) else variables)]
    drop = [variable(n).name for n in drop]
    check_request(reader, [n for n in wanted if n not in made], [])
    kept = tuple(n for n in wanted if n not in drop)
    if not kept:
        raise ValueError(
            f"No variable is left: `variables` is {variables} and `drop` is {list(drop)}. Name at least one."
        )
    return kept
