# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Restart files are whole or not there, known by a checksum, and tied to their checkpoint."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.rollout.step import state_file as restart_file
from anemoi_ailand.rollout.step.state_file import read_restart, write_restart

HEADER = {"kind": "test", "checkpoint_sha256": "abc", "date": "2022-01-01T00:00:00", "names": ["a", "b"]}


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal((7, 3)).astype("f4"), "y": rng.integers(0, 9, 5), "z": np.array([np.nan, -0.0])}


def same(found, expected):
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        assert found[name].tobytes() == values.tobytes()


def test_round_trip(tmp_path):
    """Header and arrays are restored bitwise; the folder is created; objects would need a pickle and are refused."""
    path = write_restart(tmp_path / "new" / "folder" / "r", HEADER, arrays())
    header, found = read_restart(path, "test", "abc")
    assert header == HEADER
    same(found, arrays())
    with pytest.raises(ValueError, match="allow_pickle"):
        write_restart(path, HEADER, {"x": np.array([object()])})
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("number", "call"), [(errno.ENOSPC, "fsync"), (errno.EIO, "replace")])
def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch, number, call):
    """A failing fsync or rename leaves the old file, and the error says what to do."""
    for seed in (1, 0):
        write_restart(tmp_path / "r", HEADER, arrays(seed))

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((restart_file.os, "fsync") if call == "fsync" else (Path, "replace")), fail)
    with pytest.raises(
        OSError, match=r"restart file '.*r' cannot be written: .* needs 0\.0 MB.*Free some space"
    ) as caught:
        write_restart(tmp_path / "r", HEADER, arrays(1))
    assert caught.value.errno == number
    assert os.strerror(number) in str(caught.value)
    monkeypatch.undo()
    same(read_restart(tmp_path / "r", "test", "abc")[1], arrays(0))
    assert list(tmp_path.iterdir()) == [tmp_path / "r"]


def test_a_disk_that_fills_up_in_the_middle(tmp_path):
    """A limit on the size of files leaves the old file valid."""
    write_restart(tmp_path / "r", HEADER, arrays(0))
    script = (
        "import resource, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from anemoi_ailand.rollout.step.state_file import write_restart\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n"
        "    write_restart(Path(sys.argv[1]), {'kind': 'test', 'checkpoint_sha256': 'abc'}, {'x': np.ones(10**6)})\n"
        "except OSError as error:\n"
        "    sys.exit(f'{error}')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "r"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be written: File too large" in done.stderr
    assert "needs 8.0 MB" in done.stderr
    same(read_restart(tmp_path / "r", "test", "abc")[1], arrays(0))
    assert list(tmp_path.iterdir()) == [tmp_path / "r"]


def test_a_process_killed_while_it_writes(tmp_path):
    """SIGKILL before the rename leaves the old file."""
    write_restart(tmp_path / "r", HEADER, arrays(0))
    script = (
        "import os, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from anemoi_ailand.rollout.step import state_file as restart_file\n"
        "restart_file.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "restart_file.write_restart(Path(sys.argv[1]), {'kind': 'test', 'checkpoint_sha256': 'b'}, {'x': np.ones(9)})\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "r"], check=False)
    assert done.returncode == -signal.SIGKILL
    same(read_restart(tmp_path / "r", "test", "abc")[1], arrays(0))


def test_one_wrong_bit_is_found(tmp_path):
    """The checksum detects a changed bit in header or arrays, and a truncated file."""
    path = write_restart(tmp_path / "r", HEADER, arrays())
    whole = path.read_bytes()
    flipped = [bytearray(whole) for _ in range(3)]
    for content, where in zip(flipped, (100, len(whole) // 2, -1), strict=True):
        content[where] ^= 1
    for content in (*flipped, whole[:-100]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"is damaged: the checksum of its .* bytes differs"):
            read_restart(path, "test", "abc")


def test_other_files_are_refused(tmp_path):
    """A missing file, another format, another kind and another checkpoint are errors."""
    with pytest.raises(FileNotFoundError, match="There is no restart file"):
        read_restart(tmp_path / "r", "test", "abc")
    (tmp_path / "other").write_bytes(b"CDF\x01" + bytes(99))
    with pytest.raises(ValueError, match="is not a restart file of format"):
        read_restart(tmp_path / "other", "test", "abc")
    path = write_restart(tmp_path / "r", HEADER, arrays())
    with pytest.raises(ValueError, match="is a 'test', not a 'run'"):
        read_restart(path, "run", "abc")
    with pytest.raises(ValueError, match="checkpoint with SHA-256 abc, the run to def"):
        read_restart(path, "test", "def")
    assert read_restart(path, "test", None)[0] == HEADER
