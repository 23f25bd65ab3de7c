# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The step as a host calls it; a graph that is not the checkpoint is found."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anemoi_ailand.data.sun import COMPUTED, compute
from anemoi_ailand.export.host_step import HostStep, sun_columns
from anemoi_ailand.export.onnx_check import LIMITS, Rows, compare, place_time, sample_rows
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.rollout.step.physical_step import PhysicalStep
from anemoi_ailand.variables import END, START, Role, variable
from tests.support import stepper as case

HOURS_6 = timedelta(hours=6)


@pytest.fixture(scope="module")
def shipped():
    return PhysicalStep(load_step("ailand"))


def arguments(host, n=16):
    """Random values, each other than all others."""
    generator = torch.Generator().manual_seed(3)
    return {k: torch.rand(n, len(c), generator=generator) for k, c in host.columns.items()}


def test_columns_are_those_of_the_step(shipped):
    """State and static fields come once, forcing at the ends of the table; sun and calendar are optional."""
    inside, outside = HostStep(shipped), HostStep(shipped, sun_inside=False)
    assert inside.columns["state"] == inside.results["new_state"] == shipped.prognostic
    assert {variable(n).role for n in inside.columns["static"]} == {Role.STATIC, Role.CATEGORY}
    for end, argument in ((START, "forcing_start"), (END, "forcing_end")):
        assert all(end in variable(n).taken for n in outside.columns[argument])
        assert set(outside.columns[argument]) - set(inside.columns[argument]) <= set(COMPUTED)
    every = {n for columns in outside.columns.values() for n in columns}
    assert every == set(shipped.inputs)
    assert "place_time" in inside.columns
    assert "place_time" not in outside.columns


def test_sun_inside_is_sun_outside(shipped):
    """The step is the same at all points of the sample over a year; without place and time it is an error."""
    inside, outside = (HostStep(shipped, sun_inside=s) for s in (True, False))
    rows = sample_rows(outside, torch.float32)
    given = {k: torch.from_numpy(v) for k, v in rows.arguments.items()}
    with torch.inference_mode():
        got = outside(**given)
    agreement = compare([g.numpy() for g in got], inside, sample_rows(inside, torch.float32), LIMITS[torch.float32])
    assert agreement.rows == len(rows.where)
    assert agreement.undecided <= 2
    with pytest.raises(ValueError, match="`place_time`, which is not given"):
        inside(**given)


def test_values_are_those_of_the_physical_step():
    """Each column reaches its place at both ends, and results come from theirs."""
    host = case.host(sun_inside=False)
    given = arguments(host)
    ends = []
    for own in ("forcing_start", "forcing_end"):
        fields = {n: column for k in ("forcing_end", "forcing_start", "static", "state", own)
                  for n, column in zip(host.columns[k], given[k].unbind(-1), strict=True)}  # fmt: skip
        ends.append(torch.stack([fields[n] for n in host.step.inputs], dim=-1))
    expected = dict(zip(host.step.outputs, host.step(*ends).unbind(-1), strict=True))
    for columns, found in zip(host.results.values(), host(**given), strict=True):
        assert torch.equal(found, torch.stack([expected[n] for n in columns], dim=-1))


@pytest.mark.parametrize(
    "date", [datetime(2021, 12, 31, 18), datetime(2020, 2, 29, 6), datetime(2022, 6, 21, 12), datetime(2020, 12, 31)]
)
def test_sun_is_that_of_the_package(date):
    """All values agree in single precision at day and night, at the poles and the date line."""
    latitudes, longitudes = np.linspace(-90.0, 90.0, 73), np.linspace(-180.0, 360.0, 73)
    place = torch.from_numpy(place_time(latitudes, longitudes, date, date + HOURS_6))
    expected = compute(COMPUTED, [date, date + HOURS_6], latitudes, longitudes)
    for k in range(2):
        found = sun_columns(COMPUTED, place[:, :2], place[:, 2 + k])
        np.testing.assert_allclose(found.numpy().T, expected[:, k], rtol=0, atol=6e-8)  # half a unit of float32


