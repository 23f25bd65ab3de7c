# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Inputs of a run from a store of another schema, found by the mapping in the checkpoint."""

import json

import pytest
from anemoi.inference.config.run import RunConfiguration

from anemoi_ailand.data.mapping.declaration import RECORD, load_mapping
from anemoi_ailand.rollout.forcing.mapped_inputs import mapped_inputs


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A checkpoint trained through the packaged mapping, a store of its schema and one with our variables."""
    record = load_mapping("ailand-v1").record()
    metadata = {"dataset": {"data": {"specific": {"forward": {"attrs": {RECORD: record}}}}}}
    monkeypatch.setattr("anemoi_ailand.data.mapping.declaration.load_metadata", lambda path: metadata)
    names = {"theirs": ["ssrd", "swvl1", "lsm_0"], "ours": list(load_mapping("ailand-v1").variables)}
    for name, variables in names.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / ".zattrs").write_text(json.dumps({"variables": variables}))
    (tmp_path / "a.ckpt").touch()
    return tmp_path


def test_only_stores_of_the_schema_are_mapped(places):
    """At any depth and for every kind of input; our datasets, other inputs and mapped stores stay as they are."""
    theirs, ours, checkpoint = places / "theirs", places / "ours", places / "a.ckpt"
    mapped = f"ailand::{theirs}?{checkpoint}"
    given = {
        "checkpoint": str(checkpoint), "input": {"dataset": str(theirs)},
        "dynamic_forcings": {"dataset": {"dataset": str(theirs), "start": "2016"}},
        "constant_forcings": {"dataset": str(ours)},
    }  # fmt: skip
    found = mapped_inputs(RunConfiguration(**given))
    assert found.input == {"dataset": mapped}
    assert found.dynamic_forcings == {"dataset": {"dataset": mapped, "start": "2016"}}
    assert found.constant_forcings == {"dataset": str(ours)}
    assert mapped_inputs(found) == found
    other = RunConfiguration(checkpoint=str(checkpoint), input={"ecland": {"path": str(theirs)}})
    assert mapped_inputs(other) == other


def test_checkpoint_without_a_mapping_leaves_inputs_alone(places, monkeypatch):
    """A run of any other network is unchanged."""
    monkeypatch.setattr("anemoi_ailand.data.mapping.declaration.load_metadata", lambda path: {"dataset": {"data": {}}})
    config = RunConfiguration(checkpoint=str(places / "a.ckpt"), input={"dataset": str(places / "theirs")})
    assert mapped_inputs(config) == config
