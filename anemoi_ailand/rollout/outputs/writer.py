# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One thing at a time written by a thread, so that compression does not hold up the model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Writer:
    """Does one piece of work in the background; what went wrong with it is raised by the next call."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="land-output")
        self._writing: Future[None] | None = None
        self._failed: BaseException | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Have something done, once what was begun before is done."""
        self.wait()
        self._writing = self._pool.submit(work)

    def wait(self) -> None:
        """Wait until all is done.

        Raises: what the work raised.
        """
        if self._writing is not None:
            self._failed = self._writing.exception() or self._failed
            self._writing = None
        self.check()

    def check(self) -> None:
        """Raise what an earlier piece of work raised, without waiting for the present one."""
        if self._writing is not None and self._writing.done():
            self._failed = self._writing.exception() or self._failed
        if self._failed is not None:
            raise self._failed
