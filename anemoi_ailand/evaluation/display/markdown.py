# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Text of results: aligned Markdown tables, numbers and enumerations."""

from __future__ import annotations

from collections.abc import Sequence

#: Left-aligned columns: the first three and the last.
_LEFT = (0, 1, 2, -1)


def aligned(rows: list[list[str]], left: Sequence[int] = _LEFT) -> list[str]:
    """Return the lines of a Markdown table whose first row is the header; numbers are right-aligned."""
    left = [column % len(rows[0]) for column in left]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(_cell(text, widths[i], i in left) for i, text in enumerate(row)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i in left else ":") for i, w in enumerate(widths)) + "|"
    return [lines[0], rule, *lines[1:]]


def _cell(text: str, width: int, left: bool) -> str:
    return text.ljust(width) if left else text.rjust(width)


def enumeration(words: list[str]) -> str:
    """Join words with commas and a final "and"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def number(value: float | None) -> str:
    """Format three significant digits, without an exponent between 1e-4 and 1e4; a dash for no value."""
    if value is None or value != value:
        return "-"
    return f"{value:.3g}" if value == 0 or not 1e-4 <= abs(value) < 1e4 else f"{float(f'{value:.3g}'):.10g}"
