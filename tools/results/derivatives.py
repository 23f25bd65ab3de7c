# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page on derivatives: finite differences of the packaged networks against ecLand's own, at held-out points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.training.jacobian_term import is_linear, same_places
from anemoi_ailand.variables import variable
from tools.results.pages import Blocks, made_by, table
from tools.results.steps import Inputs, checksum_of, key_of, once

PART = "derivatives"
PAGE = "docs/results/derivatives.md"

#: Leads [h], responding and disturbed variables of the table.
LEADS = (6, 24)
OUTPUTS = ("2t", "2d", "skt", "slhf")
INPUTS = ("swvl1", "swvl2", "swvl3")

#: Share of its root mean square from which the sign of a derivative counts.
SIGNIFICANT = 0.1

#: Responding variables and lead [h] that are tabulated by season and by the water of the disturbed layer.
GROUPED, GROUPED_LEAD = ("2t", "slhf"), 24

#: Seasons of the northern hemisphere by the months of the dates; the southern one is half a year later.
SEASONS = {"winter": 1, "spring": 4, "summer": 7, "autumn": 10}

#: Every fifth point of the reference set is held out, by its identity.
EVERY = 5


def renew(inputs: Inputs) -> dict[str, Blocks]:
    """Make differences of all networks and return the blocks of the page."""
    assert inputs.reference is not None
    assert inputs.differences is not None
    with xr.open_dataset(inputs.differences) as file:
        theirs = file.load()
    blocks = {PART + "-origin": made_by(PART, {n: (checksum_of(n), "plain") for n in inputs.networks})}
    for name in inputs.networks:
        ours = kept_differences(inputs, name, theirs)
        blocks[f"{PART}-{name}"] = compared(ours, theirs)
        if name == DEFAULT:
            blocks[f"{PART}-groups"] = grouped(ours, theirs)
    return {PAGE: blocks}


def kept_differences(inputs: Inputs, name: str, theirs: xr.Dataset) -> np.ndarray:
    """Return the differences of a network, made once."""
    assert inputs.reference is not None
    assert inputs.differences is not None
    result = inputs.folder / f"derivatives-{name}.npy"
    key = key_of(name, inputs.reference, inputs.differences)
    once(result, key, lambda: _save(result, differences(name, inputs.reference, theirs)))
    return np.asarray(np.load(result))


def _save(path: Path, values: np.ndarray) -> None:
    with complete_file(path) as partial, partial.open("wb") as file:
        np.save(file, values)


def differences(name: str, dataset: Path | None, theirs: xr.Dataset) -> np.ndarray:
    """Return centred differences of a network, shape (date, lead, disturbed, responding, point of the file)."""
    land = ail.load(name, execution="plain", plausibility="off")  # a change below zero water
    data = ail.open_data(dataset)
    found = np.full((theirs.sizes["date"], len(LEADS), len(INPUTS), len(OUTPUTS), theirs.sizes["point"]), np.nan)
    last = np.timedelta64(max(LEADS), "h")
    for d, date in enumerate(theirs.time.values):
        fields = data.to_xarray((str(date)[:16], str(date + last)[:16]))
        here, there = same_places(theirs, fields.latitude.values, fields.longitude.values)
        fields = fields.isel(point=there)
        for i, disturbed in enumerate(INPUTS):
            size = float(theirs.delta.values[_position(theirs.in_name, disturbed)])
            up, down = (_responses(land, fields, disturbed, sign * size) for sign in (1.0, -1.0))
            found[d, :, i, :, here] = np.moveaxis((up - down) / (2.0 * size), -1, 0)
    return found


