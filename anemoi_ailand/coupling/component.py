# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Land as a component of ``anemoi-inference couple``: task ``land``, and ``land-component`` in the atmosphere."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import torch
from anemoi.inference.processor import Processor
from anemoi.inference.task import Task
from anemoi.inference.tasks.runner import RunnerTask
from anemoi.inference.transport import Transport
from anemoi.inference.transports.processes import ProcessesTransport
from anemoi.inference.transports.threads import ThreadsTransport
from anemoi.inference.types import State
from torch import Tensor

from anemoi_ailand.coupling.coupled_land import CPU, LAND_OPTIONS, Atmosphere, CoupledLand
from anemoi_ailand.coupling.land_points import Places
from anemoi_ailand.coupling.transports import SupervisedTransport
from anemoi_ailand.hosts.anemoi_inference import share_netcdf_lock
from anemoi_ailand.support.options import check_known

LOG = logging.getLogger(__name__)

#: Name of the mid-processor in the atmosphere's task.
COMPONENT = "land-component"


class AtmosphereTask(Task):
    """Task, other than the stock ``runner``, that gives the steps of an atmosphere to a land."""


class LandTask(Task):
    """Land that exchanges with the task of an atmosphere.

    It is told the fields, step, dates and points of the atmosphere, checks them, and says what fields it needs. Then it
    receives these after each step of the atmosphere and returns what it changes in them, of the same valid time. In
    between the atmosphere waits.

    Parameters
    ----------
    name : str
        Name of the task.
    atmosphere : str, optional
        Name of the atmosphere's task: a ``runner`` with the mid-processor ``land-component``, or a
        ``stored-atmosphere``; by default the only one.
    options
        Those of :class:`~anemoi_ailand.coupling.coupled_land.CoupledLand`, with its errors.
    """

    def __init__(
        self,
        name: str,
        *,
        atmosphere: str | None = None,
        global_config: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name)
        check_known(options, LAND_OPTIONS, f"The task '{name}' (`land`)", ("atmosphere",))
        del global_config  # dates are those of the atmosphere
        self._with, self._options = atmosphere, options

    def partner(self, tasks: Mapping[str, Task]) -> Task:
        """Return the task of the atmosphere that this land belongs to."""
        able = {n: t for n, t in tasks.items() if isinstance(t, AtmosphereTask) or _has_component(t)}
        name = self._with or (next(iter(able)) if len(able) == 1 else None)
        if name not in able:
            wanted = f"`atmosphere` of the task '{self.name}' is {self._with!r}, but" if self._with else "There are"
            raise ValueError(
                f"{wanted} the tasks {sorted(able)} are a `stored-atmosphere`, or a `runner` with `mid_processors: "
                f"[{COMPONENT}]`, of {sorted(tasks)}. Add it to the atmosphere's configuration, and "
                "name one of several as `atmosphere`."
            )
        return able[name]

    def run(self, transport: Transport) -> None:
        """Advance the land with the atmosphere until its last step."""
        _check_transport(transport)
        if transport.couplings(self):
            raise ValueError(
                f"`couplings` names the task '{self.name}', whose exchange is that of its `forcing` and `feedback`. "
                "Remove the entry (`couplings: []`)."
            )
        partner = self.partner(transport.tasks)
        atmosphere: Atmosphere = transport.receive(self, partner, 0)["atmosphere"]
        land = CoupledLand(atmosphere, **self._options)
        transport.send(self, partner, {"fields": {}, "needs": land.needs}, 0)
        number = 0
        while not land.over:
            number += 1
            given = transport.receive(self, partner, number)
            changed = land.step(given["date"], given["places"], given["fields"])
            answer = {"date": given["date"], "fields": {n: _alone(v) for n, v in changed.items()}}
            transport.send(self, partner, answer, number)
        LOG.info("The land of %d steps of '%s' is complete", number, partner.name)


