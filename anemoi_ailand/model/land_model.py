# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Anemoi model of the land: columns of the network, units of its increments, closed step, and bounds."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anemoi_ailand.model.closed_land import CATEGORIES, ClosedLand, lacking
from anemoi_ailand.model.columns import StepColumns
from anemoi_ailand.model.contrasts import DEEPEST_SNOW
from anemoi_ailand.model.networks import NetworkShape, build_network
from anemoi_ailand.model.perturbation import N_FACTORS, group_numbers, scaled_errors
from anemoi_ailand.model.precision import hidden_precision, precision_of
from anemoi_ailand.physics.bounds import clamp, limits
from anemoi_ailand.physics.closed_step import Land
from anemoi_ailand.variables import Time, variable

LOG = logging.getLogger(__name__)

#: Options of ``model.model.step``: how the new state follows from the network's outputs.
INCREMENTS, CLOSED = "increments", "closed"

#: The closed step if the variables suffice for it, else increments.
AUTO = "auto"

#: Options under ``model.model`` of the model itself; all others belong to the network.
OWN_OPTIONS = ("_target_", "step", "hidden_precision")

#: Slots of the time axis of the model input: the two ends of the step.
N_SLOTS = 2


class LandModel(nn.Module):
    r"""One step of the land for every point, with the interface of anemoi-models.

    The time axis of the input holds the two ends of the step, t and t + 6 h. The column ``taken`` of the table of
    variables names the end at which a variable is read: state and static fields at the start, interval means at the end
    (where they are stored), instantaneous forcing at both. The future state is never read.

    .. math:: x_{t+1} = \mathrm{clamp}\bigl(x_t + \sigma_{\Delta x}\,\delta\bigr)

    in physical units, with :math:`\sigma_{\Delta x}` the table's ``increment_scale``, if ``step`` is ``increments``. If
    it is ``closed``, the network predicts fluxes and corrections instead, from which
    :func:`~anemoi_ailand.physics.closed_step.closed_step` computes state, evaporation and runoff with water conserved
    and heat below the first layer only moved. There is no graph, no trainable node parameter and no coordinate: number,
    order and place of points do not matter.

    Hyper-parameters are read from ``config.model.model``: ``step``, ``hidden_precision`` (of products in hidden layers
    during training, see :mod:`~anemoi_ailand.model.precision`), and the options of
    :func:`~anemoi_ailand.model.networks.build_network`: ``network``, ``width``, ``depth``, ``activation``, ...

    Raises
    ------
    ValueError
        More than one dataset, a time axis other than the two ends, a variable that is missing from the table or has
        another role there, one without variance under a normalisation that divides by it, an unknown ``step``, network
        or option, or a missing variable of the closed step.

    Shapes: ``{name: (batch, 2, ensemble, point, input variable)} -> {name: (batch, 1, ensemble, point, output
    variable)}``, normalised.
    """

    #: Checkpoints older than the option lack this attribute.
    hidden_dtype: torch.dtype | None = None

    #: First column of the input with perturbations of the network's outputs, see :meth:`read_model_error`.
    first_error: int | None = None

    _start: Tensor
    _end: Tensor
    _state_in: Tensor
    _state_out: Tensor
    _diagnostic_out: Tensor
    _lower: Tensor
    _upper: Tensor
    _lower_physical: Tensor
    _upper_physical: Tensor
    _scale: Tensor
    _error_factors: Tensor
    _error_groups: Tensor
    _most: Tensor

    def __init__(
        self,
        *,
        model_config: Any,
        data_indices: dict,
        statistics: dict,
        graph_data: Any = None,
        n_step_input: int,
        n_step_output: int,
    ) -> None:
        super().__init__()
        del graph_data
        self.dataset_name = _single(data_indices)
        _check_slots(n_step_input, n_step_output)
        indices = data_indices[self.dataset_name]
        options = model_config.model.model
        step = _step(options.get("step", INCREMENTS))
        self.hidden_dtype = precision_of(options.get("hidden_precision") or "float32")
        self.columns = StepColumns.from_names(
            indices.model.input.name_to_index,
            indices.model.output.name_to_index,
            diagnostic=_names(indices.model.output.name_to_index, indices.model.output.diagnostic),
            forcing=_names(indices.model.input.name_to_index, indices.model.input.forcing),
            categories=() if step == INCREMENTS else CATEGORIES,
        )
        if step == AUTO:
            step = _suitable_step(self.columns, indices.model.input.name_to_index)
        mul, add = _normalisation(model_config, self.dataset_name, indices, statistics[self.dataset_name])
        to_data = indices.data.input.name_to_index
        self.closed = None
        if step == CLOSED:
            by_name = ({n: float(v[i]) for n, i in to_data.items()} for v in (mul, add))
            self.closed = ClosedLand(self.columns, indices.model.input.name_to_index, *by_name)
        self._register(to_data, mul, add)
        self.network = build_network({k: v for k, v in options.items() if k not in OWN_OPTIONS}, self._shape())
        LOG.info("Land model: %s; %d parameters", self.columns, sum(p.numel() for p in self.network.parameters()))

    @property
    def physical_bounds(self) -> tuple[Tensor, Tensor]:
        """Lower and upper bounds of the outputs in the units of the table, each of shape (output,)."""
        return self._lower_physical, self._upper_physical

    @property
    def increment_scale(self) -> Tensor:
        """Normalised size of one unit of the predicted increments, shape (prognostic,)."""
        return self._scale

    @property
    def network_outputs(self) -> tuple[str, ...]:
        """Names of the outputs of the network, those of the first head before diagnostics."""
        c = self.columns
        first = c.prognostic if self.closed is None else self.closed.output_names
        return (*first, *(c.outputs[i] for i in self._diagnostic_out.tolist()))

    def read_model_error(self, first: int, factors: Tensor) -> None:
        r"""Add perturbations to the outputs of the network, read from column ``first`` of the input at the end on.

        There is one for each of :attr:`network_outputs`, not normalised: dimensionless for the first head, in the units
        of the table for diagnostics. Factors by ground and group of outputs follow, which the closed step uses, see
        :func:`~anemoi_ailand.model.perturbation.scaled_errors`. ``factors`` (output,) are those of the normaliser of
        the outputs. The step itself is unchanged, so that water stays closed and bounds hold.
        """
        self.first_error = first
        self.register_buffer("_error_factors", factors[self._diagnostic_out], persistent=False)
        groups = torch.tensor(group_numbers(self.network_outputs), device=factors.device)
        self.register_buffer("_error_groups", groups, persistent=False)

    @property
    def n_errors(self) -> int:
        """Number of columns of :meth:`read_model_error`."""
        return len(self.network_outputs) + N_FACTORS

    def _shape(self) -> NetworkShape:
        """Return the sizes of the network: input columns and outputs of its two heads."""
        c = self.columns
        static = tuple(i for i, n in enumerate(c.start) if variable(n).time is Time.CONSTANT)
        if self.closed is None:
            return NetworkShape(c.n_in, len(c.prognostic), len(c.diagnostic), static)
        n_diagnostic = len(self._diagnostic_out)
        return NetworkShape(c.n_in + self.closed.n_features, self.closed.n_outputs, n_diagnostic, static)

    def _register(self, to_data: dict[str, int], mul: np.ndarray, add: np.ndarray) -> None:
        """Register column indices, increment scales and bounds as buffers."""
        c = self.columns

        def buffer(name: str, values: Any, dtype: torch.dtype) -> None:
            self.register_buffer(name, torch.as_tensor(values, dtype=dtype), persistent=False)

        buffer("_start", c.start_index, torch.long)
        buffer("_end", c.end_index, torch.long)
        buffer("_state_in", c.prognostic_in, torch.long)
        buffer("_state_out", c.prognostic_out, torch.long)
        by_head = [n for n in c.diagnostic if self.closed is None or n not in self.closed.given]
        buffer("_diagnostic_out", [c.outputs.index(n) for n in by_head], torch.long)
        rows = [to_data[n] for n in c.outputs]
        lower, upper = limits(c.outputs)
        buffer("_lower_physical", lower, torch.float32)
        buffer("_upper_physical", upper, torch.float32)
        self.register_buffer("_lower", torch.as_tensor(lower * mul[rows] + add[rows], dtype=torch.float32))
        self.register_buffer("_upper", torch.as_tensor(upper * mul[rows] + add[rows], dtype=torch.float32))
        scale = [(variable(n).increment_scale or np.nan) * mul[to_data[n]] for n in c.prognostic]
        self.register_buffer("_scale", torch.as_tensor(scale, dtype=torch.float32))
        self._limit_columns()

    def _limit_columns(self) -> None:
        """Register the largest values of the input columns: infinite, but for the snow mass of a closed step."""
        most = torch.full((self.columns.n_in,), torch.inf)
        if self.closed is not None:
            most[self.columns.start.index("sd")] = self.closed.normalised("sd", DEEPEST_SNOW)
        self.register_buffer("_most", most.to(self._lower.device), persistent=False)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled model; older ones have no limits of columns."""
        super().__setstate__(state)
        if not hasattr(self, "_most"):
            self._limit_columns()

    @property
    def most(self) -> Tensor:
        """Largest values of the input columns of the network, normalised (n_in,)."""
        return self._most

    def advance(self, start: Tensor, end: Tensor) -> Tensor:
        """Advance by one step in normalised units, differentiably.

        Shapes: input variables at t and at t + 6 h, ``(..., point, input variable) -> (..., point, output variable)``;
        only the columns that the table takes at the end are read from ``end``.
        """
        z = self.read(start, end)
        if self.closed is None:
            increments, diagnostics = self._perturbed(*self._network(z), end, None)
            positions, state = self._state_out, start[..., self._state_in] + self._scale * increments
        else:
            land, air, fields = self.closed.before(start, end)
            network = self._network(torch.cat([z, self.closed.features(land, air)], dim=-1))
            outputs, diagnostics = self._perturbed(*network, end, land)
            positions, state = self.closed.after(land, air, fields, outputs, diagnostics.to(start.dtype))
        out = torch.empty((*z.shape[:-1], len(self.columns.outputs)), dtype=state.dtype, device=z.device)
        out = out.index_copy(-1, positions, state)
        out = out.index_copy(-1, self._diagnostic_out, diagnostics.to(state.dtype))
        return clamp(out, self._lower, self._upper, straight_through=self.training)

    def _perturbed(self, outputs: Tensor, diagnostics: Tensor, end: Tensor, land: Land | None) -> tuple[Tensor, Tensor]:
        """Return the outputs of both heads with their perturbations, if there are any."""
        if self.first_error is None:
            return outputs, diagnostics
        n, first = outputs.shape[-1], self.first_error
        last = first + n + diagnostics.shape[-1]
        errors = end[..., first:last]
        if land is not None:
            errors = scaled_errors(errors, end[..., last : last + N_FACTORS], self._error_groups, land)
        return outputs + errors[..., :n], diagnostics + errors[..., n:] * self._error_factors

    def _network(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Call the network; hidden layers use the configured precision in training, single precision otherwise."""
        with hidden_precision(self.hidden_dtype if self.training else None, z.device):
            return self.network(z)

    def read(self, start: Tensor, end: Tensor) -> Tensor:
        """Select the input columns (..., n_in) of the network, up to :attr:`most`; shapes as in :meth:`advance`."""
        return torch.minimum(torch.cat([start[..., self._start], end[..., self._end]], dim=-1), self._most)

    def forward(self, x: dict[str, Tensor], **_kwargs: Any) -> dict[str, Tensor]:
        """Advance with the shapes of the class, as Anemoi calls it; members and points are independent rows."""
        x_in = x[self.dataset_name]
        return {self.dataset_name: self.advance(x_in[:, 0], x_in[:, 1]).unsqueeze(1)}

    def predict_step(
        self,
        batch: dict[str, Tensor],
        pre_processors: nn.ModuleDict,
        post_processors: nn.ModuleDict,
        n_step_input: int,
        **_kwargs: Any,
    ) -> dict[str, Tensor]:
        """Predict in physical units, with exact physical bounds; shapes ``(batch, time, point, variable)`` by dataset.

        Runs without gradients, as upstream: for tangents and adjoints call :meth:`advance`. Processes of a group are
        not given parts of the points: each computes all of them.
        """
        with torch.no_grad():
            x = {name: pre_processors[name](v[:, :n_step_input, None], in_place=False) for name, v in batch.items()}
            y = {name: post_processors[name](v, in_place=False) for name, v in self.forward(x).items()}
        return {name: clamp(v, self._lower_physical, self._upper_physical) for name, v in y.items()}

    def fill_metadata(self, md_dict: dict) -> None:
        """Record the columns in the metadata of the checkpoint."""
        md_dict["metadata_inference"]["land"] = self.columns.as_dict()


