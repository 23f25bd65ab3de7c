# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Comparison of a user's scores with the published ones."""

from __future__ import annotations

import pandas as pd
import pytest

from anemoi_ailand.evaluation.scores.reproduction import compare_scores, read_scores

SHIPPED = [
    {"variable": "stl1", "group": "held_out", "lead": lead, "rmse": 1.0, "low": 0.8, "high": 1.3, "bias": 0.0}
    for lead in (30, 90)
]


def table(values, **columns):
    rows = [{"variable": "stl1", "group": "held_out", "lead": lead, "value": v} for lead, v in values.items()]
    return pd.DataFrame(rows).assign(**columns)


@pytest.mark.parametrize(("value", "found"), [(0.79, "below"), (0.8, "within"), (1.3, "within"), (1.31, "above")])
def test_against_the_interval(value, found):
    """Scores at the bounds are within the interval."""
    rows = compare_scores(SHIPPED, table({30: value, 90: 1.0}))
    assert rows["found"].tolist() == [found, "within"]
    assert rows["yours"].tolist() == [value, 1.0]


def test_missing_score_is_an_error():
    """A missing score is refused."""
    with pytest.raises(ValueError, match="lacks 1 of 2 scores, the first is stl1 at held_out points after 90 d"):
        compare_scores(SHIPPED, table({30: 1.0}))


def test_reads_the_model_only(tmp_path):
    """Only RMSE of protocol A at held-out and trained points of the model is read."""
    good = {"protocol": "A", "model": "mine", "cut": "points", "metric": "rmse"}
    others = [{"protocol": "B"}, {"model": "climatology"}, {"cut": "season"}, {"metric": "bias"}]
    parts = [table({30: 1.0}, **good), *(table({30: 9.0}, **(good | other)) for other in others)]
    pd.concat(parts).to_csv(tmp_path / "metrics.csv", index=False)
    assert read_scores(tmp_path)["value"].tolist() == [1.0]


def test_folder_of_several_models_or_of_none(tmp_path):
    """A folder without an evaluation, or with several models, is refused."""
    with pytest.raises(FileNotFoundError, match=r"There is no '.*metrics.csv'. Give the folder"):
        read_scores(tmp_path)
    good = {"protocol": "A", "cut": "points", "metric": "rmse"}
    both = pd.concat([table({30: 1.0}, model=model, **good) for model in ("a", "b", "persistence")])
    both.to_csv(tmp_path / "metrics.csv", index=False)
    with pytest.raises(ValueError, match=r"has the models \['a', 'b'\]"):
        read_scores(tmp_path)
