# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Read stations from files whose kind is found by their content."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import xarray as xr

from anemoi_ailand.data.stations.fluxnet import GOOD_QUALITY, is_fluxnet, read_fluxnet
from anemoi_ailand.data.stations.ismn import is_ismn, read_ismn
from anemoi_ailand.data.stations.plumber2 import is_plumber2, read_plumber2
from anemoi_ailand.data.stations.sites import BIF, PLAIN, Site, read_sites
from anemoi_ailand.data.stations.station import ONE, Station

LOG = logging.getLogger(__name__)

AUTO, ISMN, FLUXNET, PLUMBER2 = "auto", "ismn", "fluxnet", "plumber2"

#: What ``kind`` may be.
KINDS = (AUTO, ISMN, FLUXNET, PLUMBER2)

_SITES = "sites"
_NETCDF = (b"CDF", b"\x89HDF")


def read_stations(
    paths: str | Path | Sequence[str | Path],
    kind: str = AUTO,
    *,
    sites: Mapping[str, Site] | str | Path | None = None,
    per_layer: str = ONE,
    corrected: bool = False,
    quality: Sequence[int] = GOOD_QUALITY,
) -> list[Station]:
    """Read stations from files and folders; a folder is searched with all that is below it.

    Parameters
    ----------
    paths : path or sequence of paths
        Folders, ISMN zip archives, single files.
    kind : str
        ``auto`` takes each file for what its content says; another one of :data:`KINDS` takes only these and refuses a
        file given by name that is something else.
    sites : mapping or path, optional
        Where FLUXNET towers stand, see :mod:`sites`; tables found among ``paths`` are used too.
    per_layer : str
        Where a soil layer has several sensors, ``one`` or ``mean``; see `make_station`.
    corrected : bool
        Fluxes of towers corrected for energy closure instead of the measured ones.
    quality : sequence of int
        Quality flags of towers that are kept; ISMN keeps G only.

    Returns
    -------
    list of Station
        Those with at least one good value, by network and name.

    Raises
    ------
    FileNotFoundError
        There is nothing at one of ``paths``.
    ModuleNotFoundError
        There are ISMN files, and the package ``ismn`` is not installed.
    ValueError
        A file is of no known kind, no station is found, none has a good value, or a file is broken.
    """
    if kind not in KINDS:
        raise ValueError(f"'{kind}' is no kind of station file. Give one of {list(KINDS)}.")
    given = [Path(p).expanduser() for p in ([paths] if isinstance(paths, str | Path) else paths)]
    found = _sorted_out(given, kind)
    known = dict(sites) if isinstance(sites, Mapping) else read_sites(Path(sites)) if sites is not None else {}
    for path in found[_SITES]:
        known = {**read_sites(path), **known}
    stations = read_ismn(found[ISMN], per_layer=per_layer) if found[ISMN] else []
    stations += [
        read_fluxnet(p, known, per_layer=per_layer, corrected=corrected, quality=quality) for p in found[FLUXNET]
    ]
    stations += [read_plumber2(p, corrected=corrected, quality=quality) for p in found[PLUMBER2]]
    return _usable(stations, given)


def kind_of(path: Path) -> str | None:
    """Kind of a file by its content: ``ismn``, ``fluxnet``, ``plumber2``, ``sites``, or ``None``."""
    if is_ismn(path):
        return ISMN
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(_NETCDF):
        return PLUMBER2 if _netcdf_is_plumber2(path) else None
    return _kind_of_csv(path) if path.suffix.lower() in (".csv", ".txt") else None


def _netcdf_is_plumber2(path: Path) -> bool:
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_times=False) as dataset:
            return is_plumber2(dataset)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"'{path}' ({path.stat().st_size} bytes) cannot be read as NetCDF ({error}). Download it again."
        ) from error


def _kind_of_csv(path: Path) -> str | None:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file, skipinitialspace=True)
        header, first = next(rows, []), next(rows, [])
    if set(header) >= PLAIN or set(header) >= BIF:
        return _SITES
    return FLUXNET if is_fluxnet(header, first) else None


def _sorted_out(given: Sequence[Path], kind: str) -> dict[str, list[Path]]:
    """Files by kind. Within a folder, what is no station file is passed over; given by name, it is an error."""
    found: dict[str, list[Path]] = {ISMN: [], FLUXNET: [], PLUMBER2: [], _SITES: []}
    passed: list[str] = []
    for path in given:
        if not path.exists():
            near = sorted(p.name for p in path.parent.glob("*"))[:10] if path.parent.is_dir() else []
            raise FileNotFoundError(f"There is no '{path}'. Its folder holds {near}. Correct the path.")
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            is_a = kind_of(file)
            if is_a is not None and (kind in (AUTO, is_a) or is_a == _SITES):
                found[is_a].append(file)
            elif file == path:
                raise ValueError(_not_a_station_file(path, kind, is_a))
            else:
                passed.append(file.name)
    if passed:
        LOG.info("Not read, because they are no station files of kind '%s': %s", kind, passed[:20])
    if not any(found[k] for k in (ISMN, FLUXNET, PLUMBER2)):
        raise ValueError(
            f"No station file of kind '{kind}' is in {[str(p) for p in given]}, which hold {passed[:10]}. Give ISMN "
            "downloads (folders or zip), FLUXNET CSV (HH or HR), or PLUMBER2 flux NetCDF."
        )
    return found


def _not_a_station_file(path: Path, kind: str, is_a: str | None) -> str:
    what = f"is of kind '{is_a}', not '{kind}'" if is_a else "is of no known kind of station file"
    return (
        f"'{path}' {what}. Known are ISMN (.stm, or the zip as downloaded), FLUXNET CSV with half-hourly or hourly "
        "records (TIMESTAMP_START as YYYYMMDDHHMM and at least one of LE_F_MDS, H_F_MDS, NETRAD, NEE_VUT_REF, "
        "SWC_F_MDS_1, TS_F_MDS_1), and PLUMBER2 NetCDF (time, y, x with Qle, Qh, Rnet, NEE or GPP)."
    )


def _usable(stations: list[Station], given: Sequence[Path]) -> list[Station]:
    names = [(s.network, s.name) for s in stations]
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        sources = [s.source for s in stations if (s.network, s.name) == doubled[0]]
        raise ValueError(
            f"{len(doubled)} stations are there more than once, for example {doubled[0]} in {sources}. Give one file a "
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
