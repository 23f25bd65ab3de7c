# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The compiled step of a training: values and gradients of the plain one, and the choice between the two."""

import logging
import math
from types import SimpleNamespace

import pytest
import torch
from anemoi.training.tasks.forecaster import RolloutConfig

from anemoi_ailand.model.precision import in_hardware
from anemoi_ailand.training import compiled_step
from anemoi_ailand.training.compiled_step import PAYS, CompiledStep, n_rows, open_step
from anemoi_ailand.training.curriculum import ListedRollout, rollout_at
from tests.support.land import BALANCED, CLOSED, OPEN
from tests.support.training import training_module

N_STEPS = 2


def rolled_out(step, land, batch):
    """Outputs of a roll-out, and the gradient of a weighted sum of them by every weight."""
    index = BALANCED.indices()
    fields = batch["data"][..., index.data.input.full]
    x, outputs = fields[:, :2], []
    for k in range(N_STEPS):
        outputs.append(step({"data": x})["data"])
        state = outputs[-1][:, 0, ..., index.model.output.prognostic]
        ends = (fields[:, k + 1], fields[:, min(k + 2, N_STEPS)])
        x = torch.stack([v.index_copy(-1, index.model.input.prognostic.long(), state) for v in ends], dim=1)
    outputs = torch.cat(outputs, dim=1)
    weights = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(3))
    gradient = torch.autograd.grad((weights * outputs).sum(), list(land.parameters()))
    return outputs.detach(), gradient


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "near", "close"),
    [
        ("float32", 1e-4, 1e-3),
        pytest.param(
            "bfloat16", 1e-2, 5e-2, marks=pytest.mark.skipif(not in_hardware("cpu"), reason="there is no bfloat16")
        ),
    ],
)
def test_compiled_step_has_values_and_gradients_of_the_plain_one(hidden, near, close):
    """In single precision, outputs to 1e-4 of a standard deviation and gradients to 1e-3 of their size.

    Long-wave radiation to ten times that: it is the rest of large terms, and soil that freezes magnifies rounding. In
    bfloat16 to its rounding, which the network is seen to use. Also after an update of the weights.
    """
    land, batch = BALANCED.land_model(hidden_precision=hidden).train(), BALANCED.batch(N_STEPS + 1)
    exact = BALANCED.land_model().train()
    modules = [sorted(vars(module)) for module in land.modules()]
    compiled = CompiledStep(land, n_rows(batch))
    rounding = (rolled_out(compiled, land, batch)[0] - rolled_out(exact, exact, batch)[0]).abs().max()
    assert (rounding > 1e-3) == (hidden == "bfloat16")
    for _ in range(2):
        (expected, gradient), (outputs, found) = (rolled_out(step, land, batch) for step in (land, compiled))
        limit = torch.tensor([10.0 * near if name == "str" else near for name in land.columns.outputs])
        assert ((outputs - expected).abs() <= limit * (1.0 + expected.abs())).all()
        for a, b in zip(found, gradient, strict=True):
            assert b.norm() > 0
            assert (a - b).norm() < close * b.norm()
        with torch.no_grad():
            for parameter in land.parameters():
                parameter.mul_(0.9)
    assert [sorted(vars(module)) for module in land.modules()] == modules  # checkpoints stay plain


@pytest.fixture
def made(monkeypatch):
    """Arguments with which a step was compiled, without doing so."""
    calls = []
    monkeypatch.setattr(compiled_step.CompiledStep, "compile", lambda step, x: calls.append(step.rows))
    return calls


@pytest.mark.parametrize(
    ("execution", "point_steps", "compiles"),
    [("plain", math.inf, False), ("auto", PAYS - 1, False), ("auto", PAYS, True), ("compiled", 1, True)],
)
def test_step_is_compiled_where_it_pays(made, execution, point_steps, compiles):
    """Short trainings are plain unless asked otherwise; the compiled step is for the rows of the batch."""
    x = CLOSED.batch(2)
    step = open_step(CLOSED.land_model(), x, execution, point_steps)
    assert (step is not None) == compiles
    assert made == ([n_rows(x)] if compiles else [])


def test_training_is_plain_where_compiling_is_impossible(made, monkeypatch, caplog):
    """One line says why: no closed step, no compiler, or what the compiler said."""

    def fail(step, x):
        raise RuntimeError("no space left\nmore")

    with caplog.at_level(logging.INFO, logger="anemoi_ailand"):
        assert open_step(OPEN.land_model(), OPEN.batch(2), "compiled", 1) is None
        with monkeypatch.context() as patch:
            patch.setenv("CXX", "no-such-compiler")
            assert open_step(CLOSED.land_model(), CLOSED.batch(2), "compiled", 1) is None
        monkeypatch.setattr(compiled_step.CompiledStep, "compile", fail)
        assert open_step(CLOSED.land_model(), CLOSED.batch(2), "compiled", 1) is None
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert [w.partition(": ")[0] for w in warnings] == ["Training with the plain step"] * 3
    for words, warning in zip(("no closed step", "no-such-compiler", "no space left)"), warnings, strict=True):
        assert words in warning
    assert made == []


def test_unknown_execution_is_refused():
    """The error comes with the configuration and gives the nearest name."""
    with pytest.raises(ValueError, match=r"'compile'.*compiled"):
        training_module(execution="compile")


def test_training_batches_of_whole_size_take_the_compiled_step():
    """Not validation, and not a last batch that is smaller."""
    module = training_module(n_steps=2)
    whole, rest = OPEN.batch(3, n_batch=2), OPEN.batch(3, n_batch=1)
    calls = []

    class Counted:
        rows = 14

        def __call__(self, x):
            calls.append(n_rows(x))
            return module(x)

    module._compiled = Counted()
    for batch in (whole, rest):
        module._step(batch)
    with torch.no_grad():
        module.eval()._step(whole, validation_mode=True)
    assert calls == [14, 14]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [({"max_epochs": 4}, 40), ({"max_epochs": 4, "max_steps": 25}, 30), ({"max_epochs": -1}, math.inf)],
)
def test_planned_steps_follow_the_limits(monkeypatch, limits, expected):
    """Batches of all epochs to come, times the steps of a sample; whole epochs."""
    module = training_module(n_steps=1)
    trainer = SimpleNamespace(**{"max_epochs": -1, "max_steps": -1, "current_epoch": 0, **limits})
    monkeypatch.setattr("anemoi_ailand.training.method.batches_of_epoch", lambda _: 10)
    monkeypatch.setattr(type(module), "trainer", trainer)
    assert module._planned_steps() == expected


@pytest.mark.parametrize("rollout", [ListedRollout([1, 3, 2]), RolloutConfig(1, 2, 3), RolloutConfig(4, 0, 1)])
def test_rollout_of_an_epoch_is_that_of_the_training(rollout):
    """Counted ahead as the curriculum itself does it."""
    planned = [rollout_at(rollout, epoch) for epoch in range(8)]
    steps = []
    for epoch in range(8):
        steps.append(rollout.step)
        if rollout.should_increase(epoch):
            rollout.increase(epoch)
    assert planned == steps
