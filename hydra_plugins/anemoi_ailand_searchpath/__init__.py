# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Hydra plugin that makes ``anemoi-training train --config-name ailand`` work from any folder.

Hydra imports it before it composes, so the resolvers of the configurations are registered here as well.
anemoi-training resolves a configuration before it stores it, so no checkpoint depends on them.
"""

from collections.abc import Iterable, Mapping

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from anemoi_ailand.support.packaged import folder


class AilandSearchPath(SearchPathPlugin):
    """Append the packaged training configurations to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append ``configs/training`` of the package."""
        search_path.append("anemoi-ailand", f"file://{folder('configs') / 'training'}")


def join(*groups: Iterable[str] | Mapping[str, Iterable[str]]) -> list[str]:
    """Join lists of variables, or mappings of such lists, in order: ``${ailand.join:${land.forcing}}``."""
    lists = (part for group in groups for part in (group.values() if isinstance(group, Mapping) else [group]))
    return [name for part in lists if part is not None for name in part]


def not_normalised(names: Iterable[str]) -> list[str]:
    """Select the variables that the table of variables leaves unscaled."""
    from anemoi_ailand.variables import variable

    return [name for name in names if variable(name).normalisation == "none"]


OmegaConf.register_new_resolver("ailand.join", join, replace=True)
OmegaConf.register_new_resolver("ailand.not_normalised", not_normalised, replace=True)
