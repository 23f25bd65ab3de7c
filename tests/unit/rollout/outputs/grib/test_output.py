# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""GRIB of a roll-out, read back by ecCodes and by the package's own reader."""

import logging
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import eccodes
import numpy as np
import pytest

from anemoi_ailand.data.grib.rows import rows_of
from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.rollout.step.pretrained import pretrained_record
from anemoi_ailand.variables import variable
from tests.support import outputs
from tests.support.outputs import START, STEP, killed, resumed, whole

GIVEN = pretrained_record()["variables"]
STATE, NAMES = GIVEN["state"], [*GIVEN["state"], *GIVEN["diagnostic"]]
N = 60


def land(n: int = N) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return some points of O96 in the order of the grid, and their positions."""
    rows = rows_of("O96")
    longitudes = np.concatenate([np.arange(c) * 360.0 / c for c in rows.counts])
    places = np.sort(np.random.default_rng(5).permutation(rows.size)[:n])
    return np.repeat(rows.latitudes, rows.counts)[places], longitudes[places], places


made = partial(outputs.made, names=NAMES)


def values_of(k: int, name: str, n: int) -> np.ndarray:
    """Return values of a variable after k steps, within its bounds, with snow everywhere."""
    low, high = variable(name).bounds
    low, high = {"sd": (1.0, 100.0), "slw": (0.0, 1.0), "src": (0.0, 1.0)}.get(name, (low, high))
    low, high = (-1e-4 if low is None else low), (1e-4 if high is None else high)
    return np.random.default_rng([k, NAMES.index(name)]).uniform(low, high, n).astype("f4")


def state(k: int, members: int | None = None, names: list[str] = NAMES) -> dict[str, Any]:
    latitudes, longitudes, _ = land()
    found = {
        "date": START + k * STEP, "step": k * STEP, "latitudes": np.tile(latitudes, members or 1),
        "longitudes": np.tile(longitudes, members or 1),
        "fields": {n: values_of(k, n, N * (members or 1)) for n in names if k or n in STATE},
    }  # fmt: skip
    return found | ({} if members is None else {"members": members})


def written(path: Path, steps: int = 8, members: int | None = None, **options: Any) -> Path:
    """Write a whole run and return the path."""
    output = made(path, **options)
    output.open(state(0, members))
    output.write_initial_state(state(0, members))
    for k in range(1, steps + 1):
        output.write_state(state(k, members))
    output.close()
    return path


def messages(path: Path, *keys: str) -> list[dict[str, Any]]:
    """Return keys and ``values`` (NaN where missing) of all messages."""
    found = []
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            eccodes.codes_set(handle, "missingValue", 1.0e33)
            values = eccodes.codes_get_values(handle)
            there = {k: eccodes.codes_get(handle, k) if eccodes.codes_is_defined(handle, k) else None for k in keys}
            found.append({**there, "values": np.where(values == 1.0e33, np.nan, values)})
            eccodes.codes_release(handle)
    return found


def close(found: np.ndarray, expected: np.ndarray, bits: int = 15) -> None:
    """Compare within the precision of packing."""
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=2.0**-bits * float(np.ptp(expected)) + 1e-6)


def test_land_of_a_known_grid(tmp_path: Path) -> None:
    """Messages are on the whole O96, missing off the points, in the order of time."""
    keys = ("shortName", "gridName", "bitmapPresent", "endStep", "level", "numberOfDataPoints", "numberOfMissing")
    found = messages(written(tmp_path / "f.grib"), *keys)
    assert {(m["gridName"], m["bitmapPresent"], m["numberOfDataPoints"], m["numberOfMissing"]) for m in found} == {
        ("O96", 1, 40320, 40320 - N)
    }
    steps = [m["endStep"] for m in found]
    assert steps == sorted(steps)
    assert [steps.count(6 * k) for k in range(9)] == [len(STATE)] + 8 * [len(NAMES)]
    skt = [m for m in found if m["shortName"] == "skt"]
    for k, message in enumerate(skt, start=1):
        close(message["values"][land()[2]], values_of(k, "skt", N))


@pytest.mark.parametrize(
    ("edition", "options"),
    [(1, {"dates": "valid"}), (2, {}), (2, {"soil": "parameters", "packing": "simple"}), (2, {"grid": "unstructured"}),
     (2, {"fluxes": "accumulated"}), (1, {"fluxes": "accumulated"})],
)  # fmt: skip
def test_is_read_back_as_an_initial_state(tmp_path: Path, edition: int, options: dict[str, Any]) -> None:
    """The reader returns state and known diagnostics on the same points in the same order."""
    path = written(tmp_path / "f.grib", steps=3, edition=edition, **options)
    unstructured = options.get("grid") == "unstructured"
    reader = open_reader(str(path), str(path) + ".points.nc" if unstructured else None)
    latitudes, longitudes, _ = land()
    np.testing.assert_allclose(reader.latitudes, latitudes, rtol=0.0, atol=1e-3)
    np.testing.assert_allclose(reader.longitudes, longitudes, rtol=0.0, atol=1e-3)
    unread = {"gpp", "nee"} | (set() if options.get("fluxes") == "accumulated" else {"evap"})
    unread |= {"slw"} if edition == 1 else set()  # snowc is made of what there is
    assert set(reader.variables) >= set(NAMES) - unread
    for k in (0, 3):
        for name in [n for n in (NAMES if k else STATE) if n in reader.variables]:
            if edition == 2 or name != "snowc":
                found = reader.read([name], [START + k * STEP])[0, 0]
                close(found, values_of(k, name, N), 14 if variable(name).name in STATE else 12)


def test_accumulations_grow_from_the_start(tmp_path: Path) -> None:
    """Accumulations are in J m-2 and m since step 0, whatever the output frequency."""
    path = written(tmp_path / "f.grib", fluxes="accumulated", output_frequency="12h")
    found = messages(path, "shortName", "stepRange", "units")
    for name, short_name, units, factor in (("slhf", "slhf", "J m**-2", 1.0), ("sro", "sro", "m", 1e-3)):
        chosen = [m for m in found if m["shortName"] == short_name]
        assert [(m["stepRange"], m["units"]) for m in chosen] == [(f"0-{12 * k}", units) for k in range(1, 5)]
        for k, message in enumerate(chosen, start=1):
            total = sum(values_of(j, name, N).astype("f8") for j in range(1, 2 * k + 1)) * 21600.0 * factor
            np.testing.assert_allclose(message["values"][land()[2]], total, rtol=0.0, atol=1e-6 * np.ptp(total))
    assert [m["stepRange"] for m in found if m["shortName"] == "skt"] == ["12", "24", "36", "48"]


def test_valid_dates(tmp_path: Path) -> None:
    """With `dates: valid` instants are analyses, and means have the date at which their interval starts."""
    keys = ("shortName", "dataDate", "dataTime", "stepRange", "dataType")
    found = messages(written(tmp_path / "f.grib", dates="valid"), *keys)
    skt, slhf = ([list(m.values())[1:5] for m in found if m["shortName"] == n] for n in ("skt", "avg_slhtf"))
    assert skt[4] == [20220102, 600, "0", "an"]
    assert slhf[4] == [20220102, 0, "0-6", "fc"]


def test_means_over_a_day(tmp_path: Path) -> None:
    """Instants and fluxes have means over a day."""
    found = messages(written(tmp_path / "f.grib", means="day"), "shortName", "stepRange", "stepType")
    for name, short_name in (("2t", "avg_2t"), ("slhf", "avg_slhtf")):
        days = [m for m in found if m["shortName"] == short_name]
        assert [(m["stepRange"], m["stepType"]) for m in days] == [("0-24", "avg"), ("24-48", "avg")]
        close(days[1]["values"][land()[2]], np.mean([values_of(k, name, N).astype("f8") for k in range(5, 9)], axis=0))


def test_members_are_numbered(tmp_path: Path) -> None:
    """The reader selects members by number."""
    path = written(tmp_path / "f.grib", steps=3, members=3)
    keys = ("shortName", "number", "numberOfForecastsInEnsemble", "dataType", "endStep")
    skt = [list(m.values())[1:5] for m in messages(path, *keys) if m["shortName"] == "skt"]
    assert skt == [[m, 3, "pf", 6 * k] for k in (1, 2, 3) for m in range(3)]
    found = open_reader(str(path), number=2).read(["skt"], [START + 2 * STEP])[0, 0]
    close(found, values_of(2, "skt", 3 * N)[2 * N :])


def test_statistics_over_members(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Statistics have types em, es and pb; those that GRIB lacks are left out with a warning."""
    with caplog.at_level(logging.WARNING):
        path = written(tmp_path / "f.grib", steps=1, members=4, statistics=["mean", "spread", "q10"])
    assert "gpp_mean: GRIB2 has no statistics of constituents" in caplog.text
    every = messages(path, "shortName", "dataType", "percentileValue")
    found = {m["dataType"]: m for m in every if m["shortName"] == "skt"}
    members = values_of(1, "skt", 4 * N).reshape(4, N).astype("f8")
    mean, spread, low = members.mean(0), members.std(0, ddof=1), np.percentile(members, 10, 0)
    for kind, expected in (("em", mean), ("es", spread), ("pb", low)):
        close(found[kind]["values"][land()[2]], expected)
    assert found["pb"]["percentileValue"] == 10


