# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Runner of the land, ``runner: land-forecaster``; ``runner: auto`` finds it by the task of the checkpoint."""

from __future__ import annotations

import datetime
import errno
import json
import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, cast
from zipfile import BadZipFile

import numpy as np
from anemoi.inference.inputs.dataset import DatasetInput
from anemoi.inference.runner import Runner, RunnerClasses
from anemoi.utils.dates import as_timedelta

from anemoi_ailand.constants import STEP, STEP_HOURS
from anemoi_ailand.data.anemoi_dataset import check_finished
from anemoi_ailand.hosts.anemoi_inference import (
    RunnerHooks,
    dataset_paths,
    has_single_dates,
    restrict_points,
    share_netcdf_lock,
)
from anemoi_ailand.rollout.ensembles.ensemble import SINGLE, Ensemble
from anemoi_ailand.rollout.ensembles.model_error import OutputErrors, calibration_of, errors_of
from anemoi_ailand.rollout.forcing.common_points import on_same_points
from anemoi_ailand.rollout.forcing.file_input import EcLandInput
from anemoi_ailand.rollout.forcing.mapped_inputs import mapped_inputs
from anemoi_ailand.rollout.forcing.read_ahead import ReadAhead
from anemoi_ailand.rollout.forcing.state_input import LandStateInput
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.outputs.zarr_output import LandZarrOutput, SharedPart
from anemoi_ailand.rollout.outputs.zarr_store import CompleteError
from anemoi_ailand.rollout.run.loop import Rollout
from anemoi_ailand.rollout.run.options import run_options
from anemoi_ailand.rollout.run.preflight import (
    available_dates,
    check_coverage,
    check_outputs,
    check_room,
    check_stated_units,
    cost,
    extra_fields,
    leaves,
    seconds_per_step,
)
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.run.restart import Restart, Restarts, StopRequest
from anemoi_ailand.rollout.run.tensor_handler import LandMetadata, LandTensorHandler
from anemoi_ailand.rollout.step.checkpoint import LandStep, check_task, checkpoint_checksum, existing_checkpoint
from anemoi_ailand.rollout.step.compiled_step import PAYS, open_step
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.step.pretrained import checkpoint_path
from anemoi_ailand.rollout.step.row_blocks import BlockStep, steps_at_once
from anemoi_ailand.rollout.step.state_file import warn_of_other_execution
from anemoi_ailand.rollout.step.training_record import checker_of
from anemoi_ailand.rollout.step.trust import check_trusted, check_whole
from anemoi_ailand.rollout.step.weights_file import is_weights
from anemoi_ailand.support.lock import exclusive
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.shards import shard_of
from anemoi_ailand.variables import HOURLY_RAIN

LOG = logging.getLogger(__name__)

#: Dates of forcing read first, from which the clock is checked, and at most at once, and memory for those in use and
#: those ahead [bytes]. A file that is compressed in chunks of a year is decoded as a whole at every read, so few reads
#: save more time than the steps take.
FIRST_DATES, READ_DATES, READ_BYTES = 32, 256, 2**27

#: Options that may differ in a resumed run.
_MAY_CHANGE = (
    "lead_time", "verbosity", "use_profiler", "env", "description", "name", "debugging_info", "device", "runner",
    "preload_checkpoint", "preload_buffer_size",
)  # fmt: skip


