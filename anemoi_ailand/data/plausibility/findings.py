# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Findings of a check: values that break one rule, as a sentence, and the error of impossible ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import numpy as np

from anemoi_ailand.data.plausibility.rules import Rule, text_of
from anemoi_ailand.variables import Range

#: Share of a range by which rounding may exceed a limit, and the rounding of packing and float32 at zero.
_ROUNDING, _ZERO = 1.0e-6, 1.0e-6


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
            points = f"{min(self.number, self.total)} of {self.total} points"
            again = f", and at {self.dates - 1} more" if self.dates > 1 else ""
            return f"{self.detail} ({points}, the first at {where}{again}). {self.rule.advice}"
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


def merged(before: Finding, found: Finding) -> Finding:
    """Return two findings of one rule as one: the first place and date, the worst value."""
    middle = _distance(before.worst, found.rule, found.error) >= _distance(found.worst, found.rule, found.error)
    return replace(
        before, number=before.number + found.number, total=max(before.total, found.total),
        worst=before.worst if middle else found.worst, dates=before.dates + found.dates,
    )  # fmt: skip


@lru_cache(maxsize=256)
def widened(limits: Range) -> tuple[float, float]:
    """Return a range that rounding does not leave."""
    low, high = limits
    span = high - low if low is not None and high is not None else max(abs(low or 0.0), abs(high or 0.0))
    room = max(_ROUNDING * span, 0.0 if span else _ZERO)
    return -np.inf if low is None else low - room, np.inf if high is None else high + room


def _distance(value: float, rule: Rule, error: bool) -> float:
    low, high = widened(rule.possible if error else rule.plausible)
    return max(low - value, value - high)
