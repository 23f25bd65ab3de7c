# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Each command passes its arguments on, prints its result, and turns an error of the user into one line."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pandas as pd
import pytest

from anemoi_ailand.__main__ import create_parser, main
from anemoi_ailand.commands import COMMANDS
from anemoi_ailand.commands.run import Run
from anemoi_ailand.data.plausibility.checker import Implausible
from anemoi_ailand.evaluation.sites.places import Place
from anemoi_ailand.export.onnx_check import Agreement
from anemoi_ailand.rollout.run import launch as launching
from anemoi_ailand.rollout.run.launch import Failure
from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint, pretrained_record
from anemoi_ailand.support import packaged as resources
from anemoi_ailand.workflows.quickstart import FULL, SMALLEST
from anemoi_ailand.workflows.site import SAMPLE
from tests.support.commands import run_command
from tests.support.packages import copy_package

EVALUATE = "anemoi_ailand.workflows.evaluate.evaluate"
EXPORT = "anemoi_ailand.export.onnx_export.export_step"
QUICKSTART = "anemoi_ailand.workflows.quickstart.quickstart"
REFORECAST = "anemoi_ailand.rollout.reforecast.reforecast.reforecast"
SITE = "anemoi_ailand.workflows.site.site"
EXTRACT = "anemoi_ailand.workflows.site.extract"
TOWER = "anemoi_ailand.workflows.tower.tower"
STABILITY = "anemoi_ailand.workflows.stability.stability"
CALIBRATE = "anemoi_ailand.workflows.calibrate.calibrate"
DIAGNOSE = "anemoi_ailand.workflows.diagnose.diagnose"


def through_host(monkeypatch: pytest.MonkeyPatch, *line: str) -> None:
    """Run a command line through the entry point."""
    monkeypatch.setattr("sys.argv", ["anemoi-ailand", *line])
    main()


