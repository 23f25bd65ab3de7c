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
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
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

#: Reason of a task that died without a word, as by a signal or for lack of memory.
_DIED = "its process died without an error message, as by a signal or for lack of memory"


class PeerEnded(RuntimeError):
    """Another task of the coupling has ended, with an error or before it sent what is waited for."""


class _End(NamedTuple):
    """Last message of a task: the reason of its failure, None if it has finished."""

    reason: str | None


class SupervisedTransport(Transport):
    """Mailboxes from each task to each other one, without a limit of size, in which the end of a task is a message.

    Messages are copies. ``send`` returns at once; ``receive`` waits for the message or for the end of its sender, which
    is a :class:`PeerEnded`. So no task waits for one that has ended.
    """

    def __init__(self, couplings: list[dict[str, list[str]]], tasks: dict[str, Task]) -> None:
        super().__init__(couplings, tasks)
        self._pairs = [(a, b) for a in tasks for b in tasks if a != b]
        self._boxes: dict[tuple[str, str], SimpleQueue[Any]] = {pair: SimpleQueue() for pair in self._pairs}
        self._ends: dict[str, _End] = {}

    def receive(self, receiver: Task, source: Task, tag: int) -> State:
        """Return the next state from a task; a :class:`PeerEnded` tells that there will be none."""
        box = self._boxes[source.name, receiver.name]
        found = box.get()
        if isinstance(found, _End):
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
            raise RuntimeError(_failure(name, _reason(error), [n for n in self._errors if n != name])) from error

    def send(self, sender: Task, target: Task, state: State, tag: int) -> None:
        """Put a copy of a state into the mailbox of a task."""
        self._refuse_failed(target.name)
        self._boxes[sender.name, target.name].put((tag, copy.deepcopy(state)))

    def _run(self, task: Any) -> None:
        set_logging_name(task.name)
        end = _End(None)
        try:
            task.run(self)
        except BaseException as error:
            _log(task.name, error)
            self._errors[task.name], end = error, _End(_reason(error))
        self._ends[task.name] = end
        for source, target in self._pairs:
            if source == task.name:
                self._boxes[source, target].put(end)


