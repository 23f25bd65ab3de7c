# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Base class of all outputs of a land roll-out: selection, means, ensembles, background writing, restarts."""

from __future__ import annotations

import logging
from abc import abstractmethod
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from anemoi.inference.output import Output
from anemoi.inference.types import State
from anemoi.utils.dates import as_timedelta

from anemoi_ailand.constants import STEP
from anemoi_ailand.hosts.anemoi_inference import share_netcdf_lock
from anemoi_ailand.rollout.outputs.buffer import Buffer, Writer
from anemoi_ailand.rollout.outputs.output_columns import check_statistics, columns_of, selected
from anemoi_ailand.rollout.outputs.output_frame import Block, Frame, points_of, resumed_attributes, run_attributes
from anemoi_ailand.rollout.outputs.output_progress import KEPT, Progress
from anemoi_ailand.rollout.outputs.period_means import PERIODS
from anemoi_ailand.rollout.outputs.point_choice import PointChoice
from anemoi_ailand.rollout.step.checkpoint import check_task
from anemoi_ailand.support.atomic import check_replaceable, partial_path, remove
from anemoi_ailand.support.disk_errors import check_folder, writing
from anemoi_ailand.support.netcdf_writer import date_of
from anemoi_ailand.support.options import check_known, options_of

LOG = logging.getLogger(__name__)


