# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Ready mappings of the fields of atmospheres: ``mapping: aifs-single``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from anemoi_ailand.support.options import one_mapping
from anemoi_ailand.support.packaged import file_or_named, listing

LOG = logging.getLogger(__name__)

_FOLDER = "coupling/"

#: Packaged configuration of a coupled run among the mappings.
_RUN = "coupling/couple"


@dataclass(frozen=True)
class FieldMapping:
    """Options ``forcing`` and ``feedback`` of an atmosphere, and the level of its temperature, humidity and wind."""

    forcing: Mapping[str, Any]
    feedback: Mapping[str, Any]
    level: str


def read_field_mapping(given: str) -> FieldMapping:
    """Read a mapping from a YAML file, or a packaged one by its name.

    Raises
    ------
    FileNotFoundError
        Neither a file nor a packaged mapping.
    TypeError, ValueError
        The file has other keys, or does not state the level.

    Examples
    --------
    >>> from anemoi_ailand.coupling.field_mapping import read_field_mapping
    >>> read_field_mapping("aifs-single").forcing["avg_tprate"]
    {'field': 'tp', 'units': 'm', 'accumulated': True}
    """
    packaged = {name: path for name, path in listing("configs").items() if name.startswith(_FOLDER) and name != _RUN}
    named = {name.removeprefix(_FOLDER): path for name, path in packaged.items()}
    path = file_or_named(given, named, "Copy a packaged one: anemoi-ailand configs --copy coupling/ifs")
    content = one_mapping(
        yaml.safe_load(path.read_text(encoding="utf-8")), ("level", "forcing", "feedback"), f"The mapping '{path}'"
    )
    if not content.get("level"):
        raise ValueError(f"The mapping '{path}' does not state the `level` of temperature, humidity and wind. Add it.")
    found = FieldMapping(content.get("forcing", {}), content.get("feedback", {}), str(content["level"]))
    LOG.info("Land forced as '%s' says, at %s. It must be the level that its network was trained with", path.stem,
             found.level)  # fmt: skip
    return found
