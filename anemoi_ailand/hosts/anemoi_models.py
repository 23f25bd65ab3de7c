# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapter to anemoi-models 0.19: the factors of a normaliser."""

from __future__ import annotations

from typing import Any


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
