# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Derivatives of steps with respect to state, static fields and forcing, for host programs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.land_data import LandData
from anemoi_ailand.rollout.forcing.records import dates_after, is_dataset, record_at
from anemoi_ailand.rollout.step import gradients
from anemoi_ailand.rollout.step.advance import STEP, StepLayout, advance, differentiable_steps
from anemoi_ailand.rollout.step.batch_invariance import padded_rows
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.support.netcdf_writer import COORDINATES
from anemoi_ailand.variables import variable

if TYPE_CHECKING:
    import xarray as xr

#: Values (point,) by name, under the names of the table or of its NetCDF files; with a time, also opened data.
Fields: TypeAlias = "Mapping[str, Any] | xr.Dataset | LandData"


class Derivatives(ABC):
    """Plain steps with gradients, and their tangents, adjoints and Jacobians.

    Parameters
    ----------
    step : LandStep
        Loaded checkpoint.
    dtype : torch.dtype
        Precision.
    """

    #: Names that a step looks for in the forcing.
    forcing_names: tuple[str, ...]

    def __init__(self, step: LandStep, dtype: torch.dtype) -> None:
        self.layout = StepLayout(step.inputs, step.outputs, device=step.device)
        self._physical = PhysicalStep(step).to(dtype)
        self._physical.land.network.register_forward_hook(gradients.check_attached)

    @abstractmethod
    def forcing_columns(self, state: LandState, forcing: Fields) -> Tensor:
        """Return the end slot of a step, shape (point, input); state and static fields in it are zero."""

    def propagate(self, state: LandState, forcing: Fields) -> LandState:
        """Step as :meth:`step` with gradients with respect to state, static fields and forcing."""
        end = self.forcing_columns(state, forcing)
        return self._after(state, end, advance(self.differentiable, self.layout, state.columns, end))

    def tangent(self, state: LandState, forcings: Fields | Sequence[Fields], dx: Tensor) -> Tensor:
        r"""Compute the change of the state after some steps for a small initial change, :math:`M\,\delta x`.

        Parameters
        ----------
        state : LandState
            Initial state.
        forcings : fields or sequence of fields
            Forcing of each step.
        dx : Tensor, shape (point, prognostic)
            Initial change in the units of the variables, in the order of ``prognostic``; the result has that shape.
        """
        return gradients.tangent(*self._response(state, forcings), self._like_state(dx, state))

    def adjoint(self, state: LandState, forcings: Fields | Sequence[Fields], dy: Tensor) -> Tensor:
        r"""Compute the initial gradient of a function from its gradient after the last step, :math:`M^T \delta y`.

        Parameters and shapes as in :meth:`tangent`; ``dy`` is per unit of the variables.
        """
        return gradients.adjoint(*self._response(state, forcings), self._like_state(dy, state))

    def jacobian_tensor(
        self,
        state: LandState,
        forcings: Fields | Sequence[Fields],
        to: Sequence[str] | None = None,
        of: Sequence[str] | None = None,
    ) -> Tensor:
        """Compute the numbers of :meth:`jacobian`, shape (point, to, of); by default of the state to the state."""
        to, of = gradients.chosen(self.layout, to, of)
        return gradients.jacobian(*self._response(state, forcings, to, of), len(to))

    def jacobian(
        self,
        state: LandState,
        forcing: Fields | Sequence[Fields],
        to: Sequence[str] | str | None = None,
        of: Sequence[str] | str | None = None,
    ) -> xr.DataArray:
        r"""Compute derivatives of state and diagnostics after some steps with respect to state, static fields, forcing.

        .. math:: J_{pij} = \frac{\partial y_i(t_n)}{\partial x_j} \text{ at point } p

        Points do not interact, so these blocks are the whole Jacobian. State means the one at the start. Forcing and
        static fields change by the same amount throughout: at the start, where the model reads them there, and in all
        steps. Derivatives include the bounds: zero where a value is held at one. Best in double precision
        (``load(dtype="float64")``).

        Parameters
        ----------
        state : LandState
            State at the start.
        forcing : fields or sequence of fields
            Forcing of one step, or of each step; of a dataset with a dimension time, all later dates are steps.
        to : list of str, optional
            Outputs: prognostic and diagnostic variables; by default the state.
        of : list of str, optional
            Inputs: prognostic, static and forcing variables; by default the state.

        Returns
        -------
        xarray.DataArray
            Dimensions (point, to, of), labelled by the names given; coordinates ``to_units`` and ``of_units``, and the
            attribute ``units``.

        Raises
        ------
        ValueError
            Unknown output or input, with the nearest known ones, or a category as an input; a network without
            derivatives; no step.

        Examples
        --------
        >>> import anemoi_ailand as ail
        >>> land = ail.load("ailand", dtype="float64")
        >>> data = ail.open_data("$AILAND_SAMPLE").to_xarray("2020-05-01")
        >>> jac = land.jacobian(land.initial(data), data.isel(time=1), to=["2t", "slhf"], of=["swvl1", "avg_sdswrf"])
        >>> jac.dims, jac.sel(to="2t", of="swvl1").attrs["units"]
        (('point', 'to', 'of'), 'units of `to` per unit of `of`')
        """
        to, of = ([names] if isinstance(names, str) else names for names in (to, of))
        labels = [list(default if names is None else names) for names, default in
                  ((to, self.layout.prognostic), (of, self.layout.prognostic))]  # fmt: skip
        to, of = gradients.chosen(self.layout, to, of)
        steps = self._steps(state, forcing)
        values = self.jacobian_tensor(state, steps, to, of)
        units = [[variable(n).units for n in names] for names in (to, of)]
        one = len(set(units[0])) == len(set(units[1])) == 1
        import xarray as xr  # slow to import

        return xr.DataArray(
            values.detach().cpu().numpy(),
            dims=("point", "to", "of"),
            coords={
                "to": labels[0],
                "of": labels[1],
                "to_units": ("to", units[0]),
                "of_units": ("of", units[1]),
                "latitude": ("point", state.latitudes, COORDINATES["latitude"]),
                "longitude": ("point", state.longitudes, COORDINATES["longitude"]),
                "time": np.datetime64(state.date + len(steps) * STEP, "ns"),
            },
            name="jacobian",
            attrs={
                "long_name": f"derivative of `to` after {len(steps) * STEP_HOURS} h with respect to `of`",
                "units": f"{units[0][0]} ({units[1][0]})-1" if one else "units of `to` per unit of `of`",
            },
        )

    def slots(self, state: LandState, forcings: Fields | Sequence[Fields]) -> tuple[Tensor, Tensor]:
        """Return the start slot (point, input) of the first step and the end slots (step, point, input), detached.

        ``forcings`` is the forcing of one step, or of each step; of a dataset with a dimension time, all later dates.
        :meth:`differentiable` and :attr:`layout` make steps of them.
        """
        steps = self._steps(state, forcings)
        if not steps:
            raise ValueError("`forcings` is empty. Give the forcing of at least one step.")
        ends, now = [], state
        for forcing in steps:
            ends.append(self.forcing_columns(now, forcing).detach())
            now = self._after(now, ends[-1], ends[-1].new_zeros((len(ends[-1]), len(self.layout.outputs))))
        return state.columns.detach(), torch.stack(ends)

    def differentiable(self, start: Tensor, end: Tensor) -> Tensor:
        """Make outputs (row, output) of slots (row, input) with gradients, in physical units.

        Rows are padded, so that the result is batch-invariant.
        """
        return self._physical(padded_rows(start), padded_rows(end))[: len(end)]

    def _after(self, state: LandState, end: Tensor, out: Tensor) -> LandState:
        columns, diagnostics = self.layout.next_start(state.columns, end, out), self.layout.diagnostics(out)
        return replace(
            state, date=state.date + STEP, columns=columns, diagnostics=diagnostics, execution="plain", checked=True,
        )  # fmt: skip

    def _like_state(self, change: Tensor, state: LandState) -> Tensor:
        x = self.layout.state_in(state.columns).detach()
        if change.shape != x.shape:
            raise ValueError(
                f"The given change has shape {tuple(change.shape)}, the state {tuple(x.shape)}: point, "
                f"{self.layout.prognostic}. Give one value for each."
            )
        return change.to(x)

    def _steps(self, state: LandState, forcing: Fields | Sequence[Fields]) -> list[Fields]:
        """Return the forcing of each step."""
        if isinstance(forcing, LandData):
            raise TypeError("Opened data may have thousands of steps. Select some: `data.to_xarray(period)`.")
        if is_dataset(forcing) and "time" in forcing.dims:
            dates = dates_after(forcing, state.date)
            return [record_at(forcing, date, self.forcing_names) for date in dates]
        return [forcing] if isinstance(forcing, Mapping) else list(forcing)

    def _response(
        self,
        state: LandState,
        forcings: Fields | Sequence[Fields],
        to: Sequence[str] | None = None,
        of: Sequence[str] | None = None,
    ) -> tuple[gradients.Map, Tensor]:
        """Return the map from changes (point, of) to outputs (point, to) after the last step, and a change of zero."""
        start, ends = self.slots(state, forcings)
        to, of = gradients.chosen(self.layout, to, of)
        sources = self.layout.sources(of)
        columns = torch.tensor([self.layout.outputs.index(n) for n in to], device=start.device)

        def run(change: Tensor) -> Tensor:
            copies = len(change) // len(start)
            changes = self.layout.slot(change, sources)
            first, following = start.repeat(copies, 1) + changes, (end.repeat(copies, 1) + changes for end in ends)
            *_, out = differentiable_steps(self._physical, self.layout, first, following)
            return out.index_select(-1, columns)

        return run, start.new_zeros((len(start), len(of)))
