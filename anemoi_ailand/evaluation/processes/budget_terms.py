# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Terms of the water and energy budgets of each step, from arrays.

A missing term is never taken as zero: the plan lists what is missing and what the residual then contains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from anemoi_ailand.constants import FREEZING_END, FREEZING_START, STEP_SECONDS
from anemoi_ailand.physics import budgets as physics

#: Negligible snow mass [kg m-2] and snow cover [1].
NEGLIGIBLE_SNOW, NEGLIGIBLE_COVER = 0.01, 0.001

#: Degrees of closure of a budget; keys of :attr:`Plan.closure`.
CLOSURES = {
    "closed": "all terms are available; the residual is the imbalance",
    "approximate": "the residual also contains the terms under 'omitted'",
    "implied_runoff": "no runoff in the run: it is implied as precipitation - evaporation - change of storage",
    "snow_free": "no heat content of snow in the run: only steps without snow are closed",
    "incomplete": "the run lacks the terms under 'missing'; no residual",
}

_SOIL_WATER = ("swvl1", "swvl2", "swvl3", "swvl4")
_SOIL_HEAT = ("stl1", "stl2", "stl3", "stl4")
_RUNOFF = ("sro", "ssro")
_RADIATION = ("ssr", "str", "slhf", "sshf")
_SNOW = ("sd", "slw", "tsn", "evap")
_PRECIPITATION, _SNOWFALL, _AIR = "avg_tprate", "avg_tsrwe", "avg_t"

#: Constant fields of the reference that the heat of the soil needs.
SOIL_FIELDS = ("theta_sat", "theta_cap", "cvl", "cvh", "veg_cov_lv", "veg_cov_hv")

