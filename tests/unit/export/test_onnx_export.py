# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Export of a small network; that of the package by the real command is tests/integration/test_export.py."""

import io
import json
from dataclasses import replace
from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from anemoi_ailand.export import onnx_export as under_test
from anemoi_ailand.export.onnx_check import LIMITS, compare
from anemoi_ailand.export.onnx_export import METADATA_KEY, check_exportable, export_step, graph_of
from anemoi_ailand.export.onnx_operators import OPSET, softplus, translations
from anemoi_ailand.rollout.step.pretrained import pretrained_record
from anemoi_ailand.variables import variable
from tests.support import stepper as case


@cache
def graph(dtype):
    """Graph of the small step, which takes seconds to make."""
    return graph_of(case.host(dtype).eval(), dtype)


def without_waiting(patch):
    """Export the small step, whose graph is made once for all tests."""
    patch.setattr(under_test, "load_step", lambda path: case.export_step())
    patch.setattr(under_test, "graph_of", lambda host, dtype: graph(dtype))


@pytest.fixture(scope="module", params=["float32", "float64"])
def exported(request, tmp_path_factory):
    """Graph, its precision, and how near it is."""
    output = tmp_path_factory.mktemp("export") / "folder" / "small.onnx"
    with pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        agreement = export_step("best.ckpt", output, precision=request.param)
    return output, getattr(torch, request.param), agreement


@pytest.fixture
def small(monkeypatch):
    without_waiting(monkeypatch)


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("n", [1, 300])
def test_graph_agrees_for_any_number_of_rows(exported, n):
    """All rows of the sample agree, none is undecided; the graph accepts other numbers of rows than the example."""
    path, dtype, agreement = exported
    assert agreement.rows > 2000
    assert agreement.undecided == 0
    assert 0 < max(agreement.largest.values()) <= LIMITS[dtype]
    rows = case.rows(n, dtype)
    with torch.inference_mode():
        state = case.host(dtype)(**{k: torch.from_numpy(v) for k, v in rows.arguments.items()})[0]
    assert (state != torch.from_numpy(rows.arguments["state"])).any()
    assert compare(session(path).run(None, rows.arguments), case.host(dtype), rows, LIMITS[dtype]).rows == n


def test_names_units_and_origin_are_inside(exported):
    """Metadata and text describe arguments, units, step, operator set and licence; there is no other file."""
    path, dtype, _ = exported
    host = case.host(dtype)
    model = onnx.load(path)
    found = json.loads({p.key: p.value for p in model.metadata_props}[METADATA_KEY])
    for kind, expected, values in (
        ("inputs", host.columns, model.graph.input),
        ("outputs", host.results, model.graph.output),
    ):
        assert [v.name for v in values] == list(expected)
        assert {k: tuple(c["name"] for c in columns) for k, columns in found[kind].items()} == expected
        assert [v.type.tensor_type.shape.dim[1].dim_value for v in values] == [len(c) for c in expected.values()]
    state = found["inputs"]["state"]
    assert [(c["units"], tuple(c["bounds"])) for c in state] == [
        (variable(c["name"]).units, variable(c["name"]).bounds) for c in state
    ]
    assert (found["step_hours"], found["precision"], found["opset"]) == (6, str(dtype).removeprefix("torch."), OPSET)
    assert [o.version for o in model.opset_import if o.domain == ""] == [OPSET]
    assert found["sun"] == "inside"
    assert "ask who trained them" in found["licence"]
    text = path.with_name("small.onnx.txt").read_text()
    for argument, names in {**host.columns, **host.results}.items():
        part = text.partition(f"put {argument} (row, {len(names)})\n")[2].split("\n\n")[0].splitlines()
        assert [line.split()[1] for line in part] == list(names)
    assert "stl1           K " in text
    assert sorted(p.name for p in path.parent.iterdir()) == ["small.onnx", "small.onnx.txt"]
    assert str(under_test.__file__).rpartition("/anemoi_ailand/")[0].encode() not in path.read_bytes()


