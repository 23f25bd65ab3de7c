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

ROOT = Path(__file__).resolve().parents[1]

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


def check_header(path: Path) -> None:
    """The header says purpose, needs, products and tests; files of the project that it names exist."""
    text = path.read_text(encoding="utf-8")
    fields = header(text)
    missing = [field for field in (PURPOSE, *HEADER_FIELDS) if not fields.get(field)]
    assert not missing, f"{path.name}: the header does not say {missing}"
    for named in re.findall(r"\b(?:tests|recipes|configs|docs)/[\w/-]+\.\w+", " ".join(fields.values())):
        assert (ROOT / named).is_file(), f"{path.name}: the header names '{named}', which does not exist"


def check_names_and_roles(path: Path, step: str | None = None) -> None:
    """Every name in a list of variables is in the table, once, with a role that fits the key.

    ``step`` is the ``model.model.step`` of a training configuration: a closed step reads categories, too.
    """
    read_by_step = set(CATEGORIES) if step == CLOSED else set()
    for key, found in lists_of_variables(yaml.safe_load(path.read_text(encoding="utf-8"))):
        assert [n for n in found if n not in VARIABLES] == [], f"{path.name}: '{key}' names what is not in the table"
        assert len(set(found)) == len(found), f"{path.name}: '{key}' names a variable twice"
        wrong = {
            n: VARIABLES[n].role.value
            for n in found
            if VARIABLES[n].role not in ROLES_OF_KEY[key] and n not in read_by_step
        }
        assert not wrong, f"{path.name}: '{key}' holds variables of another role: {wrong}"
