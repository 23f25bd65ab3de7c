# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Arguments ``[config] [key=value ...]``: a configuration file and options that override it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping


def add_options(parser: ArgumentParser, config_help: str, named: Mapping[str, str]) -> None:
    """Add the arguments and short forms of options.

    ``named`` maps a short form to the key that it sets: ``{"checkpoint": "checkpoints.emulator"}`` adds
    ``--checkpoint``.
    """
    parser.add_argument("config", nargs="?", help=config_help)
    parser.add_argument("options", nargs="*", metavar="key=value", help="options that override those of the file")
    for short, key in named.items():
        parser.add_argument(f"--{short}", help=f"short for {key}=...")


def given_options(args: Namespace, named: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return the file, if one is given, and all options as ``key=value``."""
    config, options = args.config, list(args.options)
    if config is not None and "=" in config:
        config, options = None, [config, *options]
    short = {key: getattr(args, name) for name, key in named.items()}
    return config, options + [f"{key}={value}" for key, value in short.items() if value is not None]
