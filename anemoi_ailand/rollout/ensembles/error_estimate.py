# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Errors of the outputs of a network, estimated from the errors of single steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.model.perturbation import N_FACTORS
from anemoi_ailand.rollout.ensembles.model_error import OutputErrors
from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.physical_step import PhysicalStep

#: Steps of a block of consecutive dates: five days.
BLOCK = 20

#: Half of the finite difference of an output: dimensionless, and for diagnostics in standard deviations.
_CHANGE = 0.1

#: Iterations of the estimate, and most cases in it.
_ITERATIONS, _CASES = 30, 4000

#: first guesses: error of an output of the first head [1], and share of the variance of an error of a result that
#: no output explains.
_FIRST_ERROR, _FIRST_REST = 0.1, 0.3

#: Range of correlation times [h].
_HOURS = (1.0, 240.0)


def estimate_errors(step: LandStep, dataset: str | Path, points: np.ndarray, starts: np.ndarray) -> OutputErrors:
    """Estimate the errors of the outputs of a network from single steps that start from the fields of a dataset.

    Parameters
    ----------
    step : LandStep
        Step with :attr:`~anemoi_ailand.rollout.step.checkpoint.LandStep.model_error`, plain.
    dataset : str or Path
        Anemoi dataset with the inputs and outputs of the network.
    points : numpy.ndarray
        Indices of points.
    starts : numpy.ndarray
        First dates of blocks of :data:`BLOCK` steps.
    """
    read = tuple(n for n in step.inputs if n not in step.drawn)
    stored = StoredFields(dataset, (*read, *(n for n in step.outputs if n not in read)))
    fields, columns = stored.at_points(points), [stored.names.index(n) for n in step.outputs]
    errors, responses = [], []
    response = _Response(step)
    for start in np.searchsorted(stored.dates, starts).tolist():
        now = fields.at(start)
        for date in range(start, start + BLOCK):
            after = fields.at(date + 1)
            slots = (torch.from_numpy(np.ascontiguousarray(v[:, : len(read)])) for v in (now, after))
            made, changes = response(*slots)
            errors.append(torch.from_numpy(after[:, columns].copy()) - made)
            responses.append(changes)
            now = after
    blocks = len(starts), BLOCK
    found, changes = (torch.stack(v).unflatten(0, blocks) for v in (errors, responses))
    outputs = step.model.model.network_outputs
    known = dict(zip(step.outputs, found.square().mean((0, 1, 2)).sqrt().tolist(), strict=True))
    first = torch.tensor([known.get(n, _FIRST_ERROR) for n in outputs])
    deviation, constant, hours = output_errors(found, changes, first)
    # the error of a diagnostic is known: it is that of the result
    deviation = torch.where(torch.tensor([n in known for n in outputs]), first, deviation)
    return OutputErrors(outputs, *(tuple(v.tolist()) for v in (deviation, constant, hours)))


