# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small world to score in, in memory and as files: a reference of three years, runs with known errors, and a
roll-out that takes no time.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from anemoi_ailand.evaluation.fields.fields import Fields
from anemoi_ailand.evaluation.fields.reforecast import Reforecast
from anemoi_ailand.evaluation.settings import Settings
from anemoi_ailand.support.checksum import ROLL_OUT, loaded_sha256
from anemoi_ailand.variables import VARIABLES

N_POINTS = 10
HOUR = np.timedelta64(1, "h")

#: Lead times of days 1, 2 and 7 [h].
DAYS_1_2_7 = np.concatenate([24 * (day - 1) + np.array([6, 12, 18, 24]) for day in (1, 2, 7)])

CONSTANTS = {
    "point_id": np.arange(N_POINTS),
    "climate_class": np.array([0, 0, 2, 2, 8, 8, 8, 10, 10, 3]),
    "slt": np.array([1, 2, 2, 3, 3, 3, 4, 6, 6, 0]),
    "tvl": np.full(N_POINTS, 2),
    "tvh": np.full(N_POINTS, 5),
    "cvl": np.array([0.2, 0.8] * 5),
    "cvh": np.array([0.7, 0.1] * 4 + [0.0, 0.1]),
}


def six_hourly(first: str, last: str) -> np.ndarray:
    """6-hourly dates, both ends included."""
    return np.arange(np.datetime64(first, "h"), np.datetime64(last, "h") + 1, 6 * HOUR).astype("datetime64[ns]")


def times() -> np.ndarray:
    """6-hourly dates of 2020 to 2022."""
    return six_hourly("2020-01-01T00", "2022-12-31T18")


def values(names: tuple[str, ...] = ("swvl1", "stl1", "snowc", "2t", "slhf")) -> dict[str, np.ndarray]:
    """Values ``(time, point)`` by variable: a yearly wave and weather."""
    date, noise = times(), np.random.default_rng(0).standard_normal((len(times()), N_POINTS))
    day = ((date - date[0]) / np.timedelta64(1, "D"))[:, None]
    wave = -np.cos(2 * np.pi * day / 365.25) * np.linspace(0.2, 1.0, N_POINTS)
    order = ("swvl1", "stl1", "snowc", "2t", "slhf")
    weather = {name: np.tanh(np.roll(noise, k, axis=1)) for k, name in enumerate(order)}
    fields = {
        "swvl1": 0.3 - 0.05 * wave + 0.02 * weather["swvl1"],
        "stl1": 280.0 + 15.0 * wave + 2.0 * weather["stl1"],
        "snowc": np.clip(-wave - 0.4 + 0.1 * weather["snowc"], 0, 1) * (np.arange(N_POINTS) % 2),
        "2t": 281.0 + 18.0 * wave + 3.0 * weather["2t"],
        "slhf": -40.0 - 30.0 * wave + 10.0 * weather["slhf"],
    }
    return {name: fields[name].astype(np.float32) for name in names}


def fields_of(
    times: np.ndarray, values: dict[str, np.ndarray], units: dict[str, Any] | None = None, **arguments: Any
) -> Fields:
    """Fields in memory from arrays ``(time, point)`` by name."""
    n_points = next(iter(values.values())).shape[1]
    known = {name: VARIABLES[name].units if name in VARIABLES else "1" for name in values}
    place = {"latitude": np.linspace(-50.0, 70.0, n_points), "longitude": np.linspace(-170.0, 170.0, n_points)}

    def read(names: list[str], first: int, last: int) -> np.ndarray:
        return np.stack([values[name][first:last] for name in names], axis=1)

    arguments = {"path": Path("memory"), **place, **arguments}
    return Fields(times=times, units=known | (units or {}), reader=read, **arguments)


def reference(fields: dict[str, np.ndarray] | None = None, constants: dict[str, np.ndarray] | None = None) -> Fields:
    """The reference, in memory."""
    return fields_of(
        times(), values() if fields is None else fields, path=Path("reference"),
        latitude=np.linspace(-40.0, 68.0, N_POINTS), longitude=np.linspace(-100.0, 140.0, N_POINTS),
        constants=CONSTANTS if constants is None else constants,
    )  # fmt: skip


def starts(n: int = 12, every_days: int = 20) -> np.ndarray:
    """Initial dates in 2022."""
    return np.datetime64("2022-01-02", "ns") + np.arange(n) * np.timedelta64(every_days, "D")


def run(
    seed: int | None = 1,
    size: float = 0.1,
    first: np.ndarray | None = None,
    leads: np.ndarray = DAYS_1_2_7,
    names: tuple[str, ...] = ("swvl1", "stl1", "2t", "slhf"),
) -> xr.Dataset:
    """Re-forecast in the layout of the file: the truth and noise of ``size`` times its standard deviation."""
    first = starts() if first is None else first
    index = np.searchsorted(times(), first[:, None] + leads * HOUR)
    truth, rng = values(names), np.random.default_rng(seed)
    error = {
        name: 0 if seed is None else size * v.std() * rng.standard_normal((*index.shape, N_POINTS))
        for name, v in truth.items()
    }
    dims = ("start", "lead", "point")
    fields = {
        VARIABLES[n].netcdf_name: (dims, (truth[n][index] + error[n]).astype(np.float32), _named(n)) for n in names
    }
    where = reference()
    coords = {"start": first, "latitude": ("point", where.latitude), "longitude": ("point", where.longitude)}
    coords["lead"] = ("lead", leads.astype(np.int32), {"units": "h"})
    return xr.Dataset(fields, coords, {"label": "emulator", "checkpoint": "a.ckpt"})


