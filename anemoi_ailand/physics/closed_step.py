# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Closed step of soil, snow and interception: water is conserved, and heat below the first layer is only moved.

The network predicts what does not follow from physics: evaporation, melt, interception, the timing of water within the
step, and the change of the first layer's temperature. Balances give the new state. So a roll-out of years cannot drift,
and soils and climates not seen in training drain by their own conductivity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from anemoi_ailand.constants import (
    DRY_AIR_GAS_CONSTANT,
    STEP_SECONDS,
    TETENS_PRESSURE,
    TETENS_WATER,
    TRIPLE_POINT,
    VAPOUR_MASS_RATIO,
    WATER_DENSITY,
)
from anemoi_ailand.physics.layers import join_layers, layer_thickness
from anemoi_ailand.physics.rain import by_hour, concentration_logit, peaked
from anemoi_ailand.physics.snow_pack import (
    NO_SNOW,
    SnowHeat,
    SnowPack,
    SnowStep,
    aged_albedo,
    bare_density,
    compaction,
    ground_melt,
    mixed_density,
    snow_cover,
    snow_step,
)
from anemoi_ailand.physics.soil import Soil, frozen_fraction
from anemoi_ailand.physics.soil_heat import (
    diffuse,
    heat_capacity,
    heat_conductivity,
    heat_content,
    layer_conductance,
    mean_heat_capacity,
    temperature_of,
)
from anemoi_ailand.physics.soil_water import Arriving, MovedWater, move_water
from anemoi_ailand.physics.vegetation_water import Canopy, intercept

#: State variables that the step reads and returns.
STATE = ("swvl1", "swvl2", "swvl3", "swvl4", "stl1", "stl2", "stl3", "stl4", "snowc", "sd", "rsn", "src")

#: Further state of snow, which a model may leave out.
SNOW_STATE = ("tsn", "slw", "asn")

#: Fluxes that follow from the balance of the step.
FLUXES = ("evap", "sro", "ssro", "smlt")

#: Outputs of the network by name: number of channels, and scale in the given unit. Scales are typical changes over 6 h,
#: so that outputs are of order one.
CONTROLS: dict[str, tuple[int, float]] = {
    "top_evaporation": (1, 1.12),  # kg m-2 out of the first layer, either sign
    "top_heating": (1, 5.85),  # K, change of stl1
    "top_mean": (1, 2.0),  # K, mean of stl1 over the step above the mean of its ends
    "interception": (1, 0.119),  # kg m-2, change of src
    "interception_evaporation": (1, 0.3),  # kg m-2
    "sublimation": (1, 0.1),  # kg m-2 of the covered ground, either sign
    "snow_heating": (1, 3.0),  # K that heat would warm a thin pack
    "melt": (1, 4.0),  # kg m-2 that further heat would melt
    "ageing": (1, 1.0),  # share of the step in which the albedo of snow falls as while it melts
    "lake_evaporation": (1, 1.0),  # kg m-2 from open water, either sign
    "lake_snow": (1, 1.0),  # share of lakes that is white, during the step
    "concentration": (1, 1.0),  # how rain is gathered within the step, beyond what its amount and the air tell
    "roots": (2, 2.0),  # kg m-2 that low and high vegetation take up where all roots are wet
    "settling": (1, 7.05),  # kg m-3, change of snow density beyond compaction
    "fresh_density": (1, 200.0),  # kg m-3, above the lowest
    "heat": (1, 1.0),  # factor of the conductance between the first two layers
    "basal": (1, 1.0),  # factor of the conductance between snow and the first layer
}
N_CONTROLS = sum(number for number, _ in CONTROLS.values())

#: What of the snow follows physics in networks trained from now on, see :func:`above_ground`.
SNOW_PHYSICS = 2

#: Offsets of outputs that are not below zero, so that an untrained network melts, freezes, ages and evaporates little.
MELT_START, _SHARE_START, _EVAPORATION_START, _ROOTS_START = -3.0, -2.0, -2.0, -2.0

