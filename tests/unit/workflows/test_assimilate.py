# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Assimilations on the packaged sample: open loop, restart, files, final state, refusals."""

import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.assimilation import cycle
from anemoi_ailand.assimilation.settings import Settings
from anemoi_ailand.commands import COMMANDS
from anemoi_ailand.data.observations.read import read_observations
from anemoi_ailand.rollout.run.launch import launch
from anemoi_ailand.workflows import assimilation_files
from anemoi_ailand.workflows.assimilate import Assimilation, assimilate, settings_of

DAYS = ("2022-06-01", "2022-06-02")
#: Error that a day adds.
GROWTH = {"swvl1": 0.017, "swvl2": 0.006, "swvl3": 0.0015}
#: Observations of soil water a day, of temperature at all stamps, of snow once, and rows that have to be refused.
ERRORS = {"swvl1": 0.02, "2t": 1.0, "sde": 0.03}


@pytest.fixture(scope="module")
def truth():
    return ail.open_data("$AILAND_SAMPLE").to_xarray(("2022-06-01", "2022-06-03"), ["swvl1", "2t", "sd", "rsn"])


@pytest.fixture(scope="module")
def observations(tmp_path_factory, truth):
    """Table of perfect observations, with one row of each kind that is not used."""
    rows = []
    for name, stamps in (("swvl1", (1, 5)), ("2t", range(1, 9))):
        for k in stamps:
            values = truth["t2m" if name == "2t" else name].values[k]
            rows += [(truth.time.values[k], *place, name, v) for place, v in zip(places(truth), values, strict=True)]
    depth = (truth["sd"] / truth["rsn"]).values[4]
    rows += [(truth.time.values[4], *place, "sde", v) for place, v in zip(places(truth), depth, strict=True)]
    lat, lon = places(truth)[3]
    rows += [
        (np.datetime64("2022-06-01T07:00"), lat, lon, "swvl1", 0.2),  # time
        (np.datetime64("2022-07-01T06:00"), lat, lon, "swvl1", 0.2),  # period
        (np.datetime64("2022-06-01T06:00"), -80.0, 0.0, "swvl1", 0.2),  # place
        (np.datetime64("2022-06-01T06:00"), lat, lon, "2t", 340.0),  # first guess
    ]
    path = tmp_path_factory.mktemp("observations") / "observations.csv"
    pd.DataFrame(rows, columns=["time", "latitude", "longitude", "variable", "value"]).to_csv(path, index=False)
    return path


def places(data):
    return list(zip(data.latitude.values, data.longitude.values, strict=True))


def options(folder, **given):
    """Options of a short run."""
    return {"data": "$AILAND_SAMPLE", "start": DAYS[0], "end": DAYS[1], "output": folder / "out", "errors": ERRORS,
            "checkpoint": "ailand-small", "execution": "plain", "members": {"number": 4}, **given}  # fmt: skip


@pytest.fixture
def without_report(monkeypatch):
    """The page takes seconds, and one test looks at it."""
    monkeypatch.setattr(assimilation_files, "write_assimilation_report", lambda *_: None)


