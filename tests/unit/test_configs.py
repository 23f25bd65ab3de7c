# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every configuration and recipe parses, has a header, and agrees with the table of variables."""

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from anemoi.training.schemas.base_schema import BaseSchema
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError
from pydantic import ValidationError

from anemoi_ailand.assimilation.settings import Settings
from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.data.mapping.declaration import load_mapping
from anemoi_ailand.rollout.ensembles.options import EnsembleOptions, ForcingSpread, StateSpread
from anemoi_ailand.rollout.run.launch import options_of_runner, read_run
from anemoi_ailand.rollout.run.options import RestartOptions, run_options
from anemoi_ailand.support.configuration import read_configuration
from anemoi_ailand.support.packaged import listing
from anemoi_ailand.variables import VARIABLES
from benchmarks.contest.settings import CONFIGS as CONTEST
from tests.support.documents import METHODS, header_faults, name_faults, walk


def load(path: Path) -> Any:
    """Parse without following defaults or interpolations."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


BASE = "ailand-base"

#: Configurations of the package and of the contest; the training configurations among them.
FILES = [*listing("configs").values(), *sorted(CONTEST.rglob("*.yaml"))]
RECIPES = {path: load(path) for path in listing("recipes").values()}
TRAINING = [path for path in FILES if path.parent.name == "training"]
COMPOSED = pytest.mark.parametrize("name", [path.stem for path in TRAINING])


#: Values that a user gives, so that every interpolation can be resolved.
GIVEN = (
    "system.input.dataset=d.zarr", "system.output.root=out", "system.input.graph=null",
    "diagnostics.log.mlflow.tracking_uri=null",
)  # fmt: skip


@cache
def composed(name: str, *overrides: str) -> DictConfig:
    """A training configuration with all defaults followed; composed once."""
    with initialize_config_dir(str((CONTEST / "training").resolve()), version_base=None):
        return compose(name, overrides=[*GIVEN, *overrides])


def method_of(normalizer: dict[str, Any], name: str) -> str:
    """Method of the normaliser for ``name``."""
    for method in METHODS:
        if name in (normalizer.get(method) or ()):
            return method
    return normalizer["default"]


def test_promised_configs_exist() -> None:
    """There are recipes for sample, any run, reference set and GRIB; the contest keeps its entrants to itself."""
    assert {"ecland-sample", "ecland-native", "ecland-reference", "ecland-towers", "ecland-grib"} <= set(
        listing("recipes")
    )
    assert {"training/ailand", "training/ailand-sample"} <= set(listing("configs"))
    assert {name.partition("/")[0] for name in listing("configs")} == {
        "training", "inference", "assimilation", "evaluation", "mapping", "coupling",
    }  # fmt: skip
    entrants = {"ailand-v1", "ailand-v1-forcing", "prototype-2024", "stock-pointwise", "xgboost"}
    assert entrants <= {path.stem for path in (CONTEST / "training").glob("*.yaml")}


def test_headers() -> None:
    """Every header says purpose, needs, products and tests."""
    assert [fault for path in (*FILES, *RECIPES) for fault in header_faults(path)] == []


def test_names_are_in_the_table() -> None:
    """Configurations and recipes name only variables of the table, in lists of their role."""
    steps = {path: composed(path.stem).model.model.get("step") for path in TRAINING}
    assert [fault for path in (*FILES, *RECIPES) for fault in name_faults(path, steps.get(path))] == []


def test_options_of_runs() -> None:
    """Every packaged run is valid, its runner too; the ensemble lists the default perturbations."""
    runs = {name: read_run(name) for name in listing("configs") if name.startswith("inference/")}
    given = {name: options_of_runner(config) for name, config in runs.items()}
    options = {name: run_options(found) for name, found in given.items()}
    assert {name for name in runs if options[name].restart} == {"inference/rollout-restart"}
    assert {name for name in runs if options[name].ensemble} == {"inference/rollout-ensemble"}
    ensemble = options["inference/rollout-ensemble"].ensemble
    assert ensemble == EnsembleOptions(members=50, initial=StateSpread(), forcing=ForcingSpread())
    restart = given["inference/rollout-restart"]["restart"]
    assert options["inference/rollout-restart"].restart == RestartOptions(folder=restart["folder"])


def test_options_of_assimilations() -> None:
    """The packaged assimilation lists every option with its default, and only dates, data and errors are its own."""
    found = read_configuration("assimilation/sekf", [], Settings)
    given = found.model_dump()
    expected = Settings(data=["x"], start=found.start, end=found.end, controls=found.controls).model_dump()
    own = {"data", "errors", "representativeness"}
    assert {k: given[k] for k in given if k not in own} == {k: expected[k] for k in expected if k not in own}
    listed = load(listing("configs")["assimilation/sekf"])
    assert set(Settings.model_fields) - set(listed) == {"device", "execution", "plausibility", "trust"}


def test_no_path_of_a_machine() -> None:
    """The user gives places; no machine is named."""
    values = {path.name: [v for _, v in walk(load(path)) if isinstance(v, str)] for path in (*FILES, *RECIPES)}
    assert [(name, v) for name, found in values.items() for v in found if v.startswith(("/", "~"))] == []


@COMPOSED
def test_one_list_of_variables(name: str) -> None:
    """State, diagnostics and forcing of ``land`` are selected, once, and normalised as in the table."""
    config = composed(name)
    land, data = OmegaConf.to_container(config.land, resolve=True), config.data.datasets.data
    state = [n for group in land["prognostic"].values() for n in group]
    forcing = [n for group in land["forcing"].values() for n in group]
    assert land["select"] == [*state, *land["diagnostic"], *forcing]
    assert len(set(land["select"])) == len(land["select"])
    assert (list(data.forcing), list(data.diagnostic)) == (forcing, land["diagnostic"])
    normalizer = OmegaConf.to_container(data.processors.normalizer.config, resolve=True)
    columns = load_mapping(land["mapping"]).variables if land["mapping"] else {}
    same = [n for n, column in columns.items() if column.value is not None]  # everywhere: no spread to divide by
    expected = {n: "none" if n in same else VARIABLES[n].normalisation for n in land["select"]}
    wrong = {n: m for n in land["select"] if (m := method_of(normalizer, n)) != expected[n]}
    assert not wrong
    assert bool(land["select"]) == (name != BASE)


def test_overrides_change_the_selection() -> None:
    """Lists of the command line reach the selection, those of ``land`` and those of Anemoi."""
    leaves = composed("ailand", "land.forcing.vegetation=[]", "land.prognostic.vegetation=[lai_lv,lai_hv]")
    assert "lai_lv" not in leaves.data.datasets.data.forcing
    assert {"lai_lv", "lai_hv"} <= set(leaves.land.select)
    assert "t" not in composed("ailand", "data.datasets.data.forcing=[q]").land.select


#: Sections of plug-ins, unknown to anemoi-training's schema; the rest must satisfy it.
OURS = {
    "": ("model", "task", "graph"),
    "training": ("method", "strategy", "training_loss", "scalers", "validation_metrics", "variable_groups"),
    "diagnostics": ("progress_bar",),
}


@COMPOSED
def test_everything_but_the_plug_ins_satisfies_the_schema_of_the_host(name: str) -> None:
    """With stock sections in place of ours, anemoi-training's validation finds only its own mistakes."""
    ours, stock = deepcopy(composed(name)), composed("config", "model=gnn")
    for section, keys in OURS.items():
        for key in keys:
            path = f"{section}.{key}".strip(".")
            OmegaConf.update(ours, "config_validation", False)  # weights of the stock sections are of its variables
            OmegaConf.update(ours, path, OmegaConf.select(stock, path), merge=False, force_add=True)
    found = complaints(ours)
    assert ("land",) in found, "the validation looks at nothing"
    assert found <= stock_complaints() | {("land",)}


