# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Run a network at a tower: from the tower's own file and properties of the site to series and a figure.

Forcing is made from the file, properties come from a small table or the nearest point of a dataset, and the initial
state from that point or a cold start, spun up by repeating the file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from anemoi_ailand.data.derived import MONTHLY
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.points.point_writer import write_points
from anemoi_ailand.data.reader import MARKS, STEP, Reader
from anemoi_ailand.data.stations.tower_reader import TowerReader, read_records, with_properties
from anemoi_ailand.data.stations.tower_site import BY_COVER, TowerSite, site_of
from anemoi_ailand.evaluation.display.style import save
from anemoi_ailand.evaluation.display.text import DIGITS, aligned, json_text, plain_number, stamp
from anemoi_ailand.evaluation.display.variables import shown_factor, shown_units
from anemoi_ailand.evaluation.sites.places import WITHIN, Found, Place, find_points, where
from anemoi_ailand.evaluation.sites.site_figure import site_figure
from anemoi_ailand.evaluation.sites.site_series import names_of, of_emulator, site_series
from anemoi_ailand.rollout.forcing.initial_defaults import cold_start, plan
from anemoi_ailand.rollout.reforecast.period import period
from anemoi_ailand.rollout.reforecast.point_run import PointRun, SpinUp
from anemoi_ailand.rollout.step.checkpoint import LandStep, checkpoint_checksum
from anemoi_ailand.rollout.step.compiled_step import open_step
from anemoi_ailand.rollout.step.pretrained import DEFAULT
from anemoi_ailand.rollout.step.training_record import checker_of
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.netcdf_writer import versions, write_dataset
from anemoi_ailand.variables import VARIABLES, Role, Time, variable
from anemoi_ailand.workflows import record_header

LOG = logging.getLogger(__name__)

#: File that identifies an earlier result, and the version of its layout.
PROOF, SCHEMA = "tower.json", "anemoi-ailand/tower/1"

#: Longest spin-up [years]: the deepest soil layer follows the others within some years.
LONGEST_SPIN_UP = 30

#: Dates of a dataset read at once, with all points.
_BLOCK = 64


