# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small land model with made-up data, for tests: four forcings, two statics, three prognostics, two diagnostics."""

import numpy as np
import torch
from anemoi.models.data_indices.collection import IndexCollection
from omegaconf import OmegaConf

from anemoi_ailand.model.land_model import LandModel

FORCING = ["t", "avg_tprate", "lai_lv", "cos_julian_day", "z", "theta_sat"]
PROGNOSTIC = ["swvl1", "stl1", "snowc"]
DIAGNOSTIC = ["2t", "slhf"]
VARIABLES = sorted([*FORCING, *PROGNOSTIC, *DIAGNOSTIC])

MEAN = {"t": 285.0, "stl1": 287.0, "2t": 285.0, "swvl1": 0.25, "z": 3000.0, "theta_sat": 0.45, "slhf": -50.0}
STDEV = {
    "t": 14.0,
    "stl1": 12.0,
    "2t": 14.0,
    "swvl1": 0.15,
    "z": 2000.0,
    "theta_sat": 0.1,
    "slhf": 80.0,
    "avg_tprate": 1e-4,
}


def data_config(forcing=FORCING, diagnostic=DIAGNOSTIC):
    return OmegaConf.create(
        {
            "forcing": list(forcing),
            "diagnostic": list(diagnostic),
            "processors": {
                "normalizer": {
                    "_target_": "anemoi.models.preprocessing.normalizer.InputNormalizer",
                    "config": {"default": "mean-std", "none": ["cos_julian_day"]},
                }
            },
        }
    )


def name_to_index(names=VARIABLES):
    return {name: i for i, name in enumerate(names)}


def indices(names=VARIABLES, **roles):
    return IndexCollection(data_config(**roles), name_to_index(names))


def statistics(names=VARIABLES):
    mean = np.array([MEAN.get(n, 0.1) for n in names])
    stdev = np.array([STDEV.get(n, 0.3) for n in names])
    return {"mean": mean, "stdev": stdev, "minimum": mean - 3 * stdev, "maximum": mean + 3 * stdev}


def model_config(**network):
    return OmegaConf.create(
        {
            "model": {"model": {"width": 16, "depth": 2, "activation": "silu", **network}},
            "data": {"datasets": {"data": data_config()}},
        }
    )


def land_model(seed=0, data=None, stats=None, config=None, n_step_input=2, n_step_output=1):
    torch.manual_seed(seed)
    model = LandModel(
        model_config=config or model_config(),
        data_indices={"data": data or indices()},
        statistics={"data": stats or statistics()},
        graph_data=None,
        n_step_input=n_step_input,
        n_step_output=n_step_output,
    )
    with torch.no_grad():
        for parameter in model.parameters():  # an untrained network is persistence, which would hide much
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def batch(n_times, n_points=7, n_batch=2, seed=1):
    """Normalised fields, shape (batch, time, 1, point, variable)."""
    generator = torch.Generator().manual_seed(seed)
    return {"data": 0.3 * torch.randn(n_batch, n_times, 1, n_points, len(VARIABLES), generator=generator)}
