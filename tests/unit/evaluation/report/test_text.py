# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Numbers are short, and never hide that there is none."""

from __future__ import annotations

import math

import pytest

from anemoi_ailand.evaluation.report.content import NOT_MEASURED, WHOLE, Score
from anemoi_ailand.evaluation.report.text import (
    NOT_DEFINED,
    enumeration,
    lead_text,
    number,
    percent,
    score_text,
    times,
    with_unit,
)

MINUS = "\N{MINUS SIGN}"
NBSP = "\N{NO-BREAK SPACE}"
TIMES = "\N{MULTIPLICATION SIGN}"


def test_number_has_three_digits():
    """Rounded up across a power of ten, too."""
    expected = [
        (0.0, "0"), (0.01234, "0.0123"), (1.0, "1.00"), (12.34, "12.3"), (123.4, "123"), (12345.0, "12345"),
        (-0.5, f"{MINUS}0.500"), (1.234e-6, f"1.23{TIMES}10⁻⁶"), (-3.2e7, f"{MINUS}3.20{TIMES}10⁷"), (0.9999, "1.00"),
        (9.999e-5, "0.000100"), (math.nan, NOT_DEFINED),
    ]  # fmt: skip
    assert [(value, number(value)) for value, _ in expected] == expected


def test_sign_is_shown_where_it_matters():
    """A bias has one, zero has none."""
    assert number(0.25, signed=True) == "+0.250"
    assert number(0.0, signed=True) == "0"


@pytest.mark.parametrize(
    ("score", "metric", "text"),
    [
        (Score(math.nan, 0), "rmse", "no data"), (Score(math.nan, 5), "acc", NOT_DEFINED),
        (NOT_MEASURED, "rmse", NOT_DEFINED), (Score(0.0, 5), "rmse", "0"),
        (Score(0.98765, 5), "acc", "0.988"), (Score(1.0, 5), "bias", "+1.00"),
    ],
)  # fmt: skip
def test_empty_group_is_never_zero(score, metric, text):
    """No data, not defined, and zero are three things."""
    assert score_text(score, metric) == text


def test_words():
    """Ratios, percentages, leads and lists as they are spoken."""
    assert percent(0.154) == f"15{NBSP}%"
    assert percent(-0.0154, signed=True) == f"{MINUS}1.5{NBSP}%"
    assert times(2.44) == "2.4 times"
    assert times(12.4) == "12 times"
    assert lead_text(30.0) == f"30{NBSP}d"
    assert lead_text(WHOLE) == "whole run"
    assert with_unit(0.0123, "swvl1") == f"0.0123{NBSP}m³ m⁻³"
    assert with_unit(0.5, "snowc") == "0.500"
    assert enumeration(["a", "b", "c"]) == "a, b and c"
    assert enumeration(["a"]) == "a"
    assert enumeration([]) == ""
