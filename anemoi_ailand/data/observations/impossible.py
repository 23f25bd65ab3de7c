# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations that are not possible, such as degrees Celsius or fill values: a few are left out, many are refused."""

from __future__ import annotations

import logging

import numpy as np

from anemoi_ailand.data.observations.rows import observed_units, other_units, possible_range
from anemoi_ailand.data.plausibility.findings import widened
from anemoi_ailand.data.plausibility.rules import text_of
from anemoi_ailand.support.units import convert
from anemoi_ailand.variables import Range

LOG = logging.getLogger(__name__)

#: Share of the values of a variable above which impossible ones are an error, and of those that another unit explains.
MOST, _FIT = 0.1, 0.99


def without_impossible(
    values: np.ndarray, name: str, where: str, limits: Range | None = None
) -> np.ndarray:  # fmt: skip
    """Return values of an observed variable with NaN for those that are not possible, which are warned of.

    Parameters
    ----------
    values : numpy.ndarray
        Values of any shape in the unit of the table, NaN where there is none.
    name : str
        Variable: a name of the table, ``sde`` or ``2r``.
    where : str
        File, for the message.
    limits : pair of float, optional
        Possible range; by default that of the variable.

    Raises
    ------
    ValueError
        More than a tenth of the values are not possible.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand.data.observations.impossible import without_impossible
    >>> without_impossible(np.array([290.0, np.nan]), "2t", "towers.nc")
    array([290.,  nan])
    """
    limits = limits or possible_range(name)
    low, high = widened(limits)
    bad = (values < low) | (values > high)  # false of NaN
    if not bad.any():
        return values
    given, outside = values[np.isfinite(values) | bad], values[bad]
    share, units = len(outside) / len(given), observed_units(name)
    worst = outside[np.argmax(np.maximum(low - outside, outside - high))]
    found = (
        f"{len(outside)} of {len(given)} observations of '{name}' ({share:.1%}) in {where} are not possible: the worst "
        f"is {worst:g} {units}, possible is {text_of(limits, units)}."
    )
    if share > MOST:
        raise ValueError(f"{found} {_advice(given, outside, name)}")
    LOG.warning("%s They are left out.", found)
    return np.where(bad, np.nan, values)


def _advice(given: np.ndarray, outside: np.ndarray, name: str) -> str:
    """Return what to do, with the likely cause: another unit, or a fill value."""
    low, high = widened(possible_range(name))
    for unit, pair in other_units(name).items():
        converted = convert(given, pair)
        if np.mean((converted >= low) & (converted <= high)) >= _FIT:
            what = "temperatures" if observed_units(name) == "K" else "values"
            return f"The {what} look like {unit}: state `units` in NetCDF, or give them in {observed_units(name)}."
    if len(outside) > 1 and (outside == outside[0]).all():
        return f"All of these are {outside[0]:g}, as a fill value is: leave them out (NaN, or attribute _FillValue)."
    return f"Check the values, their unit ({observed_units(name)}) and fill values."