def test_limits_of_grib1_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Variables without a parameter cause a warning, or an error if no other is left."""
    with caplog.at_level(logging.WARNING):
        written(tmp_path / "f.grib", steps=1, edition=1)
    assert "snowc: GRIB1 has no parameter for it; slw: GRIB1 has no parameter for it" in caplog.text
    with pytest.raises(ValueError, match="cannot write any variable"):
        written(tmp_path / "g.grib", steps=1, edition=1, variables=["slw"])


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "members": {"members_of_run": 3, "dates": "valid"},
    "accumulated members": {
        "members_of_run": 2, "fluxes": "accumulated", "output_frequency": "12h", "packing": "simple",
    },
    "days": {"means": "day", "bits": {"default": 12, "swvl1": 20}},
}  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("case", list(CASES))
def test_killed_run_resumes_to_the_same_bytes(tmp_path: Path, case: str) -> None:
    """After SIGKILL between two restarts, the file is bitwise that of an undisturbed run, and nothing else is left."""
    options = {**CASES[case]}
    members, path = options.pop("members_of_run", None), tmp_path / "f.grib"
    killed(path, 17, members, 5, **options)
    resumed(path, 22, members, 5, **options)
    undisturbed = whole(tmp_path / "undisturbed.grib", 22, members, None, **options)
    assert path.stat().st_size > 0
    assert path.read_bytes() == undisturbed.read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {
        "restart.json", *(p.name + end for p in (path, undisturbed) for end in ("", ".points.nc"))
    }  # fmt: skip


def test_restart_of_a_shorter_file_is_refused(tmp_path: Path) -> None:
    """A file shorter than at the restart, or missing, is refused."""
    path = tmp_path / "f.grib"
    killed(path, 6, None, 5)
    partial = path.with_name("f.grib.partial")
    partial.write_bytes(partial.read_bytes()[:100])
    with pytest.raises(ValueError, match="has 100 bytes, fewer than"):
        resumed(path, 8, None, 5)
    partial.unlink()
    with pytest.raises(FileNotFoundError, match="Start a new run"):
        resumed(path, 8, None, 5)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"edition": 3}, ValueError, "`edition` is 3"),
        ({"fluxes": "sum"}, ValueError, "mean"),
        ({"dates": "an"}, ValueError, "valid"),
        ({"grids": "O96"}, TypeError, "Nearest: .*'grid'"),
        ({"bits": 64}, ValueError, "from 1 to 32"),
        ({"bits": {"swvl9": 16}}, ValueError, "swvl9"),
        ({"keys": {"dataDate": 20200101}}, ValueError, "has \\['dataDate'\\], which the run and the options"),
        ({"keys": {"latitudeOfFirstGridPointInDegrees": 10}}, ValueError, "which the run and the options `grid`"),
        ({"keys": "class=rd"}, ValueError, "`keys` is 'class=rd'. Give a mapping of ecCodes keys"),
        ({"edition": 1, "packing": "ccsds"}, ValueError, "packing: simple"),
        ({"fluxes": "accumulated", "means": "day"}, ValueError, "excludes `means: day`"),
        ({"fluxes": "accumulated", "dates": "valid"}, ValueError, "excludes `dates: valid`"),
        ({"fluxes": "accumulated", "statistics": ["spread"]}, ValueError, "excludes `statistics"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, Any], error: type[Exception], match: str) -> None:
    """Wrong options are refused when the run is set up."""
    with pytest.raises(error, match=match):
        made(tmp_path / "f.grib", **options)


def test_impossible_options_are_refused_before_the_first_step(tmp_path: Path) -> None:
    """Points off the grid and intervals that GRIB1 cannot encode are refused on opening, leaving no file."""
    with pytest.raises(ValueError, match="60 points are not on the grid N640"):
        made(tmp_path / "f.grib", grid="N640").open(state(0))
    with pytest.raises(ValueError, match="Set `dates: valid`"):
        made(tmp_path / "g.grib", edition=1, lead=timedelta(days=400)).open(state(0))
    assert not list(tmp_path.iterdir())
    made(tmp_path / "h.grib", edition=1, lead=timedelta(days=400), dates="valid").open(state(0))
    made(tmp_path / "i.grib", edition=1, lead=timedelta(days=60)).open(state(0))


@pytest.mark.parametrize("options", [{}, {"fluxes": "accumulated", "output_frequency": "24h"}, {"packing": "simple"}])
def test_disk_space_is_bounded_from_above(tmp_path: Path, options: dict[str, Any]) -> None:
    """The bound exceeds the size by less than a factor of ten."""
    size = written(tmp_path / "f.grib", steps=12, grid="unstructured", **options).stat().st_size
    bound = made(tmp_path / "g.grib", **options).required_bytes(13, N)
    assert size < bound < 10 * size + 2**20


def test_restart_with_other_options_is_refused(tmp_path: Path) -> None:
    """A resumed run must share the options of encoding."""
    killed(tmp_path / "f.grib", 6, None, 5)
    for name, value in {"fluxes": "accumulated", "bits": 12, "dates": "valid", "soil": "parameters"}.items():
        with pytest.raises(ValueError, match=f"another {name}"):
            resumed(tmp_path / "f.grib", 8, None, 5, **{name: value})
