# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The checksum of the code follows its meaning, not its wording."""

from __future__ import annotations

import pytest

from anemoi_ailand.support import checksum as module
from anemoi_ailand.support.checksum import ROLL_OUT, TRAINING, code_sha256, loaded_sha256

CODE = 'def f(x):\n    """Doc."""\n    return x + 1  # why\n'
PLACES = ("one.py", "physics")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of one module and one folder."""
    (tmp_path / "physics").mkdir()
    (tmp_path / "one.py").write_text(CODE)
    (tmp_path / "physics" / "two.py").write_text(CODE)
    monkeypatch.setattr(module, "_PACKAGE", tmp_path)
    loaded_sha256.cache_clear()
    yield tmp_path
    loaded_sha256.cache_clear()


def test_docstrings_comments_and_layout_do_not_count(package):
    """Rewording the code leaves the checksum as it is."""
    before = code_sha256(PLACES)
    (package / "one.py").write_text('def f(x):\n    """Other."""\n\n    return (x + 1)\n')
    assert code_sha256(PLACES) == before


@pytest.mark.parametrize("changed", ["one.py", "physics/two.py", "physics/three.py"])
def test_every_module_counts(package, changed):
    """A changed or new module changes the checksum, but not that of the code already loaded."""
    before = loaded_sha256(PLACES)
    assert code_sha256(PLACES) == before
    (package / changed).write_text(CODE.replace("1", "2"))
    assert code_sha256(PLACES) != before
    assert loaded_sha256(PLACES) == before


def test_rooms_exist():
    """A renamed room must not drop out of the checksum without notice."""
    assert [p for p in {*ROLL_OUT, *TRAINING} if not (module._PACKAGE / p).exists()] == []
    assert code_sha256(ROLL_OUT) != code_sha256(TRAINING)
