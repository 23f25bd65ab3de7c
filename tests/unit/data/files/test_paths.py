# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""User-supplied paths are resolved to existing files."""

from __future__ import annotations

from pathlib import Path

import pytest

from anemoi_ailand.data.files.paths import resolve


@pytest.fixture
def years(tmp_path: Path) -> Path:
    for name in ("land_2019.nc", "land_2020.nc", "land_mean.nc", "README.md", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "deep.nc").touch()
    return tmp_path


def names(path: object) -> list[str]:
    return [p.name for p in resolve(path)]  # type: ignore[arg-type]


def test_folder_means_its_data_files(years):
    """Notes, hidden files and subfolders are left out."""
    assert names(str(years)) == ["land_2019.nc", "land_2020.nc", "land_mean.nc"]


def test_pattern_of_dates_matches_digits_only(years):
    """{date:strftime(%Y)} matches four digits."""
    assert names(f"{years}/land_{{date:strftime(%Y)}}.nc") == ["land_2019.nc", "land_2020.nc"]


def test_glob_and_list_give_each_file_once(years):
    """The files are in the order of the list."""
    assert names([f"{years}/*_2020.nc", str(years / "land_2019.nc"), f"{years}/land_20*.nc"]) == [
        "land_2020.nc", "land_2019.nc",
    ]  # fmt: skip


def test_path_without_a_match(years):
    """The error gives the nearest existing folder and its content."""
    with pytest.raises(FileNotFoundError, match=r"No file matches .*land_2031.nc.*land_2019.nc"):
        resolve(str(years / "land_2031.nc"))
    with pytest.raises(FileNotFoundError, match="nearest existing folder"):
        resolve(str(years / "no" / "such" / "*.nc"))


def test_entries_that_cannot_be_read(years, monkeypatch):
    """No entry, an invalid pattern of dates, a zarr store, and a file without permission (replaced: root may read)."""
    for entry, message in (
        ([], "empty"),
        ("a_{date:strftime(%Q)}.nc", "not understood"),
        ("a_{date}.nc", "not understood"),
        (str(years / "a.zarr"), r"a.zarr' is a zarr store, not files. Give .* `dataset: .*a.zarr`"),
    ):
        (years / "a.zarr").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=message):
            resolve(entry)
    monkeypatch.setattr("os.access", lambda path, mode: path.name != "land_2020.nc")
    with pytest.raises(PermissionError, match=r"1 of 3 files are not readable, first '.*land_2020.nc'"):
        resolve(str(years))