def tower(
    path: str | Path,
    output: str | Path,
    *,
    site: str | Path | Mapping[str, Any] | TowerSite | None = None,
    name: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
    utc_offset: float | None = None,
    columns: Mapping[str, str] | None = None,
    stamp: str | None = None,
    dataset: str | Path | None = None,
    within: float = WITHIN,
    checkpoint: str | Path = DEFAULT,
    start: str | None = None,
    lead: str | None = None,
    end: str | None = None,
    spin_up: int = LONGEST_SPIN_UP,
    device: str = "cpu",
    execution: str = "auto",
    precipitation: str = "mean",
    plausibility: str = "error",
    trust: bool | str = False,
    progress: bool = True,
) -> Path:
    """Run the network with the weather of a tower's own file, and write series, figure and all rules that were used.

    Parameters
    ----------
    path, output : str or Path
        File of the tower: FLUXNET CSV, ALMA or PLUMBER2 NetCDF, or another CSV; folder of the result.
    site : str, Path or mapping, optional
        Properties of the site, a YAML file (lines such as ``slt: medium``), a CSV table with a row for each site, or a
        mapping (``{"slt": "medium", "tvl": "short grass", "cvl": 0.85}``):
        ``name``, ``latitude``, ``longitude``, ``elevation``, ``utc_offset``, ``stamp``, ``columns``; types of soil and
        vegetation ``slt``, ``tvl``, ``tvh`` by name or number, covers ``cvl``, ``cvh``, albedo without snow ``al``;
        others have defaults.
    name : str, optional
        Name in titles, and the row of a CSV table of sites; by default that of the site, or the name of the file.
    latitude, longitude, utc_offset : float, optional
        Place of the tower [degrees], and local standard time minus UTC [h]; like ``columns`` and ``stamp``, they take
        precedence over those of the site.
    columns : mapping of str to str, optional
        Columns of the file by quantity, with their unit: ``columns={"temperature": "AirT [degC]", "time": "date"}``.
        Quantities are ``time``, ``temperature``, ``specific_humidity``, ``relative_humidity``,
        ``vapour_pressure_deficit``, ``pressure``, ``wind``, ``short_wave``, ``long_wave``, ``precipitation`` and
        ``snowfall``; those without a column here keep the names of FLUXNET or ALMA.
    stamp : {'start', 'end'}, optional
        Whether a stamp is the start or the end of its record; by default as the file or its archive says.
    dataset : str or Path, optional
        Anemoi dataset, or files that :func:`~anemoi_ailand.open_data` reads, whose nearest point gives properties that
        the site does not have, and the initial state before the spin-up.
    within : float
        Largest distance of that point [km].
    checkpoint : str or Path
        Inference checkpoint, or the name of a pretrained network.
    start, lead, end : str, optional
        Initial date, UTC (``"2004"``, ``"2004-03-01T06"``), and length (``"365d"``) or last date; by default from the
        first midnight to the end of the file.
    spin_up : int
        Most years of spin-up, which repeats the whole years of the file and ends when the soil no longer changes; 0 for
        none.
    device : str
        Device of torch.
    execution : {'auto', 'plain', 'compiled'}
        See :func:`~anemoi_ailand.rollout.step.compiled_step.open_step`.
    precipitation : {'mean', 'hourly', 'random'}
        Rain within the step; see :func:`~anemoi_ailand.load`.
    plausibility : {'error', 'warn', 'off'}
        Treatment of impossible values; see :func:`~anemoi_ailand.load`.
    trust : bool or str
        Load a checkpoint of unknown checksum, or one of this SHA-256; see :func:`~anemoi_ailand.load`.
    progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    Path
        ``output`` with ``site.nc``, ``series.csv``, ``series.png``, ``table.md``, ``input.nc`` (forcing, properties and
        initial state, as input of other runs) and ``tower.json``.

    Raises
    ------
    FileExistsError, FileNotFoundError, ValueError
        ``output`` is not an earlier result; an input is missing or does not fit. Raised before the roll-out.

    Examples
    --------
    >>> from anemoi_ailand import tower
    >>> folder = tower("tower.csv", "fort-peck", site="fort-peck.yaml", utc_offset=-7)  # doctest: +SKIP
    """
    if isinstance(spin_up, bool) or not isinstance(spin_up, int) or spin_up < 0:
        raise ValueError(f"`spin_up` is {spin_up!r}. Give the most years of spin-up, 0 for none.")
    known = site_of(site, name)
    options = {"latitude": latitude, "longitude": longitude, "utc_offset": utc_offset, "stamp": stamp}
    with complete_folder(output, PROOF) as folder:
        records = read_records(path, known, **options, **({"columns": columns} if columns else {}))
        place = Place(name or known.name or Path(path).stem, records.latitude, records.longitude)
        nearest = None if dataset is None else NearestPoint(dataset, place, within)
        if nearest is None:
            reader = with_properties(records, known)
        else:
            reader = with_properties(records, known, nearest.static(), nearest.seasons(), str(nearest))
        first, last = period(_dates(reader), start, lead, end)
        work = last - first + spin_up * len(_dates(reader))  # at most: the spin-up ends when the soil is in balance
        step = open_step(checkpoint, device, execution, work, precipitation, trust or None)
        _warn_of_albedo(step.inputs, reader.rules["albedo"])
        result = _run(step, reader, nearest, _dates(reader), (first, last), spin_up, progress, plausibility)
        _write(folder, place, reader, step, *result)
    return Path(output).expanduser()


def _warn_of_albedo(inputs: Sequence[str], rule: str) -> None:
    """Warn of an albedo that nobody gave, if the network reads it."""
    if "al" in inputs and BY_COVER in rule:
        LOG.warning("The site has no albedo `al`, so it is taken as %s", rule)


