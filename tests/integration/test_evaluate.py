# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand evaluate`` with a trained checkpoint: from a dataset to a report, and a run that dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from tests.support.commands import run_command

pytestmark = pytest.mark.slow

OPTIONS = (
    "protocol_a.year=2021", "protocol_a.every_days=30", "protocol_a.lead_days=[1,2]", "protocol_b.start=2021-01-01",
    "protocol_b.end=2021-02-21",
)  # fmt: skip
ROLL_OUTS = ["A-emulator.nc", "B-emulator.nc", "C-a-single-site-emulator.nc", "C-every-4th-point-emulator.nc"]


def command(checkpoint, dataset, output, *options):
    fixed = ["--checkpoint", checkpoint, "--dataset", dataset, "--output", output]
    return ["anemoi_ailand", "evaluate", *OPTIONS, *options, *map(str, fixed)]


def evaluate(checkpoint, dataset, output, *options, check=True):
    arguments = command(checkpoint, dataset, output, *options)
    done = run_command(*arguments, cwd=output.parent, timeout=600)
    if check and done.returncode:
        raise AssertionError(f"{arguments} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


@pytest.fixture(scope="module")
def evaluated(chain, long_dataset, tmp_path_factory):
    """Finished process and folder of its result."""
    output = tmp_path_factory.mktemp("evaluated") / "evaluation"
    return evaluate(chain.checkpoint, long_dataset, output), output


def stamps(output):
    """Time of modification of each roll-out."""
    kept = output.with_name(f"{output.name}-reforecasts")
    return {path.name: path.stat().st_mtime_ns for path in sorted(kept.iterdir())}


def test_command_writes_report_numbers_and_figures(evaluated):
    """The result holds all documented files, and the terminal shows the table and the path of the page."""
    done, output = evaluated
    names = {"differences.csv", "figures", "metrics.csv", "metrics.json", "report", "settings.yaml", "table.md"}
    assert {path.name for path in output.iterdir()} == names
    page = output / "report" / "index.html"
    assert str(page) in done.stdout
    assert (output / "table.md").read_text() in done.stdout
    figures = sorted(path.stem for path in (output / "figures").glob("*.png"))
    assert {"error_growth_a_core", "taylor", "sites", "budget_water", "density_emulator"} <= set(figures)
    html = page.read_text()
    assert html.count("data:image/png;base64") == len(figures)
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_numbers_are_in_the_documented_layout(evaluated, long_dataset):
    """JSON and CSV files agree, empty groups are null, and the water budget of the reference closes."""
    _, output = evaluated
    text = (output / "metrics.json").read_text()
    metrics = json.loads(text, parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))
    assert metrics["inputs"]["reference"]["path"] == str(long_dataset)
    assert all(made.get("execution", ["plain"]) == ["plain"] for made in metrics["inputs"]["forecasts"].values())
    assert metrics["protocols"]["A"]["starts"] == 3
    for part, file in (("scores", "metrics.csv"), ("differences", "differences.csv")):
        table = pd.read_csv(output / file)
        assert len(table) == len(metrics[part]) > 1000
        assert list(table.columns) == list(metrics[part][0])
    scores = pd.read_csv(output / "metrics.csv")
    assert set(scores["protocol"]) == {"A", "B", "C"}
    empty = scores[scores["n"] == 0]
    assert empty["value"].isna().all()
    assert metrics["budgets"]["closure"]["ecLand"]["water"]["closure"] == "closed"


def test_second_run_takes_the_roll_outs(evaluated, chain, long_dataset):
    """A second run reuses the roll-outs; another seed changes intervals only."""
    _, output = evaluated
    before, scores = stamps(output), (output / "metrics.csv").read_text()
    assert list(before) == ROLL_OUTS
    evaluate(chain.checkpoint, long_dataset, output, "seed=2")
    assert stamps(output) == before
    assert (output / "metrics.csv").read_text() == scores


def test_killed_run_leaves_nothing_under_the_name(chain, long_dataset, tmp_path):
    """A killed run leaves neither a result nor an unfinished roll-out under its name."""
    output = tmp_path / "e"
    process = subprocess.Popen(
        [sys.executable, "-m", *command(chain.checkpoint, long_dataset, output)], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 120
    while not (tmp_path / "e-reforecasts").exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)  # with the helper of anemoi-datasets, which would be left
    assert process.wait() == -9
    assert not output.exists()
    assert not (tmp_path / "e-reforecasts" / ROLL_OUTS[-1]).exists()


def test_evaluation_that_does_not_fit_does_not_start(chain, long_dataset, tmp_path):
    """A year that is not in the dataset, and variables that it lacks: one message, and nothing is written."""
    less = shutil.copytree(long_dataset, tmp_path / "less.zarr")
    attributes = next(path for path in (less / ".zattrs", less / "zarr.json") if path.exists())
    attributes.write_text(attributes.read_text().replace('"avg_sdlwrf"', '"sunshine"'))
    for dataset, options, message in (
        (long_dataset, ["protocol_a.year=2022"], "No integration of 2 days fits into 2022"),
        (less, [], "The model needs ['avg_sdlwrf'], which dataset"),
    ):
        done = evaluate(chain.checkpoint, dataset, tmp_path / "e", *options, check=False)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert not list(tmp_path.glob("e*"))
