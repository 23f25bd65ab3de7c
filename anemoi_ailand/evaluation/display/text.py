# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Text of results: numbers and enumerations, aligned Markdown tables, and JSON with one record per line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

#: Left-aligned columns: the first three and the last.
_LEFT = (0, 1, 2, -1)

#: Significant digits of numbers in JSON and CSV files.
DIGITS = 6


def aligned(rows: list[list[str]], left: Sequence[int] = _LEFT) -> list[str]:
    """Return the lines of a Markdown table whose first row is the header; numbers are right-aligned."""
    left = [column % len(rows[0]) for column in left]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(_cell(text, widths[i], i in left) for i, text in enumerate(row)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i in left else ":") for i, w in enumerate(widths)) + "|"
    return [lines[0], rule, *lines[1:]]


def _cell(text: str, width: int, left: bool) -> str:
    return text.ljust(width) if left else text.rjust(width)


def enumeration(words: list[str]) -> str:
    """Join words with commas and a final "and"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def plain_number(value: float | None) -> str:
    """Format three significant digits, without an exponent between 1e-4 and 1e4; a dash for no value."""
    if value is None or value != value:
        return "-"
    return f"{value:.3g}" if value == 0 or not 1e-4 <= abs(value) < 1e4 else f"{float(f'{value:.3g}'):.10g}"


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
