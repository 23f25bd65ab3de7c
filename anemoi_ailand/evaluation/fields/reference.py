# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reference values at the scored points and dates, and two baselines derived from them, persistence and climatology."""

from __future__ import annotations

import errno
import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from anemoi_ailand.data.plausibility.checker import Checker
from anemoi_ailand.evaluation.fields.climatology import SLOTS, Period, climatology, climatology_at, slot
from anemoi_ailand.evaluation.fields.fields import Fields, check_finite
from anemoi_ailand.support.disk_errors import free_bytes

LOG = logging.getLogger(__name__)

#: Labels of the emulator, the baselines and the reference in tables and figures.
EMULATOR, PERSISTENCE, CLIMATOLOGY, REFERENCE = "emulator", "persistence", "climatology", "ecLand"

#: Largest copy of the reference in memory, and limit for reference and climatology of a batch of variables [bytes].
MEMORY_BYTES = 2**29

#: Share of the values of a point, over the years of the climatology, that is extreme at each end [1].
TAIL = 0.02


@dataclass(frozen=True)
class ReferenceValues:
    """Reference and climatology of some variables and points in memory; made by :class:`ReferenceCopy`."""

    #: Dates ``(time,)`` of the values.
    times: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    #: Reference ``(time, point)`` by variable.
    values: dict[str, np.ndarray]
    #: Climatology ``(slot, point)`` by variable.
    means: xr.Dataset
    #: Thresholds ``(2, point)`` of the lowest and highest :data:`TAIL` over the years of the climatology.
    tails: dict[str, np.ndarray]

    def index(self, times: np.ndarray) -> np.ndarray:
        """Return the index of each of ``times`` among the dates; any shape, no date may be missing."""
        return np.searchsorted(self.times, times)

    def at(self, name: str, times: np.ndarray) -> np.ndarray:
        """Return the reference ``(start, lead, point)`` at valid times ``(start, lead)``, float64."""
        return self.values[name][self.index(times)].astype(np.float64)

    def climatology(self, name: str, times: np.ndarray) -> np.ndarray:
        """Return the climatology ``(start, lead, point)`` at valid times ``(start, lead)``."""
        return climatology_at(self.means[name], times.ravel()).values.reshape(*times.shape, -1)

    def persistence(self, name: str, starts: np.ndarray) -> np.ndarray:
        """Return the reference at the initial dates ``(start,)``, which persistence holds: ``(start, 1, point)``."""
        return self.at(name, starts)[:, None]


