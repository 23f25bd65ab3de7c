# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A run from Python: one initial state, the forcing of a dataset, the series of the results."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from anemoi.utils.dates import as_timedelta

from anemoi_ailand.data.land_data import LandData
from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.rollout.ensembles.ensemble import Ensemble
from anemoi_ailand.rollout.ensembles.model_error import OutputErrors
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions
from anemoi_ailand.rollout.forcing.records import (
    Source,
    check_steps,
    key_of,
    pieces,
    position,
    record_at,
    records,
    source_of,
)
from anemoi_ailand.rollout.outputs.output_columns import columns_of
from anemoi_ailand.rollout.outputs.output_frame import Frame
from anemoi_ailand.rollout.outputs.series import new_series
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.step.advance import STEP
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.step.row_blocks import steps_at_once
from anemoi_ailand.support.configuration import checked
from anemoi_ailand.support.dates import Date, Duration, bounds_of, to_datetime
from anemoi_ailand.support.netcdf_writer import global_attributes
from anemoi_ailand.support.sphere import same_points

if TYPE_CHECKING:
    import xarray as xr

    from anemoi_ailand.rollout.stepper import LandStepper

LOG = logging.getLogger(__name__)

#: Time after which a bar of progress is shown [s].
_LONG = 2.0


@dataclass(frozen=True)
class _Members:
    """Rows of a run: the points, or all points of each member."""

    source: Source
    ensemble: Ensemble | None

    def __len__(self) -> int:
        return 1 if self.ensemble is None else len(self.ensemble)

    def initial(self, land: LandStepper, data: Any, first: int, checker: Checker) -> LandState:
        """Make the initial state of all rows from the record at a position; -1 is one step before the first."""
        source = self.source
        date = source.dates[max(first, 0)].item() - (STEP if first < 0 else timedelta(0))
        if self.ensemble is None:
            return land.initial(data, date, checker=checker)
        fields = dict(record_at(data, date, land.initial_names))
        land.initial(fields, date, source.latitudes, source.longitudes, checker=checker)  # for its errors
        rows = dict(zip(land.prognostic, self.ensemble.states(fields, land.prognostic, date), strict=True))
        rows |= {n: self.ensemble.static(fields[n]) for n in land.static}
        if names := [n for n in fields if n not in rows]:
            values = self.ensemble.at_start(np.stack([fields[n] for n in names]), names)
            rows |= dict(zip(names, values, strict=True))
        return land.initial(rows, date, *self.ensemble.places(), checker=Checker("off"))

    def forcing(self, piece: Mapping[str, np.ndarray], dates: Sequence[datetime]) -> Mapping[str, np.ndarray]:
        """Return the forcing of all rows, (date, point) to (date, row)."""
        if self.ensemble is None:
            return piece
        names = list(piece)
        values = self.ensemble.forcings(np.stack([piece[n] for n in names]), names, dates)
        return dict(zip([*names, *self.ensemble.drawn], values, strict=True))

    def check(self, state: LandState) -> None:
        """Refuse an initial state of other points or members."""
        places = (np.tile(x, len(self)) for x in (self.source.latitudes, self.source.longitudes))
        if not same_points((state.latitudes, state.longitudes), tuple(places)):  # type: ignore[arg-type]
            raise ValueError(
                f"The state has {state.latitudes.size} points, the data {self.source.latitudes.size} in {len(self)} "
                "member(s), or they are at other places. Give both for the same points in the same order."
            )


def run_series(
    land: LandStepper,
    data: LandData | xr.Dataset,
    names: Sequence[str],
    *,
    start: Date | None,
    end: Date | None,
    lead_time: Duration | None,
    initial: LandState | None,
    ensemble: Mapping[str, Any] | None,
    output: str | Path | None,
    progress: bool | None,
) -> tuple[xr.Dataset, LandState]:
    """Run and return the series with the last state; see :meth:`LandStepper.run`."""
    source = source_of(data)
    options = _options(ensemble, initial)
    own, errors = land, tuple[OutputErrors, ...]()
    if options is not None and options.has_model_error:
        land, errors = land.perturbed(options.model_error)
    if start is None and initial is None:
        start = _first_state(source, land.prognostic)
    first, last = _period(source, start, end, lead_time, initial)
    members = _Members(source, None)
    if options is not None:
        options.check_members_differ(land.precipitation)
        places = source.latitudes, source.longitudes
        members = _Members(source, Ensemble(options, *places, land.precipitation, errors))
    checker = land.new_checker()
    if held := [n for n in names if n in land.diagnostic and not isinstance(data, LandData) and key_of(data, n)]:
        LOG.info("The data have %s, which the run neither reads nor changes: the result has those of the land", held)
    if initial is None:
        state = members.initial(land, data, first, checker)
    else:
        state = initial
        members.check(state)
    frame = _frame(land, names, state, source, members, last)
    kept = new_series(frame, last - first + (initial is None), np.dtype(str(land.dtype).split(".")[1]), output)
    anywhere = bool(progress) or hasattr(builtins, "__IPYTHON__")
    try:
        if initial is None:
            kept.add([state.date], {n: state[n].numpy(force=True)[None] for n in names if n in state.names})
        delay, most = 0.0 if progress else _LONG, steps_at_once(state.latitudes.size, land.device)
        with Progress(last - first, progress is not False, "Run", delay=delay, anywhere=anywhere) as bar:
            for n_steps, piece in pieces(source, land.forcing_names, first + 1, last + 1, most):
                dates = [state.date + (k + 1) * STEP for k in range(n_steps)]
                outputs, state = land.steps(state, members.forcing(piece, dates), n_steps, checker=checker)
                values = outputs.numpy(force=True)
                kept.add(dates, {n: values[..., land.outputs.index(n)] for n in names})
                bar.steps(n_steps)
        checker.report()
        return kept.result(), own.own(state)
    except BaseException:
        kept.abandon()
        raise


