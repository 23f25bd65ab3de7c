# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Exchange resident on a GPU: no field is copied to the host, and forced is coupled there; ranks of one atmosphere."""

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from anemoi_ailand.coupling import land_model
from anemoi_ailand.coupling.coupled_land import Atmosphere, CoupledLand
from anemoi_ailand.coupling.grids import GridOptions, Side, make, save
from anemoi_ailand.rollout import derivatives
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.stepper import LandStepper
from tests.support import atmosphere as toy
from tests.support import stepper as case

DATE, STEP, LEAD = datetime(2020, 5, 1), timedelta(hours=3), timedelta(hours=24)
FORCING = toy.FORCING | {"avg_t": {"field": "t", "instants": True}}
FEEDBACK = {
    "skt": "skt",
    "swvl1": {"variable": "swvl1", "land_only": True},
    "snow": {"variable": "sd", "between": "held"},
}
UNITS = {**toy.PROGNOSTIC, **toy.DIAGNOSTIC}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Make a saved state, an atmosphere of twice as many points around it, weights, and fields of four steps."""
    folder = tmp_path_factory.mktemp("device")
    stepper = LandStepper.open("ailand", threads=1, execution="plain", plausibility="off")
    state, _ = case.sample_fields(stepper, 1)
    here = state.latitudes, state.longitudes
    there = tuple(np.concatenate([v, v + 0.7]) for v in here)
    rng, n = np.random.default_rng(0), len(here[0])
    config = {"weights": str(folder / "weights.npz"), "atmosphere": {"cells": "unstructured"}}
    grids = make(
        Side(here, "auto", rng.uniform(0.5, 1.0, n), state["z"].double().numpy() / 9.80665),
        Side(there, "unstructured", rng.uniform(0.3, 1.0, 2 * n), rng.uniform(0.0, 800.0, 2 * n)), correct=True,
    )  # fmt: skip
    save(folder / "weights.npz", grids, here, there, GridOptions.read(config).text())
    weather = toy.Sample(DATE, 3)
    names, values = toy.weather(weather, 3)
    fields = []
    for k in range(4):
        now = dict(zip(names, np.concatenate([values[k // 2]] * 2).T * np.float32(1.0 + 0.01 * k), strict=True))
        skt = now["t"] + 1.0
        fields.append({**now, "skt": skt, "swvl1": 0.2 + 0.0 * skt, "snow": 0.0 * skt})
    options = {"initial": {"state": str(stepper.save(state, folder / "land.state"))}, "forcing": FORCING,
               "feedback": FEEDBACK, "points": config, "plausibility": "off", "execution": "plain"}  # fmt: skip
    return SimpleNamespace(folder=folder, options=options, places=there, fields=fields)


def begin(world, device, **options):
    """Open the land of an atmosphere whose fields are on a device."""
    about = Atmosphere(UNITS, STEP, DATE, LEAD, world.places, device=torch.device(device))
    return CoupledLand(about, **{**world.options, **options})


def run(world, land, device):
    """Run four steps of an atmosphere on a device; return what the land changes in each, and its last state."""
    changed = []
    for k, fields in enumerate(world.fields, start=1):
        given = {n: torch.from_numpy(np.ascontiguousarray(v)).to(device) for n, v in fields.items()}
        with torch.inference_mode():
            changed.append(land.step(DATE + k * STEP, world.places, given))
    return changed, land._run.land


class Waits(TorchFunctionMode):
    """Answer for a fake device: numbers are as they should be, and the height of the land at its start is zero."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.__bool__:
            return True
        if func is torch.Tensor.__float__:
            return 1.0
        if func is torch.Tensor.numpy and args[0].dtype == torch.float64:
            return np.zeros(args[0].shape)
        return func(*args, **(kwargs or {}))


class ToHost(TorchDispatchMode):
    """Note operations that bring a tensor of the device to the host."""

    def __init__(self):
        super().__init__()
        self.found, self.number = [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        before, after = ({v.device.type for v in tree_leaves(x) if isinstance(v, torch.Tensor)}
                         for x in ((args, kwargs), out))  # fmt: skip
        self.number += "cuda" in before
        if "cuda" in before and "cpu" in after:
            self.found.append(str(func))
        return out


def on_fake_device(step):
    """Return a step with its weights on the fake device of the present mode, which moves no module."""
    for module in step.model.modules():
        for tensors in (module._parameters, module._buffers):
            tensors.update({n: v.detach().to("cuda") for n, v in tensors.items() if v is not None})
    return replace(step, device=torch.device("cuda"))


def test_no_field_leaves_the_device(world, monkeypatch):
    """Forcing, land, budget, report and feedback stay on the device of the atmosphere, which is a fake one here."""
    step, opened = load_step("ailand"), []

    def open_there(name, device, **options):
        opened.append(device)
        return LandStepper(on_fake_device(step), plausibility="off")

    monkeypatch.setattr(LandStepper, "open", open_there)
    monkeypatch.setattr(derivatives, "PhysicalStep", MagicMock())  # a second copy of the weights, without use here
    with FakeTensorMode(allow_non_fake_inputs=True), Waits():
        land = begin(world, "cuda", report=str(world.folder / "page.html"))
        with ToHost() as copies:
            changed, state = run(world, land, "cuda")
    assert opened == ["cuda"]
    assert [sorted(fields) for fields in changed] == [["snow"], sorted(FEEDBACK), ["snow"], sorted(FEEDBACK)]
    assert all(values.device.type == "cuda" for fields in changed for values in fields.values())
    assert state.columns.device.type == "cuda"
    assert copies.number > 1000 and not copies.found


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_device_gives_the_land_of_the_host(world):
    """On a CUDA device the run is that of the host to rounding, twice bitwise the same, wherever the fields are."""
    host, device, again = (run(world, begin(world, kind), kind) for kind in ("cpu", "cuda", "cuda"))
    apart = run(world, begin(world, "cpu", device="cuda"), "cpu")
    assert device[1].columns.is_cuda and not apart[0][-1]["skt"].is_cuda
    assert device[1].columns.equal(again[1].columns) and device[1].columns.equal(apart[1].columns)
    for there, here in zip(device[0], host[0], strict=True):
        for name, values in there.items():
            torch.testing.assert_close(values.cpu(), here[name], rtol=1e-4, atol=1e-4, msg=name)


def test_the_first_rank_writes(world, monkeypatch):
    """Each rank of a parallel atmosphere steps the land on its own device; files are those of the first."""
    made = []
    monkeypatch.setattr(land_model, "CoupledLand", lambda about, **options: made.append((about.device, options)))
    metadata = SimpleNamespace(dataset_name="data", latitudes=None, timestep=STEP, variable_to_output_tensor_index={})
    results = {"output": "land.nc", "save": "land.state", "report": "page.html"}
    for rank in (0, 1):
        client = SimpleNamespace(local_rank=rank)
        context = toy.context(DATE, "1d", device=torch.device("cuda"), compute_client=client, is_master=rank == 0)
        land_model.LandModelProcessor(context, metadata, points="same", **results)
    assert made == [
        (torch.device("cuda:0"), {"points": "same", **results}),
        (torch.device("cuda:1"), {"points": "same", **dict.fromkeys(results)}),
    ]
