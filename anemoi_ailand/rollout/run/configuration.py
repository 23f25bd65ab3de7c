# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Configuration of a run, read as ``anemoi-inference run`` reads it; all mistakes are reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from anemoi.inference.config.run import RunConfiguration
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from anemoi_ailand.rollout.run.options import whole_steps
from anemoi_ailand.support.configuration import mistakes
from anemoi_ailand.support.packaged import find

#: Runner that offers dry runs and restarts.
RUNNER = "land-forecaster"


def read_run(path: str, overrides: Sequence[str] = (), *, dry_run: bool = False) -> RunConfiguration:
    """Read a file, or a packaged configuration such as ``inference/rollout``.

    ``overrides`` are ``key=value`` with dotted keys and YAML values; ``dry_run`` sets that option of the runner.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file. It is not YAML, or has an unknown option (the message names the nearest known one), an
        invalid value, or a runner other than ``land-forecaster``.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        if file.suffix in (".yaml", ".yml") and "/" in path and file.parent.exists():
            near = sorted(p.name for p in file.parent.glob("*.y*ml"))
            raise FileNotFoundError(f"There is no configuration '{path}'. Its folder holds {near}.")
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
    _check_single(config, path)
    _check_values(config, path)
    own = options_of_runner(config)
    if dry_run:
        own["dry_run"] = True
    return config.model_copy(update={"runner": {RUNNER: own} if own else RUNNER})  # also for `auto`


def _override(text: str) -> str | dict[str, Any]:
    """Convert an option of the command line to a tree that is merged key by key; list indices stay as text.

    anemoi-inference 0.13 silently keeps only the first key of an option whose value is a mapping, and refuses an option
    below a word (``runner.land-forecaster.dry_run`` for ``runner: land-forecaster``; config/__init__.py,
    _merge_configs). This can go when it does neither.
    """
    key, equals, _ = text.partition("=")
    if not equals or not key:
        raise ValueError(f"'{text}' is not of the form key=value.")
    if any(part.isdigit() or "[" in part for part in key.split(".")):
        return text
    try:
        return OmegaConf.to_container(OmegaConf.from_dotlist([text]))  # type: ignore[return-value]
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"The value of '{text}' is not YAML: {error}.") from error


def options_of_runner(config: RunConfiguration) -> dict[str, Any]:
    """Return the options of the runner."""
    return dict(next(iter(config.runner.values())) or {}) if isinstance(config.runner, dict) else {}


def _check_runner(runner: Any, path: str) -> None:
    name = runner if isinstance(runner, str) else next(iter(runner), None)
    if name not in (RUNNER, "auto"):
        raise ValueError(
            f"The configuration '{path}' has the runner '{name}', but the land needs '{RUNNER}'. Write `runner: "
            f"{RUNNER}`, or use anemoi-inference run."
        )


def _check_single(config: RunConfiguration, path: str) -> None:
    for option in ("input", "constant_forcings", "dynamic_forcings", "output"):
        given = getattr(config, option)
        if isinstance(given, dict) and len(given) != 1:
            raise ValueError(
                f"The configuration '{path}' has {list(given)} as `{option}`, but a run has one: options of "
                "the command line are added to those of the file. Write a file with the one you want; several "
                "outputs go below `tee`."
            )


def _check_values(config: RunConfiguration, path: str) -> None:
    try:
        whole_steps(config.lead_time)
    except ValueError as error:
        raise ValueError(f"The configuration '{path}' has the `lead_time` {config.lead_time}: {error}.") from error
    try:
        kind = torch.device(config.device or "cpu").type
    except RuntimeError as error:
        raise ValueError(f"The configuration '{path}' has the `device` {config.device}: {error}") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"The configuration '{path}' has the `device` {config.device}, which this machine lacks. Leave it out."
        )
