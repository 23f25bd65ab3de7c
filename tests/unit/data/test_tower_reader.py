# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A tower as forcing of the land: six-hourly values, properties of the site, and the reader's protocol."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
import yaml

from anemoi_ailand.data.open_reader import open_reader
from anemoi_ailand.data.reader import STEP, Reader
from anemoi_ailand.data.stations.tower_file import read_tower
from anemoi_ailand.data.stations.tower_reader import open_tower, with_properties
from anemoi_ailand.data.stations.tower_series import clean
from anemoi_ailand.data.stations.tower_site import BY_COVER, IGBP, TowerSite, read_site
from anemoi_ailand.variables import HOURLY_RAIN, VARIABLES, Role
from tests.support.files import LATITUDE, LONGITUDE, TOWER_SITE, UTC_OFFSET, write_tower

HERE = {"latitude": LATITUDE, "longitude": LONGITUDE, "utc_offset": UTC_OFFSET}


@pytest.fixture
def files(tmp_path):
    """A tower's file and the properties of its site."""
    (tmp_path / "site.yaml").write_text(TOWER_SITE)
    return write_tower(tmp_path / "t.csv"), tmp_path / "site.yaml"


def test_six_hourly_values(files):
    """Means over the 6 h that end at the stamp, instants at it, late means over 3 h; computed here from the records."""
    reader = open_tower(*files)
    assert isinstance(reader, Reader)
    series, _ = clean(read_tower(files[0], **HERE))
    at = 12 * 3 - 1  # 06:30 UTC is the first record, so that 00 UTC of 2 January is the 36th
    date = datetime(2020, 1, 2)
    names = ["t", "u", "avg_t", "avg_sdswrf", "late_sdswrf", "avg_tprate", "avg_tsrwe", "avg_v", "late_tprate"]
    found = dict(zip(names, reader.read(names, [date])[:, 0, 0], strict=True))
    instants, sun, rain = series["temperature"][at - 12 : at + 1], series["short_wave"], series["precipitation"]
    expected = {
        "t": instants[-1], "u": series["wind"][at], "avg_t": (instants.sum() - instants[[0, -1]].mean()) / 12.0,
        "avg_sdswrf": sun[at - 11 : at + 1].mean(), "late_sdswrf": sun[at - 5 : at + 1].mean(),
        "avg_tprate": rain[at - 11 : at + 1].mean(), "avg_tsrwe": series["snowfall"][at - 11 : at + 1].mean(),
        "avg_v": 0.0, "late_tprate": rain[at - 5 : at + 1].mean(),
    }  # fmt: skip
    np.testing.assert_allclose([found[n] for n in names], [expected[n] for n in names], rtol=1e-6)
    hours = reader.read(HOURLY_RAIN, [date])[:, 0, 0]
    np.testing.assert_allclose(hours, rain[at - 11 : at + 1].reshape(6, 2).mean(1), rtol=1e-6)


def test_instants_begin_one_step_before_the_means(files):
    """So that a run can start at the first stamp of the file."""
    reader = open_tower(*files)
    first = reader.coverage.first - STEP
    assert first == datetime(2020, 1, 1, 12)
    assert np.isfinite(reader.read(["t", "lai_lv", "theta_sat"], [first])).all()
    with pytest.raises(ValueError, match="1 of 1 dates are not in the tower file"):
        reader.read(["avg_t"], [first])


def test_layout_tower_opens_the_same(files):
    """With its options, from a file or a mapping of properties; two files are refused."""
    expected = open_tower(*files).variables
    for site in (str(files[1]), yaml.safe_load(files[1].read_text())):
        assert open_reader(str(files[0]), layout="tower", site=site).variables == expected
    with pytest.raises(TypeError, match=r"layout 'tower' has no option 'utc_ofset'. Nearest: \['utc_offset'\]"):
        open_reader(str(files[0]), layout="tower", site=str(files[1]), utc_ofset=-7)
    with pytest.raises(ValueError, match=r"`site` has 1 mistake:\n  'tvll' is not an option. Nearest: .'tvl'"):
        open_reader(str(files[0]), layout="tower", site={"tvll": 7})
    with pytest.raises(ValueError, match="A tower has one file, and 2"):
        open_reader([str(f) for f in files], layout="tower")


def test_without_properties_only_the_weather(files):
    """Forcing by name, no constants and no leaf area."""
    reader = open_tower(files[0], **HERE)
    assert {VARIABLES[n].role for n in reader.variables} == {Role.FORCING}
    assert "lai_lv" not in reader.variables


def test_properties_by_name_and_number(files, tmp_path):
    """Parameters follow from the types; defaults are stated; a CSV table says the same."""
    reader = open_tower(*files)
    static = reader.static
    assert (static["slt"], static["tvl"], static["cvl"]) == (2.0, 1.0, 0.9)
    assert static["theta_sat"] == pytest.approx(0.439)
    assert static["veg_cov_lv"] == pytest.approx(0.9)
    assert static["z"] == pytest.approx(219.0 * 9.80665)
    assert "assumed: cl = 0, dl = 10, cur = 0, c4 = 0, sdor = 15" in reader.rules["site_properties"]
    pairs = [line.split(": ") for line in TOWER_SITE.splitlines()]
    table = tmp_path / "sites.csv"
    table.write_text("\n".join(",".join(p[i] for p in pairs) for i in (0, 1)) + "\nOther" + "," * 9 + "\n")
    row, same = read_site(table, "Bondville"), read_site(files[1])
    assert row.static() == same.static()
    assert (row.latitude, row.utc_offset) == (same.latitude, same.utc_offset)
    with pytest.raises(ValueError, match=r"has 0 rows for the site 'Bonn' \(names: \['Bondville', 'Other'\]\)"):
        read_site(table, "Bonn")