def reforecast_of(made: xr.Dataset) -> Reforecast:
    """Re-forecast in memory from a Dataset in the layout of the file."""
    raw = {variable.attrs["short_name"]: str(name) for name, variable in made.data_vars.items()}
    return Reforecast(
        path=Path("memory"),
        starts=made["start"].values,
        leads=made["lead"].values.astype(np.int64),
        latitude=made["latitude"].values,
        longitude=made["longitude"].values,
        units={name: VARIABLES[name].units for name in raw},
        reader=lambda name, *at: made[raw[name]].values[np.ix_(*at)],
        at=(np.arange(made.sizes["start"]), np.arange(made.sizes["lead"]), np.arange(made.sizes["point"])),
        attributes=dict(made.attrs),
    )


def reforecast(**kwargs: object) -> Reforecast:
    """The same, opened."""
    return reforecast_of(run(**kwargs))  # type: ignore[arg-type]


#: A protocol A and B that take a second: nine starts, two days; six weeks.
SHORT = {
    "protocol_a": {"year": 2022, "every_days": 40, "lead_days": [1, 2]},
    "protocol_b": {"start": "2022-01-02", "end": "2022-02-12"},
}


def write_reference(path: Path, change: Callable[[xr.Dataset], xr.Dataset] | None = None) -> Path:
    """The reference as NetCDF, with rain, so that there are budgets."""
    fields, where = values(), reference()
    fields["avg_tprate"] = np.full_like(fields["2t"], 3e-5)
    data = {VARIABLES[n].netcdf_name: (("time", "point"), v, _named(n)) for n, v in fields.items()}
    coords = {"time": where.times, "latitude": ("point", where.latitude), "longitude": ("point", where.longitude)}
    dataset = xr.Dataset(data | {n: ("point", v) for n, v in CONSTANTS.items()}, coords)
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
    """A re-forecast as a file."""
    made = run(**kwargs)
    (change(made) if change else made).to_netcdf(path)
    return path


def write_forecast(path: Path, bias: float = 0.01, change: Callable[[xr.Dataset], xr.Dataset] | None = None) -> Path:
    """A run ``(time, point)`` of 60 days from 1 January 2022: the truth, plus ``bias`` after the initial date."""
    made = reference().load(
        ["swvl1", "stl1", "snowc", "2t"], *np.array(["2022-01-01", "2022-03-01T18"], "datetime64[ns]")
    )
    for name in made.data_vars:
        made[name][1:] += np.float32(bias)
        made[name].attrs = _named(str(name))
    made["2t"][0] = np.nan  # a diagnostic has no value at lead 0
    made = made.rename({"2t": "t2m"}).assign_attrs(checkpoint="inference.ckpt", initial_date="2022-01-01T00:00:00")
    (change(made) if change else made).to_netcdf(path)
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
        from anemoi_ailand.workflows import evaluate as module  # loads torch, which scores need not

        monkeypatch.setattr(module, "reforecast", self.reforecast)
        self.chosen: list[tuple[str, str, int]] = []
        monkeypatch.setattr(module, "load_step", lambda path, _: SimpleNamespace(inputs=self.inputs, path=path))
        monkeypatch.setattr(module, "StoredFields", self.opened)
        monkeypatch.setattr(module, "choose_execution", lambda step, *how: self.chosen.append((step.path.stem, *how)))

    def opened(self, path: Path, names: Sequence[str]) -> Any:
        self.stored.append(Path(path))
        with xr.open_dataset(path) as there:
            return SimpleNamespace(latitudes=there.latitude.values)

    def reforecast(self, checkpoint: Path, dataset: Path, output: Path, **options: Any) -> Path:
        self.made.append(output)
        first = options["starts"].astype("datetime64[ns]")
        size = 0.2 if options["label"] == "B" else 0.1
        made = run(seed=len(options["label"]), size=size, first=first, leads=options["leads"])
        with xr.open_dataset(dataset) as there:
            at = [int(abs(made.latitude.values - latitude).argmin()) for latitude in there.latitude.values]
        made = made.isel(point=at if options["points"] is None else [at[p] for p in options["points"]])
        sha = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        made.attrs.update(
            label=options["label"],
            checkpoint=str(checkpoint),
            checkpoint_sha256=sha,
            dataset=str(dataset),
            code_sha256=loaded_sha256(ROLL_OUT),
        )
        if output.suffix == ".nc":
            made.to_netcdf(output)
        elif options["shard"] == 0:  # the whole, in the name of all shards
            made.to_zarr(output, zarr_format=2)
        return output


def settings(files: Path, output: Path, **changes: Any) -> Settings:
    """Settings of an evaluation of one checkpoint, with ``reference.nc`` and ``A.ckpt`` in the folder ``files``."""
    given = {"output": output, "dataset": files / "reference.nc", "checkpoints": {"A": files / "A.ckpt"}}
    return Settings.model_validate({**given, **SHORT, **changes})
