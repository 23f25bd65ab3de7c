# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Start of a run from its configuration, read as ``anemoi-inference run`` reads it.

All mistakes are reported at once, and failures are classified for operational chains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
import yaml
from anemoi.inference.config.run import RunConfiguration
from anemoi.inference.runners import create_runner
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from anemoi_ailand.rollout.run.options import run_options, whole_steps
from anemoi_ailand.rollout.run.restart import Stopped
from anemoi_ailand.support.configuration import mistakes
from anemoi_ailand.support.options import UnknownOption
from anemoi_ailand.support.packaged import file_or_packaged

#: Runner that offers dry runs and restarts.
RUNNER = "land-forecaster"

#: Phase in which a run failed.
Phase = Literal["configuration", "input", "failed", "stopped", "interrupted"]


def read_run(
    path: str, overrides: Sequence[str] = (), *, dry_run: bool = False, strict: bool = False
) -> RunConfiguration:
    """Read a file, or a packaged configuration such as ``inference/rollout``.

    ``overrides`` are ``key=value`` with dotted keys and YAML values; ``dry_run`` and ``strict`` set these options of
    the runner.

    Raises
    ------
    FileNotFoundError, ValueError
        There is no such file. It is not YAML, or has an unknown option (the message names the nearest known one), an
        invalid value, or a runner other than ``land-forecaster``.
    """
    file = file_or_packaged(path)
    options: list[Any] = [_override(text) for text in overrides]
    try:
        config = RunConfiguration.load(str(file), options)
    except ValidationError as error:
        raise ValueError(f"The configuration '{path}' {mistakes(error, RunConfiguration)}") from error
    except (OmegaConfBaseException, yaml.YAMLError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise ValueError(f"The configuration '{path}' cannot be read: {error}. Write it as a packaged one.") from error
    _check_runner(config.runner, path)
    _check_single(config, path)
    _check_values(config, path)
    own = options_of_runner(config)
    if dry_run:
        own["dry_run"] = True
    if strict:
        own["strict"] = True
    return config.model_copy(update={"runner": {RUNNER: own} if own else RUNNER})  # also for `auto`


def _override(text: str) -> str | dict[str, Any]:
    """Convert an option of the command line to a tree that is merged key by key; list indices stay as text.

    anemoi-inference 0.13 silently keeps only the first key of an option whose value is a mapping, and refuses an option
    below a word (``runner.land-forecaster.dry_run`` for ``runner: land-forecaster``; config/__init__.py,
    _merge_configs). This can go when it does neither.
    """
    key, equals, value = text.partition("=")
    if not equals or not key or key.startswith("-"):
        raise ValueError(f"'{text}' is not of the form key=value.")
    if any(part.isdigit() or "[" in part for part in key.split(".")):
        return text
    if ": " in value and value.lstrip()[:1] not in ("{", "[", '"', "'"):
        raise ValueError(
            f"The value of '{text}' holds a colon and a space, which YAML takes for a mapping. Put text in quotes, "
            f"'{key}=\"{value}\"', and a mapping in braces."
        )
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


def _numbers_for_texts(node: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield place and value of numbers where a path or names are needed."""
    for key, value in node.items() if isinstance(node, Mapping) else ():
        if key in _TEXTS and isinstance(value, int | float):
            yield f"{where}.{key}", value
        yield from _numbers_for_texts(value, f"{where}.{key}")


#: Options of inputs and outputs, and the input of a dataset, that take text or lists of it.
_TEXTS = ("path", "static", "dataset", "variables")


def _check_values(config: RunConfiguration, path: str) -> None:
    for option in ("input", "output"):
        for where, value in _numbers_for_texts(getattr(config, option, None), option):
            raise ValueError(f"The configuration '{path}' has the `{where}` {value!r}. Give text, or a list of it.")
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


#: Beginning of Anemoi's message on a variable that a dataset lacks.
_NOT_IN_DATASET = "select: unknown variable:"


class Failure(RuntimeError):
    """Failure of a run, by phase.

    ``what`` is ``configuration`` (invalid), ``input`` (missing or unsuitable, before the first step), ``failed`` (after
    the first step was begun), ``stopped`` (by SIGTERM) or ``interrupted`` (by Ctrl-C).
    """

    def __init__(self, what: Phase, error: BaseException) -> None:
        notes = getattr(error, "__notes__", ())
        super().__init__(" ".join([_explained(str(error) or repr(error)), *notes]))
        self.what: Phase = what


def _explained(message: str) -> str:
    """Add the remedy to Anemoi's message on a dataset without a variable, which lists what the dataset has."""
    if not message.startswith(_NOT_IN_DATASET):
        return message
    name = message.removeprefix(_NOT_IN_DATASET).partition(",")[0].strip()
    return (
        f"The dataset has no '{name}', which the network reads. Create it again by its recipe with this version of "
        f"anemoi-ailand, or take a network that was trained without it. ({message})"
    )


def launch(path: str, overrides: Sequence[str] = (), *, dry_run: bool = False, strict: bool = False) -> None:
    """Read and check a configuration (:func:`read_run`), then run it; errors become a :class:`Failure`."""
    try:
        config = read_run(path, overrides, dry_run=dry_run, strict=strict)
        run_options(options_of_runner(config))
    except (ValueError, OSError) as error:
        raise Failure("configuration", error) from error
    try:
        runner = create_runner(config)
    except TypeError as error:  # unknown option of an input or output
        raise Failure("configuration", error) from error
    except (ValueError, OSError) as error:
        raise Failure("input", error) from error
    try:
        runner.execute()
    except Stopped as error:
        raise Failure("interrupted" if error.by_keyboard else "stopped", error) from error
    except UnknownOption as error:  # of an input whose files had to be opened to know its options
        raise Failure("configuration", error) from error
    except (ValueError, OSError) as error:
        raise Failure("failed" if getattr(runner, "under_way", False) else "input", error) from error
