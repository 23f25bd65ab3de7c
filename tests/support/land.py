# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One small land model with made-up statistics and random weights, with the open or the closed step.

:data:`OPEN` has eleven variables and suffices where the physics of the step does not matter; :data:`CLOSED` has
everything that the closed step reads, :data:`TOLD` the albedo as well, and :data:`BALANCED` closes the energy budget.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anemoi.models.data_indices.collection import IndexCollection
from anemoi.models.preprocessing import Processors
from anemoi.models.preprocessing.normalizer import InputNormalizer
from omegaconf import DictConfig, OmegaConf
from torch import nn

from anemoi_ailand.model.land_model import LandModel
from anemoi_ailand.physics.closed_step import FLUXES, STATE
from anemoi_ailand.rollout.step.batch_invariance import make_batch_invariant
from anemoi_ailand.rollout.step.checkpoint import LandStep

#: Checkpoint packaged before snow followed from mass and energy, and before the albedo was an input.
FORMER = Path(__file__).resolve().parents[1] / "reference" / "former" / "ailand-small.ckpt"

STATIC = ["slt", "tvl", "tvh", "cvl", "cvh", "veg_cov_lv", "veg_cov_hv", "sdor", "cur"]
MEANS = ["avg_t", "avg_q", "avg_sp", "avg_tprate", "avg_tsrwe"]


@dataclass(frozen=True)
class SmallLand:
    """Variables of a small land model, their made-up statistics, and all that a checkpoint of it holds.

    ``mean`` and ``stdev`` are in the units of the table, by name with or without the number of a layer; other variables
    have those of ``default``. ``network`` are options of the model that differ from width 16 and depth 2.
    """

    forcing: list[str]
    prognostic: list[str]
    diagnostic: list[str]
    mean: Mapping[str, float]
    stdev: Mapping[str, float]
    default: tuple[float, float]
    not_normalised: list[str]
    network: Mapping[str, Any] = field(default_factory=dict)

    @property
    def variables(self) -> list[str]:
        """All names in the order of a dataset."""
        return sorted([*self.forcing, *self.prognostic, *self.diagnostic])

    def statistics(self) -> dict[str, np.ndarray]:
        """Statistics of the dataset, shape (variable,)."""
        moments = ((self.mean, self.default[0]), (self.stdev, self.default[1]))
        mean, stdev = (np.array([_of(table, n, other) for n in self.variables]) for table, other in moments)
        return {"mean": mean, "stdev": stdev, "minimum": mean - 3 * stdev, "maximum": mean + 3 * stdev}

    def data_config(self) -> DictConfig:
        """Section ``data`` of the dataset in a configuration of training."""
        normalizer = {
            "_target_": "anemoi.models.preprocessing.normalizer.InputNormalizer",
            "config": {"default": "mean-std", "none": list(self.not_normalised)},
        }
        roles = {"forcing": list(self.forcing), "diagnostic": list(self.diagnostic)}
        return OmegaConf.create({**roles, "processors": {"normalizer": normalizer}})

    def model_config(self, **network: Any) -> DictConfig:
        """Configuration of model and data; None takes an option of :attr:`network` away."""
        options = {"width": 16, "depth": 2, "activation": "silu", **self.network, **network}
        given = {k: v for k, v in options.items() if v is not None or k not in self.network}
        return OmegaConf.create({"model": {"model": given}, "data": {"datasets": {"data": self.data_config()}}})

    def indices(self) -> IndexCollection:
        """Positions of the variables in the tensors of Anemoi."""
        return IndexCollection(self.data_config(), {name: i for i, name in enumerate(self.variables)})

    def land_model(
        self, seed: int = 0, *, stats: dict | None = None, config: DictConfig | None = None, n_step_input: int = 2,
        **network: Any,
    ) -> LandModel:  # fmt: skip
        """The model with random weights: an untrained network is persistence, which would hide much."""
        torch.manual_seed(seed)
        model = LandModel(
            model_config=config or self.model_config(**network),
            data_indices={"data": self.indices()},
            statistics={"data": stats or self.statistics()},
            graph_data=None,
            n_step_input=n_step_input,
            n_step_output=1,
        )
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        return model.eval()

    def land_step(
        self, seed: int = 0, *, others: tuple[str, ...] = (), head: float = 1.0, steady: bool = True, **network: Any
    ) -> LandStep:  # fmt: skip
        """A loaded checkpoint, not from a file.

        ``others`` are further processors, ``head`` is a factor of the increments, and ``steady`` makes the layers
        batch-invariant, as they are in a checkpoint.
        """
        model = self.land_model(seed, **network)
        with torch.no_grad():
            model.network.prognostic_head.weight.mul_(head)
        index = self.indices().model
        inputs, outputs = (
            tuple(sorted(part.name_to_index, key=part.name_to_index.__getitem__))
            for part in (index.input, index.output)
        )
        interface = Interface(make_batch_invariant(model) if steady else model, self, others).eval()
        return LandStep(interface, "data", inputs, outputs, Path("best.ckpt"), torch.device("cpu"))

    def batch(self, n_times: int, n_points: int = 7, n_batch: int = 2, seed: int = 1) -> dict[str, torch.Tensor]:
        """Normalised fields, shape (batch, time, 1, point, variable)."""
        generator = torch.Generator().manual_seed(seed)
        shape = (n_batch, n_times, 1, n_points, len(self.variables))
        return {"data": 0.3 * torch.randn(*shape, generator=generator)}

    def normalisation(self, name: str) -> tuple[float, float]:
        """Factor and offset with which a variable is normalised."""
        if name in self.not_normalised:
            return 1.0, 0.0
        mean, stdev = _of(self.mean, name, self.default[0]), _of(self.stdev, name, self.default[1])
        return 1.0 / stdev, -mean / stdev

    def normalised(self, values: Mapping[str, torch.Tensor], index: Mapping[str, int]) -> torch.Tensor:
        """Input tensor (point, variable) of a model in float32 from physical fields."""
        factors = {n: self.normalisation(n) for n in sorted(index, key=index.__getitem__)}
        return torch.stack([values[n].double() * a + b for n, (a, b) in factors.items()], dim=-1).float()

    def physical(self, out: torch.Tensor, names: Sequence[str]) -> dict[str, torch.Tensor]:
        """Fields by name in physical units, float64, from a normalised tensor (..., variable)."""
        factors = {n: self.normalisation(n) for n in names}
        return {n: (out[..., i].double() - b) / a for i, (n, (a, b)) in enumerate(factors.items())}


