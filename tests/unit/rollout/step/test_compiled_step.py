# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The fused step equals the plain one; the choice of execution, and what is done where compiling is impossible."""

import logging
import math
from dataclasses import replace

import pytest
import torch

from anemoi_ailand.physics.elementary import expm1
from anemoi_ailand.rollout.step import compiled_step as module
from anemoi_ailand.rollout.step import fused_step
from anemoi_ailand.rollout.step.compiled_step import CompiledStep, compiled_paths, make_compiled, open_step
from anemoi_ailand.rollout.step.fused_step import NetworkPart, StatePart, unsupported
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.rollout.step.row_blocks import BlockStep
from anemoi_ailand.rollout.stepper import LandStepper
from tests.support import columns
from tests.support import stepper as case
from tests.support.land import BALANCED, CLOSED, OPEN, TOLD

N = 70


def slots(step, n=N):
    """Both slots (row, input) of a closed step, or of any other step around the mean of its variables."""
    if step.model.model.closed is None:
        physical = PhysicalStep(step)
        normal = torch.randn(2, n, len(step.inputs), generator=torch.Generator().manual_seed(1))
        return tuple((normal - physical._add_in) / physical._mul_in)
    if "al" in step.inputs:
        fields = columns.fields(columns.land(n))
        rows = torch.stack([fields[name] for name in step.inputs], dim=-1).float()
        return rows, rows.clone()
    stepper = case.stepper()
    state = case.start(stepper, n)
    return state.columns, stepper.forcing_columns(state, case.forcings(n)[0])


def fused(step, start, end, hidden=torch.float32):
    """Outputs (row, output) of both parts, interpreted."""
    start, end = start.t(), end.t()
    with torch.inference_mode():
        return StatePart(step)(start, end, NetworkPart(step, hidden)(start, end)).t()


@pytest.mark.parametrize("land", [CLOSED, TOLD, BALANCED, OPEN], ids=["closed", "albedo", "energy", "increments"])
@pytest.mark.parametrize("options", [{}, {"skip": False}, {"activation": "relu", "depth": 1}, {"activation": "gelu"}])
def test_merged_weights_give_the_plain_step(land, options):
    """Centred and merged weights, without normalised states, give the outputs of the plain step to rounding."""
    step = land.land_step(**options)
    rows = slots(step)
    rows[0][0, [k for k, name in enumerate(step.inputs) if name == "sd"]] = 8000.0  # a glacier
    with torch.inference_mode():
        expected = PhysicalStep(step)(*rows)
    assert unsupported(step) is None
    scale = expected.std(0).clamp_min(1e-5)  # of water, .2 kg m-2 in a step: deep snow magnifies rounding
    assert ((fused(step, *rows) - expected) / scale).abs().max() < 2e-3
    assert ((fused(step, *rows) - expected) / scale).square().mean().sqrt() < 1e-4


def test_bfloat16_changes_the_outputs_by_its_rounding():
    """Products in bfloat16 change the outputs by less than .02 of their spread."""
    step = CLOSED.land_step()
    rows = slots(step)
    exact, rounded = fused(step, *rows), fused(step, *rows, hidden=torch.bfloat16)
    difference = ((rounded - exact) / exact.std(0).clamp_min(1e-6)).square().mean().sqrt()
    assert 1e-6 < difference < 0.02


def test_rough_silu():
    """Its error is below the rounding of bfloat16, both where activations are and beyond."""
    x = torch.linspace(-30.0, 30.0, 6001)
    found = (fused_step._rough_silu(x) - torch.nn.functional.silu(x)).abs()
    assert found[x.abs() < 4.0].max() < 3e-4 and (found / x.abs().clamp_min(4.0)).max() < 9e-4


def test_each_network_has_its_own_file_and_shares_the_physics():
    """The file of the network depends on the checkpoint, that of the state on the variables only."""
    packaged = open_step("ailand", execution="plain")
    network, state = compiled_paths(packaged)
    assert compiled_paths(packaged) == (network, state) and network.parent == module.cache_folder()
    other_network, other_state = compiled_paths(CLOSED.land_step())
    assert other_network != network and other_state != state


def test_auto_is_plain_until_compiled_or_worth_it(monkeypatch, tmp_path, caplog):
    """Few steps do not pay for compiling; many do; a compiled step that exists is taken."""
    monkeypatch.setenv(module.CACHE, str(tmp_path))
    made = []
    monkeypatch.setattr(module, "make_compiled", lambda step, whole: made.append(whole))
    monkeypatch.setattr(module, "CompiledStep", lambda step, *paths: paths)
    with caplog.at_level(logging.INFO):
        assert open_step("ailand").compiled is None and not made
    assert "anemoi-ailand compile ailand" in caplog.text
    assert open_step("ailand", point_steps=module.PAYS).compiled is not None and len(made) == 1
    step = open_step("ailand", execution="plain")
    assert step.compiled is None and step.execution == "plain"
    for path in compiled_paths(step):
        path.write_bytes(b"code")
        module._seal(path)
    assert open_step("ailand").compiled == compiled_paths(step) and len(made) == 1