@cache
def stock_complaints() -> set[tuple]:
    """Places at which anemoi-training's schema finds a mistake in its own configuration."""
    return complaints(composed("config", "model=gnn"))


def complaints(config: DictConfig) -> set[tuple]:
    """Places at which anemoi-training's schema finds a mistake."""
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    try:
        BaseSchema(**{key: resolved[key] for key in resolved})
    except ValidationError as error:
        return {tuple(found["loc"]) for found in error.errors()}
    return set()


def test_recipes_suit_the_emulator() -> None:
    """A recipe has the name of its file, the step of the emulator, and statistics of the changes over one step."""
    assert [path.name for path, recipe in RECIPES.items() if recipe["name"] != path.stem] == []
    step = f"{STEP_HOURS}h"
    assert [path.name for path, recipe in RECIPES.items() if recipe["dates"]["frequency"] != step] == []
    changes = {path.stem: recipe["statistics"].get("tendencies", ()) for path, recipe in RECIPES.items()}
    assert [name for name, steps in changes.items() if step not in steps] == ["towers"], "targets, never inputs"


def test_a_dataset_without_an_input_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """One made before the albedo was in the table, the main or another; leaving the group out lets it be used."""
    stored = [n for n in composed("ailand").land.select if n != "al"]
    (tmp_path / ".zattrs").write_text(json.dumps({"variables": stored}))
    old = f"system.input.dataset={tmp_path}"
    with pytest.raises(
        InterpolationResolutionError, match=r"has no \['al'\].*Create it again.*land.forcing.albedo=\[\]\."
    ):
        OmegaConf.to_container(composed("ailand", old).dataloader.training, resolve=True)
    with pytest.raises(InterpolationResolutionError, match=r"has no \['al'\].*Create it again"):
        OmegaConf.to_container(composed("ailand", f"land.others=[{{dataset:{tmp_path}}}]").training, resolve=True)
    taken = composed("ailand", old, "land.forcing.albedo=[]").dataloader.training.datasets.data.dataset_config.select
    assert "al" not in taken and "veg_lz0h_hv" in taken


