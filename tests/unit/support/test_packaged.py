# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Packaged files are found; the checksum of the code follows its meaning, not its wording."""

from pathlib import Path

import pytest

from anemoi_ailand.support import checksum as module
from anemoi_ailand.support import packaged
from anemoi_ailand.support.checksum import ROLL_OUT, TRAINING, code_sha256, loaded_sha256, source_sha256


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a package in a checkout, both empty."""
    package = tmp_path / "checkout" / "anemoi_ailand"
    package.mkdir(parents=True)
    monkeypatch.setattr(packaged, "_PACKAGE", package)
    return package


@pytest.mark.parametrize("inside", [True, False], ids=["wheel", "checkout"])
def test_folder_in_wheel_and_checkout(package: Path, inside: bool) -> None:
    """The folder lies in the package (wheel), which is searched first, or in its parent (checkout)."""
    (package.parent / "recipes").mkdir()
    if inside:
        (package / "recipes").mkdir()
    assert packaged.folder("recipes") == (package if inside else package.parent) / "recipes"


def test_listing_and_find(package: Path) -> None:
    """Names are paths in the folder without suffix; other files are not listed."""
    files = [package / "configs" / "training" / "ailand.yaml", package / "configs" / "a.yaml"]
    for path in [*files, package / "configs" / "README.md"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert packaged.listing("configs") == {"a": files[1], "training/ailand": files[0]}
    assert packaged.find("configs", "training/ailand.yaml") == packaged.find("configs", "training/ailand") == files[0]


def test_unknown_name_gives_near_ones(package: Path) -> None:
    """The error gives the nearest names and the command that lists them all; without the folder, the remedy."""
    with pytest.raises(FileNotFoundError, match=r"'recipes' is neither in .* install again"):
        packaged.folder("recipes")
    (package / "recipes").mkdir()
    (package / "recipes" / "ecland-sample.yaml").touch()
    with pytest.raises(ValueError, match=r"'ecland-sampel'.*'ecland-sample'.*anemoi-ailand recipes"):
        packaged.find("recipes", "ecland-sampel")


def test_home_and_variables_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """``~``, ``$VAR``, ``${VAR}`` and ``$AILAND_SAMPLE``, which has a default; an unset variable is an error."""
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("RUN", "abc")
    assert packaged.expand("~/$RUN/${RUN}_*.nc") == "/somewhere/abc/abc_*.nc"
    monkeypatch.delenv(packaged.SAMPLE_VARIABLE, raising=False)
    assert packaged.expand("$AILAND_SAMPLE/x.nc") == str(packaged.folder("sample") / "x.nc")
    monkeypatch.setenv(packaged.SAMPLE_VARIABLE, "mine")
    assert packaged.expand("$AILAND_SAMPLE/x.nc") == "mine/x.nc"
    with pytest.raises(ValueError, match=r"\$NOT_SET/x\.nc.*not set.*Set it"):
        packaged.expand("$NOT_SET/x.nc")


CODE = 'def f(x):\n    """Doc."""\n    return x + 1  # why\n'
PLACES = ("one.py", "physics")


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A package of one module and one folder."""
    (tmp_path / "physics").mkdir()
    (tmp_path / "one.py").write_text(CODE)
    (tmp_path / "physics" / "two.py").write_text(CODE)
    monkeypatch.setattr(module, "_PACKAGE", tmp_path)
    for cached in (loaded_sha256, source_sha256):
        cached.cache_clear()
    yield tmp_path
    for cached in (loaded_sha256, source_sha256):
        cached.cache_clear()


def test_docstrings_comments_and_layout_do_not_count(code):
    """Rewording the code leaves the checksum as it is."""
    before = code_sha256(PLACES)
    (code / "one.py").write_text('def f(x):\n    """Other."""\n\n    return (x + 1)\n')
    assert code_sha256(PLACES) == before


@pytest.mark.parametrize("changed", ["one.py", "physics/two.py", "physics/three.py"])
def test_every_module_counts(code, changed):
    """A changed or new module changes the checksum, but not that of the code already loaded."""
    before = loaded_sha256(PLACES)
    assert code_sha256(PLACES) == before
    (code / changed).write_text(CODE.replace("1", "2"))
    assert code_sha256(PLACES) != before
    assert loaded_sha256(PLACES) == before


def test_names_in_a_cache_are_those_of_the_code_as_it_is(code):
    """A changed docstring changes the checksum of the source, though not in a process that has taken it."""
    before = source_sha256(PLACES)
    (code / "physics" / "two.py").write_text(CODE.replace("Doc", "Other"))
    assert source_sha256(PLACES) == before
    source_sha256.cache_clear()
    assert source_sha256(PLACES) != before


def test_rooms_exist():
    """A renamed room must not drop out of the checksum without notice."""
    assert [p for p in {*ROLL_OUT, *TRAINING} if not (module._PACKAGE / p).exists()] == []
    assert code_sha256(ROLL_OUT) != code_sha256(TRAINING)


def test_configuration_is_a_file_or_a_name(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file comes before a name; the error lists the folder of a path, else it suggests names."""
    named = package / "configs" / "inference" / "rollout.yaml"
    named.parent.mkdir(parents=True)
    named.touch()
    monkeypatch.chdir(package)
    assert (
        packaged.file_or_packaged("inference/rollout") == packaged.file_or_packaged("inference/rollout.yaml") == named
    )
    mine = Path("inference/rollout")
    mine.parent.mkdir()
    mine.touch()
    assert packaged.file_or_packaged(str(mine)) == packaged.file_or_packaged(mine) == mine
    messages = {
        "inference/rolout": r"neither a file nor a packaged one\. Nearest: \['inference/rollout'\]\. Copy",
        "zzz.yaml": r"neither .*Available: \['inference/rollout'\]",
        "configs/inference/rolout.yaml": r"Its folder holds \['rollout.yaml'\]\.",
        "/nowhere/rolout": "The folder '/nowhere' does not exist",
    }
    for text, message in messages.items():
        with pytest.raises(FileNotFoundError, match=message):
            packaged.file_or_packaged(text)
