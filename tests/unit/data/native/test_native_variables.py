# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Rules for ecLand's files agree with the table."""

from __future__ import annotations

from anemoi_ailand.data.native.interval_means import Kind
from anemoi_ailand.data.native.native_variables import CLIMATE, LEAF_AREA, RULES, SOIL, VEGETATION
from anemoi_ailand.variables import VARIABLES, Time

HOURS = {Time.INSTANT: 0, Time.INTERVAL_MEAN: 6, Time.LATE_MEAN: 3}
MADE = {"snowc", "avg_cpfr", "c4"}  #: derived from others in native_reader.py


def test_every_variable_of_the_table_has_one_rule():
    """Except sun, calendar and labels of points, which no file of ecLand has."""
    ruled = [*RULES, *CLIMATE, *LEAF_AREA, *SOIL, *MADE, *(n for names in VEGETATION.values() for n in names)]
    assert len(ruled) == len(set(ruled))
    rest = {n for n, v in VARIABLES.items() if not v.computed} - set(ruled)
    assert rest == {"climate_class", "point_id", "held_out"}


def test_time_semantics_are_those_of_the_table():
    """An interval mean of the table is a mean over 6 h, a late mean over 3 h, an instant no mean."""
    assert {n: r.hours for n, r in RULES.items()} == {n: HOURS[VARIABLES[n].time] for n in RULES}
    assert [n for n, r in RULES.items() if r.hours == 3 and r.kind is Kind.INSTANT] == []


def test_files_and_names_are_those_of_the_table():
    """The column ``native`` of the table has the same file and names."""
    ours = {n: ("surfclim", {native}) for n, native in {**CLIMATE, **LEAF_AREA}.items()}
    for name, rule in RULES.items():
        level = "" if rule.level is None else f"[{rule.level + 1}]"
        ours[name] = (rule.role, {f"{part}{level}" for part, _ in rule.parts})
    table = {n: (VARIABLES[n].native or "").partition(":")[::2] for n in ours}
    assert ours == {n: (role, set(natives.split(","))) for n, (role, natives) in table.items()}
