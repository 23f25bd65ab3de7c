# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""SIGTERM is remembered, and obeyed between two steps."""

import os
import signal
import threading
from datetime import datetime

import pytest

from anemoi_ailand.rollout.run.signals import Stopped, StopRequest

DATE = datetime(2022, 3, 1, 6)


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("restartable", "message"), [(True, "Start it again to resume"), (False, "must start again")])
def test_sigterm_stops_at_the_next_occasion(restartable, message, caplog):
    """The current step is completed first, and the log says so."""
    with StopRequest() as stop:
        stop.obey(DATE, restartable=True)
        terminate()
        done = "completed"
        assert stop.asked
        with pytest.raises(Stopped, match=f"on request after 2022-03-01 06:00. .*{message}"):
            stop.obey(DATE, restartable=restartable)
    assert done == "completed"
    assert "the run ends after this step" in caplog.text


def test_handler_of_before_is_put_back():
    """The previous handler is restored, also after an error."""
    calls = []
    before = signal.signal(signal.SIGTERM, lambda *_: calls.append(0))
    try:
        with pytest.raises(RuntimeError, match="other"), StopRequest():
            raise RuntimeError("other")
        terminate()
        assert calls == [0]
        with StopRequest() as stop:
            terminate()
        assert (stop.asked, calls) == (True, [0])
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_are_left_alone():
    """In another thread nothing is installed, as Python handles signals in the main thread only."""
    found = []

    def run():
        with StopRequest() as stop:
            found.append(signal.getsignal(signal.SIGTERM) == stop._ask)
            stop.obey(DATE, restartable=True)
            found.append("done")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False, "done"]
