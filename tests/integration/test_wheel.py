# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The built wheel works in an empty folder, without the repository."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.support.packaged import listing
from tests.support.packages import ROOT, Installation, build, install

pytestmark = pytest.mark.slow

#: The sample has at most 12 MB, the trained network about 2; code, recipes and configurations are small [byte].
LARGEST_WHEEL = 16e6


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel in an environment of its own."""
    return install(wheel, tmp_path_factory.mktemp("installed"))


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Modules, sample, recipes and configurations; no tests, no scratch files; of bearable size."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"anemoi_ailand", "hydra_plugins"}
    assert "hydra_plugins/__init__.py" not in names, "it would hide the search paths of other packages"
    assert [name for name in names if name.endswith((".pyc", ".tmp", "~"))] == []
    assert any(name.startswith("anemoi_ailand/sample/") for name in names)
    assert "anemoi_ailand/py.typed" in names  # or type checkers take no types from the package
    assert wheel.stat().st_size < LARGEST_WHEEL


def test_package_comes_from_the_wheel(installed: Installation) -> None:
    """The checkout is out of sight."""
    file = Path(installed.code("import anemoi_ailand; print(anemoi_ailand.__file__)"))
    assert file.is_relative_to(installed.python.parents[1])
    assert not file.is_relative_to(ROOT)


@pytest.mark.parametrize("kind", ["recipes", "configs"])
def test_commands_find_the_files_of_the_checkout(installed: Installation, kind: str) -> None:
    """All recipes and configurations are in the wheel, with the same text, and lie inside it."""
    lines = installed.run("-m", "anemoi_ailand", kind).splitlines()
    assert [line.split()[0] for line in lines] == list(listing(kind))
    for name, path in listing(kind).items():
        assert installed.run("-m", "anemoi_ailand", kind, name) == path.read_text(encoding="utf-8")
        found = Path(installed.run("-m", "anemoi_ailand", kind, "--path", name).strip())
        assert found.is_relative_to(installed.python.parents[1])


def test_recipe_is_copied(installed: Installation) -> None:
    """The copy, which a user changes, has the text of the recipe."""
    name = installed.run("-m", "anemoi_ailand", "recipes", "--copy", "ecland-sample", "short.yaml", "--force").strip()
    expected = listing("recipes")["ecland-sample"].read_text(encoding="utf-8")
    assert (installed.folder / name).read_text(encoding="utf-8") == expected


def test_script_is_installed(installed: Installation) -> None:
    """The wheel brings the command ``anemoi-ailand``."""
    assert installed.run(installed.python.with_name("anemoi-ailand"), "--version").strip()


def test_sample_is_found(installed: Installation) -> None:
    """``$AILAND_SAMPLE`` leads into the wheel."""
    sample = Path(installed.code("from anemoi_ailand.support.packaged import expand; print(expand('$AILAND_SAMPLE'))"))
    assert sample.is_relative_to(installed.python.parents[1])
    assert any(sample.rglob("*.nc"))


def test_trained_network_is_found_and_loads(installed: Installation) -> None:
    """Checksum, record and card came with the wheel; the network loads from there."""
    path = Path(installed.run("-m", "anemoi_ailand", "pretrained", "--path").strip())
    assert path.is_relative_to(installed.python.parents[1])
    assert "verified" in installed.run("-m", "anemoi_ailand", "pretrained", "--check")
    assert installed.run("-m", "anemoi_ailand", "pretrained", "--card").startswith("# Model card: ailand")


def test_entry_points_load(installed: Installation) -> None:
    """Every plug-in is announced and loads, and the process ends well."""
    text = (
        "import pyproj\nfrom importlib.metadata import distribution\n"
        "print(*[e.load().__module__ for e in distribution('anemoi-ailand').entry_points], sep='\\n')"
    )
    found = installed.code(text).splitlines()
    assert found
    assert all(module.startswith("anemoi_ailand.") for module in found)


@pytest.mark.parametrize("name", ["ailand", "ailand-sample"])
def test_hydra_finds_the_configuration(installed: Installation, name: str) -> None:
    """``--config-name NAME`` composes from an empty folder, by the search-path plug-in of the wheel."""
    text = (
        "from hydra import compose, initialize_config_module\n"
        "with initialize_config_module('anemoi.training.config', version_base=None):\n"
        f"    print(compose('{name}', ['system.input.dataset=x.zarr']).model.model._target_)"
    )
    assert installed.code(text).startswith("anemoi_ailand.")


def test_quickstart(installed: Installation) -> None:
    """Dataset, training, roll-out and evaluation by their commands, in the smallest form of the quickstart."""
    installed.run("-m", "anemoi_ailand", "quickstart", "--smallest", "--output", "result", timeout=900)
    for name in ("dataset.zarr", "training", "forecast.nc", "comparison/metrics.json"):
        assert (installed.folder / "result" / name).exists(), name
    with xr.open_dataset(installed.folder / "result" / "forecast.nc") as forecast:
        assert forecast.sizes["time"] == 60 * 4 + 1
        assert bool(np.isfinite(forecast["swvl1"]).all())
