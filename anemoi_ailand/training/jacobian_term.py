# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Term of the loss on finite differences of the physical model: how results respond to the initial state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from omegaconf import OmegaConf
from pydantic import Field
from torch import Tensor
from torch.nn.functional import huber_loss

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.support.configuration import HomePath, Strict, checked
from anemoi_ailand.support.sphere import nearest_points, separation
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

#: A difference counts if the two one-sided ones agree to this share of its size: elsewhere the response is not linear.
LINEAR = 0.5

#: Longest lead [h]: later responses follow from the states by then, and a roll-out of eight steps costs as much as a
#: batch.
LONGEST = 24

#: Points of the file and of the dataset are the same if their coordinates differ by less [degrees].
SAME_PLACE = 1.0e-3

Unroll = Callable[[Tensor, int], Tensor]
Convert = Callable[[Tensor], Tensor]


class JacobianOptions(Strict):
    """Options under ``land.jacobian``: file, weight, batches from one that has the term to the next, pairs of each."""

    path: HomePath | None = None
    weight: float = Field(default=2.0, gt=0.0)
    every: int = Field(default=4, ge=1)
    pairs: int = Field(default=216, ge=1)


def options_of(given: Any) -> JacobianOptions:
    """Check the options of the term before any long work starts.

    Raises
    ------
    ValueError
        An unknown option, or a number out of its range.
    FileNotFoundError
        There is no file at the path.
    """
    given = OmegaConf.to_container(given, resolve=True) if OmegaConf.is_config(given) else given
    options = checked(given or {}, JacobianOptions, "`land.jacobian`")
    if options.path is not None and not options.path.is_file():
        raise FileNotFoundError(f"`land.jacobian.path` is '{options.path}': there is no such file.")
    return options


@dataclass(frozen=True)
class Differences:
    r"""Finite differences :math:`\partial y_j / \partial x_i` of the physical model, at points of training only.

    Attributes
    ----------
    fields : Tensor, shape (date, step + 1, point, variable)
        Fields of the dataset from the date of the disturbance to the longest lead, in physical units.
    inputs, outputs : tuple of str
        Disturbed and responding variables, by the names of the table.
    sizes : Tensor, shape (input,)
        Size of a disturbance, in units of the variable.
    leads : tuple of int
        Steps from the disturbance to the response.
    values : Tensor, shape (lead, date, input, output, point)
        Derivatives in physical units, NaN where there is none, or where the response is not linear.
    """

    fields: Tensor
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sizes: Tensor
    leads: tuple[int, ...]
    values: Tensor

    @property
    def spread(self) -> Tensor:
        """Root mean square of each derivative, shape (lead, input, output); infinite where it is always zero."""
        mean = self.values.square().nanmean(dim=(1, 4))
        return torch.where(mean > 0.0, mean.sqrt(), torch.inf)


