# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Interface for host programs: state and forcing in, state out; no files, no configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.rollout.forcing.forcing_filter import check_finite
from anemoi_ailand.rollout.step import gradients
from anemoi_ailand.rollout.step.advance import STEP, StepLayout, advance
from anemoi_ailand.rollout.step.batch_invariance import padded_rows
from anemoi_ailand.rollout.step.checkpoint import LandStep, checkpoint_checksum, load_step
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.step.physical_step import PhysicalStep, to_dtype
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from anemoi_ailand.variables import variable

#: Values (point,) by name, under the names of the table or of its NetCDF files.
Fields = Mapping[str, Any] | xr.Dataset


class LandStepper:
    """Stepper of the land for a host: an atmosphere, an assimilation, a script.

    Fields are numpy arrays, torch tensors or an :class:`xarray.Dataset`, in the units of the table of variables. Sun
    and calendar are computed from date and place unless given. A stepper has no state: it may be called from several
    threads and for several sets of points.

    Forcing means are over the 6 h that end at the new date, instants are at the new date; those at the old date are
    part of the state. The result is bitwise that of ``anemoi-inference run``.

    :meth:`propagate`, :meth:`tangent`, :meth:`adjoint` and :meth:`jacobian` are differentiable; :meth:`step` is not, in
    favour of speed.

    Parameters
    ----------
    step : LandStep
        Loaded checkpoint, see :meth:`open`.
    dtype : {'float32', 'float64'}
        Precision. Double precision is slower, without recording and blocks.
    threads : int, optional
        Largest number of threads; by default as many as the system allows.

    Raises
    ------
    ValueError
        Unknown precision, or fewer than one thread.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> from anemoi_ailand import LandStepper, open_reader
    >>> stepper, sample = LandStepper.open("ailand"), open_reader("$AILAND_SAMPLE")
    >>> def read(date, *kinds):
    ...     names = [name for kind in kinds for name in stepper.needs[kind]]
    ...     return dict(zip(names, sample.read(names, [date])[:, 0]))
    >>> date = datetime(2021, 7, 1)
    >>> fields = read(date, "prognostic", "static", "forcing_at_start")
    >>> state = stepper.initial(date, sample.latitudes, sample.longitudes, fields)
    >>> state = stepper.step(state, read(date + timedelta(hours=6), "forcing"))
    >>> print(state.date, state["skt"].shape)
    2021-07-01 06:00:00 torch.Size([44])

    ``stepper.save(state, "land.state")`` and ``stepper.load("land.state")`` keep a state between runs.
    """

    def __init__(self, step: LandStep, dtype: str = "float32", threads: int | None = None) -> None:
        self.dtype = to_dtype(dtype)
        self._loaded = step
        self.checkpoint_sha256 = checkpoint_checksum(step.path)
        self.layout = StepLayout(step.inputs, step.outputs, device=step.device)
        self.inputs, self.outputs = self.layout.inputs, self.layout.outputs
        self.prognostic, self.diagnostic = self.layout.prognostic, self.layout.diagnostic
        self.static = self.layout.static
        self._physical = PhysicalStep(step).to(self.dtype)
        self._physical.land.network.register_forward_hook(gradients.check_attached)
        self._blocks = BlockStep(step, threads)
        first = (*self.prognostic, *self.static, *self.layout.forcing_start)
        then = tuple(dict.fromkeys((*self.layout.forcing_end, *self.layout.forcing_start)))
        self._initial, self._forcing = ((names, self.layout.sources(names)) for names in (first, then))

    @classmethod
    def open(
        cls, checkpoint: str | Path = "ailand", *, device: str = "cpu", dtype: str = "float32",
        threads: int | None = None,
    ) -> LandStepper:  # fmt: skip
        """Load a checkpoint: a path, or the name of a packaged network, which is verified first.

        Errors are those of :func:`~anemoi_ailand.rollout.step.checkpoint.load_step` and of the class.
        """
        to_dtype(dtype)
        return cls(load_step(checkpoint, device), dtype, threads)

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return self._loaded.device

    @property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """Fields required by :meth:`initial` and :meth:`step`, except sun and calendar, which are optional."""
        first, forcing = (
            tuple(n for n in names if n not in COMPUTED) for names in (self.layout.forcing_start, self._forcing[0])
        )
        return {"prognostic": self.prognostic, "static": self.static, "forcing_at_start": first, "forcing": forcing}

    def initial(self, date: datetime, latitudes: Any, longitudes: Any, fields: Fields) -> LandState:
        """Make the initial state of a run.

        Parameters
        ----------
        date : datetime
            UTC; other time zones are converted.
        latitudes, longitudes : array, shape (point,)
            Degrees, in any longitude convention.
        fields : mapping or xarray.Dataset
            ``needs['prognostic']``, ``needs['static']`` and ``needs['forcing_at_start']`` at ``date``, shape (point,).

        Raises
        ------
        ValueError
            A field is missing, has another number of points, or is not finite.
        """
        when, places = _utc(date), _places(latitudes, longitudes)
        wanted, sources = self._initial
        columns = self.layout.slot(self._columns(fields, wanted, when, places), sources)
        return LandState(when, *places, columns, self.inputs, self.prognostic, None, self.diagnostic)

    def step(self, state: LandState, forcing: Fields) -> LandState:
        """Compute state and diagnostics 6 h later.

        Parameters
        ----------
        state : LandState
            Result of :meth:`initial`, :meth:`load` or :meth:`step`.
        forcing : mapping or xarray.Dataset
            ``needs['forcing']`` for ``state.date`` + 6 h, shape (point,).

        Raises
        ------
        ValueError
            Forcing is missing, has another number of points, or is not finite, or a result is not finite.
        """
        with torch.inference_mode(False):  # a host may use it: other threads cannot write into its tensors
            end = self.forcing_columns(state, forcing)
            model = self._blocks if self.dtype is torch.float32 else self._differentiable
            with torch.no_grad():
                out = advance(model, self.layout, state.columns.detach(), end.detach())
            out = out.clone()  # not an inference tensor: a host may differentiate what it computes from it
            if not torch.isfinite(out).all():
                place = (state.latitudes, state.longitudes)
                check_finite(out.numpy(force=True).T, self.outputs, self.outputs, state.date + STEP, place)
            return self._after(state, end, out)

    def propagate(self, state: LandState, forcing: Fields) -> LandState:
        """Step as :meth:`step` with gradients with respect to state, static fields and forcing."""
        end = self.forcing_columns(state, forcing)
        return self._after(state, end, advance(self._differentiable, self.layout, state.columns, end))

    def tangent(self, state: LandState, forcings: Sequence[Fields], dx: Tensor) -> Tensor:
        r"""Compute the change of the state after some steps for a small initial change, :math:`M\,\delta x`.

        Parameters
        ----------
        state : LandState
            Initial state.
        forcings : sequence of fields
            Forcing of each step.
        dx : Tensor, shape (point, prognostic)
            Initial change in the units of the variables, in the order of ``prognostic``; the result has that shape.
        """
        return gradients.tangent(self._map(state, forcings), self._vector(state), self._like_state(dx, state))

    def adjoint(self, state: LandState, forcings: Sequence[Fields], dy: Tensor) -> Tensor:
        r"""Compute the initial gradient of a function from its gradient after the last step, :math:`M^T \delta y`.

        Parameters and shapes as in :meth:`tangent`; ``dy`` is per unit of the variables.
        """
        return gradients.adjoint(self._map(state, forcings), self._vector(state), self._like_state(dy, state))

    def jacobian(self, state: LandState, forcings: Sequence[Fields]) -> Tensor:
        r"""Compute :math:`\partial x_i(t_n) / \partial x_j(t_0)`, shape (point, prognostic i, prognostic j).

        Points do not interact, so this is the whole Jacobian.
        """
        return gradients.jacobian(self._map(state, forcings), self._vector(state))

    def save(self, state: LandState, path: str | Path) -> Path:
        """Write a state atomically."""
        return state.save(path, self.checkpoint_sha256)

    def load(self, path: str | Path) -> LandState:
        """Read a state of this checkpoint, in this precision; see :meth:`LandState.load`."""
        return LandState.load(path, self.checkpoint_sha256, self.device).to(self.dtype)

    def close(self) -> None:
        """Stop the threads; optional, as they end with the stepper."""
        self._blocks.close()

    def forcing_columns(self, state: LandState, forcing: Fields) -> Tensor:
        """Return the end slot of a step, shape (point, input); state and static fields in it are zero."""
        if state.inputs != self.inputs or state.columns.dtype is not self.dtype:
            raise ValueError(
                f"The state has {len(state.inputs)} inputs in {state.columns.dtype}, this stepper {len(self.inputs)} "
                f"in {self.dtype}, or in another order: it belongs to another checkpoint or precision. Make it with "
                "`initial` or `load` of this stepper."
            )
        wanted, sources = self._forcing
        places = state.latitudes, state.longitudes
        return self.layout.slot(self._columns(forcing, wanted, state.date + STEP, places), sources)

    def _columns(
        self, fields: Fields, wanted: Sequence[str], date: datetime, places: tuple[np.ndarray, np.ndarray]
    ) -> Tensor:
        given = {n: fields[k] for n in wanted if (k := _key(fields, n)) is not None}
        missing = [n for n in wanted if n not in given and n not in COMPUTED]
        if missing:
            raise ValueError(
                f"At {date:%Y-%m-%d %H:%M} the land also needs {missing} (given: {sorted(map(str, fields))}). "
                f"Add them ({', '.join(f'{n}: {variable(n).long_name} [{variable(n).units}]' for n in missing)})."
            )
        absent = [n for n in wanted if n not in given]
        if absent:
            given |= dict(zip(absent, compute(absent, [date], *places)[:, 0], strict=True))
        columns = [_as_tensor(n, given[n], places[0].size, self.dtype, self.device) for n in wanted]
        values = torch.stack(columns, dim=-1)
        if not torch.isfinite(values).all():
            check_finite(values.detach().cpu().numpy().T, wanted, wanted, date, places)
        return values

    def _after(self, state: LandState, end: Tensor, out: Tensor) -> LandState:
        columns = self.layout.next_start(state.columns, end, out)
        return replace(state, date=state.date + STEP, columns=columns, diagnostics=self.layout.diagnostics(out))

    def _differentiable(self, start: Tensor, end: Tensor) -> Tensor:
        """Step in physical units with padded rows, so that it is batch-invariant."""
        return self._physical(padded_rows(start), padded_rows(end))[: len(end)]

    def _like_state(self, change: Tensor, state: LandState) -> Tensor:
        x = self._vector(state)
        if change.shape != x.shape:
            raise ValueError(
                f"The given change has shape {tuple(change.shape)}, the state {tuple(x.shape)}: point, "
                f"{self.prognostic}. Give one value for each."
            )
        return change.to(x)

    def _vector(self, state: LandState) -> Tensor:
        return self.layout.state_in(state.columns).detach()

    def _map(self, state: LandState, forcings: Sequence[Fields]) -> gradients.Map:
        """Return the map from the initial state vector (point, prognostic) to that after the steps."""
        if not forcings:
            raise ValueError("`forcings` is empty. Give the forcing of at least one step.")
        starts, ends, now = [], [], state
        for forcing in forcings:
            end = self.forcing_columns(now, forcing)
            starts.append(now.columns.detach())
            ends.append(end.detach())
            now = self._after(now, end, end.new_zeros((len(end), len(self.outputs))))

        def run(x: Tensor) -> Tensor:
            copies = len(x) // len(starts[0])
            for start, end in zip(starts, ends, strict=True):
                slots = start.repeat(copies, 1), end.repeat(copies, 1)
                x = self.layout.state(advance(self._physical, self.layout, *slots, state=x))
            return x

        return run


