# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Where the packaged recipes, configurations and sample are, in a wheel and in an editable install alike."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]

#: Environment variable that recipes use for the packaged sample; set by :func:`expand` unless the user has set it.
SAMPLE_VARIABLE = "AILAND_SAMPLE"

KINDS = ("recipes", "configs")


def folder(kind: str) -> Path:
    """Folder of ``kind`` ('recipes', 'configs' or 'sample').

    In a wheel the folders lie inside the package. In a checkout ``recipes/`` and ``configs/`` stand beside it, where
    people look for them.
    """
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / kind).is_dir():
            return root / kind
    raise FileNotFoundError(
        f"The folder '{kind}' is neither in {_PACKAGE} nor beside it. The installation is broken: install again."
    )


def listing(kind: str) -> dict[str, Path]:
    """All YAML files of ``kind`` by name: the path below the folder without its ending, e.g. ``training/ailand``."""
    root = folder(kind)
    return {str(p.relative_to(root).with_suffix("")): p for p in sorted(root.rglob("*.yaml"))}


def find(kind: str, name: str) -> Path:
    """Path of one packaged YAML by its name, with or without ``.yaml``."""
    known = listing(kind)
    key = name.removesuffix(".yaml")
    if key in known:
        return known[key]
    near = get_close_matches(key, known, n=3) or sorted(known)
    raise ValueError(
        f"There is no '{name}' among the packaged {kind}. Nearest: {near}. List them: anemoi-ailand {kind}"
    )


def expand(path: str) -> str:
    """Expand ``~``, ``$VAR`` and ``${VAR}`` in a path; ``$AILAND_SAMPLE`` is the packaged sample unless set.

    Raises
    ------
    ValueError
        A variable is not set in the environment.
    """
    os.environ.setdefault(SAMPLE_VARIABLE, str(folder("sample")))
    out = os.path.expanduser(os.path.expandvars(path))  # noqa: PTH111  (a glob or a pattern is not a path yet)
    if "$" in out:
        raise ValueError(
            f"The path '{path}' uses an environment variable that is not set (left: '{out}'). "
            "Set it, or write the path out."
        )
    return out
