# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The rules for ecLand's files fit the table."""

from __future__ import annotations

from anemoi_ailand.data.native.interval_means import Kind
from anemoi_ailand.data.native.native_variables import CLIMATE, LEAF_AREA, RULES, SOIL, VEGETATION
from anemoi_ailand.variables import VARIABLES, Time

HOURS = {Time.INSTANT: 0, Time.INTERVAL_MEAN: 6, Time.LATE_MEAN: 3}
MADE = {"snowc", "avg_cpfr", "c4"}  #: from others, in native.py


def test_every_variable_of_the_table_has_one_rule():
    """Except sun, calendar and marks of points, which no file of ecLand holds."""
    ruled = [*RULES, *CLIMATE, *LEAF_AREA, *SOIL, *MADE, *(n for names in VEGETATION.values() for n in names)]
    assert len(ruled) == len(set(ruled))
    rest = {n for n, v in VARIABLES.items() if not v.computed} - set(ruled)
    assert rest == {"climate_class", "point_id", "held_out"}


def test_times_are_those_of_the_table():
    """An interval mean of the table is a mean over 6 h, an instant no mean."""
    assert [name for name, rule in RULES.items() if rule.hours != HOURS[VARIABLES[name].time]] == []
    assert [name for name, rule in RULES.items() if rule.kind is not Kind.MEAN and rule.hours == 3] == []


def test_files_and_names_are_those_of_the_table():
    """The column ``native`` of the table says the same file and names."""
    wrong = []
    for name in [*RULES, *CLIMATE, *LEAF_AREA]:
        place, _, natives = (VARIABLES[name].native or "").partition(":")
        if (rule := RULES.get(name)) is not None:
            parts = {p if rule.level is None else f"{p}[{rule.level + 1}]" for p, _ in rule.parts}
            fits = (place, set(natives.split(","))) == (rule.role, parts)
        else:
            fits = (place, natives) == ("surfclim", {**CLIMATE, **LEAF_AREA}[name])
        wrong += [] if fits else [name]
    assert wrong == []
