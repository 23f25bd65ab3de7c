# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Land that is coupled to an atmosphere: takes fields of each of its steps, and returns those that it changes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anemoi.utils.dates import as_timedelta
from torch import Tensor

from anemoi_ailand.constants import GRAVITY, STEP, STEP_HOURS
from anemoi_ailand.coupling.coupling_report import CouplingReport, check_page
from anemoi_ailand.coupling.crossing import check_mapping, read_feedback, read_forcing
from anemoi_ailand.coupling.exchange import Exchange
from anemoi_ailand.coupling.exchange_budget import ExchangeBudget
from anemoi_ailand.coupling.field_mapping import read_field_mapping
from anemoi_ailand.coupling.grids import GridOptions, open_grids
from anemoi_ailand.coupling.height import at_height, check_corrected
from anemoi_ailand.coupling.land_file import LandFile
from anemoi_ailand.coupling.land_points import Places, land_points
from anemoi_ailand.coupling.step_forcing import StepForcing
from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.data.plausibility.checker import further_static
from anemoi_ailand.rollout.forcing.dataset_fields import FieldsAtPoints, StoredFields
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.stepper import LandStepper
from anemoi_ailand.support.atomic import check_replaceable
from anemoi_ailand.support.disk_errors import check_folder
from anemoi_ailand.support.options import check_known, options_of

LOG = logging.getLogger(__name__)

CPU = torch.device("cpu")


@dataclass
class _Run:
    """State of the land, its points in the atmosphere, and the date that the atmosphere has reached."""

    land: LandState
    points: Exchange
    clock: datetime
    budget: ExchangeBudget
    report: CouplingReport | None


@dataclass(frozen=True)
class Atmosphere:
    """Description of an atmosphere before its first step.

    ``units`` of its fields are None where its checkpoint does not state them. ``start``, ``lead`` and ``places``
    (latitudes and longitudes [degrees], each (point,)) are None where the run itself learns them at its start.
    ``answers`` is False for stored fields, which no feedback can change. Its fields come in the memory of ``device``.
    """

    units: Mapping[str, str | None]
    step: timedelta
    start: datetime | None = None
    lead: timedelta | None = None
    places: Places | None = None
    answers: bool = True
    device: torch.device = CPU

    @classmethod
    def of_run(cls, context: Any, metadata: Any) -> Atmosphere:
        """Describe the atmosphere of a run of anemoi-inference, from the context and metadata of a processor."""
        lead = getattr(context, "lead_time", None)
        lead = as_timedelta(context.config.lead_time if lead is None else lead)
        places = None if metadata.latitudes is None else (metadata.latitudes, metadata.longitudes)
        units = {n: _units(metadata, n) for n in metadata.variable_to_output_tensor_index}
        return cls(units, metadata.timestep, context.reference_date, lead, places, device=_device_of(context))


