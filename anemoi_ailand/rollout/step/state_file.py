# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Restart and state files: written atomically, verified by checksum, and tied to their checkpoint.

A file consists of a line with a mark and the SHA-256 of the rest, a line of JSON, and an uncompressed ``npz`` archive
without pickles.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.support.atomic import write_whole
from anemoi_ailand.support.disk_errors import not_found

LOG = logging.getLogger(__name__)

#: First words of a file, with the version of its format.
MAGIC = "anemoi-ailand restart 1"

#: Limit of the first line [bytes].
_LONGEST_LINE = 256


def write_restart(path: Path, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Path:
    """Write a file atomically, so that a failure leaves an existing file unchanged; its folder is created.

    ``header`` is JSON with ``kind`` and ``checkpoint_sha256``; ``arrays`` hold no objects.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)  # type: ignore[arg-type]
    content = json.dumps(dict(header)).encode() + b"\n" + buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    first = f"{MAGIC} {hashlib.sha256(content).hexdigest()}\n".encode()
    try:
        write_whole(path, temporary, lambda file: file.writelines((first, content)))
    except OSError as error:
        raise type(error)(
            error.errno,
            f"The state cannot be saved as '{path}': {error.strerror}. Its folder needs {len(content) / 1e6:.1f} "
            f"MB. An earlier file is left unchanged. Free some space and resume from it",
        ) from error
    return path


def warn_of_other_execution(what: str, recorded: str | None, execution: str) -> None:
    """Warn that a run continues from a file whose recorded execution is not its own; None is not known.

    Bitwise promises hold within one execution: plain, or compiled with one precision, torch and processor.
    """
    if recorded is not None and recorded != execution:
        LOG.warning(
            "%s was %s, and it continues %s: from here on, values differ from those of a run without interruption by "
            "rounding. Set `execution` to keep one of them, on the same machine with the same torch",
            what, recorded, execution,
        )  # fmt: skip


def read_restart(path: Path, kind: str, checkpoint_sha256: str | None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read and verify header and arrays of a file written by :func:`write_restart`.

    Any checkpoint is accepted if ``checkpoint_sha256`` is None.

    Raises
    ------
    FileNotFoundError
        ``path`` does not exist.
    ValueError
        The file is damaged, of another kind, or of another checkpoint.
    """
    if not path.is_file():
        raise not_found(path, "saved state", advice="Correct the path, or start from the beginning.")
    with path.open("rb") as file:
        first, content = file.readline(_LONGEST_LINE), file.read()
    if not first.startswith(MAGIC.encode() + b" "):
        raise ValueError(f"'{path}' is not a saved state of format '{MAGIC}'. Give another file.")
    if first.split()[-1].decode() != hashlib.sha256(content).hexdigest():
        raise ValueError(
            f"The saved state '{path}' is damaged: the checksum of its {len(content)} bytes differs from the recorded "
            "one. Take an earlier file, or start from the beginning."
        )
    line, _, archive = content.partition(b"\n")
    header = json.loads(line)
    if header.get("kind") != kind:
        raise ValueError(f"The file '{path}' is a '{header.get('kind')}', not a '{kind}'. Give another file.")
    if checkpoint_sha256 is not None and header.get("checkpoint_sha256") != checkpoint_sha256:
        raise ValueError(
            f"The saved state '{path}' belongs to the checkpoint with SHA-256 {header.get('checkpoint_sha256')}, "
            f"the run to {checkpoint_sha256}. Resume with the same checkpoint, or start from the beginning."
        )
    with np.load(io.BytesIO(archive), allow_pickle=False) as found:
        return header, {name: found[name] for name in found.files}
