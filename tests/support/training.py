# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training without the command line: a module around the small land model, and whole trainings in this process."""

from copy import deepcopy
from functools import cache

import torch
from anemoi.training.train.train import AnemoiTrainer
from hydra import compose, initialize, initialize_config_dir
from omegaconf import OmegaConf
from torch_geometric.data import HeteroData

from anemoi_ailand.training.method import LandTraining
from anemoi_ailand.training.task import LandForecaster
from benchmarks.contest.training import CONFIGS
from tests.support.land import OPEN


@cache
def _composed():
    with initialize(version_base=None, config_path=None):
        full = compose("ailand", ["system.output.root=unused", "system.input.dataset=unused"])
    return OmegaConf.create(OmegaConf.to_container(full, resolve=True))


def training_config(land=OPEN, **method):
    """Configuration of ``ailand`` with the variables of a small land; ``method`` are options of the method."""
    full = deepcopy(_composed())
    full.data.datasets.data = land.data_config()
    full.model.model = {**land.model_config().model.model, "_target_": full.model.model._target_}
    full.training.method.update(method)
    full.training.training_loss.datasets.data = {
        "_target_": "anemoi_ailand.training.increment_loss.IncrementLoss",
        "scalers": ["increment", "general_variable", "points", "time_steps"],
    }
    full.training.scalers.datasets.data.general_variable.weights = {"default": 1.0, "stl1": 2.0}
    return full


def training_module(cls=LandTraining, *, n_steps=4, full=None, land=OPEN, **method):
    """The training module, with the same weights at every call."""
    full = full or training_config(land, **method)
    graph = HeteroData()
    graph["data"].x = torch.zeros(7, 2)
    graph["data"].num_nodes = 7
    names = {name: {} for name in land.variables}
    module = cls(
        config=full,
        task=LandForecaster(rollout={"steps": [n_steps]}, validation_rollout=n_steps),
        graph_data=graph,
        statistics={"data": land.statistics()},
        statistics_tendencies={"data": {"lead_times": ["6h"], "6h": tendencies(land)}},
        data_indices={"data": land.indices()},
        metadata={"dataset": {"data": {"variables_metadata": names}}, "metadata_inference": {"data": {}}},
        supporting_arrays={"data": {}},
    )
    module.model.model.load_state_dict(land.land_model().state_dict())
    return module.train()


def tendencies(land=OPEN):
    """Statistics of the change in 6 h, a tenth of those of the values."""
    return {k: 0.1 * v for k, v in land.statistics().items()}


def train(name, dataset, output, *overrides):
    """Train as ``anemoi-training train`` does, without its imports each time; return the folder of the checkpoints.

    ``name`` is a configuration of the package or of the contest.
    """
    places = [f"system.input.dataset={dataset}", f"system.output.root={output}"]
    with initialize_config_dir(str(CONFIGS.resolve()), version_base=None):
        config = compose(name, [*places, "diagnostics.enable_progress_bar=false", *overrides])
    AnemoiTrainer(config).train()
    return output / "best"
