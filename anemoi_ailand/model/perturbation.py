# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Perturbations of the outputs of a network, larger or smaller with the state of the ground."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from anemoi_ailand.constants import TRIPLE_POINT
from anemoi_ailand.physics.closed_step import Land
from anemoi_ailand.physics.ground import DRY, GROUND, SNOW, WET

#: Outputs of a network, by their names, whose perturbations are scaled together.
GROUPS = {
    "evaporation": ("top_evaporation", "interception", "interception_evaporation", "roots_1", "roots_2"),
    "water": ("concentration", "surface_runoff", "lateness", "swvl1", "swvl2", "swvl3", "swvl4", "src"),
    "heat": ("top_heating", "top_mean", "heat", "stl1", "stl2", "stl3", "stl4"),
    "snow": (
        "sublimation", "snow_heating", "melt", "ageing", "settling", "fresh_density", "basal", "rain_on_snow", "sd",
        "snowc", "rsn", "tsn", "asn", "slw",
    ),
    "air": ("2t", "2d", "skt", "sshf"),
}  # fmt: skip

#: Number of factors by ground and group.
N_FACTORS = len(GROUND) * len(GROUPS)


def group_numbers(outputs: Sequence[str]) -> list[int]:
    """Return the number of the group of each output; that of outputs without one is the number of groups.

    >>> group_numbers(["melt", "gpp", "roots_1"])
    [3, 5, 0]
    """
    number = {name: k for k, names in enumerate(GROUPS.values()) for name in names}
    return [number.get(name, len(GROUPS)) for name in outputs]


def ground_shares(land: Land) -> Tensor:
    """Return 1 for the state of the ground of a point and 0 for the others, (..., ground), in the order of GROUND."""
    snow = land.sd > SNOW
    frozen = ~snow & (land.temperature[..., 0] < TRIPLE_POINT)
    water = ((land.theta - land.soil.wilting) / (land.soil.capacity - land.soil.wilting))[..., 0]
    rest = ~snow & ~frozen
    masks = snow, frozen, rest & (water < DRY), rest & (water >= DRY) & (water <= WET), rest & (water > WET)
    return torch.stack(masks, dim=-1).to(land.sd.dtype)


def scaled_errors(errors: Tensor, factors: Tensor, groups: Tensor, land: Land) -> Tensor:
    """Scale perturbations by the factor of their group on the ground of the point.

    Shapes: ``errors (..., output)``, ``factors (..., ground x group)``, ``groups (output,)`` of
    :func:`group_numbers` -> (..., output). Outputs without a group keep theirs.
    """
    shares = ground_shares(land).unsqueeze(-1)
    chosen = (shares * factors.unflatten(-1, (len(GROUND), len(GROUPS)))).sum(-2)
    chosen = torch.cat([chosen, torch.ones_like(chosen[..., :1])], dim=-1)
    return errors * chosen.index_select(-1, groups)
