# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Faults and gaps of a tower: found, counted, filled by the stated rule, or refused; the clock against the sun."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from anemoi_ailand.data.stations.tower_file import read_tower
from anemoi_ailand.data.stations.tower_series import check_clock, check_precipitation, clean
from anemoi_ailand.physics.air import saturation_pressure, specific_humidity, standard_pressure
from tests.support.files import ELEVATION, LATITUDE, LONGITUDE, UTC_OFFSET, write_tower

#: Records a day.
DAY = 48


@pytest.fixture
def made(tmp_path):
    """Function that changes the columns of a file and returns its clean series and rules."""

    def run(change=None, days=10.0, drop=(), **options):
        path = write_tower(tmp_path / "t.csv", days, change=lambda c: [change and change(c), [c.pop(n) for n in drop]])
        given = {"latitude": LATITUDE, "longitude": LONGITUDE, "utc_offset": UTC_OFFSET, **options}
        return clean(read_tower(path, **given))

    return run


def put(name, where, value):
    """Return a function that sets values of a column."""
    return lambda columns: columns[name].__setitem__(where, value)


def test_clean_file_is_unchanged(made):
    """Every quantity says so."""
    series, rules = made()
    changes = {k: v for k, v in rules.items() if k.startswith("changes_of_")}
    assert set(changes) == {f"changes_of_{n}" for n in series}
    assert set(changes.values()) == {"none"}
    assert all(np.isfinite(v).all() and v.shape == (480,) for v in series.values())


def test_short_gap_is_interpolated(made):
    """Six records of wind, 3 h, lie on a line between their neighbours; the seventh would be too many."""
    series, rules = made(put("WS_F", slice(100, 106), np.nan))
    line = np.diff(series["wind"][99:107])
    np.testing.assert_allclose(line, line[0])
    assert rules["changes_of_wind"] == "6 missing; 6 filled by interpolation over at most 3 h (of 480 values)"


def test_long_gap_takes_the_same_time_of_other_days(made):
    """Twelve hours without sun are filled by the mean of the other days at that time, which here is the same sun."""
    whole, _ = made()
    series, rules = made(put("SW_IN_F", slice(100, 124), np.nan))
    np.testing.assert_allclose(series["short_wave"], whole["short_wave"], atol=1e-6)
    assert "24 filled by the same time of day within 7 days" in rules["changes_of_short_wave"]


def test_gap_at_the_begin_is_not_extrapolated(made):
    """It is filled by the days after it."""
    whole, _ = made()
    series, _ = made(put("TA_F", slice(0, 3), np.nan))
    np.testing.assert_allclose(series["temperature"], whole["temperature"], atol=1e-6)


def test_gap_beyond_repair_is_refused(made):
    """The middle of nineteen days has no other day near enough; 40 % of a series are too much at all."""
    with pytest.raises(ValueError, match=r"A gap in wind speed .* around 2020-01-16.* is too long"):
        made(put("WS_F", slice(10 * DAY, 29 * DAY), np.nan), days=90.0)
    with pytest.raises(ValueError, match=r"40 % of wind speed .* more than 30 %"):
        made(put("WS_F", slice(0, 4 * DAY), np.nan))


def test_gap_made_by_the_limits_says_so(made):
    """Degrees Fahrenheit read as Celsius: a plausible mean, but a warm season beyond the limits."""

    def change(c):
        c["TA_F"][:] = 10.0
        c["TA_F"][10 * DAY : 29 * DAY] = 70.0

    with pytest.raises(ValueError, match=r"Of its 4320 values were dropped 912 as beyond 190 to 335 K: check the unit"):
        made(change, days=90.0)


def test_faults_are_found_and_filled(made):
    """Long-wave radiation of 7 W m-2, a spike of temperature, wind of 99 m s-1 and a record at -6999."""

    def change(c):
        c["LW_IN_F"][50:52] = 7.0
        c["TA_F"][200] = 44.8
        c["WS_F"][300] = 99.0
        c["PA_F"][400] = -6999.0

    series, rules = made(change)
    assert series["long_wave"][50:52].min() > 250.0
    assert series["temperature"][200] < 280.0
    assert series["wind"][300] < 5.0
    assert series["pressure"][400] > 9e4
    assert rules["changes_of_long_wave"].startswith("2 faults beyond 0.5 to 1.15 of a black body; 2 filled")
    assert rules["changes_of_temperature"].startswith("1 faults more than 25 K from the median of the 24 h around")
    assert rules["changes_of_wind"].startswith("1 faults beyond 0 to 60 m s-1")
    assert rules["changes_of_pressure"].startswith("1 missing")


def test_radiation_at_night_and_missing_rain(made):
    """An offset of the sensor becomes zero, and a missing amount counts as none; both are counted."""
    series, rules = made(lambda c: (put("SW_IN_F", 1, -2.0)(c), put("P_F", slice(0, 20), np.nan)(c)))
    assert series["short_wave"].min() == 0.0
    assert rules["changes_of_short_wave"] == "1 below zero at night set to zero (of 480 values)"
    assert series["precipitation"][:20].max() == 0.0
    assert rules["changes_of_precipitation"] == "20 missing; 20 taken as zero (of 480 values)"


def test_calm_air_has_a_least_wind(made):
    """It is counted."""
    series, rules = made(put("WS_F", slice(0, 5), 0.0))
    assert series["wind"].min() == 0.1
    assert rules["changes_of_wind"] == "5 raised to 0.1 m s-1 (of 480 values)"


