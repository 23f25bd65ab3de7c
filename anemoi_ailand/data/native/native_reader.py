# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reader of unmodified input and output of ecLand offline: point vector or grid, one run or consecutive runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from anemoi_ailand.constants import C4_CODE, SOIL_LAYER_THICKNESS, STEP, STEP_HOURS, WATER_DENSITY
from anemoi_ailand.data.derived import MONTHLY, halves, rules
from anemoi_ailand.data.native.interval_means import native_step, whole_ends, window
from anemoi_ailand.data.native.native_files import NativeFile, Series, scan
from anemoi_ailand.data.native.native_variables import CLIMATE, RULES, SOIL, WRONG_UNITS, Rule
from anemoi_ailand.data.reader import Coverage, check_request, common_period
from anemoi_ailand.physics.vegetation import climatology_of_day
from anemoi_ailand.support.units import conversion, find_conversion, table_units
from anemoi_ailand.variables import VARIABLES, Time

LOG = logging.getLogger(__name__)

#: Soil water, which is an amount in a layer or a volume fraction, and the unit of the amount.
_SOIL_WATER, _AMOUNT = "SoilMoist", "kg m-2"


class NativeReader:
    """Reader of ecLand's own files; see :class:`anemoi_ailand.data.reader.Reader`.

    Files are recognised by their variables, not by their names. A variable is available if the files hold all of its
    parts, so a run without ``o_co2`` has no ``gpp``. The last record of ``o_d2m`` is left out unless the forcing
    continues beyond it, because ecLand computes it with clamped forcing.

    Parameters
    ----------
    files, static : list of Path
        Files of one run or of consecutive runs.
    point_id : str, optional
        Text file with the identity of each point, one per line; by default points are numbered from 0.
    """

    climate_class: np.ndarray | None = None

    def __init__(self, files: Sequence[Path], static: Sequence[Path] = (), point_id: str | None = None) -> None:
        found = scan([*files, *static])
        self.name = (
            f"the ecLand files in '{files[0].resolve().parent.name}' ({', '.join(sorted({f.role for f in found}))})"
        )
        self.latitudes, self.longitudes = found[0].latitudes, found[0].longitudes
        self.point_id = _point_id(point_id, len(self.latitudes))
        by_role = {f.role: [g for g in found if g.role == f.role] for f in found}
        self._static = {k: v[0] for k, v in by_role.items() if k in ("surfclim", "o_fix")}
        self._series = {k: Series(v) for k, v in by_role.items() if k not in self._static}
        self._constants = self._make_constants()
        self._moving = {n: r for n, r in RULES.items() if self._is_there(n, r)}
        self._derived = rules(self._moving) | halves(self._moving)
        self._monthly = {n: m for n, m in MONTHLY.items() if m in self._units("surfclim")}
        self.variables = self._list_variables()
        self.coverage = self._find_coverage()
        LOG.info("%d variables at %d points, %s", len(self.variables), len(self.point_id), self.coverage)

    def _units(self, role: str) -> dict[str, str]:
        if role in self._series:
            return {n: u for f in self._series[role].files for n, u in f.units.items()}
        return self._static[role].units if role in self._static else {}

    def _is_there(self, name: str, rule: Rule) -> bool:
        """Return whether the files hold all parts of a rule, often enough for its mean; refuse wrong units."""
        if not all(part in self._units(rule.role) for part, _ in rule.parts):
            return False
        series = self._series[rule.role]
        for f in series.files:
            for part, _ in rule.parts:
                _convert(f, part, table_units(name))
        if rule.hours and np.timedelta64(rule.hours, "h") % native_step(series.stamps, series.name):
            if rule.hours == STEP_HOURS:
                window(series.stamps, series.stamps[-1:], rule.hours, rule.kind, series.name)  # raises
            LOG.info("'%s' is omitted: the step of %s does not divide %d h", name, series.name, rule.hours)
            return False
        return True

    def _list_variables(self) -> tuple[str, ...]:
        available = {*self._moving, *self._derived, *self._monthly, *self._constants}
        if "avg_tprate" in available and "Ctpf" in self._units("forcing"):
            for f in self._series["forcing"].files:
                _convert(f, "Ctpf", table_units("avg_cpfr"))
            available.add("avg_cpfr")
        return tuple(n for n in VARIABLES if n in available)

    def _find_coverage(self) -> Coverage:
        spans = {n: self._span(r) for n, r in self._moving.items()}
        if not spans:
            raise ValueError(f"{self.name} hold nothing that changes in time. Add o_gg, forcing, ... to `path`.")
        whole = {n: (a + (datetime.min - a) % STEP, b - (b - datetime.min) % STEP) for n, (a, b) in spans.items()}
        parts = {n: inputs for n, (inputs, _) in self._derived.items()} | {"avg_cpfr": ("avg_tprate",)}
        self._spans = whole | {
            n: (max(whole[i][0] for i in inputs), min(whole[i][1] for i in inputs))
            for n, inputs in parts.items()
            if n in self.variables
        }
        return Coverage(*common_period(whole, self.name))

    def _span(self, rule: Rule) -> tuple[datetime, datetime]:
        series = self._series[rule.role]
        step = native_step(series.stamps, series.name)
        first, last = series.stamps[0], series.stamps[-1]
        if rule.hours:
            first, last = whole_ends(series.stamps, rule.hours + rule.before, rule.kind, series.name)
        if rule.role == "o_d2m" and not ("forcing" in self._series and self._series["forcing"].stamps[-1] > last):
            LOG.info("The last record of %s (%s) is omitted: ecLand writes it with clamped forcing", series.name, last)
            last = last - step
        return first.astype(datetime), last.astype(datetime)

    def _make_constants(self) -> dict[str, np.ndarray]:
        """Return all constants in the files or derived from types, each of shape (point,)."""
        out: dict[str, np.ndarray] = {}
        units = self._units("surfclim")
        for name, native in CLIMATE.items():
            if native in units:
                _convert(self._static["surfclim"], native, table_units(name))
                out[name] = self._static["surfclim"].read(native)
        if "Ctype" in units:
            out["c4"] = (self._static["surfclim"].read("Ctype") == C4_CODE).astype(float)
        if "o_fix" in self._static:
            for name, native in SOIL.items():
                _convert(self._static["o_fix"], native, table_units(name))
                out[name] = self._static["o_fix"].read(native)[0]
        return out | {n: make(*(out[i] for i in inputs)) for n, (inputs, make) in rules(out).items()}

    def read(self, names: Sequence[str], dates: Sequence[datetime]) -> np.ndarray:
        """See :meth:`anemoi_ailand.data.reader.Reader.read`.

        Instants are also read one step before :attr:`coverage`, where the means over the first step begin.
        """
        check_request(self, names, dates, self._spans)
        out = np.empty((len(names), len(dates), len(self.point_id)), "f4")
        for i, name in enumerate(names):
            if VARIABLES[name].time is Time.CONSTANT:
                out[i] = self._constants[name]
            elif name in self._monthly:
                monthly = self._static["surfclim"].read(self._monthly[name])
                out[i] = [climatology_of_day(monthly, d) for d in dates]
            elif name == "avg_cpfr":
                out[i] = self._convective(dates)
            elif name in self._derived:
                inputs, make = self._derived[name]
                out[i] = make(*(self._read_rule(self._moving[n], dates) for n in inputs))
            else:
                out[i] = self._read_rule(self._moving[name], dates)
        return out

    def _read_rule(self, rule: Rule, dates: Sequence[datetime]) -> np.ndarray:
        series = self._series[rule.role]

        def total(records: np.ndarray) -> np.ndarray:
            return np.sum([factor * series.read(part, records) for part, factor in rule.parts], axis=0)

        return self._windowed(rule, dates, total)

    def _windowed(
        self, rule: Rule, dates: Sequence[datetime], values: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Return the values of a rule at ``dates``, given a function that reads record numbers."""
        series = self._series[rule.role]
        if not rule.hours:
            found = values(series.at(dates))
            return found if rule.level is None else found[:, rule.level] * self._soil_factor(rule)
        ends = np.array(dates, "datetime64[s]") - np.timedelta64(rule.before, "h")
        records, weights = window(series.stamps, ends, rule.hours, rule.kind, series.name)
        needed, places = np.unique(records, return_inverse=True)
        return np.einsum("ek...,k->e...", values(needed)[places.reshape(records.shape)], weights)

    def _soil_factor(self, rule: Rule) -> float:
        """Return the factor from kg m-2 in a layer to m3 m-3 where soil water is an amount, by its units attribute."""
        part = rule.parts[0][0]
        if part != _SOIL_WATER or rule.level is None or not _is_amount(self._units(rule.role)[part]):
            return 1.0
        return 1.0 / (WATER_DENSITY * SOIL_LAYER_THICKNESS[rule.level])

    def _convective(self, dates: Sequence[datetime]) -> np.ndarray:
        """Return the convective fraction of the precipitation of the step, 0 if dry."""
        rule, series = self._moving["avg_tprate"], self._series["forcing"]

        def rain(records: np.ndarray) -> np.ndarray:
            return series.read("Rainf", records) + series.read("Snowf", records)

        total = self._windowed(rule, dates, rain)
        part = self._windowed(rule, dates, lambda records: rain(records) * series.read("Ctpf", records))
        return np.divide(part, total, out=np.zeros_like(total), where=total > 0.0)


def _convert(file: NativeFile, part: str, expected: str) -> None:
    """Note how a variable of a file is converted, or refuse its unit."""
    found = file.units.get(part)
    if found not in WRONG_UNITS.get(part, ()):
        unit = _AMOUNT if part == _SOIL_WATER and _is_amount(str(found)) else expected
        file.conversions[part] = conversion(found, unit, part, file.path)
        if file.conversions[part] != (1.0, 0.0):
            LOG.info("'%s' in %s: %s to %s", part, file.path.name, found, unit)


def _is_amount(units: str) -> bool:
    return find_conversion(units, _AMOUNT) is not None


def _point_id(path: str | None, n_points: int) -> np.ndarray:
    if path is None:
        return np.arange(n_points)
    from anemoi_ailand.support.packaged import expand

    ids = np.loadtxt(expand(path), dtype="i8", ndmin=1)
    if len(ids) != n_points:
        raise ValueError(
            f"'{path}' names {len(ids)} points and the files hold {n_points}. "
            "Give one number per line, one line per point."
        )
    return ids
