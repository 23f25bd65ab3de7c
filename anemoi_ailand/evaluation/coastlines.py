# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Coastlines for maps, from a file that is installed anyway; nothing is ever downloaded."""

from __future__ import annotations

import json
import logging
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

LOG = logging.getLogger(__name__)

#: Outlines of the continents as GeoJSON lines, in anemoi-training (for its own diagnostics).
_PACKAGE, _FILE = "anemoi.training", "diagnostics/evaluation/geospatial/continents.json"


@cache
def coastlines() -> tuple[np.ndarray, ...]:
    """Lines of ``(vertex, 2)`` longitude and latitude [degrees]; empty where the installation has none.

    The package that holds the file is only looked up, not imported.
    """
    spec = find_spec(_PACKAGE)
    files = [Path(folder) / _FILE for folder in (spec.submodule_search_locations or [])] if spec else []
    for file in filter(Path.is_file, files):
        features = json.loads(file.read_text())["features"]
        shapes = [f["geometry"] for f in features]
        return tuple(np.asarray(g["coordinates"]) for g in shapes if g["type"] == "LineString")
    LOG.info("Maps without coastlines: %s has no %s", _PACKAGE, _FILE)
    return ()
