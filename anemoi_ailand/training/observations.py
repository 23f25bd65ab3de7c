# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations as targets of a training: opened, and placed among the fields of the main dataset."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from anemoi.datasets import open_dataset
from numpy.typing import NDArray
from omegaconf import OmegaConf

from anemoi_ailand.data.mapping.mapped_path import exists, local_store
from anemoi_ailand.data.observations.against_model import warn_of_contradictions
from anemoi_ailand.data.observations.impossible import without_impossible
from anemoi_ailand.support.configuration import Strict, checked
from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.support.sphere import SAME_PLACE, nearest_points, same_points
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)


class ObservedOptions(Strict):
    """Options under ``land.observed``: a dataset with gaps (NaN), and its variables to learn from; null for all."""

    dataset: Any = None
    variables: list[str] | None = None


def open_observed(config: Any) -> Any:
    """Open the observations of ``land.observed``; None without any.

    Raises
    ------
    ValueError
        An unknown option, a variable that the dataset lacks, or units that are not those of the table.
    FileNotFoundError
        No dataset at the path.
    """
    given = config.training.method.get("observed")
    given = OmegaConf.to_container(given, resolve=True) if OmegaConf.is_config(given) else given
    options = checked(given or {}, ObservedOptions, "`land.observed`")
    if options.dataset is None:
        if config.training.method.get("base") is not None:
            LOG.warning("No observations (`land.observed.dataset`): the network is tuned on the main dataset itself")
        return None
    if isinstance(options.dataset, str) and not exists(options.dataset):
        raise not_found(local_store(options.dataset), "dataset", "*.zarr", "Correct `land.observed.dataset`.")
    data = open_dataset(options.dataset)
    names = list(data.variables) if options.variables is None else options.variables
    if missing := [n for n in names if n not in data.variables]:
        raise ValueError(
            f"The observations '{options.dataset}' have no {missing} (available: {sorted(data.variables)}). Correct "
            "`land.observed.variables`."
        )
    data = open_dataset(options.dataset, select=names)
    units = {n: data.typed_variables[n].units for n in names}
    if wrong := {n: u for n, u in units.items() if u not in (None, variable(n).units)}:
        raise ValueError(
            f"Wrong units of observations: {wrong}; the table has { ({n: variable(n).units for n in wrong}) }. Convert "
            "them in the recipe."
        )
    return data


@dataclass(frozen=True)
class Targets:
    """Observations at the dates and points of the main dataset, as targets of its samples.

    Attributes
    ----------
    values : array, shape (date, point, observed)
        Observations, NaN where there is none.
    columns : list of int
        Positions of the observed variables in the main dataset.
    predicted : list of int
        Positions of all predicted variables.
    """

    values: NDArray[np.float32]
    columns: list[int]
    predicted: list[int]

    def behind(self, fields: NDArray[np.float32]) -> NDArray[np.float32]:
        """Append the observations to ``fields`` (date, ensemble, point, variable) of the same dates and points."""
        values = np.broadcast_to(self.values[:, None], (*fields.shape[:3], self.values.shape[-1]))
        return np.concatenate([fields, values], axis=-1)

    def set_in(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a sample with observations in place of the fields to be predicted, NaN where there is none.

        ``window`` (date, ensemble, point, variable) is one of :meth:`behind`. Its first date, the initial state, is
        unchanged.
        """
        fields, observed = np.split(window, [window.shape[-1] - len(self.columns)], axis=-1)
        fields = np.ascontiguousarray(fields)
        fields[1:, ..., self.predicted] = np.nan
        fields[1:, ..., self.columns] = observed[1:]
        return fields


def targets_of(
    observed: Any, main: Any, points: slice, outputs: Collection[str], columns: Mapping[str, int],
    fields: NDArray[np.float32] | None = None,
) -> Targets:  # fmt: skip
    """Place observations at the dates and points of a dataset.

    Parameters
    ----------
    observed, main : anemoi.datasets.Dataset
        Observations from :func:`open_observed`, and the main dataset.
    points : slice
        Points of the main dataset that samples are drawn from.
    outputs : collection of str
        Variables that the model predicts.
    columns : mapping of name to position
        Variables of the main dataset.
    fields : array, shape (date, ensemble, point, variable), optional
        Main dataset at these points, with which the observations are compared; what contradicts it as a mistake does
        is warned of.

    Raises
    ------
    ValueError
        An observed variable is not predicted, there is no observation at these dates and points, or many of them are
        not possible.
    """
    names = list(observed.variables)
    if foreign := [n for n in names if n not in outputs]:
        raise ValueError(
            f"The observed {foreign} are not predicted (predicted: {sorted(outputs)}). Leave them out of "
            "`land.observed.variables`."
        )
    places = main.latitudes[points], main.longitudes[points]
    theirs = observed.latitudes, observed.longitudes
    if same_points(theirs, (main.latitudes, main.longitudes)):
        there = np.arange(len(theirs[0]))[points]  # years of one site are points of one place
        here = np.arange(len(there))
    else:
        nearest, distance = nearest_points(theirs, places)
        here = np.flatnonzero(distance <= SAME_PLACE)
        there = nearest[here]
    values = np.full((len(main.dates), len(places[0]), len(names)), np.nan, dtype=np.float32)
    position = {d: k for k, d in enumerate(observed.dates.astype("datetime64[s]")) if k not in observed.missing}
    for i, date in enumerate(main.dates.astype("datetime64[s]")):
        if (k := position.get(date)) is not None:
            values[i, here] = np.asarray(observed[k])[:, 0, there].T
    for i, name in enumerate(names):
        values[..., i] = without_impossible(values[..., i], name, "`land.observed`")
    number = {n: int(np.isfinite(values[..., i]).sum()) for i, n in enumerate(names)}
    if not any(number.values()):
        raise ValueError(
            f"No observation of {names} is at a date and point of the data from {main.dates[0]} to {main.dates[-1]}: "
            f"{len(here)} of {len(places[0])} points are the same, of {len(theirs[0])} observed ones. Give "
            "observations at points of the main dataset, with its step, or other periods in `dataloader`."
        )
    if fields is not None:
        model = {n: np.asarray(fields[:, 0, :, columns[n]]) for n in names}
        warn_of_contradictions({n: values[..., i] for i, n in enumerate(names)}, model, "`land.observed`")
    LOG.info("Observations at %d of %d points, %s to %s: %s", len(here), len(places[0]), main.dates[0], main.dates[-1],
             ", ".join(f"{n} {count}" for n, count in number.items()))  # fmt: skip
    return Targets(values, [columns[n] for n in names], [columns[n] for n in outputs])
