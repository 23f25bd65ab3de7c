# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Layers are last by their shape and first in memory."""

import torch

from anemoi_ailand.physics.layers import join_layers, stack_layers


def test_stacked_layers_are_those_given():
    """In order, and each in one piece."""
    layers = [torch.full((3, 5), float(k)) for k in range(4)]
    stacked = stack_layers(layers)
    assert torch.equal(stacked, torch.stack(layers, dim=-1))
    assert all(layer.is_contiguous() for layer in stacked.unbind(-1))


def test_joined_layers_are_those_given():
    """As torch.cat along the last dimension, and still in one piece each."""
    a, b = stack_layers([torch.randn(6), torch.randn(6)]), stack_layers([torch.randn(6)])
    joined = join_layers([a, b])
    assert torch.equal(joined, torch.cat([a, b], dim=-1))
    assert all(layer.is_contiguous() for layer in (2.0 * joined).unbind(-1))
