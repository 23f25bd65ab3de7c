# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tangent, adjoint and Jacobian of one and several steps, in physical units and double precision."""

import copy

import numpy as np
import pytest
import torch
import xarray as xr

from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.rollout.step import gradients
from anemoi_ailand.rollout.stepper import STEP, LandStepper
from anemoi_ailand.variables import variable
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
    with torch.no_grad():  # a host without gradients
        assert torch.equal((dx * model.adjoint(state, forcings, dy)).sum(), rhs)
    torch.testing.assert_close(lhs, rhs, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("n_steps", [1, 4])
def test_remainder_falls_with_the_square_of_the_perturbation(stepper, n_steps):
    """||f(x + e dx) - f(x) - e M dx|| / e^2 is constant over two decades of e."""
    state, forcings = smooth(stepper, n_steps)
    dx = sizes(stepper) * noise((N, len(stepper.prognostic)), 1)
    (step, zero), change = stepper._response(state, forcings), stepper.tangent(state, forcings, dx)
    assert change.norm() > 1.0
    rest = [(step(e * dx) - step(zero) - e * change).norm() / e**2 for e in (1e-2, 1e-3, 1e-4)]
    assert rest[0] > 1e-3 * change.norm() ** 2 / change.numel()  # the step is not linear, or the rate says nothing
    torch.testing.assert_close(torch.stack(rest[1:]), rest[0].expand(2), rtol=0.1, atol=0.0)


def test_tangent_is_the_product_with_the_jacobian(stepper, monkeypatch):
    """The tangent is the product with the Jacobian, in parts or as a whole, the adjoint that with its transpose."""
    state, forcings = case.start(stepper, N), case.forcings(N, 3)
    dx = noise((N, len(stepper.prognostic)), 1)
    blocks = stepper.jacobian_tensor(state, forcings)
    assert blocks.shape == (N, dx.shape[1], dx.shape[1])
    for product, found in (("pij,pj->pi", stepper.tangent), ("pji,pj->pi", stepper.adjoint)):
        expected = torch.einsum(product, blocks, dx)
        assert (found(state, forcings, dx) - expected).abs().max() < 1e-12 * expected.abs().max()
    monkeypatch.setattr(gradients, "JACOBIAN_ROWS", 3 * N)
    torch.testing.assert_close(stepper.jacobian_tensor(state, forcings), blocks, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n_steps", [1, 3])
def test_jacobian_agrees_with_finite_differences(stepper, n_steps):
    """Outputs with respect to state, static fields, and forcing at the start and in all steps, to six digits."""
    fields, forcings = case.smooth_fields(N), [case.smooth_fields(N, k) for k in range(1, n_steps + 1)]
    to, of = ["2t", "evap", "stl1", "swvl2"], ["swvl1", "stl2", "cvl", "t", "avg_t", "lai_lv", "avg_tprate"]
    assert set(to) <= {*stepper.outputs} and set(of) <= {*stepper.inputs}

    def after(name, change):
        state = case.start(stepper, N, given={**fields, name: fields[name] + change})
        for given in forcings:
            state = stepper.step(state, {**given, name: given[name] + change})
        return torch.stack([state[n] for n in to], dim=-1)

    jac = stepper.jacobian(case.start(stepper, N, given=fields), forcings, to=to, of=of)
    for j, name in enumerate(of):
        size = 1e-11 if name == "avg_tprate" else 1e-5
        expected = (after(name, size) - after(name, -size)) / (2 * size)
        found = torch.from_numpy(jac.values)[..., j]
        assert found.abs().max() > 0, name
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))


def test_jacobian_is_labelled(stepper):
    """Dimensions, names as they were given, units and places; by default it is that of the state to the state."""
    state, forcings = case.start(stepper, N), case.forcings(N, 2)
    whole = stepper.jacobian(state, forcings)
    assert (list(whole["to"].values), list(whole["of"].values)) == (list(stepper.prognostic),) * 2
    np.testing.assert_array_equal(whole, stepper.jacobian_tensor(state, forcings))
    part = stepper.jacobian(state, forcings, to=["t2m", "swvl1"], of="swvl1")
    assert part.dims == ("point", "to", "of") and part.shape == (N, 2, 1)
    np.testing.assert_allclose(part.sel(to="swvl1", of="swvl1"), whole.sel(to="swvl1", of="swvl1"), rtol=1e-10)
    assert list(part["to_units"].values) == ["K", "m3 m-3"] and part.sel(to="t2m")["to_units"] == "K"
    assert stepper.jacobian(state, forcings, to="2t", of="swvl1").attrs["units"] == "K (m3 m-3)-1"
    assert part["time"] == np.datetime64(case.DATE + 2 * STEP)
    np.testing.assert_array_equal(part["latitude"], state.latitudes)


