# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""An atmosphere for tests of the coupling: it replays weather, warms its air where the ground is warm, and says what
skin temperature it was given. A checkpoint that anemoi-inference runs.
"""

import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from anemoi.inference.task import Task
from anemoi.inference.tasks.runner import RunnerTask
from anemoi.inference.transport import Transport
from anemoi.utils.checkpoints import save_metadata
from torch import nn

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.variables import VARIABLES
from docs.examples.stand_in_atmosphere import metadata

#: Fields that go in and come out; what only comes out; with units that an atmosphere would have.
PROGNOSTIC = {"t": "K", "q": "kg kg-1", "skt": "K", "stl1": "K", "swvl1": "m3 m-3", "sd": "kg m-2"}
DIAGNOSTIC = {
    "avg_t": "K", "avg_q": "kg kg-1", "avg_sp": "Pa", "avg_u": "m s-1", "avg_v": "m s-1", "avg_sdlwrf": "W m-2",
    "ssrd": "J m-2", "tp": "m", "avg_tsrwe": "kg m-2 s-1", "lai_lv": "m2 m-2", "seen_skt": "K", "snow": "m",
}  # fmt: skip
OUTPUT = [*PROGNOSTIC, *DIAGNOSTIC]
#: Fields that the atmosphere makes itself.
OWN = ("seen_skt", "snow")
#: From which variable of the table, and by which factor, a field is made.
MADE_FROM = {"ssrd": ("avg_sdswrf", 3600.0), "tp": ("avg_tprate", 3.6)}
#: How the land takes the fields that it does not know by name.
FORCING = {
    "avg_sdswrf": {"field": "ssrd", "accumulated": True, "units": "J m-2"},
    "avg_tprate": {"field": "tp", "accumulated": True, "units": "m"},
    "lai_hv": {"held": True},
}


class ToyAtmosphere(nn.Module):
    """Weather by date (date, point, field); the state answers to the skin temperature."""

    def __init__(
        self, dates: list[datetime], weather: np.ndarray, names: list[str], dies: datetime | None = None
    ) -> None:
        super().__init__()
        self.dates, self.names, self.dies = dates, names, dies
        self.register_buffer("weather", torch.from_numpy(weather))

    def predict_step(self, batch, date, **kwargs):
        if date == self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        x = dict(zip(PROGNOSTIC, batch["data"][0, -1].unbind(-1), strict=True))
        now = dict(zip(self.names, self.weather[self.dates.index(date)].unbind(-1), strict=True))
        now["t"] = now["t"] + 0.02 * (x["skt"] - x["t"])
        after = {**x, **now, "skt": x["skt"] + 0.5, "seen_skt": x["skt"], "snow": x["sd"] * 0.0}
        return {"data": torch.stack([after[n] for n in OUTPUT], dim=-1)[None, None, None]}


class Sample:
    """The packaged sample at some dates with what :func:`write_checkpoint` needs of an opened dataset."""

    def __init__(self, first: datetime, n_dates: int) -> None:
        reader = open_reader("$AILAND_SAMPLE")
        names = [MADE_FROM.get(n, (n,))[0] for n in OUTPUT if n not in OWN]
        dates = [first + k * timedelta(hours=6) for k in range(n_dates)]
        self.values = np.stack([reader.read([n], dates)[0] for n in names], axis=1)[:, :, None]
        self.dates, self.name_to_index = np.array(dates, dtype="datetime64[s]"), {n: i for i, n in enumerate(names)}
        self.latitudes, self.longitudes, self.shape = reader.latitudes, reader.longitudes, self.values.shape

    def __getitem__(self, index):
        return self.values[index]


def weather(dataset, hours: float) -> tuple[list[str], np.ndarray]:
    """Replayed fields of an opened dataset, float32, amounts over steps of ``hours``."""
    names = [n for n in OUTPUT if n in ("t", "q") or (n in DIAGNOSTIC and n not in OWN)]
    values = []
    for name in names:
        source, factor = MADE_FROM.get(name, (name, None))
        values.append(dataset[:, dataset.name_to_index[source], 0] * (1.0 if factor is None else factor * hours))
    return names, np.stack(values, axis=-1).astype(np.float32)


def write_checkpoint(path: Path, dataset, *, hours: int = 6, units: bool = True, dies: datetime | None = None) -> Path:
    """Write the atmosphere; with shorter steps than the dataset, the weather of its next date is used.

    It kills its process in the step to the date ``dies``.
    """
    names, values = weather(dataset, hours)
    step, first = timedelta(hours=hours), dataset.dates[0].astype("datetime64[s]").item()
    repeat = 6 // hours
    values = np.repeat(values, repeat, axis=0)[repeat - 1 :]
    if hours < 6:  # no two steps alike
        change = 0.02 * (np.arange(len(values)) % repeat) / repeat
        values = values * (1.0 + change[:, None, None]).astype(np.float32)
    dates = [first + k * step for k in range(len(values))]
    torch.save(ToyAtmosphere(dates, values, names, dies), path)
    places = {"latitudes": np.asarray(dataset.latitudes), "longitudes": np.asarray(dataset.longitudes)}
    save_metadata(
        path, metadata(hours, dataset.shape[-1], PROGNOSTIC, DIAGNOSTIC, units), supporting_arrays={"data": places}
    )
    return path


class PlayedTask(RunnerTask):
    """Task of an atmosphere that a function plays: it gets the context of a coupled runner."""

    def __init__(self, name: str, play: Callable[[SimpleNamespace], None], processor: str = "land-component") -> None:
        Task.__init__(self, name)
        self.config, self._play = SimpleNamespace(mid_processors=[processor]), play

    def run(self, transport: Transport) -> None:
        """Play the atmosphere."""
        self._play(SimpleNamespace(coupled_input=SimpleNamespace(task=self, transport=transport)))


def context(date: datetime | None, lead: str, **attributes: Any) -> SimpleNamespace:
    """Context of a run as processors see it."""
    config = SimpleNamespace(lead_time=lead)
    return SimpleNamespace(reference_date=date, lead_time=None, config=config, **attributes)


assert set(FORCING) <= set(VARIABLES)
