# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Imports point one way: a room of the package knows the rooms before it, never those after it.

constants -> variables -> support -> hosts -> {physics, data} -> model -> training -> rollout -> {export, coupling,
assimilation, evaluation} -> workflows -> commands -> __main__. ``anemoi_ailand/__init__.py`` lists the public names
and may import any room lazily.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.import_graph import ImportGraph, is_below

ROOT = Path(__file__).resolve().parents[2]
GRAPH = ImportGraph(ROOT / "anemoi_ailand")

#: Rank of each room. A module may import its own room, a lower rank, and the siblings below.
RANK = {
    "": 0, "constants": 1, "variables": 2, "support": 3, "hosts": 4, "physics": 5, "data": 5, "model": 6, "training": 7,
    "rollout": 8, "export": 9, "coupling": 9, "assimilation": 9, "evaluation": 9, "workflows": 10, "commands": 11,
    "__main__": 12,
}  # fmt: skip

#: Rooms of the same rank that may be imported: making fields from files needs formulas, and the page of a coupling has
#: the style of the evaluation's figures; never the other way.
SIBLINGS = {("data", "physics"), ("coupling", "evaluation")}

#: Imports that a room must not make, because of the purpose of the room.
FORBIDDEN = {
    "constants": {"numpy", "torch", "anemoi"},
    "variables": {"numpy", "torch", "anemoi"},
    "support": {"torch", "anemoi", "hydra", "pytorch_lightning"},
    "physics": {"anemoi", "xarray", "netCDF4", "earthkit", "omegaconf", "hydra", "pathlib", "os"},
    "data": {"torch", "anemoi.training", "anemoi.models", "anemoi.inference", "hydra"},
    "model": {"xarray", "netCDF4", "earthkit", "zarr", "pathlib", "os", "anemoi.datasets", "anemoi.inference"},
    "training": {"anemoi.inference", "netCDF4", "earthkit"},
    "assimilation": {"anemoi", "hydra", "pytorch_lightning", "earthkit", "xarray", "netCDF4"},
    "evaluation": {"torch", "pytorch_lightning", "anemoi.training", "anemoi.models", "anemoi.inference"},
    "commands": {"numpy", "torch", "scipy"},
}

#: Folders of the repository that are not in the wheel.
NOT_INSTALLED = ("benchmarks", "tests", "tools")

#: Rooms that must not even reach torch through other modules of the package.
WITHOUT_TORCH = ("data", "evaluation", "support")

#: Rooms of arrays in, arrays out.
NUMERICS = ("physics", "model")


def test_every_room_has_a_rank() -> None:
    """A new room is put into the order on purpose."""
    assert {GRAPH.room(m) for m in GRAPH.modules} - set(RANK) == set()


def test_every_folder_is_a_package() -> None:
    """No folder lacks ``__init__.py``, without which its modules would be left out of these checks."""
    assert [p for p in {path.parent for path in GRAPH.modules.values()} if not (p / "__init__.py").is_file()] == []


def test_every_package_has_a_module() -> None:
    """No package is empty: each holds a module or another package."""
    packages = [path.parent for path in GRAPH.modules.values() if path.name == "__init__.py"]
    others = [path for path in GRAPH.modules.values() if path.name != "__init__.py"]
    assert [str(p) for p in packages if not any(p in path.parents for path in others)] == []


def test_imports_point_one_way() -> None:
    """No module imports a room after its own."""
    assert GRAPH.backward(RANK, SIBLINGS) == []


def test_no_circle_of_modules() -> None:
    """No module imports itself through others, wherever in its text the import stands."""
    assert GRAPH.circles() == []


def test_no_circle_of_folders() -> None:
    """Within a folder, no two entries (subfolders or files) need each other, directly or through others."""
    assert GRAPH.circles_of_folders() == []


def imported() -> list[tuple[str, str]]:
    """Module and name of each import of the package."""
    return [(module, name) for module in GRAPH.modules for name in sorted(GRAPH.names(module))]


def test_rooms_keep_to_their_trade() -> None:
    """No module imports a library that its room must not know."""
    wrong = [
        f"{module} imports {name}"
        for module, name in imported()
        if any(is_below(name, top) for top in FORBIDDEN.get(GRAPH.room(module), ()))
    ]
    assert wrong == []


def test_package_needs_nothing_outside_the_wheel() -> None:
    """No module of the package imports benchmarks, tests or tools, which are not installed."""
    assert [(module, name) for module, name in imported() if name.split(".")[0] in NOT_INSTALLED] == []


def test_only_the_version_comes_from_the_top() -> None:
    """Inside the package names are imported from their module: the public names at the top are for users."""
    top = GRAPH.package.name
    names = [(m, n) for m, n in imported() if n.rpartition(".")[0] == top and n not in GRAPH.modules]
    assert [(module, name) for module, name in names if name != f"{top}.__version__"] == []


