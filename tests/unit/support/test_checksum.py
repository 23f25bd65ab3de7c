# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checksum of a file."""

from pathlib import Path

from anemoi_ailand.support.checksum import file_sha256


def test_checksum_is_that_of_the_standard(tmp_path: Path) -> None:
    """Example "abc" of FIPS 180-4."""
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    assert file_sha256(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
