# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""JSON of results is valid and readable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anemoi_ailand.evaluation.display.json_records import json_text, records


def test_records_are_plain_and_short():
    """Floats have six digits, NaN and infinity are ``None``, types of numpy are those of Python."""
    table = pd.DataFrame({"a": [0.123456789, np.nan, np.inf], "n": [1, 2, 3], "b": [True, False, True]})
    found = records(table)
    assert found == [
        {"a": 0.123457, "n": 1, "b": True},
        {"a": None, "n": 2, "b": False},
        {"a": None, "n": 3, "b": True},
    ]
    assert {type(value) for row in found for value in row.values()} == {float, int, bool, type(None)}


def test_json_has_a_line_for_each_record():
    """Each record has its own line, and the text is read back unchanged."""
    metrics = {
        "schema": "s",
        "path": Path("a"),
        "n": np.int64(3),
        "scores": [{"value": 1.5}, {"value": None}],
        "no": [],
    }
    text = json_text(metrics)
    assert json.loads(text) == {**metrics, "path": "a", "n": 3}
    assert text.splitlines()[4:7] == [' "scores": [', '  {"value": 1.5},', '  {"value": null}']


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_number_that_json_lacks_is_an_error(value):
    """NaN and infinity are refused, because other readers refuse them."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"budgets": {"value": value}})
