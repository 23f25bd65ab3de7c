# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Evaluation: from a forecast and a reference to scores, a table and figures. Works on xarray; no torch.

The command ``evaluate`` joins all of it; ``compare`` is a quick look at one forecast. :mod:`inputs` reads,
:mod:`matching` finds what both have in common, :mod:`climatology` and :mod:`baselines` make the forecasts to beat,
:mod:`metrics` scores, :mod:`table` and :mod:`figures` show.
"""

from anemoi_ailand.evaluation.case import Case, prepare
from anemoi_ailand.evaluation.comparison import compare, score
from anemoi_ailand.evaluation.inputs import Fields, open_fields

__all__ = ["Case", "Fields", "compare", "open_fields", "prepare", "score"]
