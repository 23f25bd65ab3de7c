# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Cycles of a linear model with Gaussian errors: each method against the exact solution, and against DAPPER.

The exact solution conditions the joint normal distribution of all states on all observations at once, which has no
step, gain or cycle in common with the filters. DAPPER (pip install dapper, which needs an environment of its own as it
replaces parts of Jupyter) gives its own filters and smoother; without it those tests are skipped.
"""

import contextlib
import io

import numpy as np
import pytest
import torch

from anemoi_ailand.assimilation.ensemble_filter import ensemble_analysis
from anemoi_ailand.assimilation.extended_kalman_filter import extended_kalman_analysis
from anemoi_ailand.assimilation.regression import regression_jacobian
from anemoi_ailand.assimilation.variational import variational_analysis
from anemoi_ailand.assimilation.window import AssimilationWindow
from anemoi_ailand.rollout.step.advance import StepLayout

LAYERS, OBSERVED = ("swvl1", "swvl2", "swvl3"), ("2t", "2d")
STEPS, MEMBERS = 8, 12

rng = np.random.default_rng(20)
#: Transition of the state, observed quantities of a state, covariances of background, model and observations.
M = np.array([[0.7, 0.2, 0.0], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9]])
H = np.array([[1.5, -0.5, 0.2], [0.3, 0.8, -1.0]])
B = np.array([[1.0, 0.5, 0.2], [0.5, 0.8, 0.3], [0.2, 0.3, 0.6]])
Q, R = np.diag([0.1, 0.05, 0.02]), np.diag([0.5, 0.3])
BACKGROUND, OBSERVATIONS = rng.normal(size=3), rng.normal(scale=2.0, size=(STEPS, 2))


def exact(growth, last):
    """Mean and covariance of all states, (step + 1, 3), given the observations of the first ``last`` steps."""
    n = STEPS + 1
    powers = [np.linalg.matrix_power(M, k) for k in range(n)]
    mean = np.concatenate([p @ BACKGROUND for p in powers])
    # each state is a sum over the errors of the start and of all steps before it
    root = np.block([[powers[i - j] if j <= i else np.zeros((3, 3)) for j in range(n)] for i in range(n)])
    errors = np.kron(np.diag([0.0] + [1.0] * STEPS), growth)
    errors[:3, :3] = B
    covariance = root @ errors @ root.T
    h = np.kron(np.eye(n)[1 : last + 1], H)
    gain = covariance @ h.T @ np.linalg.inv(h @ covariance @ h.T + np.kron(np.eye(last), R))
    mean = mean + gain @ (OBSERVATIONS[:last].ravel() - h @ mean)
    covariance = covariance - gain @ h @ covariance
    return mean.reshape(n, 3), np.stack([covariance[3 * k : 3 * k + 3, 3 * k : 3 * k + 3] for k in range(n)])


def filtered(growth):
    """Mean and covariance of the exact filter after each step."""
    found = [exact(growth, k) for k in range(1, STEPS + 1)]
    return (np.stack([parts[which][k] for k, parts in enumerate(found, 1)]) for which in (0, 1))


def smoothed():
    """Mean and covariance of the start given all observations, without error of the model."""
    mean, covariance = exact(np.zeros((3, 3)), STEPS)
    return mean[0], covariance[0]


LAYOUT = StepLayout(LAYERS, (*LAYERS, *OBSERVED))


def linear_step(start, end):
    """Step as the filters see it: state and observed quantities of the end."""
    state = start @ torch.from_numpy(M).T
    return torch.cat([state, state @ torch.from_numpy(H).T], -1)


def window(x, steps=1):
    """Window of some steps from states (point, 3)."""
    ends = torch.zeros(steps, len(x), 3, dtype=torch.float64)
    return lambda to: AssimilationWindow(linear_step, LAYOUT, x, ends, LAYERS, to, range(1, steps + 1))


def extended_cycles(way):
    """Mean and covariance after each step by the extended filter whose covariance is carried."""
    x, p, found = torch.from_numpy(BACKGROUND)[None], torch.from_numpy(B)[None], []
    variances, growth = torch.from_numpy(np.diag(R).copy()), torch.from_numpy(Q)
    for observed in torch.from_numpy(OBSERVATIONS):
        run = window(x)
        m = jacobian(run(LAYERS), x, way)
        x, p = run(LAYERS)(x), m @ p @ m.mT + growth
        h = jacobian(run(OBSERVED), x, way) @ torch.linalg.inv(m)  # at the end of the step
        made = extended_kalman_analysis((observed - torch.from_numpy(H) @ x[0])[None], h, p, variances)
        x, p = x + made.increments, made.covariance
        found.append((x[0].numpy(), p[0].numpy()))
    return (np.stack(part) for part in zip(*found, strict=True))


def jacobian(of, x, way):
    """Jacobian of a window by one of the three ways."""
    if way == "adjoint":
        return of.jacobian(x)
    if way == "differences":
        return of.jacobian(x, torch.full((3,), 0.1, dtype=torch.float64))
    generator = torch.Generator().manual_seed(3)
    members = x[..., None] + torch.randn(1, 3, 20, generator=generator, dtype=torch.float64)
    return regression_jacobian(members, of(members[0].T).T[None], ridge=1e-13)


def start_members():
    """Members (3, member) whose mean and covariance are exactly those of the background."""
    drawn = np.random.default_rng(5).normal(size=(3, MEMBERS))
    drawn -= drawn.mean(-1, keepdims=True)
    white = np.linalg.solve(np.linalg.cholesky(np.cov(drawn)), drawn)
    return BACKGROUND[:, None] + np.linalg.cholesky(B) @ white


def ensemble_cycles():
    """Members (step, 3, member) after each analysis of the ensemble filter."""
    members, found = torch.from_numpy(start_members()), []
    for observed in torch.from_numpy(OBSERVATIONS):
        made = linear_step(members.T, None).T
        both, _ = ensemble_analysis(made[None, :3], made[None, 3:], observed[None], torch.from_numpy(np.diag(R).copy()))
        members = both[0]
        found.append(members.numpy())
    return np.stack(found)


def window_analysis():
    """Start of a window of all steps by 4D-Var, and its covariance."""
    x = torch.from_numpy(BACKGROUND)[None]
    run = window(x, STEPS)(OBSERVED)
    made = variational_analysis(
        run, run.jacobian, x, torch.from_numpy(OBSERVATIONS.ravel())[None], torch.from_numpy(B),
        torch.from_numpy(np.tile(np.diag(R), STEPS)), iterations=3,
    )  # fmt: skip
    return (x + made.increments)[0].numpy(), made.covariance[0].numpy()


@pytest.mark.parametrize("way", ["adjoint", "differences", "regression"])
def test_extended_filter_over_cycles(way):
    """With a carried covariance it is the Kalman filter, by each way to the Jacobian."""
    for found, expected in zip(extended_cycles(way), filtered(Q), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


def test_ensemble_filter_over_cycles():
    """Mean and covariance of the members are those of the Kalman filter without error of the model."""
    members = ensemble_cycles()
    mean, covariance = filtered(np.zeros((3, 3)))
    np.testing.assert_allclose(members.mean(-1), mean, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(np.stack([np.cov(m) for m in members]), covariance, rtol=1e-9, atol=1e-10)


def test_long_window_is_the_smoother():
    """4D-Var over all steps gives the start that the smoother gives, and its covariance."""
    for found, expected in zip(window_analysis(), smoothed(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def dapper_run(method, growth):
    """Statistics of a method of DAPPER on the same problem and observations."""
    modelling = pytest.importorskip("dapper.mods", exc_type=ImportError)
    model = modelling.HiddenMarkovModel(
        {"M": 3, "model": lambda x, t, dt: x @ M.T, "linear": lambda x, t, dt: M, "noise": growth},
        {"M": 2, "model": lambda x: x @ H.T, "linear": lambda x: H, "noise": R},
        modelling.Chronology(dt=1, dko=1, K=STEPS, BurnIn=-1),
        modelling.GaussRV(mu=BACKGROUND, C=B),
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        method.assimilate(model, np.zeros((STEPS + 1, 3)), OBSERVATIONS, liveplots=False)
    return method.stats


def test_extended_filter_and_smoother_of_dapper():
    """The same means and variances as its extended filter and, of the start, its Rauch-Tung-Striebel smoother."""
    methods = pytest.importorskip("dapper.da_methods.extended", exc_type=ImportError)
    stats = dapper_run(methods.ExtKF(), Q)
    mean, covariance = extended_cycles("adjoint")
    np.testing.assert_allclose(stats.mu.a, mean, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(stats.spread.a**2, np.diagonal(covariance, axis1=1, axis2=2), rtol=1e-8)
    stats = dapper_run(methods.ExtRTS(), 0)
    mean, covariance = window_analysis()
    np.testing.assert_allclose(stats.mu.u[0], mean, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(stats.spread.u[0] ** 2, np.diag(covariance), rtol=1e-7)


def test_ensemble_filter_of_dapper():
    """The same members as its symmetric ETKF after all cycles."""
    methods = pytest.importorskip("dapper.da_methods.ensemble", exc_type=ImportError)
    randvars = pytest.importorskip("dapper.tools.randvars", exc_type=ImportError)
    members = start_members().T
    for observed, expected in zip(OBSERVATIONS, ensemble_cycles(), strict=True):
        members = members @ M.T
        members = methods.EnKF_analysis(members, members @ H.T, randvars.GaussRV(C=R), observed, "Sqrt")
        np.testing.assert_allclose(members.T, expected, rtol=1e-8, atol=1e-9)
