# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A store with the schema of the published aiLand v1 sets, as it is: training, run, evaluation, rewriting it once."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from anemoi.datasets import open_dataset

from anemoi_ailand import reforecast
from anemoi_ailand.data.mapping.declaration import checkpoint_record, load_mapping, mapping_of
from anemoi_ailand.data.mapping.mapped_path import mapped_path, of_checkpoint
from anemoi_ailand.support.packaged import find
from tests.integration.conftest import TINY, anemoi
from tests.support.commands import run_command
from tests.support.published import published_store

pytestmark = pytest.mark.slow

#: Periods of the replica instead of those of the published sets.
PERIODS = (
    "dataloader.training.datasets.data.start=2016-01-02", "dataloader.training.datasets.data.end=2016-11-30",
    "dataloader.validation.datasets.data.start=2016-12-01", "dataloader.validation.datasets.data.end=2016-12-31",
    "dataloader.test.datasets.data.start=2017-01-01", "land.points=32",
)  # fmt: skip

RUN = ("date=2017-01-01", "lead_time=3d")


@dataclass(frozen=True)
class Trained:
    """Folder, store as it is, and what the training on it said."""

    root: Path
    store: Path
    said: str

    @property
    def checkpoint(self):
        return self.root / "training" / "best" / "inference-best.ckpt"

    def run(self, dataset, output):
        options = [f"checkpoint={self.checkpoint}", f"input.dataset={dataset}", f"output.land-netcdf.path={output}"]
        anemoi("inference", "run", find("configs", "inference/rollout"), *options, *RUN, cwd=self.root)
        with xr.open_dataset(output) as made:
            return made.load()


@pytest.fixture(scope="module")
def trained(once):
    """A tiny network, trained by the command of the guide."""

    def make(root):
        store = published_store(root / "o96.zarr", start="2016-01-01", end="2017-02-10")
        done = anemoi(
            "training", "train", "--config-name", "ailand-v1-data", f"system.input.dataset={store}",
            f"system.output.root={root / 'training'}", *TINY, *PERIODS, "training.run_id=null", cwd=root,
        )  # fmt: skip
        (root / "said.txt").write_text(done.stdout + done.stderr)

    root = once("published", make)
    return Trained(root, root / "o96.zarr", (root / "said.txt").read_text())


