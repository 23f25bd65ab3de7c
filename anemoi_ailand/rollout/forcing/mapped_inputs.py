# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Inputs of a run from stores of another schema, through the mapping that the checkpoint was trained with."""

from __future__ import annotations

from typing import Any

from anemoi_ailand.data.mapping.mapped_path import compare_heights, mapped_path, of_checkpoint, register

#: Options of a run that name inputs.
_INPUTS = ("input", "constant_forcings", "dynamic_forcings", "forcings")


def mapped_inputs(config: Any) -> Any:
    """Return the configuration of a run whose datasets are read as the checkpoint needs them.

    A dataset with the variables of the table is left as it is; see
    :func:`~anemoi_ailand.data.mapping.mapped_path.of_checkpoint`.
    """
    register()
    given = {name: getattr(config, name, None) for name in _INPUTS}
    mapped = {name: _mapped(value, config.checkpoint) for name, value in given.items() if isinstance(value, dict)}
    return config.model_copy(update={name: value for name, value in mapped.items() if value != given[name]})


def _mapped(node: Any, checkpoint: str) -> Any:
    """Replace the paths under the key ``dataset``, at any depth."""
    if not isinstance(node, dict):
        return node
    if isinstance(files := node.get("ecland"), dict) and "path" in files:
        mapping = files.get("mapping")
        compare_heights(str(mapped_path(files["path"], mapping) if mapping else files["path"]), str(checkpoint))
    return {
        key: of_checkpoint(value, checkpoint)
        if key == "dataset" and isinstance(value, str)
        else _mapped(value, checkpoint)
        for key, value in node.items()
    }
