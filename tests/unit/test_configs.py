# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every configuration is in order: it parses, says what it is, and agrees with the table of variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from anemoi.training.schemas.base_schema import BaseSchema
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from anemoi_ailand.support.packaged import listing
from anemoi_ailand.variables import VARIABLES
from tests.support.yaml_names import METHODS, check_header, check_names_and_roles, lists_of_variables, walk

CONFIGS = pytest.mark.parametrize("path", listing("configs").values(), ids=listing("configs"))
TRAINING = pytest.mark.parametrize(
    "name", [n.removeprefix("training/") for n in listing("configs") if n.startswith("training/")]
)


def load(path: Path) -> Any:
    """Parse without following defaults or interpolations."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def method_of(normalizer: dict[str, Any], name: str) -> str:
    """What the normaliser of a configuration does with ``name``."""
    for method in METHODS:
        if name in (normalizer.get(method) or ()):
            return method
    return normalizer["default"]


def test_the_promised_configs_are_there() -> None:
    """Training on the full set and on the sample, and of the entrants of the contest."""
    assert {"training/ailand", "training/ailand-sample"} <= set(listing("configs"))
    entrants = ("ailand-v1", "ailand-v1-forcing", "prototype-2024", "stock-pointwise", "xgboost")
    assert {f"training/baselines/{name}" for name in entrants} <= set(listing("configs"))


@CONFIGS
def test_header(path: Path) -> None:
    """The header says what, needs, gives and how it is checked."""
    check_header(path)


@CONFIGS
def test_names_are_in_the_table(path: Path) -> None:
    """A configuration names only variables of the table, in lists of their role."""
    check_names_and_roles(path)


@CONFIGS
def test_normalisation_is_that_of_the_table(path: Path) -> None:
    """The normaliser does with each variable what the table says."""
    document = load(path)
    found = {name for _, names in lists_of_variables(document) for name in names}
    for key, value in walk(document):
        if key == "normalizer" and isinstance(value, dict):
            wrong = {n: m for n in sorted(found) if (m := method_of(value["config"], n)) != VARIABLES[n].normalisation}
            assert not wrong, f"{path.name}: the normaliser says {wrong}, the table says otherwise"
            listed = [n for m in METHODS for n in value["config"].get(m) or ()]
            assert set(listed) <= found, f"{path.name}: the normaliser names variables that are not read"


@TRAINING
def test_what_is_read_is_what_is_used(name: str) -> None:
    """With all defaults followed, exactly state, diagnostics and forcing are selected."""
    with initialize_config_module("anemoi.training.config", version_base=None):
        config = compose(name)
    state, data = list(config.land.prognostic), config.data.datasets.data
    assert sorted(config.land.select) == sorted([*state, *data.diagnostic, *data.forcing])


@CONFIGS
def test_no_path_of_a_machine(path: Path) -> None:
    """A place is given by the user; no machine is named."""
    places = [value for _, value in walk(load(path)) if isinstance(value, str) and value.startswith(("/", "~"))]
    assert places == []


#: Sections in which a plug-in stands, for which anemoi-training's schema has no room; the rest must satisfy it.
OURS = {
    "": ("model", "task", "graph"),
    "training": ("method", "strategy", "training_loss", "scalers", "validation_metrics", "variable_groups"),
    "diagnostics": ("progress_bar",),
}


@TRAINING
def test_everything_but_the_plug_ins_satisfies_the_schema_of_the_host(name: str) -> None:
    """With stock sections in place of ours, anemoi-training's validation finds nothing that it does not in its own."""
    fixed = ["system.input.dataset=d.zarr", "system.output.root=out", "system.input.graph=null"]
    fixed.append("diagnostics.log.mlflow.tracking_uri=null")
    with initialize_config_module("anemoi.training.config", version_base=None):
        ours, stock = (compose(n, overrides=[*fixed, *more]) for n, more in ((name, []), ("config", ["model=gnn"])))
    before = complaints(ours)
    for section, keys in OURS.items():
        for key in keys:
            path = f"{section}.{key}".strip(".")
            OmegaConf.update(ours, path, OmegaConf.select(stock, path), merge=False, force_add=True)
    assert complaints(ours) <= complaints(stock) | {("land",)}
    assert ("land",) in before, "the validation looks at nothing"


def complaints(config: DictConfig) -> set[tuple]:
    """Places at which anemoi-training's schema finds something wrong."""
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    try:
        BaseSchema(**{key: resolved[key] for key in resolved})
    except ValidationError as error:
        return {tuple(found["loc"]) for found in error.errors()}
    return set()
