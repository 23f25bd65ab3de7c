# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Cost of entrants, and fairness of their samples."""

from __future__ import annotations

from benchmarks.contest.entry import Entry, fairness


def entry(label, point_steps=None, **changes):
    return Entry(label, "config", "a.ckpt", "0", 10, 20.0, 25.0, point_steps=point_steps, **changes)


def test_hours_follow_from_seconds():
    """Hours are unknown where the seconds are."""
    made = entry("A", wall_seconds=7200.0, cpu_seconds=1800.0)
    assert (made.wall_hours, made.cpu_hours) == (2.0, 0.5)
    assert entry("A").wall_hours is None
    assert made.record()["cpu_seconds"] == 1800.0


def test_less_than_the_budget_is_said():
    """Entrants below the budget are listed with their share."""
    text = "\n".join(fairness([entry("A", 100.0), entry("B", 50.0), entry("C")], "A", 100.0))
    assert "Less than that: B 50%." in text
    assert "nobody has had more" in text
    assert "Samples not known: C." in text


def test_reference_with_fewer_samples_is_said():
    """It is reported whether the reference had the most samples."""
    text = "\n".join(fairness([entry("A", 100.0), entry("B", 150.0)], "A", None))
    assert "**fewer than those of B**" in text
    assert "Budget" not in text
