# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One pass over re-forecasts and reference that collects the sums for scores, drift and comparisons.

The reference is copied once, in order of points. Values are in memory for a block of points, a few variables and a
block of starts at a time; only sums by lead and group, and by lead and point, are kept. Several processes may divide
the points.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.evaluation.fields.alignment import Alignment, align
from anemoi_ailand.evaluation.fields.climatology import SLOTS, Period, climatology_period
from anemoi_ailand.evaluation.fields.fields import Fields, open_fields
from anemoi_ailand.evaluation.fields.matching import held_out_points
from anemoi_ailand.evaluation.fields.point_weights import left_out, point_weights
from anemoi_ailand.evaluation.fields.reference import (
    CLIMATOLOGY,
    MEMORY_BYTES,
    PERSISTENCE,
    ReferenceCopy,
    ReferenceValues,
)
from anemoi_ailand.evaluation.fields.reforecast import Reforecast, open_reforecast
from anemoi_ailand.evaluation.scores import strata as st
from anemoi_ailand.evaluation.scores.available_strata import (
    NEEDS,
    available,
    dated_keys,
    dated_strata,
    snow_strata,
    static_strata,
)
from anemoi_ailand.evaluation.scores.moments import TERMS, Moments, memberships, terms
from anemoi_ailand.evaluation.scores.strata import EXTREMES, Strata
from anemoi_ailand.support.memory import GIB, available_memory
from anemoi_ailand.support.workers import open_executor

LOG = logging.getLogger(__name__)

#: Protocols: many runs (A), one long run (B), other places (C).
PROTOCOLS = ("A", "B", "C")

#: Values (start, lead, point) of a variable in memory at once.
BLOCK_VALUES = 2_500_000

#: Most points that the bootstrap resamples on their own; more are pooled to this number of units.
MAX_UNITS = 1000

#: Length of a window of one long run [d].
WINDOW_DAYS = 30.0

_E, _EE = TERMS.index("e"), TERMS.index("ee")
_ERROR, _SQUARE = _E - 1, _EE - 1  # in `terms`, which has no count
Key = tuple[str, str]


@dataclass(frozen=True)
class LeadBins:
    """Bin ``0, 1, ...`` of each lead ``(lead,)``, and the lead time that names each bin ``(bin,)`` [d]."""

    labels: np.ndarray
    days: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Number of leads in each bin."""
        return np.bincount(self.labels)

    def sum(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Sum over the leads of each bin along an axis."""
        return np.add.reduceat(values, np.flatnonzero(np.diff(self.labels, prepend=-1)), axis=axis)


