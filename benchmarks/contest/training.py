# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Training of the entrants of a contest, stage by stage; a finished stage is never trained again.

Each stage has a folder ``training/<entrant>/stage-<n>``, which gets this name when the training is complete. Its
``finished.json`` records configuration, duration and device. A stage of another configuration is renamed, not removed.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import json
import logging
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from anemoi_ailand import __version__
from anemoi_ailand.support.atomic import partial_path, publish_folder
from anemoi_ailand.support.checksum import TRAINING, code_sha256
from anemoi_ailand.support.configuration import plain_name
from anemoi_ailand.support.options import suggestion
from anemoi_ailand.support.packaged import listing
from anemoi_ailand.support.subprocesses import remove, run_logged
from benchmarks.contest.settings import ContestSettings, Stage

LOG = logging.getLogger(__name__)

#: Configurations of the entrants, which the package does not contain, and the checkout, from which their classes are
#: imported.
CONFIGS, CHECKOUT = Path(__file__).parent / "configs" / "training", Path(__file__).resolve().parents[2]

#: Name of the file that marks a complete stage and records its configuration.
FINISHED = "finished.json"

#: Checkpoint of a stage that is rolled out, and the one that the next stage starts from.
INFERENCE, WEIGHTS = Path("best") / "inference-best.ckpt", Path("best") / "best.ckpt"

#: Sections of a configuration that describe where it runs, not what is trained.
PLACES = ("system", "hydra")

Json = dict[str, Any]


def fingerprints(label: str, stages: Sequence[Stage], seed: int) -> list[str]:
    """Hash the composed configuration of each stage together with the seed and the stages before it.

    Device and folders do not count, so that a training may come from another machine.

    Raises
    ------
    ValueError
        A configuration does not exist, or cannot be composed with its overrides.
    """
    out: list[str] = []
    for stage in stages:
        text = json.dumps(_composed(label, stage), sort_keys=True, default=str)
        out.append(hashlib.sha256("".join([*(out[-1:] or [str(seed)]), text]).encode()).hexdigest())
    return out


