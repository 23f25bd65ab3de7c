# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Losses and scalers."""

import itertools

import numpy as np
import pytest
import torch

from anemoi_ailand.training.balanced_loss import BalancedLoss
from anemoi_ailand.training.increment_loss import IncrementLoss, IncrementScaler, PointScaler
from tests.support.land import OPEN

N_OUT = 2
SCALE = torch.tensor([10.0, 0.5])


def loss(delta=None):
    out = IncrementLoss(delta=delta)
    out.add_scaler(*PointScaler().get_scaling(), name="points")
    out.add_scaler(4, SCALE, name="increment")
    return out


def fields(n_points=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(3, 1, 1, n_points, N_OUT, generator=generator) for _ in range(2))


def test_squared_error_against_a_loop():
    """Without delta: half the mean square of the error in units of the change in 6 h."""
    pred, target = fields()
    squares = [
        float((pred[b, 0, 0, p, v] - target[b, 0, 0, p, v]) * SCALE[v]) ** 2
        for b, p, v in itertools.product(range(3), range(5), range(N_OUT))
    ]
    torch.testing.assert_close(float(loss()(pred, target)), 0.5 * sum(squares) / len(squares), rtol=1e-6, atol=0.0)


def test_huber_turns_linear_in_units_of_the_increment():
    """With delta the function is linear beyond delta, measured after scaling."""
    pred, target = fields()
    error = ((pred - target) * SCALE).abs()
    expected = torch.where(error < 1, 0.5 * error**2, error - 0.5).mean()
    torch.testing.assert_close(loss(1.0)(pred, target).squeeze(), expected, rtol=1e-6, atol=0.0)
    assert loss(1.0)(pred, target) < loss()(pred, target)


def test_loss_does_not_depend_on_the_number_of_points():
    """A sample repeated over points has the same loss: it is a mean, so blocks of any size compare."""
    pred, target = fields()
    doubled = (torch.cat([x, x], dim=3) for x in (pred, target))
    torch.testing.assert_close(loss()(pred, target), loss()(*doubled))


def tendencies():
    return {"lead_times": ["6h"], "6h": {"stdev": 0.1 * OPEN.statistics()["stdev"]}}


def scaler(tend):
    return IncrementScaler(data_indices=OPEN.indices(), statistics=OPEN.statistics(), statistics_tendencies=tend)


def test_scaler_covers_every_output_also_at_index_zero():
    """Ratio of standard deviations, for diagnostics too and for the variable at dataset index 0."""
    values = scaler(tendencies()).get_scaling_values()
    assert OPEN.indices().data.output.name_to_index["2t"] == 0
    assert values.shape == (len(OPEN.prognostic) + len(OPEN.diagnostic),)
    np.testing.assert_allclose(values.numpy(), 10.0, rtol=1e-6)


def test_errors_without_a_scale_are_refused():
    """The error names the missing scaler, the missing statistics, or the variable that never changes in 6 h."""
    out = IncrementLoss()
    out.add_scaler(*PointScaler().get_scaling(), name="points")
    with pytest.raises(ValueError, match="increment"):
        out(*fields())
    with pytest.raises(ValueError, match=r"tendencies: \[6h\]"):
        scaler(None).get_scaling_values()
    tend = tendencies()
    tend["6h"]["stdev"][OPEN.variables.index("snowc")] = 0.0
    with pytest.raises(ValueError, match="snowc"):
        scaler(tend).get_scaling_values()


SIZE = torch.tensor([0.01, 4.0])


def balanced(**options):
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
    balanced(rate=1.0)(a, target).backward()
    (0.25 * (b - target).square().mean(dim=(0, 1, 2, 3)).log().sum()).backward()
    torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-8)


def test_running_mean_forgets():
    """The first values count alike, later ones by the rate."""
    measured = balanced(rate=0.5)
    for factor in (1.0, 1.0, 2.0):
        measured(*errors(factor=factor))
    first = balanced(rate=1.0)
    first(*errors())
    torch.testing.assert_close(measured.running / first.running, torch.full((2,), 2.5), rtol=1e-4, atol=0.0)


def test_validation_keeps_its_yardstick():
    """Half the error is a quarter of the validation loss, however long training went on in between."""
    measured = balanced(rate=1.0)
    measured(*errors())
    before = measured.eval()(*errors(seed=1))
    measured.train()(*errors(factor=0.1))
    after = measured.eval()(*errors(seed=1, factor=0.5))
    torch.testing.assert_close(after, before / 4, rtol=1e-4, atol=0.0)


def test_measured_errors_are_in_the_checkpoint():
    """A resumed training keeps its measured errors; a checkpoint of another loss has none."""
    measured, other = balanced(), balanced()
    measured(*errors())
    measured.eval()(*errors())
    other.load_state_dict(measured.state_dict())
    assert torch.equal(other.running, measured.running) and torch.equal(other.yardstick, measured.yardstick)
    assert other.count == 1
    fresh = balanced()
    fresh.load_state_dict({k: v for k, v in fresh.state_dict().items() if k not in ("running", "yardstick", "count")})
    assert not fresh.running.numel()


def test_wrong_options_are_refused():
    """The floor, without which a variable known exactly would dominate, is positive, and the rate a share."""
    pred, target = errors()
    pred[..., 0] = target[..., 0]
    assert torch.isfinite(balanced()(pred, target))
    for options in ({"rate": 0.0}, {"rate": 1.5}, {"floor": 0.0}):
        with pytest.raises(ValueError, match="Give a rate"):
            BalancedLoss(**options)