class CoupledLand:
    """Land that an atmosphere forces, and that returns the fields which it changes.

    The land steps from t to t + 6 h with the atmosphere's fields at t + 6 h and its means and amounts over the step.
    Then the ``feedback`` fields of the atmosphere at t + 6 h are returned with the land in them, for the atmosphere to
    step on from. An atmosphere with shorter steps makes several before each of the land.

    Parameters
    ----------
    atmosphere : Atmosphere
        Fields, step, dates and points of the atmosphere.
    checkpoint : str
        Checkpoint of the land: a path, or the name of a network in the package.
    initial : mapping
        ``{dataset: PATH}`` or ``{state: PATH}``, see :func:`initial_state`.
    mapping : str, optional
        Name of a packaged mapping of fields, or a YAML file; see
        :func:`~anemoi_ailand.coupling.field_mapping.read_field_mapping`. ``forcing`` replaces single lines
        of it, ``feedback`` all of its part.
    forcing : mapping
        See :func:`~anemoi_ailand.coupling.crossing.read_forcing`.
    feedback : mapping
        See :func:`~anemoi_ailand.coupling.crossing.read_feedback`; none by default.
    points : str or mapping
        See :func:`~anemoi_ailand.coupling.land_points.land_points`, and for other grids
        :class:`~anemoi_ailand.coupling.grids.GridOptions`.
    output : str, optional
        NetCDF file of the land to write.
    save : str, optional
        File for the state of the land at the end of the run, for ``initial: {state: ...}`` of the next one.
    report : str, optional
        HTML page of the coupling to write, see :class:`~anemoi_ailand.coupling.coupling_report.CouplingReport`.
    threads : int, optional
        Largest number of threads of the land's step.
    device : str, optional
        Device of the land and of the exchange, ``cpu`` or such as ``cuda``; by default that of the atmosphere's fields.
    trust : bool or str
        Load a checkpoint of unknown checksum; see :func:`~anemoi_ailand.rollout.stepper.load`.
    execution : {'auto', 'plain', 'compiled'}
        As in a run of the land: ``auto`` takes the compiled step if it has been made, or if the run is long enough to
        pay for making it. See :func:`~anemoi_ailand.rollout.step.compiled_step.open_step`.
    plausibility : {'error', 'warn', 'off'}
        Treatment of impossible values of state, fields of the atmosphere and results; see :func:`~anemoi_ailand.load`.

    Raises
    ------
    TypeError
        An unknown option, with the nearest known one.
    FileNotFoundError, ValueError
        A file is missing, or fields, units, steps, dates or points do not fit.
    """

    def __init__(
        self,
        atmosphere: Atmosphere,
        *,
        initial: Any = None,
        checkpoint: str = "ailand",
        mapping: str | None = None,
        forcing: Mapping[str, Any] | None = None,
        feedback: Mapping[str, Any] | None = None,
        points: Any = "same",
        output: str | None = None,
        save: str | None = None,
        report: str | None = None,
        threads: int | None = None,
        device: str | None = None,
        execution: str = "auto",
        plausibility: str = "error",
        trust: bool | str = False,
    ) -> None:
        if initial is None:
            raise ValueError("The land has no `initial`. Give {dataset: PATH} or {state: PATH}.")
        self._atmosphere, self._start = atmosphere, atmosphere.start
        self._initial, self._points = initial, points
        with_weights = isinstance(points, Mapping) and "weights" in points
        self._grids = GridOptions.read(points) if with_weights else None
        work = 0 if atmosphere.lead is None else _count_points(initial) * (atmosphere.lead // STEP)
        self._stepper = stepper = LandStepper.open(
            checkpoint,
            device=str(device or atmosphere.device),
            threads=threads,
            execution=execution,
            point_steps=work,
            plausibility=plausibility,
            trust=trust or None,
        )
        units, hours = atmosphere.units, atmosphere.step / timedelta(hours=1)
        if mapping is not None:
            known = read_field_mapping(mapping)
            check_mapping({} if forcing is None else forcing, "`forcing`", "field")
            forcing = {**known.forcing, **(forcing or {})}
            feedback = known.feedback if feedback is None and atmosphere.answers else feedback
        if feedback and not atmosphere.answers:
            raise ValueError(f"`feedback` is {feedback!r}, but a stored atmosphere does not answer. Remove it.")
        self._source = read_forcing(
            {} if forcing is None else forcing,
            stepper.needs["forcing"],
            units,
            hours,
            stepper.needs["forcing_at_start"],
        )
        self._feedback = read_feedback({} if feedback is None else feedback, stepper.outputs, units)
        self._forcing = StepForcing(self._source.taken, hours)
        if self._grids is not None and self._grids.lapse_rate is not None:
            check_corrected(t.name for t in self._source.taken)
        self._open = {n: StoredFields(path, [n]) for n, path in self._source.datasets.items()}
        self._stored: dict[str, FieldsAtPoints] = {}
        self._check_places(checkpoint, output=output, save=save, report=report)
        about = stepper.outputs, stepper.checkpoint_sha256, stepper.execution
        self._file = None if output is None else LandFile(Path(output), *about)
        self._save = None if save is None else Path(save)
        self._report = None if report is None else check_page(Path(report))
        self._check_end()
        self._run: _Run | None = None
        if atmosphere.start is not None and atmosphere.places is not None:
            self._run = self._begin(atmosphere.start, atmosphere.places)
        self._log()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._stepper._loaded.path})"

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of the atmosphere that :meth:`step` takes: those of the forcing and of the feedback."""
        return tuple(dict.fromkeys((*self._forcing.fields, *(f.field for f in self._feedback))))

    @property
    def over(self) -> bool:
        """True after the last step of the atmosphere."""
        return self._run is not None and self._run.clock + self._atmosphere.step > self._last()

    def step(self, date: datetime, places: Places, fields: Mapping[str, Any]) -> dict[str, Tensor]:
        """Take a step of the atmosphere and return the fields (point,) that the land changes in it.

        ``date`` is the end of the step; ``fields`` (point,) are at least those of :attr:`needs`. They are not changed.
        The land steps when 6 h are complete.
        """
        step = self._atmosphere.step
        run = self._run = self._run or self._begin(date - step, places)
        if date - run.clock != step:
            raise ValueError(
                f"The atmosphere went from {run.clock} to {date}, but its step is {step}. Run it step by step."
            )
        if missing := [f for f in self.needs if f not in fields]:
            raise ValueError(f"The step to {date} lacks the fields {missing}; it has {sorted(fields)}. Give them.")
        given = {f: _tensor(fields[f], run.points.n_points, f) for f in self._forcing.fields}
        amounts = {t.field for t in self._source.taken if t.amount}
        here = {f: run.points.read(values, amount=f in amounts) for f, values in given.items()}
        self._forcing.add(here)
        run.budget.add(given, here)
        run.clock = date
        complete = self._forcing.complete
        if complete:
            run.land = self._stepper.step(run.land, {**self._forcing.take(), **self._others(run.land)})
        changed = {}
        for fed in self._feedback:
            if complete or (fed.held and fed.name in run.land):
                values = run.land[fed.name] if fed.factor == 1.0 else run.land[fed.name].double() * fed.factor
                before = _tensor(fields[fed.field], run.points.n_points, fed.field)
                changed[fed.field] = run.points.write(before, values, land_only=fed.land_only)
        if complete and run.report is not None:
            run.report.add(run.land, {f: torch.as_tensor(fields[f]) for f in changed}, changed)
        if complete and self._file is not None:
            self._file.write(run.land)
        if complete and date + STEP > self._last():
            self._end(run)
        return changed

    def _begin(self, date: datetime, atmosphere: Places) -> _Run:
        self._start = date
        places = (np.asarray(atmosphere[0], dtype=np.float64), np.asarray(atmosphere[1], dtype=np.float64))
        land = initial_state(self._initial, self._stepper, date)
        where = land.latitudes, land.longitudes
        points = self._exchange(land, places)
        for name, stored in self._open.items():
            land_points("same", where, (stored.latitudes, stored.longitudes))  # refuses others
            self._stored[name] = stored.at_points(np.arange(where[0].size))
            stored.index_of(date + STEP)
        instants = {f"avg_{n}": land[n] for n in self._stepper.needs["forcing_at_start"]}
        if isinstance(self._initial, Mapping) and "state" in self._initial:
            further = LandState.load_further(str(self._initial["state"]))
            instants |= {n: torch.from_numpy(values).to(self._stepper.device) for n, values in further.items()}
        self._forcing.start(instants)
        if self._file is not None:
            self._file.write(land)
        budget = ExchangeBudget(self._source.taken, points, self._forcing.step)
        report = None if self._report is None else CouplingReport(self._report, self._feedback, budget, points)
        return _Run(land, points, date, budget, report)

    def _exchange(self, land: LandState, atmosphere: Places) -> Exchange:
        """Return the exchange between the points, and set the correction for height."""
        where = land.latitudes, land.longitudes
        if self._grids is None:
            return land_points(self._points, where, atmosphere).to(self._stepper.device)
        height = land["z"].double().cpu().numpy() / GRAVITY if "z" in land else None
        grids = open_grids(self._grids, where, atmosphere, height)
        rise, rate = torch.from_numpy(grids.rise).to(self._stepper.device), self._grids.lapse_rate
        if rate is not None:
            self._forcing.correct = lambda fields: at_height(fields, rise, rate)
        return grids.exchange().to(self._stepper.device)

    def _others(self, land: LandState) -> dict[str, Any]:
        """Return the forcing that is not from the atmosphere: held from the start, or stored."""
        end = land.date + STEP
        held: dict[str, Any] = {n: land[n] for n in self._source.held}
        return held | {n: s.at(s.stored.index_of(end))[:, 0] for n, s in self._stored.items()}

    def _check_places(self, checkpoint: str, **results: Any) -> None:
        """Check that each result has a name of its own, which is not that of what the land reads."""
        weights = None if self._grids is None else self._grids.weights
        read = [*self._initial.values(), *self._source.datasets.values(), checkpoint, weights]
        taken = {Path(str(path)).expanduser().resolve(): "is read by the land" for path in read if path is not None}
        for option, given in results.items():
            if given is None:
                continue
            if not isinstance(given, str | Path):
                raise TypeError(f"`{option}` is {given!r}. Give the path of a file.")
            path = Path(given).expanduser().resolve()
            if path in taken:
                raise ValueError(f"`{option}` '{given}' {taken[path]}. Give it another path.")
            taken[path] = f"is `{option}` as well"

    def _check_end(self) -> None:
        """Check that the run ends with a step of the land if its state is saved."""
        if self._save is not None:
            check_folder(self._save.parent)
            check_replaceable(self._save)
            lead = self._atmosphere.lead
            if lead is not None and lead % STEP:
                raise ValueError(f"`save` needs a `lead_time` of whole steps of {STEP_HOURS} h; it is {lead}.")

    def _last(self) -> datetime:
        lead = self._atmosphere.lead
        return datetime.max if lead is None or self._start is None else self._start + lead

    def _end(self, run: _Run) -> None:
        run.budget.log()
        if run.report is not None:
            run.report.write({
                "network": self._stepper._loaded.path, "first": self._start, "points of the land": run.points.n_land,
                "points of the atmosphere": run.points.n_points, "step of the atmosphere": self._atmosphere.step,
            })  # fmt: skip
        if self._file is not None:
            self._file.close()
        if self._save is not None:
            before = {n: values.numpy(force=True) for n, values in self._forcing.before.items()}
            run.land.save(self._save, self._stepper.checkpoint_sha256, before)
            LOG.info("State of the land at %s saved to %s", run.land.date, self._save)

    def _log(self) -> None:
        taken = "; ".join(f"{t.name} from {t.field}" for t in self._source.taken)
        fed = "; ".join(f"{f.field} from {f.name}" for f in self._feedback) or "nothing: the land is forced only"
        LOG.info("Land takes: %s. Held: %s. Stored: %s", taken, list(self._source.held), dict(self._source.datasets))
        LOG.info("Land gives: %s", fed)


#: Options of a coupled land, as :class:`CoupledLand` describes them.
LAND_OPTIONS = tuple(n for n in options_of(CoupledLand) if n != "atmosphere")

#: Those that name a file to write.
RESULTS = ("output", "save", "report")


def initial_state(config: Any, stepper: LandStepper, date: datetime) -> LandState:
    """Read the state of the land at the start of the run.

    ``{dataset: PATH}``: an Anemoi dataset with state, static fields and forcing; ``{state: PATH}``: a saved state.
    """
    _check_initial(config)
    if "state" in config:
        state = stepper.load(Path(str(config["state"])))
        if state.date != date:
            raise ValueError(
                f"The saved state '{config['state']}' is of {state.date}, the run starts at {date}. "
                "Start the run at the date of the state, or give another state."
            )
        return state
    needs = stepper.needs
    names = [*needs["prognostic"], *needs["static"], *needs["forcing_at_start"]]
    if stepper.plausibility != "off":  # the land mask and others that no network reads
        names += further_static(AnemoiDataset(str(config["dataset"])).variables, names)
    stored = StoredFields(str(config["dataset"]), names)
    first = stored.index_of(date)
    values = stored.read(first, first + 1, np.arange(stored.latitudes.size))[0]
    LOG.info("Land starts from %s at %s", stored.path, date)
    return stepper.initial(dict(zip(names, values.T, strict=True)), date, stored.latitudes, stored.longitudes)


def _check_initial(config: Any) -> None:
    if not isinstance(config, Mapping) or len(config) != 1:
        raise TypeError(f"`initial` is {config!r}. Give {{dataset: PATH}} or {{state: PATH}}.")
    check_known(config, ("dataset", "state"), "`initial`")


def _count_points(config: Any) -> int:
    """Return the number of points of the land, before its variables are known."""
    _check_initial(config)
    if "state" in config:
        return len(LandState.load(Path(str(config["state"])), None).latitudes)
    return len(AnemoiDataset(str(config["dataset"])).latitudes)


def _device_of(context: Any) -> torch.device:
    """Return the device of the fields of a run; the CPU for one without double precision."""
    device = torch.device(getattr(context, "device", CPU))
    rank = getattr(context, "compute_client", None)
    if device.type == "cuda" and rank is not None:  # the parallel runner chooses its device after its processors
        return torch.device("cuda", rank.local_rank)
    return CPU if device.type == "mps" else device


def _units(metadata: Any, name: str) -> str | None:
    row = metadata.typed_variables.get(name)
    return None if row is None or row.units is None else str(row.units)


def _tensor(field: Any, n_points: int, name: str) -> Tensor:
    values = torch.as_tensor(field)
    if values.shape != (n_points,):
        raise ValueError(f"'{name}' of the atmosphere has shape {tuple(values.shape)}; it has {n_points} points.")
    return values
