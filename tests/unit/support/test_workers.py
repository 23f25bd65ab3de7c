# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Processes that share work."""

import importlib.util

import pytest

from anemoi_ailand.support.workers import open_executor

#: A child that a process leaves idle, as anemoi-datasets does.
LEAVE_ONE = """
import builtins, concurrent.futures
builtins.kept = concurrent.futures.ProcessPoolExecutor(1)
kept.submit(int).result()
"""


def test_processes_end_though_they_leave_idle_children():
    """The executor closes; without ending the child of its process, it would wait for ever."""
    with open_executor(1) as (executor, count):
        assert (count, executor.submit(exec, LEAVE_ONE).result()) == (1, None)
        assert list(executor.map(abs, [-1, -2])) == [1, 2]


@pytest.mark.skipif(importlib.util.find_spec("distributed") is not None, reason="distributed is installed")
def test_a_cluster_needs_its_library():
    """The error says what to install."""
    with (
        pytest.raises(ModuleNotFoundError, match=r"'tcp://node:8786', a Dask scheduler.*anemoi-ailand\[distributed\]"),
        open_executor("tcp://node:8786"),
    ):
        raise AssertionError


def test_a_cluster_runs_tasks():
    """Those of a scheduler, by its address."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        open_executor(cluster.scheduler_address) as (executor, count),
    ):
        assert (count, list(executor.map(abs, [-1, -2]))) == (2, [1, 2])


def test_workers_with_several_threads_are_refused():
    """They would crash in NetCDF; the error says how to start them."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        pytest.raises(ConnectionError, match=r"1 workers, with \[2\] threads.*--nthreads 1"),
        open_executor(cluster.scheduler_address),
    ):
        raise AssertionError
