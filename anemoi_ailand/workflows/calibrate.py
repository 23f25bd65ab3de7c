# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Calibrate the model error of a checkpoint at points of its training, and score ensembles with it at others.

The errors of the network's outputs are estimated from single steps. Amplitude and memory of groups of outputs are then
scaled until the spread of ensembles matches the error of their mean, over lead times of a day to three months.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from anemoi_ailand.data.land_data import LandData, open_data
from anemoi_ailand.evaluation.fields.fields import open_fields
from anemoi_ailand.evaluation.fields.matching import held_out_points
from anemoi_ailand.evaluation.scores.ensemble_scores import ALL, ensemble_scores, ground
from anemoi_ailand.model.perturbation import GROUPS, group_numbers
from anemoi_ailand.physics.ground import GROUND
from anemoi_ailand.rollout.ensembles.error_estimate import BLOCK, estimate_errors
from anemoi_ailand.rollout.ensembles.model_error import OutputErrors, calibration_path, write_calibration
from anemoi_ailand.rollout.step.advance import STEP
from anemoi_ailand.rollout.step.checkpoint import LandStep, load_step, with_model_error
from anemoi_ailand.rollout.stepper import LandStepper, load
from anemoi_ailand.variables import variable
from anemoi_ailand.workflows import created

LOG = logging.getLogger(__name__)

#: Lead times that are matched and scored [d]: the steps of that day.
LEADS = (1, 7, 30, 90)

#: Variables that are scored.
VARIABLES = ("swvl1", "swvl2", "swvl3", "stl1", "stl2", "stl3", "sd", "skt", "2t", "slhf")

#: Variables whose spread the groups of outputs of a network are scaled to, the amplitude to that of the first. Other
#: outputs keep the error of a single step.
MATCHED = {
    "evaporation": ("slhf", "swvl1"),
    "water": ("swvl1", "swvl2", "swvl3"),
    "heat": ("stl1", "stl2", "stl3"),
    "snow": ("sd",),
    "air": ("skt", "2t"),
}

#: Variables of the reference that tell the state of the ground.
_GROUND = ("sd", "stl1", "swvl1")

#: Blocks over the year and largest number of points of the estimate from single steps.
_BLOCKS, _POINTS = 12, 60

#: Largest change of an amplitude and of a memory in an iteration, and the longest memory [h].
_MOST, _LONGEST = 4.0, 2400.0

#: Range of the factor of a kind of ground, and fewest cases at a lead from which it is estimated.
_FACTORS, _CASES = (0.2, 5.0), 60

_STEPS_A_DAY = 4