def _single(data_indices: dict) -> str:
    if len(data_indices) != 1:
        raise ValueError(
            f"The land model takes one dataset, but got {sorted(data_indices)}. "
            "Join them in `dataloader.dataset` or in the recipe."
        )
    return next(iter(data_indices))


def _step(name: str) -> str:
    if name not in (INCREMENTS, CLOSED, AUTO):
        raise ValueError(f"`model.model.step` is '{name}'. It can be '{INCREMENTS}', '{CLOSED}' or '{AUTO}'.")
    return name


def _suitable_step(columns: StepColumns, inputs: dict[str, int]) -> str:
    """Return the closed step if the variables suffice for it, else increments, and log the choice."""
    not_state, missing = lacking(columns, inputs)
    if not_state or missing:
        LOG.info("Step: increments, as the closed step needs the state %s and the inputs %s", not_state, missing)
        return INCREMENTS
    LOG.info("Step: closed, as the variables suffice for it")
    return CLOSED


def _check_slots(n_step_input: int, n_step_output: int) -> None:
    if (n_step_input, n_step_output) != (N_SLOTS, 1):
        raise ValueError(
            f"The land model reads the two ends of a step and predicts one time, but the task has {n_step_input} input "
            f"and {n_step_output} output times. Use `task._target_: anemoi_ailand.training.task.LandForecaster`."
        )


