# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Configurations of a training with one mistake each, and those that are shipped."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf.errors import InterpolationResolutionError

from anemoi_ailand.support.packaged import listing
from anemoi_ailand.training.configuration import date_of
from anemoi_ailand.training.configuration_values import _OTHER
from anemoi_ailand.training.datasets import OtherDataset
from anemoi_ailand.training.point_blocks import check_points
from benchmarks.contest.settings import CONFIGS as CONTEST
from tests.faults.faults import TRAINING, VALUES, words

GIVEN = ("system.input.dataset=d.zarr", "system.output.root=out")
SHIPPED = [*(p for n, p in listing("configs").items() if n.startswith("training/")), *(CONTEST / "training").iterdir()]


def composed(name, *overrides):
    """Configuration of a training, not yet resolved."""
    with initialize_config_dir(str((CONTEST / "training").resolve()), version_base=None):
        return compose(name, overrides=[*GIVEN, *overrides])


def said(name, *overrides):
    """Message of the check of a composed configuration; empty if it passes."""
    config = composed(name, *overrides)
    try:
        assert config.config_validation is False
    except InterpolationResolutionError as error:
        return str(error)
    return ""


@pytest.mark.slow
def test_catalogue():
    """Each fault has one mistake, with the words of its row; the rest pass."""
    found = {fault.name: said("ailand", *fault.options) for fault in TRAINING}
    assert len(found) == len(TRAINING)
    wrong = {
        fault.name: found[fault.name]
        for fault in TRAINING
        if (bool(found[fault.name]) != (fault.expected == "error"))
        or not re.search(fault.words, found[fault.name])
        or ("has 1 mistake:" not in found[fault.name] and fault.expected == "error")
    }
    assert not wrong


@pytest.mark.slow
def test_values():
    """All values that no training can take are found, many in one message; a key that has two, in two."""
    left, wrong = list(VALUES), []
    while left:
        chosen = {fault.options[0].partition("=")[0]: fault for fault in left}
        if "land.tune" in chosen and "no network" in chosen["land.tune"].words:
            chosen.pop("land.base", None)  # a wrong one is a mistake of its own
        message = said("ailand", *(fault.options[0] for fault in chosen.values()))
        wrong += [fault.name for fault in chosen.values() if not re.search(fault.words, message)]
        left = [fault for fault in left if fault not in chosen.values()]
    assert wrong == []


def test_all_mistakes_in_one_message():
    """Keys, variables and dates together."""
    message = said("ailand", "+land.point=3", "land.diagnostic=[skd]", "dataloader.validation.datasets.data.start=2020")
    assert re.search("(?s)'land.point'.*'skd'.*has dates of the training", message)


def test_shipped_configurations_pass(tmp_path):
    """Those of the package and of the contest, with the options of the documentation."""
    assert {path.stem: message for path in SHIPPED if (message := said(path.stem))} == {}
    differences = tmp_path / "differences.nc"
    differences.touch()
    documented = (
        "land.others=[{dataset:towers.zarr,start:2019,end:2019,share:0.2}]", f"land.jacobian.path={differences}",
        "land.time_limit=11h", "land.prognostic.vegetation=[lai_lv,lai_hv]", "land.forcing.vegetation=[]",
        "model.model.network=my_networks.Linear", "model.model.width=null", "training.run_id=abc",
        "diagnostics.log.mlflow.enabled=true", "diagnostics.log.mlflow.offline=true", "training.load_weights_only=true",
    )  # fmt: skip
    assert said("ailand", *documented) == ""
    shares = ("dataloader.test.datasets.data.start=90%", "dataloader.training.datasets.data.start=2018-1-1")
    assert said("ailand", *shares) == ""


def test_a_configuration_of_a_user(tmp_path):
    """A derived file in a folder of its own is checked through its base."""
    text = "defaults: [ailand, _self_]\ntraining: {max_epoch: 3}\n"
    Path(tmp_path, "my-land.yaml").write_text(text)
    with initialize_config_dir(str(tmp_path), version_base=None):
        config = compose("my-land", overrides=list(GIVEN))
    with pytest.raises(InterpolationResolutionError, match=r"'training.max_epoch' is not an option.*max_epochs"):
        _ = config.config_validation


def test_more_points_than_the_dataset_has():
    """100,000 points of 44 are an error; all of them, or fewer, pass."""
    with pytest.raises(ValueError, match=words("more points a sample than the dataset has")):
        check_points(100_000, 44, "d.zarr")
    check_points(44, 44, "d.zarr")
    check_points(None, 44, "d.zarr")


def test_periods():
    """Years, months, days and times as first and last second; anything else is left to Anemoi."""
    assert str(date_of("2020-02", end=True)) == "2020-02-29T23:59:59"
    assert str(date_of("2020-02-01 06:00", end=True)) == "2020-02-01T06:00:00"
    with pytest.raises(ValueError):
        date_of("10%", end=False)


def test_keys_of_other_datasets():
    """Those that the check takes are those of an entry."""
    assert set(_OTHER) == set(OtherDataset.model_fields)