def calibrate(
    checkpoint: str | Path,
    dataset: str | Path,
    output: str | Path | None = None,
    *,
    year: int = 2021,
    points: int = 80,
    members: int = 10,
    starts: int = 6,
    iterations: int = 4,
    seed: int = 1,
    execution: str = "auto",
) -> Path:
    """Calibrate the model error of a checkpoint and write it as JSON.

    Only points that are not held out are used, and only one year.

    Parameters
    ----------
    checkpoint, dataset : str or Path
        Inference checkpoint, or the name of a pretrained network; Anemoi dataset with state and forcing.
    output : str or Path, optional
        File to write; by default the one next to the checkpoint, where ``model_error: calibrated`` looks for it.
    year : int
        Year of the steps and ensembles. It should not be among those of the training, nor a year of the test.
    points, members, starts : int
        Largest number of points, evenly chosen; members of an ensemble; start dates in the year.
    iterations : int
        Ensembles that are made to match spread and error.
    seed : int
        Seed of the ensembles.
    execution : {'auto', 'plain', 'compiled'}
        See :func:`~anemoi_ailand.rollout.step.compiled_step.open_step`.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        Too few points, members, starts or iterations, or a year that the dataset lacks.
    """
    for name, given, fewest in (
        ("points", points, 1), ("members", members, 2), ("starts", starts, 1), ("iterations", iterations, 1),
    ):  # fmt: skip
        if given < fewest:
            raise ValueError(f"`{name}` is {given}. Give at least {fewest}.")
    step = with_model_error(load_step(checkpoint))
    cases = Cases(dataset, year, points, starts, held_out=False)
    path = calibration_path(step.path) if output is None else Path(output).expanduser()
    LOG.info("Errors of single steps at %d points in %d", cases.points.size, year)
    errors = estimate_errors(step, dataset, cases.points[:: -(-cases.points.size // _POINTS)], cases.blocks)
    land = load(checkpoint, execution=execution)
    table, kept, least = pd.DataFrame(), errors, np.inf
    for number in range(1, iterations + 1):
        with _written(errors, step) as file:
            scores = cases.scores(land, str(file), members=members, seed=seed)
        ratio, by_ground = _ratios(scores, ALL), {where: _ratios(scores, where) for where in GROUND}
        LOG.info("Spread / error, ensembles %d of %d:\n%s", number, iterations, ratio.round(2).to_string())
        if (distance := _distance([ratio, *by_ground.values()])) < least:
            table, kept, least = ratio, errors, distance
        errors = matched(errors, ratio, by_ground)
    about: dict[str, Any] = {
        "created": created(), "dataset": Path(dataset).name, "year": year, "points": int(cases.points.size),
        "members": members, "starts": [str(d)[:10] for d in cases.starts],
        "spread_error": {name: dict(row.round(3)) for name, row in table.iterrows()},
    }  # fmt: skip
    LOG.info("Model error written to %s", path)
    return write_calibration(path, kept, step, **about)


def skill(
    checkpoint: str | Path,
    dataset: str | Path,
    model_error: float | str = "calibrated",
    *,
    year: int,
    points: int = 80,
    members: int = 10,
    starts: int = 6,
    seed: int = 2,
    execution: str = "auto",
) -> pd.DataFrame:
    """Score ensembles with model error at held-out points, and the run without.

    Parameters as in :func:`calibrate`; ``model_error`` is the option of an ensemble. Returns a table with the columns
    variable, group, lead [d], metric and value; see
    :func:`~anemoi_ailand.evaluation.scores.ensemble_scores.ensemble_scores`.
    """
    cases = Cases(dataset, year, points, starts, held_out=True)
    return cases.scores(load(checkpoint, execution=execution), model_error, members=members, seed=seed)


class Cases:
    """Points and start dates of ensembles, with the reference at their lead times."""

    def __init__(self, dataset: str | Path, year: int, points: int, starts: int, *, held_out: bool) -> None:
        self._data: LandData = open_data(dataset)
        marked = held_out_points(open_fields(dataset))
        if marked is None and held_out:
            raise ValueError(f"The dataset '{dataset}' does not mark held-out points. Give one with `point_id`.")
        chosen = np.arange(self._data.reader.latitudes.size) if marked is None else np.flatnonzero(marked == held_out)
        self.points = chosen[np.linspace(0, chosen.size - 1, min(points, chosen.size)).astype(int)]
        dates = np.array(self._data.coverage.dates(), "datetime64[s]")
        dates = dates[dates.astype("datetime64[Y]") == np.datetime64(str(year))]
        longest = _STEPS_A_DAY * LEADS[-1]
        if dates.size <= max(longest, _BLOCKS * BLOCK):
            raise ValueError(
                f"'{dataset}' has {dates.size} dates in {year}, from which {LEADS[-1]} days cannot be run. Give "
                "another year, or a longer dataset."
            )
        self.starts, self.blocks = (
            dates[np.linspace(0, dates.size - 1 - length, number).astype(int)]
            for length, number in ((longest, starts), (BLOCK, _BLOCKS))
        )

    def scores(self, land: LandStepper, model_error: float | str, *, members: int, seed: int) -> pd.DataFrame:
        """Score the ensembles of all starts; columns variable, group, lead, metric, value."""
        options = {"members": members, "control": False, "seed": seed, "model_error": model_error}
        names = [n for n in VARIABLES if n in land.outputs]
        parts = [self._run(land, names, start, options) for start in self.starts]
        groups = {k: np.concatenate([p[1][k] for p in parts], axis=1) for k in parts[0][1]}
        tables = []
        for name in names:
            forecast, truth, single = (np.concatenate([p[0][name][i] for p in parts], axis=1) for i in range(3))
            tables.append(ensemble_scores(forecast, truth, single, groups).assign(variable=name))
        found = pd.concat(tables, ignore_index=True)
        return found.assign(lead=np.array(LEADS)[found["lead"]])[["variable", "group", "lead", "metric", "value"]]

    def _run(
        self, land: LandStepper, names: Sequence[str], start: np.datetime64, options: dict[str, Any]
    ) -> tuple[dict[str, tuple[np.ndarray, ...]], dict[str, np.ndarray]]:
        """Return ensemble (lead, case, member), reference and single run (lead, case) by variable, and the ground."""
        end = start + np.timedelta64(_STEPS_A_DAY * LEADS[-1] * STEP)
        data = self._data.to_xarray((start, end), points=self.points)
        ensemble = land.run(data, names, ensemble=options, progress=False)
        single = land.run(data, names, progress=False)
        netcdf = {name: variable(name).netcdf_name for name in names}
        runs: dict[str, tuple[np.ndarray, ...]] = {
            name: (
                _of_days(ensemble[n].transpose("time", "point", "member").values),
                _of_days(data[n].values),
                _of_days(single[n].values),
            )
            for name, n in netcdf.items()
        }
        truth = [_of_days(data[n].values) for n in _GROUND]
        soil = [np.tile(data[n].values, _STEPS_A_DAY)[None] for n in ("theta_pwp", "theta_cap")]
        return runs, ground(*truth, *soil)


def matched(errors: OutputErrors, ratio: pd.DataFrame, by_ground: Mapping[str, pd.DataFrame]) -> OutputErrors:
    """Scale amplitude and memory of each group of outputs by the ratio of spread to error (variable by lead).

    The amplitude follows the first variable of the group, in the mean of the leads, and its factors on each kind of
    ground follow the ratios of that variable there. The memory follows all variables at the later half of the leads,
    compared with that mean: what lasts moves deep layers more than the first one.
    """
    deviation, hours = np.array(errors.deviation), np.array(errors.hours)
    ground = np.array(errors.ground)
    numbers = np.array(group_numbers(errors.outputs))
    for group, (name, variables) in enumerate(MATCHED.items()):
        known = [v for v in variables if v in ratio.index]
        if not known:
            continue
        own = numbers == list(GROUPS).index(name)
        log = _change(ratio.loc[known])
        amplitude, late = log[0].mean(), log[:, log.shape[1] // 2 :].mean()
        deviation = np.where(own, deviation * np.exp(amplitude), deviation)
        longer = np.clip(np.exp(late - amplitude), 1.0 / _MOST, _MOST)
        hours = np.where(own, (hours * longer).clip(1.0, _LONGEST), hours)
        for k, where in enumerate(GROUND):
            # outputs for snow have no effect where there is none
            if known[0] in by_ground[where].index and (name != "snow" or where == "snow"):
                further = np.nanmean(_change(by_ground[where].loc[known[0]])) - amplitude
                ground[k, group] = np.clip(ground[k, group] * np.exp(further), *_FACTORS)
    factors = tuple(map(tuple, ground.tolist()))
    return replace(errors, deviation=tuple(deviation.tolist()), hours=tuple(hours.tolist()), ground=factors)


def _change(ratio: pd.DataFrame | pd.Series) -> np.ndarray:
    """Return the logarithm of the factors that would make ratios one, within limits."""
    return -np.log(ratio.to_numpy(float).clip(1.0 / _MOST, _MOST))


def _ratios(scores: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return the ratio of spread to error of a group of cases, variable by lead; those of few cases are left out."""
    some = scores[scores["group"] == group]
    found, cases = (
        some[some["metric"] == metric].pivot(index="variable", columns="lead", values="value")
        for metric in ("spread_error", "cases")
    )
    enough = found.where(~(cases.reindex_like(found) < _CASES)).dropna(how="all")
    return enough.reindex([v for v in VARIABLES if v in enough.index])


def _distance(ratios: Sequence[pd.DataFrame]) -> float:
    """Return how far ratios are from one, of all cases and on each kind of ground."""
    logs = [np.abs(np.log(ratio.to_numpy(float).clip(1e-3, 1e3))).ravel() for ratio in ratios]
    return float(np.nanmean(np.concatenate(logs)))


def _of_days(values: np.ndarray) -> np.ndarray:
    """Return the values (time, ...) of the days of the leads, (lead, step x point, ...)."""
    days = np.stack([values[_STEPS_A_DAY * (lead - 1) + 1 : _STEPS_A_DAY * lead + 1] for lead in LEADS])
    return days.reshape(len(LEADS), -1, *values.shape[2:])


@contextmanager
def _written(errors: OutputErrors, step: LandStep) -> Iterator[Path]:
    """Yield a file with errors for as long as an ensemble is made."""
    with TemporaryDirectory() as folder:
        yield write_calibration(Path(folder) / "model-error.json", errors, step)
