# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Assimilate observations over days to months: cycles of analyses, files, restart, and one report.

Each window leaves a file in ``<output>-cycles``; an interrupted run resumes after the last one, bitwise as if it had
not been interrupted. The result appears under its name when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from anemoi_ailand.assimilation.cycle import Cycle, CycleRunner, member_states
from anemoi_ailand.assimilation.equivalents import known_equivalents, needed_outputs
from anemoi_ailand.assimilation.placed_observations import PlacedObservations, Status, place_observations
from anemoi_ailand.assimilation.settings import Settings
from anemoi_ailand.constants import GRAVITY, STEP, STEP_HOURS
from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.data.observations.read import read_observations
from anemoi_ailand.data.observations.rows import (
    RELATIVE_HUMIDITY,
    SNOW_DEPTH,
    ObservationRows,
    observed_units,
    possible_range,
)
from anemoi_ailand.data.plausibility.findings import widened
from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.rollout.ensembles.ensemble import Ensemble
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions
from anemoi_ailand.rollout.forcing.records import check_steps, position, record_at, source_of
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.run.restart import StopRequest
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.step.state_file import read_restart, warn_of_other_execution, write_restart
from anemoi_ailand.rollout.step.trust import trusting
from anemoi_ailand.rollout.stepper import LandStepper
from anemoi_ailand.support.atomic import check_earlier
from anemoi_ailand.support.configuration import checked, read_configuration
from anemoi_ailand.support.dates import bounds_of, to_datetime
from anemoi_ailand.support.disk_errors import check_folder, full_disk
from anemoi_ailand.support.lock import exclusive
from anemoi_ailand.support.sphere import same_points
from anemoi_ailand.workflows.assimilation_files import PROOF, CycleFiles, write_result

LOG = logging.getLogger(__name__)

#: Kind of the file of a window.
KIND = "land-assimilation"

#: Settings that may differ when a run is resumed: it may be longer, and its result have another form.
_FREE = ("output", "end", "feedback", "trust", "plausibility")

#: Share of observations without use above which a warning says so before the first step.
_MOST_LOST = 0.5

#: Covers of low and high vegetation, and the share of each that has leaves.
_COVER = ("cvl", "veg_cov_lv", "cvh", "veg_cov_hv")

#: Variables that an analysis of the soil needs.
_NEEDED = ("swvl1", "stl1", "stl2", "stl3", "stl4", "sd", "theta_pwp", "theta_cap", "theta_sat")


def assimilate(settings: Settings | str | Path | Mapping[str, Any] | None = None, **options: Any) -> Path:
    """Assimilate observations and write analysis, increments, feedback, final state and report.

    Parameters
    ----------
    settings : str, Path or mapping, optional
        YAML file such as the packaged ``assimilation/sekf``, or its content; without it, the options are the whole
        configuration.
    **options
        Options of the configuration, which replace those of the file: ``data``, ``observations``, ``start``, ``end``,
        ``method``, ``output`` (the folder of the result), ... See docs/guide/assimilation.md.

    Returns
    -------
    Path
        The folder of the result.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        An input is missing or does not fit, or the output exists and is not an earlier result. Checked before the first
        step.

    Examples
    --------
    >>> from anemoi_ailand import assimilate
    >>> folder = assimilate(
    ...     "assimilation/sekf", data="ecland.zarr", observations="obs.csv", start="2022-06-01", end="2022-06-30"
    ... )  # doctest: +SKIP
    """
    chosen = settings_of(settings, options)
    with trusting(chosen.trust):
        return Assimilation(chosen).run()


def settings_of(given: Settings | str | Path | Mapping[str, Any] | None, options: Mapping[str, Any]) -> Settings:
    """Return settings, from a file or its content, with options replaced."""
    if isinstance(given, str | Path):
        given = read_configuration(given, [], Settings)
    if isinstance(given, Settings):
        if not options:
            return given
        given = given.model_dump(exclude_unset=True)
    return checked({**(given or {}), **options}, Settings, "The assimilation")


@dataclass(frozen=True)
class _Start:
    """State of all members before a window, number of the next one, progress of the perturbations, carried error."""

    state: LandState
    number: int
    progress: dict[str, np.ndarray]
    covariance: Tensor | None = None


