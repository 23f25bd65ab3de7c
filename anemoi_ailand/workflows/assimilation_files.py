# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Files of an assimilation: those of its windows, and the result with its report."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anemoi_ailand.assimilation.placed_observations import EXPLAINED, PlacedObservations, Status
from anemoi_ailand.assimilation.settings import Settings
from anemoi_ailand.constants import STEP
from anemoi_ailand.data.observations.rows import observed_units
from anemoi_ailand.evaluation.display.text import json_text
from anemoi_ailand.evaluation.report.assimilation_page import write_assimilation_report
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.step.state_file import read_restart
from anemoi_ailand.rollout.stepper import LandStepper
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK
from anemoi_ailand.support.netcdf_writer import (
    COMPRESSION,
    COORDINATES,
    HOURS,
    add_coordinate,
    add_field,
    add_points,
    global_attributes,
    hours_since_epoch,
    known,
    new_file,
    variable_attributes,
)
from anemoi_ailand.variables import variable
from anemoi_ailand.workflows import record_header
from anemoi_ailand.workflows.assimilation_statistics import Windows, statistics

LOG = logging.getLogger(__name__)

#: Version of the layout of ``assimilation.json``.
SCHEMA = "anemoi-ailand/assimilation/1"

#: File that identifies an earlier result.
PROOF = "assimilation.json"

#: Share of the observations at the first-guess check above which so many refused ones are warned of.
_MOST_REFUSED = 0.5

_END = ".cycle"


