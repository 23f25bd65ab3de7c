# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Report on data before anything is run: coverage, ranges, plausibility by rule, clocks, water budget."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.plausibility.checker import Checker, Finding, check_period
from anemoi_ailand.data.plausibility.novelty import Novelty
from anemoi_ailand.data.plausibility.sunshine import insolation_of_steps
from anemoi_ailand.data.plausibility.training_data import TrainingData
from anemoi_ailand.data.reader import Reader
from anemoi_ailand.evaluation.display import style
from anemoi_ailand.evaluation.display.text import aligned, json_text, plain_number
from anemoi_ailand.physics.budgets import water_residual, water_storage
from anemoi_ailand.rollout.step.checkpoint import existing_checkpoint
from anemoi_ailand.rollout.step.pretrained import checkpoint_path
from anemoi_ailand.rollout.step.training_record import stored_record
from anemoi_ailand.support.atomic import complete_folder
from anemoi_ailand.support.object_display import places
from anemoi_ailand.variables import Time, variable
from anemoi_ailand.workflows import record_header

LOG = logging.getLogger(__name__)

#: File that proves that a folder is an earlier result, and the version of its content.
PROOF, SCHEMA = "check.json", "anemoi-ailand check 1"

#: Dates that are read at once, and values of a block at most.
_DATES, _VALUES = 512, 2**25

#: Points of the figure.
_SHOWN = 3

#: Water that a step may lose or create by rounding [kg m-2]; ecLand's output closes to 0.002 at points without lakes
#: and towns.
_CLOSED = 0.05

_BUDGET = ("avg_tprate", "evap", "sro", "ssro", "sd", "src", "swvl1", "swvl2", "swvl3", "swvl4")


@dataclass
class _Sums:
    """Extremes and mean of each variable, and the daily cycle of the figure's points."""

    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=dict)
    number: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    cycle: dict[int, list[np.ndarray]] = field(default_factory=dict)
    residual: float = 0.0
    mean_temperature: list[np.ndarray] = field(default_factory=list)

    def add(self, fields: dict[str, np.ndarray]) -> None:
        for name, values in fields.items():
            finite = values[np.isfinite(values)]
            self.missing[name] = self.missing.get(name, 0) + values.size - finite.size
            if finite.size:
                self.low[name] = min(self.low.get(name, np.inf), float(finite.min()))
                self.high[name] = max(self.high.get(name, -np.inf), float(finite.max()))
                self.total[name] = self.total.get(name, 0.0) + float(finite.sum(dtype=np.float64))
                self.number[name] = self.number.get(name, 0) + finite.size


