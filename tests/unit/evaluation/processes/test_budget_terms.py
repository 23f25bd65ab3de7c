# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Degree of closure of the budgets of a run, and the terms of one step."""

from __future__ import annotations

import numpy as np
import pytest

from anemoi_ailand.evaluation.processes import budget_terms as bt

SOIL = ["swvl1", "swvl2", "swvl3", "swvl4"]
WATER = [*SOIL, "sd", "src", "evap", "sro", "ssro"]
ENERGY = ["stl1", "stl2", "stl3", "stl4", "ssr", "str", "slhf", "sshf", "sd", "slw", "tsn", "evap"]
REFERENCE = [*bt.SOIL_FIELDS, "avg_tsrwe", "avg_t"]


def without(names: list[str], *gone: str) -> list[str]:
    """Return ``names`` without some of them."""
    return [name for name in names if name not in gone]


@pytest.mark.parametrize(
    ("held", "closure", "missing"),
    [
        (WATER, "closed", ()),
        (without(WATER, "src"), "approximate", ()),
        ([*without(WATER, "evap"), "slhf"], "approximate", ()),
        (without(WATER, "sro"), "implied_runoff", ("sro",)),
        (without(WATER, "src", "sro", "ssro"), "implied_runoff", ("sro", "ssro")),
        (without(WATER, "evap"), "incomplete", ("evap",)),
        (without(WATER, "sd", "ssro"), "incomplete", ("sd", "ssro")),
        (without(WATER, "swvl4"), "incomplete", ("swvl4",)),
    ],
)
def test_water_plan_lists_missing_terms(held: list[str], closure: str, missing: tuple[str, ...]) -> None:
    """Each missing variable has its consequence and is named."""
    plan = bt.water_plan(held)
    assert (plan.closure, plan.missing) == (closure, missing)
    assert ("change of src" in plan.omitted) == ("src" not in held)
    assert set(plan.variables) <= set(held)


@pytest.mark.parametrize(
    ("held", "closure", "missing"),
    [
        (ENERGY, "approximate", ()),
        (without(ENERGY, "tsn"), "snow_free", ()),
        ([*without(ENERGY, "sd"), "snowc"], "snow_free", ()),
        (without(ENERGY, "sd"), "incomplete", ("sd or snowc",)),
        (without(ENERGY, "ssr", "stl4"), "incomplete", ("ssr", "stl4")),
    ],
)
def test_energy_plan_lists_missing_terms(held: list[str], closure: str, missing: tuple[str, ...]) -> None:
    """Without the heat of snow only steps without snow close, without radiation none."""
    plan = bt.energy_plan(held, REFERENCE)
    assert (plan.closure, plan.missing) == (closure, missing)
    assert set(plan.variables) <= set(held)


def test_energy_needs_the_soil_of_the_reference() -> None:
    """Missing porosity of the reference is named."""
    assert bt.energy_plan(ENERGY, without(REFERENCE, "theta_sat")).missing == ("theta_sat (reference)",)


@pytest.fixture
def step() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """One step of one point: 21.6 mm of rain, 2.16 evaporated, 4.32 + 6.48 run off, 8.64 into the first layer."""
    still = {name: np.array([[0.3], [0.3]]) for name in (*SOIL, "sd", "src")}
    run = {**still, "swvl1": np.array([[0.3], [0.3 + 8.64 / 70.0]])}
    fluxes = {name: np.array([[np.nan], [rate]]) for name, rate in (("evap", 1e-4), ("sro", 2e-4), ("ssro", 3e-4))}
    return {**run, **fluxes}, {"avg_tprate": np.array([[np.nan], [1e-3]])}


def test_water_terms_close(step: tuple) -> None:
    """The step closes, and each term has its size in mm."""
    terms = bt.water_terms(bt.water_plan(WATER), *step)
    size = {name: float(v[0, 0]) for name, v in terms.items()}
    assert size == pytest.approx(
        {"precipitation": 21.6, "evaporation": 2.16, "surface_runoff": 4.32, "subsurface_runoff": 6.48,
         "soil_change": 8.64, "storage_change": 8.64, "residual": 0.0}, abs=1e-9)  # fmt: skip


def test_energy_terms_close_for_a_column_that_warms() -> None:
    """A column of 2.89 m that warms by 0.1 K takes up its heat capacity times that; cold snow takes up nothing."""
    run = {f"stl{k}": np.array([[290.0], [290.1]]) for k in (1, 2, 3, 4)}
    run |= {"sd": np.full((2, 1), 5.0), "slw": np.zeros((2, 1)), "tsn": np.full((2, 1), 260.0)}
    gained = 2.89 * (0.5 * 1.6e6 + 0.3 * 4.18e6) * 0.1 / 21600.0
    fluxes = {"ssr": gained + 30.0, "str": -20.0, "slhf": 0.0, "sshf": -10.0, "evap": 0.0}
    run |= {name: np.array([[np.nan], [v]]) for name, v in fluxes.items()}
    forcing = {"avg_tsrwe": np.zeros((2, 1)), "avg_t": np.full((2, 1), 270.0)}
    soil = {name: np.array([v]) for name, v in zip(bt.SOIL_FIELDS, (0.5, 0.3, 0.4, 0.4, 1.0, 1.0), strict=True)}
    terms = bt.energy_terms(bt.energy_plan(ENERGY, REFERENCE), run, forcing, soil)
    assert float(terms["surface_heat_flux"][0, 0]) == pytest.approx(gained)
    assert float(terms["soil_heat_change"][0, 0]) == pytest.approx(gained)
    assert float(terms["residual"][0, 0]) == pytest.approx(0.0, abs=1e-9)


def test_snow_free_needs_both_ends_of_the_step() -> None:
    """Steps that begin or end with snow are not snow-free; without snow variables there is no mask."""
    sd = np.array([[0.0], [0.0], [2.0], [0.0]])
    assert bt.snow_free({"sd": sd})[:, 0].tolist() == [True, False, False]
    assert bt.snow_free({"snowc": sd / 4})[:, 0].tolist() == [True, False, False]
    assert bt.snow_free({}) is None
