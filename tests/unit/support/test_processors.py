# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Number of processors that a run uses by default."""

import pytest

from anemoi_ailand.support import processors as threads


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return the quota file of a container on a machine of 64 processors."""
    quota = tmp_path / "cpu.max"
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(threads, "_QUOTA", quota)
    return quota


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", threads.MOST), ("", threads.MOST)],
)
def test_quota_of_the_container_limits(machine, monkeypatch, text, expected):
    """Whole processors, at least one; without a quota those that the process is bound to, up to a maximum."""
    machine.write_text(text)
    assert threads.usable_processors() == expected
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {4, 5, 6})
    assert threads.usable_processors() == min(expected, 3)


@pytest.mark.parametrize(("asked", "expected"), [("5", 5), ("40", 40), ("0", 2), ("many", 2), ("", 2)])
def test_omp_num_threads_wins(machine, monkeypatch, asked, expected):
    """A number above zero; anything else is ignored."""
    machine.write_text("200000 100000")
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads.usable_processors() == expected
