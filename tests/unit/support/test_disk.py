# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Atomic writes of files and folders, and errors of the disk."""

import ast
import errno
import os
from pathlib import Path

import pytest

from anemoi_ailand.support import disk_errors as full_disk
from anemoi_ailand.support.atomic import complete_file, complete_folder, write_whole
from anemoi_ailand.support.disk_errors import check_folder, not_found, writing

RENAMES = ("rename", "replace")


def test_file_and_folder_are_forced_to_disk_in_order(tmp_path, monkeypatch):
    """The content is on disk before the new name, the name before the return."""
    path, order, force = tmp_path / "f", [], os.fsync

    def noted(descriptor):
        order.append((path.exists(), str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        force(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    write_whole(path, tmp_path / "t", lambda file: file.write(b"new"))
    assert order == [(False, str(tmp_path / "t")), (True, str(tmp_path))]
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_write_leaves_the_earlier_file(tmp_path, error):
    """On any error the earlier content stays, and no temporary file is left."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fails(file):
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_whole(path, tmp_path / "t", fails)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_complete_file_replaces_remains_of_a_killed_run(tmp_path):
    """The temporary file of a killed process is replaced, and the file appears when it is complete."""
    path = tmp_path / "f"
    (tmp_path / "f.partial").write_text("remains")
    with complete_file(path) as partial:
        assert not partial.exists()
        partial.write_text("new")
        assert not path.exists()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("f", "new")]


def test_renames_are_in_one_place():
    """No module renames files by hand: only `support/atomic` does."""
    root = Path(__file__).resolve().parents[3]
    modules = [p for room in ("anemoi_ailand", "benchmarks", "tools") for p in sorted((root / room).rglob("*.py"))]
    found = [str(p.relative_to(root)) for p in modules if p.name != "atomic.py" and renames(p)]
    # a training of another configuration is put aside under another name: no result is written there
    assert found == ["benchmarks/contest/training.py"]


def renames(path):
    """Return whether a module calls `Path.rename`, `Path.replace`, `os.rename` or `os.replace`."""
    calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
    methods = [(c, c.func) for c in calls if isinstance(c.func, ast.Attribute) and not c.keywords]
    of_os = any(isinstance(f.value, ast.Name) and f.value.id == "os" and f.attr in RENAMES for _, f in methods)
    return of_os or any(f.attr in RENAMES and [type(a) for a in c.args] != [ast.Constant] and len(c.args) == 1
                        for c, f in methods)  # fmt: skip


def test_folder_appears_when_complete(tmp_path):
    """The folder appears when it is complete, and nothing else is left."""
    target = tmp_path / "new" / "out"
    with complete_folder(target, "proof") as folder:
        (folder / "proof").write_text("1")
        assert not target.exists()
    assert [p.name for p in target.parent.iterdir()] == ["out"]
    assert (target / "proof").read_text() == "1"


def test_nothing_is_left_on_error(tmp_path):
    """On error neither the folder nor its temporary form is left."""
    with pytest.raises(RuntimeError), complete_folder(tmp_path / "out", "proof") as folder:
        (folder / "half").write_text("1")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_earlier_result_stays_until_the_new_one_is_complete(tmp_path):
    """An error leaves the earlier result, success replaces all of it."""
    target = tmp_path / "out"
    target.mkdir()
    (target / "proof").write_text("old")
    (target / "extra").write_text("old")
    with pytest.raises(RuntimeError), complete_folder(target, "proof"):
        raise RuntimeError
    assert (target / "extra").exists()
    with complete_folder(target, "proof") as folder:
        (folder / "proof").write_text("new")
    assert [(p.name, p.read_text()) for p in target.iterdir()] == [("proof", "new")]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_other_folder_is_never_replaced(tmp_path):
    """A folder without the proof, a home folder say, is refused and unchanged."""
    target = tmp_path / "home"
    target.mkdir()
    (target / "letter").write_text("dear")
    with pytest.raises(FileExistsError, match=r"no 'proof'.*another output"), complete_folder(target, "proof"):
        pass
    assert (target / "letter").exists()


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


def test_missing_file_is_named_with_its_neighbours(tmp_path):
    """Files of the kind in its folder, or their absence, or that of the folder."""
    path = tmp_path / "best.ckpt"
    found = [str(not_found(path, "checkpoint", pattern)) for pattern in ("*", "*.ckpt")]
    (tmp_path / "b.txt").touch()
    found.append(str(not_found(path, "checkpoint", advice="Look.")))
    found.append(str(not_found(path / "c", "file")))
    for i in range(11):
        (tmp_path / f"{i}.ckpt").touch()
    found.append(str(not_found(path, "checkpoint", "1*.ckpt")))
    found.append(str(not_found(path, "checkpoint", "*.ckpt")))
    start = f"There is no checkpoint '{path}'. "
    assert found[:5] == [
        f"{start}Its folder is empty. Correct the path.",
        f"{start}No *.ckpt is in the folder '{tmp_path}'. Correct the path.",
        f"{start}Its folder holds ['b.txt']. Look.",
        f"There is no file '{path / 'c'}'. The folder '{path}' does not exist. Correct the path.",
        f"{start}Its folder holds ['1.ckpt', '10.ckpt']. Correct the path.",
    ]
    assert found[5].endswith("'8.ckpt'] and others. Correct the path.")
