# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Daily means of whole days."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from anemoi_ailand.evaluation.fields import fields as inputs
from anemoi_ailand.evaluation.fields.daily_means import daily_means, whole_days


@pytest.mark.parametrize("block_bytes", [4 * 3 * 3, 2**20], ids=["blocks that cut days", "one block"])
def test_mean_of_the_stamps_of_each_whole_day(
    make_fields: Callable, make_dates: Callable, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    """Incomplete first and last days are left out; the others are means of four stamps, for any blocks."""
    monkeypatch.setattr(inputs, "BLOCK_BYTES", block_bytes)
    times = make_dates("2021-02-27T06", "2021-03-03T12")
    values = np.arange(len(times) * 3, dtype=np.float32).reshape(-1, 3)
    fields = make_fields(times, {"sd": values})
    days, means = daily_means(fields, ["sd"], points=np.array([2, 0]))
    assert [str(d) for d in days] == ["2021-02-28", "2021-03-01", "2021-03-02"]
    expected = [values[3 + 4 * i : 7 + 4 * i].mean(0)[[2, 0]] for i in range(3)]
    np.testing.assert_array_equal(means["sd"], expected)
    np.testing.assert_array_equal(whole_days(fields), days)


def test_no_whole_day_is_an_error(make_fields: Callable, make_dates: Callable) -> None:
    """Half a day has no daily mean."""
    fields = make_fields(make_dates("2021-01-01T00", "2021-01-01T12"), {"sd": np.zeros((3, 1))})
    with pytest.raises(ValueError, match="no whole day"):
        daily_means(fields, ["sd"])


def test_nan_is_an_error(make_fields: Callable, make_dates: Callable) -> None:
    """NaN is refused and not averaged."""
    fields = make_fields(make_dates("2021-01-01T00", "2021-01-02T18"), {"sd": np.full((8, 1), np.nan)})
    with pytest.raises(ValueError, match=r"'sd' .* NaN"):
        daily_means(fields, ["sd"])


def test_step_that_does_not_divide_a_day_is_an_error(make_fields: Callable) -> None:
    """Five-hourly stamps are refused."""
    times = np.datetime64("2021-01-01", "ns") + np.arange(20) * np.timedelta64(5, "h")
    with pytest.raises(ValueError, match="step of 5 h"):
        daily_means(make_fields(times, {"sd": np.zeros((20, 1))}), ["sd"])
