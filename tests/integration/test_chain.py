# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The chain by its real command lines: train, resume, roll out; equal to a loop written by hand."""

import csv
import shutil
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
import zarr
from anemoi.datasets import open_dataset
from anemoi.utils.checkpoints import load_metadata

from anemoi_ailand.rollout.run.launch import launch
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.variables import variable
from tests.integration.conftest import TINY, WITHOUT_SLW, Chain, anemoi, small_recipe

pytestmark = pytest.mark.slow

STEP = timedelta(hours=6)


def by_hand(checkpoint, dataset, start, n_steps):
    """Roll out over the network, in physical units and single precision; yields both ends, and {name: (point,)}."""
    step, data = load_step(checkpoint), open_dataset(str(dataset))
    picks = [data.name_to_index[n] for n in step.inputs]
    here, there = [[names.index(n) for n in step.prognostic] for names in (step.inputs, step.outputs)]
    first = int(np.flatnonzero(data.dates == np.datetime64(start))[0])

    def stored(k):
        return torch.from_numpy(np.asarray(data[first + k])[picks, 0].T.astype(np.float32).copy())

    state = stored(0)[:, here]
    for k in range(n_steps):
        ends = torch.stack([stored(k), stored(k + 1)])
        ends[..., here] = state
        out = step(ends)
        state = out[:, there]
        yield ends, {n: out[:, i].numpy() for i, n in enumerate(step.outputs)}


def test_rollout_equals_a_hand_written_loop_to_the_last_bit(chain, forecast):
    """anemoi-inference with our runner gives the network's values with the forcing of each step, bitwise."""
    with xr.open_dataset(forecast) as run:
        assert run.sizes["time"] == 41
        for k, (_, expected) in enumerate(by_hand(chain.checkpoint, chain.dataset, datetime(2020, 5, 1), 40), start=1):
            for name, values in expected.items():
                got = run[variable(name).netcdf_name].values[k]
                np.testing.assert_array_equal(got, values, err_msg=f"{name}, step {k}")


def test_steps_are_those_of_the_checkpoint_as_anemoi_calls_it(chain):
    """Rows and layers that are filled up change no value by more than 1e-5 of it, or of its spread over the points."""
    plain = torch.load(chain.checkpoint, map_location="cpu", weights_only=False).eval()
    for ends, expected in by_hand(chain.checkpoint, chain.dataset, datetime(2020, 5, 1), 40):
        with torch.no_grad():
            found = plain.predict_step({"data": ends[None].clone()})["data"][0, 0, 0]
        for values, (name, stepped) in zip(found.T.numpy(), expected.items(), strict=True):
            np.testing.assert_allclose(stepped, values, rtol=1e-5, atol=1e-5 * values.std() + 1e-12, err_msg=name)


def test_training_log_has_errors_in_physical_units(chain):
    """One row per epoch with losses, rollout and an RMSE for every predicted variable."""
    rows = list(csv.DictReader((chain.training / "training_log.csv").open()))
    assert [r["epoch"] for r in rows] == ["0", "1"]
    assert [r["rollout"] for r in rows] == ["1", "2"]
    assert 0.1 < float(rows[-1]["rmse_stl1"]) < 30.0
    assert 1e-4 < float(rows[-1]["rmse_swvl1"]) < 0.3
    assert sum(k.startswith("rmse_") for k in rows[0]) == 26


def test_training_resumes_with_its_rollout(chain, tmp_path):
    """A training resumed by its id begins at the next epoch with the roll-out that it had reached."""
    training = shutil.copytree(chain.training, tmp_path / "training")  # other tests use the original
    run_id = next((training / "checkpoint").iterdir()).name
    done = chain.train(training, f"training.run_id={run_id}", "training.max_epochs=3")
    rows = list(csv.DictReader((training / "training_log.csv").open()))
    assert (rows[-1]["epoch"], rows[-1]["rollout"]) == ("2", "3")
    assert "Restored rollout step" in done.stdout + done.stderr


