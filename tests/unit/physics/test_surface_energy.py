# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Energy of the surface: the heat of stored fields, ecLand's radiation, and the one that closes the budget."""

from datetime import datetime

import numpy as np
import pytest
import torch

from anemoi_ailand.constants import LATENT_HEAT_VAPORISATION, STEP_SECONDS
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import STEP
from anemoi_ailand.physics import budgets
from anemoi_ailand.physics.snow_pack import surface_albedo
from anemoi_ailand.physics.soil import soil_of, soil_table
from anemoi_ailand.physics.surface_energy import (
    LAKE_ALBEDO,
    TOWN_ALBEDO,
    Covers,
    Snow,
    area_albedo,
    closing_long_wave,
    latent_heat,
    snow_heat_change,
    snowfall_heat,
    soil_heat_change,
)
from tests.support import columns as case


@pytest.fixture(scope="module")
def ecland():
    """Fields of ecLand (time, point) at the points of the packaged sample without lake or town, in double precision."""
    reader = open_reader("$AILAND_SAMPLE")
    dates = [datetime(2020, 1, 1) + k * STEP for k in range(1000)]
    soil = [f"stl{k}" for k in range(1, 5)]
    names = [
        *soil, "snowc", "sd", "slw", "tsn", "asn", "al", "cvl", "cvh", "veg_cov_lv", "veg_cov_hv", "slt", "cl", "cur",
        "avg_sdswrf", "avg_tsrwe", "avg_t", "ssr", "str", "slhf", "sshf", "evap",
    ]  # fmt: skip
    values = dict(zip(names, torch.from_numpy(reader.read(names, dates)).double(), strict=True))
    land = ((values["cl"] + values["cur"])[0] == 0.0).nonzero().squeeze(-1)
    values = {n: v[:, land] for n, v in values.items()}
    values["stl"] = torch.stack([values[n] for n in soil], dim=-1)
    start, end = {n: v[:-1] for n, v in values.items()}, {n: v[1:] for n, v in values.items()}
    covers = start["snowc"], end["snowc"]
    regime = {"bare": (covers[0] == 0) & (covers[1] == 0), "full": (covers[0] == 1) & (covers[1] == 1)}
    regime["partial"] = ~regime["bare"] & ~regime["full"]
    near = ((values["stl"] > 272.16) & (values["stl"] < 274.16)).any(-1)
    regime["bare"] &= ~(near[1:] | near[:-1])  # soil that freezes within the step is no simple case
    return start, end, regime


def snow_of(fields):
    return Snow(*(fields[n] for n in Snow._fields))


def test_heat_is_that_of_the_budgets():
    """The change of the heat of soil, of snow, and of snowfall is that of the NumPy formulas, in every corner."""
    first, last = case.corners(), case.corners()
    g = torch.Generator().manual_seed(4)
    later = last.temperature + 5.0 * torch.randn(last.temperature.shape, generator=g, dtype=torch.float64)
    soil = [v.squeeze(-1).numpy() for v in (first.soil.saturated, first.soil.capacity)]
    plants = first.vegetation.numpy()
    before, after = (
        budgets.soil_heat(np.moveaxis(t.numpy(), -1, 0), *soil, plants) for t in (first.temperature, later)
    )
    found = soil_heat_change(first.temperature, later, first.soil, first.vegetation.unsqueeze(-1))
    np.testing.assert_allclose(found, after - before, rtol=1e-9, atol=1.0)
    assert np.abs(found).max() > 1e7  # J m-2, of freezing
    packs = Snow(*torch.rand(3, 50, generator=g).double()), Snow(*torch.rand(3, 50, generator=g).double())
    packs = tuple(Snow(100.0 * s.sd, 100.0 * s.sd * s.slw, 250.0 + 23.0 * s.tsn) for s in packs)
    before, after = (budgets.snow_heat(*(v.numpy() for v in s)) for s in packs)
    np.testing.assert_allclose(snow_heat_change(*packs), after - before, rtol=1e-9, atol=1e-3)
    rate, air = torch.rand(50, generator=g).double(), 250.0 + 40.0 * torch.rand(50, generator=g).double()
    zero = np.zeros(50)
    supply = budgets.snow_heat_supply(zero, zero, rate.numpy(), air.numpy())
    np.testing.assert_allclose(snowfall_heat(rate, air), supply, rtol=1e-12)


