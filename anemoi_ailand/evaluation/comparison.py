# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Compare one forecast with the reference it emulates: scores, table and figures in one folder."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from anemoi_ailand import __version__
from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.evaluation.display.markdown import best_model, markdown_table
from anemoi_ailand.evaluation.fields.baselines import CLIMATOLOGY, EMULATOR, MODELS, PERSISTENCE, REFERENCE, persistence
from anemoi_ailand.evaluation.fields.case import Case, prepare
from anemoi_ailand.evaluation.fields.climatology import SLOTS, WINDOW_DAYS, climatology, climatology_at
from anemoi_ailand.evaluation.fields.fields import Fields, open_fields
from anemoi_ailand.evaluation.fields.matching import ALL
from anemoi_ailand.evaluation.figures.case_figures import write_figures
from anemoi_ailand.evaluation.scores import metrics as m
from anemoi_ailand.support.atomic_folder import complete_folder
from anemoi_ailand.variables import VARIABLES, Role

LOG = logging.getLogger(__name__)

#: Version of the layout of ``metrics.json``; changes when a reader would have to.
SCHEMA = "anemoi-ailand/comparison/1"

#: Limit for the fields in memory at once; variables are taken in groups that stay below it [bytes].
MEMORY_BYTES = 2**30

_SIGNIFICANT_DIGITS = 6


def compare(
    forecast: str | Path,
    reference: str | Path,
    output: str | Path,
    *,
    training_period: tuple[object, object] | None = None,
    held_out_every: int | None = None,
    map_date: object | None = None,
) -> dict[str, Any]:
    """Compare a forecast with the reference and write ``metrics.json``, ``table.md`` and three figures.

    Parameters
    ----------
    forecast : str or Path
        NetCDF file written by the output ``land-netcdf``: (time, point), the first record is the initial state.
    reference : str or Path
        Anemoi dataset (or NetCDF file in the same layout) that holds the truth and the years before.
    output : str or Path
        Folder for the result. It appears when it is complete; an earlier result there is replaced then.
    training_period : (start, end), optional
        Years for the climatology, shaded in the figures; all dates of the reference before the forecast if not given.
    held_out_every : int, optional
        Points whose ``point_id`` is divisible by this were never trained on. If not given, the variable ``held_out``
        of the reference says it, and without that, this is 5.
    map_date : optional
        Date of the map; the middle of the run if not given.

    Returns
    -------
    dict
        The content of ``metrics.json``; its layout is described in ``docs/comparison.md``.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        Forecast and reference cannot be compared; the message says why and what to do. Nothing is left at ``output``.
    """
    with complete_folder(output, proof="metrics.json") as folder:
        case = prepare(open_fields(forecast), open_fields(reference), training_period, held_out_every)
        metrics = {**header(case), "variables": score(case)}
        table = markdown_table(metrics)
        (folder / "metrics.json").write_text(_json(metrics))
        (folder / "table.md").write_text(table)
        write_figures(case, metrics, folder, map_date)
    LOG.info("%s", table)
    LOG.info("Comparison written to %s", output)
    return metrics


def header(case: Case) -> dict[str, Any]:
    """All of ``metrics.json`` but the scores."""
    windows = m.lead_windows(case.times, case.initial)
    attributes = case.forecast.attributes
    return {
        "schema": SCHEMA,
        "version": __version__,
        "forecast": {
            "path": str(case.forecast.path),
            "checkpoint": str(attributes["checkpoint"]) if "checkpoint" in attributes else None,
            "initial": _text(case.initial),
            "first": _text(case.times[0]),
            "last": _text(case.times[-1]),
            "dates": len(case.times),
        },
        "reference": {"path": str(case.reference.path)},
        "climatology": {
            "first": _text(case.period[0]),
            "last": _text(case.period[1]),
            "window_days": WINDOW_DAYS,
            "slot_hours": STEP_HOURS,
        },
        "held_out": case.held_out_by,
        "groups": {name: len(index) for name, index in case.groups.items()},
        "models": list(MODELS),
        "lead_time": {
            "window_days": m.LEAD_WINDOW_DAYS,
            "centre_days": m.lead_centres(case.times, case.initial, windows).round(3).tolist(),
        },
    }


