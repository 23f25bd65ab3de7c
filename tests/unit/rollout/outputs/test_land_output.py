# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Behaviour of all outputs: restarts, means, selections, options, checks before the first step."""

import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import create_model

from anemoi_ailand.constants import TASK_NAME
from anemoi_ailand.rollout.outputs import output_frame
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.variables import VARIABLES, variable
from tests.support.outputs import (
    FILES,
    KINDS,
    N_POINTS,
    NAMES,
    PROGNOSTIC,
    START,
    STEP,
    assert_same,
    begun,
    killed,
    made,
    opened,
    remember,
    resumed,
    state,
    whole,
)  # fmt: skip

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "days": {"means": "day"},
    "months": {"means": "month", "steps": 300, "every": 70, "stop": 200},
    "members": {"members_of_run": 3},
    "statistics of days": {
        "members_of_run": 4,
        "means": "day",
        "statistics": ["mean", "spread", "q10"],
        "members": True,
    },
    "points, chunks": {"points": {"indices": [4, 1]}, "chunks": {"time": 3, "point": 1}},
    "every other step": {"output_frequency": "12h", "write_initial_state": False},
    "series": {"layout": "series", "compression": 0},
}


@pytest.fixture(params=FILES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Path of an output, in each format."""
    return tmp_path / request.param


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("case", list(CASES))
def test_killed_run_resumes_to_the_same_result(path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After SIGKILL between two restarts, the result is bitwise that of an undisturbed run."""
    options = {**CASES[case]}
    members, every = options.pop("members_of_run", None), options.pop("every", 10)
    steps, stop = options.pop("steps", 47), options.pop("stop", 38)
    monkeypatch.setattr(output_frame, "CHUNK_TIMES", 8)  # several blocks between two restarts
    monkeypatch.setattr(output_frame, "LEAST_BYTES", 0)
    killed(path, stop, members, every, **options)
    assert not path.exists()
    resumed(path, steps, members, every, **options)
    undisturbed = path.with_name(f"undisturbed{path.suffix}")
    assert_same(path, whole(undisturbed, steps, members, every, **options))
    left = {p.name for p in path.parent.iterdir()}
    assert left == {path.name, undisturbed.name, "restart.json"}


def test_restarts_do_not_change_the_result(path: Path) -> None:
    """With the same chunks, a run with restarts gives the same file as one without."""
    chunks = {"time": 6, "point": 3}
    without = path.with_name(f"without{path.suffix}")
    assert_same(whole(path, 30, every=7, chunks=chunks), whole(without, 30, chunks=chunks))


def test_resumed_run_keeps_to_the_chunks(path: Path) -> None:
    """A resumed run with another restart interval keeps the chunks of the first run."""
    killed(path, 75, None, 20)
    resumed(path, 130, None, 25)
    assert_same(path, whole(path.with_name(f"undisturbed{path.suffix}"), 130, every=20))


def test_older_restart_is_valid(path: Path) -> None:
    """A run can resume from an older restart; later times are dropped."""
    output, kept = begun(path, 0, every=3, means="day"), []
    for k in range(1, 18):
        output.write_state(state(k))
        if k % 3 == 0:
            kept.append((k, output.make_durable()))
    remember(path, *kept[-3])
    resumed(path, 20, None, 3, means="day")
    assert_same(path, whole(path.with_name(f"undisturbed{path.suffix}"), 20, every=3, means="day"))


def test_stopped_twice(path: Path) -> None:
    """A run can be stopped again before its next restart."""
    killed(path, 25, None, 10)
    for _ in range(2):
        output, restart = made(path), json.loads((path.parent / "restart.json").read_text())
        output.restart_every = 10
        output.resume(state(20), restart["progress"])
        output.write_state(state(99))
    resumed(path, 33, None, 10)
    assert_same(path, whole(path.with_name(f"undisturbed{path.suffix}"), 33, every=10))
    assert opened(path).attrs["history"].count("resumed") == 3


def test_resume_refuses_another_checkpoint(path: Path) -> None:
    """The checkpoint is compared by its checksum."""
    killed(path, 12, None, 10)
    (path.parent / "best.ckpt").write_bytes(b"another")
    with pytest.raises(ValueError, match="checkpoint_sha256"):
        resumed(path, 20, None, 10)


def test_resume_refuses_a_complete_run_and_an_earlier_one(path: Path) -> None:
    """A complete result and a restart file of an earlier run are refused."""
    killed(path, 12, None, 10)
    old = (path.parent / "restart.json").read_text()
    resumed(path, 20, None, 10)
    with pytest.raises(FileNotFoundError, match=r"is complete; else start a new run"):
        resumed(path, 20, None, 10)
    killed(path, 12, None, 10)
    (path.parent / "restart.json").write_text(old)
    with pytest.raises(ValueError, match="to a later run"):
        resumed(path, 20, None, 10)


def test_values_are_copied(path: Path) -> None:
    """A runner may reuse its arrays for the next step."""
    output, moving = made(path), state(1)
    output.open(moving)
    output.write_state(moving)
    for values in moving["fields"].values():
        values[:] = -1.0
    output.close()
    np.testing.assert_array_equal(opened(path).swvl1[0], state(1)["fields"]["swvl1"])


def test_failed_run_leaves_an_earlier_result_alone(path: Path) -> None:
    """The output grows under another name; an earlier result stays until a later run is complete."""
    whole(path, 1, points={"indices": [0]})
    begun(path, 1)
    assert {p.name for p in path.parent.iterdir()} == {path.name, f"{path.name}.partial"}
    assert opened(path).swvl1.shape == (2, 1)
    assert opened(whole(path, 3)).swvl1.shape == (4, N_POINTS)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("where", ["output", "runner"])
def test_output_frequency(path: Path, where: str) -> None:
    """The output frequency may be an option of the output or of the run."""
    output = made(path, **({"output_frequency": "12h"} if where == "output" else {}))
    output.context.output_frequency = "12h" if where == "runner" else None
    output.open(state(0, PROGNOSTIC))
    output.write_initial_state(state(0, PROGNOSTIC))
    for k in range(1, 6):
        output.write_state(state(k))
    output.close()
    np.testing.assert_array_equal(np.diff(opened(path).time), [12, 12])


def test_initial_state_can_be_left_out(path: Path) -> None:
    """The first time is then the end of the first step."""
    run = opened(whole(path, 2, write_initial_state=False))
    assert run.time.values[0] - run.forecast_reference_time.values == 6


@pytest.mark.parametrize(
    ("options", "chunk"),
    [({"layout": "map"}, (64, 5)), ({"layout": "series"}, (1460, 5)), ({"chunks": {"time": 7, "point": 2}}, (7, 2))],
)
def test_chunks_are_those_asked_for(path: Path, options: dict[str, Any], chunk: tuple[int, int]) -> None:
    """Chunks follow the options, with and without restarts."""
    for every in (None, 6):
        run = opened(whole(path, 20, every=every, **options))
        encoding = run.swvl1.encoding
        assert encoding.get("chunksizes", encoding.get("chunks")) == chunk
        np.testing.assert_array_equal(run.swvl1[20], state(20)["fields"]["swvl1"])


@pytest.mark.parametrize("compression", [0, 9])
def test_compression(path: Path, compression: int) -> None:
    """The level of compression is that asked for."""
    run = opened(whole(path, 3, compression=compression))
    encoding = run.swvl1.encoding
    compressor = encoding.get("compressor")
    level = encoding.get("complevel", compressor.clevel if compressor else 0)
    assert level == compression
    np.testing.assert_array_equal(run.swvl1[2], state(2)["fields"]["swvl1"])


def test_means_over_days(path: Path) -> None:
    """A day has the mean of its stamps in (0, 24] UTC, at its start with bounds; an unfinished day has none."""
    run = opened(whole(path, 10, means="day"))
    assert run.sizes["time"] == 2
    expected = np.mean([state(k)["fields"]["swvl1"].astype("f8") for k in range(5, 9)], axis=0)
    np.testing.assert_array_equal(run.swvl1[1], expected.astype("f4"))
    hours = (START - type(START)(1970, 1, 1)) // STEP * 6
    np.testing.assert_array_equal(run.time_bnds, [[hours, hours + 24], [hours + 24, hours + 48]])
    np.testing.assert_array_equal(run.time, [hours, hours + 24])
    assert {run[variable(n).netcdf_name].attrs["cell_methods"] for n in NAMES} == {"time: mean"}


def test_means_take_every_step(path: Path) -> None:
    """Means ignore the output frequency of the run, and exclude one of the output."""
    output = made(path, means="day")
    output.context.output_frequency = "12h"
    output.open(state(0))
    for k in range(1, 5):
        output.write_state(state(k))
    output.close()
    assert opened(path).sizes["time"] == 1
    with pytest.raises(ValueError, match="Give one of them"):
        made(path, means="day", output_frequency="12h")


def test_points_are_chosen(path: Path) -> None:
    """Points are written in the order asked for, with their coordinates, for every member."""
    run = opened(whole(path, 2, ensemble=2, points={"indices": [3, 0]}))
    np.testing.assert_array_equal(run.longitude, state(0)["longitudes"][[3, 0]])
    np.testing.assert_array_equal(run.stl1[1, 1], state(1, members=2)["fields"]["stl1"][[N_POINTS + 3, N_POINTS]])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"means": "week"}, r"`means` is 'week'. Give one of \['day', 'month'\]"),
        ({"members": False}, "leaves nothing to write"),
        ({"layout": "maps"}, r"`layout` is 'maps'"),
        *(({"compression": c}, f"`compression` is {c}. Give a level from 0 to 9") for c in (10, -1, 2.5, "high", None)),
        *(({"variables": v}, r"the model predicts \['swvl1', 'stl1', '2t', 'slhf'\]")
          for v in (["swvl1", "swvl9"], {"drop": ["tp"]}, {"drop": ["*"]})),
        ({"layout": "map", "chunks": {"time": 1, "point": 1}}, "no `layout`"),
    ],
)  # fmt: skip
def test_wrong_value_is_an_error(path: Path, options: dict[str, Any], named: str) -> None:
    """A wrong value is refused with the allowed ones."""
    with pytest.raises(ValueError, match=named):
        made(path, **options)


