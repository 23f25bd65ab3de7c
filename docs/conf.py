# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Configuration of the documentation site: Sphinx, MyST pages, autodoc with numpydoc, as on Anemoi's own sites.

Two parts are generated at every build, so that they cannot fall behind the code: a page for each public name of
``anemoi_ailand`` (``api/generated``), and the table of variables (``variables.md``).
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import anemoi_ailand  # noqa: E402
from anemoi_ailand.variables import VARIABLES, Role  # noqa: E402

project = "anemoi-ailand"
author = "anemoi-ailand contributors"
copyright = f"2026, {author}"
version = release = anemoi_ailand.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc", "myst_nb"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["examples"]

html_theme = "sphinx_rtd_theme"
html_title = f"anemoi-ailand {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
# The notebooks are stored with their output, and tests/integration/test_notebooks.py executes them.
nb_execution_mode = "off"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

#: Subpackages that come first in the reference, as most users need them; all others follow.
FIRST = ("data", "rollout", "workflows", "evaluation")

#: Marks in Markdown pages that are replaced by generated text.
API_MARK, VARIABLES_MARK = "<!-- generated: public names -->", "<!-- generated: variables -->"


def public_names() -> dict[str, list[str]]:
    """Return the public names by the subpackage or module that defines them."""
    groups: dict[str, list[str]] = {}
    for name in anemoi_ailand.__all__:
        if not name.startswith("__"):
            module = getattr(getattr(anemoi_ailand, name), "__module__", None) or anemoi_ailand._MODULE[name]
            groups.setdefault(module.removeprefix("anemoi_ailand.").partition(".")[0], []).append(name)
    first = [group for group in FIRST if group in groups]
    return {group: groups[group] for group in dict.fromkeys((*first, *groups))}


def kind(name: str) -> str:
    """Return the directive of autodoc for a public name."""
    found = getattr(anemoi_ailand, name)
    return "class" if inspect.isclass(found) else "function" if callable(found) else "data"


def inherited_members(name: str) -> str:
    """Return the option of autodoc for a class with a base in this package, whose methods are its own to users."""
    found = getattr(anemoi_ailand, name)
    bases = found.__mro__[1:] if inspect.isclass(found) else ()
    foreign = [base.__name__ for base in bases if not base.__module__.startswith("anemoi_ailand.")]
    return f"   :inherited-members: {', '.join(foreign)}\n" if len(foreign) < len(bases) else ""


def write_api(app: Sphinx) -> None:
    """Write a page for each public name; pages that have not changed keep their time stamp."""
    folder = DOCS / "api" / "generated"
    folder.mkdir(exist_ok=True)
    options = {"class": "   :members:\n   :show-inheritance:\n", "function": "", "data": "   :no-value:\n"}
    inherited = {name: inherited_members(name) for names in public_names().values() for name in names}
    pages = {
        folder / f"{name}.rst": f"{name}\n{'=' * len(name)}\n\n"
        f".. auto{kind(name)}:: anemoi_ailand.{name}\n{options[kind(name)]}{inherited[name]}"
        for names in public_names().values()
        for name in names
    }
    for page in set(folder.glob("*.rst")) - pages.keys():
        page.unlink()
    for page, text in pages.items():
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def api_tables() -> str:
    """Return tables of the public names with their first lines, and the hidden table of contents."""
    text = ""
    for group, names in public_names().items():
        rows = [f"| [`{name}`](generated/{name}.rst) | {first_line(name)} |" for name in names]
        text += f"## {group.capitalize()}\n\n| name | purpose |\n|---|---|\n" + "\n".join(rows) + "\n\n"
    pages = "\n".join(f"generated/{name}" for names in public_names().values() for name in names)
    return f"{text}:::{{toctree}}\n:hidden:\n\n{pages}\n:::\n"


def first_line(name: str) -> str:
    """Return the first line of the docstring of a public name; data have none of their own."""
    found = getattr(anemoi_ailand, name)
    text = inspect.getdoc(found) if kind(name) != "data" else f"Data of module `{anemoi_ailand._MODULE[name]}`."
    line = (text or "").partition("\n")[0].replace("``", "`").replace("|", "\\|")
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", line)


def variable_tables() -> str:
    """Return one table of variables for each role."""
    text = ""
    columns = ("name", "meaning", "unit", "time", "taken at", "bounds", "reference layout", "GRIB")
    for role in Role:
        rows = [
            (
                f"`{v.name}`", v.long_name, f"`{v.units}`", str(v.time).replace("_", " "), " and ".join(v.taken) or "-",
                interval(v.bounds), v.reference or "-", v.grib or "-",
            )
            for v in VARIABLES.values()
            if v.role is role
        ]  # fmt: skip
        lines = ["| " + " | ".join(row) + " |" for row in (columns, ["---"] * len(columns), *rows)]
        text += f"## {str(role).replace('_', ' ').capitalize()}\n\n" + "\n".join(lines) + "\n\n"
    return text


def interval(bounds: tuple[float | None, float | None]) -> str:
    """Return bounds as text."""
    low, high = ("" if bound is None else f"{bound:g}" for bound in bounds)
    return f"{low} ... {high}".strip() if low or high else "-"


def fill_marks(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the marks of a page by generated text."""
    for mark, text in ((API_MARK, api_tables), (VARIABLES_MARK, variable_tables)):
        if mark in source[0]:
            source[0] = source[0].replace(mark, text())


def read_again(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Return the pages with generated text, which may have changed although their files have not."""
    return ["api/index", "variables"]


def setup(app: Sphinx) -> None:
    """Connect the generators."""
    app.connect("env-get-outdated", read_again)
    app.connect("builder-inited", write_api)
    app.connect("source-read", fill_marks)
