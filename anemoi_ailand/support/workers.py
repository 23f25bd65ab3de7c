# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Processes that share work: some on this machine, or the workers of a Dask cluster on many."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from multiprocessing.util import Finalize
from pathlib import Path


@contextmanager
def open_executor(workers: int | str) -> Iterator[tuple[Executor, int]]:
    """Yield an executor, and the number of tasks that it takes at once.

    Parameters
    ----------
    workers : int or str
        Number of processes on this machine; or address of a Dask scheduler (``tcp://node:8786``), or the file that it
        writes (``scheduler.json``).

    Raises
    ------
    ModuleNotFoundError, ConnectionError
        ``dask.distributed`` is not installed; no worker is connected, or one with several threads.
    """
    if isinstance(workers, int):
        # a new interpreter: a fork would inherit the locks of threads
        with ProcessPoolExecutor(workers, get_context("spawn"), _end_children_at_exit) as executor:
            yield executor, workers
        return
    try:
        from distributed import Client  # an extra
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"`workers` is '{workers}', a Dask scheduler, and `distributed` is not installed. Install "
            "`anemoi-ailand[distributed]`, or give a number of processes on this machine."
        ) from error
    where = {"scheduler_file": workers} if Path(workers).is_file() else {"address": workers}
    with Client(**where) as client:
        found = client.scheduler_info(n_workers=-1)["workers"].values()
        if not found or any(worker["nthreads"] > 1 for worker in found):
            raise ConnectionError(
                f"The Dask scheduler '{workers}' has {len(found)} workers, with {[w['nthreads'] for w in found]} "
                "threads. Start some with one thread each, as NetCDF files cannot be read by several: `dask worker "
                "--nthreads 1`."
            )
        yield client.get_executor(pure=False), len(found)


def _end_children_at_exit() -> None:
    """Make this process end its children before it waits for them: anemoi-datasets leaves one that is idle."""
    Finalize(None, _end_children, exitpriority=10)


def _end_children() -> None:
    for child in active_children():
        child.terminate()
