# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One step in physical units as a differentiable function of tensors: for gradients, other precisions and export."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from anemoi_ailand.hosts.anemoi_models import normaliser_factors
from anemoi_ailand.physics.bounds import clamp
from anemoi_ailand.rollout.step.checkpoint import LandStep, normaliser


class PhysicalStep(nn.Module):
    r"""Differentiable step: normalise, advance, denormalise and limit.

    .. math:: y = \mathrm{clamp}\Bigl(\bigl(f(m_x x + a_x) - a_y\bigr) / m_y\Bigr)

    Values are bitwise those of Anemoi's ``predict_step``, which runs without gradients, so that an adjoint through it
    would silently be zero.

    Parameters
    ----------
    step : LandStep
        Loaded checkpoint; its weights are copied.

    Raises
    ------
    ValueError
        The checkpoint has processors other than one normaliser, which would be ignored.

    Shapes: ``start, end (..., row, input) -> (..., row, output)`` at t, t + 6 h and t + 6 h, in the units of the table;
    the state is read from ``start``.
    """

    _mul_in: Tensor
    _add_in: Tensor
    _mul_out: Tensor
    _add_out: Tensor

    def __init__(self, step: LandStep) -> None:
        super().__init__()
        self.inputs, self.outputs, self.prognostic = step.inputs, step.outputs, step.prognostic
        self.land = deepcopy(step.model.model).eval().requires_grad_(False)
        for name, (mul, add) in normaliser_factors(normaliser(step), len(self.outputs)).items():
            self.register_buffer(f"_mul_{name}", mul)
            self.register_buffer(f"_add_{name}", add)

    @property
    def output_factors(self) -> Tensor:
        """Factors of the normaliser of the outputs, shape (output,)."""
        return self._mul_out

    def forward(self, start: Tensor, end: Tensor) -> Tensor:
        """Compute the output at t + 6 h; shapes as in the class."""
        x = [v * self._mul_in + self._add_in for v in (start, end)]
        y = self.land.advance(*x)
        y = (y - self._add_out) / self._mul_out
        return clamp(y, *self.land.physical_bounds)


def to_dtype(name: str) -> torch.dtype:
    """Return the torch type of ``float32`` or ``float64``."""
    known = {"float32": torch.float32, "float64": torch.float64}
    if name not in known:
        raise ValueError(f"The precision '{name}' is unknown. Use one of {sorted(known)}.")
    return known[name]
