# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapter to anemoi-models 0.19: the content of an inference checkpoint, and the factors of a normaliser."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

#: Class whose instance an inference checkpoint holds, and the package of the graph that this has.
_INTERFACE, _GRAPHS = ("anemoi.models.interface", "AnemoiModelInterface"), "torch_geometric"


class StoredModel(nn.Module):
    """Content of an inference checkpoint: model, pre- and post-processors, and their ``predict_step``.

    Stands in for ``AnemoiModelInterface``, whose module imports the libraries of graphs and compilers and takes longer
    than torch itself; the land has no graph. Undocumented attributes: ``model``, ``pre_processors``,
    ``post_processors`` and ``n_step_input``. It can go when the host imports its graph library where it is used.
    """

    model: nn.Module
    pre_processors: nn.ModuleDict
    post_processors: nn.ModuleDict
    n_step_input: int

    def predict_step(self, batch: dict[str, Tensor], **options: Any) -> dict[str, Tensor]:
        """Predict with the processors of the checkpoint; shapes ``(batch, time, point, variable)`` by dataset."""
        predict: Any = self.model.predict_step
        return predict(batch, self.pre_processors, self.post_processors, self.n_step_input, **options)


class _Graph:
    """Any object of the graph library, which is read and not used."""

    def __setstate__(self, state: Any) -> None:
        """Forget the content."""


class _Unpickler(pickle.Unpickler):
    """Unpickler that replaces the interface of the host and its graph."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == _INTERFACE:
            return StoredModel
        return _Graph if module.partition(".")[0] == _GRAPHS else super().find_class(module, name)


def load_model(path: Path, device: str | torch.device) -> Any:
    """Unpickle an inference checkpoint, which executes its content.

    A model that is made of the host's own parts has a graph, and is loaded as the host does.

    Returns
    -------
    StoredModel or AnemoiModelInterface
        Both have ``predict_step``, ``model`` and the processors.
    """
    reader = SimpleNamespace(__name__="pickle", Unpickler=_Unpickler)
    found = torch.load(path, map_location=device, weights_only=False, pickle_module=reader)
    parts = {base.__module__ for part in found.modules() for base in type(part).__mro__}
    if any(module.startswith(("anemoi.models.models", "anemoi.models.layers")) for module in parts):
        return torch.load(path, map_location=device, weights_only=False)
    return found


def widen_normaliser(normaliser: Any, number: int) -> None:
    """Let a normaliser take ``number`` further input columns, which it leaves unchanged.

    Private buffers as in :func:`normaliser_factors`.
    """
    n = len(normaliser._norm_mul)
    further = torch.arange(n, n + number, device=normaliser._input_idx.device)
    normaliser._norm_mul = torch.cat([normaliser._norm_mul, normaliser._norm_mul.new_ones(number)])
    normaliser._norm_add = torch.cat([normaliser._norm_add, normaliser._norm_add.new_zeros(number)])
    normaliser._input_idx = torch.cat([normaliser._input_idx, further])


def normaliser_factors(normaliser: Any, n_outputs: int) -> dict[str, tuple[Any, Any]]:
    r"""Return factor :math:`m` and offset :math:`a` of :math:`\hat x = m x + a` at ``in`` and ``out``.

    Private buffers of ``InputNormalizer``: ``_norm_mul``, ``_norm_add``, ``_input_idx``, ``_output_idx``,
    ``_model_output_idx``. Transforming zeros and ones would give them but for rounding. They can go when the host has
    a normaliser that is differentiable without copies, or reports its factors. Targets that are not among the
    ``n_outputs`` predicted variables are left out.
    """
    out = normaliser._output_idx
    if len(out) != n_outputs:
        out = normaliser._model_output_idx
    return {
        name: (normaliser._norm_mul[index].clone(), normaliser._norm_add[index].clone())
        for name, index in (("in", normaliser._input_idx), ("out", out))
    }
