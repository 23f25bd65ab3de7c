# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Parts of an output: chunks, columns, restart files, means over periods, points."""

import logging
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.rollout.outputs.buffer import Buffer
from anemoi_ailand.rollout.outputs.chunked_output import CHUNK_SIZE, check_chunks, choose_chunks
from anemoi_ailand.rollout.outputs.output_columns import check_statistics, columns_of, statistics_of
from anemoi_ailand.rollout.outputs.output_frame import GATHERED_BYTES, Frame, resumed_attributes
from anemoi_ailand.rollout.outputs.output_progress import KEPT, Progress
from anemoi_ailand.rollout.outputs.period_means import PeriodMeans, period_of
from anemoi_ailand.rollout.outputs.point_choice import PointChoice
from anemoi_ailand.variables import names
from tests.support.outputs import FILES, N_POINTS, opened, state, whole


def frame(n_points, members=None):
    columns = columns_of(names("prognostic", "diagnostic"), members is not None, True, [], None)
    index = np.arange(n_points)
    return Frame(datetime(2022, 1, 1), index, index, index, n_points, members, columns)


@pytest.mark.parametrize("layout", [None, "map", "series"])
@pytest.mark.parametrize(("n_points", "members"), [(1, None), (1000, None), (171_039, None), (1000, 50), (40_000, 10)])
def test_sizes_are_bounded(layout, n_points, members):
    """A chunk has about 1 MiB; a block fits in memory (or is one time) and consists of whole chunks."""
    given = frame(n_points, members)
    chunks = choose_chunks(given, layout, None)
    assert chunks.time * chunks.member * chunks.point <= max(CHUNK_SIZE, n_points)
    assert chunks.block % chunks.time == 0
    assert chunks.block * given.row_bytes <= max(GATHERED_BYTES, given.row_bytes)
    assert chunks.point <= n_points
    assert chunks.member <= (members or 1)


def test_layouts():
    """A map is one chunk; a series is in few chunks."""
    assert choose_chunks(frame(100_000), "map", None).shape(members=False) == (2, 100_000)
    assert choose_chunks(frame(100), "series", None).shape(members=False) == (1460, 100)
    times, points = choose_chunks(frame(1000), "series", None).shape(members=False)
    assert times > 1000 > points
    assert choose_chunks(frame(1000, 10), None, None).shape(members=True) == (64, 4, 1000)


@pytest.mark.parametrize(("part", "times"), [(0, 64), (40, 40), (120, 60), (128, 64), (28, 28), (10, 64), (97, 64)])
def test_chunks_divide_a_part(part, times):
    """Chunks divide the times between two restarts, unless they would become tiny."""
    assert choose_chunks(frame(100), None, None, part).time == times


def test_given_chunks():
    """Given chunks are cut to the number of points; they are whole numbers below the limit of HDF5."""
    assert choose_chunks(frame(10), None, {"time": 5, "point": 100}).shape(members=False) == (5, 10)
    with pytest.raises(ValueError, match="more than HDF5 can store"):
        choose_chunks(frame(100_000), None, {"time": 20_000, "point": 100_000})
    for chunks in ({"time": 0, "point": 1}, {"time": 1}, {"time": 1.5, "point": 2}, {}):
        with pytest.raises(ValueError, match="Give whole numbers from 1 for `time` and `point`"):
            check_chunks(None, chunks)