@pytest.mark.parametrize("method", ["sekf", "etkf"])
def test_no_observations_is_the_open_loop(tmp_path, method, without_report):
    """Final state and series are bitwise those of a run, with members those of the same ensemble."""
    folder = assimilate(**options(tmp_path, method=method, variables=["swvl1", "2t"]))
    land = ail.load("ailand-small", execution="plain", threads=1)
    ensemble = None
    if method == "etkf":
        s = Settings(data="x", start=DAYS[0], end=DAYS[1]).members
        ensemble = {"members": 4, "control": False, "initial": s.initial.model_dump(),
                    "forcing": s.forcing.model_dump()}  # fmt: skip
    run, state = land.run(
        ail.open_data("$AILAND_SAMPLE"), ["swvl1", "2t"], start=DAYS[0], lead_time="2d", ensemble=ensemble,
        return_state=True,
    )  # fmt: skip
    with xr.open_dataset(folder / "analysis.nc") as found:
        assert found["time"].values[-1] == np.datetime64("2022-06-03", "ns")
        for name in ("swvl1", "t2m"):
            expected = run[name].isel(time=slice(1, None))
            expected = expected.mean("member") if ensemble else expected
            np.testing.assert_allclose(found[name], expected.transpose("time", "point"), rtol=1e-6 if ensemble else 0)
    if ensemble is None:
        assert torch.equal(land.load(folder / "final.state").columns, state.columns)
    else:
        columns = [land.load(folder / "members" / f"{k:03d}.state").columns for k in range(4)]
        assert torch.equal(torch.cat(columns), state.columns)
    with xr.open_dataset(folder / "increments.nc") as increments:
        assert increments.sizes["time"] == 0


@pytest.mark.parametrize(("method", "hours", "growth"), [("sekf", 24, GROWTH), ("etkf", 6, None)])
def test_interrupted_run_resumes_bitwise(tmp_path, method, hours, growth, observations, without_report, monkeypatch):
    """A run that fails after its first window, started again, leaves the files of one without interruption."""
    given = {"method": method, "observations": observations, "window_hours": hours, "controls": {"growth": growth}}
    whole = assimilate(**options(tmp_path / "a", **given))
    saved = Assimilation._save

    def failing(self, number, result):
        if number == 1:
            raise OSError("disk full")
        saved(self, number, result)

    with monkeypatch.context() as patch:
        patch.setattr(Assimilation, "_save", failing)
        with pytest.raises(OSError, match="disk full"):
            assimilate(**options(tmp_path / "b", **given))
    assert not (tmp_path / "b" / "out").exists()
    with pytest.raises(ValueError, match="belongs to another run, which differs in seed: 1"):
        assimilate(**options(tmp_path / "b", **given, seed=2))
    cut = assimilate(**options(tmp_path / "b", **given))
    assert (whole / "final.state").read_bytes() == (cut / "final.state").read_bytes()
    for name in ("analysis.nc", "increments.nc", "feedback.nc"):
        with xr.open_dataset(whole / name) as a, xr.open_dataset(cut / name) as b:
            xr.testing.assert_identical(a.drop_attrs(), b.drop_attrs())
    assert [p.name for p in (tmp_path / "b").iterdir() if not p.name.startswith(".")] == ["out"]


def test_error_of_the_background_is_carried(tmp_path, observations, without_report, monkeypatch):
    """It shrinks where the soil is observed, in the layers above most, grows back, and never exceeds the first one."""
    kept = []
    saved = Assimilation._save
    monkeypatch.setattr(Assimilation, "_save", lambda *a: (kept.append(a[2].covariance.clone()), saved(*a)))
    assimilate(**options(tmp_path, observations=observations, controls={"growth": GROWTH}))
    first = np.array(list(Settings(data="x", start=DAYS[0], end=DAYS[1]).controls.error.values()))
    found = np.stack([torch.diagonal(c, dim1=-2, dim2=-1).sqrt().numpy() for c in kept])
    ratio = found / first
    assert (ratio <= 1.0 + 1e-5).all() and (ratio[0, :, 0] < 0.9).any()
    assert np.median(ratio[0, :, 0]) < np.median(ratio[0, :, 2])
    with pytest.raises(ValueError, match=r"`growth` has \['swvl1'\]; give it for"):
        assimilate(**options(tmp_path / "b", controls={"growth": {"swvl1": 0.01}}))


def test_first_year_of_the_sample_gives_no_alarm(tmp_path, without_report, caplog):
    """Leaf area of high vegetation is 0 where none covers the point, which means nothing there."""
    assimilate(**options(tmp_path, start="2020-06-02", end="2020-06-02"))
    assert [r.message for r in caplog.records if r.levelname == "WARNING"] == []


