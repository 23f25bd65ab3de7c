# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Open land data in any layout of files, recognised by content.

To add a layout, write a reader that follows the protocol in ``reader``, and let :func:`detect` recognise its files.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from anemoi_ailand.data.files import paths
from anemoi_ailand.data.files.netcdf import POINT_DIMENSIONS, is_netcdf, open_file
from anemoi_ailand.data.mapping.mapped_path import is_mapped, mapped_path
from anemoi_ailand.data.reader import Reader
from anemoi_ailand.support.options import check_known
from anemoi_ailand.support.packaged import expand
from anemoi_ailand.variables import VARIABLES

LOG = logging.getLogger(__name__)

#: Layouts that :func:`open_reader` knows.
LAYOUTS = ("reference", "native", "land", "grib", "anemoi", "tower", "stations")

#: Suffix of an Anemoi dataset.
ZARR = ".zarr"

#: Options of every layout.
_OF_ALL = ("path", "static", "layout")

#: Suffixes of tables in text, which only the layout of a tower has.
_TEXT = (".csv", ".tsv", ".dat")

#: Variables that occur in ecLand's own files only.
_NATIVE = {"SoilMoist", "SoilTemp", "AvgSurfT", "SWE", "Qle", "Evap", "T2m", "Ag", "SoilFC", "landsea", "Tair", "Mlail"}

#: Variables that occur in the reference layout of the project only.
_REFERENCE = {
    part for v in VARIABLES.values() if v.reference and v.reference not in (v.name, v.netcdf_name)
    for part in v.reference.split("+")
}  # fmt: skip


def open_reader(
    path: str | Path | Sequence[str | Path],
    static: str | Path | Sequence[str | Path] | None = None,
    layout: str = "auto",
    **options: Any,
) -> Reader:
    """Open land data in any layout.

    Parameters
    ----------
    path : str or list of str
        Folders, files, globs or patterns ``{date:strftime(%Y)}``, or an Anemoi dataset ``*.zarr``; ``~`` and ``$VAR``
        are expanded and ``$AILAND_SAMPLE`` is the packaged sample.
    static : str or list of str, optional
        File of the constant fields, unless it accompanies the others under its usual name.
    layout : {'auto', 'reference', 'native', 'land', 'grib', 'anemoi', 'tower', 'stations'}
        ``reference``: NetCDF (time, point) with the reference names of the project. ``native``: input and output of
        ecLand offline. ``land``: NetCDF (time, point) with dataset names, e.g. our own forecasts. ``grib``: ECMWF GRIB.
        ``anemoi``: a dataset of Anemoi. ``tower``: a tower's own file (forcing only). ``stations``: observations of
        towers and soil moisture networks, with gaps. ``auto`` finds all but the last two.
    **options
        Options of the reader: ``mapping`` for a dataset of Anemoi with other names and units, a packaged one such as
        ``ailand-v1`` or a YAML file (:mod:`~anemoi_ailand.data.mapping.declaration`); ``point_id`` for the layout
        ``native`` (:class:`~anemoi_ailand.data.native.native_reader.NativeReader`); ``land``, ``number``,
        ``forecast``, ``restart_hours`` and ``leave_out`` for ``grib``
        (:class:`~anemoi_ailand.data.grib.grib_reader.GribReader`);
        those of :func:`~anemoi_ailand.data.stations.tower_reader.open_tower` for ``tower``, and of
        :func:`~anemoi_ailand.data.stations.observation_reader.open_observations` for ``stations``, where ``at`` is a
        path.

    Returns
    -------
    Reader
        Values of shape (variable, date, point) in the units of the table of variables, by ``read(names, dates)``;
        ``variables``, ``latitudes``, ``longitudes`` and ``coverage``.

    Raises
    ------
    ValueError
        Unknown layout, nothing recognised in the files, or no points.
    FileNotFoundError
        No file matches.

    Examples
    --------
    >>> from datetime import datetime
    >>> from anemoi_ailand.data.open_reader import open_reader
    >>> sample = open_reader("$AILAND_SAMPLE")
    >>> print(sample.coverage)
    2020-01-01 00:00 to 2022-12-31 18:00 every 6:00:00
    >>> sample.read(["swvl1", "stl1"], [datetime(2021, 7, 1)]).shape
    (2, 1, 44)
    """
    reader = _opened(path, static, layout, options)
    check_points(reader.latitudes.size, reader.name)
    return reader