def _composed(label: str, stage: Stage) -> Json:
    """Compose the configuration of a stage without the sections of :data:`PLACES`."""
    try:
        with initialize_config_dir(str(CONFIGS.resolve()), version_base=None):
            config = compose(stage.config, overrides=list(stage.overrides))
    except MissingConfigException as error:
        known = [name.removeprefix("training/") for name in listing("configs") if name.startswith("training/")]
        known += [path.stem for path in sorted(CONFIGS.glob("*.yaml"))]
        missing = error.missing_cfg_file or stage.config
        raise ValueError(
            f"The configuration '{stage.config}' of entrant '{label}' cannot be found ('{missing}'). "
            f"{suggestion(stage.config, known)}. Correct its name, or put the file into this folder."
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(
            f"The configuration '{stage.config}' of entrant '{label}' cannot be composed with {list(stage.overrides)}: "
            f"{error}. Correct the overrides."
        ) from error
    content = OmegaConf.to_container(config, resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key not in PLACES}


def folder_of(settings: ContestSettings, label: str, stage: int) -> Path:
    """Return the folder of a stage, counted from 1."""
    return settings.output / "training" / plain_name(label) / f"stage-{stage}"


def finished(folder: Path) -> Json | None:
    """Read the record of a complete training; ``None`` if there is none."""
    mark = folder / FINISHED
    return json.loads(mark.read_text()) if mark.is_file() and (folder / INFERENCE).is_file() else None


def train(label: str, settings: ContestSettings, hashes: list[str]) -> list[Json]:
    """Train the missing stages of an entrant, those without a record of the same hash; return the records of all.

    Raises
    ------
    ChildProcessError
        A training failed; the message names its log.
    """
    marks = []
    for number, (stage, mark) in enumerate(zip(settings.stages(label), hashes, strict=True), start=1):
        folder = folder_of(settings, label, number)
        record = finished(folder)
        if record is not None and record["hash"] == mark:
            LOG.info("%s, stage %d: already trained, %s", label, number, folder)
        else:
            _put_aside(folder, record)
            before = folder_of(settings, label, number - 1) / WEIGHTS if number > 1 else None
            record = _train(label, number, stage, mark, settings, before)
        marks.append(record)
    return marks


def _put_aside(folder: Path, record: Json | None) -> None:
    """Rename the training of another configuration."""
    if not folder.exists():
        return
    aside = folder.with_name(f"{folder.name}.{record['hash'][:8] if record else 'incomplete'}")
    remove(aside)
    folder.rename(aside)
    LOG.warning("%s was trained with another configuration; renamed to %s", folder, aside.name)


def _train(label: str, number: int, stage: Stage, mark: str, settings: ContestSettings, before: Path | None) -> Json:
    """Run one training; its folder gets the final name at the end."""
    folder = folder_of(settings, label, number)
    partial = partial_path(folder)
    remove(partial)
    fixed = [f"system.input.dataset={settings.dataset.resolve()}", f"system.output.root={partial.resolve()}"]
    if before is not None:
        fixed += [f"system.input.warm_start={before.resolve()}", "training.load_weights_only=true"]
    code = code_sha256(TRAINING)  # of the files that the command is about to load
    LOG.info("%s, stage %d of %d ...", label, number, len(settings.entrants[label].stages))
    log = settings.output / "log" / f"{plain_name(label)}-{number}.log"
    command = ["anemoi.training", "train", "--config-dir", str(CONFIGS.resolve()), "--config-name", stage.config]
    environment = {
        "ANEMOI_BASE_SEED": str(settings.training_seed),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")])),
    }
    spent = run_logged(log, [*command, *stage.overrides, *fixed], environment=environment)
    if not (partial / INFERENCE).is_file():
        raise ChildProcessError(
            f"The training of '{label}' ended without a checkpoint '{INFERENCE}' in '{partial}', which has "
            f"{sorted(p.name for p in partial.iterdir())}. Its configuration needs the callback BestCheckpoint, as "
            f"configs/training/ailand.yaml has it. All output: {log}"
        )
    about = {
        "hash": mark, "code_sha256": code, "config": stage.config, "overrides": list(stage.overrides),
        "wall_seconds": round(spent.wall_seconds, 1), "cpu_seconds": round(spent.cpu_seconds, 1),
        "device": device_name(stage.overrides), "seed": settings.training_seed, "version": __version__,
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
    }  # fmt: skip
    (partial / FINISHED).write_text(json.dumps(about, indent=1) + "\n")
    publish_folder(partial, folder)
    return about


def device_name(overrides: Sequence[str] = ()) -> str:
    """Name the accelerator that anemoi-training would use, else the processor."""
    if torch.cuda.is_available() and "system.hardware.accelerator=cpu" not in overrides:
        return str(torch.cuda.get_device_name(0))
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return " ".join((names or [platform.processor() or platform.machine()])[0].replace("(R)", "").split())


def point_steps(folder: Path) -> float | None:
    """Sum the point-steps of a training from its ``training_log.csv``; ``None`` if unknown."""
    log = folder / "training_log.csv"
    if not log.is_file():
        return None
    with log.open(newline="") as file:
        counts = [row.get("point_steps") for row in csv.DictReader(file)]
    return float(sum(float(c) for c in counts if c)) if counts and all(counts) else None


def differences(marks: Sequence[Json], hashes: Sequence[str]) -> list[str]:
    """Describe how trainings differ from those that would be made now.

    Trainings made with other code are kept, as they take hours to repeat, but the table marks them.
    """
    out = []
    if [mark["hash"] for mark in marks] != list(hashes):
        out.append("trained with another configuration than today's")
    if any(mark.get("code_sha256") != code_sha256(TRAINING) for mark in marks):
        out.append("trained with other code than today's")
    return out


def spent_on(marks: Sequence[Json], folders: Sequence[Path]) -> Json:
    """Sum samples and time, and join the devices, of all stages, as fields of :class:`Entry`."""
    counts = [point_steps(folder) for folder in folders]
    known = [c for c in counts if c is not None]
    return {
        "point_steps": sum(known) if known and len(known) == len(counts) else None,
        "wall_seconds": sum(m["wall_seconds"] for m in marks),
        "cpu_seconds": sum(m["cpu_seconds"] for m in marks),
        "device": ", ".join(dict.fromkeys(m["device"] for m in marks)),
    }
