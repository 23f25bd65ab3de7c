# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Export: the step as a host calls it, its graph, and their agreement; the real command is in tests/integration."""

import io
import json
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.export import onnx_export as under_test
from anemoi_ailand.export.host_step import HostStep, sun_columns
from anemoi_ailand.export.onnx_check import LIMITS, Rows, compare, place_time, sample_rows
from anemoi_ailand.export.onnx_export import METADATA_KEY, check_exportable, export_step, graph_of
from anemoi_ailand.export.onnx_operators import OPSET, softplus, translations
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.rollout.step.pretrained import pretrained_record
from anemoi_ailand.variables import END, START, Role, variable
from tests.support import stepper as case

HOURS_6 = timedelta(hours=6)


@pytest.fixture(scope="module")
def shipped():
    return PhysicalStep(load_step("ailand"))


def arguments(host, n=16):
    """Random values, each other than all others."""
    generator = torch.Generator().manual_seed(3)
    return {k: torch.rand(n, len(c), generator=generator) for k, c in host.columns.items()}


def test_columns_are_those_of_the_step(shipped):
    """State and static fields come once, forcing at the ends of the table; sun and calendar are optional."""
    inside, outside = HostStep(shipped), HostStep(shipped, sun_inside=False)
    assert inside.columns["state"] == inside.results["new_state"] == shipped.prognostic
    assert {variable(n).role for n in inside.columns["static"]} == {Role.STATIC, Role.CATEGORY}
    for end, argument in ((START, "forcing_start"), (END, "forcing_end")):
        assert all(end in variable(n).taken for n in outside.columns[argument])
        assert set(outside.columns[argument]) - set(inside.columns[argument]) <= set(COMPUTED)
    every = {n for columns in outside.columns.values() for n in columns}
    assert every == set(shipped.inputs)
    assert "place_time" in inside.columns
    assert "place_time" not in outside.columns


def test_sun_inside_is_sun_outside(shipped):
    """The step is the same at all points of the sample over a year; without place and time it is an error."""
    inside, outside = (HostStep(shipped, sun_inside=s) for s in (True, False))
    rows = sample_rows(outside, torch.float32)
    given = {k: torch.from_numpy(v) for k, v in rows.arguments.items()}
    with torch.inference_mode():
        got = outside(**given)
    agreement = compare([g.numpy() for g in got], inside, sample_rows(inside, torch.float32), LIMITS[torch.float32])
    assert agreement.rows == len(rows.where)
    assert agreement.undecided <= 2
    with pytest.raises(ValueError, match="`place_time`, which is not given"):
        inside(**given)


def test_values_are_those_of_the_physical_step():
    """Each column reaches its place at both ends, and results come from theirs."""
    host = case.host(sun_inside=False)
    given = arguments(host)
    ends = []
    for own in ("forcing_start", "forcing_end"):
        fields = {n: column for k in ("forcing_end", "forcing_start", "static", "state", own)
                  for n, column in zip(host.columns[k], given[k].unbind(-1), strict=True)}  # fmt: skip
        ends.append(torch.stack([fields[n] for n in host.step.inputs], dim=-1))
    expected = dict(zip(host.step.outputs, host.step(*ends).unbind(-1), strict=True))
    for columns, found in zip(host.results.values(), host(**given), strict=True):
        assert torch.equal(found, torch.stack([expected[n] for n in columns], dim=-1))


@pytest.mark.parametrize(
    "date", [datetime(2021, 12, 31, 18), datetime(2020, 2, 29, 6), datetime(2022, 6, 21, 12), datetime(2020, 12, 31)]
)
def test_sun_is_that_of_the_package(date):
    """All values agree in single precision at day and night, at the poles and the date line."""
    latitudes, longitudes = np.linspace(-90.0, 90.0, 73), np.linspace(-180.0, 360.0, 73)
    place = torch.from_numpy(place_time(latitudes, longitudes, date, date + HOURS_6))
    expected = compute(COMPUTED, [date, date + HOURS_6], latitudes, longitudes)
    for k in range(2):
        found = sun_columns(COMPUTED, place[:, :2], place[:, 2 + k])
        np.testing.assert_allclose(found.numpy().T, expected[:, k], rtol=0, atol=6e-8)  # half a unit of float32


