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
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.data.land_data import LandData, open_data
from anemoi_ailand.data.observations.against_model import warn_of_contradictions
from anemoi_ailand.data.observations.impossible import without_impossible
from anemoi_ailand.data.observations.rows import in_units
from anemoi_ailand.data.stations.observation_reader import open_observations
from anemoi_ailand.data.stations.station_reader import kind_of
from anemoi_ailand.evaluation.diagnosis.candidates import CANDIDATES, Candidate
from anemoi_ailand.evaluation.diagnosis.diagnosis_text import diagnosis_text, strata_table
from anemoi_ailand.evaluation.diagnosis.evidence import (
    Hypothesis,
    Pattern,
    alike,
    change_evidence,
    differences,
    pattern_evidence,
    posterior,
    shapley_shares,
)
from anemoi_ailand.evaluation.diagnosis.residuals import INSTRUMENTS, Residuals
from anemoi_ailand.evaluation.diagnosis.site_means import Cells, cells_of, local_phase, site_means
from anemoi_ailand.evaluation.diagnosis.surface_classes import TYPES, SurfaceClass, surface_classes
from anemoi_ailand.evaluation.display.text import json_text, records
from anemoi_ailand.physics.budgets import water_residual, water_storage
from anemoi_ailand.rollout.step.advance import STEP
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.stepper import LandStepper, load
from anemoi_ailand.support.atomic import check_earlier, complete_folder
from anemoi_ailand.support.dates import bounds_of
from anemoi_ailand.support.disk_errors import not_found
from anemoi_ailand.support.options import check_known
from anemoi_ailand.support.sphere import nearest_points
from anemoi_ailand.variables import variable
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

#: Hypotheses in the record.
_KEPT = 50

#: Steps, at least, and seconds of a year.
_STEPS_A_YEAR, _YEAR_SECONDS = 1460, 365.25 * 86400.0

#: Largest distance of a site from its point [degrees].
_NEAR = 0.01

#: Attribute of observations that were read from the files of stations.
_STATIONS = "of_stations"