class LandPartner:
    """The land's side of the exchange, as the task of an atmosphere sees it.

    Raises
    ------
    ValueError
        No task `land` belongs to this task, or the transport hangs when a task dies.
    """

    def __init__(self, task: Task, transport: Transport, about: Atmosphere) -> None:
        _check_transport(transport)
        self._task, self._transport = task, transport
        self._land = _land_of(task, transport.tasks)
        self._number = 0
        about = replace(about, device=CPU)  # of the messages
        transport.send(task, self._land, {"fields": {}, "atmosphere": about}, 0)
        #: Fields that the land takes.
        self.needs: tuple[str, ...] = transport.receive(task, self._land, 0)["needs"]

    def step(self, date: datetime, places: Places, fields: Mapping[str, Any]) -> dict[str, Tensor]:
        """Send what the land needs of a step, wait for it, and return the fields that it has changed."""
        self._number += 1
        given = {"date": date, "places": places, "fields": {n: _alone(fields[n]) for n in self.needs}}
        self._transport.send(self._task, self._land, given, self._number)
        changed = self._transport.receive(self._task, self._land, self._number)
        if changed["date"] != date:
            raise RuntimeError(f"The land returned fields of {changed['date']} to the step to {date}.")
        return changed["fields"]


class LandComponentProcessor(Processor):
    """Give each step of the atmosphere to the land of another task, and overwrite the fields that it returns.

    It has no options: forcing, feedback and points are those of the task ``land``.

    Raises
    ------
    TypeError
        An option is given.
    ValueError
        The run is none of ``anemoi-inference couple``, or the land does not belong to its task.
    """

    def __init__(self, context: Any, metadata: Any, **options: Any) -> None:
        super().__init__(context, metadata)
        check_known(options, (), f"The mid-processor `{COMPONENT}`", LAND_OPTIONS)
        coupled = getattr(context, "coupled_input", None)
        if coupled is None:
            raise ValueError(
                f"`{COMPONENT}` exchanges with a task `land` of `anemoi-inference couple`. In `anemoi-inference run` "
                "use the mid-processor `land-model`, which has the same options as that task."
            )
        self._land = LandPartner(coupled.task, coupled.transport, Atmosphere.of_run(context, metadata))

    def process(self, state: State) -> State:
        """Give the step to the land, and overwrite the fields that it has changed."""
        share_netcdf_lock()  # the land of a thread writes a file, too
        fields = state["fields"]
        changed = self._land.step(state["date"], (state["latitudes"], state["longitudes"]), fields)
        fields.update({n: values.to(fields[n].device) for n, values in changed.items()})
        return state


def _land_of(atmosphere: Task, tasks: Mapping[str, Task]) -> LandTask:
    lands = [task for task in tasks.values() if isinstance(task, LandTask)]
    mine = [task for task in lands if task.partner(tasks) is atmosphere]
    if len(mine) != 1:
        raise ValueError(
            f"`{COMPONENT}` of the task '{atmosphere.name}' needs one task `land`; {[t.name for t in mine]} of "
            f"{[t.name for t in lands]} belong to it. Add `tasks: {{land: {{land: ...}}}}`, or correct `atmosphere`."
        )
    return mine[0]


def _has_component(task: Task) -> bool:
    """Return whether the mid-processors of a runner, a list or one list for each dataset, include this one."""
    return isinstance(task, RunnerTask) and f"'{COMPONENT}'" in str(task.config.mid_processors).replace("_", "-")


def _check_transport(transport: Transport) -> None:
    """Refuse transports that hang or cut messages."""
    if isinstance(transport, ProcessesTransport | ThreadsTransport):
        raise ValueError(
            "The transports `processes` and `threads` of anemoi-inference cut messages above 64 KiB, and wait for ever "
            "for a task that has died. Give `transport: land-processes`, `land-threads` or `land-mpi`."
        )
    if not isinstance(transport, SupervisedTransport):
        LOG.warning(
            "%s is not tested with the land, and may wait for a task that has died; over MPI: `land-mpi`", transport
        )


def _alone(field: Any) -> Tensor:
    """Return a copy of a field in memory of its own on the CPU, without the tensor that it is a part of."""
    return torch.as_tensor(field).detach().cpu().clone(memory_format=torch.contiguous_format)
