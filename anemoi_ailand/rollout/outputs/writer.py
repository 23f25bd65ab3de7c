# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Background thread of an output, so that compression and writing overlap with the model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from anemoi_ailand.support.disk_errors import writing


class Writer:
    """One task at a time in a background thread; the error of a task, with ``path``, is raised by the next call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="land-output")
        self._running: Future[None] | None = None
        self._error: BaseException | None = None

    def begin(self, task: Callable[[], None]) -> None:
        """Start a task as soon as the task before has ended."""
        self.wait()
        self._running = self._pool.submit(self._run, task)

    def wait(self) -> None:
        """Wait for the running task."""
        if self._running is not None:
            self._error = self._running.exception() or self._error
            self._running = None
        self.check()

    def check(self) -> None:
        """Raise the error of a task that has ended, without waiting for the running one."""
        if self._running is not None and self._running.done():
            self._error = self._running.exception() or self._error
        if self._error is not None:
            raise self._error

    def _run(self, task: Callable[[], None]) -> None:
        with writing(self._path):
            task()
