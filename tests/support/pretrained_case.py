# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A package with a damaged, a missing or a dangerous pretrained checkpoint; nothing of it is what ships."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from anemoi_ailand.rollout.step.pretrained import pretrained_record
from anemoi_ailand.support.packaged import folder


@dataclass(frozen=True)
class Trap:
    """An object whose unpickling makes a folder: what a checkpoint could do to whoever loads it."""

    witness: Path

    def __reduce__(self):
        return Path.mkdir, (self.witness,)


@dataclass(frozen=True)
class Package:
    """A made-up package; ``witness`` is there once its checkpoint has been unpickled."""

    folder: Path
    witness: Path

    @property
    def checkpoint(self) -> Path:
        return self.folder / "ailand.ckpt"

    @property
    def record(self) -> Path:
        return self.folder / "ailand.json"

    def set_trap(self, *, released: bool) -> None:
        """Put an object that acts when loaded into the checkpoint; ``released``: and its checksum into the record."""
        original = folder("pretrained") / "ailand.ckpt" if not self.checkpoint.exists() else self.checkpoint
        trapped = self.folder / "trapped"
        with zipfile.ZipFile(original) as old, zipfile.ZipFile(trapped, "w") as new:
            for name in old.namelist():
                new.writestr(name, pickle.dumps(Trap(self.witness), 2) if name.endswith(".pkl") else old.read(name))
        trapped.replace(self.checkpoint)
        if released:
            checksum = hashlib.sha256(self.checkpoint.read_bytes()).hexdigest()
            self.record.write_text(json.dumps(pretrained_record() | {"sha256": checksum}))


def copy_package(target: Path) -> Package:
    """A copy of the real files in ``target/pretrained``."""
    shutil.copytree(folder("pretrained"), target / "pretrained")
    return Package(target / "pretrained", target / "unpickled")
