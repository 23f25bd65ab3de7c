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


def test_shapes_keep_leading_dimensions():
    """(..., n_in) gives (..., n_prognostic) and (..., n_diagnostic)."""
    increments, diagnostics = network()(torch.randn(2, 1, 7, 5))
    assert increments.shape == (2, 1, 7, 3)
    assert diagnostics.shape == (2, 1, 7, 2)


def test_untrained_network_is_persistence():
    """Increments are exactly zero before training, diagnostics are not."""
    increments, diagnostics = PointwiseMLP(5, 3, 2, width=16, depth=2)(torch.randn(7, 5))
    assert torch.equal(increments, torch.zeros_like(increments))
    assert diagnostics.abs().max() > 0


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


def test_no_diagnostics_gives_empty_tensor():
    """A network without diagnostics returns none, and has no diagnostic head."""
    net = PointwiseMLP(5, 3, 0, width=8, depth=1)
    assert net(torch.randn(7, 5))[1].shape == (7, 0)
    assert not any("diagnostic" in name for name, _ in net.named_parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"activation": "tanhh"}, "Activation 'tanhh'"), ({"width": 0}, "at least 1")],
)
def test_wrong_options_are_refused(options, message):
    """An unknown activation or an empty layer is an error that says so."""
    with pytest.raises(ValueError, match=message):
        PointwiseMLP(5, 3, 2, **options)
