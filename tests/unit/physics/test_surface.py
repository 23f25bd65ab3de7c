# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Snow cover and snow on the ground are ecLand's; so are vegetation, its roots, and water on leaves."""

import math
from datetime import datetime

import netCDF4
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anemoi_ailand.constants import SNOW_DENSITY_HIGHEST, SNOW_DENSITY_LOWEST, SNOW_DENSITY_MIN
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import STEP
from anemoi_ailand.physics import snow_pack
from anemoi_ailand.physics.snow import snow_cover, where_no_snow
from anemoi_ailand.physics.snow_pack import (
    NO_SNOW,
    SNOW_PROPERTIES,
    SnowHeat,
    SnowPack,
    aged_albedo,
    bare_density,
    compaction,
    ground_melt,
    mixed_density,
    snow_mass,
    snow_property,
    snow_step,
    surface_albedo,
)
from anemoi_ailand.physics.vegetation import (
    VEGETATION_DENSITY,
    background_albedo,
    climatology_of_day,
    heat_roughness,
    photosynthesis_parameters,
    seasonal_leaf_area,
    vegetation_parameters,
)
from anemoi_ailand.physics.vegetation_water import intercept, root_table, roots_of
from anemoi_ailand.support.packaged import folder


@pytest.mark.parametrize(
    ("sd", "rsn", "expected"),
    [
        (0.0, 100.0, 0.0),
        (1.0, 100.0, np.tanh(0.4)),  # 1 cm of fresh snow
        (1.0, 400.0, np.tanh(0.025)),
        (1.0, 500.0, np.tanh(4000.0 / 500.0 / 400.0)),  # the density in the formula ends at 400, not that of the depth
        (1.0, 50.0, np.tanh(4000.0 / 50.0 / 100.0)),
        (10.0, 100.0, 1.0),  # 0.9993, set to 1
        (0.0, 0.0, 0.0),
        (np.nan, 100.0, np.nan),
    ],
)
def test_by_hand(sd, rsn, expected):
    """Snow cover is tanh(4000 d / clip(rho, 100, 400)); a missing value stays missing."""
    assert snow_cover(np.array(sd), np.array(rsn)) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(st.floats(0, 500), st.floats(60, 600), st.floats(1.0, 2.0))
def test_is_a_fraction_that_grows_with_snow(sd, rsn, factor):
    """Cover is between 0 and 1 and never decreases with mass at the same density."""
    less, more = snow_cover(np.array([sd, sd * factor]), np.array([rsn, rsn]))
    assert 0.0 <= less <= more <= 1.0


def test_is_that_of_the_reference_set():
    """Cover follows from ecLand's stored mass and density within their rounding."""
    reader = open_reader("$AILAND_SAMPLE")
    dates = [reader.coverage.first + i * STEP for i in range(0, 1400, 7)]
    sd, rsn, snowc = reader.read(["sd", "rsn", "snowc"], dates).astype(float)
    deep = sd > 0.5
    assert 0.05 < deep.mean() < 0.6
    np.testing.assert_allclose(snow_cover(sd, rsn)[deep], snowc[deep], atol=3e-3)


def test_leftovers_are_replaced_at_snow_free_points():
    """Values without snow are replaced, and no others."""
    tsn, rsn = where_no_snow(np.array([0.0, 2.0]), np.array([250.0, 260.0]), np.array([310.0, 320.0]))
    assert tsn.tolist() == [273.16, 260.0] and rsn.tolist() == [100.0, 320.0]


def kg(*values):
    return torch.tensor(values, dtype=torch.float64)


