# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Coastlines for maps from the installation: cartopy's data, else a file of anemoi-training.

Nothing is downloaded; cartopy's own function would, so its data files are looked up in its folders.
"""

from __future__ import annotations

import json
import logging
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from anemoi_ailand.hosts.anemoi_training import continents_file

LOG = logging.getLogger(__name__)

#: Folders of cartopy's configuration, and the file in them.
_FOLDERS = ("pre_existing_data_dir", "data_dir", "repo_data_dir")
_SHAPES = "shapefiles/natural_earth/physical/ne_110m_coastline.shp"


@cache
def coastlines() -> tuple[np.ndarray, ...]:
    """Return lines ``(vertex, 2)`` of longitude and latitude [degrees]; empty if the installation has none."""
    return _of_cartopy() or _of_geojson()


def _of_cartopy() -> tuple[np.ndarray, ...]:
    """Coastlines of Natural Earth, if cartopy is installed and has the file."""
    if find_spec("cartopy") is None:
        return ()
    cartopy, reader = import_module("cartopy"), import_module("cartopy.io.shapereader")
    folders = [Path(cartopy.config[key]) for key in _FOLDERS if cartopy.config.get(key)]
    for file in filter(Path.is_file, (folder / _SHAPES for folder in folders)):
        LOG.info("Coastlines from %s", file)
        shapes = [part for shape in reader.Reader(str(file)).geometries() for part in getattr(shape, "geoms", [shape])]
        return tuple(np.asarray(shape.coords)[:, :2] for shape in shapes)
    return ()


def _of_geojson() -> tuple[np.ndarray, ...]:
    """Continents from the file that anemoi-training bundles."""
    file = continents_file()
    if file is None:
        LOG.info("Maps without coastlines: neither cartopy nor anemoi-training has a file of them")
        return ()
    shapes = [feature["geometry"] for feature in json.loads(file.read_text())["features"]]
    return tuple(np.asarray(g["coordinates"]) for g in shapes if g["type"] == "LineString")
