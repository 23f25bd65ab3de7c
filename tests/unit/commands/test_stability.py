# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command passes its arguments on, and shows the table or what is wrong."""

from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.commands.stability import Stability
from anemoi_ailand.workflows import stability as module


def test_arguments_are_passed_on(monkeypatch, tmp_path, capsys):
    """With their defaults: a century of all whole years of the dataset."""
    found = []
    (tmp_path / "table.md").write_text("100 years.\n")
    monkeypatch.setattr(module, "stability", lambda *given, **options: found.append((given, options)) or tmp_path)
    line = ["stability", "--checkpoint", "best.ckpt", "--dataset", "d.zarr", "--output", "out", "--start", "2018-01-02"]
    Stability().run(create_parser().parse_args(line))
    assert found == [
        (("best.ckpt", "d.zarr", "out"), {"years": 100, "start": "2018-01-02", "end": None, "device": "cpu"})
    ]
    assert capsys.readouterr().out == f"100 years.\n\nResult: {tmp_path}\n"


def test_error_is_one_message_without_traceback(ailand, tmp_path):
    """A checkpoint that is not there; nothing is written."""
    result = ailand("stability", "--checkpoint", "no.ckpt", "--dataset", "no.zarr")
    assert result.returncode == 1
    assert "There is no checkpoint" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
