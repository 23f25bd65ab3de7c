# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Budgets of one column in closed form, and of ecLand's own output."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anemoi_ailand.physics import budgets as b
from anemoi_ailand.support import packaged as resources

rates = st.floats(0.0, 1e-3)
temperatures = st.floats(230.0, 310.0)


@pytest.fixture(scope="module")
def ecland() -> xr.Dataset:
    """Output of ecLand for 2021 at the points of the packaged sample without lake or urban cover."""
    folder = resources.folder("sample")
    static = xr.open_dataset(folder / "static.nc")
    land = np.flatnonzero((static["clim_clake"] <= 0) & (static["clim_cu"] <= 0))
    with xr.open_dataset(folder / "ecland_2021.nc") as data:
        return xr.merge([data, static], compat="override", join="override").isel(point=land).load()


def test_storage_of_a_known_column() -> None:
    """0.3 m3 m-3 in 2.89 m of soil, 10 kg m-2 of snow and 1 kg m-2 of interception are 878 kg m-2; three layers 1 m."""
    assert b.soil_water(np.ones((3, 1)))[0] == pytest.approx(1000.0)
    assert b.water_storage(np.full((4, 2), 0.3), np.array(10.0), np.array(1.0)) == pytest.approx([878.0, 878.0])


def test_too_many_layers_are_an_error() -> None:
    """Arrays whose first dimension cannot be the layer are refused."""
    with pytest.raises(ValueError, match=r"shape \(8, 4\)"):
        b.soil_water(np.ones((8, 4)))


@given(rates, rates, rates, rates, st.floats(0.0, 1.0))
def test_water_residual_is_the_loss(p: float, e: float, sro: float, ssro: float, lost: float) -> None:
    """A change of storage equal to all flows minus a loss has that loss as residual."""
    change = 21600.0 * (p - e - sro - ssro) - lost
    assert b.water_residual(np.array(change), *map(np.array, (p, e, sro, ssro))) == pytest.approx(lost, abs=1e-9)


@settings(derandomize=True)
@given(st.lists(temperatures, min_size=4, max_size=4), st.floats(0.0, 1.0))
def test_heat_of_soil_is_the_integral_of_its_capacity(temperature: list[float], vegetation: float) -> None:
    """A small heating takes heat capacity times temperature change, including the heat of melting."""
    warm = np.array(temperature)
    assume(min(np.abs(warm - kink).min() for kink in (272.16, 274.16)) > 1e-3)  # where freezing begins and ends
    step, args = 1e-4, (np.array(0.45), np.array(0.3), np.array(vegetation))
    slope = (b.soil_heat(warm + step, *args) - b.soil_heat(warm - step, *args)) / (2 * step)
    inside = np.clip(warm, 272.16, 274.16)
    melting = 3.337e8 * vegetation * 0.3 * 0.25 * np.pi * np.cos(0.5 * np.pi * (inside - 273.16))
    expected = np.sum((0.55 * 1.6e6 + 0.3 * 4.18e6 + melting) * np.array([0.07, 0.21, 0.72, 1.89]))
    assert slope == pytest.approx(expected, rel=1e-3)


def test_frozen_fraction_goes_from_one_to_zero() -> None:
    """All water is frozen 1 K below the triple point, half at it, none 1 K above."""
    assert b.frozen_fraction(np.array([250.0, 272.16, 273.16, 274.16, 290.0])) == pytest.approx([1, 1, 0.5, 0, 0])


def test_melting_snow_closes() -> None:
    """The heat of fusion of 1 kg m-2 melts 1 kg m-2 of snow at the melting point."""
    zero = np.array(273.16)
    change = b.snow_heat(np.array(50.0), np.array(3.0), zero) - b.snow_heat(np.array(50.0), np.array(2.0), zero)
    assert b.energy_residual(np.array(3.337e5 / 21600.0), 0.0, change) == pytest.approx(0.0, abs=1e-9)


def test_snowfall_brings_its_cold() -> None:
    """Snow that falls and stays at 263.16 K takes no heat from the surface."""
    change = b.snow_heat(np.array(2.0), np.array(0.0), np.array(263.16))
    fall = np.array(2.0 / 21600.0)
    supply = b.snow_heat_supply(np.array(0.0), np.array(0.0), fall, np.array(263.16))
    assert b.energy_residual(np.array(0.0), 0.0, change, supply) == pytest.approx(0.0, abs=1e-9)


def test_sublimation_takes_only_the_heat_of_vaporisation_from_liquid() -> None:
    """Sublimation with the heat of sublimation leaves the temperature of the snow unchanged."""
    lost = 0.5
    change = b.snow_heat(np.array(9.5), np.array(0.0), 273.16) - b.snow_heat(np.array(10.0), np.array(0.0), 273.16)
    slhf, evap = -lost * (2.5008e6 + 3.337e5) / 21600.0, lost / 21600.0
    supply = b.snow_heat_supply(np.array(slhf), np.array(evap), np.array(0.0), np.array(273.16))
    heat_flux = b.surface_heat_flux(np.array(-slhf), 0.0, np.array(slhf), 0.0)  # radiation pays for it
    assert b.energy_residual(heat_flux, 0.0, change, supply) == pytest.approx(0.0, abs=1e-9)


def test_evaporation_from_latent_heat_accounts_for_snow() -> None:
    """250.08 W m-2 upward evaporate 1e-4 kg m-2 s-1 from bare ground, and less from snow."""
    assert b.evaporation_from_latent_heat(np.array(-250.08)) == pytest.approx(1e-4)
    assert b.evaporation_from_latent_heat(np.array(-283.45), np.array(1.0)) == pytest.approx(1e-4)


def test_water_of_ecland_closes(ecland: xr.Dataset) -> None:
    """The water residual of ecLand's output is below 0.02 mm in every step, a hundredth of the flows."""
    swvl = np.stack([ecland[f"swvl{k}"].values for k in (1, 2, 3, 4)])
    storage = b.water_storage(swvl, ecland["sd"].values, ecland["src"].values)
    flows = [ecland[name].values[1:] for name in ("evap", "sro", "ssro")]
    rain = (ecland["Rainf"] + ecland["Snowf"]).values[1:]
    residual = b.water_residual(np.diff(storage, axis=0), rain, *flows)
    assert np.abs(residual).max() < 0.02
    assert (21600.0 * rain).max() > 2.0


def test_energy_of_ecland_closes_without_snow(ecland: xr.Dataset) -> None:
    """At points without snow the heat flux equals the change of soil heat to 1 %."""
    part = ecland.isel(point=np.flatnonzero(ecland["sd"].max("time") == 0))
    stl = np.stack([part[f"stl{k}"].values for k in (1, 2, 3, 4)])
    plants = part["clim_cvl"] * part["clim_veg_covl"] + part["clim_cvh"] * part["clim_veg_covh"]
    heat = b.soil_heat(stl, part["theta_sat"].values, part["clim_theta_cap"].values, plants.values)
    flux = b.surface_heat_flux(*(part[name].values[1:] for name in ("ssr", "str", "slhf", "sshf")))
    residual = b.energy_residual(flux, np.diff(heat, axis=0))
    assert part.sizes["point"] > 5
    assert np.sqrt((residual**2).mean()) < 0.01 * np.sqrt((flux**2).mean())
