# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The checker of plausibility: applies the rules to fields, stops at errors, and sums up warnings once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from itertools import pairwise
from typing import get_args

import numpy as np

from anemoi_ailand.constants import STEP, Plausibility
from anemoi_ailand.data.plausibility.novelty import Novelty, unseen_rule, unseen_types
from anemoi_ailand.data.plausibility.rules import (
    AT_START,
    CHECKED_AT_START,
    DAYS,
    FIRST,
    FORCING,
    STATE,
    STATIC,
    Rule,
    range_rule,
    text_of,
)
from anemoi_ailand.data.plausibility.scale import likely_unit
from anemoi_ailand.data.plausibility.sunshine import (
    LargestInsolation,
    Places,
    SunClock,
    compare_clocks,
    follows_at,
    sentence_of,
)
from anemoi_ailand.data.plausibility.training_data import TrainingData, compared, where_it_matters
from anemoi_ailand.support.options import suggestion
from anemoi_ailand.variables import VARIABLES, Range, Role, Time

LOG = logging.getLogger(__name__)

#: Steps that tell a clock: two days.
DAYS_OF_CLOCK = 8

#: Share of a range by which rounding may exceed a limit, and the rounding of packing and float32 at zero.
_ROUNDING, _ZERO = 1.0e-6, 1.0e-6

#: Points whose clocks are compared at most, spread over all.
_CLOCKS = 500

#: Numbers of findings in a message, and of points that are named.
_LISTED = 8

#: Distance of points beyond which they do not share their weather exactly [degrees].
_APART = 1.0

#: Beginnings of the names of rules that compare with the training data, which may explain an error after them.
_OF_TRAINING = ("size of ", "unseen ")

#: Forcing and state that differ from place to place.
_WEATHER, _SOIL = ("avg_t", "avg_q", "avg_sdlwrf"), ("stl1", "stl4")

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

#: Shift of the clock that is an error and one that is a warning [h], with the gain of correlation that proves it. In
#: sound data at most 2 h or 0.23 for two days; East River 3 h and 0.34.
_WRONG, _DOUBTFUL = (5, 0.3), (3, 0.25)

#: Correlation with the sun below which radiation does not follow it; at least 0.49 in sound data, East River 0.17.
_FOLLOWS = 0.1

#: Gain of correlation with the sun of other coordinates that is a warning, with a week of steps and with fewer. In
#: sound data at most 0.05 and 0.13; Col de Porte with exchanged coordinates has 0.10 to 0.37.
_MISPLACED, _MISPLACED_SOON, _WEEK = 0.09, 0.2, 28

#: Mistakes that explain a sun of other coordinates.
_HINTS = (
    "With latitude and longitude exchanged, radiation would follow the sun.",
    "With longitude of the other sign, radiation would follow the sun.",
)

#: Radiation over that of the sun outside the atmosphere, mean over days. 0.05 to 0.93; 0.008 at East River.
_SHARE = Rule(
    "brightness", "Short-wave radiation (avg_sdswrf) as a share of that outside the atmosphere, mean over days,", "1",
    ("avg_sdswrf",), lambda x: x, (None, 1.5), (0.005, 1.02),
    "Radiation is a mean over 6 h in W m-2: check its unit, clock and place.",
)  # fmt: skip


