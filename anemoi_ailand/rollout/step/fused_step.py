# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The step in a form that compiles to fast code: points innermost in memory, weights merged, no normalised state.

The values are those of :class:`~anemoi_ailand.rollout.step.physical_step.PhysicalStep` to rounding; the algebra is
rearranged once, when the parts are made:

- layer norm subtracts the mean over the channels, which is linear: rows of weights and bias are centred instead;
- the input columns of both heads are one product, and so are hidden and input columns of the diagnostic block;
- products of the layers may use bfloat16 with sums in single precision. The heads stay in single precision: rounding
  their weights would shift what they predict.

There are two parts, which depend on different things: that of the network on the weights, that of the state only on the
names of the variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from anemoi_ailand.hosts.anemoi_models import normaliser_factors
from anemoi_ailand.model.closed_land import ClosedLand
from anemoi_ailand.model.perturbation import N_FACTORS, group_numbers, scaled_errors
from anemoi_ailand.model.pointwise_mlp import PointwiseMLP
from anemoi_ailand.physics.closed_step import STATE
from anemoi_ailand.rollout.step.checkpoint import LandStep, normaliser
from anemoi_ailand.variables import variable

#: Largest difference from the plain step by precision of the products, as :func:`difference` measures it.
TOLERANCE = {torch.float32: 0.01, torch.bfloat16: 0.1}

#: Argument beyond which the logistic function of :func:`_rough_silu` is constant, and coefficients of its polynomial: a
#: least-squares fit of the product with the argument, which is seldom beyond 4 after a layer norm.
_SATURATED = 6.5
_POLYNOMIAL = (
    3.1627982e-13, -6.0585508e-11, 4.9536631e-09, -2.2765361e-07, 6.5621363e-06, -0.00012713745, 0.0017830775,
    -0.020275656, 0.24963764,
)  # fmt: skip


def unsupported(step: LandStep) -> str | None:
    """Return why a step has no fused form, or None if it has one."""
    land = step.model.model
    if type(land.network) is not PointwiseMLP:
        return f"its network is a {type(land.network).__name__}, not the packaged PointwiseMLP"
    if not land.network.n_diagnostic or len(land.network.trunk) == 0:
        return "its network has no hidden layer or no diagnostics"
    if set(land.columns.outputs) != set(_given(step)) | set(_diagnostic(step)):
        return "its outputs are not those of the table"
    return None


