# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every recipe is in order; that it makes a dataset is the claim of the integration tests."""

from __future__ import annotations

import yaml

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.support.packaged import listing
from tests.support.documents import header_faults, name_faults

RECIPES = {path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in listing("recipes").values()}


def test_promised_recipes_exist() -> None:
    """One for the sample, one for any ecLand run, one for the reference set, one for GRIB."""
    assert {"ecland-sample", "ecland-native", "ecland-reference", "ecland-grib"} <= set(listing("recipes"))


def test_headers() -> None:
    """Each header says what, needs, gives and how it is checked."""
    assert [fault for path in RECIPES for fault in header_faults(path)] == []


def test_names_are_in_the_table() -> None:
    """A recipe names only variables of the table, in lists of their role."""
    assert [fault for path in RECIPES for fault in name_faults(path)] == []


def test_recipes_are_named_as_their_files() -> None:
    """The name in the metadata of the dataset leads back to the recipe."""
    assert [path.name for path, recipe in RECIPES.items() if recipe["name"] != path.stem] == []


def test_step_is_the_emulators() -> None:
    """A dataset has the step that the emulator makes, and its statistics hold those of the changes over one step."""
    step = f"{STEP_HOURS}h"
    assert [path.name for path, recipe in RECIPES.items() if recipe["dates"]["frequency"] != step] == []
    assert [path.name for path, recipe in RECIPES.items() if step not in recipe["statistics"]["tendencies"]] == []


def test_no_path_of_a_machine() -> None:
    """A place is a variable of the environment, or stands to be replaced; no machine is named."""
    lines = [
        (path.name, line)
        for path in RECIPES
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("#") and (": /" in line or ": ~" in line)
    ]
    assert lines == []
