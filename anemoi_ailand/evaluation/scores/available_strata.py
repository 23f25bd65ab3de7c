# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Strata that a reference supports, derived from its constant fields, dates, snow and soil temperature."""

from __future__ import annotations

import logging
from collections.abc import Collection

import numpy as np
import pandas as pd

from anemoi_ailand.data.sun import compute
from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.matching import held_out_points
from anemoi_ailand.evaluation.fields.reference import ReferenceValues
from anemoi_ailand.evaluation.scores import strata
from anemoi_ailand.evaluation.scores.strata import Strata
from anemoi_ailand.variables import Time, variable

LOG = logging.getLogger(__name__)

#: Names of all strata, in the order of tables; the first is always available.
STRATA_NAMES = (
    "all", "points", "season", "daytime", "biome", "snow_regime", "frozen", "soil_type", "vegetation_type", "latitude",
    "extreme", "year",
)  # fmt: skip

#: Variables of the reference that strata need at all dates.
NEEDS = {"snow_regime": "snowc", "frozen": "stl1"}

#: Constant fields of the reference that strata need.
_CONSTANTS = {
    "biome": ("climate_class",),
    "soil_type": ("slt",),
    "vegetation_type": ("tvl", "tvh", "cvl", "cvh"),
}

_HALF_STEP = np.timedelta64(3, "h")


def available(reference: Fields, wanted: Collection[str] | None, held_out: bool) -> list[str]:
    """Return the wanted strata, by default all that the reference supports; others are an error."""
    if unknown := sorted(set(wanted or ()) - set(STRATA_NAMES)):
        raise ValueError(f"Unknown strata {unknown} (available: {STRATA_NAMES}). Correct the name.")
    lacking = {name: missing for name in wanted or STRATA_NAMES if (missing := _lacking(reference, name, held_out))}
    if lacking and wanted:
        raise ValueError(
            f"The reference '{reference.path}' lacks the fields of these strata: {lacking} (available: "
            f"{reference.variables}). Add them to the dataset, or leave the strata out."
        )
    if lacking:
        LOG.info("No scores by %s: the reference lacks %s", sorted(lacking), lacking)
    return [n for n in STRATA_NAMES if n not in lacking and (n == "all" or n in (wanted or STRATA_NAMES))]


def _lacking(reference: Fields, strata_name: str, held_out: bool) -> list[str]:
    if strata_name == "points":
        return [] if held_out else ["held_out or point_id"]
    names = [NEEDS[strata_name]] if strata_name in NEEDS else []
    missing = [name for name in names if name not in reference.units]
    return missing + [name for name in _CONSTANTS.get(strata_name, ()) if _constant(reference, name) is None]


def _constant(reference: Fields, name: str) -> np.ndarray | None:
    """Constant field by its dataset name, or by its name in the layout of the reference."""
    values = reference.constant(name)
    alias = variable(name).reference
    return values if values is not None or alias is None else reference.constant(alias)


def static_strata(reference: Fields, wanted: Collection[str]) -> dict[str, Strata]:
    """Return the strata ``(point,)`` of constant fields, for all points of the reference."""

    def field(name: str) -> np.ndarray:
        values = _constant(reference, name)
        assert values is not None  # checked by `available`
        return np.asarray(values)

    out = {"all": strata.everything(len(reference.latitude))}
    if "points" in wanted:
        held_out = held_out_points(reference)
        assert held_out is not None
        out["points"] = strata.points(held_out)
    if "biome" in wanted:
        out["biome"] = strata.biome(field("climate_class"))
    if "soil_type" in wanted:
        out["soil_type"] = strata.soil_type(field("slt"))
    if "vegetation_type" in wanted:
        out["vegetation_type"] = strata.vegetation_type(*map(field, _CONSTANTS["vegetation_type"]))
    if "latitude" in wanted:
        out["latitude"] = strata.latitude_band(reference.latitude)
    return out


def snow_strata(reference: ReferenceValues) -> Strata:
    """Return the snow regime ``(point,)`` from the climatology of snow cover."""
    return strata.snow_regime(reference.means["snowc"].mean("slot").values)


def dated_strata(reference: ReferenceValues, wanted: Collection[str], start: np.datetime64) -> dict[str, Strata]:
    """Return the strata ``(time, point)`` at the dates of the reference; years of a single run count from ``start``."""
    out = {}
    if "season" in wanted:
        out["season"] = strata.season(reference.times)
    if "daytime" in wanted:
        out["daytime"] = strata.daytime(_insolation(reference, reference.times))
        out["daytime of means"] = strata.daytime(_insolation(reference, reference.times - _HALF_STEP))
    if "frozen" in wanted:
        out["frozen"] = strata.frozen(reference.values["stl1"])
    if "year" in wanted:
        out["year"] = strata.run_year(reference.times, start)
    return out


def dated_keys(name: str, dated: Collection[str]) -> dict[str, str]:
    """Return the key in :func:`dated_strata` of each of its strata for a variable.

    A mean over the 6 h that end at the stamp counts as day if the sun is up in the middle of these hours.
    """
    keys = {key: key for key in dated if key != "daytime of means"}
    if variable(name).time is not Time.INSTANT and "daytime" in keys:
        keys["daytime"] = "daytime of means"
    return keys


def _insolation(reference: ReferenceValues, times: np.ndarray) -> np.ndarray:
    dates = [date.to_pydatetime() for date in pd.DatetimeIndex(times)]
    return compute(["insolation"], dates, reference.latitude, reference.longitude)[0]
