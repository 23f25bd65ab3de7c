# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""From the times of a station to the stamps of the model: UTC, 6-hourly.

A state holds at the stamp, so the nearest good value is taken. A flux is a mean over the 6 h ending at the stamp, so
what was measured within them is averaged, if enough of it is good.
"""

from __future__ import annotations

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.support.sphere import wrap_longitude

#: Furthest that a value may be from the stamp it is taken for [minutes].
TOLERANCE_MINUTES = 30

#: Part of the 6 h that must hold good values for a mean [1].
MINIMUM_COVERAGE = 0.8

STEP = np.timedelta64(STEP_HOURS, "h").astype("timedelta64[ns]")
Series = tuple[np.ndarray, np.ndarray]

_EPOCH = np.datetime64(0, "ns")
_HOUR_NS = 3_600_000_000_000
_DEGREES_PER_HOUR = 15.0
_ROUNDING = 1e-9


def to_utc(times: np.ndarray, offset_hours: float) -> np.ndarray:
    """UTC of local standard times: ``times`` minus the offset of the site (+1 for Central Europe, -6 for Illinois)."""
    return times.astype("datetime64[ns]") - np.timedelta64(round(offset_hours * _HOUR_NS), "ns")


def offset_of_longitude(longitude: float) -> float:
    """Nearest whole hour of solar time, the time zone where nothing better is known [h]."""
    return float(np.round(wrap_longitude(longitude) / _DEGREES_PER_HOUR))


def check_increasing(times: np.ndarray, where: str) -> None:
    """Raise ``ValueError`` if a time is not after the one before it."""
    wrong = np.flatnonzero(np.diff(times) <= np.timedelta64(0, "ns"))
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} times of {where} are not after the one before, first {times[wrong[0] + 1]} after "
            f"{times[wrong[0]]}. Sort the records and remove the doubled ones, or download the file again."
        )


def instants(times: np.ndarray, values: np.ndarray, tolerance_minutes: float = TOLERANCE_MINUTES) -> Series:
    """Nearest good value to each 6-hourly stamp, at most ``tolerance_minutes`` away; at a tie, the earlier one.

    Parameters
    ----------
    times, values : numpy.ndarray
        ``(n,)``, UTC, increasing; a bad value is NaN.

    Returns
    -------
    (stamps, values) : tuple of numpy.ndarray
        Stamps with a value only, ``(m,)``.
    """
    good = np.isfinite(values)
    times, values = times[good].astype("datetime64[ns]"), values[good]
    if len(times) == 0:
        return times, values
    stamps = _stamps(times[0], times[-1])
    after = np.clip(np.searchsorted(times, stamps), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(stamps - times[before]) <= np.abs(times[after] - stamps), before, after)
    near = np.abs(times[nearest] - stamps) <= np.timedelta64(round(tolerance_minutes * 60e9), "ns")
    return stamps[near], values[nearest[near]]


def interval_means(
    starts: np.ndarray, ends: np.ndarray, values: np.ndarray, minimum_coverage: float = MINIMUM_COVERAGE
) -> Series:
    r"""Means over the 6 h ending at each stamp.

    .. math:: \bar x_t = \frac{\sum_i w_i x_i}{\sum_i w_i}, \qquad
              w_i = |[s_i, e_i] \cap [t - 6\,\mathrm{h}, t]|, \qquad \sum_i w_i \ge c \cdot 6\,\mathrm{h}

    over the good records :math:`x_i` from :math:`s_i` to :math:`e_i`; a record that straddles a stamp (time zones with
    half an hour) counts on both sides by its part.

    Parameters
    ----------
    starts, ends, values : numpy.ndarray
        ``(n,)``, UTC, each record shorter than 6 h; a bad value is NaN.
    minimum_coverage : float
        Part :math:`c` of the 6 h that must be good.

    Returns
    -------
    (stamps, values) : tuple of numpy.ndarray
        Stamps with a mean only, ``(m,)``.
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
    full = weight >= minimum_coverage - _ROUNDING
    stamps = _EPOCH + (np.flatnonzero(full) + first + 1) * STEP
    return stamps, total[full] / weight[full]


def _stamps(first: np.datetime64, last: np.datetime64) -> np.ndarray:
    begin = (first - _EPOCH) // STEP
    return _EPOCH + np.arange(begin, (last - _EPOCH) // STEP + 2) * STEP
