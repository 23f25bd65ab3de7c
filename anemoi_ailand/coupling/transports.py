# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Transports of ``anemoi-inference couple`` that end all tasks when one ends: ``land-threads``, ``land-processes``."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from os import _exit
from queue import SimpleQueue
from typing import Any, NamedTuple

from anemoi.inference.task import Task
from anemoi.inference.transport import Transport
from anemoi.inference.types import State
from anemoi.utils.logs import set_logging_name

LOG = logging.getLogger(__name__)

#: Time for the other tasks to end by themselves after a failure, and then after a request to terminate [s].
GRACE, LAST_GRACE = 60.0, 5.0

#: Exit code of a process that ended because of another one.
_CONSEQUENCE = 3

#: Time between two looks at the processes [s].
_POLL = 0.1


class PeerEnded(RuntimeError):
    """Another task of the coupling has ended, with an error or before it sent what is waited for."""


class End(NamedTuple):
    """Last message of a task: the reason of its failure, None if it has finished; whether another task caused it."""

    reason: str | None
    consequence: bool = False


class SupervisedTransport(Transport):
    """Mailboxes from each task to each other one, without a limit of size, in which the end of a task is a message.

    Messages are copies. ``send`` returns at once; ``receive`` waits for the message or for the end of its sender, which
    is a :class:`PeerEnded`. So no task waits for one that has ended.
    """

    def __init__(self, couplings: list[dict[str, list[str]]], tasks: dict[str, Task]) -> None:
        super().__init__(couplings, tasks)
        self._pairs = [(a, b) for a in tasks for b in tasks if a != b]
        self._boxes: dict[tuple[str, str], SimpleQueue[Any]] = {pair: SimpleQueue() for pair in self._pairs}
        self._ends: dict[str, End] = {}

    def receive(self, receiver: Task, source: Task, tag: int) -> State:
        """Return the next state from a task; a :class:`PeerEnded` tells that there will be none."""
        box = self._boxes[source.name, receiver.name]
        found = box.get()
        if isinstance(found, End):
            box.put(found)  # for every later call
            how = "has finished" if found.reason is None else f"has failed ({found.reason})"
            raise PeerEnded(f"The task '{source.name}' {how}, while '{receiver.name}' waits for its fields.")
        number, state = found
        if number != tag:
            raise RuntimeError(
                f"'{receiver.name}' waits for exchange {tag} of '{source.name}', which sent that of number {number}. "
                "Give both tasks the same steps and lead time."
            )
        return state

    def _refuse_failed(self, name: str) -> None:
        end = self._ends.get(name)
        if end is not None and end.reason is not None:
            raise PeerEnded(f"The task '{name}' has failed ({end.reason}).")


class LandThreadsTransport(SupervisedTransport):
    """Tasks in threads of one process: fast for small fields, and one memory."""

    def __init__(self, couplings: list[dict[str, list[str]]], tasks: dict[str, Task]) -> None:
        super().__init__(couplings, tasks)
        self._errors: dict[str, BaseException] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(task,), name=name, daemon=True) for name, task in tasks.items()
        ]

    def start(self) -> None:
        """Start a thread for each task."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Wait for all tasks, and raise the error of the first that failed by itself."""
        for thread in self._threads:
            thread.join()
        own = {n: e for n, e in self._errors.items() if not isinstance(e, PeerEnded)} or self._errors
        if own:
            name, error = next(iter(own.items()))
            raise RuntimeError(failure(name, reason_of(error), [n for n in self._errors if n != name])) from error

    def send(self, sender: Task, target: Task, state: State, tag: int) -> None:
        """Put a copy of a state into the mailbox of a task."""
        self._refuse_failed(target.name)
        self._boxes[sender.name, target.name].put((tag, copy.deepcopy(state)))

    def _run(self, task: Any) -> None:
        set_logging_name(task.name)
        end = End(None)
        try:
            task.run(self)
        except BaseException as error:
            log_failure(task.name, error)
            self._errors[task.name], end = error, End(reason_of(error))
        self._ends[task.name] = end
        for source, target in self._pairs:
            if source == task.name:
                self._boxes[source, target].put(end)


