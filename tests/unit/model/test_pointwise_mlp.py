# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The pure torch network."""

import pytest
import torch

from anemoi_ailand.model.pointwise_mlp import PointwiseMLP


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


@pytest.mark.parametrize(
    ("options", "message"), [({"activation": "tanhh"}, "Activation 'tanhh'"), ({"width": 0}, "at least 1")]
)
def test_wrong_options_are_refused(options, message):
    """An unknown activation or an empty layer is an error that says so."""
    with pytest.raises(ValueError, match=message):
        PointwiseMLP(5, 3, 2, **options)
