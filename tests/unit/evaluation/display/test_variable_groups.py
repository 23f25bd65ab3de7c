# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Variables are shown with those they belong to."""

from __future__ import annotations

from anemoi_ailand.evaluation.display.variable_groups import GROUPS, OTHER, ordered, variable_groups
from anemoi_ailand.variables import Role, names


def test_every_output_has_a_group():
    """A new variable of the table is put into a group on purpose."""
    grouped = [name for members in GROUPS.values() for name in members]
    assert sorted(grouped) == sorted(names(Role.PROGNOSTIC, Role.DIAGNOSTIC))


def test_groups_keep_only_what_is_asked_for():
    """Empty groups are left out, unknown names come last, doubles count once."""
    found = variable_groups(["albedo", "2t", "swvl2", "swvl1", "2t"])
    assert found == {"Soil moisture": ["swvl1", "swvl2"], "Surface and 2 m": ["2t"], OTHER: ["albedo"]}
    assert ordered(["albedo", "2t", "swvl2"]) == ["swvl2", "2t", "albedo"]
