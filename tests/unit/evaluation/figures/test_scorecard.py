# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Triangles of the scorecard show sign, size and significance of differences."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from anemoi_ailand.evaluation.display.style import BETTER, WORSE
from anemoi_ailand.evaluation.figures.scorecard import scorecard_figure
from tests.support.results import LEADS, VARIABLES, table


@pytest.fixture
def differences():
    return table("differences")


def test_each_cell_has_sign_and_significance(differences):
    """Colour and filling follow the table, with the relative difference as text."""
    ax = scorecard_figure(differences, "emulator", "older", "A").axes[0]
    assert len(ax.collections) == len(differences) == len(VARIABLES) * len(LEADS)
    for marker, (_, row) in zip(ax.collections, differences.iterrows(), strict=True):
        assert to_hex(marker.get_edgecolor()[0]).upper() == (BETTER if row["difference"] < 0 else WORSE)
        assert (len(marker.get_facecolor()) > 0) == row["significant"]
    first = differences.iloc[0]
    number = f"{100 * first['difference'] / first['b_value']:+.0f} %".replace("-", "\N{MINUS SIGN}")
    assert ax.texts[0].get_text() == number


def test_larger_difference_has_a_larger_triangle(differences):
    """The area grows with the difference up to 30 %."""
    ax = scorecard_figure(differences, "emulator", "older", "A").axes[0]
    relative = (differences["difference"] / differences["b_value"]).abs().clip(upper=0.3).to_numpy()
    sizes = np.array([marker.get_sizes()[0] for marker in ax.collections])
    assert (np.diff(sizes[np.argsort(relative)]) >= -1e-9).all()


def test_cell_without_values_is_marked(differences):
    """A cell without values says "no data"."""
    differences.loc[0, ["a_value", "b_value", "difference", "low", "high"]] = np.nan
    ax = scorecard_figure(differences, "emulator", "older", "A").axes[0]
    assert ax.texts[0].get_text() == "no data"
    assert len(ax.collections) == len(differences) - 1


def test_whole_run_is_a_separate_column(differences):
    """The lead NaN is the last column."""
    last = differences.iloc[-1:].assign(lead=np.nan)
    rows = np.concatenate([differences.to_numpy(), last.to_numpy()])
    ax = scorecard_figure(
        type(differences)(rows, columns=differences.columns).infer_objects(), "emulator", "older", "A"
    ).axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "7", "30", "60", "90", "whole run"]
