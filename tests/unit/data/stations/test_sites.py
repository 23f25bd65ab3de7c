# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Tables of tower coordinates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anemoi_ailand.data.stations.sites import Site, read_sites

BIF = """SITE_ID,GROUP_ID,VARIABLE_GROUP,VARIABLE,DATAVALUE
US-Bo1,1,GRP_LOCATION,LOCATION_LAT,40.0062
US-Bo1,1,GRP_LOCATION,LOCATION_LONG,-88.2904
US-Bo1,2,GRP_UTC_OFFSET,UTC_OFFSET,-6
US-Bo1,3,GRP_TEAM_MEMBER,TEAM_MEMBER_NAME,"A, B"
US-Xxx,1,GRP_SITE_DESC,SITE_DESC,no place
"""


def test_plain_table(tmp_path: Path) -> None:
    """Elevation, clock and depths are optional."""
    path = tmp_path / "sites.csv"
    path.write_text(
        "site,latitude,longitude,elevation,utc_offset,soil_depths\nUS-Bo1,40.0,-88.3,219,-6,0.05;0.2\nXX-Yyy,1,2,,,\n"
    )
    sites = read_sites(path)
    assert sites["US-Bo1"] == Site(40.0, -88.3, 219.0, -6.0, (0.05, 0.2))
    assert np.isnan(sites["XX-Yyy"].elevation)
    assert sites["XX-Yyy"].utc_offset is None
    assert sites["XX-Yyy"].soil_depths == ()


def test_bif(tmp_path: Path) -> None:
    """In FLUXNET's own form, sites without coordinates are left out."""
    path = tmp_path / "bif.csv"
    path.write_text(BIF)
    sites = read_sites(path)
    assert set(sites) == {"US-Bo1"}
    assert (sites["US-Bo1"].latitude, sites["US-Bo1"].longitude, sites["US-Bo1"].utc_offset) == (
        40.0062,
        -88.2904,
        -6.0,
    )


def test_other_columns_are_an_error(tmp_path: Path) -> None:
    """The error gives the columns of the file and the required ones."""
    path = tmp_path / "a.csv"
    path.write_text("name,lat,lon\nx,1,2\n")
    with pytest.raises(ValueError, match=r"has the columns \['name', 'lat', 'lon'\].*latitude.*BIF"):
        read_sites(path)


def test_number_that_cannot_be_read(tmp_path: Path) -> None:
    """The error names the file."""
    path = tmp_path / "a.csv"
    path.write_text("site,latitude,longitude\nx,north,2\n")
    with pytest.raises(ValueError, match=r"table of sites '.*a\.csv' cannot be read.*north"):
        read_sites(path)
