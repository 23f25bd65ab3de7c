# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Packaged files are found by one mechanism, in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from anemoi_ailand.support import packaged as resources


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up installed package in a made-up checkout."""
    package = tmp_path / "checkout" / "anemoi_ailand"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    return package


@pytest.mark.parametrize("inside", [True, False], ids=["wheel", "checkout"])
def test_folder_in_wheel_and_checkout(package: Path, inside: bool) -> None:
    """The folder lies in the package (wheel) or beside it (checkout)."""
    root = package if inside else package.parent
    (root / "recipes").mkdir()
    assert resources.folder("recipes") == root / "recipes"


def test_wheel_comes_before_what_lies_beside_it(package: Path) -> None:
    """A folder ``recipes`` that happens to lie in site-packages is not taken for ours."""
    for root in (package, package.parent):
        (root / "recipes").mkdir()
    assert resources.folder("recipes") == package / "recipes"


def test_missing_folder_says_what_to_do(package: Path) -> None:
    """A broken installation is named as such."""
    with pytest.raises(FileNotFoundError, match=r"'recipes' is neither in .* install again"):
        resources.folder("recipes")


def test_listing_and_find(package: Path) -> None:
    """Names are paths below the folder without ending; other files are not listed."""
    files = [package / "configs" / "training" / "ailand.yaml", package / "configs" / "a.yaml"]
    for path in [*files, package / "configs" / "README.md"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert resources.listing("configs") == {"a": files[1], "training/ailand": files[0]}
    assert resources.find("configs", "training/ailand.yaml") == resources.find("configs", "training/ailand") == files[0]


def test_unknown_name_gives_near_ones(package: Path) -> None:
    """The error gives the nearest names and the command that lists them all."""
    (package / "recipes").mkdir()
    (package / "recipes" / "ecland-sample.yaml").touch()
    with pytest.raises(ValueError, match=r"'ecland-sampel'.*'ecland-sample'.*anemoi-ailand recipes"):
        resources.find("recipes", "ecland-sampel")


def test_the_real_folders_are_there() -> None:
    """The installation holds recipes, configurations and the sample."""
    assert resources.listing("recipes")
    assert resources.listing("configs")
    assert resources.folder("sample").is_dir()


def test_expand(monkeypatch: pytest.MonkeyPatch) -> None:
    """``~``, ``$VAR`` and ``${VAR}`` are replaced; patterns are left alone."""
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("RUN", "abc")
    assert resources.expand("~/$RUN/${RUN}_*.nc") == "/somewhere/abc/abc_*.nc"


def test_expand_finds_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """``$AILAND_SAMPLE`` is the packaged sample unless the user has set it."""
    monkeypatch.delenv(resources.SAMPLE_VARIABLE, raising=False)
    assert resources.expand("$AILAND_SAMPLE/x.nc") == str(resources.folder("sample") / "x.nc")
    monkeypatch.setenv(resources.SAMPLE_VARIABLE, "mine")
    assert resources.expand("$AILAND_SAMPLE/x.nc") == "mine/x.nc"


def test_expand_refuses_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error gives the path as written and the repair."""
    monkeypatch.setenv(resources.SAMPLE_VARIABLE, "mine")
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(ValueError, match=r"\$NOT_SET/x\.nc.*not set.*Set it"):
        resources.expand("$NOT_SET/x.nc")
