# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tasks in the background: in order, one at a time, and no error is lost."""

import threading
from pathlib import Path

import pytest

from anemoi_ailand.rollout.outputs.writer import Writer


def test_caller_continues_while_a_task_runs():
    """`begin` returns at once; the next task starts after the one before."""
    writer, go, done = Writer(Path("f.nc")), threading.Event(), []

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
    """Every later call raises the error of a task, with the file, and no other task is started."""
    writer, done = Writer(Path("f.nc")), []

    def fails():
        raise OSError("no space")

    writer.begin(fails)
    with pytest.raises(OSError, match=r"f.nc.*no space"):
        writer.wait()
    with pytest.raises(OSError, match=r"f.nc.*no space"):
        writer.check()
    with pytest.raises(OSError, match=r"f.nc.*no space"):
        writer.begin(lambda: done.append(1))
    assert not done