class LandProcessesTransport(SupervisedTransport):
    """Each task in a process of its own, forked from the command, with a pipe to each other one.

    A process that dies in any way closes its pipes, by which the others learn of it; the command waits for them, then
    terminates them, and fails. They end when the command is killed, too.
    """

    def __init__(self, couplings: list[dict[str, list[str]]], tasks: dict[str, Task]) -> None:
        super().__init__(couplings, tasks)
        self._fork = get_context("fork")
        self._processes: dict[str, BaseProcess] = {}
        self._reports: dict[str, Connection] = {}
        self._outgoing: dict[tuple[str, str], Connection] = {}
        self._readers: dict[str, threading.Thread] = {}

    def start(self) -> None:
        """Fork a process for each task."""
        pipes = {pair: self._fork.Pipe(duplex=False) for pair in self._pairs}
        life = self._fork.Pipe(duplex=False)  # its writing end closes when this process ends, in whatever way
        for name, task in self.tasks.items():
            report, mine = self._fork.Pipe(duplex=False)
            self._reports[name] = report
            self._processes[name] = self._fork.Process(target=self._child, args=(task, pipes, life, mine), name=name)
            self._processes[name].start()
            mine.close()
        self._life = life[1]
        for connection in [life[0], *(end for pipe in pipes.values() for end in pipe)]:
            connection.close()

    def wait(self) -> None:
        """Wait for all tasks; after a failure the others are given a minute to end. Raise the cause."""
        running, late, causes = dict(self._processes), float("inf"), {}
        try:
            while running:
                wait([p.sentinel for p in running.values()], max(0.0, min(late - time.monotonic(), GRACE)))
                for name, process in list(running.items()):
                    if process.exitcode is not None:
                        LOG.info("Task '%s' ended with exit code %d", name, process.exitcode)
                        del running[name]
                        if process.exitcode:
                            late = min(late, time.monotonic() + GRACE)
                            causes[name] = process
                if time.monotonic() >= late and running:
                    LOG.error("%s do not end: they are terminated", list(running))
                    break
        finally:
            _stop(list(running.values()))
        own = [n for n, p in causes.items() if p.exitcode != _CONSEQUENCE] or list(causes)
        if own:
            others = [n for n in self.tasks if n not in own[:1] and self._processes[n].exitcode]
            raise RuntimeError(_failure(own[0], self._why(own[0]), others))

    def send(self, sender: Task, target: Task, state: State, tag: int) -> None:
        """Write a state into the pipe to a task, which always reads."""
        try:
            self._outgoing[sender.name, target.name].send_bytes(pickle.dumps((tag, state), pickle.HIGHEST_PROTOCOL))
        except OSError:  # the pipe is closed: its last message, or its end, says why
            self._readers[target.name].join()
        self._refuse_failed(target.name)

    def _why(self, name: str) -> str:
        """Return why a process has failed."""
        code = self._processes[name].exitcode or 0
        if code < 0:
            return f"it was killed by {signal.Signals(-code).name}"
        report = self._reports[name]
        try:
            return str(report.recv()) if report.poll() else f"exit code {code}"
        except EOFError:
            return f"exit code {code}"

    def _child(
        self, task: Any, pipes: dict[tuple[str, str], tuple[Connection, Connection]],
        life: tuple[Connection, Connection], report: Connection,
    ) -> None:  # fmt: skip
        """Run a task in its process."""
        set_logging_name(task.name)
        threading.Thread(target=_end_with, args=(life[0],), daemon=True).start()
        life[1].close()
        for (source, target), (reading, writing) in pipes.items():
            if source != task.name:
                writing.close()
            if target != task.name:
                reading.close()
            if source == task.name:
                self._outgoing[source, target] = writing
            if target == task.name:
                reader = threading.Thread(target=self._collect, args=(source, target, reading), daemon=True)
                self._readers[source] = reader
                reader.start()
        reason, code = None, 0
        try:
            task.run(self)
        except BaseException as error:
            _log(task.name, error)
            reason, code = _reason(error), _CONSEQUENCE if isinstance(error, PeerEnded) else 1
            report.send(reason)
        for connection in self._outgoing.values():
            try:
                connection.send_bytes(pickle.dumps(_End(reason)))
            except OSError:
                LOG.debug("The other end of a pipe is closed")
        sys.exit(code)

    def _collect(self, source: str, target: str, connection: Connection) -> None:
        """Move messages from a pipe into the mailbox until the sender ends."""
        found: Any = None
        while not isinstance(found, _End):
            try:
                found = pickle.loads(connection.recv_bytes())
            except (EOFError, OSError):
                found = _End(_DIED)
            if isinstance(found, _End):
                self._ends[source] = found
            self._boxes[source, target].put(found)


def _end_with(life: Connection) -> None:
    """End this process when the one that holds the other end has ended."""
    try:
        life.recv_bytes()
    except (EOFError, OSError):
        LOG.error("The command that started this task has ended: it ends, too")  # noqa: TRY400
        os.kill(os.getpid(), signal.SIGTERM)


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Terminate processes, and kill those that stay."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(LAST_GRACE)
        if process.exitcode is None:
            process.kill()
            process.join()


def _log(name: str, error: BaseException) -> None:
    if isinstance(error, PeerEnded):
        LOG.error("Task '%s' ends: %s", name, error)
    else:
        LOG.error("Task '%s' failed", name, exc_info=error)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _failure(name: str, reason: str, others: Sequence[str]) -> str:
    ended = f" {list(others)} ended with it." if others else ""
    return f"The task '{name}' failed: {reason.rstrip('.')}.{ended}"
