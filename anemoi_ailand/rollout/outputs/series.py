# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Series of a run from Python: in memory, or in pieces to a file from which it is opened."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anemoi_ailand.rollout.outputs.chunked_output import UNCOMPRESSED, choose_chunks
from anemoi_ailand.rollout.outputs.netcdf_file import NetCDFFile
from anemoi_ailand.rollout.outputs.output_frame import Block, Frame
from anemoi_ailand.rollout.step.advance import STEP
from anemoi_ailand.support.atomic import check_replaceable, partial_path, publish, publish_folder
from anemoi_ailand.support.lock import acquire, release
from anemoi_ailand.support.netcdf_writer import COORDINATES, HOURS, time_coordinate

if TYPE_CHECKING:
    import xarray as xr

#: Coordinate of the initial date.
_REFERENCE = "forecast_reference_time"
_ABOUT_REFERENCE = {k: v for k, v in COORDINATES[_REFERENCE].items() if k not in HOURS}


class Series:
    """Series of ``n_times`` that is filled time by time, as a dataset in memory.

    ``dtype`` is the precision of the values, float32 in a file.
    """

    def __init__(self, frame: Frame, n_times: int, dtype: np.dtype) -> None:
        self.frame = frame
        self._block = self._empty(n_times, dtype)

    def _empty(self, n_times: int, dtype: np.dtype) -> Block:
        shapes = {c.netcdf_name: (n_times, *self.frame.shape(c)) for c in self.frame.columns}
        return Block([], {name: np.empty(shape, dtype) for name, shape in shapes.items()})

    def add(self, dates: Sequence[datetime], values: Mapping[str, np.ndarray]) -> None:
        """Add times; ``values`` (time, member x point) are by name, and variables that it lacks are missing."""
        columns = [c for c in self.frame.columns if c.name in values]
        for begin, end in self._pieces(len(dates)):
            times = [(date, date - STEP, date) for date in dates[begin:end]]
            shapes = [(len(times), *self.frame.shape(c)) for c in columns]
            parts = (values[c.name][begin:end].reshape(shape) for c, shape in zip(columns, shapes, strict=True))
            self._block.extend(times, dict(zip([c.netcdf_name for c in columns], parts, strict=True)))

    def _pieces(self, n_times: int) -> Iterator[tuple[int, int]]:
        """Divide times to be added into pieces for which the block has room."""
        yield 0, n_times

    def result(self) -> xr.Dataset:
        """Return the series."""
        return self._dataset()

    def abandon(self) -> None:
        """Remove what an interrupted run has written."""

    def _dataset(self) -> xr.Dataset:
        fields = {}
        for column in self.frame.columns:
            attributes = {k: v for k, v in column.attributes().items() if k != "coordinates"}
            fields[column.netcdf_name] = (column.dimensions, self._block.rows(column.netcdf_name), attributes)
        coordinates: dict[str, Any] = {
            name: (dimensions, values, COORDINATES[name])
            for name, (dimensions, values) in self.frame.coordinates().items()
        }
        coordinates[_REFERENCE] = ((), np.datetime64(self.frame.date, "ns"), _ABOUT_REFERENCE)
        times = np.array([stamp for stamp, _, _ in self._block.times], "datetime64[ns]")
        coordinates["time"] = ("time", times, time_coordinate())
        import xarray as xr  # slow to import

        return xr.Dataset(fields, coordinates, self.frame.attributes)


class _FileSeries(Series, ABC):
    """Series in a file, which gets its name when it is complete."""

    def __init__(self, frame: Frame, n_times: int, path: Path) -> None:
        self.path, self.partial = path, partial_path(path)
        acquire(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._chunks = choose_chunks(frame, None, None)
        super().__init__(frame, min(n_times, self._chunks.block), np.dtype(np.float32))
        self._size = min(n_times, self._chunks.block)

    def _pieces(self, n_times: int) -> Iterator[tuple[int, int]]:
        begin = 0
        while begin < n_times:
            end = min(n_times, begin + self._size - self._block.filled)
            yield begin, end
            if self._block.filled == self._size:
                self._flush()
            begin = end

    def _flush(self) -> None:
        if self._block.filled:
            self._write()
            self._block.times.clear()

    def result(self) -> xr.Dataset:
        """Complete the file and return the series, opened from it."""
        self._flush()
        self._publish()
        release(self.path)
        return self._reopened()

    def abandon(self) -> None:
        """Remove what an interrupted run has written."""
        self._remove()
        release(self.path)

    @abstractmethod
    def _write(self) -> None:
        """Append the block."""

    @abstractmethod
    def _publish(self) -> None:
        """Complete the file and give it its name."""

    @abstractmethod
    def _reopened(self) -> xr.Dataset:
        """Open the complete file."""

    @abstractmethod
    def _remove(self) -> None:
        """Remove the incomplete file."""


class _NetCDFSeries(_FileSeries):
    def __init__(self, frame: Frame, n_times: int, path: Path) -> None:
        super().__init__(frame, n_times, path)
        self._file = NetCDFFile(self.partial, frame, self._chunks, UNCOMPRESSED)

    def _write(self) -> None:
        self._file.append(self._block)

    def _publish(self) -> None:
        self._file.close()
        publish(self.partial, self.path)

    def _reopened(self) -> xr.Dataset:
        import xarray as xr  # slow to import

        return xr.open_dataset(self.path, drop_variables="time_bnds").set_coords(_REFERENCE)

    def _remove(self) -> None:
        self._file.close()
        self.partial.unlink(missing_ok=True)


class _ZarrSeries(_FileSeries):
    def __init__(self, frame: Frame, n_times: int, path: Path) -> None:
        super().__init__(frame, n_times, path)
        shutil.rmtree(self.partial, ignore_errors=True)

    def _write(self) -> None:
        dataset = self._dataset()
        if self.partial.exists():
            dataset.to_zarr(self.partial, append_dim="time")
            return
        encoding: dict[str, dict[str, Any]] = {
            c.netcdf_name: {"chunks": self._chunks.shape(c.members)} for c in self.frame.columns
        }
        encoding |= {name: {**HOURS, "dtype": "i4"} for name in ("time", _REFERENCE)}
        dataset.to_zarr(self.partial, mode="w", encoding=encoding)

    def _publish(self) -> None:
        publish_folder(self.partial, self.path)

    def _reopened(self) -> xr.Dataset:
        import xarray as xr  # slow to import

        return xr.open_dataset(self.path, engine="zarr")

    def _remove(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)


_KINDS: dict[str, type[_FileSeries]] = {".nc": _NetCDFSeries, ".zarr": _ZarrSeries}


def new_series(frame: Frame, n_times: int, dtype: np.dtype, path: str | Path | None) -> Series:
    """Return an empty series, in memory or for a file ``*.nc`` or ``*.zarr``.

    Raises
    ------
    ValueError
        Another suffix.
    """
    if path is None:
        return Series(frame, n_times, dtype)
    file = Path(path).expanduser()
    if file.suffix not in _KINDS:
        raise ValueError(f"The output '{path}' has another suffix than {list(_KINDS)}. Give one of these.")
    check_replaceable(file)
    return _KINDS[file.suffix](frame, n_times, file)