def test_name_tells_torch_and_processor(monkeypatch):
    """Files record it, so that a run that continues with another torch or processor is warned of."""
    monkeypatch.setattr(module, "Library", Interpreted)
    names = set()
    for version, flags in (("2.10.0", "flags: avx512f"), ("2.11.0", "flags: avx512f"), ("2.10.0", "flags: avx2")):
        monkeypatch.setattr(torch, "__version__", version)
        monkeypatch.setattr(module, "_instructions", lambda flags=flags: flags)
        name = CompiledStep(CLOSED.land_step(), "network", "state").name
        assert name.startswith("compiled, layers in ") and f", torch {version}, " in name
        names.add(name)
    assert len(names) == 3


def test_without_a_folder_no_checksum_is_computed(monkeypatch, tmp_path):
    """Names of files need a checksum of the code, which short runs on a machine without compiled steps do not pay."""
    monkeypatch.setenv(module.CACHE, str(tmp_path / "none"))
    monkeypatch.setattr(module, "source_sha256", lambda places: pytest.fail("computed"))
    assert open_step("ailand").compiled is None


@pytest.mark.parametrize("cause", ["compiler", "failure", "network", "device"])
def test_what_cannot_be_compiled_runs_plain_with_a_warning(cause, monkeypatch, tmp_path, caplog):
    """Without a compiler, after a failure, for a network of one's own or on an accelerator, a warning says why."""
    monkeypatch.setenv(module.CACHE, str(tmp_path))

    def fails(step, whole):
        raise RuntimeError("no space")

    step = CLOSED.land_step() if cause != "network" else case.with_network(lambda y: y)
    monkeypatch.setattr(module, "load_step", lambda path, device, trust: step)
    monkeypatch.setattr(module, "make_compiled", fails)
    if cause == "compiler":
        monkeypatch.setenv("CXX", "no-such-compiler")
    elif cause == "device":
        object.__setattr__(step, "device", torch.device("meta"))
    assert open_step("any", execution="compiled").compiled is None
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    reasons = {"compiler": "no-such-compiler", "failure": "no space", "network": "network is a", "device": "on meta"}
    assert reasons[cause] in record.getMessage() and not list(tmp_path.iterdir())


def test_unknown_execution():
    """An unknown name, or none, gives the known ones, before the checkpoint is read."""
    for wrong, shown in (("fast", "'fast'"), (None, "None"), (True, "True"), ([], r"\[\]")):
        with pytest.raises(ValueError, match=rf"no execution {shown}\. Give one of auto, plain, compiled"):
            open_step("missing.ckpt", execution=wrong)
        with pytest.raises(ValueError, match="Give one of auto, plain, compiled"):
            LandStepper.open("missing.ckpt", execution=wrong)


def test_parts_of_a_failed_compilation_are_removed(monkeypatch, tmp_path):
    """A failure leaves no file, so that the next process does not take it for a compiled step."""
    monkeypatch.setenv(module.CACHE, str(tmp_path / "new"))

    def fails(part, arguments, path, **options):
        path.write_bytes(b"half")
        raise RuntimeError("killed")

    monkeypatch.setattr(module, "compile_library", fails)
    with pytest.raises(RuntimeError, match="killed"):
        make_compiled(CLOSED.land_step())
    assert not list((tmp_path / "new").iterdir())


def test_compiling_is_told_without_a_terminal(monkeypatch, tmp_path, caplog):
    """A line before the wait, and one for each part with its seconds; nothing if all parts exist."""
    monkeypatch.setenv(module.CACHE, str(tmp_path))
    monkeypatch.setattr(module, "compile_library", lambda part, arguments, path, **options: path.write_bytes(b"so"))
    caplog.set_level(logging.INFO, logger=module.__name__)
    step = CLOSED.land_step()
    caplog.clear()
    paths = make_compiled(step)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("Compiling the step of ") and "2 parts, which takes a few minutes" in said[0]
    assert said[1:] == [f"{path.name} made in 0 s" for path in paths]
    caplog.clear()
    assert make_compiled(step) == paths and not caplog.records


class Interpreted:
    """Library whose calls run the parts without compiling."""

    def __init__(self, path, threads):
        step = CLOSED.land_step()
        self.part = (NetworkPart(step, torch.float32) if path == "network" else StatePart(step)).eval()

    def __call__(self, *arguments):
        assert all(a.is_contiguous() and a.shape[1] % 16 == 0 for a in arguments)
        return self.part(*arguments)


