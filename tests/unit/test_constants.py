# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A constant has a name, a unit and a value that its neighbours agree with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anemoi_ailand import constants

NAMES = [name for name, value in vars(constants).items() if name.isupper() and not isinstance(value, str)]


def test_constants_are_described_with_their_unit() -> None:
    """The comment above each constant says what it is and gives the unit in brackets."""
    text = Path(constants.__file__).read_text(encoding="utf-8")
    comment = r"#: [^\n]*\[[^\]\n]+\][^\n]*\n(#: [^\n]*\n)*"
    assert [name for name in NAMES if not re.search(rf"{comment}{name} = ", text)] == []


def test_soil_is_2_89_m_deep() -> None:
    """The four layers of the ECMWF soil reach down to 2.89 m."""
    assert sum(constants.SOIL_LAYER_THICKNESS) == pytest.approx(2.89)
