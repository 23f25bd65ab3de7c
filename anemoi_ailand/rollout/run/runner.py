# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The runner of the land: ``runner: land-forecaster``, found by ``runner: auto`` through the checkpoint's task."""

from __future__ import annotations

import datetime
import errno
import json
import logging
from collections.abc import Generator, Sequence
from contextlib import nullcontext
from typing import Any, cast
from zipfile import BadZipFile

import numpy as np
from anemoi.inference.inputs.dataset import DatasetInput
from anemoi.inference.runner import Runner, RunnerClasses
from anemoi.utils.dates import as_timedelta
from torch import Tensor

from anemoi_ailand.hosts.anemoi_inference import RunnerHooks
from anemoi_ailand.rollout.ensembles.ensemble import SINGLE, Ensemble
from anemoi_ailand.rollout.forcing.common_points import on_same_points
from anemoi_ailand.rollout.forcing.file_input import EcLandInput
from anemoi_ailand.rollout.forcing.read_ahead import ReadAhead
from anemoi_ailand.rollout.netcdf_sharing import share_netcdf_lock
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.run.coverage import available_dates, check_coverage
from anemoi_ailand.rollout.run.loop import RollOut
from anemoi_ailand.rollout.run.options import STEP, run_options
from anemoi_ailand.rollout.run.preflight import check_outputs, check_room, leaves, plan
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.run.restart import Restart, Restarts
from anemoi_ailand.rollout.run.signals import StopRequest
from anemoi_ailand.rollout.run.tensor_handler import LandMetadata, LandTensorHandler
from anemoi_ailand.rollout.step.checkpoint import check_task, known_by, load_step, there
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.step.pretrained import checkpoint_path
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK

LOG = logging.getLogger(__name__)

#: Dates of forcing that are read at once, and memory for those in use and those ahead [bytes].
READ_DATES, READ_BYTES = 4, 2**27

#: Options of a run that may change when it goes on.
_FREE = (
    "lead_time", "verbosity", "use_profiler", "env", "description", "name", "debugging_info", "device", "runner",
    "preload_checkpoint", "preload_buffer_size",
)  # fmt: skip


