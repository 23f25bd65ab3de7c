# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Reports on checkpoints, and on data against the training data of one; those on data alone are in tests/faults."""

import json
import shutil

import pytest
import torch
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.workflows import check_checkpoint as module
from anemoi_ailand.workflows.check import check
from anemoi_ailand.workflows.check_checkpoint import check_checkpoint, is_checkpoint
from tests.faults.faults import words
from tests.support.land import FORMER


def test_a_packaged_network_is_sound(tmp_path):
    """Its report names checksum, options, columns with statistics, and what it was trained on."""
    folder, wrong = check_checkpoint("ailand-small", tmp_path / "report")
    assert wrong == []
    report = (folder / "report.md").read_text()
    for text in ("Nothing wrong was found", "Checksum: that of the package", "width 128", "324 points", "| stl1 "):
        assert text in report, text
    assert json.loads((folder / "check.json").read_text())["findings"] == []
    assert is_checkpoint("ailand-small") and is_checkpoint("a.ckpt") and not is_checkpoint("a.zarr")


def test_a_checkpoint_of_unknown_checksum(tmp_path):
    """The report says that a run would refuse it, and what is known without reading it; trusted, it is read."""
    path = tmp_path / "mine.ckpt"
    shutil.copy(FORMER, path)
    folder, wrong = check_checkpoint(path, tmp_path / "report")
    assert len(wrong) == 1 and "Python pickle" in wrong[0]
    assert "not known to anybody" in (folder / "report.md").read_text()
    folder, wrong = check_checkpoint(path, tmp_path / "report", trust=True)
    assert wrong == [] and "no record" in (folder / "report.md").read_text()


def test_a_network_that_is_not_a_number(tmp_path, monkeypatch):
    """Weights and the results of a trial step are looked at."""
    load = module.load_step

    def broken(path, trust=None):
        step = load(path, trust=trust)
        with torch.no_grad():
            next(step.model.model.network.parameters())[0, 0] = torch.nan
        return step

    monkeypatch.setattr(module, "load_step", broken)
    _, wrong = check_checkpoint("ailand-small", tmp_path / "report")
    assert len(wrong) == 2
    assert "There are weights that are not numbers: ['network." in wrong[0]
    assert "A trial step from typical inputs gives no number for" in wrong[1]


def test_data_are_compared_with_the_training_of_a_network(tmp_path):
    """The report has a text and maps of the distance; a checkpoint without a record is refused."""
    data = ail.open_data("$AILAND_SAMPLE").to_xarray("2021-02-01").load()
    data["avg_u"] += 30.0
    data.to_netcdf(tmp_path / "windy.nc")
    folder, found = check(tmp_path / "windy.nc", tmp_path / "report", checkpoint="ailand-small")
    assert any(finding.rule.name == "unseen avg_u" for finding in found)
    assert "## Distance from the training data" in (folder / "report.md").read_text()
    assert (folder / "novelty.png").stat().st_size > 1000
    with xr.open_dataset(folder / "novelty.nc") as novelty:
        assert novelty.sizes["point"] == 44 and float(novelty["beyond"].max()) > 0.15
    shutil.copy(FORMER, tmp_path / "mine.ckpt")
    with pytest.raises(ValueError, match=words("data against a checkpoint without a record")):
        check(tmp_path / "windy.nc", tmp_path / "report", checkpoint=tmp_path / "mine.ckpt")
