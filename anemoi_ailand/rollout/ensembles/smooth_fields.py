# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Gaussian random fields on the sphere, a function of seed, member, step and place only."""

from __future__ import annotations

import numpy as np
import torch

from anemoi_ailand.constants import EARTH_RADIUS
from anemoi_ailand.rollout.step.batch_invariance import ROWS
from anemoi_ailand.support.sphere import unit_vectors

#: Waves of a field. The sampling error of the correlation is about 1 / sqrt(2 N_WAVES).
N_WAVES = 64


class SmoothFields:
    r"""Random fields with mean 0, variance 1 and Gaussian correlation in space.

    .. math:: f(x) = \frac{1}{\sqrt{K}} \sum_{k=1}^{K} a_k \cos(\kappa_k \cdot x) + b_k \sin(\kappa_k \cdot x),
              \qquad \kappa_k \sim N(0, L^{-2} I)

    in three dimensions, with amplitudes :math:`a, b \sim N(0, 1)`: the variance is one everywhere, and
    :math:`\langle f(x) f(y) \rangle \approx e^{-|x - y|^2 / 2 L^2}`. The value at a point is bitwise independent of the
    other points, as the sum is computed in a fixed order. :math:`L` is ``length_km``.

    Source: random Fourier features, Rahimi and Recht (2007), Advances in Neural Information Processing Systems 20.
    """

    def __init__(self, latitudes: np.ndarray, longitudes: np.ndarray, length_km: float, seed: int) -> None:
        place = EARTH_RADIUS * np.ascontiguousarray(unit_vectors(latitudes, longitudes).T)
        waves = stream(seed, 0, 0, 0).standard_normal((N_WAVES, 3)) / length_km
        phases = [k[0] * place[0] + k[1] * place[1] + k[2] * place[2] for k in waves]
        self._basis = np.empty((2 * N_WAVES, len(latitudes)), dtype=np.float32)
        for k, phase in enumerate(phases):
            self._basis[2 * k], self._basis[2 * k + 1] = np.cos(phase), np.sin(phase)
        self._basis /= np.float32(np.sqrt(N_WAVES))
        self._blocks: torch.Tensor | None = None  # the basis (block, point, wave), once needed

    @property
    def n_points(self) -> int:
        """Number of points."""
        return int(self._basis.shape[1])

    def __call__(self, amplitudes: np.ndarray) -> np.ndarray:
        """Return fields (..., point), float32, for amplitudes (..., 2 N_WAVES)."""
        a = amplitudes.astype(np.float32)
        out = np.zeros((*a.shape[:-1], self._basis.shape[1]), dtype=np.float32)
        term = np.empty_like(out)
        for k, wave in enumerate(self._basis):
            np.multiply(a[..., k, None], wave, out=term)
            out += term
        return out

    def products(self, amplitudes: np.ndarray) -> np.ndarray:
        """Return the fields (member, kind, point) for amplitudes (member, kind, 2 N_WAVES), faster for many kinds.

        Matrix products of the same shape for every :data:`~anemoi_ailand.rollout.step.batch_invariance.ROWS` points
        keep a value independent of the other points and members; they differ from a call by rounding.
        """
        n_points = self._basis.shape[1]
        if self._blocks is None:
            whole = np.pad(self._basis, ((0, 0), (0, -n_points % ROWS)))
            self._blocks = torch.from_numpy(np.ascontiguousarray(whole.T)).unflatten(0, (-1, ROWS))
        out = np.empty((*amplitudes.shape[:2], n_points), dtype=np.float32)
        waves = torch.from_numpy(np.ascontiguousarray(amplitudes.swapaxes(1, 2), dtype=np.float32))
        with torch.no_grad():
            for member, one in zip(out, waves, strict=True):
                made = torch.bmm(self._blocks, one.expand(len(self._blocks), *one.shape))
                member[:] = made.flatten(0, 1)[:n_points].T.numpy()
        return out


def perturbs(members: range, *, control: bool) -> np.ndarray:
    """Return one for perturbed members, zero for the control, shape (member, 1), float32."""
    return np.array([[float(m > 0 or not control)] for m in members], dtype=np.float32)


def stream(seed: int, purpose: int, member: int, number: int) -> np.random.Generator:
    """Return an independent random generator for each purpose, member and number of step.

    Source: counter-based generator Philox, Salmon et al. (2011), doi:10.1145/2063384.2063405.
    """
    return np.random.Generator(np.random.Philox(key=[seed, member], counter=[0, 0, number, purpose]))


def innovations(seed: int, purpose: int, members: range, number: int, kinds: int, *, control: bool) -> np.ndarray:
    """Draw amplitudes for a step, shape (member, kind, 2 N_WAVES); zero for member 0 if it is the ``control``."""
    out = np.zeros((len(members), kinds, 2 * N_WAVES))
    for i, member in enumerate(members):
        if member or not control:
            out[i] = stream(seed, purpose, member, number).standard_normal((kinds, 2 * N_WAVES))
    return out
