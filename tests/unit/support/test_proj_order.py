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
#: Modules of the package that import ecCodes, by dotted name.
MODULES = [
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in sorted(ROOT.rglob("*.py"))
    if "\nimport eccodes" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("order", ["eccodes, {}", "{}, pyproj", "eccodes, anemoi_ailand.data"])
def test_process_ends_well_in_either_order(order):
    """No crash with ecCodes imported before the package, or pyproj after it."""
    assert MODULES
    code = "import " + order.format(", ".join(MODULES))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{code}: {result.stderr[-2000:]}"
