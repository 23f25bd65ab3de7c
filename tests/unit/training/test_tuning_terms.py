# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Anchor to the base and evaporative fraction as terms of a fine-tuning."""

import pytest
import torch

from anemoi_ailand.training.tuning_terms import FRACTION_UNIT, anchor_loss, fraction_loss
from tests.support.land import OPEN
from tests.support.training import training_config, training_module

N_STEPS = 3


def observed_batch(*names):
    """Return a batch with targets of some variables only."""
    batch = OPEN.batch(N_STEPS + 1)
    columns = [
        i for i, n in enumerate(OPEN.variables) if n not in names and n in OPEN.indices().model.output.name_to_index
    ]
    batch["data"][:, 1:, ..., columns] = float("nan")
    return batch


def anchored(weight, change=0.0):
    """Return a module with an anchor to itself, and its weights changed since."""
    full = training_config()
    full.training.training_loss.datasets.data.ignore_nans = True
    module = training_module(n_steps=N_STEPS, full=full)
    module._base = [training_module(n_steps=N_STEPS).model.model]
    module.anchor = weight
    with torch.no_grad():
        for p in module.model.parameters():
            p.add_(change * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    return module


def test_the_anchor_holds_what_is_not_observed():
    """It is zero at the base; else it adds the departure of unobserved variables, and the base has no gradient."""
    batch = observed_batch("stl1")
    free, held = (anchored(w, 0.01)._step({k: v.clone() for k, v in batch.items()}).loss.sum() for w in (0.0, 2.0))
    at_base = [anchored(w)._step({k: v.clone() for k, v in batch.items()}).loss.sum() for w in (0.0, 2.0)]
    torch.testing.assert_close(at_base[0], at_base[1])
    assert held > free * (1.0 + 1e-4)
    module = anchored(2.0, 0.01)
    module._step(batch).loss.sum().backward()
    assert all(p.grad is None for p in module._base[0].parameters())
    assert not any("_base" in n for n in module.state_dict())


def test_observed_variables_are_free():
    """A variable with one valid target is not anchored."""
    y = torch.zeros(1, 2, 1, 3, 2)
    target = torch.full_like(y, float("nan"))
    target[0, 0, 0, 0, 1] = 0.0
    assert anchor_loss(y + torch.tensor([0.0, 5.0]), y, target, torch.ones(2)) == 0.0
    assert anchor_loss(y + torch.tensor([2.0, 5.0]), y, target, torch.ones(2)) == 2.0


def test_fraction_does_not_depend_on_closure_and_is_guarded():
    """A tower that misses a fifth of both fluxes has no error; little energy and gaps do not count."""
    latent, sensible = torch.tensor([-120.0, -10.0, -80.0, -1e-3]), torch.tensor([-80.0, -10.0, -80.0, 0.0])
    seen = 0.8 * latent, 0.8 * sensible
    seen[0][2] = float("nan")
    assert fraction_loss(latent, sensible, seen) == pytest.approx(0.0, abs=1e-12)
    assert fraction_loss(latent, sensible, (seen[1], seen[0])) == pytest.approx(0.5 * (0.2 / FRACTION_UNIT) ** 2)
    tiny = torch.tensor([1e-3], requires_grad=True)
    fraction_loss(tiny, -tiny, (torch.tensor([-60.0]), torch.tensor([-60.0]))).backward()
    assert tiny.grad.abs() < 1.0
    assert fraction_loss(latent, sensible, (seen[0] * float("nan"), seen[1])) == 0.0


def test_an_anchor_without_a_base_is_refused():
    with pytest.raises(ValueError, match=r"`land\.anchor` needs the network"):
        training_module(anchor=1.0)
