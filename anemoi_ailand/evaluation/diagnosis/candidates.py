# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parameters that a diagnosis may hold responsible, with the change of the emulator's inputs that stands for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.evaluation.diagnosis.surface_classes import ANY, HIGH, LOW, SOIL, SurfaceClass
from anemoi_ailand.variables import variable


@dataclass(frozen=True)
class Change:
    """Change of an input by one unit of amplitude: a ``factor`` of the value, or an ``offset``."""

    factor: float = 1.0
    offset: float = 0.0

    def of(self, name: str, values: np.ndarray, amplitude: float = 1.0) -> np.ndarray:
        """Return the changed values of a variable, within its possible range, in single precision."""
        low, high = variable(name).possible
        return np.clip(self.factor**amplitude * values + amplitude * self.offset, low, high).astype(np.float32)


@dataclass(frozen=True)
class Candidate:
    """Parameter: name, tile that it belongs to, and the change of inputs by name of one unit of amplitude.

    ``roots`` is a factor of the coefficients of root depth (an inverse depth) instead: a table of the closed step.
    """

    name: str
    tile: str
    changes: Mapping[str, Change]
    roots: float = 1.0

    def applies(self, surface: SurfaceClass) -> bool:
        """Return whether the parameter belongs to a class of surface: to its tile, or to any of the ground."""
        return self.tile in (ANY, surface.tile) or (surface.name == "whole surface" and self.tile == SOIL)

    def words(self, amplitude: float, uncertainty: float = 0.0) -> str:
        """Say the change for an amplitude: a factor, with its range of two standard deviations, or a difference."""
        low, high = sorted((amplitude - 2.0 * uncertainty, amplitude + 2.0 * uncertainty))
        first = next(iter(self.changes.values()), Change(self.roots))
        if first.factor != 1.0:
            best, *ends = (first.factor**a for a in (amplitude, low, high))
            return f"times {best:.2f} ({min(ends):.2f} to {max(ends):.2f})"
        best, *ends = (first.offset * a for a in (amplitude, low, high))
        return f"{best:+.3f} ({min(ends):+.3f} to {max(ends):+.3f})"


def _scaled(name: str, tile: str, factor: float, *inputs: str) -> Candidate:
    return Candidate(name, tile, {i: Change(factor) for i in inputs})


def _shifted(name: str, factor_or_offset: float, *inputs: str) -> Candidate:
    return Candidate(name, SOIL, {i: Change(offset=factor_or_offset) for i in inputs})


#: Candidates by short name. Steps are a usual uncertainty of the parameter; the response to them is taken as linear in
#: the logarithm of a factor.
CANDIDATES: dict[str, Candidate] = {
    "rsmin_lv": _scaled("minimum stomatal resistance", LOW, 1.5, "veg_rsmin_lv"),
    "rsmin_hv": _scaled("minimum stomatal resistance", HIGH, 1.5, "veg_rsmin_hv"),
    "lai_lv": _scaled("leaf area index", LOW, 0.7, "lai_lv"),
    "lai_hv": _scaled("leaf area index", HIGH, 0.7, "lai_hv"),
    "cov_lv": _scaled("vegetation density", LOW, 0.8, "veg_cov_lv"),
    "cov_hv": _scaled("vegetation density", HIGH, 0.8, "veg_cov_hv"),
    "z0m_lv": _scaled("roughness length", LOW, 0.5, "veg_z0m_lv"),
    "z0m_hv": Candidate(
        "roughness length", HIGH, {"veg_z0m_hv": Change(0.5), "veg_lz0h_hv": Change(offset=float(np.log(0.5)))}
    ),
    "z0h_hv": Candidate("logarithm of the roughness length for heat", HIGH, {"veg_lz0h_hv": Change(offset=-2.3)}),
    "vcmax_lv": _scaled("rate of carboxylation", LOW, 0.7, "veg_vcmax_lv"),
    "vcmax_hv": _scaled("rate of carboxylation", HIGH, 0.7, "veg_vcmax_hv"),
    "roots_lv": Candidate("inverse root depth", LOW, {}, roots=0.6),
    "roots_hv": Candidate("inverse root depth", HIGH, {}, roots=0.6),
    "albedo": _scaled("background albedo", ANY, 1.25, "al"),
    "wilting": _shifted("wilting point", 0.04, "theta_pwp"),
    "capacity": _shifted("field capacity", -0.04, "theta_cap"),
    "porosity": _shifted("porosity", 0.04, "theta_sat"),
}
