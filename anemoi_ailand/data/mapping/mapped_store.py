# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Zarr store made on the fly: what ``open_dataset`` finds behind ``ailand::STORE?MAPPING``.

anemoi-training, anemoi-graphs and anemoi-inference open datasets by name and have no hook for another kind. A name of
fsspec reaches zarr unchanged, so that all of Anemoi reads the mapped fields as those of any dataset: a chunk is one
date of all variables at the land points, in their order.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from fsspec import AbstractFileSystem

from anemoi_ailand.data.mapping.declaration import RECORD, load_mapping
from anemoi_ailand.data.mapping.mapped_fields import MappedFields, variable_metadata
from anemoi_ailand.data.mapping.mapped_path import PROTOCOL, parts
from anemoi_ailand.variables import VARIABLES, Time

#: Prefix of the statistics of changes, as Anemoi stores them.
_CHANGES = "statistics_tendencies_6h_"

_MOMENTS = ("mean", "stdev", "minimum", "maximum")


class MappedStore(AbstractFileSystem):
    """Read-only files of a zarr store whose chunks are computed by :class:`MappedFields`."""

    protocol = PROTOCOL
    cachable = False  # the fields are kept below, as long as store and mapping are the same files
    root_marker = ""

    def __init__(self, fo: str, target_protocol: str = "file", target_options: Any = None, **options: Any) -> None:
        super().__init__(**options)
        del target_options
        place = fo if target_protocol == "file" else f"{target_protocol}://{fo}"
        self.store, self.mapping = parts(f"{PROTOCOL}::{place}")
        self._lock = threading.Lock()

    @cached_property
    def _fields(self) -> MappedFields:
        try:
            return opened(self.store, self.mapping)
        except FileNotFoundError as error:  # which fsspec would take for a missing file of the made store
            raise ValueError(str(error)) from error

    @cached_property
    def _files(self) -> dict[str, Callable[[], bytes]]:
        """Files by name, without the chunks of the data."""
        fields = self._fields
        n, size = len(fields.names), len(fields.points)
        files: dict[str, Callable[[], bytes]] = {
            ".zgroup": lambda: _json({"zarr_format": 2}),
            ".zattrs": lambda: _json(self._attributes()),
        }

        def add(name: str, shape: tuple[int, ...], dtype: str, chunks: tuple[int, ...]) -> None:
            files[f"{name}/.zarray"] = lambda: _json(_array(shape, dtype, chunks))
            files[f"{name}/.zattrs"] = lambda: _json({})

        add("data", fields.shape, "<f4", (1, n, 1, size))
        arrays: dict[str, tuple[tuple[int, ...], str, Callable[[], np.ndarray]]] = {
            "dates": (fields.dates.shape, "<M8[s]", lambda: fields.dates),
            "latitudes": ((size,), "<f8", lambda: fields.latitudes),
            "longitudes": ((size,), "<f8", lambda: fields.longitudes),
        }
        for prefix, kind in (("", "values"), (_CHANGES, "changes")):
            for m in _MOMENTS:
                arrays[prefix + m] = ((n,), "<f8", lambda kind=kind, m=m: fields.statistics[kind][m])  # type: ignore[misc]
        for name, (shape, dtype, make) in arrays.items():
            add(name, shape, dtype, shape)
            files[f"{name}/0"] = lambda make=make, dtype=dtype: make().astype(dtype).tobytes()  # type: ignore[misc]
        return files

    def _attributes(self) -> dict[str, Any]:
        fields = self._fields
        return {
            "variables": list(fields.names),
            "variables_metadata": {name: variable_metadata(name) for name in fields.names},
            "constant_fields": [n for n in fields.names if VARIABLES[n].time is Time.CONSTANT],
            "frequency": "6h",
            "resolution": fields.resolution,
            "field_shape": [len(fields.points)],
            "missing_dates": [str(fields.dates[i]) for i in fields.missing],
            "start_date": str(fields.dates[0]),
            "end_date": str(fields.dates[-1]),
            "allow_nans": False,
            "layout": "gridded",
            "description": f"'{fields.store}' through the mapping '{self.mapping}'",
            "store_attributes": fields.origin,
            RECORD: fields.mapping.record(),
        }

    def _chunk(self, path: str) -> int | None:
        """Return the date of a chunk of the data, None for another file."""
        folder, _, name = path.partition("/")
        first, *rest = name.split(".")
        if folder != "data" or rest != ["0"] * 3 or not first.isdigit():
            return None
        return int(first) if int(first) < len(self._fields.dates) else None

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """Return the content of a file; a failure to read the store is never taken for a missing file."""
        del options
        path = _plain(path)
        with self._lock:
            if path in self._files:
                return self._files[path]()[start:end]
            date = self._chunk(path)
            if date is None:
                raise FileNotFoundError(path)
            try:
                return self._fields.at(date).tobytes()[start:end]
            except (OSError, KeyError) as error:  # which zarr would take for a chunk without values
                raise ValueError(f"'{self.store}' cannot be read on {self._fields.dates[date]}: {error}") from error

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return kind and size of a file or folder."""
        del options
        path = _plain(path)
        if path in self._files:
            return {"name": path, "type": "file", "size": None}
        if self._chunk(path) is not None:
            return {"name": path, "type": "file", "size": 4 * len(self._fields.names) * len(self._fields.points)}
        if path == "" or any(name.startswith(f"{path}/") for name in self._files):
            return {"name": path, "type": "directory", "size": 0}
        raise FileNotFoundError(path)

    def exists(self, path: str, **options: Any) -> bool:
        """Return whether there is such a file or folder; a store that contradicts its mapping is an error."""
        try:
            self.info(path, **options)
        except FileNotFoundError:  # fsspec takes any error for a missing file
            return False
        return True

    def isfile(self, path: str) -> bool:
        """Return whether there is such a file, with errors as :meth:`exists`."""
        return self.exists(path) and self.info(path)["type"] == "file"

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """List a folder, without the chunks of the data."""
        del options
        path = _plain(path)
        inside = [n for n in self._files if not path or n.startswith(f"{path}/")]
        if not inside:
            raise FileNotFoundError(path)
        start = len(path) + 1 if path else 0
        found = sorted({n[: start + len(n[start:].partition("/")[0])] for n in inside})
        return [self.info(name) for name in found] if detail else found

    def _open(self, path: str, mode: str = "rb", **options: Any) -> io.BytesIO:
        del options
        if mode != "rb":
            raise ValueError(f"'{self.store}' is read through a mapping and cannot be written.")
        return io.BytesIO(self.cat_file(path))


def _plain(path: str) -> str:
    """Return the name of a file within the store."""
    return path.removeprefix(f"{PROTOCOL}://").strip("/")


def opened(store: str, mapping: str) -> MappedFields:
    """Open a store through a mapping once per process, and again if one of the two files has changed."""
    return _opened(store, mapping, _stamp(Path(store) / ".zattrs"), _stamp(Path(mapping)))


@lru_cache(maxsize=4)
def _opened(store: str, mapping: str, *stamps: int) -> MappedFields:
    del stamps
    return MappedFields(store, load_mapping(mapping))


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def _array(shape: tuple[int, ...], dtype: str, chunks: tuple[int, ...]) -> dict[str, Any]:
    return {
        "zarr_format": 2, "shape": list(shape), "chunks": list(chunks), "dtype": dtype, "compressor": None,
        "fill_value": None, "order": "C", "filters": None,
    }  # fmt: skip


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()