class CycleFiles:
    """Files of the windows of an assimilation, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, number: int) -> Path:
        """Return the path of the file of a window."""
        return self.folder / f"{number:06d}{_END}"

    def found(self) -> list[Path]:
        """Return the files from the first one on, without a gap."""
        found: list[Path] = []
        while (path := self.path(len(found))).is_file():
            found.append(path)
        return found

    def read(self) -> Iterator[tuple[datetime, dict[str, np.ndarray]]]:
        """Iterate over the windows: start, and arrays."""
        for path in self.found():
            header, arrays = read_restart(path, "land-assimilation", None)
            yield datetime.fromisoformat(header["start"]), arrays

    def remove(self) -> None:
        """Remove all files, when the result is complete."""
        for path in self.folder.glob(f"*{_END}*"):
            path.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def write_result(
    files: CycleFiles, settings: Settings, land: LandStepper, state: LandState, placed: PlacedObservations, members: int
) -> None:
    """Write analysis, increments, feedback, final state, statistics and report into the folder of the result."""
    with complete_folder(settings.output, PROOF) as folder:
        places = tuple(v[: len(v) // members] for v in (state.latitudes, state.longitudes))
        about = {"method": settings.method, "checkpoint": land.name, "checkpoint_sha256": land.checkpoint_sha256,
                 "execution": land.execution}  # fmt: skip
        _write_analysis(folder / "analysis.nc", files, places, about)
        increments = _write_increments(folder / "increments.nc", files, places, about)
        feedback = _feedback(files, settings, placed)
        _warn_of_no_use(feedback, settings)
        write_feedback(folder / settings.feedback, feedback, about)
        _write_states(folder, land, state, members)
        windows = _windows(files)
        found = statistics(feedback, increments, windows, places, _soil(state, members))
        content = {
            **record_header(SCHEMA), **about, "settings": settings.model_dump(mode="json"),
            "command": "anemoi-ailand assimilate settings.yaml", **found.record(),
        }  # fmt: skip
        (folder / PROOF).write_text(json_text(content))
        write_assimilation_report(folder, content, found.tables, found.maps)


def _warn_of_no_use(feedback: pd.DataFrame, settings: Settings) -> None:
    """Warn if no observation was used of those that are not compared only, or most of a variable were refused."""
    active = feedback["reason"][~feedback["variable"].isin(settings.passive)]
    for name, reasons in active.groupby(feedback["variable"]):
        used, refused = ((reasons == s.words).sum() for s in (Status.USED, Status.FIRST_GUESS))
        if used and refused > _MOST_REFUSED * (used + refused):
            LOG.warning(
                "%d of %d observations of '%s' are far from the background, and were refused: check their unit, times "
                "(UTC), heights and bias, or raise the errors or `first_guess_limit`.", refused, used + refused, name,
            )  # fmt: skip
    if len(active) and not (active == Status.USED.words).any():
        reasons = ", ".join(f"{n} {reason}" for reason, n in active.value_counts().items())
        LOG.warning(
            "None of the %d observations was used: %s. The result is the open loop. The report explains each reason; "
            "check values, `within_km` and `first_guess_limit`.", len(active), reasons,
        )  # fmt: skip


def _write_states(folder: Path, land: LandStepper, state: LandState, members: int) -> None:
    """Write the final state, with members their mean and the states of all of them."""
    if members == 1:
        land.save(state, folder / "final.state")
        return
    rows = state.columns.unflatten(0, (members, -1))
    n = rows.shape[1]
    one = replace(
        state, latitudes=state.latitudes[:n], longitudes=state.longitudes[:n], columns=rows.mean(0), diagnostics=None
    )
    land.save(one, folder / "final.state")
    for k, columns in enumerate(rows):
        land.save(replace(one, columns=columns.contiguous()), folder / "members" / f"{k:03d}.state")


def _soil(state: LandState, members: int) -> dict[str, np.ndarray]:
    n = len(state.latitudes) // members
    return {name: state[name][:n].numpy(force=True) for name in ("theta_cap", "theta_sat")}


def _write_analysis(path: Path, files: CycleFiles, places: tuple[np.ndarray, ...], about: dict[str, Any]) -> None:
    """Write the outputs of the run through all analyses, (time, point), after each step."""
    with new_file(path) as file:
        _begin(file, places, "Land analysis: the run through all analyses", about)
        at = 0
        for start, arrays in files.read():
            fields = {n.removeprefix("output/"): v for n, v in arrays.items() if n.startswith("output/")}
            n_steps = len(next(iter(fields.values())))
            dates = [start + (k + 1) * STEP for k in range(n_steps)]
            at = _append(file, at, dates, fields, variable_attributes)


def _write_increments(
    path: Path, files: CycleFiles, places: tuple[np.ndarray, ...], about: dict[str, Any]
) -> list[tuple[datetime, dict[str, np.ndarray]]]:
    """Write the changes that the analyses have made, (time, point), and return them."""
    found: list[tuple[datetime, dict[str, np.ndarray]]] = []
    for _, arrays in files.read():
        by_date: dict[datetime, dict[str, np.ndarray]] = {}
        for key, values in arrays.items():
            if key.startswith("increment/"):
                _, stamp, name = key.split("/")
                by_date.setdefault(datetime.fromisoformat(stamp), {})[name] = values
        found += sorted(by_date.items())
    names = sorted({n for _, fields in found for n in fields})
    with new_file(path) as file:
        _begin(file, places, "Increments of a land analysis", about)
        at, none = 0, np.zeros(len(places[0]), np.float32)
        for date, fields in found:
            whole = {n: fields.get(n, none)[None] for n in names}
            at = _append(file, at, [date], whole, _of_increment)
    return found


def _of_increment(name: str, **changes: Any) -> dict[str, Any]:
    """Return the CF attributes of an increment: analysis minus background."""
    row = variable(name)
    return known({"long_name": f"increment of {row.long_name}", "units": row.units, "short_name": name} | changes)


def _begin(file: Any, places: tuple[np.ndarray, ...], title: str, about: dict[str, Any]) -> None:
    with NETCDF_LOCK:
        file.setncatts(global_attributes(title, "anemoi-ailand assimilate", **about))
        file.createDimension("time", None)
    add_points(file, *places)
    add_coordinate(file, "time", ("time",), [], "i4", COORDINATES["time"])


def _append(file: Any, at: int, dates: Sequence[datetime], fields: dict[str, np.ndarray], attributes: Any) -> int:
    """Append records (time, point) by name, and return the position after them."""
    for name in fields:
        if (label := variable(name).netcdf_name) not in file.variables:
            add_field(
                file, label, ("time", "point"), attributes(name, cell_methods=None, coordinates="latitude longitude")
            )
    with NETCDF_LOCK:
        file["time"][at : at + len(dates)] = [hours_since_epoch(d) for d in dates]
        for name, values in fields.items():
            file[variable(name).netcdf_name][at : at + len(dates)] = values
    return at + len(dates)


def _feedback(files: CycleFiles, settings: Settings, placed: PlacedObservations) -> pd.DataFrame:
    """Return one row an observation: place, time, value, departures, errors, and its use."""
    names = ("background", "analysis", "expected", "wetness")
    of_rows = {n: np.full(len(placed), np.nan) for n in names}
    status = placed.status.copy()
    hours = timedelta(hours=settings.window_hours)
    for start, arrays in files.read():
        within = (placed.stamps > np.datetime64(start, "s")) & (placed.stamps <= np.datetime64(start + hours, "s"))
        here = np.flatnonzero((placed.points >= 0) & within)
        status[here] = arrays["feedback/status"]
        for n in names:
            of_rows[n][here] = arrays[f"feedback/{n}"]
    observed = placed.values
    rows = placed.rows
    return pd.DataFrame(
        {
            "time": rows.times, "latitude": rows.latitudes, "longitude": rows.longitudes, "elevation": rows.elevations,
            "variable": rows.names, "value": rows.values, "stamp": placed.stamps.astype("datetime64[s]"),
            "point": placed.points, "at_model_height": observed, "error": np.sqrt(placed.variances),
            "background": of_rows["background"], "analysis": of_rows["analysis"],
            "background_error": np.sqrt(of_rows["expected"]), "departure": observed - of_rows["background"],
            "residual": observed - of_rows["analysis"], "wetness": of_rows["wetness"], "status": status,
            "reason": [Status(s).words for s in status], "source": rows.sources,
        }
    )  # fmt: skip


#: Columns of the feedback with their description; units are those of the observed variable where none is given.
COLUMNS = {
    "time": "time of the observation", "latitude": "latitude", "longitude": "longitude",
    "elevation": "height of the station [m]", "variable": "observed variable", "value": "observation as given",
    "stamp": "stamp of the model", "point": "position of the point, -1 for none",
    "at_model_height": "observation at the height of the model", "error": "standard deviation of its error",
    "background": "equivalent in the background", "analysis": "equivalent in the run from the analysis",
    "background_error": "standard deviation of the background there", "departure": "observation minus background",
    "residual": "observation minus analysis", "wetness": "soil wetness, 0 at wilting point and 1 at field capacity",
    "status": "use of the observation", "reason": "use of the observation in words", "source": "file",
}  # fmt: skip


def write_feedback(path: Path, feedback: pd.DataFrame, about: dict[str, Any]) -> None:
    """Write the feedback as NetCDF (dimension ``obs``), CSV or Parquet, by the end of the name."""
    if path.suffix == ".csv":
        feedback.to_csv(path, index=False, float_format="%.7g")
        return
    if path.suffix == ".parquet":
        try:
            feedback.to_parquet(path, index=False)
        except ImportError as error:
            raise ValueError("`feedback` ends in .parquet, which needs the package pyarrow. Install it.") from error
        return
    with new_file(path) as file:
        file.setncatts(global_attributes("Feedback of a land analysis", "anemoi-ailand assimilate", **about))
        file.createDimension("obs", len(feedback))
        for name, text in COLUMNS.items():
            if name == "reason":  # the flags say it
                continue
            values = feedback[name]
            kind: Any = {"O": str, "M": "f8", "i": "i4"}.get(values.dtype.kind, "f8")
            kind = "i1" if name == "status" else kind
            made = add_field(
                file, name, ["obs"], {"long_name": text}, kind, compression=0 if kind is str else COMPRESSION
            )
            if values.dtype.kind == "M":
                made.setncatts({**HOURS, "units": HOURS["units"].replace("hours", "seconds")})
                numbers = values.to_numpy("datetime64[s]").astype("i8").astype(float)
                made[:] = np.where(values.isna(), np.nan, numbers)
            else:
                made[:] = values.to_numpy(object if kind is str else None)
        file["latitude"].units, file["longitude"].units, file["elevation"].units = "degrees_north", "degrees_east", "m"
        file["status"].flag_values = np.array(list(Status), "i1")
        file["status"].flag_meanings = " ".join(s.name.lower() for s in Status)
        file["status"].comment = "; ".join(f"{s.words}: {text}" for s, text in EXPLAINED.items())
        units = {str(n): observed_units(str(n)) for n in feedback["variable"].unique()}
        file["value"].comment = "units: " + ", ".join(f"{n} {u}" for n, u in units.items())


def _windows(files: CycleFiles) -> Windows:
    """Sum signal, precipitation and factors of it over the windows."""
    found = None
    for start, arrays in files.read():
        if found is None:
            found = Windows.empty(len(arrays["rain"]))
        found.add(start, arrays["signal"], arrays["precipitation"], arrays["rain"])
    assert found is not None
    return found
