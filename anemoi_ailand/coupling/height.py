# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Correction of air temperature, humidity and pressure for the height of the land above the atmosphere's orography."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from anemoi_ailand.constants import (
    DRY_AIR_GAS_CONSTANT,
    GRAVITY,
    TETENS_PRESSURE,
    TETENS_WATER,
    TRIPLE_POINT,
    VAPOUR_MASS_RATIO,
)

#: Pressure, and the temperature that belongs to each humidity.
PRESSURE, TEMPERATURES = "avg_sp", {"q": "t", "avg_q": "avg_t"}


def check_corrected(names: Iterable[str]) -> None:
    """Refuse forcing of an atmosphere that lacks what the correction of its humidity or pressure needs."""
    names = set(names)
    needed = {t for q, t in TEMPERATURES.items() if q in names} | ({"avg_t"} if PRESSURE in names else set())
    needed |= {PRESSURE} if names & {*TEMPERATURES} else set()
    if missing := sorted(needed - names):
        raise ValueError(
            f"The correction for height needs {missing} from the atmosphere as well. Take them from its fields in "
            "`forcing`, or set `lapse_rate: null`."
        )


def at_height(fields: dict[str, Tensor], rise: Tensor, lapse_rate: float) -> dict[str, Tensor]:
    r"""Return forcing (point,) at points that are ``rise`` [m] above those for which it holds.

    .. math:: T' = T - \Gamma\,\Delta z, \qquad p' = p \left(\frac{T'}{T}\right)^{g / (R \Gamma)}, \qquad
              q' = q\,\frac{q_s(T', p')}{q_s(T, p)}

    with the lapse rate :math:`\Gamma` [K m-1]: hydrostatic pressure of a layer with this lapse rate, and constant
    relative humidity over water. Other fields, and points without a rise, are unchanged bitwise.
    """
    out = dict(fields)
    for name in ("t", "avg_t"):
        if name in fields:
            out[name] = fields[name] - lapse_rate * rise
    if PRESSURE in fields:
        t = fields["avg_t"]
        if lapse_rate:
            factor = (out["avg_t"] / t) ** (GRAVITY / (DRY_AIR_GAS_CONSTANT * lapse_rate))
        else:
            factor = torch.exp(-GRAVITY * rise / (DRY_AIR_GAS_CONSTANT * t))
        out[PRESSURE] = fields[PRESSURE] * factor
    for humidity, temperature in TEMPERATURES.items():
        if humidity in fields:
            before, after = (saturation_humidity(f[temperature], f[PRESSURE]) for f in (fields, out))
            out[humidity] = fields[humidity] * (after / before)
    return out


def saturation_humidity(temperature: Tensor, pressure: Tensor) -> Tensor:
    r"""Return the specific humidity [kg kg-1] of saturated air over water, from temperature [K] and pressure [Pa].

    .. math:: q_s = \frac{\epsilon e_s}{p - (1 - \epsilon) e_s}

    Source: Tetens; IFS Documentation CY49R1, Part IV, as in :mod:`anemoi_ailand.physics.air`.
    """
    a, b = TETENS_WATER
    e = TETENS_PRESSURE * torch.exp(a * (temperature - TRIPLE_POINT) / (temperature - b))
    return VAPOUR_MASS_RATIO * e / (pressure - (1.0 - VAPOUR_MASS_RATIO) * e)