Values = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """Variables of a budget and its degree of closure, a key of :data:`CLOSURES`.

    ``state`` and ``flux`` are read from the run (fluxes are means over the step that ends at their stamp), ``forcing``
    from the reference.
    """

    closure: str
    state: tuple[str, ...]
    flux: tuple[str, ...]
    forcing: tuple[str, ...]
    missing: tuple[str, ...] = ()
    omitted: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables read from the run."""
        return (*self.state, *self.flux)


def water_plan(held: Collection[str]) -> Plan:
    """Plan the water budget of a run with the variables ``held``.

    Closure needs soil and snow. Without ``src``, its change (about 1 mm at most) is in the residual; without ``evap``,
    evaporation is derived from ``slhf``; without ``sro`` or ``ssro``, runoff is implied.
    """
    state = tuple(name for name in (*_SOIL_WATER, "sd", "src") if name in held)
    flux = [name for name in ("evap", *_RUNOFF) if name in held]
    omitted, missing = [], [name for name in (*_SOIL_WATER, "sd") if name not in held]
    if "src" not in held:
        omitted.append("change of src")
    if "evap" not in held and "slhf" in held:
        flux.append("slhf")
        state += ("snowc",) if "snowc" in held else ()
        omitted.append("error of evaporation, derived from slhf")
    elif "evap" not in held:
        missing.append("evap")
    no_runoff = [name for name in _RUNOFF if name not in held]
    closure = "implied_runoff" if no_runoff else "approximate" if omitted else "closed"
    return Plan(
        closure="incomplete" if missing else closure,
        state=state,
        flux=tuple(flux),
        forcing=(_PRECIPITATION,),
        missing=(*missing, *no_runoff),
        omitted=tuple(omitted),
    )


def water_terms(plan: Plan, run: Values, forcing: Values) -> dict[str, np.ndarray]:
    """Compute the terms ``(time - 1, point)`` of the water budget of each step [kg m-2] that the plan contains.

    ``run`` and ``forcing`` hold values ``(time, point)`` by name at all times, including the first.
    """
    rates = {name: np.asarray(run[name][1:], np.float64) for name in plan.flux}
    rain = np.asarray(forcing[_PRECIPITATION][1:], np.float64)
    terms = {"precipitation": rain * STEP_SECONDS}
    if "slhf" in rates:
        rates["evap"] = physics.evaporation_from_latent_heat(rates["slhf"], run["snowc"][1:] if "snowc" in run else 0.0)
    for name, rate in (("evaporation", "evap"), ("surface_runoff", "sro"), ("subsurface_runoff", "ssro")):
        if rate in rates:
            terms[name] = rates[rate] * STEP_SECONDS
    if all(name in plan.state for name in _SOIL_WATER):
        terms["soil_change"] = np.diff(physics.soil_water(_layers(run, _SOIL_WATER)), axis=0)
    if plan.closure == "incomplete":
        return terms
    other = [np.diff(np.asarray(run[name], np.float64), axis=0) for name in ("sd", "src") if name in plan.state]
    terms["storage_change"] = terms["soil_change"] + sum(other)
    implied = plan.closure == "implied_runoff"
    runoff = (0.0, 0.0) if implied else (rates["sro"], rates["ssro"])
    result = physics.water_residual(terms["storage_change"], rain, rates["evap"], *runoff)
    if implied:
        return {**terms, "implied_runoff": result, "implied_runoff_negative": np.minimum(result, 0.0)}
    return {**terms, "residual": result}


def energy_plan(held: Collection[str], reference: Collection[str]) -> Plan:
    """Plan the energy budget of a run with the variables ``held``, with forcing and soil from a reference.

    All steps close with snow mass, liquid water, temperature and evaporation; otherwise only steps without snow,
    identified by ``sd`` or ``snowc``.
    """
    missing = [name for name in (*_RADIATION, *_SOIL_HEAT) if name not in held]
    missing += [f"{name} (reference)" for name in SOIL_FIELDS if name not in reference]
    with_snow = all(name in held for name in _SNOW) and {_SNOWFALL, _AIR} <= set(reference)
    snow = [name for name in ("sd", "snowc") if name in held][:1]
    if not with_snow and not snow:
        missing.append("sd or snowc")
    pack = ("sd", "slw", "tsn", "snowc") if with_snow else snow
    state = tuple(name for name in (*_SOIL_HEAT, *pack) if name in held)
    flux = tuple(name for name in (*_RADIATION, *(("evap",) if with_snow else ())) if name in held)
    return Plan(
        closure="incomplete" if missing else "approximate" if with_snow else "snow_free",
        state=state,
        flux=flux,
        forcing=(_SNOWFALL, _AIR) if with_snow else (),
        missing=tuple(missing),
        omitted=("profile of snow temperature, heat of rain and of moving soil water",) if with_snow else (),
    )


def energy_terms(plan: Plan, run: Values, forcing: Values, soil: Values) -> dict[str, np.ndarray]:
    """Compute the terms of the energy budget of each step [W m-2] that the plan contains.

    ``run`` and ``forcing`` have values ``(time, point)`` by name at all times, including the first; ``soil`` has the
    constant fields ``(point,)`` of :data:`SOIL_FIELDS`. The result has arrays ``(time - 1, point)``, float64; for
    closure ``snow_free``, ``residual`` is valid without snow only.
    """
    flux = {name: np.asarray(run[name][1:], np.float64) for name in plan.flux}
    terms = {name: flux[key] for name, key in (("latent_heat", "slhf"), ("sensible_heat", "sshf")) if key in flux}
    if "ssr" in flux and "str" in flux:
        terms["net_radiation"] = flux["ssr"] + flux["str"]
    if plan.closure == "incomplete":
        return terms
    plants = soil["cvl"] * soil["veg_cov_lv"] + soil["cvh"] * soil["veg_cov_hv"]
    heat = physics.soil_heat(_layers(run, _SOIL_HEAT), soil["theta_sat"], soil["theta_cap"], plants)
    change = np.diff(heat, axis=0)
    snow_change, supply = np.zeros_like(change), np.zeros_like(change)
    if plan.closure == "approximate":
        snow_change = np.diff(physics.snow_heat(run["sd"], run["slw"], run["tsn"]), axis=0)
        supply = physics.snow_heat_supply(flux["slhf"], flux["evap"], forcing[_SNOWFALL][1:], forcing[_AIR][1:])
        terms["snow_heat_uptake"] = snow_change / STEP_SECONDS - supply
    terms["surface_heat_flux"] = physics.surface_heat_flux(*(flux[name] for name in _RADIATION))
    terms["soil_heat_change"] = change / STEP_SECONDS
    terms["residual"] = physics.energy_residual(terms["surface_heat_flux"], change, snow_change, supply)
    return terms


def snow_free(run: Values) -> np.ndarray | None:
    """Return the mask ``(time - 1, point)`` of steps without snow at either end; ``None`` without snow variables."""
    for name, limit in (("sd", NEGLIGIBLE_SNOW), ("snowc", NEGLIGIBLE_COVER)):
        if name in run:
            free = np.asarray(run[name]) <= limit
            return free[1:] & free[:-1]
    return None


def grounds(run: Values) -> dict[str, np.ndarray]:
    """Return masks ``(time - 1, point)`` of steps by the state of the ground, as far as the run tells.

    ``bare`` and ``freezing`` are without snow, the latter with a layer that is, at either end or between, in the range
    in which soil water freezes. ``full_snow`` has a snow cover of one at both ends, ``partial_snow`` are the others;
    they need ``snowc``.
    """
    free = snow_free(run)
    if free is None or not set(_SOIL_HEAT) <= set(run):
        return {}
    stl = _layers(run, _SOIL_HEAT)
    lower, upper = np.minimum(stl[:, 1:], stl[:, :-1]), np.maximum(stl[:, 1:], stl[:, :-1])
    freezing = ((lower < FREEZING_START) & (upper > FREEZING_END)).any(axis=0)
    masks = {"bare": free & ~freezing, "freezing": free & freezing}
    if "snowc" in run:
        full = np.asarray(run["snowc"]) >= 1.0
        full = full[1:] & full[:-1] & ~free
        masks |= {"full_snow": full, "partial_snow": ~free & ~full}
    return masks


def _layers(run: Values, names: tuple[str, ...]) -> np.ndarray:
    return np.stack([np.asarray(run[name], np.float64) for name in names])
