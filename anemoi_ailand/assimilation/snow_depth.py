# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Analysis of snow from its depth: mass and density by the change of depth, consistent creation and removal."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from anemoi_ailand.constants import SNOW_ALBEDO_MAX, SNOW_DENSITY_MIN, TRIPLE_POINT
from anemoi_ailand.physics.snow_pack import NO_SNOW, snow_cover

#: Depth below which snow is removed if none is observed [m].
THIN = 0.01

#: Density of snow that is created or added, that of young snow [kg m-3]: in twin experiments at points of the training
#: in 2021 the error of the mass falls with it, from 200 to 100, and with the density of the background it hardly falls.
ADDED = SNOW_DENSITY_MIN

#: Temperature of the first soil layer above which no snow is created or added [K]: it would melt within days, and such
#: an observation more likely is in error, or of another height.
WARM = TRIPLE_POINT + 3.0

#: Mass above which snow is that of a glacier, and is not analysed [kg m-2].
GLACIER = 1500.0


def snow_depth(state: Mapping[str, Tensor]) -> Tensor:
    """Return the depth of snow of the covered part, ``sd / rsn`` [m], zero without snow.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import snow_depth
    >>> snow_depth({"sd": torch.tensor([50.0, 0.0]), "rsn": torch.tensor([250.0, 100.0])})
    tensor([0.2000, 0.0000])
    """
    return torch.where(state["sd"] > NO_SNOW, state["sd"] / state["rsn"], torch.zeros_like(state["sd"]))


def snow_depth_analysis(
    state: Mapping[str, Tensor], observed: Tensor, variance: Tensor, *, absolute: float = 0.03, relative: float = 0.3
) -> tuple[dict[str, Tensor], Tensor]:
    r"""Analyse the snow of all points from observed depths.

    .. math:: d_a = d_b + \frac{\sigma_b^2}{\sigma_b^2 + \sigma_o^2} (d_o - d_b)

    with :math:`\sigma_b = \max(\sigma_0, r\,\max(d_b, d_o))`. Snow is taken away with the density of the background.
    What is added has that of young snow, :math:`S_a = S_b + \rho_y (d_a - d_b)`, and the density becomes the mean: it
    is the snowfall that the weather of the model lacked. With the density of the background kept, snow that settles
    faster than it should is filled up again and again, until its mass is far too large.

    Liquid water keeps its share of the mass, temperature and albedo stay, cover follows from mass and density. Where no
    snow is observed and less than 1 cm is left, all snow is removed, and density, temperature, albedo and liquid water
    get ecLand's values without snow. Where there was none, the snow has the density of young snow, the temperature of
    the first soil layer, at most melting, the albedo of fresh snow, and no liquid water. Over soil warmer than 276.16 K
    snow is only taken away; glaciers stay.

    Parameters
    ----------
    state : mapping of str to Tensor, shape (point,)
        ``sd, rsn, stl1`` and, if the network has them, ``snowc, tsn, asn, slw``.
    observed, variance : Tensor, shape (point,)
        Snow depth [m] and its error variance [m2]; NaN where there is none.
    absolute, relative : float
        Error of the background: :math:`\sigma_0` [m] and r [1].

    Returns
    -------
    dict of str to Tensor, shape (point,)
        Changed variables; elsewhere bitwise those of the background.
    Tensor, shape (point,)
        Whether the observation was used.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand import snow_depth_analysis
    >>> one = torch.ones(1)
    >>> state = {"sd": 50 * one, "rsn": 250 * one, "stl1": 272 * one}
    >>> made, used = snow_depth_analysis(state, 0.4 * one, 0.01 * one)
    >>> round(made["sd"].item(), 1), used.item()
    (61.8, True)
    """
    sd, before = state["sd"], snow_depth(state)
    bare = sd <= NO_SNOW
    error = (relative * torch.maximum(before, observed)).clamp_min(absolute)
    gain = error.square() / (error.square() + variance)
    depth = (before + gain * (observed - before)).clamp_min(0.0)
    more = depth > before
    used = observed.isfinite() & (sd < GLACIER) & ~(more & (state["stl1"] > WARM))
    depth = torch.where((observed == 0.0) & (depth < THIN), torch.zeros_like(depth), depth)
    density = torch.where(bare, torch.full_like(sd, ADDED), state["rsn"])
    mass = torch.where(more, sd + (depth - before) * density.clamp_max(ADDED), depth * density)
    density = torch.where(more & ~bare, mass / depth.clamp_min(1e-6), density)
    gone, changed = mass <= NO_SNOW, used & (depth != before)
    mass = torch.where(gone, torch.zeros_like(mass), mass)
    density = torch.where(gone, torch.full_like(sd, SNOW_DENSITY_MIN), density)
    after = {"sd": mass, "rsn": density, "snowc": torch.where(gone, torch.zeros_like(sd), snow_cover(mass, density))}
    cold = state["stl1"].clamp_max(TRIPLE_POINT)
    for name, without, fresh in (
        ("tsn", torch.full_like(sd, TRIPLE_POINT), cold),
        ("asn", torch.full_like(sd, SNOW_ALBEDO_MAX), torch.full_like(sd, SNOW_ALBEDO_MAX)),
    ):
        if name in state:
            after[name] = torch.where(gone, without, torch.where(bare, fresh, state[name]))
    if "slw" in state:
        share = torch.where(bare, torch.zeros_like(sd), state["slw"] / sd.clamp_min(NO_SNOW))
        after["slw"] = torch.where(gone, torch.zeros_like(sd), share * mass)
    made = {n: torch.where(changed, v, state[n]) for n, v in after.items() if n in state}
    return made, used