@pytest.fixture(scope="module")
def rewritten(trained, once):
    """The store rewritten by the packaged recipe in three parts, the last of them begun twice."""

    def make(root):
        recipe = yaml.safe_load(find("recipes", "ailand-v1").read_text())
        recipe["dates"].update(start="2016-12-30T00:00:00", end="2017-01-10T18:00:00")
        recipe["statistics"]["end"] = "2017-01-01T18:00:00"
        recipe["output"]["chunking"] = {"dates": 4, "ensembles": 1, "values": 30}
        recipe["build"]["group_by"] = 8
        recipe["input"]["ecland"]["path"] = str(trained.store)
        (root / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        anemoi("datasets", "init", root / "recipe.yaml", root / "land.zarr", cwd=root)
        for part in ("3/3", "1/3", "2/3", "3/3"):
            anemoi("datasets", "load", root / "land.zarr", "--parts", part, cwd=root)
        anemoi("datasets", "finalise", root / "land.zarr", cwd=root)

    return once("rewritten", make) / "land.zarr"


def test_training_says_what_the_store_lacks_and_which_step_it_takes(trained):
    """Soil types, filled gaps, dates of the statistics and the step are in the log; the network is the closed step."""
    for words in ("Soil types from their constants: {'coarse':", "'tvl': 1 of 72 points have none and get 0",
                  "Statistics of", "Step: closed, as the variables suffice"):  # fmt: skip
        assert words in trained.said
    model = torch.load(trained.checkpoint, map_location="cpu", weights_only=False).model
    assert model.closed is not None
    assert {"slw", "ssr", "str"}.isdisjoint(model.columns.outputs)


def test_checkpoint_keeps_the_mapping(trained):
    """The checkpoint holds the whole mapping, whatever becomes of the packaged one."""
    assert mapping_of(checkpoint_record(trained.checkpoint), "it") == load_mapping("ailand-v1")
    assert load_mapping(trained.checkpoint) == load_mapping("ailand-v1")
    assert str(of_checkpoint(trained.store, trained.checkpoint)) == mapped_path(trained.store, trained.checkpoint)


def test_statistics_in_the_checkpoint_are_those_of_the_land(trained):
    """The sea does not enter the normalisation, and radiation is in W m-2."""
    model = torch.load(trained.checkpoint, map_location="cpu", weights_only=False)
    mapped, names = open_dataset(mapped_path(trained.store, "ailand-v1")), model.data_indices["data"].name_to_index
    for name in ("avg_sdswrf", "stl1", "z"):
        expected = mapped.statistics["mean"][mapped.name_to_index[name]]
        np.testing.assert_allclose(model.statistics["data"]["mean"][names[name]], expected, rtol=1e-6)
    assert 50.0 < model.statistics["data"]["mean"][names["avg_sdswrf"]] < 400.0


def test_run_from_the_store_is_that_from_the_rewritten_one(trained, rewritten, tmp_path):
    """anemoi-inference applies the mapping of the checkpoint; the rewritten store, read without one, is the same."""
    first, second = trained.run(trained.store, tmp_path / "a.nc"), trained.run(rewritten, tmp_path / "b.nc")
    assert first.sizes["time"] == 13
    assert first.sizes["point"] == 72
    for name in first.data_vars:
        np.testing.assert_array_equal(first[name].values, second[name].values, err_msg=str(name))
    assert np.isfinite(first["swvl1"].values).all()


def test_rewritten_store_has_the_chosen_chunks_and_the_same_points(trained, rewritten):
    """Land only, in the fair order, in chunks of dates and points, without a gap."""
    made, mapped = (
        open_dataset(str(rewritten)),
        open_dataset(mapped_path(trained.store, "ailand-v1"), start="2016-12-30"),
    )
    assert made.chunks == (4, len(made.variables), 1, 30)
    np.testing.assert_array_equal(made.latitudes, mapped.latitudes)
    order = [mapped.name_to_index[n] for n in made.variables]
    np.testing.assert_array_equal(made[7], mapped[7][order])
    assert not np.isnan(made[:]).any()


def test_reforecast_reads_the_store_through_the_mapping(trained, tmp_path):
    """From Python, too, the store is given as it is."""
    path = reforecast(trained.checkpoint, trained.store, tmp_path / "f.nc", starts=["2017-01-01"], leads=[6, 72])
    with xr.open_dataset(path) as made:
        assert np.isfinite(made["swvl1"].values).all()
        assert made.attrs["dataset"] == str(of_checkpoint(trained.store, trained.checkpoint))


def test_evaluation_of_the_store(trained, tmp_path):
    """The command takes checkpoint and store as they are, and repeats no roll-out the second time."""
    options = ["protocol_a.year=2017", "protocol_a.every_days=20", "protocol_a.lead_days=[1]", "protocol_b=null",
               "protocol_c=null"]  # fmt: skip
    command = ["anemoi_ailand", "evaluate", *options, "--checkpoint", trained.checkpoint, "--dataset", trained.store,
               "--output", tmp_path / "e"]  # fmt: skip
    done = run_command(*command, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert metrics["inputs"]["reference"]["path"].startswith("ailand::")
    assert metrics["points"]["all"] == 72
    assert any(row["variable"] == "swvl1" and row["value"] is not None for row in metrics["scores"])
    again = run_command(*command, cwd=tmp_path, timeout=600)
    assert "Reusing" in again.stderr + again.stdout


def test_mistakes_are_found_before_the_training(trained, tmp_path):
    """A mapping without a selected variable, a store of another schema: an error at once, and no output."""
    base = ["training", "train", "--config-name"]
    out = [f"system.output.root={tmp_path / 'training'}", f"system.input.dataset={trained.store}"]
    done = anemoi(*base, "ailand", *out, "land.mapping=ailand-v1", cwd=tmp_path, check=False)
    assert done.returncode
    assert "does not make ['slw', 'ssr', 'str', 'al'], which the configuration selects" in done.stdout + done.stderr
    done = anemoi(*base, "ailand-v1-data", *out, "land.mapping=null", cwd=tmp_path, check=False)
    assert done.returncode
    assert "It has the variables of the mapping 'ailand-v1': set `land.mapping=ailand-v1`" in done.stdout + done.stderr
    assert not list((tmp_path / "training").rglob("*.ckpt"))
