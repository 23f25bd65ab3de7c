# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every recipe is in order; that it makes a dataset is the claim of the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.support.packaged import listing
from tests.support.yaml_names import check_header, check_names_and_roles

RECIPES = pytest.mark.parametrize("path", listing("recipes").values(), ids=listing("recipes"))


def test_the_promised_recipes_are_there() -> None:
    """One for the sample, one for any ecLand run, one for the reference set, one for GRIB."""
    assert {"ecland-sample", "ecland-native", "ecland-reference", "ecland-grib"} <= set(listing("recipes"))


@RECIPES
def test_header(path: Path) -> None:
    """The header says what, needs, gives and how it is checked."""
    check_header(path)


@RECIPES
def test_names_are_in_the_table(path: Path) -> None:
    """A recipe names only variables of the table, in lists of their role."""
    check_names_and_roles(path)


@RECIPES
def test_recipe_is_named_as_its_file(path: Path) -> None:
    """The name in the metadata of the dataset leads back to the recipe."""
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"] == path.stem


@RECIPES
def test_step_is_the_emulators(path: Path) -> None:
    """A dataset has the step that the emulator makes."""
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["dates"]["frequency"] == f"{STEP_HOURS}h"


@RECIPES
def test_statistics_have_increments(path: Path) -> None:
    """The statistics of the changes over one step are part of the dataset."""
    statistics = yaml.safe_load(path.read_text(encoding="utf-8"))["statistics"]
    assert f"{STEP_HOURS}h" in statistics["tendencies"]


@RECIPES
def test_no_path_of_a_machine(path: Path) -> None:
    """A place is a variable of the environment, or stands to be replaced; no machine is named."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines if ": /" in line or ": ~" in line] == []