def test_a_mapping_reaches_every_dataset_of_the_training() -> None:
    """Store and mapping become one name, for samples and graph; without a mapping the dataset is as it was given."""
    config = composed("ailand-v1-data", "system.input.dataset=/data/o96.zarr")
    parts = [config.dataloader[label].datasets.data.dataset_config for label in ("training", "validation", "test")]
    found = [part.dataset for part in (*parts, config.graph.nodes.data.node_builder.dataset)]
    assert found == ["ailand::/data/o96.zarr?ailand-v1"] * 4
    assert list(parts[0].select) == list(config.land.select)
    plain = composed("ailand-v1-data", "system.input.dataset=/data/o96.zarr", "land.mapping=null")
    assert plain.dataloader.training.datasets.data.dataset_config.dataset == "/data/o96.zarr"
    assert composed("ailand").graph.nodes.data.node_builder.dataset.dataset == "d.zarr"


def test_a_published_store_without_its_mapping_is_recognised(tmp_path: Path) -> None:
    """The error of any configuration names the mapping that the store needs."""
    names = {source for column in load_mapping("ailand-v1").variables.values() for source in column.sources}
    (tmp_path / ".zattrs").write_text(json.dumps({"variables": sorted(names)}))
    with pytest.raises(InterpolationResolutionError, match="It has the variables of the mapping 'ailand-v1': set"):
        OmegaConf.to_container(composed("ailand", f"system.input.dataset={tmp_path}").dataloader, resolve=True)


def test_a_mapping_without_an_input_is_refused_with_the_remedy() -> None:
    """``ailand`` selects what the published sets lack; a mapping that does not exist is an error, too."""
    lacking = composed("ailand", "land.mapping=ailand-v1").dataloader.training.datasets.data.dataset_config
    with pytest.raises(InterpolationResolutionError, match=r"does not make \['slw', 'ssr', 'str', 'al'\].*Leave them"):
        OmegaConf.to_container(lacking, resolve=True)
    unknown = composed("ailand-v1-data", "land.mapping=ailand-v2").dataloader.training.datasets.data.dataset_config
    with pytest.raises(InterpolationResolutionError, match=r"no configuration 'ailand-v2'.*Nearest: .'ailand-v1'."):
        OmegaConf.to_container(unknown, resolve=True)


def test_further_datasets_reach_the_training() -> None:
    """Entries of ``land.others`` are options of the training method, as they are given; by default there are none."""
    assert composed("ailand").training.method.others == []
    entries = [{"dataset": "towers.zarr", "start": 2019, "share": 0.1}]
    found = composed("ailand", "land.others=[{dataset:towers.zarr,start:2019,share:0.1}]").training.method.others
    assert list(found) == entries


def test_several_processes_share_the_batches() -> None:
    """Batches, warm-up and end of the learning rate of one process follow from their number; or from given batches."""
    for options, expected in (
        ([], (181, 57 * 181, 200)),
        (["system.hardware.num_gpus_per_node=4", "system.hardware.num_nodes=2"], (23, 57 * 23, 25)),
        (["dataloader.limit_batches.training=31", "training.max_epochs=2"], (31, 62, 200)),
    ):
        config = composed("ailand", *options)
        scheduler = config.training.optimization.lr_scheduler
        found = (config.dataloader.limit_batches.training, config.training.max_steps, scheduler.warmup_t)
        assert found == expected
        assert scheduler.t_initial == config.training.max_steps
    with pytest.raises(InterpolationResolutionError, match=r"Give `training\.max_steps`"):
        composed("ailand", "dataloader.limit_batches.training=null").training.max_steps  # noqa: B018


def test_networks_of_the_contest_have_the_inputs_of_their_papers() -> None:
    """Inputs that the trained sizes have got since are not theirs."""
    told = {"al", "veg_lz0h_hv", "veg_vcmax_lv", "veg_vcmax_hv", "veg_resp_lv", "veg_resp_hv"}
    assert told < set(composed("ailand").land.select)
    entrants = [p.stem for p in (CONTEST / "training").glob("*.yaml") if p.stem != "ailand-21m"]
    assert not [name for name in entrants if told & set(composed(name).land.select)]
