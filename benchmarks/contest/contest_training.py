# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Train the entrants of a contest, stage by stage; what is finished is not trained again.

A stage has a folder of its own, ``training/<entrant>/stage-<n>``, which gets this name when the training is complete.
``finished.json`` in it says by which configuration, in what time, and where. A stage of another configuration is not
removed but put aside.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import json
import logging
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_module
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from anemoi_ailand import __version__
from anemoi_ailand.support.code_version import CLOSED, training_sha256
from anemoi_ailand.support.configuration import plain_name
from anemoi_ailand.support.options import nearest
from anemoi_ailand.support.packaged import listing
from anemoi_ailand.support.subprocesses import remove, run_logged
from benchmarks.contest.settings import ContestSettings, Stage

LOG = logging.getLogger(__name__)

#: Says that a stage is complete, and what it was.
FINISHED = "finished.json"

#: Checkpoint of a stage that is rolled out, and the one from which the next stage goes on.
INFERENCE, WEIGHTS = Path("best") / "inference-best.ckpt", Path("best") / "best.ckpt"

#: Sections of a configuration that say where it runs, not what is trained.
PLACES = ("system", "hydra")

Json = dict[str, Any]


def fingerprints(label: str, stages: Sequence[Stage], seed: int) -> list[str]:
    """Hash of the whole configuration of each stage, all defaults followed, with the seed and the stages before it.

    Where it runs (device, folders) is no part of it, so that a training may have been made on another machine.

    Raises
    ------
    ValueError
        A configuration is not there, or cannot be composed with its overrides.
    """
    out: list[str] = []
    for stage in stages:
        text = json.dumps(_composed(label, stage), sort_keys=True, default=str)
        out.append(hashlib.sha256("".join([*(out[-1:] or [str(seed)]), text]).encode()).hexdigest())
    return out


