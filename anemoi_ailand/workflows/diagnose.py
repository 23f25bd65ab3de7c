# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Compare observations with a physical model through its emulator, and find the parameter that carries the difference.

The emulator runs over the period of the observations, and its error against the physical model is known from other
years; what remains between it and the observations is the error of the model. Responses of the emulator to changed
inputs say how each parameter would show.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.data.land_data import LandData, open_data
from anemoi_ailand.evaluation.diagnosis.candidates import CANDIDATES, Candidate
from anemoi_ailand.evaluation.diagnosis.diagnosis_text import diagnosis_text, strata_table
from anemoi_ailand.evaluation.diagnosis.evidence import (
    Hypothesis,
    alike,
    change_evidence,
    pattern_evidence,
    posterior,
    usual_pattern,
)
from anemoi_ailand.evaluation.diagnosis.residuals import INSTRUMENTS, Residuals
from anemoi_ailand.evaluation.diagnosis.site_means import Cells, cells_of, local_phase, site_means
from anemoi_ailand.evaluation.diagnosis.surface_classes import TYPES, SurfaceClass, surface_classes
from anemoi_ailand.evaluation.display.text import json_text, records
from anemoi_ailand.physics.budgets import water_residual, water_storage
from anemoi_ailand.rollout.step.advance import STEP
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.stepper import LandStepper, load
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.options import check_known
from anemoi_ailand.support.sphere import nearest_points
from anemoi_ailand.variables import match_name, variable
from anemoi_ailand.workflows import record_header

LOG = logging.getLogger(__name__)

SCHEMA, PROOF = "anemoi-ailand-diagnosis-1", "diagnosis.json"

#: Constant fields of the classes of surface.
_CLASSES = ("tvl", "tvh", "cvl", "cvh", "slt", "cl", "cur")

#: Fluxes whose annual means the report gives, and stores of the water budget of the physical model.
_BUDGET = ("evap", "sro", "ssro", "slhf", "sshf", "ssr", "str")
_STORES = ("swvl1", "swvl2", "swvl3", "swvl4", "sd", "src")

#: Steps of a call of the stepper.
_AT_ONCE = 128

#: Largest distance of a site from its point [degrees].
_NEAR = 0.01

#: Power of the evidence in the posterior: with 1, planted changes were found with too high probabilities.
TEMPER = 1.0


