# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checks of option names; the error for an unknown name gives the nearest known one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

#: Parameters that Anemoi passes and no user gives.
_GIVEN = {"self", "context", "metadata", "args", "options", "kwargs"}


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return up to ``n`` known names that resemble ``name``, best first; all of them if none does.

    >>> nearest("swlv1", ["sd", "swvl1"])
    ['swvl1']
    """
    known = list(known)
    return get_close_matches(name, known, n=n) or known


def options_of(kind: type) -> list[str]:
    """Return the names of all options of a class and its bases, from their signatures."""
    own = [vars(c)["__init__"] for c in kind.__mro__ if "__init__" in vars(c) and c is not object]
    return sorted({name for init in own for name in inspect.signature(init).parameters} - _GIVEN)


def check_known(given: Iterable[Any], known: Iterable[str], what: str) -> None:
    """Refuse an unknown name by a TypeError that gives the nearest known one, and all of them."""
    known = list(known)
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            raise TypeError(f"{what} has no option '{name}'. {hint}It takes {known}.")


def one_mapping(config: Any, known: Iterable[str], what: str) -> Mapping[str, Any]:
    """Return ``config`` if it is a mapping with known keys; else raise a TypeError."""
    if not isinstance(config, Mapping):
        raise TypeError(f"{what} is {config!r}. Give a mapping with some of {list(known)}.")
    check_known(config, known, what)
    return config
