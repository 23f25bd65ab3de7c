# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The configuration of a run, read as ``anemoi-inference run`` reads it, with mistakes named all at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from anemoi.inference.config.run import RunConfiguration
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from anemoi_ailand.configuration import mistakes
from anemoi_ailand.resources import find

#: The runner that dry runs and restarts are of.
RUNNER = "land-forecaster"


def read_run(path: str, overrides: Sequence[str] = (), *, dry_run: bool = False) -> RunConfiguration:
    """Read a configuration.

    Parameters
    ----------
    path : str
        A file, or the name of a packaged one: ``inference/rollout``.
    overrides : sequence of str
        ``key=value`` with dotted keys; values are YAML.
    dry_run : bool
        Set the runner's option of that name.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not YAML, an option is not known (with the nearest known one), a value makes no sense, or the runner is
        another than ``land-forecaster``.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        if file.suffix in (".yaml", ".yml") and "/" in path and file.parent.exists():
            raise FileNotFoundError(f"There is no configuration '{path}'. Its folder holds {_near(file)}.")
        try:
            file = find("configs", path)
        except ValueError as error:
            raise FileNotFoundError(f"There is no configuration file '{path}' here. {error}") from error
    options: list[Any] = [_override(text) for text in overrides]
    try:
        config = RunConfiguration.load(str(file), options)
    except ValidationError as error:
        raise ValueError(f"The configuration '{path}' {mistakes(error, RunConfiguration)}") from error
    except (OmegaConfBaseException, yaml.YAMLError, ValueError, IndexError) as error:
        raise ValueError(f"The configuration '{path}' cannot be read: {error}. Write it as a packaged one.") from error
    _check_runner(config.runner, path)
    return _with_dry_run(config) if dry_run else config


def _override(text: str) -> str | dict[str, Any]:
    """An option of the command line, as a tree if its value is a mapping, with which it is merged key by key.

    anemoi-inference 0.13 keeps the first key only of an option whose value is a mapping, silently
    (config/__init__.py, _merge_configs); this can go when it keeps all.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"'{text}' is no option. Write key=value.")
    try:
        content = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(f"The value of '{text}' is not YAML: {error}.") from error
    if not isinstance(content, dict):
        return text
    for part in reversed(key.split(".")):
        content = {part: content}
    return content


def _with_dry_run(config: RunConfiguration) -> RunConfiguration:
    own = (config.runner.get(RUNNER) or {}) if isinstance(config.runner, dict) else {}
    return config.model_copy(update={"runner": {RUNNER: {**own, "dry_run": True}}})


def _check_runner(runner: Any, path: str) -> None:
    name = runner if isinstance(runner, str) else next(iter(runner), None)
    if name not in (RUNNER, "auto"):
        raise ValueError(
            f"The configuration '{path}' has the runner '{name}', but the land is run by '{RUNNER}'. Write `runner: "
            f"{RUNNER}`, or use anemoi-inference run."
        )


def _near(file: Path) -> list[str]:
    return sorted(p.name for p in file.parent.glob("*.y*ml"))
