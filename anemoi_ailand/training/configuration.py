# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Checks of a composed training configuration, before any data are opened.

anemoi-training's own validation knows no plug-in tasks, models or losses, so that the configurations of this package
switch it off. Here every key is compared with the keys that exist: those of anemoi-training's packaged configurations
and schemas, those of this package, and the parameters of every class that a ``_target_`` names. Weights and lists name
variables of the table, periods are not empty, validation has its own dates, values are possible, and classes can be
imported.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel

from anemoi_ailand.support.options import suggestion
from anemoi_ailand.support.packaged import listing
from anemoi_ailand.training.configuration_values import wrong_values
from anemoi_ailand.variables import VARIABLES

#: Keys that exist: a subtree for each key, None for a value. ``ANY`` stands for every name, ``ALL`` for every tree.
Keys = dict[str, Any]
ANY, ALL = "*", "**"

#: Sections whose keys are compared; the task and the network check their own, and a graph has nodes only.
SECTIONS = ("land", "data", "dataloader", "diagnostics", "system", "training")
_UNCHECKED = ("task", "model", "graph")

#: Options of a loss or metric that anemoi-training takes before it makes the object.
_LOSS = dict.fromkeys(("scalers", "predicted_variables", "target_variables", "check_variables_compatibility"))

#: Places with names of the user, or with options of another package that refuses unknown ones itself.
_FREE: Keys = {
    "land": {"prognostic": {ANY: None}, "forcing": {ANY: None}, "jacobian": {ALL: None}},
    "data": {"datasets": {ANY: {"processors": {ANY: None}}}},
    "dataloader": {s: {"datasets": {ANY: {"dataset_config": {ALL: None}}}} for s in ("training", "validation", "test")},
    "diagnostics": {"plot": {ALL: None}},
    "training": {
        "scalers": {"datasets": {ANY: {ANY: {"weights": {ANY: None}}}}},
        "training_loss": {"datasets": {ANY: _LOSS}},
        "validation_metrics": {"datasets": {ANY: {ANY: _LOSS}}},
        "variable_groups": {"datasets": {ANY: {ALL: None}}},
    },
}

#: Keys of Hydra among the parameters of a ``_target_``.
_OF_HYDRA = {"_target_", "_partial_", "_recursive_", "_convert_", "_args_"}

#: Interpolation of another key, ``${a.b}``; those inside a resolver are found as well.
_REFERENCE = re.compile(r"\$\{([\w.\[\]-]+)\}")

#: Place whose classes are slow to import, and which a training leaves out unless they are enabled.
_NOT_IMPORTED = "diagnostics.log."

#: Keys of a normaliser's lists of variables.
_LISTS = ("mean-std", "std", "min-max", "max", "none")


def check_configuration(config: DictConfig) -> None:
    """Refuse a composed training configuration with mistakes, all of them in one message.

    Raises
    ------
    ValueError
        Keys that do not exist, with the nearest one; variables that are not in the table, or that are given twice;
        weights of variables that are not predicted; a period that ends before it begins; dates of the validation
        inside those of the training, unless ``land.shared_dates`` is true; values that no training can take.
    """
    raw: Any = OmegaConf.to_container(config, resolve=False)
    values = wrong_values(partial(_resolved, config))
    found = [
        *unknown_keys(raw), *unknown_classes(raw), *wrong_variables(config), *wrong_dates(config),
        *wrong_periods(config), *values,
    ]  # fmt: skip
    if found:
        lines = "\n".join(f"  {text}" for text in found)
        number = f"{len(found)} mistake{'s' if len(found) > 1 else ''}"
        raise ValueError(f"The training configuration has {number}:\n{lines}")


def unknown_keys(raw: Mapping[str, Any]) -> list[str]:
    """Describe the keys of an unresolved configuration that nothing reads, with the nearest known ones.

    A key that an interpolation reads, such as a value of the user's own, is known.
    """
    read = set(_references(raw))
    top = (*SECTIONS, *_UNCHECKED, "config_validation", "hydra", "defaults")
    found = [(str(key), _place(str(key), top)) for key in raw if key not in top]
    for section in SECTIONS:
        found += _unknown(raw.get(section), known_keys().get(section), section)
    return [f"'{key}' is not an option. {nearest}" for key, nearest in found if not _is_read(key, read)]


