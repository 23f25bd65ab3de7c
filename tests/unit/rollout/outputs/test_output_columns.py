# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Columns of an output."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.rollout.outputs.output_columns import Column, check_statistics, statistics_of
from tests.support.outputs import FILES, N_POINTS, opened, state, whole


@pytest.fixture(params=FILES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Path of an output, in each format."""
    return tmp_path / request.param


def test_names():
    """The name in a file ends with the statistic."""
    assert [Column("2t", s).netcdf_name for s in (None, "mean", "q2.5")] == ["t2m", "t2m_mean", "t2m_q2.5"]


def test_cell_methods_in_the_order_of_the_operations():
    """Cell methods are over time first, then over the members."""
    assert Column("slhf").attributes()["cell_methods"] == "time: mean (interval: 6 hours ending at the time stamp)"
    found = Column("slhf", "spread", means="month").attributes()
    assert found["cell_methods"] == "time: mean realization: standard_deviation"


@pytest.mark.parametrize("given", [["median"], ["q100"], ["qq"], ["mean", "mean"], [5], "Mean"])
def test_wrong_statistics_are_refused(given):
    """Unknown or repeated statistics are refused with the known ones."""
    with pytest.raises(ValueError, match=r"percentiles q0 to q99.9"):
        check_statistics(given)


def test_one_statistic_needs_no_list():
    """A single statistic may be given without a list, and none at all."""
    assert check_statistics("mean") == ("mean",)
    assert check_statistics(None) == ()


def test_statistics_are_exact():
    """Statistics agree with exact fractions where single precision would round badly."""
    values = np.array([[2.0**24], [1.0], [1.0], [1.0]], dtype="f4")
    found = statistics_of(values, ["mean", "spread", "q0", "q50"])
    mean = Fraction(2**24 + 3, 4)
    spread = np.sqrt(float(sum((Fraction(float(v)) - mean) ** 2 for v in values[:, 0]) / 3))
    assert found["mean"][0] == np.float32(float(mean))
    assert found["spread"][0] == np.float32(spread)
    assert (found["q0"][0], found["q50"][0]) == (1.0, 1.0)
    assert {v.dtype for v in found.values()} == {np.dtype("f4")}


def test_members_have_a_dimension(path: Path) -> None:
    """Members have the dimension (time, member, point) and the coordinate realization; points occur once."""
    run = opened(whole(path, 3, ensemble=4))
    assert run.sizes == {"time": 4, "member": 4, "point": N_POINTS, "bnds": 2}
    assert run.member.attrs["standard_name"] == "realization"
    np.testing.assert_array_equal(run.latitude, state(0)["latitudes"])
    expected = state(2, members=4)["fields"]["2t"].reshape(4, N_POINTS)
    np.testing.assert_array_equal(run.t2m[2], expected)
    assert run.t2m.dims == ("time", "member", "point")


def test_ensemble_of_one_has_the_dimension(path: Path) -> None:
    """An ensemble of one has the dimension, so files of any size are read the same way."""
    assert opened(whole(path, 2, ensemble=1)).swvl1.shape == (3, 1, N_POINTS)


def test_statistics_replace_members(path: Path) -> None:
    """Statistics are mean, spread with M - 1 and quantiles; the mean has the short name."""
    run = opened(whole(path, 3, ensemble=6, statistics=["mean", "spread", "q10"]))
    assert "member" not in run.dims
    values = state(3, members=6)["fields"]["swvl1"].reshape(6, N_POINTS).astype("f8")
    np.testing.assert_allclose(run.swvl1_mean[3], values.mean(0), rtol=1e-6)
    np.testing.assert_allclose(run.swvl1_spread[3], np.sqrt(((values - values.mean(0)) ** 2).sum(0) / 5), rtol=1e-6)
    low = np.sort(values, axis=0)
    np.testing.assert_allclose(run.swvl1_q10[3], 0.5 * (low[0] + low[1]), rtol=1e-5)  # rank 0.1 x 5 = 0.5
    assert run.swvl1_mean.attrs["short_name"] == "swvl1"
    assert "short_name" not in run.swvl1_spread.attrs
    assert run.swvl1_spread.attrs["cell_methods"] == "time: point realization: standard_deviation"
    assert run.swvl1_q10.attrs["percentile"] == 10.0


def test_statistics_are_of_the_means(path: Path) -> None:
    """With means over a period, the spread is that of the means."""
    run = opened(whole(path, 4, ensemble=5, statistics=["spread"], means="day", write_initial_state=True))
    days = np.mean([state(k, members=5)["fields"]["stl1"].astype("f8") for k in range(1, 5)], axis=0)
    np.testing.assert_allclose(run.stl1_spread[0], days.reshape(5, N_POINTS).std(0, ddof=1), rtol=1e-5)
    assert run.stl1_spread.attrs["cell_methods"] == "time: mean realization: standard_deviation"


@pytest.mark.parametrize("members", [None, 1])
def test_statistics_without_an_ensemble_are_refused(path: Path, members: int | None) -> None:
    """Statistics of a run without an ensemble are refused before the first step."""
    with pytest.raises(ValueError, match="needs an ensemble"):
        whole(path, 1, ensemble=members, statistics=["spread"])
