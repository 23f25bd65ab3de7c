# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What all outputs of a land roll-out have in common: choice, means, ensembles, buffers, restarts."""

from __future__ import annotations

import logging
from abc import abstractmethod
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from anemoi.inference.output import Output
from anemoi.inference.types import FloatArray, State
from anemoi.utils.dates import as_timedelta

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.rollout.outputs.output_chunks import CHUNK_TIMES, GATHERED_BYTES
from anemoi_ailand.rollout.outputs.output_columns import check_statistics, columns_of, selected, statistics_of
from anemoi_ailand.rollout.outputs.output_frame import (
    Block,
    Frame,
    date_of,
    global_attributes,
    joined_attributes,
    places,
)
from anemoi_ailand.rollout.outputs.output_progress import KEPT, Progress
from anemoi_ailand.rollout.outputs.period_means import PERIODS, PeriodMeans
from anemoi_ailand.rollout.outputs.point_choice import PointChoice
from anemoi_ailand.rollout.outputs.writer import Writer
from anemoi_ailand.rollout.step.checkpoint import check_task
from anemoi_ailand.support.disk_errors import check_folder, writing
from anemoi_ailand.support.options import check_known, options_of

LOG = logging.getLogger(__name__)

STEP = timedelta(hours=STEP_HOURS)