LIMIT = LIMITS[torch.float32]


@pytest.fixture(scope="module")
def known():
    """Step, rows, and its own results."""
    host, rows = case.host(), case.rows()
    with torch.inference_mode():
        got = host(**{k: torch.from_numpy(v) for k, v in rows.arguments.items()})
    return host, rows, [g.numpy() for g in got]


def changed(got, row, column, by):
    """The new state with one value moved by a part of itself."""
    state = got[0].copy()
    state[row, column] *= 1.0 + by
    return [state, got[1]]


def test_one_wrong_value_is_found(known):
    """The error has variable, date, point and both values; NaN is a difference, half the limit is accepted."""
    host, rows, got = known
    agreement = compare(got, host, rows, LIMIT)
    assert (agreement.rows, agreement.undecided, max(agreement.largest.values())) == (200, 0, 0.0)
    with pytest.raises(ValueError, match="nan instead of"):
        compare(changed(got, 3, 0, np.nan), host, rows, LIMIT)
    column = host.results["new_state"].index("stl1")
    assert compare(changed(got, 60, column, 0.5 * LIMIT), host, rows, LIMIT).largest["stl1"] > 0
    with pytest.raises(ValueError, match=r"in 1 of 200 rows .* 'stl1' at 2022-.* point \d+ of the sample: .* removed"):
        compare(changed(got, 60, column, 3 * LIMIT), host, rows, LIMIT)


class Jump:
    """A step that jumps at ``x = 1``, and otherwise gives x."""

    def __init__(self):
        self.columns, self.results = {"state": ("a",)}, {"new_state": ("a",), "diagnostics": ()}
        self.step = SimpleNamespace(outputs=("a",), output_factors=torch.ones(1))

    def __call__(self, state):
        return torch.where(state >= 1.0, state + 5.0, state), state[:, :0]


def test_rows_at_a_jump_are_counted_not_refused():
    """A row where rounding of the input makes the checkpoint jump is counted."""
    x = np.array([[0.5], [1.0], [2.0]], dtype=np.float32)
    rows, nothing = Rows({"state": x}, ["", "here", ""]), np.zeros((3, 0), dtype=np.float32)
    below = np.array([[0.5], [1.0], [7.0]], dtype=np.float32)  # as if the second were just below 1
    agreement = compare([below, nothing], Jump(), rows, LIMIT)
    assert agreement.undecided == 1
    assert "1 rows exceed the limit" in str(agreement)
    with pytest.raises(ValueError, match="in 1 of 3 rows"):
        compare([np.array([[0.5], [6.0], [2.0]], dtype=np.float32), nothing], Jump(), rows, LIMIT)


def test_rows_are_real_states():
    """Rows are all points of the sample over a year, finite, with the columns of the step."""
    for dtype, sun_inside in ((torch.float32, True), (torch.float64, False)):
        host = case.host(sun_inside=sun_inside)
        rows = sample_rows(host, dtype)
        assert {k: v.shape for k, v in rows.arguments.items()} == {
            k: (len(rows.where), len(c)) for k, c in host.columns.items()
        }
        assert all(np.isfinite(v).all() for v in rows.arguments.values())
        assert rows.arguments["state"].dtype == str(dtype).removeprefix("torch.")
    warm = rows.arguments["state"][:, host.columns["state"].index("stl1")]
    assert warm.min() < 260 < 300 < warm.max()


def test_days_are_counted_from_the_new_year():
    """A step over new year has each end in its own year."""
    found = place_time(np.array([50.0]), np.array([7.0]), datetime(2020, 12, 31, 18), datetime(2021, 1, 1))
    np.testing.assert_array_equal(found, [[50.0, 7.0, 365.75, 0.0]])


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
    assert sorted(p.name for p in path.parent.iterdir()) == ["small.onnx", "small.onnx.sha256", "small.onnx.txt"]
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