def _place(key: str, top: Collection[str]) -> str:
    """Suggest the section of a key that stands outside of it, else the nearest section."""
    inside = [f"{section}.{key}" for section in SECTIONS if key in known_keys().get(section, {})]
    return f"Nearest: {inside}" if inside else suggestion(key, top, n=1)


def _unknown(node: Any, known: Keys | None, path: str) -> Iterator[tuple[str, str]]:
    """Yield path and suggestion of every unknown key below ``path``."""
    if isinstance(node, list):
        for i, item in enumerate(node):
            yield from _unknown(item, None, f"{path}.{i}")
        return
    if not isinstance(node, Mapping):
        return
    names: Collection[str] | None = known
    if "_target_" in node and not path.startswith(_NOT_IMPORTED):
        own = accepted(node["_target_"])
        names = None if own is None else {*own, *(known or {}), *_OF_HYDRA}
    elif known and (ANY in known or ALL in known):
        names = None
    for key, value in node.items():
        if names and key not in names:
            yield f"{path}.{key}", suggestion(str(key), sorted(set(names) - _OF_HYDRA), n=1)
            continue
        below = None if known is None or ALL in known else _merged(known.get(key), known.get(ANY))
        yield from _unknown(value, below, f"{path}.{key}")


def unknown_classes(node: Any, path: str = "") -> Iterator[str]:
    """Describe the places where ``_target_`` names nothing that can be imported."""
    from hydra.utils import get_object

    if path.startswith(_NOT_IMPORTED) or not isinstance(node, Mapping | list):
        return
    target = node.get("_target_") if isinstance(node, Mapping) else None
    if isinstance(target, str) and "${" not in target:
        try:
            get_object(target)
        except Exception as error:
            yield f"'{path}_target_' is '{target}', which cannot be imported ({error}). Correct the name"
    for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
        yield from unknown_classes(value, f"{path}{key}.")


def _references(node: Any) -> Iterator[str]:
    """Yield all keys that interpolations read; a relative one by its last name, after a dot."""
    if isinstance(node, str):
        for name in _REFERENCE.findall(node):
            yield f".{name.rpartition('.')[2]}" if name.startswith(".") else name
    elif isinstance(node, Mapping | list):
        for value in node.values() if isinstance(node, Mapping) else node:
            yield from _references(value)


def _is_read(key: str, read: Collection[str]) -> bool:
    return f".{key.rpartition('.')[2]}" in read or any(n == key or n.startswith(f"{key}.") for n in read)


