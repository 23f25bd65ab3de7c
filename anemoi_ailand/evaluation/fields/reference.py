# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The reference at the points and dates that are scored, in memory, with its climatology and the tails of it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from anemoi_ailand.evaluation.fields.climatology import Period, climatology, climatology_at
from anemoi_ailand.evaluation.fields.fields import Fields

LOG = logging.getLogger(__name__)

#: Part of the values of a point, over the years of the climatology, that is an extreme at each end.
TAIL = 0.02


@dataclass(frozen=True)
class Truth:
    """Reference and climatology of some variables and points; made by :func:`load_truth`."""

    #: Dates ``(time,)`` of the values.
    times: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    #: Reference ``(time, point)`` by variable.
    values: dict[str, np.ndarray]
    #: Climatology ``(slot, point)`` by variable.
    means: xr.Dataset
    #: Values ``(2, point)`` that a part :data:`TAIL` of the climatology's years is below, and above.
    tails: dict[str, np.ndarray]

    def index(self, times: np.ndarray) -> np.ndarray:
        """Place of ``times``, which are all there, among the dates; any shape."""
        return np.searchsorted(self.times, times)

    def at(self, name: str, times: np.ndarray) -> np.ndarray:
        """Reference ``(start, lead, point)`` at valid times ``(start, lead)``, float64."""
        return self.values[name][self.index(times)].astype(np.float64)

    def expected(self, name: str, times: np.ndarray) -> np.ndarray:
        """Climatology ``(start, lead, point)`` at valid times ``(start, lead)``."""
        return climatology_at(self.means[name], times.ravel()).values.reshape(*times.shape, -1)

    def persisted(self, name: str, starts: np.ndarray) -> np.ndarray:
        """Persistence ``(start, 1, point)``: the reference at the initial dates ``(start,)``, the same at all leads."""
        return self.at(name, starts)[:, None]


def load_truth(
    reference: Fields,
    names: Sequence[str],
    times: np.ndarray,
    period: Period,
    points: np.ndarray,
    tails_of: Collection[str] = (),
) -> Truth:
    """Read reference and climatology, each in one pass over its dates.

    Parameters
    ----------
    reference : Fields
        Where they are.
    names : sequence of str
        Variables.
    times : numpy.ndarray
        Dates needed; all between the first and the last are read.
    period : (start, end)
        First and last date of the climatology.
    points : numpy.ndarray
        Index into the points of the reference.
    tails_of : collection of str
        Variables of which the thresholds of extremes are needed; their values of the period are held to find them.

    Raises
    ------
    ValueError
        A value is NaN or infinite.
    """
    names = list(names)
    held: dict[str, list[np.ndarray]] = {name: [] for name in names if name in tails_of}
    means = climatology(_keeping(_finite(reference, reference.blocks(names, *period, points)), held))
    data = xr.concat(_finite(reference, reference.blocks(names, times.min(), times.max(), points)), "time")
    return Truth(
        times=data["time"].values,
        latitude=reference.latitude[points],
        longitude=reference.longitude[points],
        values={name: data[name].values for name in names},
        means=means,
        tails={name: np.quantile(np.concatenate(v), [TAIL, 1 - TAIL], axis=0) for name, v in held.items()},
    )


def _keeping(blocks: Iterator[xr.Dataset], held: dict[str, list[np.ndarray]]) -> Iterator[xr.Dataset]:
    """Hand the blocks on, and keep the values of the variables in ``held``."""
    for block in blocks:
        for name, parts in held.items():
            parts.append(block[name].values)
        yield block


def _finite(reference: Fields, blocks: Iterator[xr.Dataset]) -> Iterator[xr.Dataset]:
    for block in blocks:
        for name, values in block.data_vars.items():
            bad = ~np.isfinite(values.values)
            if bad.any():
                time, point = np.argwhere(bad)[0]
                raise ValueError(
                    f"'{name}' of the reference '{reference.path}' has values that are NaN or infinite, first at "
                    f"{block['time'].values[time]}, latitude {float(block['latitude'][point]):.4f}, longitude "
                    f"{float(block['longitude'][point]):.4f}. Create the dataset again."
                )
        yield block
