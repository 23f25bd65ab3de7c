# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Declared dependencies are those that are imported, and bounds are only those that the package itself needs."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

#: Distribution of an import whose name differs by more than case and underscores.
DISTRIBUTION = {"hydra": "hydra-core", "PIL": "pillow", "xgboost": "xgboost-cpu", "yaml": "pyyaml"}

#: Namespaces that several distributions share: ``anemoi.utils`` is of ``anemoi-utils``.
NAMESPACES = ("anemoi", "earthkit")

#: Modules of the repository itself.
OWN = {
    "anemoi_ailand",
    "benchmarks",
    "docs",
    "hydra_plugins",
    "tests",
    "tools",
    *(p.stem for folder in ("tools", "docs/examples") for p in (ROOT / folder).glob("*.py")),
}

#: Declared but not imported, with the reason.
NOT_IMPORTED = {
    "datashader": "anemoi-training imports it without declaring it",
    "build": "command of `make wheel`",
    "hatchling": "backend of `make wheel`",
    "ipykernel": "runs the notebooks",
    "mypy": "command of `make lint`",
    "pytest-xdist": "option of pytest",
    "ruff": "command of `make lint`",
    "myst-nb": "extension of sphinx",
    "numpydoc": "extension of sphinx",
    "sphinx-rtd-theme": "theme of the site",
}


def imported(*folders: str) -> dict[str, str]:
    """Distributions that the Python files of folders import, each with one of these files."""
    found = {}
    for path in sorted(p for folder in folders for p in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [f"{node.module}.{node.names[0].name}" if node.module in NAMESPACES else node.module]
            for name in names:
                top, *rest = name.split(".")
                if top not in OWN and top not in sys.stdlib_module_names:
                    key = f"{top}-{rest[0]}" if top in NAMESPACES else DISTRIBUTION.get(top, top)
                    found[normalised(key)] = str(path.relative_to(ROOT))
    return found


def normalised(name: str) -> str:
    """Name of a distribution in the form in which they are compared."""
    return name.lower().replace("_", "-")


def names(requirements: list[str]) -> set[str]:
    """Distributions in a list of requirements; the package itself is left out."""
    found = {normalised(re.match(r"[\w-]+", requirement)[0]) for requirement in requirements}
    return found - {normalised(PROJECT["name"])}


def declared(*extras: str) -> set[str]:
    """Distributions of the package with extras."""
    return names([*PROJECT["dependencies"], *(r for e in extras for r in PROJECT["optional-dependencies"][e])])


def test_package_declares_what_it_imports() -> None:
    """Everything that the wheel imports is a dependency, or belongs to an extra for users."""
    found = imported("anemoi_ailand", "hydra_plugins")
    assert {
        name: path
        for name, path in found.items()
        if name not in declared("distributed", "export", "mpi", "observations")
    } == {}


def test_package_imports_what_it_declares() -> None:
    """No dependency of the package, or of an extra for users, is unused."""
    used = imported("anemoi_ailand", "hydra_plugins").keys() | NOT_IMPORTED.keys()
    assert declared("export", "mpi", "observations") - used == set()


def test_base_does_not_lean_on_extras() -> None:
    """Only the rooms that an extra is for import its distributions."""
    extra = declared("export", "mpi", "observations") - declared()
    places = {p.relative_to(ROOT / "anemoi_ailand").parts[0] for p in (ROOT / "anemoi_ailand").rglob("*.py")}
    for room in places - {"export", "data", "coupling"}:
        assert not imported(f"anemoi_ailand/{room}").keys() & extra, room


def test_development_declares_what_it_imports() -> None:
    """Tests, benchmarks, tools and the site import what ``dev`` declares, and ``dev`` declares nothing unused."""
    found = imported("benchmarks", "docs", "tests", "tools")
    everything = declared(*PROJECT["optional-dependencies"])
    assert {name: path for name, path in found.items() if name not in everything} == {}
    assert names(PROJECT["optional-dependencies"]["dev"]) - found.keys() - NOT_IMPORTED.keys() == set()


def test_bounds_that_anemoi_implies_are_not_repeated() -> None:
    """Of the distributions whose versions Anemoi limits itself, none has an upper bound here but zarr."""
    limited = ("earthkit-data", "earthkit-meteo", "numcodecs", "torch", "zarr")
    lines = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["export"]]
    assert [line for line in lines if re.match(r"[\w-]+", line)[0] in limited and "<" in line] == ["zarr>=2.18,<3"]


def test_one_module_calls_zarr() -> None:
    """The step to zarr 3 is a change of one module of the package."""
    calls = re.compile(r"^\s*(import|from) zarr\b", re.MULTILINE)
    paths = (ROOT / "anemoi_ailand").rglob("*.py")
    assert {p.stem for p in paths if calls.search(p.read_text(encoding="utf-8"))} == {"zarr_store"}
