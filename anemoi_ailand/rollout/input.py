# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Input of a roll-out from files in any layout that the package reads: ``input: {ecland: {path: ...}}``."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from anemoi.inference.input import Input
from anemoi.inference.types import FloatArray, State

from anemoi_ailand.data.reader import Reader, open_reader
from anemoi_ailand.variables import START, variable

LOG = logging.getLogger(__name__)

#: Dates that are read at once, so that compressed files are not opened at every step.
READ_AHEAD = 120
#: Memory that they may take [bytes]; a date is always read whole.
READ_AHEAD_BYTES = 2**28

#: Readers of a run by what they were opened with: three purposes share one, as opening a large archive takes a minute.
_READERS: WeakKeyDictionary[Any, dict[str, Reader]] = WeakKeyDictionary()


class EcLandInput(Input):
    """State, static fields or forcing from NetCDF or GRIB, as ecLand, an archive or an earlier roll-out wrote them.

    Parameters
    ----------
    path, static, layout, **options
        As for :func:`anemoi_ailand.data.reader.open_reader`.

    Raises
    ------
    ValueError
        Pre-processors, which files in the units and names of the table do not need and would not get.
    """

    trace_name = "ecland"

    def __init__(
        self,
        context: Any,
        metadata: Any,
        *,
        path: str | list[str],
        static: str | list[str] | None = None,
        layout: str = "auto",
        variables: list[str] | None = None,
        purpose: str | None = None,
        pre_processors: list | None = None,
        **options: Any,
    ) -> None:
        super().__init__(context, metadata, variables=variables, purpose=purpose)
        given = [*(pre_processors or []), *getattr(context, "pre_processors", {}).get(self.dataset_name, [])]
        if given:
            raise ValueError(f"The input `ecland` applies no pre-processors; there are {given}. Remove them.")
        self._open = {"path": path, "static": static, "layout": layout, **options}
        self._block: tuple[list[datetime], FloatArray] = ([], np.empty((0, 0, 0), dtype=np.float32))

    def __repr__(self) -> str:
        return f"EcLandInput({self.purpose} from {self._open['path']})"

    @cached_property
    def reader(self) -> Reader:
        """The opened files, checked for the variables of this purpose."""
        opened, key = _READERS.setdefault(self.context, {}), repr(sorted(self._open.items()))
        if key not in opened:
            opened[key] = open_reader(**self._open)
        reader = opened[key]
        missing = [n for n in self.variables if n not in reader.variables]
        if missing:
            raise ValueError(
                f"{reader.name} has no {missing} for {self.purpose}; it has {list(reader.variables)}. "
                "Add a file that holds them, or take this purpose from another input."
            )
        return reader

    @property
    def available_dates(self) -> np.ndarray:
        """Stamps at which the files hold everything, shape (date,), datetime64[s]."""
        coverage = self.reader.coverage
        return np.array(coverage.dates(), dtype="datetime64[s]")

    def default_initial_date(self) -> datetime:
        """First stamp from which a run can start: a forecast has its state one step before its first means."""
        coverage = self.reader.coverage
        try:
            self._read_start([coverage.first - coverage.step])
        except ValueError:
            return coverage.first
        return coverage.first - coverage.step

    def create_input_state(self, *, dates: list[Any], ref_date_index: int = -1, **kwargs: Any) -> State:
        """State at ``dates``; fields of shape (date, point)."""
        del kwargs
        values = self._read_start(dates)
        state = self._state(values)
        state.update(
            date=dates[ref_date_index],
            _input=self,
            _variables={n: self.metadata.typed_variables[n] for n in self.variables},
        )
        return state

    def load_forcings_state(self, *, dates: list[Any], current_state: State) -> State:
        """Forcing at ``dates``; fields of shape (date, point)."""
        del current_state
        return {**self._state(self._read_ahead(dates)), "dates": dates}

    def _state(self, values: FloatArray) -> State:
        return {
            "latitudes": self.reader.latitudes,
            "longitudes": self.reader.longitudes,
            "fields": dict(zip(self.variables, values, strict=True)),
        }

    def _read_start(self, dates: list[datetime]) -> FloatArray:
        """Values at the start of a run, NaN for means over the interval before it, which no step reads.

        An archive may hold no such means: a forecast begins with its state and instants at step 0.
        """
        reader = self.reader
        read = [n for n in self.variables if START in variable(n).taken]
        values = np.full((len(self.variables), len(dates), reader.latitudes.size), np.nan, dtype=np.float32)
        if read:
            try:
                found = reader.read(read, dates)
            except ValueError as error:
                raise ValueError(f"A run from {dates[-1]} has no {self.purpose} at its start: {error}") from error
            values[[self.variables.index(n) for n in read]] = found
        return values

    def _read_ahead(self, dates: list[datetime]) -> FloatArray:
        held, values = self._block
        if not set(dates) <= set(held):
            held = self._dates_ahead(dates[0]) if len(dates) == 1 else list(dates)
            values = self.reader.read(self.variables, held)
            self._block = (held, values)
        return values[:, [held.index(d) for d in dates]]

    def _dates_ahead(self, first: datetime) -> list[datetime]:
        """Dates to read at once: not beyond the run or the files, which may be bad there or absent."""
        reader, last = self.reader, self.reader.coverage.last
        start, lead = self.context.reference_date, getattr(self.context, "lead_time", None)
        if start is not None and isinstance(lead, timedelta):
            last = min(last, start + lead)
        room = (last - first) // reader.coverage.step + 1
        fit = READ_AHEAD_BYTES // (4 * len(self.variables) * reader.latitudes.size)
        return [first + i * reader.coverage.step for i in range(max(1, min(READ_AHEAD, room, fit)))]
