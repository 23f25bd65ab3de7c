# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Wrapper of an Anemoi dataset: opened, checked, read by dates, variables and points."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.data.mapping.mapped_path import exists, is_mapped, local_store
from anemoi_ailand.support.disk_errors import not_found

#: Memory of a block of dates while it is read [bytes]; at least one chunk of the dataset is read.
BLOCK_BYTES = 64 * 2**20


class AnemoiDataset:
    """Anemoi dataset with one member and no missing date; its path, or that of a store through a mapping.

    Attributes
    ----------
    dates : numpy.ndarray, shape (date,)
        Stamps, ``datetime64[s]``, UTC.
    latitudes, longitudes : numpy.ndarray, shape (point,)
        Coordinates [degrees].
    units : dict
        Units by variable, None where the dataset does not state them.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self._data = _open(self.path)
        _check_complete(self.path, self._data)
        self.dates = np.asarray(self._data.dates).astype("datetime64[s]")
        self.latitudes = np.asarray(self._data.latitudes, dtype=np.float64)
        self.longitudes = np.asarray(self._data.longitudes, dtype=np.float64)
        metadata = getattr(self._data, "variables_metadata", None) or {}
        self._index = self._data.name_to_index
        self.units: dict[str, str | None] = {n: (metadata.get(n) or {}).get("units") for n in self._index}

    @property
    def variables(self) -> list[str]:
        """Names of the variables, in the order of the dataset."""
        return list(self._index)

    def index_of(self, date: datetime) -> int:
        """Return the position of a date; an absent date raises a ValueError that gives the period of the dataset."""
        found = np.flatnonzero(self.dates == np.datetime64(date, "s"))
        if not found.size:
            raise ValueError(
                f"Dataset '{self.path}' covers {self.dates[0]} to {self.dates[-1]}; {date} is not in it. "
                "Change the dates of the run, or give another dataset."
            )
        return int(found[0])

    def constant(self, name: str) -> np.ndarray | None:
        """Return the values at the first date, shape (point,); None if the variable is absent or has gaps."""
        if name not in self._index:
            return None
        values = self._read(0)[self._index[name], 0]
        return values if np.isfinite(values).all() else None

    def values(self, names: Sequence[str], first: int, last: int) -> np.ndarray:
        """Read the dates ``first:last``, shape (date, variable, point)."""
        return self._read(slice(first, last))[:, [self._index[n] for n in names], 0]

    def _read(self, index: int | slice) -> np.ndarray:
        """Read one date or several; what a decoder says of a damaged chunk becomes an OSError."""
        try:
            return np.asarray(self._data[index])
        except RuntimeError as error:
            dates = np.atleast_1d(self.dates[index])
            span = " to ".join(dict.fromkeys(str(d.item()) for d in (dates[0], dates[-1])))
            raise OSError(
                f"The dataset '{self.path}' cannot be read at {span} ({error}): a chunk of its data is damaged. Copy "
                "the dataset again, or make it again."
            ) from error

    def block(self, date: int) -> tuple[int, int]:
        """Return first and last date (exclusive) of the block around ``date``: whole chunks of the dataset."""
        n_dates, n_variables, _, n_points = self._data.shape
        chunk = int((getattr(self._data, "chunks", None) or (1,))[0])
        length = max(1, BLOCK_BYTES // (4 * n_variables * n_points * chunk)) * chunk
        first = date // length * length
        return first, min(first + length, n_dates)


def _open(path: Path) -> Any:
    from anemoi.datasets import open_dataset  # slow to import

    if not exists(path):
        raise not_found(local_store(path), "dataset", "*.zarr")
    if path.exists():  # not through a mapping
        check_finished(path)
    try:
        return open_dataset(str(path))
    except Exception as error:
        if is_mapped(path):  # the message says what contradicts the mapping
            raise
        if not (path / ".zgroup").is_file():
            raise ValueError(f"'{path}' is not an Anemoi dataset (a zarr folder). Correct the path.") from error
        raise ValueError(
            f"'{path}' cannot be opened as an Anemoi dataset ({error}). If it is incomplete, finish it with "
            "'anemoi-datasets finalise', or create it again; open another zarr, such as a roll-out, with xarray."
        ) from error


#: Group of a dataset while `anemoi-datasets create` writes its dates, and an array that follows when all are written.
_DURING, _AFTER = "_build", "mean"


def check_finished(path: str | Path) -> None:
    """Refuse a dataset whose creation was interrupted: dates that were not written would be missing values.

    Anything but the folder of a dataset is left to Anemoi.
    """
    folder = Path(path).expanduser()
    if (folder / _DURING).is_dir() and not (folder / _AFTER).is_dir():
        raise ValueError(
            f"The dataset '{path}' is not complete: `anemoi-datasets create` was interrupted, or is still running. "
            "Create it again with `--overwrite`."
        )


def _check_complete(path: Path, data: Any) -> None:
    if data.missing:
        raise ValueError(
            f"Dataset '{path}' has {len(data.missing)} missing dates, the first is {data.dates[min(data.missing)]}. "
            "Create it without a gap in time."
        )
    if data.shape[2] != 1:
        raise ValueError(f"Dataset '{path}' has {data.shape[2]} members. Create it with one member.")
