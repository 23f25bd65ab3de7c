# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Model error: perturbed outputs of the network in every form of the step, their statistics, draws and calibration."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from anemoi_ailand.model.perturbation import GROUPS, N_FACTORS, ground_shares
from anemoi_ailand.physics.ground import GROUND
from anemoi_ailand.rollout.ensembles.ensemble import Ensemble
from anemoi_ailand.rollout.ensembles.error_estimate import BLOCK, output_errors
from anemoi_ailand.rollout.ensembles.model_error import (
    FORMER,
    ModelError,
    OutputErrors,
    calibration_path,
    errors_of,
    write_calibration,
)
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields
from anemoi_ailand.rollout.run.loop import Rollout
from anemoi_ailand.rollout.step.checkpoint import with_model_error
from anemoi_ailand.rollout.step.fused_step import NetworkPart, StatePart, named
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from tests.support import columns, loop
from tests.support import stepper as case
from tests.support.land import BALANCED, CLOSED, OPEN

N = 64
OUTPUTS = CLOSED.land_step().model.model.network_outputs
ERRORS = OutputErrors(OUTPUTS, (0.05,) * len(OUTPUTS), (0.3,) * len(OUTPUTS), (48.0,) * len(OUTPUTS))


def slots(land, step):
    """Both slots (row, input) of a step."""
    if land is OPEN:
        physical = PhysicalStep(step)
        normal = torch.randn(2, N, len(step.inputs), generator=torch.Generator().manual_seed(1))
        return [(x - physical._add_in) / physical._mul_in for x in normal]
    fields = columns.fields(columns.land(N))
    rows = torch.stack([fields[name] for name in step.inputs], dim=-1).float()
    return [rows, rows.clone()]


@pytest.mark.parametrize("land", [CLOSED, BALANCED, OPEN], ids=["closed", "energy", "increments"])
def test_perturbed_outputs_are_those_of_other_biases(land):
    """A perturbation has the effect of a larger bias of both heads, in all forms of the step; zeros have none."""
    plain = land.land_step()
    step, biased = with_model_error(plain), land.land_step()
    n, network = len(step.model.model.network_outputs), biased.model.model.network
    change = torch.linspace(-0.2, 0.3, n)
    first = network.prognostic_head.out_features
    factors = PhysicalStep(plain).output_factors[plain.model.model._diagnostic_out]
    with torch.no_grad():
        network.prognostic_head.bias += change[:first]
        network.diagnostic_head.bias += change[first:] * factors
    start, end = slots(land, plain)
    none, everywhere = torch.zeros(N, n + N_FACTORS), torch.ones(N, N_FACTORS)
    wide = torch.cat([start, none], -1), torch.cat([end, change.expand(N, n), everywhere], -1)
    expected, found = biased.of_slots(start, end), step.of_slots(*wide)
    assert (expected != plain.of_slots(start, end)).any()
    scale = expected.std(0).clamp_min(1e-6)
    assert ((found - expected) / scale).abs().max() < 2e-3
    assert torch.equal(step.of_slots(wide[0], torch.cat([end, none], -1)), plain.of_slots(start, end))
    with torch.inference_mode():
        assert torch.equal(PhysicalStep(step)(*wide), found)
        columns_first = [x.t().contiguous() for x in wide]
        fused = StatePart(step)(*columns_first, NetworkPart(step, torch.float32)(*columns_first)).t()
    assert ((fused - found) / scale).abs().max() < 2e-3


