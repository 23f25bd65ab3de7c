# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command line: help, version, errors of the user and defects of the program."""

import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
from anemoi.utils.cli import Command, Failed, cli_main

from anemoi_ailand import __version__
from anemoi_ailand.__main__ import create_parser, main, unknown_option
from anemoi_ailand.commands import COMMANDS, GROUPS, Guarded
from anemoi_ailand.support.options import UnknownOption


class Raises(Command):
    """Command that raises a given error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """No arguments."""

    def run(self, args: Namespace) -> None:
        """Raise."""
        raise self.error


def call(error: Exception, *options: str) -> None:
    """Run a command that raises ``error`` through the entry point of the host, as the script does."""
    sys.argv = ["anemoi-ailand", *options, "raises"]
    cli_main(__version__, "test", {"raises": Guarded(Raises(error), "raises")})


@pytest.fixture(autouse=True)
def _keep_argv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)


def test_every_command_is_available_and_has_a_help_text() -> None:
    """Every command imports and has a help text."""
    assert [name for name, command in COMMANDS.items() if isinstance(command, Failed)] == []
    assert all(command.__doc__ for command in COMMANDS.values())


def test_help_groups_the_commands(capsys: pytest.CaptureFixture) -> None:
    """Each command is in one group and in the help, which is shown with ``--help`` and without arguments."""
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)
    texts = []
    for arguments in ([], ["--help"]):
        sys.argv = ["anemoi-ailand", *arguments]
        main()
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[0].index("Run the land:") < texts[0].index("\n  tower ") < texts[0].index("Judge data and a network:")
    assert [name for name in COMMANDS if f"\n  {name} " not in texts[0]] == []
    assert max(map(len, texts[0].splitlines())) <= 120


def test_start_of_the_command_line_is_light() -> None:
    """The help loads none of the libraries that take seconds, so that it appears at once."""
    script = (
        "import sys; from anemoi_ailand.__main__ import main; sys.argv = ['anemoi-ailand', 'site', '--help']\n"
        "try: main()\n"
        "except SystemExit: print(*sorted({'torch', 'numpy', 'xarray', 'pandas', 'earthkit'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == ""


#: Libraries that take long to import, which neither a step nor an output in NetCDF needs.
SLOW = {
    "anemoi.datasets", "anemoi.training", "dask", "eccodes", "hydra", "matplotlib", "numba", "pandas", "pyproj",
    "scipy", "sympy", "torch._dynamo", "torch_geometric", "xarray", "zarr",
}  # fmt: skip


@pytest.mark.parametrize(
    "start",
    [
        "import anemoi_ailand; anemoi_ailand.load('ailand')",
        "from anemoi_ailand.rollout.run.launch import launch; launch('inference/rollout-files', "
        "['date=2021-01-01', 'lead_time=6h', 'output.land-netcdf.path=out.nc'])",
    ],
)
def test_first_step_needs_no_slow_library(tmp_path: Path, start: str) -> None:
    """Loading the network, and a run of one step from files to NetCDF, import what they use and no more."""
    script = f"import sys; {start}; print(*sorted({SLOW} & sys.modules.keys()))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert result.stdout.splitlines()[-1] == ""


def test_help_of_each_command(capsys: pytest.CaptureFixture) -> None:
    """``anemoi-ailand NAME --help`` prints the usage and ends with code 0."""
    for name in COMMANDS:
        with pytest.raises(SystemExit) as end:
            create_parser().parse_args([name, "--help"])
        assert end.value.code == 0
        assert f"{name} [-h]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evalute", "--help"], "There is no command 'evalute'. Nearest: ['evaluate']."),
        (["--debug", "configz"], "There is no command 'configz'. Nearest: ['configs']."),
        (["xyz"], f"There is no command 'xyz'. Available: {list(COMMANDS)}."),
    ],
)
def test_unknown_command_names_the_nearest(arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    """A typo ends with code 2, as argparse does, and names the nearest command, or all if none resembles it."""
    sys.argv = ["anemoi-ailand", *arguments]
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr() == ("", f"anemoi-ailand: error: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["site", "--datset", "d"], "site: error: There is no option '--datset'. Nearest: ['--dataset', '--trust', "
         "'--lat']."),
        (["run", "f.yaml", "--dryrun"], "run: error: There is no option '--dryrun'. Nearest: ['--dry-run']. "
         "Settings of the configuration are written key=value."),
        (["evaluate", "--copy=x"], "evaluate: error: There is no option '--copy'. Available: "
         "['--checkpoint', '--dataset', '--output', '--trust', '--help']. Settings of the configuration are written "
         "key=value."),
        (["run", "--debug", "f.yaml"], "run: error: Write '--debug' before the command: anemoi-ailand --debug run ..."),
    ],
)  # fmt: skip
def test_unknown_option_names_the_nearest(arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    """A typo ends with code 2 before missing arguments are reported, and names the nearest option."""
    sys.argv = ["anemoi-ailand", *arguments]
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr() == ("", f"anemoi-ailand {message}\n")


def test_known_options_pass() -> None:
    """Whole options, unambiguous beginnings, values that begin with a minus, and words after ``--`` are accepted."""
    for line in ("site --dataset d --lat -3", "site --samp --lon=-70", "run f --dry-run", "run -- --x", "--debug site"):
        assert unknown_option(line.split()) is None, line


def test_version(ailand: Callable) -> None:
    """The version is printed and nothing else."""
    assert ailand("--version").stdout == f"{__version__}\n"


@pytest.mark.parametrize("error", [ValueError("bad unit"), FileNotFoundError("bad unit"), FileExistsError("bad unit")])
def test_error_of_the_user_is_one_line(error: Exception, capsys: pytest.CaptureFixture) -> None:
    """One line on stderr, code 1, no traceback."""
    with pytest.raises(SystemExit) as end:
        call(error)
    assert end.value.code == 1
    assert capsys.readouterr() == ("", "anemoi-ailand raises: error: bad unit\n")


def test_error_of_the_netcdf_library_and_of_an_option_is_one_line(capsys: pytest.CaptureFixture) -> None:
    """Neither is a defect of the program."""
    for error in (RuntimeError("NetCDF: HDF error"), UnknownOption("no option 'pth'")):
        with pytest.raises(SystemExit) as end:
            call(error)
        assert end.value.code == 1
        assert capsys.readouterr().err == f"anemoi-ailand raises: error: {error}\n"


def test_interrupt_is_one_line(capsys: pytest.CaptureFixture) -> None:
    """Ctrl-C ends with the code that shells give it, without a traceback."""
    with pytest.raises(SystemExit) as end:
        call(KeyboardInterrupt())
    assert end.value.code == 130
    assert capsys.readouterr() == ("", "\nanemoi-ailand raises: interrupted\n")


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture) -> None:
    """With ``--debug`` the host prints the traceback of a ValueError."""
    with pytest.raises(SystemExit) as end:
        call(ValueError("bad unit"), "--debug")
    assert end.value.code == 1
    assert "Traceback" in capsys.readouterr().err


def test_defect_of_the_program_keeps_its_traceback() -> None:
    """Errors that no user can repair pass unchanged."""
    with pytest.raises(ZeroDivisionError):
        call(ZeroDivisionError("a defect"))