#: Depth of snow that halves the scale of the first layer's outputs [m], and their largest reduction [1].
_HALF_INSULATED, _INSULATED = 0.05, 0.95

#: Conductance between the first layer and snow 1 m deep of 300 kg m-3 [W m-2 K-1], powers of density and depth with
#: which it grows, and depth below which it does not grow [m]. Least squares of the monthly mean error of ``stl1`` after
#: a step of ecLand under .15 m of cold snow and more: .034 K, against .068 with :data:`_BASAL_BY_DEPTH` (101 points of
#: the training, 2019 and 2020).
_BASAL, _BASAL_DENSITY, _BASAL_DEPTH, _LEAST_DEPTH = 0.645, 1.15, -0.87, 0.1

#: Conductance of snow 1 m deep, whatever its density [W m-2 K-1], in networks trained before.
_BASAL_BY_DEPTH = 0.77

#: Snow mass from which a pack warms less for the same output, and below which it melts less [kg m-2].
_DEEP_SNOW, _THIN_SNOW = 50.0, 10.0

#: Liquid water, as a share of the snow, with which half of the departures from ecLand's settling count as wet [1].
_WET = 0.002

#: Logit of the concentration of the water that leaves snow, where the network does not change it: .25 of it in an hour.
#: Given ecLand's states and outflow, surface runoff from frozen ground then has a bias of -1 % and an error of .53 kg
#: m-2 a step, against -8 % and .60 with steady outflow (trained points, 2019 and 2020, outflow above 1 kg m-2).
_MELT_LOGIT = -2.7

#: Range of the logarithm of the factor of heat exchange.
_LOG_HEAT = (-3.0, 3.0)

#: Lowest density of fresh snow [kg m-3], and largest share of a layer's water that may be lost to the air in a step.
_FRESH_LOWEST, _DRYING_LIMIT = 60.0, 0.9

#: Resistance of dry soil to evaporation [s m-1].
_DRIEST_RESISTANCE = 2.0e4

#: Power of the snow cover with which the share of the ground grows that is under closed snow.
_CLOSED = 8

#: Share of the evaporation from the first layer under closed snow and trees that is left to the network.
_UNDER_TREES = 0.1

#: Water of the first layer from which on bare ground draws on the layers below [kg m-2].
_EMPTY = 0.5


class Weather(NamedTuple):
    """Means over the step (...): temperature [K], specific humidity [kg kg-1] and pressure [Pa] of the air."""

    temperature: Tensor
    humidity: Tensor
    pressure: Tensor


class Land(NamedTuple):
    """Soil, snow and interception at the start of a step, and precipitation over it: fields (...), layers (..., 4).

    ``cover`` (..., 2) is the fraction covered by low and high vegetation [1], ``roots`` (..., 2, 4) the share of their
    roots in each layer [1], ``capacity_exponent`` that of surface runoff [1], ``urban`` the fraction of sealed ground
    [1]. Temperature ``tsn``, liquid water ``slw`` and albedo ``asn`` of the snow are None in models without them, and
    so is the ``lake`` cover [1]. ``hourly`` (..., 6) are the shares of the hours in the rain, if known [1].
    """

    theta: Tensor
    temperature: Tensor
    snowc: Tensor
    sd: Tensor
    rsn: Tensor
    src: Tensor
    rain: Tensor
    snowfall: Tensor
    soil: Soil
    cover: Tensor
    roots: Tensor
    capacity_exponent: Tensor
    urban: Tensor
    tsn: Tensor | None = None
    slw: Tensor | None = None
    asn: Tensor | None = None
    lake: Tensor | None = None
    weather: Weather | None = None
    hourly: Tensor | None = None

    @property
    def vegetation(self) -> Tensor:
        """Fraction of the point covered by vegetation [1]."""
        return vegetated(self.cover)


def vegetated(cover: Tensor) -> Tensor:
    """Return the fraction of each point covered by low and high vegetation, (..., 2) -> (...) [1]."""
    return cover.sum(-1).clamp(0.0, 1.0)


