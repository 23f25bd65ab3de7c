# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Weights of the points in scores, by area or as declared, and kinds of points that are left out of scores."""

from __future__ import annotations

import logging
from collections.abc import Collection

import numpy as np

from anemoi_ailand.data.grib.rows import UNSTRUCTURED, guess, rows_of
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.physics.vegetation import VEGETATION_TYPES

LOG = logging.getLogger(__name__)

#: Weights by the area of each point on a reduced Gaussian or regular grid; the points may be some of the grid.
AREA = "area"

#: Kinds of points that can be left out, and the fields that tell them.
KINDS = {"glacier": ("tvl", "cvl", "sd"), "coast": ("lsm",)}

#: Snow on a glacier, which ECMWF's archives mark by 10,000 [kg m-2]; packing may round it.
GLACIER_SNOW = 9.0e3

#: Cover of ice caps on a glacier, and of sea at the coast, from which a point is of the kind [1].
ICE_COVER, SEA_COVER = 0.5, 0.01

_ICE_CAPS = VEGETATION_TYPES.index("ice caps")


def point_weights(reference: Fields, weights: str) -> np.ndarray:
    """Return the weight of each point of the reference, shape (point,), above zero.

    Parameters
    ----------
    reference : Fields
        Reference.
    weights : str
        :data:`AREA`, or the name of a field that is constant in time, such as an area in any unit.

    Raises
    ------
    ValueError
        The points are on no known grid, or there is no such field, or it has other values than numbers above zero.
    """
    if weights == AREA:
        grid = guess(reference.latitude, reference.longitude)
        if grid == UNSTRUCTURED:
            raise ValueError(
                f"The {len(reference.latitude)} points of '{reference.path}' are on no reduced Gaussian or regular "
                "grid with known areas. Set `weights` to the name of a field with areas, or null."
            )
        rows = rows_of(grid)
        LOG.info("Points are weighted by their area on the grid %s", grid)
        return rows.areas()[rows.row(reference.latitude)]
    found = reference.constant(weights)
    if found is None or not np.all(np.isfinite(found) & (np.asarray(found) > 0)):
        what = "has no such field" if found is None else "has values of it that are missing or not above zero"
        raise ValueError(
            f"`weights` is '{weights}', and '{reference.path}' {what}. Give {AREA}, one of its fields "
            f"{reference.variables}, or null."
        )
    return np.asarray(found, np.float64)


def left_out(reference: Fields, kinds: Collection[str]) -> np.ndarray:
    """Return a mask (point,) of the points of the reference that are of one of the :data:`KINDS`.

    ``glacier``: ice caps cover half of the point, or its snow is at least :data:`GLACIER_SNOW` at the first date.
    ``coast``: sea, which is neither land nor lake (``1 - lsm - cl``), covers at least a hundredth of the point.

    Raises
    ------
    ValueError
        The reference lacks the fields.
    """
    mask = np.zeros(len(reference.latitude), bool)
    for kind in kinds:
        fields = {name: np.asarray(v) for name in (*KINDS[kind], "cl") if (v := reference.constant(name)) is not None}
        if kind == "coast" and "lsm" in fields:
            found = 1.0 - fields["lsm"] - fields.get("cl", 0.0) >= SEA_COVER
        elif kind == "glacier" and ("sd" in fields or {"tvl", "cvl"} <= set(fields)):
            found = np.zeros_like(mask)
            if "sd" in fields:
                found |= fields["sd"] >= GLACIER_SNOW
            if {"tvl", "cvl"} <= set(fields):
                found |= (np.rint(fields["tvl"]) == _ICE_CAPS) & (fields["cvl"] >= ICE_COVER)
        else:
            raise ValueError(
                f"`leave_out` has '{kind}', and '{reference.path}' has none of {list(KINDS[kind])}, which tell it. Add "
                "them to the dataset, or leave the kind out of `leave_out`."
            )
        LOG.info("Points of the kind %s: %d of %d", kind, found.sum(), len(mask))
        mask |= found
    return mask
