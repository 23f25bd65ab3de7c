# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Options of the fluxes of towers, and fluxes that close the observed energy balance.

Eddy covariance misses part of the turbulent fluxes: at most towers they are 70 to 90 % of the available energy, net
radiation less ground heat. A model whose budget is closed cannot agree with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.data.stations.sampling import GOOD_QUALITY, MINIMUM_COVERAGE
from anemoi_ailand.data.stations.station import GROUND, Sensor
from anemoi_ailand.support.options import suggestion

#: Fluxes as measured, the provider's correction that keeps the Bowen ratio, and the evaporative fraction of the
#: available energy.
RAW, BOWEN, FRACTION = "raw", "bowen", "evaporative-fraction"
CLOSURES = (RAW, BOWEN, FRACTION)

#: Least available energy, and least sum of the turbulent fluxes, for a known fraction [W m-2].
LEAST_ENERGY = 50.0


@dataclass(frozen=True)
class FluxOptions:
    """Choice of fluxes: closure of the energy balance, flags that are kept, and the least part of 6 h with values.

    ``closure`` is ``raw``, ``bowen`` (``LE_CORR``, ``Qle_cor`` of the file), or ``evaporative-fraction``, see
    :func:`by_fraction`.
    """

    closure: str = RAW
    quality: Sequence[int] = GOOD_QUALITY
    coverage: float = MINIMUM_COVERAGE

    def __post_init__(self) -> None:
        if self.closure not in CLOSURES:
            raise ValueError(f"`closure` is '{self.closure}'. {suggestion(self.closure, CLOSURES)}.")
        if not 0.0 < self.coverage <= 1.0:
            raise ValueError(f"`coverage` is {self.coverage:g}. Give the part of 6 h that needs values, such as 0.8.")


#: Measured fluxes of good quality.
MEASURED = FluxOptions()


def missing_correction(where: str, missing: Sequence[str]) -> ValueError:
    """Return the error of a file without the fluxes that an option needs."""
    return ValueError(
        f"'{where}' has no {list(missing)}, which `closure` needs. Read the measured fluxes (closure: {RAW}), or leave "
        "this site out."
    )


def by_fraction(sensors: Sequence[Sensor], where: str) -> list[Sensor]:
    r"""Replace turbulent fluxes by their shares of the available energy, and leave out the ground heat flux.

    .. math:: LE' = \frac{LE}{LE + H} (R_n - G), \qquad H' = R_n - G - LE'

    over each 6 h in which :math:`LE + H` and :math:`R_n - G` exceed :data:`LEAST_ENERGY`; there is no value elsewhere,
    since the fraction of little energy is noise.

    Raises
    ------
    ValueError
        One of the four fluxes is missing.
    """
    named = {s.name: s for s in sensors}
    needed = ("slhf", "sshf", "rnet", GROUND)
    if missing := [n for n in needed if n not in named or not len(named[n].times)]:
        raise missing_correction(
            where, [{"rnet": "net radiation", GROUND: "ground heat flux"}.get(n, n) for n in missing]
        )
    times = named["slhf"].times
    for name in needed[1:]:
        times = np.intersect1d(times, named[name].times)
    latent, sensible, net, ground = (named[n].values[np.isin(named[n].times, times)] for n in needed)
    turbulent, available = -(latent + sensible), net - ground
    known = (turbulent > LEAST_ENERGY) & (available > LEAST_ENERGY)
    factor = available[known] / turbulent[known]
    closed = {
        name: Sensor(name, times[known], values[known] * factor, label=f"{named[name].label}, closed by fraction")
        for name, values in (("slhf", latent), ("sshf", sensible))
    }
    return [closed.get(s.name, s) for s in sensors if s.name != GROUND]
