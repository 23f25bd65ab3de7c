# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checks of option names; the error for an unknown name gives the nearest known one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from anemoi_ailand.constants import Execution

#: Parameters that Anemoi passes, not the user.
_GIVEN = {"self", "context", "metadata", "args", "options", "kwargs"}


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return up to ``n`` known names that resemble ``name``, best first.

    >>> nearest("swlv1", ["sd", "swvl1"])
    ['swvl1']
    """
    return get_close_matches(name, list(known), n=n)


def suggestion(name: str, known: Iterable[str], n: int = 3) -> str:
    """Return the end of a message about an unknown name: the nearest known names, or all if none resembles it.

    >>> suggestion("swlv1", ["sd", "swvl1"])
    "Nearest: ['swvl1']"
    >>> suggestion("x", ["sd", "swvl1"])
    "Available: ['sd', 'swvl1']"
    """
    known = list(known)
    near = nearest(name, known, n)
    return f"Nearest: {near}" if near else f"Available: {known}"


def check_execution(execution: str) -> None:
    """Refuse an unknown way of execution, of any type, by a ValueError with the known ones."""
    if execution not in get_args(Execution):
        given = f"'{execution}'" if isinstance(execution, str) else repr(execution)
        raise ValueError(f"There is no execution {given}. Give one of {', '.join(get_args(Execution))}.")


def options_of(kind: type) -> list[str]:
    """Return the names of all options of a class and its bases, from their signatures."""
    own = [vars(c)["__init__"] for c in kind.__mro__ if "__init__" in vars(c) and c is not object]
    return sorted({name for init in own for name in inspect.signature(init).parameters} - _GIVEN)


class UnknownOption(TypeError):
    """An option that does not exist: a mistake of the user, unlike other errors of types."""


def check_known(given: Iterable[Any], known: Iterable[str], what: str, others: Iterable[str] = ()) -> None:
    """Refuse an unknown name by an :class:`UnknownOption` with a :func:`suggestion`, of ``others`` as well."""
    known = list(known)
    for name in given:
        if name not in known:
            raise UnknownOption(f"{what} has no option '{name}'. {suggestion(str(name), [*known, *others])}.")


def one_mapping(config: Any, known: Iterable[str], what: str) -> Mapping[str, Any]:
    """Return ``config`` if it is a mapping with known keys; else raise a TypeError."""
    if not isinstance(config, Mapping):
        raise TypeError(f"{what} is {config!r}. Give a mapping with some of {list(known)}.")
    check_known(config, known, what)
    return config
