# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variables derived from others in an archive: parameters of types, monthly climatologies, snow cover, absent snow."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from anemoi_ailand.constants import STEP_HOURS, STEP_SECONDS
from anemoi_ailand.physics.snow import snow_cover, where_no_snow
from anemoi_ailand.physics.soil_types import soil_parameters
from anemoi_ailand.physics.vegetation import heat_roughness, photosynthesis_parameters, vegetation_parameters
from anemoi_ailand.variables import HOURLY_RAIN

#: Names of the inputs, and a function of their arrays.
Rule = tuple[tuple[str, ...], Callable[..., np.ndarray]]

#: Seconds of half a step.
HALF_SECONDS = 0.5 * STEP_SECONDS

#: Logit of the concentration of 2 kg m-2 in three hours at 285 K, its decrease with the logarithm of the amount, and
#: increase per kelvin; least amount in the logarithm [kg m-2], and range of the logit.
_LOGIT, _BY_AMOUNT, _PER_KELVIN, _TYPICAL_RAIN, _TYPICAL_AIR = -0.27, 0.42, 0.064, 2.0, 285.0
_LEAST_RAIN, _LOGIT_RANGE = 0.05, (-4.0, 4.0)

#: Variables that follow a monthly climatology, see :func:`~anemoi_ailand.physics.vegetation.climatology_of_day`, by
#: the name of the climatology in ecLand's files.
MONTHLY = {"lai_lv": "Mlail", "lai_hv": "Mlaih", "al": "Malbedo"}

#: Those among them with one value that may stand for all times: its seasons are much smaller than its spread in space.
ONE_SUFFICES = ("al",)


def _vegetation(kind: str, which: int) -> Rule:
    return (kind,), lambda types: vegetation_parameters(types)[which]


def _photosynthesis(kind: str, which: int) -> Rule:
    return (kind, "c4"), lambda types, c4: photosynthesis_parameters(types, c4)[which]


def _of_c3(kind: str, which: int) -> Rule:
    return (kind,), lambda types: photosynthesis_parameters(types, np.zeros(len(types)))[which]


def _soil(which: int) -> Rule:
    return ("slt",), lambda types: soil_parameters(types)[which]


def hour_of_half(rate: np.ndarray, air: np.ndarray | float, middle: bool) -> np.ndarray:
    r"""Return the rate in one hour of three, in which rain is steady but for a share c in the hour in the ``middle``.

    .. math:: c^2 = \frac{1}{1 + e^{-z}}, \qquad z = -0.27 - 0.42 \ln(P / 2\,kg\,m^{-2}) + 0.064 (T - 285\,K)

    With the ``rate`` over the three hours [kg m-2 s-1], its amount P, and the temperature T of the ``air`` [K], all of
    one shape. :math:`c^2` is the expected concentration of hourly rain, 0 if steady and 1 if all falls within an hour:
    a fit to the same data as :func:`anemoi_ailand.physics.rain.concentration_logit`.
    """
    amount = np.log(np.maximum(rate * HALF_SECONDS, _LEAST_RAIN) / _TYPICAL_RAIN)
    logit = _LOGIT - _BY_AMOUNT * amount + _PER_KELVIN * (air - _TYPICAL_AIR)
    share = 1.0 / np.sqrt(1.0 + np.exp(-np.clip(logit, *_LOGIT_RANGE)))
    return rate * (1.0 + 2.0 * share if middle else 1.0 - share)


def _hour(number: int) -> Rule:
    """Return the rule of the precipitation in an hour of the step, from 0, from that of its halves."""
    half = STEP_HOURS // 2
    late, middle = number >= half, number % half == half // 2

    def rate(step: np.ndarray, last: np.ndarray, air: np.ndarray | float = _TYPICAL_AIR) -> np.ndarray:
        return hour_of_half(last if late else np.maximum(2.0 * step - last, 0.0), air, middle)

    return ("avg_tprate", "late_tprate"), rate


#: Parameters of photosynthesis: type of vegetation, and position in the result of ``photosynthesis_parameters``.
PHOTOSYNTHESIS = {
    "veg_vcmax_lv": ("tvl", 0), "veg_vcmax_hv": ("tvh", 0), "veg_resp_lv": ("tvl", 1), "veg_resp_hv": ("tvh", 1),
}  # fmt: skip

#: Rules for variables that are not in the files.
ABSENT: dict[str, Rule] = {
    "snowc": (("sd", "rsn"), snow_cover),
    "veg_cov_lv": _vegetation("tvl", 0),
    "veg_cov_hv": _vegetation("tvh", 0),
    "veg_z0m_lv": _vegetation("tvl", 1),
    "veg_z0m_hv": _vegetation("tvh", 1),
    "veg_rsmin_lv": _vegetation("tvl", 2),
    "veg_rsmin_hv": _vegetation("tvh", 2),
    "veg_lz0h_hv": (("tvh",), heat_roughness),
    **{name: _photosynthesis(*of) for name, of in PHOTOSYNTHESIS.items()},
    "theta_cap": _soil(0),
    "theta_pwp": _soil(1),
    "theta_sat": _soil(2),
}

#: Rules for variables in the files: temperature and density of absent snow are set to their defaults.
HELD: dict[str, Rule] = {
    "tsn": (("sd", "tsn"), lambda sd, tsn: where_no_snow(sd, tsn, tsn)[0]),
    "rsn": (("sd", "rsn"), lambda sd, rsn: where_no_snow(sd, rsn, rsn)[1]),
}


#: Rules for hourly rain where precipitation is known for halves of the step only; the temperature of the air is a
#: further argument where it is known.
_HALVES: dict[str, Rule] = {name: _hour(number) for number, name in enumerate(HOURLY_RAIN)}


def rules(held: Iterable[str]) -> dict[str, Rule]:
    """Return the rules that apply if the files have the variables ``held``; without ``c4``, vegetation counts as C3."""
    held = set(held)
    known = ABSENT if "c4" in held else ABSENT | {name: _of_c3(*of) for name, of in PHOTOSYNTHESIS.items()}
    absent = {n: r for n, r in known.items() if n not in held and held.issuperset(r[0])}
    return absent | {n: r for n, r in HELD.items() if held.issuperset(r[0])}


def halves(held: Iterable[str]) -> dict[str, Rule]:
    """Return the rules of hourly rain that the files do not have, if they have that of the last half of the step."""
    held = set(held)
    air = ("avg_t",) if "avg_t" in held else ()
    return {n: ((*of, *air), rate) for n, (of, rate) in _HALVES.items() if n not in held and held.issuperset(of)}
