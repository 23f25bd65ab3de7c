# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Failed writes end in clear errors."""

import errno
from pathlib import Path

import pytest

from anemoi_ailand.support import disk_errors as full_disk
from anemoi_ailand.support.disk_errors import check_folder, writing


def test_full_disk_is_named(tmp_path):
    """The error gives the file, the free space and what to do."""
    said = r"No space left to write '.*f.nc'.*bytes are free there. Make room"
    with pytest.raises(OSError, match=said) as caught, writing(tmp_path / "f.nc"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "f.nc"))


@pytest.mark.parametrize(("free", "number"), [(10, errno.ENOSPC), (2**40, errno.EIO)])
def test_error_of_hdf5_without_a_reason(tmp_path, monkeypatch, free, number):
    """Little free space makes it a full disk, else it is an input/output error; an error with a number keeps it."""
    monkeypatch.setattr(full_disk, "free_bytes", lambda folder: free)
    with pytest.raises(OSError, match="NetCDF: HDF error") as caught, writing(tmp_path / "f.nc"):
        raise RuntimeError("NetCDF: HDF error")
    assert caught.value.errno == number
    with pytest.raises(PermissionError, match="could not be written"), writing(tmp_path / "f.nc"):
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_device_that_is_full(tmp_path):
    """The error of the operating system is recognised."""
    with pytest.raises(OSError, match="No space left to write"), writing(tmp_path / "f.nc"):
        Path("/dev/full").write_bytes(bytes(2**16))


def test_checked_folder_is_not_left_behind(tmp_path, monkeypatch):
    """Absolute and relative paths leave nothing on disk."""
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    check_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    check_folder(Path("c/d"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_folder_that_cannot_be_created(tmp_path):
    """In /proc not even by root, or in the place of a file; the error names the part that exists."""
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match=f"'{tmp_path / 'a'}' exists"):
        check_folder(tmp_path / "a" / "b")
    with pytest.raises(OSError, match=r"cannot be written to the folder '/proc/ailand/out'.*'/proc' exists"):
        check_folder(Path("/proc/ailand/out"))