def test_rooms_without_torch() -> None:
    """Neither the modules of these rooms nor anything of the package that is loaded with them imports torch."""
    torch = {m for m in GRAPH.modules if any(is_below(name, "torch") for name in GRAPH.names(m, types=False))}
    rooms = [m for m in GRAPH.modules if GRAPH.room(m) in WITHOUT_TORCH]
    assert {m: sorted(found) for m in rooms if (found := GRAPH.reach(m) & torch)} == {}


def test_assimilation_without_anemoi() -> None:
    """Nothing that is loaded with the assimilation imports Anemoi: its core is torch only."""
    anemoi = {m for m in GRAPH.modules if any(is_below(name, "anemoi") for name in GRAPH.names(m, types=False))}
    rooms = [m for m in GRAPH.modules if GRAPH.room(m) == "assimilation"]
    assert rooms
    assert {m: sorted(found) for m in rooms if (found := GRAPH.reach(m) & anemoi)} == {}


def test_numerics_open_no_files() -> None:
    """Numerics are arrays in, arrays out: no call of ``open``."""
    calls = {
        module
        for module, tree in GRAPH.trees.items()
        if GRAPH.room(module) in NUMERICS
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    }
    assert calls == set()


@pytest.mark.slow
def test_every_module_loads() -> None:
    """Each module loads from its installed dependencies, those without a test of their own among them."""
    code = f"from importlib import import_module\nfor module in {list(GRAPH.modules)}: import_module(module)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]


def fake(folder: Path, **modules: str) -> ImportGraph:
    """Package ``fake`` with rooms a, b and c; ``modules`` give the text of ``room__folder__module``."""
    for name, text in {"__init__": "", **modules}.items():
        parts = name.split("__") if name != "__init__" else [name]
        path = folder.joinpath("fake", *parts[:-1], f"{parts[-1]}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for parent in [p for p in path.parents if p.is_relative_to(folder / "fake")]:
            (parent / "__init__.py").touch()
    return ImportGraph(folder / "fake")


RANK_OF_FAKE = {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(
    "text",
    [
        "from fake.b import y",
        "import fake.b.y",
        "from ..b import y",
        "def f():\n    from fake.b.y import g",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fake.b.y import g",
    ],
)
def test_checker_finds_an_arrow_back(tmp_path: Path, text: str) -> None:
    """An import of a later room is found in every form; the allowed arrow is not reported."""
    graph = fake(tmp_path, a__x=text, b__y="", b__z="from fake.a.x import name")
    assert graph.backward(RANK_OF_FAKE) == ["fake.a.x -> fake.b.y"]


def test_checker_resolves_siblings(tmp_path: Path) -> None:
    """Of two rooms of one rank, only the pair that is listed may be imported."""
    graph = fake(tmp_path, b__x="import fake.c.y", c__y="", c__z="import fake.b.w", b__w="")
    assert graph.backward(RANK_OF_FAKE, {("b", "c")}) == ["fake.c.z -> fake.b.w"]


TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fake.a.y import Y"
#: Modules, their circles, and those of their folders.
CIRCLES = {
    "three modules, one import inside a function": (
        {"a__x": "from fake.a import y", "a__y": "def f():\n    from fake.a.z import g", "a__z": "from .x import h"},
        ["fake.a.x -> fake.a.y -> fake.a.z -> fake.a.x"], ["fake.a.x -> fake.a.y -> fake.a.z -> fake.a.x"],
    ),
    "types and the lazy names at the top": (
        {"__init__": "def __getattr__(n):\n    from fake.a.x import v", "a__x": TYPES,
         "a__y": "from fake import a, v\nfrom fake.a.x import X"}, [], [],
    ),
    "folders alone": (
        {"a__p__x": "import fake.a.q.y", "a__q__y": "", "a__q__z": "import fake.a.file", "a__file": "import fake.a.p.w",
         "a__p__w": ""}, [], ["fake.a.file -> fake.a.p -> fake.a.q -> fake.a.file"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CIRCLES)
def test_checker_finds_circles(tmp_path: Path, case: str) -> None:
    """Circles are reported as a way through them; folders may need each other although no two modules do."""
    modules, of_modules, of_folders = CIRCLES[case]
    graph = fake(tmp_path, **modules)
    assert graph.circles() == of_modules
    assert graph.circles_of_folders() == of_folders


def test_checker_follows_loaded_modules(tmp_path: Path) -> None:
    """A module loads the modules that it names, theirs, and the packages on the way."""
    graph = fake(tmp_path, a__x="import fake.b.p.y", b__p__y="from fake.c import z", c__z="", c__other="")
    assert graph.reach("fake.a.x") == {
        "fake", "fake.a", "fake.a.x", "fake.b", "fake.b.p", "fake.b.p.y", "fake.c", "fake.c.z",
    }  # fmt: skip
