# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Rain on leaves over one step, as tensors."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Canopy(NamedTuple):
    """Interception store after a step and where its water went, all [kg m-2], summing to store and rain before."""

    src: Tensor
    evaporation: Tensor
    throughfall: Tensor


def intercept(src: Tensor, rain: Tensor, kept: Tensor, evaporation: Tensor) -> Canopy:
    """Keep a part of store and rain on the leaves, evaporate a part of the rest, let fall what remains.

    Parameters
    ----------
    src : Tensor
        Interception store before the step [kg m-2].
    rain : Tensor
        Rain over the step [kg m-2].
    kept : Tensor
        Store wanted after the step [kg m-2]; taken between zero and what there is.
    evaporation : Tensor
        Evaporation asked for, not below zero [kg m-2].

    All shapes alike.
    """
    there = src + rain
    store = torch.minimum(torch.relu(kept), there)
    evaporated = torch.minimum(evaporation, there - store)
    return Canopy(store, evaporated, there - store - evaporated)
