# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Weights of a network for exchange (``*.safetensors``): tensors and JSON, read without executing anything.

The JSON has the columns, the statistics of the training data, and the tree of modules: the class of each, and its
options. A file names classes of torch, anemoi-models and this package; any other has to be trusted, because importing
a module executes it. The SHA-256 of tensors and JSON is part of the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from anemoi_ailand.hosts.anemoi_models import StoredModel
from anemoi_ailand.hosts.torch_modules import children_of, options_of, tensors_of
from anemoi_ailand.model.columns import StepColumns
from anemoi_ailand.support.atomic import complete_file

SUFFIX = ".safetensors"

#: Version of the layout, and the keys of the JSON and of its checksum in the metadata of the file.
SCHEMA, _ABOUT, _CHECKSUM = "anemoi-ailand/weights/1", "anemoi_ailand", "sha256"

#: Packages whose classes a file may name without being trusted.
KNOWN = ("torch.nn.modules.", "anemoi.models.preprocessing", "anemoi_ailand.model.")

#: Attributes that a step does not read.
_UNREAD = {"data_indices"}


def is_weights(path: Path) -> bool:
    """Return whether a path is that of a file of weights, by its suffix."""
    return path.suffix == SUFFIX


def write_weights(path: Path, model: Any, about: Mapping[str, Any]) -> None:
    """Write the content of an inference checkpoint.

    Parameters
    ----------
    path : Path
        File, written as a whole.
    model : StoredModel
        Result of :func:`~anemoi_ailand.hosts.anemoi_models.load_model`.
    about : mapping
        JSON with ``task``, ``dataset``, ``inputs``, ``outputs``, ``trained``.

    Raises
    ------
    ValueError
        A module has an attribute that is neither a tensor nor JSON.
    """
    tensors: dict[str, Tensor] = {}
    parts = {name: getattr(model, name) for name in ("model", "pre_processors", "post_processors")}
    tree = {name: _described(part, name, tensors) for name, part in parts.items()}
    statistics = getattr(model, "statistics", None) or {}
    content = {
        "schema": SCHEMA, **about, "n_step_input": model.n_step_input,
        "statistics": {d: {k: np.asarray(v).tolist() for k, v in s.items()} for d, s in statistics.items()},
        "modules": tree,
    }  # fmt: skip
    text = json.dumps(content)
    metadata = {_ABOUT: text, _CHECKSUM: _checksum(text, tensors)}
    with complete_file(path) as partial:
        save_file(tensors, partial, metadata)


def read_about(path: Path) -> dict[str, Any]:
    """Read the JSON of a file of weights: columns, statistics, modules, origin; it is not verified."""
    return _opened(path)[0]


def read_weights(path: Path, *, trust: bool = False) -> tuple[StoredModel, dict[str, Any]]:
    """Read a file of weights; return the model, which predicts bitwise as its checkpoint, and the JSON.

    Raises
    ------
    ValueError
        The file is damaged, of another kind, or names a class of another package and is not trusted.
    """
    about, tensors = _opened(path)
    model = StoredModel()
    try:
        for name, tree in about["modules"].items():
            setattr(model, name, _made(tree, name, tensors, path, trust))
        model.n_step_input = about["n_step_input"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"The weights '{path}' do not fit this version of anemoi-ailand ({error!r}).") from error
    return model, about


def _opened(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
        text = metadata[_ABOUT]
        damaged = _checksum(text, tensors) != metadata[_CHECKSUM]
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"'{path}' is damaged, or not a file of weights of anemoi-ailand ({error}). Take another copy."
        ) from error
    if damaged:
        raise ValueError(
            f"The weights '{path}' are damaged: their SHA-256 is not the one in the file. Take another copy."
        )
    about = json.loads(text)
    if about["schema"] != SCHEMA:
        raise ValueError(
            f"The weights '{path}' have the layout {about['schema']!r}, not {SCHEMA!r}. Export them again."
        )
    return about, tensors


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256(text.encode())
    for name, values in sorted(tensors.items()):
        found.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        found.update(values.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _described(module: nn.Module, path: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return class, options and children of a module; its tensors are added to ``tensors`` by their path."""
    kind = type(module)
    found: dict[str, Any] = {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "options": {k: _plain(v, f"{path}.{k}") for k, v in options_of(module).items() if k not in _UNREAD},
    }
    for group, values in tensors_of(module).items():
        found[group] = {name: values[name] is not None for name in values}
        for name, value in values.items():
            if value is not None:
                tensors[f"{path}.{name}"] = value.detach().cpu().clone().contiguous()
    found["modules"] = {
        name: None if child is None else _described(child, f"{path}.{name}", tensors)
        for name, child in children_of(module).items()
    }
    return found


def _made(tree: Mapping[str, Any], path: str, tensors: Mapping[str, Tensor], file: Path, trust: bool) -> nn.Module:
    kind = _class(tree["class"], file, trust)
    module = kind.__new__(kind)
    nn.Module.__init__(module)
    for name, value in tree["options"].items():
        setattr(module, name, _value(value))
    for name, given in tree["parameters"].items():
        value = nn.Parameter(tensors[f"{path}.{name}"]) if given else None
        module.register_parameter(name, value)
    for group in ("buffers", "derived"):
        for name, given in tree[group].items():
            value = tensors[f"{path}.{name}"] if given else None
            module.register_buffer(name, value, persistent=group == "buffers")
    for name, child in tree["modules"].items():
        made = None if child is None else _made(child, f"{path}.{name}", tensors, file, trust)
        module.add_module(name, made)
    return module


def _class(name: str, file: Path, trust: bool) -> type[nn.Module]:
    if not (trust or name.startswith(KNOWN)):
        raise ValueError(
            f"The weights '{file}' are not loaded: they name the class {name}, and importing a module that is not of "
            "torch, anemoi-models or this package can execute anything. If you trust their source, say so "
            "(`--trust`, `trust=True`)."
        )
    module, _, attribute = name.rpartition(".")
    found = getattr(import_module(module), attribute)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ValueError(f"The weights '{file}' name {name}, which is not a module of torch. Take another copy.")
    return found


def _plain(value: Any, path: str) -> Any:
    """Return JSON for an attribute; a container other than a list is a mapping with the name of its kind."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, StepColumns):
        return {"columns": value.as_dict()}
    if isinstance(value, tuple) and not is_dataclass(value):
        return {"tuple": [_plain(v, path) for v in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_plain(k, path), _plain(v, path)] for k, v in value.items()]}
    if isinstance(value, list) or type(value).__name__ == "ListConfig":
        return [_plain(v, path) for v in value]
    raise ValueError(
        f"The attribute '{path}' is of type {type(value).__name__}, which is neither a tensor nor JSON, so the network "
        "cannot be written without a pickle. Keep options as numbers, texts and lists."
    )


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(v) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dtype":
        return getattr(torch, content)
    if kind == "columns":
        return StepColumns(**{f.name: tuple(content[f.name]) for f in fields(StepColumns)})
    if kind == "tuple":
        return tuple(_value(v) for v in content)
    return {_value(k): _value(v) for k, v in content}