def read_differences(path: str | Path, data: Any, n_points: int, outputs: Container[str]) -> Differences:
    """Read finite differences whose dates and points are among those of a dataset.

    Parameters
    ----------
    path : str or Path
        NetCDF file with ``jac``, ``asym`` (date, lead, in_var, out_var, point): centred differences and the difference
        of the two one-sided ones; ``valid`` (date, in_var, point); ``time``, ``lead`` [h], ``in_name``, ``out_name``,
        ``delta``, ``latitude``, ``longitude``.
    data : anemoi.datasets.Dataset
        Dataset of the training.
    n_points : int
        Its first points, which are those trained on; the others are held out.
    outputs : container of str
        Outputs of the model.

    Raises
    ------
    ValueError
        A variable is missing from the file, or it has no date, point or variable in common with the training.
    """
    with xr.open_dataset(path) as file:
        missing = sorted({"jac", "asym", "valid", "in_name", "out_name", "delta", "latitude", "longitude", "time"}
                         - set(file.variables))  # fmt: skip
        if missing:
            raise ValueError(f"'{path}' lacks {missing}. `land.jacobian.path` names a file of finite differences.")
        file = file.load()
    inputs, responding = ([variable(str(n)).name for n in file[v].values] for v in ("in_name", "out_name"))
    i = [k for k, n in enumerate(inputs) if n in data.name_to_index]
    j = [k for k, n in enumerate(responding) if n in outputs]
    hours = [int(h) for h in file.lead.values]
    leads = [k for k, h in enumerate(hours) if h % STEP_HOURS == 0 and h <= LONGEST]
    steps = tuple(hours[k] // STEP_HOURS for k in leads)
    position = {d: k for k, d in enumerate(data.dates.astype("datetime64[s]"))}
    starts = [position.get(t, len(position)) for t in file.time.values.astype("datetime64[s]")]
    dates = [k for k, p in enumerate(starts) if steps and p + max(steps) < len(position)]
    here, there = same_places(file, data.latitudes[:n_points], data.longitudes[:n_points])
    if not (i and j and dates and len(here)):
        raise ValueError(
            f"Nothing in '{path}' is in the training: {len(dates)} dates, {len(here)} of {n_points} points, disturbed "
            f"{[inputs[k] for k in i]}, responding {[responding[k] for k in j]}, leads {[hours[k] for k in leads]} h. "
            "Give differences along the trajectory of the training data, or set `land.jacobian.path: null`."
        )
    chosen = file.isel(date=dates, lead=leads, in_var=i, out_var=j, point=here)
    values = chosen.jac.where((chosen.valid > 0) & is_linear(chosen)).transpose(
        "lead", "date", "in_var", "out_var", "point"
    )
    length = max(steps) + 1
    windows = [np.asarray(data[starts[k] : starts[k] + length])[:, :, 0][..., there] for k in dates]
    LOG.info("%d finite differences at %d points and %d dates, of %s with respect to %s", int(values.notnull().sum()),
             len(here), len(dates), [responding[k] for k in j], [inputs[k] for k in i])  # fmt: skip
    return Differences(
        fields=torch.from_numpy(np.stack(windows).transpose(0, 1, 3, 2).astype(np.float32)),
        inputs=tuple(inputs[k] for k in i),
        outputs=tuple(responding[k] for k in j),
        sizes=torch.from_numpy(chosen.delta.values.astype(np.float32)),
        leads=steps,
        values=torch.from_numpy(values.values.astype(np.float32)),
    )


def is_linear(file: xr.Dataset) -> xr.DataArray:
    """Return where the two one-sided differences agree; a hundredth of the root mean square does not matter."""
    small = 0.01 * (file.jac**2).mean(("date", "point")) ** 0.5
    return abs(file.asym) <= LINEAR * abs(file.jac) + small


def same_places(
    file: xr.Dataset, latitudes: NDArray[np.float64], longitudes: NDArray[np.float64]
) -> tuple[list[int], list[int]]:
    """Return the positions of common points in a file and among places [degrees]."""
    theirs = file.latitude.values, file.longitude.values
    nearest, _ = nearest_points((latitudes, longitudes), theirs)
    found = np.flatnonzero(separation(theirs, (latitudes[nearest], longitudes[nearest])) < SAME_PLACE)
    return found.tolist(), nearest[found].tolist()


class JacobianTerm:
    r"""Huber loss of the derivatives of a roll-out against those of the physical model.

    .. math:: J = \frac{w}{n} \sum_{i,j} h\!\left(\frac{\hat D_{ij} - D_{ij}}{s_{ij}}\right), \qquad
              \hat D_{ij} = \frac{y_j(x + \delta_i) - y_j(x - \delta_i)}{2 \delta_i}

    with the spread :math:`s_{ij}` of the physical model's :math:`D_{ij}` over points and dates. Steps are plain and in
    single precision: a difference of two results rounded to bfloat16 would be noise.

    Parameters
    ----------
    differences : Differences
        From :func:`read_differences`.
    columns, outputs : mapping of name to position
        Variables of the fields, and outputs of the model.
    weight : float
        :math:`w`; the errors of all variables together weigh about ten (:class:`.BalancedLoss`).
    pairs : int
        Pairs of a point and a date in a batch.
    """

    def __init__(
        self, differences: Differences, columns: Mapping[str, int], outputs: Mapping[str, int], weight: float,
        pairs: int,
    ) -> None:  # fmt: skip
        self.differences, self.weight, self.pairs = differences, weight, pairs
        self._spread = differences.spread
        self._column = [columns[n] for n in differences.inputs]
        self._responding = [outputs[n] for n in differences.outputs]

    def draw(self, generator: torch.Generator) -> tuple[Tensor, int, int, Tensor]:
        """Choose pairs: fields (1, step + 1, 1, 2 pairs, variable), lead and input by position, derivatives.

        The first half of the pairs is disturbed upwards, the second downwards; ``derivatives`` are (output, pair).
        """
        d = self.differences
        lead, of = (int(torch.randint(n, (1,), generator=generator)) for n in (len(d.leads), len(d.inputs)))
        n_dates, _, n_points, _ = d.fields.shape
        date = torch.randint(n_dates, (self.pairs,), generator=generator)
        point = torch.randint(n_points, (self.pairs,), generator=generator)
        fields = d.fields[date, : d.leads[lead] + 1, point].transpose(0, 1)
        return torch.cat([fields, fields], dim=1)[None, :, None], lead, of, d.values[lead, date, of, :, point].T

    def loss(self, unroll: Unroll, normalise: Convert, denormalise: Convert, generator: torch.Generator) -> Tensor:
        """Return the term for one batch.

        Parameters
        ----------
        unroll : callable
            ``(fields, steps)``: the last prediction from normalised fields (batch, date, ensemble, point, variable).
        normalise, denormalise : callable
            Fields to normalised ones, and normalised predictions to physical units.
        generator : torch.Generator
            Source of the draw.
        """
        d = self.differences
        fields, lead, of, wanted = self.draw(generator)
        change = d.sizes[of].repeat(2, self.pairs)
        change[1] *= -1.0
        fields[:, 0, ..., self._column[of]] += change.reshape(-1)
        result = denormalise(unroll(normalise(fields), d.leads[lead]))[0, -1, 0]
        up, down = result[:, self._responding].T.unflatten(1, (2, -1)).unbind(1)
        slopes = (up - down) / (2.0 * d.sizes[of])
        known = wanted.isfinite()
        error = torch.where(known, slopes - wanted.nan_to_num(), 0.0) / self._spread[lead, of][:, None]
        return self.weight * huber_loss(error, torch.zeros_like(error), reduction="sum") / known.sum().clamp_min(1)


@contextmanager
def single_precision(land: Any) -> Iterator[None]:
    """Multiply hidden layers of a model in single precision inside ``with``."""
    before, land.hidden_dtype = land.hidden_dtype, None
    try:
        yield
    finally:
        land.hidden_dtype = before