@pytest.fixture(params=FILES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Path of an output, in each format."""
    return tmp_path / request.param


def test_statistics_are_checked():
    """A single one needs no list; unknown or repeated ones are refused with the known ones."""
    assert check_statistics("mean") == ("mean",)
    assert check_statistics(None) == ()
    for given in (["median"], ["q100"], ["qq"], ["mean", "mean"], [5], "Mean"):
        with pytest.raises(ValueError, match=r"percentiles q0 to q99.9"):
            check_statistics(given)


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
    assert opened(whole(path, 2, ensemble=1)).swvl1.shape == (3, 1, N_POINTS)  # files of any size are read alike


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


DATE, STEP = datetime(2022, 1, 1), timedelta(hours=6)


def two_points(longitudes=(0.0, 359.0)):
    columns = columns_of(["sd"], False, True, [], None)
    return Frame(DATE, np.array([1.0, 2.0]), np.array(longitudes), np.arange(2), 2, None, columns, {"history": "h"})


def started(tmp_path):
    progress = Progress(tmp_path / "f.parts")
    progress.start(two_points(), {"means": None}, 4)
    return progress


def test_restart_belongs_to_its_points(tmp_path):
    """Points that moved, or in another order, are refused; longitudes may be in another branch."""
    progress = started(tmp_path)
    stored = Progress(tmp_path / "f.parts").load(progress.run)
    turned = stored.checked(two_points(longitudes=(0.0, -1.0)), {"means": None})
    np.testing.assert_array_equal(turned.longitudes, [0.0, 359.0])
    for other in ((0.0, 358.0), (359.0, 0.0)):
        with pytest.raises(ValueError, match="same points"):
            stored.checked(two_points(longitudes=other), {"means": None})


def buffer(means="day"):
    return Buffer(two_points(), ["sd"], [], means, 3)


def test_last_three_are_kept(tmp_path):
    """Older restarts are removed."""
    progress = started(tmp_path)
    for number in range(1, 8):
        progress.save(number, buffer())
    kept = sorted(p.name for p in progress.folder.glob("waits-*"))
    assert kept == [f"waits-{n:06d}.npz" for n in (5, 6, 7)][-KEPT:]


def test_clearing_leaves_other_files(tmp_path):
    """Only our files are removed, and the folder once it is empty."""
    progress = started(tmp_path)
    (progress.folder / "000001.nc").touch()
    progress.clear()
    assert [p.name for p in progress.folder.iterdir()] == ["000001.nc"]
    (progress.folder / "note.txt").touch()
    progress.remove()
    assert [p.name for p in progress.folder.iterdir()] == ["note.txt"]
    (progress.folder / "note.txt").unlink()
    progress.remove()
    assert not progress.folder.exists()


def test_attributes_of_a_resumed_run():
    """They are those of the start, except history, and lead time and configuration of an extended run."""
    stored = {"history": "a", "lead_time": "1 day", "configuration": "{}", "versions": "1"}
    now = {"history": "b", "lead_time": "1 day", "configuration": "{x}", "versions": "2"}
    assert resumed_attributes(stored, now) == {**stored, "history": "a\nb (resumed)"}
    longer = resumed_attributes(stored, {**now, "lead_time": "2 days"})
    assert (longer["lead_time"], longer["configuration"], longer["versions"]) == ("2 days", "{x}", "1")


def test_a_run_that_resumes_with_another_execution_names_both():
    """In their order; the same one again adds nothing."""
    kept = {"history": "a", "lead_time": "1 day"}
    found = [kept | {"execution": "plain"}]
    for execution in ("plain", "compiled", "compiled", "plain"):
        found.append(resumed_attributes(found[-1], kept | {"execution": execution}))
    assert [each["execution"] for each in found] == [
        "plain", "plain", "plain, then compiled", "plain, then compiled", "plain, then compiled, then plain",
    ]  # fmt: skip


def field(date):
    return np.random.default_rng(int(date.timestamp())).normal(size=3).astype("f4")


def run(means, start, n_steps, first=1):
    dates = [start + k * STEP for k in range(first, n_steps + 1)]
    return [done for date in dates if (done := means.add(date, {"sd": field(date)}))]


@pytest.mark.parametrize(
    ("date", "period", "start", "end"),
    [
        ((2022, 1, 1, 6), "day", (2022, 1, 1), (2022, 1, 2)), ((2022, 1, 2, 0), "day", (2022, 1, 1), (2022, 1, 2)),
        ((2022, 3, 1, 0), "month", (2022, 2, 1), (2022, 3, 1)), ((2024, 2, 29, 6), "month", (2024, 2, 1), (2024, 3, 1)),
        ((2023, 1, 1, 0), "month", (2022, 12, 1), (2023, 1, 1)),
        ((2022, 12, 31, 18), "month", (2022, 12, 1), (2023, 1, 1)),
    ],
)  # fmt: skip
def test_period_of_a_stamp(date, period, start, end):
    """A stamp at midnight belongs to the day that ends."""
    assert period_of(datetime(*date), period) == (datetime(*start), datetime(*end))


@pytest.mark.parametrize(("period", "freq", "n"), [("day", "1D", 60), ("month", "1MS", 2)])
def test_means_are_those_of_xarray(period, freq, n):
    """Means are over the stamps in (start, end], in double precision, as xarray computes them."""
    start = datetime(2024, 2, 1)
    done = run(PeriodMeans(period, ["sd"], STEP), start, 4 * (29 + 31))
    stamps = [start + k * STEP for k in range(1, 4 * 60 + 1)]
    fields = xr.DataArray([field(d) for d in stamps], dims=("time", "x"), coords={"time": stamps}).astype("f8")
    expected = fields.resample(time=freq, closed="right", label="left").mean().dropna("time").values.astype("f4")
    np.testing.assert_array_equal([d.values["sd"] for d in done], expected)
    assert len(done) == n
    assert done[-1].end == datetime(2024, 4, 1)


@pytest.mark.parametrize("hour", [6, 12])
def test_incomplete_days_have_no_mean(hour, caplog):
    """A run that starts or ends within a day has no mean of it, which is logged."""
    means = PeriodMeans("day", ["sd"], STEP)
    with caplog.at_level(logging.WARNING):
        done = run(means, datetime(2022, 1, 1, hour), 8)
        means.warn_of_rest()
    assert [d.start for d in done] == [datetime(2022, 1, 2)]
    assert "No mean over the day from 2022-01-01" in caplog.text
    assert f"No mean over the day from 2022-01-03: only {hour // 6} of its steps" in caplog.text


def test_missing_values_stay_missing():
    """A NaN in a step is a NaN in the mean of its period only."""
    means, start = PeriodMeans("day", ["sd"], STEP), datetime(2022, 1, 1)
    given = [np.array([1.0, np.nan if k == 2 else 1.0], "f4") for k in range(1, 9)]
    done = [d for k, v in enumerate(given, 1) if (d := means.add(start + k * STEP, {"sd": v}))]
    np.testing.assert_array_equal([d.values["sd"] for d in done], [[1.0, np.nan], [1.0, 1.0]])


def test_missing_variable_is_an_error():
    """A missing variable is named, with the date."""
    with pytest.raises(ValueError, match=r"\['sd'\] are not in the state at 2022-01-01 06:00"):
        PeriodMeans("day", ["sd"], STEP).add(datetime(2022, 1, 1, 6), {})


LATITUDES = np.array([50.0, 50.0, 0.0, -10.0, -10.0, 89.0])
LONGITUDES = np.array([0.0, 10.0, 179.5, 180.0, 181.0, 300.0])


def chosen(longitudes=LONGITUDES, **config):
    return PointChoice(config).index(LATITUDES, longitudes).tolist()


def test_indices_in_the_order_given():
    """Indices count from 0, and points have the order given."""
    assert chosen(indices=[5, 0, 2]) == [5, 0, 2]
    assert PointChoice({"indices": [5, 0, 2]}).count == 3


@pytest.mark.parametrize("longitudes", [LONGITUDES, (LONGITUDES + 180.0) % 360.0 - 180.0], ids=["0 to 360", "-180 on"])
def test_area(longitudes):
    """In any convention of either side, across the date line and Greenwich, borders included."""
    expected = [
        ([60, -5, 40, 5], [0]), ([60, 355, 40, 5], [0]), ([60, 0, 40, 10], [0, 1]), ([10, 170, -20, -170], [2, 3, 4]),
        ([10, 170, -20, 190], [2, 3, 4]), ([10, -180, -20, -175], [3, 4]), ([10, 180, -20, 180], [3]),
        ([90, 0, -90, 360], [0, 1, 2, 3, 4, 5]), ([90, -180, -90, 180], [0, 1, 2, 3, 4, 5]), ([90, 10, 60, 5], [5]),
    ]  # fmt: skip
    assert [(area, chosen(longitudes, area=area)) for area, _ in expected] == expected


def test_nearest_is_on_the_sphere():
    """The nearest point is found near a pole and across the date line."""
    assert chosen(nearest=[[88.0, 120.0], [-9.0, -178.0], [49.0, 356.0]]) == [5, 4, 0]


@pytest.mark.parametrize(
    "config",
    [
        {"indices": []}, {"indices": [1, 1]}, {"indices": [-1]}, {"indices": [0.5]}, {"indices": 3},
        {"indices": [True]},
        {"area": [1, 2, 3]}, {"area": [10, 0, 20, 5]}, {"area": [91, 0, 0, 5]}, {"area": "Europe"},
        {"area": [1, float("nan"), 0, 5]}, {"nearest": [50.0, 7.0]}, {"nearest": []}, {"nearest": [[95.0, 7.0]]},
        {"nearest": [[50.0, 7.0], [50.0]]},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_values_are_refused(config):
    """Wrong values are refused when the run is configured."""
    with pytest.raises(ValueError, match=f"`points: {next(iter(config))}` is"):
        PointChoice(config)


def test_choices_that_cannot_be_made_are_refused():
    """One key of a mapping, an index among the points, and an area with points in it are needed."""
    for config, error, message in (
        ({"indeces": [1]}, TypeError, r"no option 'indeces'. Nearest: \['indices'\]"),
        ([1, 2], TypeError, "Give a mapping"),
        ({"indices": [1], "area": [1, 2, 0, 4]}, ValueError, "Give one of"),
        ({"indices": [0, 6]}, ValueError, r"has \[6\], and the run has 6 points"),
        ({"area": [-60, 0, -90, 360]}, ValueError, r"has none of the run's 6 points.*-10.00 and 89.00"),
    ):
        with pytest.raises(error, match=message):
            PointChoice(config).index(LATITUDES, LONGITUDES)