def _first_state(source: Source, names: Sequence[str]) -> np.datetime64 | None:
    """Return the first date at which the whole state is given; None, the first date, if there is no such date."""
    missing: list[str] = []
    for k, record in enumerate(records(source, names, 0, source.dates.size)):
        if len(record) < len(names):
            return None  # a variable is missing at all dates, which `initial` reports
        bad = [name for name, values in record.items() if not np.isfinite(values).all()]
        if not bad:
            if k:
                LOG.warning(
                    "The run starts at %s, not at the first date %s of the data, at which %s has missing values: the "
                    "state is complete from then on. Fill it, or give `start`.",
                    *(str(date)[:16] for date in (source.dates[k], source.dates[0])),
                    missing,
                )
            return source.dates[k]
        missing = missing or bad
    return None


def _period(
    source: Source,
    start: Date | None,
    end: Date | None,
    lead_time: Duration | None,
    initial: LandState | None,
) -> tuple[int, int]:
    """Return the positions of the first and last date; the first is -1 if only state and instants are that early."""
    if end is not None and lead_time is not None:
        raise ValueError(f"Both `end` {end} and `lead_time` {lead_time} are given. Give one of them.")
    if initial is not None and start is not None:
        raise ValueError("Both `start` and `initial` are given. The run starts at the date of the state: omit `start`.")
    if not source.dates.size:
        raise ValueError("The data have no date. Give a longer period.")
    begin = source.dates[0]
    if initial is not None:
        begin = np.datetime64(initial.date, "s")
        first = position(source, initial.date + STEP) - 1
    else:
        if start is not None:
            begin = bounds_of((start, None))[0]  # type: ignore[assignment]
        early = to_datetime(begin) == source.dates[0].item() - STEP
        first = -1 if early else position(source, to_datetime(begin))
    last = source.dates.size - 1
    if lead_time is not None:
        last = position(source, to_datetime(begin) + _duration(lead_time))
    elif end is not None:
        until = bounds_of((None, end))[1]
        assert until is not None
        if until > source.dates[-1] + np.timedelta64(STEP) - np.timedelta64(1, "s"):
            position(source, to_datetime(until))  # for its error
        last = int(np.searchsorted(source.dates, until, side="right")) - 1
    if last <= first:
        raise ValueError(
            f"There is no step from {begin} to {source.dates[max(last, 0)]}. Give a later `end`, or data of a longer "
            "period."
        )
    check_steps(source.dates[max(first, 0) : last + 1])
    return first, last


def _duration(lead_time: Duration) -> timedelta:
    """Return a lead time in any form."""
    try:
        if isinstance(lead_time, np.timedelta64):
            return timedelta(seconds=int(lead_time / np.timedelta64(1, "s")))
        return as_timedelta(lead_time)
    except (AssertionError, TypeError, ValueError):
        raise ValueError(f"`lead_time` is {lead_time!r}. Give a text such as '30d' or '24h', or a timedelta.") from None


def _options(options: Mapping[str, Any] | None, initial: LandState | None) -> EnsembleOptions | None:
    if options is None:
        return None
    members = checked(options, EnsembleOptions, "`ensemble`")
    if members.checkpoints:
        raise ValueError("`ensemble` has `checkpoints`, but a stepper has one network. Use `anemoi-ailand run`.")
    if initial is not None and (members.forcing is not None or members.has_model_error):
        raise ValueError(
            "A state does not hold the perturbations of forcing and model, so the ensemble cannot continue from it. "
            "Run the whole period, or use `anemoi-ailand run` with `restart`."
        )
    return members


def _frame(
    land: LandStepper, names: Sequence[str], state: LandState, source: Source, members: _Members, last: int
) -> Frame:
    n_points = source.latitudes.size
    lead = source.dates[last].item() - state.date
    attributes = global_attributes(
        "Roll-out of the anemoi-ailand land emulator",
        "LandStepper.run",
        initial_date=f"{state.date:%Y-%m-%dT%H:%M:%S}",
        lead_time=str(lead),
        checkpoint=land.name,
        checkpoint_sha256=land.checkpoint_sha256,
        execution=land.execution,
        precipitation=land.precipitation,
    )
    many = members.ensemble is not None
    columns = columns_of(names, many, True, (), None)
    places = source.latitudes, source.longitudes
    return Frame(
        state.date, *places, np.arange(n_points), n_points, len(members) if many else None, columns, attributes
    )
