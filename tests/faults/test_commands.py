# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Commands with one wrong argument or option each: an exit code and a sentence, no traceback, and nothing left."""

import re
import shutil
import sys
import threading

import numpy as np
import pytest

from anemoi_ailand.__main__ import main
from anemoi_ailand.commands.run import CODES
from anemoi_ailand.coupling.crossing import read_forcing
from anemoi_ailand.coupling.land_points import land_points
from anemoi_ailand.export.onnx_export import export_step
from anemoi_ailand.export.weights_export import export_weights
from anemoi_ailand.rollout.run.launch import Failure, launch
from tests.faults.faults import COMMANDS, RUN, words

FILES = "inference/rollout-files"


def failure(fault):
    """Exit code and message of a run of the packaged sample, which stops before its first step."""
    chosen = "inference/nowhere" if fault.name == "a configuration that is not there" else FILES
    given = {option.partition("=")[0] for option in fault.options}
    usual = [o for o in ("date=2021-01-01", "lead_time=1d") if o.partition("=")[0] not in given]
    try:
        launch(chosen, [*usual, *fault.options])
    except Failure as error:
        return CODES[error.what], str(error)
    return 0, ""


@pytest.mark.slow
def test_runs(tmp_path, monkeypatch):
    """Every wrong option has its code and words, and no output is left."""
    monkeypatch.chdir(tmp_path)
    found = {fault.name: failure(fault) for fault in RUN}
    assert len(found) == len(RUN)
    wrong = {
        fault.name: found[fault.name]
        for fault in RUN
        if found[fault.name][0] != fault.code or not re.search(fault.words, found[fault.name][1])
    }
    assert not wrong
    assert list(tmp_path.iterdir()) == []
    assert not [t for t in threading.enumerate() if t.name.startswith("ReadAhead")]


def test_an_export_that_has_no_place():
    """It is refused before the graph is made, which takes minutes."""
    for export, name in ((export_step, "land.onnx"), (export_weights, "land.safetensors")):
        with pytest.raises(OSError, match=words("an export to a folder that may not be written")):
            export("ailand-small", f"/proc/nowhere/{name}")


def test_words_in_a_coupling():
    """Text in place of true or false, or of a distance, is refused when it is read."""
    rain = {"avg_tprate": {"field": "tp", "units": "m", "accumulated": "maybe"}}
    with pytest.raises(ValueError, match=words("a word for true in a coupling")):
        read_forcing(rain, ["avg_tprate"], {"tp": None}, 6.0, ())
    place = np.zeros(1), np.zeros(1)
    for distance in ("all", -5, True):
        expected = words("a word for a distance in a coupling").replace("'all'", re.escape(repr(distance)))
        with pytest.raises(ValueError, match=expected):
            land_points({"nearest": distance}, place, place)


def ended(arguments, capsys, monkeypatch):
    """Exit code and standard error of a command."""
    monkeypatch.setattr(sys, "argv", ["anemoi-ailand", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, capsys.readouterr().err


@pytest.mark.slow
def test_other_commands(dataset, tmp_path, monkeypatch, capsys):
    """Every wrong argument has its code and words, and no traceback."""
    monkeypatch.chdir(tmp_path)
    period = {"empty": "2020-05-01, end: 2020-04-01", "late": "2020-03-01", "nowhere": "2020-03-01"}
    for name, dates in period.items():
        path = "nowhere.zarr" if name == "nowhere" else dataset
        (tmp_path / f"{name}.yaml").write_text(
            f"checkpoint: ailand\nrunner: land-forecaster\nlead_time: 1d\noutput: {{land-netcdf: {{path: f.nc}}}}\n"
            f"date: {'2020-06-01' if name == 'late' else '2020-04-01'}\n"
            f"input: {{dataset: {{dataset: {path}, start: {dates}}}}}\n"
        )
    wrong = {}
    for fault in COMMANDS:
        arguments = [a.replace("{dataset}", str(dataset)) for a in fault.options]
        code, said = ended(arguments, capsys, monkeypatch)
        if code != fault.code or not re.search(fault.words, said) or "Traceback" in said:
            wrong[fault.name] = code, said[-500:]
    assert not wrong
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty.yaml", "late.yaml", "nowhere.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "reforecast"])
def test_a_damaged_chunk(dataset, tmp_path, monkeypatch, capsys, command):
    """A copy that broke off ends in one sentence with the dates."""
    monkeypatch.chdir(tmp_path)
    chunks = shutil.copytree(dataset, tmp_path / "small.zarr") / "data"
    for chunk in [path for path in chunks.iterdir() if re.fullmatch(r"[1-9]\d*\.0\.0\.0", path.name)]:
        chunk.write_bytes(chunk.read_bytes()[:3000])  # all but the first, which is read when the dataset is opened
    more = ["--dataset", "small.zarr", "--starts", "2020-04-01"] if command == "reforecast" else ["small.zarr"]
    code, said = ended([command, *more], capsys, monkeypatch)
    assert code == 1 and re.search(words("a damaged chunk of a dataset"), said) and "Traceback" not in said