@pytest.mark.parametrize("n", [0, 1, 15, 16, 33, 4100])
def test_rows_are_padded_and_divided(n, monkeypatch):
    """Any number of rows is computed in whole units and in blocks."""
    monkeypatch.setattr(module, "Library", Interpreted)
    step = CLOSED.land_step()
    start, end = (s.repeat(60, 1)[:n] for s in slots(step))
    compiled = CompiledStep(step, "network", "state")
    with torch.inference_mode():
        found = compiled(start, end)
    assert found.shape == (n, len(step.outputs)) and found.stride(0) == 1  # points innermost
    torch.testing.assert_close(found, step.of_slots(start, end), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n", [1, 16, 44])
def test_several_compiled_steps_in_one_call(n, monkeypatch):
    """Rows are padded once, and the outputs are bitwise those of single calls."""
    monkeypatch.setattr(module, "Library", Interpreted)
    step = replace(CLOSED.land_step(), compiled=CompiledStep(CLOSED.land_step(), "network", "state"))
    stepper = LandStepper(step, threads=1, plausibility="off")
    state = case.start(stepper, n)
    start, layout = state.columns.clone(), stepper.layout
    ends = torch.stack(
        [stepper.forcing_columns(state, f)[:, layout.columns(layout.forcing)] for f in case.forcings(n, 3)]
    )
    with BlockStep(step, 1) as blocks:
        found, slot = blocks.steps(layout, start, ends), state.columns.clone()
        for forcing, outputs in zip(ends, found, strict=True):
            end = torch.zeros_like(slot)
            layout.set_forcing_(end, forcing)
            assert torch.equal(step.of_slots(slot, end), outputs)
            layout.next_start_(slot, end, outputs)
    assert torch.equal(start, slot)


def test_a_wrong_compiled_step_is_refused(monkeypatch):
    """The first rows are compared with the plain step; a difference is an error with the way out, and so is NaN."""
    monkeypatch.setattr(module, "Library", Interpreted)
    step = CLOSED.land_step()
    for wrong in (1.0, math.nan):
        monkeypatch.setattr(Interpreted, "__call__", lambda self, *slots, x=wrong: self.part(*slots) + x)
        with pytest.raises(RuntimeError, match=r"differs from the plain one.*execution: plain"):
            CompiledStep(step, "network", "state")(*slots(step))


def test_damaged_library_leaves_the_plain_step(monkeypatch, tmp_path, caplog):
    """A library that was cut, or whose bytes changed, is not opened, which could kill the process; a line says so."""
    monkeypatch.setenv(module.CACHE, str(tmp_path))
    opened = []
    monkeypatch.setattr(module, "Library", lambda path, threads: opened.append(path))
    paths = compiled_paths(open_step("ailand", execution="plain"))
    for damage in (lambda content: content[:1000], lambda content: b"x" + content[1:], lambda content: b""):
        for path in paths:
            path.write_bytes(bytes(range(256)) * 8)
            module._seal(path)
        assert open_step("ailand").compiled is not None and len(opened) == 2
        opened.clear()
        paths[0].write_bytes(damage(paths[0].read_bytes()))
        caplog.clear()
        assert open_step("ailand").compiled is None
        assert (
            f"'{paths[0]}' of a compiled step is damaged" in caplog.text and "compiling makes it again" in caplog.text
        )
        assert not opened


def test_compiling_makes_a_damaged_part_again(monkeypatch, tmp_path, caplog):
    """Only the damaged one, in its place; one line says so."""
    monkeypatch.setenv(module.CACHE, str(tmp_path))
    made = []

    def compile_library(part, arguments, path, **options):
        made.append(type(part).__name__)
        path.write_bytes(b"code")

    monkeypatch.setattr(module, "compile_library", compile_library)
    step = open_step("ailand", execution="plain")
    network, state = module.make_compiled(step)
    state.write_bytes(state.read_bytes()[:-1])
    monkeypatch.setattr(module, "Library", lambda path, threads: path)
    assert open_step("ailand", execution="compiled").compiled is not None
    assert made == ["NetworkPart", "StatePart", "StatePart"] and caplog.text.count("is damaged") == 1
    assert module._sound(network) and module._sound(state)


def test_series_for_expm1(monkeypatch):
    """The form for compiled code has all digits near zero, where the difference has none."""
    x = -torch.logspace(-8, 2, 400)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(expm1(x), torch.expm1(x), rtol=1e-6, atol=0.0)
    assert torch.equal(expm1(x.double()), torch.expm1(x.double()))  # exported graphs in double precision
