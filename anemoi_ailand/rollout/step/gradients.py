# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
r"""Tangent, adjoint and Jacobian of a map of states in which points do not interact.

At a bound, the derivative is that of the limited function: zero where a prediction is held at the bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.variables import VARIABLES, Role, match_name, variable

#: Variables (point, variable) at the start to those at the end, which may be others.
Map = Callable[[Tensor], Tensor]

#: Largest number of rows of one call for several rows of a Jacobian.
JACOBIAN_ROWS = 2**13


def tangent(step: Map, x: Tensor, dx: Tensor) -> Tensor:
    r"""Compute :math:`M\,\delta x` with :math:`M = \partial f / \partial x` at ``x``, by forward differentiation.

    Shapes: all (point, variable). A map without a derivative, because its network leaves torch, is a ValueError.
    """
    with torch.enable_grad():
        try:
            _, change = torch.func.jvp(step, (x,), (dx,))
        except (RuntimeError, ValueError) as error:
            raise _no_derivative(error) from error
    return change


def adjoint(step: Map, x: Tensor, dy: Tensor) -> Tensor:
    r"""Compute :math:`M^T \delta y` by reverse differentiation. Shapes and errors as in :func:`tangent`."""
    with torch.enable_grad():
        start = x.detach().requires_grad_()
        try:
            end = step(start)
        except (RuntimeError, ValueError) as error:
            raise _no_derivative(error) from error
        if not end.requires_grad:
            raise _no_derivative(None)
        (gradient,) = torch.autograd.grad(end, start, dy)
    return gradient


def jacobian(step: Map, x: Tensor, n_outputs: int) -> Tensor:
    r"""Compute the blocks :math:`J_{ij} = \partial f_i / \partial x_j` of all points, shape (point, i, j).

    Points do not interact, so one call computes the adjoints of several variables i in as many copies of the points:
    ``step`` must accept copies one after the other, shape (copy x point, variable).
    """
    n_points = len(x)
    at_once = max(1, min(n_outputs, JACOBIAN_ROWS // max(n_points, 1)))
    rows = []
    for first in range(0, n_outputs, at_once):
        wanted = torch.eye(n_outputs, dtype=x.dtype, device=x.device)[first : first + at_once]
        gradient = adjoint(step, x.repeat(len(wanted), 1), wanted.repeat_interleave(n_points, dim=0))
        rows.append(gradient.unflatten(0, (len(wanted), n_points)))
    return torch.cat(rows).transpose(0, 1)


def chosen(layout: StepLayout, to: Sequence[str] | None, of: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Return outputs and inputs of a Jacobian by their names in the table; by default the state.

    Raises
    ------
    ValueError
        A name is unknown, of the other kind or given twice, or an input is a category.
    """
    outputs = _named(to, layout.prognostic, ("output", layout.outputs), ("input", layout.inputs))
    inputs = _named(of, layout.prognostic, ("input", layout.inputs), ("output", layout.outputs))
    if labels := [n for n in inputs if variable(n).role is Role.CATEGORY]:
        raise ValueError(f"{labels} are categories (whole numbers), so there is no derivative. Leave them out of `of`.")
    return outputs, inputs


def _named(
    given: Sequence[str] | None, default: Sequence[str], here: tuple[str, Sequence[str]],
    there: tuple[str, Sequence[str]],
) -> list[str]:  # fmt: skip
    """Return the names of one kind, each with its kind and the variables; the message knows those of the other."""
    (kind, known), (other, others) = here, there
    found: list[str] = []
    for name in default if given is None else given:
        try:
            found.append(match_name(name, known, f"the {kind}s of the emulator"))
        except ValueError:
            row = variable(name) if name in {x for n in others for x in (n, variable(n).netcdf_name)} else None
            if row is None:
                raise
            alike = [v.name for v in VARIABLES.values() if v.name in known and v.standard_name == row.standard_name]
            raise ValueError(
                f"'{name}' is an {other} of the emulator, not an {kind}. "
                + (
                    f"The same quantity is the {kind} {' and '.join(alike)}."
                    if row.standard_name and alike
                    else f"Choose an {kind}."
                )
            ) from None
    if twice := sorted({n for n in found if found.count(n) > 1}):
        raise ValueError(f"{twice} are named twice in `to` or `of`. Name each variable once.")
    return found


def check_attached(network: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> None:
    """Refuse outputs of a network that are detached from inputs with gradients; a forward hook.

    The physics around such a network has a derivative, so the gradient would be wrong rather than absent.
    """
    del network
    if not torch.is_grad_enabled() or not any(isinstance(x, Tensor) and x.requires_grad for x in inputs):
        return
    found = outputs if isinstance(outputs, tuple) else (outputs,)
    if not all(y.requires_grad for y in found if y.numel()):
        raise ValueError("its outputs are detached from its inputs")


def _no_derivative(error: Exception | None) -> ValueError:
    return ValueError(
        f"The network of this checkpoint has no derivative ({error or 'it computes outside torch'}). "
        "Give a checkpoint of a torch network."
    )
