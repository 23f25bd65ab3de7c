# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A tower's own file: names, units, clock and stamps of FLUXNET, ALMA and mapped columns; errors name a repair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anemoi_ailand.data.stations.tower_file import read_tower
from tests.support.files import (
    LATITUDE,
    LONGITUDE,
    UTC_OFFSET,
    times_between,
    tower_columns,
    write_plumber2,
    write_tower,
)

PLACE = {"latitude": LATITUDE, "longitude": LONGITUDE}
HERE = {**PLACE, "utc_offset": UTC_OFFSET}


def edited(path: Path, edit) -> Path:
    """Change the lines of a text file."""
    path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")
    return path


def test_fluxnet_becomes_si_units_at_utc_ends(tmp_path):
    """The first record ends at half past midnight local time, 06:30 UTC; mm per half hour are a rate."""
    records = read_tower(write_tower(tmp_path / "t.csv"), **HERE)
    assert records.ends[0] == np.datetime64("2020-01-01T06:30")
    assert records.step == np.timedelta64(30, "m")
    first = {n: v[0] for n, v in records.values.items()}
    columns = tower_columns(times_between("2020-01-01", 1, 30), LONGITUDE, UTC_OFFSET)
    assert first["temperature"] == pytest.approx(columns["TA_F"][0] + 273.15)
    assert first["pressure"] == pytest.approx(97e3)
    assert first["relative_humidity"] == pytest.approx(0.8)
    assert first["precipitation"] == pytest.approx(0.2 / 1800.0)
    assert records.rules["time_zone"] == "local standard time is UTC-6 h, as given"


def test_alma_has_place_zone_and_starts(tmp_path):
    """Stamps of PLUMBER2 are starts; coordinates and time zone are those of the file; rain and snow add up."""
    starts = times_between("2020-01-01", 96, 30)
    given = tower_columns(starts, LONGITUDE, UTC_OFFSET)
    alma = {
        "Tair": (given["TA_F"] + 273.15, "K"), "Qair": (np.full(96, 0.003), "kg/kg"),
        "Psurf": (np.full(96, 97e3), "Pa"), "Wind": (given["WS_F"], "m/s"),
        "SWdown": (given["SW_IN_F"], "W/m2"), "LWdown": (given["LW_IN_F"], "W/m2"),
        "Rainf": (given["P_F"] / 1800.0, "kg/m2/s"), "Snowf": (np.full(96, 1e-5), "mm/s"),
    }  # fmt: skip
    records = read_tower(write_plumber2(tmp_path / "t.nc", starts, alma))
    assert (records.latitude, records.utc_offset) == (pytest.approx(LATITUDE), -6.0)
    assert records.ends[0] == np.datetime64("2020-01-01T06:30")
    np.testing.assert_allclose(records.values["precipitation"], given["P_F"] / 1800.0 + 1e-5, rtol=1e-6)
    ends = read_tower(tmp_path / "t.nc", stamp="end")
    assert ends.ends[0] == np.datetime64("2020-01-01T06:00")


def test_columns_of_any_csv_by_a_mapping(tmp_path):
    """With their units, and another column of stamps."""
    path = edited(
        write_tower(tmp_path / "t.csv"),
        lambda lines: [
            line.replace("TA_F", "AirT").replace("TIMESTAMP_END", "when").split(",", 1)[1] for line in lines
        ],
    )
    plain = read_tower(write_tower(tmp_path / "u.csv"), **HERE)
    found = read_tower(path, **HERE, columns={"time": "when", "temperature": "AirT [degC]"})
    np.testing.assert_array_equal(found.ends, plain.ends)
    np.testing.assert_allclose(found.values["temperature"], plain.values["temperature"])


