# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every configuration is in order: it parses, says what it is, and agrees with the table of variables."""

from __future__ import annotations

from functools import cache
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
from tests.support.documents import METHODS, header_faults, lists_of_variables, name_faults, walk

CONFIGS = list(listing("configs").values())
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


def test_headers() -> None:
    """Each header says what, needs, gives and how it is checked."""
    assert [fault for path in CONFIGS for fault in header_faults(path)] == []


def test_names_are_in_the_table() -> None:
    """A configuration names only variables of the table, in lists of their role."""
    assert [fault for path in CONFIGS for fault in name_faults(path)] == []


def test_normalisation_is_that_of_the_table() -> None:
    """The normaliser does with each variable what the table says, and names only variables that are read."""
    wrong = []
    for path in CONFIGS:
        document = load(path)
        found = {name for _, names in lists_of_variables(document) for name in names}
        for normalizer in (v["config"] for k, v in walk(document) if k == "normalizer" and isinstance(v, dict)):
            listed = {n for m in METHODS for n in normalizer.get(m) or ()}
            wrong += [f"{path.name}: '{n}' is normalised and not read" for n in sorted(listed - found)]
            for name in sorted(found):
                if (method := method_of(normalizer, name)) != VARIABLES[name].normalisation:
                    wrong.append(f"{path.name}: '{name}' has '{method}', in the table {VARIABLES[name].normalisation}")
    assert wrong == []


@TRAINING
def test_what_is_read_is_what_is_used(name: str) -> None:
    """With all defaults followed, exactly state, diagnostics and forcing are selected."""
    with initialize_config_module("anemoi.training.config", version_base=None):
        config = compose(name)
    state, data = list(config.land.prognostic), config.data.datasets.data
    assert sorted(config.land.select) == sorted([*state, *data.diagnostic, *data.forcing])


def test_no_path_of_a_machine() -> None:
    """A place is given by the user; no machine is named."""
    values = [(path.name, value) for path in CONFIGS for _, value in walk(load(path))]
    assert [(n, v) for n, v in values if isinstance(v, str) and v.startswith(("/", "~"))] == []


#: Sections in which a plug-in stands, for which anemoi-training's schema has no room; the rest must satisfy it.
OURS = {
    "": ("model", "task", "graph"),
    "training": ("method", "strategy", "training_loss", "scalers", "validation_metrics", "variable_groups"),
    "diagnostics": ("progress_bar",),
}


@TRAINING
def test_everything_but_the_plug_ins_satisfies_the_schema_of_the_host(name: str) -> None:
    """With stock sections in place of ours, anemoi-training's validation finds nothing that it does not in its own."""
    ours, stock = composed(name), stock_config()
    before = complaints(ours)
    for section, keys in OURS.items():
        for key in keys:
            path = f"{section}.{key}".strip(".")
            OmegaConf.update(ours, path, OmegaConf.select(stock, path), merge=False, force_add=True)
    assert complaints(ours) <= stock_complaints() | {("land",)}
    assert ("land",) in before, "the validation looks at nothing"


def composed(name: str, *overrides: str) -> DictConfig:
    """A configuration with the paths that a user gives."""
    given = ["system.input.dataset=d.zarr", "system.output.root=out", "system.input.graph=null"]
    given.append("diagnostics.log.mlflow.tracking_uri=null")
    with initialize_config_module("anemoi.training.config", version_base=None):
        return compose(name, overrides=[*given, *overrides])


@cache
def stock_config() -> DictConfig:
    """The host's own configuration."""
    return composed("config", "model=gnn")


@cache
def stock_complaints() -> set[tuple]:
    """Places at which the host finds something wrong in its own configuration."""
    return complaints(stock_config())


def complaints(config: DictConfig) -> set[tuple]:
    """Places at which anemoi-training's schema finds something wrong."""
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    try:
        BaseSchema(**{key: resolved[key] for key in resolved})
    except ValidationError as error:
        return {tuple(found["loc"]) for found in error.errors()}
    return set()
