# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The training method: the stock loss and gradient, at less cost."""

import pytest
import torch
from anemoi.training.train.methods import SingleTraining

from anemoi_ailand.training.increment_loss import OF_SNOW
from anemoi_ailand.training.truncated import truncated_loss
from tests.support.land import CLOSED, OPEN
from tests.support.training import training_config, training_module

N_STEPS = 4


def loss_and_gradient(module):
    output = module._step(OPEN.batch(N_STEPS + 1))
    output.loss.sum().backward()
    gradient = [p.grad for p in module.model.parameters()]
    return output.loss.detach().sum(), torch.cat([g.flatten() for g in gradient])


@pytest.fixture(scope="module")
def stock():
    full = training_config()
    full.training.validation_metrics.datasets.data = {}
    return loss_and_gradient(training_module(SingleTraining, n_steps=N_STEPS, full=full))


@pytest.mark.parametrize("options", [{}, {"checkpoint_every": 3}, {"checkpoint_every": 10}, {"detach_every": 8}])
def test_loss_and_gradient_are_those_of_anemoi(stock, options):
    """Loss and gradient of the roll-out equal those of single steps, checkpointed or in one piece longer than it."""
    loss, gradient = loss_and_gradient(training_module(n_steps=N_STEPS, **options))
    torch.testing.assert_close(loss, stock[0], rtol=1e-5, atol=0.0)
    assert gradient.abs().max() > 0
    torch.testing.assert_close(gradient, stock[1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("checkpoint_every", [None, 1])
def test_truncated_gradient_is_that_of_a_detached_state(checkpoint_every):
    """Two pieces of two steps: the gradient of the same loss with the state cut between them; the loss is whole."""
    module = training_module(n_steps=N_STEPS, detach_every=2, checkpoint_every=checkpoint_every)
    loss, gradient = loss_and_gradient(module)
    whole = training_module(n_steps=N_STEPS)
    batch = OPEN.batch(N_STEPS + 1)
    x = whole.task.get_inputs(batch, data_indices=whole.data_indices)
    first, x = whole._piece(x, batch, 0, 2, N_STEPS)
    second, _ = whole._piece({k: v.detach() for k, v in x.items()}, batch, 2, 4, N_STEPS)
    (first + second).sum().backward()
    expected = torch.cat([p.grad.flatten() for p in whole.model.parameters()])
    torch.testing.assert_close(loss, (first + second).detach().sum())
    torch.testing.assert_close(gradient, expected)
    untruncated = loss_and_gradient(training_module(n_steps=N_STEPS))[1]
    assert (gradient - untruncated).abs().max() > 1e-3 * untruncated.abs().max()


def test_errors_of_snow_count_by_the_snow():
    """A unit of error in the density of snow counts by the snow of the target, that in soil temperature everywhere."""
    module = training_module(n_steps=1, land=CLOSED)
    indices = CLOSED.indices()
    x = CLOSED.batch(2)["data"]
    sd, rsn = indices.name_to_index["sd"], indices.model.output.name_to_index["rsn"]
    mul, add = CLOSED.normalisation("sd")
    target = x[:, 1:].clone()
    target[..., sd] = torch.tensor([0.0, 10.0, 1e6, 0.0, 0.0, 0.0, 0.0]) * mul + add
    exact = target[..., indices.data.output.full]
    weighed = module._snow_weighed(exact + 1.0, target, "data") - exact
    assert weighed[..., rsn].mean(dim=(0, 1, 2)).tolist()[:3] == pytest.approx([0.0, 0.5**0.5, 1.0], abs=1e-3)
    other = [i for name, i in indices.model.output.name_to_index.items() if name not in OF_SNOW]
    assert weighed[..., other].sub(1.0).abs().max() < 1e-5


def test_wrong_number_of_steps_is_refused():
    """Zero steps are refused."""
    for option in ("detach_every", "checkpoint_every"):
        with pytest.raises(ValueError, match=option):
            training_module(**{option: 0})


def test_validation_error_is_in_units_over_all_steps_and_samples(monkeypatch):
    """RMSE by hand from predictions and targets of two batches of different size."""
    module = training_module(n_steps=2).eval()
    logged = {}
    monkeypatch.setattr(module, "log_dict", lambda values, **_: logged.update(values))
    monkeypatch.setattr(module, "all_gather", lambda x: x)
    monkeypatch.setattr(type(module), "logger_enabled", False)
    module.on_validation_epoch_start()
    squares, n = 0.0, 0
    position = OPEN.indices().model.output.name_to_index["stl1"]
    for size in (2, 5):
        batch = OPEN.batch(3, n_batch=size, seed=size)
        with torch.no_grad():
            output = module._step(batch, validation_mode=True)
        predicted = torch.cat([y["data"] for y in output.predictions], dim=1)[..., position]
        error = OPEN.stdev["stl1"] * (predicted - batch["data"][:, 1:, ..., OPEN.variables.index("stl1")])
        squares, n = squares + float(error.square().sum()), n + error.numel()
    module.on_validation_epoch_end()
    assert set(logged) == {f"val_rmse/{v}" for v in (*OPEN.prognostic, *OPEN.diagnostic)}
    assert float(logged["val_rmse/stl1"]) == pytest.approx((squares / n) ** 0.5, rel=1e-4)


def test_metrics_of_a_configuration_are_computed_over_the_whole_rollout():
    """One value for each variable that is asked for, without a step in its name."""
    full = training_config()
    full.training.metrics.datasets.data = ["stl1"]
    full.training.validation_metrics.datasets.data = {
        "mse": {"_target_": "anemoi.training.losses.MSELoss", "scalers": ["points", "time_steps"]}
    }
    module = training_module(n_steps=2, full=full).eval()
    with torch.no_grad():
        output = module._step(OPEN.batch(3), validation_mode=True)
    found = {k for k in output.metrics if k.endswith("stl1")}
    assert found == {"data_mse_metric/data/sfc_stl1", "data_mse_metric/data/stl1"}


def linear(theta):
    """The state x becomes theta x; the loss of a step is its x."""

    def piece(state, first, last):
        x, total = state["x"], torch.zeros(1)
        for _ in range(first, last):
            x = theta * x
            total = total + x
        return total, {"x": x}

    return piece


@pytest.mark.parametrize(
    ("size", "gradient"), [(1, 1.0 + 3.0 + 9.0 + 27.0), (2, (1 + 6) + 9 * (1 + 6)), (3, 1 + 6 + 27 + 27)]
)
def test_gradient_stops_at_the_pieces(size, gradient):
    """x0 = 1, theta = 3, four steps: every piece begins at 3 ** k as if that were a constant."""
    theta = torch.tensor(3.0, requires_grad=True)
    loss = truncated_loss(linear(theta), {"x": torch.ones(1)}, 4, size, [theta])
    (2.0 * loss.sum()).backward()
    assert float(loss) == 3.0 + 9.0 + 27.0 + 81.0
    assert float(theta.grad) == pytest.approx(2.0 * gradient)
    with torch.no_grad():
        assert torch.equal(truncated_loss(linear(theta), {"x": torch.ones(1)}, 4, size, [theta]), loss)


def test_parameters_that_have_no_part_get_no_gradient():
    """A frozen parameter, and one that the loss does not use."""
    theta, unused = (torch.tensor(3.0, requires_grad=True) for _ in range(2))
    frozen = torch.tensor(1.0)
    truncated_loss(linear(theta), {"x": torch.ones(1)}, 2, 1, [frozen, theta, unused]).sum().backward()
    assert (theta.grad is not None, unused.grad, frozen.grad) == (True, None, None)


def test_only_one_piece_is_held_in_memory():
    """The graph of a piece is freed before the next begins."""
    theta = torch.tensor(1.0, requires_grad=True)
    alive, most = [0], [0]

    class Counted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, theta):
            ctx.save_for_backward(x, theta)
            alive[0] += 1
            most[0] = max(most[0], alive[0])
            return x * theta

        @staticmethod
        def backward(ctx, g):
            x, theta = ctx.saved_tensors
            alive[0] -= 1
            return g * theta, (g * x).sum()

    def piece(state, first, last):
        x, total = state["x"], torch.zeros(1)
        for _ in range(first, last):
            x = Counted.apply(x, theta)
            total = total + x
        return total, {"x": x}

    truncated_loss(piece, {"x": torch.ones(1)}, 40, 4, [theta]).sum().backward()
    assert most[0] == 4