@settings(derandomize=True)
@given(st.floats(0.0, 1000.0), st.floats(-20.0, 50.0), st.floats(0.0, 200.0))
def test_snow_is_closed(available, sublimation, melt):
    """Snow, sublimation and melt sum to the available mass, and none is negative."""
    result = snow_mass(kg(available), kg(sublimation), kg(melt))
    assert (result.sd >= 0).all() and (result.melt >= 0).all() and (result.sublimation <= max(available, 0.0)).all()
    assert sum(result).item() == pytest.approx(available, abs=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_snow_melts_to_exactly_nothing(dtype):
    """Snow that melts completely is exactly zero."""
    available = torch.linspace(0.01, 500.0, 997, dtype=dtype)
    assert torch.equal(snow_mass(available, 0.0037 * available, 2 * available).sd, torch.zeros_like(available))


def test_fluxes_are_as_asked_for_where_there_is_snow():
    """Of ten kg one sublimates and two melt; hoar frost adds mass."""
    assert [v.item() for v in snow_mass(kg(10.0), kg(1.0), kg(2.0))] == [7.0, 1.0, 2.0]
    assert [v.item() for v in snow_mass(kg(10.0), kg(-1.0), kg(2.0))] == [9.0, -1.0, 2.0]


def pack(sd, slw=0.0, tsn=260.0):
    """Snow packs of one temperature and liquid water."""
    return SnowPack(*(torch.tensor(v, dtype=torch.float64) for v in (sd, [slw] * len(sd), [tsn] * len(sd))))


def stepped(snow, snowfall=0.0, rain=0.0, sublimation=0.0, warming=0.0, melt=0.0, ground=0.0, air=273.16, holds=True):
    """One step of packs, the same weather and heat on all."""
    lost, *heat = (torch.full_like(snow.sd, v) for v in (sublimation, warming, melt, ground))
    falling = SnowPack(*(torch.full_like(snow.sd, v) for v in (snowfall, 0.0, air)))
    return snow_step(snow, falling, lambda ice: torch.full_like(ice, rain), lost, SnowHeat(*heat), holds)


@settings(derandomize=True)
@given(st.floats(0.0, 1e3), st.floats(0.0, 1.0), st.floats(200.0, 273.16), st.floats(0.0, 50.0), st.floats(0.0, 50.0),
       st.floats(-5.0, 50.0), st.floats(-20.0, 20.0), st.floats(0.0, 1e3), st.booleans())  # fmt: skip
def test_snow_is_closed_in_mass_and_energy(sd, share, tsn, snowfall, rain, sublimation, warming, melt, holds):
    """Mass is never lost; heat beyond that of freezing warms and melts, and is lost only where all snow has melted."""
    before = pack([sd], share * sd, tsn)
    after, sublimated, outflow = stepped(before, snowfall, rain, sublimation, warming, melt, air=263.16, holds=holds)
    mass = after.sd + sublimated + outflow
    assert mass.item() == pytest.approx(sd + snowfall + rain, abs=1e-9)
    assert min(after.sd.item(), after.slw.item(), outflow.item()) >= 0.0 and after.tsn.item() <= 273.16
    assert after.slw.item() <= 0.03 * (after.sd - after.slw).item() + 1e-9
    if after.sd.item() > 1e-3 and after.tsn.item() > 180.0:
        older = max((1.0 - share) * sd - sublimated.item(), 0.0)
        solid = (1.0 - share) * sd + snowfall - sublimated.item()
        cold = (older * (tsn - 273.16) - 10.0 * snowfall) / max(older + snowfall, 1e-3) + warming
        wet = math.exp(max(min(cold, 0.0) / 0.3, -30.0))
        molten = (after.slw + outflow).item() - wet * (share * sd + rain)  # beyond what does not freeze
        gained = 2.09e3 * solid * max(cold, 0.0) + 3.337e5 * wet * melt
        assert 3.337e5 * molten == pytest.approx(gained, rel=1e-6, abs=10.0)
        assert after.tsn.item() == pytest.approx(273.16 + min(cold, 0.0), abs=1e-6)


def test_snow_melts_to_exactly_nothing_by_heat():
    """Heat that melts all ice leaves no snow, and all water flows out."""
    for dtype in (torch.float32, torch.float64):
        snow = SnowPack(*(v.to(dtype) for v in pack(np.linspace(0.01, 500.0, 97).tolist(), 0.0, 250.0)))
        after, _, outflow = stepped(snow, rain=3.0, warming=1e4)
        assert torch.equal(after.sd, torch.zeros_like(after.sd)) and (after.tsn == 273.16).all()
        torch.testing.assert_close(outflow, snow.sd + 3.0)


def test_heat_above_the_melting_point_melts():
    """8 K that 100 kg at 268.16 K gain are 5 K to the melting point and 3 K that melt 1.88 kg."""
    after = stepped(pack([100.0], tsn=268.16), warming=8.0)
    assert after.pack.tsn.item() == 273.16
    assert after.pack.slw.item() + after.outflow.item() == pytest.approx(100.0 * 3.0 * 2.09e3 / 3.337e5)


def test_water_freezes_in_cold_snow():
    """All rain freezes in a pack of 263.16 K, and a pack that cools far enough keeps no liquid water."""
    cold = stepped(pack([100.0], tsn=263.16), rain=3.0)
    assert cold.pack.sd.item() == pytest.approx(103.0) and cold.outflow.item() == pytest.approx(0.0, abs=1e-9)
    assert cold.pack.slw.item() == pytest.approx(0.0, abs=1e-9) and cold.pack.tsn.item() == pytest.approx(263.16)
    cooled = stepped(pack([100.0], 2.0, 273.16), warming=-3.0)
    assert cooled.pack.slw.item() == pytest.approx(2.0 * math.exp(-10.0)) and cooled.pack.sd.item() == 100.0


def test_snow_takes_the_temperature_of_fresh_snow():
    """10 kg at 260 K and 30 kg at 5 K below the melting point mix by mass; the network adds a change."""
    mixed = stepped(pack([10.0]), snowfall=30.0, air=268.16, warming=1.0)
    assert mixed.pack.tsn.item() == pytest.approx(273.16 - (10.0 * 13.16 + 30.0 * 5.0) / 40.0 + 1.0)


def test_a_pack_without_liquid_water_lets_all_water_out():
    """Of 2 kg of melt a pack keeps 3 % of its ice, or nothing if the model has no liquid water."""
    for holds, kept in ((True, 0.03 * 48.0), (False, 0.0)):
        after = stepped(pack([50.0], tsn=273.16), melt=2.0, holds=holds)
        assert after.pack.slw.item() == pytest.approx(kept) and after.outflow.item() == pytest.approx(2.0 - kept)


def test_heat_that_thaws_does_not_reach_cold_snow():
    """A pack at the melting point takes all of it, one of 260 K next to nothing, and it never warms ice."""
    cold, ripe = (stepped(pack([50.0], tsn=t), melt=4.0) for t in (260.0, 273.16))
    assert ripe.pack.slw.item() + ripe.outflow.item() == pytest.approx(4.0)
    assert cold.pack.tsn.item() == pytest.approx(260.0) and cold.pack.slw.item() + cold.outflow.item() < 1e-10


def test_warm_ground_melts_what_lies_on_it():
    """2.4 W m-2 K-1 into traces, little into more snow, and nothing from cold ground."""
    melt = ground_melt(kg(278.16, 278.16, 278.16, 260.0), kg(0.0, 0.5, 10.0, 0.1)) * (3.337e5 / (5.0 * 21600.0))
    assert melt.tolist() == pytest.approx([2.4, 2.4 / np.e, 0.0, 0.0], abs=1e-6)
    gone = stepped(pack([0.05, 0.3]), sublimation=-0.1, warming=-5.0, ground=5.0 * 2.4 * 21600.0 / 3.337e5)
    assert gone.pack.sd.tolist() == [0.0, 0.0]


def test_albedo_of_snow_ages_and_is_renewed():
    """Cold snow loses .008 a day, melting snow a fifth of its excess over .5; 10 kg of fresh snow renew it."""
    start, sd = torch.full((4,), 0.8).double(), torch.full((4,), 10.0).double()
    melting, falls = kg(0.0, 1.0, 0.0, 0.0), kg(0.0, 0.0, 5.0, 500.0)
    cold, wet, fresh, new = aged_albedo(start, melting, falls, sd).tolist()
    assert cold == pytest.approx(0.798) and wet == pytest.approx(0.5 + 0.3 * np.exp(-0.06))
    assert fresh == pytest.approx(0.85 - (0.85 - 0.798) * np.exp(-0.5)) and new == pytest.approx(0.85)
    assert aged_albedo(kg(0.5), kg(1.0), kg(0.0), kg(10.0)).item() == 0.5
    assert aged_albedo(kg(0.5), kg(1.0), kg(0.0), kg(0.0)).item() == 0.85


def test_cover_is_that_of_the_arrays():
    """Tensor and NumPy formulas of snow cover agree for all depths and densities."""
    sd, rsn = np.meshgrid([0.0, 1e-3, 0.1, 1.0, 5.0, 10.0, 300.0], np.linspace(50.0, 500.0, 19))
    cover = snow_pack.snow_cover(torch.from_numpy(sd), torch.from_numpy(rsn)).numpy()
    np.testing.assert_allclose(cover, snow_cover(sd, rsn), rtol=1e-12, atol=0.0)
    assert {0.0, 1.0} <= set(cover.flat) and ((cover > 0.1) & (cover < 0.9)).any()


def test_mixed_density_is_between_old_and_fresh():
    """The density is weighted by mass, unchanged without snowfall, and that of fresh snow on bare ground."""
    fresh = torch.linspace(0.0, 50.0, 51, dtype=torch.float64)
    old, new = torch.full_like(fresh, 300.0), torch.full_like(fresh, 80.0)
    mixed = mixed_density(torch.full_like(fresh, 10.0), old, fresh, new)
    assert mixed[0].item() == pytest.approx(300.0)
    assert (mixed[1:] < 300.0).all() and (mixed > 80.0).all() and (mixed.diff() < 0).all()
    assert mixed[10].item() == pytest.approx(190.0, abs=0.02)
    assert mixed_density(kg(0.0), kg(100.0), kg(5.0), kg(250.0)).item() == pytest.approx(250.0, rel=1e-3)


def test_density_is_within_the_range_of_snow_and_that_of_none_on_bare_ground():
    """The density is 50 to 500 kg m-3, and 100 kg m-3 without snow or with a trace of it."""
    density = bare_density(kg(0.0, NO_SNOW, 2 * NO_SNOW, 1.0, 1.0), kg(333.0, 333.0, 333.0, 1e4, -1e4))
    assert density.tolist() == [SNOW_DENSITY_MIN, SNOW_DENSITY_MIN, 333.0, SNOW_DENSITY_HIGHEST, SNOW_DENSITY_LOWEST]


def test_snow_compacts_by_its_weight_and_by_metamorphism():
    """Heavy, light and warm snow compacts more; without weight it becomes denser by 6 % in a step."""
    mass, density = kg(400.0, 400.0, 50.0, 400.0), kg(300.0, 300.0, 300.0, 450.0)
    cold, warm, thin, dense = compaction(mass, density, kg(255.0, 273.16, 273.16, 273.16)).tolist()
    assert 0.2 < cold < warm < 4.0
    assert thin == pytest.approx(warm / 8, rel=0.1) and dense < 0.2 * warm
    fresh = compaction(kg(0.0), kg(100.0), kg(273.16)).item()
    assert fresh == pytest.approx(100.0 * 2.8e-6 * 21600.0)


@pytest.mark.parametrize(("name", "without"), [("tsn", 273.16), ("asn", 0.85), ("slw", 0.0)])
def test_properties_are_those_of_none_without_snow(name, without):
    """Properties without snow are reset for any input; with snow they stay within their range."""
    said, sd = kg(-1e3, 0.6, 250.0, 1e4), kg(0.0, 0.0, 0.0, NO_SNOW)
    assert torch.equal(snow_property(name, said, sd), kg(*[without] * 4))
    _, lowest, highest = SNOW_PROPERTIES[name]
    with_snow = snow_property(name, said, kg(*[10.0] * 4))
    assert with_snow.min() >= lowest and with_snow.max() <= highest
    assert name != "slw" or with_snow.max() == 10.0


@pytest.fixture
def static() -> dict[str, np.ndarray]:
    with netCDF4.Dataset(folder("sample") / "static.nc") as ds:
        return {n: np.asarray(v[:]) for n, v in ds.variables.items()}


@pytest.mark.parametrize("cover", ["l", "h"])
def test_vegetation_is_that_of_ecland(static, cover):
    """Parameters equal those of the reference set for all types of the sample."""
    ours = vegetation_parameters(static[f"clim_tv{cover}"])
    for values, name in zip(ours, ("covX", "z0mX", "rsminX"), strict=True):
        np.testing.assert_allclose(values, static[f"clim_veg_{name.replace('X', cover)}"], rtol=1e-6)
    assert len(np.unique(static[f"clim_tv{cover}"])) > 4


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (datetime(2021, 1, 15, 18), 1.0),
        (datetime(2021, 2, 15), 2.0),
        (datetime(2021, 2, 1), 1.0 + 17 / 31),  # 17 of the 31 days from 15 January
        (datetime(2020, 2, 29), 2.0 + 14 / 29),  # a leap year has 29 from 15 February
        (datetime(2021, 1, 1), 12.0 - 11.0 * 17 / 31),  # from December of the year before
        (datetime(2021, 12, 31), 12.0 - 11.0 * 16 / 31),
    ],
)
def test_climatology_between_the_15th_of_months(date, expected):
    """Leaf area and albedo are linear between the 15th of the months, and constant over a day."""
    monthly = np.arange(1.0, 13.0)[:, None]
    assert climatology_of_day(monthly, date)[0] == pytest.approx(expected, rel=1e-12)
    assert climatology_of_day(monthly, date.replace(hour=23))[0] == climatology_of_day(monthly, date)[0]