class NetworkPart(nn.Module):
    r"""Fields of a step to the outputs of the network.

    Shapes: ``start, end (input, row)`` in the units of the table to ``(controls + diagnostics, row)``: increments or
    controls, dimensionless, then diagnostics in their units.

    Parameters
    ----------
    step : LandStep
        Loaded checkpoint; its weights are copied.
    hidden : torch.dtype
        Precision of the products of the layers.
    """

    mul: Tensor
    add: Tensor
    most: Tensor
    first_weight: Tensor
    first_bias: Tensor
    last_weight: Tensor
    last_bias: Tensor
    head_weight: Tensor
    diagnostic_weight: Tensor
    skip_weight: Tensor
    head_bias: Tensor

    def __init__(self, step: LandStep, hidden: torch.dtype) -> None:
        super().__init__()
        land, network = step.model.model, step.model.model.network
        self.inputs, self.closed, self.hidden = step.inputs, land.closed, hidden
        columns = land.columns.start_index, land.columns.end_index
        self.start, self.end = (nn.Buffer(torch.as_tensor(index, device=step.device)) for index in columns)
        factors = normaliser_factors(normaliser(step), len(step.outputs))
        mul, add = (v[torch.cat([self.start, self.end])].unsqueeze(-1) for v in factors["in"])
        self._constant("mul", mul)
        self._constant("add", add)
        self._constant("most", land.most.unsqueeze(-1))
        self._of_network(network)
        self._of_heads(network, factors["out"], [step.outputs.index(n) for n in _diagnostic(step)])

    def _of_network(self, network: PointwiseMLP) -> None:
        blocks: list[Any] = [*network.trunk, network.diagnostic_block]
        layers = [block[0] for block in blocks[:-1]]
        self.width = layers[0].out_features
        self.n_hidden = len(layers) - 1
        first, last = _centred(layers[0]), _centred(blocks[-1][0])
        self._constant("first_weight", first[0].to(self.hidden))
        self._constant("first_bias", first[1].to(self.hidden))
        for k, layer in enumerate(layers[1:]):
            weight, bias = _centred(layer)
            self._constant(f"weight_{k}", weight.to(self.hidden))
            self._constant(f"bias_{k}", bias.to(self.hidden))
        self._constant("last_weight", last[0].to(self.hidden))
        self._constant("last_bias", last[1].to(self.hidden))
        for k, (_, norm, _) in enumerate(blocks):
            self._constant(f"gain_{k}", norm.weight)
            self._constant(f"offset_{k}", norm.bias)
        self.eps, self.activation = blocks[0][1].eps, blocks[0][2]

    def _of_heads(self, network: PointwiseMLP, normalisation: tuple[Tensor, Tensor], columns: list[int]) -> None:
        """Merge the heads, whose diagnostics leave in physical units."""
        mul, add = (v[columns].double().unsqueeze(-1) for v in normalisation)
        head, diagnostic = network.prognostic_head, network.diagnostic_head
        weights = [head.weight.double(), diagnostic.weight.double() / mul]
        biases = [head.bias.double().unsqueeze(-1), (diagnostic.bias.double().unsqueeze(-1) - add) / mul]
        self.skip, self.n_outputs = network.skip, head.out_features
        self._constant("head_weight", weights[0][:, : self.width])
        self._constant("diagnostic_weight", weights[1][:, : self.width])
        if self.skip:
            self._constant("skip_weight", torch.cat([w[:, self.width :] for w in weights]))
        self._constant("head_bias", torch.cat(biases))

    def _constant(self, name: str, value: Tensor) -> None:
        value = value.detach().to(torch.float32 if value.dtype is torch.float64 else value.dtype)
        self.register_buffer(name, value.clone().contiguous())

    def forward(self, start: Tensor, end: Tensor) -> Tensor:
        """Return the outputs; shapes as in the class."""
        columns = torch.cat([start.index_select(0, self.start), end.index_select(0, self.end)])
        columns = torch.minimum(columns * self.mul + self.add, self.most)
        if self.closed is not None:
            land, air = self.closed.of_fields(*named(self.closed, self.inputs, start, end))
            columns = torch.cat([columns, self.closed.features(land, air).movedim(-1, 0)])
        rows = columns.t().to(self.hidden)
        hidden = self._block(linear(rows, self.first_weight, self.first_bias), 0)
        for k in range(self.n_hidden):
            hidden = self._block(linear(hidden.to(self.hidden), self._part("weight", k), self._part("bias", k)), k + 1)
        both = torch.cat([hidden.to(self.hidden), rows], 1)
        last = self._block(linear(both, self.last_weight, self.last_bias), self.n_hidden + 1)
        heads = torch.cat([self.head_weight @ hidden.t(), self.diagnostic_weight @ last.t()])
        return heads + (self.skip_weight @ columns + self.head_bias if self.skip else self.head_bias)

    def _block(self, x: Tensor, k: int) -> Tensor:
        """Normalise channels whose mean is zero, and apply the activation, in single precision."""
        x = x.float()
        x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)
        x = x * self._part("gain", k) + self._part("offset", k)
        rough = self.hidden is torch.bfloat16 and isinstance(self.activation, nn.SiLU)
        activated: Tensor = _rough_silu(x) if rough else self.activation(x)
        return activated

    def _part(self, kind: str, k: int) -> Tensor:
        part: Tensor = getattr(self, f"{kind}_{k}")
        return part


