# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Orderly stop on SIGTERM, as schedulers send it: complete the step, write a restart file, end."""

from __future__ import annotations

import logging
import signal
import threading
from datetime import datetime
from types import FrameType
from typing import Any

LOG = logging.getLogger(__name__)


class Stopped(RuntimeError):
    """The run was stopped on request."""


class StopRequest:
    """Context that records SIGTERM; only in the main thread, where Python handles signals."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def obey(self, date: datetime, *, restartable: bool) -> None:
        """Raise :class:`Stopped` if a stop was requested, with the date and whether the run can be resumed."""
        if self.asked:
            how = "Start it again to resume." if restartable else "It has no `restart` and must start again."
            raise Stopped(f"The run was stopped on request after {date:%Y-%m-%d %H:%M}. {how}")

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        LOG.warning("Stop requested: the run ends after this step")
        self.asked = True
