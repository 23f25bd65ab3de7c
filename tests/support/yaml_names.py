# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Find the names of variables in a recipe or a configuration, by the keys under which they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from anemoi_ailand.commands._packaged import HEADER_FIELDS, PURPOSE, header
from anemoi_ailand.model.closed_land import CATEGORIES
from anemoi_ailand.model.land_model import CLOSED
from anemoi_ailand.variables import VARIABLES, Role

ROOT = Path(__file__).resolve().parents[2]

#: Keys of a list of variables, and the roles that may stand there; Anemoi calls static fields forcing, too.
ROLES_OF_KEY = {
    "prognostic": {Role.PROGNOSTIC},
    "diagnostic": {Role.DIAGNOSTIC},
    "forcing": {Role.FORCING, Role.STATIC},
    "static": {Role.STATIC},
    "select": set(Role) - {Role.CATEGORY},
    "variables": set(Role),
    "drop": set(Role),
}

#: Methods of Anemoi's normaliser.
METHODS = ("mean-std", "std", "min-max", "max", "none")


def walk(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All pairs of key and value of a document, outside in."""
    if key:
        yield key, node
    for name, child in node.items() if isinstance(node, dict) else ():
        yield from walk(child, str(name))
    for child in node if isinstance(node, list) else ():
        if isinstance(child, dict):
            yield from walk(child)


def lists_of_variables(document: Any) -> list[tuple[str, list[str]]]:
    """All lists of names under one of the keys of :data:`ROLES_OF_KEY`, or in named groups under it."""
    found = []
    for key, value in walk(document):
        if key in ROLES_OF_KEY:
            groups = list(value.values()) if isinstance(value, dict) else [value]
            if all(isinstance(group, list) and all(isinstance(name, str) for name in group) for group in groups):
                found.append((key, [name for group in groups for name in group]))
    return found


def header_faults(path: Path) -> list[str]:
    """Header fields that are missing, and files of the project that the header names and that do not exist."""
    fields = header(path.read_text(encoding="utf-8"))
    found = [
        f"{path.name}: the header does not say {field!r}"
        for field in (PURPOSE, *HEADER_FIELDS)
        if not fields.get(field)
    ]
    named = re.findall(r"\b(?:tests|recipes|configs|docs)/[\w/-]+\.\w+", " ".join(fields.values()))
    return found + [
        f"{path.name}: the header names '{n}', which does not exist" for n in named if not (ROOT / n).is_file()
    ]


def name_faults(path: Path, step: str | None = None) -> list[str]:
    """Names in lists of variables that are not in the table, stand twice, or have a role that does not fit the key.

    ``step`` is the ``model.model.step`` of a training configuration: a closed step reads categories, too.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    read_by_step = set(CATEGORIES) if step == CLOSED else set()
    found = []
    for key, listed in lists_of_variables(document):
        for name in sorted(set(listed)):
            if name not in VARIABLES:
                found.append(f"{path.name}: '{key}' names '{name}', which is not in the table")
            elif VARIABLES[name].role not in ROLES_OF_KEY[key] and name not in read_by_step:
                found.append(f"{path.name}: '{key}' holds '{name}', which is {VARIABLES[name].role.value}")
            if listed.count(name) > 1:
                found.append(f"{path.name}: '{key}' names '{name}' twice")
    return found
