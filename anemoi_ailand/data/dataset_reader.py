# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of an Anemoi dataset (zarr), as of any layout of files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.data.mapping.mapped_path import local_store
from anemoi_ailand.data.reader import MARKS, STEP, Coverage, check_request
from anemoi_ailand.support.units import check_units
from anemoi_ailand.variables import VARIABLES


class DatasetReader:
    """Reader of an Anemoi dataset; see :class:`anemoi_ailand.data.reader.Reader`.

    Raises
    ------
    FileNotFoundError, ValueError
        It does not exist, is incomplete, has another step than 6 h, other units than the table, or none of its
        variables.
    """

    def __init__(self, path: str | Path) -> None:
        self._data = AnemoiDataset(path)
        self.name = f"'{local_store(self._data.path).name}'"
        self.latitudes, self.longitudes = self._data.latitudes, self._data.longitudes
        held = self._data.variables
        self.variables = tuple(n for n, row in VARIABLES.items() if n in held and not row.computed and n not in MARKS)
        if not self.variables:
            raise ValueError(f"No variable of the table is in {self.name}, which holds {held}. Give another dataset.")
        for name in self.variables:
            check_units(self._data.units[name], VARIABLES[name].units, name, path)
        ids, classes = self._mark("point_id"), self._mark("climate_class")
        self.point_id = np.arange(self.latitudes.size) if ids is None else ids
        self.climate_class = classes
        self.coverage = self._coverage()

    def _mark(self, name: str) -> np.ndarray | None:
        values = self._data.constant(name)
        return None if values is None else np.rint(values).astype("i8")

    def _coverage(self) -> Coverage:
        dates = self._data.dates
        steps = np.unique(np.diff(dates))
        if steps.size and list(steps) != [np.timedelta64(STEP)]:
            raise ValueError(
                f"{self.name} has steps of {', '.join(map(str, steps))}, but the land makes steps of {STEP}. Create it "
                "with that frequency."
            )
        return Coverage(dates[0].item(), dates[-1].item())

    def read(self, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """See :meth:`anemoi_ailand.data.reader.Reader.read`."""
        check_request(self, names, dates)
        out = np.full((len(names), len(dates), self.latitudes.size), np.nan, "f4")
        # only constants may have a date outside: theirs is the first
        positions = [(d - self.coverage.first) // STEP if d in self.coverage else 0 for d in dates]
        for first, last in dict.fromkeys(map(self._data.block, positions)):
            here = [k for k, position in enumerate(positions) if first <= position < last]
            block = self._data.values(names, first, last)
            out[:, here] = block[[positions[k] - first for k in here]].swapaxes(0, 1)
        return out