class NearestPoint:
    """Fields at the point of a dataset that is nearest to a place, at the same date or the same day of another year."""

    def __init__(self, path: str | Path, place: Place, within: float) -> None:
        self.path = str(path)
        self._data = open_reader(self.path)
        self._dates = self._data.coverage.dates()
        self._known: dict[datetime, dict[str, float]] = {}
        self.variables = [n for n in VARIABLES if n in self._data.variables]
        (self.found,) = find_points([place], self._data.latitudes, self._data.longitudes, within)

    def __str__(self) -> str:
        return f"the nearest point of '{self.path}', {self.found.distance:.0f} km away"

    def static(self) -> dict[str, float]:
        """Return the constant fields by name."""
        names = [n for n in self.variables if variable(n).time is Time.CONSTANT and n not in MARKS]
        return {n: float(v[0]) for n, v in self.read(names, self._dates[:1]).items()}

    def date(self, date: datetime) -> datetime:
        """Return a date of the dataset: the same, or the same day and hour of another year."""
        if date in self._data.coverage:
            return date
        day = 28 if (date.month, date.day) == (2, 29) else date.day
        years = range(self._dates[0].year, self._dates[-1].year + 1)
        others = [d for y in years if (d := date.replace(year=y, day=day)) in self._data.coverage]
        if not others:
            raise ValueError(f"The dataset '{self.path}' has no {date:%d %B %H:%M} in any year. Give a whole year.")
        return others[0]

    def read(self, names: Sequence[str], dates: Sequence[datetime]) -> dict[str, np.ndarray]:
        """Return values (date,) by name at dates or the same days of another year."""
        wanted = [self.date(d) for d in dates]
        once = list(dict.fromkeys(wanted))
        parts = [
            self._data.read(names, once[i : i + _BLOCK])[..., self.found.point] for i in range(0, len(once), _BLOCK)
        ]
        at = {date: i for i, date in enumerate(once)}
        values = np.concatenate(parts, axis=1)[:, [at[d] for d in wanted]]
        return dict(zip(names, values, strict=True))

    def seasons(self) -> dict[str, Callable[[Sequence[datetime]], np.ndarray]]:
        """Return functions of dates for the leaf area and albedo (date,) that the dataset has, by name."""
        return {n: partial(self._season, n) for n in MONTHLY if n in self.variables}

    def _season(self, name: str, dates: Sequence[datetime]) -> np.ndarray:
        if new := [d for d in dates if d not in self._known]:
            names = list(self.seasons())
            rows = np.stack(list(self.read(names, new).values()), axis=1)  # together: each read takes whole chunks
            self._known |= {d: dict(zip(names, row, strict=True)) for d, row in zip(new, rows, strict=True)}
        return np.array([self._known[d][name] for d in dates])

    def state(self, names: Sequence[str], date: datetime) -> tuple[dict[str, np.ndarray], str]:
        """Return a state (point,) by name and its description; what the dataset lacks is derived where possible."""
        filled, missing = plan(names, self.variables, {}, made=True)
        if missing:
            raise ValueError(f"The dataset '{self.path}' has no {missing} for the initial state.")
        needed = dict.fromkeys(
            [*(n for n in names if n not in filled), *(i for f in filled.values() for i in f.inputs)]
        )
        found = self.read(list(needed), [date])
        made = {n: np.asarray(f.make(*(found[i] for i in f.inputs))) for n, f in filled.items()}
        words = "".join(f"; {n} = {f.words}" for n, f in filled.items())
        return {n: {**found, **made}[n] for n in names}, f"{self} at {self.date(date):%Y-%m-%d %H:%M}{words}"


def _dates(reader: Reader) -> np.ndarray:
    """Return the dates of a reader and the one before them, at which a run can start."""
    dates = reader.coverage.dates()
    return np.array([dates[0] - STEP, *dates], "datetime64[s]")


def _run(
    step: LandStep,
    reader: TowerReader,
    nearest: NearestPoint | None,
    dates: np.ndarray,
    between: tuple[int, int],
    spin_up: int,
    progress: bool,
    plausibility: str,
) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray, dict[str, str]]:
    """Return dates of the run, the initial state, the outputs (date, output), and how the state was made."""
    first, last = between
    checker = checker_of(step, plausibility)
    run = PointRun(step, reader, dates[first:].tolist() if spin_up else dates[first : last + 1].tolist(), checker)
    if nearest is not None:
        fields, words = nearest.state(run.layout.prognostic, run.dates[0])
    else:
        air = float(reader.read(["avg_t"], reader.coverage.dates()).mean())
        fields = cold_start(run.layout.prognostic, reader.static, air)
        words = "no snow, soil halfway between wilting point and field capacity, at the mean air temperature"
    state = run.state(fields)
    rules = {"initial_state": words, "spin_up": "none"}
    if spin_up:
        made: SpinUp = run.spin_up(state, spin_up, progress=progress)
        state, rules["spin_up"] = made.state, str(made)
    outputs = run.run(state, last - first, progress=progress)[:, 0]
    checker.report(f"The run of {reader.name}")
    initial = dict(zip(run.layout.prognostic, state.cpu().numpy()[0], strict=True))
    return dates[first : last + 1], initial, outputs, rules


