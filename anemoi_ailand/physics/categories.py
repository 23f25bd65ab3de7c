# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Validation of categories, which are whole numbers."""

from __future__ import annotations

import numpy as np


def whole_types(kind: np.ndarray, largest: int, what: str) -> np.ndarray:
    """Return types as integers, valid indices of a table.

    Parameters
    ----------
    kind : numpy.ndarray
        Types as stored in a file, any shape.
    largest : int
        Largest type of the table.
    what : str
        Kind of types, for the message, e.g. ``soil``.

    Raises
    ------
    ValueError
        A type is not a whole number from 0 to ``largest``, e.g. because types were interpolated.
    """
    kind = np.asarray(kind, float)
    index = np.nan_to_num(kind, nan=-1.0).round().astype(int)
    bad = (index != kind) | (index < 0) | (index > largest)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} {what} types are not whole numbers from 0 to {largest}, e.g. {kind[bad].flat[0]}. "
            "Types are categories: take them from the original file, or interpolate by nearest neighbour."
        )
    return index
