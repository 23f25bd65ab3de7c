# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The network of the package as ONNX by the real command line, and the hosts of docs/examples that run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.export import onnx_export
from anemoi_ailand.export.host_step import HostStep
from anemoi_ailand.export.onnx_check import LIMITS, Rows, compare, sample_rows
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.support.packaged import folder
from tests.support import stepper as case
from tests.support.commands import run_command

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
LIMIT = LIMITS[torch.float32]

#: Any import of these ends the process.
WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('torch', 'anemoi', 'anemoi_ailand', 'onnx'))); "


def export(output: Path, *options: str) -> str:
    command = ["anemoi_ailand", "export", "--checkpoint", "ailand", "--output", output]
    done = run_command(*command, *options, cwd=output.parent, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """The graph in single precision, made and checked by the command."""
    path = tmp_path_factory.mktemp("export") / "ailand.onnx"
    assert "Equal to the checkpoint at 2112 rows" in export(path)
    assert path.stat().st_size < 2.5e6
    return path


@pytest.fixture(scope="module")
def host():
    return HostStep(PhysicalStep(load_step("ailand")))


@pytest.fixture(scope="module")
def rows(host):
    return sample_rows(host, torch.float32)


@pytest.fixture(scope="module")
def double(tmp_path_factory):
    """The graph in double precision, without the sun, and the output of the command."""
    path = tmp_path_factory.mktemp("double") / "double.onnx"
    return path, export(path, "--precision", "float64", "--sun", "outside")


def test_double_precision_with_the_sun_outside(double):
    """The command finds agreement to 1e-10 at all rows; there is no argument for place and time."""
    path, said = double
    assert "Equal to the checkpoint at 2112 rows" in said
    assert "exceed the limit" not in said
    inputs = {i.name: i.type for i in onnxruntime.InferenceSession(str(path)).get_inputs()}
    assert inputs == dict.fromkeys(("state", "static", "forcing_start", "forcing_end"), "tensor(double)")


def library(target: Path) -> Path:
    """A folder with onnxruntime's library under the names that linker and loader look for."""
    found = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    assert found, "the wheel of onnxruntime holds no libonnxruntime.so"
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (target / name).symlink_to(found[0])
    return target


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The C caller, compiled with every warning an error; with the official header if ONNXRUNTIME_INCLUDE names it."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC") or "cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("there is no C compiler (cc, gcc or clang): docs/examples/step.c is not tested")
    place = library(tmp_path_factory.mktemp("c"))
    include = os.environ.get("ONNXRUNTIME_INCLUDE")
    official = ["-DAILAND_OFFICIAL_HEADER", "-isystem", include] if include else []
    command = [
        compiler, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O2", *official, "-o", str(place / "step"),
        str(EXAMPLES / "main.c"), str(EXAMPLES / "step.c"), f"-L{place}", "-lonnxruntime", f"-Wl,-rpath,{place}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place / "step"


def call(program, graph, rows, folder, *more):
    """Run the C caller; output of the process, and state and diagnostics."""
    (folder / "input.bin").write_bytes(b"".join(v.tobytes() for v in rows.arguments.values()))
    n = len(rows.where)
    command = [program, graph, str(n), folder / "input.bin", folder / "output.bin", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return done, None
    values = np.fromfile(folder / "output.bin", dtype=np.float32)
    n_state = n * rows.arguments["state"].shape[1]
    return done, [values[:n_state].reshape(n, -1), values[n_state:].reshape(n, -1)]


def test_c_caller_gives_the_checkpoint(program, graph, host, rows, tmp_path):
    """One step in C agrees with the checkpoint; three steps in C are three calls of the graph."""
    done, got = call(program, graph, rows, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 step(s) of 2112 row(s)")
    assert compare(got, host, rows, LIMIT).rows == 2112
    done, got = call(program, graph, rows, tmp_path, "3", "1")
    assert done.returncode == 0, done.stderr
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graph), options)
    arguments = dict(rows.arguments)
    for _ in range(3):
        arguments["state"], diagnostics = session.run(None, arguments)
    np.testing.assert_array_equal(got[0], arguments["state"])
    np.testing.assert_array_equal(got[1], diagnostics)


def test_c_caller_takes_any_graph_of_this_package(program, tmp_path):
    """Another network has other columns and, with the sun outside, one argument less."""
    host = case.host(sun_inside=False)
    onnx_export._save(onnx_export.graph_of(host, torch.float32), tmp_path / "small.onnx")
    rows = case.rows(100, sun_inside=False)
    done, got = call(program, tmp_path / "small.onnx", rows, tmp_path)
    assert done.returncode == 0, done.stderr
    assert compare(got, host, rows, LIMIT).rows == 100


def test_c_caller_reports_errors(program, graph, double, rows, tmp_path):
    """A missing graph, a graph of another precision and too few rows are errors."""
    for path, message in ((tmp_path / "none.onnx", "none.onnx"), (double[0], "export with --precision float32")):
        done, _ = call(program, path, rows, tmp_path)
        assert done.returncode == 1
        assert message in done.stderr
    done = subprocess.run(
        [program, graph, "2113", tmp_path / "input.bin", tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is shorter than ROWS rows" in done.stderr


def series(host, n_steps):
    """Forcing of the packaged sample as the Python host takes it, over new year."""
    reader = open_reader(str(folder("sample")))
    dates = reader.coverage.dates()
    first = next(i for i, d in enumerate(dates) if d.year == 2021) - 2
    stamps = dates[first : first + n_steps + 1]
    fields = {n: np.moveaxis(reader.read([c for c in names if c not in COMPUTED], stamps), 0, -1)
              for n, names in host.columns.items() if n != "place_time"}  # fmt: skip
    return {
        "stamp": np.array(stamps, dtype="datetime64[s]"),
        "latitude": reader.latitudes,
        "longitude": reader.longitudes,
        "state": fields["state"][0],
        "static": fields["static"][0],
        "forcing_start": fields["forcing_start"],
        "forcing_end": fields["forcing_end"],
    }


def test_python_host_needs_numpy_and_onnxruntime_alone(graph, host, tmp_path):
    """Two steps over new year, with torch and Anemoi out of reach, are two steps of the checkpoint."""
    done = subprocess.run([sys.executable, "-c", WITHOUT + "import torch"], capture_output=True, check=False)
    assert done.returncode == 1  # torch is out of reach indeed
    data = series(host, 2)
    np.savez(tmp_path / "input.npz", **data)
    script = WITHOUT + "sys.argv = sys.argv[1:]; exec(compile(open(sys.argv[0]).read(), 'host.py', 'exec'))"
    command = [sys.executable, "-c", script, EXAMPLES / "host.py", graph, "input.npz", "output.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "output.npz") as found:
        states, diagnostics = found["state"], found["diagnostics"]
    assert states.shape == (3, *data["state"].shape)
    days = (data["stamp"] - data["stamp"].astype("datetime64[Y]")) / np.timedelta64(1, "D")
    assert days.tolist() == [365.5, 365.75, 0.0]
    place = np.stack([data["latitude"], data["longitude"]], axis=-1)
    for k in range(2):
        arguments = {
            "state": states[k], "static": data["static"], "forcing_start": data["forcing_start"][k],
            "forcing_end": data["forcing_end"][k + 1],
            "place_time": np.concatenate([place, np.tile(days[k : k + 2], (len(place), 1))], axis=-1),
        }  # fmt: skip
        made = Rows({n: np.ascontiguousarray(v) for n, v in arguments.items()}, [f"row {i}" for i in range(len(place))])
        assert compare([states[k + 1], diagnostics[k]], host, made, LIMIT).rows == len(place)