def diagnose(
    observations: str | Path,
    dataset: str | Path,
    output: str | Path,
    *,
    checkpoint: str | Path = "ailand",
    start: str | None = None,
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
        dates of the dataset, coordinates ``latitude`` and ``longitude``, NaN where nothing was measured; in the units
        that it states, by default those of the table. Or a station's own file, or a folder of them, as
        :func:`~anemoi_ailand.data.stations.observation_reader.open_observations` reads them.
    dataset : str or Path
        Forcing, constant fields and output of the physical model at the same points: the state at the start of the
        observations, and the output in ``error_years``. Its output at the time of the observations is not read.
    output : str or Path
        Folder of the result.
    checkpoint : str or Path
        Inference checkpoint, or the name of a pretrained network.
    start : str, optional
        First date of the observations that are used, such as ``2021``; by default all are.
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
    FileExistsError
        ``output`` exists and is not an earlier result.
    ValueError
        No variable, place, unit or date of the observations fits; more than a tenth of the values of one are not
        possible; fewer than two years for the error; an unknown candidate.

    Examples
    --------
    >>> from anemoi_ailand import diagnose
    >>> folder = diagnose("towers.nc", "ecland.zarr", "diagnosis")  # doctest: +SKIP
    """
    chosen = list(CANDIDATES if candidates is None else candidates)
    check_known(chosen, CANDIDATES, "candidates")
    if not chosen:
        raise ValueError(f"`candidates` is empty. Give some of {[*CANDIDATES]}, or none for all.")
    check_earlier(output, PROOF)
    data, seen = open_data(dataset), read_observations(observations)
    seen = with_values(within(seen, data, start), observations)
    emulation = Emulation(data, seen, checkpoint, error_years, execution, trust)
    case = Case(emulation, seen)
    case.contradictions = warn_of_contradictions(*case.compared(), f"'{observations}'")
    with complete_folder(Path(output).expanduser(), PROOF) as folder:
        write(folder, case, case.responses(chosen))
    LOG.info("Diagnosis written to %s", output)
    return Path(output).expanduser()


def write(folder: Path, case: Case, responses: Mapping[str, np.ndarray]) -> list[Hypothesis]:
    """Judge a case and write report, strata and record into a folder; return all hypotheses, the likeliest first."""
    emulation, found = case.emulation, case.hypotheses(responses)
    best = found[0]
    similar, shares, effects, closes = {}, {}, {}, None
    if best.parameter in CANDIDATES:
        surface = emulation.surface(best.surface)
        of_class = {
            name: emulation.of_class(name, surface, responses)
            for name in responses
            if CANDIDATES[name].applies(surface)
        }
        own = of_class[best.parameter]
        similar = {name: alike(case.residuals, own, r) for name, r in of_class.items() if name != best.parameter}
        shares = shapley_shares(case.residuals, of_class)
        effects, closes = emulation.effects(best), differences(case.residuals, own, best.amplitude)
    strata = strata_table(case.residuals, emulation.classes)
    title = f"Diagnosis from {case.observed.sizes['point']} sites, {emulation.period}"
    text = diagnosis_text(title, found, similar, strata, effects, emulation.leaks, case.residuals.gains, closes, shares)
    text += "".join(f"\nContradiction: {sentence}.\n" for sentence in case.contradictions)
    (folder / "diagnosis.md").write_text(text, encoding="utf-8")
    strata.to_csv(folder / "strata.csv", index=False, float_format="%.6g")
    record = record_header(SCHEMA) | {
        "checkpoint": emulation.land.name,
        "checkpoint_sha256": emulation.land.checkpoint_sha256,
        "execution": emulation.land.execution,
        "sites": case.observed.sizes["point"],
        "error_years": list(emulation.error_years),
        "contradictions": case.contradictions,
        "gains": case.residuals.gains,
        "hypotheses": records(pd.DataFrame([vars(h) for h in found[:_KEPT]])),
        "similar": similar,
        "shares": shares,
        "effects": effects,
        "difference_before_and_after": closes,
    }
    (folder / PROOF).write_text(json_text(record), encoding="utf-8")
    return found


@dataclass(frozen=True)
class Weather:
    """Input of a run: dates, places, fields at the first date, and the forcing (step, point) of the steps after it."""

    times: np.ndarray
    places: tuple[np.ndarray, np.ndarray]
    first: dict[str, np.ndarray]
    forcing: dict[str, np.ndarray]

    def changed(self, candidate: Candidate, amplitude: float = 1.0) -> Weather:
        """Return the same with the inputs of a candidate changed."""
        first, forcing = dict(self.first), dict(self.forcing)
        for name, change in candidate.changes.items():
            for fields in (first, forcing):
                if name in fields:
                    fields[name] = change.of(name, fields[name], amplitude)
        return replace(self, first=first, forcing=forcing)

    def at(self, points: np.ndarray) -> Weather:
        """Return the same at some points (mask)."""
        latitudes, longitudes = (x[points] for x in self.places)
        first = {n: v[..., points] for n, v in self.first.items()}
        return Weather(self.times, (latitudes, longitudes), first, {n: v[..., points] for n, v in self.forcing.items()})


class Emulation:
    """The emulator at the places of observations over their period, and the physical model in other years.

    ``observed`` gives places and period; several sets of observations may share the runs.
    """

    def __init__(
        self, data: LandData, observed: xr.Dataset, checkpoint: str | Path = "ailand",
        error_years: Sequence[int] | None = None, execution: str = "auto", trust: bool | str = False,
    ) -> None:  # fmt: skip
        self.data, self.points = data, _points(observed, data)
        self.cells: Cells = cells_of([str(n) for n in observed.data_vars])
        self._checkpoint, self._trust, self._errors = checkpoint, trust, dict[tuple[int, int], np.ndarray]()
        self._annual: dict[str, dict[str, np.ndarray]] = {}
        self.dates = np.array(data.coverage.dates(), "datetime64[s]")
        times = observed["time"].values.astype("datetime64[s]")
        if not np.isin(times, self.dates).all():
            raise ValueError(
                f"The observations are from {times[0]} to {times[-1]}, the dataset has {data.coverage}. Give "
                "observations at dates of the dataset."
            )
        self.start = self.dates[max(int(np.searchsorted(self.dates, times[0])) - 1, 0)]
        self.end, self.n_years = times[-1], max(1, round(times.size / _STEPS_A_YEAR))
        self.error_years = self._years_of_error(error_years, times[0])
        self.land: LandStepper = load(checkpoint, plausibility="off", execution=execution, trust=trust)

    @property
    def period(self) -> str:
        """First and last date of the observations."""
        return f"{str(self.start)[:10]} to {str(self.end)[:10]}"

    def _years_of_error(self, given: Sequence[int] | None, first: np.datetime64) -> tuple[int, ...]:
        if not given:
            return tuple(self._years_before(first))
        known = self._whole_years()
        if (wrong := [y for y in given if y not in known]) or len({*given}) < max(2, len(given)):
            what = f"has {wrong}" if wrong else f"is {[*given]}"
            raise ValueError(f"`error_years` {what}. Give two or more different whole years of {known}.")
        if first.astype("datetime64[Y]").astype(int) + 1970 in given:
            LOG.warning("`error_years` has the year of the observations: its output must be that of the same model")
        return tuple(given)

    def _years_before(self, first: np.datetime64) -> list[int]:
        before = [y for y in self._whole_years() if y < first.astype("datetime64[Y]").astype(int) + 1970]
        if len(before) < 2:
            raise ValueError(
                f"Before the observations the dataset has the whole years {before}. The error of the emulator needs "
                "two or more: give a longer dataset, or later observations."
            )
        return before

    def _whole_years(self) -> list[int]:
        years, number = np.unique(self.dates.astype("datetime64[Y]"), return_counts=True)
        return [int(str(y)) for y in years[number >= _STEPS_A_YEAR - 2]]

    def _read(self, start: Any, end: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
        found = self.data.to_xarray((start, end), variables=list(names), points=self.points)
        return {n: found[variable(n).netcdf_name].values for n in names}

    def _at(self, date: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
        return {n: v if v.ndim == 1 else v[0] for n, v in self._read(date, date, names).items()}

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes and longitudes of the points."""
        return self.data.reader.latitudes[self.points], self.data.reader.longitudes[self.points]

    @cached_property
    def classes(self) -> list[SurfaceClass]:
        """Classes of surface of the points."""
        return surface_classes(self._at(self.start, [n for n in _CLASSES if n in self.data.variables]))

    def surface(self, name: str) -> SurfaceClass:
        """Return a class by its name."""
        return next(c for c in self.classes if c.name == name)

    def weather(self, start: Any, end: Any) -> Weather:
        """Read what drives a run between two dates."""
        needs = self.land.needs
        first = dict.fromkeys((*needs["prognostic"], *needs["static"], *needs["forcing_at_start"]))
        forcing = {n: v[1:] for n, v in self._read(start, end, needs["forcing"]).items()}
        times = self.dates[(self.dates >= start) & (self.dates <= end)]
        return Weather(times, self.places, self._at(start, list(first)), forcing)

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
        return site_means(self.cells, values, local_phase(times, *self.places))

    @cached_property
    def base(self) -> tuple[Weather, dict[str, np.ndarray]]:
        """Weather and outputs of the run over the period of the observations."""
        weather = self.weather(self.start, self.end)
        return weather, self.run(weather, list(dict.fromkeys((*self.cells.names, *self._budget))))

    @property
    def _budget(self) -> list[str]:
        return [n for n in _BUDGET if n in self.land.outputs]

    def perturbed(self, name: str, amplitude: float = 1.0, points: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return outputs (step, point) with a candidate changed, less those without.

        The run is at the given points (mask), by default those with the tile of the candidate; zero at others.
        """
        weather, base = self.base
        candidate, land = CANDIDATES[name], self.land
        own = self._with_tile(candidate) if points is None else points
        if candidate.roots != 1.0:
            step = load_step(self._checkpoint, trust=self._trust or None)
            step.model.model.closed.scale_roots(candidate.roots**amplitude, TYPES[candidate.tile])
            land = LandStepper(step, plausibility="off")
        run = self.run(weather.at(own).changed(candidate, amplitude), list(base), land)
        change = {n: np.zeros_like(v) for n, v in base.items()}
        for n in base:
            change[n][:, own] = run[n] - base[n][:, own]
        return change

    def response(self, name: str) -> dict[str, np.ndarray]:
        """Return :meth:`perturbed` by one unit, and keep its annual means for :meth:`effects`."""
        change = self.perturbed(name)
        self._annual[name] = {n: change[n].mean(0, dtype=float) for n in self._budget}
        return change

    def _with_tile(self, candidate: Candidate) -> np.ndarray:
        """Return the mask (point,) of the points with the tile of a candidate: all for the soil and the surface."""
        found = [c.members for c in self.classes if c.name == f"all {candidate.tile}"]
        return found[0] if found else np.ones(len(self.points), bool)

    def errors(self) -> dict[tuple[int, int], np.ndarray]:
        """Return physical model minus emulator (site, cell) by first year of a run and year.

        The runs are as long as the observations, since errors of the deep soil grow with time.
        """
        for first in self.error_years:
            if (first, first) in self._errors:
                continue
            years = [y for y in self.error_years if first <= y < first + self.n_years]
            start, last = (np.datetime64(f"{y}-01-01T00:00:00") for y in (first, years[-1] + 1))
            inside = self.dates[(self.dates >= start) & (self.dates < last)]
            made = self.run(self.weather(inside[0], inside[-1]), self.cells.names)
            truth = self._read(inside[0], inside[-1], self.cells.names)
            of_year = inside[1:].astype("datetime64[Y]").astype(int) + 1970
            for year in years:
                own = of_year == year
                difference = {n: truth[n][1:][own] - made[n][own] for n in self.cells.names}
                self._errors[first, year] = self.means(inside[1:][own], difference)[0]
            LOG.info("Error of the emulator from %d on known in %s", first, years)
        return self._errors

    def of_class(self, name: str, surface: SurfaceClass, responses: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the response of a candidate, zero outside a class and where its own tile has no cover."""
        both: np.ndarray = surface.members & self._with_tile(CANDIDATES[name])
        return both[:, None] * responses[name]

    def effects(self, best: Hypothesis) -> dict[str, float]:
        """Return the change of annual means in the class of a hypothesis if its parameter is changed as estimated."""
        members = self.surface(best.surface).members
        return {n: float(best.amplitude * v[members].mean()) for n, v in self._annual[best.parameter].items()}

    @cached_property
    def leaks(self) -> pd.DataFrame:
        """Water that the physical model loses by class [mm a year], in the years of the error."""
        flows = ("avg_tprate", "evap", "sro", "ssro")
        if not {*_STORES, *flows} <= set(self.data.variables):
            return pd.DataFrame(columns=["class", "points", "residual"])
        first, last = (np.datetime64(f"{y}-01-01T00:00:00") for y in (self.error_years[0], self.error_years[-1] + 1))
        inside = self.dates[(self.dates >= first) & (self.dates < last)]
        ends = [
            water_storage(np.stack([s[f"swvl{k}"] for k in range(1, 5)]), s["sd"], s["src"])
            for s in (self._at(date, _STORES) for date in inside[[0, -1]])
        ]
        read = self._read(inside[0], inside[-1], flows)
        seconds = (inside.size - 1) * STEP.total_seconds()
        rain, evaporation, *runoff = (read[n][1:].mean(0, dtype=float) for n in flows)
        lost = water_residual(ends[1] - ends[0], rain, evaporation, runoff[0], runoff[1], seconds)
        lost *= _YEAR_SECONDS / seconds
        rows = [(c.name, int(c.members.sum()), float(lost[c.members].mean())) for c in self.classes]
        return pd.DataFrame(rows, columns=["class", "points", "residual"])


class Case:
    """One set of observations, with what an emulation knows of its places and period."""

    def __init__(self, emulation: Emulation, observed: xr.Dataset) -> None:
        self.emulation, self.observed = emulation, observed
        times, steps = observed["time"].values.astype("datetime64[s]"), emulation.base[0].times[1:]
        self._of_steps, self._inside = np.isin(steps, times), np.isin(times, steps)
        self._times = times[self._inside]
        self.contradictions: list[str] = []

    def compared(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return observations and emulator (step, point) at all steps of the run, NaN where nothing was measured."""
        base, seen = self.emulation.base[1], {}
        for name in self.emulation.cells.names:
            seen[name] = np.full(base[name].shape, np.nan)
            seen[name][self._of_steps] = self.observed[name].values[self._inside]
        return seen, {n: base[n] for n in seen}

    @cached_property
    def _valid(self) -> dict[str, np.ndarray]:
        return {n: np.isfinite(self.observed[n].values[self._inside]) for n in self.emulation.cells.names}

    def seen(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the means (site, cell) of fields (step, point) at the times of the observations."""
        fields = {n: np.where(mask, values[n][self._of_steps], np.nan) for n, mask in self._valid.items()}
        return self.emulation.means(self._times, fields)[0]

    @cached_property
    def residuals(self) -> Residuals:
        """Residuals of the sites, less the error of the emulator in other years."""
        emulation = self.emulation
        fields = {n: self.observed[n].values[self._inside] for n in emulation.cells.names}
        observed, counts = emulation.means(self._times, fields)
        known, anomalies = known_error(emulation.errors())
        emulated = self.seen(emulation.base[1])
        return Residuals(emulation.cells, observed, emulated, counts, known, anomalies, emulation.n_years)

    def responses(self, chosen: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the responses (site, cell) to one unit of each candidate."""
        return responses_of([self], chosen)[0]

    def hypotheses(self, responses: Mapping[str, np.ndarray]) -> list[Hypothesis]:
        """Return all hypotheses with their probabilities, the likeliest first."""
        emulation, classes = self.emulation, self.emulation.classes
        changes = [
            change_evidence(self.residuals, emulation.of_class(name, c, responses), c.name, name)
            for name in responses
            for c in classes
            if CANDIDATES[name].applies(c)
        ]
        pattern = Pattern(self.residuals, responses)
        return posterior(changes, [pattern_evidence(self.residuals, c, pattern) for c in classes])


def responses_of(cases: Sequence[Case], chosen: Sequence[str]) -> list[dict[str, np.ndarray]]:
    """Return the responses (site, cell) to one unit of each candidate for cases of one emulation, which share runs."""
    found: list[dict[str, np.ndarray]] = [{} for _ in cases]
    for number, name in enumerate(chosen, start=1):
        LOG.info("Response to the %s, %d of %d", CANDIDATES[name].name, number, len(chosen))
        change = cases[0].emulation.response(name)
        for case, own in zip(cases, found, strict=True):
            own[name] = case.seen(change)
    return found


def known_error(errors: Mapping[tuple[int, int], np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the mean error (site, cell), years of a run weighted alike, and what single first years depart from it."""
    lags = sorted({year - first for first, year in errors})
    means = [np.mean([e for (first, year), e in errors.items() if year - first == lag], axis=0) for lag in lags]
    alone = [errors[key] for key in sorted(errors) if key[0] == key[1]]
    rest = [np.mean([e for j, e in enumerate(alone) if j != i], axis=0) for i in range(len(alone))]
    return np.mean(means, axis=0), [a - b for a, b in zip(alone, rest, strict=True)]


def read_observations(path: str | Path) -> xr.Dataset:
    """Read observations (time, point) into memory, under the names and in the units of the table.

    Other variables, and a few values that are not possible, are left out; many of those are an error.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise not_found(path, "file of observations")
    if (path.is_dir() and path.suffix != ".zarr") or kind_of(path) is not None:
        return _of_stations(path)
    found = xr.open_dataset(path, engine="zarr" if path.suffix == ".zarr" else None)
    if not {"latitude", "longitude", "time"} <= set(found.variables) or "point" not in found.dims:
        raise ValueError(
            f"'{path}' has the dimensions {dict(found.sizes)} and variables {sorted(map(str, found.variables))}. "
            "Observations need dimensions (time, point) and coordinates time, latitude and longitude."
        )
    known = [*(n for n in INSTRUMENTS if n != "swvl"), *(f"swvl{k}" for k in range(1, 5))]
    names = {variable(n).netcdf_name: n for n in known} | {n: n for n in known}
    names = {str(n): names[str(n)] for n in found.data_vars if str(n) in names}
    if not names:
        raise ValueError(f"'{path}' has {sorted(map(str, found.data_vars))}, but none of {known}. Rename them.")
    times = found["time"].values
    if times.dtype.kind != "M" or (np.diff(times) <= np.timedelta64(0)).any():
        raise ValueError(
            f"The times in '{path}' are {'not dates' if times.dtype.kind != 'M' else 'doubled or go back'}. Give each "
            "date once, in order, in UTC."
        )
    found = found[list(names)].rename_vars(names).transpose("time", "point").load()
    for name, field in found.data_vars.items():
        if field.dtype.kind not in "fiu":
            raise ValueError(f"'{name}' in '{path}' has {field.dtype} in place of numbers. Give NaN in gaps.")
        values = in_units(field.values, field.attrs.get("units"), str(name), str(path))
        found[name] = field.dims, without_impossible(values, str(name), f"'{path}'")
    return found


def within(observed: xr.Dataset, data: LandData, start: str | None = None) -> xr.Dataset:
    """Return observations from a date on; those of stations end with the dataset, whose period they do not know."""
    if start is None and not observed.attrs.get(_STATIONS):
        return observed
    first = bounds_of(start)[0]
    chosen = observed.sel(time=slice(first, None))
    if observed.attrs.get(_STATIONS):
        chosen = chosen.sel(time=slice(data.coverage.first, data.coverage.last))
    if not chosen.sizes["time"]:
        times = observed["time"].values.astype("datetime64[h]")
        raise ValueError(
            f"The observations are from {times[0]} to {times[-1]}, the dataset has {data.coverage}"
            + ("" if first is None else f", and `start` is {start}")
            + ". Give observations and a dataset of the same years."
        )
    return chosen


def with_values(observed: xr.Dataset, where: str | Path) -> xr.Dataset:
    """Return observations without variables that have no value, which is warned of; none at all is a ValueError."""
    empty = [str(n) for n, field in observed.data_vars.items() if not np.isfinite(field.values).any()]
    if len(empty) == len(observed.data_vars):
        raise ValueError(f"{empty} in '{where}' have no value in the period. Give observations, or another period.")
    if empty:
        LOG.warning("%s in '%s' have no value in the period, and are left out", empty, where)
    return observed.drop_vars(empty)


def _of_stations(path: Path) -> xr.Dataset:
    """Return the observations of station files, as far as they can be diagnosed."""
    reader = open_observations(path)
    names = [n for n in reader.variables if n.rstrip("1234") in INSTRUMENTS]
    if not names:
        raise ValueError(f"The stations in '{path}' have {list(reader.variables)}, but none of {[*INSTRUMENTS]}.")
    dates = reader.coverage.dates()
    fields = {n: (("time", "point"), v) for n, v in zip(names, reader.read(names, dates), strict=True)}
    places = {"latitude": ("point", reader.latitudes), "longitude": ("point", reader.longitudes)}
    return xr.Dataset(fields, {"time": np.array(dates, "datetime64[ns]"), **places}, {_STATIONS: True})


def _points(observed: xr.Dataset, data: LandData) -> np.ndarray:
    """Return the positions of the sites in the dataset."""
    where = observed["latitude"].values, observed["longitude"].values
    points, degrees = nearest_points((data.reader.latitudes, data.reader.longitudes), where)
    if not (degrees <= _NEAR).all():  # nor NaN
        k = int(np.argmax(np.nan_to_num(degrees, nan=np.inf)))
        raise ValueError(
            f"Site {k} at {where[0][k]:.3f}, {where[1][k]:.3f} is {degrees[k]:.2f} degrees from the nearest point of "
            f"{data.reader.name}. Give a dataset at the sites, with their own weather."
        )
    if len(set(np.asarray(points).tolist())) < len(points):
        raise ValueError(f"Some of the {len(points)} sites are at one point of {data.reader.name}. Give each once.")
    return np.asarray(points)