def drying_power(temperature: Tensor, weather: Weather) -> Tensor:
    r"""Return what dry bare ground evaporates in a step, :math:`\rho (q_s(T) - q) \Delta t / r` [kg m-2].

    With the resistance :math:`r` = 20,000 s m-1 of ecLand's driest soil: in its deserts, once the first layer is empty,
    evaporation is this (correlation .97), 20 to 40 kg m-2 a year, from the first layer that has water. Temperature of
    the ground (...) [K].
    """
    a, b = TETENS_WATER
    saturated = TETENS_PRESSURE * torch.exp(a * (temperature - TRIPLE_POINT) / (temperature - b))
    deficit = torch.relu(VAPOUR_MASS_RATIO * saturated - weather.humidity * weather.pressure)  # q_s - q times pressure
    return deficit / temperature * (STEP_SECONDS / (DRY_AIR_GAS_CONSTANT * _DRIEST_RESISTANCE))


class Ground(NamedTuple):
    """Arguments of :func:`~anemoi_ailand.physics.soil_water.move_water`."""

    theta: Tensor
    soil: Soil
    frozen: Tensor
    arriving: Arriving
    gain: Tensor
    seconds: Tensor


def split_controls(outputs: Tensor, controls: Mapping[str, tuple[int, float]] = CONTROLS) -> dict[str, Tensor]:
    """Split network outputs (..., N_CONTROLS) by name, unscaled: (...) for one channel, else (..., channel)."""
    parts = outputs.split([number for number, _ in controls.values()], dim=-1)
    named = zip(controls.items(), parts, strict=True)
    return {name: part.squeeze(-1) if number == 1 else part for (name, (number, _)), part in named}


def closed_step(land: Land, outputs: Tensor) -> dict[str, Tensor]:
    r"""Compute the state after 6 h and mean water fluxes over the step.

    .. math:: \Delta\bigl(\rho_w \textstyle\sum_k \theta_k \Delta z_k + S + I\bigr) = P - (E - E_l) - R_s - R_d

    to rounding, with snow mass :math:`S`, interception store :math:`I`, precipitation :math:`P`, evaporation
    :math:`E` and that of open water :math:`E_l`, surface runoff :math:`R_s` and drainage :math:`R_d`; no store is below
    zero, no layer above saturation.

    Parameters
    ----------
    land : Land
        Fields in their units: m3 m-3, K, kg m-2, kg m-3; rain and snowfall are amounts over the step [kg m-2].
    outputs : Tensor, shape (..., N_CONTROLS)
        Outputs of the network, dimensionless.

    Returns
    -------
    dict of Tensor, shape (...)
        :data:`STATE` in the units of the table of variables, and :data:`FLUXES` [kg m-2 s-1]; and of :data:`SNOW_STATE`
        what the land has.

    Source: after ecLand's soil and snow schemes, IFS Documentation CY49R1, Part IV, chapter 8.
    """
    after, ground = above_ground(land, outputs)
    after |= water_results(move_water(*ground))
    names = (*STATE, *FLUXES, *(n for n in SNOW_STATE if n in after))
    return {name: after[name] for name in names}