def test_states_of_another_shape_are_refused(path: Path) -> None:
    """Members divide the number of values; other points than at the start, from a post-processor, are refused."""
    with pytest.raises(ValueError, match="5 values for 2 members"):
        made(path).open({**state(0), "members": 2})
    output, other = made(path), state(1)
    output.open(state(0))
    other["fields"]["stl1"] = np.zeros(3, dtype="f4")
    with pytest.raises(ValueError, match=r"'stl1' has shape \(3,\).*choose them with `points`"):
        output.write_state(other)


@pytest.mark.parametrize("case", ["plain", "days", "members", "statistics of days", "every other step"])
def test_required_space_is_an_upper_bound(path: Path, case: str) -> None:
    """The bound exceeds the uncompressed size, by less than 3 MiB."""
    options = {**CASES[case]}
    members = options.pop("members_of_run", None)
    whole(path, 400, members, compression=0, **options)
    taken = sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*")))
    bound = made(path, **options).required_bytes(401, N_POINTS * (members or 1), members or 1)
    assert taken < bound < taken + 3 * 2**20


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_is_named_and_durable_times_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call raises the error of the background thread; a later run resumes from the last restart."""
    monkeypatch.setattr(output_frame, "LEAST_BYTES", 0)
    output = begun(path, 10, every=10)
    with monkeypatch.context() as patch:
        patch.setattr(type(output), "_write", lambda self, block: Path("/dev/full").write_bytes(bytes(2**16)))
        with pytest.raises(OSError, match=rf"No space left to write '.*{path.name}'.*bytes are free") as caught:
            for k in range(11, 200):
                output.write_state(state(k))
        assert caught.value.errno == 28
        with pytest.raises(OSError, match="No space left"):
            output.close()
    resumed(path, 22, None, 10)
    assert_same(path, whole(path.with_name(f"undisturbed{path.suffix}"), 22, every=10))


def test_writer_runs_parallel_to_the_model(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are written in order by another thread."""
    seen: list[tuple[bool, int]] = []
    write = KINDS[path.suffix]._write

    def watched(self: LandOutput, block: Any) -> None:
        seen.append((threading.current_thread() is threading.main_thread(), self._rows))
        write(self, block)

    monkeypatch.setattr(output_frame, "CHUNK_TIMES", 4)
    monkeypatch.setattr(output_frame, "LEAST_BYTES", 0)
    monkeypatch.setattr(KINDS[path.suffix], "_write", watched)
    whole(path, 19)
    assert [main for main, _ in seen] == [False] * 5
    for name in NAMES:
        expected = [state(k)["fields"][name] for k in range(1, 20)]
        np.testing.assert_array_equal(opened(path)[VARIABLES[name].netcdf_name][1:], expected)


