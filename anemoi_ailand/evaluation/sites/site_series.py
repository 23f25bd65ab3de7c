# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Series of emulator, ecLand and forcing at one site, their scores, and properties of the site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.evaluation.display.text import DIGITS, aligned, enumeration, plain_number
from anemoi_ailand.evaluation.display.variables import shown_factor, shown_units, variable_groups
from anemoi_ailand.evaluation.fields.reference import EMULATOR, REFERENCE
from anemoi_ailand.evaluation.scores.strata import BIOMES
from anemoi_ailand.evaluation.sites.places import Found, where
from anemoi_ailand.physics.soil_types import SOIL_TYPES, whole_types
from anemoi_ailand.physics.vegetation import VEGETATION_TYPES
from anemoi_ailand.support.netcdf_writer import CONVENTIONS, COORDINATES, time_coordinate, variable_attributes
from anemoi_ailand.variables import Role, Time, variable

#: Suffix of the names of ecLand's series.
ECLAND = "_ecland"

_COLUMNS = ("variable", "meaning", "group", "RMSE", "bias", "correlation", "spread of ecLand", "unit")


def site_series(
    times: np.ndarray,
    emulator: Mapping[str, np.ndarray],
    ecland: Mapping[str, np.ndarray],
    forcing: Mapping[str, np.ndarray],
    found: Found,
    attributes: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Combine all series ``(time,)`` of a site in one CF dataset.

    Series are by dataset name, in the units of the table of variables; ``attributes`` are global ones.
    """
    arrays: dict[str, Any] = {}
    for end, whose, fields in (("", EMULATOR, emulator), (ECLAND, REFERENCE, ecland), ("", "forcing", forcing)):
        for name, values in fields.items():
            about = variable_attributes(name, long_name=f"{variable(name).long_name}, {whose}", series=whose)
            arrays[variable(name).netcdf_name + end] = ("time", values, about)
    return xr.Dataset(
        arrays,
        coords={
            "time": ("time", times.astype("datetime64[ns]"), time_coordinate()),
            "site": ((), found.place.name, {"cf_role": "timeseries_id", "long_name": "site"}),
            "latitude": ((), found.latitude, COORDINATES["latitude"]),
            "longitude": ((), found.longitude, COORDINATES["longitude"]),
        },
        attrs={"Conventions": CONVENTIONS, "featureType": "timeSeries", **(attributes or {})},
    )


def names_of(series: xr.Dataset, whose: str) -> list[str]:
    """Return the variables of the emulator, ecLand or forcing in the order of their groups."""
    names = [str(v.attrs["short_name"]) for v in series.data_vars.values() if v.attrs["series"] == whose]
    return [n for members in variable_groups(names).values() for n in members]


def of_emulator(series: xr.Dataset, name: str) -> xr.DataArray:
    """Return a series of the emulator or forcing in display units."""
    return series[variable(name).netcdf_name] * shown_factor(name)


def of_ecland(series: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return a series of ecLand in display units, ``None`` if it is missing."""
    called = variable(name).netcdf_name + ECLAND
    return series[called] * shown_factor(name) if called in series else None


def site_scores(series: xr.Dataset) -> pd.DataFrame:
    """Score the emulator against ecLand in display units, a row for each variable.

    ``bias`` is emulator minus ecLand, ``correlation`` NaN if either does not vary, ``spread`` the standard deviation of
    ecLand, ``n`` the number of valid times.
    """
    rows = []
    for group, names in variable_groups(names_of(series, EMULATOR)).items():
        for name in names:
            reference = of_ecland(series, name)
            if reference is None:
                continue
            mine = of_emulator(series, name)
            error = mine - reference
            with np.errstate(invalid="ignore", divide="ignore"):
                scores = {
                    "rmse": float(np.sqrt((error**2).mean())), "bias": float(error.mean()),
                    "correlation": float(xr.corr(mine, reference)), "spread": float(reference.std()),
                }  # fmt: skip
            both = int((mine.notnull() & reference.notnull()).sum())
            rows.append({"variable": name, "group": group, **scores, "units": shown_units(name), "n": both})
    return pd.DataFrame(rows, columns=["variable", "group", "rmse", "bias", "correlation", "spread", "units", "n"])


def site_table(heading: str, scores: pd.DataFrame) -> str:
    """Format the scores by variable as Markdown below a heading."""
    if scores.empty:
        return f"{heading}\n\nThe dataset has no series of {REFERENCE} to compare with.\n"
    rows = [list(_COLUMNS)]
    for r in scores.to_dict("records"):
        numbers = [plain_number(r[c]) for c in ("rmse", "bias", "correlation", "spread")]
        rows.append([r["variable"], variable(r["variable"]).long_name, r["group"], *numbers, r["units"]])
    return "\n".join([heading, "", *aligned(rows)]) + "\n"


def site_properties(static: Mapping[str, float]) -> dict[str, Any]:
    """Describe a site by its available constant fields: soil and vegetation types, climate class, held out or not.

    A type that is not a whole number of its table is an error.
    """
    found: dict[str, Any] = {}
    if "slt" in static:
        kind = int(whole_types(np.array(static["slt"]), len(SOIL_TYPES), "soil"))
        found["soil"] = {"type": kind, "name": ("water", *SOIL_TYPES)[kind]}
    for which, kind_of, cover in (("low_vegetation", "tvl", "cvl"), ("high_vegetation", "tvh", "cvh")):
        if kind_of in static:
            kind = int(whole_types(np.array(static[kind_of]), len(VEGETATION_TYPES) - 1, "vegetation"))
            found[which] = {"type": kind, "name": VEGETATION_TYPES[kind]}
            if cover in static:
                found[which]["cover"] = _digits(static[cover])
    if 0 <= static.get("climate_class", -1) < len(BIOMES):
        found["climate_class"] = BIOMES[int(static["climate_class"])]
    if "held_out" in static:
        found["held_out"] = bool(static["held_out"])
    return found | {"static": {n: _digits(v) for n, v in static.items() if variable(n).role is Role.STATIC}}


def is_constant(name: str) -> bool:
    """Return whether a variable is constant in time."""
    return variable(name).time is Time.CONSTANT


def site_sentence(found: Found, properties: Mapping[str, Any]) -> str:
    """Describe the point of a site and its properties in a few sentences."""
    place = found.place
    text = [
        f"{place.name} ({where(place.latitude, place.longitude)}): the nearest point is {found.distance:.0f} km away, "
        f"at {where(found.latitude, found.longitude)}."
    ]
    like = []
    if "soil" in properties:
        like.append(f"{properties['soil']['name']} soil")
    for which in ("low_vegetation", "high_vegetation"):
        if which in properties and properties[which]["type"]:
            cover = properties[which].get("cover")
            like.append(properties[which]["name"] + ("" if cover is None else f" on {100 * cover:.0f} %"))
    if "climate_class" in properties:
        like.append(f"the climate class {properties['climate_class']}")
    if like:
        text.append(f"It has {enumeration(like)}.")
    if "held_out" in properties:
        text.append(
            "It is held out in the dataset." if properties["held_out"] else "It is not held out in the dataset."
        )
    return " ".join(text)


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
