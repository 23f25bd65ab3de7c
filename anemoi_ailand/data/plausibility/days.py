# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Forcing over days: the clock against the sun, means and spread, radiation that never is bright, wind, drought.

Forcing comes in pieces, down to single steps. It is kept for a period of eight days at some points, so that what is
found does not depend on the pieces. Of each period sums are kept for a year.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from anemoi_ailand.constants import STEP, STEP_HOURS, STEP_SECONDS
from anemoi_ailand.data.plausibility.findings import Finding
from anemoi_ailand.data.plausibility.jumps import WEATHER, another_time, unusual_weather
from anemoi_ailand.data.plausibility.repetition import Repetition
from anemoi_ailand.data.plausibility.rules import (
    AT_START,
    MANY_POINTS,
    WET,
    Rule,
    emissivity,
    relative_humidity,
)
from anemoi_ailand.data.plausibility.rules_over_days import (
    DAY,
    DAYS,
    DRY,
    FIRST_DAYS,
    FIRST_DAYS_OF_PLACES,
    FIRST_PERIOD,
    FORTNIGHT,
    MONTHS,
    MONTHS_OF_PLACES,
    PERIOD,
    PERIODS,
    SEASON,
    YEAR,
    follows,
)
from anemoi_ailand.data.plausibility.sunshine import (
    WARMEST_HOUR,
    Places,
    SunClock,
    compare_clocks,
    follows_at,
    sentence_of,
    warmest_hour,
)
from anemoi_ailand.support.sphere import extent, identical

#: Steps that tell a clock, two days; a day is enough if radiation is far from the sun.
DAYS_OF_CLOCK = 8

#: Steps of a period, as of the windows of :mod:`~anemoi_ailand.data.plausibility.training_data`, and periods that are
#: judged together: two months, four, and a year.
PERIOD_STEPS, _PERIODS, _SEASON, _YEAR = 32, 8, 16, 45

#: Points that are looked at, at most, spread over all.
_POINTS = 500

#: Distinct places and their extent [degrees] that do not share their weather.
_PLACES, _EXTENT = 20, 30.0

#: Forcing that is kept.
_KEPT = ("avg_sdswrf", "avg_sdlwrf", "avg_t", "avg_q", "avg_sp", "avg_tprate", "avg_tsrwe", "avg_u", "avg_v", "t", "q",
         "lai_lv", "lai_hv", f"t{AT_START}", f"q{AT_START}", "largest")  # fmt: skip

#: Insolation with which the brightest step of some days is looked for [W m-2], and the number of such steps in 64 days
#: that tell something: towards the poles there are few.
_LIT, _LIT_STEPS = 200.0, 100

#: Mean insolation of a day with which the brightest day is looked for [W m-2].
_LIT_DAY = 120.0

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

_NO_RULE: Callable[[np.ndarray], np.ndarray] = lambda x: x  # noqa: E731

#: Brightest step of days at all places, and of two months at one. At least 0.65 and 0.52, at most 0.95.
_DIM = Rule(
    "dim_days", "The highest short-wave radiation of some days at twenty distant places and more, as a share of that "
    "outside the atmosphere,", "1", ("avg_sdswrf",), _NO_RULE, plausible=(0.5, None),
    advice="Clear sky lets through three quarters: check the unit, and that it is the downward radiation, not the net.",
)  # fmt: skip
_DIM_MONTHS = Rule(
    "dim_months", "The highest short-wave radiation of 64 days, as a share of that outside the atmosphere,", "1",
    ("avg_sdswrf",), _NO_RULE, plausible=(0.47, 1.0), advice=_DIM.advice,
)  # fmt: skip


#: Daily cycle of temperature that tells its warmest hour [K].
_WARM = 3.0

_LATE_WARMTH = "Temperature may be of other hours than radiation: check its stamps, time zone and step."

#: Warmest hour over eight days: 11.5 to 18.1 h at places of the reference set and at towers, but 16.8 to 24 h at East
#: River, whose clock is wrong; the median of distant places 14.7 to 15.5 h.
_WARMEST = {
    name: (
        Rule(f"warmest_hour_{name}", f"The warmest hour of the day of '{name}' in local solar time, of eight days,",
             "h", (name,), _NO_RULE, plausible=(10.5, 19.2), advice=_LATE_WARMTH),
        Rule(f"warmest_hour_of_places_{name}", f"The warmest hour of the day of '{name}' in local solar time, the "
             "median of distant places in eight days,", "h", (name,), _NO_RULE, plausible=(12.5, 17.0),
             advice=_LATE_WARMTH),
    ) for name in ("t", "avg_t")
}  # fmt: skip


