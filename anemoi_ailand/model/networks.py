# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Which network the land model has, by name: all take one point's inputs to increments and diagnostics."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from anemoi_ailand.model.pointwise_mlp import PointwiseMLP
from benchmarks.contest.split_mlp import SplitMLP
from benchmarks.contest.stock_blocks import StockBlocks
from benchmarks.contest.trees import Trees

MLP = "mlp"

#: Networks by the name in ``model.model.network``. Keyword-only arguments are the options of each.
NETWORKS: dict[str, type[nn.Module]] = {MLP: PointwiseMLP, "split": SplitMLP, "stock": StockBlocks, "trees": Trees}


@dataclass(frozen=True)
class NetworkShape:
    """What a network is built for.

    Attributes
    ----------
    n_in, n_prognostic, n_diagnostic : int
        Input columns, outputs of the prognostic and of the diagnostic head.
    static : tuple of int
        Input columns that do not change in time.
    """

    n_in: int
    n_prognostic: int
    n_diagnostic: int
    static: tuple[int, ...] = ()


def build_network(options: Mapping[str, Any], shape: NetworkShape) -> nn.Module:
    """Build the network that ``options`` name.

    Parameters
    ----------
    options : mapping
        ``network``, one of :data:`NETWORKS` (``mlp`` if not given), and what that network can be told; an option that
        is null counts as not given, so that a configuration can drop what it inherits.
    shape : NetworkShape
        Columns in and out.

    Raises
    ------
    ValueError
        A network or an option that is not known, or a value that the network refuses.

    Returns
    -------
    torch.nn.Module
        ``(..., n_in) -> (..., n_prognostic), (..., n_diagnostic)``, normalised, no unit. It may have
        ``flops_per_point`` (operations for one point and step), if those are not what its linear layers say.
    """
    given = {k: v for k, v in options.items() if v is not None}
    name = given.pop("network", MLP)
    if name not in NETWORKS:
        raise ValueError(f"`model.model.network` is '{name}'. It can be one of {sorted(NETWORKS)}.")
    network = NETWORKS[name]
    known = [p.name for p in inspect.signature(network).parameters.values() if p.kind is p.KEYWORD_ONLY]
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(
            f"The network '{name}' has no option {unknown}. It has {sorted(known)}. Correct the name under "
            "`model.model`, or set what is inherited from another configuration to null."
        )
    sizes: list[Any] = [shape.n_in, shape.n_prognostic, shape.n_diagnostic]
    if "static" in inspect.signature(network).parameters:
        sizes.append(shape.static)
    return network(*sizes, **given)
