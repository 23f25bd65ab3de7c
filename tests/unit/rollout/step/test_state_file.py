# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A state and its file: handed over, changed, saved whole; restart files known by a checksum."""

import errno
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anemoi_ailand.rollout.step import state_file as restart_file
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.step.state_file import read_restart, write_restart
from tests.support import stepper as case

HEADER = {"kind": "test", "checkpoint_sha256": "abc", "date": "2022-01-01T00:00:00", "names": ["a", "b"]}


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal((7, 3)).astype("f4"), "y": rng.integers(0, 9, 5), "z": np.array([np.nan, -0.0])}


def same(found, expected):
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        assert found[name].tobytes() == values.tobytes()


def test_round_trip(tmp_path):
    """Header and arrays are restored bitwise; the folder is created; objects would need a pickle and are refused."""
    path = write_restart(tmp_path / "new" / "folder" / "r", HEADER, arrays())
    header, found = read_restart(path, "test", "abc")
    assert header == HEADER
    same(found, arrays())
    with pytest.raises(ValueError, match="allow_pickle"):
        write_restart(path, HEADER, {"x": np.array([object()])})
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("number", "call"), [(errno.ENOSPC, "fsync"), (errno.EIO, "replace")])
def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch, number, call):
    """A failing fsync or rename leaves the old file, and the error says what to do."""
    for seed in (1, 0):
        write_restart(tmp_path / "r", HEADER, arrays(seed))

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((restart_file.os, "fsync") if call == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match=r"state cannot be saved as '.*r': .* needs 0\.0 MB.*Free some space") as caught:
        write_restart(tmp_path / "r", HEADER, arrays(1))
    assert caught.value.errno == number
    assert os.strerror(number) in str(caught.value)
    monkeypatch.undo()
    same(read_restart(tmp_path / "r", "test", "abc")[1], arrays(0))
    assert list(tmp_path.iterdir()) == [tmp_path / "r"]