def _of(table: Mapping[str, float], name: str, default: float) -> float:
    return table.get(name, table.get(name.rstrip("1234"), default))


class Interface(nn.Module):
    """Content of an inference checkpoint: network, normalisers and ``predict_step``."""

    def __init__(self, model: LandModel, land: SmallLand, others: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.model = model
        normalizer = InputNormalizer(
            config=land.data_config().processors.normalizer.config,
            data_indices=land.indices(),
            statistics=land.statistics(),
        )
        named = [["normalizer", normalizer], *([n, nn.Identity()] for n in others)]
        before, after = (Processors(named, inverse=i) for i in (False, True))
        before.first_run = False  # as in a checkpoint: training has made the first run, which refuses any NaN
        self.pre_processors, self.post_processors = nn.ModuleDict({"data": before}), nn.ModuleDict({"data": after})

    def predict_step(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """One step in physical units."""
        return self.model.predict_step(batch, self.pre_processors, self.post_processors, n_step_input=2)


OPEN = SmallLand(
    forcing=["t", "avg_tprate", "lai_lv", "cos_julian_day", "z", "theta_sat"],
    prognostic=["swvl1", "stl1", "snowc"],
    diagnostic=["2t", "slhf"],
    mean={"t": 285.0, "stl1": 287.0, "2t": 285.0, "swvl1": 0.25, "z": 3000.0, "theta_sat": 0.45, "slhf": -50.0},
    stdev={"t": 14.0, "stl1": 12.0, "2t": 14.0, "swvl1": 0.15, "z": 2000.0, "theta_sat": 0.1, "slhf": 80.0,
           "avg_tprate": 1e-4},
    default=(0.1, 0.3),
    not_normalised=["cos_julian_day"],
)  # fmt: skip

CLOSED = SmallLand(
    forcing=[*STATIC, "t", *MEANS, "lai_lv", "cos_julian_day"],
    prognostic=[*STATE, "tsn"],
    diagnostic=["2t", *FLUXES],
    mean={"swvl": 0.25, "stl": 285.0, "rsn": 150.0, "sd": 20.0, "src": 0.1, "snowc": 0.2, "tsn": 268.0, "t": 285.0,
          "avg_t": 285.0, "2t": 285.0, "avg_q": 0.007, "avg_sp": 9.5e4, "avg_tprate": 3e-5, "avg_tsrwe": 4e-6,
          "evap": 1.7e-5, "sro": 3e-6, "ssro": 7e-6, "sdor": 50.0},
    stdev={"swvl": 0.12, "stl": 14.0, "rsn": 70.0, "sd": 50.0, "src": 0.2, "snowc": 0.35, "tsn": 8.0, "t": 15.0,
           "avg_t": 15.0, "2t": 15.0, "avg_q": 0.005, "avg_sp": 8e3, "avg_tprate": 9e-5, "avg_tsrwe": 2e-5,
           "evap": 3e-5, "sro": 2e-5, "ssro": 2e-5, "sdor": 80.0},
    default=(0.5, 0.3),
    not_normalised=["slt", "tvl", "tvh", "cos_julian_day"],
    network={"step": "closed"},
)  # fmt: skip

#: The closed step that is told the albedo, as the trained sizes are.
TOLD = replace(
    CLOSED,
    forcing=[*CLOSED.forcing, "al", "avg_sdswrf"],
    prognostic=[*CLOSED.prognostic, "asn"],
    mean={**CLOSED.mean, "al": 0.15, "asn": 0.7, "avg_sdswrf": 150.0},
    stdev={**CLOSED.stdev, "al": 0.05, "asn": 0.1, "avg_sdswrf": 180.0},
)

#: The closed step with the budget of energy.
BALANCED = replace(
    TOLD,
    forcing=[*TOLD.forcing, "cl"],
    prognostic=[*TOLD.prognostic, "slw"],
    diagnostic=[*TOLD.diagnostic, "slhf", "sshf", "ssr", "str"],
    mean={**TOLD.mean, "slw": 1.0, "cl": 0.05, "slhf": -40.0, "sshf": -20.0, "ssr": 120.0, "str": -60.0},
    stdev={**TOLD.stdev, "slw": 4.0, "cl": 0.1, "slhf": 80.0, "sshf": 90.0, "ssr": 200.0, "str": 40.0},
)
