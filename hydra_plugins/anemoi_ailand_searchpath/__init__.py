# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Hydra plugin that finds the packaged training configurations from any folder: ``--config-name ailand``."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from anemoi_ailand.support.packaged import folder


class AilandSearchPath(SearchPathPlugin):
    """Append the packaged training configurations to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append ``configs/training`` of the package."""
        search_path.append("anemoi-ailand", f"file://{folder('configs') / 'training'}")
