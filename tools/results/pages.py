# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Marked blocks of Markdown pages, which are replaced by generated text; the prose around them stays.

A block stands between the lines ``<!-- results: NAME -->`` and ``<!-- /results -->``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

from anemoi_ailand.evaluation.display.text import enumeration
from anemoi_ailand.support.atomic import complete_file

WIDTH = 120

_BLOCK = re.compile(r"(<!-- results: (?P<name>[\w-]+) -->\n)(?P<text>.*?)(<!-- /results -->)", re.DOTALL)

#: Text of a block by its name.
Blocks = Mapping[str, str]


def block_names(text: str) -> list[str]:
    """Return the names of the blocks of a page in their order."""
    return [found["name"] for found in _BLOCK.finditer(text)]


def renewed(text: str, blocks: Blocks) -> str:
    """Return a page with the text of its blocks replaced; blocks that are not given stay.

    Raises
    ------
    ValueError
        A block has no place in the page, or more than one.
    """
    names = block_names(text)
    if wrong := sorted(name for name in blocks if names.count(name) != 1):
        raise ValueError(
            f"The page should have each of the blocks {wrong} once, and has {names}. Add the lines "
            f"'<!-- results: {wrong[0]} -->' and '<!-- /results -->', or remove the repetition."
        )

    def replaced(found: re.Match[str]) -> str:
        name = found["name"]
        return f"{found[1]}{blocks[name].strip()}\n{found[4]}" if name in blocks else found[0]

    return _BLOCK.sub(replaced, text)


def renew_pages(root: Path, pages: Mapping[str, Blocks]) -> list[str]:
    """Replace blocks of pages, by path below ``root``, and return the pages that changed.

    All pages are checked before the first is written, and each is written atomically.
    """
    texts = {page: (root / page).read_text(encoding="utf-8") for page in pages}
    new = {page: renewed(text, pages[page]) for page, text in texts.items()}
    changed = [page for page in pages if new[page] != texts[page]]
    for page in changed:
        with complete_file(root / page) as partial:
            partial.write_text(new[page], encoding="utf-8")
    return changed


def table(rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table as the pages have it; the first row is the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def paragraph(text: str) -> str:
    """Wrap a paragraph to the width of the pages."""
    return fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def made_by(part: str, executions: Mapping[str, tuple[str, str]]) -> str:
    """Return the paragraph on the origin of a page: command, networks with checksum and execution.

    ``executions`` has checksum and execution by name of the network.
    """
    of = [f"`{name}` (SHA-256 `{checksum[:12]}`, {how})" for name, (checksum, how) in executions.items()]
    return paragraph(f"The tables and figures of this page are made by `make results ONLY={part}`, here with the "
                     f"packaged {enumeration(of)}.")  # fmt: skip
