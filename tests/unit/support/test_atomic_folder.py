# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Atomic writes of folders: complete, or as before."""

from __future__ import annotations

import pytest

from anemoi_ailand.support.atomic_folder import complete_folder


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