def test_configuration_is_recorded(path: Path) -> None:
    """The configuration of the run is an attribute in JSON."""
    output = made(path)
    output.context.config = create_model("Config", lead_time=(str, "10d"))()
    output.open(state(0))
    output.write_state(state(1))
    output.close()
    assert json.loads(opened(path).attrs["configuration"]) == {"lead_time": "10d"}


def test_nothing_is_left_open(path: Path) -> None:
    """A closed output can be opened again; closing one that is not open does nothing."""
    output = made(path)
    output.close()
    for _ in range(2):
        output.open(state(0))
        output.write_state(state(1))
        output.close()
        output.close()
    assert list(path.parent.iterdir()) == [path]


def test_resume_refuses_another_configuration(path: Path) -> None:
    """The error says what differs, and the files of the stopped run stay."""
    killed(path, 12, None, 10)
    changes: list[dict[str, Any]] = [
        {"variables": ["stl1"]}, {"means": "day"}, {"output_frequency": "12h"}, {"points": {"indices": [0]}},
        {"compression": 2},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(ValueError, match=next(iter(change))):
            resumed(path, 20, None, 10, **change)
    assert opened(resumed(path, 20, None, 10)).sizes["time"] == 21


def test_variables_are_selected(path: Path) -> None:
    """Variables are selected by name or pattern."""
    for variables, expected in ((["swvl*"], ["swvl1"]), ("2t", ["t2m"]), ({"drop": ["slhf", "2t"]}, ["swvl1", "stl1"])):
        run = opened(whole(path, 1, variables=variables))
        assert set(run.data_vars) - {"time_bnds", "forecast_reference_time"} == set(expected)


def test_unknown_option_names_the_nearest(path: Path) -> None:
    """A misspelt option is an error, with the nearest known one, also within a mapping."""
    for options, nearest in (({"compresion": 4}, "compression"), ({"chunks": {"times": 3}}, "time")):
        with pytest.raises(TypeError, match=f"Nearest: .*'{nearest}'"):
            made(path, **options)


def test_checkpoint_of_another_task_is_refused(path: Path) -> None:
    """With `runner: auto` the checkpoint would run with the runner of that task."""
    with pytest.raises(ValueError, match=f"best.ckpt is of task 'forecaster', not '{TASK_NAME}'"):
        made(path, task="forecaster")
