# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Restart files of a run, its progress, and a request to stop."""

import os
import signal
import threading
from datetime import datetime, timedelta

import numpy as np
import pytest

from anemoi_ailand.rollout.run import progress as under_test
from anemoi_ailand.rollout.run.progress import Progress
from anemoi_ailand.rollout.run.restart import Restart, Restarts, Stopped, StopRequest
from anemoi_ailand.rollout.step.state_file import write_restart

IDENTITY = {"date": "2022-01-01", "input": {"dataset": "a.zarr"}, "ensemble": None}


def restarts(tmp_path, identity=IDENTITY, checkpoint="abc", keep=2):
    return Restarts(tmp_path / "restarts", identity, checkpoint, keep)


def restart(number):
    rng = np.random.default_rng(number)
    date = datetime(2022, 1, 1) + number * timedelta(hours=6)
    outputs = [{"run": "x", "number": number, "secured": {"parts": 2}}, {"times": 3, "waits": None}]
    return Restart(date, number, {"state": rng.random((4, 3)).astype("f4"), "held_t": rng.random(4)}, outputs)


def same(found, expected):
    assert (found.date, found.number, found.outputs) == (expected.date, expected.number, expected.outputs)
    assert set(found.arrays) == set(expected.arrays)
    for name, values in expected.arrays.items():
        assert found.arrays[name].tobytes() == values.tobytes()


def numbers(some):
    return [int(path.stem.removeprefix("step-")) for path in some.files()]


def test_newest_is_the_last_written(tmp_path):
    """Date, number, arrays (bitwise) and outputs are restored; exactly ``keep`` files remain; the number decides."""
    some = restarts(tmp_path, keep=3)
    assert some.newest() is None
    assert list(tmp_path.iterdir()) == []
    for number in (4, 8, 99, 100):
        some.write(restart(number))
    assert numbers(some) == [100, 99, 8]
    same(restarts(tmp_path).newest(), restart(100))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_newest_is_passed_over(tmp_path, damage, caplog):
    """A damaged file is skipped with a warning that names it, and so is one of another kind."""
    some = restarts(tmp_path)
    some.write(restart(4))
    path = some.write(restart(8))
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes({"cut": bytes(content[:300]), "flipped": bytes(content), "empty": b""}[damage])
    same(some.newest(), restart(4))
    named = [r.levelname for r in caplog.records if str(path) in r.getMessage() and r.levelname != "INFO"]
    assert named == ["WARNING"]
    write_restart(path, {"kind": "land-state", "checkpoint_sha256": "abc"}, {})
    same(some.newest(), restart(4))


def test_files_of_another_run_are_refused(tmp_path):
    """The error lists the differences only; a run with damaged files only does not silently start again."""
    path = restarts(tmp_path).write(restart(4))
    with pytest.raises(ValueError, match=r"to the checkpoint with SHA-256 abc, the run to other. Resume with the"):
        restarts(tmp_path, checkpoint="other").newest()
    other = IDENTITY | {"input": {"dataset": "b.zarr"}, "allow_nans": True}
    message = r"allow_nans: None \(file\), True \(run\); input: {'dataset': 'a.zarr'} \(file\), {'dataset': 'b.zarr'}"
    with pytest.raises(ValueError, match=message) as caught:
        restarts(tmp_path, other).newest()
    assert "ensemble" not in str(caught.value)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"step-0000000004.restart' is not a saved state"):
        restarts(tmp_path).newest()


def test_a_complete_run_leaves_nothing(tmp_path):
    """Unfinished files are removed too; other files, and then the folder, stay."""
    some = restarts(tmp_path)
    some.remove()
    some.write(restart(4))
    (some.folder / ".step-0000000008.restart.4711.partial").write_text("half")
    some.remove()
    assert list(tmp_path.iterdir()) == []
    some.write(restart(4))
    (some.folder / "notes.txt").write_text("mine")
    some.remove()
    assert [p.name for p in some.folder.iterdir()] == ["notes.txt"]


