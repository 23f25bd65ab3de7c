# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Stand-in for an atmosphere, to try a coupling: ``python stand_in_atmosphere.py sample.zarr atmosphere.ckpt``.

The checkpoint replays the weather of an Anemoi dataset of the land, on its points, keeps the skin temperature that it
is given, and adds a part of the difference between ground and air to its air temperature. It is no model of an
atmosphere. ``anemoi-inference`` needs this file to load the checkpoint: ``PYTHONPATH=. anemoi-inference run ...``
in its folder.
"""

import sys
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from anemoi.datasets import open_dataset
from anemoi.utils.checkpoints import save_metadata
from torch import Tensor, nn

import anemoi_ailand as ail

HOURS = 6
STATE = ("t", "skt")
ANSWER = 0.02  # of the difference between ground and air, in a step


class StandIn(nn.Module):
    """Weather by date (date, point, field), whose air temperature answers to the skin temperature of the state."""

    def __init__(self, dates: list[Any], weather: np.ndarray, fields: list[str]) -> None:
        super().__init__()
        self.dates, self.fields = dates, fields
        self.register_buffer("weather", torch.from_numpy(weather))

    def predict_step(self, batch: dict[str, Tensor], date: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Return the fields at ``date``, the end of the step."""
        t, skt = batch["data"][0, -1].unbind(-1)
        after = dict(zip(self.fields, self.weather[self.dates.index(date)].unbind(-1), strict=True))
        after |= {"t": after["t"] + ANSWER * (skt - t), "skt": skt}
        return {"data": torch.stack([after[n] for n in self.fields], dim=-1)[None, None, None]}


def write(dataset: str, checkpoint: str) -> None:
    """Write the checkpoint of the stand-in for the dates and points of a dataset."""
    weather = open_dataset(dataset)
    needed = [n for n in ail.load("ailand").needs["forcing"] if n in weather.name_to_index]
    fields = [*STATE, *(n for n in needed if n not in STATE)]
    values = np.stack([weather[:, weather.name_to_index[n], 0] for n in fields], axis=-1).astype(np.float32)
    dates = weather.dates.astype("datetime64[s]").tolist()
    if dates[1] - dates[0] != timedelta(hours=HOURS):
        raise ValueError(f"'{dataset}' has steps of {dates[1] - dates[0]}, not {HOURS} h. Give a dataset of the land.")
    torch.save(StandIn(dates, values, fields), checkpoint)
    units = {n: ail.VARIABLES[n].units for n in fields}
    about = metadata(HOURS, len(weather.latitudes), {n: units[n] for n in STATE}, {n: units[n] for n in fields[2:]})
    places = {"latitudes": np.asarray(weather.latitudes), "longitudes": np.asarray(weather.longitudes)}
    save_metadata(checkpoint, about, supporting_arrays={"data": places})


def metadata(
    hours: int, n_points: int, prognostic: dict[str, str], diagnostic: dict[str, str], units: bool = True
) -> dict[str, Any]:
    """Return the metadata of a checkpoint as anemoi-training writes it: variables with their units, and the step."""
    known = {**prognostic, **diagnostic}
    n_in, n_all = len(prognostic), len(known)
    index = {
        "data": {"input": {"full": list(range(n_in)), "forcing": [], "prognostic": list(range(n_in)),
                           "diagnostic": list(range(n_in, n_all))},
                 "output": {"full": list(range(n_all))}},
        "model": {"input": {"full": list(range(n_in)), "forcing": [], "prognostic": list(range(n_in))},
                  "output": {"full": list(range(n_all)), "prognostic": list(range(n_in)),
                             "diagnostic": list(range(n_in, n_all))}},
    }  # fmt: skip
    variables = {n: {"units": known[n]} if units else {} for n in known}
    step = f"{hours}h"
    return {
        "version": "2.0",
        "config": {"training": {"precision": "32", "multistep_input": 1},
                   "data": {"timestep": step, "datasets": {"data": {"forcing": [], "diagnostic": list(diagnostic)}}}},
        "data_indices": {"data": index},
        "dataset": {"data": {"variables": [*known], "variables_metadata": variables, "shape": [1, n_all, 1, n_points]}},
        "provenance_training": {},
        "metadata_inference": {
            "dataset_names": ["data"],
            "task": "forecaster",
            "data": {
                "data_indices": {"input": {n: i for i, n in enumerate(prognostic)},
                                 "output": {n: i for i, n in enumerate(known)}},
                "timesteps": {"timestep": step, "input_relative_date_indices": [0], "input_offsets": ["0h"],
                              "output_relative_date_indices": [1], "output_offsets": [step], "rollout_shift": step,
                              "advance_map": {"inin": [], "outin": [[0, 0]]}},
                "variable_types": {"forcing": [], "prognostic": list(prognostic), "diagnostic": list(diagnostic),
                                   "target": []},
            },
        },
    }  # fmt: skip


if __name__ == "__main__":
    from stand_in_atmosphere import write as write_of_module  # the checkpoint names its module, which is not __main__

    write_of_module(*sys.argv[1:])