def _responses(land: Any, fields: xr.Dataset, disturbed: str, change: float) -> np.ndarray:
    """Return the responding variables at all leads after a change of the first state, (lead, responding, point)."""
    state = land.initial(fields)
    state = state.changed({disturbed: state[disturbed] + change})
    out = []
    for k in range(1, max(LEADS) // 6 + 1):
        state = land.step(state, fields.isel(time=k))
        if 6 * k in LEADS:
            out.append([state[n].numpy() for n in OUTPUTS])
    return np.array(out)


def _position(names: xr.DataArray, wanted: str) -> int:
    return [variable(str(n)).name for n in names.values].index(wanted)


@dataclass(frozen=True)
class Agreement:
    """Agreement of derivatives with ecLand's: correlation, share of right signs, and median sizes of both."""

    r: float
    sign: float
    size: float
    of_ecland: float

    def __str__(self) -> str:
        sizes = [f"{v:.2g}" if v < 100.0 else f"{v:.0f}" for v in (self.size, self.of_ecland)]
        return f"{self.r:.2f}, {self.sign:.2f}, {sizes[0]} ({sizes[1]})"


def compared(found: np.ndarray, theirs: xr.Dataset) -> str:
    """Tabulate correlation, sign and median size of derivatives at the held-out points, where ecLand is linear."""
    rows = [["response", "lead", *(f"to `{n}`: r, sign, size (ecLand)" for n in INPUTS)]]
    for name in OUTPUTS:
        for lead in LEADS:
            rows.append([f"`{name}`", f"{lead} h", *map(str, agreements(found, theirs, name, lead))])
    return table(rows)


def grouped(found: np.ndarray, theirs: xr.Dataset) -> str:
    """Tabulate the agreement by season, and by thirds of the water of the disturbed layer."""
    rows = [["response", "cases", *(f"to `{n}`: r, sign, size (ecLand)" for n in INPUTS)]]
    for name in GROUPED:
        for title, chosen in {**seasons(theirs), **thirds(theirs)}.items():
            of = agreements(found, theirs, name, GROUPED_LEAD, chosen)
            rows.append([f"`{name}`", title, *map(str, of)])
    return table(rows)


def seasons(theirs: xr.Dataset) -> dict[str, list[np.ndarray]]:
    """Return masks (date, point) of the seasons, the same for all disturbed variables."""
    month = theirs.time.dt.month.values[:, None]
    local = np.where(theirs.latitude.values >= 0.0, month, (month + 5) % 12 + 1)
    return {title: [local == of] * len(INPUTS) for title, of in SEASONS.items()}


def thirds(theirs: xr.Dataset) -> dict[str, list[np.ndarray]]:
    """Return masks (date, point) of thirds of the initial water, for each disturbed variable."""
    water = [theirs.init.isel(in_var=_position(theirs.in_name, n)).values for n in INPUTS]
    limits = [np.nanquantile(w, (1 / 3, 2 / 3)) for w in water]
    rank = [np.digitize(w, of) for w, of in zip(water, limits, strict=True)]
    return {title: [r == k for r in rank] for k, title in enumerate(("dry", "medium", "wet"))}


def agreements(
    found: np.ndarray, theirs: xr.Dataset, responding: str, lead: int, chosen: list[np.ndarray] | None = None
) -> list[Agreement]:
    """Return the agreement of the derivatives of a variable at a lead, for each disturbed variable.

    With ``chosen``, masks (date, point) for each disturbed variable, of these cases only.
    """
    held = theirs.point_id.values % EVERY == 0
    j, k = OUTPUTS.index(responding), LEADS.index(lead)
    return [_agreement(found[:, k, i, j], theirs, (lead, disturbed, responding),
                       held if chosen is None else held & chosen[i])
            for i, disturbed in enumerate(INPUTS)]  # fmt: skip


def _agreement(ours: np.ndarray, theirs: xr.Dataset, which: tuple[int, str, str], held: np.ndarray) -> Agreement:
    lead, disturbed, responding = which
    at = {
        "lead": theirs.lead.values.tolist().index(lead),
        "in_var": _position(theirs.in_name, disturbed),
        "out_var": _position(theirs.out_name, responding),
    }
    chosen = theirs.isel(at)
    jac = chosen.jac.values
    known = np.isfinite(jac) & np.isfinite(ours) & (chosen.valid.values == 1) & held & is_linear(chosen).values
    a, b = jac[known], ours[known]
    large = np.abs(a) > SIGNIFICANT * np.sqrt(np.mean(a**2))
    agree = np.mean(np.sign(a[large]) == np.sign(b[large]))
    r = float(np.corrcoef(a, b)[0, 1])
    return Agreement(r, float(agree), float(np.median(np.abs(b))), float(np.median(np.abs(a))))
