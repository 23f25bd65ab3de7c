# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The small world of ``scored_world`` as files, and a roll-out of it that takes no time, for tests of evaluations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from anemoi_ailand.evaluation.settings import Settings
from anemoi_ailand.support.code_version import ROLL_OUT, loaded_sha256
from anemoi_ailand.variables import VARIABLES
from anemoi_ailand.workflows import evaluate as module
from tests.support import scored_world as world

#: A protocol A and B that take a second: nine starts, two days; six weeks.
SHORT = {
    "protocol_a": {"year": 2022, "every_days": 40, "lead_days": [1, 2]},
    "protocol_b": {"start": "2022-01-02", "end": "2022-02-12"},
}


def write_reference(path: Path, change: Callable[[xr.Dataset], xr.Dataset] | None = None) -> Path:
    """The reference as NetCDF, with rain, so that there are budgets."""
    fields = world.values()
    fields["avg_tprate"] = np.full_like(fields["2t"], 3e-5)
    where = world.reference()
    dataset = xr.Dataset(
        {
            **{VARIABLES[n].netcdf_name: (("time", "point"), v, _named(n)) for n, v in fields.items()},
            **{n: ("point", v) for n, v in world.CONSTANTS.items()},
        },
        coords={
            "time": where.times,
            "latitude": ("point", where.latitude),
            "longitude": ("point", where.longitude),
        },
    )
    (change(dataset) if change else dataset).to_netcdf(path)
    return path


def _named(name: str) -> dict[str, str]:
    return {"short_name": name, "units": VARIABLES[name].units}


def checkpoint(path: Path, text: str = "weights") -> Path:
    """A file that stands for a checkpoint."""
    path.write_text(text)
    return path


def write_files(folder: Path) -> Path:
    """Fill a folder with ``reference.nc``, ``A.ckpt`` and ``B.ckpt``."""
    write_reference(folder / "reference.nc")
    checkpoint(folder / "A.ckpt", "a")
    checkpoint(folder / "B.ckpt", "b")
    return folder


def write_run(path: Path, change: Callable[[xr.Dataset], xr.Dataset] | None = None, **kwargs: Any) -> Path:
    """A re-forecast of ``scored_world`` as a file."""
    run = world.run(**kwargs)
    (change(run) if change else run).to_netcdf(path)
    return path


def long_leads(days: int = 40) -> np.ndarray:
    """All lead times of a run [h]."""
    return np.arange(6, 24 * days + 1, 6)


class FakeRollOut:
    """Stands in for checkpoint and roll-out: writes the truth and noise, and remembers what it was asked for."""

    def __init__(self, monkeypatch: Any) -> None:
        self.made: list[Path] = []
        self.inputs: tuple[str, ...] = ("swvl1",)
        self.stored: list[Path] = []
        monkeypatch.setattr(module, "reforecast", self.reforecast)
        monkeypatch.setattr(module, "load_step", lambda path: SimpleNamespace(inputs=self.inputs, path=path))
        monkeypatch.setattr(module, "StoredFields", lambda path, names: self.stored.append(Path(path)))

    def reforecast(self, checkpoint: Path, dataset: Path, output: Path, **options: Any) -> Path:
        self.made.append(output)
        first = options["starts"].astype("datetime64[ns]")
        size = 0.2 if options["label"] == "B" else 0.1
        run = world.run(seed=len(options["label"]), size=size, first=first, leads=options["leads"])
        with xr.open_dataset(dataset) as there:
            at = [int(abs(run.latitude.values - latitude).argmin()) for latitude in there.latitude.values]
        run = run.isel(point=at if options["points"] is None else [at[p] for p in options["points"]])
        sha = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        run.attrs.update(
            label=options["label"],
            checkpoint=str(checkpoint),
            checkpoint_sha256=sha,
            dataset=str(dataset),
            code_sha256=loaded_sha256(ROLL_OUT),
        )
        run.to_netcdf(output)
        return output


def settings(files: Path, output: Path, **changes: Any) -> Settings:
    """Settings of an evaluation of one checkpoint, with ``reference.nc`` and ``A.ckpt`` in the folder ``files``."""
    return Settings.model_validate(
        {
            "output": output,
            "dataset": files / "reference.nc",
            "checkpoints": {"A": files / "A.ckpt"},
            **SHORT,
            **changes,
        }
    )
