# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Import order of pyproj and ecCodes, whose wheels each bring a PROJ library."""

from __future__ import annotations

import sys


def import_pyproj_before_eccodes() -> None:
    """Import pyproj unless ecCodes is loaded: in the reverse order the process crashes (pyproj 3.7, ecCodes 2.50).

    Packages that import ecCodes call this in their ``__init__``. It can go when either order works.
    """
    if "gribapi" not in sys.modules:  # the package that loads the library, for `eccodes` too
        import pyproj  # noqa: F401