def diagnose(
    observations: str | Path,
    dataset: str | Path,
    output: str | Path,
    *,
    checkpoint: str | Path = "ailand",
    error_years: Sequence[int] | None = None,
    candidates: Sequence[str] | None = None,
    execution: str = "auto",
    trust: bool | str = False,
) -> Path:
    """Diagnose a physical model from observations at sites, and write a report.

    Parameters
    ----------
    observations : str or Path
        NetCDF or zarr with ``slhf``, ``sshf``, ``2t``, ``2d``, ``swvl1`` ...: any of them, dimensions (time, point) at
        dates of the dataset, coordinates ``latitude`` and ``longitude``, NaN where nothing was measured.
    dataset : str or Path
        Forcing, constant fields and output of the physical model at the same points: the state at the start of the
        observations, and the output in ``error_years``. Its output at the time of the observations is not read.
    output : str or Path
        Folder of the result.
    checkpoint : str or Path
        Inference checkpoint, or the name of a pretrained network.
    error_years : list of int, optional
        Years, before the observations, in which the error of the emulator is measured; two or more, by default all.
    candidates : list of str, optional
        Parameters that are tried, of :data:`~anemoi_ailand.evaluation.diagnosis.candidates.CANDIDATES`; by default all.
    execution : {'auto', 'plain', 'compiled'}
        See :func:`~anemoi_ailand.load`; candidates that change tables of the closed step are always plain.
    trust : bool or str
        See :func:`~anemoi_ailand.load`.

    Returns
    -------
    Path
        ``output``, with ``diagnosis.md``, ``strata.csv`` and ``diagnosis.json``.

    Raises
    ------
    ValueError
        No variable, place or date of the observations fits; fewer than two years for the error; an unknown candidate.

    Examples
    --------
    >>> from anemoi_ailand import diagnose
    >>> folder = diagnose("towers.nc", "ecland.zarr", "diagnosis")  # doctest: +SKIP
    """
    chosen = list(CANDIDATES if candidates is None else candidates)
    check_known(chosen, CANDIDATES, "candidates")
    output = Path(output).expanduser()
    with complete_folder(output, PROOF) as folder:
        case = Case(observations, dataset, checkpoint, error_years, execution, trust)
        found, responses = case.judged(chosen)
        best = found[0]
        similar, effects = {}, {}
        if best.parameter in CANDIDATES:
            own = case.of_class(best.parameter, best.surface, responses)
            similar = {
                name: alike(case.residuals, own, case.of_class(name, best.surface, responses))
                for name in chosen
                if name != best.parameter and CANDIDATES[name].applies(case.surface(best.surface))
            }
            effects = case.effects(best)
        strata = strata_table(case.residuals, case.classes)
        title = f"Diagnosis from {case.observed.sizes['point']} sites, {case.period}"
        text = diagnosis_text(title, found, similar, strata, effects, case.leaks, case.residuals.gains)
        (folder / "diagnosis.md").write_text(text, encoding="utf-8")
        strata.to_csv(folder / "strata.csv", index=False, float_format="%.6g")
        record = record_header(SCHEMA) | {
            "checkpoint": case.land.name,
            "checkpoint_sha256": case.land.checkpoint_sha256,
            "execution": case.land.execution,
            "sites": case.observed.sizes["point"],
            "error_years": list(case.error_years),
            "gains": case.residuals.gains,
            "hypotheses": records(pd.DataFrame([vars(h) for h in found[:50]])),
            "similar": similar,
            "effects": effects,
        }
        (folder / PROOF).write_text(json_text(record), encoding="utf-8")
    LOG.info("Diagnosis written to %s", output)
    return output


@dataclass(frozen=True)
class Weather:
    """What drives a run: dates, fields at the first one, and the forcing (step, point) of the steps after it."""

    times: np.ndarray
    first: dict[str, np.ndarray]
    forcing: dict[str, np.ndarray]
    places: tuple[np.ndarray, np.ndarray]

    def changed(self, candidate: Candidate) -> Weather:
        """Return the same with the inputs of a candidate changed by one unit."""
        first, forcing = dict(self.first), dict(self.forcing)
        for name, change in candidate.changes.items():
            for fields in (first, forcing):
                if name in fields:
                    fields[name] = change.of(name, fields[name])
        return Weather(self.times, first, forcing, self.places)


