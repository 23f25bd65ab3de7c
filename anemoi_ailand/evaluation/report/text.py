# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Numbers as people read them."""

from __future__ import annotations

import logging
import math

from anemoi_ailand.evaluation.display.style import minus, unit_label
from anemoi_ailand.evaluation.report.content import WHOLE, Score
from anemoi_ailand.variables import VARIABLES

LOG = logging.getLogger(__name__)

#: What stands for a group without values, and for a score that is not defined or was not asked for.
NO_DATA, NOT_DEFINED = "no data", "–"  # noqa: RUF001

#: Scores between -1 and 1.
UNITLESS = {"acc", "correlation", "hit_rate"}

_DIGITS = 3
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, signed: bool = False) -> str:
    """Three significant digits, a power of ten where the number is very small or large."""
    if not math.isfinite(value):
        return NOT_DEFINED
    if value == 0:
        return "0"
    sign = "+" if signed and value > 0 else ""
    size = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    if not -4 <= size < 5:
        return minus(f"{sign}{value / 10.0**size:.2f}") + "×10" + str(size).translate(_SUPERSCRIPTS)  # noqa: RUF001
    return minus(f"{sign}{value:.{max(0, _DIGITS - 1 - size)}f}")


def score_text(score: Score, metric: str) -> str:
    """A score for a cell of a table: "no data" for an empty group, a dash where it is not defined."""
    if score.n == 0:
        return NO_DATA
    if not score.known:
        return NOT_DEFINED
    if metric in UNITLESS:
        return minus(f"{score.value:.3f}")
    return number(score.value, signed=metric in ("bias", "drift_per_year"))


def percent(value: float, signed: bool = False) -> str:
    """A fraction in percent, whole from ten on."""
    if not math.isfinite(value):
        return NOT_DEFINED
    digits = 0 if abs(value) >= 0.0995 else 1
    return minus(f"{100 * value:{'+' if signed else ''}.{digits}f}") + "\N{NO-BREAK SPACE}%"


def times(value: float) -> str:
    """A ratio, as in "2.4 times"."""
    return f"{value:.2g} times" if value < 9.95 else f"{value:.0f} times"


def with_unit(value: float, name: str, signed: bool = False) -> str:
    """A number and the unit of a variable."""
    unit = unit_label(name) if name in VARIABLES else ""
    return number(value, signed) + ("" if unit in ("", "1") else f"\N{NO-BREAK SPACE}{unit}")


def lead_text(lead: float) -> str:
    """Name of a lead in a column."""
    return "whole run" if lead == WHOLE else f"{lead:g}\N{NO-BREAK SPACE}d"


def enumeration(words: list[str]) -> str:
    """Words with commas and a final "and"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""


def spoken(name: str) -> str:
    """Name of a group or term as words."""
    return name.replace("_", " ")