class Assimilation:
    """Checked inputs of an assimilation, ready to run.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        An input is missing or does not fit, or the output exists and is not an earlier result.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        check_folder(settings.output.parent)
        check_earlier(settings.output, PROOF)
        data = open_data(settings.data[0] if len(settings.data) == 1 else settings.data)
        self.source = source_of(data)
        self.starts, self.end = self._windows()
        n_points, n_steps = self.source.latitudes.size, len(self.starts) * settings.window_hours // STEP_HOURS
        members = settings.members.number if settings.method == "etkf" else 1
        self.land = LandStepper.open(
            settings.checkpoint, device=settings.device, execution=settings.execution,
            point_steps=3 * n_points * n_steps * members, plausibility=settings.plausibility,
        )  # fmt: skip
        self._check_variables()
        self.background = self._background(data)
        self.placed = self._observations()
        self.ensemble, self.stepper = self._ensemble()
        own = [n for name in self.observed for n in needed_outputs(name) if n in self.land.outputs]
        self.kept = tuple(dict.fromkeys(settings.variables or (*settings.controls.error, *own, "sd")))
        self.files = CycleFiles(settings.output.parent / f"{settings.output.name}-cycles")

    @property
    def observed(self) -> list[str]:
        """Names of the observed variables."""
        return sorted(set(map(str, self.placed.rows.names)))

    def describe(self) -> str:
        """Return what will be done, in a few lines."""
        s = self.settings
        lines = [
            f"{len(self.starts)} windows of {s.window_hours} h from {self.starts[0]:%Y-%m-%d %H:%M} at "
            f"{self.source.latitudes.size} points, {s.method}, execution {self.land.execution}"
            + (f", {len(self.ensemble)} members" if self.ensemble else ""),
        ]
        for name in self.observed:
            here = self.placed.rows.names == name
            counts = {st.words: int((self.placed.status[here] == st).sum()) for st in Status}
            lines.append(f"{name}: {', '.join(f'{n} {words}' for words, n in counts.items() if n)}")
        if not len(self.placed):
            lines.append("There are no observations: the result is the open loop.")
        if done := len(self.files.found()):
            lines.append(f"Resumes after {done} windows in {self.files.folder}.")
        return "\n".join(lines)

    def run(self) -> Path:
        """Run the windows that are left, and write the result."""
        s = self.settings
        with exclusive(self.files.folder), full_disk(self.files.folder), StopRequest() as stop:
            begin = self._resumed() or self._first()
            runner = CycleRunner(self.stepper, s, self.kept, self.ensemble)
            state, covariance, hours = begin.state, begin.covariance, timedelta(hours=s.window_hours)
            with Progress(len(self.starts) * s.window_hours // STEP_HOURS, True, "Assimilation") as bar:
                bar.add(begin.number * s.window_hours // STEP_HOURS)
                for number in range(begin.number, len(self.starts)):
                    start = self.starts[number]
                    placed = self.placed.between(start, start + hours)
                    cycle = runner.run(state, self._forcing(start), placed, number, covariance)
                    state, covariance = cycle.state, cycle.covariance
                    self._save(number, cycle)
                    bar.steps(s.window_hours // STEP_HOURS)
                    used = int((cycle.feedback["status"] == Status.USED).sum())
                    LOG.info("%s: %d observations used", f"{start:%Y-%m-%d %H:%M}", used)
                    if number + 1 < len(self.starts):
                        stop.obey(state.date, restartable=True)
            runner.report()
            write_result(
                self.files, s, self.stepper, state, self.placed, 1 if self.ensemble is None else len(self.ensemble)
            )
            self.files.remove()
        return s.output

    def _windows(self) -> tuple[list[datetime], datetime]:
        """Return the starts of the windows and the end of the last, all in the data."""
        s = self.settings
        start, until = to_datetime(s.start), bounds_of((None, s.end))[1]
        assert until is not None
        hours = timedelta(hours=s.window_hours)
        number = int((until.astype(datetime) + timedelta(seconds=1) - start) / hours)
        if number < 1:
            raise ValueError(f"From {start} to {s.end} there is no window of {s.window_hours} h. Give a later `end`.")
        starts = [start + k * hours for k in range(number)]
        end = start + number * hours
        if (rest := until.astype(datetime) + timedelta(seconds=1) - end) >= STEP:
            hours_left = rest // STEP * STEP_HOURS
            LOG.warning(
                "Windows of %d h end at %s: the last %d h until `end` are left out.", s.window_hours, end, hours_left
            )
        if end > self.source.dates[-1].item() and number > 1:  # the last day of data ends before midnight
            starts, end = starts[:-1], end - hours
            LOG.info("The last window would end after the data: the run ends at %s", end)
        first = position(self.source, start + STEP)
        check_steps(self.source.dates[first : position(self.source, end) + 1])
        return starts, end

    def _check_variables(self) -> None:
        s, land = self.settings, self.land
        known = (*land.prognostic, *land.static)
        if missing := [n for n in (*_NEEDED, *s.controls.error) if n not in known]:
            raise ValueError(f"The network '{land.name}' has no {missing}, which an analysis needs. Give another one.")
        if missing := [n for n in s.variables if n not in land.outputs]:
            raise ValueError(f"`variables` has {missing}, which the network does not make; it makes {land.outputs}.")

    def _observations(self) -> PlacedObservations:
        s, land = self.settings, self.land
        rows = read_observations(s.observations)
        rows = replace(rows, errors=self._errors(rows))
        unknown = sorted({str(n) for n in rows.names} - {*known_equivalents(land.outputs), SNOW_DEPTH})
        if unknown:
            raise ValueError(
                f"There are observations of {unknown}, which the network '{land.name}' does not make; it makes "
                f"{known_equivalents(land.outputs)}. Leave them out, or take another network."
            )
        places = self.source.latitudes, self.source.longitudes
        heights = self.background["z"].double().numpy(force=True) / GRAVITY if "z" in land.static else None
        cover = None
        if {*_COVER} <= {*land.static}:
            low, of_low, high, of_high = (self.background[n].double().numpy(force=True) for n in _COVER)
            cover = low * of_low + high * of_high
        placed = place_observations(
            rows, places, heights, (self.starts[0], self.end), s.within_km, s.passive, s.representativeness, cover
        )
        if len(placed) and not (placed.points >= 0).any():
            counts = {st.words: int((placed.status == st).sum()) for st in Status}
            raise ValueError(
                f"None of the {len(placed)} observations is near a point and in a window: "
                f"{ {words: n for words, n in counts.items() if n} }. Check their times (UTC) and places, and "
                "`within_km`, `start` and `end`."
            )
        _warn_of_misplaced(placed)
        return placed

    def _errors(self, rows: ObservationRows) -> np.ndarray:
        """Return the errors of the rows, from the files or else from the settings."""
        given = np.array([self.settings.errors.get(str(n), np.nan) for n in rows.names])
        errors = np.where(np.isnan(rows.errors), given, rows.errors)
        if lacking := sorted({str(n) for n in rows.names[np.isnan(errors)]}):
            raise ValueError(
                f"Observations of {lacking} have no error, neither in their file nor in `errors`. Add for example "
                f"`errors: {{{lacking[0]}: ...}}`, a standard deviation."
            )
        for name in sorted(set(map(str, rows.names))):
            low, high = widened(possible_range(name))  # without an end: infinite
            if (worst := errors[rows.names == name].max()) > (limit := (high - low) / 2):
                raise ValueError(
                    f"An error of '{name}' is {worst:g} {observed_units(name)}, more than half of the possible range "
                    f"({limit:g}), so that the observation would mean nothing. Give errors in the unit of the values."
                )
        return errors

    def _background(self, data: Any) -> LandState:
        """Return the state at the start: of the data, of a saved state, or of a file with the state."""
        s, land = self.settings, self.land
        start = self.starts[0]
        if s.background is None:
            return land.initial(data, start)
        if s.background.suffix == ".state":
            state = land.load(s.background)
        else:
            fields = dict(record_at(data, start, land.initial_names))
            own = record_at(open_data(s.background), start, land.prognostic)
            state = land.initial({**fields, **own}, start, self.source.latitudes, self.source.longitudes)
            if missing := [n for n in land.prognostic if n not in own]:
                raise ValueError(f"The background '{s.background}' has no {missing}. Give a file with the whole state.")
        if state.date != start:
            raise ValueError(f"The background '{s.background}' is of {state.date}, the start {start}. Change `start`.")
        if not same_points((state.latitudes, state.longitudes), (self.source.latitudes, self.source.longitudes)):
            raise ValueError(
                f"The background '{s.background}' has {state.latitudes.size} points, the data "
                f"{self.source.latitudes.size}, or they are at other places. Give both for the same points."
            )
        return state

    def _ensemble(self) -> tuple[Ensemble | None, LandStepper]:
        """Return the members of the ETKF, and the network that takes their perturbations."""
        s, land = self.settings, self.land
        if s.method != "etkf":
            return None, land
        o = s.members
        options = EnsembleOptions(
            members=o.number, seed=s.seed, control=False, length_km=o.length_km, initial=o.initial, forcing=o.forcing,
            model_error=o.model_error,
        )  # fmt: skip
        errors: Any = ()
        if options.has_model_error:
            land, errors = land.perturbed(options.model_error)
        places = self.source.latitudes, self.source.longitudes
        return Ensemble(options, *places, land.precipitation, errors), land

    def _first(self) -> _Start:
        if self.ensemble is None:
            return _Start(self.background, 0, {})
        state = member_states(self.stepper, self.ensemble, self.background, COMPUTED)
        return _Start(state, 0, {})

    def _forcing(self, start: datetime) -> dict[str, np.ndarray]:
        """Return the forcing of a window, (step, point)."""
        first = position(self.source, start + STEP)
        n = self.settings.window_hours // STEP_HOURS
        return self.source.read(self.land.forcing_names, first, first + n)

    def _identity(self) -> dict[str, Any]:
        """Return what the files of windows depend on."""
        given = self.settings.model_dump(mode="json", exclude=set(_FREE))
        placed, digest = self.placed, hashlib.sha256()
        for part in (placed.rows.names, placed.stamps, placed.points, placed.values, placed.variances, placed.status):
            digest.update(np.ascontiguousarray(part).tobytes())
        content = f"{len(placed)} observations of SHA-256 {digest.hexdigest()[:12]}"
        return {**json.loads(json.dumps(given)), "observations": [*given["observations"], content]}

    def _save(self, number: int, cycle: Cycle) -> None:
        """Write the file of a window, with the state that the next one starts from."""
        state = cycle.state
        arrays = {n: getattr(cycle, n) for n in ("rain", "signal", "precipitation")}
        arrays["columns"] = state.columns.numpy(force=True)
        arrays |= {f"output/{n}": v for n, v in cycle.outputs.items()}
        arrays |= {f"feedback/{n}": v for n, v in cycle.feedback.items()}
        for date, fields in cycle.increments.items():
            arrays |= {f"increment/{date.isoformat()}/{n}": v for n, v in fields.items()}
        if cycle.covariance is not None:
            arrays["covariance"] = cycle.covariance.numpy(force=True)
        if self.ensemble is not None:
            arrays |= {f"progress/{n}": v for n, v in self.ensemble.progress().items()}
        header = {
            "kind": KIND, "checkpoint_sha256": self.land.checkpoint_sha256, "identity": self._identity(),
            "date": state.date.isoformat(), "start": self.starts[number].isoformat(), "number": number,
            "execution": self.land.execution,
        }  # fmt: skip
        write_restart(self.files.path(number), header, arrays)

    def _resumed(self) -> _Start | None:
        """Return the state after the last complete window of an earlier run."""
        found = self.files.found()[: len(self.starts)]
        while found:
            try:
                header, arrays = read_restart(found[-1], KIND, None)
            except ValueError as error:
                LOG.warning("%s", error)
                found = found[:-1]
                continue
            mine = {"checkpoint_sha256": self.land.checkpoint_sha256, "identity": self._identity()}
            if differ := _differences({k: header[k] for k in mine}, mine):
                raise ValueError(
                    f"'{self.files.folder}' belongs to another run, which differs in {differ}. Give another `output`, "
                    "or remove that folder to start again."
                )
            number = int(header["number"]) + 1
            warn_of_other_execution("The interrupted assimilation", header["execution"], self.land.execution)
            LOG.info("Resuming after %d windows, from %s", number, header["date"])
            first = self._first().state
            state = replace(
                first, date=datetime.fromisoformat(header["date"]), columns=torch.from_numpy(arrays["columns"])
            )
            progress = {n.removeprefix("progress/"): v for n, v in arrays.items() if n.startswith("progress/")}
            if self.ensemble is not None:
                self.ensemble.restore(progress, number * self.settings.window_hours // STEP_HOURS)
            carried = torch.from_numpy(arrays["covariance"]) if "covariance" in arrays else None
            return _Start(state, number, progress, carried)
        return None


def _warn_of_misplaced(placed: PlacedObservations) -> None:
    """Warn if most observations have no use because of time, place or height, and of humidity that is given twice."""
    lost = np.isin(placed.status, (Status.TIME, Status.PERIOD, Status.PLACE, Status.HEIGHT))
    if lost.sum() > _MOST_LOST * len(placed):
        counts = ", ".join(f"{n} {Status(k).words}" for k, n in enumerate(np.bincount(placed.status[lost])) if n)
        LOG.warning("%d of %d observations cannot be used: %s. Check their times (UTC), places and heights [m], and "
                    "`start`, `end` and `within_km`.", lost.sum(), len(placed), counts)  # fmt: skip
    used, names = placed.status == Status.USED, placed.rows.names
    where = [pd.Index(zip(placed.points[own], placed.stamps[own], strict=True))
             for own in (used & (names == n) for n in ("2d", RELATIVE_HUMIDITY))]  # fmt: skip
    if len(both := where[0].intersection(where[1])):
        LOG.warning("Dewpoint and relative humidity are both observed at %d points and stamps, which is one piece of "
                    "information. Give one of them, or name one in `passive`.", len(both))  # fmt: skip


def _differences(found: Mapping[str, Any], mine: Mapping[str, Any]) -> str:
    """Return the settings in which two runs differ, as text."""
    if found["checkpoint_sha256"] != mine["checkpoint_sha256"]:
        return "the checkpoint"
    a, b = found["identity"], mine["identity"]
    differ = sorted(k for k in {*a, *b} if a.get(k) != b.get(k))
    return "; ".join(f"{k}: {a.get(k)} (files), {b.get(k)} (run)" for k in differ)
