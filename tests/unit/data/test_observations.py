# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Observations of all kinds of files, as rows."""

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from anemoi_ailand.data.observations.impossible import without_impossible
from anemoi_ailand.data.observations.read import read_observations

TIMES = np.array(["2022-06-01T06", "2022-06-01T12"], "datetime64[ns]")
LAT, LON = np.array([50.0, -10.0, 65.0]), np.array([8.0, 120.0, 340.0])


def fields():
    """Fields (time, point) in other units, with a gap and errors of one variable."""
    celsius = np.array([[10.0, 30.0, np.nan], [15.0, 31.0, 2.0]])
    at = {"time": TIMES, "latitude": ("point", LAT), "longitude": ("point", LON)}
    return xr.Dataset(
        {
            "t2m": (("time", "point"), celsius, {"units": "degC"}),
            "t2m_error": (("time", "point"), np.full((2, 3), 1.5), {"units": "degC"}),
            "sde": (("time", "point"), np.full((2, 3), 40.0), {"units": "cm"}),
            "elevation": ("point", [100.0, 20.0, 5.0]),
        },
        coords=at,
    )


def by_row():
    """The same values as variables by row."""
    stacked = fields().stack(row=("time", "point")).reset_index("row")
    return stacked.drop_vars(["point"])


def test_fields_and_rows_of_netcdf(tmp_path):
    """Fields (time, point) and (row,) are the same rows: units are converted, those of errors without their offset."""
    fields().to_netcdf(tmp_path / "fields.nc")
    by_row().to_netcdf(tmp_path / "rows.nc")
    for name in ("fields.nc", "rows.nc"):
        rows = read_observations([tmp_path / name])
        assert len(rows) == 11
        warm = rows.take(rows.names == "2t")
        np.testing.assert_allclose(warm.values, [283.15, 303.15, 288.15, 304.15, 275.15])
        assert (warm.errors == 1.5).all() and warm.elevations.tolist() == [100.0, 20.0, 100.0, 20.0, 5.0]
        assert warm.longitudes.tolist() == [8.0, 120.0, 8.0, 120.0, 340.0]
        assert (warm.times == TIMES.astype("datetime64[s]")[[0, 0, 1, 1, 1]]).all()
        deep = rows.take(rows.names == "sde")
        np.testing.assert_allclose(deep.values, 0.4)
        assert np.isnan(deep.errors).all()


def test_tables(tmp_path):
    """CSV with and without errors and heights; times with a zone are UTC; several files and patterns are joined."""
    table = pd.DataFrame({"time": ["2022-06-01T06:00Z", "2022-06-01 14:00+02:00"], "latitude": [50.0, 51.0],
                          "longitude": [8.0, 9.0], "variable": ["swvl1", "t2m"], "value": [0.2, 290.0]})  # fmt: skip
    table.to_csv(tmp_path / "a.csv", index=False)
    table.assign(error=0.1, elevation=3.0).to_csv(tmp_path / "b.csv", index=False)
    rows = read_observations([tmp_path / "*.csv"])
    assert rows.names.tolist() == ["swvl1", "2t"] * 2
    assert rows.times.astype(str).tolist() == ["2022-06-01T06:00:00", "2022-06-01T12:00:00"] * 2
    assert np.isnan(rows.errors[:2]).all() and (rows.errors[2:] == 0.1).all()
    assert rows.elevations[2:].tolist() == [3.0, 3.0]
    assert rows.sources[3].endswith("b.csv")
    assert len(read_observations([])) == 0


def test_ioda(tmp_path):
    """Values, errors and places from the groups of IODA; missing values are left out."""
    with netCDF4.Dataset(tmp_path / "ioda.nc", "w") as file:
        file.createDimension("Location", 2)
        about, values, errors = (file.createGroup(n) for n in ("MetaData", "ObsValue", "ObsError"))
        about.createVariable("dateTime", "i8", ("Location",)).units = "seconds since 2022-06-01T00:00:00Z"
        about["dateTime"][:] = [6 * 3600, 6 * 3600 + 60]
        for name, numbers in (("latitude", LAT[:2]), ("longitude", LON[:2]), ("stationElevation", [5.0, 6.0])):
            about.createVariable(name, "f4", ("Location",))[:] = numbers
        values.createVariable("airTemperatureAt2M", "f4", ("Location",), fill_value=-999.0)[:] = [280.0, -999.0]
        values["airTemperatureAt2M"].units = "K"
        values.createVariable("totalSnowDepth", "f4", ("Location",))[:] = [200.0, 0.0]
        values["totalSnowDepth"].units = "mm"
        errors.createVariable("airTemperatureAt2M", "f4", ("Location",))[:] = [1.2, 1.2]
    rows = read_observations([tmp_path / "ioda.nc"])
    assert rows.names.tolist() == ["2t", "sde", "sde"]
    np.testing.assert_allclose(rows.values, [280.0, 0.2, 0.0], rtol=1e-6)
    np.testing.assert_allclose(rows.errors, [1.2, np.nan, np.nan], rtol=1e-6)
    assert rows.times.astype(str).tolist() == ["2022-06-01T06:00:00", "2022-06-01T06:00:00", "2022-06-01T06:01:00"]
    assert rows.elevations.tolist() == [5.0, 5.0, 6.0]


