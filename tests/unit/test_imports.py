# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Imports point one way: a room of the package knows the rooms before it, never those after it.

constants -> variables -> support -> hosts -> {physics, data} -> model -> training -> rollout -> {export, coupling,
assimilation, evaluation} -> workflows -> commands.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "anemoi_ailand"

#: Rank of each room. A module may import its own room, a lower rank, and the siblings below.
RANK = {
    "": 0, "constants": 1, "variables": 2, "support": 3, "hosts": 4, "physics": 5, "data": 5, "model": 6, "training": 7,
    "rollout": 8, "export": 9, "coupling": 9, "assimilation": 9, "evaluation": 9, "workflows": 10, "commands": 11,
    "__main__": 12,
}  # fmt: skip

#: Rooms of the same rank that may be imported: making fields from files needs formulas, and never the other way.
SIBLINGS = {("data", "physics")}

#: What a room must not import, because of what the room is.
FORBIDDEN = {
    "constants": {"numpy", "torch", "anemoi"},
    "variables": {"numpy", "torch", "anemoi"},
    "physics": {"anemoi", "xarray", "netCDF4", "earthkit", "omegaconf", "hydra", "pathlib", "os"},
    "data": {"torch", "anemoi.training", "anemoi.models", "anemoi.inference", "hydra"},
    "model": {"xarray", "netCDF4", "earthkit", "zarr", "pathlib", "os", "anemoi.datasets", "anemoi.inference"},
    "training": {"anemoi.inference", "netCDF4", "earthkit"},
    "evaluation": {"torch", "pytorch_lightning", "anemoi.training", "anemoi.models", "anemoi.inference"},
    "commands": {"numpy", "torch", "scipy"},
}

#: Rooms that must not even reach torch through other modules of the package.
WITHOUT_TORCH = ("data", "evaluation")


def modules() -> dict[str, Path]:
    """All modules of the package by dotted name; a folder counts as its ``__init__``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def room(module: str) -> str:
    """First part of the name below the package."""
    return module.split(".")[1] if "." in module else ""


def imports(module: str) -> Iterator[str]:
    """Dotted names of all that ``module`` imports, wherever in its text the import stands."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            source = ".".join(filter(None, [base, node.module]))
            yield from (f"{source}.{alias.name}" for alias in node.names)


def inside(module: str) -> set[str]:
    """Modules of the package that ``module`` imports; the package itself imports public names at first use."""
    if module == PACKAGE.name:
        return set()
    return {
        name if name in MODULES else name.rpartition(".")[0]
        for name in imports(module)
        if name.split(".")[0] == PACKAGE.name
    }


def reach(module: str) -> set[str]:
    """Modules of the package that are imported with ``module``, the folders on the way included."""
    seen: set[str] = set()
    todo = {module}
    while todo:
        name = todo.pop()
        seen.add(name)
        todo |= {name.rpartition(".")[0], *inside(name)} & MODULES.keys()
        todo -= seen
    return seen


def is_below(name: str, top: str) -> bool:
    """Whether ``name`` is ``top`` or lies in it."""
    return name == top or name.startswith(f"{top}.")


def test_every_room_has_a_place() -> None:
    """A new room is put into the order on purpose."""
    assert {room(m) for m in MODULES} <= set(RANK)


def test_every_folder_is_a_package() -> None:
    """A folder without ``__init__.py`` would be left out of the wheel's imports in silence."""
    assert [p for p in {path.parent for path in MODULES.values()} if not (p / "__init__.py").is_file()] == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    """No module imports a room after its own."""
    mine = room(module)
    wrong = [
        other
        for other in sorted(inside(module))
        if room(other) != mine and RANK[room(other)] >= RANK[mine] and (mine, room(other)) not in SIBLINGS
        and room(other) != ""
    ]  # fmt: skip
    assert not wrong, f"{module} imports {wrong}, which come after it"


@pytest.mark.parametrize("module", MODULES)
def test_room_keeps_to_its_trade(module: str) -> None:
    """No module imports what its room must not know."""
    forbidden = FORBIDDEN.get(room(module), set())
    wrong = sorted({name for name in imports(module) for top in forbidden if is_below(name, top)})
    assert not wrong, f"{module} imports {wrong}"


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in WITHOUT_TORCH])
def test_works_without_torch(module: str) -> None:
    """Neither the module nor anything of the package that comes with it imports torch."""
    wrong = sorted(m for m in reach(module) if any(is_below(name, "torch") for name in imports(m)))
    assert not wrong, f"{module} brings torch in through {wrong}"


@pytest.mark.parametrize("folder", ["physics", "model"])
def test_numerics_open_no_files(folder: str) -> None:
    """Numerics are arrays in, arrays out: no call of ``open``."""
    for module in (m for m in MODULES if room(m) == folder):
        tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
        calls = [n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        assert "open" not in calls, module


@pytest.mark.parametrize("module", [m for m in MODULES if any(is_below(name, "eccodes") for name in imports(m))])
def test_eccodes_and_pyproj_live_together(module: str) -> None:
    """A process that comes to eccodes through us and imports pyproj afterwards ends well.

    The wheels of both bring a PROJ library; with eccodes (2.50) first the process aborts when it ends, its work done.
    ``import pyproj`` in ``anemoi_ailand/data/__init__.py`` keeps the order.
    """
    result = subprocess.run([sys.executable, "-c", f"import {module}, pyproj"], capture_output=True, check=False)
    assert result.returncode == 0
