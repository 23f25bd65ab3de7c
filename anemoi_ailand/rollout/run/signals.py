# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A run that a scheduler asks to stop (SIGTERM) completes its step, writes a restart file, and ends."""

from __future__ import annotations

import logging
import signal
import threading
from datetime import datetime
from types import FrameType
from typing import Any

LOG = logging.getLogger(__name__)


class Stopped(RuntimeError):
    """The run was asked to stop and has done so."""


class StopRequest:
    """Remembers, inside ``with``, that SIGTERM has come; only in the main thread, where Python takes signals."""

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
        """End the run if it was asked to.

        Raises
        ------
        Stopped
            With the date, and whether it can go on.
        """
        if self.asked:
            how = "Start it again to go on." if restartable else "It has no `restart` and must start again."
            raise Stopped(f"The run was asked to stop and did so after {date:%Y-%m-%d %H:%M}. {how}")

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        LOG.warning("Asked to stop: the run ends after this step")
        self.asked = True
