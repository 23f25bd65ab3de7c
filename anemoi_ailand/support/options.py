# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Options of an output are checked: an unknown one is an error that names the nearest known one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

#: What every class takes and no user gives.
_GIVEN = {"self", "context", "metadata", "args", "options", "kwargs"}


def options_of(kind: type) -> list[str]:
    """Names of all options of a class and its bases, from their signatures."""
    own = [vars(c)["__init__"] for c in kind.__mro__ if "__init__" in vars(c) and c is not object]
    return sorted({name for init in own for name in inspect.signature(init).parameters} - _GIVEN)


def check_known(given: Iterable[Any], known: Iterable[str], what: str) -> None:
    """Refuse an unknown name.

    Raises
    ------
    TypeError
        With the nearest known name, and all of them.
    """
    known = list(known)
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            raise TypeError(f"{what} has no option '{name}'. {hint}It takes {known}.")


def one_mapping(config: Any, known: Iterable[str], what: str) -> Mapping[str, Any]:
    """Refuse what is no mapping of known keys.

    Raises
    ------
    TypeError
        With what it is.
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"{what} is {config!r}. Give a mapping with some of {list(known)}.")
    check_known(config, known, what)
    return config