def command(*line: str):
    """Run a command line in this process, as the script does."""
    arguments = create_parser().parse_args(line)
    COMMANDS[arguments.command].run(arguments)


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Function that runs a command line with its workflow replaced, and returns what the workflow was given."""
    (tmp_path / "table.md").write_text("Table.\n\nRules:\n")
    (tmp_path / "diagnosis.md").write_text("# Title\n\nMost probable.\n")

    def run(workflow: str, *line: str, result: Any = tmp_path) -> SimpleNamespace:
        found: list[SimpleNamespace] = []
        recorder = lambda *a, **k: found.append(SimpleNamespace(arguments=a, options=k)) or result  # noqa: E731
        monkeypatch.setattr(workflow, recorder)
        command(*line)
        (only,) = found
        return only

    return run


PLACES = ("--lat", "50.7", "--lon", "7.1", "--lat", "-33.9", "--lon", "-70", "--dataset", "d.zarr")
FORECAST = ("reforecast", "--dataset", "d.zarr")
ARGUMENTS = {
    "export": (
        EXPORT, ("export", "--output", "a.onnx"),
        ("ailand", "a.onnx"), {"precision": "float32", "sun_inside": True, "overwrite": False},
    ),
    "export with options": (
        EXPORT,
        ("export", "--checkpoint", "b", "--output", "a", "--precision", "float64", "--sun", "outside", "--overwrite"),
        ("b", "a"), {"precision": "float64", "sun_inside": False, "overwrite": True},
    ),
    "quickstart": (QUICKSTART, ("quickstart",), (Path("build/quickstart"), FULL), {"force": False}),
    "smallest quickstart": (
        QUICKSTART, ("quickstart", "--smallest"), (Path("build/quickstart-smallest"), SMALLEST), {"force": False},
    ),
    "forced quickstart": (
        QUICKSTART, ("quickstart", "--output", "here", "--force"), (Path("here"), FULL), {"force": True},
    ),
    "reforecast every three days": (
        REFORECAST, (*FORECAST, "--first", "2022-01-01", "--last", "2022-01-07", "--every", "3", "--days", "1"),
        ("ailand", "d.zarr", "reforecast.nc"),
        {"starts": ["2022-01-01T00:00:00", "2022-01-04T00:00:00", "2022-01-07T00:00:00"], "leads": range(6, 25, 6),
         "execution": "auto"},
    ),
    "reforecast of given starts": (
        REFORECAST, (*FORECAST, "--starts", "2022-01-01", "2022-02-11T12:00", "--variables", "stl1", "--points", "3",
                     "--execution", "plain"),
        ("ailand", "d.zarr", "reforecast.nc"),
        {"starts": ["2022-01-01", "2022-02-11T12:00"], "variables": ["stl1"], "points": [3], "execution": "plain"},
    ),
    "site": (
        SITE, ("site", *PLACES, "--lead", "364d", "--execution", "plain"),
        ([Place("50.7N_7.1E", 50.7, 7.1), Place("33.9S_70W", -33.9, -70.0)], "d.zarr", "site"),
        {"lead": "364d", "execution": "plain"},
    ),
    "extract": (
        EXTRACT, ("site", *PLACES[:4], *PLACES[8:], "--end", "2022-02", "--within", "9", "--extract-only"),
        ([Place("50.7N_7.1E", 50.7, 7.1)], "d.zarr", "site.nc"), {"end": "2022-02", "within": 9.0},
    ),
    "tower": (TOWER, ("tower", "t.csv"), ("t.csv", "tower"), {}),
    "tower with options": (
        TOWER,
        (
            "tower", "t.csv", "--site", "s.yaml", "--lat", "48.3", "--lon", "-105.1", "--utc-offset", "-7", "--column",
            "temperature=AirT [degC]", "--column", "time=date", "--stamp", "start", "--dataset", "d.zarr", "--spin-up",
            "0", "--lead", "365d", "--output", "out", "--execution", "compiled",
        ),
        ("t.csv", "out"),
        {
            "site": "s.yaml", "latitude": 48.3, "longitude": -105.1, "utc_offset": -7.0, "stamp": "start",
            "dataset": "d.zarr", "spin_up": 0, "lead": "365d", "execution": "compiled",
            "columns": {"temperature": "AirT [degC]", "time": "date"},
        },
    ),
    "stability": (
        STABILITY,
        ("stability", "--checkpoint", "c", "--dataset", "d", "--output", "out", "--start", "2018-01-02", "--execution",
         "compiled"),
        ("c", "d", "out"),
        {"years": 100, "start": "2018-01-02", "end": None, "device": "cpu", "execution": "compiled"},
    ),
    "calibrate": (
        CALIBRATE, ("calibrate", "--dataset", "d", "--year", "2020", "--members", "8", "--execution", "plain"),
        ("ailand", "d", None),
        {"year": 2020, "points": 80, "members": 8, "starts": 6, "iterations": 4, "execution": "plain"},
    ),
    "diagnose": (
        DIAGNOSE, ("diagnose", "o.nc", "--dataset", "d", "--error-years", "2018", "2019", "--candidates", "albedo"),
        ("o.nc", "d", "diagnosis"),
        {"checkpoint": "ailand", "error_years": [2018, 2019], "candidates": ["albedo"], "execution": "auto"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_reach_the_workflow(call, case):
    """With their defaults; options that are not given to ``site`` are left to its own defaults."""
    workflow, line, arguments, options = ARGUMENTS[case]
    found = call(workflow, *line, **({"result": None} if workflow == EXPORT else {}))
    assert found.arguments == arguments
    if line[0] in ("site", "tower"):
        assert found.options == options
    assert {k: found.options[k] for k in options} == options


def test_unknown_execution_is_refused(capsys):
    """By the parser, with the known ones."""
    for line in (("site", *PLACES), ("tower", "t.csv"), FORECAST, ("stability", "--dataset", "d")):
        with pytest.raises(SystemExit) as end:
            command(*line, "--execution", "fast")
        assert end.value.code == 2
        assert "invalid choice: 'fast' (choose from 'auto', 'plain', 'compiled')" in capsys.readouterr().err


def test_places_are_read_from_a_file(call, tmp_path):
    (tmp_path / "sites.csv").write_text("name,lat,lon\nBonn,50.7,7.1\n")
    found = call(SITE, "site", "--sites", str(tmp_path / "sites.csv"), "--dataset", "d.zarr")
    assert found.arguments[0] == [Place("Bonn", 50.7, 7.1)]


@pytest.mark.parametrize("case", ["site", "tower", "stability", "quickstart"])
def test_table_and_place_of_the_result_are_printed(call, capsys, tmp_path, case):
    workflow, line, *_ = ARGUMENTS[case]
    call(workflow, *line)
    out = capsys.readouterr().out
    assert out.startswith("Table.\n")
    assert ("Rules:" in out) == (case != "tower")
    assert str(tmp_path / "table.md" if case == "quickstart" else tmp_path) in out


def test_export_prints_the_agreement(call, capsys):
    """Largest difference from the checkpoint in one line; a graph that was not compared is reported."""
    line = ARGUMENTS["export"][1]
    call(EXPORT, *line, result=Agreement(10, {"sd": 3e-7, "src": 2e-6}, 1))
    compared = capsys.readouterr().out
    assert "2.0e-06 ('src')" in compared
    assert "1 rows exceed" in compared
    call(EXPORT, *line, result=None)
    assert "Not compared with the checkpoint" in capsys.readouterr().out


@pytest.fixture
def settings(call, tmp_path):
    """Function that runs ``evaluate`` and returns the settings made of its arguments."""
    page = tmp_path / "report" / "index.html"
    return lambda *line: call(EVALUATE, "evaluate", *line, result=page).arguments[0]


def test_evaluate_changes_the_packaged_configuration(settings, capsys):
    """Short forms are enough, and the first option is not taken for a file; table and page are printed."""
    found = settings("--checkpoint", "best.ckpt", "--dataset", "d.zarr", "--output", "out")
    assert found.checkpoints == {"emulator": Path("best.ckpt")}
    assert (found.dataset, found.output, found.protocol_a.year) == (Path("d.zarr"), Path("out"), 2022)
    shown = capsys.readouterr().out
    assert shown.startswith("Table.\n")
    assert shown.rstrip().endswith("report/index.html")
    found = settings("checkpoints=null", "forecasts.mine=run.nc", "protocol_c=null", "--dataset", "d.zarr")
    assert (found.checkpoints, found.forecasts, found.protocol_c) == ({}, {"mine": Path("run.nc")}, None)


def test_a_named_checkpoint_replaces_the_default_one(settings):
    """It is not evaluated together with a default that was not asked for; both are if both are given."""
    assert list(settings("checkpoints.mine=a.ckpt", "--dataset", "d").checkpoints) == ["mine"]
    both = settings("checkpoints.mine=a.ckpt", "--dataset", "d", "--checkpoint", "b.ckpt").checkpoints
    assert both == {"mine": Path("a.ckpt"), "emulator": Path("b.ckpt")}


def test_evaluate_changes_a_given_file(settings, tmp_path):
    """Options override the file; the rest of it holds."""
    path = tmp_path / "my.yaml"
    path.write_text("dataset: a.zarr\ncheckpoints: {A: a.ckpt}\nprotocol_b: {start: 2021-01-01}\nseed: 5\n")
    found = settings(str(path), "seed=7", "--dataset", "b.zarr")
    assert (found.seed, found.dataset, list(found.checkpoints)) == (7, Path("b.zarr"), ["A"])
    assert str(found.protocol_b.start) == "2021-01-01"


@pytest.mark.parametrize(
    "line",
    [
        ("my.yaml", "--dataset", "x", "seed=3"),
        ("my.yaml", "seed=3", "--dataset", "x"),
        ("--dataset", "x", "my.yaml", "seed=3"),
    ],
)
def test_options_may_follow_a_flag(monkeypatch, tmp_path, line):
    """Flags and options in any order, through the entry point of the host; the file comes before the options."""
    found = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text("checkpoints: {A: ailand}\nprotocol_b: {}\nseed: 5\n")
    (tmp_path / "table.md").touch()
    monkeypatch.setattr(EVALUATE, lambda settings: found.append(settings) or tmp_path / "report" / "index.html")
    with pytest.raises(SystemExit) as end:
        through_host(monkeypatch, "evaluate", *line)
    assert (end.value.code, found[0].seed, found[0].dataset) == (0, 3, Path("x"))


@pytest.mark.parametrize("command", ["evaluate", "run"])
@pytest.mark.parametrize("wrong", ["--seeed=3", "other.yaml"])
def test_unknown_arguments_are_refused(monkeypatch, tmp_path, capsys, command, wrong):
    """Neither a wrong flag nor a second file is ignored."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").touch()
    flag = {"evaluate": ("--dataset", "x"), "run": ("--dry-run",)}[command]
    with pytest.raises(SystemExit) as end:
        through_host(monkeypatch, command, "my.yaml", *flag, wrong)
    assert end.value.code == (1 if (command, wrong) == ("evaluate", "other.yaml") else 2)
    assert wrong.partition("=")[0] in capsys.readouterr().err


