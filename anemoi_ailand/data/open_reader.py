# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Open land data from files of any layout, recognised by content."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from anemoi_ailand.data.files import paths
from anemoi_ailand.data.reader import Reader

LOG = logging.getLogger(__name__)

#: Layouts that :func:`open_reader` knows.
LAYOUTS = ("reference", "native", "land", "grib")


def open_reader(
    path: str | Sequence[str], static: str | Sequence[str] | None = None, layout: str = "auto", **options: Any
) -> Reader:
    """Open land data, whatever its layout.

    Parameters
    ----------
    path : str or list of str
        Folders, files, globs or patterns ``{date:strftime(%Y)}``; ``~`` and ``$VAR`` are expanded and
        ``$AILAND_SAMPLE`` is the packaged sample.
    static : str or list of str, optional
        File of the fields that do not change, when it does not lie beside the others under its usual name.
    layout : {'auto', 'reference', 'native', 'land', 'grib'}
        ``reference``: NetCDF (time, point) under the project's reference names. ``native``: what ecLand offline reads
        and writes. ``land``: NetCDF (time, point) under dataset names, e.g. our own forecasts. ``grib``: ECMWF GRIB.
    **options
        For the reader of that layout.

    Raises
    ------
    ValueError
        Unknown layout, or nothing recognised in the files.
    FileNotFoundError
        No file matches.
    """
    files = paths.resolve(path)
    static_files = paths.resolve(static) if static else []
    layout = detect_layout(files) if layout == "auto" else layout
    LOG.info("Layout '%s', %d file(s), first %s", layout, len(files), files[0])
    if layout in ("reference", "land"):
        from anemoi_ailand.data.points.point_reader import PointReader

        return PointReader(files, static_files, **options)
    if layout == "native":
        from anemoi_ailand.data.native.native_reader import NativeReader

        return NativeReader(files, static_files, **options)
    if layout == "grib":
        from anemoi_ailand.data.grib.grib_reader import GribReader

        return GribReader(files, static_files, **options)
    raise ValueError(f"There is no layout '{layout}'. Known: {['auto', *LAYOUTS]}. Correct the option `layout`.")


def detect_layout(files: Sequence[Any]) -> str:
    """Name the layout of ``files`` (paths) from their content.

    Raises
    ------
    ValueError
        The files have no layout that is known here.
    """
    from anemoi_ailand.data.files.layout import detect

    return detect(list(files))
