# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Which soil layer a sensor speaks for."""

from __future__ import annotations

from anemoi_ailand.constants import SOIL_LAYER_THICKNESS

#: Depth of the interfaces between the soil layers, surface first [m]: 0, 0.07, 0.28, 1.00, 2.89.
INTERFACES = tuple(round(sum(SOIL_LAYER_THICKNESS[:k]), 6) for k in range(len(SOIL_LAYER_THICKNESS) + 1))

#: A sensor belongs to a layer if at least this part of its length lies in it [1].
MINIMUM_OVERLAP = 0.5

Depth = tuple[float, float]


def layer_bounds(layer: int) -> Depth:
    """Top and bottom of the soil layer 1, 2, ... [m]."""
    return INTERFACES[layer - 1], INTERFACES[layer]


def soil_layer(depth: Depth) -> int | None:
    r"""Layer with the largest part of a sensor, ``None`` if no layer holds at least :data:`MINIMUM_OVERLAP` of it.

    .. math:: f_k = \frac{|[a, b] \cap [z_{k-1}, z_k]|}{b - a}

    with the sensor from :math:`a` to :math:`b` and the layer :math:`k` from :math:`z_{k-1}` to :math:`z_k` [m]. A
    sensor at one depth (:math:`a = b`) belongs to the layer that holds it; on an interface, to the layer below.
    """
    top, bottom = depth
    if bottom <= top:
        return next((k for k in _layers() if INTERFACES[k - 1] <= top < INTERFACES[k]), None)
    parts = {k: max(0.0, min(bottom, INTERFACES[k]) - max(top, INTERFACES[k - 1])) / (bottom - top) for k in _layers()}
    best = max(parts, key=lambda k: parts[k])
    return best if parts[best] >= MINIMUM_OVERLAP else None


def distance_to_centre(depth: Depth, layer: int) -> float:
    """Distance between the middle of a sensor and the middle of a layer [m]."""
    return abs(sum(depth) / 2 - sum(layer_bounds(layer)) / 2)


def _layers() -> range:
    return range(1, len(INTERFACES))