class LandForecasterRunner(RunnerHooks, Runner):
    """Prognostic roll-out of the land with the forcing over each step, on any points.

    Configuration, inputs, processors and outputs are those of anemoi-inference. The differences: forcing stored at the
    end of a step belongs to that step and is read ahead in the background, points come from the initial state, members
    are folded into points, a stopped run resumes from its last restart file, and everything is checked before the first
    step. ``checkpoint`` may be the name of a pretrained network, which is verified before it is unpickled.

    Parameters
    ----------
    config : RunConfiguration
        Configuration of anemoi-inference.
    **options
        See :class:`~anemoi_ailand.rollout.run.options.RunOptions`.

    Raises
    ------
    ValueError
        An unknown option, a checkpoint of another task or a damaged one, a lead time not a multiple of the step,
        forcing that does not cover the run, inputs on different points, or restart files of another run.
    OSError
        An output that is not writable, or too little disk space.
    """

    def __init__(self, config: Any, **options: Any) -> None:
        self.options = run_options(options)
        self._shard = shard_of(self.options.shards, self.options.shard)
        if self.options.shards is not None and self.options.restart is not None:
            folder = self.options.restart.folder / f"shard-{self._shard.number}"
            restart = self.options.restart.model_copy(update={"folder": folder})
            self.options = self.options.model_copy(update={"restart": restart})
        path, known = None, False
        if isinstance(config.checkpoint, str):  # else a location to download from
            path = existing_checkpoint(checkpoint_path(config.checkpoint))
            if is_weights(path):
                raise ValueError(
                    f"'{path}' has weights without the metadata that anemoi-inference needs. Give the checkpoint; "
                    "`ail.load` and the other commands take the weights."
                )
            known = check_whole(path)
            config = config.model_copy(update={"checkpoint": str(path)})
            config = mapped_inputs(config)
        classes = RunnerClasses(tensor_handler=LandTensorHandler, metadata=LandMetadata)
        try:
            super().__init__(config, classes=classes)
        except BadZipFile as error:
            raise ValueError(
                f"'{config.checkpoint}' is not an inference checkpoint ({error}). Give the file 'inference-*.ckpt' "
                "that the training writes."
            ) from error
        check_task(self.checkpoint.task, self.config.checkpoint)
        if path is not None:
            check_trusted(path, known, self._trust)
        self._restarts: Restarts | None = None
        self._resumed: Restart | None = None
        # set by `execute`; `run` called directly with states does without
        self._stop, self._disk = StopRequest(), (0, 0)
        self._writers: list[Any] = []
        self._steps_opened: list[LandStep] = []
        self._ensemble: Ensemble | None = None
        self._roll: Rollout | None = None

    @property
    def under_way(self) -> bool:
        """True once the first step was begun; earlier failures are failures of the input."""
        return self._roll is not None and self._roll.begun

    @property
    def _dataset(self) -> str:
        return next(iter(self.tensor_handlers))

    @property
    def _trust(self) -> bool | str | None:
        return self.options.trust or None

    @property
    def _steps(self) -> int:
        return as_timedelta(self.config.lead_time) // STEP

    def execute(self) -> None:
        """Check that the run can be completed, then run or resume it; nobody else writes its files meanwhile."""
        with ExitStack() as held:
            self._check(held)
            if self.verbosity == 0:
                logging.getLogger("anemoi.utils.timer").setLevel(logging.WARNING)
            try:
                with StopRequest() as self._stop:
                    super().execute()
            except CompleteError as nothing_to_do:
                LOG.info("%s", nothing_to_do)
            except BaseException as error:
                self._leave(error)
                raise
            if self._restarts is not None and not self.options.dry_run:
                self._restarts.remove()

    def _read_paths(self) -> list[str | Path]:
        """Return the files and datasets of all inputs."""
        found: list[str | Path] = []
        for of in (self.prognostics_inputs, self.constant_forcings_inputs, self.dynamic_forcings_inputs):
            for source in of.values():
                found += [*dataset_paths(source), *getattr(source, "files", ())]
        return found

    def _leave(self, error: BaseException) -> None:
        """Remove what a run that has not made a step has written, else say where its times are."""
        keep = self.under_way or self._resumed is not None
        kept = [f"'{w.partial}'" for w in self._writers if isinstance(w, LandOutput) and w.leave(keep=keep)]
        if kept:
            error.add_note(
                f"The times before that are in {', '.join(kept)}: an output has its name when it is complete. Without "
                "`restart`, the next run begins again."
            )

    def _check(self, held: ExitStack | None = None) -> None:
        """Check everything before the first step; ``held`` takes the locks of what the run writes."""
        lead = as_timedelta(self.config.lead_time)
        if lead <= datetime.timedelta(0) or lead % STEP:
            raise ValueError(
                f"`lead_time` is {self.config.lead_time}, which is not a positive multiple of {STEP_HOURS} h. "
                "Give e.g. 30d or 6h."
            )
        for name, forcing in self.dynamic_forcings_inputs.items():
            for path in (*dataset_paths(forcing), *dataset_paths(self.prognostics_inputs[name])):
                check_finished(path)
            for source in (self.prognostics_inputs[name], self.constant_forcings_inputs.get(name), forcing):
                check_stated_units(source, self.tensor_handlers[name])
            date = self.reference_date or self.prognostics_inputs[name].default_initial_date()
            check_coverage(available_dates(forcing), date, lead)
        _refuse_unsupported(self.config)
        self._calibrations()
        restart = self.options.restart
        if restart is not None and restart.folder.exists() and not restart.folder.is_dir():
            raise ValueError(f"`restart.folder` is '{restart.folder}', a file. Give the path of a folder.")
        share_netcdf_lock()
        self._writers = list(leaves(self.outputs[self._dataset]))
        check_outputs(self._writers, restart=restart is not None, read=self._read_paths())
        if self.options.shards is not None:
            self._divide()
        if self.options.dry_run:
            self.outputs = {name: _NoOutput() for name in self.outputs}  # type: ignore[misc]
        elif held is not None:
            for written in (getattr(leaf, "path", None) for leaf in self._writers):
                if written and self.options.shards is None:
                    held.enter_context(exclusive(Path(written)))
            if restart is not None:
                held.enter_context(exclusive(restart.folder))
        if restart is None:
            return
        self._restarts = Restarts(restart.folder, self._identity(), checkpoint_checksum(self._path), restart.keep)
        self._resumed = self._restarts.newest()
        if self._resumed and self._resumed.number >= self._steps:
            raise ValueError(
                f"The restart file is of step {self._resumed.number}, but `lead_time` {self.config.lead_time} is "
                f"{self._steps} steps. Give a longer one, or remove the restart files to start again."
            )
        every = restart.every // STEP
        resumed = iter(self._resumed.outputs if self._resumed else ())
        for leaf in self._writers:
            if isinstance(leaf, LandOutput):
                leaf.restart_every = every
                if self._resumed:
                    _resume_output(leaf, next(resumed))

    def _divide(self) -> None:
        """Restrict inputs and outputs to the points of the shard."""
        start: Any = self.prognostics_inputs[self._dataset]
        if not hasattr(start, "grid_indices"):
            raise ValueError(f"The input {start} cannot be divided into shards. Start from a dataset or from files.")
        steps = {"steps": self._steps, "lead_time": str(self.config.lead_time)}
        part = SharedPart(
            self._shard, np.asarray(start.latitudes), np.asarray(start.longitudes), self._steps,
            {**self._identity(), **steps},
        )  # fmt: skip
        LOG.info("Points %d to %d of %d: %s", part.points.start, part.points.stop, part.latitudes.size, self._shard)
        for leaf in self._writers:
            if not isinstance(leaf, LandZarrOutput):
                raise ValueError(f"The output {leaf} cannot be written by shards. Use land-zarr, or no `shards`.")
            leaf.share(part)
        inputs = (self.prognostics_inputs, self.constant_forcings_inputs, self.dynamic_forcings_inputs)
        for each in {id(of[self._dataset]): of[self._dataset] for of in inputs if self._dataset in of}.values():
            restrict_points(each, part.points)

    @property
    def _path(self) -> Any:
        return checkpoint_path(str(self.checkpoint.path))

    @property
    def _other_checkpoints(self) -> tuple[str, ...]:
        """Additional checkpoints of an ensemble."""
        return self.options.ensemble.checkpoints if self.options.ensemble else ()

    @property
    def _has_model_error(self) -> bool:
        return self.options.ensemble is not None and self.options.ensemble.has_model_error

    def _calibrations(self) -> list[Path]:
        """Return the files of the model error of all checkpoints."""
        ensemble = self.options.ensemble
        if ensemble is None or not self._has_model_error:
            return []
        paths = (self._path, *map(checkpoint_path, ensemble.checkpoints))
        return [calibration_of(path, ensemble.model_error) for path in paths]

    def _errors(self, steps: Sequence[LandStep]) -> tuple[OutputErrors, ...]:
        """Return the model error of each network."""
        assert self.options.ensemble is not None
        return tuple(errors_of(step, self.options.ensemble.model_error) for step in steps)

    def _identity(self) -> dict[str, Any]:
        """Return the JSON that distinguishes this run from others."""
        config = {k: v for k, v in dict(self.config).items() if k not in _MAY_CHANGE}
        date = self.reference_date or self.prognostics_inputs[self._dataset].default_initial_date()
        own = {k: v for k, v in self.options.model_dump().items() if k in ("ensemble", "bad_forcing")}
        # older restart files do not state what is new
        if self.options.precipitation != "mean":
            own["precipitation"] = self.options.precipitation
        if own["ensemble"] and not self._has_model_error:
            del own["ensemble"]["model_error"]
        if calibrations := self._calibrations():
            own["model_error"] = [checkpoint_checksum(path) for path in calibrations]
        further = [checkpoint_checksum(checkpoint_path(p)) for p in self._other_checkpoints]
        return json.loads(json.dumps({**config, **own, "further": further, "date": date}, default=str))

    def forecast(
        self, lead_time: Any, input_tensors_numpy: dict[str, Any], input_states: dict[str, Any]
    ) -> Generator[dict[str, Any], None, None]:
        """Iterate over the states after the start or the last restart file; the caller writes the output."""
        name = self._dataset
        state = input_states[name]
        roll = self._rollout(input_tensors_numpy[name][0], state)
        where = (state["latitudes"], state["longitudes"])
        steps = as_timedelta(lead_time) // STEP
        LOG.info("%s", cost(roll, steps - roll.number, seconds_per_step(roll), *self._disk))
        dates = [roll.date + k * STEP for k in range(1, steps - roll.number + 1)]
        if self.options.dry_run:
            self._check_forcing(roll, dates, where)
            return
        with self._forcing(dates, where) as forcing, Progress(len(dates), self.verbosity == 0, "Rollout") as bar:
            while roll.number < steps:
                values = _read(forcing, roll.date + STEP, self._at_once(roll, steps))
                for made in self._states(roll, values, state):
                    last = made["step"] == steps * STEP
                    yield {name: made}
                    if not last:
                        self.output_states_hook({name: made})
                    bar.date(made["date"])
                self._save_restart(roll, last=roll.number == steps)
        self._end(roll, where)

    def _check_forcing(
        self, roll: Rollout, dates: list[datetime.datetime], where: tuple[np.ndarray, np.ndarray]
    ) -> None:
        """Check all forcing of a dry run."""
        done = 0
        with self._forcing(dates, where) as forcing, Progress(len(dates), self.verbosity == 0, "Forcing") as bar:
            while done < len(dates):
                values = _read(forcing, dates[done], min(len(dates) - done, READ_DATES))
                roll.checker.look_again()
                roll.checked(values, dates[done : done + values.shape[1]])
                done += values.shape[1]
                bar.steps(values.shape[1])
        roll.finish()
        self._write_novelty(roll)

    def _at_once(self, roll: Rollout, steps: int) -> int:
        """Return the number of steps until something must happen between them, or until memory or time are enough."""
        if self.mid_processors[self._dataset]:
            return 1
        every = self.options.restart.every // STEP if self.options.restart else steps
        return min(steps - roll.number, every - roll.number % every, steps_at_once(roll.n_rows, roll.device))

    def _states(self, roll: Rollout, values: np.ndarray, start: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Make steps with forcing (variable, step, point), and return the state after each."""
        number, out, members = roll.number, roll.steps(values), len(roll.ensemble)
        lat, lon = (start["latitudes"], start["longitudes"]) if members == 1 else roll.ensemble.places()
        processors = self.mid_processors[self._dataset]
        # tensors that a mid-processor may change, else arrays that are contiguous for each variable
        fields: Iterable[Any] = out.mT if processors else out.mT.cpu().numpy()
        for k, one in enumerate(fields, number + 1):
            state: dict[str, Any] = {
                "date": roll.date - (roll.number - k) * STEP, "step": k * STEP, "previous_step": (k - 1) * STEP,
                "latitudes": lat, "longitudes": lon, "fields": dict(zip(roll.outputs, one, strict=True)),
            }  # fmt: skip
            if self.options.ensemble:
                state["members"] = members
            for processor in processors:
                state = processor.process(state)
            if processors:
                for i, name in enumerate(roll.outputs):
                    out[0, :, i] = state["fields"][name]
                roll.set_state(out[0])
            yield state

    def _networks(self, n_points: int) -> list[LandStep]:
        """Return the steps of all checkpoints, opened once, plain or compiled as the options and a restart file say."""
        if not self._steps_opened:
            chosen: str = self.options.execution
            members = self.options.ensemble.members if self.options.ensemble else 1
            stopped = self._resumed.execution if self._resumed else None
            if chosen == "auto" and stopped == "plain":
                chosen = stopped  # so that the resumed run is bitwise the whole one
                LOG.info("The steps stay plain, as those of the stopped run; `execution: compiled` changes that")
            work = n_points * members * self._steps
            compiles = chosen == "compiled" or (chosen == "auto" and work >= PAYS)
            if self.options.dry_run and self.device.type == "cpu":  # only a run compiles: take what there is
                chosen, work = "plain" if chosen == "plain" else "auto", 0
            paths = [self._path, *self._other_checkpoints]
            rain, error = self.options.precipitation, self._has_model_error
            trust = [self._trust, *([self._trust is True or None] * (len(paths) - 1))]  # a checksum is of one file
            self._steps_opened = [
                open_step(p, self.device, chosen, work, rain, known, error)
                for p, known in zip(paths, trust, strict=True)
            ]
            if self.options.dry_run and compiles and self.execution == "plain":
                LOG.info(
                    "The run itself compiles the step first, in minutes, and is then several times faster than said"
                )
            start = self.prognostics_inputs[self._dataset]
            if stopped:
                warn_of_other_execution("The stopped run", stopped, self.execution)
            elif isinstance(start, LandStateInput):
                warn_of_other_execution(f"The run that saved '{start.path}'", start.state.execution, self.execution)
        return self._steps_opened

    @property
    def execution(self) -> str:
        """Name of the execution of the steps, which outputs record."""
        return ", ".join(dict.fromkeys(step.execution for step in self._steps_opened)) or "plain"

    def _rollout(self, start: np.ndarray, state: dict[str, Any]) -> Rollout:
        """Set up networks and members with their state, at the start or from the restart file."""
        options = self.options
        where = (state["latitudes"], state["longitudes"])
        networks = [BlockStep(step, options.threads, options.block_rows) for step in self._networks(where[0].size)]
        ensemble, self._ensemble = self._members(where), None  # it changes with every step, so it serves one run
        checker = checker_of(networks[0].step, options.plausibility, strict=options.strict)
        roll = Rollout(
            networks, ensemble, start, self._forcing_names(), state["date"], where, options.bad_forcing, checker
        )
        self._roll = roll
        if checker.on:
            checker.maps = options.novelty is not None
            known = dict(zip(roll.inputs, start, strict=False))
            inputs = [*self.prognostics_inputs.values(), *self.constant_forcings_inputs.values()]
            further = extra_fields(inputs, known, state["date"], where[0].size)
            checker.start({**known, **further}, state["date"], where)
        if options.novelty is not None and checker.novelty is None:
            raise ValueError(
                f"The run has `novelty`, but nothing is known of the training data of {self._path}. Leave it out, or "
                "take a network that was trained with this version."
            )
        if self._resumed is not None:
            n_rows = self._resumed.arrays["state"].shape[0]
            if n_rows != roll.n_rows:
                raise ValueError(
                    f"The restart file has {n_rows} rows, the run {roll.n_rows} (points x members). Give the same "
                    "points, or remove the restart files to start again."
                )
            roll.restore(self._resumed.arrays, self._resumed.date, self._resumed.number)
            LOG.info("The run resumes after step %d, %s", roll.number, roll.date)
        return roll

    def output_state(self, state: dict[str, Any], inputs: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the state at step zero for the outputs; with an ensemble, the states of its members in turn."""
        where = (state["latitudes"], state["longitudes"])
        self._disk = self._check_room(where[0].size)  # here, before any output is opened
        self._networks(where[0].size)  # outputs record how the steps are executed
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
        """Return the members, created once for outputs and steps, as random fields take time."""
        if self._ensemble is None:
            errors = self._errors(self._networks(where[0].size)) if self._has_model_error else ()
            self._ensemble = Ensemble(self.options.ensemble or SINGLE, *where, self.options.precipitation, errors)
        return self._ensemble

    def _check_room(self, n_points: int) -> tuple[int, int]:
        members = self.options.ensemble.members if self.options.ensemble else 1
        n_inputs = len(self.tensor_handlers[self._dataset].metadata.variable_to_input_tensor_index)
        kept = self.options.restart.keep + 1 if self.options.restart else 0
        restart_bytes = kept * 4 * members * n_points * n_inputs
        return check_room(self._writers, self._steps + 1, members * n_points, members, restart_bytes)

    def create_input(self, input_type: Any, dataset_name: str, metadata: Any) -> Any:
        """Create an input; that of the forcing reads hourly rain, too, if the run takes it."""
        made = super().create_input(input_type, dataset_name, metadata)
        if input_type == "dynamic_forcings" and self.options.precipitation == "hourly":
            made.variables = [*made.variables, *HOURLY_RAIN]
        return made

    def _forcing_names(self) -> list[str]:
        handler = cast("LandTensorHandler", self.tensor_handlers[self._dataset])
        names = [*handler.input_names(), *HOURLY_RAIN]
        return [names[i] for provider in handler.dynamic_forcings_providers for i in provider.mask]

    def _forcing(self, dates: list[datetime.datetime], where: tuple[np.ndarray, np.ndarray]) -> ReadAhead:
        """Return a reader of the forcing (variable, point), date by date."""
        providers = self.tensor_handlers[self._dataset].dynamic_forcings_providers
        state: Any = {
            "latitudes": where[0], "longitudes": where[1], "date": self.reference_date, "step": datetime.timedelta(0),
        }  # fmt: skip

        def load(wanted: Any) -> np.ndarray:
            values = np.empty((len(self._forcing_names()), len(wanted), where[0].size), dtype=np.float32)
            row = 0
            for provider in providers:
                rows = slice(row, row := row + len(provider.mask))
                # date by date where it costs no more, so that the other variables of few dates are in memory
                size = 1 if has_single_dates(getattr(provider, "input", None)) else len(wanted)
                for first in range(0, len(wanted), size):
                    dates = slice(first, first + size)
                    values[rows, dates] = _load(provider, list(wanted[dates]), state)
            return values

        return ReadAhead(
            load,
            dates,
            block=READ_DATES,
            first=FIRST_DATES,
            max_bytes=READ_BYTES,
            bytes_per_date=4 * len(self._forcing_names()) * where[0].size,
            background=all(getattr(getattr(p, "input", None), "read_ahead", True) for p in providers),
        )

    def _save_restart(self, roll: Rollout, *, last: bool) -> None:
        """Write a restart file if one is due or a stop is requested; stop if requested."""
        restart = self.options.restart
        due = restart is not None and (roll.number * STEP) % restart.every == datetime.timedelta(0)
        if self._restarts is not None and not last and (due or self._stop.asked):
            progress = [leaf.make_durable() for leaf in self._writers if isinstance(leaf, LandOutput)]
            self._restarts.write(Restart(roll.date, roll.number, roll.progress(), progress, self.execution))
        if not last:
            self._stop.obey(roll.date, restartable=restart is not None)

    def _end(self, roll: Rollout, where: tuple[np.ndarray, np.ndarray]) -> None:
        roll.finish()
        self._write_novelty(roll)
        if self.options.final_state is None:
            return
        for i, member in enumerate(roll.ensemble.members):
            rows = slice(i * where[0].size, (i + 1) * where[0].size)
            state = LandState(
                roll.date, *where, roll.columns()[rows], roll.inputs, roll.prognostic, execution=self.execution
            )
            path = state.save(str(self.options.final_state).format(member=member), checkpoint_checksum(self._path))
            LOG.info("State of %s written to %s", roll.date, path)

    def _write_novelty(self, roll: Rollout) -> None:
        if self.options.novelty is not None and roll.checker.novelty is not None:
            LOG.info("Novelty of the inputs written to %s", roll.checker.novelty.write(self.options.novelty))

    def aligned_states(self, states: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the states of the inputs on the points of the first, from which they may differ by rounding."""
        return on_same_points(states)


def _refuse_unsupported(config: Any) -> None:
    for option in ("trace_path", "predict_kwargs"):
        if getattr(config, option):
            raise ValueError(f"`{option}` is not supported for the land. Leave it out.")
    if config.precision not in (None, "32", "float32"):
        raise ValueError(f"`precision` is {config.precision}, but the land is stepped in float32. Leave it out.")


def _read(forcing: ReadAhead, date: datetime.datetime, most: int) -> np.ndarray:
    """Return the forcing from a date on; any error of a library about a damaged file becomes an OSError."""
    try:
        return forcing.several(date, most)
    except RuntimeError as error:
        raise OSError(errno.EIO, str(error)) from error


def _load(provider: Any, dates: list[datetime.datetime], state: Any) -> np.ndarray:
    """Load the forcing of one provider, under the lock where its input may call the NetCDF library."""
    safe = isinstance(getattr(provider, "input", None), DatasetInput | EcLandInput | None)
    with nullcontext() if safe else NETCDF_LOCK:
        return provider.load_forcings_array(dates, state)


class _NoOutput:
    """Replacement of the outputs in a dry run, which writes nothing."""

    def open(self, state: Any) -> None:
        """Do nothing."""

    write_initial_state = write_state = open

    def close(self) -> None:
        """Do nothing."""


def _resume_output(output: LandOutput, progress: dict[str, Any]) -> None:
    """Make an output resume where the stock runner opens it, without writing the initial state again."""
    output.open = lambda state: output.resume(state, progress)  # type: ignore[method-assign]
    output.write_initial_state = lambda state: None  # type: ignore[method-assign]
