# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tools that make the packaged network: its record, and a copy without names of the machine."""

import json
import shutil
import zipfile
from pathlib import Path

import make_pretrained as tool
import pytest
from anemoi.utils.checkpoints import load_metadata
from clean_checkpoint import clean_checkpoint, clean_metadata, cleaned, machine_paths
from pretrained_card import card

from anemoi_ailand.rollout.step.pretrained import (
    model_card,
    pretrained_checkpoint,
    pretrained_names,
    pretrained_record,
)


def with_metadata(source: Path, target: Path, change) -> Path:
    """Copy a checkpoint with changed metadata."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, json.dumps(change(json.loads(data))) if name.endswith("anemoi.json") else data)
    return target


def trained_elsewhere(metadata):
    """Add paths of a machine, as anemoi-training writes them."""
    metadata["config"]["dataloader"]["dataset"] = "/srv/somebody/data/reference.zarr"
    metadata["config"]["system"]["input"]["command"] = "train system.input.dataset=/srv/x/d.zarr"
    git = {"git": {"sha1": "1" * 40, "modified_files": 0}}
    metadata["provenance_training"]["git_versions"] = {"anemoi_ailand": git, "torch": git}
    metadata["provenance_training"]["module_versions"]["anemoi_ailand"] = {
        "version": "0.1.0",
        "source": {"url": "file:///srv/x"},
    }
    return metadata


def test_last_part_of_a_path_stays():
    """Absolute paths are cut to their last part; other texts, and places of arrays within the archive, stay."""
    texts = {
        "/a/b/reference.zarr": "reference.zarr", "/training": "training", "~/d.zarr": "d.zarr",
        "x=/a/b.zarr y=/c": "x=b.zarr y=c", "https://somewhere.int/a/b": "https://somewhere.int/a/b",
        "training/best": "training/best", "m3/m3": "m3/m3",
    }  # fmt: skip
    assert cleaned({"k": list(texts)}) == {"k": list(texts.values())}
    assert cleaned({"a": {"url": "file:///x"}, "b": {}, "c": 1}) == {"b": {}, "c": 1}  # held nothing but a local URL
    arrays = {"data": {"latitudes": {"path": "x/data/latitudes.numpy"}}}
    assert clean_metadata({"supporting_arrays_paths": arrays}) == {"supporting_arrays_paths": arrays}


def test_network_stays_and_machine_goes(tmp_path):
    """Every part but the metadata is bitwise the same; the commit is kept for this package only."""
    source = with_metadata(pretrained_checkpoint(), tmp_path / "source.ckpt", trained_elsewhere)
    assert len(machine_paths(source)) >= 3
    clean_checkpoint(source, tmp_path / "copy.ckpt")
    assert machine_paths(tmp_path / "copy.ckpt") == []
    with zipfile.ZipFile(source) as a, zipfile.ZipFile(tmp_path / "copy.ckpt") as b:
        assert a.namelist() == b.namelist()
        (inside,) = [n for n in a.namelist() if n.endswith("anemoi.json")]
        assert [n for n in a.namelist() if a.read(n) != b.read(n)] == [inside]
        metadata = json.loads(b.read(inside))
    assert metadata["config"]["dataloader"]["dataset"] == "reference.zarr"
    assert list(metadata["provenance_training"]["git_versions"]) == ["anemoi_ailand"]
    assert metadata["provenance_training"]["module_versions"]["anemoi_ailand"] == {"version": "0.1.0"}


def test_keys_of_the_archive_are_true(tmp_path):
    """Keys of MARS stay for parameters that the archive has in the same unit, and go for all others."""

    def with_keys(metadata):
        data = metadata["dataset"]["data"]
        for name, each in data["variables_metadata"].items():
            each["mars"] = {"param": name, "levtype": "sfc"}
        data["data_request"] = {"param_level": {"sfc": ["sd", "swvl1", "theta_cap"]}}
        return metadata

    clean_checkpoint(with_metadata(pretrained_checkpoint(), tmp_path / "s.ckpt", with_keys), tmp_path / "c.ckpt")
    data = load_metadata(str(tmp_path / "c.ckpt"))["dataset"]["data"]
    kept = {name for name, each in data["variables_metadata"].items() if "mars" in each}
    assert kept >= {"swvl1", "2t"} and not kept & {"sd", "sshf", "evap", "theta_cap"}
    assert data["data_request"]["param_level"] == {"sfc": ["swvl1"]}


def test_copy_is_always_the_same(tmp_path):
    """A copy of a copy is bitwise the same, so that its checksum is stable."""
    clean_checkpoint(pretrained_checkpoint(), tmp_path / "copy.ckpt")
    assert (tmp_path / "copy.ckpt").read_bytes() == pretrained_checkpoint().read_bytes()


def test_path_in_the_pickle_is_refused(tmp_path):
    """A path in a pickled part is refused, as it cannot be removed without loading."""
    source = shutil.copy(pretrained_checkpoint(), tmp_path / "source.ckpt")
    with zipfile.ZipFile(source, "a") as file:
        file.writestr("inference-best/more.pkl", b"\x80\x02X\x0b\x00\x00\x00/srv/me/pklq\x00.")
    with pytest.raises(ValueError, match=r"still names .*/srv/me/pkl"):
        clean_checkpoint(Path(source), tmp_path / "copy.ckpt")


@pytest.mark.parametrize("name", pretrained_names())
def test_card_is_that_of_the_record(name):
    """The packaged card is written from the packaged record."""
    assert card(pretrained_record(name)) == model_card(name)


def test_card_names_all_datasets_of_the_training():
    """Further datasets in the metadata are in the record and on the card."""
    other = {"dataset": "towers.zarr", "uuid": ["1"], "start": "2019-01-02T06:00:00", "end": "2019-12-31T18:00:00"}
    other |= {"points": 120, "share": 0.109, "held_out": 42}
    record = pretrained_record()
    assert tool.others_of({}) == {}
    record["data"] = record["data"] | tool.others_of({"other_datasets": [other]})
    assert "; 11% of the samples from `towers.zarr`, 2019-01-02 to 2019-12-31 at 120 points |" in card(record)


def test_files_of_other_networks_stay(tmp_path):
    """A network is added to the packaged one; made again, it replaces its own three files only."""
    folder = tmp_path / "pretrained"
    shutil.copytree(pretrained_checkpoint().parent, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    small = tmp_path / "tiny.ckpt"
    for content in (b"first", b"second"):
        small.write_bytes(content)
        tool.write_folder(folder, small, pretrained_record() | {"name": "tiny", "card": tool.card_of("tiny")})
        assert (folder / "tiny.ckpt").read_bytes() == content
        names = {path.name for path in folder.iterdir()}
        assert names == {*before, "tiny.ckpt", "tiny.json", "model_card-tiny.md"}
        assert all((folder / name).read_bytes() == kept for name, kept in before.items())


def test_evaluation_must_be_that_of_the_checkpoint():
    """The checkpoint is recognised by its checksum."""
    metrics = {"inputs": {"forecasts": {"a": {"path": "run.nc"}, "b": {"checkpoint_sha256": "1"}}}}
    assert tool.label_of(metrics, "1") == "b"
    with pytest.raises(ValueError, match="not of the checkpoint with SHA-256 2"):
        tool.label_of(metrics, "2")


def test_commit_records_local_changes():
    """The commit is marked if files were changed, as the training cannot be repeated from it alone."""
    for git, expected in (
        ({"sha1": "abc", "modified_files": 0}, "abc"),
        ({"sha1": "abc", "modified_files": 2}, "abc with 2 changed files"),
        ({}, None),
    ):
        assert tool.commit({"git_versions": {"anemoi_ailand": {"git": git}}}) == expected


def test_other_score_than_that_of_the_evaluation_is_refused():
    """The kept roll-outs must give the scores of the evaluation."""
    row = {"variable": "stl1", "group": "held_out", "lead": 30, "rmse": 1.0, "low": 0.9, "high": 1.1}
    same = {"variable": "stl1", "cut": "points", "group": "held_out", "lead": 30.0, "protocol": "A"}
    values = {("mine", "rmse"): 1.00001, ("mine", "bias"): 0.1, ("mine", "acc"): 0.9, ("climatology", "rmse"): 3.0}
    scores = [{**same, "model": model, "metric": metric, "value": v} for (model, metric), v in values.items()]
    found = tool.with_other_metrics(row, {"scores": scores}, "mine")
    assert found == row | {"bias": 0.1, "acc": 0.9, "climatology": 3.0}
    scores[0]["value"] = 1.1
    with pytest.raises(ValueError, match=r"and 1\.1 in the evaluation"):
        tool.with_other_metrics(row, {"scores": scores}, "mine")


def test_record_is_written_whole(tmp_path):
    """The content is read back unchanged; NaN is refused and leaves the file as it was."""
    content = {"a": [{"b": 1, "c": [1, 2]}], "d": {}}
    tool.write_json(tmp_path / "r.json", content)
    assert json.loads((tmp_path / "r.json").read_text()) == content
    with pytest.raises(ValueError, match="not JSON compliant"):
        tool.write_json(tmp_path / "r.json", {"a": float("nan")})
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
    assert json.loads((tmp_path / "r.json").read_text()) == content


def test_name_of_this_machine_is_refused(tmp_path, monkeypatch):
    """The name of the machine is found as a word in any file."""
    monkeypatch.setattr(tool.socket, "gethostname", lambda: "node-1234")
    (tmp_path / "card.md").write_text("trained on node-1234.")
    with pytest.raises(ValueError, match=r"'card.md' holds \['node-1234'\]"):
        tool.check_no_names(tmp_path)
    monkeypatch.setattr(tool.socket, "gethostname", lambda: "node-12")
    tool.check_no_names(tmp_path)