@pytest.mark.parametrize("land", [CLOSED, BALANCED], ids=["closed", "energy"])
def test_errors_are_scaled_on_their_ground_only(land):
    """Factors of wet ground change what the step does where the ground is wet, and nothing elsewhere."""
    plain = land.land_step()
    step, n = with_model_error(plain), len(plain.model.model.network_outputs)
    start, end = slots(land, plain)
    closed = plain.model.model.closed
    first, _ = closed.of_fields(*named(closed, plain.inputs, start.t(), end.t()))
    shares = ground_shares(first)
    assert (shares.sum(-1) == 1.0).all()
    wet = shares[:, GROUND.index("wet")] > 0
    assert wet.any() and not wet.all()

    def results(factor, change):
        factors = torch.ones(len(GROUND), len(GROUPS))
        factors[GROUND.index("wet")] = factor
        further = torch.cat([torch.full((n,), change), factors.flatten()]).expand(N, -1)
        rows = torch.cat([start, torch.zeros_like(further)], -1), torch.cat([end, further], -1)
        with torch.inference_mode():
            columns_first = [x.t().contiguous() for x in rows]
            fused = StatePart(step)(*columns_first, NetworkPart(step, torch.float32)(*columns_first)).t()
        return step.of_slots(*rows), fused

    for half, small, full in zip(results(0.5, 0.2), results(1.0, 0.1), results(1.0, 0.2), strict=True):
        grouped = [k for k, name in enumerate(step.outputs) if name in ("stl1", "swvl1", "sd", "2t")]
        assert torch.equal(half[wet][:, grouped], small[wet][:, grouped])
        assert torch.equal(half[~wet], full[~wet])
        assert (half[wet] != full[wet]).any()


def drawn(chosen=slice(None), n_steps=5, members=3, first=0, control=False, errors=(ERRORS,)):
    """Perturbations (output, step, member, point)."""
    where = [x[chosen] for x in case.places(N)]
    members = range(first, first + members)
    made = ModelError(errors, SmoothFields(*where, 500.0, 1), members, 1, control=control)
    return made.steps(n_steps)[: len(OUTPUTS)].reshape(len(OUTPUTS), n_steps, len(members), -1)


def test_draws_depend_on_member_step_and_place_only():
    """Bitwise the same for other points, orders and members; the control has none."""
    whole = drawn()
    for chosen in (slice(None, None, -1), slice(7, 8), slice(5, 63, 3)):
        np.testing.assert_array_equal(drawn(chosen), whole[..., chosen])
    np.testing.assert_array_equal(drawn(members=1, first=2)[:, :, 0], whole[:, :, 2])
    assert len(np.unique(whole[0, 0, :, 0])) == 3
    controlled = drawn(control=True)
    assert not controlled[:, :, 0].any()
    np.testing.assert_array_equal(controlled[:, :, 1:], whole[:, :, 1:])


def test_variance_constant_share_and_memory():
    """Over many members: the standard deviation, and the correlation a + (1 - a) exp(-t / tau)."""
    errors = OutputErrors(("a", "b"), (2.0, 0.5), (0.3, 0.0), (24.0, 12.0))
    made = ModelError(
        [errors], SmoothFields(np.array([50.0]), np.array([8.0]), 500.0, 1), range(4000), 1, control=False
    )
    values = made.steps(3)[:2].reshape(2, 3, -1)
    np.testing.assert_allclose(values.std(axis=-1), [[2.0] * 3, [0.5] * 3], rtol=0.05)
    expected = [0.3 + 0.7 * np.exp(-0.5), np.exp(-1.0)]
    found = [np.corrcoef(v[0], v[2])[0, 1] for v in values]
    np.testing.assert_allclose(found, expected, atol=0.04)


def test_members_use_the_errors_of_their_network():
    """Of two networks, the second has errors twice as large."""
    both, first = drawn(errors=(ERRORS, ERRORS.scaled(2.0))), drawn()
    np.testing.assert_allclose(both, first * np.array([1.0, 2.0, 1.0])[:, None], rtol=1e-5)


def roll(members, **options):
    """A roll-out of the small closed model with model error."""
    ensemble = Ensemble(EnsembleOptions(members=members, **options), *case.places(loop.N), errors=(ERRORS,))
    step, start = with_model_error(CLOSED.land_step()), loop.inputs(CLOSED.land_step(), 0)
    return Rollout([BlockStep(step, 1)], ensemble, start, loop.forcing_names(CLOSED.land_step()), case.DATE,
                   case.places(loop.N))  # fmt: skip


