# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Activation checkpointing: the same numbers, and nothing kept."""

import pytest
import torch

from anemoi_ailand.training.checkpointed import checkpointed


def case():
    """A small network as ``run``, its parameters, and two inputs of which one is differentiated."""
    torch.manual_seed(1)
    layer = torch.nn.Linear(3, 3)

    def run(x, u):
        h = torch.tanh(layer(x) + u)
        return h.sum(dim=0), h * u

    return run, list(layer.parameters()), torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)


def gradients(outputs, *wanted):
    return torch.autograd.grad(sum(k * o.square().sum() for k, o in enumerate(outputs, 1)), wanted)


def test_outputs_and_gradients_are_those_without():
    """Of inputs and of parameters."""
    run, parameters, x, u = case()
    outputs = checkpointed(run, (x, u), parameters)
    for a, b in zip(outputs, run(x, u), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(gradients(outputs, x, *parameters), gradients(run(x, u), x, *parameters), strict=True):
        assert a.abs().max() > 0
        assert torch.equal(a, b)


def test_pieces_follow_each_other():
    """The gradient passes from piece to piece, though the first input needs none."""
    run, parameters, x, u = case()
    x = x.detach()

    def twice(step):
        total, y = step(x, u)
        again, z = step(y, u)
        return total, again, z

    found = gradients(twice(lambda a, b: checkpointed(run, (a, b), parameters)), *parameters)
    for a, b in zip(found, gradients(twice(run), *parameters), strict=True):
        torch.testing.assert_close(a, b)


def test_frozen_and_unused_parameters_get_no_gradient():
    """As in a training with frozen layers."""
    run, parameters, x, u = case()
    parameters[0].requires_grad_(False)
    unused = torch.ones(2, requires_grad=True)
    outputs = checkpointed(run, (x, u), [*parameters, unused])
    outputs[1].sum().backward()
    assert (parameters[0].grad, unused.grad) == (None, None)
    assert parameters[1].grad.abs().max() > 0


def test_nothing_between_is_kept():
    """What is computed on the way is gone when the outputs are there."""
    run, parameters, x, u = case()
    made = []

    def watched(x, u):
        outputs = run(x, u)
        made.append(outputs[1].requires_grad)
        return outputs

    outputs = checkpointed(watched, (x, u), parameters)
    assert made == [False]  # no graph at all in the forward pass
    outputs[0].sum().backward()
    assert made == [False, True]


@pytest.mark.parametrize("enabled", [True, False])
def test_second_computation_has_the_precision_of_the_first(enabled):
    """The backward pass runs outside of the autocast region of the forward pass."""
    run, parameters, x, u = case()
    kinds = []

    def watched(x, u):
        kinds.append(torch.nn.functional.linear(x, parameters[0]).dtype)
        return run(x, u)

    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
        outputs = checkpointed(watched, (x, u), parameters)
    outputs[0].float().sum().backward()
    assert kinds == [torch.bfloat16 if enabled else torch.float32] * 2
