# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Sampling of station records at the 6-hourly UTC stamps of the model.

A state holds at the stamp, so the nearest good value is taken. A flux is a mean over the 6 h ending at the stamp, so
the records within them are averaged if enough of them are good.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.support.sphere import wrap_longitude

#: Largest distance in time between a value and the stamp to which it is assigned.
TOLERANCE = np.timedelta64(30, "m")

#: Part of the 6 h that must hold good values for a mean [1].
MINIMUM_COVERAGE = 0.8

#: Missing value of tower data.
MISSING = -9999.0

#: Quality flags of tower data that are kept: measured, and good gap-filling.
GOOD_QUALITY = (0, 1)

STEP = np.timedelta64(STEP_HOURS, "h").astype("timedelta64[ns]")

#: Stamps and values, each of shape (time,).
Series = tuple[np.ndarray, np.ndarray]

_EPOCH = np.datetime64(0, "ns")
_HOUR_NS = 3_600_000_000_000
_DEGREES_PER_HOUR = 15.0
_ROUNDING = 1e-9


def to_utc(times: np.ndarray, offset_hours: float) -> np.ndarray:
    """Convert local standard times to UTC with the offset of the site (+1 for Central Europe, -6 for Illinois)."""
    return times.astype("datetime64[ns]") - np.timedelta64(round(offset_hours * _HOUR_NS), "ns")


def offset_of_longitude(longitude: float) -> float:
    """Return the nearest whole hour of solar time, which serves as the time zone of a site that states none [h]."""
    return float(np.round(wrap_longitude(longitude) / _DEGREES_PER_HOUR))


def check_increasing(times: np.ndarray, where: str) -> None:
    """Refuse times that do not increase."""
    wrong = np.flatnonzero(np.diff(times) <= np.timedelta64(0, "ns"))
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} times of {where} do not increase, first {times[wrong[0] + 1]} after "
            f"{times[wrong[0]]}. Sort the records and remove the duplicates, or download the file again."
        )


def keep_good(
    values: np.ndarray, flags: np.ndarray | None, quality: Sequence[int], label: str, notes: list[str]
) -> np.ndarray:
    """Set values to NaN that are missing or whose flag is not in ``quality``; without flags, keep all others.

    ``notes`` receives a note on ``label``, the name in the archive, if there are no flags or no good value.
    """
    values = np.where(values == MISSING, np.nan, values)
    if flags is None:
        notes.append(f"{label}: no quality flags, all values are kept")
        return values
    good = np.where(np.isin(flags, quality), values, np.nan)
    if np.isfinite(values).any() and not np.isfinite(good).any():
        notes.append(f"{label}: none of its {len(values)} values has a quality of {list(quality)}")
    return good


def instants(times: np.ndarray, values: np.ndarray) -> Series:
    """Return stamps with a value, and the good value nearest to each; at a tie, the earlier one.

    ``times`` (UTC, increasing) and ``values`` (NaN where bad) have the shape (record,).
    """
    good = np.isfinite(values)
    times, values = times[good].astype("datetime64[ns]"), values[good]
    if len(times) == 0:
        return times, values
    stamps = _stamps(times[0], times[-1])
    after = np.clip(np.searchsorted(times, stamps), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(stamps - times[before]) <= np.abs(times[after] - stamps), before, after)
    near = np.abs(times[nearest] - stamps) <= TOLERANCE
    return stamps[near], values[nearest[near]]


def interval_means(
    starts: np.ndarray, ends: np.ndarray, values: np.ndarray, coverage: float = MINIMUM_COVERAGE
) -> Series:  # fmt: skip
    r"""Return stamps with a mean, and the means over the 6 h that end at them.

    .. math:: \bar x_t = \frac{\sum_i w_i x_i}{\sum_i w_i}, \qquad
              w_i = |[s_i, e_i] \cap [t - 6\,\mathrm{h}, t]|, \qquad \sum_i w_i \ge c \cdot 6\,\mathrm{h}

    over the good records :math:`x_i` from :math:`s_i` to :math:`e_i`; a record that straddles a stamp (time zones with
    half hours) counts on both sides in proportion. ``starts``, ``ends`` (UTC) and ``values`` (NaN where bad) have the
    shape (record,); each record is shorter than 6 h. :math:`c` is ``coverage``.
    """
    good = np.isfinite(values)
    if not good.any():
        return starts[:0].astype("datetime64[ns]"), values[:0]
    begin, end = ((t[good].astype("datetime64[ns]") - _EPOCH).astype(np.int64) for t in (starts, ends))
    step = int(STEP.astype(np.int64))
    window = begin // step
    split = np.minimum(end, (window + 1) * step)
    first = int(window.min())
    weight, total = np.zeros((2, int(window.max()) - first + 2))
    for index, part in ((window - first, split - begin), (window - first + 1, end - split)):
        np.add.at(weight, index, part / step)
        np.add.at(total, index, part / step * values[good])
    full = weight >= coverage - _ROUNDING
    stamps = _EPOCH + (np.flatnonzero(full) + first + 1) * STEP
    return stamps, total[full] / weight[full]


def _stamps(first: np.datetime64, last: np.datetime64) -> np.ndarray:
    begin = (first - _EPOCH) // STEP
    return _EPOCH + np.arange(begin, (last - _EPOCH) // STEP + 2) * STEP
