# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Towers as they are distributed: forcing and roll-out equal those prepared by hand, apart from faults in the file.

Needs the folder ``towers`` in ``$AILAND_SHARED_DATA`` (FLUXNET La Thuile and PALS data, not distributed with the
package).
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import STEP
from anemoi_ailand.data.stations.tower_reader import read_records, with_properties
from anemoi_ailand.data.stations.tower_site import TowerSite
from anemoi_ailand.evaluation.sites.places import Place
from anemoi_ailand.rollout.reforecast.point_run import PointRun
from anemoi_ailand.rollout.step.checkpoint import load_step
from anemoi_ailand.workflows.tower import NearestPoint

SHARED = os.environ.get("AILAND_SHARED_DATA")
pytestmark = pytest.mark.skipif(SHARED is None, reason="AILAND_SHARED_DATA is not set")

#: File of each tower, and what it does not say itself.
TOWERS = {
    "FortPeck_2003-2005": ("FortPeck_2003-2005.csv", {"latitude": 48.308, "longitude": -105.102, "utc_offset": -7.0}),
    "Loobos_2003-2006": ("Loobos_2003-2006_met.nc", {}),
}
#: Six-hourly stamps near faults of Fort Peck that were repaired otherwise by hand: temperatures of 17 to 45 degC in
#: winter nights were kept there, and two days of long-wave radiation below half of black body were filled by 0.8 of it.
OTHERWISE = {"2005-01-02", "2005-12-03", "2005-12-07", "2005-08-06", "2005-08-07", "2005-08-08", "2005-08-09"}
#: Rounding of the files made by hand, in the unit of the table.
QUANTUM = {
    "t": 0.0157, "avg_t": 0.0157, "q": 3.9e-6, "avg_q": 3.9e-6, "avg_sp": 4.0, "avg_u": 0.0313, "avg_v": 0.0,
    "avg_sdswrf": 0.25, "avg_sdlwrf": 0.25, "avg_tprate": 7.5e-9, "avg_tsrwe": 3.8e-9, "late_sdswrf": 0.5,
    "late_tprate": 1.5e-8, "late_tsrwe": 7.5e-9, "lai_lv": 0.001, "lai_hv": 0.001,
}  # fmt: skip


@pytest.fixture(scope="module", params=TOWERS)
def both(request):
    """Tower with its own file, and the same tower prepared by hand."""
    file, options = TOWERS[request.param]
    towers = Path(SHARED) / "towers"
    records = read_records(towers / "halfhourly" / file, TowerSite(), **options)
    by_hand = towers / "long" / f"{request.param}.nc"
    nearest = NearestPoint(by_hand, Place("tower", records.latitude, records.longitude), 1.0)
    tower = with_properties(records, TowerSite(), nearest.static(), nearest.seasons(), "by hand")
    return tower, open_reader(str(by_hand))


def test_forcing_is_that_made_by_hand(both):
    """To the rounding of the files, except at the known faults; the days with faults are few."""
    tower, by_hand = both
    dates = [d for d in by_hand.coverage.dates() if d in tower.coverage]
    assert len(dates) > 4300
    good = np.array([f"{d - STEP / 2:%Y-%m-%d}" not in OTHERWISE and f"{d:%Y-%m-%d}" not in OTHERWISE for d in dates])
    offenders = {}
    for name, quantum in QUANTUM.items():
        found, expected = (r.read([name], dates)[0, :, 0].astype(float) for r in (tower, by_hand))
        error = np.abs(found - expected)[good].max()
        if error > 1.01 * quantum + 1e-5 * np.abs(expected).max() or (quantum and found.std() == 0.0):
            offenders[name] = error
    assert offenders == {}


@pytest.mark.slow
def test_roll_out_is_that_of_the_forcing_made_by_hand(both):
    """Over half a year without those faults, from ecLand's state: below a tenth of the network's error."""
    step, dates = load_step("ailand"), [datetime(2003, 10, 1) + i * STEP for i in range(4 * 182 + 1)]
    run = [PointRun(step, reader, dates) for reader in both]
    names = run[0].layout.prognostic
    state = run[0].state(dict(zip(names, both[1].read(names, dates[:1])[:, 0], strict=True)))
    found, by_hand = (one.run(state, progress=False)[:, 0] for one in run)
    ecland = both[1].read(list(step.outputs), dates[1:])[:, :, 0].T
    rms = lambda difference: np.sqrt((difference.astype(float) ** 2).mean(axis=0))  # noqa: E731
    ratio = dict(zip(step.outputs, rms(found - by_hand) / rms(by_hand - ecland), strict=True))
    for name in ("swvl1", "swvl2", "swvl3", "swvl4", "stl1", "stl2", "stl3", "sd", "2t", "evap", "slhf"):
        assert ratio[name] < 0.1, name


@pytest.mark.slow
def test_spin_up_gives_the_state_of_a_spin_up_by_hand(both):
    """One iteration over two years from ecLand's state, with either forcing: the states differ by less than 3e-3.

    The files made by hand are rounded, and the timing of melt in two years magnifies it.
    """
    step, dates = load_step("ailand"), both[1].coverage.dates()[: 4 * 731]
    run = [PointRun(step, reader, dates) for reader in both]
    names = run[0].layout.prognostic
    state = run[0].state(dict(zip(names, both[1].read(names, dates[:1])[:, 0], strict=True)))
    found, by_hand = (one.spin_up(state, 1, progress=False).state.numpy()[0] for one in run)
    for name, a, b, before in zip(names, found, by_hand, state.numpy()[0], strict=True):
        if name.startswith("swvl"):
            assert abs(a - b) < 3e-3, name
            assert abs(a - before) < 0.1, name
        if name.startswith("stl"):
            assert abs(a - b) < 0.1, name
