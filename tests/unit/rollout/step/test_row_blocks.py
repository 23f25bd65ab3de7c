# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Blocks of rows: the same bits whatever their size and the number of threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from anemoi_ailand.rollout.step.row_blocks import BLOCK_ROWS, BlockStep
from tests.support import stepper as case
from tests.support.land import CLOSED

N = 130


@pytest.fixture(scope="module")
def step():
    return CLOSED.land_step()


@pytest.fixture(scope="module")
def rows():
    stepper = case.stepper()
    state = case.start(stepper, N)
    return state.columns, stepper.forcing_columns(state, case.forcings(N)[0])


@pytest.mark.parametrize(("threads", "block_rows"), [(1, 4096), (3, 1), (3, 50), (1, 64), (2, 129)])
def test_blocks_and_threads_change_nothing(step, rows, block_rows, threads):
    """Results are bitwise those of a single call, at the first call, which records, and in concurrent ones."""
    expected = step(torch.stack(rows))
    with BlockStep(step, threads, block_rows) as blocks, ThreadPoolExecutor(4) as pool:
        assert torch.equal(blocks(*rows), expected)
        for found in pool.map(lambda _: blocks(*rows), range(4)):
            assert torch.equal(found, expected)


def test_rows_and_result_of_a_call(step, rows, monkeypatch):
    """Blocks follow the cache, threads the system; a given tensor is filled; no rows give no rows."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    out = torch.empty(N, len(step.outputs))
    with BlockStep(step) as blocks:
        assert (blocks.threads, blocks.block_rows) == (3, BLOCK_ROWS)
        assert blocks(*rows, out) is out
        assert torch.equal(out, step(torch.stack(rows)))
        assert blocks(*torch.empty(2, 0, len(step.inputs))).shape == (0, len(step.outputs))


def test_an_error_in_a_block_is_raised(step, rows):
    """An error in a thread reaches the caller."""

    class Broken:
        def predict_step(self, batch):
            raise RuntimeError("no such luck")

    with BlockStep(replace(step, model=Broken()), 2, 64) as blocks, pytest.raises(RuntimeError, match="no such luck"):
        blocks(*rows)


@pytest.mark.parametrize(("options", "name"), [({"threads": 0}, "threads"), ({"block_rows": -1}, "block_rows")])
def test_numbers_must_be_positive(step, options, name):
    """The error names option and number."""
    with pytest.raises(ValueError, match=f"`{name}` is .* Give 1 or more"):
        BlockStep(step, **options)
