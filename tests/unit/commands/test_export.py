# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""``anemoi-ailand export``: arguments, what is printed, errors."""

from __future__ import annotations

import pytest

from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.commands import COMMANDS
from anemoi_ailand.export import onnx_export
from anemoi_ailand.export.onnx_check import Agreement


@pytest.fixture
def calls(monkeypatch):
    """What the command asks for."""
    found = []

    def export_step(*arguments, **options):
        found.append((arguments, options))
        return Agreement(10, {"sd": 3e-7, "src": 2e-6}, 1)

    monkeypatch.setattr(onnx_export, "export_step", export_step)
    return found


def run(*arguments):
    COMMANDS["export"].run(create_parser().parse_args(["export", *arguments]))


def test_defaults(calls, capsys):
    """The network of the package, single precision, sun inside, nothing replaced; agreement in one line."""
    run("--output", "a.onnx")
    assert calls == [(("ailand", "a.onnx"), {"precision": "float32", "sun_inside": True, "overwrite": False})]
    out = capsys.readouterr().out
    assert out.startswith("a.onnx: Equal to the checkpoint at 10 rows")
    assert "2.0e-06 ('src')" in out
    assert "1 rows are beyond" in out


def test_options(calls):
    """All of them arrive."""
    run("--checkpoint", "b.ckpt", "--output", "a.onnx", "--precision", "float64", "--sun", "outside", "--overwrite")
    assert calls == [(("b.ckpt", "a.onnx"), {"precision": "float64", "sun_inside": False, "overwrite": True})]


def test_not_compared_is_said(monkeypatch, capsys):
    """Nobody takes a file for checked that was not."""
    monkeypatch.setattr(onnx_export, "export_step", lambda *a, **k: None)
    run("--output", "a.onnx")
    assert "Not compared with the checkpoint" in capsys.readouterr().out


def test_errors_are_one_message(tmp_path, capsys):
    """Exit code 1, and what is there stays."""
    (tmp_path / "a.onnx").write_text("mine")
    with pytest.raises(SystemExit) as end:
        run("--output", str(tmp_path / "a.onnx"))
    assert end.value.code == 1
    assert "exist and stay as they are" in capsys.readouterr().err
    assert (tmp_path / "a.onnx").read_text() == "mine"
