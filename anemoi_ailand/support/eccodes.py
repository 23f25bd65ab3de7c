# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""ecCodes, loaded at its first use and after pyproj."""

from __future__ import annotations

import sys
from typing import Any


class _EcCodes:
    """Names of ecCodes, whose import takes a tenth of a second that a run without GRIB saves.

    The wheels of pyproj and ecCodes each bring a PROJ library, and the process crashes where ecCodes comes first
    (pyproj 3.7, ecCodes 2.50). So pyproj is imported before, unless ecCodes is loaded. That can go when either order
    works.
    """

    def __getattr__(self, name: str) -> Any:
        if "gribapi" not in sys.modules:  # the package that loads the library, for `eccodes` too
            import pyproj  # noqa: F401
        import eccodes

        return getattr(eccodes, name)


#: The module ``eccodes``.
eccodes = _EcCodes()
