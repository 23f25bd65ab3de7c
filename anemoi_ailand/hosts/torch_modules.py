# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapter to torch 2.10: everything that one module holds, its empty places included."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

#: Attributes of every module.
STOCK = frozenset(vars(nn.Module()))


def tensors_of(module: nn.Module) -> dict[str, dict[str, Tensor | None]]:
    """Return the ``parameters``, the ``buffers`` and the ``derived`` buffers (not persistent) of one module by name.

    Private attributes: ``_parameters``, ``_buffers`` and ``_non_persistent_buffers_set``. The public iterators leave
    out what is None, such as the bias of a layer without one. They can go when torch lists those.
    """
    temporary = module._non_persistent_buffers_set
    return {
        "parameters": dict(module._parameters),
        "buffers": {k: v for k, v in module._buffers.items() if k not in temporary},
        "derived": {k: v for k, v in module._buffers.items() if k in temporary},
    }


def children_of(module: nn.Module) -> dict[str, nn.Module | None]:
    """Return the children of one module by name, None for an empty place; private attribute: ``_modules``."""
    return dict(module._modules)


def options_of(module: nn.Module) -> dict[str, Any]:
    """Return the attributes of one module that are neither tensors, nor modules, nor those of every module."""
    return {k: v for k, v in vars(module).items() if k not in STOCK}
