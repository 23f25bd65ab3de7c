# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Display units of figures, tables and the report: water in mm, carbon dioxide in g, both per day.

Files keep the units of the table of variables.
"""

from __future__ import annotations

import pandas as pd

from anemoi_ailand.evaluation.scores.metrics import UNITLESS
from anemoi_ailand.support.units import DAY
from anemoi_ailand.variables import variable

#: Factor and unit of the variables with another display unit.
_SHOWN = {
    **dict.fromkeys(("evap", "sro", "ssro", "smlt"), (DAY, "mm d-1")),  # 1 kg of water on 1 m2 is 1 mm
    **dict.fromkeys(("gpp", "nee"), (1e3 * DAY, "g m-2 d-1")),
}


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
