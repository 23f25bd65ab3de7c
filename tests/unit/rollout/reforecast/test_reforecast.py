# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Re-forecasts: dates and leads, division of the work, the file, and errors."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data import anemoi_dataset
from anemoi_ailand.evaluation.fields.reforecast import open_reforecast
from anemoi_ailand.rollout.forcing.cyclic_years import find_cycle
from anemoi_ailand.rollout.outputs.zarr_store import shards_report
from anemoi_ailand.rollout.reforecast import reforecast as under_test
from anemoi_ailand.rollout.reforecast.period import check_options, period
from anemoi_ailand.rollout.reforecast.reforecast import division, lead_hours_of_days, protocol_a_starts, reforecast
from anemoi_ailand.rollout.reforecast.reforecast_file import Layout, ReforecastFile
from anemoi_ailand.rollout.run import progress as bars_of
from anemoi_ailand.rollout.step import row_blocks
from anemoi_ailand.support.lock import InUse
from anemoi_ailand.support.netcdf_writer import variable_attributes
from anemoi_ailand.variables import VARIABLES
from tests.support import dataset as case
from tests.support.land import OPEN

STARTS = ["2022-01-01T00", "2022-01-01T18", "2022-01-05T00"]
FIRST = [0, 3, 16]
LEADS = [6, 18, 24, 48]


def six_hourly(first, last):
    return np.arange(np.datetime64(first, "s"), np.datetime64(last, "s") + 1, np.timedelta64(6, "h"))


def test_protocol_a_has_138_starts_in_a_year():
    """Starts are every other midnight; the last run ends with the year; a leap year has as many."""
    for year in (2022, 2020):
        starts = protocol_a_starts(six_hourly("2019-06-01", "2023-05-01"), year)
        assert len(starts) == 138
        assert starts[0] == np.datetime64(f"{year}-01-01", "s")
        assert (np.diff(starts) == np.timedelta64(2, "D")).all()


@pytest.mark.parametrize(("every", "length", "expected"), [(1, 1, 9), (1, 9, 1), (4, 2, 2), (3, 3, 3)])
def test_protocol_a_of_part_of_a_year(every, length, expected):
    """Ten days, 5 to 14 March, end at 18 UTC."""
    starts = protocol_a_starts(six_hourly("2022-03-04T12", "2022-03-14T18")[2:], 2022, every, length)
    assert len(starts) == expected
    assert starts[0] == np.datetime64("2022-03-05", "s")
    assert starts[-1] + np.timedelta64(length, "D") <= np.datetime64("2022-03-14T18", "s")


