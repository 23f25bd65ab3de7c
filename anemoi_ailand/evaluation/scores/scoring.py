# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Score re-forecasts against the reference: two tidy tables.

Both tables follow from one pass over the data, :func:`~anemoi_ailand.evaluation.scores.sums.collect`; to have both
for the price of one, call that, and then ``score_table`` and ``difference_table``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.reforecast import Reforecast
from anemoi_ailand.evaluation.scores.difference_table import difference_table
from anemoi_ailand.evaluation.scores.score_table import score_table
from anemoi_ailand.evaluation.scores.sums import collect


def score(forecasts: Mapping[str, Reforecast], reference: Fields, **options: Any) -> pd.DataFrame:
    """Scores of the forecasts, persistence and climatology; ``options`` as in `collect`, table as in `score_table`."""
    return score_table(collect(forecasts, reference, **options))


def differences(
    forecasts: Mapping[str, Reforecast], reference: Fields, *, seed: int = 0, **options: Any
) -> pd.DataFrame:
    """Paired comparisons; ``options`` as in `collect`, table and ``seed`` as in `difference_table`."""
    return difference_table(collect(forecasts, reference, **options), seed)
