# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A wheel in an environment of its own, and packages with a damaged or dangerous pretrained checkpoint."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

from anemoi_ailand.rollout.step.pretrained import pretrained_record
from anemoi_ailand.support.packaged import folder

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installation:
    """A Python that sees the wheel and what it needs, but not the checkout; and an empty folder to work in."""

    python: Path
    folder: Path

    def run(self, *arguments: str | Path, timeout: float = 120.0) -> str:
        """Run this Python with ``arguments`` in the folder; return stdout, fail with stderr."""
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "AILAND_SAMPLE")}
        env |= {"PATH": f"{self.python.parent}{os.pathsep}{env['PATH']}", "PYTHONNOUSERSITE": "1"}
        command = [str(self.python), *map(str, arguments)]
        result = subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert result.returncode == 0, f"{command}\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
        return result.stdout

    def code(self, text: str) -> str:
        """Run a text of Python and return what it prints."""
        return self.run("-c", text).strip()


def build(folder: Path) -> Path:
    """Build the wheel of the checkout into ``folder``; the build tools of this environment are used."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Installation:
    """Install ``wheel`` alone into a new environment; its dependencies are read from this one.

    A line in a ``.pth`` file appends the packages of this environment after those of the new one. ``.pth`` files
    there are not processed, so the editable installation of the checkout stays out of sight.
    """
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    outer = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "outer.pth").write_text("".join(f"{path}\n" for path in sorted(outer)), encoding="utf-8")
    empty = folder / "empty"
    empty.mkdir()
    return Installation(python, empty)


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
