# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Diagnosis of the packaged sample: a planted change of stomatal resistance is found, in words and numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from anemoi_ailand.data.land_data import open_data
from anemoi_ailand.evaluation.diagnosis.pseudo_towers import pseudo_towers
from anemoi_ailand.evaluation.diagnosis.site_means import local_phase
from anemoi_ailand.workflows.diagnose import Emulation, diagnose

NAMES = ("slhf", "sshf", "2t", "swvl1")


@pytest.mark.slow
@pytest.mark.usefixtures("fastest")
def test_planted_resistance_is_found(tmp_path):
    """From ecLand with the emulator's response to a doubled resistance of low vegetation, and errors of towers."""
    data = open_data("$AILAND_SAMPLE")
    times = np.arange("2022-06-01T06", "2022-09-01", 6, "datetime64[h]").astype("datetime64[ns]")
    nothing = np.full((times.size, data.reader.latitudes.size), np.nan)
    places = {"latitude": ("point", data.reader.latitudes), "longitude": ("point", data.reader.longitudes)}
    observed = xr.Dataset(dict.fromkeys(NAMES, (("time", "point"), nothing)), {"time": times, **places})
    emulation = Emulation(data, observed)
    change = emulation.perturbed("rsmin_lv")
    truth = data.to_xarray(("2022-06-01T06", "2022-08")).rename({"t2m": "2t"})
    phase = local_phase(truth["time"].values.astype("datetime64[s]"), *emulation.places)[1]
    planted = {n: truth[n].values + 1.7 * change[n] for n in NAMES}  # 1.5 ** 1.7 = 2
    seen = pseudo_towers(planted, (phase == 1) | (phase == 2), truth["avg_tprate"].values, seed=3)
    for name, values in seen.items():
        observed[name] = (("time", "point"), values)
    observed.rename({"2t": "t2m"}).to_netcdf(tmp_path / "towers.nc")
    folder = diagnose(tmp_path / "towers.nc", "$AILAND_SAMPLE", tmp_path / "out", candidates=["rsmin_lv", "albedo"])
    record = json.loads((folder / "diagnosis.json").read_text())
    best = record["hypotheses"][0]
    assert (best["parameter"], best["surface"]) == ("rsmin_lv", "all low vegetation")
    assert best["amplitude"] == pytest.approx(1.7, abs=0.4)
    assert record["gains"]["slhf"] == pytest.approx(0.85, abs=0.05)
    assert record["effects"]["evap"] < 0.0 < record["effects"]["sshf"] * -1.0
    text = (folder / "diagnosis.md").read_text()
    assert "minimum stomatal resistance of 'all low vegetation'**, times " in text