SCRIPT = """
import os, resource, signal, sys, numpy as np
from pathlib import Path
from anemoi_ailand.rollout.step import state_file
{}
try:
    state_file.write_restart(Path(sys.argv[1]), {{'kind': 'test', 'checkpoint_sha256': 'abc'}}, {{'x': np.ones(10**6)}})
except OSError as error:
    sys.exit(f'{{error}}')
"""
FULL = "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
KILLED = "state_file.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize(
    ("cause", "code", "said"),
    [(FULL, 1, "File too large.*needs 8.0 MB"), (KILLED, -signal.SIGKILL, "")],
    ids=["full", "killed"],
)
def test_a_process_that_ends_while_it_writes(tmp_path, cause, code, said):
    """A limit on the size of files, or SIGKILL before the rename, leaves the old file valid."""
    write_restart(tmp_path / "r", HEADER, arrays(0))
    command = [sys.executable, "-c", SCRIPT.format(cause), tmp_path / "r"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert re.search(said, done.stderr)
    same(read_restart(tmp_path / "r", "test", "abc")[1], arrays(0))
    if cause == FULL:
        assert list(tmp_path.iterdir()) == [tmp_path / "r"]


def test_one_wrong_bit_is_found(tmp_path):
    """The checksum detects a changed bit in header or arrays, and a truncated file."""
    path = write_restart(tmp_path / "r", HEADER, arrays())
    whole = path.read_bytes()
    flipped = [bytearray(whole) for _ in range(3)]
    for content, where in zip(flipped, (100, len(whole) // 2, -1), strict=True):
        content[where] ^= 1
    for content in (*flipped, whole[:-100]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"is damaged: the checksum of its .* bytes differs"):
            read_restart(path, "test", "abc")


def test_other_files_are_refused(tmp_path):
    """A missing file, another format, another kind and another checkpoint are errors."""
    with pytest.raises(FileNotFoundError, match=r"There is no saved state .*from the beginning"):
        read_restart(tmp_path / "r", "test", "abc")
    (tmp_path / "other").write_bytes(b"CDF\x01" + bytes(99))
    with pytest.raises(ValueError, match="is not a saved state of format"):
        read_restart(tmp_path / "other", "test", "abc")
    path = write_restart(tmp_path / "r", HEADER, arrays())
    with pytest.raises(ValueError, match="is a 'test', not a 'run'"):
        read_restart(path, "run", "abc")
    with pytest.raises(ValueError, match="checkpoint with SHA-256 abc, the run to def"):
        read_restart(path, "test", "def")
    assert read_restart(path, "test", None)[0] == HEADER


N = 5
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stepper():
    return case.stepper()


@pytest.fixture
def state(stepper):
    return stepper.step(case.start(stepper, N), case.forcings(N)[0])


def test_names_are_the_available_variables(stepper, state):
    """Diagnostics exist only after a step; an unknown name lists the available ones."""
    first = case.start(stepper, N)
    assert first.names == stepper.prognostic
    assert set(state.names) == set(stepper.outputs)
    assert set(state.numpy()) == set(state.torch()) == set(stepper.outputs)
    assert "t2m" not in first
    assert "swlv1" not in state
    assert "t2m" in state
    assert "swvl1" in state
    assert list(state) == list(state.names)
    with pytest.raises(KeyError, match=r"'2t' is a diagnostic, and the state of .* has none. Make a step first"):
        first["t2m"]
    with pytest.raises(KeyError, match=r"no variable 'swlv1' in the state of .* Nearest: \['swvl1'"):
        state["swlv1"]
    assert torch.equal(state["t2m"], state["2t"])
    before = state["stl1"].clone()
    state.numpy()["stl1"][:] = 0.0  # a copy
    assert torch.equal(state["stl1"], before)


def test_xarray_has_units_and_places(state):
    """The dataset has names of files (t2m for 2t), units, coordinates and time."""
    found = state.xarray()
    np.testing.assert_array_equal(found["t2m"].values, state["2t"].numpy())
    assert found["sd"].attrs["units"] == "kg m-2"
    assert found["stl1"].attrs["standard_name"] == "soil_temperature"
    np.testing.assert_array_equal(found["latitude"].values, state.latitudes)
    assert found["time"].values == np.datetime64(state.date)


def test_changed_replaces_and_keeps_the_rest(state):
    """An analysis replaces its variables, with gradients, and drops the diagnostics; others are refused."""
    wetter = state.changed({"swvl1": state["swvl1"] + 0.01})
    assert torch.equal(wetter["swvl1"], state["swvl1"] + 0.01)
    assert torch.equal(wetter["stl1"], state["stl1"])
    for given in (wetter["swvl1"].numpy(), wetter.xarray()["swvl1"]):
        assert torch.equal(state.changed({"swvl1": given})["swvl1"], wetter["swvl1"])
    assert wetter.diagnostics is None
    assert state.diagnostics is not None
    values = state["swvl1"].clone().requires_grad_()
    state.changed({"swvl1": values}).columns.sum().backward()
    assert torch.equal(values.grad, torch.ones(N))
    for fields, message in (
        ({"2t": torch.zeros(N)}, "'2t' cannot be changed, as it is not a prognostic variable. Available: .*'swvl1'"),
        ({"cvl": torch.zeros(N)}, "'cvl' cannot be changed, as it is not a prognostic variable"),
        ({"swlv1": torch.zeros(N)}, "'swlv1' cannot be changed.* Nearest: .'swvl1'"),
        ({"swvl1": torch.zeros(N + 1)}, rf"'swvl1' has shape \({N + 1},\), but the state has {N} points"),
        ({"swvl1": 0.3}, rf"'swvl1' has shape \(\), but the state has {N} points. Give one value per point"),
    ):
        with pytest.raises(ValueError, match=message):
            state.changed(fields)
    with pytest.raises(TypeError, match="Fields are given by name"):
        state.changed(3.0)


def test_state_prints_itself(stepper, state):
    """Date, points and variables with units; before the first step there are no diagnostics."""
    for text in (repr(state), state._repr_html_()):
        assert f"{state.date:%Y-%m-%d %H:%M}" in text and "swvl1 [m3 m-3]" in text and "2t (t2m) [K]" in text
    assert "none before the first step" in repr(case.start(stepper, N))


@pytest.mark.parametrize("diagnosed", [True, False])
def test_saved_and_loaded_is_equal_to_the_last_bit(stepper, state, tmp_path, diagnosed):
    """A state is restored bitwise, including subnormal numbers."""
    if not diagnosed:
        state = case.start(stepper, N)
    odd = state.columns.clone()
    odd[0, :3] = torch.tensor([1e-42, -0.0, 3.4e38])
    state = replace(state, columns=odd)
    loaded = LandState.load(state.save(tmp_path / "s", "abc"), "abc", CPU)
    assert loaded.columns.view(torch.int32).equal(state.columns.view(torch.int32))
    assert (loaded.date, loaded.inputs, loaded.prognostic) == (state.date, state.inputs, state.prognostic)
    assert loaded.execution == state.execution == ("plain" if diagnosed else None)
    np.testing.assert_array_equal(loaded.latitudes, state.latitudes)
    np.testing.assert_array_equal(loaded.longitudes, state.longitudes)
    assert (loaded.diagnostics is None) == (not diagnosed)
    assert loaded.names == state.names
    wide = state.to(torch.float64)
    assert wide.columns.dtype is torch.float64
    assert torch.equal(wide.to(torch.float32).columns, state.columns)