class LandProcessesTransport(SupervisedTransport):
    """Each task in a process of its own, forked from the command, with a pipe to each other one.

    The command watches the processes, tells the others of one that died, and waits for them; after a minute it
    terminates them. They end, with processes of their own, when the command is killed, too.
    """

    def __init__(self, couplings: list[dict[str, list[str]]], tasks: dict[str, Task]) -> None:
        super().__init__(couplings, tasks)
        self._processes: dict[int, str] = {}
        self._notices: dict[str, Connection] = {}  # from this process to each task
        self._reports: dict[str, Connection] = {}  # from each task to this process
        self._outgoing: dict[tuple[str, str], Connection] = {}

    def start(self) -> None:
        """Fork a process for each task."""
        pipes = {pair: Pipe(duplex=False) for pair in self._pairs}
        notices, reports = ({name: Pipe(duplex=False) for name in self.tasks} for _ in range(2))
        for name, task in self.tasks.items():
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    os.setpgid(0, 0)  # with its own processes it is one group
                    for reading, writing in notices.values():
                        writing.close()  # so that it closes when the command ends
                        if reading is not notices[name][0]:
                            reading.close()
                    code = self._child(task, pipes, notices[name][0], reports[name][1])
                finally:
                    _exit(code)
            self._processes[pid] = name
        self._notices = {name: pipe[1] for name, pipe in notices.items()}
        self._reports = {name: pipe[0] for name, pipe in reports.items()}
        for reading, writing in pipes.values():
            reading.close()
            writing.close()

    def wait(self) -> None:
        """Wait for all tasks, and raise the cause of the first failure."""
        failed: dict[str, tuple[int, str]] = {}
        late = float("inf")
        try:
            while self._processes and time.monotonic() < late:
                for name, code in self._ended():
                    LOG.info("Task '%s' ended with exit code %d", name, code)
                    if code:
                        failed[name] = code, self._why(name, code)
                        late = min(late, time.monotonic() + GRACE)
                        self._tell(name, failed[name][1])
                time.sleep(_POLL)
        finally:
            if self._processes:
                LOG.error("Tasks that have not ended are terminated: %s", list(self._processes.values()))
                failed |= dict.fromkeys(self._processes.values(), (_CONSEQUENCE, "it did not end by itself"))
                self._stop()
        if failed:
            name = next((n for n, (code, _) in failed.items() if code != _CONSEQUENCE), next(iter(failed)))
            raise RuntimeError(failure(name, failed[name][1], [n for n in failed if n != name]))

    def send(self, sender: Task, target: Task, state: State, tag: int) -> None:
        """Write a state into the pipe to a task, which always reads."""
        self._refuse_failed(target.name)
        try:
            self._outgoing[sender.name, target.name].send_bytes(pickle.dumps((tag, state), pickle.HIGHEST_PROTOCOL))
        except OSError:
            LOG.info("'%s' has ended: it does not receive exchange %d of '%s'", target.name, tag, sender.name)

    def _ended(self) -> list[tuple[str, int]]:
        """Return names and exit codes (negative: number of the signal) of tasks that have ended since the last call."""
        found = []
        for pid, name in list(self._processes.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del self._processes[pid]
                _signal_group(pid, signal.SIGKILL)  # processes that the task left
                found.append((name, os.waitstatus_to_exitcode(status)))
        return found

    def _tell(self, name: str, reason: str) -> None:
        """Tell the other tasks that one has failed."""
        for other in self._processes.values():
            try:
                self._notices[other].send((name, reason))
            except OSError:
                LOG.debug("'%s' has ended, too", other)

    def _stop(self) -> None:
        """Terminate all tasks, and kill those that stay."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._processes:
                _signal_group(pid, number)
            until = time.monotonic() + LAST_GRACE
            while self._processes and time.monotonic() < until:
                self._ended()
                time.sleep(_POLL)

    def _why(self, name: str, code: int) -> str:
        """Return why a process has failed."""
        if code < 0:
            return f"its process was killed by {signal.Signals(-code).name}"
        report = self._reports[name]
        return str(report.recv()) if report.poll() else f"exit code {code}"

    def _child(
        self, task: Any, pipes: dict[tuple[str, str], tuple[Connection, Connection]], notices: Connection,
        report: Connection,
    ) -> int:  # fmt: skip
        """Run a task in its process, and return its exit code."""
        set_logging_name(task.name)
        for (source, target), (reading, writing) in pipes.items():
            if source == task.name:
                self._outgoing[source, target] = writing
            else:
                writing.close()
            if target == task.name:
                threading.Thread(target=self._collect, args=(source, target, reading), daemon=True).start()
            else:
                reading.close()
        threading.Thread(target=self._listen, args=(task.name, notices), daemon=True).start()
        reason, code = None, 0
        try:
            task.run(self)
        except BaseException as error:
            log_failure(task.name, error)
            reason, code = reason_of(error), _CONSEQUENCE if isinstance(error, PeerEnded) else 1
            report.send(reason)
        for connection in self._outgoing.values():
            try:
                connection.send_bytes(pickle.dumps(End(reason)))
            except OSError:
                LOG.debug("The other end of a pipe is closed")
        sys.stdout.flush()
        sys.stderr.flush()
        return code

    def _collect(self, source: str, target: str, connection: Connection) -> None:
        """Move messages from a pipe into the mailbox until the sender ends."""
        found: Any = None
        while not isinstance(found, End):
            try:
                found = pickle.loads(connection.recv_bytes())
            except (EOFError, OSError):
                return  # the command will tell why
            if isinstance(found, End):
                self._ends[source] = found
            self._boxes[source, target].put(found)

    def _listen(self, mine: str, notices: Connection) -> None:
        """Learn of tasks that died, and end with the command."""
        while True:
            try:
                name, reason = notices.recv()
            except (EOFError, OSError):
                LOG.error("The command that started the task '%s' has ended: it ends, too", mine)
                _signal_group(os.getpid(), signal.SIGKILL)
                return
            self._ends[name] = End(reason)
            self._boxes[name, mine].put(End(reason))


def _signal_group(leader: int, number: int) -> None:
    """Send a signal to a task and the processes that it started."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        LOG.debug("No process of the group %d is left", leader)


def log_failure(name: str, error: BaseException) -> None:
    """Log the error of a task, with its origin unless that is another task."""
    if isinstance(error, PeerEnded):
        LOG.error("Task '%s' ends: %s", name, error)
    else:
        LOG.error("Task '%s' failed", name, exc_info=error)


def reason_of(error: BaseException) -> str:
    """Return an error as text."""
    return f"{type(error).__name__}: {error}"


def failure(name: str, reason: str, others: Sequence[str]) -> str:
    """Return the last line of a run: the task that failed, why, and the tasks that ended with it."""
    ended = f" {list(others)} ended with it." if others else ""
    return f"The task '{name}' failed: {reason.rstrip('.')}.{ended}"
