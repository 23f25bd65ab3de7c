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


def test_newest_is_the_last_written(tmp_path):
    """Date, number, arrays (bitwise) and outputs are restored; exactly ``keep`` files remain; the number decides."""
    some = restarts(tmp_path, keep=3)
    assert some.newest() is None
    assert list(tmp_path.iterdir()) == []
    for number in (4, 8, 99, 100):
        some.write(restart(number))
    assert numbers(some) == [100, 99, 8]
    same(restarts(tmp_path).newest(), restart(100))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_newest_is_passed_over(tmp_path, damage, caplog):
    """A damaged file is skipped with a warning that names it, and so is one of another kind."""
    some = restarts(tmp_path)
    some.write(restart(4))
    path = some.write(restart(8))
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes({"cut": bytes(content[:300]), "flipped": bytes(content), "empty": b""}[damage])
    same(some.newest(), restart(4))
    named = [r.levelname for r in caplog.records if str(path) in r.getMessage() and r.levelname != "INFO"]
    assert named == ["WARNING"]
    write_restart(path, {"kind": "land-state", "checkpoint_sha256": "abc"}, {})
    same(some.newest(), restart(4))


def test_files_of_another_run_are_refused(tmp_path):
    """The error lists the differences only; a run with damaged files only does not silently start again."""
    path = restarts(tmp_path).write(restart(4))
    with pytest.raises(ValueError, match=r"to the checkpoint with SHA-256 abc, the run to other. Resume with the"):
        restarts(tmp_path, checkpoint="other").newest()
    other = IDENTITY | {"input": {"dataset": "b.zarr"}, "allow_nans": True}
    message = r"allow_nans: None \(file\), True \(run\); input: {'dataset': 'a.zarr'} \(file\), {'dataset': 'b.zarr'}"
    with pytest.raises(ValueError, match=message) as caught:
        restarts(tmp_path, other).newest()
    assert "ensemble" not in str(caught.value)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"step-0000000004.restart' is not a restart file"):
        restarts(tmp_path).newest()


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
