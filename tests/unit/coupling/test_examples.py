# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Examples of other components: runoff on the grid of a routing model, and the land in a host with MPI."""

import runpy
import sys
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
import pytest
import xarray as xr

import anemoi_ailand as ail
from anemoi_ailand.coupling.weights import cell_areas
from anemoi_ailand.rollout.outputs.grib.grid import rows_of


def places(cells):
    rows = rows_of(cells)
    return np.repeat(rows.latitudes, rows.counts), np.concatenate([np.arange(n) * 360.0 / n for n in rows.counts])


def test_areas_of_two_grids():
    """Every cell of either grid is covered once, in m2; the sphere has 5.1e14."""
    targets, sources = places([5.0, 5.0]), places("O8")
    areas = ail.overlap_areas(targets, sources, source_cells="O8")
    radius = 6371229.0
    np.testing.assert_allclose(areas.sum(axis=1), cell_areas(rows_of([5.0, 5.0])) * radius**2, rtol=1e-10)
    np.testing.assert_allclose(areas.sum(axis=0), cell_areas(rows_of("O8")) * radius**2, rtol=1e-10)
    assert areas.sum() == pytest.approx(5.101e14, rel=1e-3)


def test_runoff_for_a_routing_model(tmp_path, repository, monkeypatch):
    """The water of whole days is conserved, land of several points included, and days are those of the intervals."""
    latitudes, longitudes = places("O16")
    land = np.flatnonzero(latitudes > 20.0)
    time = np.datetime64("2022-01-01", "ns") + np.arange(11) * np.timedelta64(6, "h")  # two days and a half
    rng = np.random.default_rng(0)
    fields = {name: rng.uniform(0.0, 1e-4, (11, land.size)) for name in ("sro", "ssro")}
    for values in fields.values():
        values[0] = np.nan
    xr.Dataset(
        {name: (("time", "point"), values, {"long_name": name}) for name, values in fields.items()},
        {"time": time, "latitude": ("point", latitudes[land]), "longitude": ("point", longitudes[land])},
    ).to_netcdf(tmp_path / "land.nc")
    monkeypatch.setattr(sys, "argv", ["routing.py", str(tmp_path / "land.nc"), str(tmp_path / "runoff.nc"), "O16"])
    runpy.run_path(str(repository / "docs" / "examples" / "routing.py"))
    with xr.open_dataset(tmp_path / "runoff.nc") as runoff:
        assert runoff["sro"].dims == ("time", "lat", "lon")
        assert (runoff.sizes["lat"], float(runoff["lat"][0]), float(runoff["lon"][0])) == (181, 90.0, -180.0)
        np.testing.assert_array_equal(runoff["time"], np.array(["2022-01-01", "2022-01-02"], dtype="datetime64[ns]"))
        area = cell_areas(rows_of("O16"))[land] * 6371229.0**2
        for name, values in fields.items():
            given = (values[1:9].reshape(2, 4, -1).mean(axis=1) * area).sum(axis=1) * 86400.0  # kg per day
            received = (runoff[name] * runoff["area"]).sum(["lat", "lon"])
            np.testing.assert_allclose(received, given, rtol=1e-6)
        assert runoff["sro"].isel(lat=-1).isnull().all()
        assert runoff["sro"].attrs["units"] == "mm day-1"


class Ranks:
    """Stand-in for a communicator of mpi4py: rank 0 gives and takes by queues."""

    def __init__(self, rank, boxes):
        self.rank, self.boxes = rank, boxes

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return len(self.boxes)

    def scatter(self, parts, root=0):
        if self.rank == root:
            for (down, _), part in zip(self.boxes, parts, strict=True):
                down.put(part)
        return self.boxes[self.rank][0].get(timeout=60.0)

    def bcast(self, value, root=0):
        return self.scatter([value] * len(self.boxes), root)

    def gather(self, part, root=0):
        self.boxes[self.rank][1].put(part)
        return [up.get(timeout=60.0) for _, up in self.boxes] if self.rank == root else None


@pytest.fixture(scope="module")
def forcing(tmp_path_factory):
    path = tmp_path_factory.mktemp("mpi") / "forcing.nc"
    data = ail.open_data("$AILAND_SAMPLE").to_xarray("2020-05-01", points=slice(7))
    data.to_netcdf(path)
    return path, data


def test_host_with_ranks(forcing, tmp_path, repository):
    """One rank and three ranks give bitwise the land of the stepper."""
    path, data = forcing
    run = runpy.run_path(str(repository / "docs" / "examples" / "mpi_host.py"))["run"]
    for ranks in (1, 3):
        boxes = [(SimpleQueue(), SimpleQueue()) for _ in range(ranks)]
        with ThreadPoolExecutor(ranks) as pool:
            jobs = [pool.submit(run, Ranks(r, boxes), path, tmp_path / f"{ranks}.npy") for r in range(ranks)]
        assert [job.result() for job in jobs] == [None] * ranks
    land = ail.load("ailand", threads=1)
    state, skin = land.initial(data), []
    for k in range(1, data.sizes["time"]):
        state = land.step(state, data.isel(time=k))
        skin.append(state["skt"].numpy())
    for ranks in (1, 3):
        np.testing.assert_array_equal(np.load(tmp_path / f"{ranks}.npy"), np.stack(skin))