def above_ground(land: Land, outputs: Tensor, snow_physics: int = SNOW_PHYSICS) -> tuple[dict[str, Tensor], Ground]:
    """Return all results of a step but those of moving water in the soil, and the arguments of that.

    With ``snow_physics`` and snow of known temperature and water, snow compacts by itself, a share of the water that
    leaves it does so within an hour, ground under it does not evaporate under trees either, and the denser it is the
    better it conducts. Networks trained before have 1, with which its conductance does not feel its density, or 0: the
    network gives all settling and evaporation under trees as well, and that water is steady.

    The results include ``sublimation`` and ``lake_evaporation`` [kg m-2 s-1], parts of ``evap``, and ``lake_snow``, the
    white share of lakes [1].
    """
    raw = split_controls(outputs)
    snow_physics = 0 if land.tsn is None or land.slw is None else int(snow_physics)
    canopy = leaves(land, raw)
    closed = closed_snow(land, snow_physics > 0)
    snow, rain = _snow(land, canopy.throughfall, raw, closed)
    sd, after = snow.pack.sd, soil_heat(land, raw, snow.pack.tsn, snow_physics > 1)
    arriving = _arriving(land, canopy.throughfall - rain, snow.outflow, raw, snow_physics > 0)
    rsn = density(land, sd, land.snowfall, raw, snow.pack if snow_physics > 0 else None)
    ground, evaporation = in_ground(land, arriving, after, raw, closed)
    lake = torch.zeros_like(rsn) if land.lake is None else land.lake * _scaled(raw, "lake_evaporation")
    evap = canopy.evaporation + snow.sublimation + evaporation + lake
    result = {f"stl{k + 1}": v for k, v in enumerate(after.unbind(-1))}
    result |= {"snowc": snow_cover(sd, rsn), "sd": sd, "rsn": rsn, "src": canopy.src}
    result |= {n: getattr(snow.pack, n) for n in ("tsn", "slw") if getattr(land, n) is not None}
    if land.asn is not None:
        melting = torch.sigmoid(raw["ageing"] + _SHARE_START)
        result["asn"] = aged_albedo(land.asn, melting, land.snowfall, sd)
    result["lake_snow"] = torch.sigmoid(raw["lake_snow"] + _SHARE_START)
    fluxes = {"evap": evap, "smlt": snow.outflow, "sublimation": snow.sublimation, "lake_evaporation": lake}
    return result | {name: v / STEP_SECONDS for name, v in fluxes.items()}, ground


def water_results(moved: MovedWater) -> dict[str, Tensor]:
    """Return the results of moving water in the soil by name."""
    after = {f"swvl{k + 1}": v for k, v in enumerate(moved.theta.unbind(-1))}
    fluxes = {"sro": moved.surface, "ssro": moved.drained}
    return after | {name: WATER_DENSITY * v / STEP_SECONDS for name, v in fluxes.items()}


def _scaled(raw: Mapping[str, Tensor], name: str) -> Tensor:
    return CONTROLS[name][1] * raw[name]


def leaves(land: Land, raw: Mapping[str, Tensor]) -> Canopy:
    """Return the interception store after the step, its evaporation, and throughfall."""
    evaporation = CONTROLS["interception_evaporation"][1] * softplus(
        raw["interception_evaporation"] + _EVAPORATION_START
    )
    return intercept(land.src, land.rain, land.src + _scaled(raw, "interception"), evaporation)


def _snow(land: Land, throughfall: Tensor, raw: Mapping[str, Tensor], closed: Tensor) -> tuple[SnowStep, Tensor]:
    """Return the snow after the step, and the rain that it takes up [kg m-2]: that on the covered ground."""
    available = land.sd + land.snowfall
    sublimation = _scaled(raw, "sublimation") * snow_cover(available, land.rsn)  # nor hoar frost where there is no snow
    sublimation = sublimation + closed * _scaled(raw, "top_evaporation")
    warming = _scaled(raw, "snow_heating") / (1.0 + available / _DEEP_SNOW)
    melt = CONTROLS["melt"][1] * softplus(raw["melt"] + MELT_START) * (available / (_THIN_SNOW + available))
    caught = []

    def rain(ice: Tensor) -> Tensor:
        caught.append(0.5 * (land.snowc + snow_cover(ice, land.rsn)) * throughfall)
        return caught[0]

    none = torch.zeros_like(land.sd)
    pack = SnowPack(
        land.sd, none if land.slw is None else land.slw, TRIPLE_POINT + none if land.tsn is None else land.tsn
    )
    heat = SnowHeat(warming, melt, ground_melt(land.temperature[..., 0], available))
    air = none if land.weather is None else (land.weather.temperature - TRIPLE_POINT).clamp_max(0.0)
    falling = SnowPack(land.snowfall, none, TRIPLE_POINT + air)  # fresh snow has the temperature of the air
    step = snow_step(pack, falling, rain, sublimation, heat, land.slw is not None)
    return step, caught[0]


