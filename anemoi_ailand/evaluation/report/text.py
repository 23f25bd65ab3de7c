# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Numbers and names as text of the report."""

from __future__ import annotations

import math

from anemoi_ailand.evaluation.display.style import minus, superscript
from anemoi_ailand.evaluation.report.content import WHOLE, Score
from anemoi_ailand.evaluation.scores.metrics import UNITLESS

#: Text of an empty group, and of an undefined score.
NO_DATA, NOT_DEFINED = "no data", "–"  # noqa: RUF001

_DIGITS = 3


def number(value: float, signed: bool = False) -> str:
    """Format three significant digits, with a power of ten for very small or large numbers."""
    if not math.isfinite(value):
        return NOT_DEFINED
    if value == 0:
        return "0"
    sign = "+" if signed and value > 0 else ""
    size = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    if not -4 <= size < 5:
        return minus(f"{sign}{value / 10.0**size:.2f}") + "×10" + superscript(str(size))  # noqa: RUF001
    return minus(f"{sign}{value:.{max(0, _DIGITS - 1 - size)}f}")


def score_text(score: Score, metric: str) -> str:
    """Format a score for a cell of a table: "no data" for an empty group, a dash if it is undefined."""
    if score.n == 0:
        return NO_DATA
    if not score.known:
        return NOT_DEFINED
    if metric in UNITLESS:
        return minus(f"{score.value:.3f}")
    return number(score.value, signed=metric in ("bias", "drift_per_year"))


def percent(value: float, signed: bool = False) -> str:
    """Format a fraction in percent, without decimals from ten."""
    if not math.isfinite(value):
        return NOT_DEFINED
    digits = 0 if abs(value) >= 0.0995 else 1
    return minus(f"{100 * value:{'+' if signed else ''}.{digits}f}") + "\N{NO-BREAK SPACE}%"


def lead_text(lead: float) -> str:
    """Format a lead time [d]."""
    return "whole run" if lead == WHOLE else f"{lead:g}\N{NO-BREAK SPACE}d"


def words(name: str) -> str:
    """Format the name of a group or term as words."""
    return name.replace("_", " ")
