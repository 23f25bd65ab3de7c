# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Runs of the packaged network with the stand-in atmosphere: soil dried and wetted, snow removed, five years."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

import anemoi_ailand as ail
from anemoi_ailand import LandState, LandStepper
from anemoi_ailand.constants import DRY_AIR_GAS_CONSTANT, LATENT_HEAT_VAPORISATION, STEFAN_BOLTZMANN
from anemoi_ailand.coupling.height import saturation_humidity
from anemoi_ailand.data.anemoi_dataset import AnemoiDataset
from anemoi_ailand.evaluation.scores.strata import BIOMES
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.variables import variable
from tools.results.air_departures import (
    MOISTENED,
    SPECIFIC_HEAT,
    WARMED,
    Air,
    Fields,
    Layer,
    Step,
    advance,
    fluxes,
    layers,
)

DAY = 86400.0

#: First days of the runs in 2022, and their length [d].
STARTS = {"winter": "2022-01-01", "spring": "2022-04-01", "summer": "2022-07-01", "autumn": "2022-10-01"}
LENGTH = 90

#: Every so many points of the reference set, for the seasons and for five years.
EVERY, EVERY_OF_YEARS = 9, 24

#: Soil moisture of the experiments on the way from wilting point (0) to field capacity (1), in all layers.
DRY, WET = 0.1, 1.0

#: Causes of the responses, of one unit each, and the days on which they are taken.
CAUSES, DAYS = ("air +1 K", "humidity +1 g kg-1", "sun +100 W m-2"), ("2022-01-15", "2022-07-15")

#: Mean sun from which it is day [W m-2], and snow up to which the ground is free [kg m-2].
SUN, BY_DAY, SNOW_FREE = "avg_sdswrf", 200.0, 1.0

#: Variables kept as daily means, and the departures.
KEPT = ("slhf", "sshf", "skt", "swvl1", "sd")
AIR = ("warmer", "moister")

#: Terms of the air's budget, fields of a step.
TERMS = ("surface", "nudged", "entrained", "limited", "unsolved")


#: Changes of the initial state.
CHANGES = ("dry", "wet", "no snow")


@dataclass(frozen=True)
class Experiment:
    """Change of the initial state, and the time in which the weather takes departures back [d]."""

    change: str
    tau: float

    def __str__(self) -> str:
        return f"{self.change}, {self.tau:g} d"


def season_experiments(start: str) -> list[Experiment]:
    """Return the coupled experiments of one start: all at one day, dry soil in summer at other times as well."""
    more = [Experiment("dry", tau) for tau in (0.25, 3.0)] if start == "summer" else []
    return [*(Experiment(change, 1.0) for change in CHANGES), *more]


def changed(land: LandState, change: str) -> LandState:
    """Return a state with dried or wetted soil, without snow, or as it is (``none``)."""
    if change == "no snow":
        n = torch.zeros_like(land["sd"])
        bare = {"sd": n, "snowc": n, "slw": n, "tsn": n + 273.16, "rsn": n + 100.0, "asn": n + 0.85}
        return land.changed({name: values for name, values in bare.items() if name in land.prognostic})
    if change == "none":
        return land
    low, high = land["theta_pwp"], land["theta_cap"]
    target = low + (DRY if change == "dry" else WET) * (high - low)
    pick = torch.minimum if change == "dry" else torch.maximum
    return land.changed({f"swvl{k}": pick(land[f"swvl{k}"], target) for k in range(1, 5)})


def weather(reference: Path, first: str, last: str, every: int) -> xr.Dataset:
    """Read forcing and states of some points."""
    return ail.open_data(reference).to_xarray((first, last)).isel(point=slice(None, None, every)).load()


def climates(reference: Path, every: int) -> np.ndarray:
    """Return the names of the climates of some points, shape (point,)."""
    found = AnemoiDataset(reference).constant("climate_class")
    if found is None:
        raise ValueError(f"'{reference}' has no `climate_class`. Give the reference set.")
    return np.array(BIOMES)[np.rint(found[::every]).astype(int)]


def forcings(stepper: LandStepper, data: xr.Dataset) -> Iterator[dict[str, Tensor]]:
    """Yield the forcing of each step (point,)."""
    names = stepper.needs["forcing"]
    arrays = {n: torch.from_numpy(np.ascontiguousarray(data[_called(data, n)].values)).float() for n in names}
    for k in range(1, data.sizes["time"]):
        yield {n: values[k] for n, values in arrays.items()}