def _write(
    folder: Path,
    place: Place,
    reader: TowerReader,
    step: LandStep,
    dates: np.ndarray,
    initial: dict[str, np.ndarray],
    outputs: np.ndarray,
    made: dict[str, str],
) -> None:
    """Write all files of the result."""
    rules = reader.rules | made
    header: dict[str, Any] = {
        **record_header(SCHEMA), "checkpoint": str(step.path), "checkpoint_sha256": checkpoint_checksum(step.path),
        "execution": step.execution, "precipitation": step.precipitation,
        "tower_file": reader.name, "start": stamp(dates[0]), "end": stamp(dates[-1]), "steps": len(dates) - 1,
    }  # fmt: skip
    sentence = (
        f"{place.name} ({where(place.latitude, place.longitude)}): weather of {reader.name}, {header['start']} to "
        f"{header['end']} UTC, {header['steps']} steps."
    )
    attributes = {k: str(v) for k, v in header.items() if k != "schema"} | {"title": sentence, "versions": versions()}
    attributes |= {f"rule_{k}": v for k, v in rules.items()}
    times = dates.tolist()
    parts = (Time.LATE_MEAN, Time.HOUR_MEAN)
    rows = (variable(n) for n in reader.variables)
    forcing = [row.name for row in rows if row.role is Role.FORCING and row.time not in parts]
    driven = dict(zip(forcing, reader.read(forcing, times[1:])[:, :, 0], strict=True))
    emulated = {n: outputs[:, i] for i, n in enumerate(step.outputs)}
    found = Found(place, 0, place.latitude, place.longitude, 0.0)
    series = site_series(dates[1:], emulated, {}, driven, found, attributes)
    write_dataset(series, folder / "site.nc")
    table = series.drop_vars(["site", "latitude", "longitude"]).to_dataframe()
    table.to_csv(folder / "series.csv", float_format=f"%.{DIGITS + 1}g", date_format="%Y-%m-%dT%H:%M")
    title = f"{place.name}: weather of the tower, {header['start'][:10]} to {header['end'][:10]}"
    save(site_figure(series, title), folder / "series.png")
    _write_input(folder / "input.nc", reader, dates, initial, attributes)
    (folder / "table.md").write_text(_table(sentence, series, rules), encoding="utf-8")
    (folder / PROOF).write_text(json_text(header | {"rules": rules}), encoding="utf-8")


def _write_input(
    path: Path, reader: TowerReader, dates: np.ndarray, initial: dict[str, np.ndarray], attributes: dict[str, str]
) -> None:
    """Write forcing, properties and the initial state as input of other runs; the state is missing after the start."""
    names = [*initial, *reader.variables]
    values = np.full((len(dates), 1, len(names)), np.nan, np.float32)
    for i, name in enumerate(names):
        if name in initial:
            values[0, :, i] = initial[name]
        else:
            begin = 0 if variable(name).time in (Time.INSTANT, Time.CONSTANT) else 1
            values[begin:, :, i] = reader.read([name], dates[begin:].tolist())[0]
    write_points(path, values, names, dates, reader.latitudes, reader.longitudes, attributes)


def _table(sentence: str, series: xr.Dataset, rules: dict[str, str]) -> str:
    """Format mean and range of each variable, and the rules, as Markdown."""
    rows = [["variable", "meaning", "mean", "least", "greatest", "unit"]]
    for name in (*names_of(series, "emulator"), *names_of(series, "forcing")):
        values = pd.Series(of_emulator(series, name).values)
        numbers = [plain_number(float(v)) for v in (values.mean(), values.min(), values.max())]
        rows.append([name, variable(name).long_name, *numbers, shown_units(name) if shown_factor(name) else ""])
    said = [f"- {name.replace('_', ' ')}: {text}" for name, text in rules.items()]
    return "\n".join([sentence, "", *aligned(rows), "", "Rules:", "", *said]) + "\n"
