# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""An imitation of ECMWF's archive: requests are answered with fields of a small ERA5-Land in GRIB.

``python -m tests.support.mars ARCHIVE.grib create RECIPE OUT.zarr`` runs ``anemoi-datasets`` with it.
"""

import sys
from datetime import datetime, timedelta
from itertools import product
from unittest.mock import patch

import earthkit.data
import eccodes
import numpy as np
from anemoi.datasets.__main__ import main

from tests.support.grib import Archive, sample

#: Where anemoi-datasets asks the archive.
_SOURCE = "anemoi.datasets.create.sources.mars.retrieval.from_source"

#: paramId, factor from the table's unit to the archive's, and variable of the table, of the analyses of ERA5-Land.
#: Instants that the sample lacks are those means over the step.
ANALYSES = {
    **{f"swvl{k}": (38 + k, 1.0, f"swvl{k}") for k in range(1, 5)},
    **{f"stl{k}": (param, 1.0, f"stl{k}") for k, param in enumerate((139, 170, 183, 236), 1)},
    "snowc": (260038, 100.0, "snowc"), "sd": (141, 1e-3, "sd"), "rsn": (33, 1.0, "rsn"), "tsn": (238, 1.0, "tsn"),
    "asn": (32, 1.0, "asn"), "src": (198, 1e-3, "src"), "skt": (235, 1.0, "skt"), "2t": (167, 1.0, "2t"),
    "2d": (168, 1.0, "2d"), "10u": (165, 1.0, "avg_u"), "10v": (166, 1.0, "avg_v"), "sp": (134, 1.0, "avg_sp"),
    "lai_lv": (66, 1.0, "lai_lv"), "lai_hv": (67, 1.0, "lai_hv"),
}  # fmt: skip
#: Amounts since 00 UTC.
AMOUNTS = {
    "ssrd": (169, 1.0, "avg_sdswrf"), "strd": (175, 1.0, "avg_sdlwrf"), "tp": (228, 1e-3, "avg_tprate"),
    "sf": (144, 1e-3, "avg_tsrwe"), "slhf": (147, 1.0, "slhf"), "sshf": (146, 1.0, "sshf"), "e": (182, -1e-3, "evap"),
    "sro": (8, 1e-3, "sro"), "ssro": (9, 1e-3, "ssro"),
}  # fmt: skip
CONSTANTS = {
    "lsm": (172, 1.0, "lsm"), "z": (129, 1.0, "z"), "cl": (26, 1.0, "cl"), "dl": (228007, 1.0, "dl"),
    "cvl": (27, 1.0, "cvl"), "cvh": (28, 1.0, "cvh"), "tvl": (29, 1.0, "tvl"), "tvh": (30, 1.0, "tvh"),
    "slt": (43, 1.0, "slt"),
}  # fmt: skip
OF_ERA5 = {"sdor": (160, 1.0, "sdor")}

#: Date of the constant fields.
CONSTANT = datetime(2010, 1, 1)

#: Keys that choose fields; all others say how they are delivered.
_CHOOSE = ("class", "expver", "stream", "type", "levtype", "param", "date", "time", "step")
_DELIVER = {"grid": ("N320",), "interpolation": ("nn",)}


def write(folder, grid, dates):
    """Write ERA5-Land, made from the sample, into ``folder / "archive.grib"``; sea is missing. Return the path."""
    reader, one, two = sample(), Archive(folder, grid, edition=1), Archive(folder, grid, edition=2)

    def field(values, param, base, sea=np.nan, **keys):
        edition = two if param > 260000 else one  # snow cover is in edition 2
        local = {"setLocalDefinition": 1, "localDefinitionNumber": 1} if edition is two else {}
        mars = {"class": "l5", "stream": "oper", "expver": "0001", "type": "an"}
        edition.field("archive.grib", grid.spread(values, sea), param, base, **local, **(mars | keys))

    for table, keys in ((CONSTANTS, {}), (OF_ERA5, {"class": "ea"})):
        for name, (param, factor, ours) in table.items():
            values = factor * reader.read([ours], [dates[0]])[0, 0]
            field(values, param, CONSTANT, 0.0 if name == "lsm" else np.nan, **keys)
    for param, factor, ours in ANALYSES.values():
        for date, values in zip(dates, reader.read([ours], dates)[0], strict=True):
            field(factor * values, param, date)
    for param, factor, ours in AMOUNTS.values():
        for base in sorted({(date - timedelta(hours=6)).replace(hour=0) for date in dates}):
            ends = [base + timedelta(hours=step) for step in (6, 12, 18, 24)]
            total = np.cumsum(6 * 3600.0 * factor * reader.read([ours], ends)[0].astype(float), axis=0)
            for step, values in zip((6, 12, 18, 24), total, strict=True):
                field(values, param, base, type="fc", stepType="accum", stepRange=f"0-{step}")
    return folder / "archive.grib"


def check_request(request):
    """Raise a ValueError for a request that MARS would refuse, by ecCodes' tables of its keys and parameters."""
    for key in request:
        if key not in (*_CHOOSE, *_DELIVER, "levelist"):
            raise ValueError(f"MARS request with the unexpected key '{key}'")
    for key, allowed in _DELIVER.items():
        if key in request and request[key] not in allowed:
            raise ValueError(f"MARS request with {key}={request[key]}")
    levels = {"sfc": "surface", "ml": "hybrid", "pl": "isobaricInhPa"}
    for param in _listed(request["param"]):
        handle = eccodes.codes_grib_new_from_samples("GRIB2")
        keys = {"setLocalDefinition": 1, "localDefinitionNumber": 1, "tablesVersion": 33, "shortName": param}
        given = {k: request[k] for k in ("class", "stream", "type", "expver")}
        try:
            for key, value in {**keys, **given}.items():
                eccodes.codes_set(handle, key, value)
            if request["levtype"] != "sfc":
                eccodes.codes_set(handle, "typeOfLevel", levels[request["levtype"]])
        except (eccodes.CodesInternalError, KeyError) as error:
            raise ValueError(f"MARS request that ecCodes does not know, {param}: {error}") from error
        finally:
            eccodes.codes_release(handle)


def serve(archive):
    """Return a replacement of earthkit's ``from_source`` that answers requests to MARS from a GRIB file."""
    fields = earthkit.data.from_source("file", str(archive))
    keys = [("class", str), ("expver", str), ("stream", str), ("type", str), ("levtype", str), ("shortName", str),
            ("dataDate", int), ("dataTime", int), ("endStep", int)]  # fmt: skip
    places = {tuple(kind(f.metadata(key)) for key, kind in keys): i for i, f in enumerate(fields)}
    original = earthkit.data.from_source

    def from_source(kind, *args, **request):
        if kind != "mars":
            return original(kind, *args, **request)
        check_request(request)
        wanted = [_listed(request.get(key, 0)) for key in _CHOOSE]
        for i, name in enumerate(_CHOOSE):
            if name in ("date", "time", "step"):
                wanted[i] = [int(value) for value in wanted[i]]
        names = list(product(*wanted))
        if missing := [name for name in names if name not in places]:
            raise ValueError(f"The archive has no {missing[0]}; {len(missing)} of {len(names)} fields are missing")
        return fields[[places[name] for name in names]]

    return from_source


def _listed(value):
    return list(value) if isinstance(value, list | tuple) else str(value).split("/")


if __name__ == "__main__":
    path = sys.argv.pop(1)
    with patch(_SOURCE, serve(path)):
        main()
