# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Failures to write, in words."""

import errno
import os
import stat
from pathlib import Path

import pytest

from anemoi_ailand.support import disk_errors as full_disk
from anemoi_ailand.support.disk_errors import check_folder, free_bytes, writing


def test_full_disk_is_named(tmp_path):
    """With file, free space, and what to do."""
    said = r"No space left to write '.*f.nc'.*bytes are free there. Make room"
    with pytest.raises(OSError, match=said) as caught, writing(tmp_path / "f.nc"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "f.nc"))


@pytest.mark.parametrize(("free", "number"), [(10, errno.ENOSPC), (2**40, errno.EIO)])
def test_hdf5_does_not_say_why(tmp_path, monkeypatch, free, number):
    """Little space is then the reason, and else none is given."""
    monkeypatch.setattr(full_disk, "free_bytes", lambda folder: free)
    with pytest.raises(OSError, match="NetCDF: HDF error") as caught, writing(tmp_path / "f.nc"):
        raise RuntimeError("NetCDF: HDF error")
    assert caught.value.errno == number


def test_other_errors_keep_their_number(tmp_path):
    """And their kind."""
    with pytest.raises(PermissionError, match="could not be written"), writing(tmp_path / "f.nc"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_mistakes_are_no_failures_to_write(tmp_path):
    """They stay what they are."""
    with pytest.raises(KeyError), writing(tmp_path / "f.nc"):
        raise KeyError("sd")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_device_that_is_full(tmp_path):
    """The real error of the system."""
    with pytest.raises(OSError, match="No space left to write"), writing(tmp_path / "f.nc"):
        Path("/dev/full").write_bytes(bytes(2**16))


def test_free_space_of_a_folder_to_be_made(tmp_path):
    """Of the disk on which it will be."""
    assert abs(free_bytes(tmp_path / "a" / "b") - free_bytes(tmp_path)) < 2**30


def test_folder_that_can_be_made_is_not(tmp_path, monkeypatch):
    """It is tried and left as it was; a relative one, too."""
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    check_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    check_folder(Path("c/d"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_the_right_to_write(tmp_path):
    """The error names it."""
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(PermissionError, match="cannot be written to the folder"):
        check_folder(tmp_path / "a")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_folder_that_nobody_can_make():
    """Not even root."""
    with pytest.raises(OSError, match=r"cannot be written to the folder '/proc/ailand/out'.*'/proc' is there"):
        check_folder(Path("/proc/ailand/out"))


def test_file_in_the_place_of_a_folder(tmp_path):
    """The error names what is there."""
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match=f"'{tmp_path / 'a'}' is there"):
        check_folder(tmp_path / "a" / "b")