class Case:
    """Observations, the emulator at their places, and the physical model in other years."""

    def __init__(
        self, observations: str | Path, dataset: str | Path, checkpoint: str | Path,
        error_years: Sequence[int] | None, execution: str, trust: bool | str,
    ) -> None:  # fmt: skip
        self.data: LandData = open_data(dataset)
        self.observed, self.points = _observed(observations, self.data)
        self.cells: Cells = cells_of([n for n in INSTRUMENTS if n in self.observed] + _soil(self.observed))
        self._checkpoint, self._trust = checkpoint, trust
        self.dates = np.array(self.data.coverage.dates(), "datetime64[s]")
        times = self.observed["time"].values.astype("datetime64[s]")
        steps = np.flatnonzero(self.dates >= times[0])
        if not steps.size or not np.isin(times, self.dates).all():
            raise ValueError(
                f"The observations are from {times[0]} to {times[-1]}, the dataset has {self.data.coverage}. Give "
                "observations at dates of the dataset."
            )
        self.start, self.end = self.dates[max(steps[0] - 1, 0)], times[-1]
        self.error_years = tuple(error_years or self._years_before(times[0]))
        self.land: LandStepper = load(checkpoint, plausibility="off", execution=execution, trust=trust)

    @property
    def period(self) -> str:
        """First and last date of the observations."""
        return f"{str(self.observed['time'].values[0])[:10]} to {str(self.end)[:10]}"

    def _years_before(self, first: np.datetime64) -> list[int]:
        years = np.unique(self.dates.astype("datetime64[Y]").astype(int) + 1970)
        whole = [int(y) for y in years if (self.dates.astype("datetime64[Y]").astype(int) + 1970 == y).sum() > 1440]
        before = [y for y in whole if np.datetime64(f"{y}-12-31") < first]
        if len(before) < 2:
            raise ValueError(
                f"Before the observations the dataset has the whole years {before}. The error of the emulator needs "
                "two or more: give a longer dataset, or later observations."
            )
        return before

    @cached_property
    def classes(self) -> list[SurfaceClass]:
        """Classes of surface of the sites."""
        names = [n for n in _CLASSES if n in self.data.variables]
        fields = self._read(self.start, self.start, names)
        return surface_classes({n: fields[n] if fields[n].ndim == 1 else fields[n][0] for n in names})

    def surface(self, name: str) -> SurfaceClass:
        """Return a class by its name."""
        return next(c for c in self.classes if c.name == name)

    def _read(self, start: Any, end: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
        found = self.data.to_xarray((start, end), variables=list(names), points=self.points)
        return {n: found[variable(n).netcdf_name].values for n in names}

    def weather(self, start: Any, end: Any) -> Weather:
        """Read what drives a run between two dates."""
        needs = self.land.needs
        first = dict.fromkeys((*needs["prognostic"], *needs["static"], *needs["forcing_at_start"]))
        at_start = {n: v if v.ndim == 1 else v[0] for n, v in self._read(start, start, list(first)).items()}
        forcing = {n: v[1:] for n, v in self._read(start, end, needs["forcing"]).items()}
        reader = self.data.reader
        times = self.dates[(self.dates >= start) & (self.dates <= end)]
        return Weather(times, at_start, forcing, (reader.latitudes[self.points], reader.longitudes[self.points]))

    def run(self, weather: Weather, names: Sequence[str], land: LandStepper | None = None) -> dict[str, np.ndarray]:
        """Run and return outputs (step, point) by name."""
        land = land or self.land
        state = land.initial(weather.first, weather.times[0], *weather.places)
        columns, parts = [land.outputs.index(n) for n in names], []
        n_steps = weather.times.size - 1
        for begin in range(0, n_steps, _AT_ONCE):
            number = min(_AT_ONCE, n_steps - begin)
            forcing = {n: v[begin : begin + number] for n, v in weather.forcing.items()}
            outputs, state = land.steps(state, forcing, number)
            parts.append(outputs[..., columns].numpy(force=True))
        return dict(zip(names, np.moveaxis(np.concatenate(parts), -1, 0), strict=True))

    def means(self, times: np.ndarray, values: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the means of sites (point, cell) and the numbers of values."""
        reader = self.data.reader
        phase = local_phase(times, reader.latitudes[self.points], reader.longitudes[self.points])
        return site_means(self.cells, values, phase)

    @cached_property
    def base(self) -> tuple[Weather, dict[str, np.ndarray]]:
        """Weather and outputs of the run over the period of the observations."""
        weather = self.weather(self.start, self.end)
        return weather, self.run(weather, [*self.cells.names, *_BUDGET])

    def _seen(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return fields (step, point) where there is an observation, else NaN."""
        at = np.isin(self.base[0].times[1:], self.observed["time"].values.astype("datetime64[s]"))
        inside = np.isin(self.observed["time"].values.astype("datetime64[s]"), self.base[0].times[1:])
        return {
            n: np.where(np.isfinite(self.observed[n].values[inside]), values[n][at], np.nan) for n in self.cells.names
        }

    @property
    def _times_seen(self) -> np.ndarray:
        times = self.observed["time"].values.astype("datetime64[s]")
        return times[np.isin(times, self.base[0].times[1:])]

    @cached_property
    def residuals(self) -> Residuals:
        """Residuals of the sites, less the error of the emulator in other years."""
        times = self._times_seen
        inside = np.isin(self.observed["time"].values.astype("datetime64[s]"), times)
        emulated, counts = self.means(times, self._seen(self.base[1]))
        observed, _ = self.means(times, {n: self.observed[n].values[inside] for n in self.cells.names})
        n_years = max(1, round(times.size / 1461))
        known, anomalies = known_error(self.errors(n_years))
        return Residuals(self.cells, observed, emulated, counts, known, anomalies, n_years)

    def errors(self, n_years: int) -> dict[tuple[int, int], np.ndarray]:
        """Return physical model minus emulator (site, cell) by first year of a run and year, runs of ``n_years``."""
        found = {}
        for first in self.error_years:
            years = [y for y in self.error_years if first <= y < first + n_years]
            start, last = (np.datetime64(f"{y}-01-01T00:00:00") for y in (first, years[-1] + 1))
            inside = self.dates[(self.dates >= start) & (self.dates < last)]
            weather = self.weather(inside[0], inside[-1])
            made = self.run(weather, self.cells.names)
            truth = self._read(inside[0], inside[-1], self.cells.names)
            of_year = inside[1:].astype("datetime64[Y]").astype(int) + 1970
            for year in years:
                own = of_year == year
                difference = {n: truth[n][1:][own] - made[n][own] for n in self.cells.names}
                found[first, year] = self.means(inside[1:][own], difference)[0]
            LOG.info("Error of the emulator from %d on known in %s", first, years)
        return found

    def response(self, name: str) -> np.ndarray:
        """Return the response (site, cell) to one unit of a candidate, at the times of the observations."""
        weather, base = self.base
        candidate = CANDIDATES[name]
        run = self.run(weather.changed(candidate), self.cells.names, self._land_of(candidate))
        return self.means(self._times_seen, self._seen({n: run[n] - base[n] for n in self.cells.names}))[0]

    def _land_of(self, candidate: Candidate) -> LandStepper:
        """Return the stepper, or one with the root depth of a candidate."""
        if candidate.roots == 1.0:
            return self.land
        step = load_step(self._checkpoint, trust=self._trust or None)
        step.model.model.closed.scale_roots(candidate.roots, TYPES[candidate.tile])
        return LandStepper(step, plausibility="off")

    def of_class(self, name: str, surface: str, responses: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the response of a candidate, zero outside a class and where its own tile has no cover."""
        own = self.surface(surface).members[:, None] * responses[name]
        tile = [c for c in self.classes if c.name == f"all {CANDIDATES[name].tile}"]
        return own * tile[0].members[:, None] if tile else own

    def judged(self, chosen: Sequence[str]) -> tuple[list[Hypothesis], dict[str, np.ndarray]]:
        """Return all hypotheses with their probabilities, and the responses of the candidates."""
        responses = {}
        for number, name in enumerate(chosen, start=1):
            LOG.info("Response to the %s, %d of %d", CANDIDATES[name].name, number, len(chosen))
            responses[name] = self.response(name)
        return self.hypotheses(responses), responses

    def hypotheses(self, responses: Mapping[str, np.ndarray]) -> list[Hypothesis]:
        """Return all hypotheses with their probabilities."""
        changes = [
            change_evidence(self.residuals, self.of_class(name, c.name, responses), c.name, name)
            for name in responses
            for c in self.classes
            if CANDIDATES[name].applies(c)
        ]
        usual = usual_pattern(responses)
        patterns = [pattern_evidence(self.residuals, c.cover, usual, c.name) for c in self.classes]
        return posterior(changes, patterns, TEMPER)

    def effects(self, best: Hypothesis) -> dict[str, float]:
        """Return the change of annual means in the class of a hypothesis if its parameter is changed as estimated."""
        weather, base = self.base
        candidate = CANDIDATES[best.parameter]
        names = [n for n in _BUDGET if n in self.land.outputs]
        run = self.run(weather.changed(candidate), names, self._land_of(candidate))
        members = self.surface(best.surface).members
        return {n: float(best.amplitude * (run[n] - base[n])[:, members].mean()) for n in names}

    @cached_property
    def leaks(self) -> pd.DataFrame:
        """Water that the physical model loses by class [mm a year], in the years of the error."""
        needed = (*_STORES, "avg_tprate", "evap", "sro", "ssro")
        if not set(needed) <= set(self.data.variables):
            return pd.DataFrame(columns=["class", "points", "residual"])
        first, last = (np.datetime64(f"{y}-01-01T00:00:00") for y in (self.error_years[0], self.error_years[-1] + 1))
        inside = self.dates[(self.dates >= first) & (self.dates < last)]
        read = self._read(inside[0], inside[-1], needed)
        ends = [water_storage(np.stack([read[f"swvl{k}"][i] for k in range(1, 5)]), read["sd"][i], read["src"][i])
                for i in (0, -1)]  # fmt: skip
        flow = [read[n][1:].mean(0, dtype=float) for n in ("avg_tprate", "evap", "sro", "ssro")]
        seconds = (inside.size - 1) * STEP.total_seconds()
        lost = water_residual(ends[1] - ends[0], *flow, seconds=seconds) / (seconds / (365.25 * 86400.0))
        rows = [(c.name, int(c.members.sum()), float(lost[c.members].mean())) for c in self.classes]
        return pd.DataFrame(rows, columns=["class", "points", "residual"])


def known_error(errors: Mapping[tuple[int, int], np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the mean error (site, cell), years of a run weighted alike, and what single first years depart from it."""
    lags = sorted({year - first for first, year in errors})
    means = [np.mean([e for (first, year), e in errors.items() if year - first == lag], axis=0) for lag in lags]
    alone = [errors[key] for key in sorted(errors) if key[0] == key[1]]
    rest = [np.mean([e for j, e in enumerate(alone) if j != i], axis=0) for i in range(len(alone))]
    return np.mean(means, axis=0), [a - b for a, b in zip(alone, rest, strict=True)]


def _soil(observed: xr.Dataset) -> list[str]:
    return sorted(str(n) for n in observed if str(n).startswith("swvl"))


def _observed(path: str | Path, data: LandData) -> tuple[xr.Dataset, np.ndarray]:
    """Read observations under the names of the table, with the positions of their points in the dataset."""
    path = Path(path).expanduser()
    found = xr.open_dataset(path, engine="zarr" if path.suffix == ".zarr" else None)
    if not {"latitude", "longitude", "time"} <= set(found.variables) or "point" not in found.dims:
        raise ValueError(
            f"'{path}' has the dimensions {dict(found.sizes)} and variables {sorted(map(str, found.variables))}. "
            "Observations need dimensions (time, point) and coordinates time, latitude and longitude."
        )
    known = [*(n for n in INSTRUMENTS if n != "swvl"), *(f"swvl{k}" for k in range(1, 5))]
    names = {str(n): match_name(str(n), known, "the observations") for n in found.data_vars
             if str(n) in {variable(k).netcdf_name for k in known} | set(known)}  # fmt: skip
    if not names:
        raise ValueError(
            f"'{path}' has {sorted(map(str, found.data_vars))}, but none of {known}. Rename its variables."
        )
    where = found["latitude"].values, found["longitude"].values
    points, degrees = nearest_points((data.reader.latitudes, data.reader.longitudes), where)
    if (degrees > _NEAR).any():
        k = int(np.argmax(degrees))
        raise ValueError(
            f"Site {k} of '{path}' at {where[0][k]:.3f}, {where[1][k]:.3f} is {degrees[k]:.2f} degrees from the "
            "nearest point of the dataset. Give a dataset at the sites, with their own weather."
        )
    kept = found[list(names)].rename(names).transpose("time", "point").load()
    return kept, np.asarray(points)
