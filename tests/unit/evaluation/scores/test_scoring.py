# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The two tables of one comparison, from files."""

from __future__ import annotations

import pandas as pd
import pytest

from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.evaluation.fields.reforecast import open_reforecast
from anemoi_ailand.evaluation.scores.difference_table import difference_table
from anemoi_ailand.evaluation.scores.score_table import score_table
from anemoi_ailand.evaluation.scores.scoring import differences, score
from anemoi_ailand.evaluation.scores.sums import collect
from tests.support import worlds as world


@pytest.fixture
def forecasts():
    return {"A": world.reforecast(), "B": world.reforecast(seed=2)}


def test_both_tables_are_those_of_one_pass(forecasts):
    """Whoever wants both calls `collect` once."""
    arguments = {"protocol": "A", "period": ("2020", "2021"), "cuts": ["points", "season"], "variables": ["2t"]}
    sums = collect(forecasts, world.reference(), **arguments)
    pd.testing.assert_frame_equal(score(forecasts, world.reference(), **arguments), score_table(sums))
    pd.testing.assert_frame_equal(differences(forecasts, world.reference(), **arguments), difference_table(sums))
    assert set(score_table(sums)["cut"]) == {"all", "points", "season"}


def test_forecast_in_time_is_scored_from_its_file(write_forecast, reference_file):
    """The output of a roll-out, 0.01 too high everywhere: bias and RMSE are that, as protocol B."""
    got = score({"run": open_reforecast(write_forecast(bias=0.01))}, open_fields(reference_file), protocol="B")
    rows = got[(got["model"] == "run") & (got["variable"] == "swvl1") & got["lead"].isna() & (got["cut"] == "all")]
    value = rows.set_index("metric")["value"]
    assert value["bias"] == pytest.approx(0.01, rel=1e-4)
    assert value["rmse"] == pytest.approx(0.01, rel=1e-4)
    assert value["ubrmse"] < 1e-6


def test_other_points_are_scored_by_day_or_by_window(forecasts):
    """Protocol C is A with other points; with a single start, B."""
    arguments = {"period": ("2020", "2021"), "variables": ["swvl1"], "cuts": ["points"]}
    many = score(forecasts, world.reference(), protocol="C", **arguments)
    assert set(many["lead"].dropna()) == {1.0, 2.0, 7.0}
    one = {label: forecast.select(slice(0, 1)) for label, forecast in forecasts.items()}
    single = score(one, world.reference(), protocol="C", **arguments)
    assert single["lead"].isna().any()
    assert set(single["protocol"]) == {"C"}
