# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Restart files: the last few are kept, the newest whole one is taken, those of another run are refused."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from anemoi_ailand.rollout.run.restart import Restart, Restarts
from anemoi_ailand.rollout.step.state_file import write_restart

IDENTITY = {"date": "2022-01-01", "input": {"dataset": "a.zarr"}, "ensemble": None}


def restarts(tmp_path, identity=IDENTITY, checkpoint="abc", keep=2):
    return Restarts(tmp_path / "restarts", identity, checkpoint, keep)


def restart(number):
    rng = np.random.default_rng(number)
    date = datetime(2022, 1, 1) + number * timedelta(hours=6)
    outputs = [{"run": "x", "number": number, "secured": {"parts": 2}}, {"times": 3, "waits": None}]
    return Restart(date, number, {"state": rng.random((4, 3)).astype("f4"), "held_t": rng.random(4)}, outputs)


def same(found, expected):
    assert (found.date, found.number, found.outputs) == (expected.date, expected.number, expected.outputs)
    assert set(found.arrays) == set(expected.arrays)
    for name, values in expected.arrays.items():
        assert found.arrays[name].tobytes() == values.tobytes()


def numbers(some):
    return [int(path.stem.removeprefix("step-")) for path in some.files()]


def test_nothing_there_is_a_new_run(tmp_path):
    """Without files there is no restart, and no folder is created."""
    assert restarts(tmp_path).newest() is None
    assert list(tmp_path.iterdir()) == []


def test_newest_is_what_was_written_last(tmp_path):
    """Date, number, arrays (bitwise) and outputs are restored; the number decides."""
    some = restarts(tmp_path, keep=9)
    for number in (4, 99, 100, 8):
        some.write(restart(number))
    assert numbers(some) == [100, 99, 8, 4]
    same(restarts(tmp_path).newest(), restart(100))


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_last_few_are_kept(tmp_path, keep):
    """Exactly ``keep`` files remain."""
    some = restarts(tmp_path, keep=keep)
    for number in range(4, 25, 4):
        some.write(restart(number))
    assert numbers(some) == [24, 20, 16][:keep]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_newest_is_passed_over(tmp_path, damage, caplog):
    """A damaged file is skipped with a warning that names it."""
    some = restarts(tmp_path)
    some.write(restart(4))
    path = some.write(restart(8))
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes({"cut": bytes(content[:300]), "flipped": bytes(content), "empty": b""}[damage])
    same(some.newest(), restart(4))
    named = [r.levelname for r in caplog.records if str(path) in r.getMessage() and r.levelname != "INFO"]
    assert named == ["WARNING"]


def test_all_damaged_is_an_error(tmp_path):
    """A run with damaged files only does not silently start again."""
    some = restarts(tmp_path)
    some.write(restart(4)).write_bytes(b"")
    with pytest.raises(ValueError, match=r"step-0000000004.restart' is no restart file"):
        some.newest()


def test_another_checkpoint_is_refused(tmp_path):
    """The error names both checksums."""
    restarts(tmp_path).write(restart(4))
    with pytest.raises(
        ValueError, match=r"belongs to the checkpoint with SHA-256 abc, the run to other. Resume with the"
    ):
        restarts(tmp_path, checkpoint="other").newest()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"date": "2022-01-02"}, r"differs in date: 2022-01-01 \(file\), 2022-01-02 \(run\)"),
        ({"input": {"dataset": "b.zarr"}}, r"input: {'dataset': 'a.zarr'} \(file\), {'dataset': 'b.zarr'} \(run\)"),
        ({"allow_nans": True}, r"allow_nans: None \(file\), True \(run\)"),
    ],
)
def test_another_run_is_refused(tmp_path, other, message):
    """The error lists the differences only."""
    restarts(tmp_path).write(restart(4))
    with pytest.raises(ValueError, match=message) as caught:
        restarts(tmp_path, IDENTITY | other).newest()
    assert "ensemble" not in str(caught.value)


def test_file_of_another_kind_is_passed_over(tmp_path):
    """A state in the folder is not a restart file."""
    some = restarts(tmp_path)
    some.write(restart(4))
    header = {"kind": "land-state", "checkpoint_sha256": "abc"}
    write_restart(some.folder / "step-0000000008.restart", header, {})
    same(some.newest(), restart(4))


def test_a_complete_run_leaves_nothing(tmp_path):
    """Unfinished files are removed too; other files, and then the folder, stay."""
    some = restarts(tmp_path)
    some.remove()
    some.write(restart(4))
    (some.folder / ".step-0000000008.restart.4711.partial").write_text("half")
    some.remove()
    assert list(tmp_path.iterdir()) == []
    some.write(restart(4))
    (some.folder / "notes.txt").write_text("mine")
    some.remove()
    assert [p.name for p in some.folder.iterdir()] == ["notes.txt"]
