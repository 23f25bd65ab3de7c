# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Locks: one process at a time, shared within it, taken over from a dead one."""

import os
import re
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
from pytorch_lightning.callbacks import ModelCheckpoint

from anemoi_ailand.support import lock
from anemoi_ailand.support.lock import InUse, acquire, exclusive, lock_file, release
from anemoi_ailand.training.callbacks import BestCheckpoint
from tests.faults.faults import words

HOLD = "import sys, time; from pathlib import Path; from anemoi_ailand.support.lock import acquire; \
acquire(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of ``forecast.nc``."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "forecast.nc")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_until_the_first_is_dead(holder, tmp_path):
    """The message names process and host; the lock of a killed process is taken, and removed at the end."""
    path = tmp_path / "forecast.nc"
    with pytest.raises(InUse, match=rf"forecast.nc' is in use by process {holder.pid} on {socket.gethostname()} since"):
        acquire(path)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert lock_file(path).exists()
    with exclusive(path):
        assert f'"pid": {os.getpid()}' in lock_file(path).read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_second_training_is_refused(holder, tmp_path, monkeypatch):
    """The folder of the best checkpoint belongs to one training."""
    monkeypatch.setattr(ModelCheckpoint, "setup", lambda *_: None)
    best = BestCheckpoint(str(tmp_path / "forecast.nc"))
    best.setup(SimpleNamespace(is_global_zero=False), None, "fit")
    with pytest.raises(SystemExit, match=words("a second training in a folder")):
        best.setup(SimpleNamespace(is_global_zero=True), None, "fit")


def test_holders_within_a_process_share_it(tmp_path):
    """It is given back by the last of them; without a lock there is nothing to give back."""
    path = tmp_path / "new" / "folder"
    with exclusive(path):
        with exclusive(path):
            pass
        assert lock_file(path).exists()
    assert not lock_file(path).exists()
    release(path)


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch, caplog):
    """The run goes ahead."""
    monkeypatch.setattr(lock.fcntl, "lockf", lambda *_: (_ for _ in ()).throw(OSError(37, "No locks available")))
    acquire(tmp_path / "f")
    assert re.search(words("a file system without locks"), caplog.text)
