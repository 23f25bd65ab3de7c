# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Transports of a coupling: messages of any size, and the end of one task ends the others."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import local
from types import SimpleNamespace

import numpy as np
import pytest
from anemoi.inference.task import Task

from anemoi_ailand.coupling import mpi_transport, transports
from anemoi_ailand.coupling.mpi_transport import LandMpiTransport
from anemoi_ailand.coupling.transports import LandProcessesTransport, LandThreadsTransport

ALL = pytest.mark.parametrize("kind", [LandThreadsTransport, LandProcessesTransport, LandMpiTransport])


class Job(Task):
    """Task that calls a function with itself, the other task and the transport."""

    def __init__(self, name, other, work):
        super().__init__(name)
        self.other, self.work = other, work

    def run(self, transport):
        self.work(self, transport.tasks[self.other], transport)


def run(kind, a, b):
    if kind is LandMpiTransport:
        run_ranks(a, b)
    else:
        both(kind, a, b)


def both(kind, a, b):
    transport = kind([], {"a": Job("a", "b", a), "b": Job("b", "a", b)})
    transport.start()
    transport.wait()


class Ranks:
    """Threads in the place of ranks, with what the transport uses of mpi4py: a message is sent when it is received."""

    def __init__(self, n):
        self.n, self.here, self.boxes = n, local(), [deque() for _ in range(n)]

    def Get_size(self):
        return self.n

    def Get_rank(self):
        return self.here.rank

    def isend(self, part, dest):
        done = []
        self.boxes[dest].append((part, done))
        return SimpleNamespace(test=lambda: (bool(done), None))

    def improbe(self):
        box = self.boxes[self.here.rank]
        if not box:
            return None
        part, done = box.popleft()
        return SimpleNamespace(recv=lambda: done.append(True) or part)

    def Abort(self, code):
        raise SystemExit(code)


def run_ranks(a, b):
    """Run both ranks, which end with the same error."""
    ranks = Ranks(2)

    def one(rank):
        ranks.here.rank = rank
        both(LandMpiTransport, a, b)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(mpi_transport, "communicator", lambda: ranks)
        errors = [job.exception() for job in [pool.submit(one, rank) for rank in range(2)]]
    assert str(errors[0]) == str(errors[1])
    if errors[0] is not None:
        raise errors[0]


def swap(me, other, transport, steps=3, n=500_000):
    """Send before receiving, 4 MB each way, and check what arrives."""
    for k in range(steps):
        transport.send(me, other, {"fields": {"x": np.full(n, k + len(me.name))}}, k)
        got = transport.receive(me, other, k)["fields"]["x"]
        assert got.shape == (n,)
        assert (got == k + len(other.name)).all()


def listen(me, other, transport):
    transport.receive(me, other, 0)


def fail(me, other, transport):
    raise ValueError("no rain in Bonn")


def finish(me, other, transport):
    del me, other, transport


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@ALL
def test_large_messages_cross(kind, monkeypatch):
    """Both tasks send 4 MB before they receive: nothing is cut, and none waits for the other for ever."""
    monkeypatch.setattr(mpi_transport, "PART", 10**6)  # several parts
    run(kind, swap, swap)


@ALL
@pytest.mark.parametrize("failing", ["a", "b"])
def test_an_error_ends_both(kind, failing):
    """The error of one task ends the other, and the run fails with the cause, not the consequence."""
    work = {"a": listen, "b": listen, failing: fail}
    other = "ab".replace(failing, "")
    message = rf"The task '{failing}' failed: ValueError: no rain in Bonn. \['{other}'\] ended with it"
    with pytest.raises(RuntimeError, match=message):
        run(kind, work["a"], work["b"])


@ALL
def test_a_task_that_finishes_early(kind):
    """A task that waits for one that has finished ends with an error."""
    with pytest.raises(RuntimeError, match="The task 'b' has finished, while 'a' waits for its fields"):
        run(kind, listen, finish)


@ALL
def test_other_numbers_of_exchanges_are_refused(kind):
    """An exchange of another number than the one waited for is an error."""
    with pytest.raises(RuntimeError, match="'a' waits for exchange 0 of 'b', which sent that of number 7"):
        run(kind, listen, lambda me, other, transport: transport.send(me, other, {"fields": {}}, 7))


