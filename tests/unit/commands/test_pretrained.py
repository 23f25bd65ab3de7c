# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""``anemoi-ailand pretrained``: path, card, check, comparison."""

from __future__ import annotations

import pandas as pd
import pytest

from anemoi_ailand.__main__ import create_parser
from anemoi_ailand.commands import COMMANDS
from anemoi_ailand.rollout.step.pretrained import pretrained_checkpoint, pretrained_record
from anemoi_ailand.support import packaged as resources
from tests.support.packages import copy_package


@pytest.fixture
def run(capsys):
    """Function that runs the command as the command line does, and returns what it prints."""

    def command(*arguments):
        COMMANDS["pretrained"].run(create_parser().parse_args(["pretrained", *arguments]))
        return capsys.readouterr().out

    return command


def test_path_alone_is_printed(run):
    """One line, for ``$(...)``."""
    assert run("--path") == run("ailand", "--path") == f"{pretrained_checkpoint()}\n"


@pytest.mark.parametrize("arguments", [(), ("ailand",)])
def test_summary_has_size_training_and_scores(run, arguments):
    """Without an option, all networks; with a name, that one."""
    text, record = run(*arguments), pretrained_record()
    assert f"ailand: {record['parameters']} parameters, {record['size'] / 1e6:.2f} MB" in text
    for name in (*record["variables"]["state"], *record["variables"]["diagnostic"]):
        assert f"\n  {name} " in text


def test_check_loads(run):
    """The network is verified, and then loaded."""
    text, state = run("--check"), pretrained_record()["variables"]["state"]
    assert text.startswith(f"ailand: SHA-256 {pretrained_record()['sha256']} verified")
    assert f"state of {len(state)}" in text


@pytest.mark.parametrize("option", ["--path", "--check"])
def test_damaged_file_gives_one_message_and_no_path(tmp_path, monkeypatch, capsys, run, option):
    """Exit code 1, so that a script stops; nothing on stdout that could be loaded; nothing is unpickled."""
    package = copy_package(tmp_path)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    package.set_trap(released=False)
    with pytest.raises(SystemExit) as end:
        run(option)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (1, "")
    assert err.startswith("anemoi-ailand pretrained: error: The pretrained checkpoint")
    assert not package.witness.exists()


def test_compare_with_a_training_of_ones_own(run, tmp_path):
    """The same scores are within; one that is far above is counted as such."""
    rows = [
        {**{k: r[k] for k in ("variable", "group", "lead")}, "value": r["rmse"], "protocol": "A", "cut": "points"}
        for r in pretrained_record()["scores"]
    ]
    rows[0]["value"] = 1e3
    pd.DataFrame(rows).assign(model="again", metric="rmse").to_csv(tmp_path / "metrics.csv", index=False)
    assert run("--compare", str(tmp_path)).endswith(f": {len(rows) - 1} within, 0 below, 1 above\n")
