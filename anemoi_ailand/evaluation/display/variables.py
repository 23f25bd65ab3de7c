# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Display units and groups of variables in figures, tables and the report.

Water is shown in mm and carbon dioxide in g, both per day. Files keep the units of the table of variables.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from anemoi_ailand.evaluation.scores.metrics import UNITLESS
from anemoi_ailand.support.units import DAY
from anemoi_ailand.variables import HOURLY_RAIN, variable

_PRECIPITATION = ("avg_tprate", "avg_tsrwe", "late_tprate", "late_tsrwe", *HOURLY_RAIN)

#: Factor and unit of the variables with another display unit.
_SHOWN = {
    **dict.fromkeys(("evap", "sro", "ssro", "smlt", *_PRECIPITATION), (DAY, "mm d-1")),  # 1 kg of water on 1 m2: 1 mm
    **dict.fromkeys(("gpp", "nee"), (1e3 * DAY, "g m-2 d-1")),
}

#: Variables of each group.
GROUPS = {
    "Soil moisture": ("swvl1", "swvl2", "swvl3", "swvl4"),
    "Soil temperature": ("stl1", "stl2", "stl3", "stl4"),
    "Snow and interception": ("snowc", "sd", "rsn", "tsn", "asn", "slw", "src"),
    "Surface and 2 m": ("skt", "2t", "2d"),
    "Energy fluxes": ("sshf", "slhf", "ssr", "str"),
    "Water fluxes": ("evap", "sro", "ssro", "smlt"),
    "Carbon fluxes": ("gpp", "nee"),
}

#: Groups of fluxes, which are means over the 6 h that end at the stamp.
FLUXES = ("Energy fluxes", "Water fluxes", "Carbon fluxes")

#: Group of all other variables.
OTHER = "Other variables"


def shown_units(name: str) -> str:
    """Return the display unit of a variable."""
    return _SHOWN[name][1] if name in _SHOWN else variable(name).units


def shown_factor(name: str) -> float:
    """Return the factor from the unit of the table of variables to the display unit."""
    return _SHOWN[name][0] if name in _SHOWN else 1.0


def shown_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Convert ``value`` in a table of scores to display units."""
    factor = scores["variable"].map(shown_factor).where(~scores["metric"].isin(UNITLESS), 1.0)
    return scores.assign(value=scores["value"].astype(float) * factor.astype(float))


def variable_groups(names: Iterable[str]) -> dict[str, list[str]]:
    """Group ``names`` in the order of :data:`GROUPS`, without empty groups."""
    wanted = list(dict.fromkeys(names))
    found = {group: [n for n in members if n in wanted] for group, members in GROUPS.items()}
    known = {n for members in found.values() for n in members}
    found[OTHER] = [n for n in wanted if n not in known]
    return {group: members for group, members in found.items() if members}


def ordered(names: Iterable[str]) -> list[str]:
    """Sort names in the order of their groups."""
    return [n for members in variable_groups(names).values() for n in members]
