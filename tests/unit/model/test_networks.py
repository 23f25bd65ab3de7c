# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Networks: named by a configuration, the pure torch one, and hidden layers of lower precision."""

import sys

import pytest
import torch
from torch import nn

from anemoi_ailand.model import precision as module
from anemoi_ailand.model.networks import NetworkShape, build_network
from anemoi_ailand.model.pointwise_mlp import PointwiseMLP
from anemoi_ailand.model.precision import Exact, PartlyExact, hidden_precision, precision_of

SHAPE = NetworkShape(n_in=6, n_prognostic=3, n_diagnostic=2, static=(1, 4))

OWN = """
from torch import nn

class Linear(nn.Module):
    def __init__(self, n_in, n_prognostic, n_diagnostic, static, *, bias=True):
        super().__init__()
        self.static, self.layer = static, nn.Linear(n_in, n_prognostic + n_diagnostic, bias=bias)

no_class = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user with a network in it."""
    (tmp_path / "my_networks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_networks", None)


def test_default_is_the_mlp():
    """Configurations older than the option keep their network; a null option counts as not given."""
    network = build_network({"width": 8, "depth": 1, "activation": "silu", "ratio": None}, SHAPE)
    assert isinstance(network, PointwiseMLP)
    assert network.skip


def test_import_path_of_a_class(own):
    """The class gets sizes, static columns where it has that parameter, and its options."""
    network = build_network({"network": "my_networks.Linear", "bias": False}, SHAPE)
    assert network.static == (1, 4)
    assert network.layer.bias is None
    assert network.layer.weight.shape == (5, 6)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"network": "lstm"}, r"'lstm', which is not known. Give 'mlp', or the import path"),
        ({"network": "no_such_module.Net"}, r"cannot be imported \(No module named 'no_such_module'\).*PYTHONPATH"),
        ({"network": "my_networks.Other"}, r"cannot be imported .*no attribute 'Other'"),
        ({"network": "my_networks.no_class"}, r"not a subclass of torch.nn.Module"),
        ({"network": "my_networks.Linear", "depth": 3}, r"no option \['depth'\] \(available: \['bias'\]\).*null"),
        ({"width": 8, "depth": 1, "activation": "tanhh"}, "Activation 'tanhh'"),
        ({"width": 0, "depth": 1}, "at least 1"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(own, config, message):
    """The error says what is wrong and what to give instead, or how to drop an inherited option."""
    with pytest.raises(ValueError, match=message):
        build_network(config, SHAPE)


def network(**options):
    torch.manual_seed(3)
    net = PointwiseMLP(5, 3, 2, **{"width": 16, "depth": 2, **options})
    with torch.no_grad():
        net.prognostic_head.weight.normal_()
    return net


def test_untrained_network_is_persistence():
    """Increments (..., n_prognostic) are exactly zero before training, diagnostics (..., n_diagnostic) are not."""
    increments, diagnostics = PointwiseMLP(5, 3, 2, width=16, depth=2)(torch.randn(2, 1, 7, 5))
    assert torch.equal(increments, torch.zeros(2, 1, 7, 3))
    assert diagnostics.shape == (2, 1, 7, 2) and diagnostics.abs().max() > 0
    without = PointwiseMLP(5, 3, 0, width=8, depth=1)
    assert without(torch.randn(7, 5))[1].shape == (7, 0)
    assert not any("diagnostic" in name for name, _ in without.named_parameters())


def test_points_never_mix():
    """The Jacobian between different points is zero, and within a point it is not."""
    jacobian = torch.autograd.functional.jacobian(lambda z: network()(z)[0], torch.randn(4, 5))
    for i in range(4):
        for j in range(4):
            block = jacobian[i, :, j]
            assert (block.abs().max() > 0) == (i == j)


def test_depth_zero_is_linear():
    """Without hidden layers increments are an affine function of the inputs."""
    net = network(depth=0)
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    mean = net(0.5 * (a + b))[0]
    torch.testing.assert_close(mean, 0.5 * (net(a)[0] + net(b)[0]))


def test_without_skip_only_the_diagnostic_block_sees_the_inputs():
    """The network of aiLand v1: heads on trunk and block alone."""
    net = network(skip=False)
    assert net.prognostic_head.in_features == net.diagnostic_head.in_features == 16
    assert net.diagnostic_block[0].in_features == 16 + 5
    torch.nn.init.zeros_(net.trunk[-1][0].weight)  # nothing comes through the trunk
    jacobians = torch.autograd.functional.jacobian(net, torch.randn(5))
    assert jacobians[0].abs().max() == 0
    assert jacobians[1].abs().max() > 0


def test_size_of_the_network_of_ailand_v1():
    """Six layers of 512 are about 1.3 million parameters, and the diagnostic branch 0.3 million."""
    net = PointwiseMLP(46, 7, 5, width=512, depth=6, activation="relu", skip=False)
    assert 1.3e6 < sum(p.numel() for p in net.trunk.parameters()) < 1.4e6
    assert sum(p.numel() for p in net.diagnostic_block.parameters()) < 0.3e6


def test_a_checkpoint_from_before_the_option_skips():
    """Networks pickled without the attribute see the inputs in their heads, as they did."""
    net, z = network(), torch.randn(7, 5)
    expected = net(z)
    del net.__dict__["skip"]
    assert all(torch.equal(a, b) for a, b in zip(net(z), expected, strict=True))


CPU = torch.device("cpu")


@pytest.fixture
def bf16(monkeypatch):
    """Pretend that the processor has it: what it computes is the same, only slower."""
    monkeypatch.setattr(module, "in_hardware", lambda kind: True)
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
    monkeypatch.setattr(module, "in_hardware", lambda kind: False)
    for dtype in (torch.bfloat16, None):
        with hidden_precision(dtype, CPU):
            assert not torch.is_autocast_enabled("cpu")


def test_unknown_precision_is_an_error():
    """The error lists the available options."""
    assert precision_of("bfloat16") is torch.bfloat16 and precision_of("float32") is None
    with pytest.raises(ValueError, match=r"`model.model.hidden_precision` is 'half'. It can be one of .*bfloat16"):
        precision_of("half")
