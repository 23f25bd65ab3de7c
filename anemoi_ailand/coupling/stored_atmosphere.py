# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stored forecast or analysis in the place of an atmosphere: the task ``stored-atmosphere``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
from anemoi.inference.transport import Transport
from anemoi.utils.dates import as_timedelta
from numpy.typing import NDArray

from anemoi_ailand.coupling.component import AtmosphereTask, LandPartner
from anemoi_ailand.coupling.coupled_land import Atmosphere
from anemoi_ailand.support.dates import to_datetime
from anemoi_ailand.support.options import check_known

LOG = logging.getLogger(__name__)

_OPTIONS = ("dataset", "use_trajectories", "since_start", "member", "date", "lead_time")


class StoredAtmosphere(AtmosphereTask):
    """Anemoi dataset on any grid that forces the land of another task, step by step.

    Parameters
    ----------
    name : str
        Name of the task.
    dataset : str or mapping
        What ``anemoi.datasets.open_dataset`` takes: a path, or a mapping with ``dataset``.
    use_trajectories : bool
        True for a dataset of forecasts (layout ``trajectories``): that from ``date`` is taken. False for one of dates.
    since_start : sequence of str
        Amounts since the start of the forecast; each step is given its difference.
    member : int, optional
        Position of a member, from 0, in a dataset of an ensemble.
    date, lead_time : optional
        Start and length of the run, by default those of the coupling.

    Raises
    ------
    TypeError
        An unknown option, with the nearest known one.
    ValueError
        No forecast from the date, steps or dates that are missing, or members.

    Examples
    --------
    >>> from anemoi_ailand.coupling.stored_atmosphere import StoredAtmosphere
    >>> StoredAtmosphere("weather", dataset="forecasts.zarr", use_trajectories=True, date="2022-01-01", lead_time="10d")
    StoredAtmosphere(weather)
    """

    def __init__(
        self,
        name: str,
        *,
        dataset: Any = None,
        use_trajectories: bool = False,
        since_start: Sequence[str] = (),
        member: int | None = None,
        date: Any = None,
        lead_time: Any = None,
        global_config: Mapping[str, Any] | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(name)
        check_known(unknown, _OPTIONS, f"The task '{name}' (`stored-atmosphere`)")
        shared = global_config or {}
        given = {
            "dataset": dataset, "date": date or shared.get("date"), "lead_time": lead_time or shared.get("lead_time"),
        }  # fmt: skip
        if missing := [option for option, value in given.items() if value is None]:
            raise ValueError(f"The task '{name}' (`stored-atmosphere`) has no {missing}. Add it.")
        if since_start and not use_trajectories:
            raise ValueError("`since_start` is for forecasts: set `use_trajectories: true`, or remove it.")
        self._dataset, self._trajectories, self._since = dataset, use_trajectories, tuple(since_start)
        self._member = member
        self._start, self._lead = to_datetime(given["date"]), as_timedelta(given["lead_time"])

    def run(self, transport: Transport) -> None:
        """Give the steps of the dataset to the land."""
        stored = _Steps(self._dataset, self._trajectories, self._since, self._start, self._lead, member=self._member)
        about = Atmosphere(stored.units, stored.step, self._start, self._lead, stored.places, answers=False)
        land = LandPartner(self, transport, about)
        for number in range(1, stored.count + 1):
            land.step(self._start + number * stored.step, stored.places, stored.read(number, land.needs))
        LOG.info("All %d steps of %s are given", stored.count, self._dataset)


class _Steps:
    """Fields of a dataset by the number of the step since the start of a run."""

    def __init__(
        self, dataset: Any, trajectories: bool, since_start: Sequence[str], start: datetime, lead: timedelta,
        *, member: int | None = None,
    ) -> None:  # fmt: skip
        from anemoi.datasets import open_dataset  # slow to import

        self._name = str(dataset)
        self._data = cast("Any", open_dataset(dataset))
        shape = self._data.shape
        if (len(shape) == 5) != trajectories:
            kind = "of forecasts" if len(shape) == 5 else "of dates"
            raise ValueError(
                f"'{dataset}' is a dataset {kind}. Set `use_trajectories: {str(not trajectories).lower()}`."
            )
        if not (shape[2] == 1 if member is None else 0 <= member < shape[2]):
            raise ValueError(
                f"`member` is {member}, and '{dataset}' has {shape[2]}. Give one from 0 to {shape[2] - 1}."
            )
        self._member = member or 0
        self._index = self._data.name_to_index
        self.places = (np.asarray(self._data.latitudes), np.asarray(self._data.longitudes))
        metadata = self._data.variables_metadata or {}
        self.units = {name: (metadata.get(name) or {}).get("units") for name in self._index}
        if unknown := [name for name in since_start if name not in self._index]:
            raise ValueError(f"`since_start` names {unknown}; the dataset has {sorted(self._index)}. Correct it.")
        self._since: dict[str, NDArray[np.float64]] = {name: np.zeros(shape[-1]) for name in since_start}
        self.step = as_timedelta(self._data.step_frequency if trajectories else self._data.frequency)
        self.count = lead // self.step
        self._positions = self._find(np.datetime64(start, "s"), trajectories)

    def read(self, number: int, names: Sequence[str]) -> dict[str, NDArray[np.floating]]:
        """Return fields (point,) of a step, counted from 1; amounts since the start need one step after the other."""
        values = np.asarray(self._data[self._positions[number - 1]])
        values = values[:, self._member].reshape(values.shape[0], -1)  # the only step
        fields = {}
        for name in names:
            field = values[self._index[name]]
            if name in self._since:
                total = field.astype(np.float64)
                field, self._since[name] = (total - self._since[name]).astype(field.dtype), total
            fields[name] = field
        return fields

    def _find(self, start: np.datetime64, trajectories: bool) -> list[Any]:
        """Return the position of each step in the dataset."""
        wanted = np.arange(1, self.count + 1) * np.timedelta64(self.step, "s")
        if trajectories:
            dates = np.asarray(self._data.base_dates).astype("datetime64[s]")
            steps = np.asarray(self._data.steps).astype("timedelta64[s]")
            taken = _positions(dates, np.array([start]), f"The dataset of forecasts '{self._name}'")
            found = _positions(steps, wanted, f"The forecast of {start} in '{self._name}'")
            positions: list[Any] = [(taken[0], slice(None), slice(None), step) for step in found]
        else:
            dates = np.asarray(self._data.dates).astype("datetime64[s]")
            positions = taken = _positions(dates, start + wanted, f"Dataset '{self._name}'")
        if gaps := sorted({*taken} & {*self._data.missing}):
            raise ValueError(f"'{self._name}' has no values at {dates[gaps[0]]}. Take other dates.")
        return positions


def _positions(there: NDArray[Any], wanted: NDArray[Any], what: str) -> list[int]:
    """Return the positions of dates or steps; the first one that is missing is an error."""
    missing = wanted[~np.isin(wanted, there)]
    if missing.size:
        first, start, end = (_shown(value) for value in (missing[0], there.min(), there.max()))
        raise ValueError(f"{what} has {start} to {end}; {first} is not in it. Change `date` or `lead_time`, or add it.")
    order = np.argsort(there)
    return [int(i) for i in order[np.searchsorted(there, wanted, sorter=order)]]


def _shown(value: Any) -> str:
    return f"{value / np.timedelta64(1, 'h'):g} h" if isinstance(value, np.timedelta64) else str(value)