#: Water that a step loses or creates [kg m-2]. At most 2.5e-4 in runs of the packaged networks.
_BUDGET = Rule(
    "water_budget", "Water lost (positive) or created in a step, rain less evaporation, runoff and storage,", "kg m-2",
    ("evap", "sro", "ssro", "sd", "src", "swvl1", "swvl2", "swvl3", "swvl4"), lambda x: x, (-20.0, 20.0), (-0.05, 0.05),
    "The network does not keep its water: storage may grow or dry up without end in a long run.",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Values that break one rule: how many, where and when first, and the worst.

    Attributes
    ----------
    rule : Rule
        Rule that is broken.
    error : bool
        Whether the values are impossible, else implausible.
    number, total : int
        Values found, and points checked.
    worst : float
        Value farthest outside.
    date : datetime, optional
        Date of the first; None of static fields.
    place : pair of float
        Latitude and longitude of the first.
    dates : int
        Number of dates with such a value.
    detail : str
        Sentence of its own instead of the rule's.
    """

    rule: Rule
    error: bool
    number: int
    total: int
    worst: float
    date: datetime | None
    place: tuple[float, float]
    dates: int = 1
    detail: str = ""

    def __str__(self) -> str:
        when = "" if self.date is None else f" at {self.date:%Y-%m-%d %H:%M}" if self.dates == 1 else (
            f", first at {self.date:%Y-%m-%d %H:%M} and at {self.dates} dates,"
        )  # fmt: skip
        lat, lon = self.place
        where = f"latitude {lat:.3f}, longitude {lon:.3f}"
        if self.detail:
            return f"{self.detail} ({self.number} of {self.total} points, the first at {where}). {self.rule.advice}"
        limits = self.rule.possible if self.error else self.rule.plausible
        share = f"{self.number} of {self.total} points" if self.dates == 1 else f"{self.number} values"
        unit = "" if self.rule.units == "1" else f" {self.rule.units}"
        kind = "possible" if self.error else "plausible"
        return (
            f"{self.rule.words} is {self.worst:.4g}{unit}{when} at {share}, the first at "
            f"{where}; {kind} is {text_of(limits, self.rule.units, self.rule.whole)}. {self.rule.advice}"
        )


class Implausible(ValueError):
    """Impossible values, or implausible ones in a strict run; ``findings`` has them."""

    #: Exit code of commands, that of `run` for an input that does not fit.
    exit_code = 3

    def __init__(self, message: str, findings: Sequence[Finding]) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


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
        self._largest, self._clock_known = LargestInsolation(), False
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

    def start(self, fields: Mapping[str, np.ndarray], date: datetime, where: Places) -> None:
        """Check static fields and the state at a date, and remember what the forcing is compared with.

        Raises
        ------
        Implausible
            Impossible values, all in one message.
        """
        if not self.on:
            return
        known = {n: np.asarray(v) for n, v in fields.items() if n in VARIABLES}
        for name, values in known.items():
            row = VARIABLES[name]
            if row.role in (Role.STATIC, Role.CATEGORY, Role.PROGNOSTIC) or row.name in _INSTANTS:
                moving = None if row.role in (Role.STATIC, Role.CATEGORY) else date
                self._range(name, values, [moving], where, masked=partial(where_it_matters, name, known))
        for rules, moving in ((STATIC, None), (STATE, date)):
            self._relations(rules, known, [moving], where)
        self._static = {n: known[n] for n in ("z",) if n in known}
        self._before = {n: known[n] for n in ("t", "q") if n in known and np.isfinite(known[n]).all()}
        known_places = self._where
        if known_places is None or not all(map(np.array_equal, known_places, where)):
            # a later start of the same points is not new
            self._first, self._clock_known, self._where = True, False, where
            self._same_everywhere(_SOIL, known, date, where)
            self._compare_start(known, date, where)
        self._stop_at_errors()

    def resume(self, fields: Mapping[str, np.ndarray]) -> None:
        """Take static fields and instants (point,) at the start of the next step, without checking them again."""
        self._static = {n: fields[n] for n in ("z",) if n in fields}
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
        for name, values in fields.items():
            masked = None if novelty is None else partial(novelty.meaningful, name, fields)
            self._range(name, values, dates, where, masked=masked)
        self._relations(FORCING, known, dates, where)
        if "avg_sdswrf" in known:
            largest = np.stack([self._largest(date, where) for date in dates])
            self._apply(_SUN, known["avg_sdswrf"] - largest, dates, where)
        if self._first:
            self._first = False
            fixed = {**known, **{n: np.broadcast_to(v, (len(dates), v.size)) for n, v in self._static.items()}}
            self._relations(FIRST, {n: v[:1] for n, v in fixed.items()}, dates[:1], where)
            self._same_everywhere(_WEATHER, {n: v[0] for n, v in known.items()}, dates[0], where)
            if novelty is not None:
                self._compare_sizes(fields, dates[0], where)
                novelty.add(fields)
                LOG.info("%s", novelty)
        elif self.maps and novelty is not None:
            novelty.add(fields)
        if not self._clock_known and len(dates) >= DAYS_OF_CLOCK:
            self._days(known, dates, where)
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
            limits = (-np.inf, np.inf) if rule is None else _widened(rule.plausible)
            if not limits[0] <= low <= high <= limits[1]:
                found.append(name)
        return found

    def look_again(self) -> None:
        """Compare the clock of the next days as well, not that of the first days only."""
        self._clock_known = False

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
        if unseen is not None and _leaves(extremes, _widened(unseen.plausible)):
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
                self._apply(rule, rule.value(*(known[n] for n in rule.needs)), dates, where)

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
        for error, limits in ((True, _widened(rule.possible)), (False, _widened(rule.plausible))):
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
        if (before := self._found.get(key)) is not None:
            middle = _distance(before.worst, found.rule, found.error) >= _distance(found.worst, found.rule, found.error)
            found = replace(
                before, number=before.number + found.number, total=max(before.total, found.total),
                worst=before.worst if middle else found.worst, dates=before.dates + found.dates,
            )  # fmt: skip
        self._found[key] = found

    def _same_everywhere(
        self, names: Sequence[str], fields: Mapping[str, np.ndarray], date: datetime, where: Places
    ) -> None:
        """Warn of weather or soil (point,) that is the same at distant points."""
        n_points = where[0].size
        if n_points < 2 or max(np.ptp(where[0]), np.ptp(where[1])) < _APART:
            return
        same = [n for n in names if n in fields and fields[n].shape == (n_points,) and not np.ptp(fields[n])]
        if same:
            rule = Rule(f"same_{same[0]}", "", "1", tuple(same), lambda x: x, advice=(
                "A number may have been given for all of them by mistake."))  # fmt: skip
            detail = f"The input {same} is the same at all points at {date:%Y-%m-%d %H:%M}"
            place = float(where[0][0]), float(where[1][0])
            self._merge(Finding(rule, False, n_points, n_points, 0.0, date, place, 1, detail))

    def _days(self, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places) -> None:
        """Check means over days, and the clock, with two days or more; once it is known."""
        chosen = np.unique(np.linspace(0, where[0].size - 1, _CLOCKS).astype(int))
        here = where[0][chosen], where[1][chosen]
        most = 4 * DAYS_OF_CLOCK
        some = {n: values[:most, chosen] for n, values in fields.items()}
        self._relations(DAYS, some, dates[:1], here)
        if "avg_sdswrf" not in some:
            self._clock_known = True
            return
        short_wave, stamps = some["avg_sdswrf"], dates[:most]
        clock = compare_clocks(short_wave, stamps, here)
        self._clock_known = bool(clock.bright.any())
        if not self._clock_known:
            return
        self._apply(_SHARE, np.where(clock.bright, clock.share, 0.5), dates[:1], here)
        self._judge(clock, short_wave, stamps, here)

    def _judge(self, clock: SunClock, short_wave: np.ndarray, dates: Sequence[datetime], where: Places) -> None:
        lit = clock.bright & (clock.share > 0.005)
        hours = np.abs(clock.hours)
        wrong = lit & (hours >= _WRONG[0]) & (clock.gain > _WRONG[1])
        lost = lit & (clock.follows < _FOLLOWS)
        gain, hints = _other_place(short_wave, dates, where, clock.follows)
        misplaced = lit & (gain > (_MISPLACED if len(dates) >= _WEEK else _MISPLACED_SOON))
        doubtful = misplaced | lost | (lit & (hours >= _DOUBTFUL[0]) & (clock.gain > _DOUBTFUL[1]))
        bad = wrong if wrong.any() else doubtful
        if not bad.any():
            return
        most = np.bincount(clock.hours[bad] + 24).argmax() - 24
        hinted = hints[bad & misplaced]
        hint = _HINTS[int(np.bincount(hinted).argmax())] if hinted.size else ""
        error = bool(wrong.any()) or bool(hint and lost.any())
        says = sentence_of(int(most)) if most else "does not follow the sun of its place"
        rule = Rule(
            "clock", "Short-wave radiation", "1", ("avg_sdswrf",), lambda x: x,
            advice=(
                f"{hint} " if hint else "Stamps may be in local time instead of UTC, at the start instead of the end "
                "of the 6 h, or longitude may have the wrong sign. "
            ) + "Correct the clock or the coordinates.",
        )  # fmt: skip
        i = int(np.argmax(bad))
        detail = f"Short-wave radiation {says} in the {len(dates) // 4} days to {dates[-1]:%Y-%m-%d %H:%M}"
        place = float(where[0][i]), float(where[1][i])
        self._merge(Finding(rule, error, int(bad.sum()), bad.size, float(most), dates[0], place, 1, detail))

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


def _other_place(
    short_wave: np.ndarray, dates: Sequence[datetime], where: Places, follows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gain of correlation with the sun of places that a mistake explains, and which of :data:`_HINTS`."""
    lat, east = where[0], (where[1] + 180.0) % 360.0 - 180.0
    valid = np.abs(east) <= 90.0
    gains = []
    for places in ((np.where(valid, east, 0.0), lat), (lat, -east)):
        there = follows_at(short_wave, dates, places)
        gains.append(np.where(there > 0.6, there - follows, -1.0))
    gains[0] = np.where(valid, gains[0], -1.0)
    return np.max(gains, axis=0), np.argmax(gains, axis=0)


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


@lru_cache(maxsize=256)
def _widened(limits: Range) -> tuple[float, float]:
    """Return a range that rounding does not leave."""
    low, high = limits
    span = high - low if low is not None and high is not None else max(abs(low or 0.0), abs(high or 0.0))
    room = max(_ROUNDING * span, 0.0 if span else _ZERO)
    return -np.inf if low is None else low - room, np.inf if high is None else high + room


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


def _distance(value: float, rule: Rule, error: bool) -> float:
    low, high = _widened(rule.possible if error else rule.plausible)
    return max(low - value, value - high)


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


def further_static(held: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """Return the static variables that rules need, ``held`` by an input, but not ``known`` yet."""
    have = set(known)
    return [n for n in held if n in CHECKED_AT_START and n not in have and VARIABLES[n].time is Time.CONSTANT]
