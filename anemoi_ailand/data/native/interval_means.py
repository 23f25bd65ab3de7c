# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Means over the hours that end at a stamp, from records whose step divides them. Pure numpy.

A window is a set of record numbers with weights. Records are located by their stamps, never by counting.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

_HOUR = np.timedelta64(3600, "s")


class Kind(StrEnum):
    """Time semantics of a native record."""

    MEAN = "mean"  #: over the native step that ends at its stamp
    INSTANT = "instant"  #: at its stamp


def native_step(stamps: np.ndarray, what: str) -> np.timedelta64:
    """Return the step between records with increasing ``stamps``; refuse a gap. ``what`` describes the records."""
    if len(stamps) < 2:
        raise ValueError(f"{what} has {len(stamps)} record(s) in time; two are needed to know the step. Add records.")
    steps = np.diff(stamps)
    step = steps.min()
    if (steps != step).any():
        i = int(np.flatnonzero(steps != step)[0])
        raise ValueError(
            f"{what} has a gap in time: after {stamps[i]} comes {stamps[i + 1]}, while the step is "
            f"{_hours(step):g} h. Add the missing records, or give the parts as separate datasets."
        )
    return step


def window(stamps: np.ndarray, ends: np.ndarray, hours: float, kind: Kind, what: str) -> tuple[np.ndarray, np.ndarray]:
    r"""Return records and weights of the means over the ``hours`` that end at each of ``ends``.

    Means over a native step :math:`\delta` stamped :math:`e - T + \delta, \ldots, e` have equal weights. Instants
    stamped :math:`e - T, \ldots, e` have the weights of the trapezoidal rule: the first and last half the weight of
    the others.

    Record numbers have the shape (end, part), weights the shape (part,) and the sum 1.
    """
    step, length = native_step(stamps, what), np.timedelta64(round(hours * 3600), "s")
    if length % step:
        raise ValueError(
            f"{what} has a step of {_hours(step):g} h, which does not divide the {hours:g} h of the mean. "
            "Use records with a step that divides it."
        )
    last = np.searchsorted(stamps, ends)
    absent = (last >= len(stamps)) | (stamps[np.minimum(last, len(stamps) - 1)] != ends)
    if absent.any():
        raise ValueError(
            f"{what} has no record at {ends[absent][0]}; its records are {stamps[0]} to {stamps[-1]} every "
            f"{_hours(step):g} h. Correct the dates, or add the records."
        )
    n = int(length // step)
    back = np.arange(n - 1, -1, -1) if kind is Kind.MEAN else np.arange(n, -1, -1)
    records = last[:, None] - back
    if (records < 0).any():
        raise ValueError(
            f"{what} begins at {stamps[0]}, so the {hours:g} h that end at {ends[(records < 0).any(axis=1)][0]} are "
            "not complete. Begin one step later, or add earlier records."
        )
    weights = np.full(len(back), 1.0 / n)
    if kind is Kind.INSTANT:
        weights[[0, -1]] *= 0.5
    return records, weights


def whole_ends(stamps: np.ndarray, hours: float, kind: Kind, what: str) -> tuple[np.datetime64, np.datetime64]:
    """Return the first and last stamp at which a window of ``hours`` can end."""
    step = native_step(stamps, what)
    first = stamps[0] + np.timedelta64(round(hours * 3600), "s")
    return (first - step if kind is Kind.MEAN else first), stamps[-1]


def _hours(step: np.timedelta64) -> float:
    return float(step / _HOUR)
