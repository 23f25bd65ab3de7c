# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Arguments of the form ``[config] [key=value ...]``."""

from argparse import ArgumentParser

import pytest

from anemoi_ailand.commands._options import add_options, given_options

NAMED = {"checkpoint": "checkpoints.emulator", "dataset": "dataset"}


@pytest.mark.parametrize(
    ("typed", "config", "options"),
    [
        ([], None, []),
        (["my.yaml"], "my.yaml", []),
        (["my.yaml", "seed=2"], "my.yaml", ["seed=2"]),
        (["seed=2", "year=2021"], None, ["seed=2", "year=2021"]),
        (["my.yaml", "a=1", "--dataset", "d.zarr"], "my.yaml", ["a=1", "dataset=d.zarr"]),
        (["--checkpoint", "c.ckpt"], None, ["checkpoints.emulator=c.ckpt"]),
    ],
)
def test_file_and_options_are_told_apart(typed, config, options):
    """Without a file the first word is an option; short forms come last and win."""
    parser = ArgumentParser()
    add_options(parser, "a file", NAMED)
    assert given_options(parser.parse_args(typed), NAMED) == (config, options)