def uncoupled(stepper: LandStepper, data: xr.Dataset, changes: Sequence[str]) -> Iterator[LandState]:
    """Yield the states after each step of runs with prescribed weather, copies of the points side by side."""
    first = stepper.initial(data.isel(time=slice(0, 1)))
    land = _joined([changed(first, change) for change in changes])
    for forcing in forcings(stepper, data):
        land = stepper.step(land, {name: values.repeat(len(changes)) for name, values in forcing.items()})
        yield land


def coupled(
    stepper: LandStepper, data: xr.Dataset, reference: Tensor, experiments: Sequence[Experiment]
) -> Iterator[Step]:
    """Yield the steps of coupled runs, copies of the points side by side.

    ``reference`` holds the fluxes of the uncoupled run without changes (step, point, 2).
    """
    first = stepper.initial(data.isel(time=slice(0, 1)))
    land = _joined([changed(first, e.change) for e in experiments])
    n, copies = len(first.latitudes), len(experiments)
    tau = torch.tensor([e.tau * DAY for e in experiments]).double().repeat_interleave(n)
    air = Air.undisturbed(n * copies)
    for forcing, flux, layer in zip(forcings(stepper, data), reference, layers(reference[..., 0]), strict=True):
        many = {name: values.repeat(copies) for name, values in forcing.items()}
        there = Layer(layer.depth.repeat(copies), layer.growth.repeat(copies))
        done = advance(stepper, land, air, many, flux.repeat(copies, 1), there, tau)
        land, air = done.land, done.air
        yield done


def season(stepper: LandStepper, reference: Path, start: str, path: Path) -> None:
    """Run all experiments from one start; write daily means, and the mean size of the terms of the air's budget."""
    first = pd.Timestamp(STARTS[start])
    data = weather(reference, f"{first:%Y-%m-%d}", f"{first + pd.Timedelta(days=LENGTH):%Y-%m-%dT00}", EVERY)
    alone = list(uncoupled(stepper, data, ("none", *CHANGES)))
    n, experiments = data.sizes["point"], season_experiments(start)
    reference_flux = torch.stack([fluxes(land)[:n] for land in alone])
    steps = list(coupled(stepper, data, reference_flux, experiments))
    dims = ("day", "experiment", "point")
    names = ["none", *(f"{change}, forced" for change in CHANGES), *map(str, experiments)]
    kept = {}
    for name in KEPT:
        parts = [[land[name].numpy() for land in lands] for lands in (alone, [s.land for s in steps])]
        kept[name] = np.concatenate([np.reshape(p, (len(p), -1, n)) for p in parts], axis=1)
    for i, name in enumerate(AIR):
        departure = np.stack([s.air.departure[:, i].numpy() for s in steps]).reshape(len(steps), -1, n)
        kept[name] = np.concatenate([np.zeros((len(steps), 1 + len(CHANGES), n)), departure], axis=1)
    fields = {name: (dims, _daily(values).astype(np.float32)) for name, values in kept.items()}
    for term in TERMS:
        sizes = torch.stack([getattr(s, term).abs().unflatten(0, (-1, n)).mean(1) for s in steps]).mean(0)
        fields[term] = (("coupled", "air"), sizes.numpy())
    coords = {"experiment": names, "climate": ("point", climates(reference, EVERY)), "air": list(AIR),
              "coupled": [str(e) for e in experiments]}  # fmt: skip
    with complete_file(path) as partial:
        xr.Dataset(fields, coords=coords).to_netcdf(partial)


def years(stepper: LandStepper, reference: Path, path: Path) -> None:
    """Run from dried soil over 2018 to 2022, coupled, and write the departures."""
    data = weather(reference, "2018-01-01T06", "2022-12-31T18", EVERY_OF_YEARS)
    flux = torch.stack([fluxes(land) for land in uncoupled(stepper, data, ("none",))])
    steps = coupled(stepper, data, flux, [Experiment("dry", 1.0)])
    kept = np.stack([done.air.departure.numpy().T.astype(np.float32) for done in steps])
    coords = {"time": data["time"].values[1:], "air": list(AIR)}
    with complete_file(path) as partial:
        xr.Dataset({"departure": (("time", "air", "point"), kept)}, coords=coords).to_netcdf(partial)


