# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The checker of plausibility: applies the rules to fields, stops at errors, and sums up warnings once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from itertools import pairwise
from typing import get_args

import numpy as np
from earthkit.meteo.solar import solar_declination_angle

from anemoi_ailand.constants import STEP, STEP_HOURS, Plausibility
from anemoi_ailand.data.plausibility.days import DAYS_OF_CLOCK, PERIOD_STEPS, Days, are_far
from anemoi_ailand.data.plausibility.findings import Finding, Implausible, merged, widened
from anemoi_ailand.data.plausibility.jumps import Jumps
from anemoi_ailand.data.plausibility.novelty import Novelty, unseen_rule, unseen_types
from anemoi_ailand.data.plausibility.rules import (
    AT_START,
    CHECKED_AT_START,
    ENERGY,
    ENERGY_OF_PLACES,
    FIRST,
    FORCING,
    MANY_POINTS,
    RESULTS,
    STATE,
    STATIC,
    Rule,
    range_rule,
)
from anemoi_ailand.data.plausibility.rules_over_days import (
    COLDEST,
    DEEP,
    SECOND,
    TOP,
    WARMEST,
    WATER_BELOW,
    WATER_OF_TOP,
    WILTING,
    WITH_SUN,
    soil_with_sun,
)
from anemoi_ailand.data.plausibility.scale import likely_unit
from anemoi_ailand.data.plausibility.sunshine import LargestInsolation, Places
from anemoi_ailand.data.plausibility.training_data import TrainingData, compared, where_it_matters
from anemoi_ailand.support.options import suggestion
from anemoi_ailand.support.sphere import extent, identical
from anemoi_ailand.variables import VARIABLES, Role, Time

LOG = logging.getLogger(__name__)

#: Change beyond a bound that is forgiven, as a share of it or of one unit: finite differences change soil by 1e-6.
_DIFFERENCE = 1.0e-5

#: Numbers of findings in a message, and of points that are named.
_LISTED = 8

#: Distance of points beyond which they do not share their weather exactly [degrees].
_APART = 1.0

#: Beginnings of the names of rules that compare with the training data, which may explain an error after them.
_OF_TRAINING = ("size of ", "unseen ")

#: Forcing and state that differ from place to place.
_WEATHER, _SOIL = ("avg_t", "avg_q", "avg_sdlwrf"), ("stl1", "stl4")

_LAYERS = ("stl1", "stl2", "stl3", "stl4")

#: Mass of snow above which soil and air part [kg m-2].
_SNOW = 1.0

_WATER, _WIND = ("swvl1", "swvl2", "swvl3", "swvl4"), ("avg_u", "avg_v", "u", "v")

#: Forcing whose instant at the start of a run is checked with the state.
_INSTANTS = ("t", "q", "lai_lv", "lai_hv", "al")

#: Short-wave radiation beyond the insolation at the top of the atmosphere [W m-2]. At most 50 (Fort Peck) in sound
#: data, and 272 in East River's winters of 2017 and 2018, whose clock is three hours wrong.
_SUN = Rule(
    "sunshine", "Short-wave radiation (avg_sdswrf) above that of the sun outside the atmosphere", "W m-2",
    ("avg_sdswrf",), lambda x: x, (None, 400.0), (None, 60.0),
    "The sun is not there at this place and time: check the clock (UTC, stamps at the end of the 6 h), latitude and "
    "longitude.",
)  # fmt: skip

#: Water that a step loses or creates [kg m-2]. At most 2.5e-4 in runs of the packaged networks.
_BUDGET = Rule(
    "water_budget", "Water lost (positive) or created in a step, rain less evaporation, runoff and storage,", "kg m-2",
    ("evap", "sro", "ssro", "sd", "src", "swvl1", "swvl2", "swvl3", "swvl4"), lambda x: x, (-20.0, 20.0), (-0.05, 0.05),
    "The network does not keep its water: storage may grow or dry up without end in a long run.",
)  # fmt: skip


