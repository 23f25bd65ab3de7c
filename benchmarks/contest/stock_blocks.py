# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Point-wise blocks of anemoi-models as the network of the land model."""

from __future__ import annotations

from anemoi.models.layers.processor import PointWiseMLPProcessor
from anemoi.utils.config import DotDict
from torch import Tensor, nn

from anemoi_ailand.model.pointwise_mlp import activation_of, check_sizes, zero_head
from anemoi_ailand.model.precision import Exact


class StockBlocks(nn.Module):
    r"""Encoder, processor and decoder of each point as in the configuration ``point_wise`` of anemoi-training.

    .. math::
        h = E z, \qquad g = h + B_n(\dots B_1(h)), \qquad \delta = P N(g), \qquad d = D N(g), \qquad
        B_k(h) = W_k\,\sigma(N_k(V_k h))

    with affine maps :math:`E, V, W, P, D`, layer norms :math:`N` and the non-linearity :math:`\sigma`. The stock
    configuration of anemoi-training 0.17.1 is not usable: it fails its own schema, names unavailable data sets, reads
    the forcing at the start of the step only, and learns eight parameters per grid node, which ties a checkpoint to its
    training points. This network uses the same block classes with the inputs, increments and bounds of
    :class:`~anemoi_ailand.model.land_model.LandModel`, without parameters per node. The prognostic head starts at zero,
    so that an untrained network is persistence.

    Parameters
    ----------
    n_in, n_prognostic, n_diagnostic : int
        Input columns, predicted increments and predicted diagnostics.
    width : int
        Channels between blocks.
    depth : int
        Number of blocks.
    ratio : int or float
        Channels within a block as a multiple of ``width``.
    activation : {'relu', 'silu', 'gelu'}
        Non-linearity of a block.

    Raises
    ------
    ValueError
        Unknown activation, or a size that is not positive.

    Shapes: ``(..., point, n_in) -> (..., point, n_prognostic), (..., point, n_diagnostic)``, normalised, no unit.
    Source: anemoi-models 0.19, layers/block.py, layers/processor.py, layers/mapper.py (PointWise*), and
    models/encoder_processor_decoder.py (``latent_skip``); anemoi-training 0.17.1, config/model/point_wise.yaml.
    """

    def __init__(
        self,
        n_in: int,
        n_prognostic: int,
        n_diagnostic: int,
        *,
        width: int = 1024,
        depth: int = 16,
        ratio: float = 4,
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        check_sizes(n_in=n_in, n_prognostic=n_prognostic, width=width, depth=depth)
        kernel = activation_of(activation)
        self.n_in, self.n_prognostic, self.n_diagnostic = n_in, n_prognostic, n_diagnostic
        self.encoder = Exact(n_in, width)
        self.processor = PointWiseMLPProcessor(
            num_layers=depth,
            num_channels=width,
            num_chunks=1,
            mlp_hidden_ratio=ratio,
            gradient_checkpointing=False,  # the stock saves memory by computing every block twice
            layer_kernels=DotDict({"Activation": {"_target_": f"torch.nn.{kernel.__name__}"}}),
        )
        self.norm = nn.LayerNorm(width)
        self.prognostic_head = zero_head(width, n_prognostic)
        if n_diagnostic:
            self.diagnostic_head = Exact(width, n_diagnostic)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return normalised increments and diagnostics for normalised inputs ``z`` of shape ``(..., n_in)``."""
        h = self.encoder(z)
        g = self.norm(h + self.processor(h, batch_size=1, shard_info=None))
        increments = self.prognostic_head(g)
        if not self.n_diagnostic:
            return increments, z.new_zeros((*z.shape[:-1], 0))
        return increments, self.diagnostic_head(g)