def check_points(number: int, what: str) -> None:
    """Refuse data without points, as a selection of points may leave them."""
    if not number:
        raise ValueError(f"{what} has no points. Give another file, or choose points that it has.")


def _opened(
    path: str | Path | Sequence[str | Path],
    static: str | Path | Sequence[str | Path] | None,
    layout: str,
    options: dict[str, Any],
) -> Reader:
    """Return the reader of the layout."""
    if (dataset := _anemoi_dataset(path, layout)) is not None:
        from anemoi_ailand.data.dataset_reader import DatasetReader

        mapping = options.pop("mapping", None)
        if static or options:
            raise ValueError(
                f"'{dataset}' is a dataset of Anemoi, which takes `mapping` only, no {[*options] or 'static'}. "
                "Remove it."
            )
        return DatasetReader(dataset if mapping is None else mapped_path(dataset, mapping))
    if layout == "stations":
        from anemoi_ailand.data.stations.observation_reader import open_observations

        known = [*inspect.signature(open_observations).parameters][1:]
        check_known(options, known, "The layout 'stations'", ("path", "layout"))
        at = options.pop("at", None)
        return open_observations(path, at=at if at is None else open_reader(at), **options)
    files = paths.resolve(path)
    static_files = paths.resolve(static) if static else []
    layout = detect(files) if layout == "auto" else layout
    LOG.info("Layout '%s', %d file(s), first %s", layout, len(files), files[0])
    if layout in ("reference", "land"):
        from anemoi_ailand.data.points.point_reader import PointReader

        return _made(PointReader, files, static_files, layout, options)
    if layout == "native":
        from anemoi_ailand.data.native.native_reader import NativeReader

        return _made(NativeReader, files, static_files, layout, options)
    if layout == "grib":
        from anemoi_ailand.data.grib.grib_reader import GribReader

        return _made(GribReader, files, static_files, layout, options)
    if layout == "tower":
        from anemoi_ailand.data.stations.tower_reader import open_tower

        if len(files) + len(static_files) > 1:
            raise ValueError(f"A tower has one file, and {len(files) + len(static_files)} are given.")
        return open_tower(files[0], **options)
    raise ValueError(f"There is no layout '{layout}'. Known: {['auto', *LAYOUTS]}. Correct the option `layout`.")


def _made(
    reader: Callable[..., Reader], files: list[Path], static: list[Path], layout: str, options: dict[str, Any]
) -> Reader:
    """Return a reader of files; an option that it does not have is an error with the nearest one."""
    check_known(options, [*inspect.signature(reader).parameters][2:], f"The layout '{layout}'", _OF_ALL)
    return reader(files, static, **options)


def _anemoi_dataset(path: str | Path | Sequence[str | Path], layout: str) -> Path | None:
    """Return the path of a dataset of Anemoi; None for anything else."""
    entries = [path] if isinstance(path, str | Path) or not isinstance(path, Sequence) else list(path)
    if layout not in ("auto", "anemoi") or len(entries) != 1:
        return None
    if is_mapped(entries[0]):
        return Path(entries[0])
    found = Path(expand(str(entries[0])))
    return found if layout == "anemoi" or found.suffix == ZARR else None


def detect(files: list[Path]) -> str:
    """Return the layout of files: 'reference', 'native', 'land' or 'grib'."""
    seen: set[str] = set()
    votes: set[str] = set()
    for path in files:
        if _is_grib(path):
            return "grib"
        if path.suffix.lower() in _TEXT and not is_netcdf(path):
            raise ValueError(
                f"'{path}' is a table in text, which is neither NetCDF nor GRIB. A tower's own file is opened with "
                '`layout: tower`, in Python `open_data(path, layout="tower")`; in a folder of other data, move it.'
            )
        with open_file(path) as dataset:
            names = set(dataset.variables)
            by_point = any(d in dataset.dimensions for d in POINT_DIMENSIONS)
        seen |= names
        if by_point:
            votes.add("reference" if names & _REFERENCE else "land")
        elif names & _NATIVE:
            votes.add("native")
    for layout in ("native", "reference", "land"):
        if layout in votes:
            return layout
    raise ValueError(
        f"No layout is recognised in {[p.name for p in files][:8]}, which hold {sorted(seen)[:20]}. Known: 'reference' "
        f"or 'land' (NetCDF with dimensions time and one of {POINT_DIMENSIONS}), 'native' (input and "
        "output of ecLand offline), 'grib'. Set `layout`, or correct `path`."
    )


def _is_grib(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"GRIB"
