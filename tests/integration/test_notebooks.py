# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The notebooks run from start to end in an empty folder, and are stored with the output that they give."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def shown(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """Kinds of output of each cell of code: names of streams, and the richest type of each displayed object."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [sorted({kind for output in cell.outputs for kind in kinds(output)}) for cell in cells]


def kinds(output: nbformat.NotebookNode) -> Iterator[str]:
    """Kind of one output; warnings on the error stream do not count."""
    if output.output_type == "stream":
        yield from ["stdout"] if output.name == "stdout" else []
    else:
        yield next((t for t in ("image/png", "text/html") if t in output.get("data", {})), "text/plain")


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Execute a notebook in a new folder."""
    folder.mkdir()
    notebook = nbformat.read(path, as_version=4)
    return NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()


@pytest.mark.slow
@pytest.mark.usefixtures("fastest")
def test_notebooks_run_and_show_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs; figures, tables and texts appear where they are stored; nothing was left out."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # figures belong into the notebook
    assert [path.stem for path in NOTEBOOKS] == [
        "assimilate", "evaluate_a_checkpoint", "from_towers_to_a_diagnosis", "gradients", "run_a_site",
        "train_a_small_network",
    ]  # fmt: skip
    with ThreadPoolExecutor(2) as pool:  # two cores
        executed = list(pool.map(lambda path: run(path, tmp_path / path.stem), NOTEBOOKS))
    for path, found in zip(NOTEBOOKS, executed, strict=True):
        stored = nbformat.read(path, as_version=4)
        assert shown(found) == shown(stored), path.name
        assert any("image/png" in cell for cell in shown(stored)), path.name