def _key(fields: Fields, name: str) -> str | None:
    """Return the name under which a field is given: that of the table, or that of its NetCDF files."""
    return next((k for k in (name, variable(name).netcdf_name) if k in fields), None)


def _as_tensor(name: str, values: Any, n_points: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    if not isinstance(values, Tensor):
        values = torch.from_numpy(np.array(np.ma.filled(values, np.nan) if np.ma.isMaskedArray(values) else values))
    if values.ndim == 0:
        values = values.expand(n_points)
    if values.shape != (n_points,):
        raise ValueError(
            f"'{name}' has shape {tuple(values.shape)}, but there are {n_points} points. Give one value per point."
        )
    return values.to(device=device, dtype=dtype)


def _places(latitudes: Any, longitudes: Any) -> tuple[np.ndarray, np.ndarray]:
    lat, lon = (np.array(v, dtype=np.float64).reshape(-1) for v in (latitudes, longitudes))
    if lat.size != lon.size or not lat.size or not (np.abs(lat) <= 90.0).all() or not (np.abs(lon) <= 360.0).all():
        raise ValueError(
            f"There are {lat.size} latitudes and {lon.size} longitudes, or some are outside -90 to 90 and -360 to 360 "
            "degrees. Give one of each for every point."
        )
    return lat, lon


def _utc(date: datetime) -> datetime:
    return date.astimezone(UTC).replace(tzinfo=None) if date.tzinfo is not None else date
