# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The dataset from the sample written as GRIB is the dataset from the sample."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml
from anemoi.datasets import open_dataset

from anemoi_ailand.data.reader import Reader
from anemoi_ailand.support.packaged import find
from anemoi_ailand.variables import VARIABLES, Time
from tests.support.commands import run_command
from tests.support.grib import Archive, Grid, sample, stamps

DATES = stamps(datetime(2020, 4, 1), 7)
#: Made of what is not in the archive: snow below the precision of packing, means of more instants than there are, the
#: pathway of photosynthesis.
MADE = {"snowc", "rsn", "tsn", "avg_t", "avg_q", "veg_vcmax_lv", "veg_resp_lv"}


def create(recipe: str, folder: Path, **environment: str) -> Path:
    """Run ``anemoi-datasets create`` on a packaged recipe, its dates shortened."""
    document = yaml.safe_load(find("recipes", recipe).read_text(encoding="utf-8"))
    document["dates"] |= {"start": DATES[1], "end": DATES[-1]}
    document["statistics"].pop("end", None)
    (folder / f"{recipe}.yaml").write_text(yaml.safe_dump(document))
    result = run_command(
        "anemoi.datasets", "create", f"{recipe}.yaml", f"{recipe}.zarr", cwd=folder, env={**os.environ, **environment}
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return folder / f"{recipe}.zarr"


def write_archive(folder: Path, ecland: Reader) -> None:
    """The sample as GRIB on an unstructured grid, and its coordinates as NetCDF."""
    Archive(folder, Grid("unstructured", len(ecland.point_id))).write(ecland, DATES, soil="levels")
    with netCDF4.Dataset(folder / "coordinates.nc", "w") as out:
        out.createDimension("point", len(ecland.point_id))
        for name in ("latitudes", "longitudes", "point_id", "climate_class"):
            out.createVariable(name.removesuffix("s") if "itude" in name else name, "f8", ("point",))[:] = getattr(
                ecland, name
            )


@pytest.mark.slow
def test_recipe_gives_the_dataset_of_the_sample(tmp_path: Path) -> None:
    """Same points in the same order, same dates, same values to the precision of packing."""
    archive = tmp_path / "archive"
    archive.mkdir()
    write_archive(archive, sample())
    found = open_dataset(str(create("ecland-grib", tmp_path, AILAND_GRIB=str(archive))))
    expected = open_dataset(str(create("ecland-sample", tmp_path)))
    names = [n for n in found.variables if n in expected.variables and n not in MADE]
    assert len(names) > 60
    assert set(expected.variables) - set(found.variables) == {
        "slw", "gpp", "nee", "c4", "avg_sp", "avg_u", "avg_v", "avg_cpfr"
    }  # fmt: skip
    np.testing.assert_array_equal(found.dates, expected.dates)
    np.testing.assert_allclose(found.latitudes, expected.latitudes, atol=1e-6)
    for name in names:
        a, b = (d[:, d.name_to_index[name]] for d in (found, expected))
        np.testing.assert_allclose(a, b, rtol=0.0, atol=1e-6 * float(np.abs(b).max()), err_msg=name)
        assert bool(found.variables_metadata[name].get("constant_in_time")) == (VARIABLES[name].time is Time.CONSTANT)