ERRORS = [
    (("configs", "no-such-thing"), "There is no 'no-such-thing'"),
    (("recipes", "no-such-thing"), "There is no 'no-such-thing'"),
    (("evaluate", "--dataset", "no.zarr"), "There is no file or dataset 'no.zarr'"),
    (("evaluate", "no.yaml"), "There is no configuration 'no.yaml'"),
    (("evaluate", "protocol_a=no"), "'protocol_a' is False. Give a mapping with some of ['year', 'every_days'"),
    (("evaluate", "protocol_a.yeer=2022"), "'protocol_a.yeer' is not an option. Nearest: ['year']"),
    (FORECAST, "either --starts, or --first and --last"),
    ((*FORECAST, "--starts", "2022-01-01", "--first", "2022-01-01"), "either --starts"),
    ((*FORECAST, "--first", "2022-01-01", "--last", "tomorrow"), "is not a date"),
    ((*FORECAST, "--first", "2022-01-02", "--last", "2022-01-01"), "No start date"),
    ((*FORECAST, "--starts", "2022-01-01", "--days", "0"), "Give 1 or more"),
    (("site", "--dataset", "no.zarr", "--lat", "50.7", "--lon", "7.1"), "There is no dataset"),
    (("site", "--dataset", "d", "--lat", "50.7"), "`--lat` and `--lon` differ in number (1 and 0)"),
    (("site", "--dataset", "d", "--lat", "95", "--lon", "0"), "Latitude 95"),
    (("site", "--dataset", "d", "--sites", "s.csv", "--lat", "1"), "Give one of them"),
    (("site", "--dataset", "d", "--lat", "1", "--lon", "2", "--extract-only", "--device", "cuda"), "runs nothing"),
    (("site", "--sample", "--lat", "1", "--lon", "2", "--start", "2022-99-01"), "`--start 2022-99-01` is not a date"),
    (("site", "--sample", "--lat", "1", "--lon", "2", "--lead", "banana"), "`--lead banana` is not a duration"),
    (("configs", "--copy"), "need a NAME. List the names: anemoi-ailand configs"),
    (("recipes", "sample", "here"), "only with `--copy`"),
    (("site", "--dataset", "d", "--sites", "none.csv"), "file of places 'none.csv' does not exist"),
    (("tower", "no.csv"), "There is no tower file 'no.csv'"),
    (("tower", "no.csv", "--site", "no.yaml"), "no file of site properties 'no.yaml'"),
    (("tower", "no.csv", "--column", "AirT"), "`--column` is ['AirT']"),
    pytest.param(
        ("quickstart", "--output", "/proc/foo"),
        "cannot be written to the folder '/proc/foo'",
        marks=pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc"),
    ),
    (("stability", "--checkpoint", "no.ckpt", "--dataset", "no.zarr"), "There is no checkpoint"),
    (("calibrate", "--checkpoint", "no.ckpt", "--dataset", "no.zarr"), "There is no checkpoint"),
    (("diagnose", "no.nc", "--dataset", "$AILAND_SAMPLE"), "There is no file of observations 'no.nc'"),
    (("diagnose", "no.nc", "--dataset", "$AILAND_SAMPLE", "--candidates", "lai"), "lai"),
]


