# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Files that may not be read and folders that may not be written; the superuser takes another identity meanwhile."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

import anemoi_ailand as ail
from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.disk_errors import check_folder
from anemoi_ailand.workflows.check_checkpoint import check_checkpoint
from tests.faults.faults import words

#: User without any right, `nobody`.
_NOBODY = 65534


@contextmanager
def ordinary_user():
    """Be an ordinary user, whom permissions stop."""
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(_NOBODY)
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def place():
    """A folder that others can read, unlike those of pytest, with a folder and files that they cannot."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "closed").mkdir(mode=0o555)
    yield folder
    shutil.rmtree(folder)


def test_a_checkpoint_that_may_not_be_read(place):
    """Neither damaged nor absent is said; for every kind of file."""
    for name in ("mine.ckpt", "mine.safetensors"):
        path = Path(shutil.copy(pretrained_checkpoint("ailand-small"), place / name))
        path.chmod(0)
        with ordinary_user():
            for load in (ail.load, check_checkpoint):
                with pytest.raises(PermissionError, match=words("a checkpoint that may not be read")):
                    load(path)


def test_a_folder_that_may_not_be_written(place):
    """Outputs of runs and results of commands are refused before any work, and leave nothing behind."""
    expected = words("a result in a folder that may not be written")
    with ordinary_user():
        with pytest.raises(PermissionError, match=expected):
            check_folder(place / "closed")
        with pytest.raises(PermissionError, match=expected), complete_folder(place / "closed" / "result", "proof"):
            raise AssertionError("the work has begun")
    assert list((place / "closed").iterdir()) == []
