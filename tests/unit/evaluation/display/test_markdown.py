# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The table says who is best, where, in numbers that can be read."""

from __future__ import annotations

import pytest

from anemoi_ailand.evaluation.display.markdown import best_model, markdown_table, number, table_groups


def metrics(groups):
    """Metrics of one variable in which climatology wins."""
    rmse = {"emulator": 0.02, "persistence": 0.123456, "climatology": 0.01}
    scores = {model: {"rmse": value} for model, value in rmse.items()}
    there = {group: scores for group, n in groups.items() if n}
    return {
        "forecast": {"initial": "2022-01-01T00:00", "first": "2022-01-01T06:00", "last": "2022-12-31T18:00"},
        "models": list(rmse),
        "groups": groups,
        "variables": {"swvl1": {"units": "m3 m-3", "groups": there, "best": {g: best_model(scores) for g in there}}},
    }


def test_table_has_a_row_for_each_variable_and_group():
    """Held-out and trained points, RMSE with three digits, the winner, and the count of wins."""
    text = markdown_table(metrics({"all": 10, "held_out": 2, "trained": 8}))
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| swvl1")
    ]
    assert rows[0] == ["swvl1", "m3 m-3", "held-out", "0.02", "0.123", "0.01", "climatology"]
    assert [row[2] for row in rows] == ["held-out", "trained"]
    assert "Best at held-out points (2): emulator 0, persistence 0, climatology 1 of 1 variables." in text
    assert len({len(line) for line in text.splitlines() if line.startswith("|")}) == 1


def test_empty_group_is_reported_as_empty():
    """Never as zero."""
    text = markdown_table(metrics({"all": 8, "held_out": 0, "trained": 8}))
    assert "No held-out points in this forecast." in text
    assert "held-out |" not in text


def test_table_without_held_out_points_is_about_all():
    """Where nothing is known of held-out points."""
    assert table_groups(metrics({"all": 4})) == ["all"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (123.456, "123"), (1234.5, "1230"), (3.2e-7, "3.2e-07"), (None, "-")]
)
def test_number_has_three_digits(value, text):
    """Without an exponent where that is readable."""
    assert number(value) == text
