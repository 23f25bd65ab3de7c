# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""``anemoi-ailand recipes`` as a user types it."""

from __future__ import annotations

from collections.abc import Callable

from anemoi_ailand.support.packaged import find, listing


def test_list_names_every_file(ailand: Callable) -> None:
    """Each packaged file has a line with its name and what it is for."""
    lines = ailand("recipes").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(listing("recipes"))
    assert all(len(line.split()) > 1 for line in lines)


def test_path_and_text_agree(ailand: Callable) -> None:
    """``--path`` gives the file whose text the command prints, and nothing else on stdout."""
    name = next(iter(listing("recipes")))
    assert ailand("recipes", "--path", name).stdout == f"{find('recipes', name)}\n"
    assert ailand("recipes", name).stdout == find("recipes", name).read_text()


def test_unknown_name_is_one_line_and_code_1(ailand: Callable) -> None:
    """The error is one clear line, without a traceback."""
    result = ailand("recipes", "no-such-thing")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("anemoi-ailand recipes: error: There is no 'no-such-thing'")
    assert result.stderr.count("\n") == 1