def density(land: Land, sd: Tensor, fresh: Tensor, raw: Mapping[str, Tensor], pack: SnowPack | None = None) -> Tensor:
    """Return the density of the snow after the step [kg m-3], for its mass ``sd`` after and ``fresh`` snow [kg m-2].

    With the ``pack`` after the step, it settles as ecLand's, and the network gives the departures from that: the
    smaller the deeper the snow, but where it is wet. Without it, the network gives all of it.
    """
    fresh_density = _FRESH_LOWEST + CONTROLS["fresh_density"][1] * torch.sigmoid(raw["fresh_density"])
    mixed = mixed_density(land.sd, land.rsn, fresh, fresh_density)
    change = _scaled(raw, "settling")
    if pack is not None:
        assert land.tsn is not None and land.slw is not None
        available, water = land.sd + fresh, 0.5 * (land.slw + pack.slw)
        wet = water / (water + _WET * available + NO_SNOW)
        change = change * (wet + (1.0 - wet) / (1.0 + available / _DEEP_SNOW))
        change = change + compaction(available, mixed, 0.5 * (land.tsn + pack.tsn))
    return bare_density(sd, mixed + change)


def _arriving(land: Land, rain: Tensor, outflow: Tensor, raw: Mapping[str, Tensor], gathered: bool = True) -> Arriving:
    """Return the water that reaches the ground; that from snow is steady but for a share, if it is ``gathered``."""
    if land.hourly is None:
        logit = raw["concentration"]
        if land.weather is not None:
            logit = logit + concentration_logit(land.rain, land.weather.temperature)
        half_hours = peaked(rain, logit)
    else:
        half_hours = by_hour(rain, land.hourly)
    if gathered:
        melted = peaked(outflow, raw["concentration"] + _MELT_LOGIT)
    else:
        melted = [outflow * (1.0 / len(half_hours))] * len(half_hours)
    amounts = tuple((v + m) * (1.0 / WATER_DENSITY) for v, m in zip(half_hours, melted, strict=True))
    return Arriving(amounts, land.capacity_exponent, land.urban)


def in_ground(
    land: Land, arriving: Arriving, after: Tensor | None, raw: Mapping[str, Tensor], closed: Tensor | None = None
) -> tuple[Ground, Tensor]:
    """Return what moves water in the soil, and evaporation from it [kg m-2], for water that reaches the ground.

    The first layer evaporates nothing from the share ``closed`` of the ground (...) [1], see :func:`closed_snow`; with
    None, snow does not prevent it.

    ``after`` is the soil temperature after the step (..., layer) [K]. The ice is the mean of both ends: over a year of
    true fluxes at points that freeze, ``swvl3`` errs by .0018 m3 m-3 with the ice of the start, by .0009 with the mean
    and by .0011 with ice that moves by half hours. With None, it is that of the start.
    """
    depth = layer_thickness(land.theta)
    reaching = WATER_DENSITY * sum(arriving.amounts[1:], arriving.amounts[0])
    frozen = frozen_fraction(land.temperature)
    from_roots = _root_uptake(land, frozen, raw["roots"])
    available = WATER_DENSITY * depth[0] * land.theta[..., 0] + 0.5 * reaching - from_roots[..., 0]
    from_top = torch.minimum(_scaled(raw, "top_evaporation"), _DRYING_LIMIT * available)
    if closed is not None:
        from_top = (1.0 - closed) * from_top
    ice = frozen
    if after is not None:
        from_top = from_top + _from_below(land, after, from_top, from_roots)
        ice = 0.5 * (frozen + frozen_fraction(after))
    lost = join_layers([(from_top + from_roots[..., 0]).unsqueeze(-1), from_roots[..., 1:]])
    return Ground(land.theta, land.soil, ice, arriving, -lost / WATER_DENSITY, _seconds_open(ice)), lost.sum(-1)


def closed_snow(land: Land, under_trees: bool = True) -> Tensor:
    """Return the share of the ground whose first layer cannot evaporate: under closed snow, (...) [1].

    The snow loses the evaporation that the network gives for it. In ecLand the soil under closed snow without trees
    evaporates less than 1e-4 kg m-2 in the mean of steps without melt, that under trees takes up .003 kg m-2, and all
    evaporation is that of the snow (trained points, 2019 and 2020); a tenth under trees, and what is between patches of
    snow, is left to the network. Networks trained before have the ground ``under_trees`` left to them.
    """
    left = _UNDER_TREES if under_trees else 1.0
    return land.snowc**_CLOSED * (1.0 - left * land.cover[..., 1])