def test_steps_of_a_jacobian_from_a_dataset(stepper):
    """A dataset with a time gives a step for each date after the state; one date, or a mapping, is one step."""
    state, forcings = case.start(stepper, N), case.forcings(N, 2)
    times = [np.datetime64(case.DATE + k * STEP, "ns") for k in (1, 2)]
    data = xr.concat(
        [xr.Dataset({variable(n).netcdf_name: ("point", v) for n, v in f.items()}) for f in forcings], "time"
    )
    data = data.assign_coords(time=times, latitude=("point", state.latitudes), longitude=("point", state.longitudes))
    for given, steps in ((data, forcings), (data.isel(time=0), forcings[:1]), (forcings[0], forcings[:1])):
        found = stepper.jacobian(state, given, to=["2t"], of=["stl1"])
        np.testing.assert_array_equal(found, stepper.jacobian(state, steps, to=["2t"], of=["stl1"]))
    with pytest.raises(ValueError, match="The fields are of 2022-01-01 12:00, needed are those of 2022-01-01 06:00"):
        stepper.jacobian(state, data.isel(time=1), to=["2t"], of=["stl1"])
    with pytest.raises(ValueError, match="After 2022-01-01 00:00 comes 2022-01-01 12:00"):
        stepper.jacobian(state, data.isel(time=[1]), to=["2t"], of=["stl1"])


def test_requests_without_sense_are_refused(stepper):
    """A change of another shape, an empty list of steps, opened data of any length, and unknown names."""
    state, forcings = case.start(stepper, N), case.forcings(N)
    for derivative in (stepper.tangent, stepper.adjoint):
        with pytest.raises(ValueError, match=rf"has shape \({N}, 2\), the state \({N}, "):
            derivative(state, forcings, torch.zeros(N, 2))
    with pytest.raises(ValueError, match="`forcings` is empty"):
        stepper.jacobian(state, [])
    with pytest.raises(TypeError, match=r"Select some: `data.to_xarray\(period\)`"):
        stepper.jacobian(state, open_data("$AILAND_SAMPLE"))
    for names, message in (
        ({"of": ["t2m"]}, "'t2m' is an output .*, not an input. The same quantity is the input t and avg_t"),
        ({"of": ["evap"]}, "'evap' is an output of the emulator, not an input. Choose an input"),
        ({"to": ["avg_t"]}, "'avg_t' is an input of the emulator, not an output. The same quantity is the output 2t"),
        ({"of": ["swvl1", "slt"]}, r"\['slt'\] are categories .*no derivative"),
        ({"of": ["slwv1"]}, "no variable 'slwv1' in the inputs of the emulator. Nearest: .'swvl1'"),
    ):
        with pytest.raises(ValueError, match=message):
            stepper.jacobian(state, forcings, **names)
    with pytest.raises(ValueError, match=r"\['2t'\] are named twice"):
        stepper.jacobian(state, forcings, to=["2t", "t2m"])
    with pytest.raises(ValueError, match=r"no variable 'slwv1' in the outputs of the emulator. Nearest: .'swvl1'"):
        stepper.jacobian(state, forcings, to=["slwv1"])


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
def test_a_network_outside_torch_has_no_gradient(leave):
    """A network that leaves torch is an error rather than a silently wrong gradient."""
    model = LandStepper(case.with_network(leave), "float64", threads=1, plausibility="off")
    state, forcing = case.start(model, N), case.forcings(N)[0]
    for call in (
        lambda: model.adjoint(state, [forcing], noise((N, len(model.prognostic)), 1)),
        lambda: model.jacobian_tensor(state, [forcing]),
        lambda: model.propagate(state.changed({"stl1": state["stl1"].clone().requires_grad_()}), forcing),
    ):
        with pytest.raises(ValueError, match="detached from its inputs"):
            call()
    model.step(state, forcing)  # which needs none


def test_trees_have_no_derivative():
    """Forward and reverse differentiation are refused."""
    step = CLOSED.land_step()
    shape = step.model.model._shape()
    step.model.model.network = Trees(shape.n_in, shape.n_prognostic, shape.n_diagnostic, trees=2)
    rng = torch.Generator().manual_seed(0)
    rows = torch.randn(200, shape.n_in, generator=rng).numpy()
    step.model.model.network.fit(rows, rows[:, :1] * torch.ones(1, shape.n_prognostic + shape.n_diagnostic).numpy())
    model = LandStepper(step, threads=1, plausibility="off")
    state, forcing = case.start(model, N), case.forcings(N)
    for derivative in (model.tangent, model.adjoint):
        with pytest.raises(ValueError, match=r"no derivative .* Give a checkpoint of a torch network"):
            derivative(state, forcing, torch.ones(N, len(model.prognostic)))
    assert torch.isfinite(model.step(state, forcing[0]).columns).all()