def test_humidity_from_what_is_measured(made):
    """Relative humidity first, the deficit where it is missing or alone; never above saturation over water."""
    series, _ = made()
    t, p = series["temperature"], series["pressure"]
    expected = specific_humidity(0.8 * saturation_pressure(t), p)
    np.testing.assert_allclose(series["humidity"], expected, rtol=1e-12)
    deficit = 0.2 * saturation_pressure(t) / 100.0
    alone, rule = made(lambda c: c.update(VPD_F=deficit), drop=["RH"])
    np.testing.assert_allclose(alone["humidity"], expected, rtol=1e-6)
    assert rule["humidity"].startswith("from vapour pressure deficit;")
    both, rule = made(lambda c: (c.update(VPD_F=deficit), put("RH", slice(0, 200), np.nan)(c)))
    np.testing.assert_allclose(both["humidity"], expected, rtol=1e-6)
    assert rule["humidity"].startswith("from relative humidity, where missing from vapour pressure deficit;")
    moist, rule = made(put("RH", slice(0, 9), 104.0))
    np.testing.assert_allclose(moist["humidity"][:9], specific_humidity(saturation_pressure(t[:9]), p[:9]), rtol=1e-12)
    assert rule["changes_of_humidity"] == "9 limited to saturation over water (of 480 values)"


def test_rain_and_snow_add_up(made):
    """The split follows the temperature of each record."""
    series, _ = made()
    wet = series["precipitation"] > 0.0
    share = series["snowfall"][wet] / series["precipitation"][wet]
    np.testing.assert_allclose(share, np.clip((275.15 - series["temperature"][wet]) / 2.0, 0.0, 1.0), atol=1e-9)
    assert share.min() == 0.0 and share.max() == 1.0


def test_doubtful_snow_is_kept_with_a_warning(made, caplog):
    """Fifteen millimetres in half an hour at -4 degC."""
    series, rules = made(lambda c: (put("P_F", 100, 15.0)(c), put("TA_F", slice(90, 110), -4.0)(c)))
    assert series["snowfall"][100] == pytest.approx(15.0 / 1800.0)
    assert rules["changes_of_snowfall"] == "1 doubtful, above 10 mm h-1 of water, kept (of 480 values)"
    assert "1 records of" in caplog.text and "15 mm of water in all" in caplog.text


def test_pressure_of_the_elevation(made):
    """A file without pressure needs the elevation, and says so."""
    series, rules = made(drop=["PA_F"], elevation=ELEVATION)
    assert set(series["pressure"]) == {standard_pressure(ELEVATION)}
    assert "of the standard atmosphere at 219 m" in rules["changes_of_pressure"]
    with pytest.raises(ValueError, match="no air pressure"):
        made(drop=["PA_F"])


STAMPS = {
    "start read as end": (-6.0, r"assumed to be the end .* `--stamp start` would fit; if .* is right, UTC-7 h\."),
    "wrong offset too": (-2.0, r"UTC-7 h would fit, with `--stamp start` UTC-6 h\."),
}


@pytest.mark.parametrize("case", STAMPS)
def test_clock_with_assumed_stamps(tmp_path, caplog, case):
    """Hourly starts in a column of another name: the warning gives the stamp, or the offset under both meanings."""
    offset, message = STAMPS[case]
    lines = write_tower(tmp_path / "t.csv").read_text().splitlines()
    path = tmp_path / "hourly.csv"
    path.write_text("\n".join(["when,TIMESTAMP" + lines[0][29:], *lines[1::2]]).replace("TIMESTAMP_END", "x") + "\n")
    where = {"latitude": LATITUDE, "longitude": LONGITUDE, "utc_offset": offset, "columns": {"time": "when"}}
    check_clock(read_tower(path, **where))
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert re.search(message, warning), warning
    caplog.clear()
    late = check_clock(read_tower(path, **where, stamp="start"))
    assert round(late) == round(-6.0 - offset)
    assert all("are assumed" not in r.getMessage() for r in caplog.records)


@pytest.mark.parametrize(("offset", "late"), [(-6.0, 0.0), (-5.0, -1.0), (6.0, 12.0), (0.0, -6.0)])
def test_clock_against_the_sun(tmp_path, caplog, offset, late):
    """A wrong UTC offset is warned of once, with the one that fits; the right one is not."""
    path = write_tower(tmp_path / "t.csv")
    records = read_tower(path, latitude=LATITUDE, longitude=LONGITUDE, utc_offset=offset)
    caplog.clear()
    found = check_clock(records)
    assert abs((found - late + 12.0) % 24.0 - 12.0) < 0.1
    assert [("UTC-6 h would fit" in r.getMessage()) for r in caplog.records] == ([True] if late else [])


def test_unit_of_precipitation(tmp_path, caplog):
    """Sums of a year and the largest record tell metres, centimetres and inches; short files are not judged."""
    records = read_tower(write_tower(tmp_path / "t.csv"), latitude=LATITUDE, longitude=LONGITUDE, utc_offset=UTC_OFFSET)
    cases = (
        (100, 1.0, ""),
        (100, 1.0e-3, "is 0.76 mm a year, .* 0.015 mm: .*would fit as m."),
        (100, 0.0, "is 0 mm a year"),
        (100, 20.0, "is 15,121 mm a year"),
        (100, 0.03, "record 0.45 mm: .*fit as inch or cm"),
        (59, 1.0e-3, ""),
        (310, 0.1, "record 1.5 mm: .*fit as .*cm"),
        (310, 1.0 / 25.4, "record 0.59 mm: .*inch"),
        (310, 1.0, ""),
    )
    for days, factor, said in cases:
        rain = np.where(np.arange(days * DAY) % 100 == 0, 4.0, 0.0)
        rain[50] = 15.0
        caplog.clear()
        check_precipitation(replace(records, values={"precipitation": factor * rain / 1800.0}))
        assert bool(caplog.messages) == bool(said) and re.search(said, caplog.text), (days, factor, caplog.text)