@pytest.mark.parametrize(("line", "message"), ERRORS, ids=lambda value: value if isinstance(value, str) else value[0])
def test_error_of_the_user_is_one_message(monkeypatch, tmp_path, capsys, line, message):
    """Exit code 1, one message on stderr, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        command(*line)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (1, "")
    assert err.startswith(f"anemoi-ailand {line[0]}: error: ")
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_impossible_input_has_its_exit_code(monkeypatch, tmp_path, capsys):
    """`check` exits with 3 and lists what it found; other commands do so, too, with one message."""
    rule = SimpleNamespace(name="slt")
    found = [SimpleNamespace(error=False, rule=rule), SimpleNamespace(error=True, rule=rule)]
    for kept, strict, code in ((found, (), 3), (found[:1], (), None), (found[:1], ("--strict",), 3), ([], (), None)):
        monkeypatch.setattr("anemoi_ailand.workflows.check.check", lambda *_, kept=kept, **__: (tmp_path, kept))
        if code is None:
            command("check", "a.nc", *strict)
        else:
            with pytest.raises(SystemExit) as end:
                command("check", "a.nc", *strict)
            assert end.value.code == code
        assert f"Findings: {len(kept)}." in capsys.readouterr().out
    monkeypatch.setattr(SITE, Mock(side_effect=Implausible("soil type 9", [])))
    with pytest.raises(SystemExit) as end:
        command("site", "--dataset", "d", "--lat", "1", "--lon", "2")
    assert end.value.code == 3
    assert "soil type 9" in capsys.readouterr().err


def test_export_replaces_no_file_of_the_user(tmp_path, capsys):
    """Exit code 1; the file keeps its content."""
    (tmp_path / "a.onnx").write_text("mine")
    with pytest.raises(SystemExit) as end:
        command("export", "--output", str(tmp_path / "a.onnx"))
    assert end.value.code == 1
    assert "a.onnx" in capsys.readouterr().err
    assert (tmp_path / "a.onnx").read_text() == "mine"


@pytest.mark.slow
def test_site_runs_on_the_sample(tmp_path):
    """The packaged network is within 1.5 K of ecLand in the first soil layer over two days."""
    place = ("--lat", "54.2", "--lon", "10.1", "--name", "Kiel", "--sample", "--start", "2022-01-01", "--lead", "2d")
    result = run_command("anemoi_ailand", "site", *place, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Kiel (54.2 N, 10.1 E): the nearest point is 6 km away")
    summary = json.loads((tmp_path / "site" / "site.json").read_text())
    assert (summary["dataset"], summary["held_out"], summary["soil"]["name"]) == (SAMPLE, True, "medium fine")
    assert {s["variable"]: s["rmse"] for s in summary["scores"]}["stl1"] < 1.5
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def start_run(*line):
    command("run", *line)


@pytest.fixture
def launches(monkeypatch):
    """Calls of ``launch``."""
    found = []
    monkeypatch.setattr(launching, "launch", lambda *a, **k: found.append((a, k)))
    return found


def test_arguments_are_passed_on(launches):
    """Configuration, overrides and dry run; a complete run does not exit."""
    start_run("inference/rollout")
    start_run("my.yaml", "lead_time=3d", "output={land-netcdf: {means: day}}", "--dry-run")
    assert launches == [
        (("inference/rollout", []), {"dry_run": False, "strict": False}),
        (("my.yaml", ["lead_time=3d", "output={land-netcdf: {means: day}}"]), {"dry_run": True, "strict": False}),
    ]


def failing(error):
    def launch(*args, **kwargs):
        raise error

    return launch


def test_exit_codes(monkeypatch, capsys):
    """One documented code a kind of failure, with one line that names kind and reason."""
    kinds = {"configuration": 2, "input": 3, "failed": 4, "stopped": 5}
    for kind, code in kinds.items():
        monkeypatch.setattr(launching, "launch", failing(Failure(kind, ValueError("the reason"))))
        with pytest.raises(SystemExit) as caught:
            start_run("my.yaml")
        assert caught.value.code == code
        assert capsys.readouterr().err == f"anemoi-ailand run: {kind}: the reason\n"
    text = " ".join((Run.__doc__ or "").split())
    meanings = (
        "0 complete",
        "1 a defect of the program",
        "2 invalid configuration",
        "3 an input is missing or does not",
    )
    assert [m for m in (*meanings, "4 failed during the run", "5 stopped by SIGTERM") if m not in text] == []


def test_traceback_of_a_defect_and_with_debug(monkeypatch):
    """A defect of the program is not a failure of the run; ``--debug`` raises the failure itself."""
    monkeypatch.setattr(launching, "launch", failing(KeyError("a")))
    with pytest.raises(KeyError):
        start_run("my.yaml")
    monkeypatch.setattr(launching, "launch", failing(Failure("input", ValueError("the reason"))))
    with pytest.raises(Failure, match="the reason"):
        command("--debug", "run", "my.yaml")


@pytest.fixture
def pretrained(capsys):
    """Function that runs ``pretrained`` and returns what it prints."""

    def run(*arguments):
        command("pretrained", *arguments)
        return capsys.readouterr().out

    return run


def test_pretrained_prints_path_summary_and_check(pretrained):
    """The path stands alone for ``$(...)``; without an option all networks; ``--check`` verifies, then loads."""
    record = pretrained_record()
    assert pretrained("--path") == pretrained("ailand", "--path") == f"{pretrained_checkpoint()}\n"
    for text in (pretrained(), pretrained("ailand")):
        assert f"ailand: {record['parameters']} parameters, {record['size'] / 1e6:.2f} MB" in text
        names = (*record["variables"]["state"], *record["variables"]["diagnostic"])
        assert [name for name in names if f"\n  {name} " not in text] == []
    checked = pretrained("--check")
    assert checked.startswith(f"ailand: SHA-256 {record['sha256']} verified")
    assert f"state of {len(record['variables']['state'])}" in checked


@pytest.mark.parametrize("option", ["--path", "--check"])
def test_damaged_file_gives_one_message_and_no_path(tmp_path, monkeypatch, capsys, pretrained, option):
    """Exit code 1, so that a script stops; nothing on stdout that could be loaded; nothing is unpickled."""
    package = copy_package(tmp_path)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    package.set_trap(released=False)
    with pytest.raises(SystemExit) as end:
        pretrained(option)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (1, "")
    assert err.startswith("anemoi-ailand pretrained: error: The pretrained checkpoint")
    assert not package.witness.exists()


def test_compare_with_a_training_of_ones_own(pretrained, tmp_path):
    rows = [
        {**{k: r[k] for k in ("variable", "group", "lead")}, "value": r["rmse"], "protocol": "A", "cut": "points"}
        for r in pretrained_record()["scores"]
    ]
    rows[0]["value"] = 1e3
    pd.DataFrame(rows).assign(model="again", metric="rmse").to_csv(tmp_path / "metrics.csv", index=False)
    assert pretrained("--compare", str(tmp_path)).endswith(f": {len(rows) - 1} within, 0 below, 1 above\n")


def test_overrides_may_follow_a_flag(monkeypatch):
    """They are passed on through the entry point of the host."""
    calls = []
    monkeypatch.setattr(launching, "launch", lambda *a, **k: calls.append((a, k)))
    monkeypatch.setattr("sys.argv", ["anemoi-ailand", "run", "my.yaml", "a=1", "--dry-run", "lead_time=7h"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert calls == [(("my.yaml", ["a=1", "lead_time=7h"]), {"dry_run": True, "strict": False})]