LIMIT = LIMITS[torch.float32]


@pytest.fixture(scope="module")
def known():
    """Step, rows, and its own results."""
    host, rows = case.host(), case.rows()
    with torch.inference_mode():
        got = host(**{k: torch.from_numpy(v) for k, v in rows.arguments.items()})
    return host, rows, [g.numpy() for g in got]


def changed(got, row, column, by):
    """The new state with one value moved by a part of itself."""
    state = got[0].copy()
    state[row, column] *= 1.0 + by
    return [state, got[1]]


def test_one_wrong_value_is_found(known):
    """The error has variable, date, point and both values; NaN is a difference, half the limit is accepted."""
    host, rows, got = known
    agreement = compare(got, host, rows, LIMIT)
    assert (agreement.rows, agreement.undecided, max(agreement.largest.values())) == (200, 0, 0.0)
    with pytest.raises(ValueError, match="nan instead of"):
        compare(changed(got, 3, 0, np.nan), host, rows, LIMIT)
    column = host.results["new_state"].index("stl1")
    assert compare(changed(got, 60, column, 0.5 * LIMIT), host, rows, LIMIT).largest["stl1"] > 0
    with pytest.raises(ValueError, match=r"in 1 of 200 rows .* 'stl1' at 2022-.* point \d+ of the sample: .* removed"):
        compare(changed(got, 60, column, 3 * LIMIT), host, rows, LIMIT)


class Jump:
    """A step that jumps at ``x = 1``, and otherwise gives x."""

    def __init__(self):
        self.columns, self.results = {"state": ("a",)}, {"new_state": ("a",), "diagnostics": ()}
        self.step = SimpleNamespace(outputs=("a",), output_factors=torch.ones(1))

    def __call__(self, state):
        return torch.where(state >= 1.0, state + 5.0, state), state[:, :0]


def test_rows_at_a_jump_are_counted_not_refused():
    """A row where rounding of the input makes the checkpoint jump is counted."""
    x = np.array([[0.5], [1.0], [2.0]], dtype=np.float32)
    rows, nothing = Rows({"state": x}, ["", "here", ""]), np.zeros((3, 0), dtype=np.float32)
    below = np.array([[0.5], [1.0], [7.0]], dtype=np.float32)  # as if the second were just below 1
    agreement = compare([below, nothing], Jump(), rows, LIMIT)
    assert agreement.undecided == 1
    assert "1 rows exceed the limit" in str(agreement)
    with pytest.raises(ValueError, match="in 1 of 3 rows"):
        compare([np.array([[0.5], [6.0], [2.0]], dtype=np.float32), nothing], Jump(), rows, LIMIT)


def test_rows_are_real_states():
    """Rows are all points of the sample over a year, finite, with the columns of the step."""
    for dtype, sun_inside in ((torch.float32, True), (torch.float64, False)):
        host = case.host(sun_inside=sun_inside)
        rows = sample_rows(host, dtype)
        assert {k: v.shape for k, v in rows.arguments.items()} == {
            k: (len(rows.where), len(c)) for k, c in host.columns.items()
        }
        assert all(np.isfinite(v).all() for v in rows.arguments.values())
        assert rows.arguments["state"].dtype == str(dtype).removeprefix("torch.")
    warm = rows.arguments["state"][:, host.columns["state"].index("stl1")]
    assert warm.min() < 260 < 300 < warm.max()


def test_days_are_counted_from_the_new_year():
    """A step over new year has each end in its own year."""
    found = place_time(np.array([50.0]), np.array([7.0]), datetime(2020, 12, 31, 18), datetime(2021, 1, 1))
    np.testing.assert_array_equal(found, [[50.0, 7.0, 365.75, 0.0]])