def responses(stepper: LandStepper, reference: Path, path: Path) -> None:
    """Write derivatives of fluxes and skin temperature to the air by day, of the network and of the energy balance."""
    found = []
    for day in DAYS:
        data = weather(reference, f"{day}T00", f"{day}T18", EVERY)
        land = stepper.initial(data.isel(time=slice(0, 1)))
        for forcing in forcings(stepper, data):
            jacobian = stepper.jacobian_tensor(land, forcing, ("sshf", "slhf", "skt"), (*WARMED, *MOISTENED, SUN))
            after = stepper.step(land, forcing)
            by_day = (forcing[SUN] > BY_DAY) & (after["sd"] < SNOW_FREE)
            t, q, sun = jacobian[..., :2].sum(-1), jacobian[..., 2:4].sum(-1) * 1.0e-3, jacobian[..., 4] * 100.0
            sign = torch.tensor([-1.0, -1.0, 1.0])  # fluxes from the land to the air
            mine = torch.stack([t, q, sun], dim=1) * sign
            found.append(torch.stack([mine, expected(after, forcing)])[:, by_day])
            land = after
    dims = ("origin", "point", "cause", "effect")
    coords = {"origin": ["network", "physics"], "cause": list(CAUSES), "effect": ["H", "LE", "skt"]}
    with complete_file(path) as partial:
        xr.Dataset({"response": (dims, torch.cat(found, dim=1).numpy())}, coords=coords).to_netcdf(partial)


def expected(land: LandState, forcing: Fields) -> Tensor:
    r"""Return the responses of a linear balance of the skin, (point, cause, effect), in the units of :data:`CAUSES`.

    .. math:: (\rho c_p g_a + \rho L g_e s + 4 \sigma T^3 + \Lambda)\, dT_s = \rho c_p g_a\, dT_a + \rho L g_e\, dq
              + (1 - \alpha)\, dS

    with the neutral conductance :math:`g_a` at 10 m, :math:`g_e` from the evaporation of the network, at most
    :math:`g_a`, the slope :math:`s` of saturation, and :math:`\Lambda` of the skin, 10 W m-2 K-1.
    """
    t, q, p, skin = forcing["avg_t"], forcing["avg_q"], forcing["avg_sp"], land["skt"]
    density = p / (DRY_AIR_GAS_CONSTANT * t)
    cover = torch.stack([land["cvl"], land["cvh"]])
    rough = torch.exp((cover * torch.log(torch.stack([land["veg_z0m_lv"], land["veg_z0m_hv"]]).clamp(0.01, 2.0))).sum(0)
                      + (1.0 - cover.sum(0)).clamp(min=0.0) * np.log(0.013))  # fmt: skip
    wind = torch.hypot(forcing["avg_u"], forcing["avg_v"]).clamp(min=1.0)
    air = 0.4**2 * wind / (torch.log(10.0 / rough) * torch.log(100.0 / rough))
    saturated, more = saturation_humidity(skin, p), saturation_humidity(skin + 0.5, p)
    slope = (more - saturation_humidity(skin - 0.5, p)).clamp(min=0.0)
    evaporating = -land["slhf"] / (density * LATENT_HEAT_VAPORISATION * (saturated - q).clamp(min=1.0e-4))
    evaporating = torch.minimum(evaporating.clamp(min=0.0), air)
    heat, vapour = density * SPECIFIC_HEAT * air, density * LATENT_HEAT_VAPORISATION * evaporating
    total = heat + vapour * slope + 4.0 * STEFAN_BOLTZMANN * skin**3 + 10.0
    rows = []
    for cause, warmed, moistened in (
        (heat, 1.0, 0.0), (vapour * 1.0e-3, 0.0, 1.0e-3), ((1.0 - land["al"]) * 100.0, 0.0, 0.0)
    ):  # fmt: skip
        skt = cause / total
        rows.append(torch.stack([heat * (skt - warmed), vapour * (slope * skt - moistened), skt], dim=-1))
    return torch.stack(rows, dim=1)


def _daily(values: np.ndarray) -> np.ndarray:
    """Return means over days of four steps; a rest is left out."""
    return values[: len(values) // 4 * 4].reshape(-1, 4, *values.shape[1:]).mean(1)


def _joined(states: list[LandState]) -> LandState:
    return replace(
        states[0],
        latitudes=np.concatenate([s.latitudes for s in states]),
        longitudes=np.concatenate([s.longitudes for s in states]),
        columns=torch.cat([s.columns for s in states]),
        diagnostics=None,
    )


def _called(data: xr.Dataset, name: str) -> str:
    return name if name in data else variable(name).netcdf_name
