# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What all outputs have in common: restarts, ensembles, means, choice of points, checks before the first step."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anemoi_ailand.rollout.outputs import output_chunks
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.variables import VARIABLES, variable
from tests.support.outputs import (
    KINDS,
    N_POINTS,
    NAMES,
    PROGNOSTIC,
    START,
    STEP,
    assert_same,
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


@pytest.fixture(params=list(KINDS))
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where an output of each format goes."""
    return tmp_path / request.param


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("case", list(CASES))
def test_killed_run_goes_on_to_the_same_result(path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL between two restarts: the joined result is that of the run that was not stopped, to the last bit."""
    options = {**CASES[case]}
    members, every = options.pop("members_of_run", None), options.pop("every", 10)
    steps, stop = options.pop("steps", 47), options.pop("stop", 38)
    monkeypatch.setattr(output_chunks, "CHUNK_TIMES", 8)  # several blocks between two restarts
    killed(path, stop, members, every, **options)
    assert not path.exists()
    resumed(path, steps, members, every, **options)
    undisturbed = path.with_name(f"undisturbed{path.suffix}")
    assert_same(path, whole(undisturbed, steps, members, every, **options))
    left = {p.name for p in path.parent.iterdir()}
    assert left == {path.name, undisturbed.name, "restart.json"}


def test_restarts_do_not_change_the_result(path: Path) -> None:
    """With and without, it is the same file, if the chunks are."""
    chunks = {"time": 6, "point": 3}
    without = path.with_name(f"without{path.suffix}")
    assert_same(whole(path, 30, every=7, chunks=chunks), whole(without, 30, chunks=chunks))


def test_resumed_run_keeps_to_the_chunks(path: Path) -> None:
    """It may have its restarts at other steps."""
    killed(path, 75, None, 20)
    resumed(path, 130, None, 25)
    assert_same(path, whole(path.with_name(f"undisturbed{path.suffix}"), 130, every=20))


@pytest.mark.parametrize("back", [1, 2])
def test_older_restart_is_good_too(path: Path, back: int) -> None:
    """The newest restart file may be damaged: what came after an older one is dropped."""
    output, kept = made(path, means="day"), []
    output.restart_every = 3
    output.open(state(0, PROGNOSTIC))
    for k in range(1, 18):
        output.write_state(state(k))
        if k % 3 == 0:
            kept.append((k, output.make_durable()))
    remember(path, *kept[-1 - back])
    resumed(path, 20, None, 3, means="day")
    assert_same(path, whole(path.with_name(f"undisturbed{path.suffix}"), 20, every=3, means="day"))


def test_stopped_twice(path: Path) -> None:
    """And the second time before it had another restart."""
    killed(path, 25, None, 10)
    for _ in range(2):
        output, restart = made(path), json.loads((path.parent / "restart.json").read_text())
        output.restart_every = 10
        output.resume(state(20), restart["progress"])
        output.write_state(state(99))
    resumed(path, 33, None, 10)
    assert_same(path, whole(path.with_name(f"undisturbed{path.suffix}"), 33, every=10))
    assert opened(path).attrs["history"].count("resumed") == 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"variables": ["stl1"]}, "variables"), ({"means": "day"}, "means"), ({"output_frequency": "12h"}, "frequency"),
        ({"points": {"indices": [0]}}, "points"), ({"compression": 1}, "compression"),
    ],
)  # fmt: skip
def test_resume_refuses_another_configuration(path: Path, change: dict[str, Any], named: str) -> None:
    """The error says what differs; what is there stays."""
    killed(path, 12, None, 10)
    with pytest.raises(ValueError, match=named):
        resumed(path, 20, None, 10, **change)
    assert opened(resumed(path, 20, None, 10)).sizes["time"] == 21


def test_resume_refuses_another_checkpoint(path: Path) -> None:
    """By its checksum."""
    killed(path, 12, None, 10)
    (path.parent / "best.ckpt").write_bytes(b"another")
    with pytest.raises(ValueError, match="checkpoint_sha256"):
        resumed(path, 20, None, 10)


