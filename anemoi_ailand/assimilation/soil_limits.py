# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Physical limits of a soil analysis: wilting point and porosity, frozen ground, snow, and the freezing of water."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from anemoi_ailand.assimilation.observations import SNOW
from anemoi_ailand.constants import FREEZING_START

#: Largest increment of soil temperature [K].
MOST_KELVIN = 5.0


def limited_analysis(
    names: Sequence[str], background: Tensor, proposed: Tensor, temperature: Tensor, sd: Tensor, soil: Tensor
) -> Tensor:
    r"""Limit the analysis of soil water and temperature to what the soil can hold.

    - No increment under snow (above 0.1 kg m-2), nor in a layer whose water is frozen or begins to freeze, below
      274.16 K.
    - Water is not dried below the wilting point, or below the background where that is drier, and not raised above the
      porosity, or above the background: :math:`\min(x_b, \theta_{pwp}) \le x_a \le \max(x_b, \theta_{sat})`.
    - Temperature changes by at most 5 K and does not fall below 274.16 K: an analysis does not freeze soil.

    Parameters
    ----------
    names : sequence of str
        Controls, ``swvl`` and ``stl`` of some layers.
    background, proposed : Tensor, shape (..., point, control)
        Controls of the background, and of the unlimited analysis.
    temperature : Tensor, shape (..., point, 4)
        Temperature of the soil layers of the background [K].
    sd : Tensor, shape (..., point)
        Snow of the background [kg m-2].
    soil : Tensor, shape (point, 2)
        Wilting point and porosity [m3 m-3].

    Returns
    -------
    Tensor, shape (..., point, control)
        The limited analysis; where nothing may change, bitwise the background.

    Examples
    --------
    >>> import torch
    >>> from anemoi_ailand.assimilation.soil_limits import limited_analysis
    >>> soil, warm = torch.tensor([[0.1, 0.4]]), torch.full((1, 4), 290.0)
    >>> limited_analysis(["swvl1"], torch.tensor([[0.2]]), torch.tensor([[0.6]]), warm, torch.zeros(1), soil)
    tensor([[0.4000]])
    """
    found = []
    for name, before, after in zip(names, background.unbind(-1), proposed.unbind(-1), strict=True):
        kept = (sd > SNOW) | (temperature[..., int(name[-1]) - 1] < FREEZING_START)
        if name.startswith("swvl"):
            low, high = torch.minimum(before, soil[..., 0]), torch.maximum(before, soil[..., 1])
        else:
            low, high = (before - MOST_KELVIN).clamp_min(FREEZING_START), before + MOST_KELVIN
        # where increments are exactly zero the background keeps its bits, in any case
        found.append(torch.where(kept | (after == before), before, torch.minimum(torch.maximum(after, low), high)))
    return torch.stack(found, -1)
