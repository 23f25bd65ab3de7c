# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small dataset, made once for all faults that need one."""

from pathlib import Path

import pytest

from tests.integration.conftest import anemoi, small_recipe


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """Dataset of the packaged sample from March to May 2020."""
    folder = tmp_path_factory.mktemp("dataset")
    anemoi("datasets", "create", small_recipe(folder / "recipe.yaml"), folder / "small.zarr", cwd=folder)
    return folder / "small.zarr"