def test_resume_refuses_other_points(path: Path) -> None:
    """Of the same number."""
    killed(path, 12, None, 10)
    restart, moved = json.loads((path.parent / "restart.json").read_text()), state(10)
    moved["latitudes"] = moved["latitudes"] + 1.0
    output = made(path)
    with pytest.raises(ValueError, match="same points"):
        output.resume(moved, restart["progress"])


def test_resume_refuses_what_is_gone_or_of_another_run(path: Path) -> None:
    """A result that is complete, and the restart file of an earlier run."""
    killed(path, 12, None, 10)
    old = (path.parent / "restart.json").read_text()
    resumed(path, 20, None, 10)
    with pytest.raises(FileNotFoundError, match=r"is complete; else start anew"):
        resumed(path, 20, None, 10)
    killed(path, 12, None, 10)
    (path.parent / "restart.json").write_text(old)
    with pytest.raises(ValueError, match="of a later run"):
        resumed(path, 20, None, 10)


def test_longer_run_has_the_new_lead_time(path: Path) -> None:
    """All other attributes are of the start."""
    killed(path, 12, None, 10)
    output, restart = made(path), json.loads((path.parent / "restart.json").read_text())
    output.context.lead_time = 99 * STEP
    output.resume(state(10), restart["progress"])
    output.close()
    assert opened(path).attrs["lead_time"] == str(99 * STEP)


def test_durable_without_restarts_is_refused(path: Path) -> None:
    """A runner must say so before it opens."""
    output = made(path)
    output.open(state(0, PROGNOSTIC))
    with pytest.raises(RuntimeError, match="Set `restart_every` before `open`"):
        output.make_durable()


def test_values_that_members_do_not_divide_are_refused(path: Path) -> None:
    """A mistake of the caller."""
    with pytest.raises(ValueError, match="5 values for 2 members"):
        made(path).open({**state(0), "members": 2})


def test_means_over_days(path: Path) -> None:
    """Of the four stamps in (0, 24] UTC, at the start of the day, with its bounds; an unfinished day has none."""
    run = opened(whole(path, 10, means="day"))
    assert run.sizes["time"] == 2
    expected = np.mean([state(k)["fields"]["swvl1"].astype("f8") for k in range(5, 9)], axis=0)
    np.testing.assert_array_equal(run.swvl1[1], expected.astype("f4"))
    hours = (START - type(START)(1970, 1, 1)) // STEP * 6
    np.testing.assert_array_equal(run.time_bnds, [[hours, hours + 24], [hours + 24, hours + 48]])
    np.testing.assert_array_equal(run.time, [hours, hours + 24])
    assert {run[variable(n).netcdf_name].attrs["cell_methods"] for n in NAMES} == {"time: mean"}


def test_means_take_every_step(path: Path) -> None:
    """Whatever the output frequency of the run; one of the output's own contradicts them."""
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
    """In the order asked for, with their coordinates, of every member."""
    run = opened(whole(path, 2, ensemble=2, points={"indices": [3, 0]}))
    np.testing.assert_array_equal(run.longitude, state(0)["longitudes"][[3, 0]])
    np.testing.assert_array_equal(run.stl1[1, 1], state(1, members=2)["fields"]["stl1"][[N_POINTS + 3, N_POINTS]])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"mean": "day"}, "no option 'mean'. Did you mean 'means'"),
        ({"compresion": 4}, "no option 'compresion'. Did you mean 'compression'"),
        ({"outputfrequency": 6}, "Did you mean 'output_frequency'"),
        ({"points": {"box": [1, 0, 0, 1]}}, "no option 'box'"), ({"chunks": {"times": 3}}, "Did you mean 'time'"),
    ],
)  # fmt: skip
def test_unknown_option_is_an_error_with_the_nearest(path: Path, options: dict[str, Any], named: str) -> None:
    """Never skipped."""
    with pytest.raises(TypeError, match=named):
        made(path, **options)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"means": "week"}, r"`means` is 'week'. Give one of \['day', 'month'\]"),
        ({"statistics": ["median"]}, r"\['median'\]"), ({"members": False}, "leaves nothing to write"),
        ({"layout": "maps"}, r"`layout` is 'maps'"),
        ({"layout": "map", "chunks": {"time": 1, "point": 1}}, "no `layout`"),
    ],
)  # fmt: skip
def test_wrong_value_is_an_error(path: Path, options: dict[str, Any], named: str) -> None:
    """With what is allowed."""
    with pytest.raises(ValueError, match=named):
        made(path, **options)