@dataclass(frozen=True)
class _Period:
    """Extremes and means of a period, each of shape (point,); ``of`` has those that rules of months name."""

    brightest: np.ndarray
    lit: np.ndarray
    of: Mapping[str, np.ndarray]


class Days:
    """Forcing of the last days, at some points, and its judgement.

    Parameters
    ----------
    apply : callable
        Takes rule, values (point,), dates and places, and keeps what breaks the rule.
    keep : callable
        Takes a finding.
    compare : callable
        Takes forcing (date, point), date and places, and compares its size with that of the training.
    """

    def __init__(
        self,
        apply: Callable[[Rule, np.ndarray, Sequence[datetime], Places], object],
        keep: Callable[[Finding], None],
        compare: Callable[[Mapping[str, np.ndarray], datetime, Places], None],
    ) -> None:
        self._apply, self._keep, self._compare = apply, keep, compare
        self._repetition = Repetition(keep)
        self._where: Places | None = None
        self._begin((np.empty(0), np.empty(0)))

    def _begin(self, where: Places) -> None:
        n_points = where[0].size
        self._given, self.clock_known, self._is_far = where, False, False
        self._chosen = np.unique(np.linspace(0, n_points - 1, _POINTS).astype(int)) if n_points > _POINTS else None
        self._where = where if self._chosen is None else (where[0][self._chosen], where[1][self._chosen])
        self._is_far = are_far(self._where)
        self._whole: deque[_Period] = deque(maxlen=_YEAR)
        self._start: dict[str, np.ndarray] = {}
        self._weather: dict[str, np.ndarray] = {}
        self._forget()

        self._repetition.forget()

    def _forget(self) -> None:
        self._dates: list[datetime] = []
        self._parts: dict[str, list[np.ndarray]] = {}

    def begin(self, where: Places, start: Mapping[str, np.ndarray]) -> None:
        """Begin a run with soil and elevation (point,) at its start, with which the air of the first days is compared.

        Those of other rows, as where the forcing is that of many members, are not compared.
        """
        self._begin(where)
        start = {n: values for n, values in start.items() if values.size == where[0].size}
        self._start = {n: values if self._chosen is None else values[self._chosen] for n, values in start.items()}

    def add(self, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], where: Places) -> None:
        """Add forcing (date, point) at consecutive dates, and judge it after one day, two days, and each period."""
        if not identical(self._given, where):
            self._begin(where)
        done = 0
        while done < len(dates):
            if self._dates and dates[done] - self._dates[-1] != STEP:
                self._whole.clear()
                self._weather = {}
                self._repetition.forget()
                self._forget()
                self._start = {n: v for n, v in self._start.items() if n == "z"}  # the soil was that of days before
            before, room = len(self._dates), PERIOD_STEPS - len(self._dates)
            self._take(fields, dates[done : done + room], slice(done, done + room))
            self._dates += dates[done : done + room]
            done += room
            self._judge(before)

    def _take(self, fields: Mapping[str, np.ndarray], dates: Sequence[datetime], piece: slice) -> None:
        assert self._where is not None
        given = {n: fields[n][piece] for n in _KEPT if n in fields}
        some = {n: values.copy() if self._chosen is None else values[:, self._chosen] for n, values in given.items()}
        for name, values in some.items():
            self._parts.setdefault(name, []).append(values)
        self._repetition.add(some, dates, self._where)

    def _judge(self, before: int) -> None:
        """Judge the days kept; the first ``before`` steps were known earlier."""
        number = len(self._dates)
        reached = [n for n in (DAY, DAYS_OF_CLOCK, PERIOD_STEPS) if before < n <= number]
        if not reached or not self._parts:
            return
        fields = {n: np.concatenate(parts) for n, parts in self._parts.items() if sum(map(len, parts)) == number}
        assert self._where is not None
        if number >= DAYS_OF_CLOCK:
            self._relations(DAYS, fields)
            if before < DAYS_OF_CLOCK:
                rules = (*FIRST_DAYS, *(FIRST_DAYS_OF_PLACES if self._is_far else ()))
                self._relations(rules, fields | self._start)
        if not self.clock_known and "avg_sdswrf" in fields:
            self._tell_clock(fields)
        if number >= DAYS_OF_CLOCK and self._is_far:
            self._relations(PERIODS, fields)
            self._dim(fields)
        if number == PERIOD_STEPS:
            self._relations(PERIOD, fields)
            self._relations(FIRST_PERIOD, fields | self._start)
            self._start = {}
            self._tell_warmest_hour(fields)
            self._end(fields)
            self._forget()

    def _relations(self, rules: Iterable[Rule], fields: Mapping[str, np.ndarray]) -> None:
        assert self._where is not None
        for rule in rules:
            if all(n in fields for n in rule.needs):
                self._apply(rule, rule.value(*(fields[n] for n in rule.needs)), self._dates[:1], self._where)

    def _dim(self, fields: Mapping[str, np.ndarray]) -> None:
        """Judge the brightest step at distant places, where the sun shines at enough of them."""
        assert self._where is not None
        if "avg_sdswrf" in fields and "largest" in fields:
            brightest, lit = _brightest(fields)
            if np.count_nonzero(lit) >= _PLACES:
                self._apply(_DIM, np.full_like(brightest, brightest[lit > 0].max()), self._dates[:1], self._where)

    def _end(self, fields: Mapping[str, np.ndarray]) -> None:
        """Judge a whole period with those before it."""
        assert self._where is not None
        if self._is_far:
            # a windy region has 2.5 times the wind of the training, as much as knots and near to km h-1
            self._compare({n: fields[n] for n in ("avg_u", "avg_v") if n in fields}, self._dates[0], self._where)
            self._compare_records(fields)
        if not {"avg_sdswrf", "largest", "avg_tprate", *DRY.needs} <= fields.keys():
            return
        self._whole.append(_Period(*_brightest(fields), _sums(fields, self._dates)))
        last = [*self._whole][-_PERIODS:]
        if self._is_far and len(last) > 1 and not any(p.of["rain"].any() for p in last[-2:]):
            humidity = last[-1].of["humidity"]
            self._apply(DRY, np.full_like(humidity, np.median(humidity)), self._dates[:1], self._where)
        if len(last) == _PERIODS:
            lit = np.sum([p.lit for p in last], axis=0) >= _LIT_STEPS
            brightest = np.max([p.brightest for p in last], axis=0)
            self._apply(_DIM_MONTHS, np.where(lit, brightest, 0.9), self._dates[:1], self._where)
        months = (*MONTHS, *(MONTHS_OF_PLACES if self._is_far else ()))
        for rules, number in ((FORTNIGHT, 2), (months, _PERIODS), (SEASON, _SEASON), (YEAR, _YEAR)):
            if len(self._whole) >= number:
                some = [p.of for p in self._whole][-number:]
                common = set.intersection(*(set(of) for of in some))
                self._relations(rules, {n: np.stack([of[n] for of in some]) for n in common})

    def _compare_records(self, fields: Mapping[str, np.ndarray]) -> None:
        """Judge the weather of each record against the days around it, those before the period included."""
        assert self._where is not None
        given = {n: fields[n] for n in WEATHER if n in fields}
        before = len(next(iter(self._weather.values()), ()))
        if self._weather.keys() == given.keys():
            given = {n: np.concatenate([self._weather[n], v]) for n, v in given.items()}
        else:
            before = 0
        self._weather = {n: v[-2 * DAY :] for n, v in given.items()}
        if (found := unusual_weather(given)) is not None:
            date = self._dates[0] + (found[0] - before) * STEP
            what = f"weather leaves that of the days around it {found[1]:.2g} times as far as usual everywhere"
            self._keep(another_time("jump of weather", what, date, False, self._where))

    def _tell_warmest_hour(self, fields: Mapping[str, np.ndarray]) -> None:
        """Compare the daily cycle of temperature with local solar time, where it is large enough."""
        assert self._where is not None
        middles = {"t": self._dates, "avg_t": [date - STEP / 2 for date in self._dates]}
        for name in middles.keys() & fields.keys():
            hour, amplitude = warmest_hour(fields[name], middles[name], self._where)
            told = amplitude > _WARM
            one, many = _WARMEST[name]
            self._apply(one, np.where(told, hour, WARMEST_HOUR), self._dates[:1], self._where)
            if self._is_far and told.sum() >= MANY_POINTS:
                typical = np.full_like(hour, np.median(hour[told]))
                self._apply(many, typical, self._dates[:1], self._where)

    def _tell_clock(self, fields: Mapping[str, np.ndarray]) -> None:
        """Compare the clock with the sun."""
        assert self._where is not None
        short_wave = fields["avg_sdswrf"]
        clock = compare_clocks(short_wave, self._dates, self._where)
        soon = len(self._dates) < DAYS_OF_CLOCK
        self.clock_known = bool(clock.bright.any()) and not soon
        if not clock.bright.any():
            return
        if not soon:
            self._apply(_SHARE, np.where(clock.bright, clock.share, 0.5), self._dates[:1], self._where)
        self._judge_clock(clock, short_wave, soon)

    def _judge_clock(self, clock: SunClock, short_wave: np.ndarray, soon: bool) -> None:
        assert self._where is not None
        lit = clock.bright & (clock.share > 0.005)
        hours = np.abs(clock.hours)
        wrong = lit & (hours >= _WRONG[0]) & (clock.gain > _WRONG[1])
        bad, error, hint = wrong, not soon, ""
        if not soon:
            lost = lit & (clock.follows < _FOLLOWS)
            gain, hints = _other_place(short_wave, self._dates, self._where, clock.follows)
            misplaced = lit & (gain > (_MISPLACED if len(self._dates) >= _WEEK else _MISPLACED_SOON))
            doubtful = misplaced | lost | (lit & (hours >= _DOUBTFUL[0]) & (clock.gain > _DOUBTFUL[1]))
            bad = wrong if wrong.any() else doubtful
            hinted = hints[bad & misplaced]
            hint = _HINTS[int(np.bincount(hinted).argmax())] if hinted.size else ""
            error = bool(wrong.any()) or bool(hint and lost.any())
        if not bad.any():
            return
        most = np.bincount(clock.hours[bad] + 24).argmax() - 24
        says = sentence_of(int(most)) if most else "does not follow the sun of its place"
        rule = Rule(
            "clock", "Short-wave radiation", "1", ("avg_sdswrf",), lambda x: x,
            advice=(
                f"{hint} " if hint else "Stamps may be in local time instead of UTC, at the start instead of the end "
                "of the 6 h, or longitude may have the wrong sign. "
            ) + "Correct the clock or the coordinates.",
        )  # fmt: skip
        i, days = int(np.argmax(bad)), max(1, len(self._dates) // 4)
        detail = f"Short-wave radiation {says} in the {days} day{'s'[: days > 1]} to {self._dates[-1]:%Y-%m-%d %H:%M}"
        place = float(self._where[0][i]), float(self._where[1][i])
        number = int(bad.sum())
        self._keep(Finding(rule, error, number, bad.size, float(most), self._dates[0], place, 1, detail))
        self.clock_known = True


def are_far(where: Places) -> bool:
    """Return whether there are so many distant places that they do not share their weather."""
    if where[0].size < _PLACES or extent(where) < _EXTENT:
        return False
    return len(np.unique(np.round(np.stack(where), 2), axis=1).T) >= _PLACES


def _sums(fields: Mapping[str, np.ndarray], dates: Sequence[datetime]) -> dict[str, np.ndarray]:
    """Return what rules of months need of a period, each of shape (point,), (hour, point) of changes, (day, point)."""
    rain = fields["avg_tprate"] * STEP_SECONDS  # kg m-2
    found = {"rain": rain.sum(axis=0), "largest_rain": rain.max(axis=0), "wet_steps": (rain > 0.0).sum(axis=0)}
    change, hours = np.diff(fields["avg_tprate"], axis=0), np.array([date.hour // STEP_HOURS for date in dates[1:]])
    found |= {
        name: np.stack([at[hours == k].sum(axis=0) for k in range(DAY)])
        for name, at in (("rain_downs", change < 0.0), ("rain_changes", change != 0.0))
    }
    humidity = relative_humidity(*(fields[n] for n in DRY.needs))
    found |= {"humidity": humidity.mean(axis=0), "bright_day": _brightest_day(fields)}
    if f"t{AT_START}" in fields:
        found["follows"] = follows(fields["avg_t"], fields[f"t{AT_START}"], fields["t"])
    if "avg_sdlwrf" in fields:
        found["emissivity"] = emissivity(fields["avg_sdlwrf"], fields["avg_t"]).mean(axis=0)
    if "avg_tsrwe" in fields:
        raining, snowing = fields["avg_tprate"] - fields["avg_tsrwe"] > WET, fields["avg_tsrwe"] > WET
        found |= {"rain_humidity": np.where(raining, humidity, 0.0).max(axis=0), "rain_steps": raining.sum(axis=0)}
        snowy = np.where(snowing, fields["avg_t"], 0.0).sum(axis=0)
        found |= {"snow_temperature": snowy, "snow_steps": snowing.sum(axis=0)}
    means = {"temperature": "avg_t", "lai_lv": "lai_lv", "lai_hv": "lai_hv"}
    return found | {n: fields[of].mean(axis=0) for n, of in means.items() if of in fields}


def _brightest_day(fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the highest daily share of the insolation outside the atmosphere (point,), NaN where the sun is low."""
    radiation, largest = (
        fields[n].reshape(-1, DAY, fields[n].shape[1]).mean(axis=1) for n in ("avg_sdswrf", "largest")
    )
    lit = largest > _LIT_DAY
    return np.where(lit.all(axis=0), (radiation / np.where(lit, largest, 1.0)).max(axis=0), np.nan)


def _brightest(fields: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest share of the insolation outside the atmosphere, and the steps with some, shape (point,)."""
    lit = fields["largest"] > _LIT
    share = np.where(lit, fields["avg_sdswrf"] / np.where(lit, fields["largest"], 1.0), 0.0)
    return share.max(axis=0), lit.sum(axis=0)


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
