# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reference values at the scored points and dates, and two baselines derived from them, persistence and climatology."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from anemoi_ailand.evaluation.fields.climatology import Period, climatology, climatology_at
from anemoi_ailand.evaluation.fields.fields import Fields, check_finite

#: Labels of the emulator, the baselines and the reference in tables and figures.
EMULATOR, PERSISTENCE, CLIMATOLOGY, REFERENCE = "emulator", "persistence", "climatology", "ecLand"

#: Share of the values of a point, over the years of the climatology, that is extreme at each end [1].
TAIL = 0.02


@dataclass(frozen=True)
class ReferenceValues:
    """Reference and climatology of some variables and points in memory; made by :func:`load_reference`."""

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


def load_reference(
    reference: Fields,
    names: Sequence[str],
    times: np.ndarray,
    period: Period,
    points: np.ndarray,
    tails_of: Collection[str] = (),
) -> ReferenceValues:
    """Read reference and climatology, each in one pass over the dates.

    All dates from the first to the last of ``times`` are read, at ``points`` of the reference. The values of variables
    in ``tails_of`` are kept in memory over the period to find the thresholds of extremes.
    """
    names = list(names)
    kept: dict[str, list[np.ndarray]] = {name: [] for name in names if name in tails_of}
    means = climatology(_keeping(_finite(reference, reference.blocks(names, *period, points)), kept))
    data = xr.concat(_finite(reference, reference.blocks(names, times.min(), times.max(), points)), "time")
    return ReferenceValues(
        times=data["time"].values,
        latitude=reference.latitude[points],
        longitude=reference.longitude[points],
        values={name: data[name].values for name in names},
        means=means,
        tails={name: np.quantile(np.concatenate(v), [TAIL, 1 - TAIL], axis=0) for name, v in kept.items()},
    )


def _keeping(blocks: Iterator[xr.Dataset], kept: dict[str, list[np.ndarray]]) -> Iterator[xr.Dataset]:
    """Pass the blocks through and append the values of the variables in ``kept``."""
    for block in blocks:
        for name, parts in kept.items():
            parts.append(block[name].values)
        yield block


def _finite(reference: Fields, blocks: Iterator[xr.Dataset]) -> Iterator[xr.Dataset]:
    for block in blocks:
        check_finite(reference, block)
        yield block