def test_class_of_igbp_gives_what_is_not_given():
    """Types and covers of the class; the site's own come first."""
    static = TowerSite(igbp="enf", cvh=0.6, slt="fine").static()
    assert {n: static[n] for n in ("tvl", "cvl", "tvh", "cvh")} == {"tvl": 2.0, "cvl": 0.2, "tvh": 3.0, "cvh": 0.6}
    for code in IGBP:
        assert set(TowerSite(igbp=code).static()) == {"tvl", "cvl", "tvh", "cvh"}


def test_leaf_area_follows_the_season(files, tmp_path):
    """By type, from one number, or as twelve months; the rule is stated."""
    january, july = datetime(2020, 1, 2), datetime(2020, 1, 3)
    by_type = open_tower(*files)
    assert by_type.read(["lai_lv"], [january])[0, 0, 0] == pytest.approx(1.0, abs=0.05)
    assert "lai_lv: 3 in the growing season (by type)" in by_type.rules["leaf_area"]
    (tmp_path / "months.yaml").write_text(f"{TOWER_SITE}lai_lv: [0.1, {', '.join(['2'] * 10)}, 0.1]\nlai_hv: 0\n")
    months = open_tower(files[0], tmp_path / "months.yaml")
    np.testing.assert_allclose(months.read(["lai_lv"], [january, july])[0, :, 0], 0.1, atol=1e-6)
    assert "monthly values as given" in months.rules["leaf_area"]


def test_properties_of_a_dataset_yield_to_those_of_the_site(files):
    """A type that is given takes its parameters with it; the rest is kept."""
    records = read_tower(files[0], **HERE)
    theirs = {
        "slt": 1.0, "tvl": 2.0, "tvh": 3.0, "cvl": 0.3, "cvh": 0.6, "z": 50.0, "cl": 0.1, "theta_sat": 0.403,
        "veg_cov_hv": 0.77,
    }  # fmt: skip
    seasons = {n: lambda dates, v=v: np.full(len(dates), v) for n, v in (("lai_lv", 1.0), ("lai_hv", 1.5), ("al", 0.2))}
    reader = with_properties(records, TowerSite(slt="fine"), theirs, seasons, "a dataset")
    assert reader.static["theta_sat"] == pytest.approx(0.52)
    assert (reader.static["veg_cov_hv"], reader.static["cl"], reader.static["z"]) == (0.77, 0.1, 50.0)
    assert reader.read(["lai_hv", "al"], [datetime(2020, 1, 2)])[:, 0, 0].tolist() == [1.5, np.float32(0.2)]
    assert "a dataset" in reader.rules["albedo"]
    covered = with_properties(records, TowerSite(cvl=0.4), theirs, seasons, "a dataset")
    assert covered.read(["al"], [datetime(2020, 1, 2)])[0, 0, 0] == pytest.approx(0.15 * 0.4 + 0.125 * 0.6)
    assert reader.rules["site_properties"].startswith("given: slt; others from a dataset;")


SITES = [
    ("slt: loam\n", r"`slt` is 'loam'\. Give a number up to 7, or a name\. Available: \['coarse', .*'fine'"),
    ("tvl: short gras\n", r"Nearest: \['short grass'"),
    ("cvl: 1.4\n", "are not fractions"),
    ("igbp: URB\n", r"`igbp` is 'URB' and names no vegetation of IGBP on land\. Available: \['ENF'"),
    ("albedo: 0.2\n", "'albedo' is not an option"),
    ("lai_lv: [1, 2]\n", "`lai_lv` has 2 values"),
    ("al: [0.1, 0.2]\n", "`al` has 2 values"),
    ("al: 15\n", "albedo `al` of the site is 15"),
    ("slt: medium\n", r"lacks \['tvl', 'cvl', 'tvh', 'cvh', 'elevation'\]"),
    ("slt: [\n", "is not YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), SITES, ids=[text.strip() for text, _ in SITES])
def test_wrong_properties_are_refused(files, text, message):
    """With the nearest name, or all that is missing."""
    base = "" if text.startswith("slt: medium") else TOWER_SITE
    lines = [line for line in base.splitlines() if line.split(":")[0] != text.split(":")[0]]
    files[1].write_text("\n".join([*lines, text]))
    with pytest.raises(ValueError, match=message):
        open_tower(*files, **HERE)


def test_too_few_records_are_refused(tmp_path):
    """Two six-hourly stamps are needed."""
    with pytest.raises(ValueError, match="two consecutive six-hourly stamps"):
        open_tower(write_tower(tmp_path / "t.csv", 0.47), **HERE)


def test_albedo_of_a_site(files, tmp_path):
    """By the covers, as one number, or as twelve months; the rule is stated."""
    january = [datetime(2020, 1, 2)]
    made = open_tower(*files)
    cover = made.static["cvl"], made.static["cvh"]
    expected = 0.15 * cover[0] + 0.125 * cover[1] + 0.31 * (1.0 - sum(cover))
    assert made.read(["al"], january)[0, 0, 0] == pytest.approx(expected)
    assert BY_COVER in made.rules["albedo"]
    for text, value, words in (("0.22", 0.22, "0.220 as given"), (str([0.2] * 12), 0.2, "monthly values as given")):
        (tmp_path / "site.yaml").write_text(f"{TOWER_SITE}al: {text}\n")
        given = open_tower(files[0], tmp_path / "site.yaml")
        assert given.read(["al"], january)[0, 0, 0] == pytest.approx(value) and words in given.rules["albedo"]
