# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Hidden layers may multiply in bfloat16 while training; what goes in and comes out may not."""

import pytest
import torch
from torch import nn

from anemoi_ailand.model import precision as module
from anemoi_ailand.model.pointwise_mlp import PointwiseMLP
from anemoi_ailand.model.precision import Exact, PartlyExact, hidden_precision, precision_of

CPU = torch.device("cpu")


@pytest.fixture
def bf16(monkeypatch):
    """Pretend that the processor has it: what it computes is the same, only slower."""
    monkeypatch.setattr(module, "_in_hardware", lambda kind: True)
    return hidden_precision(torch.bfloat16, CPU)


def test_exact_layer_is_exact_inside(bf16):
    """The layer is bitwise exact, also for inputs that bfloat16 would round."""
    torch.manual_seed(0)
    layer, plain, x = Exact(7, 5), nn.Linear(7, 5), torch.randn(11, 7)
    plain.load_state_dict(layer.state_dict())
    expected = plain(x)
    with bf16:
        assert not torch.equal(plain(x).float(), expected), "this test needs rounding"
        assert torch.equal(layer(x), expected)


def test_partly_exact_layer_rounds_what_is_hidden_only(bf16):
    """With nothing hidden it is exact; with no input it is not."""
    torch.manual_seed(0)
    layer, h, z = PartlyExact(6, 4, 5), torch.randn(11, 6), torch.randn(11, 4)
    of_inputs, of_hidden = torch.cat([0 * h, z], -1), torch.cat([h, 0 * z], -1)
    expected = layer(of_inputs), layer(of_hidden)
    with bf16:
        torch.testing.assert_close(layer(of_inputs), expected[0], rtol=1e-5, atol=1e-6)
        assert not torch.equal(layer(of_hidden), expected[1])
        torch.testing.assert_close(layer(of_hidden), expected[1], rtol=2e-2, atol=2e-2)


def test_gradient_is_near_that_of_single_precision(bf16):
    """Its direction to a hundredth, in single precision for every weight."""
    torch.manual_seed(0)
    network, x = PointwiseMLP(9, 3, 2, width=32, depth=3), torch.randn(256, 9)
    for weights in network.parameters():
        nn.init.normal_(weights, std=0.2)

    def gradient():
        network.zero_grad()
        sum(y.float().square().mean() for y in network(x)).backward()
        assert {p.grad.dtype for p in network.parameters()} == {torch.float32}
        return torch.cat([p.grad.flatten() for p in network.parameters()])

    exact = gradient()
    with bf16:
        rounded = gradient()
    assert not torch.equal(exact, rounded)
    assert torch.cosine_similarity(exact, rounded, dim=0) > 0.99


def test_without_hardware_or_wish_nothing_changes(monkeypatch):
    """A processor that would only emulate it multiplies in single precision."""
    monkeypatch.setattr(module, "_in_hardware", lambda kind: False)
    for dtype in (torch.bfloat16, None):
        with hidden_precision(dtype, CPU):
            assert not torch.is_autocast_enabled("cpu")


def test_unknown_precision_is_an_error():
    """The error lists the available options."""
    assert precision_of("bfloat16") is torch.bfloat16 and precision_of("float32") is None
    with pytest.raises(ValueError, match=r"`model.model.hidden_precision` is 'half'. It can be one of .*bfloat16"):
        precision_of("half")