def test_odb(tmp_path):
    """ODB-2 by ``varno``; other variables are left out."""
    pyodc = pytest.importorskip("pyodc")
    table = pd.DataFrame({"varno@body": [39, 40, 1, 92], "obsvalue@body": [280.0, 275.0, 1.0, 0.3],
                          "date@hdr": [20220601] * 4, "time@hdr": [60000, 63000, 0, 235900],
                          "lat@hdr": [50.0] * 4, "lon@hdr": [8.0] * 4, "obs_error@errstat": [1.0, 1.5, 1.0, 0.05]}
                         )  # fmt: skip
    pyodc.encode_odb(table, str(tmp_path / "synop.odb"))
    rows = read_observations([tmp_path / "synop.odb"])
    assert rows.names.tolist() == ["2t", "2d", "sde"] and rows.values.tolist() == [280.0, 275.0, 0.3]
    assert rows.times.astype(str).tolist() == ["2022-06-01T06:00:00", "2022-06-01T06:30:00", "2022-06-01T23:59:00"]


def test_bufr(tmp_path):
    """SYNOP reports: temperature, dewpoint and depth of snow, each where it is reported."""
    pytest.importorskip("pdbufr")
    import eccodes

    with (tmp_path / "synop.bufr").open("wb") as file:
        for temperature, depth in ((280.5, 0.25), (290.0, None)):
            message = eccodes.codes_bufr_new_from_samples("BUFR4")
            keys = {"masterTablesVersionNumber": 28, "numberOfSubsets": 1, "compressedData": 0,
                    "unexpandedDescriptors": 307080, "year": 2022, "month": 6, "day": 1, "hour": 6, "minute": 0,
                    "latitude": 50.0, "longitude": 8.0, "heightOfStationGroundAboveMeanSeaLevel": 120.0,
                    "airTemperature": temperature, "dewpointTemperature": temperature - 5.0}  # fmt: skip
            for key, value in (keys | ({} if depth is None else {"totalSnowDepth": depth})).items():
                eccodes.codes_set(message, key, value)
            eccodes.codes_set(message, "pack", 1)
            eccodes.codes_write(message, file)
            eccodes.codes_release(message)
    rows = read_observations([tmp_path / "synop.bufr"])
    assert rows.names.tolist() == ["2t", "2t", "2d", "2d", "sde"]
    np.testing.assert_allclose(rows.values, [280.5, 290.0, 275.5, 285.0, 0.25])
    assert (rows.times == np.datetime64("2022-06-01T06", "s")).all() and (rows.elevations == 120.0).all()


#: Table or file that cannot be read, and the error.
WRONG = {
    "columns.csv": ("time,latitude,longitude,value\n2022-06-01,1,2,3\n", "has no column .'variable'."),
    "number.csv": ("time,latitude,longitude,variable,value\n2022-06-01,1,2,2t,warm\n", "is not a time or number"),
    "name.csv": ("time,latitude,longitude,variable,value\n2022-06-01,1,2,swvl9,3\n", "no variable 'swvl9'"),
    "place.csv": ("time,latitude,longitude,variable,value\n2022-06-01,95,2,2t,3\n", "'latitude' in .* is 95"),
    "error.csv": ("time,latitude,longitude,variable,value,error\n2022-06-01,9,2,2t,3,0\n", "errors of zero or less"),
    "kind.txt": ("", "of no known kind"),
}


def test_unreadable_files_are_refused(tmp_path):
    """With file, what is there and what to do."""
    for name, (text, message) in WRONG.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=message):
            read_observations([tmp_path / name])
    fields().drop_vars("latitude").to_netcdf(tmp_path / "places.nc")
    wrong = fields()
    wrong["t2m"].attrs["units"] = "furlong"
    wrong.to_netcdf(tmp_path / "units.nc")
    with pytest.raises(ValueError, match=r"have no \['latitude'\]"):
        read_observations([tmp_path / "places.nc"])
    with pytest.raises(ValueError, match="has units 'furlong'"):
        read_observations([tmp_path / "units.nc"])
    with pytest.raises(FileNotFoundError, match="no file of observations"):
        read_observations([tmp_path / "lost*.csv"])


#: Variable, values that are refused, and what the message says.
REFUSED = {
    "celsius": ("2t", [22.0, 15.0, -3.0], "3 of 3 .* the worst is -3 K, possible is 182 to 348 K.* look like degC"),
    "percent": ("swvl1", [25.0, 31.0], r"look like %: state `units`"),
    "fill value": ("2t", [290.0, -9999.0, -9999.0], "66.7%.* All of these are -9999, as a fill value"),
    "depth in cm": ("sde", [35.0, 4.0], "1 of 2 .* possible is 0 to 15 m.* look like cm"),
    "infinite": ("2d", [np.inf], "1 of 1"),
    "neither": ("slhf", [9e4, -7e5], "the worst is -700000 W m-2.* Check the values"),
}


def test_impossible_values_are_refused_or_left_out(tmp_path, caplog):
    """More than a tenth of a variable is an error with the likely cause; fewer are left out with a warning."""
    for label, (name, values, message) in REFUSED.items():
        with pytest.raises(ValueError, match=message):
            without_impossible(np.array(values), name, "a.nc")
            pytest.fail(label)
    head = "time,latitude,longitude,variable,value\n"
    good = "".join(f"2022-06-01T06,50,{k},2t,290\n2022-06-01T06,50,{k},sde,0.3\n" for k in range(10))
    (tmp_path / "a.csv").write_text(head + good + "2022-06-01T06,50,8,2t,-9999\n")
    rows = read_observations([tmp_path / "a.csv"])
    assert len(rows) == 20 and rows.values.min() == 0.3
    assert "1 of 11 observations of '2t' (9.1%)" in caplog.text and "the worst is -9999 K" in caplog.text
    (tmp_path / "b.csv").write_text(head + "2022-06-01T06,50,8,2t,17\n")
    with pytest.raises(ValueError, match=r"2 of 12 .* and 1 more files"):
        read_observations([tmp_path / "*.csv"])
