# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Interface for host programs: state and forcing in, state out; no files, no configuration."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.land_data import LandData
from anemoi_ailand.data.plausibility.checker import Checker, further_static
from anemoi_ailand.data.plausibility.rules import CHECKED_AT_START
from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.rollout.derivatives import Derivatives, Fields
from anemoi_ailand.rollout.ensembles.model_error import OutputErrors, errors_of
from anemoi_ailand.rollout.forcing.forcing_filter import check_finite
from anemoi_ailand.rollout.forcing.records import (
    is_dataset,
    key_of,
    places_of,
    record_at,
    records_at,
    source_of,
)
from anemoi_ailand.rollout.input_columns import InputColumns, as_array, checked_places
from anemoi_ailand.rollout.step.advance import STEP, advance_steps
from anemoi_ailand.rollout.step.checkpoint import LandStep, checkpoint_checksum, training_origin, with_model_error
from anemoi_ailand.rollout.step.compiled_step import choose_execution, open_step
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.step.output_check import WaterBudget, check_outputs
from anemoi_ailand.rollout.step.physical_step import to_dtype
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from anemoi_ailand.rollout.step.state_file import warn_of_other_execution
from anemoi_ailand.rollout.step.training_record import checker_of
from anemoi_ailand.support.dates import Date, Duration, to_datetime
from anemoi_ailand.support.object_display import as_html, as_text, with_units
from anemoi_ailand.support.options import nearest
from anemoi_ailand.support.packaged import folder
from anemoi_ailand.variables import match_name

if TYPE_CHECKING:
    import xarray as xr

LOG = logging.getLogger(__name__)

#: Characters of a checksum that are shown.
_DIGITS = 12


