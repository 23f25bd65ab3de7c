# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Listing, printing and copying of packaged YAML: ``anemoi-ailand recipes`` and ``anemoi-ailand configs``."""

from argparse import ArgumentParser, Namespace

import pytest

from anemoi_ailand.commands._packaged import PackagedCommand, header, table
from anemoi_ailand.commands.configs import Configs
from anemoi_ailand.commands.recipes import Recipes
from anemoi_ailand.support import packaged as resources

TEXT = """# Train the emulator with a
# 6 h step.                     anemoi-training train --config-name ailand
#   anemoi-training train again
# Needs: a dataset;
#        CPU or GPU.
# Produces: a checkpoint
# Checked by: a test: this one

body: 1  # Produces: nothing
"""


class Things(PackagedCommand):
    """Things of a test."""

    kind = "things"


@pytest.fixture
def things(tmp_path, monkeypatch):
    """A package whose folder ``things`` holds two YAML files, one in a sub-folder."""
    root = tmp_path / "package" / "things"
    (root / "deep").mkdir(parents=True)
    (root / "one.yaml").write_text("# The first.\na: 1\n")
    (root / "deep" / "second.yaml").write_text("# The other. In more words.   things second\na: 2\n")
    monkeypatch.setattr(resources, "_PACKAGE", root.parent)
    return root


def run(*arguments: str, kind: type[PackagedCommand] = Things):
    """Parse, check and run as the command line does."""
    parser = ArgumentParser()
    command = kind()
    command.add_arguments(parser)
    args = parser.parse_args(arguments)
    command.check(parser, args)
    command.run(Namespace(**vars(args)))


@pytest.mark.parametrize("kind", [Configs, Recipes])
def test_every_packaged_file_is_listed_and_printed(kind, capsys):
    """Each has a line with its name and purpose; ``--path`` names the file whose text is printed."""
    run(kind=kind)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(resources.listing(kind.kind))
    assert [line for line in lines if len(line.split()) < 2] == []
    name, path = next(iter(resources.listing(kind.kind).items()))
    run("--path", name, kind=kind)
    assert capsys.readouterr().out == f"{path}\n"
    run(name, kind=kind)
    assert capsys.readouterr().out == path.read_text()


def test_header_has_purpose_and_fields(things):
    """Commands are left out; a field continues on the next line. The table has the path and first sentence of each."""
    assert header(TEXT) == {
        "Purpose": "Train the emulator with a 6 h step.", "Needs": "a dataset; CPU or GPU.",
        "Produces": "a checkpoint", "Checked by": "a test: this one",
    }  # fmt: skip
    assert table("things") == "deep/second  The other\none          The first\n"


def test_name_prints_the_text(things, capsys):
    """The text is printed unchanged, with or without the ending in the name."""
    for name in ("deep/second", "deep/second.yaml"):
        run(name)
        assert capsys.readouterr().out == (things / "deep/second.yaml").read_text()


def test_copy_overwrites_with_force_only(things, tmp_path, monkeypatch):
    """Without DEST the copy has the name of the file and lies here; no folder is created, no other file left."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    run("--copy", "one")
    assert (folder / "one.yaml").read_text() == (things / "one.yaml").read_text()
    (folder / "one.yaml").write_text("mine")
    with pytest.raises(FileExistsError, match=r"one\.yaml.*--force"):
        run("--copy", "one", str(folder))
    assert (folder / "one.yaml").read_text() == "mine"
    run("--copy", "one", str(folder), "--force")
    assert (folder / "one.yaml").read_text() == (things / "one.yaml").read_text()
    assert [p.name for p in folder.iterdir()] == ["one.yaml"]
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'"):
        run("--copy", "one", str(tmp_path / "nowhere" / "x.yaml"))


@pytest.mark.parametrize("arguments", [["--path"], ["--copy"], ["one", "dest"], ["one", "--force"]])
def test_options_without_meaning_together_are_refused(things, arguments):
    with pytest.raises(ValueError, match="`--copy`"):
        run(*arguments)


def test_path_and_copy_exclude_each_other(things):
    with pytest.raises(SystemExit) as end:
        run("--path", "--copy", "one")
    assert end.value.code == 2