class Checker:
    """Checker of state, static fields, forcing and outputs against ranges, relations and the sun.

    Errors raise; warnings are collected, and :meth:`report` logs them once, by rule. Arrays are in the units of the
    table, (point,) or (date, point).

    Parameters
    ----------
    plausibility : {'error', 'warn', 'off'}
        ``error``: impossible values stop. ``warn``: they are warnings, too. ``off``: nothing is checked.
    strict : bool
        Implausible values are errors.
    training : TrainingData, optional
        Record of the data that the network was trained on, with which static fields, state and forcing are compared.

    Attributes
    ----------
    novelty : Novelty, optional
        Distance of the inputs from the training data: of the start and the first forcing, which is logged once, or of
        all forcing if ``maps`` is set.

    Raises
    ------
    ValueError
        Unknown ``plausibility``.

    Examples
    --------
    >>> from datetime import datetime
    >>> import numpy as np
    >>> from anemoi_ailand.data.plausibility.checker import Checker
    >>> where = (np.array([47.0]), np.array([8.0]))
    >>> checker = Checker("warn")
    >>> checker.start({"slt": np.array([9.0]), "cvl": np.array([0.5])}, datetime(2020, 1, 1), where)
    >>> [str(found).split(";")[0] for found in checker.findings]
    ["'slt' (soil type (1-7)) is 9 at 1 of 1 points, the first at latitude 47.000, longitude 8.000"]
    """

    def __init__(
        self, plausibility: str | bool = "error", *, strict: bool = False, training: TrainingData | None = None
    ) -> None:
        if plausibility is False:  # `off` without quotes in YAML
            plausibility = "off"
        if plausibility not in get_args(Plausibility):
            raise ValueError(
                f"`plausibility` is {plausibility!r}. {suggestion(str(plausibility), get_args(Plausibility))}"
            )
        self.plausibility, self.strict = str(plausibility), strict
        self._found: dict[tuple[str, bool], Finding] = {}
        self._static: dict[str, np.ndarray] = {}
        self._before: dict[str, np.ndarray] = {}
        self._covers: dict[str, np.ndarray] = {}
        self._largest, self._days = LargestInsolation(), Days(self._apply, self._merge, self._compare_wind)
        self._forcing_jumps, self._output_jumps = Jumps(self._merge), Jumps(self._merge)
        self._soil: dict[str, np.ndarray] = {}
        self._first = True
        self._where: Places | None = None
        self._training, self.maps = training, False
        self.novelty: Novelty | None = None
        rules = {n: unseen_rule(n, training) for n in training.quantiles} if training is not None else {}
        self._unseen = {n: rule for n, rule in rules.items() if rule is not None}

    @property
    def on(self) -> bool:
        """True unless nothing is checked."""
        return self.plausibility != "off"

    @property
    def findings(self) -> list[Finding]:
        """Everything found so far, errors first."""
        return sorted(self._found.values(), key=lambda found: not found.error)

    def start(self, fields: Mapping[str, np.ndarray], date: datetime, where: Places, *, changed: bool = False) -> None:
        """Check static fields and the state at a date, and remember what the forcing is compared with.

        Of a state that was ``changed``, a hundred-thousandth beyond a bound is forgiven.

        Raises
        ------
        Implausible
            Impossible values, all in one message.
        """
        if not self.on:
            return
        known = {n: np.asarray(v) for n, v in fields.items() if n in VARIABLES}
        if changed:
            known |= _without_differences(known)
        for name, values in known.items():
            row = VARIABLES[name]
            if row.role in (Role.STATIC, Role.CATEGORY, Role.PROGNOSTIC) or row.name in _INSTANTS:
                moving = None if row.role in (Role.STATIC, Role.CATEGORY) else date
                self._range(name, values, [moving], where, masked=partial(where_it_matters, name, known))
        for rules, moving in ((STATIC, None), (STATE, date)):
            self._relations(rules, known, [moving], where)
        self._between_stamps(date, where)
        self._static = {n: known[n] for n in ("z",) if n in known}
        self._covers = _covers_of(known)
        self._before = {n: known[n] for n in ("t", "q") if n in known and np.isfinite(known[n]).all()}
        if self._where is None or not identical(self._where, where):
            # a later start of the same points is not new
            self._first, self._where = True, where
            self._same_everywhere(_SOIL, known, date, where)
            self._copied_layers(known, date, where)
            self._in_radians(where)
            self._compare_start(known, date, where)
            self._soil = _soil_of(known, date, where)
        self._stop_at_errors()

    def resume(self, fields: Mapping[str, np.ndarray]) -> None:
        """Take static fields and instants (point,) at the start of the next step, without checking them again."""
        self._static = {n: fields[n] for n in ("z",) if n in fields}
        self._covers |= _covers_of(fields)
        self._before = {n: fields[n] for n in ("t", "q") if n in fields}

    def forcing(self, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places) -> None:
        """Check forcing (date, point) at consecutive dates, before the steps that end there.

        The first call, and the first of two days or more, are compared with elevation and sun as well.

        Raises
        ------
        Implausible
            Impossible values, all in one message.
        """
        if not self.on:
            return
        known = dict(fields)
        for name, before in self._before.items():
            if name in fields:
                known[f"{name}{AT_START}"] = np.concatenate([np.broadcast_to(before, (1, *fields[name].shape[1:])),
                                                             fields[name][:-1]])  # fmt: skip
        novelty = self.novelty if self.novelty is not None and self.novelty.is_at(where) else None
        covers = {n: v for n, v in self._covers.items() if v.size == where[0].size}
        for name, values in fields.items():
            masked = partial(where_it_matters, name, {**covers, **fields})
            self._range(name, values, dates, where, masked=masked)
        self._relations(FORCING, known, dates, where)
        if "avg_sdswrf" in known:
            known["largest"] = np.stack([self._largest(date, where) for date in dates])
            self._apply(_SUN, known["avg_sdswrf"] - known["largest"], dates, where)
        if self._first:
            self._first = False
            fixed = {**known, **{n: np.broadcast_to(v, (len(dates), v.size)) for n, v in self._static.items()}}
            self._days.begin(where, {**self._soil, **self._static})
            self._relations(FIRST, {n: v[:1] for n, v in fixed.items()}, dates[:1], where)
            self._same_everywhere(_WEATHER, {n: v[0] for n, v in known.items()}, dates[0], where)
            if novelty is not None:
                self._compare_sizes({n: v for n, v in fields.items() if n not in _WIND}, dates[0], where)
                novelty.add(fields)
                LOG.info("%s", novelty)
        elif self.maps and novelty is not None:
            novelty.add(fields)
        self._days.add(known, dates, where)
        self._forcing_jumps.add(fields, dates, where)
        self._before = {n: fields[n][-1] for n in ("t", "q") if n in fields}
        self._stop_at_errors()

    def outputs(
        self, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places, predicted: bool = True
    ) -> None:
        """Check states and diagnostics (date, point), which a run has ``predicted`` or a file holds, by their ranges.

        Raises
        ------
        Implausible
            Impossible values, all in one message.
        """
        if not self.on:
            return
        for name, values in fields.items():
            self._range(name, values, dates, where, predicted)
        if not predicted:
            self._output_jumps.add(fields, dates, where)
        self._stop_at_errors()

    def results(self, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places) -> None:
        """Check relations of results (date, point) in a file with one another and with forcing: signs, names, units.

        Raises
        ------
        Implausible
            Only if warnings are errors.
        """
        if not self.on:
            return
        self._relations(RESULTS, fields, dates, where)
        if len(dates) >= DAYS_OF_CLOCK and all(n in fields for n in ENERGY.needs):
            with np.errstate(invalid="ignore"):
                kept = ENERGY.value(*(fields[n] for n in ENERGY.needs))
            mean = np.where(np.isfinite(kept), kept, 0.0).mean(axis=0)
            if are_far(where):
                self._apply(ENERGY_OF_PLACES, np.full_like(mean, mean.mean()), dates[:1], where)
            if len(dates) >= PERIOD_STEPS:
                self._apply(ENERGY, mean, dates[:1], where)
        self._stop_at_errors()

    def water(self, residual: np.ndarray, date: datetime, where: Places) -> None:
        """Check the water that a step loses (positive) or creates (row,) [kg m-2]; NaN where it is not known.

        Raises
        ------
        Implausible
            A residual that is not possible.
        """
        if self._apply(_BUDGET, residual, [date], where):
            self._stop_at_errors()

    def beyond(self, names: Sequence[str], lowest: Sequence[float], highest: Sequence[float]) -> list[str]:
        """Return the predicted variables whose extremes are not plausible, for :meth:`outputs`, which takes longer."""
        if not self.on:
            return []
        found = []
        for name, low, high in zip(names, lowest, highest, strict=True):
            rule = _range_of(name, True)
            limits = (-np.inf, np.inf) if rule is None else widened(rule.plausible)
            if not limits[0] <= low <= high <= limits[1]:
                found.append(name)
        return found

    def look_again(self) -> None:
        """Compare the clock of the next days as well, not that of the first days only."""
        self._days.clock_known = False

    def take(self) -> list[Finding]:
        """Return all findings and forget them."""
        found, self._found = self.findings, {}
        return found

    def report(self, what: str = "The run") -> None:
        """Log all warnings, one line for each rule, and forget them."""
        found = self.take()
        if found:
            listed = "".join(f"\n- {finding}" for finding in found)
            LOG.warning("%s has implausible values, by %d rule%s:%s", what, len(found), "s"[: len(found) > 1], listed)

    def _range(
        self, name: str, values: np.ndarray, dates: Sequence[datetime | None], where: Places, predicted: bool = False,
        masked: Callable[[], np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        """Compare values with the range of their variable, and if they are within it, with that of the training.

        For the latter, values that mean nothing at a point are ``masked``.
        """
        rule, unseen = _range_of(name, predicted), None if predicted else self._unseen.get(name)
        if not values.size or (rule is None and unseen is None):
            return
        extremes = _extremes(values)
        if rule is not None and self._apply(rule, values, dates, where, extremes):
            return
        if unseen is not None and _leaves(extremes, widened(unseen.plausible)):
            self._apply(unseen, values if masked is None else masked(), dates, where)

    def _compare_start(self, fields: Mapping[str, np.ndarray], date: datetime, where: Places) -> None:
        """Compare static fields and state with the training data, at points that are new."""
        if self._training is None:
            return
        self.novelty = Novelty(self._training, where)
        self.novelty.start(fields)
        for what, kind, at in unseen_types(fields, self._training):
            i = int(np.argmax(at))
            rule = Rule(f"unseen {what} {kind}", "", "1", (), lambda: np.empty(0), advice=(
                "The network has not seen such points: its results there are extrapolated."))  # fmt: skip
            detail = f"No point of the training has {what} type {kind}"
            place = float(where[0][i]), float(where[1][i])
            self._merge(Finding(rule, False, int(at.sum()), at.size, float(kind), None, place, 1, detail))
        self._compare_sizes({n: v[None] for n, v in fields.items()}, date, where)

    def _compare_wind(self, fields: Mapping[str, np.ndarray], date: datetime, where: Places) -> None:
        """Compare the size of wind over eight days, as that of one date differs too much from place to place."""
        if self._training is not None:
            self._compare_sizes(fields, date, where)

    def _compare_sizes(self, fields: Mapping[str, np.ndarray], date: datetime, where: Places) -> None:
        """Warn of values (date, point) of another size than in the training, which another unit explains."""
        assert self._training is not None
        for name in compared(fields):
            if (found := likely_unit(name, fields[name], self._training)) is not None:
                unit, ratio = found
                row = VARIABLES[name]
                rule = Rule(f"size of {name}", "", row.units, (name,), lambda x: x, advice=(
                    f"The unit {unit} would fit: give the values in {row.units}."))  # fmt: skip
                detail = f"'{name}' ({row.long_name}) is typically {ratio:.2g} times that of the training data"
                place, n_points = (float(where[0][0]), float(where[1][0])), where[0].size
                self._merge(Finding(rule, False, n_points, n_points, ratio, date, place, 1, detail))

    def _relations(
        self,
        rules: Iterable[Rule],
        known: Mapping[str, np.ndarray],
        dates: Sequence[datetime | None],
        where: Places,
    ) -> None:
        """Apply those rules for which all variables are known."""
        for rule in rules:
            if all(n in known for n in rule.needs):
                with np.errstate(all="ignore"):  # of values that are impossible by themselves, which is said already
                    values = rule.value(*(known[n] for n in rule.needs))
                self._apply(rule, values, dates, where)

    def _apply(
        self, rule: Rule, values: np.ndarray, dates: Sequence[datetime | None], where: Places,
        extremes: tuple[float, float] | None = None,
    ) -> bool:  # fmt: skip
        """Compare values (date, point), or (point,) at one date, with both ranges of a rule; return whether any leave.

        ``extremes`` are those of the values, if they are known.
        """
        if values.size == 0:
            return False
        extremes = _extremes(values) if extremes is None else extremes
        for error, limits in ((True, widened(rule.possible)), (False, widened(rule.plausible))):
            whole = error and rule.whole
            if not _leaves(extremes, limits) and not (whole and (values != np.rint(values)).any()):
                continue
            bad = (values < limits[0]) | (values > limits[1])
            if whole:
                bad |= values != np.rint(values)
            bad &= np.isfinite(values)
            if bad.any():
                self._add(rule, error, values, bad, dates, where, limits)
                return True
        return False

    def _add(
        self, rule: Rule, error: bool, values: np.ndarray, bad: np.ndarray, dates: Sequence[datetime | None],
        where: Places, limits: tuple[float, float],
    ) -> None:  # fmt: skip
        values, bad = values.reshape(len(dates), -1), bad.reshape(len(dates), -1)
        outside = np.where(bad, np.maximum(limits[0] - values, values - limits[1]), -np.inf)
        worst = float(values.flat[int(np.argmax(outside))])
        k, i = np.argwhere(bad)[0]
        place = float(where[0][i % len(where[0])]), float(where[1][i % len(where[1])])
        found = Finding(rule, error, int(bad.sum()), bad.shape[1], worst, dates[k], place, int(bad.any(axis=1).sum()))
        self._merge(found)

    def _merge(self, found: Finding) -> None:
        key = found.rule.name, found.error
        before = self._found.get(key)
        self._found[key] = found if before is None else merged(before, found)

    def _same_everywhere(
        self, names: Sequence[str], fields: Mapping[str, np.ndarray], date: datetime, where: Places
    ) -> None:
        """Warn of weather or soil (point,) that is the same at distant points."""
        n_points = where[0].size
        if n_points < 2 or extent(where) < _APART:
            return
        same = [n for n in names if n in fields and fields[n].shape == (n_points,) and not np.ptp(fields[n])]
        if same:
            rule = Rule(f"same_{same[0]}", "", "1", tuple(same), lambda x: x, advice=(
                "A number may have been given for all of them by mistake."))  # fmt: skip
            detail = f"The input {same} is the same at all points at {date:%Y-%m-%d %H:%M}"
            place = float(where[0][0]), float(where[1][0])
            self._merge(Finding(rule, False, n_points, n_points, 0.0, date, place, 1, detail))

    def _copied_layers(self, fields: Mapping[str, np.ndarray], date: datetime, where: Places) -> None:
        """Warn of soil whose layers are all the same at all points (point,), or two neighbours at most of ten."""
        place, n_points = (float(where[0][0]), float(where[1][0])), where[0].size
        for what, names in (("water", _WATER), ("temperature", _LAYERS)):
            if any(n not in fields for n in names):
                continue
            layers = np.stack([fields[n] for n in names])
            full = fields.get("theta_sat", np.inf)
            same = (np.diff(layers, axis=0) == 0.0) & (layers[1:] != 0.0) & (layers[1:] != full)
            pairs = same.mean(axis=1) > 0.5
            if same.all():
                value = f"{layers.flat[0]:.3g} {VARIABLES[names[0]].units}" if not np.ptp(layers) else "the same"
                detail = f"Soil {what} is {value} in all layers at all points at {date:%Y-%m-%d %H:%M}"
            elif n_points >= MANY_POINTS and pairs.any():
                k = int(pairs.argmax())
                detail = f"'{names[k]}' and '{names[k + 1]}' are exactly the same at {same[k].sum()} points"
            else:
                continue
            rule = Rule(
                f"one_{what}", "", "1", names, lambda x: x,
                advice=f"Take soil {what} from a run of the land, or spin it up: it decides the fluxes for months.",
            )  # fmt: skip
            self._merge(Finding(rule, False, n_points, n_points, 0.0, date, place, 1, detail))

    def _in_radians(self, where: Places) -> None:
        """Warn of places that are all in the Gulf of Guinea, as any place is in radians."""
        if np.abs(where[0]).max(initial=0.0) > np.pi / 2 or np.abs(where[1]).max(initial=0.0) > 2.0 * np.pi:
            return
        place, number = (float(where[0][0]), float(where[1][0])), where[0].size
        rule = Rule("radians", "", "1", (), lambda: np.empty(0), advice="Give degrees.")
        detail = "All places are in the Gulf of Guinea, where there is no land: they may be in radians"
        self._merge(Finding(rule, False, number, number, 0.0, None, place, 1, detail))

    def _between_stamps(self, date: datetime, where: Places) -> None:
        """Warn of a start between the hours of all training data, as a local time has."""
        if date.hour % STEP_HOURS or date.minute or date.second:
            place, number = (float(where[0][0]), float(where[1][0])), where[0].size
            rule = Rule("between_stamps", "", "1", (), lambda: np.empty(0), advice=(
                "It may be in local time: give UTC."))  # fmt: skip
            detail = f"The start at {date:%Y-%m-%d %H:%M} is not at 00, 06, 12 or 18 UTC, as in the training"
            self._merge(Finding(rule, False, number, number, 0.0, date, place, 1, detail))

    def _stop_at_errors(self) -> None:
        if self.plausibility == "warn":
            return
        stopping = [f for f in self.findings if f.error or self.strict]
        if not stopping:
            return
        listed = " ".join(f"({i}) {f}" if len(stopping) > 1 else str(f) for i, f in enumerate(stopping[:_LISTED], 1))
        more = f" And {len(stopping) - _LISTED} more." if len(stopping) > _LISTED else ""
        head = "" if len(stopping) == 1 else f"{len(stopping)} rules are broken. "
        self._found = {key: f for key, f in self._found.items() if f not in stopping}
        causes = [f for f in self.findings if f.rule.name.startswith(_OF_TRAINING)][:_LISTED]
        before = f" Implausible before it: {' '.join(map(str, causes))}" if causes else ""
        raise Implausible(f"{head}{listed}{more}{before} If the values are meant, set `plausibility: warn`.", stopping)


def _without_differences(fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the state with what finite differences have moved beyond a bound set back to it."""
    found = {}
    for name, values in fields.items():
        if VARIABLES[name].role is not Role.PROGNOSTIC:
            continue
        within = np.clip(values, *VARIABLES[name].possible)
        forgiven = np.abs(values - within) <= _DIFFERENCE * np.maximum(np.abs(within), 1.0)
        found[name] = np.where(forgiven, within, values)
    return found


#: Advice on an output.
_RESULT = "Check state, forcing and units there: the run has left what the network knows."


@lru_cache(maxsize=256)
def _range_of(name: str, predicted: bool) -> Rule | None:
    if name not in VARIABLES:
        return None
    rule = range_rule(VARIABLES[name].name)
    if rule is not None and predicted:
        return replace(rule, name=f"predicted {rule.name}", words=f"Predicted {rule.words}", advice=_RESULT)
    return rule


def _extremes(values: np.ndarray) -> tuple[float, float]:
    """Return the lowest and highest value; of none that is finite, an empty range."""
    low, high = float(values.min()), float(values.max())
    if low != low:  # NaN where the model reads nothing
        if not np.isfinite(values).any():
            return np.inf, -np.inf
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return low, high


def _leaves(extremes: tuple[float, float], limits: tuple[float, float]) -> bool:
    """Return whether values with such extremes leave a range."""
    return extremes[0] < limits[0] or extremes[1] > limits[1]


def check_period(checker: Checker, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places) -> None:
    """Check all fields (date, point) of a file or dataset at consecutive dates.

    The first date is checked as a start, later ones as forcing, and all states and diagnostics as outputs.

    Raises
    ------
    Implausible
        See :class:`Checker`.
    """
    if not checker.on or not dates:
        return
    checker.start({n: v[0] for n, v in fields.items() if np.isfinite(v[0]).any()}, dates[0], where)
    forcing = {n: v[1:] for n, v in fields.items() if VARIABLES[n].role is Role.FORCING and not VARIABLES[n].computed}
    if len(dates) > 1 and forcing and all(b - a == STEP for a, b in pairwise(dates)):
        checker.forcing(forcing, dates[1:], where)
    elif forcing:  # dates with gaps say nothing of clocks
        for k in range(1, len(dates)):
            checker.resume({})
            checker.forcing({n: v[k - 1 : k] for n, v in forcing.items()}, dates[k : k + 1], where)
    roles = (Role.PROGNOSTIC, Role.DIAGNOSTIC)
    checker.outputs({n: v for n, v in fields.items() if VARIABLES[n].role in roles}, dates, where, predicted=False)
    checker.results(fields, dates, where)


def _covers_of(fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the covers of vegetation, without which leaf area has no meaning."""
    return {n: fields[n] for n in ("cvl", "cvh") if n in fields}


def _soil_of(fields: Mapping[str, np.ndarray], date: datetime, where: Places) -> dict[str, np.ndarray]:
    """Return the soil at the start that forcing of days is compared with, temperatures (point,) NaN under snow.

    It is that of layers, of the coldest and warmest of them, and its season; nothing if a layer or snow is missing.
    """
    if not {*_LAYERS, "sd"} <= fields.keys():
        return {}
    layers = np.where(fields["sd"] > _SNOW, np.nan, np.stack([fields[n] for n in _LAYERS]))
    water = {WATER_OF_TOP: "swvl1", WATER_BELOW: "swvl4", WILTING: "theta_pwp"}
    return {name: fields[of] for name, of in water.items() if of in fields} | {
        COLDEST: layers.min(axis=0),
        WARMEST: layers.max(axis=0),
        TOP: layers[0],
        SECOND: layers[1],
        DEEP: layers[3],
        WITH_SUN: soil_with_sun(layers[1], layers[3], solar_declination_angle(date)[0], where[0]),
    }


def further_static(held: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """Return the static variables that rules need, ``held`` by an input, but not ``known`` yet."""
    have = set(known)
    return [n for n in held if n in CHECKED_AT_START and n not in have and VARIABLES[n].time is Time.CONSTANT]
