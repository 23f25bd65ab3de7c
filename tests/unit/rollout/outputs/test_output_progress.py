# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Restart files of an output; whole runs are in test_land_output.py."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from anemoi_ailand.rollout.outputs.buffer import Buffer
from anemoi_ailand.rollout.outputs.output_columns import columns_of
from anemoi_ailand.rollout.outputs.output_frame import Frame, resumed_attributes
from anemoi_ailand.rollout.outputs.output_progress import KEPT, Progress

DATE, STEP = datetime(2022, 1, 1), timedelta(hours=6)


def frame(longitudes=(0.0, 359.0)):
    columns = columns_of(["sd"], False, True, [], None)
    return Frame(DATE, np.array([1.0, 2.0]), np.array(longitudes), np.arange(2), 2, None, columns, {"history": "h"})


def started(tmp_path):
    progress = Progress(tmp_path / "f.parts")
    progress.start(frame(), {"means": None}, 4)
    return progress


def test_identity_of_the_run(tmp_path):
    """Start, attributes, options and coordinates are read back; longitudes may be in another branch."""
    progress = started(tmp_path)
    stored = Progress(tmp_path / "f.parts").load(progress.run)
    assert (stored.identity, stored.attributes, stored.restart_every) == ({"means": None}, {"history": "h"}, 4)
    turned = stored.checked(frame(longitudes=(0.0, -1.0)), {"means": None})
    np.testing.assert_array_equal(turned.longitudes, [0.0, 359.0])


@pytest.mark.parametrize("other", [(0.0, 358.0), (359.0, 0.0)])
def test_other_points_are_refused(tmp_path, other):
    """Points that moved, or in another order, are refused."""
    progress = started(tmp_path)
    with pytest.raises(ValueError, match="same points"):
        progress.load(progress.run).checked(frame(longitudes=other), {"means": None})


def buffer(means="day"):
    return Buffer(frame(), ["sd"], [], means, 3)


def test_last_three_are_kept(tmp_path):
    """Older restarts are removed."""
    progress = started(tmp_path)
    for number in range(1, 8):
        progress.save(number, buffer())
    kept = sorted(p.name for p in progress.folder.glob("waits-*"))
    assert kept == [f"waits-{n:06d}.npz" for n in (5, 6, 7)][-KEPT:]


def test_clearing_leaves_other_files(tmp_path):
    """Only our files are removed, and the folder once it is empty."""
    progress = started(tmp_path)
    (progress.folder / "000001.nc").touch()
    progress.clear()
    assert [p.name for p in progress.folder.iterdir()] == ["000001.nc"]
    (progress.folder / "note.txt").touch()
    progress.remove()
    assert [p.name for p in progress.folder.iterdir()] == ["note.txt"]
    (progress.folder / "note.txt").unlink()
    progress.remove()
    assert not progress.folder.exists()


def test_attributes_of_a_resumed_run():
    """They are those of the start, except history, and lead time and configuration of an extended run."""
    stored = {"history": "a", "lead_time": "1 day", "configuration": "{}", "versions": "1"}
    now = {"history": "b", "lead_time": "1 day", "configuration": "{x}", "versions": "2"}
    assert resumed_attributes(stored, now) == {**stored, "history": "a\nb (resumed)"}
    longer = resumed_attributes(stored, {**now, "lead_time": "2 days"})
    assert (longer["lead_time"], longer["configuration"], longer["versions"]) == ("2 days", "{x}", "1")
