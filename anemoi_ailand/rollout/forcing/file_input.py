# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Input of a roll-out from files in any layout that the package reads: ``input: {ecland: {path: ...}}``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from anemoi.inference.input import Input
from anemoi.inference.types import FloatArray, State

from anemoi_ailand.data.files.unchanged import Stamps, check_unchanged, watch
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import Reader
from anemoi_ailand.hosts.anemoi_inference import refuse_pre_processors, share_netcdf_lock, with_origin
from anemoi_ailand.rollout.forcing.initial_defaults import Derivation, check_defaults, plan
from anemoi_ailand.rollout.forcing.read_ahead import ReadAhead
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.variables import START, variable

LOG = logging.getLogger(__name__)

#: Dates read at once, so that compressed files are not opened at every step.
READ_AHEAD = 120
#: Memory of the dates in use and those ahead together [bytes]; a date is always read whole.
READ_AHEAD_BYTES = 2**28

#: Purpose of the state, the only one that physics completes.
_STATE = "prognostics"

#: Readers of a run by their options: three purposes share one, as opening a large archive takes a minute.
_READERS: WeakKeyDictionary[Any, dict[str, Reader]] = WeakKeyDictionary()


class EcLandInput(Input):
    """State, static fields or forcing from NetCDF or GRIB, written by ecLand, an archive or an earlier roll-out.

    Forcing is read in blocks, the next one in the background while the model computes.

    Parameters
    ----------
    path, static, layout, **options
        As for :func:`anemoi_ailand.data.open_reader.open_reader`.
    defaults : dict, optional
        Values for variables missing in the files, in the units of the table. Some state variables need none, see
        :data:`anemoi_ailand.rollout.forcing.initial_defaults.DERIVED`. All fills are logged.
    read_ahead : bool
        Read the next block in the background.
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
        defaults: dict[str, float] | None = None,
        read_ahead: bool = True,
        variables: list[str] | None = None,
        purpose: str | None = None,
        pre_processors: list | None = None,
        **options: Any,
    ) -> None:
        super().__init__(context, metadata, variables=variables, purpose=purpose)
        refuse_pre_processors(self, pre_processors)
        self._defaults, self.read_ahead = dict(defaults or {}), read_ahead
        check_defaults(self._defaults)
        self._open = {"path": path, "static": static, "layout": layout, **options}
        self._filled: dict[str, Derivation] | None = None
        self._forcing: ReadAhead | None = None
        self._watched: Stamps = {}
        self.grid_indices = slice(None)

    def __repr__(self) -> str:
        return f"EcLandInput({self.purpose} from {self._open['path']})"

    @cached_property
    def reader(self) -> Reader:
        """The opened files."""
        key = repr(sorted(self._open.items()))
        self._watched = watch(self._open["path"], self._open["static"] or [])
        with NETCDF_LOCK:  # also for the lookup: purposes may ask from several threads
            opened = _READERS.setdefault(self.context, {})
            if key not in opened:
                opened[key] = open_reader(**self._open)
        return opened[key]

    @property
    def files(self) -> list[Path]:
        """Files of the input, opened or not."""
        return [*watch(self._open["path"], self._open["static"] or [])]

    @property
    def latitudes(self) -> FloatArray:
        """Latitudes of all points of the files [degrees]."""
        return self.reader.latitudes

    @property
    def longitudes(self) -> FloatArray:
        """Longitudes of all points of the files [degrees]."""
        return self.reader.longitudes

    @property
    def filled(self) -> dict[str, Derivation]:
        """Derivations of the variables of this purpose that the files do not hold."""
        with NETCDF_LOCK:  # several threads may ask, and the warning is logged once
            if self._filled is None:
                self._filled = self._plan()
        return self._filled

    def _plan(self) -> dict[str, Derivation]:
        reader = self.reader
        filled, missing = plan(self.variables, reader.variables, self._defaults, self.purpose == _STATE)
        if missing:
            raise ValueError(
                f"{reader.name} has no {missing} for {self.purpose}; it has {list(reader.variables)}. "
                "Add a file that holds them, take this purpose from another input, or give a number in `defaults`."
            )
        if filled:
            words = "; ".join(f"{name} = {way.words}" for name, way in filled.items())
            LOG.warning("Not in %s, filled for %s: %s", reader.name, self.purpose, words)
        return filled

    @property
    def available_dates(self) -> np.ndarray:
        """Dates at which the files are complete, shape (date,), datetime64[s]."""
        return np.array(self.reader.coverage.dates(), dtype="datetime64[s]")

    def default_initial_date(self) -> datetime:
        """Return the first possible start: a forecast has its state one step before its first means."""
        coverage = self.reader.coverage
        try:
            self._read_start([coverage.first - coverage.step])
        except ValueError:
            return coverage.first
        return coverage.first - coverage.step

    def create_input_state(self, *, dates: list[Any], ref_date_index: int = -1, **kwargs: Any) -> State:
        """Return the state at ``dates``; fields of shape (date, point)."""
        del kwargs
        values = self._read_start(dates)
        return with_origin({**self._state(values), "date": dates[ref_date_index]}, self, self.variables)

    def load_forcings_state(self, *, dates: list[Any], current_state: State) -> State:
        """Return the forcing at ``dates``; fields of shape (date, point)."""
        del current_state
        if len(dates) > 1:
            return {**self._state(self._read(self.variables, dates)), "dates": dates}
        return {**self._state(self._ahead(dates[0]).get(dates[0])[:, None]), "dates": dates}

    def close(self) -> None:
        """Stop reading in the background; it restarts with the next request."""
        if self._forcing is not None:
            self._forcing.close()
        self._forcing = None

    def _state(self, values: FloatArray) -> State:
        return {
            "latitudes": self.latitudes[self.grid_indices],
            "longitudes": self.longitudes[self.grid_indices],
            "fields": dict(zip(self.variables, values[..., self.grid_indices], strict=True)),
        }

    def _read(self, names: Sequence[str], dates: Sequence[datetime]) -> FloatArray:
        """Return values of shape (name, date, point), from the files or derived."""
        filled = {n: self.filled[n] for n in names if n in self.filled}
        held = [n for n in names if n not in filled]
        needed = list(dict.fromkeys([*held, *(n for way in filled.values() for n in way.inputs)]))
        # two threads in the NetCDF library crash; ecCodes is thread-safe
        with nullcontext() if getattr(self.reader, "safe_for_threads", False) else NETCDF_LOCK:
            found = dict(zip(needed, self.reader.read(needed, dates), strict=True)) if needed else {}
        check_unchanged(self._watched)
        if not filled:
            return np.stack([found[n] for n in names])
        out = np.empty((len(names), len(dates), self.reader.latitudes.size), dtype=np.float32)
        for i, name in enumerate(names):
            out[i] = filled[name].make(*(found[n] for n in filled[name].inputs)) if name in filled else found[name]
        return out

    def _read_start(self, dates: list[datetime]) -> FloatArray:
        """Return values at the start of a run, NaN for means over the interval before it, which no step reads."""
        # an archive may lack such means: a forecast begins with its state and instants at step 0
        self.filled  # noqa: B018  missing variables are reported before missing dates
        read = [n for n in self.variables if START in variable(n).taken]
        values = np.full((len(self.variables), len(dates), self.reader.latitudes.size), np.nan, dtype=np.float32)
        if read:
            try:
                found = self._read(read, dates)
            except ValueError as error:
                raise ValueError(f"A run from {dates[-1]} has no {self.purpose} at its start: {error}") from error
            values[[self.variables.index(n) for n in read]] = found
        return values

    def _ahead(self, date: datetime) -> ReadAhead:
        """Return the reader of the forcing of the run, a new one for a date outside the current one."""
        if self._forcing is None or date not in self._forcing:
            self.close()
            share_netcdf_lock()  # here too, as other runners take this input
            self._forcing = ReadAhead(
                lambda dates: self._read(self.variables, dates),
                self._dates_from(date),
                block=READ_AHEAD,
                max_bytes=READ_AHEAD_BYTES,
                bytes_per_date=4 * len(self.variables) * self.reader.latitudes.size,
                background=self.read_ahead,
            )
        return self._forcing

    def _dates_from(self, first: datetime) -> list[datetime]:
        """Return the dates to read, not beyond the end of the run or of the files."""
        coverage, last = self.reader.coverage, self.reader.coverage.last
        start, lead = self.context.reference_date, getattr(self.context, "lead_time", None)
        if start is not None and isinstance(lead, timedelta):
            last = min(last, start + lead)
        n_later = max(0, (last - first) // coverage.step)
        return [first + i * coverage.step for i in range(n_later + 1)]
