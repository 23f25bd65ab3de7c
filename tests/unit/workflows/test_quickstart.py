# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The quickstart's stages; the real commands run in tests/integration/test_wheel.py."""

from pathlib import Path

import pytest
import yaml

from anemoi_ailand.evaluation.settings import read_settings
from anemoi_ailand.support.packaged import find
from anemoi_ailand.workflows import quickstart as module
from anemoi_ailand.workflows.quickstart import FULL, SMALLEST, TRAINING_PERIOD, quickstart


@pytest.fixture
def stages(monkeypatch):
    """Replace the commands by stand-ins that make their results; return the names of those that ran."""
    ran = []

    def run(output: Path, name: str, command: list[str]):
        ran.append(name)
        if name == "dataset":
            Path(command[-1]).mkdir()
        if name == "training":
            root = next(c for c in command if c.startswith("system.output.root=")).split("=", 1)[1]
            (Path(root) / "best").mkdir(parents=True)
        if name == "rollout":
            Path(next(c for c in command if "path=" in c).split("=", 1)[1]).touch()
        if name == "evaluation":
            Path(next(c for c in command if c.startswith("output=")).split("=", 1)[1]).mkdir()

    monkeypatch.setattr(module, "_run", run)
    return ran


def test_stages_run_in_order_and_once(stages, tmp_path):
    """Dataset, training, roll-out, evaluation; only a removed result is made again, all with ``force``."""
    assert quickstart(tmp_path, SMALLEST) == tmp_path / "comparison"
    assert {p.name for p in tmp_path.iterdir()} == {"dataset.zarr", "training", "forecast.nc", "comparison"}
    quickstart(tmp_path, SMALLEST)
    assert stages == ["dataset", "training", "rollout", "evaluation"]
    (tmp_path / "comparison").rmdir()
    quickstart(tmp_path, SMALLEST)
    assert stages[4:] == ["evaluation"]
    quickstart(tmp_path, SMALLEST, force=True)
    assert stages[5:] == ["dataset", "training", "rollout", "evaluation"]


def test_training_period_is_that_of_the_configuration():
    config = yaml.safe_load(find("configs", "training/ailand-sample").read_text())
    period = config["dataloader"]["training"]["datasets"]["data"]
    assert (str(period["start"]), str(period["end"])) == TRAINING_PERIOD


@pytest.mark.parametrize("size", [FULL, SMALLEST])
def test_options_of_the_evaluation_are_valid(size):
    settings = read_settings(find("configs", "evaluation/evaluate"), ["protocol_c=null", *size.evaluation])
    assert settings.protocol_a.year == 2022
    assert settings.protocol_c is None
