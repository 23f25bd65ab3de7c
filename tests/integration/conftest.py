# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A small dataset and a short training by the real command lines, made once for all tests that need them."""

import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from anemoi_ailand.support.packaged import find
from tests.support.commands import run_command

#: Period of the small dataset: long enough for rain, snow and a growing leaf area.
START, END, TRAINED_UNTIL = "2020-03-01T00:00:00", "2020-05-31T18:00:00", "2020-04-30T18:00:00"

#: State without liquid water in snow, for which GRIB has no parameter: so the same network starts from any input.
WITHOUT_SLW = ("land.prognostic.snow=[snowc,sd,rsn,tsn,asn]",)

TINY = (
    "model.model.width=24",
    "model.model.depth=2",
    "training.max_epochs=2",
    "training.max_steps=20",
    "training.optimization.lr_scheduler.warmup_t=2",
    "task.rollout.steps=[1,2,3]",
    "task.validation_rollout=4",
    "dataloader.limit_batches.training=5",
    "dataloader.limit_batches.validation=2",
    "dataloader.training.datasets.data.start=2020-03-01",
    "dataloader.training.datasets.data.end=2020-04-30",
    "dataloader.validation.datasets.data.start=2020-05-01",
    "dataloader.validation.datasets.data.end=2020-05-31",
)


def anemoi(tool, *arguments, cwd, check=True, env=None):
    """Run ``anemoi-TOOL ARGUMENTS``; on failure show the end of what it said."""
    done = run_command(f"anemoi.{tool}", *arguments, cwd=cwd, timeout=600, env=env)
    if check and done.returncode:
        raise AssertionError(f"{done.args} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def small_recipe(path, **source):
    """The packaged sample recipe, shortened; ``source`` changes options of the source."""
    recipe = yaml.safe_load(find("recipes", "ecland-sample").read_text())
    recipe["dates"].update(start=START, end=END)
    recipe["build"]["group_by"] = "monthly"
    recipe["statistics"]["end"] = TRAINED_UNTIL
    recipe["input"]["ecland"].update(source)
    path.write_text(yaml.safe_dump(recipe))
    return path


@dataclass(frozen=True)
class Chain:
    """Folder, dataset, training folder and checkpoint."""

    root: Path
    dataset: Path
    training: Path

    @property
    def checkpoint(self):
        return self.training / "best" / "inference-best.ckpt"

    def train(self, output, *options, check=True):
        return anemoi("training", *self.training_arguments(output, *options), cwd=self.root, check=check)

    def training_arguments(self, output, *options):
        """Arguments of ``anemoi-training`` for a tiny network."""
        return (
            "train", "--config-name", "ailand-sample", f"system.input.dataset={self.dataset}",
            f"system.output.root={output}", *TINY, *WITHOUT_SLW, *options,
        )  # fmt: skip

    def run(self, output, *options, config="inference/rollout", check=True):
        fixed = [f"checkpoint={self.checkpoint}", f"output.land-netcdf.path={output}"]
        if config == "inference/rollout":
            fixed.append(f"input.dataset={self.dataset}")
        defaults = ["date=2020-05-01T00:00:00", "lead_time=10d"]
        return anemoi(
            "inference", "run", find("configs", config), *fixed, *defaults, *options, cwd=self.root, check=check
        )


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """Return a function that makes a folder by name, once for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = shared / f"once-{name}", shared / f"once-{name}.done"
        with (shared / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def compiled(once):
    """Cache with the compiled step of the packaged network, made by the command."""
    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler")

    def make(folder):
        own = {**os.environ, "AILAND_CACHE": str(folder)}
        done = run_command("anemoi_ailand", "compile", "ailand", cwd=folder, timeout=1200, env=own)
        assert done.returncode == 0, done.stderr
        assert "ailand: compiled, layers in" in done.stdout

    return once("compiled", make)


@pytest.fixture
def cache(compiled, monkeypatch):
    """The same as that of the user."""
    monkeypatch.setenv("AILAND_CACHE", str(compiled))
    return compiled


@pytest.fixture
def fastest(request, monkeypatch):
    """The compiled step, which takes a fifth of the time at the points of the sample, where there is a compiler."""
    if shutil.which("g++"):
        monkeypatch.setenv("AILAND_CACHE", str(request.getfixturevalue("compiled")))


@pytest.fixture(scope="session")
def small_dataset(once):
    def create(root):
        anemoi("datasets", "create", small_recipe(root / "recipe.yaml"), root / "small.zarr", cwd=root)

    return once("dataset", create) / "small.zarr"


@pytest.fixture(scope="session")
def long_dataset(once):
    """The year that a climatology needs, and ten weeks of the next, with the variables of the small dataset."""

    def create(root):
        path = small_recipe(root / "recipe.yaml")
        recipe = yaml.safe_load(path.read_text())
        recipe["dates"].update(start="2020-01-01T00:00:00", end="2021-03-15T18:00:00")
        path.write_text(yaml.safe_dump(recipe))
        anemoi("datasets", "create", path, root / "long.zarr", cwd=root)

    return once("long", create) / "long.zarr"


@pytest.fixture(scope="session")
def chain(small_dataset, once):
    def of(root):
        return Chain(root, small_dataset, root / "training")

    return of(once("chain", lambda root: of(root).train(root / "training", "training.run_id=null")))


@pytest.fixture(scope="session")
def forecast(chain, once):
    return once("forecast", lambda root: chain.run(root / "forecast.nc")) / "forecast.nc"
