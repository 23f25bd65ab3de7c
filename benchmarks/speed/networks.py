# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checkpoints of the sizes whose cost is compared: packaged networks, and others with random weights."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn

from anemoi_ailand.hosts.anemoi_models import load_model
from anemoi_ailand.model.land_model import CLOSED
from anemoi_ailand.model.pointwise_mlp import PointwiseMLP
from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint, pretrained_names
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.support.checksum import COMPILED, file_sha256, loaded_sha256, record_of, record_sha256

_ROOT = Path(__file__).parents[2]

#: Configurations of training that state the size of each network.
CONFIGS = {
    **{name: _ROOT / f"configs/training/{name}.yaml" for name in ("ailand-small", "ailand", "ailand-large")},
    "ailand-v1": _ROOT / "benchmarks/contest/configs/training/ailand-v1.yaml",
}

#: Standard deviation of random weights of the heads; a run with them stays within the bounds.
_HEADS = 0.01


def checkpoint_of(name: str, folder: Path) -> str:
    """Return the name of a packaged network, or the path of a checkpoint in ``folder`` with random weights.

    All but the network, and for aiLand v1 the step, is that of the packaged checkpoint. A file is made once for this
    version of the model, so that its compiled step, which is known by the checksum of the file, is made once.
    """
    if name in pretrained_names():
        return name
    source, options = pretrained_checkpoint(), _options(name)
    key = repr((file_sha256(source), loaded_sha256(COMPILED), sorted(options.items())))
    with zipfile.ZipFile(source) as archive:
        entries = [(info, archive.read(info)) for info in archive.infolist() if "/anemoi-metadata/" in info.filename]
    root = entries[0][0].filename.split("/")[0]  # the metadata name their files with it
    path = folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}" / f"{root}.ckpt"
    if path.is_file():
        if not record_of(path).is_file():
            record_sha256(path)
        return str(path)
    model = load_model(source, "cpu")
    _replace_network(model.model, options)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as here, complete_file(path, Path(here) / path.name) as made:
        torch.save(model, made)
        with zipfile.ZipFile(made, "a") as archive:
            for info, content in entries:
                archive.writestr(info, content)
    record_sha256(path)
    return str(path)


def _options(name: str) -> dict[str, Any]:
    """Return the options of the model in the configuration of a network, and those of ``ailand`` that it leaves."""
    configs: list[Any] = [OmegaConf.load(path).model.model for path in (CONFIGS["ailand"], CONFIGS[name])]
    return dict(OmegaConf.merge(*configs))  # type: ignore[arg-type]


def _replace_network(land: Any, options: dict[str, Any]) -> None:
    """Give a land model with the closed step another network, and the step of the options."""
    sizes = land.network.n_in, land.network.n_prognostic, land.network.n_diagnostic
    if options["step"] != CLOSED:
        c = land.columns
        land.closed = None
        land._diagnostic_out = torch.tensor([c.outputs.index(n) for n in c.diagnostic])
        sizes = c.n_in, len(c.prognostic), len(c.diagnostic)
    torch.manual_seed(0)
    network = PointwiseMLP(*sizes, **{k: options[k] for k in ("width", "depth", "activation")},
                           skip=options.get("skip", True))  # fmt: skip
    for head in (network.prognostic_head, network.diagnostic_head):
        nn.init.normal_(head.weight, std=_HEADS)
    land.network = network
