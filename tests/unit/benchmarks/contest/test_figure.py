# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The figure has a point per entrant and the Pareto front."""

from __future__ import annotations

import pytest

from benchmarks.contest.figure import front, pareto_figure


def test_front_is_of_those_that_nobody_beats_in_both():
    """By increasing cost; of two alike, the first."""
    assert front([3.0, 1.0, 2.0, 2.0, 4.0], [0.5, 1.0, 0.7, 0.7, 0.6]) == [1, 2, 0]


def test_every_entrant_has_a_point_with_its_name(scores, entries):
    """In a panel for each lead time, on logarithmic axes."""
    figure = pareto_figure(scores, entries, "base", "held_out")
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in panels] == ["day 1", "day 2", "day 7"]
    for ax in panels:
        assert {text.get_text() for text in ax.texts} == {"base", "good", "few"}
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_unknown_group_is_an_error(scores, entries):
    """The error lists the available ones."""
    with pytest.raises(ValueError, match="There is no score of 'nowhere'"):
        pareto_figure(scores, entries, "base", "nowhere")