AMOUNT = st.floats(0.0, 300.0)

#: RootDist of ecLand 50R1 (o_fix) at points with one kind of vegetation, by type.
ECLAND = {
    1: (0.2448, 0.4093, 0.3074, 0.0385), 2: (0.3477, 0.3867, 0.2288, 0.0369), 5: (0.2352, 0.3821, 0.3106, 0.0720),
    6: (0.2446, 0.3443, 0.2749, 0.1362), 9: (0.4671, 0.4523, 0.0805, 0.0001), 17: (0.2308, 0.3617, 0.3022, 0.1052),
    19: (0.1878, 0.3518, 0.3567, 0.1037),
}  # fmt: skip


@settings(derandomize=True)
@given(AMOUNT, AMOUNT, st.floats(-50.0, 50.0), AMOUNT)
def test_water_on_leaves_is_closed(src, rain, kept, evaporation):
    """Store, evaporation and throughfall sum to store and rain before, and none is below zero."""
    result = intercept(kg(src), kg(rain), kg(kept), kg(evaporation))
    assert all((part >= 0).all() for part in result)
    assert sum(result).item() == pytest.approx(src + rain, abs=1e-11)


@pytest.mark.parametrize(
    ("kept", "evaporation", "expected"),
    [
        (0.5, 0.2, (0.5, 0.2, 1.3)),  # as asked for
        (5.0, 0.2, (2.0, 0.0, 0.0)),  # no more than there is
        (-1.0, 0.2, (0.0, 0.2, 1.8)),  # no store below zero
        (0.5, 9.0, (0.5, 1.5, 0.0)),  # what is kept does not evaporate
    ],
)
def test_water_on_leaves_by_hand(kept, evaporation, expected):
    """Water fills the store first, then evaporates, then falls through."""
    result = intercept(kg(0.5), kg(1.5), kg(kept), kg(evaporation))
    assert [part.item() for part in result] == pytest.approx(expected, abs=1e-12)
    assert [part.item() for part in intercept(kg(0.0), kg(0.0), kg(abs(kept)), kg(evaporation))] == [0.0, 0.0, 0.0]