def test_requests_of_the_protocols_without_sense_are_refused():
    """The error names the available dates; days are counted from one."""
    dates = six_hourly("2022-03-05", "2022-03-14T18")
    for year, options, message in (
        (2021, {}, "fits into 2021: the dataset has 2022-03-05T00:00:00 to 2022-03-14T18:00:00, 0 dates"),
        (2022, {"length_days": 10}, "No integration of 10 days fits"),
        (2022, {"every_days": 0}, "every_days is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            protocol_a_starts(dates, year, **options)
    for days in ([0], [1.5]):
        with pytest.raises(ValueError, match="counted from 1"):
            lead_hours_of_days(days)


def test_leads_of_days_are_their_four_stamps():
    """Day d ends at 24 d; leads are sorted and unique."""
    np.testing.assert_array_equal(lead_hours_of_days([1]), [6, 12, 18, 24])
    np.testing.assert_array_equal(lead_hours_of_days([90, 2, 2]), [30, 36, 42, 48, 2142, 2148, 2154, 2160])
    assert len(lead_hours_of_days([1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 75, 90])) == 52


@pytest.mark.parametrize(
    ("spacing", "n_starts", "n_points", "rows", "expected"),
    [
        (8, 138, 112, 10**5, (138, 112)),  # protocol A: 45 under way, all fit
        (8, 138, 10**6, 45 * 1000, (138, 1000)),  # points are divided
        (10**4, 5, 10**6, 1000, (5, 1000)),  # never two under way
        (1, 5000, 10**6, 2560, (10, 256)),  # few points as it is: starts are divided
        (1, 5000, 1, 10, (10, 1)),
        (1, 3, 1, 0, (1, 1)),  # one roll-out is always possible
    ],
)
def test_parts_keep_active_rollouts_below_the_limit(spacing, n_starts, n_points, rows, expected):
    """Points are divided first, down to a few, then starts."""
    assert division(spacing * np.arange(n_starts), 360, n_points, rows) == expected


@pytest.fixture
def data(monkeypatch):
    """Dataset and model in memory, in place of any."""
    made, step = case.FakeDataset(), OPEN.land_step()
    monkeypatch.setattr("anemoi.datasets.open_dataset", lambda _path: made)
    monkeypatch.setattr(under_test, "load_step", lambda *_: step)
    made.step = step
    return made


def run(folder, name="f.nc", **options):
    """A re-forecast of the starts and leads above; the path."""
    path = folder / "out" / name
    found = reforecast(
        "best.ckpt",
        folder,
        path,
        **{"starts": STARTS, "leads": LEADS, "progress": False, "plausibility": "off", **options},
    )
    assert found == path
    return path


def compare(path, data, points=slice(None), leads=LEADS):
    """The file is what a loop over the starts gives, to the last bit."""
    with xr.open_dataset(path) as found:
        for s, first in enumerate(FIRST):
            dates = range(first, first + max(leads) // 6)
            expected = case.by_hand(data.step, data, dates, points)[np.array(leads) // 6 - 1]
            for i, name in enumerate(data.step.outputs):
                got = found[VARIABLES[name].netcdf_name].values[s]
                np.testing.assert_array_equal(got, expected[..., i], err_msg=name)


def test_file_has_every_start_lead_and_point(tmp_path, data):
    """Values are those of a loop over the starts, with names of points, model and dataset."""
    path = run(tmp_path, label="A")
    compare(path, data)
    with xr.open_dataset(path) as found:
        np.testing.assert_array_equal(found.latitude, data.latitudes)
        np.testing.assert_array_equal(found.point_id, [10, 11, 12, 13, 14])
        assert (found.attrs["label"], found.attrs["checkpoint"]) == ("A", "best.ckpt")
        assert found.attrs["dataset"] == str(tmp_path)
        assert {"checkpoint_sha256", "code_sha256"} <= set(found.attrs)


@pytest.mark.parametrize(("flight", "gathered"), [(1, 3), (3000, 1), (3000, 64), (6000, 3)])
def test_division_changes_nothing(tmp_path, data, monkeypatch, flight, gathered):
    """With little memory the work is divided, and the file is the same."""
    monkeypatch.setattr(under_test, "FLIGHT_BYTES", flight)
    monkeypatch.setattr(under_test, "FEW_POINTS", 2)
    monkeypatch.setattr(under_test, "GATHERED_LEADS", gathered)
    monkeypatch.setattr(under_test, "CHUNK_SIZE", 4)
    compare(run(tmp_path, batch_rows=3), data)


def test_starts_points_and_variables_are_chosen(tmp_path, data):
    """Points keep the given order, variables that of the model; starts come in any form and order, up to the end."""
    last = case.DATES[-1] - np.timedelta64(48, "h")
    starts = [last.item(), STARTS[1], np.datetime64(STARTS[0])]
    some, whole = run(tmp_path, "some.nc", points=[4, 1], variables=["2t", "stl1"], starts=starts), run(tmp_path)
    with xr.open_dataset(some) as found, xr.open_dataset(whole) as full:
        assert set(found.data_vars) == {"t2m", "stl1"}
        np.testing.assert_array_equal(found.start, np.array([*STARTS[:2], last], "datetime64[ns]"))
        for name in ("t2m", "stl1"):
            np.testing.assert_array_equal(found[name][:2], full[name].isel(point=[4, 1])[:2])
            assert np.isfinite(found[name]).all()
        np.testing.assert_array_equal(found.point_id, [14, 11])


def test_one_long_run_is_written_as_it_goes(tmp_path, data, monkeypatch):
    """Groups of leads are written in order, as soon as they are complete."""
    monkeypatch.setattr(under_test, "GATHERED_LEADS", 4)
    monkeypatch.setattr(row_blocks, "STEPS", 4)
    written, write = [], under_test.ReforecastFile.write

    def noted(self, start, leads, points, values):
        written.append((leads.start, leads.stop, max(data.reads)))
        write(self, start, leads, points, values)

    monkeypatch.setattr(anemoi_dataset, "BLOCK_BYTES", 1)
    monkeypatch.setattr(under_test.ReforecastFile, "write", noted)
    run(tmp_path, starts=STARTS[:1], leads=range(6, 6 * 31, 6))
    assert [w[:2] for w in written] == [(b, min(b + 4, 30)) for b in range(0, 30, 4)]
    assert all(read < stop + 4 for _, stop, read in written)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"starts": []}, "No start date"),
        ({"leads": []}, "No lead time"),
        ({"leads": [6, 9]}, r"Lead times \[9\] h are not positive multiples of 6 h"),
        ({"points": []}, r"`points` has shape \(0,\)"),
        ({"points": [True, False]}, "type bool"),
        ({"points": [1, 5]}, r"Points \[5\] are not in .*has 5 \(0 to 4\)"),
        ({"points": [1, 1]}, "only 1 different"),
        ({"variables": ["stl1", "sd"]}, r"names \['sd'\], but .* predicts"),
        ({"batch_rows": 0}, "batch_rows is 0"),
        ({"starts": ["2022-01-09T00"]}, "from 2022-01-09T00:00:00 to 2022-01-11T00:00:00 .* is not covered"),
        ({"starts": [STARTS[0], "2022-01-01T03"]}, r"\(1 of 2 starts affected\)"),
    ],
)
def test_wrong_request_stops_before_any_work(tmp_path, data, options, message):
    """The error names problem, available values and remedy; nothing is read or written."""
    with pytest.raises(ValueError, match=message):
        run(tmp_path, **options)
    assert data.reads == []
    assert list(tmp_path.iterdir()) == []


