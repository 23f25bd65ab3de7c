# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""House rules that a program can check: licence header, plain English in code and pages, wrapped Markdown."""

import ast
import bisect
import io
import itertools
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = """# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""

#: First words of an indirect question, where a docstring should name a thing or begin with a verb.
QUESTION = re.compile(
    r"(?:(?:From|In|On|At|By|To|For|With|Of) )?(?:What|Which|Where|Whether|How|Who|Whose|Whom|Why|When)\b",
    re.IGNORECASE,
)
#: Phrases that no native speaker would write, and variants of a term; "there is no ..." and "is no longer" are allowed.
BANNED = re.compile(
    r"\b(?:go(?:es|ing|ne)? on (?:with|from|where)|goes on|(?:that|which) (?:is|are) there|anew|of which|beside"
    r"|(?:an?|the|of|each|any|one|many|several|first|last) rollouts?(?![\w./`_=:(])|(?-i:anemoi dataset)"
    r"|(?<!there )(?:is|are) no (?!longer\b|more\b|earlier\b|later\b|finer\b)[a-z]+)\b",
    re.IGNORECASE,
)
#: The same for pages, YAML, the Makefile and templates, with phrases that are wrong in prose only.
BANNED_IN_PROSE = re.compile(
    BANNED.pattern + r"|\b(?:go(?:es|ing)? on|what (?:there is|is there|it is about)|to the last bit|bit for bit)\b",
    re.IGNORECASE,
)
#: Width of Markdown prose, in characters.
WIDTH = 120
#: A line of Markdown that may be wider: table, heading, HTML comment, or one link or image alone.
UNWRAPPED = re.compile(r"\s*(?:\||#+ |<!--|(?:[-*+] )?!?\[[^\]]*\]\(\S*\)[.,;]?$)")
#: Name of the logger, and keywords of argparse whose text is shown to users.
LOGGER, SHOWN = "LOG", ("help", "description", "epilog")


def python_files(*folders: str) -> list[Path]:
    """All Python files in folders of the repository."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text is not None:
                yield node.body[0].lineno, text


def comments(source: str) -> Iterator[tuple[int, str]]:
    """First line and text of each block of comments, without the marks."""
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT]
    block: list[tokenize.TokenInfo] = []
    for token in [*tokens, None]:
        if block and (token is None or token.start[0] != block[-1].start[0] + 1):
            yield block[0].start[0], " ".join(t.string.lstrip("#: ") for t in block)
            block = []
        if token is not None:
            block.append(token)


def literals(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of each string in an expression; values in an f-string are replaced by ``_``."""
    if isinstance(node, ast.JoinedStr):
        parts = [v.value if isinstance(v, ast.Constant) else "_" for v in node.values]
        yield node.lineno, "".join(map(str, parts))
        node = ast.Tuple([v.value for v in node.values if isinstance(v, ast.FormattedValue)], ast.Load())
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def messages(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each string in a ``raise``, in a call of a logger, and in the help of a command."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield from literals(node.exc)
        elif isinstance(node, ast.Call):
            texts = [keyword.value for keyword in node.keywords if keyword.arg in SHOWN]
            if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == LOGGER:
                texts += node.args
            for text in texts:
                yield from literals(text)


def faults(source: str) -> list[tuple[int, str]]:
    """Line and words of each indirect question at the start of a docstring and of each banned phrase."""
    found = [(line, text.partition("\n")[0][:60]) for line, text in docstrings(source) if QUESTION.match(text)]
    for line, text in [*docstrings(source), *comments(source), *messages(source)]:
        found += [(line, m[0]) for m in BANNED.finditer(" ".join(text.split()))]
    return sorted(found)


def pages() -> list[Path]:
    """All Markdown pages; the model card is generated."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def wide_lines(markdown: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is too wide; code has no tables, headings or links."""
    fenced = False
    for number, line in enumerate(markdown.splitlines(), start=1):
        fenced ^= line.startswith("```")
        if len(line) > WIDTH and (fenced or not UNWRAPPED.match(line)):
            yield number, line


def texts() -> list[Path]:
    """Files with prose that are not Python: pages, YAML, Makefile, templates, the example chain."""
    yamls = [p for folder in ("benchmarks", "configs", "docs", "recipes") for p in (ROOT / folder).rglob("*.yaml")]
    templates = [*(ROOT / "anemoi_ailand").rglob("*.j2"), *(ROOT / "docs" / "examples" / "chain").glob("*.sh")]
    return [*pages(), ROOT / "Makefile", *sorted(yamls), *sorted(templates)]


def faults_of_prose(text: str) -> list[tuple[int, str]]:
    """Line and words of each banned phrase, across a break of line and its comment mark too."""
    lines = [line.strip().lstrip("#").strip() for line in text.splitlines()]
    starts = [0, *itertools.accumulate(len(line) + 1 for line in lines)]
    found = BANNED_IN_PROSE.finditer(" ".join(lines))
    return [(bisect.bisect_right(starts, m.start()), m[0].strip()) for m in found]


def test_licence_header() -> None:
    """Every Python file begins with the same three lines."""
    files = python_files("anemoi_ailand", "benchmarks", "hydra_plugins", "tests", "tools")
    assert [str(p.relative_to(ROOT)) for p in files if not p.read_text(encoding="utf-8").startswith(HEADER)] == []


def test_plain_english() -> None:
    """No docstring begins with a question; no docstring, comment, error, log or help text holds a banned phrase."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {words}"
        for path in python_files("anemoi_ailand", "benchmarks", "hydra_plugins", "tests", "tools")
        for line, words in faults(path.read_text(encoding="utf-8"))
    ]
    assert not found, f"{len(found)} places to rewrite:\n" + "\n".join(found)


def test_prose_is_plain_english() -> None:
    """No page, YAML file, target of the Makefile or template holds a banned phrase."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {words}"
        for path in texts()
        for line, words in faults_of_prose(path.read_text(encoding="utf-8"))
    ]
    assert not found, f"{len(found)} places to rewrite:\n" + "\n".join(found)


