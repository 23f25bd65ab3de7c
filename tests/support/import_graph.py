# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Graph of the imports of a package, read from its source without importing it."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import networkx as nx

Graph = Mapping[str, set[str]]


class Import(NamedTuple):
    """One imported name and whether only a type checker reads it."""

    name: str
    for_types: bool


@dataclass(frozen=True)
class ImportGraph:
    """Imports between the modules of a package.

    An import inside a function counts as one at the top: it hides a circle and does not remove it. Imports under
    ``if TYPE_CHECKING`` count for the order of the rooms, which is a matter of design, and not for circles, which are
    a matter of run time.
    """

    package: Path

    @cached_property
    def modules(self) -> dict[str, Path]:
        """All modules by dotted name; a folder counts as its ``__init__``."""
        found = {}
        for path in sorted(self.package.rglob("*.py")):
            parts = path.relative_to(self.package.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """Syntax tree of each module."""
        return {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in self.modules.items()}

    @cached_property
    def _imports(self) -> dict[str, list[Import]]:
        return {module: list(self._read(module)) for module in self.modules}

    def _read(self, module: str) -> Iterator[Import]:
        tree = self.trees[module]
        package = module if self.modules[module].name == "__init__.py" else module.rpartition(".")[0]
        typing = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
        for_types = {id(inner) for block in typing for n in block.body for inner in ast.walk(n)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, id(node) in for_types) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
                source = ".".join(filter(None, [*above, node.module]))
                yield from (Import(f"{source}.{alias.name}", id(node) in for_types) for alias in node.names)

    def names(self, module: str, *, types: bool = True) -> set[str]:
        """Dotted names of everything that ``module`` imports, from anywhere."""
        return {found.name for found in self._imports[module] if types or not found.for_types}

    def inside(self, module: str, *, types: bool = True) -> set[str]:
        """Modules of the package that ``module`` imports by name."""
        return {
            name if name in self.modules else name.rpartition(".")[0]
            for name in self.names(module, types=types)
            if is_below(name, self.package.name)
        }

    @cached_property
    def _loads(self) -> nx.DiGraph:
        """Modules that each module loads: those that it names, and the packages on the way to itself."""
        return nx.DiGraph({
            m: {m.rpartition(".")[0], *self.inside(m, types=False)} & self.modules.keys() for m in self.modules
        })  # fmt: skip

    def reach(self, module: str) -> set[str]:
        """Modules of the package that are loaded with ``module``, packages on the way included."""
        return {module} | nx.descendants(self._loads, module)

    def room(self, module: str) -> str:
        """First part of the name below the package; empty for the package itself."""
        return module.split(".")[1] if "." in module else ""

    def backward(self, rank: Mapping[str, int], siblings: Iterable[tuple[str, str]] = ()) -> list[str]:
        """Imports of a room of the same or a higher rank, as ``module -> module``; the package itself is free."""
        wrong = []
        for module in self.modules:
            for other in sorted(self.inside(module)):
                pair = (self.room(module), self.room(other))
                if "" not in pair and pair[0] != pair[1] and rank[pair[1]] >= rank[pair[0]] and pair not in siblings:
                    wrong.append(f"{module} -> {other}")
        return wrong

    def circles(self) -> list[str]:
        """Circles of modules; the package itself, whose public names are imported lazily, is left out."""
        top = self.package.name
        graph = {m: self.inside(m, types=False) - {m, top} for m in self.modules if m != top}
        return [" -> ".join(circle) for circle in circles(graph)]

    def circles_of_folders(self) -> list[str]:
        """Circles among the folders and files of one folder, with the imports that run both ways."""
        found = []
        folders = {m for m, path in self.modules.items() if path.name == "__init__.py"}
        for folder in sorted(folders):
            graph: dict[str, set[str]] = {}
            for module in self.modules:
                if is_below(module, folder) and module != folder:
                    others = self.inside(module, types=False) - {folder}
                    below = {_child(other, folder) for other in others if is_below(other, folder)}
                    graph.setdefault(_child(module, folder), set()).update(below - {_child(module, folder)})
            found += [" -> ".join(circle) for circle in circles(graph)]
        return found


def is_below(name: str, top: str) -> bool:
    """Return whether ``name`` is ``top`` or lies in it."""
    return name == top or name.startswith(f"{top}.")


def _child(module: str, folder: str) -> str:
    """Entry of ``folder`` in which ``module`` lies."""
    return ".".join(module.split(".")[: folder.count(".") + 2])


def circles(graph: Graph) -> list[list[str]]:
    """Return a shortest circle of each strongly connected component, the first node repeated at the end."""
    arrows = nx.DiGraph({node: others & graph.keys() for node, others in graph.items()})
    found = []
    for component in nx.strongly_connected_components(arrows):
        start = min(component)
        ways = [nx.shortest_path(arrows, other, start) for other in sorted(arrows[start]) if other in component]
        if ways and len(component) > 1:
            found.append([start, *min(ways, key=len)])
    return sorted(found)
