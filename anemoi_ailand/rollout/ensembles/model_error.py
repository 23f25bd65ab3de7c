# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Model error of an ensemble: perturbed outputs of the network, before the closed step makes states of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.model.perturbation import GROUPS
from anemoi_ailand.physics.ground import GROUND
from anemoi_ailand.rollout.ensembles.smooth_fields import SmoothFields, innovations
from anemoi_ailand.rollout.step.checkpoint import LandStep, checkpoint_checksum
from anemoi_ailand.support.atomic import complete_file

#: Version of the layout of a calibration, that without ``ground``, and end of its name next to a checkpoint.
SCHEMA, FORMER, SUFFIX = "anemoi-ailand/model-error/2", "anemoi-ailand/model-error/1", ".model-error.json"

#: Purposes of the random numbers: errors that stay, and those that change.
_CONSTANT, _CHANGING = 4, 5

#: Factors of errors that are the same everywhere.
EVERYWHERE = ((1.0,) * len(GROUPS),) * len(GROUND)


@dataclass(frozen=True)
class OutputErrors:
    """Error of each output of a network: standard deviation, share of its variance that stays, and memory.

    Attributes
    ----------
    outputs : tuple of str
        Outputs of the network, see :attr:`~anemoi_ailand.model.land_model.LandModel.network_outputs`.
    deviation : tuple of float
        Standard deviation: dimensionless for controls and increments, in the units of the table for diagnostics.
    constant : tuple of float
        Share of the variance that is constant in time at a point and in a member.
    hours : tuple of float
        Correlation time (1/e) of the rest [h].
    ground : tuple of tuple of float
        Factor of the standard deviation on each kind of ground and for each group of outputs, see
        :data:`~anemoi_ailand.physics.ground.GROUND` and :data:`~anemoi_ailand.model.perturbation.GROUPS`.
    """

    outputs: tuple[str, ...]
    deviation: tuple[float, ...]
    constant: tuple[float, ...]
    hours: tuple[float, ...]
    ground: tuple[tuple[float, ...], ...] = EVERYWHERE

    def scaled(self, factor: float) -> OutputErrors:
        """Return the same errors with other standard deviations."""
        return replace(self, deviation=tuple(factor * x for x in self.deviation))


def calibration_path(checkpoint: Path) -> Path:
    """Return the file next to a checkpoint that holds its model error."""
    return checkpoint.with_name(checkpoint.stem + SUFFIX)


def write_calibration(path: Path, errors: OutputErrors, step: LandStep, **about: Any) -> Path:
    """Write the model error of a checkpoint as JSON, with what else is known about it."""
    content = {"schema": SCHEMA, "checkpoint_sha256": checkpoint_checksum(step.path), **asdict(errors), **about}
    by_group = (dict(zip(GROUPS, factors, strict=True)) for factors in errors.ground)
    content["ground"] = dict(zip(GROUND, by_group, strict=True))
    with complete_file(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def calibration_of(checkpoint: Path, model_error: float | str) -> Path:
    """Return the file with the model error of a checkpoint for the option of an ensemble; see :func:`errors_of`."""
    own = isinstance(model_error, float) or model_error == "calibrated"
    path = calibration_path(checkpoint) if own else Path(str(model_error)).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no model error of {checkpoint.name}: no file '{path}'. {_advice(checkpoint)}"
        )
    return path


def _advice(checkpoint: Path) -> str:
    return (
        f"Make it with `anemoi-ailand calibrate --checkpoint {checkpoint} --dataset ...`, or set `model_error: none`."
    )


