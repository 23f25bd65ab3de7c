# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Copy an inference checkpoint without the paths and names of the machine on which it was trained.

Keys of MARS are kept only for variables that ECMWF's archive has in the same unit, as in datasets. Everything that is
pickled stays bitwise the same; only ``anemoi.json`` changes. Copies of a file are identical and have the same checksum.
Nothing is unpickled.
"""

from __future__ import annotations

import json
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from anemoi.utils.checkpoints import get_metadata_path

from anemoi_ailand.data.grib.parameters import archive_param
from anemoi_ailand.variables import VARIABLES

#: An absolute path anywhere in a text; not part of a URL, a unit or a relative path.
ABSOLUTE = re.compile(r"(?<![\w./:])(?:~|[A-Za-z]:)?/(?:[\w.+@=-]+/)*[\w.+@=-]+/?")

#: A local URL.
LOCAL_URL = re.compile(r"file:/+\S*")

#: Paths of a machine in a stream of bytes.
TELLING = re.compile(rb"file:/|/(?:home|root|tmp|work|scratch|perm|users|mnt|lustre|gpfs|var|opt)/[\x21-\x7e]+", re.I)

#: Date of all parts of the archive: the earliest that zip knows, as torch writes it.
DATE = (1980, 1, 1, 0, 0, 0)

#: Package whose commit is kept; Anemoi records the surrounding repository for every installed package.
OURS = "anemoi_ailand"


def cleaned(value: Any) -> Any:
    """Replace every absolute path by its last part, and drop local URLs."""
    if isinstance(value, dict):
        kept = {k: cleaned(v) for k, v in value.items() if not (isinstance(v, str) and LOCAL_URL.fullmatch(v))}
        return {k: v for k, v in kept.items() if v != {} or value[k] == {}}  # drop entries that held nothing else
    if isinstance(value, list):
        return [cleaned(v) for v in value]
    if isinstance(value, str):
        return ABSOLUTE.sub(lambda found: PurePath(found[0]).name, LOCAL_URL.sub("", value))
    return value


def clean_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Keep the metadata that anemoi-inference needs and the provenance, without names of the machine."""
    out = cleaned({k: v for k, v in metadata.items() if k != "supporting_arrays_paths"})
    if "supporting_arrays_paths" in metadata:  # paths within the archive
        out["supporting_arrays_paths"] = metadata["supporting_arrays_paths"]
    drop_archive_keys(out.get("dataset", {}))
    if git := out.get("provenance_training", {}).get("git_versions"):
        out["provenance_training"]["git_versions"] = {k: v for k, v in git.items() if k == OURS}
    return out


def drop_archive_keys(dataset: dict[str, Any]) -> None:
    """Drop keys and requests of MARS for variables that ECMWF's archive does not have in the same unit."""
    for key, value in dataset.items():
        if key == "variables_metadata":
            for name in value.keys() & VARIABLES.keys():
                if archive_param(name) is None:
                    value[name].pop("mars", None)
        elif key == "data_request":
            for level, names in value["param_level"].items():
                value["param_level"][level] = [n for n in names if str(n) not in VARIABLES or archive_param(n)]
        elif isinstance(value, dict):
            drop_archive_keys(value)


def clean_checkpoint(source: Path, target: Path) -> None:
    """Write the cleaned copy.

    Raises
    ------
    ValueError
        A pickled part, which cannot be changed without loading it, holds a path of a machine.
    """
    inside = get_metadata_path(str(source))
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == inside:
                data = json.dumps(clean_metadata(json.loads(data)), sort_keys=True).encode()
            new.writestr(zipfile.ZipInfo(name, DATE), data)
    if left := machine_paths(target):
        raise ValueError(
            f"The copy of '{source}' still names {left[:5]}. Train with relative paths, or extend "
            "tools/clean_checkpoint.py."
        )


def machine_paths(path: Path) -> list[str]:
    """Find everything in a checkpoint that looks like a path of a machine: metadata, pickled texts, other bytes."""
    found: list[str] = []
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            data = file.read(name)
            texts: Iterator[str] = iter(())
            if name.endswith(".json"):
                texts = strings_of(json.loads(data), root=True)
            elif name.endswith(".pkl"):
                texts = (a for _, a, _ in pickletools.genops(data) if isinstance(a, str) and a.isprintable())
            found += [text for text in texts if ABSOLUTE.search(text) or LOCAL_URL.search(text)]
            found += [match[0].decode() for match in TELLING.finditer(data)]
    return found


def strings_of(value: Any, root: bool = False) -> Iterator[str]:
    """Yield keys and texts of a document, without the paths of arrays within the archive."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            if not (root and key == "supporting_arrays_paths"):
                yield from strings_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_of(inner)
    elif isinstance(value, str):
        yield value
