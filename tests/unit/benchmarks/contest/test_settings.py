# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The configuration of a contest is checked as a whole before anything starts."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from anemoi_ailand.evaluation.settings import PeriodSettings
from benchmarks.contest.settings import CONFIGS, ContestSettings, read_contest

TWO = {"A": {"checkpoint": "a.ckpt"}, "B": {"stages": [{"config": "ailand"}]}}


def settings(**changes):
    return ContestSettings.model_validate({"dataset": "d.zarr", "entrants": TWO, "reference": "A", **changes})


@pytest.mark.parametrize("name", ["reference", "sample"])
def test_packaged_configurations_are_valid(name):
    """The reference recipe takes part, in two stages."""
    found = read_contest(CONFIGS / f"{name}.yaml")
    assert found.reference == "ailand-v1"
    assert [stage.config for stage in found.stages("ailand-v1")] == ["ailand-v1", "ailand-v1-rollout8"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "C"}, r"'C' is not among the entrants, which are \['A', 'B'\]; add it"),
        ({"entrants": {"A": {}}}, "give either `stages` of training or an existing `checkpoint`"),
        ({"entrants": {"A": {"checkpoint": "a", "stages": [{"config": "b"}]}}}, "give either"),
        ({"entrants": {"A": {"checkpoint": "a"}, "persistence": {"checkpoint": "b"}}}, "always take part"),
        ({"entrants": {"A": {"checkpoint": "a"}, "b c": {"checkpoint": "b"}, "b-c": {"checkpoint": "b"}}}, "in signs"),
        ({"overrides": ["system.output.root=x"]}, "'system.output.root=x' is the contest's own, because trainings are"),
        ({"entrants": {"A": {"stages": [{"config": "b", "overrides": ["+system.input.dataset=x"]}]}}}, "is for all"),
        ({"budget": {"point_steps": 0}}, "greater than 0"),
        ({"lead_days": [90, 30]}, "increasing"),
        ({"every_days": 0}, "at least 1"),
        ({"budget": {"steps": 1}}, "Extra inputs"),
    ],
)
def test_a_mistake_is_named(changes, message):
    """The error says what is wrong and what to do."""
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_long_run_may_be_a_switch_a_date_or_a_period():
    """It becomes protocol B of the evaluation."""
    day = datetime.date(2018, 1, 2)
    for given, expected in (
        (True, PeriodSettings()),
        (False, None),
        (None, None),
        ("2018-01-02", PeriodSettings(start=day)),
        ({"end": "2018-01-02"}, PeriodSettings(end=day)),
    ):
        assert settings(long_run=given).evaluation({"A": Path("a")}).protocol_b == expected


def test_overrides_for_all_come_first():
    """Overrides for all come first, so that an entrant can replace them."""
    entrants = {"A": {"stages": [{"config": "a", "overrides": ["x=2"]}]}}
    assert settings(overrides=["x=1"], entrants=entrants).stages("A")[0].overrides == ("x=1", "x=2")
