# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapter to anemoi-datasets 0.5: parts of a cube that hold several fields, and its statistics of use."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Cubelet:
    """Part of a cube at leading coordinates: one field, or all fields of one date.

    anemoi-datasets asks a cubelet of earthkit for its coordinates by the private name ``_coords_names``
    (create/gridded/result.py), and spends more time on a cubelet than on storing it. It can go when a source may hand
    out a date at once.

    ``user_coords`` holds the values of every coordinate of the cube, ``coords`` the position along the leading ones.
    """

    __slots__ = ("coords", "user_coords")

    def __init__(self, user_coords: Mapping[str, tuple[Any, ...]], coords: tuple[int, ...]) -> None:
        self.user_coords, self.coords = user_coords, coords

    @property
    def _coords_names(self) -> tuple[Any, ...]:
        return tuple(values[i] for values, i in zip(self.user_coords.values(), self.coords, strict=False))


def count_use_in_a_thread() -> None:
    """Let anemoi-datasets count the opening of a dataset in a thread, instead of a process that it forks for that.

    The process stays when this one is killed, and mpirun waits for all that hold the output of a rank. Private:
    ``usage.analytics._executor``. It can go when anemoi-datasets forks no process, or only where counting is enabled.
    """
    from anemoi.datasets.usage import analytics

    module: Any = analytics
    module._executor = ThreadPoolExecutor(1)
