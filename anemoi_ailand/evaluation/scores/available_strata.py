# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Which cuts a reference allows: its constant fields, dates, snow and frost make the groups of :mod:`strata`."""

from __future__ import annotations

import logging
from collections.abc import Collection

import numpy as np
import pandas as pd

from anemoi_ailand.data.sun import compute
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import held_out_points
from anemoi_ailand.evaluation.fields.reference import Truth
from anemoi_ailand.evaluation.scores import strata
from anemoi_ailand.evaluation.scores.strata import Cut
from anemoi_ailand.variables import Time, variable

LOG = logging.getLogger(__name__)

#: Names of all cuts, in the order of tables; the first is always there.
CUTS = (
    "all", "points", "season", "daytime", "biome", "snow_regime", "frozen", "soil_type", "vegetation_type", "latitude",
    "extreme", "year",
)  # fmt: skip

#: Variables of the reference that a cut needs at all dates.
NEEDS = {"snow_regime": "snowc", "frozen": "stl1"}

#: Constant fields of the reference that a cut needs.
_CONSTANTS = {
    "biome": ("climate_class",),
    "soil_type": ("slt",),
    "vegetation_type": ("tvl", "tvh", "cvl", "cvh"),
}

_HALF_STEP = np.timedelta64(3, "h")


def available(reference: Fields, wanted: Collection[str] | None, held_out: bool) -> list[str]:
    """Cuts that the reference allows; all of :data:`CUTS` are tried if ``wanted`` is not given.

    Raises
    ------
    ValueError
        A cut that is asked for is not known, or the reference lacks what it needs.
    """
    if unknown := sorted(set(wanted or ()) - set(CUTS)):
        raise ValueError(f"There is no cut {unknown}; there are {CUTS}. Correct the name.")
    lacking = {cut: missing for cut in wanted or CUTS if (missing := _lacking(reference, cut, held_out))}
    if lacking and wanted:
        raise ValueError(
            f"The reference '{reference.path}' has no {lacking}, by which it was to be cut; it has "
            f"{reference.variables}. Add these to the dataset, or leave the cuts out."
        )
    if lacking:
        LOG.info("Not cut by %s: the reference lacks %s", sorted(lacking), lacking)
    return [cut for cut in CUTS if cut not in lacking and (cut == "all" or cut in (wanted or CUTS))]


def _lacking(reference: Fields, cut: str, held_out: bool) -> list[str]:
    if cut == "points":
        return [] if held_out else ["held_out or point_id"]
    names = [NEEDS[cut]] if cut in NEEDS else []
    missing = [name for name in names if name not in reference.units]
    return missing + [name for name in _CONSTANTS.get(cut, ()) if _constant(reference, name) is None]


def _constant(reference: Fields, name: str) -> np.ndarray | None:
    """Constant field by its dataset name, or by its name in the layout of the reference."""
    values = reference.constant(name)
    alias = variable(name).reference
    return values if values is not None or alias is None else reference.constant(alias)


def static_cuts(reference: Fields, cuts: Collection[str], held_out_every: int | None) -> dict[str, Cut]:
    """Cuts ``(point,)`` from constant fields, for all points of the reference."""

    def field(name: str) -> np.ndarray:
        values = _constant(reference, name)
        assert values is not None  # `available` has seen to it
        return np.asarray(values)

    out = {"all": strata.everything(len(reference.latitude))}
    if "points" in cuts:
        held_out, _ = held_out_points(reference, held_out_every)
        assert held_out is not None
        out["points"] = strata.points(held_out)
    if "biome" in cuts:
        out["biome"] = strata.biome(field("climate_class"))
    if "soil_type" in cuts:
        out["soil_type"] = strata.soil_type(field("slt"))
    if "vegetation_type" in cuts:
        out["vegetation_type"] = strata.vegetation_type(*map(field, _CONSTANTS["vegetation_type"]))
    if "latitude" in cuts:
        out["latitude"] = strata.latitude_band(reference.latitude)
    return out


def snow_cut(truth: Truth) -> Cut:
    """Snow regime ``(point,)`` from the climatology of snow cover."""
    return strata.snow_regime(truth.means["snowc"].mean("slot").values)


def dated_cuts(truth: Truth, cuts: Collection[str], start: np.datetime64) -> dict[str, Cut]:
    """Cuts ``(time, point)`` at the dates of the truth; ``start`` begins the years of a single run."""
    out = {}
    if "season" in cuts:
        out["season"] = strata.season(truth.times)
    if "daytime" in cuts:
        out["daytime"] = strata.daytime(_insolation(truth, truth.times))
        out["daytime of means"] = strata.daytime(_insolation(truth, truth.times - _HALF_STEP))
    if "frozen" in cuts:
        out["frozen"] = strata.frozen(truth.values["stl1"])
    if "year" in cuts:
        out["year"] = strata.run_year(truth.times, start)
    return out


def dated_cuts_of(name: str, cuts: dict[str, Cut]) -> dict[str, str]:
    """Key in ``cuts`` of each dated cut of a variable, by the name of the cut.

    A mean over the 6 h that end at the stamp is of the day if the sun is up in the middle of these hours.
    """
    of_means = variable(name).time is not Time.INSTANT
    keys = {cut: cut for cut in cuts if cut != "daytime of means"}
    if of_means and "daytime" in keys:
        keys["daytime"] = "daytime of means"
    return keys


def _insolation(truth: Truth, times: np.ndarray) -> np.ndarray:
    dates = [date.to_pydatetime() for date in pd.DatetimeIndex(times)]
    return compute(["insolation"], dates, truth.latitude, truth.longitude)[0]