def _composed(label: str, stage: Stage) -> Json:
    try:
        with initialize_config_module("anemoi.training.config", version_base=None):
            config = compose(stage.config, overrides=list(stage.overrides))
    except MissingConfigException as error:
        known = [name.removeprefix("training/") for name in listing("configs") if name.startswith("training/")]
        near = nearest(stage.config, known)
        missing = error.missing_cfg_file or stage.config
        raise ValueError(
            f"The configuration '{stage.config}' of entrant '{label}' cannot be found ('{missing}'). Nearest: {near}. "
            "Correct its name, or put the file into this folder."
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(
            f"The configuration '{stage.config}' of entrant '{label}' cannot be composed with {list(stage.overrides)}: "
            f"{error}. Correct the overrides; `anemoi-ailand configs training/{stage.config}` shows what there is."
        ) from error
    content = OmegaConf.to_container(config, resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key not in PLACES}


def folder_of(settings: ContestSettings, label: str, stage: int) -> Path:
    """Folder of a stage, counted from 1."""
    return settings.output / "training" / plain_name(label) / f"stage-{stage}"


def finished(folder: Path) -> Json | None:
    """What a complete training says about itself; ``None`` if there is none."""
    mark = folder / FINISHED
    return json.loads(mark.read_text()) if mark.is_file() and (folder / INFERENCE).is_file() else None


def train(label: str, settings: ContestSettings, hashes: list[str]) -> list[Json]:
    """Train all stages of an entrant that are not there, and return what each says about itself.

    Parameters
    ----------
    label : str
        Of the entrant.
    settings : ContestSettings
        With the entrant.
    hashes : list of str
        From :func:`fingerprints`.

    Raises
    ------
    ChildProcessError
        A training failed; the message names its log.
    """
    marks = []
    for number, (stage, mark) in enumerate(zip(settings.stages(label), hashes, strict=True), start=1):
        folder = folder_of(settings, label, number)
        there = finished(folder)
        if there is not None and there["hash"] == mark:
            LOG.info("%s, stage %d: trained already, %s", label, number, folder)
        else:
            _put_aside(folder, there)
            before = folder_of(settings, label, number - 1) / WEIGHTS if number > 1 else None
            there = _train(label, number, stage, mark, settings, before)
        marks.append(there)
    return marks


def _put_aside(folder: Path, there: Json | None) -> None:
    """Keep the training of another configuration under another name."""
    if not folder.exists():
        return
    aside = folder.with_name(f"{folder.name}.{there['hash'][:8] if there else 'incomplete'}")
    remove(aside)
    folder.rename(aside)
    LOG.warning("%s was trained by another configuration; it is now %s", folder, aside.name)


def _train(label: str, number: int, stage: Stage, mark: str, settings: ContestSettings, before: Path | None) -> Json:
    """One training, from its beginning to the name of its folder."""
    folder = folder_of(settings, label, number)
    partial = folder.with_name(f"{folder.name}.partial")
    remove(partial)
    fixed = [f"system.input.dataset={settings.dataset.resolve()}", f"system.output.root={partial.resolve()}"]
    if before is not None:
        fixed += [f"system.input.warm_start={before.resolve()}", "training.load_weights_only=true"]
    step = _composed(label, stage)["model"]["model"].get("step", CLOSED)
    code = training_sha256(step)  # before the command loads it
    LOG.info("%s, stage %d of %d ...", label, number, len(settings.entrants[label].stages))
    log = settings.output / "log" / f"{plain_name(label)}-{number}.log"
    command = ["anemoi.training", "train", "--config-name", stage.config, *stage.overrides, *fixed]
    spent = run_logged(log, command, environment={"ANEMOI_BASE_SEED": str(settings.training_seed)})
    if not (partial / INFERENCE).is_file():
        raise ChildProcessError(
            f"The training of '{label}' ended without a checkpoint '{INFERENCE}' in '{partial}', which has "
            f"{sorted(p.name for p in partial.iterdir())}. Its configuration needs the callback BestCheckpoint, as "
            f"configs/training/ailand.yaml has it. All output: {log}"
        )
    about = {
        "hash": mark, "step": step, "code_sha256": code, "config": stage.config, "overrides": list(stage.overrides),
        "wall_seconds": round(spent.wall_seconds, 1), "cpu_seconds": round(spent.cpu_seconds, 1),
        "device": device_name(stage.overrides), "seed": settings.training_seed, "version": __version__,
        "ended": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
    }  # fmt: skip
    unfinished = partial / f".{FINISHED}"
    unfinished.write_text(json.dumps(about, indent=1) + "\n")
    unfinished.rename(partial / FINISHED)
    partial.rename(folder)
    return about


def device_name(overrides: Sequence[str] = ()) -> str:
    """Name of the accelerator that anemoi-training takes here, else of the processor."""
    if torch.cuda.is_available() and "system.hardware.accelerator=cpu" not in overrides:
        return str(torch.cuda.get_device_name(0))
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return " ".join((names or [platform.processor() or platform.machine()])[0].replace("(R)", "").split())


def point_steps(folder: Path) -> float | None:
    """Samples of a training by its ``training_log.csv``; ``None`` if that does not say."""
    log = folder / "training_log.csv"
    if not log.is_file():
        return None
    with log.open(newline="") as file:
        counts = [row.get("point_steps") for row in csv.DictReader(file)]
    return float(sum(float(c) for c in counts if c)) if counts and all(counts) else None


def differences(marks: Sequence[Json], hashes: Sequence[str]) -> list[str]:
    """In what trainings differ from those that would be made now, as notes for the table.

    Trainings of other code are kept, as it takes hours to repeat them, but nobody shall take them for today's.
    """
    out = []
    if [mark["hash"] for mark in marks] != list(hashes):
        out.append("trained by another configuration than today's")
    if any(mark.get("code_sha256") != training_sha256(mark.get("step", CLOSED)) for mark in marks):
        out.append("trained by other code than today's")
    return out


def spent_on(marks: Sequence[Json], folders: Sequence[Path]) -> Json:
    """Samples, time and device of all stages together, as :class:`Entry` takes them."""
    counts = [point_steps(folder) for folder in folders]
    known = [c for c in counts if c is not None]
    return {
        "point_steps": sum(known) if known and len(known) == len(counts) else None,
        "wall_seconds": sum(m["wall_seconds"] for m in marks),
        "cpu_seconds": sum(m["cpu_seconds"] for m in marks),
        "device": ", ".join(dict.fromkeys(m["device"] for m in marks)),
    }