class LandOutput(Output):
    """Gather states into blocks of times and let a thread write them; go on after a stop.

    The life of an output::

        output.restart_every = 40                # or None: no restarts
        output.open(state)                       # or: output.resume(state, progress)
        output.write_initial_state(state)        #     (not after `resume`)
        output.write_state(state)                # every step
        progress = output.make_durable()         # every 40 steps
        output.close()                           # of a complete run only

    **To make an output in another format**, write the five methods ``_create``, ``_write``, ``_secure``, ``_reopen``,
    ``_finish``; see there. They find :attr:`frame` (points, columns, attributes), :attr:`path`, :attr:`partial`
    (temporary name), :attr:`work` (folder for what a restart needs). Options of its own are keyword arguments of its
    ``__init__``, which hands on the others; :meth:`_own_options` tells those that a resumed run must share.
    ``_write`` is called in another thread, one call at a time and never while another of the five runs. Where only
    whole chunks may be written, :meth:`_unit` says so; what is left at a restart waits in :attr:`work`.

    Parameters
    ----------
    path : str
        What is written. Its folder is made.
    points : mapping, optional
        ``indices``, ``area`` or ``nearest``, see :class:`~anemoi_ailand.rollout.outputs.point_choice.PointChoice`.
    means : str, optional
        ``day`` or ``month``: means over it, see :class:`~anemoi_ailand.rollout.outputs.period_means.PeriodMeans`, of
        every step whatever the ``output_frequency`` of the run. The initial state has no part in them.
    statistics : list of str, optional
        Of an ensemble, ``mean``, ``spread``, ``q10``...: of the means over the period, if there are such.
    members : bool, optional
        Whether the members themselves are written; by default unless there are statistics.
    **options
        Of every output of anemoi-inference: ``variables``, ``output_frequency``, ``write_initial_state``,
        ``post_processors``.

    Raises
    ------
    TypeError
        An unknown option, with the nearest known one.
    ValueError
        A value that is none; a name in ``variables`` that the model does not predict, or none left; a checkpoint of
        another task.
    """

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
        self.asked_frequency = options.get("output_frequency")  # of this output; else that of the run
        self._post_processors = [str(p) for p in options.get("post_processors") or []]
        self.partial = self.path.with_name(self.path.name + ".partial")
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
        self.laid_out_for: int | None = None  # the first run's, by which a resumed one keeps to its chunks
        self._progress = Progress(self.work)
        self._frame: Frame | None = None
        self._means: PeriodMeans | None = None
        self._block: Block | None = None
        self._rows = self._number = 0
        self._writer = Writer()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path})"

    # -- what a format defines ---------------------------------------------------------------------------------

    @abstractmethod
    def _create(self) -> None:
        """Make what :meth:`_write` needs, under a temporary name; what an earlier run left there goes."""

    @abstractmethod
    def _write(self, block: Block) -> None:
        """Append the ``block.filled`` times of a block. Called in the thread of the writer."""

    @abstractmethod
    def _secure(self) -> dict[str, Any]:
        """See to it that all blocks so far survive SIGKILL; return what :meth:`_reopen` needs (JSON)."""

    @abstractmethod
    def _reopen(self, secured: dict[str, Any], n_times: int) -> None:
        """Instead of :meth:`_create`: go on after that :meth:`_secure`, at ``n_times``; drop what is later.

        Raises
        ------
        FileNotFoundError, ValueError
            What is on disk is not what was secured.
        """

    @abstractmethod
    def _finish(self) -> None:
        """Complete the output and give it its name. :attr:`work` is removed afterwards."""

    def _own_options(self) -> dict[str, Any]:
        """Options of the format that a resumed run must share (JSON)."""
        return {}

    def _unit(self) -> int:
        """Times that are written together: of these :meth:`_write` gets a multiple, but for the last ones."""
        return 1

    def _block_times(self, frame: Frame) -> int:
        """Times of a block, a multiple of :meth:`_unit`."""
        return max(1, min(CHUNK_TIMES, GATHERED_BYTES // frame.row_bytes))

    # -- what a runner asks before the first step ---------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Where it is written."""
        return self.path.parent

    def check_writable(self) -> None:
        """Try to make the folder and to write there, and leave nothing behind.

        Raises: PermissionError, OSError, with the folder.
        """
        check_folder(self.folder)

    def required_bytes(self, n_states: int, n_rows: int, members: int = 1) -> int:
        """Upper bound of the disk space that is needed: as if nothing were compressed [bytes].

        Parameters
        ----------
        n_states : int
            States that the output will be given, the initial one included.
        n_rows : int
            Values of a field: points x members.
        members : int
            Size of the ensemble; without it the bound is too high if there are statistics.
        """
        fields = (members if self.members else 0) + len(self.statistics)
        one = 4 * (self.points.count or n_rows // members) * fields * len(self.names)
        total = one * min(n_states, self.rows_of(n_states) + 1)
        sums = KEPT * 2 * one if self.means and self.restart_every is not None else 0
        return total + sums + 2**20

    def rows_of(self, n_steps: int) -> int:
        """Times of the output that a number of steps gives."""
        periods = {"day": timedelta(days=1), "month": timedelta(days=28), None: self.output_frequency or STEP}
        return n_steps * STEP // periods[self.means]

    @cached_property
    def output_frequency(self) -> timedelta | None:
        """As upstream; means over a period take every step."""
        if self.means:
            return None
        given = self.asked_frequency or self.context.output_frequency
        return None if given is None else as_timedelta(given)

    # -- the life of an output ----------------------------------------------------------------------------------

    @property
    def frame(self) -> Frame:
        """What is known since `open` or `resume`."""
        if self._frame is None:
            raise RuntimeError(f"{self} was not opened.")
        return self._frame

    def open(self, state: State) -> None:
        """Begin a new output, instead of one that is there or was left by a failed run.

        Raises
        ------
        ValueError
            Statistics without an ensemble; a choice of points that are not there.
        OSError
            The disk.
        """
        frame = self._frame_of(state, state["date"], global_attributes(self.context, state["date"]))
        self.laid_out_for = self.restart_every
        with writing(self.path):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._progress.remove()
            self._start(frame)
            if self.laid_out_for is not None:
                identity = self._identity(frame, frame.attributes["checkpoint_sha256"])
                self._progress.start(frame, identity, self.laid_out_for)
            self._create()

    def write_initial_state(self, state: State) -> None:
        """As upstream; it has no part in means."""
        if self.means is None:
            super().write_initial_state(state)

    def write_step(self, state: State) -> None:
        """Take one state; hand a full block to the writer. Variables that a state lacks (lead 0) stay missing.

        Raises: OSError, if the writer failed at an earlier block.
        """
        self._writer.check()
        date, given = state["date"], state["fields"]
        fields = {n: self.frame.taken(n, given[n], str(self)) for n in self.names if n in given}
        if self._means is None:
            self._add((date, date - STEP, date), fields)
        else:
            for done in self._means.add(date, fields):
                self._add((done.start, done.start, done.end), done.values)

    def make_durable(self) -> dict[str, Any]:
        """Write what was given so far so that it survives SIGKILL.

        Returns
        -------
        dict
            What :meth:`resume` needs (JSON). The last three are good.

        Raises
        ------
        RuntimeError
            :attr:`restart_every` was not set before :meth:`open`.
        OSError
            The disk is full or broken; what was durable before stays so.
        """
        if self.restart_every is None:
            raise RuntimeError(f"{self} was opened without restarts. Set `restart_every` before `open`.")
        rest = self._block.split(self._unit(), self._new_block()) if self._block else None
        self._hand_over()
        self._writer.wait()
        self._block = rest
        self._number += 1
        with writing(self.path):
            secured = self._secure()
            waits = self._progress.save(self._number, self._block, self._means)
        told = {"run": self._progress.run, "number": self._number, "times": self._rows}
        return {**told, "waits": waits, "secured": secured}

    def resume(self, state: State, progress: dict[str, Any]) -> None:
        """Instead of :meth:`open` and :meth:`write_initial_state`: go on after that :meth:`make_durable`.

        Raises
        ------
        FileNotFoundError
            What was durable is gone.
        ValueError
            It is of another run: points, variables, options, checkpoint.
        """
        stored = self._progress.load(progress["run"])
        now = global_attributes(self.context, date_of(stored.date))
        frame = self._frame_of(state, date_of(stored.date), joined_attributes(stored.attributes, now))
        identity = self._identity(frame, now["checkpoint_sha256"])
        frame = stored.checked(frame, identity)
        if self.restart_every is None:  # no further restarts, but what there is has to be gone on with
            self.restart_every = stored.restart_every
        self.laid_out_for = stored.restart_every
        self._start(frame)
        self._number, self._rows = progress["number"], progress["times"]
        self._block = self._progress.restore(progress["waits"], self._new_block(), self._means)
        self._reopen(progress["secured"], self._rows)
        with writing(self.path):
            self._progress.start(frame, identity, self.laid_out_for, run=progress["run"])
        LOG.info("%s goes on after %d times", self, self._rows + self._block.filled)

    def close(self) -> None:
        """Write what is left and give the output its name."""
        if self._frame is None:
            return
        if self._means is not None:
            self._means.warn_of_rest()
        self._hand_over()
        self._writer.wait()
        with writing(self.path):
            self._finish()
            self._progress.clear()
        LOG.info("Roll-out written to %s: %d times", self.path, self._rows)
        self._frame = None

    # -- inside -------------------------------------------------------------------------------------------------

    def _frame_of(self, state: State, date: datetime, attributes: dict[str, str]) -> Frame:
        latitudes, longitudes, members = places(state)
        if self.statistics and (members or 1) < 2:
            raise ValueError(
                f"`statistics: {list(self.statistics)}` of {self} needs an ensemble, and the run has "
                f"{members or 'no'} members. Give `members` to the run, or remove `statistics`."
            )
        index = self.points.index(latitudes, longitudes)
        columns = columns_of(self.names, members is not None, self.members, self.statistics, self.means)
        return Frame(date, latitudes[index], longitudes[index], index, latitudes.size, members, columns, attributes)

    def _identity(self, frame: Frame, checkpoint: str) -> dict[str, Any]:
        """What a run that goes on must share with the one that stopped (JSON)."""
        return {
            "output": type(self).__name__,
            "variables": [c.netcdf_name for c in frame.columns],
            "members": frame.n_members,
            "means": self.means,
            "output_frequency": str(self.output_frequency),
            "write_initial_state": self.write_step_zero,
            "post_processors": self._post_processors,
            "checkpoint_sha256": checkpoint,
            **self._own_options(),
        }

    def _start(self, frame: Frame) -> None:
        self._frame, self._block, self._writer = frame, None, Writer()
        self._rows = self._number = 0
        self._means = PeriodMeans(self.means, self.names, STEP) if self.means else None
        self._times = self._block_times(frame)

    def _add(self, times: tuple[datetime, datetime, datetime], fields: dict[str, FloatArray]) -> None:
        row: dict[str, FloatArray] = {}
        statistics = {n: statistics_of(v, self.statistics) for n, v in fields.items()} if self.statistics else {}
        for column in self.frame.columns:
            if column.name in fields:
                of = fields[column.name] if column.statistic is None else statistics[column.name][column.statistic]
                row[column.netcdf_name] = of
        if self._block is None:
            self._block = self._new_block()
        self._block.add(times, row)
        if self._block.filled == self._times:
            self._hand_over()

    def _new_block(self) -> Block:
        return Block.empty(self.frame, self._times)

    def _hand_over(self) -> None:
        """Give the block to the writer, once it has done the one before."""
        if self._block is None or not self._block.filled:
            return
        self._writer.wait()
        block, self._block = self._block, None
        self._rows += block.filled
        self._writer.begin(lambda: self._write_block(block))

    def _write_block(self, block: Block) -> None:
        with writing(self.path):
            self._write(block)
