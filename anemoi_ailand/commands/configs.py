# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand configs``."""

from anemoi_ailand.commands._packaged import PackagedCommand


class Configs(PackagedCommand):
    """List, print or copy the packaged configurations (training, inference, assimilation, evaluation, mapping)."""

    kind = "configs"


command = Configs