def test_snow_that_melts_takes_heat():
    """A kilogram of ice at the triple point takes the heat of fusion, whether the water stays in the snow or leaves."""
    ice, wet, gone = (Snow(*torch.tensor(v).double().unbind(-1)) for v in (
        [5.0, 0.0, 273.16], [5.0, 1.0, 273.16], [4.0, 0.0, 273.16],
    ))  # fmt: skip
    assert snow_heat_change(ice, wet).item() == pytest.approx(3.337e5)
    assert snow_heat_change(ice, gone).item() == pytest.approx(3.337e5)


def test_albedo_of_lake_and_town():
    """Without them it is that of the land; water and roofs count by their covers, and snow lies on both."""
    al, asn, snowc, forest = torch.tensor([[0.2, 0.8, 0.5, 0.4], [0.3, 0.7, 0.0, 0.1], [0.1, 0.6, 1.0, 0.9]]).unbind(-1)
    none = torch.zeros(3)
    land = surface_albedo(al, asn, snowc, forest)
    assert torch.equal(area_albedo(al, asn, snowc, Covers(forest, none, none)), land)
    lake = area_albedo(al, asn, snowc, Covers(forest, none + 1.0, none))
    torch.testing.assert_close(lake, LAKE_ALBEDO * (1.0 - snowc) + snowc * asn)
    both = area_albedo(al, asn, snowc, Covers(forest, none + 0.25, none + 0.5))
    expected = 0.25 * land + 0.25 * lake + 0.5 * (TOWN_ALBEDO * (1.0 - snowc) + snowc * asn)
    torch.testing.assert_close(both, expected)


def test_net_short_wave_radiation_is_that_of_ecland(ecland):
    """By the mean albedo of both ends; by that of the start alone, snow that melts within the step is too bright."""
    start, end, regime = ecland
    none = torch.zeros_like(start["cvh"])
    covers = Covers(start["cvh"] * start["veg_cov_hv"], none, none)
    first, last = (area_albedo(start["al"], x["asn"], x["snowc"], covers) for x in (start, end))
    sunny = end["avg_sdswrf"] > 20.0
    error, of_start = (((1.0 - a) * end["avg_sdswrf"] - end["ssr"])[sunny] for a in (0.5 * (first + last), first))
    for name, limit in (("bare", 0.2), ("full", 1.0), ("partial", 4.0)):  # W m-2
        part = regime[name][sunny]
        assert part.sum() > 300
        assert error[part].square().mean().sqrt() < limit, name
    assert error[regime["partial"][sunny]].square().mean() < 0.25 * of_start[regime["partial"][sunny]].square().mean()


def test_latent_heat_is_that_of_ecland(ecland):
    """From evaporation without snow, and with the heat of fusion where all of it is snow."""
    _, end, regime = ecland
    for name, share, limit in (("bare", 0.0, 0.1), ("full", 1.0, 1.0)):
        found = latent_heat(end["evap"], share * end["evap"])[regime[name]]
        assert (found - end["slhf"][regime[name]]).square().mean().sqrt() < limit  # W m-2
    one = torch.ones(1, dtype=torch.float64)
    assert latent_heat(1e-4 * one, 0.0 * one).item() == pytest.approx(-1e-4 * LATENT_HEAT_VAPORISATION)


def test_long_wave_radiation_that_closes_the_budget_is_that_of_ecland(ecland):
    """Closed with ecLand's own soil, snow, evaporation and sensible heat; by regime, in the root mean square."""
    start, end, regime = ecland
    soil = soil_of(start["slt"], soil_table(torch.float64))
    plants = (start["cvl"] * start["veg_cov_lv"] + start["cvh"] * start["veg_cov_hv"]).unsqueeze(-1)
    stored = soil_heat_change(start["stl"], end["stl"], soil, plants) + snow_heat_change(snow_of(start), snow_of(end))
    stored = stored - snowfall_heat(STEP_SECONDS * end["avg_tsrwe"], end["avg_t"])
    error = closing_long_wave(stored, end["ssr"], end["sshf"], end["evap"]) - end["str"]
    for name, limit in (("bare", 0.5), ("full", 2.0), ("partial", 6.0)):  # W m-2
        assert error[regime[name]].square().mean().sqrt() < limit < 0.25 * end["str"][regime[name]].std(), name
        assert error[regime[name]].mean().abs() < 0.1 * limit
