# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables of the page on long runs."""

import numpy as np

from anemoi_ailand.evaluation.processes.first_departure import NEEDED, Departure
from tools.results import long_runs
from tools.results.__main__ import PARTS
from tools.results.pages import block_names
from tools.results.steps import ROOT


def test_part_and_page_agree():
    """The page has the blocks of the part."""
    names = block_names((ROOT / long_runs.PAGE).read_text(encoding="utf-8"))
    assert names == ["long-origin", "long-usual", "long-held-out", "long-trained"]
    assert PARTS[long_runs.PART].needs == ("reference",)


def test_state_then_leaves_snow_out_where_there_is_none():
    """The state is that of the day and the point, the variable that departs first."""
    mine = {name: np.arange(6.0).reshape(3, 2) for name in NEEDED}
    truth = {name: values + 1.0 for name, values in mine.items()}
    mine["sd"], truth["sd"] = np.zeros((3, 2)), np.array([[0.0, 0.0], [0.0, 0.0], [9.0, 0.0]])
    days = np.datetime64("2018-01-02") + np.arange(3)
    found = [Departure(1, "sd", 9.0, "stl4", 2, "heat, bare ground"), Departure(0, "sd", 7.0, "rsn", 2, "cold snow"),
             Departure(0, "sd", 6.0, None, None, "-")]  # fmt: skip
    rows = long_runs.departures_table(found, days, mine, truth, ["5, boreal", "10, tundra"]).splitlines()[2:]
    assert rows[0] == ("| 10, tundra | `sd` 9 | `stl4` | 2018-01-04 | heat, bare ground | `stl4` 5.00 / 6.00, `stl1` "
                       "5.0 / 6.0, `swvl1` 5.00 / 6.00, `swvl3` 5.000 / 6.000 |")  # fmt: skip
    assert rows[1].startswith("| 5, boreal | `sd` 7 | `rsn` | 2018-01-04 | cold snow | `rsn` 4 / 5, `sd` 0 / 9, `asn`")
    assert rows[2] == "| 5, boreal | `sd` 6 | - | - | - | - |"
