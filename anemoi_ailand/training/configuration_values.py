# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Values of a composed training configuration that no training can take, found before any data are opened."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from anemoi.utils.dates import as_timedelta

from anemoi_ailand.constants import STEP_HOURS, Plausibility
from anemoi_ailand.model.networks import MLP
from anemoi_ailand.model.pointwise_mlp import ACTIVATIONS
from anemoi_ailand.model.precision import PRECISIONS
from anemoi_ailand.support.options import suggestion
from anemoi_ailand.support.packaged import folder
from anemoi_ailand.variables import VARIABLES

#: Reads a key of the configuration; None if it is missing, null, or cannot be resolved.
Read = Callable[[str], Any]


@dataclass(frozen=True)
class Number:
    """Numbers that an option takes: whole ones or any, from ``low`` on or above it, up to ``high``."""

    low: float
    whole: bool = False
    above: bool = False
    high: float = math.inf

    def takes(self, value: Any) -> bool:
        """Return whether a value is such a number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        if self.whole and value != int(value):
            return False
        return (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        kind = "whole number" if self.whole else "number"
        until = "" if self.high == math.inf else f" and at most {self.high:g}"
        return f"Give a {kind} {'above' if self.above else 'of at least'} {self.low:g}{until}"


_COUNT, _NUMBER, _SIZE = Number(1, whole=True), Number(0, whole=True), Number(0.0)
#: Noise in standard deviations of the training data.
_NOISE = Number(0.0, high=10.0)
_PARTS = ("training", "validation", "test")

#: Numbers by key.
NUMBERS: dict[str, Number] = {
    "land.points": _COUNT, "land.static_noise": _NOISE, "land.state_noise": _NOISE, "land.resident_gb": _SIZE,
    "land.pool.memory_gb": Number(0.0, above=True), "land.pool.points": _COUNT, "land.detach_every": _COUNT,
    "land.checkpoint_every": _COUNT, "land.jacobian.weight": _SIZE, "land.jacobian.every": _COUNT,
    "land.jacobian.pairs": _COUNT, "land.anchor": _SIZE, "land.fraction": _SIZE, "land.patience": _COUNT,
    **{f"dataloader.batch_size.{part}": _COUNT for part in _PARTS},
    **{f"dataloader.num_workers.{part}": _NUMBER for part in _PARTS},
    **{f"dataloader.limit_batches.{part}": _SIZE for part in _PARTS[1:]},
    "dataloader.limit_batches.training": Number(0.0, above=True),
    "dataloader.prefetch_factor": _COUNT,
    "model.model.width": Number(1, whole=True, high=1.0e5), "model.model.depth": Number(0, whole=True, high=1.0e3),
    "task.validation_rollout": _COUNT, "task.rollout.start": _COUNT, "task.rollout.epoch_increment": _NUMBER,
    "task.rollout.maximum": _COUNT, "diagnostics.log.interval": _COUNT,
    "diagnostics.progress_bar.refresh_rate": _NUMBER,
    "training.max_epochs": _COUNT, "training.max_steps": _COUNT, "training.accum_grad_batches": _COUNT,
    "training.gradient_clip.val": _SIZE,
    "training.num_sanity_val_steps": Number(-1, whole=True),
    "training.optimization.lr": Number(0.0, above=True, high=1.0),
    "training.optimization.lr_scheduler.lr_min": _SIZE, "training.optimization.lr_scheduler.warmup_t": _SIZE,
    "system.hardware.num_nodes": _COUNT, "system.hardware.num_gpus_per_node": _NUMBER,
    "diagnostics.checkpoint.every_n_epochs.save_frequency": _COUNT,
    "diagnostics.checkpoint.every_n_epochs.num_models_saved": Number(-1, whole=True),
}  # fmt: skip

#: Words by key; those of ``training.precision`` are Lightning's.
WORDS: dict[str, tuple[str, ...]] = {
    "land.execution": ("auto", "plain", "compiled"),
    "land.plausibility": (*get_args(Plausibility), "False"),  # `off` without quotes in YAML
    "land.shared_dates": ("True", "False"),
    "land.tune": ("heads", "all", "heads-then-all"),
    "model.model.step": ("auto", "closed", "increments"),
    "model.model.hidden_precision": tuple(PRECISIONS),
    "land.validation_points": ("trained", "held-out"),
    "training.precision": ("32", "64", "16", "bf16", "32-true", "64-true", "16-true", "bf16-true", "16-mixed",
                           "bf16-mixed"),
    "training.deterministic": ("True", "False", "warn"),
    "dataloader.pin_memory": ("True", "False"),
    "training.training_loss.datasets.data.ignore_nans": ("True", "False"),
    "training.gradient_clip.algorithm": ("norm", "value"),
    "system.hardware.accelerator": ("auto", "cpu", "gpu", "cuda", "mps"),
}  # fmt: skip

#: Methods of anemoi-models' normaliser, and what else its configuration has.
_METHODS, _NO_METHODS = ("mean-std", "std", "min-max", "max", "none"), ("default", "remap")

#: Keys of an entry of ``land.others``; those of :class:`anemoi_ailand.training.datasets.OtherDataset`, slow to import.
_OTHER = ("dataset", "start", "end", "share")

#: Observations that an evaporative fraction needs.
_TURBULENT = ("slhf", "sshf")


def wrong_values(read: Read) -> Iterator[str]:
    """Describe the values that are not possible, each with what is.

    Parameters
    ----------
    read : callable
        Takes a dotted key and returns its value in plain containers, None if there is none.
    """
    for key, number in NUMBERS.items():
        value = read(key)
        if value is not None and not number.takes(value):
            yield f"'{key}' is {value!r}. {number}"
    for key, known in WORDS.items():
        value = read(key)
        if value is not None and str(value) not in known:
            yield f"'{key}' is {value!r}. {suggestion(str(value), known)}"
    yield from _wrong_normalisation(read)
    yield from _wrong_network(read)
    yield from _wrong_relations(read)
    yield from _wrong_kinds(read)
    yield from _wrong_tuning(read)


def _wrong_normalisation(read: Read) -> Iterator[str]:
    for name in read("data.datasets") or {}:
        key = f"data.datasets.{name}.processors.normalizer.config"
        config = read(key)
        if not isinstance(config, Mapping):
            continue
        method = config.get("default")
        if method is not None and method not in _METHODS:
            yield f"'{key}.default' is {method!r}. {suggestion(str(method), _METHODS)}"
        for unknown in (k for k in config if k not in (*_METHODS, *_NO_METHODS)):
            yield f"'{key}.{unknown}' is not a method. {suggestion(str(unknown), _METHODS)}"


def _wrong_network(read: Read) -> Iterator[str]:
    name, activation = str(read("model.model.network") or MLP), read("model.model.activation")
    if "." in name:  # a class of the user, with values of its own
        return
    if name != MLP:
        yield f"'model.model.network' is '{name}'. Give '{MLP}', or the import path of a network"
    if activation is not None and activation not in ACTIVATIONS:
        yield f"'model.model.activation' is {activation!r}. {suggestion(str(activation), ACTIVATIONS)}"


def _wrong_relations(read: Read) -> Iterator[str]:
    rate, least = (read(f"training.optimization.{key}") for key in ("lr", "lr_scheduler.lr_min"))
    if _are_numbers(rate, least) and least > rate > 0:
        yield f"'training.optimization.lr_scheduler.lr_min' is {least}, above 'training.optimization.lr', {rate}"
    first, last = (read(f"task.rollout.{key}") for key in ("start", "maximum"))
    if _are_numbers(first, last) and last < first:
        yield f"'task.rollout.maximum' is {last}, less than 'task.rollout.start', which is {first}"
    steps = read("task.rollout.steps")
    if steps is not None and not (isinstance(steps, list) and steps and all(_COUNT.takes(n) for n in steps)):
        yield f"'task.rollout.steps' is {steps!r}. Give the steps of each epoch, whole numbers of at least 1"
    limit = read("land.time_limit")
    if limit is not None and not _is_duration(limit):
        yield f"'land.time_limit' is {limit!r}. Give a duration, such as 11h"
    for key in ("data.frequency", "task.timestep"):
        step = read(key)
        if step is not None and not (_is_duration(step) and as_timedelta(step) == timedelta(hours=STEP_HOURS)):
            yield f"'{key}' is {step!r}, but the land makes steps of {STEP_HOURS} h. Give {STEP_HOURS}h"
    differences = read("land.jacobian.path")
    if differences is not None and not Path(str(differences)).expanduser().is_file():
        yield f"'land.jacobian.path' is '{differences}', where there is no file. Correct the path, or give null"
    for key, weights in (read("training.scalers.datasets") or {}).items():
        for name, scaler in (weights or {}).items():
            given = scaler.get("weights") if isinstance(scaler, Mapping) else None
            for variable, weight in given.items() if isinstance(given, Mapping) else ():
                if weight is not None and not _SIZE.takes(weight):
                    yield f"'training.scalers.datasets.{key}.{name}.weights.{variable}' is {weight!r}. {_SIZE}"
    others = read("land.others") or []
    for i, other in enumerate(others if isinstance(others, list) else []):
        unknown = set(other) - set(_OTHER) if isinstance(other, Mapping) else ()
        for key in sorted(map(str, unknown)):
            yield f"'land.others.{i}.{key}' is not an option. {suggestion(key, _OTHER)}"
        share = other.get("share") if isinstance(other, Mapping) else None
        if share is not None and not Number(0.0, above=True, high=1.0).takes(share):
            yield f"'land.others.{i}.share' is {share!r}. Give a part of the samples, between 0 and 1"


def _wrong_kinds(read: Read) -> Iterator[str]:
    """Describe numbers and texts where a mapping, a list or a path is needed."""
    rollout, others, dataset = (read(key) for key in ("task.rollout", "land.others", "system.input.dataset"))
    if rollout is not None and not isinstance(rollout, Mapping):
        yield f"'task.rollout' is {rollout!r}. Give a mapping with some of ['start', 'maximum', 'steps']"
    if others is not None and not (
        isinstance(others, list) and all(isinstance(o, Mapping) and o.get("dataset") for o in others)
    ):
        yield f"'land.others' is {others!r}. Give a list of mappings, such as [{{dataset: d.zarr, start: 2019}}]"
    if dataset is not None and not (isinstance(dataset, str | Mapping | list) and dataset):
        yield f"'system.input.dataset' is {dataset!r}. Give the path of a dataset"


def _wrong_tuning(read: Read) -> Iterator[str]:
    """Describe a base that is not there, and observations that are not a dataset with variables of the table."""
    base, observed = read("land.base"), read("land.observed")
    networks = sorted(path.stem for path in folder("pretrained").glob("*.ckpt"))
    if base is not None and not (isinstance(base, str) and (base in networks or Path(base).expanduser().is_file())):
        yield f"'land.base' is {base!r}, neither a file nor a network of the package. {suggestion(str(base), networks)}"
    if observed is not None and not isinstance(observed, Mapping):
        yield f"'land.observed' is {observed!r}. Give a mapping with some of ['dataset', 'variables']"
        return
    dataset, names = ((observed or {}).get(key) for key in ("dataset", "variables"))
    if dataset is not None and not (isinstance(dataset, str | Mapping | list) and dataset):
        yield f"'land.observed.dataset' is {dataset!r}. Give the path of a dataset"
    if names is not None and not isinstance(names, list):
        yield f"'land.observed.variables' is {names!r}. Give a list of names, or null for all"
    for name in names if isinstance(names, list) else ():
        if name not in VARIABLES:
            yield f"'land.observed.variables' has '{name}', not in the table. {suggestion(str(name), VARIABLES)}"
    if isinstance(names, list) and (not names or len(set(map(str, names))) < len(names)):
        yield f"'land.observed.variables' is {names}. Give different names, or null for all"
    yield from _without_effect(read, base, names)
    gaps = read("training.training_loss.datasets.data.ignore_nans")
    if dataset is not None and gaps is False:
        yield "'training.training_loss.datasets.data.ignore_nans' is False, but observations have gaps. Give true"


def _without_effect(read: Read, base: Any, names: Any) -> Iterator[str]:
    """Describe options of a fine-tuning that would do nothing with the others."""
    tune, fraction, epochs = read("land.tune"), read("land.fraction"), read("training.max_epochs")
    if tune is not None and base is None:
        yield f"'land.tune' is {tune!r}, but there is no network to tune. Give 'land.base'"
    if tune == "heads-then-all" and _are_numbers(epochs) and epochs < 2:
        yield f"'land.tune' is 'heads-then-all', but 'training.max_epochs' is {epochs}. Give two or more, or 'heads'"
    if _are_numbers(fraction) and fraction > 0 and isinstance(names, list) and not {*_TURBULENT} <= {*map(str, names)}:
        yield f"'land.fraction' is {fraction}, but 'land.observed.variables' lacks some of {[*_TURBULENT]}. Add them"


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _is_duration(value: Any) -> bool:
    try:
        return as_timedelta(value).total_seconds() > 0
    except (AssertionError, TypeError, ValueError):
        return False
