# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Arguments of several commands: ``[config] [key=value ...]``, a file and options that override it; ``--execution``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import get_args

from anemoi_ailand.constants import Execution, Plausibility, Precipitation


def add_checkpoint(parser: ArgumentParser) -> None:
    """Add the argument ``--checkpoint`` of a command that runs one network."""
    parser.add_argument(
        "--checkpoint",
        default="ailand",
        help="inference checkpoint, or name of a pretrained network (default: %(default)s)",
    )


def add_execution(parser: ArgumentParser, default: str | None = "auto") -> None:
    """Add the argument ``--execution``; ``default`` is what the namespace holds without it."""
    parser.add_argument(
        "--execution", choices=get_args(Execution), default=default,
        help="execution of the step (default: auto, compiled if it has been made or pays for making it)",
    )  # fmt: skip


def add_precipitation(parser: ArgumentParser) -> None:
    """Add the argument ``--precipitation``, None without it."""
    parser.add_argument(
        "--precipitation", choices=get_args(Precipitation),
        help="rain within the step: spread by a formula, given by the hour, or drawn at random (default: mean)",
    )  # fmt: skip


def add_plausibility(parser: ArgumentParser) -> None:
    """Add the argument ``--plausibility``, None without it."""
    parser.add_argument(
        "--plausibility", choices=get_args(Plausibility),
        help="treatment of impossible values: an error, a warning, or unchecked (default: error)",
    )  # fmt: skip


def add_shards(parser: ArgumentParser) -> None:
    """Add the arguments ``--shards``, text, and ``--shard``, both None without them."""
    parser.add_argument(
        "--shards", metavar="N",
        help="divide the points among N processes that write one zarr; auto: as many as srun or torchrun started",
    )  # fmt: skip
    parser.add_argument("--shard", type=int, help="number of this process, from 0 on, unless --shards is auto")


def add_options(parser: ArgumentParser, config_help: str, named: Mapping[str, str]) -> None:
    """Add the arguments and short forms of options.

    ``named`` maps a short form to the key that it sets: ``{"checkpoint": "checkpoints.emulator"}`` adds
    ``--checkpoint``.
    """
    parser.add_argument("config", nargs="?", help=config_help)
    parser.add_argument("options", nargs="*", metavar="key=value", help="options that override those of the file")
    for short, key in named.items():
        parser.add_argument(f"--{short}", help=f"short for {key}=...")


def given_options(
    args: Namespace, named: Mapping[str, str], unknown: Sequence[str] = ()
) -> tuple[str | None, list[str]]:
    """Return the file, if one is given, and all options as ``key=value``; ``unknown`` as in :func:`with_unknown`."""
    config: str | None = args.config
    options = with_unknown(args.options, unknown)
    if config is not None and "=" in config:
        options, config = [config, *options], None
    short = {key: getattr(args, name) for name, key in named.items()}
    return config, options + [f"{key}={value}" for key, value in short.items() if value is not None]


def with_unknown(options: Sequence[str], unknown: Sequence[str]) -> list[str]:
    """Return ``options`` and those that argparse does not recognise because they follow a flag.

    Raises
    ------
    ValueError
        An unknown argument is not of the form ``key=value``.
    """
    if wrong := [text for text in unknown if text.startswith("-") or "=" not in text]:
        raise ValueError(f"Unknown arguments: {' '.join(wrong)}. Give options as key=value; --help lists the flags.")
    return [*options, *unknown]
