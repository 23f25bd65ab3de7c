# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The step of a CUDA device: what is recorded, that nothing in it comes from the host, and roll-outs on a device."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import anemoi_ailand as ail
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.device_step import DeviceStep
from tests.support.land import CLOSED, OPEN
from tests.unit.rollout.step.test_compiled_step import fused, slots

needs_device = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.mark.parametrize("land", [CLOSED, OPEN], ids=["closed", "increments"])
def test_recorded_step_gives_state_and_instants_to_the_next(land):
    """Outputs are those of the fused parts, and the start becomes that of the next step in place."""
    step = land.land_step()
    start, end = slots(step)
    layout = StepLayout(step.inputs, step.outputs)
    now, forcing = start.t().clone(), end[:, layout.columns(layout.forcing)].t()
    with torch.inference_mode():
        out = DeviceStep(step, torch.float32).advance_(layout, now, forcing).t()
    torch.testing.assert_close(out, fused(step, start, end), rtol=0, atol=0)
    torch.testing.assert_close(now.t(), layout.next_start(start, end, out), rtol=0, atol=0)


class _Places(TorchDispatchMode):
    """Note operations with a tensor of the host, and those that wait for the device."""

    def __init__(self):
        super().__init__()
        self.found, self.number = [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        kinds = {leaf.device.type for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor)}
        self.number += 1
        if "cpu" in kinds or "_local_scalar_dense" in str(func) or "nonzero" in str(func):
            self.found.append(str(func))
        return out


def test_nothing_in_a_recording_comes_from_the_host():
    """A graph cannot hold copies of constants from the host, nor wait for a result."""
    step = load_step("ailand")
    device_step = DeviceStep(step)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), _Places() as places:
        device_step._network, device_step._state = device_step._network.cuda(), device_step._state.cuda()
        layout = device_step._layout
        start, forcing = (torch.empty((len(names), 64), device="cuda") for names in (step.inputs, layout.forcing))
        places.found.clear()
        out = device_step.advance_(layout, start, forcing)
    assert out.shape == (len(step.outputs), 64) and out.device.type == "cuda"
    assert places.number > 1000 and not places.found


@needs_device
def test_many_steps_of_a_device_are_those_of_the_plain_step():
    """In the memory of the host and of the device, to the rounding of bfloat16; both bitwise the same."""
    data = ail.open_data("$AILAND_SAMPLE").to_xarray("2021-07-01")
    land, plain = ail.load("ailand", device="cuda"), load_step("ailand", "cuda")
    state = land.initial(data)
    start, end = state.columns, land.forcing_columns(state, data)
    step, layout = DeviceStep(plain), StepLayout(plain.inputs, plain.outputs, device="cuda")
    ends = end[:, layout.columns(layout.forcing)].cpu().expand(5, -1, -1)
    now, expected = start.clone(), []
    for _ in range(5):
        expected.append(plain.of_slots(now, end))
        now = layout.next_start(now, end, expected[-1])
    spread = expected[-1].std(0).clamp_min(1e-6)
    host, device = (step.steps(layout, start.clone(), forcing) for forcing in (ends, ends.cuda()))
    assert host.device.type == "cpu" and torch.equal(host, device.cpu())
    for out, wanted in zip(device, expected, strict=True):
        assert (((out - wanted) / spread).square().mean().sqrt()) < 0.05
    torch.testing.assert_close(step(start, end), device[0], rtol=0, atol=0)