def test_shares_are_those_of_ecland():
    """Root shares equal ecLand's to the given digits, and add up to one for types with vegetation, else to zero."""
    table = root_table(torch.float64)
    np.testing.assert_allclose(table[list(ECLAND)], list(ECLAND.values()), atol=6e-5)
    vegetated = np.array(VEGETATION_DENSITY) > 0
    np.testing.assert_allclose(table.sum(-1), vegetated.astype(float), atol=1e-12)


def test_types_are_looked_up():
    """Types of any shape are looked up; unknown ones count as the nearest."""
    table = root_table()
    found = roots_of(torch.tensor([[1.0, 19.0], [-3.0, 99.0]]), table)
    assert found.shape == (2, 2, 4)
    assert torch.equal(found, table[torch.tensor([[1, 19], [0, 20]])])


def test_leaf_area_of_the_season():
    """Largest in July, in the south in January; in winter a third (low) or half (high), at the equator 0.8 of it."""
    low, high, south, equator = (
        seasonal_leaf_area(3.0, latitude, high=tall)
        for latitude, tall in ((48.0, False), (48.0, True), (-48.0, False), (2.0, False))
    )
    assert [int(a.argmax()) for a in (low, high, south)] == [6, 6, 0]
    for found, winter in ((low, 1 / 3), (high, 0.5), (south, 1 / 3), (equator, 0.8)):
        assert found.max() == pytest.approx(3.0, rel=0.01)
        assert found.min() == pytest.approx(3.0 * winter, rel=0.02)


