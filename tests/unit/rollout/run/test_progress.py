# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Progress of a run: lines in a log without a terminal, and the right pace."""

from datetime import datetime, timedelta

import pytest

from anemoi_ailand.rollout.run import progress as under_test
from anemoi_ailand.rollout.run.progress import Progress

DATE, STEP = datetime(2022, 1, 1), timedelta(hours=6)


def go(n_steps, shown=False):
    with Progress(n_steps, shown, "test") as bar:
        for k in range(1, n_steps + 1):
            bar.date(DATE + k * STEP)
    return bar


def lines(caplog):
    return [r.getMessage() for r in caplog.records if "step" in r.getMessage()]


def test_one_line_a_day_without_a_bar(caplog, capfd):
    """Each day and the end have a line with date, step and pace, also if standard error is not a terminal."""
    caplog.set_level("INFO", logger="anemoi_ailand")
    go(10, shown=True)
    assert capfd.readouterr().err == ""
    found = lines(caplog)
    assert [line.split(", ")[:2] for line in found] == [
        ["2022-01-02", "step 4 of 10"], ["2022-01-03", "step 8 of 10"], ["2022-01-03", "step 10 of 10"],
    ]  # fmt: skip
    assert all("years/h, ends " in line for line in found)


def test_bar_instead_of_lines_on_a_terminal(caplog, monkeypatch):
    """The bar ends full, and no lines are logged."""
    caplog.set_level("INFO", logger="anemoi_ailand")

    class Bar(under_test.tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **{**kwargs, "disable": False})

    monkeypatch.setattr(under_test, "tqdm", Bar)
    bar = go(80, shown=True)
    assert (bar._bar.n, bar._bar.total) == (80, 80)
    assert "years/h" in bar._bar.postfix
    assert lines(caplog) == []


def test_pace_is_simulated_years_per_hour(monkeypatch):
    """1461 steps in ten minutes are six years per hour, and as many again end ten minutes later."""
    now = [100.0]
    monkeypatch.setattr(under_test.time, "monotonic", lambda: now[0])
    bar = Progress(2 * 1461, False, "test")
    for _ in range(1461):
        bar.step()
    now[0] += 600.0
    pace = bar.pace()
    assert pace.startswith("6 years/h, ends ")
    end = datetime.now() + timedelta(seconds=600)
    assert pace.endswith((f"{end:%d %b %H:%M}", f"{end - timedelta(minutes=1):%d %b %H:%M}"))


@pytest.mark.parametrize(("years", "expected"), [(5, [1, 2, 3, 4, 5]), (100, list(range(10, 101, 10)))])
def test_years_are_logged_ten_times(caplog, years, expected):
    """Few years are all logged."""
    caplog.set_level("INFO", logger="anemoi_ailand")
    bar = Progress(years, False, "test")
    for number in range(1, years + 1):
        bar.year(number, years)
    assert [int(r.getMessage().split()[1]) for r in caplog.records] == expected