def test_no_use_is_warned_of(tmp_path, truth, without_report, caplog):
    """If observations are given and none is used, a warning counts the reasons; not of those compared only."""
    lat, lon = places(truth)[3]
    rows = [(f"2022-06-01T{k:02d}", lat, lon, "2t", 340.0) for k in (6, 7, 12)]
    pd.DataFrame(rows, columns=["time", "latitude", "longitude", "variable", "value"]).to_csv(tmp_path / "hot.csv")
    for passive in ([], ["2t"]):
        caplog.clear()
        assimilate(**options(tmp_path, observations=tmp_path / "hot.csv", end=DAYS[0], passive=passive))
        warned = "None of the 3 observations was used: 2 first guess, 1 time." in caplog.text
        assert warned is not bool(passive), caplog.text


def test_points_are_analysed_in_blocks(tmp_path, observations, monkeypatch):
    """The increments of a window do not depend on the number of points at once, but for rounding."""
    made = Assimilation(settings_of(None, options(tmp_path, observations=observations, end=DAYS[0])))
    start, end = made.starts[0], made.end
    runs = []
    for number in (8192, 10):
        monkeypatch.setattr(cycle, "POINTS_AT_ONCE", number)
        runner = cycle.CycleRunner(made.stepper, made.settings, made.kept)
        runs.append(runner.run(made.background, made._forcing(start), made.placed.between(start, end), 0))
    whole, blocks = (run.increments[start]["swvl2"] for run in runs)
    assert np.abs(whole).max() > 1e-4
    np.testing.assert_allclose(blocks, whole, atol=1e-6)
    np.testing.assert_array_equal(runs[0].feedback["status"], runs[1].feedback["status"])


@pytest.fixture(scope="module")
def result(tmp_path_factory, observations):
    """Analysis with the background of another year."""
    folder = tmp_path_factory.mktemp("assimilation")
    land = ail.load("ailand-small", execution="plain", threads=1)
    sample = ail.open_data("$AILAND_SAMPLE")
    other = land.initial(sample, "2021-06-01")
    state = land.initial(sample, DAYS[0]).changed({n: other[n] for n in land.prognostic if n.startswith("swvl")})
    land.save(state, folder / "background.state")
    made = assimilate(**options(folder, observations=observations, background=folder / "background.state"))
    return made, state, land


def test_analysis_is_nearer_to_the_observations(result, truth):
    """Soil water of the first layer is, and increments are the change of the background."""
    folder, state, _ = result
    with xr.open_dataset(folder / "feedback.nc") as rows:
        used = rows.where((rows["variable"] == "swvl1") & (rows["status"] == 0), drop=True)
        assert used.sizes["obs"] > 40
        assert (used["residual"] ** 2).mean() < 0.6 * (used["departure"] ** 2).mean()
        np.testing.assert_allclose(rows["departure"], rows["at_model_height"] - rows["background"])
        meanings = dict(zip(rows["status"].flag_values, rows["status"].flag_meanings.split(), strict=True))
        found = {meanings[int(s)] for s in np.unique(rows["status"])}
        assert {"used", "time", "period", "place", "first_guess"} <= found
        assert rows["background"].where(rows["status"] == 2, drop=True).isnull().all()
    with xr.open_dataset(folder / "increments.nc") as increments, xr.open_dataset(folder / "analysis.nc") as analysis:
        assert increments["time"].values[0] == np.datetime64(DAYS[0], "ns")
        first = increments["swvl3"][0].values
        assert np.abs(first).max() > 1e-3
        assert increments["swvl3"].units == "m3 m-3" and "standard_name" not in increments["swvl3"].attrs
        assert set(analysis.data_vars) == {"swvl1", "swvl2", "swvl3", "t2m", "sd"}
        wet = state["swvl3"].numpy() + first
        assert (wet <= state["theta_sat"].numpy() + 1e-6).all() and (wet >= 0).all()


