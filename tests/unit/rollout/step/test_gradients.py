# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tangent, adjoint and Jacobian of one and several steps, in physical units and double precision."""

import copy

import pytest
import torch

from anemoi_ailand.rollout.step import gradients
from anemoi_ailand.rollout.stepper import LandStepper
from benchmarks.contest.trees import Trees
from tests.support import stepper as case
from tests.support.land import CLOSED

N = 37
#: Sizes of perturbations [units of the table]; what is at its bound on bare ground is left there.
SIZES = {"swvl": 0.01, "stl": 0.3, "src": 0.01, "rsn": 0.0, "sd": 0.0, "snowc": 0.0, "tsn": 0.0}


@pytest.fixture(scope="module")
def stepper():
    return case.stepper("float64")


@pytest.fixture(scope="module")
def shipped():
    return LandStepper.open("ailand", dtype="float64", threads=1)


def noise(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sizes(stepper):
    return torch.tensor([SIZES[n.rstrip("1234")] for n in stepper.prognostic], dtype=torch.float64)


def smooth(stepper, n_steps, n=N):
    """State and forcing where no limit and no phase is near."""
    return case.start(stepper, n, given=case.smooth_fields(n)), [case.smooth_fields(n, k) for k in range(n_steps)]


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("which", ["small", "shipped"])
def test_adjoint_is_the_transpose_of_the_tangent(stepper, shipped, which, n_steps):
    """<M dx, dy> = <dx, M* dy> to 1e-12, at all points of the sample, snow and limits included; and is not zero."""
    if which == "shipped":
        model, (state, forcings) = shipped, case.sample_fields(shipped, n_steps)
    else:
        model, state, forcings = stepper, case.start(stepper, N), case.forcings(N, n_steps)
    shape = (len(state.latitudes), len(model.prognostic))
    dx, dy = noise(shape, 1), noise(shape, 2)
    lhs = (model.tangent(state, forcings, dx) * dy).sum()
    rhs = (dx * model.adjoint(state, forcings, dy)).sum()
    assert lhs.abs() > 1.0
    torch.testing.assert_close(lhs, rhs, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("n_steps", [1, 4])
def test_remainder_falls_with_the_square_of_the_perturbation(stepper, n_steps):
    """||f(x + e dx) - f(x) - e M dx|| / e^2 is constant over two decades of e."""
    state, forcings = smooth(stepper, n_steps)
    dx = sizes(stepper) * noise((N, len(stepper.prognostic)), 1)
    step, x, change = stepper._map(state, forcings), stepper._vector(state), stepper.tangent(state, forcings, dx)
    assert change.norm() > 1.0
    rest = [(step(x + e * dx) - step(x) - e * change).norm() / e**2 for e in (1e-2, 1e-3, 1e-4)]
    assert rest[0] > 1e-3 * change.norm() ** 2 / change.numel()  # the step is not linear, or the rate says nothing
    torch.testing.assert_close(torch.stack(rest[1:]), rest[0].expand(2), rtol=0.1, atol=0.0)


@pytest.mark.parametrize("n_steps", [1, 3])
def test_tangent_is_the_product_with_the_jacobian(stepper, n_steps):
    """The tangent is the product with the Jacobian, the adjoint that with its transpose."""
    state, forcings = case.start(stepper, N), case.forcings(N, n_steps)
    dx = noise((N, len(stepper.prognostic)), 1)
    blocks = stepper.jacobian(state, forcings)
    assert blocks.shape == (N, dx.shape[1], dx.shape[1])
    for product, found in (("pij,pj->pi", stepper.tangent), ("pji,pj->pi", stepper.adjoint)):
        expected = torch.einsum(product, blocks, dx)
        assert (found(state, forcings, dx) - expected).abs().max() < 1e-12 * expected.abs().max()


def test_jacobian_of_a_point_does_not_depend_on_the_others(stepper):
    """The block of a single point equals its block among others."""
    state, forcings = case.start(stepper, N), case.forcings(N, 2)
    blocks = stepper.jacobian(state, forcings)
    fields = {k: v[3:4] for k, v in case.fields(N).items()}
    alone = stepper.initial(case.DATE, *(p[3:4] for p in case.places(N)), fields)
    one = stepper.jacobian(alone, [{k: v[3:4] for k, v in f.items()} for f in forcings])
    torch.testing.assert_close(one[0], blocks[3], rtol=1e-10, atol=1e-14 * float(blocks[3].abs().max()))


def test_jacobian_in_parts_is_the_whole(stepper, monkeypatch):
    """The number of columns computed at once does not matter."""
    state, forcings = case.start(stepper, N), case.forcings(N)
    whole = stepper.jacobian(state, forcings)
    for rows in (1, 3 * N):
        monkeypatch.setattr(gradients, "JACOBIAN_ROWS", rows)
        torch.testing.assert_close(stepper.jacobian(state, forcings), whole, rtol=1e-10, atol=1e-12)


def test_map_of_the_derivatives_is_the_step(stepper):
    """The differentiated map has the values of the step."""
    state, forcings = case.start(stepper, N), case.forcings(N, 3)
    found = stepper._map(state, forcings)(stepper._vector(state))
    for forcing in forcings:
        state = stepper.step(state, forcing)
    torch.testing.assert_close(found, stepper._vector(state), rtol=1e-13, atol=1e-13)


def test_derivatives_inside_a_host_without_gradients(stepper):
    """Derivatives are the same inside ``no_grad``."""
    state, forcings = case.start(stepper, N), case.forcings(N)
    dy = noise((N, len(stepper.prognostic)), 2)
    expected = stepper.adjoint(state, forcings, dy)
    with torch.no_grad():
        assert torch.equal(stepper.adjoint(state, forcings, dy), expected)


def test_no_gradient_passes_upstreams_predict_step(stepper):
    """Anemoi's ``predict_step`` is detached from its inputs, so an adjoint through it would be zero."""
    state, forcing = case.start(stepper, 64), case.forcings(64)[0]
    model = copy.deepcopy(CLOSED.land_step().model)
    x = torch.stack([state.columns, stepper.forcing_columns(state, forcing)])[None].float().requires_grad_()
    out = model.predict_step({"data": x * 1.0})["data"]
    assert not out.requires_grad
    y = stepper.propagate(state.changed({"stl1": state["stl1"].clone().requires_grad_()}), forcing)
    assert y.columns.requires_grad


@pytest.mark.parametrize("leave", [lambda y: torch.as_tensor(y.detach().numpy() * 1.0), lambda y: y.detach()])
@pytest.mark.parametrize("what", ["adjoint", "jacobian", "propagate"])
def test_a_network_outside_torch_has_no_gradient(leave, what):
    """A network that leaves torch is an error rather than a silently wrong gradient."""
    model = LandStepper(case.with_network(leave), "float64", threads=1)
    state, forcing = case.start(model, N), case.forcings(N)[0]
    call = {
        "adjoint": lambda: model.adjoint(state, [forcing], noise((N, len(model.prognostic)), 1)),
        "jacobian": lambda: model.jacobian(state, [forcing]),
        "propagate": lambda: model.propagate(state.changed({"stl1": state["stl1"].clone().requires_grad_()}), forcing),
    }[what]
    with pytest.raises(ValueError, match="detached from its inputs"):
        call()
    model.step(state, forcing)  # which needs none


@pytest.mark.parametrize("what", ["tangent", "adjoint"])
def test_trees_have_no_derivative(what):
    """Forward and reverse differentiation are refused."""
    step = CLOSED.land_step()
    shape = step.model.model._shape()
    step.model.model.network = Trees(shape.n_in, shape.n_prognostic, shape.n_diagnostic, trees=2)
    rng = torch.Generator().manual_seed(0)
    rows = torch.randn(200, shape.n_in, generator=rng).numpy()
    step.model.model.network.fit(rows, rows[:, :1] * torch.ones(1, shape.n_prognostic + shape.n_diagnostic).numpy())
    model = LandStepper(step, threads=1)
    state, forcing = case.start(model, N), case.forcings(N)
    with pytest.raises(ValueError, match=r"no derivative .* Give a checkpoint of a torch network"):
        getattr(model, what)(state, forcing, torch.ones(N, len(model.prognostic)))
    assert torch.isfinite(model.step(state, forcing[0]).columns).all()


@pytest.mark.parametrize("what", ["tangent", "adjoint"])
def test_a_change_of_another_shape_is_refused(stepper, what):
    """The error names both shapes."""
    state, forcings = case.start(stepper, N), case.forcings(N)
    with pytest.raises(ValueError, match=rf"has shape \({N}, 2\), the state \({N}, "):
        getattr(stepper, what)(state, forcings, torch.zeros(N, 2))


def test_no_step_is_refused(stepper):
    """An empty sequence of forcings is an error."""
    with pytest.raises(ValueError, match="There is no forcing, so no step"):
        stepper.jacobian(case.start(stepper, N), [])