HEADERS = {
    "the whole header": ("AirT [degF]", "AirT [degF]"),
    "the name alone": ("AirT [degF]", "AirT"),
    "another unit": ("AirT [K]", "AirT [degF]"),
    "another blank": ("AirT[degF]", "AirT [degF]"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_header_with_a_unit(tmp_path, case):
    """It is found by the whole text or by the name; its unit holds unless the mapping gives another."""
    header, given = HEADERS[case]
    fahrenheit = lambda c: c["TA_F"].__imul__(1.8).__iadd__(32.0)  # noqa: E731
    path = edited(write_tower(tmp_path / "t.csv", change=fahrenheit), lambda x: [x[0].replace("TA_F", header), *x[1:]])
    found = read_tower(path, **HERE, columns={"temperature": given}).values["temperature"]
    plain = read_tower(write_tower(tmp_path / "u.csv"), **HERE).values["temperature"]
    np.testing.assert_allclose(found, plain, atol=1e-3)


def local_form(form):
    """Return a function that writes the end of each record of a line in another form, as the only stamp."""

    def change(line):
        _, end, rest = line.split(",", 2)
        stamp = end if end.startswith("T") else pd.to_datetime(end, format="%Y%m%d%H%M").strftime(form)
        return f"{stamp},{rest}"

    return change


FORMS = {
    "semicolon and decimal comma": lambda line: line.replace(",", ";").replace(".", ","),
    "semicolon and decimal point": lambda line: line.replace(",", ";"),
    "tabulator": lambda line: line.replace(",", "\t"),
    "day first": local_form("%d/%m/%Y %H:%M"),
    "day first, points": local_form("%d.%m.%Y %H:%M"),
    "month first": local_form("%m/%d/%Y %H:%M"),
    "ISO": local_form("%Y-%m-%dT%H:%M"),
}


@pytest.mark.parametrize("case", FORMS)
def test_forms_of_csv(tmp_path, case):
    """Separators, decimal commas and forms of dates give the same records."""
    plain = read_tower(write_tower(tmp_path / "u.csv", 14.0), **HERE)
    path = edited(write_tower(tmp_path / "t.csv", 14.0), lambda lines: [FORMS[case](line) for line in lines])
    found = read_tower(path, **HERE, columns={"time": "TIMESTAMP_END"})
    np.testing.assert_array_equal(found.ends, plain.ends)
    for name, values in plain.values.items():
        np.testing.assert_allclose(found.values[name], values, err_msg=name)


def test_form_of_dates_that_may_begin_with_day_or_month(tmp_path):
    """Given in brackets after the column, it tells them apart."""
    plain = read_tower(write_tower(tmp_path / "u.csv"), **HERE)
    path = edited(write_tower(tmp_path / "t.csv"), lambda lines: [local_form("%d/%m/%Y %H:%M")(x) for x in lines])
    found = read_tower(path, **HERE, columns={"time": "TIMESTAMP_END [%d/%m/%Y %H:%M]"})
    np.testing.assert_array_equal(found.ends, plain.ends)


def test_missing_records_and_values_are_nan(tmp_path):
    """A line that is absent and -9999 in another."""
    path = write_tower(tmp_path / "t.csv", change=lambda c: c["TA_F"].__setitem__(5, np.nan))
    records = read_tower(edited(path, lambda lines: lines[:11] + lines[14:]), **HERE)
    assert np.flatnonzero(np.isnan(records.values["temperature"])).tolist() == [5, 10, 11, 12]
    assert records.rules["missing_records"] == "3 of 192"


def test_clock_of_the_longitude_is_assumed_with_a_warning(tmp_path, caplog):
    """The nearest hour of solar time."""
    records = read_tower(write_tower(tmp_path / "t.csv"), **PLACE)
    assert (records.utc_offset, records.rules["time_zone"][-27:]) == (-6.0, " assumed from the longitude")
    assert "No UTC offset is given" in caplog.text


ERRORS = [
    (lambda lines: [lines[0].replace("TA_F", "T_AIR"), *lines[1:]], {}, r"has no air temperature .* Name the column"),
    (lambda lines: [lines[0].replace("RH", "RHX"), *lines[1:]], {}, r"relative humidity or .*Nearest: .*'RHX'"),
    (lambda lines: lines, {"columns": {"temperature": "TAF"}}, r"no column 'TAF' for air temp.* Nearest: \['TA_F'\]"),
    (lambda lines: lines, {"columns": {"temprature": "TA_F"}}, r"names 'temprature'. Nearest: \['temperature'\]"),
    (lambda lines: lines, {"columns": {"pressure": "PA_F [hPa]"}}, "plausible air pressure .* It would be in kPa"),
    (lambda lines: lines, {"columns": {"temperature": "TA_F [K]"}}, "is 1 K: not a plausible air temperature"),
    (lambda lines: lines, {"columns": {"wind": "WS_F [knots]"}}, "is in 'knots'; known units of wind speed are"),
    (lambda lines: [*lines[:9], lines[8], *lines[9:]], {}, "1 stamps of .* are doubled or go back.*summer time"),
    (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], {}, "are doubled or go back"),
    (lambda lines: [lines[0], *(x.replace("202001020000", "202001020007") for x in lines[1:])], {}, "not on an axis"),
    (lambda lines: lines[:2], {}, "1 record"),
    (lambda lines: lines, {"utc_offset": -700.0}, "UTC offset is -700 h"),
    (lambda lines: lines, {"latitude": 95.0}, "latitude of .* is 95"),
    (lambda lines: lines, {"latitude": None}, "does not hold the latitude .* Give `latitude`.*`--lat`"),
    (lambda lines: lines, {"stamp": "middle"}, "`stamp` is 'middle'"),
    (lambda lines: ["x,y", "1,2"], {}, "has none of .*it has .*'x', 'y'.*Name the column"),
    (lambda lines: [lines[0], "2020,2021" + lines[1][25:], *lines[2:]], {}, "cannot be read"),
    (lambda lines: [*lines[:3], "202001010100,soon" + lines[3][25:], *lines[4:]], {},
     r"holds 'soon', .* form of the first, '202001010030'\. Write all stamps as 2004-01-13"),
    (lambda lines: lines, {"columns": {"time": "Date"}}, r"no column 'Date' for the stamps\. It has \['LW_IN_F'"),
    (lambda lines: lines, {"columns": {"zz": "TA_F"}}, r"names 'zz'\. Available: \['time', 'temperature'"),
    (lambda lines: [local_form("%d/%m/%Y %H:%M")(line) for line in lines], {"columns": {"time": "TIMESTAMP_END"}},
     r"'01/01/2020 00:30' .* day or with the month.* `columns`: time: 'TIMESTAMP_END \[%d/%m/%Y %H:%M\]'"),
    (lambda lines: lines, {"columns": {"time": "TIMESTAMP_END [%d/%m/%Y]"}}, r"not in the form '%d/%m/%Y'"),
    (lambda lines: [lines[0].replace("LW_IN_F", "X"), *lines[1:]], {}, "does not measure it, add a column from"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "options", "message"), ERRORS, ids=[m for *_, m in ERRORS])
def test_errors_name_the_fault_and_its_repair(tmp_path, edit, options, message):
    """No wrong file is read silently."""
    path = edited(write_tower(tmp_path / "t.csv"), edit)
    with pytest.raises(ValueError, match=message):
        read_tower(path, **{**HERE, **options})


def test_absent_file_lists_its_folder(tmp_path):
    """The message holds the names there."""
    write_tower(tmp_path / "tower.csv")
    with pytest.raises(FileNotFoundError, match=r"holds \['tower.csv'\]"):
        read_tower(tmp_path / "towr.csv")
