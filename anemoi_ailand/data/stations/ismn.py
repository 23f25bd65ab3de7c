# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Soil moisture, soil temperature and snow water equivalent of the International Soil Moisture Network (ISMN).

A download is read as a folder or as the zip, in both layouts of the archive ("variables stored in separate files":
header + values, or CEOP), through the package ``ismn``. Times are UTC; units are m3 m-3, degrees Celsius and mm. Only
values with the flag G (good) are kept. Values count as instants: the nearest one to each 6-hourly stamp within 30 min.

Source: Dorigo et al. (2021), doi:10.5194/hess-25-5749-2021; flags: Dorigo et al. (2013), doi:10.2136/vzj2012.0097.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from anemoi_ailand.data.stations.sampling import check_increasing, instants
from anemoi_ailand.data.stations.station import ONE, Sensor, Station, converted, make_station

LOG = logging.getLogger(__name__)

#: Suffix of data files.
SUFFIX = ".stm"

#: Flag of a good value; all others mark a failed test or a missing value.
GOOD = "G"

#: Name in the table and unit, by the code of the variable in a file name.
VARIABLES_READ = {"sm": ("swvl", "m3 m-3"), "ts": ("stl", "degC"), "sweq": ("sd", "mm")}

_EXTRA = 'pip install "anemoi-ailand[observations]"'
_CODE = 3  # position of the code of the variable in a file name, split at "_"


def read_ismn(paths: Sequence[Path], *, per_layer: str = ONE) -> list[Station]:
    """Read the stations of ISMN downloads: folders, zip archives or single ``.stm`` files.

    A station without any good value is returned as well; its notes list what was left out.

    Raises
    ------
    ModuleNotFoundError
        The package ``ismn`` is not installed.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for file, where in _files(paths):
        sensor, meta, notes = _sensor(file, where)
        entry = found.setdefault((meta["network"], meta["station"]), {"sensors": [], "notes": [], **meta})
        entry["sensors"].append(sensor)
        entry["notes"] += notes
    LOG.info("ISMN: %d stations in %s", len(found), [str(p) for p in paths])
    return [
        make_station(
            name, network, (e["latitude"], e["longitude"], e["elevation"]), e["sensors"],
            per_layer=per_layer, notes=e["notes"], source=e["source"],
        )
        for (network, name), e in sorted(found.items())
    ]  # fmt: skip


def is_ismn(path: Path) -> bool:
    """Return whether a file is one of ISMN, or a zip archive with such files."""
    if path.suffix == SUFFIX:
        return True
    return zipfile.is_zipfile(path) and any(n.endswith(SUFFIX) for n in zipfile.ZipFile(path).namelist())


def _package() -> Any:
    """Return the classes that read a file and open an archive; the package is slow to import, and optional."""
    try:
        from ismn.base import IsmnRoot
        from ismn.filehandlers import DataFile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"ISMN files need the package 'ismn' ({error}). Install it with: {_EXTRA}", name="ismn"
        ) from error
    return DataFile, IsmnRoot


def _files(paths: Sequence[Path]) -> Iterator[tuple[Any, str]]:
    """Yield every file with a known variable, opened but not yet read, and its path."""
    reader, root = _package()
    for path in paths:
        if path.is_dir() or path.suffix == SUFFIX:
            files = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
            for file in files:
                if _code(file.name) in VARIABLES_READ:
                    top = file.resolve().parents[min(2, len(file.resolve().parents) - 1)]
                    yield _opened(reader, root(top), file.resolve().relative_to(top), str(file)), str(file)
        else:
            archive = root(path)
            for name in sorted(archive.zip.namelist()):
                if name.endswith(SUFFIX) and _code(PurePosixPath(name).name) in VARIABLES_READ:
                    where = f"{path}:{name}"
                    yield _opened(reader, archive, name, where), where
            archive.close()


def _code(name: str) -> str:
    parts = name.split("_")
    return parts[_CODE] if len(parts) > _CODE else ""


def _opened(reader: Any, root: Any, file: Any, where: str) -> Any:
    try:
        return reader(root, file)
    except Exception as error:  # the package lets any error of its parsing through
        raise _unknown_layout(where, error) from error


def _unknown_layout(where: str, error: Exception) -> ValueError:
    return ValueError(
        f"'{where}' is in neither of ISMN's layouts 'header + values' and 'CEOP, variables in separate files' "
        f"({error}). Download the data again in one of them, or remove the file."
    )


def _sensor(file: Any, where: str) -> tuple[Sensor, dict[str, Any], list[str]]:
    name, units = VARIABLES_READ[_code(Path(where).name)]
    try:
        data = file.read_data()
        times = data.index.to_numpy(dtype="datetime64[ns]")
        values = data.iloc[:, 0].to_numpy(dtype=np.float64)
        flags = data.iloc[:, 1].astype(str).str.strip().to_numpy()
        variable = file.metadata["variable"]
    except Exception as error:
        raise _unknown_layout(where, error) from error
    check_increasing(times, f"'{where}'")
    good = flags == GOOD
    notes = []
    if not good.any():
        notes.append(
            f"'{Path(where).name}': none of its {len(good)} values has the flag {GOOD}; it has {_count(flags)}"
        )
    stamps, at_stamps = instants(times, converted(np.where(good, values, np.nan), units, name, where))
    depth = (float(variable.depth.start), float(variable.depth.end)) if name != "sd" else None
    label = f"{file.metadata['instrument'].val} {variable.depth.start:g}-{variable.depth.end:g} m"
    meta = {key: float(file.metadata[key].val) for key in ("latitude", "longitude", "elevation")}
    named = {"network": _network(file, where), "station": str(file.metadata["station"].val)}
    return Sensor(name, stamps, at_stamps, depth, label), {**meta, **named, "source": str(Path(where).parent)}, notes


def _network(file: Any, where: str) -> str:
    """Return the folder's name of the network if it agrees with the file name (``-`` for ``_``), else the latter."""
    folder, from_file = str(file.metadata["network"].val), Path(where).name.split("_")[1]
    return folder if folder.replace("_", "-") == from_file.replace("_", "-") else from_file


def _count(flags: np.ndarray) -> dict[str, int]:
    return {str(k): int(n) for k, n in zip(*np.unique(flags, return_counts=True), strict=True)}
