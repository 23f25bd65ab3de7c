# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checks of a checkpoint before it is unpickled: is it whole, and does anybody vouch for it.

A checkpoint of Anemoi is a Python pickle, and reading a pickle executes its content. A file is opened if its SHA-256 is
that of a packaged network or of the record next to it, which trainings write (``best.ckpt.sha256``, in the form of
``sha256sum``), or if the user trusts it. A record tells a whole file from a damaged one, but not who made both.
"""

from __future__ import annotations

import logging
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from anemoi_ailand.rollout.step.pretrained import is_packaged
from anemoi_ailand.support.checksum import file_sha256, record_of, recorded_sha256

LOG = logging.getLogger(__name__)

#: Trust in every checkpoint that is opened without a word of its own: of a command, or of a run.
_TRUST: ContextVar[bool] = ContextVar("trust", default=False)


@contextmanager
def trusting(trust: bool) -> Iterator[None]:
    """Trust all checkpoints that are opened meanwhile in this thread, if ``trust`` is true."""
    token = _TRUST.set(trust or _TRUST.get())
    try:
        yield
    finally:
        _TRUST.reset(token)


def check_whole(path: Path) -> bool:
    """Refuse a damaged checkpoint, and return whether its checksum is known.

    Raises
    ------
    ValueError
        The SHA-256 is not the recorded one, or a part of the archive has another CRC than the archive states, which
        torch does not verify.
    """
    recorded = recorded_sha256(path)
    if recorded and (found := file_sha256(path)) not in recorded:
        record = record_of(path)
        if record.stat().st_mtime < path.stat().st_mtime and _parts_are_sound(path):
            raise ValueError(
                f"The checkpoint '{path}' was written after the record of its checksum, '{record.name}', and is not "
                "loaded. All parts of its archive are sound: a training may have been killed between both. If it is "
                f"yours, record it: `sha256sum {path.name} > {record.name}` in its folder."
            )
        raise ValueError(
            f"The checkpoint '{path}' is damaged or was exchanged, and is not loaded: its SHA-256 is {found}, but "
            f"'{record.name}' next to it has {recorded[0]}. Take another copy; if you changed it on purpose, "
            "remove the record, and trust it."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except zipfile.BadZipFile:
        # another kind of file, or one that was cut; whoever reads its metadata says so
        return bool(recorded)
    except (OSError, RuntimeError, NotImplementedError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"The checkpoint '{path}' is damaged and is not loaded ({error}). {_COPY}") from error
    if broken is not None:
        raise ValueError(
            f"The checkpoint '{path}' is damaged and is not loaded: its part '{broken}' has another checksum (CRC) "
            f"than the archive states. {_COPY}"
        )
    return bool(recorded) or is_packaged(path)  # those are verified when their name is resolved


def _parts_are_sound(path: Path) -> bool:
    """Return whether each part of an archive has the checksum (CRC) that the archive states."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # damaged in one of many ways
        return False


_COPY = "Take another copy, or another checkpoint of the training."


def check_trusted(path: Path, known: bool, trust: bool | str | None = None) -> None:
    """Refuse a checkpoint whose checksum is neither known nor told, unless the user trusts it.

    ``trust`` is true, or the SHA-256 that the user expects; without it, that of :func:`trusting` holds.

    Raises
    ------
    ValueError
        Nobody vouches for the checkpoint, or its SHA-256 is not the expected one.
    """
    if isinstance(trust, str):
        if (found := file_sha256(path)) != trust.strip().lower():
            raise ValueError(f"The checkpoint '{path}' has SHA-256 {found}, not {trust}, and is not loaded.")
        return
    if known:
        return
    if not (_TRUST.get() if trust is None else trust):
        raise ValueError(
            f"The checkpoint '{path}' is not loaded: it is a Python pickle, which can execute anything when it is "
            f"read, and no checksum of it is known ('{record_of(path).name}' next to it, which trainings write). If "
            "you trust its source, say so: `--trust` of a command, `trust: true` of a run, `trust=True` of `ail.load`."
        )
    LOG.warning("The checkpoint %s is loaded on trust: no checksum of it is known", path)