def test_further_parameters_of_types_are_those_of_ecland(static):
    """Respiration equals that in ecLand's own files; heat roughness and carboxylation differ between types and C4."""
    with netCDF4.Dataset(folder("sample") / "native" / "points" / "surfclim") as ds:
        types = np.stack([ds["tvl"][:], ds["tvh"][:]])
        respiration = photosynthesis_parameters(types, np.asarray(ds["Ctype"][:]) == 4)[1]
        np.testing.assert_allclose(respiration, np.asarray(ds["r0vt"][:]), rtol=1e-6)
    np.testing.assert_allclose(np.exp(heat_roughness(np.array([3, 4, 18]))), [2.0, 0.2, 0.015])
    c3, c4 = (photosynthesis_parameters(np.array([1, 2, 7, 17]), np.full(4, flag))[0] for flag in (0.0, 1.0))
    np.testing.assert_allclose(c3, [49.0, 48.7, 49.0, 44.5])
    np.testing.assert_allclose(c4, [70.5, 40.3, 70.5, 44.5])


def test_albedo_by_cover_is_near_that_of_ecland(static):
    """To .03 at the points of the sample, whose albedo varies by more; bare ground is the brightest."""
    theirs = static["Malbedo"].mean(axis=0)
    error = background_albedo(static["clim_cvl"], static["clim_cvh"]) - theirs
    assert error.std() < 0.03 < theirs.std()
    assert background_albedo(np.zeros(1), np.zeros(1)) > background_albedo(np.ones(1), np.zeros(1))


