# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every entry point of pyproject.toml is installed, loads, and has the type that its host expects."""

from __future__ import annotations

import importlib
import tomllib
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import pytest

PYPROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
INSTALLED = {(e.group, e.name): e for e in distribution("anemoi-ailand").entry_points}

#: Group of entry points: class of the host that the plug-in must be a subclass of, and the host's registry.
HOST = {
    "anemoi.datasets.sources": (
        "anemoi.datasets.create.source:Source",
        "anemoi.datasets.create.sources:source_registry",
    ),
    "anemoi.inference.runners": ("anemoi.inference.runner:Runner", "anemoi.inference.runners:runner_registry"),
    "anemoi.inference.inputs": ("anemoi.inference.input:Input", "anemoi.inference.inputs:input_registry"),
    "anemoi.inference.outputs": ("anemoi.inference.output:Output", "anemoi.inference.outputs:output_registry"),
    "anemoi.inference.mid_processors": (
        "anemoi.inference.processor:Processor",
        "anemoi.inference.mid_processors:mid_processor_registry",
    ),
    "anemoi.transform.filters": ("anemoi.transform.filter:Filter", "anemoi.transform.filters:filter_registry"),
}

WRITTEN = [
    EntryPoint(name, value, group)
    for group, entries in PYPROJECT["project"].get("entry-points", {}).items()
    for name, value in entries.items()
]
PLUGINS = pytest.mark.parametrize("plugin", WRITTEN, ids=lambda e: f"{e.group}:{e.name}")


def load(reference: str) -> object:
    """Import ``module:name``."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


@PLUGINS
def test_installed_as_written(plugin: EntryPoint) -> None:
    """The installed distribution agrees with pyproject.toml; if not, install again (make setup)."""
    assert INSTALLED[plugin.group, plugin.name].value == plugin.value


@PLUGINS
def test_is_a_subclass_of_the_hosts_class(plugin: EntryPoint) -> None:
    """The entry point loads and has the type that the host works with."""
    assert issubclass(plugin.load(), load(HOST[plugin.group][0]))


@PLUGINS
def test_host_knows_it_by_name(plugin: EntryPoint) -> None:
    """The host's registry finds the plug-in under the name that users write."""
    assert load(HOST[plugin.group][1]).lookup(plugin.name) is plugin.load()


def test_script_is_the_command_line() -> None:
    """The script ``anemoi-ailand`` starts ``main``."""
    assert callable(INSTALLED["console_scripts", "anemoi-ailand"].load())


def test_every_group_of_the_distribution_is_written() -> None:
    """Nothing is installed that pyproject.toml no longer holds."""
    assert {k for k in INSTALLED if k[0] != "console_scripts"} == {(e.group, e.name) for e in WRITTEN}