def _seconds_open(frozen: Tensor) -> Tensor:
    """Return the time during which water moves through the bottom of each layer [s], reduced in frozen soil."""
    less_frozen = join_layers([torch.minimum(frozen[..., :-1], frozen[..., 1:]), frozen[..., -1:]])
    return STEP_SECONDS * (1.0 - less_frozen)


def _from_below(land: Land, after: Tensor, from_top: Tensor, from_roots: Tensor) -> Tensor:
    """Return what bare ground evaporates beyond ``from_top`` where the first layer is empty [kg m-2].

    The deeper layers supply it from above, as for any deficit, and no more than half of their water.
    """
    if land.weather is None:
        return torch.zeros_like(from_top)
    drying = drying_power(0.5 * (land.temperature[..., 0] + after[..., 0]), land.weather)
    water = WATER_DENSITY * layer_thickness(land.theta) * land.theta
    below = 0.5 * torch.relu(water[..., 1:] - from_roots[..., 1:]).sum(-1)
    empty = torch.exp(water[..., 0] * (-1.0 / _EMPTY))
    wanted = torch.relu((1.0 - land.snowc) * (1.0 - vegetated(land.cover)) * drying - from_top)
    return empty * torch.minimum(wanted, below)


def root_zone_water(land: Land, frozen: Tensor) -> Tensor:
    r"""Weight the water between wilting point and field capacity by roots, :math:`R_k f_k`, (..., 2, layer) [1].

    The sum over the layers is ecLand's soil moisture stress of low and high vegetation. Source: srfwexc_vg_mod.F90.
    """
    return land.roots * available_share(land, frozen).unsqueeze(-2)


def available_share(land: Land, frozen: Tensor) -> Tensor:
    """Return the liquid water of each layer between wilting point (0) and field capacity (1), (..., layer) [1]."""
    liquid = land.theta * (1.0 - frozen)
    return ((liquid - land.soil.wilting) / (land.soil.capacity - land.soil.wilting)).clamp(0.0, 1.0)


def _root_uptake(land: Land, frozen: Tensor, raw: Tensor) -> Tensor:
    """Return the uptake of roots from the layers (..., layer) [kg m-2]; none below the wilting point or from ice."""
    depth = layer_thickness(land.theta)
    available = WATER_DENSITY * depth * torch.relu(land.theta * (1.0 - frozen) - land.soil.wilting)
    wanted = CONTROLS["roots"][1] * softplus(raw + _ROOTS_START) * land.cover
    return torch.minimum((wanted.unsqueeze(-1) * root_zone_water(land, frozen)).sum(-2), _DRYING_LIMIT * available)


def snow_insulation(land: Land) -> Tensor:
    """Return how well snow keeps the ground from the air, from 0 (bare) to 1 (deep): half at a depth of 0.05 m [1]."""
    depth = land.sd / land.rsn
    return land.snowc * depth / (depth + _HALF_INSULATED)


