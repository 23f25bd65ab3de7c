# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Makes a dataset of forecasts of the sample's weather: ``python forecast_dataset.py PATH FIRST_STEP LAST_STEP``.

A program of its own, as Anemoi sees only sources that are registered before its recipes are imported.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from anemoi.datasets.create.source import Source
from anemoi.datasets.create.sources import source_registry
from anemoi.transform.fields import new_fieldlist_from_list

from anemoi_ailand.data.fields import _constant_metadata
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.sun import COMPUTED
from anemoi_ailand.hosts.earthkit import PointField, PointGeography, PointMetadata
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.variables import VARIABLES, Role

#: From here on forecasts have the weather of the sample; earlier ones are too warm, so that taking a wrong one shows.
START = datetime(2020, 5, 2)
WARMER = 5.0


@source_registry.register("ailand-test-forecasts")
class Forecasts(Source):
    """Weather of the sample as forecasts; that from 1 May is too warm."""

    def __init__(self, context: Any, variables: list[str]) -> None:
        super().__init__(context)
        self.variables, self.reader = variables, open_reader("$AILAND_SAMPLE")

    def execute_forecast_dates(self, argument: Any) -> Any:
        """One field for each variable and pair of dates."""
        place = {"latitudes": self.reader.latitudes, "longitudes": self.reader.longitudes}
        points, fields = PointGeography(place, shape=self.reader.latitudes.shape), []
        for valid, base in argument:
            when = {"date": int(f"{base:%Y%m%d}"), "time": int(f"{base:%H%M}"), "valid_datetime": valid.isoformat(),
                    "step": int((valid - base) / timedelta(hours=1))}  # fmt: skip
            for name, values in zip(self.variables, self.reader.read(self.variables, [valid])[:, 0], strict=True):
                offset = WARMER if name in ("t", "avg_t") and base < START else 0.0
                metadata = PointMetadata({**_constant_metadata(name), **when}, points)
                fields.append(PointField(values + np.float32(offset), metadata))
        return new_fieldlist_from_list(fields)


def make(path: Path, first_step: str, last_step: str) -> None:
    """A dataset of forecasts from 1 and 2 May, steps every 6 h."""
    from anemoi.datasets.create.creator import Creator

    forcing = [n for n in load_step("ailand").inputs if VARIABLES[n].role is Role.FORCING and n not in COMPUTED]
    recipe = {
        "base_dates": {"start": "2020-05-01", "end": "2020-05-02", "frequency": "24h"},
        "steps": {"start": first_step, "end": last_step, "frequency": "6h"},
        "output": {"layout": "trajectories"},
        "build": {"group_by": 1},
        "input": {"ailand-test-forecasts": {"variables": forcing}},
    }
    file = path.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(recipe))
    Creator.from_recipe(str(file), path=str(path)).task_init()
    Creator.from_recipe(None, path=str(path)).task_load()
    Creator.from_recipe(None, path=str(path)).task_finalise()
    Creator.from_recipe(None, path=str(path)).task_cleanup()


if __name__ == "__main__":
    make(Path(sys.argv[1]), *sys.argv[2:4])
