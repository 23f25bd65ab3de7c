# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Open land data in any layout of files, recognised by content.

To add a layout, write a reader that follows the protocol in ``reader``, and let ``files/layout`` recognise its files.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from anemoi_ailand.data.files import paths
from anemoi_ailand.data.files.layout import detect
from anemoi_ailand.data.reader import Reader

LOG = logging.getLogger(__name__)

#: Layouts that :func:`open_reader` knows.
LAYOUTS = ("reference", "native", "land", "grib", "tower")


def open_reader(
    path: str | Sequence[str], static: str | Sequence[str] | None = None, layout: str = "auto", **options: Any
) -> Reader:
    """Open land data in any layout.

    Parameters
    ----------
    path : str or list of str
        Folders, files, globs or patterns ``{date:strftime(%Y)}``; ``~`` and ``$VAR`` are expanded and
        ``$AILAND_SAMPLE`` is the packaged sample.
    static : str or list of str, optional
        File of the constant fields, unless it accompanies the others under its usual name.
    layout : {'auto', 'reference', 'native', 'land', 'grib', 'tower'}
        ``reference``: NetCDF (time, point) with the reference names of the project. ``native``: input and output of
        ecLand offline. ``land``: NetCDF (time, point) with dataset names, e.g. our own forecasts. ``grib``: ECMWF GRIB.
        ``tower``: a tower's own file (forcing only; never found by ``auto``).
    **options
        Options of the reader: ``point_id`` for the layout ``native``
        (:class:`~anemoi_ailand.data.native.native_reader.NativeReader`); ``land``, ``number``, ``forecast``,
        ``restart_hours`` and ``leave_out`` for ``grib`` (:class:`~anemoi_ailand.data.grib.grib_reader.GribReader`);
        those of :func:`~anemoi_ailand.data.stations.tower_reader.open_tower` for ``tower``.

    Returns
    -------
    Reader
        Values of shape (variable, date, point) in the units of the table of variables, by ``read(names, dates)``;
        ``variables``, ``latitudes``, ``longitudes`` and ``coverage``.

    Raises
    ------
    ValueError
        Unknown layout, or nothing recognised in the files.
    FileNotFoundError
        No file matches.

    Examples
    --------
    >>> from datetime import datetime
    >>> from anemoi_ailand import open_reader
    >>> sample = open_reader("$AILAND_SAMPLE")
    >>> print(sample.coverage)
    2020-01-01 00:00 to 2022-12-31 18:00 every 6:00:00
    >>> sample.read(["swvl1", "stl1"], [datetime(2021, 7, 1)]).shape
    (2, 1, 44)
    """
    files = paths.resolve(path)
    static_files = paths.resolve(static) if static else []
    layout = detect(files) if layout == "auto" else layout
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
    if layout == "tower":
        from anemoi_ailand.data.stations.tower_reader import open_tower

        if len(files) + len(static_files) > 1:
            raise ValueError(f"A tower has one file, and {len(files) + len(static_files)} are given.")
        return open_tower(files[0], **options)
    raise ValueError(f"There is no layout '{layout}'. Known: {['auto', *LAYOUTS]}. Correct the option `layout`.")
