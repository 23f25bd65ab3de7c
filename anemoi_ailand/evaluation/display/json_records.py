# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""JSON text of results: plain numbers, ``null`` for undefined values, one record per line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

#: Significant digits of written numbers.
DIGITS = 6


def records(table: pd.DataFrame, digits: int | None = DIGITS) -> list[dict[str, Any]]:
    """Return the rows of a table, floats rounded to significant ``digits``, NaN and infinity as ``None``."""

    def plain(value: Any) -> Any:
        if isinstance(value, float | np.floating):
            return None if not np.isfinite(value) else float(value) if digits is None else float(f"{value:.{digits}g}")
        return value.item() if isinstance(value, np.generic) else value

    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def json_text(metrics: Mapping[str, Any]) -> str:
    """Format JSON with a line for each key and each record of a table; NaN and infinity are an error."""

    def text(value: Any) -> str:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n  " + ",\n  ".join(json.dumps(v, allow_nan=False, default=_plain) for v in value) + "\n ]"
        return json.dumps(value, allow_nan=False, default=_plain)

    return "{\n " + ",\n ".join(f"{json.dumps(key)}: {text(value)}" for key, value in metrics.items()) + "\n}\n"


def stamp(time: Any) -> str:
    """Format a date to the minute, e.g. 2022-01-01T00:00."""
    return str(np.datetime_as_string(np.datetime64(time), "m"))


def _plain(value: Any) -> Any:
    """Convert types unknown to ``json``: numbers of numpy, paths and dates."""
    return value.item() if isinstance(value, np.generic) else str(value)
