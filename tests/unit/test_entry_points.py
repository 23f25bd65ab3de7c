# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Every entry point of pyproject.toml is installed, loads, and has the type that its host expects."""

import importlib
import tomllib
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

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
    "anemoi.inference.tasks": ("anemoi.inference.task:Task", "anemoi.inference.tasks:task_registry"),
    "anemoi.inference.transports": (
        "anemoi.inference.transport:Transport",
        "anemoi.inference.transports:transport_registry",
    ),
    "anemoi.transform.filters": ("anemoi.transform.filter:Filter", "anemoi.transform.filters:filter_registry"),
}

WRITTEN = [
    EntryPoint(name, value, group)
    for group, entries in PYPROJECT["project"].get("entry-points", {}).items()
    for name, value in entries.items()
]


def load(reference: str) -> object:
    """Import ``module:name``."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def test_installed_as_written() -> None:
    """The installed distribution agrees with pyproject.toml; if not, install again (make setup)."""
    installed = {key: entry.value for key, entry in INSTALLED.items() if key[0] != "console_scripts"}
    assert installed == {(e.group, e.name): e.value for e in WRITTEN}


def test_plugins_have_the_class_of_their_host() -> None:
    """Every entry point loads and is a subclass of the class that its host works with."""
    assert [e.name for e in WRITTEN if not issubclass(e.load(), load(HOST[e.group][0]))] == []


def test_hosts_know_plugins_by_name() -> None:
    """The registry of the host finds every plugin under the name that users write."""
    assert [e.name for e in WRITTEN if load(HOST[e.group][1]).lookup(e.name) is not e.load()] == []


def test_script_is_the_command_line() -> None:
    """The script ``anemoi-ailand`` starts ``main``."""
    assert callable(INSTALLED["console_scripts", "anemoi-ailand"].load())
