# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The public interface ``anemoi_ailand``: names, lazy imports, version."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import anemoi_ailand

ROOT = Path(__file__).resolve().parents[2]


def test_import_is_light() -> None:
    """``import anemoi_ailand`` and its listing load none of the large libraries."""
    script = (
        "import sys, anemoi_ailand\n"
        "assert 'LandStepper' in dir(anemoi_ailand)\n"
        "print(*sorted({'torch', 'numpy', 'xarray', 'pandas', 'anemoi'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == ""


def test_every_public_name_is_defined() -> None:
    """Each name is defined in the module that the table says, and no name is that of a room."""
    rooms = {p.stem for p in (ROOT / "anemoi_ailand").iterdir()}
    assert not rooms & set(anemoi_ailand.__all__)
    for module, names in anemoi_ailand._PUBLIC.items():
        for name in names:
            found = getattr(anemoi_ailand, name)
            assert getattr(found, "__module__", f"anemoi_ailand.{module}") == f"anemoi_ailand.{module}", name


def test_type_checkers_see_the_same_names() -> None:
    """The imports for type checkers are those of the table."""
    tree = ast.parse((ROOT / "anemoi_ailand" / "__init__.py").read_text(encoding="utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If))
    seen = {(n.module, a.name, a.asname) for n in block.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert seen == {(f"anemoi_ailand.{m}", n, n) for m, names in anemoi_ailand._PUBLIC.items() for n in names}


def test_unknown_name_is_an_attribute_error() -> None:
    """The message lists what there is."""
    with pytest.raises(AttributeError, match=r"no attribute 'LandSteper'; it has .*LandStepper"):
        anemoi_ailand.LandSteper  # noqa: B018


def test_version_is_that_of_the_distribution() -> None:
    """``__version__`` and pyproject.toml agree."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert anemoi_ailand.__version__ == project["version"]
