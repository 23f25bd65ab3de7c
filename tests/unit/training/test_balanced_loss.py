# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every variable counts alike, whatever its errors are."""

import pytest
import torch

from anemoi_ailand.training.balanced_loss import BalancedLoss
from anemoi_ailand.training.loss import PointScaler

SCALE = torch.tensor([10.0, 0.5])
SIZE = torch.tensor([0.01, 4.0])


def loss(**options):
    out = BalancedLoss(**options)
    out.add_scaler(*PointScaler().get_scaling(), name="points")
    out.add_scaler(4, SCALE, name="increment")
    return out


def errors(seed=0, factor=1.0, n_points=50):
    """Forecast and target whose errors differ from variable to variable by orders of magnitude."""
    target, noise = torch.randn(2, 3, 1, 1, n_points, 2, generator=torch.Generator().manual_seed(seed))
    return target + factor * SIZE * noise, target


def test_gradient_is_that_of_the_logarithm_of_the_mean_square():
    """With the mean of this very batch, the gradient is half that of the sum of logarithms: variables count alike."""
    pred, target = errors()
    a, b = (pred.clone().requires_grad_() for _ in range(2))
    loss(rate=1.0)(a, target).backward()
    (0.25 * (b - target).square().mean(dim=(0, 1, 2, 3)).log().sum()).backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-8)


def test_running_mean_forgets():
    """The first values count alike, later ones by the rate."""
    measured = loss(rate=0.5)
    for factor in (1.0, 1.0, 2.0):
        measured(*errors(factor=factor))
    first = loss(rate=1.0)
    first(*errors())
    torch.testing.assert_close(measured.running / first.running, torch.full((2,), 2.5), rtol=1e-4, atol=0.0)


def test_validation_keeps_its_yardstick():
    """Half the error is a quarter of the validation loss, however long training went on in between."""
    measured = loss(rate=1.0)
    measured(*errors())
    before = measured.eval()(*errors(seed=1))
    measured.train()(*errors(factor=0.1))
    after = measured.eval()(*errors(seed=1, factor=0.5))
    torch.testing.assert_close(after, before / 4, rtol=1e-4, atol=0.0)


def test_measured_errors_are_in_the_checkpoint():
    """A resumed training keeps its measured errors; a checkpoint of another loss has none."""
    measured, other = loss(), loss()
    measured(*errors())
    measured.eval()(*errors())
    other.load_state_dict(measured.state_dict())
    assert torch.equal(other.running, measured.running) and torch.equal(other.yardstick, measured.yardstick)
    assert other.count == 1
    fresh = loss()
    fresh.load_state_dict({k: v for k, v in fresh.state_dict().items() if k not in ("running", "yardstick", "count")})
    assert not fresh.running.numel()


def test_wrong_options_are_refused():
    """The floor, without which a variable known exactly would dominate, is positive, and the rate a share."""
    pred, target = errors()
    pred[..., 0] = target[..., 0]
    assert torch.isfinite(loss()(pred, target))
    for options in ({"rate": 0.0}, {"rate": 1.5}, {"floor": 0.0}):
        with pytest.raises(ValueError, match="Give a rate"):
            BalancedLoss(**options)
