# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Hydra plugin that makes ``anemoi-training train --config-name ailand`` work from any folder.

Hydra imports it before it composes, so the resolvers of the configurations are registered here as well.
anemoi-training resolves a configuration before it stores it, so no checkpoint depends on them.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

from anemoi_ailand.support.packaged import folder


class AilandSearchPath(SearchPathPlugin):
    """Append the packaged training configurations to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append ``configs/training`` of the package."""
        search_path.append("anemoi-ailand", f"file://{folder('configs') / 'training'}")


def join(*groups: Iterable[str] | Mapping[str, Iterable[str]]) -> list[str]:
    """Join lists of variables, or mappings of such lists, in order: ``${ailand.join:${land.forcing}}``."""
    lists = (part for group in groups for part in (group.values() if isinstance(group, Mapping) else [group]))
    return [name for part in lists if part is not None for name in part]


def not_normalised(names: Iterable[str]) -> list[str]:
    """Select the variables that the table of variables leaves unscaled."""
    from anemoi_ailand.variables import variable

    return [name for name in names if variable(name).normalisation == "none"]


def checked(*, _root_: DictConfig) -> bool:
    """Check the whole configuration before anything is opened; return False, as the schema of Anemoi is not for it."""
    from anemoi_ailand.training.configuration import check_configuration

    check_configuration(_root_)
    return False


def mapped(dataset: object, mapping: str | None) -> object:
    """Return the dataset through a mapping, if one is given; see :mod:`anemoi_ailand.data.mapping.mapped_path`."""
    from anemoi_ailand.data.mapping.mapped_path import is_mapped, mapped_path, parts

    if mapping is None:
        if is_mapped(dataset):
            parts(str(dataset))  # makes it known to zarr
        return dataset
    if not isinstance(dataset, str):
        raise ValueError(
            f"`land.mapping` is for one store; the dataset is {dataset}. Rewrite several stores once by a recipe."
        )
    return mapped_path(dataset, mapping)


def held(
    names: Iterable[str], groups: Mapping[str, Iterable[str]], dataset: object, mapping: str | None = None
) -> list[str]:
    """Return the ``names``; refuse those that a local dataset or its mapping lacks, and give the remedy.

    ``groups`` are those of the forcing. Anything but the path of a dataset in one piece is left to Anemoi.
    """
    from anemoi_ailand.data.anemoi_dataset import check_finished

    names = list(names)
    if mapping is not None:
        from anemoi_ailand.data.mapping.declaration import load_mapping

        if missing := [n for n in names if n not in load_mapping(mapping).made]:
            raise ValueError(
                f"The mapping '{mapping}' does not make {missing}, which the configuration selects. Leave them out of "
                "`land`, as configs/training/ailand-v1-data.yaml does, or add them to a mapping of your own."
            )
        return names
    if isinstance(dataset, str):
        check_finished(dataset)
    attributes = Path(dataset).expanduser() / ".zattrs" if isinstance(dataset, str) else None
    if attributes is None or not attributes.is_file():
        return names
    stored = json.loads(attributes.read_text(encoding="utf-8")).get("variables") or names
    if missing := [n for n in names if n not in stored]:
        whole = [f"land.forcing.{g}=[]" for g, found in groups.items() if set(found or ()) & set(missing)]
        without = f", or train without: {' '.join(whole)}" if whole else ""
        from anemoi_ailand.data.mapping.declaration import hint

        raise ValueError(
            f"The dataset '{dataset}' has no {missing}, which the configuration selects. Create it again by its recipe "
            f"with this version of anemoi-ailand, which makes them{without}.{hint(stored)}"
        )
    return names


def others(
    entries: Iterable[Mapping[str, object]], names: Iterable[str], groups: Mapping[str, Iterable[str]]
) -> list[object]:
    """Return the ``entries`` of ``land.others``; refuse a dataset that lacks one of the ``names`` as :func:`held`."""
    for entry in entries:
        held(names, groups, entry.get("dataset"))
    found = OmegaConf.to_container(entries, resolve=True) if OmegaConf.is_config(entries) else list(entries)
    return list(found) if isinstance(found, list) else [found]


def checkpoint(given: str | None) -> str | None:
    """Return the path of a checkpoint to start from, given by path or name, once its checksum is verified."""
    from anemoi_ailand.rollout.step.checkpoint import existing_checkpoint
    from anemoi_ailand.rollout.step.pretrained import checkpoint_path
    from anemoi_ailand.rollout.step.trust import check_whole

    if given is None:
        return None
    path = existing_checkpoint(checkpoint_path(given))
    if not check_whole(path):
        raise ValueError(
            f"The checkpoint '{path}' of `land.base` is a Python pickle, which executes code when it is read, and no "
            f"checksum of it is known. If you trust its source, record it: `sha256sum {path.name} > "
            f"{path.name}.sha256` in its folder."
        )
    return str(path)


def network(given: str) -> dict[str, object]:
    """Return the options of the network of a checkpoint, given by path or name, as under ``model.model``."""
    from anemoi.utils.checkpoints import load_metadata

    options: dict[str, object] = load_metadata(checkpoint(given))["config"]["model"]["model"]
    return options


def per_process(batches: int, hardware: Mapping[str, int]) -> int:
    """Divide a number of batches among the training processes: Anemoi counts those of one process.

    >>> per_process(181, {"num_gpus_per_node": 4, "num_nodes": 2, "num_gpus_per_model": 1})
    23
    """
    models = hardware["num_gpus_per_node"] * hardware["num_nodes"] // hardware["num_gpus_per_model"]
    return -(-batches // max(1, models))


def batches(epochs: int | None, per_epoch: int | None) -> int:
    """Return the batches of all epochs of a training process, at which the learning rate ends."""
    if not epochs or not per_epoch:
        raise ValueError(
            f"`training.max_epochs` is {epochs}, `dataloader.limit_batches.training` is {per_epoch}: the number of "
            "batches at which the learning rate ends does not follow from them. Give `training.max_steps`."
        )
    return epochs * per_epoch


OmegaConf.register_new_resolver("ailand.batches", batches, replace=True)
OmegaConf.register_new_resolver("ailand.checked", checked, replace=True)
OmegaConf.register_new_resolver("ailand.checkpoint", checkpoint, replace=True)
OmegaConf.register_new_resolver("ailand.held", held, replace=True)
OmegaConf.register_new_resolver("ailand.join", join, replace=True)
OmegaConf.register_new_resolver("ailand.mapped", mapped, replace=True)
OmegaConf.register_new_resolver("ailand.network", network, replace=True)
OmegaConf.register_new_resolver("ailand.not_normalised", not_normalised, replace=True)
OmegaConf.register_new_resolver("ailand.others", others, replace=True)
OmegaConf.register_new_resolver("ailand.per_process", per_process, replace=True)
