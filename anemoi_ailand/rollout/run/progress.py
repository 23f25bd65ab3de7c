# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Progress of a long run: a bar with years per hour and expected end on a terminal, else lines in the log."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from tqdm import tqdm

from anemoi_ailand.constants import STEP_HOURS

LOG = logging.getLogger(__name__)

#: Steps between two updates of the speed.
_REFRESH = 40

#: Number of steps from which a bar counts in thousands.
_MANY = 10_000

#: Steps per year.
_YEAR = 365.25 * 24 / STEP_HOURS


class Progress:
    """Progress bar named ``what`` over a number of steps; ``shown`` only on a terminal, unless it is ``anywhere``.

    It appears after ``delay`` seconds; ``unit`` is what is counted.
    """

    def __init__(
        self, steps: int, shown: bool, what: str, *, unit: str = "step", delay: float = 0.0, anywhere: bool = False
    ) -> None:
        hidden = True if not shown else False if anywhere else None  # None: shown on a terminal
        self._bar = tqdm(
            total=steps, unit=unit, unit_scale=steps >= _MANY, desc=what, disable=hidden, mininterval=1.0, delay=delay
        )
        self._steps, self._done, self._begin = steps, 0, time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def add(self, number: int) -> None:
        """Count several at once, such as the steps of many roll-outs, without their speed in years."""
        self._done += number
        self._bar.update(number)

    def step(self) -> None:
        """Count one step."""
        self.steps(1)

    def steps(self, number: int) -> None:
        """Count steps that were made in one call."""
        before, self._done = self._done, self._done + number
        self._bar.update(number)
        if self._done // _REFRESH > before // _REFRESH and not self._bar.disable:
            self._bar.set_postfix_str(self.pace(), refresh=False)

    def date(self, date: datetime) -> None:
        """Count a step to ``date``; without a bar, log one line for each simulated day."""
        self.step()
        if self._bar.disable and (date.hour == 0 or self._done == self._steps):
            LOG.info("%s, step %d of %d, %s", f"{date:%Y-%m-%d}", self._done, self._steps, self.pace())

    def year(self, number: int, years: int) -> None:
        """Log a completed year, at most ten times per run."""
        if number % max(1, years // 10) == 0:
            LOG.info("Year %d of %d, %s", number, years, self.pace())

    def pace(self) -> str:
        """Return speed and expected end as text."""
        seconds = max(time.monotonic() - self._begin, 1e-9)
        rate = max(self._done, 1) / seconds
        end = datetime.now() + timedelta(seconds=(self._steps - self._done) / rate)
        return f"{rate * 3600 / _YEAR:.3g} years/h, ends {end:%d %b %H:%M}"