def test_other_points_than_at_the_start_are_refused(path: Path) -> None:
    """A post-processor of the output had changed them."""
    output, other = made(path), state(1)
    output.open(state(0))
    other["fields"]["stl1"] = np.zeros(3, dtype="f4")
    with pytest.raises(ValueError, match=r"'stl1' has shape \(3,\).*choose them with `points`"):
        output.write_state(other)


@pytest.mark.parametrize("case", ["plain", "days", "members", "statistics of days", "every other step"])
def test_required_space_is_an_upper_bound(path: Path, case: str) -> None:
    """Of what is written when nothing is compressed, and not by orders of magnitude."""
    options = {**CASES[case]}
    members = options.pop("members_of_run", None)
    whole(path, 400, members, compression=0, **options)
    taken = sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*")))
    bound = made(path, **options).required_bytes(401, N_POINTS * (members or 1), members or 1)
    assert taken < bound < taken + 2**21


def test_check_of_the_folder_leaves_nothing(path: Path) -> None:
    """Where it can be made, it is not; where a file is in its place, the error says so."""
    output = made(path.parent / "new" / "deep" / path.name)
    output.check_writable()
    assert list(path.parent.iterdir()) == []
    assert output.folder == path.parent / "new" / "deep"
    (path.parent / "new").write_text("a file")
    with pytest.raises(OSError, match=r"cannot be written to the folder.*new"):
        output.check_writable()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_is_named_and_what_was_durable_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the writing thread is raised in the next call; a later run goes on from the last restart."""
    output = made(path)
    output.restart_every = 10
    output.open(state(0, PROGNOSTIC))
    output.write_initial_state(state(0, PROGNOSTIC))
    for k in range(1, 11):
        output.write_state(state(k))
    remember(path, 10, output.make_durable())
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


def test_unfinished_month_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The last month of a run that ends in it has no mean."""
    with caplog.at_level(logging.WARNING):
        whole(path, 130, means="month")
    assert "No mean over the month from 2022-02-01: only 6 of its steps are in the run" in caplog.text
    assert opened(path).sizes["time"] == 1


def test_writer_runs_beside_the_model(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are written in another thread than that of the caller, in order."""
    import threading

    seen: list[tuple[bool, int]] = []
    write = KINDS[f"f{path.suffix}"]._write

    def watched(self: LandOutput, block: Any) -> None:
        seen.append((threading.current_thread() is threading.main_thread(), self._rows))
        write(self, block)

    monkeypatch.setattr(output_chunks, "CHUNK_TIMES", 4)
    monkeypatch.setattr(KINDS[f"f{path.suffix}"], "_write", watched)
    whole(path, 19)
    assert [main for main, _ in seen] == [False] * 5
    for name in NAMES:
        expected = [state(k)["fields"][name] for k in range(1, 20)]
        np.testing.assert_array_equal(opened(path)[VARIABLES[name].netcdf_name][1:], expected)


def test_configuration_is_recorded(path: Path) -> None:
    """As JSON."""
    from pydantic import BaseModel

    class Config(BaseModel):
        lead_time: str = "10d"

    output = made(path)
    output.context.config = Config()
    output.open(state(0))
    output.write_state(state(1))
    output.close()
    assert json.loads(opened(path).attrs["configuration"]) == {"lead_time": "10d"}


def test_nothing_is_left_open(path: Path) -> None:
    """A closed output may be opened again, and closing twice does nothing."""
    output = made(path)
    for _ in range(2):
        output.open(state(0))
        output.write_state(state(1))
        output.close()
        output.close()
    assert list(path.parent.iterdir()) == [path]