def soil_heat(land: Land, raw: Mapping[str, Tensor], tsn: Tensor | None = None, by_density: bool = True) -> Tensor:
    r"""Return the soil temperature [K]: first layer from the network and the snow, the others by diffusion from it.

    Where snow insulates by a share s (:func:`snow_insulation`), the first layer tends to the balance between the snow,
    of mean temperature :math:`T_s`, and the second layer, and the outputs of the network for it count less,

    .. math:: \Delta T_1 = s\, (T_e - T_1) \bigl(1 - e^{-(K + g) \Delta t / C_1 \Delta z_1}\bigr)
              + (1 - .95\, s)\, \Delta T, \qquad T_e = \frac{K T_s + g T_2}{K + g},

    so that it cannot leave them over a winter, with
    :math:`K = .645\, e^{b}\, (\rho / 300)^{1.15} d^{-.87}` W m-2 K-1 for the density [kg m-3] and depth d of the snow
    [m], at least .1 m, and an output b of the network. With b = 0 it gives ecLand's first layer after a step to .10 K
    under .15 to .3 m of snow, and to .04 K under .8 to 1.2 m. If it is not ``by_density``,
    :math:`K = .77\, e^{b} / \sqrt{d}`. ``tsn`` is the temperature of the snow after the step [K]; without it no snow
    insulates.
    """
    top, vegetation = land.temperature[..., 0], vegetated(land.cover).unsqueeze(-1)
    conductivity = heat_conductivity(land.theta, land.temperature, land.soil)
    soil_share = (1.0 - land.urban).unsqueeze(-1)  # sealed ground in towns passes almost no heat into the soil
    conductance = layer_conductance(join_layers([conductivity[..., :1] * soil_share, conductivity[..., 1:]]))
    factor = torch.exp(raw["heat"].clamp(*_LOG_HEAT)).unsqueeze(-1)
    conductance = join_layers([conductance[..., :1] * factor, conductance[..., 1:]])
    if tsn is None:
        heated = top + _scaled(raw, "top_heating")
        mean = 0.5 * (top + heated) + _scaled(raw, "top_mean")
    else:
        insulation = snow_insulation(land)
        open_ = 1.0 - _INSULATED * insulation
        snow = tsn if land.tsn is None else 0.5 * (land.tsn + tsn)
        covered, between = _under_snow(
            land, snow, conductance[..., 0], snow_conductance(land, raw["basal"], by_density)
        )
        heating = open_ * _scaled(raw, "top_heating")
        heated = top + insulation * (covered - top) + heating
        mean = top + insulation * (between - top) + 0.5 * heating + open_ * _scaled(raw, "top_mean")
    deep = diffuse(land.temperature[..., 1:], mean, conductance, vegetation, land.soil)
    return join_layers([heated.unsqueeze(-1), deep])


def snow_conductance(land: Land, factor: Tensor, by_density: bool = True) -> Tensor:
    """Return the conductance between snow and the first layer for the logarithm of its ``factor`` (...) [W m-2 K-1]."""
    depth, factor = (land.sd / land.rsn).clamp_min(_LEAST_DEPTH), factor.clamp(*_LOG_HEAT)
    if not by_density:
        return _BASAL_BY_DEPTH * torch.rsqrt(depth) * torch.exp(factor)
    powers = _BASAL_DENSITY * torch.log(land.rsn / 300.0) + _BASAL_DEPTH * torch.log(depth)
    return _BASAL * torch.exp(factor + powers)


def _under_snow(land: Land, snow: Tensor, below: Tensor, above: Tensor) -> tuple[Tensor, Tensor]:
    """Return the temperature of the first layer after a step between snow and the second layer, and its mean [K].

    ``snow`` is the mean temperature of the snow [K]; conductances to the second layer and to the snow [W m-2 K-1].
    """
    first, second, above = land.temperature[..., :1], land.temperature[..., 1:2], above.unsqueeze(-1)
    exchange = above + below.unsqueeze(-1)
    balance = (above * snow.unsqueeze(-1) + below.unsqueeze(-1) * second) / exchange
    vegetation, depth = vegetated(land.cover).unsqueeze(-1), layer_thickness(land.theta)[0]
    rate = exchange * (STEP_SECONDS / depth)
    # as in `diffuse`: what flows with the capacity of the start gives the temperature for the mean capacity
    local = rate / heat_capacity(first, vegetation, land.soil)
    stored = (balance - first) * (1.0 - torch.exp(-local)) * (rate / local)
    guess = temperature_of(heat_content(first, vegetation, land.soil) + stored, vegetation, land.soil)
    passed = rate / mean_heat_capacity(first, guess, vegetation, land.soil)  # time over that of the balance
    left = torch.exp(-passed)
    after, mean = (balance + (first - balance) * share for share in (left, (1.0 - left) / passed))
    return after.squeeze(-1), mean.squeeze(-1)
