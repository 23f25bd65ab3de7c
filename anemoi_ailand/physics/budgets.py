# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Budgets of water and energy of a land column over one step. Pure functions of arrays.

Signs are those of the table of variables: radiation, ``slhf`` and ``sshf`` positive downward, ``evap``, ``sro`` and
``ssro`` positive out of the land. A residual is input minus change of storage: zero where nothing is lost.
"""

from __future__ import annotations

import math

import numpy as np

from anemoi_ailand.constants import (
    FREEZING_END,
    FREEZING_START,
    ICE_SPECIFIC_HEAT,
    LATENT_HEAT_FUSION,
    LATENT_HEAT_VAPORISATION,
    MATTER_HEAT_CAPACITY,
    SOIL_LAYER_THICKNESS,
    STEP_SECONDS,
    TRIPLE_POINT,
    WATER_DENSITY,
    WATER_HEAT_CAPACITY,
)


def _thickness(values: np.ndarray) -> np.ndarray:
    """Return the layer thickness [m], to broadcast over ``values`` of shape (layer, ...)."""
    if not 1 <= len(values) <= len(SOIL_LAYER_THICKNESS):
        raise ValueError(
            f"There are {len(values)} soil layers in an array of shape {np.shape(values)}; the soil has "
            f"{len(SOIL_LAYER_THICKNESS)}. Put the layers, top first, into the first dimension."
        )
    return np.asarray(SOIL_LAYER_THICKNESS[: len(values)]).reshape(-1, *[1] * (np.ndim(values) - 1))


def soil_water(swvl: np.ndarray) -> np.ndarray:
    r"""Return the mass of water in the soil, :math:`\rho_w \sum_k \theta_k \Delta z_k`.

    Shapes: volumetric water of the layers from the top (layer, ...) [m3 m-3] -> (...) [kg m-2], float64; fewer than
    four layers give the water above the lowest layer supplied, including it.
    """
    return WATER_DENSITY * (np.asarray(swvl, dtype=np.float64) * _thickness(swvl)).sum(axis=0)


def water_storage(swvl: np.ndarray, sd: np.ndarray, src: np.ndarray) -> np.ndarray:
    r"""Return the water on and in the land, :math:`W = \rho_w \sum_k \theta_k \Delta z_k + S + I`.

    Shapes: volumetric soil water (layer, ...) [m3 m-3], snow :math:`S` and interception :math:`I` (...) [kg m-2] ->
    (...) [kg m-2]. Source: IFS Documentation CY49R1, Part IV, chapter 8.
    """
    return soil_water(swvl) + sd + src


def water_residual(
    storage_change: np.ndarray,
    precipitation: np.ndarray,
    evaporation: np.ndarray,
    surface_runoff: np.ndarray | float,
    subsurface_runoff: np.ndarray | float,
    seconds: float = STEP_SECONDS,
) -> np.ndarray:
    r"""Return the water that a step loses (positive) or creates (negative).

    .. math:: r = \Delta t\, (P - E - R_s - R_b) - \Delta W

    Parameters
    ----------
    storage_change : numpy.ndarray
        :math:`\Delta W` over the step [kg m-2].
    precipitation, evaporation, surface_runoff, subsurface_runoff : numpy.ndarray
        Mean rates over the step [kg m-2 s-1]; with both runoffs 0 the result is the implied runoff.
    seconds : float
        :math:`\Delta t` [s].

    Returns the same shape [kg m-2].
    """
    flow = np.asarray(precipitation, np.float64) - evaporation - surface_runoff - subsurface_runoff
    return seconds * flow - storage_change


def evaporation_from_latent_heat(slhf: np.ndarray, snowc: np.ndarray | float = 0.0) -> np.ndarray:
    r"""Return the evaporation equivalent to a latent heat flux, :math:`E = -Q_E / (L_v + c_s L_f)`.

    Snow-covered ground (fraction :math:`c_s`) sublimates, which also takes the heat of fusion. In ecLand's output this
    reproduces ``evap`` within 0.04 kg m-2 a year in the median over points, at most 4.

    Shapes: latent heat flux [W m-2] and snow cover [1] of the same shape -> the same shape [kg m-2 s-1].
    """
    return -np.asarray(slhf, np.float64) / (LATENT_HEAT_VAPORISATION + np.asarray(snowc) * LATENT_HEAT_FUSION)


def frozen_fraction(temperature: np.ndarray) -> np.ndarray:
    """Return the frozen share of soil water at a temperature [K], as :func:`.soil.frozen_fraction` for tensors."""
    angle, middle = math.pi / (FREEZING_START - FREEZING_END), 0.5 * (FREEZING_START + FREEZING_END)
    return 0.5 * (1.0 - np.sin(angle * (np.clip(temperature, FREEZING_END, FREEZING_START) - middle)))


def soil_heat(stl: np.ndarray, theta_sat: np.ndarray, theta_cap: np.ndarray, vegetation: np.ndarray) -> np.ndarray:
    r"""Return the heat content of the soil with the heat of freezing, relative to 273.16 K and liquid water.

    .. math:: H = \sum_k \Delta z_k \left[ ((1 - \theta_s) C_m + \theta_c C_w)(T_k - T_0)
              - L_f \rho_w c_v \theta_c f(T_k) \right]

    As in ecLand, the heat capacity is that of soil with water at field capacity :math:`\theta_c` for any soil moisture,
    and only the vegetated fraction :math:`c_v` freezes. Heat advected by water is not included.

    Parameters
    ----------
    stl : numpy.ndarray, shape (layer, ...)
        Soil temperature [K].
    theta_sat, theta_cap : numpy.ndarray, shape (...)
        Porosity :math:`\theta_s` and field capacity :math:`\theta_c` [m3 m-3].
    vegetation : numpy.ndarray, shape (...)
        Fraction covered by vegetation, ``cvl veg_cov_lv + cvh veg_cov_hv`` [1].

    Returns shape (...) [J m-2]. Source: ecLand, srfene_mod.F90; IFS Documentation CY49R1, Part IV, section 8.5.
    """
    stl = np.asarray(stl, dtype=np.float64)
    capacity = (1.0 - theta_sat) * MATTER_HEAT_CAPACITY + theta_cap * WATER_HEAT_CAPACITY
    freezing = LATENT_HEAT_FUSION * WATER_DENSITY * vegetation * theta_cap * frozen_fraction(stl)
    return ((capacity * (stl - TRIPLE_POINT) - freezing) * _thickness(stl)).sum(axis=0)


def snow_heat(sd: np.ndarray, slw: np.ndarray, tsn: np.ndarray) -> np.ndarray:
    r"""Return the heat of snow relative to liquid water at 273.16 K, :math:`c_i S (T_s - T_0) - L_f (S - S_l)` [J m-2].

    An approximation with one mean temperature :math:`T_s` [K] for the whole pack of mass :math:`S` with liquid water
    :math:`S_l` [kg m-2]; all of the same shape.
    """
    sd = np.asarray(sd, dtype=np.float64)
    return ICE_SPECIFIC_HEAT * sd * (tsn - TRIPLE_POINT) - LATENT_HEAT_FUSION * (sd - slw)


def snow_heat_supply(
    slhf: np.ndarray, evaporation: np.ndarray, snowfall: np.ndarray, temperature: np.ndarray
) -> np.ndarray:
    r"""Return the heat advected by snowfall and sublimation, relative to liquid water at 273.16 K.

    .. math:: A = F \left[ c_i \min(T_a - T_0, 0) - L_f \right] - Q_E - L_v E

    Snow falls as ice at air temperature. The last two terms are the heat of fusion of sublimating ice, which leaves
    with the ice.

    Parameters
    ----------
    slhf : numpy.ndarray
        Latent heat flux :math:`Q_E`, positive downward [W m-2].
    evaporation, snowfall : numpy.ndarray
        Rates :math:`E`, :math:`F` [kg m-2 s-1].
    temperature : numpy.ndarray
        Air temperature [K].

    All have the same shape; returns the same shape [W m-2], positive into the land.
    """
    cold = ICE_SPECIFIC_HEAT * np.minimum(np.asarray(temperature, np.float64) - TRIPLE_POINT, 0.0)
    sublimation = -np.asarray(slhf, np.float64) - LATENT_HEAT_VAPORISATION * np.asarray(evaporation, np.float64)
    return snowfall * (cold - LATENT_HEAT_FUSION) + sublimation


def surface_heat_flux(ssr: np.ndarray, str_: np.ndarray, slhf: np.ndarray, sshf: np.ndarray) -> np.ndarray:
    """Sum net radiation and turbulent fluxes, all positive downward, to the heat flux into ground and snow [W m-2]."""
    return np.asarray(ssr, np.float64) + str_ + slhf + sshf


def energy_residual(
    heat_flux: np.ndarray,
    soil_heat_change: np.ndarray,
    snow_heat_change: np.ndarray | float = 0.0,
    snow_supply: np.ndarray | float = 0.0,
    seconds: float = STEP_SECONDS,
) -> np.ndarray:
    r"""Return the heat that a step loses (positive) or creates (negative), as a mean rate.

    .. math:: r = G + A - (\Delta H_{soil} + \Delta H_{snow}) / \Delta t

    Included: soil with freezing, snow with melting, snowfall and sublimation. Not included, because ecLand neglects it
    or does not write it: heat of rain, of percolating water and of the canopy (its skin has no heat capacity); lake and
    urban tiles; the temperature profile within the snow.

    Parameters
    ----------
    heat_flux : numpy.ndarray
        :math:`G` of :func:`surface_heat_flux` [W m-2].
    soil_heat_change, snow_heat_change : numpy.ndarray
        Change of :func:`soil_heat` and :func:`snow_heat` over the step [J m-2].
    snow_supply : numpy.ndarray
        :math:`A` of :func:`snow_heat_supply` [W m-2].
    seconds : float
        :math:`\Delta t` [s].

    Returns the same shape [W m-2].
    """
    return heat_flux + snow_supply - (soil_heat_change + np.asarray(snow_heat_change)) / seconds