@ALL
def test_sending_to_a_failed_task_fails(kind):
    """A task that only sends learns that the other has failed."""

    def pour(me, other, transport):
        for k in range(10_000):
            transport.send(me, other, {"fields": {"x": np.zeros(1000)}}, k)
            time.sleep(0.01)

    with pytest.raises(RuntimeError, match=r"'b' failed: ValueError: no rain in Bonn. \['a'\] ended with it"):
        run(kind, pour, fail)


def test_ranks_that_do_not_end_are_aborted(monkeypatch):
    """After the failure of a rank, all are aborted if another one computes on."""
    monkeypatch.setattr(transports, "GRACE", 0.2)
    ranks = Ranks(2)
    ranks.here.rank = 0
    monkeypatch.setattr(mpi_transport, "communicator", lambda: ranks)
    with pytest.raises(SystemExit):
        both(LandMpiTransport, fail, listen)


def test_ranks_are_as_many_as_tasks(monkeypatch):
    """Another number of ranks is refused with the command; without mpi4py its extra is named."""
    with monkeypatch.context() as patch, pytest.raises(ValueError, match="`mpirun -n 2 anemoi-inference couple"):
        patch.setattr(mpi_transport, "communicator", lambda: Ranks(3))
        both(LandMpiTransport, listen, listen)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r"needs mpi4py .* `pip install 'anemoi-ailand\[mpi\]'`"):
        both(LandMpiTransport, listen, listen)


def test_threads_exchange_copies():
    """A thread that changes a field after sending it does not change it for the other."""
    seen = []

    def send(me, other, transport):
        field = np.zeros(3)
        transport.send(me, other, {"fields": {"x": field}}, 0)
        field += 1.0
        transport.receive(me, other, 0)

    def keep(me, other, transport):
        seen.append(transport.receive(me, other, 0)["fields"]["x"])
        transport.send(me, other, {"fields": {}}, 0)

    run(LandThreadsTransport, send, keep)
    assert seen[0].tolist() == [0.0, 0.0, 0.0]


def _with_child(me, other, transport, folder, kill):
    """Start a process, which keeps all pipes open, note both numbers, and die or wait."""
    child = os.fork()
    if child == 0:
        time.sleep(60.0)
        os._exit(0)
    (folder / f"{me.name}.pids").write_text(f"{os.getpid()} {child}")
    if kill:
        os.kill(os.getpid(), signal.SIGKILL)
    transport.receive(me, other, 0)


def _pids(folder):
    return [int(n) for path in sorted(folder.glob("*.pids")) for n in path.read_text().split()]


def _left(folder):
    """Return the processes that are left after at most 10 s; a killed process is not gone at once."""
    until = time.monotonic() + 10.0
    while (found := [p for p in _pids(folder) if is_alive(p)]) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_a_killed_task_ends_all(tmp_path):
    """SIGKILL of one task ends the other with the cause; no process is left, not even one that a task started."""
    with pytest.raises(RuntimeError, match=r"'b' failed: its process was killed by SIGKILL. \['a'\] ended with it"):
        run(
            LandProcessesTransport,
            partial(_with_child, folder=tmp_path, kill=False),
            partial(_with_child, folder=tmp_path, kill=True),
        )
    assert len(_pids(tmp_path)) == 4
    assert _left(tmp_path) == []


def test_a_task_that_does_not_end_is_terminated(monkeypatch):
    """A task that computes on after the failure of the other is terminated."""
    monkeypatch.setattr(transports, "GRACE", 0.2)
    with pytest.raises(RuntimeError, match=r"'b' failed: ValueError: no rain in Bonn. \['a'\] ended with it"):
        run(LandProcessesTransport, lambda *_: time.sleep(60.0), fail)


_COMMAND = """
import sys
from functools import partial
from pathlib import Path
from tests.unit.coupling.test_transports import _with_child, run
from anemoi_ailand.coupling.transports import LandProcessesTransport
work = partial(_with_child, folder=Path(sys.argv[1]), kill=False)
run(LandProcessesTransport, work, work)
"""


def test_a_killed_command_leaves_no_task(tmp_path, repository):
    """SIGKILL of the command itself ends its tasks and what they started."""
    command = subprocess.Popen([sys.executable, "-c", _COMMAND, str(tmp_path)], cwd=repository)
    until = time.monotonic() + 60.0
    while len(_pids(tmp_path)) < 4 and time.monotonic() < until:
        time.sleep(0.05)
    assert all(is_alive(p) for p in _pids(tmp_path))
    command.kill()
    command.wait()
    assert len(_pids(tmp_path)) == 4
    assert _left(tmp_path) == []