def test_report_shows_departures_and_budget(result):
    """One page without requests, with its tables, figures and settings."""
    page = (result[0] / "report" / "index.html").read_text(encoding="utf-8")
    for text in ("O - B", "chi-square", "R, estimated / assumed", "net water added over precipitation", "first guess",
                 "degrees of freedom for signal", "data:image/png;base64", "within_km"):  # fmt: skip
        assert text in page, text


def test_feedback_can_be_observations_again(result):
    """Its rows are read as what was observed, so that runs can be compared with the same observations."""
    rows = read_observations([result[0] / "feedback.nc"])
    with xr.open_dataset(result[0] / "feedback.nc") as found:
        np.testing.assert_array_equal(rows.values, found["value"])
        assert (rows.names == found["variable"].values.astype(str)).all()
    assert np.isfinite(rows.errors).all()


def test_final_state_starts_a_run(result, tmp_path, monkeypatch):
    """From Python and by the runner of anemoi-inference, with the same values."""
    folder, _, land = result
    run = land.run(
        ail.open_data("$AILAND_SAMPLE"), ["swvl1"], initial=folder / "final.state", end="2022-06-03T12"
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text(
        f"checkpoint: ailand-small\ndate: 2022-06-03T00:00:00\nlead_time: 12h\ninput: {{land-state: {{path: "
        f"{folder / 'final.state'}}}}}\nconstant_forcings: {{ecland: {{path: $AILAND_SAMPLE}}}}\ndynamic_forcings: "
        "{ecland: {path: $AILAND_SAMPLE}}\noutput: {land-netcdf: {path: out.nc}}\n"
    )
    launch("run.yaml", ["runner.land-forecaster.execution=plain"])
    with xr.open_dataset("out.nc") as found:
        np.testing.assert_array_equal(found["swvl1"].values[1:], run["swvl1"].values)


@pytest.mark.parametrize("method", ["sekf", "etkf"])
def test_relative_humidity_is_observed(tmp_path, method, without_report):
    """Drier air than that of the model dries the soil; equivalents are those of temperature and dewpoint."""
    data = ail.open_data("$AILAND_SAMPLE").to_xarray((DAYS[0], DAYS[0]), ["2t", "2d"])
    t, d = (torch.from_numpy(data[n].values.copy()) for n in ("t2m", "d2m"))
    dry = 0.8 * ail.relative_humidity(t, d).numpy()
    rows = [(data.time.values[k], *place, "2r", v) for k in (1, 2, 3) for place, v in
            zip(places(data), dry[k], strict=True)]  # fmt: skip
    pd.DataFrame(rows, columns=["time", "latitude", "longitude", "variable", "value"]).to_csv(tmp_path / "dry.csv")
    folder = assimilate(**options(tmp_path, observations=tmp_path / "dry.csv", end=DAYS[0], errors={"2r": 0.1},
                                  method=method, members={"number": 20}, first_guess_limit=9.0))  # fmt: skip
    with xr.open_dataset(folder / "increments.nc") as increments, xr.open_dataset(folder / "feedback.nc") as rows:
        water = increments["swvl1"].sum("time")
        assert water.mean() < 0 and (water[water != 0] < 0).mean() > 0.6
        used = rows.where(rows["status"] == 0, drop=True)
        assert (used["variable"] == "2r").all() and np.abs(used["residual"]).mean() < np.abs(used["departure"]).mean()
        if method == "sekf":  # the analysis is one run, whose outputs are in its file
            with xr.open_dataset(folder / "analysis.nc") as analysis:
                at = used["point"].astype(int), ((used["stamp"] - np.datetime64(DAYS[0])) / np.timedelta64(6, "h"))
                t, d = (torch.from_numpy(analysis[n].values)[at[1].astype(int).values - 1, at[0].values]
                        for n in ("t2m", "d2m"))  # fmt: skip
            np.testing.assert_allclose(used["analysis"], ail.relative_humidity(t, d), rtol=1e-5)


def test_longer_windows_and_iterations(tmp_path, observations, without_report):
    """4D-Var over 48 h with rain factors changes precipitation; passive variables are compared and change nothing."""
    folder = assimilate(
        **options(tmp_path, observations=observations, method="4dvar", window_hours=48, passive=["2t"],
                  feedback="rows.csv", controls={"error": {"swvl1": 0.03, "stl1": 1.0}, "rain": 0.5, "iterations": 2})
    )  # fmt: skip
    rows = pd.read_csv(folder / "rows.csv")
    assert set(rows["reason"][rows["variable"] == "2t"]) == {"passive"}
    assert rows["departure"][rows["reason"] == "passive"].notna().all()
    with xr.open_dataset(folder / "increments.nc") as increments:
        assert set(increments.data_vars) == {"swvl1", "stl1", "sd"} and np.abs(increments["stl1"]).max() <= 5.0


#: Option that does not fit, and the error.
REFUSED = {
    "no error": ({"errors": {}}, "have no error, neither in their file nor in `errors`"),
    "far away": ({"start": "2022-05-01", "end": "2022-05-02"}, "None of the .* observations is near"),
    "no window": ({"end": "2022-05-30"}, "no window of 24 h"),
    "no data": ({"start": "2030-01-01", "end": "2030-01-02"}, "have no record at 2030"),
    "no background": ({"background": Path("lost.state")}, "There is no saved state 'lost.state'"),
    "no file": ({"observations": "lost.csv"}, "There is no file of observations 'lost.csv'"),
    "control": ({"controls": {"error": {"sd": 1.0}}}, "cannot be one"),
    "option": ({"window_hour": 6}, "Nearest: .'window_hours'"),
    "window": ({"window_hours": 7}, "give a multiple of 6"),
    "rain": ({"method": "etkf", "controls": {"rain": 0.5}}, "belongs to sekf and 4dvar"),
    "feedback": ({"feedback": "rows.txt"}, r"ends in .nc, .csv or .parquet"),
    "variables": ({"variables": ["avg_t"]}, "which the network does not make"),
}


def test_what_does_not_fit_is_refused(tmp_path, observations):
    """Before the first step, with the reason; nothing is written."""
    for label, (given, message) in REFUSED.items():
        with pytest.raises((ValueError, OSError), match=message):
            Assimilation(settings_of(None, options(tmp_path, **{"observations": observations, **given})))
            pytest.fail(label)
    assert not list(tmp_path.iterdir())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(FileExistsError, match="is not an earlier result"):
        Assimilation(settings_of(None, options(tmp_path, observations=observations)))


def test_command_exits_with_the_code_of_the_outcome(tmp_path, observations, capsys, monkeypatch):
    """A dry run says what would be done and writes nothing; configuration, input, failure and stop have their codes."""
    line = ["assimilate", "assimilation/sekf", f"observations=[{observations}]", "checkpoint=ailand-small",
            "execution=plain", f"output={tmp_path / 'out'}", "end=2022-06-02"]  # fmt: skip

    def code(*further):
        arguments, unknown = create_parser().parse_known_args([*line, *further])
        try:
            COMMANDS["assimilate"].run(arguments, unknown)
        except SystemExit as end:
            return end.code
        return 0

    assert code("--dry-run") == 0
    out = capsys.readouterr().out
    assert "2 windows of 24 h" in out and "swvl1: 82 used, 1 time, 1 period, 1 place, 6 desert" in out
    assert code("windw_hours=6") == 2
    assert "configuration: The configuration" in capsys.readouterr().err
    assert code("background=lost.state") == 3
    monkeypatch.setattr(Assimilation, "_save", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert code() == 4
    assert capsys.readouterr().err.endswith("failed: disk full\n")
    monkeypatch.setattr(Assimilation, "_save", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert code() == 5
    assert "stopped on request after 2022-06-02 00:00. Start it again to resume." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
