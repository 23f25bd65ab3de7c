# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Page of reliability: made from the catalogues of faults, readable, and not older than they are."""

from tests.faults.faults import Fault
from tools.make_reliability import page, plain, stale


def test_page_is_that_of_the_catalogues() -> None:
    """Otherwise: ``python tools/make_reliability.py``."""
    assert list(stale()) == []


def test_counts_and_rows() -> None:
    """Each class is counted, and a table is written for each heading."""
    text = page({"A": [Fault("one", "error", "x.*y"), Fault("two", "fine")], "B": [Fault("three", "warning", "z")]})
    assert "| A | 2 | 1 | 0 | 1 |" in text
    assert "| all | 3 | 1 | 1 | 1 |" in text
    assert "## B\n\n| case | outcome | words of the message |\n|---|---|---|\n| three | warning | z |\n" in text


def test_words_as_a_reader_writes_them() -> None:
    """Escapes and repetitions are those of the test."""
    assert plain(r"\['points'\].*is in use by process [0-9]+") == "['points'] ... is in use by process ..."
