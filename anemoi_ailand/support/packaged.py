# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Packaged recipes, configurations and sample, in a wheel and in an editable installation alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.support.options import suggestion

_PACKAGE = Path(__file__).resolve().parents[1]

#: Environment variable that recipes use for the packaged sample; set by :func:`expand` unless the user has set it.
SAMPLE_VARIABLE = "AILAND_SAMPLE"

KINDS = ("recipes", "configs")


def folder(kind: str) -> Path:
    """Return the folder of ``kind`` ('recipes', 'configs', 'sample' or 'pretrained').

    A wheel has the folders inside the package, a checkout has ``recipes/`` and ``configs/`` at its top.

    Raises
    ------
    FileNotFoundError
        The folder is missing: unknown kind, or a broken installation.

    Examples
    --------
    >>> from anemoi_ailand import folder
    >>> (folder("sample") / "static.nc").is_file()
    True
    """
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / kind).is_dir():
            return root / kind
    raise FileNotFoundError(
        f"The folder '{kind}' is neither in {_PACKAGE} nor in its parent folder. The installation is "
        "broken: install again."
    )


def listing(kind: str) -> dict[str, Path]:
    """Return all YAML files of ``kind`` by name: the path in the folder without suffix, e.g. ``training/ailand``.

    Parameters
    ----------
    kind : {'recipes', 'configs'}
        Folder, see :func:`folder`, which gives the errors.

    Examples
    --------
    >>> from anemoi_ailand.support.packaged import listing
    >>> listing("configs")["inference/rollout"].name
    'rollout.yaml'
    """
    root = folder(kind)
    return {str(p.relative_to(root).with_suffix("")): p for p in sorted(root.rglob("*.yaml"))}


def find(kind: str, name: str) -> Path:
    """Return the path of a packaged YAML file by its name, with or without ``.yaml``."""
    known = listing(kind)
    key = name.removesuffix(".yaml")
    if key in known:
        return known[key]
    raise ValueError(
        f"There is no '{name}' among the packaged {kind}. {suggestion(key, known)}. List them: anemoi-ailand {kind}"
    )


def file_or_packaged(text: str | Path) -> Path:
    """Return the file of this path if it exists, else the packaged configuration of this name."""
    return file_or_named(text, listing("configs"), "Copy a packaged one: anemoi-ailand configs --copy NAME")


def file_or_named(text: str | Path, named: Mapping[str, Path], advice: str) -> Path:
    """Return the file of this path if it exists, else the file of this name, with or without ``.yaml``.

    Raises
    ------
    FileNotFoundError
        Neither exists; the message lists the folder of a path, or suggests names, and ends with ``advice``.
    """
    path = Path(text).expanduser()
    if path.is_file():
        return path
    name = str(text).removesuffix(".yaml")
    if name in named:
        return named[name]
    if path.is_absolute() or (path.suffix in (".yaml", ".yml") and path.parent != Path() and path.parent.is_dir()):
        raise not_found(path, "configuration", "*.y*ml", advice)
    raise FileNotFoundError(
        f"There is no configuration '{text}', neither a file nor a packaged one. {suggestion(name, named)}. {advice}"
    )


def expand(path: str) -> str:
    """Expand ``~``, ``$VAR`` and ``${VAR}`` in a path; ``$AILAND_SAMPLE`` defaults to the packaged sample."""
    os.environ.setdefault(SAMPLE_VARIABLE, str(folder("sample")))
    out = os.path.expanduser(os.path.expandvars(path))  # noqa: PTH111  (a glob or a pattern is not a path yet)
    if "$" in out:
        raise ValueError(
            f"The path '{path}' uses an environment variable that is not set (left: '{out}'). "
            "Set it, or write the path out."
        )
    return out