def errors_of(step: LandStep, model_error: float | str) -> OutputErrors:
    """Return the model error of a checkpoint for the option ``model_error`` of an ensemble.

    Parameters
    ----------
    step : LandStep
        Loaded checkpoint.
    model_error : float or str
        ``calibrated``, a factor of the calibrated standard deviations, or the path of a calibration.

    Raises
    ------
    FileNotFoundError
        The checkpoint has no calibration next to it, or there is no such file.
    ValueError
        The file has another content, or belongs to another network.
    """
    path, advice = calibration_of(step.path, model_error), _advice(step.path)
    own = path == calibration_path(step.path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] not in (SCHEMA, FORMER):
            raise ValueError(f"its schema is {content['schema']!r}, expected {SCHEMA!r}")
        deviation, constant, hours = (tuple(float(x) for x in content[n]) for n in ("deviation", "constant", "hours"))
        ground = EVERYWHERE
        if content["schema"] == SCHEMA:
            ground = tuple(tuple(float(content["ground"][k][group]) for group in GROUPS) for k in GROUND)
        errors = OutputErrors(tuple(content["outputs"]), deviation, constant, hours, ground)
        if {len(v) for v in (errors.deviation, errors.constant, errors.hours)} != {len(errors.outputs)}:
            raise ValueError("it has not one number for each output")
        checksum = content["checkpoint_sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"'{path}' is not a model error ({error!r}). {advice}") from error
    outputs = step.model.model.network_outputs
    if errors.outputs != outputs or (own and checksum != checkpoint_checksum(step.path)):
        raise ValueError(f"The model error '{path}' is that of another network than {step.path}. {advice}")
    return errors.scaled(model_error) if isinstance(model_error, float) else errors


class ModelError:
    r"""Perturbations of the outputs of the network for all members, step by step.

    .. math:: e_k = \sigma \bigl(\sqrt{a}\, f + \sqrt{1 - a}\, z_k\bigr), \qquad
              z_k = \rho z_{k-1} + \sqrt{1 - \rho^2}\, \epsilon_k, \quad \rho = e^{-6 h / \tau}

    with Gaussian fields f and :math:`\epsilon` for each output and member
    (:class:`~anemoi_ailand.rollout.ensembles.smooth_fields.SmoothFields`), and standard deviation :math:`\sigma`,
    constant share a and memory :math:`\tau` of :class:`OutputErrors`. With ``control``, member 0 is unperturbed. The
    factors by ground follow, which are constant in time: the closed step takes those of the ground of the point.

    Parameters
    ----------
    errors : sequence of OutputErrors
        Those of the networks, which members use in turn.
    """

    def __init__(
        self, errors: Sequence[OutputErrors], fields: SmoothFields, members: range, seed: int, *, control: bool
    ) -> None:
        self._fields, self._members, self._seed, self._control = fields, members, seed, control
        of_member = [errors[m % len(errors)] for m in members]
        deviation, constant, hours = (
            np.array([getattr(e, n) for e in of_member])[..., None] for n in ("deviation", "constant", "hours")
        )
        self._rho = np.exp(-STEP_HOURS / hours)
        self._scale = deviation * np.sqrt(1.0 - constant)
        self._n_outputs = deviation.shape[1]
        factors = np.array([np.ravel(e.ground) for e in of_member], np.float32)
        self._factors = np.repeat(factors, fields.n_points, axis=0).T
        self._constant = deviation * np.sqrt(constant) * self._draw(_CONSTANT, 0)
        self._number, self._amplitudes = 0, self._draw(_CHANGING, 0)

    @property
    def amplitudes(self) -> np.ndarray:
        """Amplitudes that a restart needs, shape (member, output, wave)."""
        return self._amplitudes.copy()

    def restore(self, amplitudes: np.ndarray, number: int) -> None:
        """Continue after step ``number`` with its amplitudes."""
        self._amplitudes, self._number = amplitudes.copy(), number

    def steps(self, n_steps: int) -> np.ndarray:
        """Return the perturbations of the next steps, and their factors by ground and group.

        Shape (output + ground x group, step, member x point), float32.
        """
        made = np.empty((self._n_outputs + len(self._factors), n_steps, self._factors.shape[1]), np.float32)
        for k in range(n_steps):
            made[: self._n_outputs, k] = self._step()
        made[self._n_outputs :] = self._factors[:, None]
        return made

    def _step(self) -> np.ndarray:
        self._number += 1
        fresh = np.sqrt(1.0 - self._rho**2) * self._draw(_CHANGING, self._number)
        self._amplitudes = self._rho * self._amplitudes + fresh
        fields = self._fields.products(self._constant + self._scale * self._amplitudes)
        return fields.swapaxes(0, 1).reshape(self._n_outputs, -1)

    def _draw(self, purpose: int, number: int) -> np.ndarray:
        return innovations(self._seed, purpose, self._members, number, self._n_outputs, control=self._control)