def test_requests_without_sense_are_refused(tmp_path, monkeypatch):
    """An existing file, a wrong name or precision, and missing packages are errors before anything is loaded."""
    monkeypatch.setattr(under_test, "load_step", lambda path: pytest.fail("it was loaded"))
    with pytest.raises(ValueError, match=r"ends in '\.onnx'"):
        export_step("best.ckpt", tmp_path / "a.pb")
    with pytest.raises(ValueError, match=r"precision 'float16' is unknown. Use one of \['float32', 'float64'\]"):
        export_step("best.ckpt", tmp_path / "a.onnx", precision="float16")
    (tmp_path / "a.onnx.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"a.onnx.txt'\] exist and were not replaced.*--overwrite"):
        export_step("best.ckpt", tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx.txt").read_text() == "mine"
    monkeypatch.setattr(under_test, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"'onnx', 'onnxscript'\] are not installed. .*anemoi-ailand\[export\]"):
        export_step("best.ckpt", tmp_path / "b.onnx")


def test_missing_onnxruntime_is_logged(tmp_path, monkeypatch, small, caplog):
    """The file is written, an earlier one replaced on request, and the log says that it was not compared."""
    found = under_test.find_spec
    monkeypatch.setattr(under_test, "find_spec", lambda n: None if n == "onnxruntime" else found(n))
    (tmp_path / "a.onnx").write_text("mine")
    assert export_step("best.ckpt", tmp_path / "a.onnx", overwrite=True) is None
    assert "was not compared" in caplog.text
    assert "place_time" in [v.name for v in session(tmp_path / "a.onnx").get_inputs()]


def test_graph_that_is_not_the_checkpoint_is_removed(tmp_path, monkeypatch, small):
    """A graph with a wrong weight is removed, and an earlier file stays."""
    save = under_test._save

    def spoiled(model, path):
        save(model, path)
        graph = onnx.load(path)
        weight = next(i for i in graph.graph.initializer if i.name.endswith("prognostic_head.weight"))
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.001), weight.name))
        onnx.save(graph, path)

    monkeypatch.setattr(under_test, "_save", spoiled)
    (tmp_path / "a.onnx").write_text("mine")
    with pytest.raises(ValueError, match=r"The graph differs from the checkpoint in \d+ of \d+ rows"):
        export_step("best.ckpt", tmp_path / "a.onnx", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]
    assert (tmp_path / "a.onnx").read_text() == "mine"


def test_network_that_is_not_exportable_is_refused():
    """The error names the part and an alternative."""

    class Trees(nn.Module):
        exportable = False

    step = case.export_step()
    step.model.model.network = Trees()
    with pytest.raises(ValueError, match=r"contains \['Trees'\], which ONNX .* Train another network"):
        check_exportable(replace(step))


def test_licence_of_the_shipped_network():
    """The checksum identifies the packaged network; for other weights no licence is stated."""
    record = pretrained_record()
    assert under_test._licence(record["sha256"]) == record["licence"]
    assert under_test._licence("0" * 64) != record["licence"]


#: Units of the last place that the value may be away: logarithm and exponential of onnxruntime are not exact either.
ULPS = 6

FUNCTIONS = {
    "log1p": (torch.log1p, np.log1p, [-0.999, -0.3, -1e-3, -1e-8, -1e-30, 0.0, 1e-12, 1e-5, 0.1, 3.0, 1e6]),
    "expm1": (torch.expm1, np.expm1, [-200.0, -20.0, -1.0, -1e-4, -1e-9, -1e-30, 0.0, 1e-12, 1e-3, 0.7, 30.0]),
    "softplus": (
        torch.nn.functional.softplus,
        lambda x: np.where(x > 20.0, x, np.log1p(np.exp(x))),
        [-40.0, -20.0, -3.0, 0.0, 1.0, 19.9, 20.1, 80.0],
    ),
    "log10": (torch.log10, np.log10, [1e-12, 0.1, 0.5, 2.0, 10.0, 1e9]),
    "constant": (lambda x: x * 0.1 + 273.16, lambda x: x * 0.1 + 273.16, [-1.0, 0.0, 1e-3, 50.0]),
    "full_like": (lambda x: x + torch.full_like(x, 0.85), lambda x: x + 0.85, [-1.0, 0.0, 1e-3]),
}


class Functions(torch.nn.Module):
    def __init__(self, names):
        super().__init__()
        self.names = names

    def forward(self, *arguments):
        return tuple(FUNCTIONS[name][0](x) for name, x in zip(self.names, arguments, strict=True))


def errors(arguments, table):
    """Export a graph and return the largest distances of its values from the exact ones [units of the last place]."""
    tensors = tuple(torch.from_numpy(x) for x in arguments.values())
    program = torch.onnx.export(
        Functions(list(arguments)).eval(), tensors, dynamo=True, opset_version=OPSET, custom_translation_table=table,
        optimize=False, verbose=False, input_names=[f"{name}_argument" for name in arguments],
    )  # fmt: skip
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    found, given = {}, {f"{name}_argument": x for name, x in arguments.items()}
    for (name, x), values in zip(arguments.items(), session.run(None, given), strict=True):
        expected = FUNCTIONS[name][1](x.astype(np.longdouble)).astype(x.dtype)
        found[name] = float(np.max(np.abs(values - expected) / np.spacing(np.abs(expected))))
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_digits_are_kept(dtype):
    """Values near zero, at zero and far away are right within a few units of the last place."""
    found = errors({name: np.array(row[2], dtype=dtype) for name, row in FUNCTIONS.items()}, translations())
    assert {name: ulps for name, ulps in found.items() if ulps > ULPS} == {}


def test_torchs_own_translation_loses_them():
    """Torch's own translation loses small arguments. If this fails, ours can go."""
    x = np.array([1e-9, 1e-5], dtype="float32")
    assert min(errors({"log1p": x, "expm1": x}, {}).values()) > 1000


def test_softplus_of_another_slope_is_refused():
    """Another slope is an error, as it would be written wrongly."""
    with pytest.raises(ValueError, match=r"beta = 2.0 has no translation"):
        softplus(None, 2.0)
