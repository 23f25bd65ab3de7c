# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Work in the background: in order, one at a time, and no error is lost."""

import threading

import pytest

from anemoi_ailand.rollout.outputs.writer import Writer


def test_caller_goes_on_while_work_is_done():
    """The first piece of work waits for the caller; the second begins when it is done."""
    writer, go, done = Writer(), threading.Event(), []

    def first():
        go.wait(10)
        done.append(1)

    writer.begin(first)
    assert not done
    go.set()
    writer.begin(lambda: done.append(2))
    writer.wait()
    assert done == [1, 2]


def test_error_is_raised_by_the_next_call_and_stays():
    """Whether it waits or not; nothing more is begun after it."""
    writer, done = Writer(), []

    def fails():
        raise OSError("no space")

    writer.begin(fails)
    with pytest.raises(OSError, match="no space"):
        writer.wait()
    with pytest.raises(OSError, match="no space"):
        writer.check()
    with pytest.raises(OSError, match="no space"):
        writer.begin(lambda: done.append(1))
    assert not done
