# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Table and figure show who is surely better, by how much, and at what cost."""

from __future__ import annotations

import pytest

from benchmarks.contest.entry import Entry, fairness
from benchmarks.contest.figure import front, pareto_figure
from benchmarks.contest.table import contest_table


@pytest.fixture(scope="module")
def text(scores, entries):
    return contest_table(scores, entries, "base", title="What was run.", budget=2e7)


def row(text, heading, label):
    """Cells of a row under a heading."""
    part = text.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    line = next(line for line in part.splitlines() if line.startswith(f"| {label} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_table_begins_with_settings_and_entrants(text):
    """Parameters, operations, samples, hours, device, and a note."""
    assert text.startswith("What was run.\n")
    assert row(text, "What was run.\n", "good") == [
        "good", "100,000", "2.2e+05", "1e+07", "1", "1", "CPU", "three", "ours",
    ]  # fmt: skip
    assert "Less than that: good 50%." in text
    assert "Samples not known: few." in text


def test_half_the_error_is_bold(text):
    """The reference has its error in the first row, the others ratios to it."""
    heading = "## held-out points, day 7\n"
    header = row(text, heading, "")
    assert header[1:] == ["stl1", "swvl1", "2t", "slhf", "core", "lower", "bar"]
    assert row(text, heading, "base [RMSE]")[1].endswith(" K")
    good = dict(zip(header, row(text, heading, "good"), strict=True))
    assert all(good[name].startswith("**0.") for name in ("stl1", "swvl1", "2t", "slhf", "core"))
    assert (good["lower"], good["bar"]) == ("4/4", "1/1")


def test_entrant_without_a_variable_has_a_dash(text):
    """Entrants with fewer variables are scored for those they have; worse ones are not bold."""
    few = row(text, "## trained points, day 1\n", "few")
    assert few[1] == few[4] == "-"
    assert few[2].startswith("1.")
    assert few[-2:] == ["0/2", "0/0"]


def test_bias_snow_and_long_run_are_shown(text, scores, entries):
    """Each quantity is shown with its bar; a protocol that was not run is not shown."""
    assert "# One run" not in contest_table(scores.query("protocol == 'A'"), entries, "base", title="T")
    assert "(" in row(text, "## Bias in K with its 95 % interval, held-out points, day 7\n", "good")[1]
    assert float(row(text, "snow-free zone, all points, day 7 (bar: at most 1.5)\n", "good")[1]) > 0
    assert row(text, "## Bias in year 2 (bar for stl1-3: 0.05 K)\n", "good")[0] == "good"
    assert float(row(text, "## Anomaly correlation over the whole run (bar for swvl3: 0.95)\n", "good")[1]) > 0.5


def test_reference_with_fewer_samples_is_reported():
    """It is reported whether the reference had the most samples, and who had less than the budget."""
    a, b = (Entry(name, "config", "a.ckpt", "0", 10, 20.0, 25.0, point_steps=n) for name, n in (("A", 100), ("B", 150)))
    assert "**fewer than those of B**" in "".join(fairness([a, b], "A", None))
    text = "".join(fairness([a, b], "B", 150.0))
    assert "Less than that: A 67%." in text and "nobody has had more" in text


def test_front_is_of_those_that_nobody_beats_in_both():
    """By increasing cost; of two alike, the first."""
    assert front([3.0, 1.0, 2.0, 2.0, 4.0], [0.5, 1.0, 0.7, 0.7, 0.6]) == [1, 2, 0]


def test_every_entrant_has_a_point_with_its_name(scores, entries):
    """In a panel for each lead time, on logarithmic axes."""
    panels = [ax for ax in pareto_figure(scores, entries, "base", "held_out").axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in panels] == ["day 1", "day 2", "day 7"]
    for ax in panels:
        assert {text.get_text() for text in ax.texts} == {"base", "good", "few"}
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