def test_existing_output_is_replaced_only_on_request(tmp_path, data):
    """A folder is never replaced."""
    path = run(tmp_path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=r"f.nc' exists. Give another name, or `overwrite=True`"):
        run(tmp_path)
    assert path.read_bytes() == before
    run(tmp_path, overwrite=True, leads=[6])
    with xr.open_dataset(path) as found:
        assert found.sizes["lead"] == 1
    (tmp_path / "out" / "folder").mkdir()
    with pytest.raises(FileExistsError, match="is a folder"):
        run(tmp_path, "folder", overwrite=True)


def test_failure_on_the_way_leaves_nothing(tmp_path, data):
    """Missing forcing late in the last roll-out leaves no file."""
    data.set("t", 23, 2, np.nan)
    with pytest.raises(ValueError, match="'t' at 2022-01-06 18:00 is missing or infinite at 1 of 5 points"):
        run(tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_log_and_bar(tmp_path, data, caplog, capfd, monkeypatch):
    """The log has one line, and a terminal one bar, which ends at starts x points x steps."""
    caplog.set_level("INFO", logger="anemoi_ailand")
    run(tmp_path)
    assert [r.getMessage().split(": ")[1] for r in caplog.records if r.name == under_test.__name__] == [
        "3 starts x 4 leads x 5 points x 5 variables, 120 steps in 1 passes"
    ]
    assert capfd.readouterr() == ("", "")
    bars = []

    class Bar(bars_of.tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **{**kwargs, "disable": False})
            bars.append(self)

    monkeypatch.setattr(bars_of, "tqdm", Bar)
    run(tmp_path, "other.nc")
    assert [(b.n, b.total) for b in bars] == [(120, 120)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A re-forecast by one process, which the shards of others should equal."""
    with pytest.MonkeyPatch.context() as patch:
        made, step = case.FakeDataset(), OPEN.land_step()
        patch.setattr("anemoi.datasets.open_dataset", lambda _path: made)
        patch.setattr(under_test, "load_step", lambda *_: step)
        with xr.open_dataset(run(tmp_path_factory.mktemp("whole"))) as found:
            return found.load()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shards_write_one_zarr_whatever_their_number(tmp_path, data, whole, count):
    """The store has its name when the last shard is in, bitwise what one process writes; chunks have one writer."""
    for number in reversed(range(count)):
        assert not (tmp_path / "out" / "f.zarr").exists()
        path = run(tmp_path, "f.zarr", shards=count, shard=number)
    with xr.open_dataset(path, engine="zarr") as found:
        for name in whole.data_vars:
            np.testing.assert_array_equal(found[name].values, whole[name].values, err_msg=name)
        np.testing.assert_array_equal(found.point_id, whole.point_id)
        assert found.swvl1.encoding["chunks"][2] == -(-5 // count)
    assert [p.name for p in path.parent.iterdir()] == ["f.zarr"]
    assert open_reforecast(path).select(points=[4]).read("swvl1").shape == (3, 4, 1)


def test_a_shard_that_died_is_the_only_one_that_is_run_again(tmp_path, data, whole, caplog):
    """The others say which is missing and end at once when started again; there is no store without it."""
    caplog.set_level("INFO", logger="anemoi_ailand")
    before, place = data.values.copy(), tmp_path / "out" / "f.zarr"
    data.set("t", 23, 2, np.nan)
    for number in range(3):
        if number == 1:
            with pytest.raises(ValueError, match="'t' at 2022-01-06 18:00 is missing or infinite at 1 of 2 points"):
                run(tmp_path, "f.zarr", shards=3, shard=number)
        else:
            run(tmp_path, "f.zarr", shards=3, shard=number)
    assert not place.exists()
    assert "lacks 1 of 3 shards: running [], not running [1]. Start" in caplog.text
    data.values, data.reads = before, []
    run(tmp_path, "f.zarr", shards=3, shard=0)
    assert not data.reads
    with xr.open_dataset(run(tmp_path, "f.zarr", shards=3, shard=1), engine="zarr") as found:
        np.testing.assert_array_equal(found.swvl1.values, whole.swvl1.values)
    data.reads = []
    assert run(tmp_path, "f.zarr", shards=3, shard=2) == place
    assert not data.reads


def test_shards_that_do_not_fit_together_are_refused(tmp_path, data, monkeypatch):
    """Other options, versions, numbers, or another run: the error says in what they differ, before any step."""
    run(tmp_path, "f.zarr", shards=3, shard=0)
    data.reads = []
    for options, message in (
        ({"shards": 2}, r"differs \(there, here\): {'shards': \(3, 2\)}. Start all shards alike"),
        ({"leads": LEADS[:2]}, r"'leads': \(\[6, 18, 24, 48\], \[6, 18\]\)"),
        ({"points": [0, 1, 2]}, "points_sha256"),
        ({"shard": 3}, "`shards` is 3 and `shard` 3. Give the number"),
        ({"shards": 4}, "5 points in chunks of 2 fill 3 shards, and there are 4"),
        ({"shards": "auto", "shard": None}, "neither srun nor torchrun started this process"),
        ({"shards": "auto"}, "so `shard` 1 has no use"),
        ({"shards": None}, "`shard` is 1, and `shards` is not given"),
        ({"name": "f.nc"}, "3 shards cannot write one file"),
        ({"overwrite": True}, "A zarr is not overwritten"),
    ):
        with pytest.raises(ValueError, match=message):
            run(tmp_path, **{"name": "f.zarr", "shards": 3, "shard": 1, **options})
    monkeypatch.setattr("anemoi_ailand.rollout.reforecast.reforecast_file.versions", lambda: "torch 1.0")
    with pytest.raises(ValueError, match=r"'versions': \('anemoi-ailand .*, 'torch 1.0'\)"):
        run(tmp_path, "f.zarr", shards=3, shard=1)
    with pytest.raises(FileExistsError, match="exists, and no shards wrote it"):
        (tmp_path / "out" / "other.zarr").mkdir()
        run(tmp_path, "other.zarr")
    assert not data.reads


def test_numbers_come_from_what_starts_the_processes(tmp_path, data, monkeypatch):
    """Both numbers are read from srun, or from torchrun within srun; a process at work holds its shard."""
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_NTASKS", "2")
    path = tmp_path / "out" / "f.zarr"
    run(tmp_path, "f.zarr", shards="auto")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert shards_report(path).startswith(f"'{path}' lacks 1 of 2 shards: running [], not running [0]")
    program = (
        "import sys; from pathlib import Path; from anemoi_ailand.support.lock import acquire;"
        "acquire(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    held = [sys.executable, "-c", program, f"{path}.shard-0"]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        assert "running [0], not running []" in shards_report(path)
        with pytest.raises(InUse, match=f"process {other.pid}"):
            run(tmp_path, "f.zarr", shards="auto")
        other.communicate("")
    run(tmp_path, "f.zarr", shards="auto")
    assert path.exists()


NAMES = ("swvl1", "2t", "slhf")
FILE_STARTS = np.array(["2022-01-01T00", "2022-01-03T06"], dtype="datetime64[s]")
FILE_LEADS = np.array([6, 24, 48])
N_POINTS = 4


def layout(**changes):
    made = {
        "starts": FILE_STARTS, "leads": FILE_LEADS, "latitudes": np.linspace(-60.0, 70.0, N_POINTS),
        "longitudes": np.linspace(0.0, 350.0, N_POINTS), "point_id": np.array([7, 3, 1, 0]), "variables": NAMES,
        "attributes": {"label": "A", "checkpoint": "best.ckpt"}, "lead_chunk": 2, "point_chunk": 3,
    }  # fmt: skip
    return Layout(**{**made, **changes})


def values():
    """All that is written, shape (start, lead, variable, point)."""
    shape = (len(FILE_STARTS), len(FILE_LEADS), len(NAMES), N_POINTS)
    return np.random.default_rng(0).standard_normal(shape).astype("f4")


def write(path, **changes):
    """Write a whole file."""
    with ReforecastFile.create(path, layout(**changes)) as file:
        for start in range(len(FILE_STARTS)):
            file.write(start, slice(None), slice(None), values()[start])
    return path


def test_axes_are_those_of_the_contract(tmp_path):
    """Starts decode to dates, leads stay whole hours, points have place and identity; chunks have one start."""
    with xr.open_dataset(write(tmp_path / "f.nc")) as found:
        np.testing.assert_array_equal(found.start, FILE_STARTS.astype("datetime64[ns]"))
        np.testing.assert_array_equal(found.lead, FILE_LEADS)
        assert (found.lead.dtype, found.lead.attrs["units"]) == (np.int32, "h")
        assert found.lead.attrs["standard_name"] == "forecast_period"
        np.testing.assert_array_equal(found.latitude, layout().latitudes)
        np.testing.assert_array_equal(found.point_id, [7, 3, 1, 0])
        assert {"latitude", "longitude", "point_id", "start", "lead"} == set(found.coords)
        np.testing.assert_array_equal(found.swvl1, values()[:, :, 0])
        assert found.swvl1.dims == ("start", "lead", "point")
        assert (found.swvl1.encoding["chunksizes"], found.swvl1.encoding["zlib"]) == ((1, 2, 3), True)
    with xr.open_dataset(write(tmp_path / "g.nc", point_id=None)) as found:
        assert {"latitude", "longitude"} <= set(found.swvl1.coords) - {"point_id"}


def test_attributes_are_those_of_the_table(tmp_path):
    """Variables have the attributes of the table, the file those given, and its history."""
    with xr.open_dataset(write(tmp_path / "f.nc")) as found:
        for name in NAMES:
            attrs = found[VARIABLES[name].netcdf_name].attrs
            assert attrs.items() >= variable_attributes(name).items()
        assert (found.attrs["label"], found.attrs["checkpoint"]) == ("A", "best.ckpt")
        assert "written by anemoi-ailand" in found.attrs["history"]


DATES = np.arange(np.datetime64("2021-12-31T06", "s"), np.datetime64("2022-03-01T00", "s"), np.timedelta64(6, "h"))


@pytest.mark.parametrize(
    ("start", "lead", "end", "first", "last"),
    [
        (None, None, None, "2022-01-01T00", "2022-02-28T18"),
        ("2022-02", None, None, "2022-02-01T00", "2022-02-28T18"),
        ("2022", "36h", None, "2022-01-01T00", "2022-01-02T12"),
        ("2022-01-05T06", "2d", None, "2022-01-05T06", "2022-01-07T06"),
        ("2022-01-05 06:00", None, "2022-01-06", "2022-01-05T06", "2022-01-06T18"),
        ("2021-12-31T06", None, "2022-01-06T00", "2021-12-31T06", "2022-01-06T00"),
        (None, None, "2022-01", "2022-01-01T00", "2022-01-31T18"),
    ],
)
def test_period(start, lead, end, first, last):
    """Defaults are the first midnight and the last date; a day or month as the end stands for its last date."""
    found = period(DATES, start, lead, end)
    assert [DATES[i] for i in found] == [np.datetime64(first), np.datetime64(last)]
    assert period(DATES[:3], None, None, None) == (0, 2)  # there is no midnight


@pytest.mark.parametrize(
    ("start", "lead", "end", "message"),
    [
        ("2021-12-30", None, None, "`--start` leads to 2021-12-30T00:00, which is not in the dataset. The dataset has"),
        ("2022-01-01", "364d", None, "`--lead` leads to 2022-12-31T00:00"),
        ("2022-01-01", "7h", None, "`--lead` leads to 2022-01-01T07:00"),
        ("2022-01-01", None, "2022", "`--end` leads to 2022-12-31T18:00"),
        ("2022-01-05", None, "2022-01-05T00", "no step from"),
        ("2022-01-05", "1d", "2022-01-08", "Give one of them"),
        ("yesterday", None, None, "`--start yesterday` is not a date"),
        ("2022-01-01T00+01:00", None, None, "Give UTC"),
        (None, "a while", None, "not a duration"),
    ],
)
def test_wrong_period_is_refused(start, lead, end, message):
    """The error names option, available period and remedy."""
    with pytest.raises(ValueError, match=message):
        period(DATES, start, lead, end)


YEARS = np.arange(np.datetime64("2018-01-01T06", "s"), np.datetime64("2023-01-01T00", "s"), np.timedelta64(6, "h"))


def test_years_are_those_of_the_calendar():
    """Years run from the first midnight to the last anniversary; 2020 has its leap day, four years are 1461 days."""
    cycle = find_cycle(YEARS)
    assert [str(d) for d in cycle.dates[[0, -1]]] == ["2018-01-02T00:00:00", "2022-01-02T00:00:00"]
    assert [len(cycle.year(k)) for k in range(4)] == [1460, 1460, 1464, 1460]
    assert cycle.steps(100) == 25 * 4 * 1461
    assert (YEARS[list(cycle.turns)] == cycle.dates).all()
    chosen = find_cycle(YEARS, "2019-07-01", "2021-12-31")
    assert [str(d)[:10] for d in chosen.dates] == ["2019-07-01", "2020-07-01", "2021-07-01"]


def test_years_are_repeated_without_a_gap_or_a_seam():
    """Each year begins where the one before ended, and the first one follows the last."""
    cycle = find_cycle(YEARS)
    for k in range(3):
        assert cycle.year(k).stop == cycle.year(k + 1).start
    assert cycle.year(4) == cycle.year(0)
    assert YEARS[cycle.year(3).stop] == np.datetime64("2022-01-02T00")


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2017-01-01", None, "no date 2017-01-01"),
        ("2018-01-01T03", None, "no date 2018-01-01T03"),
        ("2020-02-29", None, "29 February"),
        ("2022-06-01", None, "no whole year from 2022-06-01"),
        (None, "2018-12-01", "no whole year"),
    ],
)
def test_invalid_cycle_is_refused(start, end, message):
    """The error names the available period."""
    with pytest.raises(ValueError, match=message):
        find_cycle(YEARS, start, end)


def test_form_is_checked_without_a_dataset():
    """Dates and lengths of a wrong form are refused; dates outside any dataset pass."""
    check_options("1066", "364d", None)
    check_options(None, None, "1066-10-14T06")
    for options in (("2022-99-01", None, None), (None, "banana", None), (None, None, "soon"), (None, "1d", "2022")):
        with pytest.raises(ValueError, match="Give"):
            check_options(*options)
