# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables are aligned, and numbers are readable."""

from __future__ import annotations

import pytest

from anemoi_ailand.evaluation.display.markdown import aligned, number


def test_columns_are_aligned():
    """Words are aligned to the left, numbers to the right, and all lines have the same length."""
    lines = aligned([["variable", "unit", "points", "emulator", "best"], ["sd", "m", "all", "0.02", "climatology"]])
    assert len({len(line) for line in lines}) == 1
    assert lines[2] == "| sd       | m    | all    |     0.02 | climatology |"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (123.456, "123"), (1234.5, "1230"), (3.2e-7, "3.2e-07"), (None, "-")]
)
def test_number_has_three_digits(value, text):
    """Numbers have three digits, and no exponent between 1e-4 and 1e4."""
    assert number(value) == text