def test_training_on_two_datasets(chain, tmp_path):
    """Other dates and points than the main dataset; statistics of both, also when resumed, and in what is run."""
    recipe = small_recipe(tmp_path / "recipe.yaml", points={"ids": [6, 8, 34, 55, 61, 129]})
    content = yaml.safe_load(recipe.read_text())
    content["dates"].update(start="2021-11-01T00:00:00", end="2021-11-30T18:00:00")
    content["statistics"]["end"] = content["dates"]["end"]
    recipe.write_text(yaml.safe_dump(content))
    anemoi("datasets", "create", recipe, tmp_path / "other.zarr", cwd=tmp_path)
    others = f"land.others=[{{dataset:{tmp_path / 'other.zarr'},start:2021-11-03,end:2021-11-28,share:0.5}}]"
    trained = Chain(tmp_path, chain.dataset, tmp_path / "training")
    trained.train(trained.training, others, "training.run_id=null", "land.points=8")
    parts = [open_dataset(str(chain.dataset), start="2020-03-01", end="2020-04-30")]
    parts.append(open_dataset(str(tmp_path / "other.zarr"), start="2021-11-03", end="2021-11-28"))
    weights = [len(p.dates) * p.shape[3] for p in parts]
    first = torch.load(trained.checkpoint, map_location="cpu", weights_only=False)
    for name in ("stl1", "avg_t", "cvh"):
        mean, stdev = np.array([[p.statistics[k][p.name_to_index[name]] for p in parts] for k in ("mean", "stdev")])
        average = np.average(mean, weights=weights)
        spread = np.sqrt(np.average(stdev**2 + (mean - average) ** 2, weights=weights))
        found, i = first.statistics["data"], first.data_indices["data"].name_to_index[name]
        np.testing.assert_allclose([found["mean"][i], found["stdev"][i]], [average, spread], rtol=1e-6)
        assert abs(average - mean[0]) > 1e-3 * stdev[0], "the datasets differ"
    (record,) = load_metadata(str(trained.checkpoint))["other_datasets"]
    assert (record["dataset"], record["dates"], record["share"]) == (str(tmp_path / "other.zarr"), 104, 0.5)
    assert (record["points"], record["held_out"]) == (5, 1)
    assert record["uuid"] == [dict(zarr.open(str(tmp_path / "other.zarr"), "r").attrs)["uuid"]]
    run_id = next((trained.training / "checkpoint").iterdir()).name
    trained.train(trained.training, others, "land.points=8", f"training.run_id={run_id}", "training.max_epochs=3")
    last = torch.load(
        trained.training / "checkpoint" / run_id / "inference-last.ckpt", map_location="cpu", weights_only=False
    )
    for kind in ("mean", "stdev", "minimum", "maximum"):
        np.testing.assert_array_equal(last.statistics["data"][kind], first.statistics["data"][kind])
    launch("inference/rollout", [
        f"checkpoint={trained.checkpoint}", f"output.land-netcdf.path={tmp_path / 'out.nc'}",
        f"input.dataset={tmp_path / 'other.zarr'}", "date=2021-11-05T00:00:00", "lead_time=2d",
    ])  # fmt: skip
    with xr.open_dataset(tmp_path / "out.nc") as run:
        assert run.sizes["time"] == 9 and np.isfinite(run.swvl1.values).all()


