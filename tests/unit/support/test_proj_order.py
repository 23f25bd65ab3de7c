# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""pyproj and ecCodes in one process."""

import subprocess
import sys
from pathlib import Path

import pytest

import anemoi_ailand

ROOT = Path(anemoi_ailand.__file__).parent


def test_packages_that_import_eccodes_import_pyproj_first():
    """Each has the call in its ``__init__`` or in that of a package above it."""
    modules = [p for p in sorted(ROOT.rglob("*.py")) if "\nimport eccodes" in p.read_text(encoding="utf-8")]
    assert modules
    packages = [[q / "__init__.py" for q in p.parents if q.is_relative_to(ROOT)] for p in modules]
    assert [
        str(path)
        for path, found in zip(modules, packages, strict=True)
        if not any("import_pyproj_before_eccodes()" in q.read_text(encoding="utf-8") for q in found)
    ] == []


@pytest.mark.parametrize("order", ["eccodes, anemoi_ailand.data", "anemoi_ailand.data.grib.index, pyproj"])
def test_process_ends_well_in_either_order(order):
    """No crash with ecCodes imported before the package, or pyproj after it."""
    code = f"import {order}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{code}: {result.stderr[-2000:]}"