def day_bins(leads: np.ndarray) -> LeadBins:
    """Bin leads ``(lead,)`` [h] by day: day d holds ``(24 (d - 1), 24 d]`` h and is named d."""
    days, labels = np.unique(-(-leads // 24), return_inverse=True)
    return LeadBins(labels, days.astype(np.float64))


def window_bins(leads: np.ndarray) -> LeadBins:
    """Bin leads ``(lead,)`` [h] by windows of :data:`WINDOW_DAYS`, named by their mean lead time.

    A last window of less than half that length is joined to the previous one.
    """
    lead = leads / 24
    complete = int(lead[-1] / WINDOW_DAYS + 0.5)
    labels = np.minimum(np.ceil(lead / WINDOW_DAYS).astype(int) - 1, max(complete - 1, 0))
    return LeadBins(labels, np.bincount(labels, weights=lead) / np.bincount(labels))


@dataclass
class Sums:
    """Result of :func:`collect`."""

    protocol: str
    alignment: Alignment
    #: Years of the climatology.
    period: Period
    bins: LeadBins
    #: Time-independent strata of the scored points.
    static: dict[str, Strata]
    #: Unit of the bootstrap that each point belongs to, ``(point,)``.
    units: np.ndarray
    #: Weight of each scored point ``(point,)``, one on average; None if all count alike.
    weights: np.ndarray | None = None
    #: Groups of the other strata, by (variable, strata).
    groups: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    #: Constant that is subtracted from the values of a variable before they are summed.
    shifts: dict[str, float] = field(default_factory=dict)
    #: Sums ``(bin, group)`` by (variable, model, strata). Dated strata of a single run have one bin, the whole run.
    moments: dict[tuple[str, str, str], Moments] = field(default_factory=dict)
    #: Sum of squared errors ``(bin, point)``.
    squares: dict[Key, np.ndarray] = field(default_factory=dict)
    #: Sum of errors ``(bin, point)``.
    errors: dict[Key, np.ndarray] = field(default_factory=dict)
    #: Sum of squared errors ``(bin, start, unit)``.
    start_squares: dict[Key, np.ndarray] = field(default_factory=dict)
    #: Sum of errors ``(bin, start, unit)``; empty without ``biases``.
    start_errors: dict[Key, np.ndarray] = field(default_factory=dict)
    #: Number of extremes ``(bin, group)`` that the model hits, weighted.
    hits: dict[Key, np.ndarray] = field(default_factory=dict)
    #: Sum of errors ``(lead, group)`` of a single run, by (variable, model, strata).
    series: dict[tuple[str, str, str], np.ndarray] = field(default_factory=dict)

    @property
    def single_run(self) -> bool:
        """True if leads are windows of one long run rather than days of many runs."""
        return self.protocol == "B" or (self.protocol == "C" and len(self.alignment.starts) == 1)

    @property
    def values_per_point(self) -> np.ndarray:
        """Number of values of each point, ``(bin,)``."""
        return self.bins.sizes * len(self.alignment.starts)

    def models(self, name: str) -> list[str]:
        """Return the models of a variable: forecasts, then baselines."""
        return [*self.alignment.labels_with(name), PERSISTENCE, CLIMATOLOGY]

    def weights_at(self, points: np.ndarray) -> np.ndarray | None:
        """Return the weights of some points, None if all count alike."""
        return None if self.weights is None else self.weights[points]

    def of_points(self, points: slice) -> Sums:
        """Return the sums, which are of these points only, without readers and other points, for another process."""
        static = {k: Strata(v.name, v.groups, v.labels[points]) for k, v in self.static.items()}
        squares, errors = ({k: v[:, points] for k, v in of.items()} for of in (self.squares, self.errors))
        return replace(self, alignment=None, static=static, squares=squares, errors=errors)  # type: ignore[arg-type]

    def add(self, part: Sums, points: slice) -> None:
        """Add the sums of some points, see :meth:`of_points`."""
        self.groups |= part.groups
        for name, shift in part.shifts.items():
            self.shifts.setdefault(name, shift)
        for strata, found in part.static.items():
            self.static[strata].labels[points] = found.labels
        for key, moments in part.moments.items():
            self.moments[key] = self.moments[key].merge(moments) if key in self.moments else moments
        n_points = len(self.alignment.points)
        for by_point, more in ((self.squares, part.squares), (self.errors, part.errors)):
            for model, values in more.items():
                by_point.setdefault(model, np.zeros((len(values), n_points)))[:, points] = values
        for name in ("start_squares", "start_errors", "hits", "series"):
            kept = getattr(self, name)
            for model, values in getattr(part, name).items():
                kept[model] = kept[model] + values if model in kept else values

    def points_per_group(self) -> dict[str, dict[str, int]]:
        """Count the points by group of each time-independent strata."""
        return {
            strata.name: {group: int((strata.labels == i).sum()) for i, group in enumerate(strata.groups)}
            for strata in self.static.values()
        }


def collect(
    forecasts: Mapping[str, Reforecast],
    reference: Fields,
    *,
    protocol: str,
    period: tuple[object, object] | None = None,
    strata: Collection[str] | None = None,
    variables: Sequence[str] | None = None,
    overlap: bool = False,
    biases: bool = False,
    weights: str | None = None,
    leave_out: Collection[str] = (),
    scratch: Path | None = None,
    workers: int | str = 1,
    plausibility: str = "off",
) -> Sums:
    """Read forecasts and reference once, and keep sums.

    Parameters
    ----------
    forecasts : mapping
        Re-forecasts by label, compared at their common starts, leads and points.
    reference : Fields
        ecLand, including the years of the climatology.
    protocol : str
        ``A``, many runs: leads are days; ``B``, one long run: leads are windows of 30 days; ``C``, as A or, with a
        single start, as B.
    period : (start, end), optional
        Years of the climatology and of the thresholds of extremes; by default all before the first start.
    strata : collection of str, optional
        Some of :data:`~anemoi_ailand.evaluation.scores.available_strata.STRATA_NAMES`; by default all that the
        reference supports.
    variables : sequence of str, optional
        Dataset names; by default all in common.
    overlap : bool
        As in :func:`~anemoi_ailand.evaluation.fields.climatology.climatology_period`.
    biases : bool
        Keep :attr:`Sums.start_errors` for intervals of the bias.
    weights : str, optional
        Weights of the points, see :func:`~anemoi_ailand.evaluation.fields.point_weights.point_weights`.
    leave_out : collection of str
        Kinds of points that are not scored, see :func:`~anemoi_ailand.evaluation.fields.point_weights.left_out`.
    scratch : Path, optional
        Folder for a temporary copy of the reference, see
        :class:`~anemoi_ailand.evaluation.fields.reference.ReferenceCopy`.
    workers : int or str
        Processes that divide the points, see :func:`~anemoi_ailand.support.workers.open_executor`. Each of
        several opens forecasts and reference by their paths, and reads the reference once.
    plausibility : {'off', 'warn', 'error'}
        Treatment of values of the reference that are not possible, and of its records of another time.

    Raises
    ------
    ValueError
        Forecasts and reference do not match, a name is unknown, or the reference is not possible.
    """
    options: dict[str, Any] = {
        "protocol": protocol, "period": period, "strata": strata, "variables": variables, "overlap": overlap,
        "weights": weights, "leave_out": leave_out,
    }  # fmt: skip
    sums, wanted = _prepare(forecasts, reference, **options)
    if workers == 1:
        _score(sums, wanted, slice(0, len(sums.alignment.points)), biases, scratch, plausibility)
        return sums
    paths = {label: forecast.path for label, forecast in forecasts.items()}
    with open_executor(workers) as (executor, count):
        own = _divided(len(sums.alignment.points), count)
        task = partial(_part, paths, reference.path, options, biases, scratch, plausibility)
        for points, part in zip(own, executor.map(task, own), strict=True):
            sums.add(part, points)
    return sums


def _part(
    paths: Mapping[str, Path], reference: Path, options: Mapping[str, Any], biases: bool, scratch: Path | None,
    plausibility: str, own: slice,
) -> Sums:  # fmt: skip
    """Return the sums of some of the points, in a process of its own."""
    forecasts = {label: open_reforecast(path) for label, path in paths.items()}
    sums, wanted = _prepare(forecasts, open_fields(reference), **options)
    _score(sums, wanted, own, biases, scratch, plausibility)
    return sums.of_points(own)


def _prepare(
    forecasts: Mapping[str, Reforecast],
    reference: Fields,
    *,
    protocol: str,
    period: tuple[object, object] | None,
    strata: Collection[str] | None,
    variables: Sequence[str] | None,
    overlap: bool,
    weights: str | None,
    leave_out: Collection[str],
) -> tuple[Sums, list[str]]:
    """Match forecasts and reference, and return sums without values, and the strata."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"Unknown protocol '{protocol}' (available: {PROTOCOLS}). Correct the name.")
    alignment = align(forecasts, reference, variables)
    if leave_out:
        alignment = alignment.without(left_out(reference, leave_out))
    first, last = alignment.starts[0], alignment.valid_times.max()
    years = climatology_period(reference, first, last, period, overlap=overlap)
    if protocol == "B" and len(alignment.starts) > 1:
        raise ValueError(
            f"Protocol B is one run, but '{alignment.first.path}' has {len(alignment.starts)} starts. Score it as "
            "protocol A, or give one start."
        )
    held_out = held_out_points(reference)
    wanted = available(reference, strata, held_out is not None)
    at = alignment.points
    static = {k: Strata(v.name, v.groups, v.labels[at]) for k, v in static_strata(reference, wanted).items()}
    units = _units(None if held_out is None else held_out[at], len(at))
    sums = Sums(protocol, alignment, years, day_bins(alignment.leads), static, units)
    if weights is not None:
        found = point_weights(reference, weights)[at]
        sums.weights = found / found.mean()
    if sums.single_run:
        sums.bins = window_bins(alignment.leads)
    else:
        wanted = [name for name in wanted if name != "year"]
    if "snow_regime" in wanted:  # its labels follow from the climatology, block by block
        static["snow_regime"] = Strata("snow_regime", ("snow", "snow-free"), np.full(len(at), -1))
    return sums, wanted


def _units(held_out: np.ndarray | None, n_points: int) -> np.ndarray:
    """Bootstrap unit of each point: the point itself, or a share of the held-out or trained points if many."""
    if n_points <= MAX_UNITS:
        return np.arange(n_points)
    units, n_units = np.empty(n_points, int), 0
    kind = np.zeros(n_points, bool) if held_out is None else held_out
    for members in (np.flatnonzero(kind), np.flatnonzero(~kind)):
        share = -(-MAX_UNITS * len(members) // n_points)
        units[members] = n_units + np.arange(len(members)) * share // max(len(members), 1)
        n_units += share
    return units


def _score(
    sums: Sums, wanted: list[str], own: slice, biases: bool, scratch: Path | None, plausibility: str
) -> None:  # fmt: skip
    """Add the sums of some of the points."""
    alignment, block = sums.alignment, _block(sums)
    _check_memory(sums, own.stop - own.start)
    needed = list(dict.fromkeys([*alignment.variables, *(v for k, v in NEEDS.items() if k in wanted)]))
    tails = [n for n in alignment.variables if n in EXTREMES] if "extreme" in wanted else []
    times = np.unique(np.append(alignment.starts, alignment.valid_times))
    at = alignment.points[own]
    copy = ReferenceCopy(
        alignment.reference, needed, times, sums.period, at, tails, block=block, scratch=scratch,
        plausibility=plausibility,
    )  # fmt: skip
    for first in range(0, len(at), block):
        points = own.start + np.arange(first, min(first + block, len(at)))
        for names in _batches(sums, len(points)):
            LOG.info("Scoring %s at %s of %s points", names, len(points), len(alignment.points))
            further = [v for k, v in NEEDS.items() if k in wanted]
            values = copy.values(list(dict.fromkeys([*names, *further])), first)
            _Batch(sums, wanted, names, points, values, biases).run()


def _check_memory(sums: Sums, n_points: int) -> None:
    """Refuse points whose sums do not fit into the memory, with what a block takes."""
    series = sum(len(sums.models(name)) for name in sums.alignment.variables)
    needed = 2 * 8 * len(sums.bins.days) * n_points * series + 3 * MEMORY_BYTES
    if needed > (left := available_memory()):
        raise ValueError(
            f"The scores of {n_points} points need about {needed / GIB:.1f} GiB of memory, and {left / GIB:.1f} GiB "
            "are available. Give more `workers` on other machines, fewer lead times, or end other programs."
        )


def _divided(n_points: int, count: int) -> list[slice]:
    """Divide the points among a number of processes."""
    bounds = np.linspace(0, n_points, min(count, n_points) + 1).astype(int).tolist()
    return [slice(*each) for each in pairwise(bounds)]


def _block(sums: Sums) -> int:
    """Return the points of a block: few enough for values in memory at once, and for one variable of the reference."""
    most = min(BLOCK_VALUES // len(sums.alignment.leads), MEMORY_BYTES // _bytes_per_variable(sums))
    return max(1, min(most, len(sums.alignment.points)))


def _bytes_per_variable(sums: Sums) -> int:
    """Return the memory of reference and climatology of a variable at a point [bytes]."""
    return 3 * 8 * SLOTS + 2 * 4 * len(sums.alignment.reference.times)


def _batches(sums: Sums, n_points: int) -> Iterator[list[str]]:
    """Variables in batches whose reference and climatology fit into :data:`MEMORY_BYTES`, at least one a batch."""
    size = max(1, MEMORY_BYTES // (n_points * _bytes_per_variable(sums)))
    names = sums.alignment.variables
    for first in range(0, len(names), size):
        yield names[first : first + size]


class _Batch:
    """Some variables at some points: reference in memory, forecasts read in blocks of starts."""

    def __init__(
        self, sums: Sums, wanted: list[str], names: list[str], points: np.ndarray, values: ReferenceValues, biases: bool
    ) -> None:
        self.sums, self.names, self.points, self.biases = sums, names, points, biases
        self.reference, self.weights = values, sums.weights_at(points)
        self.dated = dated_strata(self.reference, wanted, sums.alignment.starts[0])
        if "snow_regime" in wanted:
            sums.static["snow_regime"].labels[points] = snow_strata(self.reference).labels
        self.per_point: dict[Key, Moments] = {}

    def run(self) -> None:
        """Add the batch to the sums."""
        alignment = self.sums.alignment
        size = max(1, BLOCK_VALUES // (len(alignment.leads) * len(self.points)))
        for first in range(0, len(alignment.starts), size):
            starts = slice(first, min(first + size, len(alignment.starts)))
            valid = alignment.valid_times[starts]
            index = self.reference.index(valid)
            bins = self._dated_bins()
            cells = {key: strata.cells(bins, index, len(self.points)) for key, strata in self.dated.items()}
            for name in self.names:
                self._add_variable(name, starts, valid, cells)
        self._pool()

    def _dated_bins(self) -> np.ndarray:
        bins = self.sums.bins.labels
        return np.zeros_like(bins) if self.sums.single_run else bins

    def _add_variable(self, name: str, starts: slice, valid: np.ndarray, cells: dict[str, np.ndarray]) -> None:
        sums, reference = self.sums, self.reference
        obs, climatology = reference.at(name, valid), reference.climatology(name, valid)
        shift = sums.shifts.setdefault(name, float(reference.means[name].mean()))
        n_points = len(self.points)
        at_point = np.broadcast_to(sums.bins.labels[:, None] * n_points + np.arange(n_points), obs.shape)
        dated = {strata: (self.dated[key].groups, cells[key]) for strata, key in dated_keys(name, self.dated).items()}
        if name in reference.tails:
            tail = st.extreme(name, reference.values[name], reference.tails[name])
            labels = tail.cells(self._dated_bins(), reference.index(valid), n_points)
            dated["extreme"] = (tail.groups, labels)
        for model, fcst in self._models(name, starts, climatology):
            values = terms(np.broadcast_to(fcst, obs.shape), obs, climatology, shift)
            per_point = self.per_point.setdefault((name, model), Moments.empty((len(sums.bins.days), n_points), shift))
            per_point.add(values, at_point)
            for strata, (groups, at) in dated.items():
                self._moments(name, model, strata, groups).add(values, at, self.weights)
            if "extreme" in dated:
                self._add_hits(name, model, fcst, dated["extreme"][1])
            self._add_starts(sums.start_squares, (name, model), starts, values[_SQUARE])
            if self.biases:
                self._add_starts(sums.start_errors, (name, model), starts, values[_ERROR])
            if sums.single_run:
                self._add_series(name, model, values[_ERROR][0])

    def _models(self, name: str, starts: slice, climatology: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        alignment = self.sums.alignment
        for label in alignment.labels_with(name):
            yield label, alignment.forecasts[label].select(starts=starts, points=self.points).read(name)
        yield PERSISTENCE, self.reference.persistence(name, alignment.starts[starts])
        yield CLIMATOLOGY, climatology

    def _moments(self, name: str, model: str, strata: str, groups: tuple[str, ...]) -> Moments:
        """Sums of dated strata."""
        self.sums.groups[name, strata] = groups
        n_bins = 1 if self.sums.single_run else len(self.sums.bins.days)
        empty = Moments.empty((n_bins, len(groups)), self.sums.shifts[name])
        return self.sums.moments.setdefault((name, model, strata), empty)

    def _add_hits(self, name: str, model: str, fcst: np.ndarray, cells: np.ndarray) -> None:
        """Count the extremes of the reference at which the model is beyond the same threshold."""
        low, high = self.reference.tails[name]
        beyond = np.where(cells % 2 == 0, fcst < low, fcst > high) & (cells >= 0)
        shape = self.sums.moments[name, model, "extreme"].n.shape
        hits = self.sums.hits.setdefault((name, model), np.zeros(shape))
        weights = None if self.weights is None else np.broadcast_to(self.weights, cells.shape)[beyond]
        hits += np.bincount(cells[beyond], weights, hits.size).reshape(shape)

    def _add_starts(self, kept: dict[Key, np.ndarray], key: Key, starts: slice, values: np.ndarray) -> None:
        """Add errors or their squares ``(start, lead, point)`` by bin, start and unit."""
        sums = self.sums
        shape = (len(sums.bins.days), len(sums.alignment.starts), int(sums.units.max()) + 1)
        total = kept.setdefault(key, np.zeros(shape))
        units = sums.units[self.points]
        values = values if self.weights is None else values * self.weights
        order = np.argsort(units, kind="stable")
        by_bin = sums.bins.sum(values, axis=1)[..., order].swapaxes(0, 1)
        begins = np.flatnonzero(np.diff(units[order], prepend=-1))
        total[:, starts, units[order][begins]] += np.add.reduceat(by_bin, begins, axis=-1)

    def _add_series(self, name: str, model: str, error: np.ndarray) -> None:
        """Add the errors ``(lead, point)`` of a single run over the points of each group."""
        for strata in self.sums.static.values():
            member = memberships(strata.labels[self.points], len(strata.groups), self.weights)
            total = self.sums.series.setdefault((name, model, strata.name), np.zeros((len(error), len(strata.groups))))
            total += error @ member

    def _pool(self) -> None:
        """Pool sums by point to sums by group."""
        sums = self.sums
        for (name, model), by_point in self.per_point.items():
            shape = (len(sums.bins.days), len(sums.alignment.points))
            for kept, term in ((sums.squares, _EE), (sums.errors, _E)):
                kept.setdefault((name, model), np.zeros(shape))[:, self.points] = by_point.sums[term]
            for strata in sums.static.values():
                key = (name, model, strata.name)
                part = by_point.pooled(strata.labels[self.points], len(strata.groups), self.weights)
                sums.moments[key] = sums.moments[key].merge(part) if key in sums.moments else part