class ReferenceCopy:
    """Reference at the scored points, read once in the order of its dates and kept by blocks of points.

    Kept are the values at the scored dates, the sums of the climatology by slot, and the values over its years of those
    variables whose tails are wanted: in memory up to :data:`MEMORY_BYTES`, else in a temporary file, as a dataset that
    holds all points of a date in one chunk would be read as a whole for each block of points.

    Parameters
    ----------
    reference : Fields
        Reference, with the years of the climatology.
    names : sequence of str
        Variables.
    times : numpy.ndarray
        Scored dates; all from the first to the last are kept.
    period : Period
        First and last date of the climatology.
    points : numpy.ndarray
        Scored points, as indices into those of the reference.
    tails_of : collection of str
        Variables with thresholds of extremes.
    block : int, optional
        Points of a block; by default all.
    scratch : Path, optional
        Folder of the temporary file; by default that of the system (``TMPDIR``).
    plausibility : {'off', 'warn', 'error'}
        Treatment of values that are not possible, and of records of another time; warnings are logged once.

    Raises
    ------
    OSError
        Too little disk space for the copy, before anything is read.
    ValueError
        The reference has NaN, or values that are not possible.
    """

    def __init__(
        self,
        reference: Fields,
        names: Sequence[str],
        times: np.ndarray,
        period: Period,
        points: np.ndarray,
        tails_of: Collection[str] = (),
        *,
        block: int | None = None,
        scratch: Path | None = None,
        plausibility: str = "off",
    ) -> None:
        self._latitude, self._longitude = reference.latitude[points], reference.longitude[points]
        self._size, self._n_points = block or len(points), len(points)
        self._times = _within(reference.times, times.min(), times.max())
        self._years = _within(reference.times, *period)
        self._count = np.bincount(slot(self._years), minlength=SLOTS).astype(np.float64)
        tails = [name for name in names if name in tails_of]
        rows = {"values": (len(self._times), names), "totals": (SLOTS, names), "tails": (len(self._years), tails)}
        self._kept = self._allocated(rows, scratch)
        checker = Checker(plausibility)
        for start, end in _spans(self._times, self._years):
            for part in _finite(reference, reference.blocks(list(names), start, end, points)):
                dates = part["time"].values.astype("datetime64[s]").tolist()
                fields = {str(name): values.values for name, values in part.data_vars.items()}
                checker.outputs(fields, dates, (self._latitude, self._longitude), predicted=False)
                self._keep(part)
        checker.report(f"The reference '{reference.path}'")

    def values(self, names: Sequence[str], first: int) -> ReferenceValues:
        """Return the values of some variables in the block of points that begins with the point ``first``."""
        k = first // self._size
        points = slice(first, min(first + self._size, self._n_points))
        n = points.stop - first
        values, totals, tails = (
            {name: of[name][k, :, :n] for name in names if name in of} for of in self._kept.values()
        )
        return ReferenceValues(
            times=self._times,
            latitude=self._latitude[points],
            longitude=self._longitude[points],
            values=values,
            means=climatology(totals, self._count),
            tails={name: np.quantile(v, [TAIL, 1 - TAIL], axis=0) for name, v in tails.items()},
        )

    def _allocated(
        self, rows: Mapping[str, tuple[int, Sequence[str]]], scratch: Path | None
    ) -> dict[str, dict[str, np.ndarray]]:
        """Return arrays (block, row, point) of zeros by kind and variable."""
        kinds = {kind: np.dtype(np.float64 if kind == "totals" else np.float32) for kind in rows}
        blocks = -(-self._n_points // self._size)
        needed = blocks * self._size * sum(n * len(names) * kinds[kind].itemsize for kind, (n, names) in rows.items())
        folder = Path(tempfile.gettempdir()) if scratch is None else scratch
        if needed > MEMORY_BYTES and needed > (free := free_bytes(folder)):
            raise OSError(
                errno.ENOSPC,
                f"The evaluation keeps {needed / 1e9:.3g} GB of the reference on the disk, and {free / 1e9:.3g} GB are "
                f"free in '{folder}'. Make room, or evaluate fewer years of the climatology, variables or `strata`",
            )
        LOG.info("Keeping %.3g GB of the reference%s", needed / 1e9, "" if needed <= MEMORY_BYTES else f" in {folder}")

        def zeros(shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
            if needed <= MEMORY_BYTES:
                return np.zeros(shape, kind)
            with tempfile.TemporaryFile(dir=folder, prefix=".ailand-") as file:  # removed when the array is
                return np.memmap(file, kind, "w+", shape=shape)

        return {
            kind: {name: zeros((blocks, n, self._size), kinds[kind]) for name in names}
            for kind, (n, names) in rows.items()
        }

    def _keep(self, part: xr.Dataset) -> None:
        """Add some dates of all points."""
        dates = part["time"].values
        slots, places = slot(dates), {"values": self._times, "tails": self._years}
        at = {kind: (np.searchsorted(there, dates), np.isin(dates, there)) for kind, there in places.items()}
        for name in part.data_vars:
            whole = np.zeros((len(dates), self._kept["totals"][str(name)].shape[0] * self._size), np.float32)
            whole[:, : self._n_points] = part[name].values
            by_block = whole.reshape(len(dates), -1, self._size)
            for kind, (index, there) in at.items():
                if str(name) in self._kept[kind] and there.any():
                    self._kept[kind][str(name)][:, index[there]] = by_block[there].swapaxes(0, 1)
            for k in np.flatnonzero(at["tails"][1]):
                self._kept["totals"][str(name)][:, slots[k]] += by_block[k]


def _within(times: np.ndarray, first: np.datetime64, last: np.datetime64) -> np.ndarray:
    return times[(times >= first) & (times <= last)]


def _spans(*periods: np.ndarray) -> list[tuple[np.datetime64, np.datetime64]]:
    """Return first and last dates of the periods, those that overlap as one."""
    spans: list[tuple[np.datetime64, np.datetime64]] = []
    for first, last in sorted((times[0], times[-1]) for times in periods):
        if spans and first <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(last, spans[-1][1])
        else:
            spans.append((first, last))
    return spans


def _finite(reference: Fields, blocks: Iterator[xr.Dataset]) -> Iterator[xr.Dataset]:
    for block in blocks:
        check_finite(reference, block)
        yield block
