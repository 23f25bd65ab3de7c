# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Atomic writes of files and folders: a reader sees the earlier result or the complete new one, even after a kill."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from anemoi_ailand.support.disk_errors import check_folder
from anemoi_ailand.support.lock import exclusive


def partial_path(path: Path) -> Path:
    """Return the name of ``path`` until it is complete; it stays the same in every process, so a run can resume."""
    return path.with_name(f"{path.name}.partial")


@contextmanager
def complete_file(path: Path, partial: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path; on success it is published as ``path``, on any failure it is removed.

    The folder of ``path`` must exist. ``partial``, the temporary path, is in the same folder (:func:`partial_path` by
    default); a file left there is removed first.
    """
    partial = partial_path(path) if partial is None else partial
    partial.unlink(missing_ok=True)
    try:
        yield partial
        publish(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, temporary: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file through ``write(file)``, which gets ``temporary`` opened for writing; see :func:`complete_file`."""
    with complete_file(path, temporary) as partial, partial.open("wb") as file:
        write(file)


def publish(partial: Path, path: Path) -> None:
    """Force a complete file to disk, rename it to ``path`` and force the new name to disk."""
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def claim_folder(made: Path, path: Path) -> bool:
    """Rename a folder to ``path`` unless another process has made that; return whether it was renamed."""
    try:
        made.rename(path)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        return False
    return True


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


LOG = logging.getLogger(__name__)

#: Beginning of the attribute ``source``, or of the file, of what this package writes.
_WRITER = b"anemoi-ailand"


def child(folder: Path, name: str) -> Path:
    """Return the path of an entry of a folder, by a name that a file states.

    Raises
    ------
    ValueError
        The name is not that of an entry, as ``../../elsewhere``.
    """
    if not name or name in (".", "..") or Path(name).name != name:
        raise ValueError(f"'{name}' is not the name of a file in '{folder}'. Its origin is damaged, or was changed.")
    return folder / name


@contextmanager
def complete_folder(path: str | Path, proof: str) -> Iterator[Path]:
    """Yield a new temporary folder; on success it replaces ``path``, on failure it is removed.

    ``path`` may exist only if it is empty or an earlier result, which has a file called ``proof``: no other folder is
    ever removed. Another process that makes the same folder is refused meanwhile, and remains of a killed one are
    removed.
    """
    path = Path(path).expanduser()
    check_folder(path.parent)
    with exclusive(path):
        _tidy(path)
        with _complete_folder(path, proof) as partial:
            yield partial


def check_earlier(path: str | Path, proof: str) -> None:
    """Refuse a folder that :func:`complete_folder` would not replace, for calls before long work.

    Raises
    ------
    FileExistsError
        ``path`` exists, is not empty, and has no file called ``proof``.
    """
    path = Path(path).expanduser()
    replaceable = path.is_dir() and ((path / proof).is_file() or not any(path.iterdir()))
    if path.exists() and not replaceable:
        raise FileExistsError(
            f"The output '{path}' exists and is not an earlier result: it has no '{proof}'. "
            "Give another output, or remove it yourself."
        )


def _tidy(path: Path) -> None:
    """Remove what a killed process left; bring back the earlier result if it was killed while this was exchanged."""
    for old in path.parent.glob(f".{path.name}.old-*"):
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(path)
    for partial in path.parent.glob(f".{path.name}.partial-*"):
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _complete_folder(path: Path, proof: str) -> Iterator[Path]:
    check_earlier(path, proof)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".{path.name}.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        publish_folder(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_replaceable(path: Path) -> None:
    """Refuse to replace a file or folder that this package has not written.

    Files and stores of this package say so in their attribute ``source``, saved states in their first line; an empty
    file or folder, and GRIB, which names no writer, are replaced.

    Raises
    ------
    FileExistsError
        ``path`` is a dataset of Anemoi, from which networks are trained, or another file or folder.
    """
    _check_no_dataset(path)
    if (path.is_file() or path.is_dir()) and not _is_ours(path):
        raise FileExistsError(
            f"The output '{path}' exists, and anemoi-ailand has not written it: it is not replaced. Give another "
            "output, or remove it yourself."
        )


def _is_ours(path: Path) -> bool:
    """Return whether this package has written a file or a zarr, or it is empty, or GRIB."""
    if path.is_dir():
        stated = [file for name in (".zattrs", "zarr.json") if (file := path / name).is_file()]
        return not any(path.iterdir()) or any(_WRITER in file.read_bytes() for file in stated)
    with path.open("rb") as opened:
        begin = opened.read(len(_WRITER))
    if begin[:4] in (b"", b"GRIB") or begin == _WRITER:  # the last is a saved state
        return True
    if begin[:4] not in (b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05"):
        return False
    import netCDF4  # slow, and needed only where there is a file

    from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK

    try:
        with NETCDF_LOCK, netCDF4.Dataset(path) as dataset:
            return _WRITER in str(getattr(dataset, "source", "")).encode()
    except OSError:  # damaged
        return False


def _check_no_dataset(path: Path) -> None:
    if (path / "data").is_dir() and (path / "latitudes").is_dir():
        raise FileExistsError(f"The output '{path}' is a dataset, which is not replaced. Give another output.")


def publish_folder(partial: Path, path: Path) -> None:
    """Force a complete folder to disk and rename it to ``path``.

    An earlier folder of that name is removed, or restored on failure; a dataset is not replaced.
    """
    _check_no_dataset(path)
    for entry in partial.rglob("*"):
        if not entry.is_symlink():
            sync(entry)
    sync(partial)
    if not path.exists():
        partial.rename(path)
        sync(path.parent)
        return
    old = path.parent / f".{path.name}.old-{os.getpid()}"
    path.rename(old)
    try:
        partial.rename(path)
    except OSError:
        old.rename(path)
        raise
    sync(path.parent)
    shutil.rmtree(old, ignore_errors=True)
    LOG.info("Replaced %s", path)
