# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Arguments of ``evaluate`` and of the contest: a configuration file and options ``key=value`` that override it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping


def add_options(parser: ArgumentParser, config_help: str, named: Mapping[str, str]) -> None:
    """Add ``[config] [key=value ...]`` and short forms.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    config_help : str
        What the file is.
    named : mapping
        Short form to the key that it stands for: ``{"dataset": "dataset"}`` is ``--dataset``.
    """
    parser.add_argument("config", nargs="?", help=config_help)
    parser.add_argument("options", nargs="*", metavar="key=value", help="options that replace those of the file")
    for short, key in named.items():
        parser.add_argument(f"--{short}", help=f"short for {key}=...")


def given_options(args: Namespace, named: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """The file, if one is given, and all options as ``key=value``; arguments as in :func:`add_options`."""
    config, options = args.config, list(args.options)
    if config is not None and "=" in config:
        config, options = None, [config, *options]
    short = {key: getattr(args, name) for name, key in named.items()}
    return config, options + [f"{key}={value}" for key, value in short.items() if value is not None]
