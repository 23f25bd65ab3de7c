# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Read stations from files of any archive, recognised by content.

To add an archive, write a module that recognises its files and reads them into stations, and add it to
:data:`ARCHIVES`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anemoi_ailand.data.stations.closure import RAW, FluxOptions
from anemoi_ailand.data.stations.fluxnet import is_fluxnet, read_fluxnet
from anemoi_ailand.data.stations.ismn import is_ismn, read_ismn
from anemoi_ailand.data.stations.plumber2 import is_plumber2, read_plumber2
from anemoi_ailand.data.stations.sampling import GOOD_QUALITY, MINIMUM_COVERAGE
from anemoi_ailand.data.stations.sites import Site, is_sites, read_sites
from anemoi_ailand.data.stations.station import ONE, Station
from anemoi_ailand.support.disk_errors import not_found

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """Options of :func:`read_stations`, with all known sites by code."""

    sites: Mapping[str, Site]
    per_layer: str
    fluxes: FluxOptions


@dataclass(frozen=True)
class Archive:
    """Reader of an archive."""

    recognise: Callable[[Path], bool]
    read: Callable[[Sequence[Path], Options], list[Station]]
    files: str  #: description of the files, for messages


#: Archives by the name that ``kind`` takes.
ARCHIVES: dict[str, Archive] = {
    "ismn": Archive(
        is_ismn, lambda paths, o: read_ismn(paths, per_layer=o.per_layer), "ISMN (.stm, or the zip as downloaded)"
    ),
    "fluxnet": Archive(
        is_fluxnet,
        lambda paths, o: [read_fluxnet(p, o.sites, per_layer=o.per_layer, fluxes=o.fluxes) for p in paths],
        "FLUXNET CSV with half-hourly or hourly records (TIMESTAMP_START as YYYYMMDDHHMM and at least one of LE_F_MDS, "
        "H_F_MDS, NETRAD, NEE_VUT_REF, SWC_F_MDS_1, TS_F_MDS_1)",
    ),
    "plumber2": Archive(
        is_plumber2,
        lambda paths, o: [read_plumber2(p, o.sites, per_layer=o.per_layer, fluxes=o.fluxes) for p in paths],
        "PLUMBER2 NetCDF (time, y, x with Qle, Qh, Rnet, NEE or GPP)",
    ),
}

#: Any archive, and tables of sites that accompany one.
AUTO, _SITES = "auto", "sites"


def read_stations(
    paths: str | Path | Sequence[str | Path],
    kind: str = AUTO,
    *,
    sites: Mapping[str, Site] | str | Path | None = None,
    per_layer: str = ONE,
    closure: str = RAW,
    quality: Sequence[int] = GOOD_QUALITY,
    coverage: float = MINIMUM_COVERAGE,
) -> list[Station]:
    """Read stations from files and folders; a folder is searched recursively.

    Parameters
    ----------
    paths : path or sequence of paths
        Folders, ISMN zip archives, single files.
    kind : str
        A name of :data:`ARCHIVES` reads its files only, and refuses another file given by name; ``auto`` reads all.
    sites : mapping or path, optional
        Places, clocks and depths of sensors, see :mod:`anemoi_ailand.data.stations.sites`; tables found in ``paths``
        are used as well. FLUXNET files need them.
    per_layer : str
        Use of several sensors in a soil layer, ``one`` or ``mean``; see
        :func:`~anemoi_ailand.data.stations.station.make_station`.
    closure : {'raw', 'bowen', 'evaporative-fraction'}
        Closure of the energy balance of towers, see :mod:`anemoi_ailand.data.stations.closure`.
    quality : sequence of int
        Quality flags of towers that are kept; ISMN keeps G only.
    coverage : float
        Least part of 6 h that has values, for a mean [1].

    Returns
    -------
    list of Station
        Stations with at least one good value, by network and name; none at all is an error.
    """
    if kind not in (AUTO, *ARCHIVES):
        raise ValueError(f"'{kind}' is not a known archive. Give one of {[AUTO, *ARCHIVES]}.")
    given = [Path(p).expanduser() for p in ([paths] if isinstance(paths, str | Path) else paths)]
    found = _files_by_kind(given, kind)
    known = dict(sites) if isinstance(sites, Mapping) else read_sites(Path(sites)) if sites is not None else {}
    for path in found.pop(_SITES):
        known = {**read_sites(path), **known}
    options = Options(known, per_layer, FluxOptions(closure, tuple(quality), coverage))
    return _usable([s for name, files in found.items() if files for s in ARCHIVES[name].read(files, options)], given)


def kind_of(path: Path) -> str | None:
    """Return the kind of a file by its content: a name of :data:`ARCHIVES`, ``sites``, or None."""
    if is_sites(path):
        return _SITES
    return next((name for name, archive in ARCHIVES.items() if archive.recognise(path)), None)


def _files_by_kind(given: Sequence[Path], kind: str) -> dict[str, list[Path]]:
    """Return files by kind. Other files are ignored in a folder, and refused if given by name."""
    found: dict[str, list[Path]] = {**{name: [] for name in ARCHIVES}, _SITES: []}
    ignored: list[str] = []
    for path in given:
        if not path.exists():
            raise not_found(path, "file or folder")
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            is_a = kind_of(file)
            if is_a is not None and (kind in (AUTO, is_a) or is_a == _SITES):
                found[is_a].append(file)
            elif file == path:
                what = f"is of kind '{is_a}', not '{kind}'" if is_a else "is of no known kind of station file"
                raise ValueError(f"'{path}' {what}. {_known()}")
            else:
                ignored.append(file.name)
    if ignored:
        LOG.info("Ignored, not station files of kind '%s': %s", kind, ignored[:20])
    if not any(found[name] for name in ARCHIVES):
        raise ValueError(
            f"No station file of kind '{kind}' is in {[str(p) for p in given]}, which hold {ignored[:10]}. {_known()}"
        )
    return found


def _known() -> str:
    return f"Give {'; '.join(archive.files for archive in ARCHIVES.values())}."


def _usable(stations: list[Station], given: Sequence[Path]) -> list[Station]:
    """Return the stations with a good value; refuse duplicates, and none at all."""
    names = [(s.network, s.name) for s in stations]
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        sources = [s.source for s in stations if (s.network, s.name) == doubled[0]]
        raise ValueError(
            f"{len(doubled)} stations occur more than once, for example {doubled[0]} in {sources}. Give one file per "
            "station (of FULLSET and SUBSET, one)."
        )
    good = [s for s in stations if s.variables]
    for station in (s for s in stations if not s.variables):
        LOG.warning("Station %s (%s) has no good value: %s", station.name, station.network, "; ".join(station.notes))
    if not good:
        reasons = [f"{s.name}: {'; '.join(s.notes)}" for s in stations[:5]]
        raise ValueError(
            f"None of the {len(stations)} stations in {[str(p) for p in given]} has a good value. {reasons}. Check the "
            "quality flags in the files; for towers, give 'quality' to keep more of them."
        )
    return sorted(good, key=lambda s: (s.network, s.name))
