# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Outputs of a roll-out with metadata and runner built by hand, and the calls of a runner."""

import json
import os
import signal
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from anemoi_ailand.constants import TASK_NAME
from anemoi_ailand.rollout.outputs.grib.output import LandGribOutput
from anemoi_ailand.rollout.outputs.land_output import LandOutput
from anemoi_ailand.rollout.outputs.netcdf_output import LandNetCDFOutput
from anemoi_ailand.rollout.outputs.zarr_output import LandZarrOutput

START, STEP = datetime(2022, 1, 1), timedelta(hours=6)
PROGNOSTIC, DIAGNOSTIC = ["swvl1", "stl1"], ["2t", "slhf"]
NAMES = [*PROGNOSTIC, *DIAGNOSTIC]
N_POINTS = 5
KINDS: dict[str, type[LandOutput]] = {".nc": LandNetCDFOutput, ".zarr": LandZarrOutput, ".grib": LandGribOutput}
#: Files that :func:`opened` reads.
FILES = ("f.nc", "f.zarr")


def made(
    path: Path,
    task: str | None = TASK_NAME,
    names: Sequence[str] = NAMES,
    lead: timedelta = timedelta(days=1),
    **options: Any,
) -> Any:
    """Make an output of the format that the name of the file says."""
    checkpoint = SimpleNamespace(task=task, path=str(path.parent / "best.ckpt"))
    context = SimpleNamespace(
        reference_date=START, typed_variables={}, checkpoint=checkpoint, lead_time=lead, write_initial_state=True,
        output_frequency=None,
    )  # fmt: skip
    order = {n: i for i, n in enumerate(names)}
    metadata = SimpleNamespace(dataset_name="data", typed_variables={}, variable_to_output_tensor_index=order)
    return KINDS[path.suffix](context, metadata, path=str(path), **options)


def state(k: int, names: list[str] = NAMES, members: int | None = None, start: datetime = START) -> dict[str, Any]:
    """Return the state after k steps, with other values at each."""
    rows = N_POINTS * (members or 1)
    values = np.random.default_rng(k).normal(size=(len(NAMES), rows)).astype("f4")
    found = {
        "date": start + k * STEP,
        "step": k * STEP,
        "latitudes": np.tile(np.linspace(-60.0, 70.0, N_POINTS), members or 1),
        "longitudes": np.tile(np.linspace(0.0, 350.0, N_POINTS), members or 1),
        "fields": {n: values[NAMES.index(n)] for n in names},
    }
    return found | ({} if members is None else {"members": members})


def begun(path: Path, n_steps: int, ensemble: int | None = None, every: int | None = None, **options: Any) -> Any:
    """Open an output and write the initial state and ``n_steps`` steps; the last restart is ``restart.json``."""
    output = made(path, **options)
    output.restart_every = every
    output.open(state(0, PROGNOSTIC, ensemble))
    output.write_initial_state(state(0, PROGNOSTIC, ensemble))
    write_steps(output, 1, n_steps, ensemble, every)
    return output


def whole(path: Path, n_steps: int, ensemble: int | None = None, every: int | None = None, **options: Any) -> Path:
    """Write an undisturbed run with ``make_durable`` every ``every`` steps; return the path."""
    begun(path, n_steps, ensemble, every, **options).close()
    return path


def write_steps(output: LandOutput, first: int, last: int, members: int | None, every: int | None) -> None:
    """Write steps first to last, and the restart file of the runner every ``every`` steps."""
    for k in range(first, last + 1):
        output.write_state(state(k, members=members))
        if every and k % every == 0:
            remember(output.path, k, output.make_durable())


def killed(
    path: Path,
    last: int,
    ensemble: int | None,
    every: int,
    end: Callable[[LandOutput], None] = lambda output: None,
    **options: Any,
) -> None:
    """Run in a separate process that SIGKILL ends after ``last`` steps, or within ``end``."""
    child = os.fork()
    if child == 0:
        try:
            end(begun(path, last, ensemble, every, **options))
        finally:
            die()
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def die(*_: Any) -> None:
    """End this process by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


def remember(path: Path, k: int, progress: dict[str, Any]) -> None:
    """Write the restart file of the runner."""
    (path.parent / "restart.json").write_text(json.dumps({"step": k, "progress": progress}))


def resumed(path: Path, n_steps: int, ensemble: int | None, every: int, **options: Any) -> Path:
    """Resume from ``restart.json`` to the end; return the path."""
    output, restart = made(path, **options), json.loads((path.parent / "restart.json").read_text())
    output.restart_every = every
    output.resume(state(restart["step"], members=ensemble), restart["progress"])
    write_steps(output, restart["step"] + 1, n_steps, ensemble, every)
    output.close()
    return path


def opened(path: Path, **options: Any) -> xr.Dataset:
    """Read the result into memory, in either format."""
    engine = "zarr" if path.is_dir() else "netcdf4"
    with xr.open_dataset(path, engine=engine, decode_times=False, mask_and_scale=False, **options) as found:
        return found.load()


def assert_same(first: Path, second: Path) -> None:
    """Assert that data, attributes and chunks are bitwise the same; only ``history`` may differ."""
    one, two = opened(first), opened(second)
    one.attrs.pop("history")
    two.attrs.pop("history")
    assert one.sizes["time"] > 0
    xr.testing.assert_identical(one, two)
    for name in one.variables:
        assert one[name].encoding.get("chunksizes") == two[name].encoding.get("chunksizes")
        assert one[name].encoding.get("chunks") == two[name].encoding.get("chunks")
        assert one[name].values.tobytes() == two[name].values.tobytes()