def accepted(target: Any) -> set[str] | None:
    """Return the parameters of a class or function by its import path; None if it takes any, or cannot be imported."""
    from hydra.utils import get_object

    try:
        found = get_object(target)
    except Exception:  # whoever makes the object reports it
        return None
    if not inspect.isclass(found):
        parameters = inspect.signature(found).parameters.values()
        return None if any(p.kind is p.VAR_KEYWORD for p in parameters) else {p.name for p in parameters}
    names: set[str] = set()
    for base in found.__mro__:
        if base is object or "__init__" not in vars(base):
            continue
        parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        names |= {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names - {"self"}
    return names - {"self"}


@cache
def known_keys() -> Keys:
    """Merge all keys that exist: packaged configurations and schemas of anemoi-training, and those of this package."""
    from anemoi.training.schemas.base_schema import BaseSchema

    known: Keys = {}
    root = Path(str(files("anemoi.training.config")))
    for path in sorted(root.glob("*/**/*.yaml")):
        tree = _keys(OmegaConf.to_container(OmegaConf.load(path)))
        for part in reversed(path.parent.relative_to(root).parts):
            tree = {part: tree}
        known = _merged(known, tree)
    for path in listing("configs").values():
        if path.parent.name == "training":
            known = _merged(known, _keys(OmegaConf.to_container(OmegaConf.load(path))))
    known = _merged(known, _fields(BaseSchema))
    return _merged(known, _FREE)


def _keys(content: Any) -> Keys | None:
    """Return the keys of a configuration; those of the entries of ``datasets``, which the user names, as one."""
    if not isinstance(content, Mapping):
        return None
    found: Keys = {}
    for key, value in content.items():
        if key == "defaults":
            continue
        below = _keys(value)
        if key == "datasets" and below is not None:
            entries: Keys | None = None
            for entry in below.values():
                entries = _merged(entries, entry)
            below = {ANY: entries}
        found[str(key)] = below
    return found


def _fields(kind: Any) -> Keys | None:
    """Return the keys of a type: those of a block of pydantic, or of all blocks of a union."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {field.alias or name: _fields(field.annotation) for name, field in kind.model_fields.items()}
    merged: Keys | None = None
    for part in typing.get_args(kind) if typing.get_origin(kind) not in (dict, list, tuple) else ():
        merged = _merged(merged, _fields(part))
    return merged


def _merged(one: Keys | None, two: Keys | None) -> Any:
    if one is None or two is None:
        return two if one is None else one
    return {key: _merged(one.get(key), two.get(key)) for key in {**one, **two}}


def wrong_variables(config: DictConfig) -> list[str]:
    """Describe unknown and repeated names in the lists of variables, and weights of what is not predicted."""
    found: list[str] = []
    used: dict[Any, str] = {}
    for place, names in _lists_of_land(config):
        for name in names:
            if name not in VARIABLES:
                found.append(f"'{place}' has the variable '{name}', which is not in the table. {_near(name)}")
            elif names.count(name) > 1:
                found.append(f"'{place}' has the variable '{name}' more than once. List each variable once")
            elif used.setdefault(name, place) != place:
                found.append(f"'{name}' is in '{used[name]}' and in '{place}'. List each variable once")
    inputs = {name for name, place in used.items() if place.startswith("land.forcing")}
    for path, weights in _weights(config):
        for name in weights:
            if name != "default" and name not in VARIABLES:
                found.append(f"'{path}' has a weight for '{name}', which is not a variable. {_near(name)}")
            elif name in inputs:
                found.append(f"'{path}' has a weight for '{name}', which is an input only. Remove it")
    for path, names in _normalised(config):
        found += [
            f"'{path}' has '{n}', which is not a variable. {_near(n)}" for n in names if n not in {*VARIABLES, *used}
        ]
    return list(dict.fromkeys(found))


def _near(name: Any) -> str:
    near = suggestion(str(name), VARIABLES, n=1)
    return near if near.startswith("Nearest") else "The names are in docs/variables.md"


def _lists_of_land(config: DictConfig) -> Iterator[tuple[str, list[Any]]]:
    """Yield place and names of the lists of variables under ``land``."""
    for place in ("land.prognostic", "land.diagnostic", "land.forcing"):
        groups = _resolved(config, place)
        if isinstance(groups, Mapping):
            yield from ((f"{place}.{name}", list(names)) for name, names in groups.items() if names is not None)
        elif groups is not None:
            yield place, list(groups)


def _weights(config: DictConfig) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    for dataset, scalers in (_resolved(config, "training.scalers.datasets") or {}).items():
        for name, scaler in (scalers or {}).items():
            if isinstance(scaler, Mapping) and isinstance(weights := scaler.get("weights"), Mapping):
                yield f"training.scalers.datasets.{dataset}.{name}.weights", weights


def _normalised(config: DictConfig) -> Iterator[tuple[str, list[Any]]]:
    for dataset in _resolved(config, "data.datasets") or {}:
        path = f"data.datasets.{dataset}.processors.normalizer.config"
        for method in _LISTS:
            names = _resolved(config, f"{path}.{method}")
            if isinstance(names, list):
                yield f"{path}.{method}", names


def _resolved(config: DictConfig, path: str) -> Any:
    """Return plain containers of a part of the configuration; None if it is missing or cannot be resolved yet."""
    try:
        found = OmegaConf.select(config, path)
        plain = OmegaConf.to_container(found, resolve=True) if isinstance(found, DictConfig | ListConfig) else found
    except OmegaConfBaseException:  # whoever reads it reports it
        return None
    return plain


#: Dataset, first and last date of a part of the data.
Period = tuple[Any, np.datetime64, np.datetime64]


def wrong_dates(config: DictConfig) -> list[str]:
    """Describe what cannot be a date where a period of the data starts or ends."""
    found: dict[str, Any] = {}
    for part in ("training", "validation", "test"):
        for name in _resolved(config, f"dataloader.{part}.datasets") or {}:
            where = f"dataloader.{part}.datasets.{name}"
            found |= {key: _resolved(config, key) for key in (f"{where}.start", f"{where}.end")}
    others = _resolved(config, "land.others")
    for i, entry in enumerate(others if isinstance(others, list) else []):
        if isinstance(entry, Mapping):
            found |= {f"land.others.{i}.{key}": entry.get(key) for key in ("start", "end")}
    return [
        f"'{key}' is {str(value)!r}, which is not a date. Give a year, a month or a day that exists, such as 2020, "
        "2020-01 or 2020-01-31"
        for key, value in found.items()
        if not _is_date(value)
    ]


#: What Anemoi takes in addition to dates: a share of the dataset, or an hour of its first day.
_NOT_DATES = re.compile(r"\d+(\.\d*)?%|\d\d:00")


def _is_date(value: Any) -> bool:
    text = re.sub(r"-(\d)(?!\d)", r"-0\1", str(value).strip())
    try:
        return value is None or bool(_NOT_DATES.fullmatch(text)) or date_of(text, end=False) is not None
    except ValueError:
        return False


def wrong_periods(config: DictConfig) -> list[str]:
    """Describe periods that end before they begin, and dates that the validation has in common with the training.

    Common dates matter on the same dataset only; other datasets have other points.
    """
    parts = {part: _period(config, part) for part in ("training", "validation", "test")}
    found = [
        f"The period of the {part} ends on {str(period[2])[:10]}, before it begins on {str(period[1])[:10]}. Correct "
        f"`dataloader.{part}.datasets.*.start` and `.end`"
        for part, period in parts.items()
        if period is not None and period[1] > period[2]
    ]
    found += [
        f"The period of 'land.others.{i}' ends on {str(period[2])[:10]}, before it begins on {str(period[1])[:10]}"
        for i, period in enumerate(_periods_of_others(config))
        if period is not None and period[1] > period[2]
    ]
    validation = parts["validation"]
    if validation is None or found or _resolved(config, "land.shared_dates"):
        return found
    for period in (parts["training"], *_periods_of_others(config)):
        if period is None or period[0] != validation[0]:
            continue
        if max(period[1], validation[1]) <= min(period[2], validation[2]):
            found.append(
                f"The validation ({_text(validation[1:])}) has dates of the training ({_text(period[1:])}), so the "
                "best checkpoint would be one that remembers. Separate `dataloader.training.datasets.*.start` and "
                "`.end`, or those of `land.others`, from those of `dataloader.validation`, or set "
                "`land.shared_dates=true`"
            )
    return found


def _period(config: DictConfig, part: str) -> Period | None:
    """Return the period of a part of the data; None if it is not one dataset with plain dates."""
    given = OmegaConf.select(config, f"dataloader.{part}.datasets")
    datasets = OmegaConf.to_container(given, resolve=False) if isinstance(given, DictConfig) else None
    if not isinstance(datasets, Mapping) or len(datasets) != 1:
        return None
    name, entry = next(iter(datasets.items()))
    whole: Any = entry.get("dataset_config")
    if isinstance(whole, Mapping) and {"start", "end"} & whole.keys():
        return None
    where = f"dataloader.{part}.datasets.{name}"
    dataset, start, end = (_resolved(config, f"{where}.{key}") for key in ("dataset_config.dataset", "start", "end"))
    return _dated(dataset, start, end)


def _periods_of_others(config: DictConfig) -> Iterator[Period | None]:
    for entry in _resolved(config, "land.others") or []:
        if isinstance(entry, Mapping):
            yield _dated(entry.get("dataset"), entry.get("start"), entry.get("end"))


def _dated(dataset: Any, start: Any, end: Any) -> Period | None:
    try:
        return dataset, date_of(start, end=False), date_of(end, end=True)
    except ValueError:  # Anemoi says what it takes
        return None


#: Stand for the first and last date of a dataset.
_FIRST, _LAST = np.datetime64("0001-01-01T00:00:00"), np.datetime64("9999-12-31T23:59:59")


def date_of(value: Any, *, end: bool) -> np.datetime64:
    """Return the first or the last second of a year, month, day or time; None is open.

    >>> print(date_of(2021, end=True), date_of("2021-07", end=False))
    2021-12-31T23:59:59 2021-07-01T00:00:00
    """
    if value is None:
        return _LAST if end else _FIRST
    date = np.datetime64(str(value).strip().replace(" ", "T"))
    if np.isnat(date):
        raise ValueError(f"'{value}' is not a date.")
    coarse = np.datetime_data(date)[0] in ("Y", "M", "D")
    return (date + 1).astype("datetime64[s]") - 1 if end and coarse else date.astype("datetime64[s]")


def _text(period: Sequence[np.datetime64]) -> str:
    first, last = period
    begin = "the first date" if first == _FIRST else str(first)[:10]
    return f"{begin} to {'the last date' if last == _LAST else str(last)[:10]}"
