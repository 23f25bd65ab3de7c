# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Zarr stores as the package writes them: arrays with CF attributes, and a store that several processes fill.

The only module of the package that calls zarr. Of the names that it calls, ``create_dataset`` with ``compressor`` and
``attrs.put`` are those of zarr 2 (:func:`add_array`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.support.atomic import claim_folder, partial_path, publish_folder, write_whole
from anemoi_ailand.support.disk_errors import writing
from anemoi_ailand.support.lock import InUse, exclusive
from anemoi_ailand.support.shards import Shard

LOG = logging.getLogger(__name__)

#: Folder in a shared store with its identity and a mark for each complete shard; zarr does not look into it.
ABOUT, IDENTITY = ".shards", "identity.json"


@dataclass(frozen=True)
class Array:
    """An array of a store: dimensions, attributes, values or shape, chunks (one by default), and what is missing.

    An array of a ``shape`` without ``values`` is float32, and missing until it is written.
    """

    dimensions: tuple[str, ...]
    attributes: Mapping[str, Any]
    values: np.ndarray | None = None
    shape: tuple[int, ...] = ()
    chunks: tuple[int, ...] | None = None
    missing: float | None = None


def open_group(path: Path, mode: str) -> Any:
    """Open a group of zarr: ``w`` for a new one, ``r+`` to continue."""
    import zarr  # slow to import

    return zarr.open_group(str(path), mode=mode)


def add_array(group: Any, name: str, array: Array, compression: int) -> None:
    """Add an array to a group, compressed by zstd in Blosc at a level, 0 for none."""
    from numcodecs import Blosc  # slow to import

    compressor = Blosc("zstd", compression, Blosc.SHUFFLE) if compression else None
    values = array.values
    shape, kind = (array.shape, "f4") if values is None else (values.shape, values.dtype)
    added = group.create_dataset(
        name, data=values, shape=shape, dtype=kind, chunks=array.chunks or False, compressor=compressor,
        fill_value=array.missing, overwrite=True,
    )  # fmt: skip
    added.attrs.put({"_ARRAY_DIMENSIONS": list(array.dimensions), **array.attributes})


def consolidate(path: Path) -> None:
    """Gather the metadata of a store in one file, so that it is opened at once."""
    import zarr

    zarr.consolidate_metadata(str(path))


class CompleteError(Exception):
    """A shard, or the store of all, is complete already."""


@dataclass
class SharedStore:
    """Zarr of fixed shape that shards fill, each at its own points; it has its name when all shards are complete.

    Whoever comes first lays the store out, as a whole, under a temporary name; the others compare their ``identity``
    with the one there. A complete shard leaves a mark, and is not run again. The last one gives the store its name, so
    nothing has to be joined.

    Parameters
    ----------
    path : Path
        Folder of the store.
    shard : Shard
        This one.
    identity : mapping
        JSON that all shards of a run share: configuration and versions.
    arrays : mapping of str to Array
        All arrays, the same for all shards.
    attributes : mapping
        Global attributes; those of the first shard stay.
    """

    path: Path
    shard: Shard
    identity: Mapping[str, Any]
    arrays: Mapping[str, Array]
    attributes: Mapping[str, Any]
    compression: int = 1
    _group: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.partial = partial_path(self.path)
        self.identity = json.loads(json.dumps({**self.identity, "shards": self.shard.count}))

    @contextmanager
    def opened(self) -> Iterator[bool]:
        """Lay the store out, or check it; yield whether this shard has to be run, and mark it complete on success.

        Nobody else runs the same shard meanwhile.

        Raises
        ------
        FileExistsError, ValueError
            The store has its name, or was laid out, for another run, or by shards of other versions.
        """
        if self.path.exists():
            self._compare(self.path, FileExistsError, "Give another name, or remove it")
            LOG.info("'%s' is complete", self.path)
            yield False
            return
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.partial.exists():
                self._lay_out()
        self._compare(self.partial, ValueError, "Start all shards alike, or remove it to begin again")
        with exclusive(_lock(self.path, self.shard.number)):
            mark = _mark(self.path, self.shard.number)
            todo = not mark.exists()
            if todo:
                self._group = open_group(self.partial, "r+")
            yield todo
            if todo:
                os.sync()  # the mark must not be on the disk before the values
                write_whole(mark, partial_path(mark), lambda file: file.write(socket.gethostname().encode()))
        self._publish()

    def write(self, name: str, at: tuple[Any, ...], values: np.ndarray) -> None:
        """Write values of an array at indices of this shard's points: whole chunks."""
        with writing(self.path):
            self._group[name][at] = values

    def _lay_out(self) -> None:
        """Make the store under a name of its own, and rename it: of several processes, one succeeds."""
        made = self.path.with_name(f".{self.path.name}.layout-{socket.gethostname()}-{os.getpid()}")
        shutil.rmtree(made, ignore_errors=True)
        try:
            group = open_group(made, "w")
            for name, array in self.arrays.items():
                add_array(group, name, array, self.compression)
            group.attrs.put(dict(self.attributes))
            consolidate(made)
            (made / ABOUT).mkdir()
            (made / ABOUT / IDENTITY).write_text(json.dumps(self.identity, indent=1), encoding="utf-8")
            claim_folder(made, self.partial)
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _compare(self, place: Path, error: type[Exception], advice: str) -> None:
        try:
            found = _identity(place)
        except (OSError, ValueError):
            raise FileExistsError(
                f"'{place}' exists, and no shards wrote it. Give another name, or remove it."
            ) from None
        if differ := {k: (found.get(k), self.identity.get(k)) for k in sorted({*found, *self.identity})
                      if found.get(k) != self.identity.get(k)}:  # fmt: skip
            raise error(
                f"'{place}' was laid out for another run, or by a shard that differs (there, here): {differ}. {advice}."
            )

    def _publish(self) -> None:
        if _missing(self.path, self.shard.count) or self.path.exists():
            LOG.info("%s", shards_report(self.path))
            return
        with suppress(InUse, FileNotFoundError), exclusive(self.path):  # another last shard does it
            for left in self.path.parent.glob(f".{self.path.name}.layout-*"):
                shutil.rmtree(left, ignore_errors=True)
            publish_folder(self.partial, self.path)
            LOG.info("%s", shards_report(self.path))


def places_sha256(latitudes: np.ndarray, longitudes: np.ndarray) -> str:
    """Return a checksum of the places of points [degrees]."""
    return hashlib.sha256(np.stack([latitudes, longitudes]).astype(np.float64).tobytes()).hexdigest()


def shards_report(path: Path) -> str:
    """Describe which shards of a store are complete, and which are missing, each running or not."""
    count = int(_identity(path if path.exists() else partial_path(path))["shards"])
    missing = _missing(path, count)
    if not missing:
        return f"'{path}' is complete: {count} of {count} shards"
    running = [number for number in missing if _runs(path, number)]
    stopped = [number for number in missing if number not in running]
    return (
        f"'{path}' lacks {len(missing)} of {count} shards: running {running}, not running {stopped}. Start those that "
        "ended before their time again, with the same options"
    )


def _missing(path: Path, count: int) -> list[int]:
    return [] if path.exists() else [number for number in range(count) if not _mark(path, number).exists()]


def _identity(place: Path) -> dict[str, Any]:
    return json.loads((place / ABOUT / IDENTITY).read_text(encoding="utf-8"))


def _mark(path: Path, number: int) -> Path:
    return partial_path(path) / ABOUT / f"complete-{number}"


def _lock(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.shard-{number}")


def _runs(path: Path, number: int) -> bool:
    try:
        with exclusive(_lock(path, number)):
            return False
    except InUse:
        return True