def test_albedo_of_the_surface_gives_the_radiation_that_ecland_absorbs():
    """Net short-wave radiation at points without lake or town, with and without snow; trees hide snow."""
    reader = open_reader("$AILAND_SAMPLE")
    dates = [datetime(2020, 1, 1) + k * STEP for k in range(600)]
    names = ["al", "asn", "snowc", "cvh", "veg_cov_hv", "avg_sdswrf", "ssr", "cl", "cur"]
    f = dict(zip(names, torch.from_numpy(reader.read(names, dates)).double(), strict=True))
    start = {n: v[:-1] for n, v in f.items()}
    albedo = surface_albedo(start["al"], start["asn"], start["snowc"], start["cvh"] * start["veg_cov_hv"])
    land = (f["cl"] + f["cur"] < 0.01)[1:] & (f["avg_sdswrf"][1:] > 20.0)
    snow = (start["snowc"] > 0.0) & land
    bare = (start["snowc"] == 0.0) & (f["snowc"][1:] == 0.0) & land
    error, of_background = (((1.0 - a) * f["avg_sdswrf"][1:] - f["ssr"][1:]).square() for a in (albedo, start["al"]))
    assert snow.sum() > 1000 and bare.sum() > 1000
    assert error[bare].mean().sqrt() < 0.5  # W m-2
    assert error[snow].mean().sqrt() < 6.0 < 0.15 * of_background[snow].mean().sqrt()
