# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Series, scores and properties of a site."""

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.evaluation.sites.places import Found, Place
from anemoi_ailand.evaluation.sites.site_series import (
    names_of,
    of_ecland,
    site_properties,
    site_scores,
    site_sentence,
    site_series,
    site_table,
)

TIMES = np.datetime64("2022-01-01T06", "s") + np.arange(40) * np.timedelta64(6, "h")
FOUND = Found(Place("Bonn", 50.7, 7.1), 3, 50.25, 7.5, 57.4)
WAVE = np.sin(np.arange(40.0))


def made(**changes):
    """The emulator is 1 K too warm, and a little noisy in evaporation."""
    given = {
        "emulator": {"evap": 2e-5 + 1e-5 * WAVE, "stl1": 281.0 + WAVE, "2t": 280.0 + WAVE},
        "ecland": {"evap": 3e-5 + 1e-5 * WAVE, "stl1": 280.0 + WAVE},
        "forcing": {"t": 279.0 + WAVE},
    }
    return site_series(TIMES, **{**given, **changes}, found=FOUND, attributes={"title": "x"})


def test_series_are_cf_and_know_whose_they_are(tmp_path):
    """Names, attributes and sources survive a file."""
    made().to_netcdf(tmp_path / "site.nc")
    with xr.open_dataset(tmp_path / "site.nc") as series:
        assert set(series.data_vars) == {"evap", "stl1", "t2m", "evap_ecland", "stl1_ecland", "t"}
        assert (series.attrs["featureType"], series["site"].attrs["cf_role"]) == ("timeSeries", "timeseries_id")
        assert series["stl1_ecland"].attrs["long_name"] == "soil temperature, layer 1, ecLand"
        assert series["t2m"].attrs["short_name"] == "2t"
        assert names_of(series, "emulator") == ["stl1", "2t", "evap"]
        assert names_of(series, "forcing") == ["t"]
        assert of_ecland(series, "2t") is None
        assert float(series["latitude"]) == 50.25


def test_scores_are_in_the_units_shown():
    """Scores are in display units; variables without ecLand have none."""
    scores = site_scores(made()).set_index("variable")
    assert list(scores.index) == ["stl1", "evap"]
    assert scores.loc["stl1", "bias"] == pytest.approx(1.0)
    assert scores.loc["stl1", "rmse"] == pytest.approx(1.0)
    assert scores.loc["stl1", "correlation"] == pytest.approx(1.0)
    assert scores.loc["stl1", "spread"] == pytest.approx(WAVE.std())
    assert scores.loc["evap", "bias"] == pytest.approx(-0.864)
    assert scores.loc["evap", "units"] == "mm d-1"


def test_gaps_and_constant_series():
    """Missing values of ecLand are skipped; an undefined correlation is a dash."""
    truth = np.where(np.arange(40) < 10, np.nan, 280.0)
    scores = site_scores(made(ecland={"stl1": truth}))
    assert scores["n"].tolist() == [30]
    assert scores["rmse"][0] == pytest.approx(float(np.sqrt(((1.0 + WAVE[10:]) ** 2).mean())))
    assert np.isnan(scores["correlation"][0])
    row = site_table("About.", scores).splitlines()[-1]
    assert [cell.strip() for cell in row.split("|")][6] == "-"


def test_table_reports_missing_ecland():
    """The table says that ecLand is missing."""
    assert "no series of ecLand" in site_table("About.", site_scores(made(ecland={})))


def test_properties_have_names():
    """Types have number, name and cover, and a sentence describes them."""
    static = {"slt": 4.0, "tvl": 13.0, "cvl": 0.8934702, "tvh": 0.0, "cvh": 0.0, "z": 9.0}
    static |= {"climate_class": 5.0, "held_out": 1.0}
    found = site_properties(static)
    assert found["soil"] == {"type": 4, "name": "fine"}
    assert found["low_vegetation"] == {"type": 13, "name": "bogs and marshes", "cover": 0.89347}
    assert found["high_vegetation"]["name"] == "none"
    assert (found["climate_class"], found["held_out"]) == ("maritime", True)
    assert found["static"] == {"cvl": 0.89347, "cvh": 0.0, "z": 9.0}
    assert site_properties({"z": 9.0}) == {"static": {"z": 9.0}}
    assert site_sentence(FOUND, found) == (
        "Bonn (50.7 N, 7.1 E): the nearest point is 57 km away, at 50.25 N, 7.5 E. It has fine soil, bogs and marshes "
        "on 89 % and the climate class maritime. It is held out in the dataset."
    )


@pytest.mark.parametrize("static", [{"slt": 2.5}, {"slt": 8.0}, {"tvl": 21.0}, {"tvh": -1.0}])
def test_types_that_are_none_are_refused(static):
    """Types that are not whole numbers of the table are refused."""
    with pytest.raises(ValueError, match="types are not whole numbers"):
        site_properties(static)
