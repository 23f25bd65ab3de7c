# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Units in which people read a variable: water in mm and carbon dioxide in g, both per day.

Files keep the unit of the table of variables; figures, tables to read and the report are in these.
"""

from __future__ import annotations

import pandas as pd

from anemoi_ailand.support.units import DAY
from anemoi_ailand.variables import variable

#: Factor and unit of the variables that are shown in another unit than they are kept in.
_SHOWN = {
    **dict.fromkeys(("evap", "sro", "ssro", "smlt"), (DAY, "mm d-1")),  # 1 kg of water on 1 m2 is 1 mm
    **dict.fromkeys(("gpp", "nee"), (1e3 * DAY, "g m-2 d-1")),
}

#: Scores that do not have the unit of the variable.
WITHOUT_UNIT = frozenset({"correlation", "acc", "kge", "r2", "hit_rate", "skill_horizon", "skill_horizon_reached"})


def shown_units(name: str) -> str:
    """Unit in which a variable is shown.

    Raises
    ------
    ValueError
        The name is not in the table of variables.
    """
    return _SHOWN[name][1] if name in _SHOWN else variable(name).units


def shown_factor(name: str) -> float:
    """By what a value in the unit of the table is multiplied; 1 for what is shown as it is."""
    return _SHOWN[name][0] if name in _SHOWN else 1.0


def shown_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Tidy table of scores with ``value`` in the unit shown; scores without the unit of the variable stay."""
    factor = scores["variable"].map(shown_factor).where(~scores["metric"].isin(WITHOUT_UNIT), 1.0)
    return scores.assign(value=scores["value"].astype(float) * factor.astype(float))
