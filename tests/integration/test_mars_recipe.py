# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The recipe for ECMWF's archive: its requests, and the store that it makes of an imitated archive in GRIB."""

import re
from datetime import datetime

import numpy as np
import pytest
import yaml
from anemoi.datasets import open_dataset

from anemoi_ailand.data.mapping.declaration import load_mapping
from anemoi_ailand.data.mapping.mapped_path import mapped_path
from anemoi_ailand.physics.air import saturation_pressure, specific_humidity
from anemoi_ailand.support.packaged import find
from tests.support import mars
from tests.support.commands import run_command
from tests.support.documents import ROOT
from tests.support.grib import Grid, sample, stamps

DATES = stamps(datetime(2020, 4, 1), 9)

#: Made of other fields than those of the sample.
MADE = (
    "slt", "cur", "c4", "point_id", "held_out", "snowc", "rsn", "tsn", "t", "q", "avg_t", "avg_q", "avg_sp", "avg_u",
    "avg_v",
)  # fmt: skip


def recipe():
    return yaml.safe_load(find("recipes", "era5-land").read_text())


def requests(node):
    """All requests to MARS below a node of a recipe."""
    if isinstance(node, list):
        return [found for child in node for found in requests(child)]
    if not isinstance(node, dict):
        return []
    return [node["mars"]] if "mars" in node else [found for child in node.values() for found in requests(child)]


def documented():
    """Requests in the guide that replace those of the recipe."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/guide/data.md").read_text(), re.DOTALL)
    return [request for block in blocks for request in requests(yaml.safe_load(block))]


def test_requests_are_known_to_eccodes():
    """Classes, streams, types, levels and parameters of the recipe and of the guide are in ecCodes' definitions."""
    found = [*requests(recipe()["input"]), *documented()]
    assert len(found) >= 6
    for request in found:
        mars.check_request(request)
    with pytest.raises(ValueError, match="does not know"):
        mars.check_request(found[0] | {"param": ["swvl9"]})
    with pytest.raises(ValueError, match="does not know"):
        mars.check_request(found[0] | {"class": "zz"})


def test_mapping_reads_what_the_recipe_requests():
    """Every source of the mapping is a parameter of the recipe, and every parameter is used."""
    mapping, params = load_mapping("era5-land"), {p for r in requests(recipe()["input"]) for p in r["param"]}
    assert params == {name for column in mapping.variables.values() for name in column.sources}
    assert mapping.heights.read == (2.0, 10.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The recipe run in two parts on the imitated archive, for two days of a small grid with sea."""
    root = tmp_path_factory.mktemp("mars")
    archive = mars.write(root, Grid("regular", len(sample().point_id)), DATES)
    content = recipe()
    content["dates"] |= {"start": DATES[0].isoformat(), "end": DATES[-1].isoformat()}
    content["statistics"]["end"] = DATES[-1].isoformat()
    content["build"]["group_by"] = 4
    (root / "recipe.yaml").write_text(yaml.safe_dump(content))
    for command in (["init", "recipe.yaml", "store.zarr"], ["load", "store.zarr", "--parts", "2/2"],
                    ["load", "store.zarr", "--parts", "1/2"], ["finalise", "store.zarr"]):  # fmt: skip
        done = run_command("tests.support.mars", archive, *command, cwd=root, timeout=600)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return root / "store.zarr"


@pytest.mark.slow
def test_store_through_the_mapping_is_the_data_that_the_archive_was_made_from(store):
    """Amounts since 00 UTC become means over each 6 h, units are those of the table, and only land is left."""
    reader, made = sample(), open_dataset(mapped_path(store, "era5-land"))
    known = [n for n in made.variables if n in reader.variables and n not in MADE]
    assert len(known) > 40
    points, names = len(reader.point_id), made.name_to_index
    assert made.shape == (len(DATES) - 1, len(made.variables), 1, points)
    place = made[0][names["point_id"], 0].astype(int)
    order = np.argsort(np.argsort(place))  # the land in the order of the grid is that of the sample
    for k in (0, 3, 7):
        expected = dict(zip(known, reader.read(known, [DATES[k + 1]])[:, 0], strict=True))
        for name in known:
            atol = 2e-6 * float(np.abs(expected[name]).max())
            np.testing.assert_allclose(made[k][names[name], 0], expected[name][order], atol=atol, err_msg=name)


@pytest.mark.slow
def test_forcing_of_the_store_is_at_two_metres(store):
    """Temperature and humidity are those of 2t, 2d and sp at the stamp, means those of the two ends."""
    made = open_dataset(mapped_path(store, "era5-land"))
    now, before = ({n: made[k][i, 0] for n, i in made.name_to_index.items()} for k in (4, 3))
    np.testing.assert_array_equal(now["t"], now["2t"])
    np.testing.assert_allclose(now["avg_t"], 0.5 * (before["t"] + now["t"]), rtol=1e-6)
    humid = specific_humidity(saturation_pressure(now["2d"]), now["avg_sp"])
    np.testing.assert_allclose(now["q"], humid, rtol=5e-3)