def test_markdown_is_wrapped() -> None:
    """Markdown is at most 120 characters wide, code too; tables, headings and lone links and images may be wider."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {len(line)} characters"
        for path in pages()
        for number, line in wide_lines(path.read_text(encoding="utf-8"))
    ]
    assert not found, f"{len(found)} lines to wrap:\n" + "\n".join(found)


def test_faults_are_found() -> None:
    """Questions and phrases are found in modules, classes, functions and comments, across a break of line too."""
    source = '''"""What a module holds."""

class A:
    """From when to when it runs."""

    def f(self):
        """Whether it is
        gone on
        with."""
        # the rest, all of
        # which is there
'''
    assert faults(source) == [
        (1, "What a module holds."),
        (4, "From when to when it runs."),
        (7, "Whether it is"),
        (7, "gone on with"),
        (10, "of which"),
    ]


def test_faults_in_messages_are_found() -> None:
    """Strings of errors, log calls and help texts are checked, f-strings and nested ones too, and a line once each."""
    source = """
raise ValueError(f"'{x}' is no " + f"date {'and goes on' if y else ''}.")
raise OSError(
    f"The run {x} starts "
    "anew."
)
LOG.info("%s beside %s", a, "x are no y")
add("--x", help="e.g. of which")
value = "is no date, anew"
LOG.info("The rollout of an anemoi dataset, an Anemoi dataset, the rollout_steps")
"""
    found = [(2, "goes on"), (4, "anew"), (7, "are no y"), (7, "beside"), (8, "of which")]
    assert faults(source) == [*found, (10, "The rollout"), (10, "anemoi dataset")]


def test_plain_text_passes() -> None:
    """Verbs, noun phrases and the same words inside other words pass, and so does code."""
    source = '''"""Whatever the order, the same result."""

def f(anew):
    """Return whether x is valid, besides what is no longer valid; None if there is no x."""
    # renewed
'''
    assert faults(source) == []


def test_faults_of_prose_are_found() -> None:
    """Phrases are found in prose, comments and tables, across a break of line and its mark too."""
    text = "A run goes\non. This is no file.\n\n# all of\n# which\n| beside | there is no file |\n"
    assert faults_of_prose(text) == [(1, "goes on"), (2, "is no file"), (4, "of which"), (6, "beside")]


def test_wide_prose_is_found() -> None:
    """Long prose and code count; a table, a heading and a link alone do not."""
    long = "word " * 30
    text = f"{long}\n| {long} |\n## {long}\n![{long}](a.png)\n```bash\n# {long}\n```\n- {long}\n## {long}\n"
    assert [number for number, _ in wide_lines(text)] == [1, 6, 8]
