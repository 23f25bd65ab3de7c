# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""What forecast and reference have in common: variables, units, points, times."""

from __future__ import annotations

import logging

import numpy as np

from anemoi_ailand.constants import SAME_PLACE
from anemoi_ailand.evaluation.fields.fields import Fields, span
from anemoi_ailand.support.sphere import nearest_points, same_points
from anemoi_ailand.support.units import same_units
from anemoi_ailand.variables import VARIABLES, Role

LOG = logging.getLogger(__name__)

#: Name of the group of all points, of those never trained on, and of the others.
ALL, HELD_OUT, TRAINED = "all", "held_out", "trained"

#: Points whose ``point_id`` is divisible by this are held out, where nothing else is said.
HELD_OUT_EVERY = 5

_COMPARED = (Role.PROGNOSTIC, Role.DIAGNOSTIC)


def common_variables(forecast: Fields, reference: Fields) -> list[str]:
    """Prognostic and diagnostic variables that both hold, in the order of the table.

    Raises
    ------
    ValueError
        There is none, or the units of one differ between forecast, reference and table.
    """
    wanted = [v.name for v in VARIABLES.values() if v.role in _COMPARED and v.name in forecast.units]
    found = [name for name in wanted if name in reference.units]
    if not found:
        raise ValueError(
            f"No prognostic or diagnostic variable is in both. The forecast '{forecast.path}' has "
            f"{sorted(forecast.units)}, the reference '{reference.path}' has {sorted(reference.units)}. "
            "Compare a forecast with the dataset that its checkpoint was trained on, or one made by the same recipe."
        )
    if left := [name for name in wanted if name not in found]:
        LOG.warning("Not compared, because the reference does not hold them: %s", left)
    for name in found:
        _check_units(name, forecast, reference)
    return found


def _check_units(name: str, forecast: Fields, reference: Fields) -> None:
    table = VARIABLES[name].units
    for fields in (forecast, reference):
        units = fields.units[name]
        if units is not None and not same_units(units, table):
            raise ValueError(
                f"The unit of '{name}' is '{units}' in '{fields.path}', the table of variables has '{table}'. "
                "Convert the values to the unit of the table, or correct the attribute 'units'."
            )


def match_points(forecast: Fields, reference: Fields) -> np.ndarray:
    """Index ``(point of forecast,)`` into the points of ``reference``; the order may differ, a subset is fine.

    Nearest point by great-circle distance, which must be below :data:`SAME_PLACE`.

    Raises
    ------
    ValueError
        A point of the forecast is not in the reference, or two of them fall on the same one.
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
            f"{distance[worst]:.3g} degrees away (limit {SAME_PLACE:g}). Run the forecast on points of the "
            "reference."
        )
    if len(np.unique(index)) < len(index):
        raise ValueError(
            f"{len(index) - len(np.unique(index))} points of the forecast '{forecast.path}' have the same "
            f"coordinates as another one, so they cannot be told apart in the reference '{reference.path}'. "
            "Give each point its own coordinates, or keep the points in the order of the reference."
        )
    return index


def common_times(forecast: Fields, reference: Fields) -> np.ndarray:
    """Times after the initial date at which both have values.

    The forecast may run on after the end of the reference; the initial date itself must be in the reference, because
    persistence starts there.

    Raises
    ------
    ValueError
        They do not overlap, or the reference starts later than the forecast, or lacks dates of it.
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


def held_out_points(reference: Fields, every: int | None = None) -> tuple[np.ndarray | None, str | None]:
    """Mask ``(point,)`` of the points never trained on, and how they are known.

    Parameters
    ----------
    reference : Fields
        Dataset with the variable ``held_out`` (1 for a point never trained on) or ``point_id``, or neither.
    every : int, optional
        A point is held out if ``point_id % every == 0``. If not given, ``held_out`` decides, and without it,
        :data:`HELD_OUT_EVERY`.

    Raises
    ------
    ValueError
        ``every`` leaves no point to train on, or is given for a reference without ``point_id``.
    """
    mark, point_id = reference.constant("held_out"), reference.constant("point_id")
    if every is None and mark is not None:
        return mark > 0.5, "held_out"
    if every is not None and every < 2:
        raise ValueError(f"held_out_every is {every}, which leaves no point to train on. Give 2 or more.")
    if point_id is not None:
        every = HELD_OUT_EVERY if every is None else every
        return np.rint(np.asarray(point_id)).astype(int) % every == 0, f"point_id % {every} == 0"
    if every is not None:
        raise ValueError(
            f"The reference '{reference.path}' has no 'point_id', so held_out_every = {every} says nothing; it has "
            f"{sorted(reference.variables)}. Leave held_out_every out, or add 'point_id' to the dataset."
        )
    LOG.warning("The reference has no 'held_out' or 'point_id': held-out points are not told from trained ones")
    return None, None


def point_groups(n_points: int, held_out: np.ndarray | None) -> dict[str, np.ndarray]:
    """Indices of the points by group; without ``held_out`` there is the group of all points only."""
    groups = {ALL: np.arange(n_points)}
    if held_out is None:
        return groups
    return {**groups, HELD_OUT: np.flatnonzero(held_out), TRAINED: np.flatnonzero(~held_out)}
