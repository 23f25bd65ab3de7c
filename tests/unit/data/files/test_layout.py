# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The layout of files is recognised by content."""

from __future__ import annotations

import shutil

import pytest

from anemoi_ailand.data.files.layout import detect
from anemoi_ailand.data.files.paths import resolve
from tests.support.files import native_copy, ramp, stamps, write_land


@pytest.mark.parametrize(
    ("path", "layout"),
    [("", "reference"), ("/static.nc", "reference"), ("/native/points", "native"), ("/native/grid", "native")],
)
def test_files_of_the_sample(path, layout):
    """Both layouts of ecLand, and the reference layout, are recognised."""
    assert detect(resolve(f"$AILAND_SAMPLE{path}")) == layout


def test_our_own_output_and_grib(tmp_path):
    """Files with dataset names have the layout `land`; GRIB is recognised by its first four bytes."""
    (tmp_path / "x").write_bytes(b"GRIB....")
    assert detect([tmp_path / "x"]) == "grib"
    assert detect([write_land(tmp_path / "f.nc", {"swvl1": ramp(2, 2), "t2m": ramp(2, 2)}, stamps(2))]) == "land"


def test_names_of_files_do_not_matter(tmp_path):
    """EcLand forcing under another name is recognised."""
    native = native_copy(tmp_path / "n")
    shutil.move(native / "forcing", tmp_path / "something.nc")
    assert detect([tmp_path / "something.nc"]) == "native"


def test_unknown_content_is_listed(tmp_path):
    """An empty file of ecLand alone has no layout."""
    native = native_copy(tmp_path / "n")
    with pytest.raises(ValueError, match=r"No layout is recognised in .*o_ggd.nc"):
        detect([native / "o_ggd.nc"])