def _names(name_to_index: dict[str, int], wanted: Any) -> list[str]:
    positions = {int(i) for i in wanted}
    return [name for name, i in name_to_index.items() if i in positions]


def _normalisation(model_config: Any, dataset: str, indices: Any, statistics: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and offset of the configured normaliser for every variable of the dataset."""
    config = model_config.data.datasets[dataset].processors
    if "normalizer" not in config:
        raise ValueError(
            f"`data.datasets.{dataset}.processors` has {sorted(config)} but no 'normalizer', from which the land model "
            "takes the units of increments and bounds. Add one as in configs/training/ailand-base.yaml."
        )
    if others := [n for n, found in config.items() if found and "imputer" in str(found["_target_"]).lower()]:
        raise ValueError(
            f"`data.datasets.{dataset}.processors` has {others}: imputers change samples of the training only, and a "
            "roll-out would read the gaps. Declare `missing` in the mapping of the store (`land.mapping`), or fill the "
            "gaps when the dataset is made."
        )
    from hydra.utils import instantiate  # slow to import, and only a new model needs it

    _check_variance(config["normalizer"], indices.data.input.name_to_index, statistics)
    normalizer = instantiate(config["normalizer"], data_indices=indices, statistics=statistics)
    # in double precision: the difference of the two loses the digits of the factor where mean / stdev is large
    zeros, ones = (torch.full((len(statistics["mean"]),), v, dtype=torch.float64) for v in (0.0, 1.0))
    add = normalizer.transform(zeros, in_place=False)
    return (normalizer.transform(ones, in_place=False) - add).double().numpy(), add.double().numpy()


def _check_variance(config: Any, name_to_index: dict[str, int], statistics: dict) -> None:
    """Refuse variables without variance; anemoi-models 0.19 divides by zero with a warning only (normalizer.py)."""
    methods = {n: m for m, group in config["config"].items() if m not in ("default", "remap") for n in group or []}
    default = config["config"].get("default", "none")
    flat = [
        n
        for n, i in name_to_index.items()
        if methods.get(n, default) in ("mean-std", "std")
        and not statistics["stdev"][i] > 1e-6 * abs(statistics["mean"][i])
    ]
    if flat:
        raise ValueError(
            f"{flat} do not vary in the training data, and their normalisation divides by the standard deviation. "
            "Drop them from `land`, or list them under `data.datasets.data.processors.normalizer.config.none`."
        )
