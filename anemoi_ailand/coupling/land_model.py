# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Land model inside a run of an atmosphere: ``mid_processors: [{land-model: ...}]``."""

from __future__ import annotations

from typing import Any

from anemoi.inference.processor import Processor
from anemoi.inference.types import State

from anemoi_ailand.coupling.coupled_land import LAND_OPTIONS, RESULTS, Atmosphere, CoupledLand
from anemoi_ailand.support.options import check_known


class LandModelProcessor(Processor):
    """Step the land with the fields of the step that the atmosphere has completed, and overwrite those of the feedback.

    It runs in the process of the atmosphere, before that writes its output and steps on. ``options`` are those of
    :class:`~anemoi_ailand.coupling.coupled_land.CoupledLand`, with its errors.

    Raises
    ------
    TypeError
        An unknown option, with the nearest known one.
    """

    def __init__(self, context: Any, metadata: Any, **options: Any) -> None:
        super().__init__(context, metadata)
        check_known(options, LAND_OPTIONS, "The mid-processor `land-model`")
        if not getattr(context, "is_master", True):  # each rank of the parallel runner steps the land, the first writes
            options |= dict.fromkeys(RESULTS)
        self.land = CoupledLand(Atmosphere.of_run(context, metadata), **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.land})"

    def process(self, state: State) -> State:
        """Give the step of the atmosphere to the land, and overwrite the fields that the land has changed."""
        fields = state["fields"]
        fields.update(self.land.step(state["date"], (state["latitudes"], state["longitudes"]), fields))
        return state