class LandOutput(Output):
    r"""Output of a land roll-out, written block by block in the background, resumable after a stop.

    Order of calls::

        output.restart_every = 40                # or None: no restarts
        output.open(state)                       # or: output.resume(state, progress)
        output.write_initial_state(state)        #     (not after `resume`)
        output.write_state(state)                # every step
        progress = output.make_durable()         # every 40 steps
        output.close()                           # only when the run is complete

    **To add a format**, subclass this, define the five abstract methods, and register the class as an entry point
    ``anemoi.inference.outputs`` in ``pyproject.toml``. The methods use :attr:`frame` (points, columns, attributes),
    :attr:`path`, :attr:`partial`, and :attr:`work`, a folder for files of restarts. Further options are keyword
    arguments of ``__init__``, which passes the others on; :meth:`_format_options` returns those that a resumed run must
    share. A format that writes whole chunks only overrides :meth:`_unit`; the times that do not fill a chunk at a
    restart are kept in :attr:`work`. For formats with compressed chunks see
    :class:`~anemoi_ailand.rollout.outputs.chunked_output.ChunkedOutput`.

    Parameters
    ----------
    path : str
        File or folder to write. Its folder is created.
    points : mapping, optional
        ``indices``, ``area`` or ``nearest``, see :class:`~anemoi_ailand.rollout.outputs.point_choice.PointChoice`.
    means : str, optional
        ``day`` or ``month``: means over that period, see
        :class:`~anemoi_ailand.rollout.outputs.period_means.PeriodMeans`, of every step whatever the
        ``output_frequency`` of the run. The initial state is not part of them.
    statistics : list of str, optional
        Statistics over the members of an ensemble: ``mean``, ``spread``, ``q10``, ...; of the period means, if any.
    members : bool, optional
        Write the members themselves; by default only without ``statistics``.
    **options
        Options of every output of anemoi-inference: ``variables``, ``output_frequency``, ``write_initial_state``,
        ``post_processors``.

    Raises
    ------
    TypeError
        An unknown option, with the nearest known one.
    ValueError
        An invalid value, or a path with the suffix of another format; a name in ``variables`` that the model does not
        predict, or no variable left; a checkpoint of another task.

    Examples
    --------
    A format with one line per time, the mean of each column over the points:

    >>> import os
    >>> from anemoi_ailand import LandOutput
    >>> class MeansOutput(LandOutput):
    ...     def _create(self):
    ...         self.partial.write_text("")
    ...     def _write(self, block):
    ...         means = [block.rows(column.netcdf_name).mean(axis=-1) for column in self.frame.columns]
    ...         with self.partial.open("a") as file:
    ...             for (date, *_), *row in zip(block.times, *means):
    ...                 file.write(" ".join(map(str, [date, *row])) + "\n")
    ...     def _secure(self):
    ...         return {"size": self.partial.stat().st_size}
    ...     def _reopen(self, secured, n_times):
    ...         os.truncate(self.partial, secured["size"])
    ...     def _finish(self):
    ...         self.partial.replace(self.path)
    >>> MeansOutput.__abstractmethods__  # none left, so a run can use it
    frozenset()
    """

    #: Smallest part of :meth:`required_bytes` that an output may take: compression saves no more.
    least_share = 1 / 8

    #: Suffixes of the format; a path with another one, of letters only, is refused. None: all are taken.
    suffixes: tuple[str, ...] = ()

    def __init__(
        self,
        context: Any,
        metadata: Any,
        path: str,
        *,
        points: dict[str, Any] | None = None,
        means: str | None = None,
        members: bool | None = None,
        statistics: list[str] | None = None,
        **options: Any,
    ) -> None:
        check_known(options, options_of(type(self)), type(self).__name__)
        super().__init__(context, metadata, **options)
        check_task(context.checkpoint.task, context.checkpoint.path)
        if means not in (None, *PERIODS):
            raise ValueError(f"`means` is {means!r}. Give one of {list(PERIODS)}, or leave it out.")
        if means and options.get("output_frequency"):
            raise ValueError("`means` takes every step, and `output_frequency` leaves some out. Give one of them.")
        self.path, self.means = Path(path), means
        check_suffix(self.path, self.suffixes, type(self).__name__)
        self._own_frequency = options.get("output_frequency")
        self._post_processors = [str(p) for p in options.get("post_processors") or []]
        self.partial = partial_path(self.path)
        self.work = self.path.with_name(self.path.name + ".parts")
        self.points = PointChoice(points)
        self.statistics = check_statistics(statistics)
        self.members = not self.statistics if members is None else members
        if not self.members and not self.statistics:
            raise ValueError("`members: false` without `statistics` leaves nothing to write. Give `statistics`.")
        order = metadata.variable_to_output_tensor_index
        predicted = sorted(order, key=order.__getitem__)
        self.names = selected(predicted, self.variables, self.skip_variable, self.path)
        self.restart_every: int | None = None
        self.first_restart_every: int | None = None  # of the run that opened the output: a resumed run keeps its chunks
        self._progress = Progress(self.work)
        self._buffer: Buffer | None = None
        self._writer = Writer(self.path)
        self._rows = self._number = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path})"

    # -- defined by the format ----------------------------------------------------------------------------------

    @abstractmethod
    def _create(self) -> None:
        """Prepare an empty output under the name :attr:`partial`, and remove the remains of an earlier run."""

    @abstractmethod
    def _write(self, block: Block) -> None:
        """Append the ``block.filled`` times of a block, in the background thread, while no other of the five runs."""

    @abstractmethod
    def _secure(self) -> dict[str, Any]:
        """Make all blocks so far survive SIGKILL; return the argument of :meth:`_reopen` (JSON)."""

    @abstractmethod
    def _reopen(self, secured: dict[str, Any], n_times: int) -> None:
        """Continue after the :meth:`_secure` that returned ``secured``, at ``n_times``, instead of :meth:`_create`."""

    @abstractmethod
    def _finish(self) -> None:
        """Complete the output and rename it to :attr:`path`. :attr:`work` is removed afterwards."""

    def _format_options(self) -> dict[str, Any]:
        """Return the options of the format that a resumed run must share (JSON)."""
        return {}

    def _unit(self) -> int:
        """Return the number of times that are written together: :meth:`_write` gets a multiple, except at the end."""
        return 1

    def _block_times(self, frame: Frame) -> int:
        """Return the number of times in a block, a multiple of :meth:`_unit`."""
        return frame.times_in_memory

    # -- before the first step ----------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Folder of the output."""
        return self.path.parent

    def check_writable(self) -> None:
        """Raise an OSError if the folder cannot be created or written; nothing is left behind.

        An ``output_frequency`` that is not a multiple of the step is a ValueError.
        """
        self._interval  # noqa: B018
        check_replaceable(self.path)
        check_folder(self.folder)

    def required_bytes(self, n_states: int, n_rows: int, members: int = 1) -> int:
        """Return an upper bound of the disk space, as if nothing were compressed [bytes].

        ``n_states`` includes the initial state; ``n_rows`` is the number of values of a field, points x members.
        """
        fields = (members if self.members else 0) + len(self.statistics)
        one = 4 * (self.points.count or n_rows // members) * fields * len(self.names)
        total = one * min(n_states, self.rows_of(n_states) + 1)
        sums = KEPT * 2 * one if self.means and self.restart_every is not None else 0
        return total + sums + 2**20

    def rows_of(self, n_steps: int) -> int:
        """Return the number of output times of a number of steps."""
        periods = {"day": timedelta(days=1), "month": timedelta(days=28), None: self.output_frequency or STEP}
        return n_steps * STEP // periods[self.means]

    @cached_property
    def output_frequency(self) -> timedelta | None:
        """Time between two outputs, None for every step; means over a period take every step."""
        return None if self.means else self._interval

    @cached_property
    def _interval(self) -> timedelta | None:
        """Output frequency in the options of this output, else of the run."""
        given = self._own_frequency or self.context.output_frequency
        if given is None:
            return None
        interval = as_timedelta(given)
        if interval <= timedelta(0) or interval % STEP:
            raise ValueError(f"`output_frequency` is {given}, which is not a multiple of {STEP}. Give e.g. 6h.")
        return interval

    # -- from open to close -------------------------------------------------------------------------------------

    @property
    def frame(self) -> Frame:
        """Points, columns and attributes, once the output is open."""
        return self._opened.frame

    @property
    def _opened(self) -> Buffer:
        if self._buffer is None:
            raise RuntimeError(f"{self} was not opened.")
        return self._buffer

    def open(self, state: State) -> None:
        """Begin a new output; a file of the same name is replaced at the end, remains of a failed run are removed."""
        frame = self._frame_of(state, state["date"], run_attributes(self.context, state["date"]))
        self.first_restart_every = self.restart_every
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._progress.remove()
            self._start(frame)
            if self.restart_every is not None:
                identity = self._identity(frame, frame.attributes["checkpoint_sha256"])
                self._progress.start(frame, identity, self.restart_every)
            self._create()

    def write_initial_state(self, state: State) -> None:
        """Write the initial state, unless means over a period are written."""
        if self.means is None:
            super().write_initial_state(state)

    def write_step(self, state: State) -> None:
        """Add one state; a full block goes to the background thread, whose error the next call raises."""
        self._writer.check()
        self._hand_over(self._opened.add(state, self))

    def make_durable(self) -> dict[str, Any]:
        """Write all states so far so that they survive SIGKILL; return the argument of :meth:`resume` (JSON).

        The last three remain valid, also after an error of the disk.
        """
        if self.restart_every is None:
            raise RuntimeError(f"{self} was opened without restarts. Set `restart_every` before `open`.")
        buffer = self._opened
        self._hand_over(buffer.take(self._unit()))
        self._writer.wait()
        self._number += 1
        with writing(self.path):
            secured = self._secure()
            waits = self._progress.save(self._number, buffer)
        counts = {"run": self._progress.run, "number": self._number, "times": self._rows}
        return {**counts, "waits": waits, "secured": secured}

    def resume(self, state: State, progress: dict[str, Any]) -> None:
        """Continue after the :meth:`make_durable` that returned ``progress``, instead of :meth:`open`.

        Raises
        ------
        FileNotFoundError, ValueError
            Files of the stopped run are missing, or it had other points, options or another checkpoint.
        """
        stored = self._progress.load(progress["run"])
        now = run_attributes(self.context, date_of(stored.date))
        frame = self._frame_of(state, date_of(stored.date), resumed_attributes(stored.attributes, now))
        identity = self._identity(frame, now["checkpoint_sha256"])
        frame = stored.checked(frame, identity)
        if self.restart_every is None:  # no further restarts, but the existing parts have to be continued
            self.restart_every = stored.restart_every
        self.first_restart_every = stored.restart_every
        self._start(frame)
        self._number, self._rows = progress["number"], progress["times"]
        self._progress.restore(progress["waits"], self._opened)
        self._reopen(progress["secured"], self._rows)
        with writing(self.path):
            self._progress.start(frame, identity, stored.restart_every, run=progress["run"])
        waiting = self._opened.block
        LOG.info("%s resumes after %d times", self, self._rows + (waiting.filled if waiting else 0))

    def close(self) -> None:
        """Write the last times and give the output its name; does nothing if the output is not open."""
        if self._buffer is None:
            return
        if self._buffer.means is not None:
            self._buffer.means.warn_of_rest()
        self._hand_over(self._buffer.take())
        self._writer.wait()
        with writing(self.path):
            self._finish()
            self._progress.clear()
        LOG.info("Roll-out written to %s: %d times", self.path, self._rows)
        self._buffer = None

    def leave(self, *, keep: bool) -> bool:
        """Close an output that will not be complete, and return whether its times so far are in :attr:`partial`.

        Without ``keep``, or if they cannot be written either, nothing is left. What a restart needs stays.
        """
        buffer, self._buffer = self._buffer, None
        if buffer is None or (keep and self.restart_every is not None):
            return False
        try:
            if keep:
                self._buffer = buffer
                self._hand_over(buffer.take())
            self._writer.wait()
            with writing(self.path):
                self._close()
        except (OSError, RuntimeError, ValueError):
            keep = False
        self._buffer = None
        if not keep:
            remove(self.partial)
            self._progress.remove()
        return keep

    def _close(self) -> None:
        """Close the files under :attr:`partial`, so that they can be read."""

    # -- inside -------------------------------------------------------------------------------------------------

    def _frame_of(self, state: State, date: datetime, attributes: dict[str, str]) -> Frame:
        latitudes, longitudes, members = points_of(state)
        if self.statistics and (members or 1) < 2:
            raise ValueError(
                f"`statistics: {list(self.statistics)}` of {self} needs an ensemble, and the run has "
                f"{members or 'no'} members. Give `members` to the run, or remove `statistics`."
            )
        index = self.points.index(latitudes, longitudes)
        columns = columns_of(self.names, members is not None, self.members, self.statistics, self.means)
        return Frame(date, latitudes[index], longitudes[index], index, latitudes.size, members, columns, attributes)

    def _identity(self, frame: Frame, checkpoint: str) -> dict[str, Any]:
        """Return the properties that a resumed run must share with the stopped one (JSON)."""
        return {
            "output": type(self).__name__,
            "variables": [c.netcdf_name for c in frame.columns],
            "members": frame.n_members,
            "means": self.means,
            "output_frequency": str(self.output_frequency),
            "write_initial_state": self.write_step_zero,
            "post_processors": self._post_processors,
            "checkpoint_sha256": checkpoint,
            **self._format_options(),
        }

    def _start(self, frame: Frame) -> None:
        share_netcdf_lock()  # here too, as other runners take this output
        self._buffer = Buffer(frame, self.names, self.statistics, self.means, self._block_times(frame))
        self._writer = Writer(self.path)
        self._rows = self._number = 0

    def _hand_over(self, block: Block | None) -> None:
        """Give a block to the background thread, after the block before."""
        if block is not None:
            self._writer.begin(partial(self._write, block))
            self._rows += block.filled


def check_suffix(path: Path, suffixes: tuple[str, ...], what: str) -> None:
    """Refuse a path whose name ends as that of another format, such as ``forecast.txt`` for NetCDF."""
    suffix = path.suffix.lower()
    if suffixes and suffix not in suffixes and suffix[1:].isalpha():
        raise ValueError(
            f"The path '{path}' ends with '{path.suffix}', but {what} writes {suffixes[0]}. Give a name with one of "
            f"{list(suffixes)}, or another output."
        )