DATE, STEP = datetime(2022, 1, 1), timedelta(hours=6)


def go(n_steps, shown=False):
    with Progress(n_steps, shown, "test") as bar:
        for k in range(1, n_steps + 1):
            bar.date(DATE + k * STEP)
    return bar


def lines(caplog):
    return [r.getMessage() for r in caplog.records if "step" in r.getMessage()]


def test_one_line_a_day_without_a_bar(caplog, capfd):
    """Each day and the end have a line with date, step and pace, also if standard error is not a terminal."""
    caplog.set_level("INFO", logger="anemoi_ailand")
    go(10, shown=True)
    assert capfd.readouterr().err == ""
    found = lines(caplog)
    assert [line.split(", ")[:2] for line in found] == [
        ["2022-01-02", "step 4 of 10"], ["2022-01-03", "step 8 of 10"], ["2022-01-03", "step 10 of 10"],
    ]  # fmt: skip
    assert all("years/h, ends " in line for line in found)


def test_bar_instead_of_lines_on_a_terminal(caplog, monkeypatch):
    """The bar ends full, and no lines are logged."""
    caplog.set_level("INFO", logger="anemoi_ailand")

    class Bar(under_test.tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **{**kwargs, "disable": False})

    monkeypatch.setattr(under_test, "tqdm", Bar)
    bar = go(80, shown=True)
    assert (bar._bar.n, bar._bar.total) == (80, 80)
    assert "years/h" in bar._bar.postfix
    assert lines(caplog) == []


def test_pace_is_simulated_years_per_hour(monkeypatch):
    """1461 steps in ten minutes are six years per hour, and as many again end ten minutes later."""
    now = [100.0]
    monkeypatch.setattr(under_test.time, "monotonic", lambda: now[0])
    bar = Progress(2 * 1461, False, "test")
    for _ in range(1461):
        bar.step()
    now[0] += 600.0
    pace = bar.pace()
    assert pace.startswith("6 years/h, ends ")
    end = datetime.now() + timedelta(seconds=600)
    assert pace.endswith((f"{end:%d %b %H:%M}", f"{end - timedelta(minutes=1):%d %b %H:%M}"))


@pytest.mark.parametrize(("years", "expected"), [(5, [1, 2, 3, 4, 5]), (100, list(range(10, 101, 10)))])
def test_years_are_logged_ten_times(caplog, years, expected):
    """Few years are all logged."""
    caplog.set_level("INFO", logger="anemoi_ailand")
    bar = Progress(years, False, "test")
    for number in range(1, years + 1):
        bar.year(number, years)
    assert [int(r.getMessage().split()[1]) for r in caplog.records] == expected


STOPPED = datetime(2022, 3, 1, 6)


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("restartable", "message"), [(True, "Start it again to resume"), (False, "must start again")])
def test_sigterm_stops_at_the_next_occasion(restartable, message, caplog):
    """The current step is completed first, and the log says so."""
    with StopRequest() as stop:
        stop.obey(STOPPED, restartable=True)
        terminate()
        done = "completed"
        assert stop.asked
        with pytest.raises(Stopped, match=f"on request after 2022-03-01 06:00. .*{message}"):
            stop.obey(STOPPED, restartable=restartable)
    assert done == "completed"
    assert "the run ends after this step" in caplog.text


def test_handler_of_before_is_put_back():
    """The previous handler is restored, also after an error."""
    calls = []
    before = signal.signal(signal.SIGTERM, lambda *_: calls.append(0))
    try:
        with pytest.raises(RuntimeError, match="other"), StopRequest():
            raise RuntimeError("other")
        terminate()
        assert calls == [0]
        with StopRequest() as stop:
            terminate()
        assert (stop.asked, calls) == (True, [0])
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_are_left_alone():
    """In another thread nothing is installed, as Python handles signals in the main thread only."""
    found = []

    def run():
        with StopRequest() as stop:
            found.append(signal.getsignal(signal.SIGTERM) == stop._ask)
            stop.obey(STOPPED, restartable=True)
            found.append("done")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False, "done"]