def score(case: Case) -> dict[str, Any]:
    """Scores of all variables, a few variables at a time so that memory stays bounded."""
    out: dict[str, Any] = {}
    for names in _batches(case):
        LOG.info("Scoring %s", names)
        mean = climatology(case.reference.blocks(names, *case.period, case.points))
        truth, emulated = case.truth(names), case.emulated(names)
        for name in names:
            out[name] = score_variable(case, truth[name], emulated[name], mean[name])
    return {name: out[name] for name in case.variables}


def score_variable(case: Case, truth: xr.DataArray, emulated: xr.DataArray, mean: xr.DataArray) -> dict[str, Any]:
    """Scores of one variable by group and model.

    Parameters
    ----------
    case : Case
        What is compared.
    truth, emulated : xarray.DataArray
        Reference and forecast ``(time, point)``; the first time is the initial date.
    mean : xarray.DataArray
        Climatology ``(slot, point)``.
    """
    row = VARIABLES[str(truth.name)]
    start = emulated if row.role is Role.PROGNOSTIC else truth
    _check_finite(case.forecast, emulated if row.role is Role.PROGNOSTIC else emulated[1:])
    _check_finite(case.reference, truth)
    expected = climatology_at(mean, case.times)
    obs = truth[1:].astype(np.float64)
    models = {
        EMULATOR: emulated[1:].astype(np.float64),
        PERSISTENCE: persistence(start.isel(time=0, drop=True).astype(np.float64), case.times),
        CLIMATOLOGY: expected,
    }
    groups = _score_groups(case, obs, models, expected)
    return {
        "long_name": row.long_name,
        "units": row.units,
        "role": row.role.value,
        "bounds": list(row.bounds),
        "outside_bounds": {
            EMULATOR: m.sanity(emulated[1:], row.bounds),
            REFERENCE: m.sanity(truth[1:], row.bounds),
        },
        "best": {group: best_model(by_model) for group, by_model in groups.items()},
        "groups": groups,
    }


def _score_groups(
    case: Case, obs: xr.DataArray, models: dict[str, xr.DataArray], expected: xr.DataArray
) -> dict[str, dict[str, Any]]:
    windows = m.lead_windows(case.times, case.initial)
    by_window = {model: m.squared_error_by_window(fcst, obs, windows) for model, fcst in models.items()}
    out: dict[str, dict[str, Any]] = {}
    for group, index in case.groups.items():
        if len(index) == 0:
            continue
        part = {"point": slice(None) if group == ALL else index}
        out[group] = {
            model: _rounded(
                {
                    **m.scores(fcst.isel(part), obs.isel(part), expected.isel(part)),
                    "by_lead": m.rmse_by_lead(by_window[model][:, index]),
                }
            )
            for model, fcst in models.items()
        }
    return out


def _check_finite(fields: Fields, values: xr.DataArray) -> None:
    bad = ~np.isfinite(values.values)
    if bad.any():
        at, point = np.argwhere(bad)[0]
        raise ValueError(
            f"'{values.name}' of '{fields.path}' has {int(bad.sum())} values of {bad.size} that are NaN or infinite, "
            f"first at {values['time'].values[at]}, latitude {float(values['latitude'][point]):.4f}, longitude "
            f"{float(values['longitude'][point]):.4f}. If it is the forecast, the run diverged or its input has NaN: "
            "repair it and run again. If it is the reference, create the dataset again."
        )


def _batches(case: Case) -> Iterator[list[str]]:
    """Variables in groups whose fields fit into :data:`MEMORY_BYTES`, at least one a group."""
    bytes_per_point = 8 * (4 * SLOTS + 8 * len(case.times))  # float64: sums, window, mean; truth, models, errors
    size = max(1, MEMORY_BYTES // (bytes_per_point * len(case.points)))
    for first in range(0, len(case.variables), size):
        yield case.variables[first : first + size]


def _rounded(value: Any) -> Any:
    """Floats with :data:`_SIGNIFICANT_DIGITS` digits, NaN as ``None`` (JSON has no NaN)."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT_DIGITS}g}") if np.isfinite(value) else None
    return value


def _json(metrics: dict[str, Any]) -> str:
    """JSON with each list of numbers on one line."""
    text = json.dumps(metrics, indent=1, allow_nan=False)
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def _text(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, "m"))
