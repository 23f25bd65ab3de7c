# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Files of a tower with one thing wrong each: found when they are read and cleaned, with the words of its row."""

import logging
import re

import numpy as np
import pandas as pd

from anemoi_ailand.data.stations.tower_file import read_tower
from anemoi_ailand.data.stations.tower_series import clean
from tests.faults.faults import TOWERS
from tests.support.files import LATITUDE, LONGITUDE, UTC_OFFSET, write_tower

#: Days of the file, from January to May.
_DAYS = 140


def summer_time(table):
    """Move the clock by an hour from April on."""
    winter = np.arange(len(table)) < 48 * 91
    values = {n: v for n, v in table.items() if not n.startswith("TIMESTAMP")}
    return table.assign(**{n: np.where(winter, v, np.roll(v, 2)) for n, v in values.items()})


def scaled(column, factor, offset=0.0):
    return lambda t: t.assign(**{column: t[column].astype(float) * factor + offset})


#: Changes of the table of the file, and options of reading it.
CASES = {
    "a tower as it is": (lambda t: t, {}),
    "a clock with summer time": (summer_time, {}),
    "text in a column of a tower": (lambda t: t.assign(P_F=["x", "x", "x", *t["P_F"][3:]]), {}),
    "records that end when they start": (lambda t: t.assign(TIMESTAMP_START=t["TIMESTAMP_END"]), {}),
    "a tower's header without records": (lambda t: t.iloc[:0], {}),
    "a record of a tower given twice": (lambda t: pd.concat([t[:100], t[99:]]), {}),
    "records of a tower in another order": (lambda t: pd.concat([t[100:], t[:100]]), {}),
    "a tower in UTC as local time": (lambda t: t, {"utc_offset": 0.0}),
    "a tower's temperature in kelvin": (scaled("TA_F", 1.0, 273.15), {}),
    "a tower's pressure in hPa": (scaled("PA_F", 10.0), {}),
    "a tower's relative humidity as a fraction": (scaled("RH", 0.01), {}),
    "long-wave radiation of a tower as the net": (scaled("LW_IN_F", 1.0, -350.0), {}),
    "a misspelt quantity of a tower": (lambda t: t, {"columns": {"temprature": "TA_F"}}),
    "an unknown unit of a tower": (lambda t: t, {"columns": {"temperature": "TA_F [furlong]"}}),
}


def test_catalogue(tmp_path, caplog):
    """Each case has the class of its row and its words."""
    assert CASES.keys() == {fault.name for fault in TOWERS}
    table = pd.read_csv(write_tower(tmp_path / "sound.csv", _DAYS), dtype=str)
    table["P_F"] = np.where(np.arange(len(table)) % 100 == 0, "3.0", "0.0")
    where = {"latitude": LATITUDE, "longitude": LONGITUDE, "utc_offset": UTC_OFFSET}
    wrong = {}
    for fault in TOWERS:
        change, options = CASES[fault.name]
        change(table).to_csv(tmp_path / "tower.csv", index=False)
        caplog.clear()
        found, said = "fine", ""
        with caplog.at_level(logging.WARNING, "anemoi_ailand"):
            try:
                clean(read_tower(tmp_path / "tower.csv", **{**where, **options}))
            except ValueError as error:
                found, said = "error", str(error)
        if found == "fine" and (said := " ".join(r.getMessage() for r in caplog.records)):
            found = "warning"
        if found != fault.expected or not re.search(fault.words, said):
            wrong[fault.name] = found, said[:300]
    assert not wrong