class StatePart(nn.Module):
    """Fields of a step and outputs of the network to the outputs of the step, within their bounds.

    Shapes: ``start, end (input, row), outputs (controls + diagnostics, row)`` to ``(output, row)``, in the units of the
    table.
    """

    lower: Tensor
    upper: Tensor
    groups: Tensor

    def __init__(self, step: LandStep) -> None:
        super().__init__()
        land = step.model.model
        self.inputs, self.outputs, self.closed = step.inputs, step.outputs, land.closed
        self.given, self.diagnostic = _given(step), _diagnostic(step)
        self.n_outputs = land.network.prognostic_head.out_features
        self.first_error = land.first_error
        if self.first_error is not None:
            self.register_buffer("groups", torch.tensor(group_numbers(land.network_outputs)))
        for name, bound in zip(("lower", "upper"), land.physical_bounds, strict=True):
            self.register_buffer(name, bound.detach().clone().unsqueeze(-1))

    def forward(self, start: Tensor, end: Tensor, outputs: Tensor) -> Tensor:
        """Return the outputs of the step; shapes as in the class."""
        if self.first_error is not None:
            outputs = outputs + self._errors(start, end, self.first_error, len(outputs))
        controls = outputs[: self.n_outputs]
        if self.closed is None:
            old = (start[self.inputs.index(n)] for n in self.given)
            steps = zip(self.given, old, controls, strict=True)
            result = {n: x + (variable(n).increment_scale or 0.0) * change for n, x, change in steps}
        else:
            fields = named(self.closed, self.inputs, start, end)
            place = self.closed.sensible and self.n_outputs + self.closed.sensible[0]
            sensible = None if place is None else outputs[place]
            result = self.closed.results(*self.closed.of_fields(*fields), fields[0], controls.t(), sensible)
        result |= dict(zip(self.diagnostic, outputs[self.n_outputs :], strict=True))
        out = torch.stack([result[n] for n in self.outputs])
        return torch.minimum(torch.maximum(out, self.lower), self.upper)

    def _errors(self, start: Tensor, end: Tensor, first: int, number: int) -> Tensor:
        """Return the perturbations of the outputs (output, row)."""
        errors = end[first : first + number]
        if self.closed is None:
            return errors
        land, _ = self.closed.of_fields(*named(self.closed, self.inputs, start, end))
        factors = end[first + number : first + number + N_FACTORS]
        return scaled_errors(errors.t(), factors.t(), self.groups, land).t()


def named(
    closed: ClosedLand, inputs: Sequence[str], start: Tensor, end: Tensor
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the fields (row,) that the closed step reads at the start and at the end, by name."""
    first = (*STATE, *closed.extra, *closed.at_start)
    return {n: start[inputs.index(n)] for n in first}, {n: end[inputs.index(n)] for n in closed.at_end}


def example(step: LandStep, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return tensors of the shapes that the parts take, (input, row) twice and (controls + diagnostics, row)."""
    network: Any = step.model.model.network
    slot = torch.ones((len(step.inputs), rows))
    return slot, slot.clone(), torch.ones((network.prognostic_head.out_features + network.n_diagnostic, rows))


def difference(step: LandStep, start: Tensor, end: Tensor, out: Tensor) -> float:
    """Return the largest difference of an output from the plain step, as root mean square in units of its spread.

    Shapes: ``start, end (row, input), out (row, output)``. Values that are not finite in the plain step are left out;
    the result is not finite if others are not.
    """
    scale = normaliser_factors(normaliser(step), len(step.outputs))["out"][0]
    plain = step.of_slots(start, end)
    found = torch.where(plain.isfinite(), (out - plain) * scale, 0.0)
    return float(found.square().mean(0).sqrt().max())


def _rough_silu(x: Tensor) -> Tensor:
    r"""Return :math:`x / (1 + e^{-x})` without exponential and division, well within the rounding of bfloat16.

    The logistic function is :math:`\tfrac12 + x\,p(x^2)`, with a polynomial :math:`p` of degree 8 within
    :math:`|x| \le 6.5`. The error of the result is at most 2.5e-4 up to 4, and 8e-4 of the argument beyond.
    """
    inside = x.clamp(-_SATURATED, _SATURATED)
    square = inside * inside
    value = torch.full_like(x, _POLYNOMIAL[0])
    for coefficient in _POLYNOMIAL[1:]:
        value = value * square + coefficient
    return x * (0.5 + inside * value)


def _centred(layer: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a layer less their means over its outputs, in double precision."""
    weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
    return weight - weight.mean(0), bias - bias.mean()


def _given(step: LandStep) -> tuple[str, ...]:
    """Return the outputs that follow from the state, in the order in which the network predicts them."""
    land = step.model.model
    return land.columns.prognostic if land.closed is None else land.closed.given


def _diagnostic(step: LandStep) -> tuple[str, ...]:
    """Return the outputs of the diagnostic head."""
    land = step.model.model
    return tuple(n for n in land.columns.diagnostic if land.closed is None or n not in land.closed.given)