def check(
    path: str | Path | Sequence[str | Path],
    output: str | Path = "check",
    *,
    static: str | Path | None = None,
    layout: str = "auto",
    checkpoint: str | Path | None = None,
) -> tuple[Path, list[Finding]]:
    """Read all data once, and write what is impossible or implausible, ranges, clock and budget, with a figure.

    Parameters
    ----------
    path, static, layout
        Data as for :func:`~anemoi_ailand.open_data`: files, or an Anemoi dataset.
    output : str or Path
        Folder of ``report.md``, ``figure.png`` and ``check.json``; an earlier result is replaced.
    checkpoint : str or Path, optional
        Network whose training data the inputs are compared with; ``novelty.nc`` and ``novelty.png`` are their maps.

    Returns
    -------
    Path
        ``output``.
    list of Finding
        What was found, errors first.

    Raises
    ------
    FileNotFoundError, ValueError
        Nothing is recognised in the files.
    FileExistsError
        ``output`` is another folder.
    """
    reader = open_reader(path, static, layout)
    where, dates = (reader.latitudes, reader.longitudes), reader.coverage.dates()
    checker, sums = Checker("warn", training=_training_data(checkpoint)), _Sums()
    checker.maps = True
    shown = np.unique(np.linspace(0, where[0].size - 1, _SHOWN).astype(int))
    size = max(2, min(_DATES, _VALUES // max(1, len(reader.variables) * where[0].size)))
    for first in range(0, len(dates), size):
        begin = max(0, first - 1)  # the last date of the block before is the start of this one
        stamps = dates[begin : first + size]
        fields = dict(zip(reader.variables, reader.read(reader.variables, stamps), strict=True))
        checker.look_again()
        check_period(checker, fields, stamps, where)
        sums.add({n: v[first - begin :] for n, v in fields.items()})
        _add_cycle(sums, fields, stamps[first - begin :], shown, first - begin)
        sums.residual = max(sums.residual, _residual(fields))
    found = checker.take()
    with complete_folder(output, PROOF) as folder:
        style.save(_figure(sums, dates, (where[0][shown], where[1][shown]), reader), folder / "figure.png")
        if checker.novelty is not None:
            checker.novelty.write(folder / "novelty.nc")
            style.save(_novelty_figure(checker.novelty), folder / "novelty.png")
        (folder / "report.md").write_text(_report(reader, found, sums, checker.novelty), encoding="utf-8")
        listed = [
            {"rule": f.rule.name, "error": f.error, "values": f.number, "dates": f.dates, "worst": f.worst,
             "date": str(f.date), "latitude": f.place[0], "longitude": f.place[1], "message": str(f)}
            for f in found
        ]  # fmt: skip
        header: dict[str, Any] = {**record_header(SCHEMA), "data": reader.name, "findings": listed}
        (folder / PROOF).write_text(json_text(header), encoding="utf-8")
    return Path(output).expanduser(), found


def _add_cycle(
    sums: _Sums, fields: dict[str, np.ndarray], dates: Sequence[datetime], shown: np.ndarray, first: int
) -> None:
    """Add short-wave radiation by hour of the day, and the mean temperature of the points of the figure."""
    if "avg_sdswrf" in fields:
        for date, values in zip(dates, fields["avg_sdswrf"][first:, shown], strict=True):
            sums.cycle.setdefault(date.hour, []).append(values)
    for name in ("avg_t", "t", "stl1"):
        if name in fields:
            sums.mean_temperature.append(fields[name][first:, shown])
            return


def _residual(fields: dict[str, np.ndarray]) -> float:
    """Return the largest water that a step loses or creates at points without lakes and towns [kg m-2]."""
    if not all(n in fields for n in _BUDGET) or len(fields["sd"]) < 2:
        return 0.0
    soil = np.stack([fields[f"swvl{k}"] for k in (1, 2, 3, 4)]).astype(np.float64)
    storage = water_storage(soil, fields["sd"], fields["src"])
    rain, evaporation, surface, below = (fields[n][1:] for n in ("avg_tprate", "evap", "sro", "ssro"))
    residual = np.abs(water_residual(np.diff(storage, axis=0), rain, evaporation, surface, below))
    dry = np.ones(residual.shape[1], bool)
    for name in ("cl", "cur"):
        if name in fields:
            dry &= fields[name][0] == 0.0
    return float(np.nanmax(residual[:, dry])) if dry.any() and np.isfinite(residual[:, dry]).any() else 0.0


def _training_data(checkpoint: str | Path | None) -> TrainingData | None:
    """Return the record of the training data of a checkpoint, which is not loaded."""
    if checkpoint is None:
        return None
    path = existing_checkpoint(checkpoint_path(checkpoint))
    known = stored_record(path)
    if known is None:
        raise ValueError(
            f"The checkpoint '{path}' has no record of its training data. Leave out `checkpoint`, or give a network "
            "that was trained with this version."
        )
    return known


def _novelty_figure(novelty: Novelty) -> Figure:
    """Draw the distance from the training data, and the share of rare inputs, on maps."""
    figure, axes = style.panels(2, 2, 2.0)
    lat, lon = novelty.where
    for ax, values, words in (
        (axes[0], 100.0 * novelty.beyond, "beyond the training data [% of the range]"),
        (axes[1], 100.0 * novelty.rare, "rare in the training data [% of the inputs]"),
    ):
        drawn = ax.scatter((lon + 180.0) % 360.0 - 180.0, lat, c=values, s=6.0, cmap="viridis", vmin=0.0)
        figure.colorbar(drawn, ax=ax)
        ax.set_title(words, loc="left", fontsize=style.SMALL + 1)
    return figure


def _figure(sums: _Sums, dates: Sequence[datetime], where: tuple[np.ndarray, np.ndarray], reader: Reader) -> Figure:
    """Draw short-wave radiation and sun by hour of the day, and temperature, at a few points."""
    n_points = where[0].size
    figure, axes = style.panels(2 * n_points, n_points, 1.8)
    hours = sorted(sums.cycle)
    days = dates[1 : 1 + 4 * 366 : 9]
    sun = insolation_of_steps(days, where) if hours else np.empty((0, n_points))
    for i, ax in enumerate(axes[:n_points]):
        ax.set_title(f"{where[0][i]:.2f} N, {where[1][i]:.2f} E", loc="left", fontsize=style.SMALL + 1)
        if hours:
            ax.plot(hours, [np.nanmean([v[i] for v in sums.cycle[h]]) for h in hours], "o-", label="short-wave")
            at = np.array([day.hour for day in days])
            ax.plot(hours, [sun[at == h, i].mean() if (at == h).any() else np.nan for h in hours], "x--", label="sun")
            ax.set_xlabel("end of the 6 h [UTC]")
            ax.set_ylabel("W m$^{-2}$")
            ax.legend(frameon=False, fontsize=style.SMALL)
        else:
            style.no_data(ax)
    for i, ax in enumerate(axes[n_points:]):
        if sums.mean_temperature:
            series = np.concatenate(sums.mean_temperature)[:, i]
            ax.plot(np.array(dates[: len(series)], "datetime64[s]"), series, linewidth=0.5)
            ax.set_ylabel("temperature [K]")
            style.date_axis(ax)
        else:
            style.no_data(ax)
    style.title(figure, "Radiation, the sun outside the atmosphere, and temperature")
    return figure


def _report(reader: Reader, found: Sequence[Finding], sums: _Sums, novelty: Novelty | None) -> str:
    """Format the page."""
    errors = [f for f in found if f.error]
    doubtful = len(found) - len(errors)
    verdict = "Nothing impossible or implausible was found."
    if found:
        verdict = f"Rules broken by impossible values: {len(errors)}; by implausible values: {doubtful}."
    lines = [
        f"# {reader.name}", "", verdict, "",
        f"- Period: {reader.coverage}", f"- Points: {places(reader.latitudes, reader.longitudes)}",
    ]  # fmt: skip
    if sums.residual:
        closes = "closes" if sums.residual < _CLOSED else "does not close"
        lines.append(
            f"- Water budget at points without lakes and towns {closes}: at most {sums.residual:.2g} kg m-2 a step"
        )
    for title, chosen in (("Impossible", errors), ("Implausible", [f for f in found if not f.error])):
        if chosen:
            lines += ["", f"## {title}", "", *(f"- {finding}" for finding in chosen)]
    if novelty is not None:
        lines += ["", "## Distance from the training data", "", str(novelty), "", "![Novelty](novelty.png)"]
    lines += ["", "## Clock and temperature", "", "![Radiation against the sun, and temperature](figure.png)"]
    rows = [["variable", "meaning", "least", "mean", "greatest", "unit", "missing"]]
    for name in reader.variables:
        row = variable(name)
        if name not in sums.number:
            continue
        mean = sums.total[name] / sums.number[name]
        numbers = [plain_number(v) for v in (sums.low[name], mean, sums.high[name])]
        missing = 0 if row.time is Time.CONSTANT else sums.missing[name]
        rows.append([name, row.long_name, *numbers, row.units, str(missing)])
    return "\n".join([*lines, "", "## Values", "", *aligned(rows)]) + "\n"
