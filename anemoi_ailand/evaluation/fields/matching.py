# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Matching of forecast and reference: variables, units, points, times, and groups of points."""

from __future__ import annotations

import logging

import numpy as np

from anemoi_ailand.constants import SAME_PLACE
from anemoi_ailand.evaluation.fields.fields import Fields, Header, span
from anemoi_ailand.support.sphere import nearest_points, same_points
from anemoi_ailand.support.units import check_units
from anemoi_ailand.variables import VARIABLES, Role

LOG = logging.getLogger(__name__)

#: Groups of points: all, those held out of training, the others.
ALL, HELD_OUT, TRAINED = "all", "held_out", "trained"

#: Points whose ``point_id`` is divisible by this are held out in datasets without the variable ``held_out``.
HELD_OUT_EVERY = 5

_COMPARED = (Role.PROGNOSTIC, Role.DIAGNOSTIC)


def common_variables(forecast: Header, reference: Header) -> list[str]:
    """Return the prognostic and diagnostic variables in common, in the order of the table; their units are checked."""
    wanted = [v.name for v in VARIABLES.values() if v.role in _COMPARED and v.name in forecast.units]
    found = [name for name in wanted if name in reference.units]
    if not found:
        raise ValueError(
            f"No prognostic or diagnostic variable is common to both. The forecast '{forecast.path}' has "
            f"{sorted(forecast.units)}, the reference '{reference.path}' has {sorted(reference.units)}. "
            "Compare a forecast with the dataset that its checkpoint was trained on, or one made by the same recipe."
        )
    if left := [name for name in wanted if name not in found]:
        LOG.warning("Not compared, because the reference lacks them: %s", left)
    for name in found:
        for fields in (forecast, reference):
            check_units(fields.units[name], VARIABLES[name].units, name, fields.path)
    return found


def match_points(forecast: Header, reference: Header) -> np.ndarray:
    """Return the index ``(point of forecast,)`` into the points of ``reference``, in any order.

    The nearest point must be closer than :data:`~anemoi_ailand.support.sphere.SAME_PLACE`, and no two may share one.
    """
    ours, theirs = (forecast.latitude, forecast.longitude), (reference.latitude, reference.longitude)
    if same_points(ours, theirs):
        return np.arange(len(forecast.latitude))
    index, distance = nearest_points(theirs, ours)
    far = np.flatnonzero(distance > SAME_PLACE)
    if len(far):
        worst = far[np.argmax(distance[far])]
        raise ValueError(
            f"{len(far)} of the {len(distance)} points of the forecast '{forecast.path}' are not among the "
            f"{len(reference.latitude)} points of the reference '{reference.path}', for example latitude "
            f"{forecast.latitude[worst]:.4f}, longitude {forecast.longitude[worst]:.4f}, whose nearest is "
            f"{distance[worst]:.3g} degrees away (limit {SAME_PLACE:g}). Run the forecast on points of the reference."
        )
    if len(np.unique(index)) < len(index):
        raise ValueError(
            f"{len(index) - len(np.unique(index))} points of the forecast '{forecast.path}' have the same "
            f"coordinates as another one, so they cannot be distinguished in the reference '{reference.path}'. "
            "Give each point its own coordinates, or keep the points in the order of the reference."
        )
    return index


def common_times(forecast: Fields, reference: Fields) -> np.ndarray:
    """Return the times after the initial date at which both have values.

    The forecast may extend beyond the end of the reference. The initial date must be in the reference, because
    persistence starts from it.
    """
    leads = forecast.times[1:]
    times = leads[leads <= reference.times[-1]]
    if forecast.times[0] < reference.times[0] or len(times) == 0:
        raise ValueError(
            f"Forecast and reference do not overlap in time: the forecast '{forecast.path}' covers "
            f"{span(forecast.times)}, the reference '{reference.path}' {span(reference.times)}. The initial date and "
            "at least one later date must be in the reference: start the forecast elsewhere, or extend the dataset."
        )
    absent = ~np.isin(np.append(forecast.times[:1], times), reference.times)
    if absent.any():
        raise ValueError(
            f"{int(absent.sum())} dates of the forecast '{forecast.path}' ({span(forecast.times)}) are not in the "
            f"reference '{reference.path}' ({span(reference.times)}), though within its period: their time steps or "
            "hours differ. Write the forecast at dates of the reference."
        )
    if len(times) < len(leads):
        LOG.warning("The reference ends before the forecast: %d dates are not compared", len(leads) - len(times))
    return times


def held_out_points(reference: Fields) -> np.ndarray | None:
    """Return the mask ``(point,)`` of the points held out of training, ``None`` if the reference does not mark them.

    The variable ``held_out`` (1 where held out) decides; without it, ``point_id`` divisible by :data:`HELD_OUT_EVERY`.
    """
    mark, point_id = reference.constant("held_out"), reference.constant("point_id")
    if mark is not None:
        return mark > 0.5
    if point_id is not None:
        return np.rint(np.asarray(point_id)).astype(int) % HELD_OUT_EVERY == 0
    LOG.warning("The reference has neither 'held_out' nor 'point_id': held-out points are not scored separately")
    return None


def point_groups(n_points: int, held_out: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return the indices of the points by group; without ``held_out``, the group of all points only."""
    groups = {ALL: np.arange(n_points)}
    if held_out is None:
        return groups
    return {**groups, HELD_OUT: np.flatnonzero(held_out), TRAINED: np.flatnonzero(~held_out)}