def test_run_has_its_control_and_resumes():
    """Member 0 is the run without model error, and a resumed run is bitwise the whole one, in steps of any number."""
    values = np.stack(loop.forcings(CLOSED.land_step(), 4), axis=1)
    whole = roll(2).steps(values)
    single = torch.stack(loop.run(loop.roll_out(), 4))
    assert torch.equal(whole[:, : loop.N], single)
    assert not torch.equal(whole[:, loop.N :], single)
    first, resumed = roll(2), roll(2)
    first.steps(values[:, :2])
    resumed.restore(first.progress(), first.date, first.number)
    assert torch.equal(torch.cat([resumed.steps(values[:, k : k + 1]) for k in (2, 3)]), whole[2:])


def test_calibration_is_read_and_scaled(tmp_path):
    """Numbers pass a file unchanged; a factor multiplies the standard deviations only."""
    step = replace(CLOSED.land_step(), path=tmp_path / "a.ckpt")
    step.path.write_bytes(b"weights")
    with pytest.raises(FileNotFoundError, match=r"a\.model-error\.json.*`anemoi-ailand calibrate"):
        errors_of(step, "calibrated")
    ground = tuple((0.5 + k,) * len(GROUPS) for k in range(len(GROUND)))
    path = write_calibration(calibration_path(step.path), replace(ERRORS, ground=ground), step, year=2021)
    assert errors_of(step, "calibrated").ground == ground
    former = json.loads(path.read_text(encoding="utf-8")) | {"schema": FORMER}
    path.write_text(json.dumps(former), encoding="utf-8")  # as before factors by ground: the same everywhere
    assert errors_of(step, "calibrated") == errors_of(step, str(path)) == ERRORS
    assert errors_of(step, 0.5) == replace(ERRORS, deviation=(0.025,) * len(OUTPUTS))
    step.path.write_bytes(b"other weights")
    with pytest.raises(ValueError, match="that of another network"):
        errors_of(step, "calibrated")
    elsewhere = path.rename(tmp_path / "b.json")
    assert errors_of(step, str(elsewhere)) == ERRORS  # on purpose
    with pytest.raises(ValueError, match="that of another network"):
        errors_of(replace(OPEN.land_step(), path=step.path), str(elsewhere))
    path.write_text(json.dumps({"schema": "x"}), encoding="utf-8")
    with pytest.raises(ValueError, match="is not a model error"):
        errors_of(step, str(path))


def test_estimate_finds_the_errors_of_outputs():
    """Deviation and memory of made-up errors, from results that they explain but for noise."""
    generator = torch.Generator().manual_seed(0)
    shape, deviation, rho = (30, BLOCK, 20), torch.tensor([0.3, 0.05, 0.2]), torch.tensor([0.0, 0.7, 0.0])
    now, made = torch.randn(shape[0], shape[2], 3, generator=generator), []
    for _ in range(BLOCK):
        fresh = torch.randn(shape[0], shape[2], 3, generator=generator)
        now = rho * now + (1.0 - rho**2).sqrt() * fresh
        made.append(now)
    errors = deviation * torch.stack(made, dim=1)
    responses = torch.randn(*shape, 5, 3, generator=generator) * torch.tensor([1.0, 3.0, 0.0])  # the last has no effect
    results = (responses @ errors[..., None])[..., 0]
    results = results + 0.02 * torch.randn(results.shape, generator=generator)
    found, constant, hours = output_errors(results, responses, torch.full((3,), 0.1))
    np.testing.assert_allclose(found[:2], deviation[:2], rtol=0.1)
    assert found[2] == 0.0
    assert constant[:2].max() < 0.05
    assert hours[0] < 4.0
    np.testing.assert_allclose(hours[1], -6.0 / np.log(0.7), rtol=0.25)
