# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A file is there as a whole or as it was."""

import os
from pathlib import Path

import pytest

from anemoi_ailand.support.atomic_file import sync, write_whole


def test_file_and_folder_are_forced_to_disk_in_order(tmp_path, monkeypatch):
    """The content before the name, the name before the return."""
    path, order, force = tmp_path / "f", [], os.fsync

    def noted(descriptor):
        order.append((path.exists(), str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        force(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    write_whole(path, tmp_path / "t", lambda file: file.write(b"new"))
    assert order == [(False, str(tmp_path / "t")), (True, str(tmp_path))]
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_what_was_there(tmp_path):
    """And no temporary file."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fails(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_whole(path, tmp_path / "t", fails)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_sync_of_what_is_not_there(tmp_path):
    """An error, as nothing is on disk."""
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "nothing")