class LandStepper(Derivatives):
    """Emulator of the land: states and forcing in, states out, for a notebook, a script or a host program.

    Fields are numpy arrays, torch tensors or an :class:`xarray.Dataset`, in the units of the table of variables or in
    those that a dataset states. Sun and calendar are computed from date and place unless given. A stepper has no
    state: it may be called from several threads and for several sets of points.

    Forcing means are over the 6 h that end at the new date, instants are at the new date; those at the old date are
    part of the state. The result is bitwise that of ``anemoi-inference run`` with the same execution.

    :meth:`run` makes a series, :meth:`step` one step, :meth:`jacobian` derivatives. :meth:`propagate`, :meth:`tangent`,
    :meth:`adjoint` and :meth:`jacobian_tensor` are differentiable; :meth:`step` is not, in favour of speed.

    Parameters
    ----------
    step : LandStep
        Loaded checkpoint, see :func:`load`.
    dtype : {'float32', 'float64'}
        Precision. Double precision is slower, without recording and blocks.
    threads : int, optional
        Largest number of threads; by default as many as the system allows.
    plausibility : {'error', 'warn', 'off'}
        Treatment of impossible values; see :func:`load`. The attribute may be changed at any time.

    Raises
    ------
    ValueError
        Unknown precision or plausibility, or fewer than one thread.

    Examples
    --------
    >>> import anemoi_ailand as ail
    >>> land = ail.load("ailand")
    >>> data = ail.open_data("$AILAND_SAMPLE").to_xarray("2021-07-01")
    >>> state = land.step(land.initial(data), data)  # the record of `data` at the new date is taken
    >>> print(state.date, state["skt"].shape)
    2021-07-01 06:00:00 torch.Size([44])

    A host that has arrays:

    >>> when, fields = data.time[0], data.isel(time=0)
    >>> arrays = {name: fields[name].values for kind in ("prognostic", "static") for name in land.needs[kind]}
    >>> arrays |= {name: fields[name].values for name in land.needs["forcing_at_start"]}
    >>> state = land.initial(arrays, when, data.latitude, data.longitude)
    >>> state = land.step(state, {name: data[name].values[1] for name in land.needs["forcing"]})

    ``land.save(state, "land.state")`` and ``land.load("land.state")`` keep a state between runs.
    """

    def __init__(
        self, step: LandStep, dtype: str = "float32", threads: int | None = None, plausibility: str = "error"
    ) -> None:
        self.plausibility = Checker(plausibility).plausibility
        self._own_checks = threading.local()
        self.dtype = to_dtype(dtype)
        self._loaded = step
        self.checkpoint_sha256 = checkpoint_checksum(step.path)
        super().__init__(step, self.dtype)
        self.inputs, self.outputs = self.layout.inputs, self.layout.outputs
        self.prognostic, self.diagnostic = self.layout.prognostic, self.layout.diagnostic
        self.static = self.layout.static
        self.precipitation = step.precipitation
        self._blocks = BlockStep(step, threads)
        self._water = WaterBudget(self.layout)
        self._columns = InputColumns(step, self.layout, self.dtype)
        self.initial_names, self.forcing_names = self._columns.initial_names, self._columns.forcing_names
        names = self.initial_names, self.layout.forcing
        self._initial, self._forcing = (self.layout.sources(each) for each in names)
        self._warned: set[str] = set()
        self._execution = "plain" if step.compiled is None else "compiled"
        self._perturbed: LandStepper | None = None
        self._made = True

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse a misspelt attribute, such as `plausability`, which would change nothing."""
        if "_made" in vars(self) and not hasattr(self, name):
            near = nearest(name, [n for n in dir(self) if not n.startswith("_")])
            raise AttributeError(f"A stepper has no attribute '{name}'. Nearest: {near}." if near else
                                 f"A stepper has no attribute '{name}'.")  # fmt: skip
        super().__setattr__(name, value)

    @classmethod
    def open(
        cls, checkpoint: str | Path = "ailand", *, device: str = "cpu", dtype: str = "float32",
        threads: int | None = None, execution: str = "auto", point_steps: int = 0, precipitation: str = "mean",
        plausibility: str = "error",
        trust: bool | str | None = None,
    ) -> LandStepper:  # fmt: skip
        """Load a checkpoint as :func:`load` does, for a number of points times steps, as far as known."""
        if to_dtype(dtype) is not torch.float32 and execution in ("auto", "compiled"):
            if execution == "compiled":
                LOG.warning("The compiled step is in single precision: in '%s', the plain one is taken", dtype)
            execution = "plain"
        step = open_step(checkpoint, device, execution, point_steps, precipitation, trust)
        return cls(step, dtype, threads, plausibility)

    def perturbed(self, model_error: float | str) -> tuple[LandStepper, tuple[OutputErrors, ...]]:
        """Return a stepper that takes perturbations of the outputs of the network, and their statistics.

        ``model_error`` is the option of an ensemble.
        """
        if self._perturbed is None:
            step = choose_execution(with_model_error(replace(self._loaded, compiled=None)), self._execution, 0)
            precision = str(self.dtype).removeprefix("torch.")
            self._perturbed = LandStepper(step, precision, self._blocks.threads, self.plausibility)
        return self._perturbed, (errors_of(self._perturbed._loaded, model_error),)

    def __repr__(self) -> str:
        return as_text(self._title(), self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._rows())

    def _title(self) -> str:
        return f"LandStepper '{self.name}', steps of {STEP_HOURS} h, {str(self.dtype).split('.')[1]} on {self.device}"

    def _rows(self) -> dict[str, str]:
        needs = self.needs
        return {
            "checkpoint": f"{self._loaded.path}, SHA-256 {self.checkpoint_sha256[:_DIGITS]}...",
            "execution": self.execution,
            **({} if self.precipitation == "mean" else {"rain": f"{self.precipitation} within the step"}),
            "trained": training_origin(self._loaded.path),
            "prognostic": with_units(self.prognostic),
            "diagnostic": with_units(self.diagnostic),
            "forcing": with_units(needs["forcing"]),
            "static": with_units(self.static),
            "computed": with_units(n for n in self.inputs if n in COMPUTED),
        }

    @property
    def name(self) -> str:
        """Name of a packaged network, or of the file."""
        path = self._loaded.path
        return path.stem if path.parent == folder("pretrained") else path.name

    #: Names that :meth:`initial` and :meth:`step` look for, with those of sun and calendar.
    initial_names: tuple[str, ...]
    forcing_names: tuple[str, ...]

    @property
    def execution(self) -> str:
        """Execution of steps without derivatives: plain, or compiled with its precision."""
        return self._loaded.execution if self.dtype is torch.float32 else "plain"

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self._loaded.device

    @property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """Fields required by :meth:`initial` and :meth:`step`, except sun and calendar, which are optional."""
        first, forcing = (
            tuple(n for n in names if n not in COMPUTED) for names in (self.layout.forcing_start, self.forcing_names)
        )
        return {"prognostic": self.prognostic, "static": self.static, "forcing_at_start": first, "forcing": forcing}

    def initial(
        self, fields: Fields, date: Date | None = None, latitudes: Any = None, longitudes: Any = None, *,
        checker: Checker | None = None,
    ) -> LandState:  # fmt: skip
        """Make the initial state of a run.

        Parameters
        ----------
        fields : LandData, xarray.Dataset or mapping
            ``needs['prognostic']``, ``needs['static']`` and ``needs['forcing_at_start']``; a mapping holds them at
            ``date``, shape (point,), opened data and a dataset may have a time.
        date : date, optional
            UTC, as text (``"2020-05-01T06"``), ``datetime`` or ``numpy.datetime64``; by default the first of the data.
        latitudes, longitudes : array, shape (point,), optional
            Degrees, in any longitude convention; by default those of ``fields``.
        checker : Checker, optional
            Checker that collects the warnings of a run; by default they are logged, once for each rule.

        Raises
        ------
        ValueError
            A field is missing, has another number of points, is not finite, impossible or in another unit; there is no
            record at ``date``.
        TypeError
            A mapping is given without date or places.
        """
        if isinstance(fields, str | datetime | np.datetime64):
            raise TypeError("The fields come first: initial(fields, date, latitudes, longitudes).")
        when = None if date is None else to_datetime(date)
        if isinstance(fields, LandData) or (is_dataset(fields) and "time" in fields.coords):
            source = source_of(fields)
            when = source.dates[0].item() if when is None else when
            latitudes = source.latitudes if latitudes is None else latitudes
            longitudes = source.longitudes if longitudes is None else longitudes
        elif is_dataset(fields) and latitudes is None and longitudes is None:
            latitudes, longitudes = places_of(fields)
        if when is None or latitudes is None or longitudes is None:
            raise TypeError("Fields without time and places need them: initial(fields, date, latitudes, longitudes).")
        places = checked_places(latitudes, longitudes)
        checks = self._checker(checker)
        further = [n for n in further_static(CHECKED_AT_START, self.initial_names) if checks.on]
        record = record_at(fields, when, (*self.initial_names, *further))

        def check(found: dict[str, np.ndarray]) -> None:
            others = {n: as_array(n, record[k]) for n in further if (k := key_of(record, n)) is not None}
            fitting = {
                n: np.broadcast_to(v, places[0].shape) for n, v in others.items() if v.size in (1, places[0].size)
            }
            checks.start({**{n: v[0] for n, v in found.items()}, **fitting}, when, places)

        values = self._columns.read(record, self.initial_names, [when], places, check=check if checks.on else None)
        self._warn(checks, checker)
        columns = self.layout.slot(values[0], self._initial).t().contiguous().t()  # points innermost in memory
        return LandState(when, *places, columns, self.inputs, self.prognostic, None, self.diagnostic, checked=True)

    def step(self, state: LandState, forcing: Fields) -> LandState:
        """Compute state and diagnostics 6 h later.

        Parameters
        ----------
        state : LandState
            Result of :meth:`initial`, :meth:`load` or :meth:`step`.
        forcing : mapping, xarray.Dataset or LandData
            ``needs['forcing']`` for ``state.date`` + 6 h, shape (point,); a number stands for all points. Of data with
            a dimension time, that record is taken.

        Raises
        ------
        ValueError
            Forcing is missing, of another date, has another number of points, is not finite, impossible or in another
            unit, or a result is not finite or impossible.
        """
        return self._stepped(state, record_at(forcing, _date_of(state) + STEP, self.forcing_names), None)[1]

    def steps(
        self, state: LandState, forcing: Fields, n_steps: int, *, checker: Checker | None = None
    ) -> tuple[Tensor, LandState]:
        """Make several steps in one call, which is faster with few points; bitwise those of :meth:`step`.

        Parameters
        ----------
        state : LandState
            State before the first step.
        forcing : mapping, xarray.Dataset or LandData
            ``needs['forcing']`` at the dates after it, every 6 h, shape (step, point); a number stands for all. Of data
            with a time, the records of these dates are taken.
        n_steps : int
            Number of steps, at least one.
        checker : Checker, optional
            As for :meth:`initial`.

        Returns
        -------
        Tensor
            ``outputs`` after each step, shape (step, point, output).
        LandState
            State after the last step.

        Raises
        ------
        ValueError
            See :meth:`step`; the date is the first one with such a value.

        Examples
        --------
        >>> import anemoi_ailand as ail
        >>> land, data = ail.load("ailand"), ail.open_data("$AILAND_SAMPLE").to_xarray("2021-07-01")
        >>> forcing = {name: data[name].values[1:] for name in land.needs["forcing"]}
        >>> outputs, state = land.steps(land.initial(data), forcing, 3)
        >>> print(state.date, outputs.shape)
        2021-07-01 18:00:00 torch.Size([3, 44, 25])
        """
        if not isinstance(n_steps, int | np.integer) or n_steps < 1:
            raise ValueError(f"`n_steps` is {n_steps!r}. Give the number of steps, a whole one of at least 1.")
        dates = [_date_of(state) + (k + 1) * STEP for k in range(n_steps)]
        return self._stepped(state, records_at(forcing, dates, self.forcing_names), n_steps, checker)

    def _stepped(
        self, state: LandState, forcing: Mapping[str, Any], n_steps: int | None, checker: Checker | None = None
    ) -> tuple[Tensor, LandState]:
        """Return outputs and last state; the forcing has no dimension of steps if their number is None."""
        state.check_fits(self.inputs, self.dtype)
        places, dates = (state.latitudes, state.longitudes), [state.date + (k + 1) * STEP for k in range(n_steps or 1)]
        checks = self._checker(checker)
        self._check_changed(state, checks)
        with torch.inference_mode(False), torch.no_grad():  # a host may use inference mode, and differentiate later
            check = self._forcing_check(state, dates, checks)
            ends = self._columns.read(forcing, self.layout.forcing, dates, places, n_steps, check).detach()
            start = state.columns.detach().clone()
            water = self._water.begin(checks, start)
            if self.dtype is torch.float32:
                out = self._blocks.steps(self.layout, start, ends)
            else:
                out = ends.new_empty((*ends.shape[:2], len(self.outputs)))
                advance_steps(self.differentiable, self.layout, start, ends, out)
            if not math.isfinite(out.sum()):
                for date, values in zip(dates, out.numpy(force=True), strict=True):
                    check_finite(values.T, self.outputs, self.outputs, date, places, False)
            check_outputs(checks, out, self.outputs, dates, places)
            self._water.check(checks, water, ends, out, dates, places)
            self._warn(checks, checker)
            diagnostics = self.layout.diagnostics(out[-1])
        return out, replace(
            state, date=dates[-1], columns=start, diagnostics=diagnostics, execution=self.execution, checked=True,
        )  # fmt: skip

    @overload
    def run(
        self, data: LandData | xr.Dataset, variables: Sequence[str] | str | None = ..., *, start: Date | None = ...,
        end: Date | None = ..., lead_time: Duration | None = ..., initial: LandState | str | Path | None = ...,
        ensemble: Mapping[str, Any] | None = ..., output: str | Path | None = ..., progress: bool | None = ...,
        return_state: Literal[True],
    ) -> tuple[xr.Dataset, LandState]: ...  # fmt: skip

    @overload
    def run(
        self, data: LandData | xr.Dataset, variables: Sequence[str] | str | None = ..., *, start: Date | None = ...,
        end: Date | None = ..., lead_time: Duration | None = ..., initial: LandState | str | Path | None = ...,
        ensemble: Mapping[str, Any] | None = ..., output: str | Path | None = ..., progress: bool | None = ...,
        return_state: Literal[False] = ...,
    ) -> xr.Dataset: ...  # fmt: skip

    def run(
        self,
        data: LandData | xr.Dataset,
        variables: Sequence[str] | str | None = None,
        *,
        start: Date | None = None,
        end: Date | None = None,
        lead_time: Duration | None = None,
        initial: LandState | str | Path | None = None,
        ensemble: Mapping[str, Any] | None = None,
        output: str | Path | None = None,
        progress: bool | None = None,
        return_state: bool = False,
    ) -> xr.Dataset | tuple[xr.Dataset, LandState]:
        """Run from one initial state through the forcing of a dataset, and return the series.

        Values are bitwise those of a loop over :meth:`step`, and of ``anemoi-inference run`` with the same files.

        Parameters
        ----------
        data : LandData or xarray.Dataset
            Forcing every 6 h, and at the start the state and static fields. Opened data, or a dataset that is not in
            memory, are read in pieces, so memory does not grow with the length.
        variables : list of str, optional
            Prognostic and diagnostic variables to keep, by name in the table or in NetCDF; by default all.
        start, end : date, optional
            First and last date, UTC; a day, month or year as the end means its last date. By default the first date of
            ``data`` at which the state is complete, and the last one.
        lead_time : str, timedelta or numpy.timedelta64, optional
            Length instead of ``end``, such as ``"30d"``.
        initial : LandState, str or Path, optional
            State to continue from instead of ``data`` at ``start``: one returned by ``return_state``, made by
            :meth:`initial`, or the path of one written by :meth:`save`. The series then starts 6 h after it, so that
            the parts of a divided run, joined, are bitwise the whole run.
        ensemble : mapping, optional
            Members and perturbations, with the options of a run (docs/guide/operations.md):
            ``{"members": 10, "initial": {}, "forcing": {}}``. The series has the dimension ``member``.
        output : str or Path, optional
            File ``*.nc`` or ``*.zarr`` to write in pieces, in single precision, replacing an earlier one; the series
            returned is opened from it.
        progress : bool, optional
            Show a bar; by default on a terminal or in a notebook, if the run takes longer than two seconds.
        return_state : bool
            Return the last state as well.

        Returns
        -------
        xarray.Dataset
            Dimensions (time, point), under the NetCDF names (``t2m`` for ``2t``), with units and other CF attributes.
            The first time is the initial state, at which diagnostics do not exist yet and are NaN.
        LandState
            The last state, only with ``return_state``.

        Raises
        ------
        ValueError
            Unknown variable, a gap in the data, a field that is missing or not finite, or data that do not cover the
            period.

        Examples
        --------
        >>> import anemoi_ailand as ail
        >>> land, data = ail.load("ailand"), ail.open_data("$AILAND_SAMPLE")
        >>> first, state = land.run(data, ["swvl1", "2t"], start="2020-05-01", lead_time="2d", return_state=True)
        >>> then = land.run(data, ["swvl1", "2t"], initial=state, end="2020-05-03")
        >>> dict(first.sizes), then.time.values[0].astype(str)[:13], then["t2m"].units
        ({'time': 9, 'point': 44}, '2020-05-03T06', 'K')
        """
        from anemoi_ailand.rollout.series_run import run_series  # slow to import

        chosen = self._names(variables, self.outputs, "the outputs of the emulator")
        if initial is not None and not isinstance(initial, LandState):
            initial = self.load(initial)
        if initial is not None:
            initial = self.own(initial)
        series, state = run_series(
            self, data, chosen, start=start, end=end, lead_time=lead_time, initial=initial, ensemble=ensemble,
            output=output, progress=progress,
        )  # fmt: skip
        return (series, state) if return_state else series

    def save(self, state: LandState, path: str | Path) -> Path:
        """Write a state atomically."""
        return state.save(path, self.checkpoint_sha256)

    def load(self, path: str | Path) -> LandState:
        """Read a state of this checkpoint, in this precision; see :meth:`LandState.load`.

        A warning says if the state was made by another execution than that of this stepper.
        """
        state = self.own(LandState.load(path, self.checkpoint_sha256, self.device))
        if self.dtype is state.columns.dtype:  # another precision is another run anyway
            warn_of_other_execution(f"The run that saved '{path}'", state.execution, self.execution)
        return state.to(self.dtype)

    def close(self) -> None:
        """Stop the threads; optional, as they end with the stepper."""
        self._blocks.close()

    def forcing_columns(self, state: LandState, forcing: Fields) -> Tensor:
        """Return the end slot of a step, shape (point, input); state and static fields in it are zero."""
        state.check_fits(self.inputs, self.dtype)
        date, places = state.date + STEP, (state.latitudes, state.longitudes)
        checks = self._checker(None)
        self._check_changed(state, checks)
        check = self._forcing_check(state, [date], checks)
        record = record_at(forcing, date, self.forcing_names)
        values = self._columns.read(record, self.layout.forcing, [date], places, check=check)
        self._warn(checks, None)
        return self.layout.slot(values[0], self._forcing)

    def fast(self, start: Tensor, end: Tensor) -> Tensor:
        """Make outputs (row, output) of slots (row, input) without gradients, bitwise those of :meth:`step`."""
        return self._blocks(start, end) if self.dtype is torch.float32 else self.differentiable(start, end).detach()

    def own(self, state: LandState) -> LandState:
        """Return a state of this checkpoint with the columns of this stepper: further inputs are read at no start."""
        return state.with_inputs(self.inputs)

    def _checker(self, given: Checker | None) -> Checker:
        """Return the checker of a run, or that of single steps in this thread."""
        if given is not None:
            return given
        own: Checker | None = getattr(self._own_checks, "checker", None)
        if own is None or own.plausibility != self.plausibility:
            own = self._own_checks.checker = self.new_checker()
        return own

    def new_checker(self) -> Checker:
        """Return a checker of a run of this stepper."""
        return checker_of(self._loaded, self.plausibility)

    def _check_changed(self, state: LandState, checks: Checker) -> None:
        """Check a state that was changed, as by an analysis, or read from a file, as an initial one."""
        if not checks.on or state.checked:
            return
        values = state.columns.numpy(force=True)
        fields = {name: values[:, self.inputs.index(name)] for name in self.initial_names if name not in COMPUTED}
        checks.start(fields, state.date, (state.latitudes, state.longitudes), changed=True)

    def _forcing_check(
        self, state: LandState, dates: Sequence[datetime], checks: Checker
    ) -> Callable[[dict[str, np.ndarray]], None] | None:
        """Return the check of the forcing of the steps after a state."""
        if not checks.on:
            return None
        places = state.latitudes, state.longitudes
        names = [n for n in ("z", "t", "q", "cvl", "cvh") if n in self.inputs]
        checks.resume({n: state.columns[:, self.inputs.index(n)].numpy(force=True) for n in names})
        return lambda found: checks.forcing(found, dates, places)

    def _warn(self, checks: Checker, given: Checker | None) -> None:
        """Log what is implausible, once for each rule, unless the checker of a run collects it."""
        if given is None and checks.on:
            for finding in checks.take():
                if finding.rule.name not in self._warned:
                    self._warned.add(finding.rule.name)
                    LOG.warning("%s This warning is given once.", finding)

    def _names(self, given: Sequence[str] | str | None, known: Sequence[str], what: str) -> list[str]:
        names = known if given is None else [given] if isinstance(given, str) else given
        return list(dict.fromkeys(match_name(n, known, what) for n in names))


def _date_of(state: Any) -> datetime:
    """Return the date of a state, refusing anything else."""
    if not isinstance(state, LandState):
        raise TypeError(f"The state is a {type(state).__name__}. Give what `initial`, `load` or `step` returns.")
    return state.date


def load(
    checkpoint: str | Path = "ailand",
    *,
    device: str = "cpu",
    dtype: str = "float32",
    threads: int | None = None,
    execution: str = "auto",
    precipitation: str = "mean",
    plausibility: str = "error",
    trust: bool | str = False,
) -> LandStepper:
    """Load a trained emulator.

    Parameters
    ----------
    checkpoint : str or Path
        Inference checkpoint, file of weights (``*.safetensors``), or the name of a network in the package. Loading a
        checkpoint executes its content, so that its checksum must be known: that of a network of the package, or the
        one that the training has written next to it. Weights are read without executing anything.
    device : str
        Device of torch, such as ``cuda``.
    dtype : {'float32', 'float64'}
        Precision; double is slower and better for derivatives.
    threads : int, optional
        Largest number of threads; by default as many as the system allows.
    execution : {'auto', 'plain', 'compiled'}
        ``auto`` takes the compiled step if it has been made, by ``anemoi-ailand compile`` or a long run, else the plain
        one: how many steps will follow is not known here. ``compiled`` makes it first. Derivatives and double precision
        are always plain.
    precipitation : {'mean', 'hourly', 'random'}
        Rain within a step: spread by a formula of its mean and air temperature, given by the hour in the forcing
        (``tprate_h1`` ... ``tprate_h6``), or drawn at random for each point, date and member of an ensemble. The
        network is the same, and must have been trained with the present closed step unless it is ``mean``.
    plausibility : {'error', 'warn', 'off'}
        Treatment of what is impossible in state, static fields, forcing and outputs: an error, or a warning as what is
        implausible. ``off`` leaves the check out of hot loops of few points, whose input was checked before.
    trust : bool or str
        ``True`` loads a checkpoint of unknown checksum; a text is the SHA-256 that you expect.

    Returns
    -------
    LandStepper
        Prints its variables, units, checkpoint and origin.

    Raises
    ------
    FileNotFoundError
        The file does not exist; the message lists checkpoints in its folder and packaged networks.
    ValueError
        Another kind of file, a damaged one, a checkpoint of unknown checksum that is not trusted, unknown precision,
        execution or plausibility, fewer than one thread, or a network that cannot take ``precipitation``.

    Examples
    --------
    >>> import anemoi_ailand as ail
    >>> land = ail.load("ailand")
    >>> land.prognostic[:2], land.needs["forcing_at_start"]
    (('swvl1', 'swvl2'), ('t', 'q', 'lai_lv', 'lai_hv', 'al'))
    """
    return LandStepper.open(
        checkpoint, device=device, dtype=dtype, threads=threads, execution=execution, precipitation=precipitation,
        plausibility=plausibility, trust=trust or None,
    )  # fmt: skip
