# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Land in a host program with MPI: ``mpirun -n 4 python mpi_host.py forcing.nc skt.npy``.

Rank 0 holds the atmosphere, here fields of a file (time, point) in the place of a model; every rank steps its share of
the land's points. In each step forcing goes out and the skin temperature of the same valid time comes back. As points
do not interact, the result is bitwise the same for any number of ranks.
"""

import sys
import traceback
from typing import Any

import numpy as np
import xarray as xr

import anemoi_ailand as ail


def run(comm: Any, source: str, target: str, checkpoint: str = "ailand") -> None:
    """Run the land of all ranks of a communicator; rank 0 reads and writes."""
    rank, ranks = comm.Get_rank(), comm.Get_size()
    land = ail.load(checkpoint, threads=1)
    names = sorted({name for kind in land.needs.values() for name in kind})
    times = shares = None
    if rank == 0:
        atmosphere = xr.open_dataset(source)
        times = atmosphere["time"].values
        shares = np.array_split(np.arange(atmosphere.sizes["point"]), ranks)

    def scatter(fields: dict[str, np.ndarray] | None) -> dict[str, np.ndarray]:
        """Give each rank its points of fields that rank 0 has."""
        return comm.scatter(None if fields is None else [{n: v[i] for n, v in fields.items()} for i in shares])

    def at(k: int) -> dict[str, np.ndarray] | None:
        """Return the fields of the atmosphere at a time, on rank 0."""
        if rank:
            return None
        now = atmosphere.isel(time=k)
        return {name: now[name].values for name in [*names, "latitude", "longitude"] if name in now}

    times = comm.bcast(times)
    first = scatter(at(0))
    state = land.initial(first, times[0], first.pop("latitude"), first.pop("longitude"))
    skin = []
    for k in range(1, len(times)):
        forcing = scatter(at(k))  # means over the step to the k-th time, and instants at it
        state = land.step(state, {name: forcing[name] for name in land.needs["forcing"]})
        parts = comm.gather(state["skt"].numpy())
        if rank == 0:
            skin.append(np.concatenate(parts))  # the atmosphere continues from it
    if rank == 0:
        np.save(target, np.stack(skin))


if __name__ == "__main__":
    from mpi4py import MPI

    try:
        run(MPI.COMM_WORLD, *sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        MPI.COMM_WORLD.Abort(1)  # otherwise the other ranks wait for ever
