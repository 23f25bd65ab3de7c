# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Options of the runner: what makes sense is taken, all else is named with what is known."""

from datetime import timedelta
from pathlib import Path

import pytest

from anemoi_ailand.rollout.run.options import run_options, whole_steps

ENSEMBLE = {"members": 2, "initial": {}}


def test_all_options_are_read():
    """Nested options, lengths of time and ``~`` are parsed."""
    found = run_options({
        "restart": {"folder": "~/restarts", "every": "5d", "keep": 3},
        "ensemble": {
            "members": 25, "first": 25, "seed": 7, "control": False, "length_km": 300, "initial": {"swvl": 0.03},
            "forcing": {"hours": 12}, "checkpoints": ["b.ckpt"],
        },
        "bad_forcing": "hold", "final_state": "~/end-{member:03d}.state", "threads": 4, "block_rows": 512,
        "dry_run": True,
    })  # fmt: skip
    assert found.restart.folder == Path.home() / "restarts"
    assert (found.restart.every, found.restart.keep) == (timedelta(days=5), 3)
    assert found.final_state == Path.home() / "end-{member:03d}.state"
    ensemble = found.ensemble
    assert (ensemble.members, ensemble.first, ensemble.seed, ensemble.control) == (25, 25, 7, False)
    assert (ensemble.initial.swvl, ensemble.initial.stl) == (0.03, 0.5)
    assert (ensemble.forcing.hours, ensemble.forcing.precipitation) == (12.0, 0.5)
    assert ensemble.checkpoints == ("b.ckpt",)
    assert (found.bad_forcing, found.threads, found.block_rows, found.dry_run) == ("hold", 4, 512, True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"restat": {}}, r"'restat' is not an option. Nearest: \['restart'\]"),
        ({"restart": {"folder": "r", "evry": "1d"}}, r"'restart.evry' is not an option. Nearest: \['every'\]"),
        ({"ensemble": {**ENSEMBLE, "member": 1}}, r"'ensemble.member' is not an option. Nearest: \['members'\]"),
        ({"ensemble": {"members": 2, "forcing": {"rain": 1}}}, r"'ensemble.forcing.rain' is not an option. Nearest:"),
    ],
)
def test_unknown_option_names_the_nearest(given, message):
    """The error names the nearest option at every depth."""
    with pytest.raises(ValueError, match=f"(?s)`runner: land-forecaster` has 1 mistake.*{message}"):
        run_options(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"restart": {}}, "'restart.folder': Field required"),
        ({"restart": {"folder": "r", "every": "7h"}}, "'restart.every': it is not a positive multiple of 6 h"),
        ({"restart": {"folder": "r", "every": "soon"}}, "it is not a duration"),
        ({"restart": {"folder": "r", "keep": 0}}, "'restart.keep': .* greater than or equal to 1"),
        ({"ensemble": {"members": 0}}, "'ensemble.members'"),
        ({"ensemble": {**ENSEMBLE, "seed": 2**64}}, "'ensemble.seed'"),
        ({"ensemble": {**ENSEMBLE, "length_km": 0}}, "'ensemble.length_km'"),
        ({"ensemble": {"members": 2, "initial": {"swvl": -0.1}}}, "'ensemble.initial.swvl'"),
        ({"ensemble": {"members": 2, "initial": {"vertical_correlation": 1.0}}}, "vertical_correlation"),
        ({"ensemble": {"members": 2, "forcing": {"hours": 0}}}, "'ensemble.forcing.hours'"),
        ({"bad_forcing": "ignore"}, "'bad_forcing': .*'error', 'hold' or 'clip'"),
        ({"threads": 0}, "'threads'"),
    ],
)
def test_values_without_sense_are_refused(given, message):
    """The error names the option and its accepted values."""
    with pytest.raises(ValueError, match=f"(?s)has 1 mistake.*{message}.*given: "):
        run_options(given)


def test_members_that_would_be_the_same_are_refused():
    """Several members need something that makes them differ."""
    with pytest.raises(ValueError, match=r"all members would be the same; give `initial`"):
        run_options({"ensemble": {"members": 2}})
    for options in ({"initial": {}}, {"forcing": {}}, {"checkpoints": ["b"]}, {"initial_files": "{member}.state"}):
        assert run_options({"ensemble": {"members": 2, **options}}).ensemble.members == 2
    assert run_options({"ensemble": {"members": 1}}).ensemble.members == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial_files": "a.state"}, r"has no \{member\}"),
        ({"initial_files": "{n}.state"}, r"something else in braces than a \{member\} \(KeyError"),
        ({"initial_files": "{}.state"}, r"something else in braces than a \{member\}"),
        ({"initial_files": "{member"}, r"something else in braces than a \{member\}"),
        ({"initial_files": "{member}", "initial": {}}, "both `initial` and `initial_files`"),
    ],
)
def test_files_of_states_must_differ(options, message):
    """The file name may vary with the member only."""
    with pytest.raises(ValueError, match=message):
        run_options({"ensemble": {"members": 2, **options}})


def test_last_states_of_members_must_differ():
    """Several members cannot write one file."""
    with pytest.raises(ValueError, match=r"one file for several members; put \{member\} into its name"):
        run_options({"final_state": "end.state", "ensemble": ENSEMBLE})
    assert run_options({"final_state": "end.state"}).final_state == Path("end.state")
    assert run_options({"final_state": "{member}.state", "ensemble": ENSEMBLE}).ensemble


@pytest.mark.parametrize(("given", "days"), [("30d", 30), ("P1Y", 365), (6, 0.25), ("18h", 0.75)])
def test_lengths_of_time(given, days):
    """Lengths are written as in anemoi-inference; a number is in hours."""
    assert whole_steps(given) == timedelta(days=days)
