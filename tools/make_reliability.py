# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Write docs/results/reliability.md from the catalogues of faults: ``python tools/make_reliability.py``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "reliability.md"

#: Tables of wrong inputs by heading: lists of the module ``tests.faults.inputs``, if there is one.
INPUTS = {
    "Static fields": "STATIC",
    "Initial states": "STATE",
    "Forcing": "FORCING",
    "Forcing over weeks": "MONTH",
    "Data over months and a year": "YEARS",
    "Inputs that no training has": "UNSEEN",
    "Inputs that look wrong and are sound": "SOUND",
}

_HEADER = """# Nothing wrong passes in silence

Every line was provoked by a test (`pytest tests/faults tests/unit`), which checks the outcome and the words of the
message: an error stops before anything wrong is written, a warning is written to the log, and what is fine passes. The
page is made from the catalogue in `tests/faults` by `python tools/make_reliability.py`. What is checked where is on the
page [when something is wrong](../guide/when-something-is-wrong.md).
"""


def tables() -> dict[str, Sequence[Any]]:
    """Return all tables of the catalogues by heading."""
    faults, data_faults = (import_module(f"tests.faults.{name}").TABLES for name in ("faults", "data_faults"))
    found: dict[str, Sequence[Any]] = {**faults, **data_faults}
    if (ROOT / "tests" / "faults" / "inputs.py").is_file():
        module = import_module("tests.faults.inputs")
        found = {heading: getattr(module, name) for heading, name in INPUTS.items()} | found
    return found


def outcome(fault: Any) -> str:
    """Return the class of a fault, whatever its table calls it."""
    return str(fault.expected if hasattr(fault, "expected") else fault.outcome)


def page(found: Mapping[str, Sequence[Any]]) -> str:
    """Return the page: a table of counts, then one table for each heading."""
    lines = [_HEADER, "| | cases | errors | warnings | fine |", "|---|---|---|---|---|"]
    counts = {heading: Counter(outcome(fault) for fault in table) for heading, table in found.items()}
    for heading, count in {**counts, "all": sum(counts.values(), Counter())}.items():
        lines.append(f"| {heading} | {count.total()} | {count['error']} | {count['warning']} | {count['fine']} |")
    for heading, table in found.items():
        lines += ["", f"## {heading}", "", "| case | outcome | words of the message |", "|---|---|---|"]
        lines += [row(fault) for fault in table]
    return "\n".join(lines) + "\n"


def row(fault: Any) -> str:
    """Return the line of a fault."""
    return f"| {cell(fault.name)} | {outcome(fault)} | {cell(plain(fault.words))} |"


def plain(words: str) -> str:
    """Return a regular expression as a reader would write the words: the rest of a message is three dots."""
    text = re.sub(r"\(\?\w+\)|\[0-9\](?:\+)|\[0-9a-f\]\{64\}", lambda m: "..." if m[0].startswith("[") else "", words)
    text = re.sub(r"\.\*", " ... ", text)
    return " ".join(re.sub(r"\\(.)", r"\1", text).replace("|", " or ").split())


def cell(text: str) -> str:
    """Return text for a cell of a table."""
    return text.replace("|", "\\|")


def stale() -> Iterator[str]:
    """Yield a message if the page is not that of the catalogues."""
    if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page(tables()):
        yield f"{PAGE} is not that of tests/faults: python tools/make_reliability.py"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(tables()), encoding="utf-8")


if __name__ == "__main__":
    main()