class _Response:
    """Result of a step, and its derivative with respect to perturbations of the outputs of the network."""

    def __init__(self, step: LandStep) -> None:
        self._step, outputs = PhysicalStep(step), step.model.model.network_outputs
        self._drawn, self._n = len(step.drawn), len(outputs)
        factors = dict(zip(step.outputs, self._step.output_factors.tolist(), strict=True))
        self._change = _CHANGE / torch.tensor([factors.get(n, 1.0) for n in outputs])

    def __call__(self, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        """Compute shapes ``(row, input) -> (row, result), (row, result, output)``, by central differences."""
        change = torch.cat([torch.zeros(1, self._n), torch.diag(self._change), -torch.diag(self._change)])
        further = torch.ones(len(change), self._drawn)  # the factors by ground
        further[:, : self._drawn - N_FACTORS] = 0.0
        further[:, self._drawn - N_FACTORS - self._n : self._drawn - N_FACTORS] = change
        rows = [v.repeat(len(change), 1) for v in (start, end)]
        none = torch.zeros(len(rows[0]), self._drawn)
        with torch.no_grad():
            made = self._step(
                torch.cat([rows[0], none], -1), torch.cat([rows[1], further.repeat_interleave(len(start), 0)], -1)
            ).unflatten(0, (len(change), -1))
        up, down = made[1 : self._n + 1], made[self._n + 1 :]
        return made[0], ((up - down) / (2.0 * self._change[:, None, None])).permute(1, 2, 0)


def output_errors(errors: Tensor, responses: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Estimate the errors of outputs from those of results, :math:`r = J \delta + \epsilon`.

    The variances of :math:`\delta` and :math:`\epsilon`, independent Gaussian numbers, are those of largest likelihood
    (expectation maximisation; Dempster et al. 1977). Deviation and time scales follow from the conditional means of
    :math:`\delta`, which are small where an output has no effect: a few large errors where it rarely has one do not
    stand for all cases, as they would in the variance of largest likelihood.

    Shapes: ``errors (block, step, point, result), responses (block, step, point, result, output)`` and a ``first``
    guess of the deviation to deviation, constant share and correlation time [h], each (output,).
    """
    scale = errors.flatten(0, 2).double().square().mean(0).sqrt().clamp_min(1e-30)
    r, j = errors.flatten(0, 2) / scale, responses.flatten(0, 2) / scale[:, None]
    first = first.double()
    r, j = r.double(), j.double() * first  # outputs in units of the first guess
    some = slice(None, None, -(-len(r) // _CASES))
    variance = torch.ones(j.shape[-1], dtype=torch.float64)
    rest = torch.full((r.shape[-1],), _FIRST_REST, dtype=torch.float64)
    for _ in range(_ITERATIONS):
        mean, covariance = _conditional(r[some], j[some], variance, rest)
        unexplained = r[some] - (j[some] @ mean[..., None])[..., 0]
        spread = torch.einsum("nij,njk,nik->ni", j[some], covariance, j[some])
        variance = (mean.square() + torch.diagonal(covariance, dim1=1, dim2=2)).mean(0)
        rest = (unexplained.square() + spread).mean(0).clamp_min(1e-4)
    parts = zip(r.split(_CASES), j.split(_CASES), strict=True)
    mean = torch.cat([_conditional(*part, variance, rest)[0] for part in parts])
    return mean.square().mean(0).sqrt() * first, *time_scales(mean.unflatten(0, errors.shape[:3]))


def _conditional(r: Tensor, j: Tensor, variance: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (case, output) and covariance (case, output, output) of outputs' errors, given those of results."""
    gain = variance[:, None] * j.mT
    inverse = torch.linalg.solve(j @ gain + torch.diag(rest), torch.cat([r[..., None], j], -1))
    return (gain @ inverse[..., :1])[..., 0], torch.diag(variance) - gain @ (inverse[..., 1:] * variance)


def time_scales(errors: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the constant share and the correlation time [h] of errors (block, step, point, output), each (output,).

    The mean over all blocks gives the constant share, the means over blocks the memory. An AR(1) process of N steps
    has the variance of its mean :math:`\approx (1 + 2 \rho / (1 - \rho)) / N`. Of the variance of the mean over all
    blocks, what independent blocks would have is subtracted.
    """
    total = errors.square().mean((0, 1, 2)).clamp_min(1e-30)
    of_block = errors.mean(1).square().mean((0, 1)) / total
    of_all = errors.mean((0, 1)).square().mean(0) / total
    n = len(errors)
    constant = ((of_all - of_block / n) * (n / max(n - 1, 1))).clamp(0.0, 0.9)
    ratio = (BLOCK * (of_block - constant) / (1.0 - constant)).clamp_min(1.0)
    rho = (ratio - 1.0) / (ratio + 1.0)
    return constant, (-STEP_HOURS / rho.clamp(1e-3, 0.999).log()).clamp(*_HOURS)
