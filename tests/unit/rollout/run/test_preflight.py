# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The needs of a run are known before its first step, and an impossible run is refused."""

from types import SimpleNamespace

import pytest

from anemoi_ailand.rollout.run import preflight as under_test
from anemoi_ailand.rollout.run.preflight import check_outputs, check_room, cost, leaves, seconds_per_step
from tests.support import loop as case
from tests.support.outputs import N_POINTS, NAMES, made


class PrinterOutput:
    """Named as anemoi-inference's."""


class GribFileOutput:
    """The same; cannot be resumed."""

    def __repr__(self):
        return "GribFileOutput(a.grib)"


def test_outputs_that_write_are_found_below_those_that_hand_on():
    """Outputs are found below nested tees and forwarding outputs."""
    a, b, c = PrinterOutput(), GribFileOutput(), PrinterOutput()
    inner = SimpleNamespace(outputs=[a, SimpleNamespace(output=b)])
    assert list(leaves(SimpleNamespace(outputs=[inner, c]))) == [a, b, c]
    assert list(leaves(a)) == [a]


def test_outputs_must_be_writable_and_resumable(tmp_path):
    """The test of our outputs leaves no files; others are refused in a run with restart files only."""
    check_outputs([made(tmp_path / "f.nc"), GribFileOutput()], restart=False)
    with pytest.raises(ValueError, match=r"GribFileOutput\(a.grib\) cannot be resumed.* Use land-netcdf"):
        check_outputs([made(tmp_path / "f.nc"), GribFileOutput()], restart=True)
    check_outputs([made(tmp_path / "new" / "f.nc"), PrinterOutput()], restart=True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written to the folder"):
        check_outputs([made(tmp_path / "file" / "f.nc")], restart=False)


def test_room_is_the_sum_of_the_outputs(tmp_path):
    """The size is that of outputs and restart files; the free space that of the disk."""
    outputs = [made(tmp_path / "f.nc"), PrinterOutput(), made(tmp_path / "f.zarr")]
    needed, free = check_room(outputs, 41, N_POINTS, 1, 5000)
    assert needed == 5000 + sum(o.required_bytes(41, N_POINTS, 1) for o in outputs if o is not outputs[1])
    assert needed > 2 * 41 * N_POINTS * len(NAMES) * 4
    assert 0 < free < 2**60
    assert check_room([PrinterOutput()], 41, N_POINTS, 1, 5000) == (5000, 0)


def test_a_disk_that_is_too_small_is_an_error(tmp_path, monkeypatch):
    """The limit is an eighth of the size, as compression saves no more."""
    outputs = [made(tmp_path / "f.nc")]
    needed, _ = check_room(outputs, 10**6, 10**4, 1, 0)
    monkeypatch.setattr(under_test, "free_bytes", lambda _folder: needed // 8 + 1)
    check_room(outputs, 10**6, 10**4, 1, 0)
    monkeypatch.setattr(under_test, "free_bytes", lambda _folder: needed // 8 - 1)
    with pytest.raises(OSError, match=r"The outputs take up to 160 GB .*, but 20 GB are free. Write fewer variables"):
        check_room(outputs, 10**6, 10**4, 1, 0)


@pytest.mark.parametrize("members", [1, 3])
def test_cost_of_a_run(members):
    """Timing a step leaves the rollout unchanged; the text has period, size, time, disk and memory."""
    options = {"members": members, "initial": {}} if members > 1 else {}
    roll, other = case.roll_out(**options), case.roll_out(**options)
    assert 1e-5 < seconds_per_step(roll) < 5.0
    text = cost(roll, 1460, 0.05, 9 * 10**9, 70 * 10**9)
    assert text.startswith("2022-01-01 00:00 to 2023-01-01 00:00: 1460 steps x 20 points")
    assert (" x 3 members" in text) == (members == 3)
    memory = 4e-9 * members * case.N * (2 * len(roll.inputs) + len(roll.outputs))
    for words in ("about 0:01:13", "(50 ms a step)", "9 GB of disk (70 GB free)", f"{memory:.3g} GB of memory"):
        assert words in text
    assert (case.run(roll, 1)[0] == case.run(other, 1)[0]).all()
