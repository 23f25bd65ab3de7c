# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Transport of ``mpirun -n 2 anemoi-inference couple`` that ends all ranks when one ends: ``land-mpi``."""

from __future__ import annotations

import logging
import pickle
import time
from typing import Any

from anemoi.inference.task import Task
from anemoi.inference.types import State
from anemoi.utils.logs import set_logging_name

from anemoi_ailand.coupling import transports
from anemoi_ailand.coupling.transports import PeerEnded, SupervisedTransport
from anemoi_ailand.hosts.anemoi_datasets import count_use_in_a_thread

LOG = logging.getLogger(__name__)

#: Largest part of a message [bytes]: MPI counts in 32 bits.
PART = 2**30

#: Time between two looks at the messages [s]; MPI's own wait would keep a core busy.
_POLL = 5e-4


class LandMpiTransport(SupervisedTransport):
    """Each task in a rank of its own, in the order of the configuration; needs mpi4py.

    ``mpirun`` starts the command once a task, and each of them runs its own. ``mpirun`` ends the others when a process
    is killed; a task that fails tells the others, and aborts all a minute later.

    Raises
    ------
    ImportError
        mpi4py or an MPI library is missing.
    ValueError
        The number of ranks is not that of the tasks.
    """

    def __init__(self, couplings: list[dict[str, list[str]]], tasks: dict[str, Task]) -> None:
        super().__init__(couplings, tasks)
        self._comm = communicator()
        ranks = self._comm.Get_size()
        if ranks != len(tasks):
            raise ValueError(
                f"`transport: land-mpi` runs each of the tasks {list(tasks)} in a rank of its own, and there are "
                f"{ranks} ranks. Start it by `mpirun -n {len(tasks)} anemoi-inference couple ...`."
            )
        self._ranks = {name: rank for rank, name in enumerate(tasks)}
        self._mine = list(tasks)[self._comm.Get_rank()]
        self._sending: list[Any] = []
        self._parts: dict[str, list[bytes]] = {name: [] for name in tasks}

    def start(self) -> None:
        """Run the task of this rank, and tell the others how it ended."""
        set_logging_name(self._mine)
        LOG.info("Rank %d of %d runs the task '%s'", self._ranks[self._mine], len(self.tasks), self._mine)
        end = transports.End(None)
        task: Any = self.tasks[self._mine]
        count_use_in_a_thread()  # a process would outlive a killed rank, and mpirun wait for it
        try:
            task.run(self)
        except BaseException as error:
            transports.log_failure(self._mine, error)
            end = transports.End(transports.reason_of(error), isinstance(error, PeerEnded))
        self._ends[self._mine] = end
        for name in self.tasks:
            if name != self._mine:
                self._post(name, end)

    def wait(self) -> None:
        """Wait for all tasks, and raise the cause of the first failure."""
        late = float("inf")
        while self._sending or len(self._ends) < len(self.tasks):
            self._move()
            if late == float("inf") and any(end.reason for end in self._ends.values()):
                late = time.monotonic() + transports.GRACE
            if time.monotonic() > late:
                LOG.error("Tasks that have not ended are aborted: %s", [n for n in self.tasks if n not in self._ends])
                self._comm.Abort(1)
            time.sleep(_POLL)
        failed = {name: end for name, end in self._ends.items() if end.reason}
        if failed:
            name = next((n for n, end in failed.items() if not end.consequence), next(iter(failed)))
            others = [n for n in self.tasks if n in failed and n != name]
            raise RuntimeError(transports.failure(name, str(failed[name].reason), others))

    def send(self, sender: Task, target: Task, state: State, tag: int) -> None:
        """Hand a copy of a state to MPI."""
        self._move()
        self._refuse_failed(target.name)
        self._post(target.name, (tag, state))

    def receive(self, receiver: Task, source: Task, tag: int) -> State:
        """Return the next state from a task; a :class:`PeerEnded` tells that there will be none."""
        while self._boxes[source.name, receiver.name].empty():
            self._move()
            time.sleep(_POLL)
        return super().receive(receiver, source, tag)

    def _post(self, target: str, content: Any) -> None:
        """Start to send something in parts, each with its sender and whether it is the last."""
        data = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
        for first in range(0, len(data), PART):
            part = self._mine, data[first : first + PART], first + PART >= len(data)
            self._sending.append(self._comm.isend(part, dest=self._ranks[target]))

    def _move(self) -> None:
        """Move what has arrived into the mailboxes, and forget what has been sent."""
        while (message := self._comm.improbe()) is not None:
            source, part, last = message.recv()
            self._parts[source].append(part)
            if last:
                found = pickle.loads(b"".join(self._parts[source]))
                self._parts[source].clear()
                if isinstance(found, transports.End):
                    self._ends[source] = found
                self._boxes[source, self._mine].put(found)
        self._sending = [request for request in self._sending if not request.test()[0]]


def communicator() -> Any:
    """Return a communicator of all ranks for the messages of a coupling alone."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # the second one: no MPI library
        raise ImportError(
            f"`transport: land-mpi` needs mpi4py and an MPI library ({error}). Load the library and "
            "`pip install 'anemoi-ailand[mpi]'`, or give `transport: land-processes`."
        ) from error
    return MPI.COMM_WORLD.Dup()