class LandForecasterRunner(RunnerHooks, Runner):
    """Prognostic roll-out of the land with the forcing over each step, on any points.

    Configuration, inputs, processors and outputs are anemoi-inference's own. Different are: forcing stored at the end
    of a step goes with that step and is read ahead in the background, points come from the initial state, members are
    folded into points, a run that was stopped goes on from its last restart file, and what a run needs is checked
    before its first step. ``checkpoint`` may be the name of a pretrained network; one of the package is verified before
    it is unpickled.

    Parameters
    ----------
    config : RunConfiguration
        Of anemoi-inference.
    **options
        See :class:`~anemoi_ailand.rollout.run.options.RunOptions`.

    Raises
    ------
    ValueError
        An unknown option; a checkpoint of another task, or a pretrained one that is damaged; a lead time that is no
        multiple of the step; forcing that does not cover the run; state, static fields and forcing on different points;
        restart files of another run.
    OSError
        An output that cannot be written; no room for it.
    """

    #: Whether the first step was begun: what goes wrong before that was to be found by the checks.
    under_way = False

    def __init__(self, config: Any, **options: Any) -> None:
        self.options = run_options(options)
        if isinstance(config.checkpoint, str):  # else a place to download from
            config = config.model_copy(update={"checkpoint": str(there(checkpoint_path(config.checkpoint)))})
        classes = RunnerClasses(tensor_handler=LandTensorHandler, metadata=LandMetadata)
        try:
            super().__init__(config, classes=classes)
        except BadZipFile as error:
            raise ValueError(
                f"'{config.checkpoint}' is no inference checkpoint ({error}). Give the file 'inference-*.ckpt' that "
                "the training writes."
            ) from error
        check_task(self.checkpoint.task, self.config.checkpoint)
        self._restarts: Restarts | None = None
        self._going_on: Restart | None = None
        # what `execute` sets and `run`, called by itself with states, does without
        self._stop, self._room = StopRequest(), (0, 0)
        self._leaves: list[Any] = []
        self._ensemble: Ensemble | None = None

    @staticmethod
    def check_options(options: dict[str, Any]) -> None:
        """Refuse unknown options and values that make no sense, before anything is opened."""
        run_options(options)

    @property
    def _dataset(self) -> str:
        return next(iter(self.tensor_handlers))

    @property
    def _steps(self) -> int:
        return as_timedelta(self.config.lead_time) // STEP

    def execute(self) -> None:
        """Check that the run can be completed, then run, from a restart file if there is one."""
        self._check()
        if self.verbosity == 0:
            logging.getLogger("anemoi.utils.timer").setLevel(logging.WARNING)
        with StopRequest() as self._stop:
            super().execute()
        if self._restarts is not None and not self.options.dry_run:
            self._restarts.remove()

    def _check(self) -> None:
        lead = as_timedelta(self.config.lead_time)
        if lead <= datetime.timedelta(0) or lead % STEP:
            raise ValueError(f"`lead_time` is {self.config.lead_time}, which is no positive multiple of {STEP}.")
        for name, forcing in self.dynamic_forcings_inputs.items():
            date = self.reference_date or self.prognostics_inputs[name].default_initial_date()
            check_coverage(available_dates(forcing), date, lead, STEP)
        _check_known(self.config)
        restart = self.options.restart
        share_netcdf_lock()
        self._leaves = list(leaves(self.outputs[self._dataset]))
        check_outputs(self._leaves, restart=restart is not None)
        if self.options.dry_run:
            self.outputs = {name: _Nothing() for name in self.outputs}  # type: ignore[misc]
        if restart is None:
            return
        self._restarts = Restarts(restart.folder, self._identity(), known_by(self._path), restart.keep)
        self._going_on = self._restarts.newest()
        if self._going_on and self._going_on.number >= self._steps:
            raise ValueError(
                f"The restart file is of step {self._going_on.number}, and `lead_time` {self.config.lead_time} is "
                f"{self._steps} steps. Give a longer one, or remove the restart files to start again."
            )
        every = restart.every // STEP
        going_on = iter(self._going_on.outputs if self._going_on else ())
        for leaf in self._leaves:
            if isinstance(leaf, LandOutput):
                leaf.restart_every = every
                if self._going_on:
                    _go_on(leaf, next(going_on))

    @property
    def _path(self) -> Any:
        return checkpoint_path(str(self.checkpoint.path))

    @property
    def _further(self) -> tuple[str, ...]:
        """Checkpoints of an ensemble beside the run's own."""
        return self.options.ensemble.checkpoints if self.options.ensemble else ()

    def _identity(self) -> dict[str, Any]:
        """What makes this run another than others, as JSON has it."""
        config = {k: v for k, v in dict(self.config).items() if k not in _FREE}
        date = self.reference_date or self.prognostics_inputs[self._dataset].default_initial_date()
        own = {k: v for k, v in self.options.model_dump().items() if k in ("ensemble", "bad_forcing")}
        further = [known_by(checkpoint_path(p)) for p in self._further]
        return json.loads(json.dumps({**config, **own, "further": further, "date": date}, default=str))

    def forecast(
        self, lead_time: Any, input_tensors_numpy: dict[str, Any], input_states: dict[str, Any]
    ) -> Generator[dict[str, Any], None, None]:
        """States after the start, or after the last restart file; forcing is read ahead, output is the caller's."""
        name = self._dataset
        state = input_states[name]
        roll = self._roll_out(input_tensors_numpy[name][0], state)
        where = (state["latitudes"], state["longitudes"])
        steps = as_timedelta(lead_time) // STEP
        LOG.info("%s", plan(roll, steps - roll.number, where[0].size, *self._room))
        if self.options.dry_run:
            return
        self.under_way = True
        dates = [roll.date + k * STEP for k in range(1, steps - roll.number + 1)]
        with self._forcing(dates, where) as forcing, Progress(len(dates), self.verbosity == 0, "Roll-out") as bar:
            for date in dates:
                yield from self._one(roll, _read(forcing, date), state, roll.number + 1 == steps)
                bar.date(date)
                self._keep(roll, last=date == dates[-1])
        self._end(roll, where)

    def _one(
        self, roll: RollOut, values: np.ndarray, start: dict[str, Any], last: bool
    ) -> Generator[dict[str, Any], None, None]:
        out = roll.step(values)
        members = len(roll.ensemble)
        lat, lon = (start["latitudes"], start["longitudes"]) if members == 1 else roll.ensemble.places()
        state: dict[str, Any] = {
            "date": roll.date, "step": roll.number * STEP, "previous_step": (roll.number - 1) * STEP,
            "latitudes": lat, "longitudes": lon, "fields": self._fields(roll, out),
        }  # fmt: skip
        if self.options.ensemble:
            state["members"] = members
        processors = self.mid_processors[self._dataset]
        for processor in processors:
            state = processor.process(state)
        if processors:
            for i, name in enumerate(roll.outputs):
                out[:, i] = state["fields"][name]
            roll.set_state(out)
        yield {self._dataset: state}
        if not last:
            self.output_states_hook({self._dataset: state})

    def _fields(self, roll: RollOut, out: Tensor) -> dict[str, Any]:
        """Fields by name: views that a mid-processor may change, else arrays that lie together in memory."""
        if self.mid_processors[self._dataset]:
            return dict(zip(roll.outputs, out.unbind(-1), strict=True))
        return dict(zip(roll.outputs, out.T.contiguous().cpu().numpy(), strict=True))

    def _roll_out(self, start: np.ndarray, state: dict[str, Any]) -> RollOut:
        """Networks, members and their state, at the start or where the run goes on."""
        options = self.options
        where = (state["latitudes"], state["longitudes"])
        paths = [self._path, *self._further]
        networks = [BlockStep(load_step(p, self.device), options.threads, options.block_rows) for p in paths]
        ensemble, self._ensemble = self._members(where), None  # it changes with every step: another run has its own
        roll = RollOut(networks, ensemble, start, self._forcing_names(), state["date"], where, options.bad_forcing)
        if self._going_on is not None:
            there = self._going_on.arrays["state"].shape[0]
            if there != roll.n_rows:
                raise ValueError(
                    f"The restart file has {there} rows, the run {roll.n_rows} (points x members). Give the same "
                    "points, or remove the restart files to start again."
                )
            roll.restore(self._going_on.arrays, self._going_on.date, self._going_on.number)
            LOG.info("The run goes on after step %d, %s", roll.number, roll.date)
        return roll

    def output_state(self, state: dict[str, Any], inputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What outputs get at step zero; with an ensemble the states of its members, one after the other."""
        where = (state["latitudes"], state["longitudes"])
        self._room = self._check_room(where[0].size)  # here, before any output is opened
        if self.options.ensemble is None:
            return state
        ensemble = self._members(where)
        known = {n: values[-1] for part in inputs for n, values in part.get("fields", {}).items()}
        order = self.tensor_handlers[self._dataset].metadata.variable_to_output_tensor_index
        names = [n for n in sorted(order, key=order.__getitem__) if n in inputs[0]["fields"]]
        members = dict(zip(names, ensemble.states(known, names, state["date"]), strict=True))
        fields = {n: members[n] if n in members else ensemble.static(known[n][None])[0] for n in state["fields"]}
        lat, lon = ensemble.places()
        return {**state, "fields": fields, "latitudes": lat, "longitudes": lon, "members": len(ensemble)}

    def _members(self, where: tuple[np.ndarray, np.ndarray]) -> Ensemble:
        """The members at the points of the run, made once for outputs and steps: random fields take time."""
        if self._ensemble is None:
            self._ensemble = Ensemble(self.options.ensemble or SINGLE, *where)
        return self._ensemble

    def _check_room(self, n_points: int) -> tuple[int, int]:
        members = self.options.ensemble.members if self.options.ensemble else 1
        n_inputs = len(self.tensor_handlers[self._dataset].metadata.variable_to_input_tensor_index)
        kept = self.options.restart.keep + 1 if self.options.restart else 0
        restart_bytes = kept * 4 * members * n_points * n_inputs
        return check_room(self._leaves, self._steps + 1, members * n_points, members, restart_bytes)

    def _forcing_names(self) -> list[str]:
        handler = cast("LandTensorHandler", self.tensor_handlers[self._dataset])
        names = handler.input_names()
        return [names[i] for provider in handler.dynamic_forcings_providers for i in provider.mask]

    def _forcing(self, dates: list[datetime.datetime], where: tuple[np.ndarray, np.ndarray]) -> ReadAhead:
        """Forcing at the points, (variable, point), date by date."""
        providers = self.tensor_handlers[self._dataset].dynamic_forcings_providers
        state: Any = {
            "latitudes": where[0], "longitudes": where[1], "date": self.reference_date, "step": datetime.timedelta(0),
        }  # fmt: skip

        def load(wanted: Any) -> np.ndarray:
            return np.concatenate([_load(p, list(wanted), state) for p in providers])

        return ReadAhead(
            load,
            dates,
            block=READ_DATES,
            max_bytes=READ_BYTES,
            bytes_per_date=4 * len(self._forcing_names()) * where[0].size,
            background=all(getattr(getattr(p, "input", None), "read_ahead", True) for p in providers),
        )

    def _keep(self, roll: RollOut, *, last: bool) -> None:
        """Write a restart file if it is time, or if the run is asked to stop; then stop."""
        restart = self.options.restart
        due = restart is not None and (roll.number * STEP) % restart.every == datetime.timedelta(0)
        if self._restarts is not None and not last and (due or self._stop.asked):
            progress = [leaf.make_durable() for leaf in self._leaves if isinstance(leaf, LandOutput)]
            self._restarts.write(Restart(roll.date, roll.number, roll.progress(), progress))
        if not last:
            self._stop.obey(roll.date, restartable=restart is not None)

    def _end(self, roll: RollOut, where: tuple[np.ndarray, np.ndarray]) -> None:
        roll.finish()
        if self.options.final_state is None:
            return
        for i, member in enumerate(roll.ensemble.members):
            rows = slice(i * where[0].size, (i + 1) * where[0].size)
            state = LandState(roll.date, *where, roll.columns()[rows], roll.inputs, roll.prognostic)
            path = state.save(str(self.options.final_state).format(member=member), known_by(self._path))
            LOG.info("State of %s written to %s", roll.date, path)

    def aligned_states(self, states: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """States of the inputs on the points of the first, from which they may differ by rounding."""
        return on_same_points(states)


def _check_known(config: Any) -> None:
    for option in ("trace_path", "predict_kwargs"):
        if getattr(config, option):
            raise ValueError(f"`{option}` is not known to the land. Leave it out.")
    if config.precision not in (None, "32", "float32"):
        raise ValueError(f"`precision` is {config.precision}, but the land is stepped in float32. Leave it out.")


def _read(forcing: ReadAhead, date: datetime.datetime) -> np.ndarray:
    """Forcing at a date; what a library says of a damaged file, in whatever kind of error, is a failure to read it."""
    try:
        return forcing.get(date)
    except RuntimeError as error:
        raise OSError(errno.EIO, str(error)) from error


def _load(provider: Any, dates: list[datetime.datetime], state: Any) -> np.ndarray:
    """Forcing of one provider; inputs other than datasets and our own may call the NetCDF library in the background."""
    safe = isinstance(getattr(provider, "input", None), DatasetInput | EcLandInput | None)
    with nullcontext() if safe else NETCDF_LOCK:
        return provider.load_forcings_array(dates, state)


class _Nothing:
    """In place of the outputs of a dry run, which must leave no trace."""

    def open(self, state: Any) -> None:
        """Do nothing."""

    write_initial_state = write_state = open

    def close(self) -> None:
        """Do nothing."""


def _go_on(output: LandOutput, progress: dict[str, Any]) -> None:
    """Have an output go on where the stock runner would open it, and leave out the initial state, which it has."""
    output.open = lambda state: output.resume(state, progress)  # type: ignore[method-assign]
    output.write_initial_state = lambda state: None  # type: ignore[method-assign]
