# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Locks of files and folders that one process at a time writes.

A lock is the hidden file ``.NAME.lock`` next to what it protects. It holds who has it, and the system keeps the lock of
it (``fcntl.lockf``) for as long as that process lives: a killed process leaves the file, but no lock.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

LOG = logging.getLogger(__name__)

#: Locks that this process holds: descriptor and number of holders by path. The system knows of one a process only.
_HELD: dict[Path, tuple[int, int]] = {}
_GUARD = threading.RLock()

#: Errors by which a file system refuses a lock that another process has, and by which it knows none, or may not write.
_TAKEN = (errno.EACCES, errno.EAGAIN)
_NONE = (errno.ENOLCK, errno.ENOTSUP, errno.EROFS, errno.EPERM)


class InUse(OSError):
    """Another process writes the same file or folder."""


def lock_file(path: Path) -> Path:
    """Return the path of the lock of a file or folder."""
    path = path.expanduser().absolute()
    return path.with_name(f".{path.name}.lock")


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder, which need not exist; see :func:`acquire`."""
    acquire(path)
    try:
        yield
    finally:
        release(path)


def acquire(path: Path) -> None:
    """Take the lock of a file or folder until :func:`release`, or the end of the process; its folder is created.

    Several holders within a process share the lock. Where the file system has no locks, a warning is all.

    Raises
    ------
    InUse
        Another process holds it; the message has its number, host and time.
    """
    place = lock_file(path)
    with _GUARD:
        if place in _HELD:
            descriptor, holders = _HELD[place]
            _HELD[place] = descriptor, holders + 1
            return
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            descriptor = _locked(place)
        except BlockingIOError:
            raise InUse(
                errno.EBUSY,
                f"'{path}' is in use by {_holder(place)}. Wait until it has ended, or give this one another place",
            ) from None
        except OSError as error:
            if error.errno in (*_NONE, errno.EACCES):
                LOG.warning("'%s' cannot be locked (%s): do not write it from two programs at once", path, error)
                return
            raise
        _HELD[place] = descriptor, 1


def release(path: Path) -> None:
    """Give back the lock of a file or folder; nothing to do without one."""
    place = lock_file(path)
    with _GUARD:
        descriptor, holders = _HELD.get(place, (-1, 0))
        if holders > 1:
            _HELD[place] = descriptor, holders - 1
        elif holders:
            del _HELD[place]
            _drop(place, descriptor)


def _locked(place: Path) -> int:
    """Open and lock the file, and write who has it; again if it was removed by its last holder in between."""
    while True:
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if place.exists() and os.fstat(descriptor).st_ino == place.stat().st_ino:
                about = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M}"}
                os.ftruncate(descriptor, 0)
                os.write(descriptor, json.dumps(about).encode())
                return descriptor
        except OSError as error:
            os.close(descriptor)
            if error.errno in _TAKEN:
                raise BlockingIOError(error.errno, "taken") from error
            raise
        os.close(descriptor)


def _drop(place: Path, descriptor: int) -> None:
    place.unlink(missing_ok=True)
    os.close(descriptor)


def _holder(place: Path) -> str:
    """Return who wrote the lock file; it was opened here only, and closing a file releases no lock of another."""
    try:
        about = json.loads(place.read_text(encoding="utf-8"))
        return f"process {about['pid']} on {about['host']} since {about['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is being written, or removed
        return "another process"


@atexit.register
def _drop_all() -> None:
    """Remove the files of locks that nobody gave back: a run that failed holds them until the process ends."""
    pid = os.getpid()
    for place, (descriptor, _) in list(_HELD.items()):
        try:
            if json.loads(place.read_text(encoding="utf-8"))["pid"] == pid:  # not in a process forked from the holder
                _drop(place, descriptor)
        except (OSError, ValueError, KeyError):
            continue
    _HELD.clear()
