# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small land model without the closed step, whose graph is made in seconds, and rows of the sample for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from anemoi.models.preprocessing import Processors
from anemoi.models.preprocessing.normalizer import InputNormalizer
from torch import nn

from anemoi_ailand.export.host_step import HostStep
from anemoi_ailand.export.onnx_check import Rows, sample_rows
from anemoi_ailand.rollout.step.checkpoint import LandStep
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from tests.support import land_case as case


class Interface(nn.Module):
    """What an inference checkpoint holds, as far as an export looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.model = case.land_model()
        with torch.no_grad():
            self.model.network.prognostic_head.weight.mul_(0.01)  # a state at its bounds would hide everything
        normalizer = InputNormalizer(
            config=case.data_config().processors.normalizer.config,
            data_indices=case.indices(),
            statistics=case.statistics(),
        )
        self.pre_processors = nn.ModuleDict({"data": Processors([["normalizer", normalizer]])})


def land_step() -> LandStep:
    """A loaded checkpoint with random weights, not from a file."""
    index = case.indices().model
    inputs, outputs = (
        tuple(sorted(part.name_to_index, key=part.name_to_index.__getitem__)) for part in (index.input, index.output)
    )
    return LandStep(Interface(), "data", inputs, outputs, Path("best.ckpt"), torch.device("cpu"))


def host(dtype: torch.dtype = torch.float32, *, sun_inside: bool = True) -> HostStep:
    """The step of :func:`land_step` as a host calls it."""
    return HostStep(PhysicalStep(land_step()).to(dtype), sun_inside=sun_inside)


def rows(n: int = 200, dtype: torch.dtype = torch.float32, *, sun_inside: bool = True) -> Rows:
    """Some rows of the packaged sample."""
    found = sample_rows(host(dtype, sun_inside=sun_inside), dtype)
    chosen = np.linspace(0, len(found.where) - 1, n).astype(int)
    return Rows({k: v[chosen] for k, v in found.arguments.items()}, [found.where[i] for i in chosen])