@pytest.mark.slow
def test_a_trained_network_is_tuned_on_observations(chain, tmp_path):
    """On targets with gaps, chosen at held-out sites; trunk and statistics stay those of the base, and it runs."""
    seen = shutil.copytree(chain.dataset, tmp_path / "seen.zarr")
    store = zarr.open(str(seen))
    column = {n: store.attrs["variables"].index(n) for n in ("slhf", "swvl1")}
    store["data"][:, column["slhf"], 0, ::2] = np.nan
    store["data"][::3, column["swvl1"]] = np.nan
    anemoi(
        "training", "train", "--config-name", "ailand-finetune", f"system.input.dataset={chain.dataset}",
        f"system.output.root={tmp_path / 'tuned'}", f"land.base={chain.checkpoint}", "land.tune=heads",
        f"land.observed.dataset={seen}", "land.observed.variables=[slhf,swvl1]", "land.points=8", *TINY[2:],
        *WITHOUT_SLW, "task.rollout.steps=[2]", "dataloader.limit_batches.training=2", cwd=tmp_path,
    )  # fmt: skip
    (row, last) = csv.DictReader((tmp_path / "tuned" / "training_log.csv").open())
    assert {n for n in row if n.startswith("rmse_")} == {"rmse_slhf", "rmse_swvl1"}, "all that is observed"
    assert all(np.isfinite(float(r[n])) for r in (row, last) for n in ("train_loss", "val_loss", "rmse_slhf"))
    tuned = tmp_path / "tuned" / "best" / "inference-best.ckpt"
    after, before = (torch.load(p, map_location="cpu", weights_only=False) for p in (tuned, chain.checkpoint))
    new, old = after.model.network.state_dict(), before.model.network.state_dict()
    changed = {n.split(".")[0] for n in old if not torch.equal(new[n], old[n])}
    assert changed == {"prognostic_head", "diagnostic_block", "diagnostic_head"}
    for kind in ("mean", "stdev"):
        np.testing.assert_array_equal(after.statistics["data"][kind], before.statistics["data"][kind])
    launch("inference/rollout", [
        f"checkpoint={tuned}", f"output.land-netcdf.path={tmp_path / 'out.nc'}",
        f"input.dataset={chain.dataset}", "date=2020-05-05T00:00:00", "lead_time=2d",
    ])  # fmt: skip
    with xr.open_dataset(tmp_path / "out.nc") as run:
        assert np.isfinite(run.swvl1.values).all() and np.isfinite(run.slhf.values[1:]).all()


def test_other_points_than_those_of_training(chain, forecast, tmp_path):
    """The checkpoint runs on some of the points in another order; each point is bitwise that of the full run."""
    recipe = small_recipe(tmp_path / "recipe.yaml", points={"held_out": "only"}, order={"seed": 7})
    anemoi("datasets", "create", recipe, tmp_path / "few.zarr", cwd=tmp_path)
    launch("inference/rollout", [
        f"checkpoint={chain.checkpoint}", f"output.land-netcdf.path={tmp_path / 'few.nc'}",
        f"input.dataset={tmp_path / 'few.zarr'}", "date=2020-05-01T00:00:00", "lead_time=10d",
    ])  # fmt: skip
    with xr.open_dataset(tmp_path / "few.nc") as few, xr.open_dataset(forecast) as full:
        assert 0 < few.sizes["point"] < full.sizes["point"]
        same = [int(np.argmin(abs(full.latitude.values - lat))) for lat in few.latitude.values]
        for name in set(few.data_vars) - {"time_bnds", "forecast_reference_time"}:
            np.testing.assert_array_equal(few[name].values, full[name].values[:, same], err_msg=name)


def test_files_as_input_give_the_run_of_the_dataset(chain, forecast, tmp_path):
    """A run from NetCDF files equals that of the dataset, in the order of the files."""
    launch("inference/rollout-files", [
        f"checkpoint={chain.checkpoint}", f"output.land-netcdf.path={tmp_path / 'files.nc'}",
        "date=2020-05-01T00:00:00", "lead_time=10d",
    ])  # fmt: skip
    with xr.open_dataset(tmp_path / "files.nc") as files, xr.open_dataset(forecast) as full:
        same = [int(np.argmin(abs(full.latitude.values - lat))) for lat in files.latitude.values]
        np.testing.assert_allclose(files.swvl1.values, full.swvl1.values[:, same], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(files.skt.values[1:], full.skt.values[1:, same], rtol=1e-5)


def test_a_training_that_cannot_work_does_not_start(chain, tmp_path):
    """The error names the option."""
    done = chain.train(tmp_path / "training", "land.select=[]", check=False)
    assert done.returncode != 0
    assert "select" in done.stdout + done.stderr
    assert not list((tmp_path).rglob("*.ckpt"))
