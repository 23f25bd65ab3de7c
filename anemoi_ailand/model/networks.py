# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The network of the land model: the packaged one by name, or a class of one's own by import path."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import nn

from anemoi_ailand.model.pointwise_mlp import PointwiseMLP

#: Name of the packaged network in ``model.model.network``; the default.
MLP = "mlp"


@dataclass(frozen=True)
class NetworkShape:
    """Input columns and outputs of the two heads of a network; ``static`` are the columns that are constant in time."""

    n_in: int
    n_prognostic: int
    n_diagnostic: int
    static: tuple[int, ...] = ()


def build_network(options: Mapping[str, Any], shape: NetworkShape) -> nn.Module:
    """Build the network that a configuration names.

    A class of one's own takes ``n_in, n_prognostic, n_diagnostic``, then ``static`` if it has such a parameter, and its
    options as keyword-only arguments. It may state ``flops_per_point`` and ``n_parameters`` where torch cannot count
    them, and ``exportable = False`` if it cannot be written as an ONNX graph.

    The option ``network`` is ``mlp`` (default) or an import path such as ``my_package.my_module.MyNetwork``; all others
    are options of the network. Null counts as not given, so that a configuration can drop an inherited option.

    Shapes of the network: ``(..., n_in) -> (..., n_prognostic), (..., n_diagnostic)``, normalised.

    Raises
    ------
    ValueError
        The network cannot be imported, or it refuses an option or a value.
    """
    given = {k: v for k, v in options.items() if v is not None}
    name = str(given.pop("network", MLP))
    network = network_class(name)
    parameters = inspect.signature(network).parameters
    known = sorted(n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY)
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(
            f"The network '{name}' has no option {unknown} (available: {known}). Correct the name under "
            "`model.model`, or set an inherited option to null."
        )
    sizes: list[Any] = [shape.n_in, shape.n_prognostic, shape.n_diagnostic]
    if "static" in parameters:
        sizes.append(shape.static)
    return network(*sizes, **given)


def network_class(name: str) -> type[nn.Module]:
    """Return the class behind ``model.model.network``."""
    if name == MLP:
        return PointwiseMLP
    module, _, attribute = name.rpartition(".")
    advice = f"Give '{MLP}', or the import path of a network, such as 'my_package.my_module.MyNetwork'."
    if not module:
        raise ValueError(f"`model.model.network` is '{name}', which is not known. {advice}")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"`model.model.network` is '{name}', which cannot be imported ({error}). {advice} "
            "Its folder must be on PYTHONPATH."
        ) from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ValueError(f"`model.model.network` is '{name}', which is not a subclass of torch.nn.Module. {advice}")
    return found
