# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One pass over re-forecasts and reference that collects the sums for scores, drift and comparisons.

Values are in memory for a block of points, a few variables and a block of starts at a time; only sums by lead and
group, and by lead and point, are kept.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from anemoi_ailand.evaluation.fields.alignment import Alignment, align
from anemoi_ailand.evaluation.fields.climatology import SLOTS, Period, climatology_period
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import held_out_points
from anemoi_ailand.evaluation.fields.reference import CLIMATOLOGY, PERSISTENCE, ReferenceValues, load_reference
from anemoi_ailand.evaluation.fields.reforecast import Reforecast
from anemoi_ailand.evaluation.scores import strata as st
from anemoi_ailand.evaluation.scores.available_strata import (
    NEEDS,
    available,
    dated_keys,
    dated_strata,
    snow_strata,
    static_strata,
)
from anemoi_ailand.evaluation.scores.moments import TERMS, Moments, terms
from anemoi_ailand.evaluation.scores.strata import EXTREMES, Strata

LOG = logging.getLogger(__name__)

#: Protocols: many runs (A), one long run (B), other places (C).
PROTOCOLS = ("A", "B", "C")

#: Values (start, lead, point) of a variable in memory at once.
BLOCK_VALUES = 2_500_000

#: Limit for reference and climatology in memory at once, which sets the number of variables per batch [bytes].
MEMORY_BYTES = 2**29

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
    #: Number of extremes ``(bin, group)`` that the model hits.
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

    Raises
    ------
    ValueError
        Forecasts and reference do not match, or a name is unknown.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"Unknown protocol '{protocol}' (available: {PROTOCOLS}). Correct the name.")
    alignment = align(forecasts, reference, variables)
    first, last = alignment.starts[0], alignment.valid_times.max()
    years = climatology_period(reference, first, last, period, overlap=overlap)
    sums, wanted = _prepare(alignment, protocol, years, strata)
    for points in _point_blocks(sums):
        for names in _batches(sums, len(points)):
            LOG.info("Scoring %s at %s of %s points", names, len(points), len(sums.alignment.points))
            _Batch(sums, wanted, names, points, biases).run()
    return sums


def _prepare(
    alignment: Alignment, protocol: str, years: Period, strata: Collection[str] | None
) -> tuple[Sums, list[str]]:
    reference = alignment.reference
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


def _point_blocks(sums: Sums) -> Iterator[np.ndarray]:
    size = max(1, BLOCK_VALUES // len(sums.alignment.leads))
    n_points = len(sums.alignment.points)
    for first in range(0, n_points, size):
        yield np.arange(first, min(first + size, n_points))


def _batches(sums: Sums, n_points: int) -> Iterator[list[str]]:
    """Variables in batches whose reference and climatology fit into :data:`MEMORY_BYTES`, at least one a batch."""
    times = sums.alignment.reference.times
    years = int(((times >= sums.period[0]) & (times <= sums.period[1])).sum())
    bytes_per_variable = n_points * (3 * 8 * SLOTS + 2 * 4 * (len(times) - years) + 2 * 4 * years)
    size = max(1, MEMORY_BYTES // bytes_per_variable)
    names = sums.alignment.variables
    for first in range(0, len(names), size):
        yield names[first : first + size]


class _Batch:
    """Some variables at some points: reference in memory, forecasts read in blocks of starts."""

    def __init__(self, sums: Sums, wanted: list[str], names: list[str], points: np.ndarray, biases: bool) -> None:
        self.sums, self.names, self.points, self.biases = sums, names, points, biases
        alignment = sums.alignment
        times = np.unique(np.append(alignment.starts, alignment.valid_times))
        needed = [*names, *(v for k, v in NEEDS.items() if k in wanted)]
        tails = [n for n in names if n in EXTREMES] if "extreme" in wanted else []
        at = alignment.points[points]
        self.reference: ReferenceValues = load_reference(
            alignment.reference, list(dict.fromkeys(needed)), times, sums.period, at, tails
        )
        self.dated = dated_strata(self.reference, wanted, alignment.starts[0])
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
                self._moments(name, model, strata, groups).add(values, at)
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
        hits = self.sums.hits.setdefault((name, model), np.zeros(shape, int))
        hits += np.bincount(cells[beyond], minlength=hits.size).reshape(shape)

    def _add_starts(self, kept: dict[Key, np.ndarray], key: Key, starts: slice, values: np.ndarray) -> None:
        """Add errors or their squares ``(start, lead, point)`` by bin, start and unit."""
        sums = self.sums
        shape = (len(sums.bins.days), len(sums.alignment.starts), int(sums.units.max()) + 1)
        total = kept.setdefault(key, np.zeros(shape))
        units = sums.units[self.points]
        order = np.argsort(units, kind="stable")
        by_bin = sums.bins.sum(values, axis=1)[..., order].swapaxes(0, 1)
        begins = np.flatnonzero(np.diff(units[order], prepend=-1))
        total[:, starts, units[order][begins]] += np.add.reduceat(by_bin, begins, axis=-1)

    def _add_series(self, name: str, model: str, error: np.ndarray) -> None:
        """Add the errors ``(lead, point)`` of a single run over the points of each group."""
        for strata in self.sums.static.values():
            member = strata.labels[self.points, None] == np.arange(len(strata.groups))
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
                part = by_point.pooled(strata.labels[self.points], len(strata.groups))
                sums.moments[key] = sums.moments[key].merge(part) if key in sums.moments else part
